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

HELD_OUT_SEED = 4242  # pictures neither network was trained on


def _share(hits: torch.Tensor, among: torch.Tensor) -> float:
    return float(hits[among].float().mean()) if bool(among.any()) else float("nan")


def _recogniser_bar() -> dict[str, Any]:
    """Kind and colour on fresh renders of the training part of the world."""
    with tempfile.TemporaryDirectory() as folder:
        dataset.prepare(Path(folder), 1, HELD_OUT_SEED)
        pictures = dataset.Pictures(Path(folder), 1, HELD_OUT_SEED)
        rng = np.random.default_rng(HELD_OUT_SEED)
        net = load_recogniser()
        kinds, colors, asked = [], [], []
        for start in range(0, len(pictures), 250):
            images, what = pictures_of(pictures, range(start, start + 250), rng)
            with torch.no_grad():
                logits = net(images)
            target = labels(what)
            kinds.append(logits["kind"].argmax(1) == target["kind"])
            colors.append(logits["color"].argmax(1) == target["color"])
            asked.append(target["color"] >= 0)
        everyone = torch.cat(kinds)
        return {
            "pictures": len(everyone),
            "kind": _share(everyone, torch.ones_like(everyone)),
            "color": _share(torch.cat(colors), torch.cat(asked)),
        }


def _teacher_bar(
    prompts: int, held: bool, steps: int = 25, guidance: float = 3.0
) -> dict[str, Any]:
    from uni3d.teacher import load_teacher

    teacher, net = load_teacher("toybox"), load_recogniser()
    rng = np.random.default_rng(99 + held)
    generator = torch.Generator().manual_seed(99 + held)
    what: list[Description] = [sample(rng, held) for _ in range(prompts)]
    hits = {"kind": [], "color": [], "worn": []}
    from uni3d.prompts import ViewConditioning

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
        target = labels(part)
        for name in hits:
            hits[name].append(logits[name].argmax(1) == target[name])
    target = labels(what)
    worn = target["worn"] > 0
    return {
        "prompts": prompts,
        "kind": _share(torch.cat(hits["kind"]), torch.ones(prompts, dtype=torch.bool)),
        "color": _share(torch.cat(hits["color"]), target["color"] >= 0),
        "role": _share(torch.cat(hits["worn"]), worn),
    }


def measure(prompts: int = 512) -> dict[str, Any]:
    """Every bar as a share in [0, 1], beside what is wanted."""
    return {
        "wanted": {
            "recogniser": {"kind": 0.97, "color": 0.95},
            "teacher": {"kind": 0.90, "color": 0.85},
            "teacher_held_out": {"kind": 0.80, "role": 0.70},
        },
        "recogniser": _recogniser_bar(),
        "teacher": _teacher_bar(prompts, held=False),
        "teacher_held_out": _teacher_bar(prompts, held=True),
    }
