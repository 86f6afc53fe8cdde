"""The sentences that the instant network is trained on."""

import dataclasses
from pathlib import Path

import numpy as np

from uni3d.errors import ConfigError
from uni3d.teacher.prompts import check_prompt

__all__ = ["FileSentences", "WorldSentences", "known_kinds"]


@dataclasses.dataclass(frozen=True)
class FileSentences:
    """Those of a list, each as often as any other."""

    sentences: tuple[str, ...]

    @staticmethod
    def read(path: Path) -> "FileSentences":
        """One sentence a line; ConfigError where there is none."""
        if not path.is_file():
            raise ConfigError(f"{path}: no such file; wanted one sentence a line")
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        found = tuple(check_prompt(line) for line in lines if line and not line.startswith("#"))
        if not found:
            raise ConfigError(f"{path}: it holds no sentence; wanted one a line")
        return FileSentences(found)

    def draw(self, rng: np.random.Generator) -> str:
        return self.sentences[rng.integers(len(self.sentences))]


@dataclasses.dataclass(frozen=True)
class WorldSentences:
    """Those of toybox's training grammar, of the given kinds; held-out pairs never."""

    kinds: frozenset[str]

    def draw(self, rng: np.random.Generator) -> str:
        from uni3d.toybox.grammar import canonical
        from uni3d.toybox.world import sample

        while True:
            what = sample(rng)
            if what.kind in self.kinds:
                return canonical(what)


def known_kinds() -> frozenset[str]:
    """The kinds that the shipped toybox teacher was trained on: the first ones of the world."""
    from uni3d.toybox.recogniser import load_recogniser

    return frozenset(load_recogniser().kinds)
