"""Sentences about toys: the one caption of a description, and prompts back again."""

import functools
import re

from uni3d.toybox.roles import ROLES
from uni3d.toybox.shapes import COLORS, PATTERNS
from uni3d.toybox.stands import UNCOUNTED
from uni3d.toybox.world import (
    ACTIONS,
    KINDS,
    MATERIALS,
    RELATIONS,
    STANDS,
    WEARABLES,
    Description,
)

__all__ = [
    "VIEWS",
    "canonical",
    "caption_words",
    "corpus",
    "view_words",
]

VIEWS = ("front view", "side view", "back view", "overhead view")
# Words of no meaning that the first teacher was told, too.
FILLERS = (
    "a photo of a picture of a 3d model of a render of an image of",
    "cute small nice toy beautiful little",
    "on a plain background high quality full body",
)
SYNONYMS = {"gray": ("gray", "grey"), "purple": ("purple", "violet")}
OUTFITS = {  # other ways to say a role
    "astronaut": ("in a space suit", "wearing a space suit"),
    "wizard": ("in a wizard robe", "with a wizard hat"),
    "pirate": ("with a pirate hat",),
    "knight": ("in armor", "in shining armor"),
    "chef": ("with a chef hat",),
    "king": ("with a crown and a cape",),
}


def _a(phrase: str) -> str:
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def view_words(azimuth_deg: float, elevation_deg: float) -> str:
    """The view words of a camera: front and back within 45 degrees, overhead above 60."""
    if elevation_deg > 60:
        return VIEWS[3]
    turn = abs((azimuth_deg + 180) % 360 - 180)
    return VIEWS[0] if turn < 45 else VIEWS[2] if turn > 135 else VIEWS[1]


def _phrase(name: str) -> str:
    """An action or a relation in words: "sitting", "holding a sword"; its last word is a thing."""
    *before, thing = name.split(" ")
    return f"{' '.join(before)} {_a(thing)}" if before else thing


def canonical(what: Description) -> str:
    """The one sentence that stands for a description: what the teacher is told in a run.

    "a red striped wooden chair", "a corgi astronaut", "a cat wearing a scarf holding a balloon
    next to a ball on a table": colour, pattern, material, noun, role or accessory, action,
    relation, stand, each where it is given.
    """
    pattern = what.pattern if what.pattern != "plain" else None
    noun = KINDS[what.kind].words[0]
    text = " ".join(w for w in (what.color, pattern, what.material, noun) if w)
    if what.wears in ROLES:
        text += f" {WEARABLES[what.wears].words[0]}"
    elif what.wears:
        text += f" wearing {_a(WEARABLES[what.wears].words[0])}"
    for name in (what.action, what.relation):
        if name:
            text += f" {_phrase(name)}"
    if what.stand:
        text += f" on {what.stand if what.stand in UNCOUNTED else _a(what.stand)}"
    return _a(text)


def caption_words() -> list[str]:
    """Every word of canonical captions, sorted; each is one token of a teacher trained on them."""
    names = [kind.words[0] for kind in KINDS.values()]
    names += [worn.words[0] for worn in WEARABLES.values()]
    names += [*COLORS, *PATTERNS, *MATERIALS, *ACTIONS, *RELATIONS, *STANDS, *VIEWS]
    names.append("a an on wearing")
    return sorted({word for name in names for word in _words(name)})


def corpus() -> list[str]:
    """Text that holds every word of the grammar; what the tokenizer is trained on."""
    names = [w for kind in KINDS.values() for w in kind.words]
    names += [w for role in WEARABLES.values() for w in role.words]
    names += [w for words in SYNONYMS.values() for w in words]
    names += ["with stripes", "with spots", "with polka dots"]
    names += [f for forms in OUTFITS.values() for f in forms]
    return [*names, *caption_words(), *FILLERS, "the and of as with standing top dressed"]


@functools.cache
def vocabulary() -> frozenset[str]:
    return frozenset(word for line in corpus() for word in _words(line))


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())
