"""The sentences that the instant network is trained on."""

import dataclasses
from pathlib import Path

import numpy as np

from uni3d.errors import ConfigError
from uni3d.teacher.prompts import check_prompt

__all__ = ["FileSentences", "WorldSentences"]


@dataclasses.dataclass(frozen=True)
class FileSentences:
    """Those of a list, each as often as any other."""

    sentences: tuple[str, ...]

    @staticmethod
    def read(path: Path) -> "FileSentences":
        """One sentence a line; ConfigError where there is none."""
        try:
            lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"{path}: no such text ({error}); wanted a sentence a line"
            ) from error
        found = tuple(check_prompt(line) for line in lines if line and not line.startswith("#"))
        if not found:
            raise ConfigError(f"{path}: it holds no sentence; wanted one a line")
        return FileSentences(found)

    def draw(self, rng: np.random.Generator) -> str:
        return self.sentences[rng.integers(len(self.sentences))]


class WorldSentences:
    """Those of toybox's training grammar that a built-in teacher knows; held-out pairs never."""

    def __init__(self, teacher: str) -> None:
        from uni3d.toybox.known import shipped_known

        self.known = shipped_known(teacher)

    def draw(self, rng: np.random.Generator) -> str:
        from uni3d.toybox.grammar import canonical
        from uni3d.toybox.world import sample

        return canonical(sample(rng, allowed=self.known.covers))
