"""`uni3d instant ...`: train the network that makes an object in one pass, and judge it."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from uni3d import config_io
from uni3d.errors import CheckpointError, ConfigError

__all__ = ["add_arguments", "run"]

CHECKPOINT, CONFIG, METRICS, SHEET = (
    "checkpoint.safetensors",
    "instant.yaml",
    "metrics.jsonl",
    "sheet.png",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    train = actions.add_parser("train", help="train the network that makes an object in one pass")
    train.add_argument("--out", type=Path, required=True)
    train.add_argument("--teacher", help="toybox, a hub id, or a folder in diffusers layout")
    train.add_argument("--device", choices=("auto", "cpu", "cuda"), help="of the teacher")
    train.add_argument("--minutes", type=float, help="stop and keep what there is after so long")
    train.add_argument("--steps", type=int, help="over which the schedules run")
    train.add_argument("--seed", type=int)
    train.add_argument("--method", help="after the sds phase: vsd, sim, uni-instruct, sds, ...")
    train.add_argument("--divergence")
    train.add_argument("--prompts", type=Path, help="file with a sentence a line")
    train.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    train.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    export = actions.add_parser("export", help="the trained network as one file of half precision")
    export.add_argument("training", type=Path, help="the --out of instant train")
    export.add_argument("--out", type=Path, required=True, help="FILE.safetensors")
    judged = actions.add_parser("evaluate", help="right views, overlap and variety, for toybox")
    judged.add_argument("weights", type=Path, help="of instant export, or a training's checkpoint")
    judged.add_argument("--out", type=Path, required=True, help="folder of table and sheet")
    judged.add_argument("--prompts", type=int, default=100, help="of the training grammar")
    judged.add_argument("--held-out", type=int, default=50, help="held-out pairs")
    judged.add_argument("--noises", type=int, default=16, help="z of each prompt, for variety")


def _configured(args: argparse.Namespace):
    from uni3d.instant.training import InstantConfig

    if args.resume:
        if not (args.out / CONFIG).is_file():
            raise CheckpointError(f"{args.out}: no training there; wanted a folder with {CONFIG}")
        mapping = config_io.read_yaml(args.out / CONFIG)
    else:
        mapping = {}
    for name in ("steps", "seed", "method", "divergence"):
        if getattr(args, name) is not None:
            mapping[name] = getattr(args, name)
    teacher = {"name": args.teacher, "device": args.device}
    teacher = {name: value for name, value in teacher.items() if value is not None}
    mapping = config_io.merge(mapping, {"teacher": teacher})
    return config_io.load(InstantConfig, config_io.apply_overrides(mapping, args.overrides))


def _sentences(args: argparse.Namespace, teacher: str):
    """Where sentences come from, and what the sheet shows."""
    from uni3d.instant.sentences import FileSentences, WorldSentences
    from uni3d.instant.sheet import SHOWN

    if args.prompts:
        found = FileSentences.read(args.prompts)
        return found, found.sentences[:12]
    if teacher != "toybox":
        raise ConfigError(f"instant train: teacher {teacher} has no grammar; do: --prompts FILE")
    return WorldSentences(), SHOWN


def _train(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from uni3d.instant.sheet import write_sheet
    from uni3d.instant.training import Trainer
    from uni3d.run.interrupts import interrupts
    from uni3d.teacher.model import load_teacher

    started = time.monotonic()
    config = _configured(args)
    sentences, shown = _sentences(args, config.teacher.name)
    args.out.mkdir(parents=True, exist_ok=True)
    teacher = load_teacher(config.teacher)
    trainer = Trainer(config, teacher, sentences)
    if args.resume and (args.out / CHECKPOINT).exists():
        trainer.restore(args.out / CHECKPOINT)
    else:
        for old in (CHECKPOINT, METRICS):
            (args.out / old).unlink(missing_ok=True)
    (args.out / CONFIG).write_text(config_io.dump(config), encoding="utf-8")
    until = started + 60 * args.minutes if args.minutes else float("inf")

    def sheet() -> float:
        features = [trainer.texts.of(sentence)[0] for sentence in shown]
        apart = write_sheet(trainer.average, features, args.out / SHEET)
        (args.out / f"sheet-{trainer.step:06d}.png").write_bytes((args.out / SHEET).read_bytes())
        return apart

    with (
        (args.out / METRICS).open("a") as log,
        tqdm(total=config.steps, initial=trainer.step, unit="step", mininterval=5) as bar,
        interrupts() as stop,
    ):
        for step in trainer.steps(until):
            record: dict[str, Any] = {"step": step.step, **step.metrics}
            bar.update(step.step - bar.n)
            if step.step % config.sheet_every == 0:
                record["apart"] = sheet()
            log.write(json.dumps(record) + "\n")
            if step.step % config.checkpoint_every == 0:
                log.flush()
                trainer.save(args.out / CHECKPOINT)
            if stop:
                break
    trainer.save(args.out / CHECKPOINT)
    sheet()
    sys.stdout.write(f"{args.out}\n")
    return 130 if stop else 0


def _export(args: argparse.Namespace) -> int:
    from uni3d.instant.training import InstantConfig
    from uni3d.instant.weights import export_weights
    from uni3d.teacher.hub import find_folder

    if not (args.training / CHECKPOINT).is_file():
        raise CheckpointError(
            f"{args.training}: no training there; wanted a folder with {CHECKPOINT}"
        )
    config = config_io.load(InstantConfig, config_io.read_yaml(args.training / CONFIG))
    name = find_folder(config.teacher.name, config.teacher.revision, config.teacher.variant).name
    size = export_weights(args.training / CHECKPOINT, args.out, name)
    sys.stdout.write(f"{args.out}: {size / 2**20:.1f} MB\n")
    return 0


def _evaluate(args: argparse.Namespace) -> int:
    from uni3d.toybox.instant_bars import evaluate

    for line in evaluate(args.weights, args.out, args.prompts, args.held_out, args.noises):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    return 0


def run(args: argparse.Namespace) -> int:
    return {"train": _train, "export": _export, "evaluate": _evaluate}[args.action](args)
