"""Real sentences: what is asked for, what is shown, and that nothing is dropped without a word."""

import ast
import dataclasses
import json
import random
from pathlib import Path

import pytest

from uni3d.cli import main
from uni3d.toybox import lexicon as lexicon_module
from uni3d.toybox import reading
from uni3d.toybox.frames import without_style
from uni3d.toybox.known import shipped_known, today
from uni3d.toybox.letters import singular, words_of
from uni3d.toybox.lexicon import (
    COLOR_OF,
    FILLERS,
    MATERIAL_OF,
    SILENT,
    STAND_OF,
    THING_OF,
    lexicon,
    nearest_kinds,
    people,
    wearables,
)
from uni3d.toybox.read_command import KEYS, table
from uni3d.toybox.reading import read, read_as_shipped
from uni3d.toybox.world import KINDS

CASES = [
    line.split("\t")
    for line in (Path(__file__).parents[1] / "data" / "readings.tsv").read_text().splitlines()
    if line and not line.startswith("#")
]
FIELDS = ("color", "material", "pattern", "wears", "action", "relation", "stand")


@pytest.mark.parametrize(("prompt", "subject", "kind", "asked", "left_out"), CASES)
def test_what_is_read(prompt, subject, kind, asked, left_out):
    reading = read(prompt, today())
    wanted = {"pattern": "plain"}
    name = ""
    for part in asked.split():
        if "=" in part:
            name, value = part.split("=")
            wanted[name] = value
        else:
            wanted[name] += f" {part}"
    got = {f: getattr(reading, f) for f in FIELDS if getattr(reading, f)}
    assert (reading.subject, reading.kind or "", got) == (subject, kind, wanted)
    assert set(reading.left_out) >= {w for w in left_out.split(",") if w}
    if kind:
        assert list(reading.left_out) == [w for w in left_out.split(",") if w]


def test_there_are_cases_enough():
    assert len(CASES) >= 97


def _used(reading) -> set[str]:
    """Words of the prompt that the reading accounts for."""
    fields = " ".join(str(getattr(reading, f) or "") for f in FIELDS).replace("_", " ")
    kind = (reading.kind or "").replace("_", " ")
    return {singular(w) for w in f"{reading.subject} {fields} {kind}".lower().split()}


NOUNS = sorted(w for w in lexicon() if " " not in w)
OTHERS = "red wooden zorblax sleeping shiny с帽 котом glowing frob two striped velvet".split()


def test_every_word_is_used_or_named():
    """Word salads: no content word vanishes. Synonyms of a value count as that value, and what a
    value of the description says by itself (implied.tsv) need not be named."""
    from uni3d.toybox.lexicon import (
        COLOR_OF,
        MATERIAL_OF,
        PATTERN_OF,
        STAND_OF,
        THING_OF,
        implied,
        wearables,
    )

    rng = random.Random(3)
    glue = ["a", "with a", "and a", "on a", "wearing a", "next to a", "of", "in a", "holding a"]
    for _ in range(4000):
        words = ["a", *rng.sample(OTHERS, 2), rng.choice(NOUNS)]
        for _ in range(rng.randrange(3)):
            words += [rng.choice(glue), rng.choice(OTHERS), rng.choice(NOUNS)]
        prompt = " ".join(words)
        for known in (today(), shipped_known()):
            reading = read(prompt, known)
            said = {singular(w) for w in reading.left_out} | set(reading.left_out)
            used = _used(reading)
            described = dataclasses.asdict(reading.description) if reading.description else {}
            values = {str(v).split()[-1] for v in described.values() if v}
            colored = {"colored"} if described.get("color") else set()
            says = [implied().get(v, ()) for v in {"any", *values, *colored}]
            for word in words_of(without_style(prompt)):
                named = word in said or singular(word) in said
                tables = (COLOR_OF, MATERIAL_OF, PATTERN_OF, STAND_OF, THING_OF)
                others = {table.get(w) for table in tables for w in (word, singular(word))}
                worn = {singular(w) for w in (wearables().get(singular(word)) or "").split("_")}
                silent = word in SILENT or word in FILLERS or any(word in words for words in says)
                shown = singular(word) in used or others & used or worn & used
                assert named or silent or shown, (prompt, word, reading)


def test_what_the_teacher_does_not_know_is_left_out_and_named():
    reading = read("a wooden chair")
    assert (reading.caption, reading.left_out, reading.understood) == (
        "a chair",
        ("wooden",),
        False,
    )
    assert reading.note == "shown as 'a chair'; left out: wooden"
    assert read("a wooden chair", today()).caption == "a wooden chair"
    assert not read("a tiger").drawable and read("a tiger").kind == "tiger"


