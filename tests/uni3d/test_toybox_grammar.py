"""Sentences about toys: what is said is understood, in words that the tokenizer holds whole."""

import re

import numpy as np
import pytest

from uni3d.toybox import grammar
from uni3d.toybox.known import today
from uni3d.toybox.model import CONTEXT, adopt_tokenizer, build_tokenizer
from uni3d.toybox.reading import read
from uni3d.toybox.world import KINDS, STANDS, WEARABLES, Description, sample


def understood(prompt: str) -> Description | None:
    return read(prompt, today()).description


def sentences(count: int) -> list[tuple[Description, str]]:
    rng = np.random.default_rng(7)
    described = [sample(rng, held=k % 4 == 0) for k in range(count)]
    return [(what, grammar.canonical(what)) for what in described]


def test_captions_are_understood():
    described = [(what, text, understood(text)) for what, text in sentences(3000)]
    wrong = [(text, got) for what, text, got in described if got != what]
    assert not wrong, f"{len(wrong)} of 3000, such as {wrong[:3]}"


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a corgi", {"kind": "corgi"}),
        ("A DSLR photo of a Corgi astronaut, front view", {"kind": "corgi", "wears": "astronaut"}),
        ("an astronaut", {"kind": "astronaut"}),
        ("a puppy wearing a space suit", {"kind": "corgi", "wears": "astronaut"}),
        ("a crown", {"kind": "crown"}),
        ("a red royal crown", {"kind": "crown", "color": "red"}),
        ("a cat wearing a crown", {"kind": "cat", "wears": "crown"}),
        ("a cat with a crown and a cape", {"kind": "cat", "wears": "crown"}),
        ("a table", {"kind": "table"}),
        ("a table lamp", {"kind": "lamp"}),
        ("a desk on a table", {"kind": "table", "stand": "table"}),
        ("a teapot standing on a table", {"kind": "teapot", "stand": "table"}),
        ("a grey chair on top of a rock", {"kind": "chair", "color": "gray", "stand": "rock"}),
        (
            "a violet bunny with stripes",
            {"kind": "rabbit", "color": "purple", "pattern": "striped"},
        ),
        ("a mug with polka dots", {"kind": "mug", "pattern": "spotted"}),
        ("a pirate duck", {"kind": "duck", "wears": "pirate"}),
        ("a teddy bear with a top hat", {"kind": "teddy_bear", "wears": "top_hat"}),
        ("a birthday cake", {"kind": "cake"}),
        ("a flower vase", {"kind": "vase"}),
        ("a wine glass", {"kind": "wine_glass"}),
        ("a wooden wine glass", {"kind": "wine_glass", "material": "wooden"}),
        ("a cat holding a sword", {"kind": "cat", "action": "holding sword"}),
        ("a knitted bear sitting", {"kind": "bear", "material": "knitted", "action": "sitting"}),
        ("an apple in a bowl", {"kind": "apple", "relation": "in bowl"}),
    ],
)
def test_prompts_of_people(prompt, expected):
    assert understood(prompt) == Description(**expected)


@pytest.mark.parametrize("prompt", ["", "a trowel", "red", "a scarfed hedgehog", "on a table"])
def test_prompts_without_a_kind(prompt):
    assert understood(prompt) is None


def test_the_vocabulary_holds_every_word_of_captions_and_views():
    known = grammar.vocabulary()
    for _, text in sentences(3000):
        assert set(re.findall(r"[a-z0-9]+", text)) <= known, text
    assert {word for view in grammar.VIEWS for word in view.split()} <= known


@pytest.mark.parametrize(
    ("typo", "word"),
    [
        ("corgy", "corgi"),
        ("elefant", "elephant"),
        ("pengin", "penguin"),
        ("mushrom", "mushroom"),
        ("astronout", "astronaut"),
        ("teappot", "teapot"),
    ],
)
def test_a_misspelt_subject_is_guessed_and_said(typo, word):
    reading = read(f"a red {typo} on a table")
    assert (reading.kind, reading.replaced) == (word, (f"{typo}: {word}",))
    assert reading.note.endswith(f"read as: {typo}: {word}")


@pytest.mark.parametrize(
    ("azimuth", "elevation", "words"),
    [
        (0, 0, "front view"),
        (44, 0, "front view"),
        (316, 59, "front view"),
        (-44, 0, "front view"),
        (720, 0, "front view"),
        (45, 0, "side view"),
        (90, 15, "side view"),
        (270, 15, "side view"),
        (-90, 15, "side view"),
        (135, 0, "side view"),
        (136, 0, "back view"),
        (180, 0, "back view"),
        (-180, -10, "back view"),
        (224, 0, "back view"),
        (226, 0, "side view"),
        (0, 61, "overhead view"),
        (180, 85, "overhead view"),
        (0, 60, "front view"),
    ],
)
def test_view_words(azimuth, elevation, words):
    assert grammar.view_words(azimuth, elevation) == words


def test_every_word_is_one_token_and_every_caption_fits(tmp_path):
    tokenizer = build_tokenizer(tmp_path / "one")
    vocab = tokenizer.get_vocab()
    whole = sorted(grammar.vocabulary() - {"3d"})  # CLIP splits digits off: "3" and "d"
    for word in whole:
        start, *inside, end = tokenizer(word).input_ids
        assert (start, end) == (0, 1)
        assert inside == [vocab[f"{word}</w>"]], word
    assert len({vocab[f"{word}</w>"] for word in whole}) == len(whole)
    texts = [f"{text}, overhead view" for _, text in sentences(3000)]
    lengths = [len(ids) for ids in tokenizer(texts).input_ids]
    assert max(lengths) <= CONTEXT, texts[int(np.argmax(lengths))]
    # Words of nobody's vocabulary still have tokens, and case does not matter.
    assert 1 not in tokenizer("a trombone").input_ids[:-1]
    assert tokenizer("A Corgi").input_ids == tokenizer("a corgi").input_ids


def test_the_tokenizer_is_the_same_every_time_and_an_existing_one_is_kept(tmp_path):
    first, second = build_tokenizer(tmp_path / "one"), build_tokenizer(tmp_path / "two")
    assert first.get_vocab() == second.get_vocab()
    for file in ("vocab.json", "merges.txt"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    # Two numbers swapped by hand: what is there is what is used.
    path = tmp_path / "two" / "vocab.json"
    a, b = first.get_vocab()["corgi</w>"], first.get_vocab()["cat</w>"]
    text = path.read_text().replace(f'"corgi</w>":{a}', f'"corgi</w>":{b}')
    path.write_text(text.replace(f'"cat</w>":{b}', f'"cat</w>":{a}'))
    assert build_tokenizer(tmp_path / "two")("cat").input_ids == [0, a, 1]


def test_a_shipped_tokenizer_is_adopted_whole(tmp_path):
    original = build_tokenizer(tmp_path / "run")
    original.save_pretrained(tmp_path / "shipped")
    adopt_tokenizer(tmp_path / "shipped", tmp_path / "next")
    adopted = build_tokenizer(tmp_path / "next")
    assert adopted.get_vocab() == original.get_vocab()
    for _, text in sentences(50):
        assert adopted(text).input_ids == original(text).input_ids


def test_the_corpus_names_the_today():
    text = " ".join(grammar.corpus())
    for row in (*KINDS.values(), *WEARABLES.values()):
        assert all(word in text for word in row.words)
    assert all(stand in text for stand in STANDS)
