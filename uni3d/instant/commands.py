"""`uni3d instant ...`: train the network that makes an object in one pass, and judge it."""

import argparse
import contextlib
import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Any

from uni3d import config_io
from uni3d.config_io import count, natural, number
from uni3d.errors import CheckpointError, ConfigError
from uni3d.storage.lock import held
from uni3d.storage.whole import new_folder, new_target, replace_all

__all__ = ["add_arguments", "run"]

CHECKPOINT, ANCHORS, CONFIG, METRICS, SHEET = (
    "checkpoint.safetensors",
    "anchors.safetensors",
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
    train.add_argument("--minutes", type=number, help="stop and keep what there is after so long")
    train.add_argument("--steps", type=count, help="over which the schedules run")
    train.add_argument("--seed", type=natural)
    train.add_argument("--method", help="after the sds phase: vsd, sim, uni-instruct, sds, ...")
    train.add_argument("--divergence")
    train.add_argument("--prompts", type=Path, help="file with a sentence a line")
    train.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    train.add_argument(
        "--from",
        type=Path,
        dest="start",
        metavar="FILE",
        help="begin with a trained network's numbers, of instant export or a checkpoint",
    )
    train.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    export = actions.add_parser("export", help="the trained network as one file of half precision")
    export.add_argument("training", type=Path, help="the --out of instant train")
    export.add_argument("--out", type=Path, required=True, help="FILE.safetensors")
    export.add_argument("--overwrite", action="store_true", help="replace what is there")
    judged = actions.add_parser("evaluate", help="right views, overlap and variety, for toybox")
    judged.add_argument("weights", type=Path, help="of instant export, or a training's checkpoint")
    judged.add_argument("--out", type=Path, required=True, help="folder of table and sheet")
    judged.add_argument("--overwrite", action="store_true", help="replace what is there")
    judged.add_argument("--prompts", type=count, default=100, help="of the training grammar")
    judged.add_argument("--held-out", type=count, default=50, help="held-out pairs")
    judged.add_argument("--noises", type=count, default=16, help="z of each prompt, for variety")


def _configured(args: argparse.Namespace, network: Any):
    """The training that is asked for; `network`: the one it begins with, or None."""
    from uni3d.instant.settings import InstantConfig

    if args.resume:
        if not (args.out / CONFIG).is_file():
            raise CheckpointError(
                f"{args.out}: no training there; wanted a folder with {CONFIG}; "
                "do: leave --resume out"
            )
        mapping = config_io.read_yaml(args.out / CONFIG)
    else:
        mapping = {}
    for name in ("steps", "seed", "method", "divergence"):
        if getattr(args, name) is not None:
            mapping[name] = getattr(args, name)
    teacher = {"name": args.teacher, "device": args.device}
    teacher = {name: value for name, value in teacher.items() if value is not None}
    mapping = config_io.merge(mapping, {"teacher": teacher})
    if network is not None:
        mapping["generator"] = dataclasses.asdict(network.config)
    return config_io.load(InstantConfig, config_io.apply_overrides(mapping, args.overrides))


def _sentences(args: argparse.Namespace, teacher: str, worn_share: float):
    """Where sentences come from, and what the sheet shows."""
    from uni3d.instant.sentences import FileSentences, WorldSentences
    from uni3d.instant.sheet import SHOWN
    from uni3d.teacher.hub import SHIPPED

    if args.prompts:
        found = FileSentences.read(args.prompts)
        return found, found.sentences[:12]
    if teacher not in SHIPPED:
        raise ConfigError(f"instant train: teacher {teacher} has no grammar; do: --prompts FILE")
    return WorldSentences(teacher, worn_share), SHOWN


def _train(args: argparse.Namespace) -> int:
    from uni3d.run.interrupts import interrupts
    from uni3d.teacher.model import load_teacher

    started = time.monotonic()
    until = float("inf") if args.minutes is None else started + 60 * args.minutes
    network = _network(args)
    config = _configured(args, network)
    sentences, shown = _sentences(args, config.teacher.name, config.worn_share)
    if not args.resume:
        new_folder(args.out, "--resume, or another --out", (CONFIG, ANCHORS))
    teacher = load_teacher(config.teacher)
    with held(args.out), interrupts() as stop:
        anchors = _anchors(config, teacher, sentences, args.out, stop)
        if stop:
            return 130
        trainer = _trainer(config, teacher, sentences, anchors)
        if network is not None:
            trainer.start_from(network)
        if args.resume and (args.out / CHECKPOINT).exists():
            trainer.restore(args.out / CHECKPOINT)
        replace_all({args.out / CONFIG: config_io.dump(config).encode()})
        _follow(trainer, args.out, shown, until, stop)
    sys.stdout.write(f"{args.out}\n")
    return 130 if stop else 0


def _network(args: argparse.Namespace):
    """The network that a new training begins with; None without one."""
    from uni3d.instant.weights import load_weights

    if args.start is None:
        return None
    if args.resume:
        raise ConfigError("instant train: got --from with --resume, which has its own; do: one")
    if not args.start.is_file():
        raise CheckpointError(
            f"--from: got {args.start}; wanted a file of uni3d instant; do: check the path"
        )
    return load_weights(args.start, args.teacher or "toybox")


def _anchors(config, teacher, sentences, out: Path, stop: list):
    """Those of the training's folder, drawn there at first; None without any, or at a stop."""
    from tqdm import tqdm

    from uni3d.instant.diversity import read_anchors, write_anchors
    from uni3d.instant.training import draw_anchors

    if not config.anchors:
        return None
    if (out / ANCHORS).exists():
        return read_anchors(out / ANCHORS)
    with tqdm(total=config.anchors, desc="anchors", mininterval=5) as bar:
        for done, anchors in draw_anchors(config, teacher, sentences):
            bar.update(done - bar.n)
            if stop:
                break
            if anchors is not None:
                write_anchors(out / ANCHORS, anchors)
                return anchors
    return None


def _trainer(config, teacher, sentences, anchors):
    """The Trainer, or one line for numbers that passed one by one and do not make a network."""
    from uni3d.instant.training import Trainer

    try:
        return Trainer(config, teacher, sentences, anchors)
    except (ValueError, TypeError, RuntimeError, ArithmeticError, LookupError) as error:
        raise ConfigError(
            f"the settings do not make a training ({error}); do: nearer to the defaults"
        ) from error


def _follow(trainer: Any, out: Path, shown: Any, until: float, stop: list) -> None:
    """Train to the end, or to `stop`; leaves checkpoint, log and sheets."""
    from tqdm import tqdm

    from uni3d.instant.sheet import write_sheet
    from uni3d.run.folder import MetricsLog

    config = trainer.config

    def sheet() -> float:
        features = [trainer.texts.of(sentence)[0] for sentence in shown]
        apart = write_sheet(trainer.average, features, out / SHEET)
        replace_all({out / f"sheet-{trainer.step:06d}.png": (out / SHEET).read_bytes()})
        return apart

    with (
        MetricsLog(out, trainer.step) as log,
        tqdm(total=config.steps, initial=trainer.step, unit="step", mininterval=5) as bar,
    ):
        for step in trainer.steps(until):
            bar.update(step.step - bar.n)
            apart = {"apart": sheet()} if step.step % config.sheet_every == 0 else {}
            log.write(step.step, {**step.metrics, **apart})
            if step.step % config.checkpoint_every == 0:
                trainer.save(out / CHECKPOINT)
            if stop:
                break
    trainer.save(out / CHECKPOINT)
    sheet()


def _export(args: argparse.Namespace) -> int:
    from uni3d.instant.settings import InstantConfig
    from uni3d.instant.weights import export_weights
    from uni3d.teacher.hub import find_folder

    if not (args.training / CHECKPOINT).is_file():
        raise CheckpointError(
            f"{args.training}: no training there; wanted a folder with {CHECKPOINT}; do: check it"
        )
    new_target(args.out, args.overwrite)
    config = config_io.load(InstantConfig, config_io.read_yaml(args.training / CONFIG))
    name = find_folder(config.teacher.name, config.teacher.revision, config.teacher.variant).name
    size = export_weights(
        args.training / CHECKPOINT, args.out, name, _apart(args.training / METRICS)
    )
    sys.stdout.write(f"{args.out}: {size / 2**20:.1f} MB\n")
    return 0


def _apart(metrics: Path) -> float | None:
    """What a training's log says last of the difference between two z; a kill may cut a line."""
    lines = metrics.read_text().splitlines() if metrics.is_file() else []
    for line in reversed(lines):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return float(json.loads(line)["apart"])
    return None


def _evaluate(args: argparse.Namespace) -> int:
    from uni3d.toybox.instant_bars import evaluate

    new_target(args.out, args.overwrite)
    for line in evaluate(args.weights, args.out, args.prompts, args.held_out, args.noises):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    return 0


def run(args: argparse.Namespace) -> int:
    return {"train": _train, "export": _export, "evaluate": _evaluate}[args.action](args)
