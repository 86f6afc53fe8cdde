"""Signed distances of the toy primitives against dense surface samples, and the builder."""

import dataclasses
import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from uni3d.toybox import shapes
from uni3d.toybox.distances import distance, nearest_color
from uni3d.toybox.shapes import Builder, Toy
from uni3d.toybox.world import KINDS, Description, build_toy

U = np.linspace(-1, 1, 321)
TURN = np.linspace(0, 2 * math.pi, 481)


def one(shape: int, size: tuple[float, ...]) -> Toy:
    """A toy of one unturned part at the origin, not scaled."""
    part = shapes.Part(shape, np.zeros(3), np.eye(3), (*size, *[0.0] * (4 - len(size))), (1, 0, 0))
    single = [
        np.array([shape]),
        np.zeros((1, 3)),
        np.eye(3)[None],
        np.array([part.size]),
        np.ones((1, 3)),
        np.ones((1, 3)),
        np.array([0]),
        np.array([9.0]),
        np.array([shapes._bound(part)]),
        shapes._half_extent(part)[None],
        np.array([0]),
    ]
    return Toy(*single)


def of_revolution(profile: np.ndarray) -> np.ndarray:
    """Turn points `[n, (radius, z)]` about z."""
    r, z = profile[:, :1], profile[:, 1:]
    points = np.stack([r * np.cos(TURN), r * np.sin(TURN), z + 0 * TURN], axis=-1)
    return points.reshape(-1, 3)


def polyline(*corners) -> np.ndarray:
    steps = np.linspace(0, 1, 161)[:, None]
    pairs = itertools.pairwise(corners)
    return np.concatenate([np.array(a) + steps * (np.array(b) - np.array(a)) for a, b in pairs])


def box_surface(a: float, b: float, c: float) -> np.ndarray:
    faces = []
    for k in range(3):
        for sign in (-1, 1):
            p, q = np.meshgrid(U, U, indexing="ij")
            square = np.insert(np.stack([p.ravel(), q.ravel()], 1), k, sign, axis=1)
            faces.append(square * (a, b, c))
    return np.concatenate(faces)


def capsule_profile(r: float, h: float) -> np.ndarray:
    angle = np.linspace(0, math.pi / 2, 161)
    cap = np.stack([r * np.cos(angle), h + r * np.sin(angle)], 1)
    return np.concatenate([cap, cap * (1, -1), polyline((r, -h), (r, h))])


# shape, size, surface points, whether a point `[n, 3]` is inside (all written out again)
def inside_ball(p):
    return np.linalg.norm(p, axis=1) < 0.5


def inside_box(p):
    return (np.abs(p) < (0.5, 0.3, 0.4)).all(1)


def inside_capsule(p):
    return np.linalg.norm(p - np.clip(p, (0, 0, -0.4), (0, 0, 0.4)), axis=1) < 0.25


def inside_cylinder(p):
    return (np.hypot(p[:, 0], p[:, 1]) < 0.4) & (np.abs(p[:, 2]) < 0.3)


def inside_cone(p):
    radius = 0.5 + (0.15 - 0.5) * (p[:, 2] + 0.4) / 0.8
    return (np.hypot(p[:, 0], p[:, 1]) < radius) & (np.abs(p[:, 2]) < 0.4)


def inside_torus(p):
    return (np.hypot(p[:, 0], p[:, 1]) - 0.5) ** 2 + p[:, 2] ** 2 < 0.15**2


