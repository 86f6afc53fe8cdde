"""What is said of a thing after its name: worn, held, ridden, stood on, beside, made of, without.

`Clauses` reads it word by word into `found`, and names in `left` what it does not know.
"""

from uni3d.toybox.grammar import OUTFITS
from uni3d.toybox.known import Known, today
from uni3d.toybox.letters import singular
from uni3d.toybox.lexicon import (
    COLOR_OF,
    DOING,
    FILLERS,
    FINISHES,
    MATERIAL_OF,
    PATTERN_OF,
    SILENT,
    STAND_OF,
    THING_OF,
    lexicon,
    nouns,
    wearables,
)
from uni3d.toybox.phrase import DETERMINERS, EDGES
from uni3d.toybox.world import KINDS, actions_of

__all__ = ["CLOTHED", "Clauses"]

UNDER = ("on", "atop", "upon", "onto")
AT = (*UNDER, "in", "at", "by", "next", "beside", "near")
# What is somewhere rests there; an animal that lies has a pose of its own.
RESTING = (
    "resting rests rest placed perched perches standing stands stand displayed parked planted "
    "sitting sits seated found left"
).split()
LYING = ("lying", "lies", "lays", "lie")
# What these have on, in the colour that is theirs.
CLOTHED = ("person", "man", "woman", "boy", "girl")
TOPS = frozenset("shirt t-shirt tshirt tee top blouse clothes clothing outfit".split())
# What a thing does, whatever the noun before is: "long hair wearing a dress".
STARTERS = frozenset({"wearing", "dressed", "riding", "sitting", "standing", *DOING} - {"playing"})
MADE = ("made", "carved", "built", "out", "crafted")
CAST = ("golden", "silver", "stone", "wooden", "bronze", "leather", "porcelain", "clay", "glass")
TAKEN = ("selfie", "photo", "photograph", "picture")
PLACES = ("grass", "sand", "water", "snow", "road")  # one can be in them
# Without these a thing is as it is made: nothing is left out.
BARE_OF = frozenset("background text logo people person human clothes clothing shadow".split())
# Between a thing and what is said of it: "that is red", "painted blue", "but green".
LINKS = frozenset("that which is are painted colored dyed all but , (".split())
SAID_OF_IT = {"pattern": PATTERN_OF, "material": MATERIAL_OF, "color": COLOR_OF}


