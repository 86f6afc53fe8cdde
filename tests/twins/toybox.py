"""Slow or one-time ways to what the toybox holds: outlines, and the list of held-out pairs."""

import zlib
from collections.abc import Sequence

import numpy as np

from uni3d.cameras import Cameras
from uni3d.toybox.garments import GARMENTS
from uni3d.toybox.kinds.kind import Kind
from uni3d.toybox.materials import suits
from uni3d.toybox.raytrace import render_toy
from uni3d.toybox.roles import ACCESSORIES, ROLES
from uni3d.toybox.shapes import COLORS, Toy
from uni3d.toybox.world import KINDS

FIRST_GENERATION = 53  # kinds of the first shipped weights; their held-out pairs stay as they are


def silhouette_toy(toy: Toy, cameras: Cameras, size: int = 64) -> np.ndarray:
    """Which pixel centres see the toy, `[batch, size, size]` bool."""
    return render_toy(toy, cameras, size, supersample=1)[:, 3] > 0.5


def propose_held_out(seed: int = 0, share: float = 0.1) -> list[tuple[str, str]]:
    """The list that held_out.txt was made from: a share of all possible pairs.

    Of the first generation they are drawn together; of each later kind by its own name, and of
    later wearables and materials by the name of the pair, so that what the world gains changes
    nothing that is already in the list.
    """
    kinds = tuple(KINDS.values())
    first, later = kinds[:FIRST_GENERATION], kinds[FIRST_GENERATION:]
    pairs = _pairs(first)
    pairs.remove(("corgi", "astronaut"))
    picked = np.random.default_rng(seed).choice(len(pairs), int(share * len(pairs)), replace=False)
    held = [pairs[i] for i in sorted(picked)]
    for kind in later:
        pairs = _pairs((kind,))
        rng = np.random.default_rng((seed, zlib.crc32(kind.name.encode())))
        picked = rng.choice(len(pairs), int(share * len(pairs)), replace=False)
        held += [pairs[i] for i in sorted(picked)]
    for kind, thing in _later_pairs():
        if zlib.crc32(f"{seed} {kind} {thing}".encode()) % 1000 < 1000 * share:
            held.append((kind, thing))
    return held


def _pairs(kinds: Sequence[Kind]) -> list[tuple[str, str]]:
    """All (kind, colour that is not its usual one) and (kind, one of the first wearables)."""
    pairs = [(k.name, c) for k in kinds if k.colorable for c in COLORS if c != k.color]
    return pairs + [(k.name, w) for k in kinds if k.wears for w in (*ROLES, *ACCESSORIES)]


def _later_pairs() -> list[tuple[str, str]]:
    """All (kind, later wearable) and (kind, material) pairs."""
    return [
        (kind.name, thing)
        for kind in KINDS.values()
        for thing in (*(GARMENTS if kind.wears else ()), *suits(kind))
    ]
