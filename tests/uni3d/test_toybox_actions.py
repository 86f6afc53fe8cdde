"""Actions and relations: who can, what moves, and where the things are."""

import numpy as np
import pytest

from uni3d.toybox.actions import ACTIONS, RELATIONS, can_sit
from uni3d.toybox.distances import distance
from uni3d.toybox.shapes import Builder, lowest_point, support
from uni3d.toybox.world import KINDS, Description, actions_of, build_toy, relations_of

DOERS = [name for name in KINDS if actions_of(name)]


def built(**what):
    return build_toy(Description(**what), np.random.default_rng(1))


def parts_of(toy, chosen: np.ndarray):
    """A toy of some of another's parts."""
    return type(toy)(*(array[chosen] for array in toy.arrays))


def surface(toy) -> np.ndarray:
    """Points in and near a toy's parts, `[n, 3]`: their centres and the ends of their axes."""
    ends = [toy.center]
    for k in range(3):
        for side in (-1, 1):
            ends.append(toy.center + side * toy.axes[:, :, k] * toy.half[:, k : k + 1])
    return np.concatenate(ends)


def pieces(toy) -> int:
    """How many pieces an object falls into: its parts, joined where they (nearly) touch."""
    group = np.arange(len(toy.shape))
    points = surface(toy).reshape(7, -1, 3).transpose(1, 0, 2)  # [part, 7, 3]
    fine = np.linspace(0, 1, 9)[:, None, None]
    for i in range(len(group)):
        one = parts_of(toy, np.arange(len(group)) == i)
        for j in range(len(group)):
            if i != j:
                # Along the part's three axes, end to end.
                axes = [
                    points[j, 1 + 2 * k] * (1 - fine) + points[j, 2 + 2 * k] * fine
                    for k in range(3)
                ]
                if distance(one, np.concatenate(axes).reshape(-1, 3)).min() < 0.03:
                    group[group == group[j]] = group[i]
    return len(set(group))


@pytest.mark.parametrize("name", DOERS)
def test_every_doer_does_all_it_can_inside_the_ball(name):
    """And what it holds or rides makes the object no more pieces than it was."""
    for action in actions_of(name):
        toy = built(kind=name, action=action)
        assert len(toy.shape) <= 96
        assert all(np.isfinite(array).all() for array in toy.arrays)
        identity = toy.axes.transpose(0, 2, 1) @ toy.axes
        np.testing.assert_allclose(identity, np.broadcast_to(np.eye(3), identity.shape), atol=1e-9)
        assert np.linalg.norm(toy.center, axis=1).max() < 0.97


@pytest.mark.parametrize("action", ACTIONS)
def test_what_is_held_or_ridden_is_in_one_piece_with_the_toy(action):
    for name in ("man", "corgi", "monkey"):
        assert pieces(built(kind=name, action=action)) <= pieces(built(kind=name)), name


def test_who_sits_is_closer_to_the_ground():
    for name in (n for n in KINDS if can_sit(KINDS[n])):
        kind = KINDS[name]
        heads = []
        for action in (None, "sitting"):
            builder = Builder(np.random.default_rng(0), kind.color)
            kind.build(builder)
            legs = [p for p in builder.parts if p.region == "leg"]
            if action:
                from uni3d.toybox.actions import act

                act(builder, action)
                moved = [p for p in builder.parts if p.region == "leg"]
                assert not any(p is q for p in moved for q in legs if abs(p.center[1]) > 0.02), name
            trunk = [p for p in builder.parts if p.region == "torso"]
            bottom, _ = lowest_point([p for p in builder.parts if p.region != "tail"])
            heads.append(lowest_point(trunk)[0] - bottom)
        assert heads[1] < 0.12 * float(support(trunk, np.array([[0, 0, 1.0]]))[0]) + 0.12, (
            name,
            heads,
        )


def _thing(relation: str, kind: str):
    """(the toy's parts, the thing's parts): the thing's come last."""
    plain, toy = built(kind=kind), built(kind=kind, relation=relation)
    count = np.arange(len(toy.shape))
    return parts_of(toy, count < len(plain.shape)), parts_of(toy, count >= len(plain.shape))


def _box(toy) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest corner of what lies inside, from a grid of samples."""
    axis = np.linspace(-1, 1, 81)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    solid = grid[distance(toy, grid) < 0.012]
    return solid.min(0), solid.max(0)


@pytest.mark.parametrize("relation", RELATIONS)
def test_the_thing_is_where_the_preposition_says(relation):
    for kind in ("corgi", "mug", "apple"):
        assert relation in relations_of(kind)
        (low, high), (thing_low, thing_high) = (_box(part) for part in _thing(relation, kind))
        if relation.startswith("next to"):
            assert abs(thing_low[2] - low[2]) < 0.06  # on the same ground
            assert -0.06 < thing_low[1] - high[1] < 0.16  # at its left side
        elif relation.startswith("on"):
            assert abs(thing_high[2] - low[2]) < 0.1  # under its feet
            assert thing_low[0] < 0 < thing_high[0] and thing_low[1] < 0 < thing_high[1]
        else:
            assert thing_low[2] <= low[2] + 0.03 < thing_high[2] < high[2]  # it looks out
            assert thing_high[2] - low[2] > 0.12 * (high[2] - low[2])


def test_large_kinds_are_in_nothing():
    assert not [r for r in relations_of("castle") if r.startswith(("in", "on"))]
    assert actions_of("castle") == () and "sitting" not in actions_of("ghost")


def test_an_action_that_a_body_cannot_take_is_left_out():
    plain, asked = built(kind="car"), built(kind="car", action="sitting")
    np.testing.assert_array_equal(plain.center, asked.center)
