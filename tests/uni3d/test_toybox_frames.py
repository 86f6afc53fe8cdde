"""What is said round a thing, and nouns as people write them."""

import pytest

from uni3d.toybox.frames import without_style
from uni3d.toybox.lexicon import brands, lexicon, not_typos, strangers
from uni3d.toybox.wording import close_noun, reworded


@pytest.mark.parametrize(
    ("prompt", "kept"),
    [
        ("a low angle photo of a lion", "a lion"),
        ("a close up of a frog", "a frog"),
        ("a man holding a photo of a cat", "a man holding a photo of a cat"),
        ("a man with drawings of cats", "a man with drawings of cats"),
        ("kids drawing pictures of dinosaurs", "kids drawing pictures of dinosaurs"),
        ("a wooden icon of a bear", "wooden bear"),
        ("a wooden model of a ship", "a wooden model of a ship"),  # it says what it is made of
        ("a 3D model of a ship", "a ship"),
        ("hi! I need a tree", "a tree"),
        ("render of a car", "a car"),
        ("model T car", "model t car"),
        ("for my daughter: a unicorn", "a unicorn"),
        ("/imagine prompt: a red dragon --ar 16:9 --no fire", "a red dragon"),
        ("What does a dragon look like?", "a dragon"),
    ],
)
def test_requests_and_pictures_are_seen_past(prompt, kept):
    assert without_style(prompt) == kept


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ("a snow man", "a snowman"),
        ("a black bird", "a black bird"),  # a bird that is black
        ("a honey bee", "a honey bee"),  # a bee
        ("a yellow cab in new york", "a yellow cab in new york"),
        ("a teddybear", "a teddy bear"),
        ("a head phone", "a headphones"),
        ("a light blue car on dark red sand", "a blue car on red sand"),
        ("a light car", "a light car"),
    ],
)
def test_nouns_and_colours_as_people_write_them(words, written):
    assert " ".join(reworded(words.split())) == written


def test_no_english_word_is_a_guess():
    """Words and names that were taken for misspelt nouns, and a noun that is misspelt."""
    for word in "cleaner barber prawn ballgown winch width saint chuck genome shrek groot".split():
        assert close_noun(word) is None or word in lexicon(), word
    assert close_noun("elefant") == ("elephant", ("elephant", {}))
    assert not set(lexicon()) & not_typos()


def test_tables_agree():
    assert brands() <= set(lexicon())
    assert all(len(name.split()) > 1 for name in strangers())
