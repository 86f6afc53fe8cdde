"""Words as people write them: compounds apart or joined, shades of colours, misspelt nouns."""

import difflib
import functools

from uni3d.toybox.letters import is_foreign, singular
from uni3d.toybox.lexicon import (
    COLOR_OF,
    FAMILY_OF,
    MATERIAL_OF,
    Entry,
    lexicon,
    not_typos,
    people,
    strangers,
    vocabulary,
)
from uni3d.toybox.phrase import DETERMINERS, EDGES, NUMBERS

__all__ = ["close_noun", "reworded"]

# Of a colour they say which one, and the world has but one of each name.
SHADES = frozenset(
    "light dark deep pale bright neon pastel hot baby royal sky mint forest rose wine pumpkin "
    "cherry lime metallic shocking powder".split()
)
# No part of a compound that is written apart.
PLAIN = {*COLOR_OF, *MATERIAL_OF, *DETERMINERS, *EDGES, *NUMBERS}
GLASSES_OF = frozenset("wine champagne water beer juice milk whiskey".split())


def reworded(words: list[str]) -> list[str]:
    """A prompt's words as the lexicon writes them; "light blue" is blue."""
    out: list[str] = []
    place = 0
    while place < len(words):
        word, following = words[place], (*words[place + 1 :], "")[0]
        if word in SHADES and following in COLOR_OF:
            place += 1
            continue
        if word == "polka" and following in ("dot", "dots"):
            out.append("polka-dotted")
            place += 2
            continue
        if word == "glasses" and words[place + 1 : place + 2] == ["of"]:
            word = "glass" if (*words[place + 2 :], "")[0] in GLASSES_OF else word
        if following and _written_apart(word, following):
            plural = word + singular(following) + "s"
            out.append(plural if plural in lexicon() else word + following)
            place += 2
            continue
        apart = _joined().get(singular(word))
        out += apart.split() if apart and singular(word) not in lexicon() else [word]
        place += 1
    return out


def _written_apart(word: str, following: str) -> bool:
    """Whether two words are one noun, and another thing than the second alone: "snow man"."""
    if word in PLAIN or following in PLAIN:
        return False
    last = singular(following)
    if f"{word} {last}" in lexicon() or f"{word} {last}" in strangers():
        return False
    joined = lexicon().get(word + last) or lexicon().get(word + last + "s")  # "head phone"
    if last in lexicon():
        return joined is not None and joined[0] != lexicon()[last][0]
    long = min(len(word), len(last)) > 2
    return joined is not None or (long and word + last in vocabulary().others)


@functools.cache
def _joined() -> dict[str, str]:
    """Names of two words without their space -> with it: "teddybear"."""
    return {name.replace(" ", ""): name for name in lexicon() if name.count(" ") == 1}


@functools.cache
def _candidates() -> tuple[str, ...]:
    """Nouns that a misspelt one may be. Not the roles of people: many English words are near."""
    person = {word for word, (kind, _) in lexicon().items() if kind in ("person", "man", "woman")}
    return tuple(w for w in lexicon() if " " not in w and w not in person and w not in people())


def close_noun(noun: str) -> tuple[str, Entry] | None:
    """The one known noun that `noun` is close to, with the same first letter, and what it names."""
    if len(noun) < 5 or is_foreign(noun) or noun in FAMILY_OF or noun in not_typos():
        return None
    if noun in vocabulary().others:
        return None
    same = [w for w in _candidates() if w[0] == noun[0]]
    near = difflib.get_close_matches(noun, same, n=1, cutoff=0.8)
    return (near[0], lexicon()[near[0]]) if near else None
