"""Real sentences as descriptions of the world: what is asked for, what is shown, what is left out.

A teacher that learnt a small world from its captions is misled by a single word it never saw. So a
prompt is read into a description and the teacher is told that description's caption; every word
that did not make it there is named. The same reading serves the run, the ground truth, the
evaluation and the page.
"""

import dataclasses
import difflib
import functools
import re

from uni3d.teacher.hub import BUILT_IN, WIDE
from uni3d.toybox.clauses import CLOTHED, Clauses
from uni3d.toybox.grammar import OUTFITS, canonical
from uni3d.toybox.known import Known, shipped_known
from uni3d.toybox.lexicon import (
    AGENTS,
    COLOR_OF,
    FAMILY_OF,
    MATERIAL_OF,
    NOT_WHOLE,
    SILENT,
    Entry,
    implied,
    lexicon,
    nearest_kinds,
    not_typos,
    nouns,
    people,
    stand_ins,
    strangers,
    translated,
    wearables,
)
from uni3d.toybox.names import without_names
from uni3d.toybox.phrase import (
    is_foreign,
    singular,
    split,
    without_style,
    words_of,
)
from uni3d.toybox.world import KINDS, Description, actions_of, relations_of, suits

__all__ = ["Reading", "read", "read_as_shipped"]


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
        whole = " ".join(phrase[len(phrase) - size :]) in lexicon()  # "record player"
        if size > 1 and not whole and (phrase[-1] in NOT_WHOLE or phrase[-1].endswith(AGENTS)):
            self.drop(phrase[-1])
        before = self._role(self._same_kind(before))
        if self.kind == entry[0]:
            self._say_stand_in(phrase[len(phrase) - size :])
        for field, name in extra.items():
            self.found.setdefault(field, name)
        self._modifiers(before)

    def _match(self, phrase: tuple[str, ...]) -> tuple[int, Entry | None]:
        """(number of words, entry) of the longest known ending of a phrase."""
        attribute = len(phrase) > 1 and (phrase[-2] in MATERIAL_OF or phrase[-2] in COLOR_OF)
        attribute = attribute or " ".join(phrase[-2:]) in lexicon()  # "a chess piece"
        if len(phrase) > 1 and phrase[-1] in NOT_WHOLE and not attribute:  # "a lion head"
            size, entry = self._match(phrase[:-1])
            if entry:
                return size + 1, entry
        for size in range(min(4, len(phrase)), 0, -1):
            ending = list(phrase[len(phrase) - size :])
            last = ending.pop()
            for form in (last, singular(last)):
                for text in (
                    " ".join((*ending, form)),
                    " ".join((*ending, form)).replace("-", " "),
                ):
                    if text in strangers():
                        return size, None
                    own = ending and ending[0] in MATERIAL_OF and text in _own_words()
                    if text in lexicon() and not own:  # "a leather boot" is a boot of leather
                        return size, lexicon()[text]
        if len(phrase) > 1 and phrase[-1].endswith(AGENTS):  # "a tiger waiter"
            size, entry = self._match(phrase[:-1])
            if entry and KINDS[entry[0]].wears:
                return size + 1, entry
        return 0, None

    def _guess(self, phrase: tuple[str, ...]) -> tuple[int, Entry | None]:
        """A misspelt head: one close word of the same first letter, and it is said."""
        word = singular(phrase[-1])
        if len(word) < 5 or is_foreign(word) or word in FAMILY_OF or word in not_typos():
            return 0, None
        single = [w for w in lexicon() if " " not in w and w[0] == word[0] and w not in people()]
        near = difflib.get_close_matches(word, single, n=1, cutoff=0.8)
        if not near:
            return 0, None
        self.replaced.append(f"{phrase[-1]}: {near[0]}")
        return 1, lexicon()[near[0]]

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
            if role in OUTFITS:
                self.found["wears"] = role
                return before[:-1]
        return before

    def _is_job(self, noun: str) -> bool:
        """Whether a word is what a person is, and an animal may be: no "cat lady", "pig farmer"."""
        person = self.kind is not None and KINDS[self.kind].category == KINDS["person"].category
        return person and noun not in _own_words() and noun not in ("farmer", "hunter")

    def _modifiers(self, words: list[str]) -> None:
        for word in words:
            if not self.quality(word):
                self.drop(word)

    def of_whole(self, words: tuple[str, ...]) -> None:
        """What a thing is a copy or a part of: "a marble bust of"; the material is the thing's."""
        for word in words:
            if word in MATERIAL_OF:
                self.set("material", MATERIAL_OF[word], word)
            else:
                self.drop(word)

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
    words, names = without_names(words, prompt)
    parts = split(words, nouns())
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
        understood=description is not None and not (reader.left or reader.stands_in),
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
