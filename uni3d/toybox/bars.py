"""The bars of the world: how well the recogniser and the teacher do, printed by one command."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from uni3d.cameras import Cameras
from uni3d.toybox import dataset, grammar
from uni3d.toybox.recogniser import labels, load_recogniser, pictures_of
from uni3d.toybox.world import Description, sample

__all__ = ["measure"]

FRESH_SEED = 4242  # of pictures neither network was trained on


def _share(hits: torch.Tensor, among: torch.Tensor) -> float:
    return float(hits[among].float().mean()) if bool(among.any()) else float("nan")


def _recogniser_bar(held: bool) -> dict[str, Any]:
    """Kind, colour and role on fresh renders of one part of the world: what a perfect teacher of
    that part would be given."""
    with tempfile.TemporaryDirectory() as folder:
        dataset.prepare(Path(folder), 1, FRESH_SEED, held)
        pictures = dataset.Pictures(Path(folder), 1, FRESH_SEED, held)
        rng = np.random.default_rng(FRESH_SEED)
        net = load_recogniser()
        hits: dict[str, list[torch.Tensor]] = {"kind": [], "color": [], "worn": []}
        targets: dict[str, list[torch.Tensor]] = {name: [] for name in hits}
        for start in range(0, len(pictures), 250):
            images, what = pictures_of(pictures, range(start, start + 250), rng)
            with torch.no_grad():
                logits = net(images)
            for name, wanted in labels(what).items():
                hits[name].append(logits[name].argmax(1) == wanted)
                targets[name].append(wanted)
        return {"pictures": len(pictures)} | _shares(hits, targets)


def _shares(hits: dict[str, list[torch.Tensor]], targets: dict[str, list[torch.Tensor]]):
    """Kind among all, colour where one is asked for, role among those that wear something."""
    hit = {name: torch.cat(parts) for name, parts in hits.items()}
    target = {name: torch.cat(parts) for name, parts in targets.items()}
    return {
        "kind": _share(hit["kind"], torch.ones_like(hit["kind"])),
        "color": _share(hit["color"], target["color"] >= 0),
        "role": _share(hit["worn"], target["worn"] > 0),
    }


def _teacher_bar(
    prompts: int, held: bool, steps: int = 25, guidance: float = 3.0
) -> dict[str, Any]:
    from uni3d.teacher.model import load_teacher

    teacher, net = load_teacher("toybox"), load_recogniser()
    rng = np.random.default_rng(99 + held)
    generator = torch.Generator().manual_seed(99 + held)
    what: list[Description] = [sample(rng, held) for _ in range(prompts)]
    hits: dict[str, list[torch.Tensor]] = {"kind": [], "color": [], "worn": []}
    targets: dict[str, list[torch.Tensor]] = {name: [] for name in hits}
    from uni3d.teacher.prompts import ViewConditioning

    for start in range(0, prompts, 32):
        part = what[start : start + 32]
        texts = [grammar.caption(w, rng) for w in part]
        azimuth, elevation = rng.uniform(0, 360, len(part)), rng.uniform(-10, 45, len(part))
        cameras = Cameras.orbit(azimuth, elevation)
        context = teacher.encode_text(texts)
        empty = teacher.encode_text([""]).expand_as(context)
        none = context.new_zeros(len(part), 0, *context.shape[1:])
        views = ViewConditioning(context, empty, none, context.new_zeros(len(part), 0))
        latents = teacher.sample(
            views, teacher.camera(cameras), scale=guidance, steps=steps, generator=generator
        )
        with torch.no_grad():
            logits = net(teacher.codec.decode(latents).clamp(0, 1))
        for name, wanted in labels(part).items():
            hits[name].append(logits[name].argmax(1) == wanted)
            targets[name].append(wanted)
    return {"prompts": prompts} | _shares(hits, targets)


def measure(prompts: int = 512) -> dict[str, Any]:
    """Every bar as a share in [0, 1], beside what is wanted."""
    return {
        "wanted": {
            "recogniser": {"kind": 0.97, "color": 0.95},
            "teacher": {"kind": 0.90, "color": 0.85},
            "teacher_held_out": {"kind": 0.80, "role": 0.70},
        },
        "recogniser": _recogniser_bar(held=False),
        "recogniser_held_out": _recogniser_bar(held=True),
        "teacher": _teacher_bar(prompts, held=False),
        "teacher_held_out": _teacher_bar(prompts, held=True),
    }
