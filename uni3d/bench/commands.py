"""`uni3d bench`: plan, run, compare; a folder that is there is gone on with."""

import argparse
import dataclasses
import hashlib
import sys
from pathlib import Path
from typing import Any

from uni3d.config_io import count, number
from uni3d.errors import CheckpointError, ConfigError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Methods on prompts x seeds, each run with the same seconds of one thread, against fresh "
        "objects of the toybox world. The same command goes on where it stopped; several processes "
        "may share a folder."
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the bench")
    parser.add_argument("--suite", default="smoke", help="smoke, tuning, standard or full")
    parser.add_argument("--budget", type=number, help="seconds of one thread a run")
    parser.add_argument("--rounds", type=count, default=40, help="steps timed of each method")
    parser.add_argument("--seeds", type=count)
    parser.add_argument("--prompts", nargs="+", help="in place of the suite's")
    parser.add_argument("--methods", help="some of the suite's or of --variants, by commas")
    parser.add_argument("--variants", type=Path, help="YAML of more methods: name: {key: value}")
    parser.add_argument("--preset", default="draft", help="what all methods share")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument(
        "--only", nargs="+", default=[], help="do these cells: a method, a prompt's slug, seedN"
    )
    parser.add_argument("--report", action="store_true", help="run nothing, compare what is there")
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="more folders in the plot")


def _say(text: str) -> None:
    sys.stderr.write(f"uni3d: {text}\n")


def _asked(args: argparse.Namespace):
    """The suite and its methods as the arguments have them."""
    from uni3d.bench.plan import METHODS, SUITES, read_variants
    from uni3d.run.presets import PRESETS

    if args.suite not in SUITES or args.preset not in PRESETS:
        raise ConfigError(
            f"bench: got suite {args.suite}, preset {args.preset}; want one of "
            f"{', '.join(SUITES)} and one of {', '.join(PRESETS)}; do: choose"
        )
    suite = SUITES[args.suite]
    given = {"budget": args.budget, "seeds": args.seeds}
    given |= {"prompts": tuple(args.prompts) if args.prompts else None}
    suite = dataclasses.replace(suite, **{k: v for k, v in given.items() if v is not None})
    more = read_variants(args.variants) if args.variants else {}
    known = {**METHODS, **more}
    names = args.methods.split(",") if args.methods else [*suite.methods, *more]
    for name in names:
        if name not in known:
            raise ConfigError(f"methods: got {name}; want some of {', '.join(known)}; do: choose")
    return suite, {name: known[name] for name in names}


def _versions() -> dict[str, str]:
    import torch

    from uni3d import __version__
    from uni3d.teacher.hub import BUILT_IN, find_folder

    weights = sorted((find_folder(BUILT_IN).folder / "unet").glob("*.safetensors"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in weights)).hexdigest()
    return {"uni3d": __version__, "torch": torch.__version__, "teacher": digest[:16]}


def _check_same(plan: Any, args: argparse.Namespace) -> None:
    """ConfigError where options are given that are not those of the folder's plan."""
    from uni3d.bench.plan import make_plan

    given = (args.budget, args.seeds, args.prompts, args.methods, args.variants, args.overrides)
    if args.report or not (any(given) or (args.suite, args.preset) != ("smoke", "draft")):
        return
    suite, methods = _asked(args)
    asked = make_plan(suite, methods, args.preset, args.overrides, plan.versions)
    names = ("prompts", "seeds", "budget", "truths", "base", "methods")
    other = [name for name in names if getattr(asked, name) != getattr(plan, name)]
    if other:
        raise ConfigError(
            f"{args.out}: holds a bench with other {', '.join(other)}; wanted the options that it "
            f"was begun with, or none; do: uni3d bench --out {args.out}, or a new --out"
        )


def _planned(args: argparse.Namespace):
    """The folder's plan, or a new one with its steps measured."""
    from tqdm import tqdm

    from uni3d.bench.cost import priced
    from uni3d.bench.plan import make_plan, read_plan, write_plan
    from uni3d.storage.lock import held
    from uni3d.storage.whole import new_folder

    plan = read_plan(args.out)
    if plan is None and args.report:
        raise CheckpointError(f"{args.out}: no bench there; do: uni3d bench --out {args.out}")
    if plan is not None:
        now = _versions()
        if now != plan.versions:
            raise CheckpointError(
                f"{args.out}: made with {plan.versions}, and this is {now}; do: a new --out"
            )
        _check_same(plan, args)
        return plan
    suite, methods = _asked(args)
    plan = make_plan(suite, methods, args.preset, args.overrides, _versions())
    new_folder(args.out, "another --out")
    with held(args.out):
        if (other := read_plan(args.out)) is not None:
            return other
        with tqdm(desc="what a step costs", unit="round") as bar:
            for done, total, priced_plan in priced(plan, args.rounds):
                bar.total = total
                bar.update(done - bar.n)
                plan = priced_plan or plan
        write_plan(plan, args.out)
    return plan


def _work(plan: Any, args: argparse.Namespace) -> bool:
    """Do what is left; whether it was broken off."""
    from tqdm import tqdm

    from uni3d.bench.work import Only, finished, work
    from uni3d.run.interrupts import interrupts

    with (
        interrupts() as pressed,
        tqdm(total=len(plan.cells), desc="runs", unit="run") as bar,
    ):
        bar.update(len(finished(plan, args.out)))
        for cell, step, steps, done in work(
            plan, args.out, Only(tuple(args.only)), lambda: bool(pressed)
        ):
            prompt, seed, method = cell
            bar.set_postfix_str(f"{method}, {prompt}, {seed}: {step}/{steps}", refresh=False)
            bar.update(len(finished(plan, args.out)) - bar.n if done else 0)
    return bool(pressed)


def run(args: argparse.Namespace) -> int:
    import numba
    import torch

    numba.set_num_threads(1)  # first: starting its threads changes torch's number of them
    torch.set_num_threads(1)
    from uni3d.bench.plan import read_plan
    from uni3d.bench.report import pareto, picture, tables, write_results
    from uni3d.bench.scores import scores_of

    plan = _planned(args)
    for method, steps in plan.steps.items():
        _say(f"{method}: {steps} steps of {plan.cost[method]['step']:.3f} s")
    if not args.report and _work(plan, args):
        _say(f"interrupted; what is finished is kept: uni3d bench --out {args.out}")
        return 130
    scores = scores_of(plan, args.out, _say)
    write_results(plan, scores, args.out)
    for prompt in dict.fromkeys(prompt for prompt, _ in scores.pairs):
        name = prompt.replace(" ", "-")
        picture(plan, scores, args.out, prompt, args.out / f"picture-{name}.png")
    benches = [(plan, scores)]
    for folder in args.also:
        other = read_plan(folder)
        if other is None:
            raise CheckpointError(f"--also {folder}: no bench there; do: check the path")
        benches.append((other, scores_of(other, folder, _say)))
    sys.stdout.write(tables(plan, scores))
    pareto(benches, args.out / "pareto.png")
    return 0
