"""Real sentences as descriptions of the world: what is asked for, what is shown, what is left out.

A teacher that learnt a small world from its captions is misled by a single word it never saw. So a
prompt is read into a description and the teacher is told that description's caption; every word
that did not make it there is named. The same reading serves the run, the ground truth, the
evaluation and the page.
"""

import dataclasses
import functools
import re

from uni3d.teacher.hub import BUILT_IN, WIDE
from uni3d.toybox.clauses import CLOTHED, Clauses
from uni3d.toybox.frames import without_style
from uni3d.toybox.grammar import OUTFITS, canonical
from uni3d.toybox.known import Known, shipped_known
from uni3d.toybox.languages import translated
from uni3d.toybox.letters import singular, words_of
from uni3d.toybox.lexicon import (
    COLOR_OF,
    FAMILY_OF,
    MATERIAL_OF,
    NOT_WHOLE,
    SILENT,
    YOUNG,
    Entry,
    brands,
    implied,
    lexicon,
    nearest_kinds,
    nouns,
    stand_ins,
    strangers,
    vocabulary,
    wearables,
)
from uni3d.toybox.names import without_names
from uni3d.toybox.phrase import split
from uni3d.toybox.wording import close_noun, reworded
from uni3d.toybox.world import KINDS, Description, actions_of, relations_of, suits

__all__ = ["Reading", "read", "read_as_shipped"]


# Materials that are shades in front of a colour, and those that are colours behind one.
SHADING = ("brick", "chocolate", "stone", "golden", "gold", "silver", "copper", "bronze", "clay")
METALS = ("gold", "silver", "bronze", "copper")
WORKS_WITH = frozenset(  # a "horse rider" is no horse
    "farmer hunter rider tamer keeper seller cook trainer handler breeder owner catcher charmer "
    "wrestler writer driver whisperer lover".split()
)
PARTS_OF_MAKES = frozenset(
    "engine case generator logo driver owner rider pilot mechanic fan badge part sign dealer key "
    "charger bag box".split()
)
PARTS = tuple(
    "nosed haired eyed faced headed eared legged winged tailed bellied bearded footed roofed "
    "handled framed rimmed tipped lined lidded soled sleeved crowned maned horned ringed bottomed "
    "paved fired encrusted studded trimmed".split()
)
AGES = ("age", "gate", "worker", "tea", "juice", "oil", "wine", "bean")  # "stone age", "green tea"
STATUES = ("statue", "bust", "sculpture", "figurine", "statuette")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reading:
    """A prompt as the world understands it.

    subject: the head noun as written; kind and the other names: of the whole world, None where
    nothing is asked. caption: what the teacher is told; left_out: words that are not shown;
    replaced: guesses, as "asronaut: astronaut"; drawable: whether the teacher knows the kind;
    understood: whether all content words are shown; description: of what is shown.
    """

    prompt: str
    subject: str
    kind: str | None
    color: str | None
    material: str | None
    pattern: str
    wears: str | None
    action: str | None
    relation: str | None
    stand: str | None
    caption: str
    left_out: tuple[str, ...]
    replaced: tuple[str, ...]
    drawable: bool
    understood: bool
    description: Description | None

    @property
    def note(self) -> str:
        """One line for the person who asked; empty where the prompt is shown as it is."""
        if not self.drawable:
            near = nearest_kinds(self.kind, self.subject)
            what = f"{self.subject!r} is not known" if self.subject else "no thing is named"
            some = ", ".join(near) or "none; some that are known: corgi, robot, car"
            return f"{what}; nearest: {some}; all: uni3d toybox sheet"
        shown = self._in_words()
        plain = shown.removeprefix("a ").removeprefix("an ")
        if (
            self.understood
            and not self.replaced
            and re.search(rf"\b{re.escape(plain)}\b", self.prompt.lower())
        ):
            return ""
        said = f"shown as {shown!r}"
        if self.left_out:
            said += f"; left out: {', '.join(self.left_out)}"
        if self.replaced:
            said += f"; read as: {', '.join(self.replaced)}"
        return said

    def _in_words(self) -> str:
        """The caption as people say it: a red girl of the world is a girl in red."""
        what = self.description
        if what is None or what.color is None or what.kind not in CLOTHED:
            return self.caption
        noun = KINDS[what.kind].words[0]
        plain = canonical(dataclasses.replace(what, color=None))
        return plain.replace(noun, f"{noun} in {what.color}", 1)


