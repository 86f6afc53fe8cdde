"""The sentences that the instant network is trained on."""

import dataclasses
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from uni3d.errors import ConfigError
from uni3d.teacher.model import Teacher
from uni3d.teacher.prompts import PromptConfig, PromptSet, check_prompt

__all__ = ["FileSentences", "Texts", "WorldSentences"]


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
                f"{path}: no such text ({error}); wanted a sentence a line; do: check the path"
            ) from error
        found = tuple(check_prompt(line) for line in lines if line and not line.startswith("#"))
        if not found:
            raise ConfigError(f"{path}: it holds no sentence; wanted one a line; do: add some")
        return FileSentences(found)

    def draw(self, rng: np.random.Generator) -> str:
        return self.sentences[rng.integers(len(self.sentences))]


class WorldSentences:
    """Those of toybox's training grammar that a built-in teacher knows; held-out pairs never.

    worn_share: of the sentences, those that are drawn from the ones that wear something (the
    grammar's own share is about a tenth).
    """

    def __init__(self, teacher: str, worn_share: float = 0.0) -> None:
        from uni3d.toybox.known import shipped_known

        self.known, self.worn_share = shipped_known(teacher), worn_share

    def draw(self, rng: np.random.Generator) -> str:
        from uni3d.toybox.grammar import canonical
        from uni3d.toybox.world import Description, sample

        dressed = rng.random() < self.worn_share if self.worn_share else False

        def allowed(what: Description) -> bool:
            return self.known.covers(what) and (what.wears is not None or not dressed)

        return canonical(sample(rng, allowed=allowed))


class Texts:
    """Encoded sentences, the last of them."""

    def __init__(self, teacher: Teacher, keep: int = 1500) -> None:
        self.teacher, self.keep = teacher, keep
        self.known: OrderedDict[str, tuple[Tensor, PromptSet]] = OrderedDict()

    def of(self, sentence: str) -> tuple[Tensor, PromptSet]:
        """Features `[tokens, width]` of the sentence without view words, and its views'."""
        if sentence not in self.known:
            with torch.no_grad():
                plain = self.teacher.encode_text([sentence])[0].float().cpu()
            views = PromptSet(sentence, PromptConfig(), self.teacher.encode_text)
            self.known[sentence] = plain, views
            if len(self.known) > self.keep:
                self.known.popitem(last=False)
        self.known.move_to_end(sentence)
        return self.known[sentence]
