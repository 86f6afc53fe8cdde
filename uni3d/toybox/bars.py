"""The bars of the world: how well a recogniser and a teacher do, printed by one command."""

import functools
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from uni3d.cameras import Cameras
from uni3d.errors import ConfigError, PromptError
from uni3d.toybox import dataset, grammar
from uni3d.toybox.known import shipped_known
from uni3d.toybox.reading import Reading, read_as_shipped
from uni3d.toybox.recogniser import (
    UNNAMED,
    WEIGHTS,
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


def known_to_both(teacher: str, what: Description) -> bool:
    """Whether a built-in teacher has seen such toys and its recogniser has their names."""
    named = labels([what], load_recogniser(WEIGHTS[teacher]).names)
    known = shipped_known(teacher).covers(what)
    return known and all(int(label) != UNNAMED for label in named.values())


def _recogniser_bar(teacher: str, held: bool) -> dict[str, Any]:
    """The recogniser on fresh renders of one part of the world: what a perfect teacher of that
    part would be given. Of the world that the teacher knows, and the recogniser too."""
    allowed = functools.partial(known_to_both, teacher)
    with tempfile.TemporaryDirectory() as folder:
        dataset.prepare(Path(folder), 1, FRESH_SEED, held, allowed=allowed)
        pictures = dataset.Pictures(Path(folder), 1, FRESH_SEED, held)
        rng = np.random.default_rng(FRESH_SEED)
        tally = _Tally(load_recogniser(WEIGHTS[teacher]))
        for start in range(0, len(pictures), 250):
            tally.add(*pictures_of(pictures, range(start, start + 250), rng))
        hits = torch.cat(tally.hits["kind"])
        composed = torch.zeros(len(hits), dtype=torch.bool)
        composed[pictures.composed()] = True
        above = torch.from_numpy(np.concatenate(pictures.angles)[:, 1] > ABOVE)
        parts = {"kind, plain": _share(hits, ~composed), "kind, from above": _share(hits, above)}
        return {"pictures": len(pictures)} | tally.shares() | parts


def _drawn(
    teacher: Any, texts: list[str], rng: np.random.Generator, generator: torch.Generator
) -> torch.Tensor:
    """A teacher's picture of each text from a random side, `[n, 3, 64, 64]`."""
    from uni3d.teacher.prompts import ViewConditioning

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


def _shares(name: str, texts: list[str], what: list[Description], seed: int) -> dict[str, float]:
    """What its recogniser finds in a teacher's pictures of texts of descriptions."""
    from uni3d.teacher.model import load_teacher

    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    tally, teacher = _Tally(load_recogniser(WEIGHTS[name])), load_teacher(name)
    for start in range(0, len(texts), 32):
        part = slice(start, start + 32)
        tally.add(_drawn(teacher, texts[part], rng, generator), what[part])
    return tally.shares()


def _teacher_bar(teacher: str, prompts: int, held: bool) -> dict[str, Any]:
    rng = np.random.default_rng(99 + held)
    allowed = functools.partial(known_to_both, teacher)
    what = [sample(rng, held, allowed) for _ in range(prompts)]
    captions = [grammar.canonical(w) for w in what]
    return {"prompts": prompts} | _shares(teacher, captions, what, 99 + held)


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
    """Shares of people's prompts that are drawn right, by the teacher that draws each of them.

    caption: told as in a run. as written: told the prompt itself, cut where it is too long.
    """
    by_teacher: dict[str, list[Reading]] = {}
    for prompt in prompts:
        name, reading = read_as_shipped(prompt)
        judged = WEIGHTS[name].is_file()
        if reading.description and (not judged or known_to_both(name, reading.description)):
            by_teacher.setdefault(name, []).append(reading)
    return {"prompts": len(prompts)} | {
        name: _measure_readings(name, readings) for name, readings in by_teacher.items()
    }


def _measure_readings(name: str, readings: list[Reading]) -> dict[str, Any]:
    from uni3d.teacher.model import load_teacher

    if not WEIGHTS[name].is_file():
        return {"subject known": len(readings), "judged": f"no: {WEIGHTS[name]} is missing"}
    teacher = load_teacher(name)
    what = [r.description for r in readings if r.description]
    written = [_cut(r.prompt, teacher.encode_text) for r in readings]
    return {
        "subject known": len(readings),
        "caption": _shares(name, [r.caption for r in readings], what, 7),
        "as written": _shares(name, written, what, 7),
    }


def measure(teacher: str, prompts: int = 512) -> dict[str, Any]:
    """Every bar as a share in [0, 1], beside what is wanted; ConfigError without a recogniser."""
    if not WEIGHTS[teacher].is_file():
        raise ConfigError(
            f"evaluate: {teacher} has no recogniser to judge it ({WEIGHTS[teacher]} is missing); "
            "do: uni3d toybox train-recogniser, and put its file there"
        )
    return {
        "wanted": {
            "recogniser": {"kind": 0.97, "color": 0.95},
            "teacher": {"kind": 0.95, "color": 0.95, "role": 0.88, "material": 0.80, "doing": 0.60},
            "teacher_held_out": {"kind": 0.92, "role": 0.70},
        },
        "recogniser": _recogniser_bar(teacher, held=False),
        "recogniser_held_out": _recogniser_bar(teacher, held=True),
        "teacher": _teacher_bar(teacher, prompts, held=False),
        "teacher_held_out": _teacher_bar(teacher, prompts, held=True),
    }