@pytest.mark.parametrize(
    ("prompt", "kind", "said"),
    [("a llama", "sheep", "llama: sheep"), ("two lemons", "tomato", "lemon: tomato")],
)
def test_what_stands_in_for_another_thing_is_said_and_not_understood(prompt, kind, said):
    """The world holds no llama; its sheep is shown, and the line must say so."""
    reading = read(prompt, today())
    assert (reading.kind, reading.replaced, reading.understood) == (kind, (said,), False)
    assert f"read as: {said}" in reading.note
    assert read("a ewe and a lamb", today()).replaced == ()


def test_an_english_word_is_no_misspelt_one():
    """ "station" is near "stallion" in letters; "elefant" is near "elephant" and no word."""
    assert read("a station", today()).kind is None
    assert read("an elefant", today()).replaced == ("elefant: elephant",)


@pytest.mark.parametrize(
    ("prompt", "family"), [("a tiger", "animal"), ("a helicopter", "vehicle"), ("a taco", "food")]
)
def test_nearest_kinds_are_of_the_family_and_known(prompt, family):
    reading = read(prompt)
    near = nearest_kinds(reading.kind, reading.subject)
    kinds = [next(k for k in KINDS.values() if k.words[0] == word) for word in near]
    assert len(near) == 3 and {k.category for k in kinds} == {family}
    assert {k.name for k in kinds} <= set(shipped_known().kinds)


@pytest.mark.parametrize(
    ("prompt", "near"),
    [
        ("a hedgehog", {"squirrel", "mouse"}),
        ("a wooden bench", {"chair", "sofa"}),
        ("a wrench", {"screwdriver", "axe"}),
        ("three porcupines", {"squirrel", "mouse"}),
        ("an airship", {"airplane", "balloon"}),
    ],
)
def test_what_is_near_is_so_by_meaning(prompt, near):
    """By hand: what a person would name for a thing that the world does not hold."""
    reading = read(prompt, today())
    found = nearest_kinds(reading.kind, reading.subject)
    assert reading.kind is None and len(found) == 3 and near <= set(found)
    assert f"nearest: {', '.join(found)}; all" in reading.note


def test_where_nothing_is_near_the_line_says_so():
    note = read("a zorblax").note
    assert "'zorblax' is not known; nearest: none; some that are known: corgi" in note
    words = Path(lexicon_module.__file__).parent / "words"
    for row in (words / "near.tsv").read_text().splitlines()[2:]:
        kinds, nouns = row.split("\t")
        assert len(kinds.split()) == 3 and set(kinds.split()) <= set(KINDS) and nouns


@pytest.mark.parametrize(
    ("prompt", "caption", "left", "said"),
    [
        ("an elven archer", "a person", ("elven",), ("archer: person",)),
        ("a philosopher", "a person", (), ("philosopher: person",)),
        ("a bride", "a woman", (), ("bride: woman",)),
        ("a fox detective", "a fox", ("detective",), ()),
        (
            "a lego minifigure of a sheriff",
            "a person",
            ("lego", "minifigure"),
            ("sheriff: person",),
        ),
    ],
)
def test_a_role_of_people_is_a_person_and_that_is_said(prompt, caption, left, said):
    reading = read(prompt, today())
    assert (reading.caption, reading.left_out, reading.replaced) == (caption, left, said)
    assert not reading.understood


def test_no_other_table_has_the_people_and_none_is_a_likely_thing():
    tables = [KINDS, COLOR_OF, MATERIAL_OF, THING_OF, STAND_OF, wearables()]
    assert not set(people()) & {word for table in tables for word in table}
    for thing in ("an mp3 player", "a dream catcher", "a space rover", "a blaster", "a speaker"):
        assert read(thing, today()).kind != "person", thing


@pytest.mark.parametrize(
    ("prompt", "wears", "left"),
    [
        ("a snowman with a carrot nose and a top hat", "top_hat", ("carrot", "nose")),
        ("a corgi wearing tartan clothes and hat", "top_hat", ("tartan", "clothes")),
        ("a corgi and a top hat", None, ("hat",)),
        ("a cat with a hat and a scarf", "top_hat", ("scarf",)),
    ],
)
def test_what_is_worn_may_come_second(prompt, wears, left):
    reading = read(prompt, today())
    assert (reading.wears, tuple(w for w in reading.left_out if w != "top")) == (wears, left)


@pytest.mark.parametrize(
    ("prompt", "subject", "kind"),
    [
        ("a strawberry cake slice", "cake slice", "cake"),
        ("a rabbit plushie", "rabbit plushie", "rabbit"),
        ("a sushi roll", "sushi roll", "sushi"),
        ("a family of ducks", "ducks", "duck"),
        ("a baby stroller", "baby stroller", None),
        ("a stuffed animal", "stuffed animal", "teddy_bear"),
        ("a piggy bank", "piggy bank", "pig"),
        ("a chess knight piece", "chess knight piece", "chess_piece"),
        ("a chess piece", "chess piece", "chess_piece"),
        ("a pawn", "pawn", "chess_piece"),
        ("a miniature of a castle", "castle", "castle"),
        ("a cozy reading nook", "nook", None),
    ],
)
def test_pieces_copies_and_rolls(prompt, subject, kind):
    assert (read(prompt, today()).subject, read(prompt, today()).kind) == (subject, kind)


