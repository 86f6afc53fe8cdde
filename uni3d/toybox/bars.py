"""The bars of the world: how well the recogniser and the teacher do, printed by one command."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from uni3d.cameras import Cameras
from uni3d.toybox import dataset, grammar
from uni3d.toybox.known import shipped_known
from uni3d.toybox.recogniser import (
    UNNAMED,
    Recogniser,
    labels,
    load_recogniser,
    pictures_of,
)
from uni3d.toybox.world import Description, sample

__all__ = ["known_to_both", "measure"]

BARS = {"kind": "kind", "color": "color", "worn": "role", "material": "material", "doing": "doing"}
FRESH_SEED = 4242  # of pictures neither network was trained on


def _share(hits: torch.Tensor, among: torch.Tensor) -> float:
    return float(hits[among].float().mean()) if bool(among.any()) else float("nan")


class _Tally:
    """Hits and targets of every head over batches of pictures."""

    def __init__(self, net: Recogniser) -> None:
        self.net = net
        self.hits: dict[str, list[torch.Tensor]] = {name: [] for name in net.names}
        self.targets: dict[str, list[torch.Tensor]] = {name: [] for name in net.names}

    @torch.no_grad()
    def add(self, images: torch.Tensor, what: list[Description]) -> None:
        logits = self.net(images)
        for name, wanted in labels(what, self.net.names).items():
            self.hits[name].append(logits[name].argmax(1) == wanted)
            self.targets[name].append(wanted)

    def shares(self) -> dict[str, float]:
        """Right kinds among all; the rest among those of which something is asked."""
        shares = {}
        for name, bar in BARS.items():
            if name in self.hits:
                hit, target = torch.cat(self.hits[name]), torch.cat(self.targets[name])
                asked = target >= 0 if name in ("kind", "color") else target != 0
                shares[bar] = _share(hit, asked)
        return shares


def known_to_both(what: Description) -> bool:
    """Whether the shipped teacher has seen such toys and the recogniser has their names."""
    named = labels([what], load_recogniser().names)
    return shipped_known().covers(what) and all(int(label) != UNNAMED for label in named.values())


def _recogniser_bar(held: bool) -> dict[str, Any]:
    """The recogniser on fresh renders of one part of the world: what a perfect teacher of that
    part would be given. Of the world that the shipped teacher knows, and the recogniser too."""
    with tempfile.TemporaryDirectory() as folder:
        dataset.prepare(Path(folder), 1, FRESH_SEED, held, allowed=known_to_both)
        pictures = dataset.Pictures(Path(folder), 1, FRESH_SEED, held)
        rng = np.random.default_rng(FRESH_SEED)
        tally = _Tally(load_recogniser())
        for start in range(0, len(pictures), 250):
            tally.add(*pictures_of(pictures, range(start, start + 250), rng))
        return {"pictures": len(pictures)} | tally.shares()


def _teacher_bar(
    prompts: int, held: bool, steps: int = 25, guidance: float = 3.0
) -> dict[str, Any]:
    from uni3d.teacher.model import load_teacher

    teacher, net = load_teacher("toybox"), load_recogniser()
    rng = np.random.default_rng(99 + held)
    generator = torch.Generator().manual_seed(99 + held)
    what: list[Description] = [sample(rng, held, known_to_both) for _ in range(prompts)]
    tally = _Tally(net)
    from uni3d.teacher.prompts import ViewConditioning

    for start in range(0, prompts, 32):
        part = what[start : start + 32]
        texts = [grammar.canonical(w) for w in part]
        azimuth, elevation = rng.uniform(0, 360, len(part)), rng.uniform(-10, 45, len(part))
        cameras = Cameras.orbit(azimuth, elevation)
        context = teacher.encode_text(texts)
        empty = teacher.encode_text([""]).expand_as(context)
        none = context.new_zeros(len(part), 0, *context.shape[1:])
        views = ViewConditioning(context, empty, none, context.new_zeros(len(part), 0))
        latents = teacher.sample(
            views, teacher.camera(cameras), scale=guidance, steps=steps, generator=generator
        )
        tally.add(teacher.codec.decode(latents).clamp(0, 1), part)
    return {"prompts": prompts} | tally.shares()


def measure(prompts: int = 512) -> dict[str, Any]:
    """Every bar as a share in [0, 1], beside what is wanted."""
    return {
        "wanted": {
            "recogniser": {"kind": 0.97, "color": 0.95},
            "teacher": {"kind": 0.95, "color": 0.95, "role": 0.88, "material": 0.80, "doing": 0.60},
            "teacher_held_out": {"kind": 0.92, "role": 0.70},
        },
        "recogniser": _recogniser_bar(held=False),
        "recogniser_held_out": _recogniser_bar(held=True),
        "teacher": _teacher_bar(prompts, held=False),
        "teacher_held_out": _teacher_bar(prompts, held=True),
    }
