"""`uni3d toybox ...`: pictures and meshes of the world, training, and the bars."""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch

from uni3d.cameras import Cameras
from uni3d.config_io import count, natural, number, share
from uni3d.errors import PromptError
from uni3d.run.interrupts import interrupts
from uni3d.storage.whole import new_folder, new_target
from uni3d.teacher.hub import BUILT_IN, SHIPPED
from uni3d.toybox.shapes import Toy
from uni3d.toybox.world import Description

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    sub = parser.add_subparsers(dest="action", required=True)
    reader = sub.add_parser("read", help="what prompts are understood as")
    reader.add_argument("prompts", nargs="*", metavar="PROMPT")
    reader.add_argument("--file", type=Path, help="a prompt a line")
    reader.add_argument("--json", action="store_true", help="a JSON object a line")
    reader.add_argument("--table", type=Path, help="a table of source, subject, prompt to measure")
    sheet = sub.add_parser("sheet", help="a picture of the whole world")
    sheet.add_argument("-o", "--out", type=Path, default=Path("world.png"))
    _add_overwrite(sheet)
    shown = sheet.add_mutually_exclusive_group()
    for name in ("materials", "actions", "relations", "worn"):
        shown.add_argument(f"--{name}", action="store_true", help=f"all {name}, a row each")
    for name, text in (("render", "pictures of the ground truth"), ("mesh", "its mesh")):
        one = sub.add_parser(name, help=text)
        one.add_argument("prompt")
        one.add_argument("--seed", type=natural, default=0)
        one.add_argument("-o", "--out", type=Path, required=True)
        _add_overwrite(one)
    train = sub.add_parser("train", help="train the teacher; resumable at any moment")
    train.add_argument("--out", type=Path, default=Path("outputs/teacher"))
    train.add_argument("--minutes", type=number, default=1e9)
    train.add_argument("--steps", type=count, default=12000)
    train.add_argument("--shards", type=count, default=25)
    train.add_argument("--seed", type=natural, default=0)
    train.add_argument("--small-share", type=share, default=0.3)
    train.add_argument(
        "--composed-share",
        type=share,
        default=0.0,
        help="of each batch, from the toys that are more than a kind and its colour",
    )
    train.add_argument(
        "--renew", type=natural, default=0, help="steps after which the oldest shard is replaced"
    )
    train.add_argument("--workers", type=count, default=1, help="processes that render new shards")
    train.add_argument("--batch", type=count, default=32)
    train.add_argument("--learning-rate", type=number, default=1e-3)
    train.add_argument("--device", default="cpu", help="cpu, cuda or mps")
    train.add_argument("--bf16", action="store_true", help="compute in bfloat16 where it is safe")
    train.add_argument("--resume", action="store_true")
    own = {"nargs": "?", "const": BUILT_IN, "default": "", "choices": tuple(SHIPPED)}
    train.add_argument("--from-shipped", help="start from a teacher of the package", **own)
    train.add_argument("--ship", help="put the weights into the package, in its place", **own)
    train.add_argument(
        "--export-state", type=Path, help="at the end, a small copy of the state to go on from"
    )
    recogniser = sub.add_parser("train-recogniser", help="train the recogniser")
    recogniser.add_argument("--steps", type=count, default=30000)
    recogniser.add_argument("--shards", type=count, default=25)
    recogniser.add_argument(
        "--renew", type=natural, default=150, help="steps after which the oldest shard is replaced"
    )
    recogniser.add_argument("--bf16", action="store_true", help="compute in bfloat16")
    recogniser.add_argument("--resume", action="store_true")
    recogniser.add_argument("--out", type=Path, default=Path("outputs/recogniser.safetensors"))
    _add_overwrite(recogniser)
    bars = sub.add_parser("evaluate", help="the bars for recogniser and teacher")
    bars.add_argument("--prompts", type=count, default=512)
    bars.add_argument(
        "--teacher",
        default=BUILT_IN,
        choices=tuple(SHIPPED),
        help="which, where there is no --file: people's prompts are each drawn by the teacher "
        "that a run takes",
    )
    bars.add_argument(
        "--file", type=Path, help="people's prompts, one a line: how many are drawn right"
    )


