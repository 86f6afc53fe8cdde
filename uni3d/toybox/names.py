"""Names of one's own in a prompt ("a dog named Max", "my cat Luna", "Max the dog"): no subjects."""

import re
from collections.abc import Callable

from uni3d.toybox.letters import singular
from uni3d.toybox.lexicon import (
    COLOR_OF,
    MATERIAL_OF,
    PATTERN_OF,
    lexicon,
    strangers,
    vocabulary,
    wearables,
)
from uni3d.toybox.phrase import DETERMINERS, EDGES, VERBS
from uni3d.toybox.world import KINDS

__all__ = ["without_names"]

LIVING = ("animal", "character", "person")  # categories of what people give names to
NAMING = ("named", "called", "nicknamed")
LONGEST = 3  # words of a name


def without_names(words: list[str], prompt: str) -> tuple[list[str], list[str]]:
    """The words of a prompt less its names, and the names.

    A name follows "named", or is a capitalised word behind a living thing in small letters that
    nothing is known of, or that is anything behind "my" and such a thing, or stands before "the"
    and a living thing.
    """
    capital = {w.lower() for w in re.findall(r"\b[A-Z][^\W_]*", prompt)}
    small = set(re.findall(r"\b[a-z][^\W_]*", prompt))
    kept, names = _without_nickname(words)
    out: list[str] = []
    place = 0
    while place < len(kept):
        word = kept[place]
        if out and word in NAMING:
            size = _length(kept[place + 1 :], lambda w: w not in EDGES | DETERMINERS)
            named = kept[place + 1 : place + 1 + size]
            step = 1 + size
        else:
            size = 0
            if out and out[-1] in small and _living(out[-1]):
                size = _length(kept[place:], lambda w: w in capital and not _known(w))
                if out[-2:-1] in (["my"], ["our"]) and word in capital:  # "my cat Pumpkin"
                    size = max(size, 1)
            if size and f"{out[-1]} {word}" in strangers():  # "a cat Carrier"
                size = 0
            behind = kept[place + size : place + size + 1]
            if behind and not (behind[0] in EDGES | VERBS or behind[0].endswith("ing")):
                size = 0  # "a dog Grooming kit"
            named, step = kept[place : place + size], size
        names += named
        if not step:
            out.append(word)
        place += max(step, 1)
    return out, names


def _without_nickname(words: list[str]) -> tuple[list[str], list[str]]:
    """Without the name at the start of "Max the dog"."""
    for size in range(1, LONGEST):
        name, rest = words[:size], words[size:]
        follows = rest[:1] == ["the"] and any(_living(w) for w in rest[1:4])
        if follows and not any(_known(w) for w in name):
            return rest, name
    return words, []


def _length(words: list[str], belongs: Callable[[str], bool]) -> int:
    """How many of the first words belong to a name."""
    size = 0
    while size < min(len(words), LONGEST) and belongs(words[size]):
        size += 1
    return size


def _living(word: str) -> bool:
    entry = lexicon().get(singular(word))
    known = entry is not None and KINDS[entry[0]].category in LIVING
    return known or singular(word) in vocabulary().beings  # "Sonic the hedgehog"


def _known(word: str) -> bool:
    """Whether a word says something of a thing or is one."""
    said = word in COLOR_OF or word in MATERIAL_OF or word in PATTERN_OF
    said = said or word in EDGES or word in DETERMINERS
    noun = singular(word)
    return said or noun in lexicon() or noun in vocabulary().others or noun in wearables()