@pytest.mark.parametrize(
    ("prompt", "kind", "left"),
    [
        ("a dog named Max", "corgi", ("max",)),
        ("a tall man called Bob Smith at a desk", "man", ("tall", "desk", "bob", "smith")),
        ("my cat Luna", "cat", ("luna",)),
        ("my dog Rex as a superhero", "corgi", ("superhero", "rex")),  # "t rex" is one
        ("Max the dog", "corgi", ("max",)),
        ("Clifford the Big Red Dog", "corgi", ("big", "clifford")),
        ("a penguin DJ", "penguin", ("dj",)),
        ("a sword called Excalibur", "sword", ("excalibur",)),
        ("a Corgi Astronaut", "corgi", ()),  # no name: it is known
        ("my dog house", "house", ("dog",)),
        ("a cat Carrier", None, ()),  # not living, nor a cat
        ("Thomas the tank engine", None, ("tank", "engine")),
        ("no hat", None, ()),
    ],
)
def test_a_name_is_no_subject(prompt, kind, left):
    reading = read(prompt, today())
    assert (reading.kind, reading.left_out) == (kind, left)


@pytest.mark.parametrize(
    ("prompt", "field", "name", "left"),
    [
        ("a car that is red", "color", "red", ()),
        ("a house painted red and white", "color", "red", ("white",)),
        ("a cat, but blue", "color", "blue", ()),
        ("a car, red", "color", "red", ()),
        ("a chair that's wooden", "material", "wooden", ()),
        ("a vase which is striped", "pattern", "striped", ()),
        ("a red apple, green leaf", "color", "red", ("green", "leaf")),
        ("a cat on a rock that is red", "color", None, ("red",)),
        ("an upside down car", "color", None, ("upside-down",)),
        ("a man in a long red shirt", "color", "red", ("long",)),
        ("cat (blue)", "color", "blue", ()),
        ("Could you please make me a chair that is green?", "color", "green", ()),
        ("I'd like a red car, please", "color", "red", ()),
        ("a woman wearing a blue t-shirt", "color", "blue", ()),
        ("a fox in a red shirt", "color", None, ("red", "shirt")),
    ],
)
def test_what_is_said_of_a_thing_behind_it(prompt, field, name, left):
    reading = read(prompt, today())
    said = reading.pattern if field == "pattern" else getattr(reading, field)
    assert (said, reading.left_out) == (name, left)


def test_people_are_said_to_be_in_their_colour():
    reading = read("a girl with a long red shirt and a hat", today())
    assert reading.caption == "a red girl wearing a top hat"
    assert reading.note == "shown as 'a girl in red wearing a top hat'; left out: long"


def test_every_synonym_names_a_kind():
    assert {kind for kind, _ in lexicon().values()} <= set(KINDS)


def test_the_command_prints_the_keys(capsys, tmp_path):
    file = tmp_path / "p.txt"
    file.write_text("a sleeping cat\n\na zorblax\n")
    assert main(["toybox", "read", "a red chair", "--file", str(file), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["kind"] for line in lines] == ["chair", "cat", None]
    assert all(tuple(line) == KEYS for line in lines)
    assert lines[1]["left_out"] == ["sleeping"] and not lines[1]["understood"]
    assert main(["toybox", "read"]) == 2
    assert main(["toybox", "read", "--file", str(tmp_path / "none.txt")]) == 2


def test_the_table_counts_by_source(monkeypatch):
    monkeypatch.setattr(reading, "shipped_known", lambda _=None: shipped_known())  # no tiger
    lines = [
        "source\tsubject\tprompt",
        "one\tred chair\ta red chair",
        "one\ttiger\ta tiger",
        "two\tdog\ta cat",
    ]  # the last disagrees
    rows = [row.split("|")[1:-1] for row in table(lines).splitlines()[2:]]
    assert [[cell.strip() for cell in row[:5]] for row in rows] == [
        ["one", "2", "100%", "100%", "50%"],
        ["two", "1", "0%", "100%", "100%"],
        ["all", "3", "67%", "100%", "67%"],
    ]


def test_the_twelve_of_t3bench_are_understood():
    """`benchmarks/twelve.py --list t3bench` takes prompts that can be shown whole."""
    source = (Path(__file__).parents[2] / "benchmarks" / "twelve.py").read_text()
    names = next(
        n
        for n in ast.parse(source).body
        if getattr(n, "targets", [None])[0] is not None
        and getattr(n.targets[0], "id", "") == "T3BENCH"
    )
    prompts = ast.literal_eval(names.value)
    assert len(prompts) == 12
    assert [p for p in prompts if not read_as_shipped(p)[1].understood] == []