class Clauses:
    """One prompt being read: what was found so far, and the words that found no place."""

    def __init__(self, prompt: str, known: Known) -> None:
        self.prompt, self.known = prompt, known
        self.left: list[str] = []
        self.replaced: list[str] = []
        self.found: dict[str, str | None] = {}
        self.said: dict[str, tuple[str, ...]] = {}  # the prompt's words for what is found
        self.swapped: dict[str, str] = {}  # what of it has another name in the world
        self.kind: str | None = None
        self.subject = ""
        self.lists = False  # what it has or wears is being named
        self.denied = False  # of it, something that may be there
        self.stands_in = False  # the kind is not what was asked for, but near it

    def drop(self, *words: str) -> None:
        """Name words that are not shown."""
        for word in words:
            if word and word not in SILENT and word not in FILLERS and word not in self.left:
                self.left.append(word)

    def quality(self, word: str) -> bool:
        """Take a pattern, material or colour; whether the word is one."""
        field = next((name for name, table in SAID_OF_IT.items() if word in table), None)
        if field is None and "-" in word:  # "emerald-green", "gold-colored", "red-and-white"
            first, *between, last = word.split("-")
            if last in ("colored", "plated") and first in MATERIAL_OF:
                self.set("material", MATERIAL_OF[first], word)
                return True
            joined = "and" in between
            said = first if joined or last in ("colored", "plated") else last
            if said in COLOR_OF:
                self.set("color", COLOR_OF[said], word)
                self.drop(*((*between, last) if joined else ()))
                return True
        if field is None or word == "paper":
            return False
        self.set(field, SAID_OF_IT[field][word], word)
        return True

    def set(self, field: str, name: str, *words: str, swapped: str = "") -> None:
        """Take `name` for the field; what comes second is left out."""
        before = self.found.get(field)
        if before in FINISHES and name not in FINISHES:
            self.drop(*self.said.get(field, ()))
            before = None
        if before in (None, name):
            self.found[field] = name
            self.said[field] = (*self.said.get(field, ()), *words) if before else words
            if swapped:
                self.swapped[field] = swapped
        else:
            self.drop(*words)

    # What comes after the head.

    def tail(self, words: list[str]) -> None:
        place = 0
        while place < len(words):
            place = self._clause(words, place)

    def _clause(self, words: list[str], place: int) -> int:
        """Read one thing said after the head; the place to go on from."""
        word, rest = words[place], words[place + 1 :]
        following = rest[0] if rest else ""
        if word in ("no", "without", "not", "isn't"):
            return place + 1 + self._negated(rest)
        making = words[place - 1].endswith(("ed", "en", "ly")) and words[place - 1] not in MADE
        if word in MADE or (place and word in ("of", "from") and making):
            size = next(
                (k for k, w in enumerate(rest) if w not in ("out", "of", "from")), len(rest)
            )
            of = rest[size : size + 2]  # "made out of modeling clay"
            if of and of[-1] in MATERIAL_OF and of[0] not in MATERIAL_OF:
                self.drop(of[0])
                size += 1
            behind = rest[size + 1 : size + 2]
            own = word not in ("out", "of") or not behind or behind[0] in EDGES
            if size < len(rest) and rest[size] in MATERIAL_OF and own:  # no "out of a stone egg"
                self.set("material", MATERIAL_OF[rest[size]], rest[size])
                return place + 2 + size
            return place + 1
        if word in ("wearing", "in", "with", "dressed", "as", "wears"):
            self.lists = True
            return place + 1 + self._worn(word, rest)
        if word in ("and", ",") and self.lists and self._names_garment(rest):
            return place + 1 + self._worn("wearing", rest)  # "with a carrot nose and a top hat"
        if word in DOING or word in ("riding", "rides", "driving"):
            return place + 1 + self._does(word, rest)
        if word in ("sitting", "sits", "seated") and (
            following not in AT or "sitting" in actions_of(self.kind or "corgi")
        ):
            self.set("action", "sitting", word)
            return place + 1
        lies = word in LYING and not (self.kind and KINDS[self.kind].wears)
        if following in AT and (word in RESTING or lies):
            return place + 1  # whatever is on something rests on it
        if word in (*UNDER, "next", "beside", "near"):
            return place + 1 + self._beside(word, rest)
        if place and all(w in LINKS for w in words[:place]):
            if (not following or following in EDGES) and self.quality(word):
                return place + 1
        if word in LINKS and following in COLOR_OF:
            return place + 1
        if word in EDGES or word in DETERMINERS or word in "standing stands".split():
            if word.startswith("stand") and following not in ("on", "atop"):
                self.drop(word)
            return place + 1
        self.drop(word)
        return place + 1

    def _does(self, verb: str, rest: list[str]) -> int:
        """Read what is held or ridden; how many words it takes."""
        skip = int(bool(rest) and rest[0] == "on")
        size, thing = self._thing(rest[skip:])
        thing = singular(thing)
        name = THING_OF.get(thing, thing)
        if verb in DOING and name not in (DOING[verb] or name).split():
            name = ""
        if thing in TAKEN and verb != "taking":  # who takes a photo has a camera
            name = ""
        action = f"{'holding' if verb in DOING else 'riding'} {name}"
        if name and action in today().actions:
            swapped = f"{thing}: {name}" if thing != name else ""
            self.set("action", action, verb, thing, swapped=swapped)
            return skip + size
        self.drop(verb, *(w for w in rest[: skip + size] if w not in DETERMINERS))
        return skip + size

    def _able(self, action: str) -> bool:
        """Whether the world has an action, and the thing a body for it."""
        return self.kind is not None and action in {*today().actions} & {*actions_of(self.kind)}

    def _negated(self, words: list[str]) -> int:
        """How many words a negation takes: up to the next edge, but for what belongs to it."""
        size = 0
        for word in words:
            if word in EDGES and word not in ("no", "not") and size:
                break
            size += 1
        # What the world's things may have on is not there unless asked for; of the rest, who knows.
        worn = {w.split()[-1] for w in wearables()}
        thing = singular(words[size - 1]) if size else ""
        if thing not in worn and thing not in BARE_OF:
            self.drop(*words[:size])
            self.denied = True
        return size

    def _phrase(self, words: list[str]) -> int:
        """Number of words of the noun phrase that starts here."""
        size = 0
        for k, word in enumerate(words):
            if word in DETERMINERS and not any(w not in DETERMINERS for w in words[:k]):
                size += 1
            elif word in EDGES or word in DETERMINERS or word == "of":
                break
            elif k and (word in STARTERS or (word.endswith("ing") and _is_thing(words[k - 1]))):
                break
            else:
                size += 1
        return size

    def _names_garment(self, words: list[str]) -> bool:
        """Whether the noun phrase that starts here is of something worn."""
        named = [w for w in words[: self._phrase(words)] if w not in DETERMINERS]
        return bool(named) and singular(named[-1]) in {w.split()[-1] for w in wearables()}

    def _worn(self, word: str, rest: list[str]) -> int:
        skip = 0
        while skip < len(rest) and rest[skip] in (
            "in",
            "as",
            "like",
            "a",
            "an",
            "the",
            "pair",
            "of",
        ):
            skip += 1
        size = skip + self._phrase(rest[skip:])
        phrase = [w for w in rest[:size] if w not in DETERMINERS and w not in ("as", "in", "like")]
        phrase = [w for w in phrase if w not in ("pair", "of")]
        for start in range(len(phrase)):
            text = " ".join((*phrase[start:-1], singular(phrase[-1])))
            name = wearables().get(text) or wearables().get(" ".join(phrase[start:]))
            company = word == "with" and name in OUTFITS and text in lexicon() and text != "armor"
            if company:  # "a cat with an astronaut"
                break
            if name and self.kind and KINDS[self.kind].wears and word != "of":
                self.set("wears", name, *phrase[start:])
                self.drop(*phrase[:start])
                return size
        if phrase and phrase[-1] in TOPS and self.kind in CLOTHED:
            for said in phrase[:-1]:
                if said in COLOR_OF:
                    self.set("color", COLOR_OF[said], said, phrase[-1])
                else:
                    self.drop(said)
            return size
        if word == "with" and phrase and phrase[-1] in PATTERN_OF:
            self.set("pattern", PATTERN_OF[phrase[-1]], phrase[-1])
            self.drop(*(w for w in phrase[:-1] if w not in ("polka",)))
            return size
        thing = singular(phrase[-1]) if phrase else ""
        name = THING_OF.get(thing, thing)
        if word == "in" and f"in {name}" in today().relations:
            swapped = f"{thing}: {name}" if thing != name else ""
            self.set("relation", f"in {name}", phrase[-1], swapped=swapped)
            self.drop(*phrase[:-1])
            return size
        if word == "with" and self._able(f"holding {name}"):
            swapped = f"{thing}: {name}" if thing != name else ""
            self.set("action", f"holding {name}", phrase[-1], swapped=swapped)
            self.drop(*phrase[:-1])
            return size
        if word == "in" and phrase and self._stands(phrase, ("in",)):
            return size
        cast = MATERIAL_OF.get(phrase[-1]) if phrase else None
        bare = word == "in" and not DETERMINERS & {*rest[:1]}
        if bare and cast in CAST and self.kind not in CLOTHED:  # "in brown leather"
            for said in phrase:
                if not self.quality(said):
                    self.drop(said)
            return size
        if word == "in" and len(phrase) == 1 and phrase[0] in COLOR_OF:
            self.set("color", COLOR_OF[phrase[0]], phrase[0])
            return size
        self.drop(*phrase)
        return size

    def _thing(self, words: list[str]) -> tuple[int, str]:
        size = self._phrase(words)
        named = [w for w in words[:size] if w not in DETERMINERS]
        self.drop(*named[:-1])
        return size, named[-1] if named else ""

    def _beside(self, word: str, rest: list[str]) -> int:
        skip = 0
        while skip < len(rest) and rest[skip] in ("top", "of", "to", "the"):
            skip += 1
        size = self._phrase(rest[skip:])
        phrase = [w for w in rest[skip : skip + size] if w not in DETERMINERS]
        thing = singular(phrase[-1]) if phrase else ""
        where = "on" if word in UNDER else "next to"
        name = THING_OF.get(thing, thing)
        if where == "on" and self._able(f"riding {name}"):  # whoever is on a horse rides it
            swapped = f"{thing}: {name}" if thing != name else ""
            self.set("action", f"riding {name}", *phrase, swapped=swapped)
            self.drop(*phrase[:-1])
        elif f"{where} {name}" in today().relations:
            swapped = f"{thing}: {name}" if thing != name else ""
            self.set("relation", f"{where} {name}", *phrase, swapped=swapped)
            self.drop(*phrase[:-1])
        elif where == "next to" or not self._stands(phrase):
            self.drop(*phrase)
        return skip + size

    def _stands(self, phrase: list[str], words: tuple[str, ...] = ()) -> bool:
        """Whether a phrase names something to stand on; it is taken then."""
        thing = singular(phrase[-1]) if phrase else ""
        name = STAND_OF.get(thing)
        if name is None or (words and name not in PLACES):
            return False
        swapped = f"{thing}: {name}" if thing != name else ""
        self.set("stand", name, *phrase, swapped=swapped)
        self.drop(*phrase[:-1])
        return True


def _is_thing(word: str) -> bool:
    return singular(word) in nouns() or any(w.split()[-1] == word for w in wearables())
