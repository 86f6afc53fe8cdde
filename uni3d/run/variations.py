"""Several objects of one sentence, to choose from, and the chosen one as a run of its own."""

import dataclasses
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from uni3d import config_io
from uni3d.cameras import Cameras
from uni3d.errors import CheckpointError, ConfigError
from uni3d.instant.files import find_weights, varies
from uni3d.instant.objects import InstantScene
from uni3d.mesh import pictures
from uni3d.mesh.types import FileOptions
from uni3d.run.finish import FORMATS, export_run
from uni3d.run.folder import CHECKPOINT, put_back, read_config, set_aside, write_config
from uni3d.run.presets import PRESETS
from uni3d.run.run import Progress, Run, restore_scene
from uni3d.run.settings import RunConfig

__all__ = [
    "CONTACT",
    "LARGEST",
    "check_variations",
    "make_variations",
    "prepare_refined",
    "refined_config",
]

CONTACT, LARGEST = "contact.png", 64
CONTACT_SIZE = 128
# What a preset decides; the rest of a run is kept when it is refined with another.
DECIDED = ("steps", "views", "resolutions", "mesh")


def check_variations(config: RunConfig, count: int) -> None:
    """ConfigError where there is nothing to make so many objects with."""
    if not 1 <= count <= LARGEST:
        raise ConfigError(f"variations: got {count}; want 1 to {LARGEST}; do: change it")
    if not config.instant.only:
        raise ConfigError("variations: they are made by one network; do: --preset instant")
    teacher = config.teacher
    named = (config.instant.weights, teacher.name, teacher.revision, teacher.variant)
    weights = find_weights(*named)
    if weights is None:
        raise ConfigError(
            f"variations: the teacher {teacher.name} has no instant network to make them; "
            "do: one run for each --seed, or --instant-weights FILE"
        )
    if not varies(weights):
        raise ConfigError(
            f"variations: the network of {teacher.name} makes the same object for every seed; "
            "do: one run of --preset draft --from-scratch for each --seed, or "
            "--instant-weights FILE"
        )


def make_variations(
    config: RunConfig,
    folder: Path,
    count: int,
    formats: Sequence[str] = FORMATS,
    options: FileOptions = FileOptions(),  # noqa: B008 - frozen
) -> Iterator[Progress]:
    """Runs FOLDER/1, FOLDER/2, ... of seeds `config.seed`, `config.seed` + 1, ...; contact.png.

    The picture comes first, when all objects are there: rows are the runs, columns four sides.
    """
    check_variations(config, count)
    runs = []
    for k in range(count):
        run = folder / str(k + 1)
        run.mkdir(parents=True, exist_ok=True)
        one = Run(dataclasses.replace(config, seed=config.seed + k), run)
        one.prepare()
        runs.append(one)
    rows = {}
    cameras = Cameras.orbit(torch.tensor([20.0, 110.0, 200.0, 290.0]), 15.0)
    for one in runs:
        scene, _ = restore_scene(one.config, one.folder)
        rows[one.folder.name] = pictures.as_uint8(scene.picture(cameras, CONTACT_SIZE).rgb)
    pictures.write_sheet(rows, folder / CONTACT)
    yield Progress("contact sheet", 0, count, 0.0, note=str(folder / CONTACT))
    for k, one in enumerate(runs):
        for record in export_run(one.config, one.folder, formats, options):
            if record.stage == "done":
                yield dataclasses.replace(record, stage=str(one.folder), step=k + 1, steps=count)


def prepare_refined(source: Path, preset: str, folder: Path) -> RunConfig:
    """Make `folder` a run that goes on from the object of `source` with the preset's steps.

    Its configuration is returned: do `Run(config, folder, resume=True)`. CheckpointError where
    `source` is not an object of the instant network.
    """
    config = refined_config(source, preset)
    if folder.exists() and folder.samefile(source):
        raise ConfigError(
            f"--out: got {folder}, the object itself; wanted another folder; do: name one"
        )
    set_aside(folder)  # a run that is to be replaced: back where this one fails early
    try:
        shutil.copyfile(source / CHECKPOINT, folder / CHECKPOINT)
        write_config(config, folder)
    except Exception:
        put_back(folder)
        raise
    return config


def refined_config(source: Path, preset: str) -> RunConfig:
    """The configuration of `source` with what `preset` decides; checked before any work."""
    if PRESETS[preset].get("instant", {}).get("only"):
        raise ConfigError(f"preset: got {preset}, which optimises nothing; do: draft or default")
    config = read_config(source)
    scene, _ = restore_scene(config, source)
    if not isinstance(scene, InstantScene):
        raise CheckpointError(
            f"{source}: it was optimised already; wanted an object of --preset instant; "
            f"do: uni3d resume {source}"
        )
    kept = config_io.to_dict(config)
    for name in DECIDED:
        kept.pop(name, None)
    mapping = config_io.merge(kept, PRESETS[preset])
    if config.method != RunConfig.method or config.divergence:  # chosen when it was made
        mapping["method"] = config.method
    return config_io.load(RunConfig, config_io.merge(mapping, {"instant": {"only": False}}))
