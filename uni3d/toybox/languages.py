"""Other languages: a table each, `words/LANGUAGE.tsv`, of words, their English, their part."""

import functools

from uni3d.toybox.letters import singular
from uni3d.toybox.lexicon import COLOR_OF, MATERIAL_OF, TABLES, nouns, table_lines
from uni3d.toybox.phrase import EDGES

__all__ = ["translated"]


@functools.cache
def _languages() -> dict[str, dict[str, tuple[str, str]]]:
    """Each other language's words, nouns in the plural too -> (English, part of speech)."""
    found = {}
    for path in sorted(TABLES.glob("*.tsv")):
        if path.stem not in ("synonyms", "stand_ins", "implied", "people", "near"):
            rows = [line.split("\t") for line in table_lines(path.name)]
            table = {word: (english, part) for word, english, part in rows}
            nouns_of = {word: row for word, row in table.items() if row[1] == "n"}
            plurals = {f"{word}{s}": row for s in ("s", "es") for word, row in nouns_of.items()}
            found[path.stem] = plurals | table
    return found


def translated(words: list[str]) -> list[str]:
    """English words of a prompt in a language that has a table, or the words as they are.

    What stands right behind the noun says what it is like ("un barco pirata", "una mesa redonda"),
    whether the table has it or not.
    """
    for table in _languages().values():
        known = [w for w in words if w in table]
        articles = [w for w in known if table[w][0] in ("a", "the", "some", "two") and w != "a"]
        ours = [w for w in words if singular(w) in nouns() or w in COLOR_OF or w in EDGES]
        foreign = [w for w in known if w not in ours]
        whole = foreign and not [w for w in ours if w not in table]  # "gato negro"
        if len(known) < 2 or not (articles or whole):
            continue
        out: list[str] = []
        before = ""
        for word in words:
            english, part = table.get(word, (word, "n" if word[:1].isalpha() else "f"))
            if word == "rosa" and out[-1:] in (["a"], ["the"]):
                english, part = "rose", "n"
            if before == "n" and part in ("a", "n"):  # the noun comes first
                out[-1:] = [english, out[-1]]
                continue
            made = english in MATERIAL_OF and out[-1:] == ["of"]  # "de madera"
            out[len(out) - made :] = ["made", "of", english] if made else [english]
            before = part
        return [w for phrase in out for w in phrase.replace("-", " ").split()]
    return words
