"""Materials: they change no shape, are told from each other, and a colour tints some of them."""

import itertools

import numpy as np
import pytest

from uni3d.cameras import Cameras
from uni3d.toybox.materials import MATERIALS
from uni3d.toybox.raytrace import render_toy
from uni3d.toybox.shapes import LOOKS
from uni3d.toybox.world import KINDS, Description, build_toy, suits

SHAPE = ("shape", "center", "axes", "size", "bound", "half")
CAMERAS = Cameras.orbit([30.0, 160.0], 20.0)


def built(**what):
    return build_toy(Description(**what), np.random.default_rng(3))


def picture(**what) -> np.ndarray:
    """`[view, 4, 64, 64]`, premultiplied."""
    return render_toy(built(**what), CAMERAS, 64)


@pytest.mark.parametrize("material", MATERIALS)
def test_a_material_changes_no_shape(material):
    for what in ({"kind": "corgi", "wears": "king"}, {"kind": "house"}, {"kind": "mug"}):
        plain, made = built(**what), built(material=material, **what)
        for name in SHAPE:
            np.testing.assert_array_equal(getattr(plain, name), getattr(made, name))
        assert not plain.look.any()
        assert (made.look == LOOKS.index(material)).all()
        assert made.color.min() >= 0 and made.color.max() <= 1


def test_a_pose_is_of_the_material_and_what_is_held_or_stood_on_is_not():
    for kind in ("cat", "man", "teddy_bear"):
        assert built(kind=kind, material="golden", action="sitting").look.all(), kind
        held = built(kind=kind, material="golden", action="holding sword")
        steel = held.look == 0
        assert steel.sum() == 4 and steel[-4:].all(), kind  # grip, guard, blade, tip
        stood = built(kind=kind, material="golden", stand="rock")
        assert (stood.look == 0).tolist() == [False] * (len(stood.look) - 1) + [True]


def test_each_material_is_told_from_the_others_at_64_pixels():
    """In at least a quarter of what is seen of the toy, by a tenth of the range or more."""
    for kind in ("elephant", "vase", "man", "car"):
        seen = {m: picture(kind=kind, material=m) for m in (None, *suits(KINDS[kind]))}
        solid = seen[None][:, 3] == 1
        for a, b in itertools.combinations(seen, 2):
            differs = np.abs(seen[a][:, :3] - seen[b][:, :3]).max(axis=1) > 0.1
            assert differs[solid].mean() > 0.25, (kind, a, b, float(differs[solid].mean()))


def test_a_colour_tints_what_can_be_tinted():
    for name, material in MATERIALS.items():
        plain, red, blue = (
            picture(kind="vase", material=name, color=color)[:, :3].mean(axis=(0, 2, 3))
            for color in ("white", "red", "blue")
        )
        if material.tint:
            assert red[0] - red[2] > 0.05 and blue[2] - blue[0] > 0.05, name
        else:  # gold is gold, though darker where the toy is darker
            tone = [c / c.sum() for c in (plain, red, blue)]
            assert max(np.abs(t - tone[0]).max() for t in tone) < 0.08, name


def test_every_kind_names_materials_there_are():
    for kind in KINDS.values():
        assert set(suits(kind)) <= set(MATERIALS), kind.name
    used = {m for kind in KINDS.values() for m in suits(kind)}
    assert used == set(MATERIALS) == set(LOOKS[1:])
