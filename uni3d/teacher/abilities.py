"""What a teacher may offer besides denoising: to read a prompt, and to judge a result.

A teacher is asked for its abilities by name, before it is loaded: what it cannot draw must be said
before any work. Only the built-in one has them; its world is known exactly.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor

from uni3d.teacher.hub import BUILT_IN

__all__ = ["Abilities", "PromptReading", "abilities_of"]


class PromptReading(Protocol):
    """caption: what the teacher gets in place of the prompt. note: one line on what was left out or
    is not known. drawable: whether the subject is known; understood: whether all is shown."""

    @property
    def caption(self) -> str: ...
    @property
    def note(self) -> str: ...
    @property
    def drawable(self) -> bool: ...
    @property
    def understood(self) -> bool: ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Abilities:
    """Functions of the prompt and of pictures `[views, 3, 64, 64]` in [0, 1].

    read: what a prompt asks for, and the caption that stands for it.
    judge: what the pictures show beside what was asked; {} where it cannot be said.
    certainty: mean probability in [0, 1] that the pictures show what was asked, or None.
    """

    read: Callable[[str], PromptReading]
    judge: Callable[[str, Tensor], dict[str, Any]]
    certainty: Callable[[str, Tensor], float | None]


def abilities_of(name: str) -> Abilities | None:
    """The abilities of the teacher `name`; None for one that has none."""
    if name != BUILT_IN:
        return None
    from uni3d.toybox.judge import certainty, verdict
    from uni3d.toybox.reading import read

    return Abilities(read=read, judge=verdict, certainty=certainty)
