"""The command line: a thin shell over the pipeline; it holds no algorithm."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from uni3d import __version__
from uni3d.errors import ConfigError, Uni3DError, escape_missing_letters
from uni3d.run.arguments import (
    add_file_arguments,
    add_run_arguments,
    configured,
    file_options,
    with_mesh,
)
from uni3d.run.interrupts import interrupts
from uni3d.run.presets import PRESETS

COMMANDS = (
    *("generate", "resume", "refine", "export", "evaluate", "doctor"),
    *("toybox", "instant", "batch", "bench", "app"),
)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _generate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prompt", help='a sentence, such as "a corgi astronaut"')
    add_run_arguments(parser)
    parser.add_argument(
        "--variations", type=int, metavar="N", help="N objects of --preset instant, to choose from"
    )
    parser.add_argument("--out", help="run folder (default outputs/<prompt>-<seed>, a new one)")
    parser.add_argument("--overwrite", action="store_true", help="replace the run in that folder")
    add_file_arguments(parser)
    parser.add_argument("--strict", action="store_true", help="words left out are an error")
    parser.add_argument(
        "--anyway", action="store_true", help="go on with a subject that the teacher does not know"
    )


class _Parser(argparse.ArgumentParser):
    """An error is one line, as everywhere."""

    def error(self, message: str) -> NoReturn:
        message = " ".join(message.split())
        self.exit(2, f"uni3d: error: {message}; do: {self.prog} --help\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        for word in args or ():
            if word.startswith("--") and word.endswith("=--"):  # argparse makes a list of it
                self.error(f"argument {word[:-3]}: got '--'")
            if word == "--" or self._subparsers:  # options of its own commands are not known here
                break
            name = word.partition("=")[0]
            if name.startswith("--") and not self._get_option_tuples(name):
                # Before "required: prompt", which would not say what is wrong.
                self.error(f"unrecognized arguments: {name}")
        return super().parse_known_args(args, namespace)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="uni3d", description='A sentence to a textured mesh: uni3d "a corgi astronaut"'
    )
    parser.add_argument("--version", action="version", version=f"uni3d {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    _generate_arguments(commands.add_parser("generate", help="a prompt to a mesh (the default)"))
    for name, text in (
        ("resume", "continue a run that was stopped, then export it"),
        ("export", "write the mesh files of a run again"),
        ("evaluate", "recogniser verdict and overlap with ground truth of a run"),
    ):
        sub = commands.add_parser(name, help=text)
        sub.add_argument("run", help="folder of the run")
        if name != "evaluate":
            add_file_arguments(sub)
    refine = commands.add_parser("refine", help="optimise an object of --preset instant further")
    refine.add_argument("run", type=Path)
    refine.add_argument("--preset", default="default", choices=tuple(PRESETS))
    refine.add_argument("--out", help="run folder (default outputs/<prompt>-<seed>-refined)")
    refine.add_argument("--overwrite", action="store_true", help="replace the run in that folder")
    add_file_arguments(refine)
    doctor = commands.add_parser("doctor", help="what will run here, how long, and why")
    add_run_arguments(doctor)
    doctor.set_defaults(prompt="")
    commands.add_parser("app", help="the local page")
    toybox = commands.add_parser("toybox", help="the embedded teacher and its world")
    from uni3d.toybox.commands import add_arguments

    add_arguments(toybox)
    instant = commands.add_parser("instant", help="one network for many sentences")
    from uni3d.instant.commands import add_arguments as add_instant_arguments

    add_instant_arguments(instant)
    batch = commands.add_parser("batch", help="many objects, from a file of prompts")
    from uni3d.batch.command import add_arguments as add_batch_arguments

    add_batch_arguments(batch)
    bench = commands.add_parser("bench", help="methods measured against the toybox world")
    from uni3d.bench.commands import add_arguments as add_bench_arguments

    add_bench_arguments(bench)
    return parser


def _app(argv: list[str]) -> int:
    """The page has a parser of its own: it must be up before torch is loaded."""
    from uni3d.web.server import add_arguments, serve

    parser = _Parser(prog="uni3d app", description="The local page")
    add_arguments(parser)
    return serve(parser.parse_args(argv))


@contextmanager
def _place(args: argparse.Namespace, usual: Path) -> Iterator[Path]:
    """The run folder, held while it is written; an empty one is not left behind."""
    from uni3d.run.folder import CONFIG, chosen_folder, fresh_folder
    from uni3d.storage.lock import held

    try:
        named = args.out if args.out is not None else str(usual) if args.overwrite else None
        run = fresh_folder(usual) if named is None else chosen_folder(named, args.overwrite)
        probe = run / ".probe"
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        raise ConfigError(
            f"{error.filename}: cannot be written ({error.strerror}); do: --out FOLDER"
        ) from error
    with held(run):
        if named is not None:
            chosen_folder(named, args.overwrite)  # another may have ended here meanwhile
        try:
            yield run
        except KeyboardInterrupt:  # before there was anything to go on from
            if {path.name for path in run.iterdir()} == {".lock", CONFIG}:
                (run / CONFIG).unlink()
            raise
        finally:
            if {path.name for path in run.iterdir()} == {".lock"}:
                (run / ".lock").unlink()
                run.rmdir()


def _generate(args: argparse.Namespace) -> int:
    from uni3d.teacher.prompts import check_prompt, slug

    args.prompt = check_prompt(args.prompt)
    from uni3d.run.prompt import read_prompt

    config = with_mesh(configured(args), args)
    outputs = file_options(args)
    config, note = read_prompt(config, strict=args.strict, anyway=args.anyway)
    for line in filter(None, (note, config.note)):
        _say(f"uni3d: {line}")
    if args.variations is not None:
        from uni3d.run.variations import check_variations

        check_variations(config, args.variations)
    with _place(args, Path("outputs") / f"{slug(config.prompt)}-{config.seed}") as run:
        if args.variations is None:
            return _optimise(config, run, outputs, resume=False)
        from uni3d.run.variations import make_variations

        _follow(make_variations(config, run, args.variations, *outputs))
        _say(f"uni3d: choose one and optimise it further with: uni3d refine {run}/1")
        sys.stdout.write(f"{run}\n")
        return 0


def _refine(args: argparse.Namespace) -> int:
    from uni3d.run.variations import prepare_refined, refined_config
    from uni3d.teacher.prompts import slug

    outputs, config = file_options(args), refined_config(args.run, args.preset)
    with _place(args, Path("outputs") / f"{slug(config.prompt)}-{config.seed}-refined") as run:
        config = with_mesh(prepare_refined(args.run, args.preset, run), args)
        return _optimise(config, run, outputs, resume=True)


def _optimise(config, run: Path, outputs: tuple[Any, Any], *, resume: bool) -> int:
    """Optimise with a progress bar; Ctrl-C exports what exists. outputs: of file_options."""
    from tqdm import tqdm

    from uni3d.run.run import Run

    stepper = Run(config, run, resume=resume)
    first = stepper.prepare()
    if first.note:
        _say(f"uni3d: {first.note}")
    if stepper.config.resolutions != config.resolutions:
        sizes = ", ".join(str(size) for _, size in stepper.config.resolutions)
        _say(f"uni3d: memory {stepper.config.memory}: pictures of {sizes} pixels, for lack of more")
    if stepper.parts is None:  # made in one pass
        return _export(stepper.config, run, outputs)
    config, teacher = stepper.config, stepper.parts.teacher
    if teacher.origin != teacher.name:  # of the built-in one there is nothing to say
        _say(f"uni3d: teacher {teacher.name} ({teacher.origin})")
    with (
        tqdm(total=config.steps, initial=first.step, unit="step", desc="optimising") as bar,
        interrupts() as interrupted,
    ):
        for record in stepper.optimise(stop=lambda: bool(interrupted)):
            bar.update(record.step - bar.n)
            if record.note:
                tqdm.write(f"uni3d: {record.note}", file=sys.stderr)
            if record.metrics:
                bar.set_postfix(opacity=f"{record.metrics['opacity']:.2f}", refresh=False)
    if interrupted:
        _say("uni3d: interrupted; exporting what exists (uni3d resume continues it)")
    return _export(stepper.config, run, outputs) or (130 if interrupted else 0)


def _export(config, run: Path, outputs: tuple[Any, Any]) -> int:
    """Write the files of a run whose scene is there; broken off, the line that goes on."""
    from uni3d.run.finish import export_run

    try:
        _follow(export_run(config, run, *outputs))
    except KeyboardInterrupt:
        _say(f"uni3d: interrupted; the object is kept; do: uni3d export {run}")
        return 130
    sys.stdout.write(f"{run}\n")
    return 0


def _follow(records: Iterable[Any]) -> None:
    for record in records:
        _say(f"uni3d: {record.stage} ({record.seconds:.0f} s) {record.note}".rstrip())


def _run_command(args: argparse.Namespace) -> int:
    if args.command == "generate":
        return _generate(args)
    if args.command == "refine":
        return _refine(args)
    if args.command == "toybox":
        from uni3d.toybox.commands import run

        return run(args)
    if args.command == "instant":
        from uni3d.instant.commands import run as run_instant

        return run_instant(args)
    if args.command == "batch":
        from uni3d.batch.command import run as run_batch

        return run_batch(args)
    if args.command == "bench":
        from uni3d.bench.commands import run as run_bench

        return run_bench(args)
    if args.command == "doctor":
        from uni3d.doctor.doctor import examine

        for line in examine(configured(args)):
            sys.stdout.write(line + "\n")
        return 0
    from uni3d.run.folder import given_folder, read_config
    from uni3d.storage.lock import held

    args.run = given_folder(args.run)
    read_config(args.run)  # before the lock: that makes a file
    with held(args.run):
        config = read_config(args.run)
        if args.command == "evaluate":
            from uni3d.toybox.judge import evaluate_run

            sys.stdout.write(json.dumps(evaluate_run(config, args.run), indent=2) + "\n")
            return 0
        from uni3d.run.finish import export_run

        config, outputs = with_mesh(config, args), file_options(args)
        if args.command == "resume":
            return _optimise(config, args.run, outputs, resume=True)
        _follow(export_run(config, args.run, *outputs))
    return 0


def _meant(argv: list[str]) -> None:
    """Stop at what was surely meant otherwise: a misspelt command, resume as an option."""
    names = (word.partition("=")[0] for word in argv if word.startswith("--"))
    if any(_edits(name, "--resume") <= 1 for name in names):
        raise ConfigError("--resume: is no option here; do: uni3d resume FOLDER")
    _no_command(argv[0])


def _no_command(text: str) -> None:
    """Stop at a prompt that is a command, or very like one."""
    word = text.strip().lower()
    for command in COMMANDS:
        if abs(len(word) - len(command)) <= 2 and _edits(word, command) <= len(command) // 3 <= 3:
            why = "a command stands first" if word == command else "is no command and very like one"
            raise ConfigError(
                f"{text}: {why}; do: uni3d {command}, or for this as a prompt: uni3d generate "
                f"{text}"
            )


def _edits(typed: str, known: str) -> int:
    """How many letters must be put in, left out, changed or swapped with the next to make `known`
    of `typed` (optimal string alignment)."""
    rows = [list(range(len(known) + 1))]
    for i, x in enumerate(typed, 1):
        row = [i]
        for j, y in enumerate(known, 1):
            best = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (x != y))
            if (
                i > 1
                and j > 1
                and (x, y) == (known[j - 2], typed[i - 2])
                and typed[i - 2 : i] != known[j - 2 : j]
            ):
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]


def main(argv: list[str] | None = None) -> int:
    """Entry point; user errors are one line and exit code 2."""
    argv = list(sys.argv[1:] if argv is None else argv)
    escape_missing_letters()
    try:
        if argv and argv[0] not in COMMANDS and argv[0] not in ("-h", "--help", "--version"):
            _meant(argv)
            args = _parser().parse_args(["generate", *argv])
            _no_command(args.prompt)  # options may stand before it
            return _run_command(args)
        if argv[:1] == ["app"]:
            return _app(argv[1:])
        return _run_command(_parser().parse_args(argv))
    except Uni3DError as error:
        _say(f"uni3d: error: {' '.join(str(error).split())}")
        return 2
    except OSError as error:
        where, why = error.filename or "a file", error.strerror or error
        _say(f"uni3d: error: {where}: {why}; do: check space and rights")
        return 2
    except MemoryError:
        _say(
            "uni3d: error: not enough memory; what was saved is kept; do: a smaller "
            "--set mesh.texture_size or mesh.resolution, then: uni3d export or resume FOLDER"
        )
        return 2
    except KeyboardInterrupt:
        _say("uni3d: interrupted")
        return 130
