"""A text as words: of any script, emoji by their names, nouns in the singular."""

import re
import unicodedata

__all__ = ["is_foreign", "singular", "words_of"]

IRREGULAR = {
    "mice": "mouse",
    "geese": "goose",
    "men": "man",
    "women": "woman",
    "children": "child",
    "feet": "foot",
    "leaves": "leaf",
    "wolves": "wolf",
    "knives": "knife",
    "loaves": "loaf",
    "shelves": "shelf",
    "scarves": "scarf",
    "dwarves": "dwarf",
    "elves": "elf",
    "dice": "dice",
    "glasses": "glasses",
    "sunglasses": "sunglasses",
    "jeans": "jeans",
    "scissors": "scissors",
    "binoculars": "binoculars",
    "headphones": "headphones",
    "pancakes": "pancakes",
    "bus": "bus",
    "cactus": "cactus",
    "octopus": "octopus",
    "walrus": "walrus",
    "hippopotamus": "hippopotamus",
    "cacti": "cactus",
    "calves": "calf",
    "oxen": "ox",
    "potatoes": "potato",
    "goggles": "goggles",
    "tomatoes": "tomato",
    "spectacles": "spectacles",
    "sushi": "sushi",
    "people": "people",
}
JOBS = {  # what a person is whose emoji is joined to this one
    "rocket": "astronaut",
    "cooking": "chef",
    "fire engine": "firefighter",
    "artist palette": "painter",
    "microphone": "singer",
    "airplane": "pilot",
    "ear of rice": "farmer",
    "graduation cap": "student",
    "microscope": "scientist",
    "staff of aesculapius": "doctor",
    "school": "teacher",
}
# Vowel signs and accents, of scripts up to Vedic Sanskrit; no variation selectors.
MARKS = "".join(
    chr(code) for code in range(0x300, 0x1D00) if unicodedata.category(chr(code)) in ("Mn", "Mc")
)
LETTERS = rf"[^\W_](?:[^\W_]|[{MARKS}])*"
WORD = re.compile(rf"{LETTERS}(?:['-]{LETTERS})*|[,.;:()]")
JOINS = re.compile(r"(?<=[^\W_]{2}) ?[&+] ?(?=[^\W_]{2})")  # "cat & dog"
BRITISH = {
    "colourful": "colorful",
    "aluminium": "aluminum",
    "grey": "gray",
    "coloured": "colored",
    "armour": "armor",
    "jewellery": "jewelry",
}


def singular(word: str) -> str:
    """The singular of an English noun, or the word itself."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    if len(word) < 4 or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("men") and word not in ("specimen", "regimen", "abdomen"):
        return word[:-2] + "an"
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes", "zes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") else word


def _is_emoji(char: str) -> bool:
    return unicodedata.category(char) == "So" and char >= "\u2190"


def _emoji_name(sequence: str) -> str:
    """What an emoji is called in words: "dog" for the dog's face, "astronaut" for a woman joined
    to a rocket. Of others that are joined, the first."""
    names = [unicodedata.name(c, "emoji").lower() for c in sequence if _is_emoji(c)]
    if names[0] in ("man", "woman", "adult") and names[-1] in JOBS:
        return JOBS[names[-1]]
    if names[0].startswith("regional indicator"):
        return "flag"
    # "heavy black heart": how the sign is printed, not what it shows.
    words = [w for w in names[0].split() if w not in ("face", "with", "heavy", "black", "white")]
    return " ".join(words) or names[0]


def _emoji_length(text: str) -> int:
    """Characters of the emoji that `text` begins with: joined ones, skin and variation are its."""
    size = 1
    while size < len(text) and (
        text[size] in "\u200d\ufe0f\u20e3"
        or unicodedata.category(text[size]) == "Sk"
        or (text[size - 1] == "\u200d" and _is_emoji(text[size]))
    ):
        size += 1
    return size


def words_of(text: str, nouns: frozenset[str] = frozenset()) -> list[str]:
    """Words and punctuation of a text in small letters, of any script; accents of Latin ones stay.

    Emoji are read by their names. One behind a noun of `nouns` is another thing: a comma.
    """
    text = JOINS.sub(" and ", text).replace("/", " , ")
    found: list[str] = []
    place, written = 0, ""
    while place < len(text):
        char = text[place]
        if _is_emoji(char):
            size = _emoji_length(text[place:])
            found += WORD.findall(written)
            written = ""
            if found and singular(found[-1]) in nouns:
                found.append(",")
            found += WORD.findall(_emoji_name(text[place : place + size]))
            place += size
            continue
        if char.isspace() or unicodedata.category(char) not in ("Cf", "Cc"):
            # Marks belong to the letters of most scripts; in Latin they are decoration.
            mark = char in MARKS
            latin = mark and "LATIN" in unicodedata.name(written.rstrip(MARKS)[-1:] or "a", "")
            written += "" if latin else char
        place += 1
    found += WORD.findall(written)
    plain = [w.removesuffix("'s") for w in found]
    return [BRITISH.get(w, w) for w in plain]


def is_foreign(word: str) -> bool:
    """Whether a word is written in another script than the Latin one."""
    return any(c.isalpha() and "LATIN" not in unicodedata.name(c, "LATIN") for c in word)
