"""What the shipped teacher knows of a world that has grown, and what is said of the rest."""

import dataclasses

import numpy as np
import pytest

from uni3d.toybox import bars
from uni3d.toybox.known import read_known, shipped_known, today, write_known
from uni3d.toybox.world import KINDS, Description, sample


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
    drawn = [sample(rng, held, bars.known_to_both) for _ in range(300)]
    assert all(shipped_known().covers(what) for what in drawn)
    assert len({what.kind for what in drawn}) > 25


def test_peoples_prompts_are_counted_and_cut_to_what_the_teacher_reads(monkeypatch):
    """Told the caption; told the prompt itself, less its last words where it is too long."""
    told = []

    def shares(texts, what, seed):
        told.append((texts, [w.kind for w in what]))
        return {"kind": 0.5}

    monkeypatch.setattr(bars, "_shares", shares)
    long = "a sleeping red chair in the " + "very " * 30 + "zorblax"
    found = bars.measure_prompts(["a sleeping cat", "a zorblax", long])
    assert (found["prompts"], found["subject known"]) == (3, 2)
    (captions, kinds), (written, _) = told
    assert (captions, kinds) == (["a cat", "a red chair"], ["cat", "chair"])
    assert written[0] == "a sleeping cat"
    assert long.startswith(written[1]) and 20 < len(written[1]) < len(long)
