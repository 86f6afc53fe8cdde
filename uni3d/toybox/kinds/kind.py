"""What the world knows of a kind of toy: its words, what may be asked of it, how it is built."""

import dataclasses
from collections.abc import Callable

from uni3d.toybox.shapes import Builder

__all__ = ["Kind", "animal"]


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


def animal(
    name: str,
    words: tuple[str, ...],
    color: str,
    build: Callable[[Builder], None],
    *,
    wears: bool = True,
    patterned: bool = True,
    colorable: bool = True,
) -> Kind:
    """A kind of the category "animal"; most of them wear things and have patterns."""
    return Kind(
        name=name,
        words=words,
        category="animal",
        color=color,
        build=build,
        wears=wears,
        patterned=patterned,
        colorable=colorable,
    )