RING = np.stack([0.5 + 0.15 * np.cos(TURN), 0.15 * np.sin(TURN)], 1)
HALF = np.linspace(0, math.pi, 321)
EXACT = {
    "ball": (
        shapes.ELLIPSOID,
        (0.5, 0.5, 0.5),
        of_revolution(0.5 * np.stack([np.sin(HALF), np.cos(HALF)], 1)),
        inside_ball,
    ),
    "box": (shapes.BOX, (0.5, 0.3, 0.4, 0.0), box_surface(0.5, 0.3, 0.4), inside_box),
    "capsule": (
        shapes.CAPSULE,
        (0.25, 0.4),
        of_revolution(capsule_profile(0.25, 0.4)),
        inside_capsule,
    ),
    "cylinder": (
        shapes.CYLINDER,
        (0.4, 0.3, 0.0),
        of_revolution(polyline((0, -0.3), (0.4, -0.3), (0.4, 0.3), (0, 0.3))),
        inside_cylinder,
    ),
    "cone": (
        shapes.CONE,
        (0.5, 0.15, 0.4),
        of_revolution(polyline((0, -0.4), (0.5, -0.4), (0.15, 0.4), (0, 0.4))),
        inside_cone,
    ),
    "torus": (shapes.TORUS, (0.5, 0.15), of_revolution(RING), inside_torus),
}


def cloud(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.9, 0.9, (count, 3))


@pytest.mark.parametrize("name", EXACT)
def test_exact_distances_are_those_to_the_surface(name):
    from scipy.spatial import cKDTree

    shape, size, surface, inside = EXACT[name]
    toy = one(shape, size)
    points = cloud(1000)
    nearest = cKDTree(surface).query(points)[0]
    expected = np.where(inside(points), -nearest, nearest)
    pitch = 4e-3  # of the samples
    np.testing.assert_allclose(distance(toy, points), expected, atol=pitch)
    assert np.abs(distance(toy, surface[::97])).max() < 1e-9


@pytest.mark.parametrize("name", EXACT)
def test_exact_distances_have_unit_gradients_near_the_surface(name):
    shape, size, surface, _ = EXACT[name]
    toy = one(shape, size)
    points = surface[:: len(surface) // 500] + np.random.default_rng(1).normal(0, 0.02, (1, 3))
    e = 1e-6
    steps = [
        (distance(toy, points + e * d) - distance(toy, points - e * d)) / (2 * e) for d in np.eye(3)
    ]
    norm = np.linalg.norm(steps, axis=0)
    assert np.mean(np.abs(norm - 1) < 1e-4) > 0.98  # the rest lies on a crease


def test_rounding_stays_within_the_sizes_and_rounds_the_edges():
    for shape, sharp, rounded, edge in (
        (shapes.BOX, (0.5, 0.3, 0.4, 0.0), (0.5, 0.3, 0.4, 0.1), (0.5, 0.3, 0.0)),
        (shapes.CYLINDER, (0.4, 0.3, 0.0), (0.4, 0.3, 0.1), (0.4, 0.0, 0.3)),
    ):
        points = cloud(5000)
        assert (
            distance(one(shape, sharp), points) <= distance(one(shape, rounded), points) + 1e-12
        ).all()
        # A corner of the cross-section is (sqrt(2) - 1) r off the quarter circle.
        found = distance(one(shape, rounded), np.array([edge]))[0]
        assert found == pytest.approx((math.sqrt(2) - 1) * 0.1, abs=1e-12)
        assert distance(one(shape, rounded), np.array([[0.0, 0, sharp[1]]]))[0] <= 0


def inside_ellipsoid(p):
    return ((p / (0.7, 0.4, 0.3)) ** 2).sum(1) < 1


def inside_dome(p):
    return inside_ellipsoid(p) & (p[:, 2] > 0)


def inside_wedge(p):
    width = 0.5 * (0.3 - p[:, 2]) / 0.6  # of the triangle at this height
    return (np.abs(p[:, 0]) < width) & (np.abs(p[:, 1]) < 0.4) & (np.abs(p[:, 2]) < 0.3)


def inside_arc(p):
    angle = np.clip(np.arctan2(p[:, 1], p[:, 0]), -1.1, 1.1)
    spine = 0.6 * np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1)
    return np.linalg.norm(p - spine, axis=1) < 0.12


