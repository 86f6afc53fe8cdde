"""What the shipped teacher knows of a world that has grown, and what is said of the rest."""

import dataclasses
import functools

import numpy as np
import pytest
import torch

from uni3d.cli import main
from uni3d.errors import PromptError
from uni3d.run.prompt import read_prompt
from uni3d.run.settings import RunConfig
from uni3d.teacher.abilities import teacher_for
from uni3d.toybox import bars, known, lexicon, reading
from uni3d.toybox.known import read_known, shipped_known, today, write_known
from uni3d.toybox.reading import read_as_shipped
from uni3d.toybox.world import KINDS, Description, sample


@pytest.fixture
def narrow(monkeypatch):
    """A package whose other teacher knows no more than toybox."""
    for module in (lexicon, reading):
        monkeypatch.setattr(module, "shipped_known", lambda name="toybox": shipped_known("toybox"))


@pytest.fixture
def both(monkeypatch):
    """A package whose toybox knows a cat and a chair, and whose other teacher the whole world."""
    few = dataclasses.replace(today(), kinds=("cat", "chair"), materials=())
    names = {"toybox": few, "toybox-wide": today()}
    for module in (lexicon, reading):
        monkeypatch.setattr(module, "shipped_known", lambda name="toybox": names[name])
    reading.read.cache_clear()
    yield
    reading.read.cache_clear()


def test_a_prompt_is_drawn_by_the_teacher_that_knows_its_subject_better(both):
    """toybox where it knows the subject, whatever is left out; else the other one."""
    name, found = read_as_shipped("a golden cat")
    assert (name, found.caption, found.left_out) == ("toybox", "a cat", ("golden",))
    name, found = read_as_shipped("a golden tiger")
    assert (name, found.caption, found.left_out) == ("toybox-wide", "a golden tiger", ())
    name, found = read_as_shipped("a zorblax")
    assert (name, found.drawable) == ("toybox", False)
    assert teacher_for("toybox", "a golden tiger") == "toybox-wide"
    assert teacher_for("toybox-wide", "a cat") == "toybox-wide"  # as asked for
    assert teacher_for("/some/folder", "a golden tiger") == "/some/folder"


def test_a_run_records_the_teacher_that_draws_it(both, monkeypatch):
    monkeypatch.setattr(known, "shipped_known", reading.shipped_known)  # that of the abilities
    config, note = read_prompt(RunConfig(prompt="a sleeping golden tiger", seed=1))
    assert (config.teacher.name, config.caption) == ("toybox-wide", "a golden tiger")
    assert note == (
        "toybox-wide: shown as 'a golden tiger'; left out: sleeping; "
        "drawn by it, as toybox does not know the subject"
    )
    config, note = read_prompt(RunConfig(prompt="a cat", seed=1))
    assert (config.teacher.name, note) == ("toybox", "")
    with pytest.raises(PromptError, match=r"^toybox: 'zorblax' is not"):
        read_prompt(RunConfig(prompt="a zorblax", seed=1))


def test_names_survive_the_file(tmp_path):
    known = dataclasses.replace(today(), kinds=("corgi", "mug"), materials=())
    write_known(known, tmp_path / "world.json")
    assert read_known(tmp_path / "world.json") == known


def test_what_is_missing_is_named_kind_first():
    known = dataclasses.replace(today(), kinds=("mug",), materials=("glass",), actions=())
    what = Description(kind="tiger", color="red", material="golden", action="sitting")
    assert known.missing(what) == ["tiger", "golden", "sitting"]
    assert known.missing(Description(kind="mug", color="red", material="glass")) == []
    assert today().covers(what)


def test_the_first_world_is_the_first_53_kinds_without_materials():
    """Of the teacher in the package, as long as it is the first one."""
    known = shipped_known()
    assert known.kinds == tuple(KINDS)[: len(known.kinds)]
    if len(known.kinds) == 53:
        assert not known.materials and not known.actions and len(known.wears) == 12


@pytest.mark.parametrize("held", [False, True])
def test_bars_ask_only_for_what_both_networks_know(held):
    rng = np.random.default_rng(0)
    drawn = [sample(rng, held, functools.partial(bars.known_to_both, "toybox")) for _ in range(300)]
    assert all(shipped_known().covers(what) for what in drawn)
    assert len({what.kind for what in drawn}) > 25


def test_peoples_prompts_are_counted_and_cut_to_what_the_teacher_reads(monkeypatch, narrow):
    """Told the caption; told the prompt itself, less its last words where it is too long."""
    told = []

    def shares(name, texts, what, seed):
        assert name == "toybox"
        told.append((texts, [w.kind for w in what]))
        return {"kind": 0.5}

    monkeypatch.setattr(bars, "_shares", shares)
    long = "a sleeping red chair in the " + "very " * 30 + "zorblax"
    found = bars.measure_prompts(["a sleeping cat", "a zorblax", long])
    assert (found["prompts"], found["toybox"]["subject known"]) == (3, 2)
    (captions, kinds), (written, _) = told
    assert (captions, kinds) == (["a cat", "a red chair"], ["cat", "chair"])
    assert written[0] == "a sleeping cat"
    assert long.startswith(written[1]) and 20 < len(written[1]) < len(long)


def test_what_no_recogniser_judges_is_counted_and_said(both, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(bars, "_shares", lambda *_: {"kind": 0.5})
    monkeypatch.setitem(bars.WEIGHTS, "toybox-wide", tmp_path / "nothing")
    found = bars.measure_prompts(["a cat", "a tiger", "a golden zebra"])
    assert found["toybox"]["subject known"] == 1
    assert found["toybox-wide"]["subject known"] == 2
    assert "nothing is missing" in found["toybox-wide"]["judged"]
    assert main(["toybox", "evaluate", "--teacher", "toybox-wide"]) == 2
    assert "toybox-wide has no recogniser" in capsys.readouterr().err


def test_the_recognisers_bar_tells_plain_toys_and_those_from_above(monkeypatch):
    angles = np.zeros((8, 3), np.float32)
    angles[:, 1] = [0, 50, 0, 50, 80, 0, 0, 46]

    class Pictures:
        def __init__(self, *_):
            self.angles = [angles[:4], angles[4:]]

        def composed(self):
            return np.array([4, 5, 6, 7])

        def __len__(self):
            return 8

    class Tally:
        def __init__(self, _net):
            self.hits = {"kind": [torch.tensor([1, 1, 1, 0]) > 0, torch.tensor([0, 0, 1, 1]) > 0]}

        def add(self, *_):
            pass

        def shares(self):
            return {"kind": 0.625}

    monkeypatch.setattr(bars, "_Tally", Tally)
    monkeypatch.setattr(bars.dataset, "Pictures", Pictures)
    monkeypatch.setattr(bars.dataset, "prepare", lambda *_, **__: None)
    monkeypatch.setattr(bars, "pictures_of", lambda *_: ())
    found = bars._recogniser_bar("toybox", held=False)
    assert found == {"pictures": 8, "kind": 0.625, "kind, plain": 0.75, "kind, from above": 0.5}
