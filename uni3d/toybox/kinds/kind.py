"""The row every kind of toy is: its words, what may be asked of it, and how it is built."""

import dataclasses
from collections.abc import Callable

from uni3d.toybox.shapes import Builder

__all__ = ["Kind"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of toy.

    words: nouns that name it, most usual first, without article ("corgi", "dog").
    color: the main colour when none is asked for (a name of COLORS).
    colorable, patterned: whether "red X" and "striped X" make sense.
    wears: whether it can have a role or an accessory (then build must set the anchors
    "head" (top part of the skull: centre, radius), "neck" (centre, radius of the ring around it),
    "torso" (centre, radius) and "eyes" (midpoint between the eyes on the surface, half distance),
    and mark the parts a suit covers with region "torso" or "leg", the rest "head", "tail", ...).
    materials: what "wooden X" may be asked of (names of MATERIALS); None: as for its category.
    """

    name: str
    words: tuple[str, ...]
    category: str
    color: str
    build: Callable[[Builder], None]
    colorable: bool = True
    patterned: bool = False
    wears: bool = False
    materials: tuple[str, ...] | None = None