class _Reader(Clauses):
    """A prompt being read."""

    # The head and what stands before it.

    def head(self, phrase: tuple[str, ...]) -> None:
        size, entry = self._match(phrase)
        if (entry is None and not size) or (
            entry and KINDS[entry[0]].category in ("person", "animal")
        ):
            size, entry = self._branded(phrase) or (size, entry)
        if entry is None and phrase and not size:
            size, entry = self._guess(phrase)
        if not phrase:
            return
        self.subject = " ".join(phrase[len(phrase) - max(size, 1) :])
        before = list(phrase[: len(phrase) - max(size, 1)])
        if entry is None:
            self.drop(*before)
            return
        self.kind, extra = entry
        named = phrase[len(phrase) - size :]
        if size > 1 and " ".join(named) not in lexicon() and phrase[-1] in (*NOT_WHOLE, *YOUNG):
            self.drop(phrase[-1])
            named = named[:-1]
        before = self._role(self._same_kind(before))
        if self.kind == entry[0]:
            self._say_stand_in(named)
        for field, name in extra.items():
            self.found.setdefault(field, name)
        self._modifiers(before)

    def _match(self, phrase: tuple[str, ...]) -> tuple[int, Entry | None]:
        """(number of words, entry) of the longest known ending of a phrase."""
        attribute = len(phrase) > 1 and (phrase[-2] in MATERIAL_OF or phrase[-2] in COLOR_OF)
        attribute = attribute or " ".join(phrase[-2:]) in lexicon()  # "a chess piece"
        owned = len(phrase) > 1 and phrase[-1] == "toy" and self._owns(phrase[-2])
        own = attribute or owned or " ".join(phrase[-2:]) in strangers()  # "a dog toy"
        if len(phrase) > 1 and phrase[-1] in NOT_WHOLE and not own:  # "a lion head"
            size, entry = self._match(phrase[:-1])
            if entry:
                return size + 1, entry
        if len(phrase) > 1 and phrase[-1] in YOUNG:  # "a lion cub"
            size, entry = self._match(phrase[:-1])
            if entry and KINDS[entry[0]].category == KINDS["lion"].category:
                return size + 1, entry
        for size in range(min(4, len(phrase)), 0, -1):
            ending = list(phrase[len(phrase) - size :])
            last = ending.pop()
            forms = (last, singular(last), *(["glass"] if ending and last == "glasses" else []))
            for form in forms:  # "wine glasses"
                for text in (
                    " ".join((*ending, form)),
                    " ".join((*ending, form)).replace("-", " "),
                ):
                    if text in strangers():
                        return size, None
                    own = ending and ending[0] in MATERIAL_OF and text in _own_words()
                    own = own and ending[0] != "diamond"  # whose ring is of gold
                    if text in lexicon() and not own:  # "a leather boot" is a boot of leather
                        return size, lexicon()[text]
        return 0, None

    def _branded(self, phrase: tuple[str, ...]) -> tuple[int, Entry] | None:
        """A maker's name and a model that is no thing: "a Toyota Corolla", a "Kawasaki Ninja"."""
        for place in range(len(phrase) - 1):
            for size in (1, 2):
                maker, model = " ".join(phrase[place : place + size]), phrase[place + size :]
                things = [w for w in model if singular(w) in vocabulary().others | PARTS_OF_MAKES]
                if maker not in brands():
                    continue
                known = [w for w in model if w in lexicon() and w not in stand_ins()]
                things += [w for w in known if lexicon()[w][0] != lexicon()[maker][0]]
                if not things:
                    self.drop(*model)
                    return len(phrase) - place, lexicon()[maker]
        return None

    def _guess(self, phrase: tuple[str, ...]) -> tuple[int, Entry | None]:
        """A misspelt head: one close word of the same first letter, and it is said."""
        found = close_noun(singular(phrase[-1]))
        if found is None:
            return 0, None
        self.replaced.append(f"{phrase[-1]}: {found[0]}")
        self.stands_in = found[0] in stand_ins()
        return 1, found[1]

    def _say_stand_in(self, words: tuple[str, ...]) -> None:
        """Say that the world does not hold what `words` name, and what it shows for it."""
        text = " ".join((*words[:-1], singular(words[-1])))
        self.stands_in = text in stand_ins()
        if self.stands_in and self.kind:
            self.replaced.append(f"{text}: {KINDS[self.kind].words[0]}")

    def _same_kind(self, before: list[str]) -> list[str]:
        """What is left of "chow chow" before "puppy": a breed before its kind says no more."""
        while before:
            size, entry = self._match(tuple(before))
            if entry is None or entry[0] != self.kind:
                break
            for field, name in entry[1].items():
                self.found.setdefault(field, name)
            before = before[:-size]
        return before

    def _role(self, before: list[str]) -> list[str]:
        """ "a raccoon astronaut" is a raccoon, "an astronaut raccoon" too."""
        if before and self._owns(before[-1]):
            return before  # "a wizard's cat"
        noun = singular(self.subject)
        role = wearables().get(noun)
        size, wearer = self._match(tuple(before))
        if noun in lexicon() and wearer is not None and KINDS[wearer[0]].wears:
            animal = KINDS[wearer[0]].category != KINDS["person"].category
            outfit = role in OUTFITS and wearer[0] != self.kind
            if outfit or (animal and self._is_job(noun)):
                if role in OUTFITS:
                    self.found["wears"] = role
                else:  # "a corgi nurse"
                    self.drop(*self.subject.split())
                self.kind, self.subject = wearer[0], " ".join((*before[-size:], self.subject))
                for field, name in wearer[1].items():
                    self.found.setdefault(field, name)
                return before[:-size]
        if before and self.kind and KINDS[self.kind].wears:
            role = wearables().get(before[-1])
            role = role or lexicon().get(before[-1], ("", {}))[1].get("wears")  # "a samurai frog"
            if role in OUTFITS:
                self.found["wears"] = role
                return before[:-1]
        return before

    def _owns(self, word: str) -> bool:
        return bool(re.search(rf"\b{re.escape(word)}['’]s\b", self.prompt.lower()))

    def _is_job(self, noun: str) -> bool:
        """Whether a word is what a person is, and an animal may be: no "cat lady", "pig farmer"."""
        person = self.kind is not None and KINDS[self.kind].category == KINDS["person"].category
        return person and noun not in _own_words() and noun not in WORKS_WITH

    def _modifiers(self, words: list[str]) -> None:
        for word, following in zip(words, [*words[1:], ""], strict=False):
            shade = word in SHADING and following in COLOR_OF  # "chocolate brown"
            shade = shade or following.endswith(PARTS) or following in AGES  # "red nosed"
            second = word in METALS and self.found.get("color")  # "blue and gold"
            if shade or second or not self.quality(word):
                self.drop(word)

    @property
    def unsaid(self) -> bool:
        """Whether something of the prompt is not shown, or not known to be so."""
        return bool(self.left) or self.stands_in or self.denied

    def of_whole(self, words: tuple[str, ...]) -> None:
        """What a thing is a copy or a part of: "a marble bust of"; the material is the thing's."""
        if self.kind is None and words and singular(words[-1]) in STATUES and self._nobody():
            self.kind, self.subject = "statue", words[-1]  # of someone who is not known
            words = words[:-1]
        for word in words:
            if word in MATERIAL_OF:
                self.set("material", MATERIAL_OF[word], word)
            else:
                self.drop(word)

    def _nobody(self) -> bool:
        """Whether the subject is no thing that is known: a name, or a character."""
        noun = singular(self.subject.split(" ")[-1])
        strange = noun not in vocabulary().others and noun not in strangers()
        if strange or FAMILY_OF.get(noun) == "character":
            self.drop(*self.subject.split())
            return True
        return False

    # What of it can be shown.

    def shown(self) -> Description | None:
        """The description of what the teacher knows; the rest is named as left out."""
        if self.kind is None or self.kind not in self.known.kinds:
            return None
        kind, known = KINDS[self.kind], self.known
        allowed = {
            "color": kind.colorable and self.found.get("color") in known.colors,
            "pattern": kind.patterned and self.found.get("pattern") in known.patterns,
            "material": self.found.get("material") in known.materials
            and self.found.get("material") in suits(kind),
            "wears": kind.wears and self.found.get("wears") in known.wears,
            "action": self.found.get("action") in {*known.actions} & {*actions_of(self.kind)},
            "relation": self.found.get("relation")
            in {*known.relations} & {*relations_of(self.kind)},
            "stand": self.found.get("stand") in known.stands,
        }
        kept = {f: name for f, name in self.found.items() if name and allowed[f]}
        names = ["any", self.kind, *(str(name).split(" ")[-1] for name in kept.values())]
        names += ["colored"] if "color" in kept else []
        silent = frozenset().union(*(implied().get(name, ()) for name in names))
        self.left = [word for word in self.left if word not in silent]
        for field, name in self.found.items():  # what was asked of the thing itself is not implied
            if name and field not in kept and name != kind.color:
                self.drop(*(self.said.get(field) or name.replace("_", " ").split()))
        self.replaced += [self.swapped[field] for field in kept if field in self.swapped]
        return Description(kind=self.kind, **kept)


