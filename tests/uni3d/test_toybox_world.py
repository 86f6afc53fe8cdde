"""The toybox world: every kind builds, everything worn shows, held-out pairs stay out."""

import collections
import json
from pathlib import Path

import numpy as np
import pytest
from twins.toybox import propose_held_out

from uni3d.cameras import Cameras
from uni3d.toybox.raytrace import render_toy
from uni3d.toybox.shapes import COLORS, Builder
from uni3d.toybox.world import (
    ACTIONS,
    KINDS,
    MATERIALS,
    RELATIONS,
    STANDS,
    WEARABLES,
    Description,
    actions_of,
    build_toy,
    held_out,
    is_held_out,
    relations_of,
    sample,
    suits,
)

WEARERS = [name for name, kind in KINDS.items() if kind.wears]


def picture(cameras: Cameras, size: int = 32, seed: int = 0, **what) -> np.ndarray:
    """Over grey, `[batch, 3, size, size]`."""
    rgba = render_toy(build_toy(Description(**what), np.random.default_rng(seed)), cameras, size)
    return rgba[:, :3] + (1 - rgba[:, 3:]) * 0.5


def test_the_world_is_large_and_its_names_are_its_own():
    assert len(KINDS) >= 48 and len(WEARERS) >= 12
    words = collections.Counter(w for kind in KINDS.values() for w in kind.words)
    assert max(words.values()) == 1, words.most_common(3)
    assert all(kind.color in COLORS for kind in KINDS.values())


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_builds_within_the_unit_ball(name):
    toys = [build_toy(Description(kind=name), np.random.default_rng(seed)) for seed in range(3)]
    for toy in toys:
        assert all(np.isfinite(array).all() for array in toy.arrays)
        assert len(toy.shape) <= 96  # what the tracer keeps per ray
        identity = toy.axes.transpose(0, 2, 1) @ toy.axes
        np.testing.assert_allclose(identity, np.broadcast_to(np.eye(3), identity.shape), atol=1e-9)
        np.testing.assert_allclose(np.linalg.det(toy.axes), 1, atol=1e-9)
        for colour in (toy.color, toy.color2):
            assert colour.min() >= 0 and colour.max() <= 1
        # Every part is inside: no centre is further out than the ball it fits.
        assert np.linalg.norm(toy.center, axis=1).max() < 0.97
    assert not np.array_equal(toys[0].size, toys[1].size), "two seeds, the same object"


@pytest.mark.parametrize("name", WEARERS)
def test_every_wearer_shows_everything_it_can_wear(name):
    builder = Builder(np.random.default_rng(0), KINDS[name].color)
    KINDS[name].build(builder)
    missing = {"head", "neck", "torso", "eyes", "back", "chest"} - builder.anchors.keys()
    assert not missing
    assert all(radius > 0 for _, radius in builder.anchors.values())
    cameras = Cameras.orbit([30.0, 210.0], 20.0)
    seen = {"nothing": picture(cameras, 64, kind=name)}
    for worn in WEARABLES:
        seen[worn] = picture(cameras, 64, kind=name, wears=worn)
    names = list(seen)
    for i, first in enumerate(names):
        for second in names[:i]:
            change = np.abs(seen[first] - seen[second]).max(axis=1) > 0.1  # [view, row, column]
            assert change.sum() >= 16, f"{first} looks like {second}: {change.sum()}"


@pytest.mark.parametrize("stand", STANDS)
def test_a_stand_is_under_the_toy(stand):
    """Its parts come last and reach lower than anything else."""
    for name in ("corgi", "castle", "guitar"):
        plain = build_toy(Description(kind=name), np.random.default_rng(1))
        toy = build_toy(Description(kind=name, stand=stand), np.random.default_rng(1))
        count = len(plain.shape)
        assert len(toy.shape) > count
        assert toy.center[count:, 2].mean() < toy.center[:count, 2].min()
        scale = toy.bound[:count] / plain.bound
        np.testing.assert_allclose(scale, scale[0], rtol=1e-9)  # the toy itself is only scaled


