"""What a teacher may offer besides denoising: to read a prompt, and to judge a result.

A teacher is asked for its abilities by name, before it is loaded: what it cannot draw must be said
before any work. Only the built-in ones have them; their world is known exactly.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor

from uni3d.teacher.hub import BUILT_IN, SHIPPED

__all__ = ["Abilities", "PromptReading", "abilities_of", "teacher_for"]


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
    if name not in SHIPPED:
        return None
    from uni3d.toybox.judge import certainty, verdict
    from uni3d.toybox.known import shipped_known
    from uni3d.toybox.reading import read

    return Abilities(
        read=functools.partial(read, known=shipped_known(name)),
        judge=functools.partial(verdict, name),
        certainty=functools.partial(certainty, name),
    )


def teacher_for(name: str, prompt: str) -> str:
    """The teacher that draws a prompt where `name` was asked for: toybox stands for both of the
    built-in ones, and each prompt is drawn by the one that knows its subject better."""
    if name != BUILT_IN:
        return name
    from uni3d.toybox.reading import read_as_shipped

    return read_as_shipped(prompt)[0]