BOUNDS = {
    "ellipsoid": (shapes.ELLIPSOID, (0.7, 0.4, 0.3), inside_ellipsoid),
    "dome": (shapes.DOME, (0.7, 0.4, 0.3), inside_dome),
    "wedge": (shapes.WEDGE, (0.5, 0.4, 0.3), inside_wedge),
    "arc": (shapes.ARC, (0.6, 0.12, 1.1), inside_arc),
}
EVERY = {name: (row[0], row[1], row[-1]) for name, row in (EXACT | BOUNDS).items()}


@pytest.mark.parametrize("name", EVERY)
def test_signs_boxes_and_bounds(name):
    shape, size, inside = EVERY[name]
    toy, points = one(shape, size), cloud(40000)
    value = distance(toy, points)
    np.testing.assert_array_equal(value < 0, inside(points))
    held = points[value < 0]
    assert len(held) > 300
    assert (np.abs(held) <= toy.half[0]).all()
    assert np.linalg.norm(held, axis=1).max() <= toy.bound[0]
    # ... and the box is no larger than it must be.
    assert (np.abs(held).max(0) > 0.8 * toy.half[0]).all()


@pytest.mark.parametrize("name", ["wedge", "arc"])
def test_marching_the_bound_never_passes_the_surface(name):
    """|distance| is at most the way to the nearest point of the other sign."""
    from scipy.spatial import cKDTree

    shape, size, inside = EVERY[name]
    toy = one(shape, size)
    dense, points = cloud(60000, seed=1), cloud(500, seed=2)
    solid, empty = dense[inside(dense)], dense[~inside(dense)]
    value = distance(toy, points)
    way = np.where(inside(points), cKDTree(empty).query(points)[0], cKDTree(solid).query(points)[0])
    assert (np.abs(value) <= way + 1e-9).all()


