"""The bars of an instant network of toybox: a table, a sheet, and the numbers as JSON."""

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from uni3d import config_io
from uni3d.cameras import Cameras
from uni3d.errors import ExportError
from uni3d.instant.generator import Generator
from uni3d.instant.objects import InstantScene
from uni3d.instant.weights import load_weights, make_scene
from uni3d.mesh import pictures
from uni3d.mesh.surface import extract_mesh
from uni3d.run.finish import sheet_cameras
from uni3d.run.presets import PRESETS
from uni3d.run.settings import RunConfig
from uni3d.storage.whole import replace_all
from uni3d.teacher.hub import BUILT_IN
from uni3d.teacher.model import TeacherConfig
from uni3d.toybox.bars import known_to_both
from uni3d.toybox.grammar import canonical
from uni3d.toybox.judge import best_iou
from uni3d.toybox.raytrace import render_toy
from uni3d.toybox.reading import read
from uni3d.toybox.recogniser import load_recogniser
from uni3d.toybox.variety import describe, mmd2, relative_entropy
from uni3d.toybox.world import Description, build_toy, sample

__all__ = ["SMALL_WORLD", "TWELVE", "evaluate", "judge_object", "made_views", "true_views"]

# The yellow corgi and the scarf of the rabbit are held out from training (held_out.txt).
TWELVE = (
    "a penguin",
    "a chair",
    "a mushroom",
    "a car",
    "a blue car",
    "a red chair",
    "a green teapot",
    "a yellow corgi",
    "a corgi astronaut",
    "a cat wizard",
    "a rabbit wearing a scarf",
    "a bear knight",
)
SMALL_WORLD = (
    "a car",
    "a chair",
    "a corgi",
    "a penguin",
    "a teapot",
    "a house",
    "a red chair",
    "a corgi astronaut",
)
SEED, SIZE, ENOUGH = 4242, 64, 6  # of the prompts; pixels; right views of eight that count


def evaluate(
    weights: Path, out: Path, prompts: int = 100, held_out: int = 50, noises: int = 16
) -> Iterator[str]:
    """Judge a network; yields lines of a table. `out` gets table.json and sheet.png.

    Views are rendered from the field, not from a mesh; IoU is that of the mesh. Each drawn prompt
    has a z of its own, from its number.
    """
    network, teacher = load_weights(weights, BUILT_IN), TeacherConfig(name=BUILT_IN)
    allowed = functools.partial(known_to_both, BUILT_IN)
    out.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {"weights": str(weights)}
    yield "| prompts | right kind from 6+ of 8 views | worn thing right, of those that wear |"
    yield "|---|---|---|"
    for name, count, held in (("training grammar", prompts, False), ("held-out", held_out, True)):
        rng = np.random.default_rng((SEED, held))
        drawn = [sample(rng, held, allowed) for _ in range(count)]
        rows = [judge_object(network, what, k, teacher) for k, what in enumerate(drawn)]
        found[name] = rows
        yield f"| {name}, {count} | {_share(rows, 'right')} | {_share(rows, 'worn')} |"
    rows = [_judge_twelve(network, prompt, teacher) for prompt in TWELVE]
    found["twelve"] = rows
    yield f"| the twelve | {_share(rows, 'right')} | {_share(rows, 'worn')} |"
    yield f"\nmean best IoU of the twelve: {np.mean([row['iou'] for row in rows]):.3f}\n"
    yield f"| {noises} z of | entropy over the truth's | MMD^2 | picture difference | truth's |"
    yield "|---|---|---|---|---|"
    found["variety"] = []
    for prompt in SMALL_WORLD:
        row = _variety(network, prompt, noises, teacher)
        found["variety"].append({"prompt": prompt, **row})
        cells = " | ".join(f"{value:.3f}" for value in row.values())
        yield f"| {prompt} | {cells} |"
    good = sum(row["entropy"] >= 0.5 for row in found["variety"])
    yield f"\nentropy of at least half of the truth's: {good} of {len(SMALL_WORLD)} prompts"
    replace_all({out / "table.json": (json.dumps(found, indent=1) + "\n").encode()})
    _sheet(network, out / "sheet.png", teacher)


