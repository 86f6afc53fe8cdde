"""What a teacher may offer besides denoising: to say what it cannot draw, and to judge a result.

A teacher is asked for its abilities by name, before it is loaded: what it cannot draw must be said
before any work. Only the built-in one has them; its world is known exactly.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from torch import Tensor

from uni3d.teacher.hub import BUILT_IN

__all__ = ["Abilities", "abilities_of"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Abilities:
    """Functions of the prompt and of pictures `[views, 3, 64, 64]` in [0, 1].

    doubts: what of the prompt cannot be drawn, a phrase each.
    judge: what the pictures show beside what was asked; {} where it cannot be said.
    certainty: mean probability in [0, 1] that the pictures show what was asked, or None.
    """

    doubts: Callable[[str], list[str]]
    judge: Callable[[str, Tensor], dict[str, Any]]
    certainty: Callable[[str, Tensor], float | None]


def abilities_of(name: str) -> Abilities | None:
    """The abilities of the teacher `name`; None for one that has none."""
    if name != BUILT_IN:
        return None
    from uni3d.toybox.grammar import doubts
    from uni3d.toybox.judge import certainty, verdict

    return Abilities(doubts=doubts, judge=verdict, certainty=certainty)