def test_turns_follow_the_convention():
    """Roll about x, then pitch (+z towards +x), then yaw (+x towards +y)."""
    np.testing.assert_allclose(shapes._rotation((0, 90, 0)) @ (0, 0, 1), (1, 0, 0), atol=1e-12)
    np.testing.assert_allclose(shapes._rotation((0, 0, 90)) @ (1, 0, 0), (0, 1, 0), atol=1e-12)
    np.testing.assert_allclose(shapes._rotation((90, 0, 0)) @ (0, 1, 0), (0, 0, 1), atol=1e-12)
    np.testing.assert_allclose(shapes._rotation((0, 90, 90)) @ (0, 0, 1), (0, 1, 0), atol=1e-12)
    axes = shapes._axes_to(np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(axes[:, 2], np.array([1, 2, 3]) / math.sqrt(14))
    assert np.linalg.det(axes) == pytest.approx(1)


def builder(seed: int = 0) -> Builder:
    return Builder(np.random.default_rng(seed), "red")


def test_finish_fits_and_centres():
    b = builder()
    b.box((3, 1, 7), (2, 1, 1), rounding=0.0)
    toy = b.finish()
    np.testing.assert_allclose(toy.center, 0, atol=1e-12)
    # Its corners are on the ball: 2 : 1 : 1 with a diagonal of 0.96, within the directions tried.
    assert float(np.linalg.norm(toy.size[0, :3])) == pytest.approx(0.96, rel=0.02)
    np.testing.assert_allclose(toy.size[0, :3] / toy.size[0, 2], (2, 1, 1))


@pytest.mark.parametrize(
    "name", ["corgi", "castle", "apple", "mug", "bottle", "airplane", "banana"]
)
def test_kinds_fill_the_unit_ball_and_no_more(name):
    toy = build_toy(Description(kind=name), np.random.default_rng(0))
    axis = np.linspace(-1.1, 1.1, 89)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    solid = grid[distance(toy, grid) < 0]
    step = axis[1] - axis[0]
    reach = np.linalg.norm(solid, axis=1).max()
    assert 0.9 * 0.96 - step < reach < 0.96 * 1.02
    # Centred: the box around it reaches as far to both sides (a cone's or a turned part's box is
    # somewhat generous, so not to the last digit).
    assert np.abs(solid.max(0) + solid.min(0)).max() < 0.15


@pytest.mark.parametrize("shape", range(9))
def test_a_mirror_image_is_a_reflection(shape):
    rng = np.random.default_rng(shape)
    b = builder()
    size = (0.5, 0.2, 0.7) if shape == shapes.ARC else (0.4, 0.3, 0.2)
    part = b.add(shape, (0.2, 0.5, 0.1), size, turn=tuple(rng.uniform(-180, 180, 3)))
    b.mirror(part)
    toy = b.finish()
    points = cloud(3000)
    points_mirrored = points * (1, -1, 1)
    np.testing.assert_allclose(distance(toy, points), distance(toy, points_mirrored), atol=1e-12)
    assert np.abs(toy.center[:, 1]).min() > 0.05
    # The image alone is where the part is not.
    first = dataclasses.replace(
        toy, **{f.name: getattr(toy, f.name)[:1] for f in dataclasses.fields(toy)}
    )
    assert np.abs(distance(first, points) - distance(first, points_mirrored)).max() > 0.05


def test_parts_stay_in_their_boxes_in_every_kind():
    points = cloud(4000) * 1.1
    for name in KINDS:
        toy = build_toy(Description(kind=name), np.random.default_rng(3))
        for k in range(0, len(toy.shape), 3):
            local = points * toy.half[k] * 1.15  # about the part's own box
            world = toy.center[k] + local @ toy.axes[k].T
            part = dataclasses.replace(
                toy, **{f.name: getattr(toy, f.name)[k : k + 1] for f in dataclasses.fields(toy)}
            )
            held = local[distance(part, world) < 0]
            assert (np.abs(held) <= toy.half[k] + 1e-12).all(), (name, k)
            assert np.linalg.norm(held, axis=1).max(initial=0) <= toy.bound[k] + 1e-12


def test_the_same_seed_is_the_same_toy():
    what = Description(kind="corgi", color="blue", wears="wizard", stand="rock")
    one_, two, other = (build_toy(what, np.random.default_rng(s)) for s in (5, 5, 6))
    assert all(np.array_equal(a, b) for a, b in zip(one_.arrays, two.arrays, strict=True))
    assert not np.array_equal(one_.size, other.size)


def test_the_nearest_colour_is_the_nearest_part():
    b = builder()
    b.ball((0, 0, 1), 0.5, "blue")
    b.ball((0, 0, -1), 0.5, "yellow")
    points = cloud(500)
    found = nearest_color(b.finish(), points)
    np.testing.assert_array_equal(found[:, 2] > 0.5, points[:, 2] > 0)


def test_the_lowest_point_and_the_reach():
    b = builder()
    b.ball((1, 0, 2), 0.5)
    b.capsule((0, -1, 0), (0, -3, 0), 0.25)
    assert shapes.lowest_point(b.parts) == pytest.approx((-0.25, 3.25))


def test_the_kind_of_the_docs_is_a_toy():
    """A cone of 1.5 on a base: as wide below as it says, nothing but its ball above the tip."""
    text = (Path(__file__).parents[2] / "docs" / "toybox.md").read_text()
    source = text.split("## Adding a kind")[1].split("```python\n")[1].split("```")[0]
    names: dict = {}
    exec(compile(source, "docs/toybox.md", "exec"), names)
    b = builder()
    names["BUOY"].build(b)
    height, ball = b.parts[0].size[2], b.parts[2]
    assert 0.7 <= height <= 0.9
    toy = b.finish()
    scale = float(toy.size[2, 0]) / ball.size[0]
    base, tip = toy.center[1], toy.center[2]
    assert float(tip[2] - base[2]) == pytest.approx(scale * (2 * height + 0.2), rel=1e-6)
    beside = base + np.array([[0.74 * scale, 0, 0], [0.76 * scale, 0, 0]])
    assert (distance(toy, beside) < 0).tolist() == [True, False]