def judge_object(
    network: Generator, what: Description, seed: int, teacher: TeacherConfig
) -> dict[str, Any]:
    """What the recogniser sees from eight sides of one object, beside what was asked."""
    scene = make_scene(network, canonical(what), seed, teacher)
    verdict = load_recogniser().judge(scene.picture(sheet_cameras(), SIZE).rgb)
    views = sum(kind == what.kind for kind in verdict.kinds)
    row: dict[str, Any] = {"prompt": canonical(what), "views": views, "right": views >= ENOUGH}
    if what.wears:
        row["worn"] = sum(worn == what.wears for worn in verdict.worn) * 2 >= len(verdict.worn)
    return row


def _share(rows: list[dict[str, Any]], key: str) -> str:
    asked = [row[key] for row in rows if key in row]
    return f"{sum(asked)} of {len(asked)}"


def _judge_twelve(network: Generator, prompt: str, teacher: TeacherConfig) -> dict[str, Any]:
    what = read(prompt).description
    assert what is not None
    config = config_io.load(RunConfig, PRESETS["instant"])
    row = judge_object(network, what, 0, teacher)
    scene = make_scene(network, canonical(what), 0, teacher)
    cameras = Cameras.orbit(torch.arange(12) * 30.0, torch.tensor([0.0, 20.0, 40.0] * 4))
    opacity = scene.picture(cameras, 128).opacity[:, 0]
    try:
        mesh, _ = extract_mesh(
            scene.field.density, scene.field, cameras, opacity, config.pixel, config.mesh
        )
        row["iou"] = best_iou(mesh, prompt)[0]
    except ExportError:  # nothing is opaque
        row["iou"] = 0.0
    return row


def true_views(what: Description, count: int, cameras: Cameras, first: int = 0) -> Tensor:
    """Pictures `[count, cameras, 3, 64, 64]` of true objects over white."""
    views = []
    for seed in range(first, first + count):
        rgba = render_toy(build_toy(what, np.random.default_rng((2000, seed))), cameras, SIZE)
        views.append(rgba[:, :3] + (1 - rgba[:, 3:]))
    return torch.from_numpy(np.stack(views))


def made_views(scenes: list[InstantScene], cameras: Cameras) -> Tensor:
    """Pictures `[scenes, cameras, 3, 64, 64]` over white."""
    return torch.stack([scene.picture(cameras, SIZE).rgb for scene in scenes])


def _variety(
    network: Generator, prompt: str, noises: int, teacher: TeacherConfig
) -> dict[str, float]:
    what = read(prompt).description
    assert what is not None
    cameras, net = Cameras.orbit([20.0, 140.0], 15.0), load_recogniser()
    scenes = [make_scene(network, canonical(what), seed, teacher) for seed in range(noises)]
    made, truth = made_views(scenes, cameras), true_views(what, noises, cameras)
    features = describe(net, made), describe(net, truth)
    return {
        "entropy": relative_entropy(*features),
        "mmd2": mmd2(*features),
        "apart": _apart(made),
        "apart_truth": _apart(truth),
    }


def _apart(views: Tensor) -> float:
    """Mean absolute difference of pictures between two different objects."""
    n = len(views)
    return float((views[:, None] - views[None]).abs().mean()) * n / (n - 1)


def _sheet(network: Generator, path: Path, teacher: TeacherConfig) -> None:
    """Rows: the twelve; columns: three z from two sides, then eight sides of the first."""
    two, rows = Cameras.orbit([20.0, 140.0], 15.0), {}
    for prompt in TWELVE:
        scenes = [make_scene(network, prompt, seed, teacher) for seed in range(3)]
        shown = [scene.picture(two, 96).rgb for scene in scenes]
        rows[prompt] = pictures.as_uint8(
            torch.cat([*shown, scenes[0].picture(sheet_cameras(), 96).rgb])
        )
    pictures.write_sheet(rows, path)
