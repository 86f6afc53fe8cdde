"""Sentences about toys: the one caption of a description, and prompts back again."""

import difflib
import functools
import re

from uni3d.toybox.known import shipped_known
from uni3d.toybox.roles import ROLES
from uni3d.toybox.shapes import COLORS, PATTERNS
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
    "corpus",
    "doubts",
    "parse",
    "told_words",
    "unknown_words",
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
        text += f" on {_a(what.stand)}"
    return _a(text)


def told_words() -> list[str]:
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
    return [*names, *told_words(), *FILLERS, "the and of as with standing top dressed"]


@functools.cache
def vocabulary() -> frozenset[str]:
    return frozenset(word for line in corpus() for word in _words(line))


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def unknown_words(prompt: str) -> dict[str, list[str]]:
    """Words that training never saw, each with the nearest known ones (up to three)."""
    known = vocabulary()
    unknown = [w for w in dict.fromkeys(_words(prompt)) if w not in known]
    content = sorted(known)
    return {w: difflib.get_close_matches(w, content, n=3, cutoff=0.5) for w in unknown}


def doubts(prompt: str) -> list[str]:
    """What of the prompt the world cannot show, a phrase each; empty where all of it is known."""
    phrases = [
        f"unknown word {word!r}" + (f" (nearest: {', '.join(near)})" if near else "")
        for word, near in unknown_words(prompt).items()
    ]
    what = parse(prompt)
    if not phrases and what is None:
        phrases = ["the prompt names none of toybox's kinds (see: uni3d toybox sheet)"]
    if what is not None:  # the world is larger than what its teacher has been trained on
        names = shipped_known().missing(what)
        phrases += [f"the teacher has not learned {name.replace('_', ' ')!r} yet" for name in names]
    return phrases


def _mentions(text: str, phrases) -> list[tuple[int, int, str]]:
    """(start, end, name) of each named phrase in the text, longest first at each place."""
    found = []
    for name, words in phrases:
        for phrase in words:
            for match in re.finditer(rf"\b{re.escape(phrase)}\b", text):
                found.append((match.start(), match.end(), name))
    found.sort(key=lambda m: (m[0], -(m[1] - m[0])))
    kept: list[tuple[int, int, str]] = []
    for m in found:
        if not kept or m[0] >= kept[-1][1]:
            kept.append(m)
    return kept


def parse(prompt: str) -> Description | None:
    """What a prompt asks for in terms of the world; None when it names no known kind."""
    text = " ".join(_words(prompt))
    found: dict[str, str | None] = {"material": None, "action": None, "relation": None}
    for field, names in (("action", ACTIONS), ("relation", RELATIONS)):
        for name in names:
            if found[field] is None and re.search(rf"\b{_phrase(name)}\b", text):
                found[field] = name
                text = re.sub(rf"\b{_phrase(name)}\b", "", text)
    named = _mentions(text, [(k.name, k.words) for k in KINDS.values()])
    for start, end, name in _mentions(text, [(m, (m,)) for m in MATERIALS]):
        # Not of "a wine glass"; but "a stone harp" is no stone.
        if all(b <= start or end < a for a, b, _ in named if (a, b) != (start, end)) and any(
            a >= end for a, _, _ in named
        ):
            found["material"] = name
            text = text[:start] + text[end:]
            break
    stand = next((s for s in STANDS if re.search(rf"\bon (top of )?an? {s}\b", text)), None)
    if stand:
        text = re.sub(rf"(standing )?on (top of )?an? {stand}\b", "", text)
    wearing = [(n, (*r.words, *OUTFITS.get(n, ()))) for n, r in WEARABLES.items()]
    kinds = _mentions(text, [(k.name, k.words) for k in KINDS.values()])
    worn = _mentions(text, wearing)
    wearers = [k for k in kinds if KINDS[k[2]].wears and not any(w[0] == k[0] for w in worn)]
    if worn and wearers:
        kind, wears = wearers[0][2], worn[0][2]
    elif kinds:
        kind, wears = kinds[0][2], None
    else:
        return None
    colors = [(c, SYNONYMS.get(c, (c,))) for c in COLORS]
    color = next((m[2] for m in _mentions(text, colors)), None)
    striped, spotted = (
        re.search(r"\bstripe[sd]\b", text),
        re.search(r"\b(spotted|spots|dots)\b", text),
    )
    pattern = "striped" if striped else "spotted" if spotted else "plain"
    return Description(kind=kind, color=color, pattern=pattern, wears=wears, stand=stand, **found)