def _add_overwrite(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")


def truth(prompt: str, seed: int) -> Toy:
    """The ground-truth toy of a prompt and seed; PromptError when it names no kind."""
    from uni3d.toybox.known import today
    from uni3d.toybox.reading import read
    from uni3d.toybox.world import build_toy

    what = read(prompt, today()).description
    if what is None:
        raise PromptError(f"toybox: {prompt!r} names no known kind; do: uni3d toybox sheet")
    return build_toy(what, np.random.default_rng(seed))


COLUMNS = 12  # of a sheet, two for each toy: seen from its front left and its back left


def _rows(args: argparse.Namespace) -> list[Description]:
    """What a sheet shows, six toys to a row."""
    from uni3d.toybox import world

    if args.materials:
        kinds, field, names = "corgi man car chair house vase", "material", world.MATERIALS
    elif args.actions:
        kinds, field, names = "man corgi teddy_bear woman horse monkey", "action", world.ACTIONS
    elif args.relations:
        kinds, field, names = "man corgi apple mug cat shoe", "relation", world.RELATIONS
    elif args.worn:
        kinds, field, names = "man corgi teddy_bear penguin horse octopus", "wears", world.WEARABLES
    else:
        return [world.Description(kind=kind) for kind in world.KINDS]
    return [world.Description(kind=k, **{field: n}) for n in names for k in kinds.split()]


def _sheet(args: argparse.Namespace) -> None:
    from uni3d.mesh.pictures import write_png
    from uni3d.toybox.raytrace import render_toy
    from uni3d.toybox.world import build_toy

    cameras = Cameras.orbit([30, 135], [15, 20])
    tiles = []
    for what in _rows(args):
        rgba = render_toy(build_toy(what, np.random.default_rng(0)), cameras, 96)
        tiles += list(rgba[:, :3] + (1 - rgba[:, 3:]) * 0.8)
    tiles += [np.full((3, 96, 96), 0.8)] * (-len(tiles) % COLUMNS)
    grid = np.stack(tiles).reshape(-1, COLUMNS, 3, 96, 96).transpose(0, 3, 1, 4, 2)
    pixels = np.clip(grid.reshape(-1, COLUMNS * 96, 3) * 255, 0, 255)
    write_png(pixels.astype(np.uint8), args.out)


def _mesh(prompt: str, seed: int, out: Path) -> None:
    from uni3d.mesh.formats import check_formats
    from uni3d.mesh.types import FileOptions
    from uni3d.run.finish import write_and_check
    from uni3d.toybox.mesh import toy_mesh

    (name,) = check_formats([out.suffix[1:]])
    write_and_check(name, toy_mesh(truth(prompt, seed)), out, FileOptions())


def _render(prompt: str, seed: int, out: Path) -> None:
    from uni3d.mesh.pictures import write_png
    from uni3d.toybox.raytrace import render_toy

    rgba = render_toy(truth(prompt, seed), Cameras.orbit(np.arange(8) * 45.0, 15.0), 192)
    rgb = rgba[:, :3] + (1 - rgba[:, 3:]) * 0.9
    strip = np.concatenate(list(rgb.transpose(0, 2, 3, 1)), axis=1)
    write_png(np.round(strip * 255).astype(np.uint8), out)


def _train(args: argparse.Namespace) -> None:
    from tqdm import tqdm

    from uni3d.storage.lock import held
    from uni3d.toybox import training
    from uni3d.toybox.shipping import ship
    from uni3d.toybox.state import export_state

    config = training.TrainConfig(
        out=args.out,
        steps=args.steps,
        minutes=args.minutes,
        shards=args.shards,
        seed=args.seed,
        small_share=args.small_share,
        composed_share=args.composed_share,
        renew=args.renew,
        workers=args.workers,
        batch=args.batch,
        learning_rate=args.learning_rate,
        device=args.device,
        bf16=args.bf16,
        resume=args.resume,
        from_shipped=args.from_shipped,
    )
    smooth = None
    with (
        held(args.out),
        interrupts() as stop,
        tqdm(total=args.steps, unit="step") as bar,
        (args.out.parent / f"{args.out.name}.jsonl").open("a") as log,
    ):
        for p in training.train(config, lambda: bool(stop)):
            smooth = p.loss if smooth is None else 0.98 * smooth + 0.02 * p.loss
            bar.update(p.step - bar.n)
            bar.set_postfix(loss=f"{smooth:.4f}")
            if p.validation is not None:
                record = {"step": p.step, "loss": smooth, "validation": p.validation}
                log.write(json.dumps({**record, "seconds": p.seconds}) + "\n")
                log.flush()
    if args.export_state:
        size = export_state(config.out, args.export_state)
        sys.stdout.write(f"{args.export_state}: {size / 1e6:.1f} MB\n")
    if args.ship:
        ship(config, args.ship)


def _train_recogniser(args: argparse.Namespace) -> None:
    from tqdm import tqdm

    from uni3d.toybox.recogniser_training import RecogniserConfig, train_recogniser

    config = RecogniserConfig(
        out=args.out,
        steps=args.steps,
        shards=args.shards,
        renew=args.renew,
        bf16=args.bf16,
        resume=args.resume,
    )
    if not config.resume:
        new_target(config.state, args.overwrite)
    with interrupts() as stop, tqdm(total=args.steps, unit="step") as bar:
        for step, loss in train_recogniser(config, lambda: bool(stop)):
            bar.update(step - bar.n)
            bar.set_postfix(loss=f"{loss:.3f}")


def run(args: argparse.Namespace) -> int:
    if args.action == "read":
        from uni3d.toybox.read_command import read_prompts

        return read_prompts(args.prompts, args.file, args.table, args.json)
    if args.action in ("sheet", "render", "mesh", "train-recogniser"):
        new_target(args.out, args.overwrite)
    if args.action == "sheet":
        _sheet(args)
    elif args.action == "render":
        _render(args.prompt, args.seed, args.out)
    elif args.action == "mesh":
        _mesh(args.prompt, args.seed, args.out)
    elif args.action == "train":
        if args.resume:
            args.out.mkdir(parents=True, exist_ok=True)
        else:  # pictures and words are there before the first state
            new_folder(args.out, "--resume, or another --out", ("pictures", "tokenizer"))
        if args.export_state:
            new_target(args.export_state, overwrite=False)
        _train(args)
    elif args.action == "train-recogniser":
        _train_recogniser(args)
    else:
        from uni3d.toybox.bars import measure, measure_prompts
        from uni3d.toybox.read_command import lines_of

        torch.manual_seed(0)
        found = (
            measure_prompts(lines_of(args.file))
            if args.file
            else measure(args.teacher, args.prompts)
        )
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0