@pytest.mark.parametrize("color", COLORS)
def test_an_asked_colour_is_the_main_one(color):
    for name in (n for n, kind in KINDS.items() if kind.colorable):
        toy = build_toy(Description(kind=name, color=color), np.random.default_rng(2))
        near = np.abs(toy.color - COLORS[color]).max(axis=1) <= 0.051  # its jitter
        assert near.any(), name


def test_patterns_paint_a_second_colour():
    cameras = Cameras.orbit([30.0], 20.0)
    for name in (n for n, kind in KINDS.items() if kind.patterned):
        plain = picture(cameras, kind=name)
        striped = picture(cameras, kind=name, pattern="striped")
        spotted = picture(cameras, kind=name, pattern="spotted")
        for a, b in ((plain, striped), (plain, spotted), (striped, spotted)):
            assert (np.abs(a - b).max(axis=1) > 0.1).sum() >= 12, name


def test_the_held_out_list_is_the_proposed_tenth():
    assert held_out() == set(propose_held_out())
    pairs = sum(
        (len(COLORS) - 1) * kind.colorable + len(WEARABLES) * kind.wears for kind in KINDS.values()
    )
    pairs += sum(len(suits(kind)) for kind in KINDS.values())
    assert 0.09 * pairs <= len(held_out()) <= 0.105 * pairs
    assert ("corgi", "astronaut") not in held_out()
    for name, what in held_out():
        kind = KINDS[name]
        fits = {**dict.fromkeys(COLORS, kind.colorable), **dict.fromkeys(WEARABLES, kind.wears)}
        assert what in suits(kind) or fits.get(what), (name, what)


def test_samples_are_held_out_or_not_as_asked_and_make_sense():
    pairs = held_out()
    for held in (False, True):
        rng = np.random.default_rng(0)
        drawn = [sample(rng, held) for _ in range(6000)]
        for what in drawn:
            asked = (what.color, what.wears, what.material)
            found = {(what.kind, thing) for thing in asked} & pairs
            assert bool(found) == held == is_held_out(what)
            kind = KINDS[what.kind]
            assert what.color is None or kind.colorable
            assert what.wears is None or kind.wears
            assert what.pattern == "plain" or (kind.patterned and what.wears is None)
            assert what.material is None or what.material in suits(kind)
            assert what.action is None or what.action in actions_of(what.kind)
            assert what.relation is None or what.relation in relations_of(what.kind)
        count = collections.Counter(what.kind for what in drawn)
        if not held:
            assert set(count) == set(KINDS)
            assert max(count.values()) < 2.5 * 6000 / len(KINDS)
            assert {what.wears for what in drawn} == {None, *WEARABLES}
            assert {what.color for what in drawn} == {None, *COLORS}
            assert {what.stand for what in drawn} == {None, *STANDS}
            assert {what.material for what in drawn} == {None, *MATERIALS}
            assert {what.action for what in drawn} == {None, *ACTIONS}
            assert {what.relation for what in drawn} == {None, *RELATIONS}


def test_toys_of_earlier_worlds_are_what_they_were():
    """Sums over the arrays of toys, from when the world had 184 kinds and no materials."""
    told = json.loads((Path(__file__).parent / "toys_184.json").read_text())
    wrong = []
    for name, wears, color, expected in told:
        what = Description(kind=name, wears=wears, color=color)
        toy = build_toy(what, np.random.default_rng(7))
        numbers = np.concatenate(
            [a.ravel() for a in (toy.shape, toy.pattern, toy.center, toy.axes, toy.size)]
            + [a.ravel() for a in (toy.color, toy.color2)]
        )
        # Cosines as weights, so that no two numbers may change places.
        found = float(numbers @ np.cos(np.arange(numbers.size)))
        if abs(found - expected) > 1e-6 or toy.look.any():
            wrong.append((name, found, expected))
    assert len(told) == 184 and not wrong, wrong[:3]
