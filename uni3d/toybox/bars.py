"""The bars of the world: how well the recogniser and the teacher do, printed by one command."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from uni3d.cameras import Cameras
from uni3d.errors import PromptError
from uni3d.toybox import dataset, grammar
from uni3d.toybox.known import shipped_known
from uni3d.toybox.reading import read
from uni3d.toybox.recogniser import (
    UNNAMED,
    Recogniser,
    labels,
    load_recogniser,
    pictures_of,
)
from uni3d.toybox.world import Description, sample

__all__ = ["known_to_both", "measure", "measure_prompts"]

BARS = {"kind": "kind", "color": "color", "worn": "role", "material": "material", "doing": "doing"}
STEPS, GUIDANCE = 25, 3.0  # of the teacher's samples
ABOVE = 45  # degrees of elevation: from there on a toy is seen from above
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
        hits = torch.cat(tally.hits["kind"])
        composed = torch.zeros(len(hits), dtype=torch.bool)
        composed[pictures.composed()] = True
        above = torch.from_numpy(np.concatenate(pictures.angles)[:, 1] > ABOVE)
        parts = {"kind, plain": _share(hits, ~composed), "kind, from above": _share(hits, above)}
        return {"pictures": len(pictures)} | tally.shares() | parts


def _drawn(texts: list[str], rng: np.random.Generator, generator: torch.Generator) -> torch.Tensor:
    """The shipped teacher's picture of each text from a random side, `[n, 3, 64, 64]`."""
    from uni3d.teacher.model import load_teacher
    from uni3d.teacher.prompts import ViewConditioning

    teacher = load_teacher("toybox")
    azimuth, elevation = rng.uniform(0, 360, len(texts)), rng.uniform(-10, 45, len(texts))
    cameras = Cameras.orbit(azimuth, elevation)
    context = teacher.encode_text(texts)
    empty = teacher.encode_text([""]).expand_as(context)
    none = context.new_zeros(len(texts), 0, *context.shape[1:])
    views = ViewConditioning(context, empty, none, context.new_zeros(len(texts), 0))
    latents = teacher.sample(
        views, teacher.camera(cameras), scale=GUIDANCE, steps=STEPS, generator=generator
    )
    return teacher.codec.decode(latents).clamp(0, 1)


def _shares(texts: list[str], what: list[Description], seed: int) -> dict[str, float]:
    """What the recogniser finds in the teacher's pictures of texts of descriptions."""
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    tally = _Tally(load_recogniser())
    for start in range(0, len(texts), 32):
        part = slice(start, start + 32)
        tally.add(_drawn(texts[part], rng, generator), what[part])
    return tally.shares()


def _teacher_bar(prompts: int, held: bool) -> dict[str, Any]:
    rng = np.random.default_rng(99 + held)
    what = [sample(rng, held, known_to_both) for _ in range(prompts)]
    return {"prompts": prompts} | _shares([grammar.canonical(w) for w in what], what, 99 + held)


def _cut(prompt: str, encode: Callable[[list[str]], torch.Tensor]) -> str:
    """The prompt without its last words, where the teacher cannot read so many."""
    words = prompt.lower().split()
    while True:
        try:
            encode([" ".join(words)])
            return " ".join(words)
        except PromptError:
            words.pop()


def measure_prompts(prompts: Sequence[str]) -> dict[str, Any]:
    """Shares of people's prompts that the teacher draws right, of those whose subject it knows.

    caption: told as in a run. as written: told the prompt itself, cut where it is too long.
    """
    readings = [read(prompt) for prompt in prompts]
    readings = [r for r in readings if r.description and known_to_both(r.description)]
    what = [r.description for r in readings if r.description]
    from uni3d.teacher.model import load_teacher

    teacher = load_teacher("toybox")
    written = [_cut(r.prompt, teacher.encode_text) for r in readings]
    return {
        "prompts": len(prompts),
        "subject known": len(readings),
        "caption": _shares([r.caption for r in readings], what, 7),
        "as written": _shares(written, what, 7),
    }


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