@functools.cache
def _own_words() -> frozenset[str]:
    return frozenset(word for kind in KINDS.values() for word in kind.words)


@functools.lru_cache(maxsize=256)
def read(prompt: str, known: Known | None = None) -> Reading:
    """What a prompt asks for and what of it is shown; `known` is toybox's unless given."""
    known = known or shipped_known()
    words = translated(words_of(without_style(prompt), nouns()))
    words, names = without_names(reworded(words), prompt)
    parts = split(words, vocabulary())
    reader = _Reader(prompt, known)
    reader.head(parts.phrase)
    reader.of_whole(parts.whole)
    reader.tail(list(parts.rest))
    reader.drop(*names)
    asked = {name: reader.found.get(name) for name in ("color", "material", "wears", "action")}
    asked |= {name: reader.found.get(name) for name in ("relation", "stand")}
    description = reader.shown()
    denied = words[:1] and words[0] in ("no", "not", "without")
    if reader.kind is None and not reader.subject and not denied:
        reader.subject = next((w for w in words if w not in SILENT), "")
    return Reading(
        prompt=prompt,
        subject=reader.subject,
        kind=reader.kind,
        pattern=reader.found.get("pattern") or "plain",
        **asked,
        caption=canonical(description) if description else "",
        left_out=tuple(reader.left),
        replaced=tuple(reader.replaced),
        drawable=description is not None,
        understood=description is not None and not reader.unsaid,
        description=description,
    )


def read_as_shipped(prompt: str) -> tuple[str, Reading]:
    """The built-in teacher that draws a prompt, and its reading: toybox where it knows the subject,
    else the one of the whole world."""
    reading = read(prompt)
    if reading.drawable:
        return BUILT_IN, reading
    wide = read(prompt, shipped_known(WIDE))
    return (WIDE, wide) if wide.drawable else (BUILT_IN, reading)
