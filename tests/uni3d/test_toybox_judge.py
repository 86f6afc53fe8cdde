"""The numbers every claim about made meshes rests on, against closed forms."""

import json
import types

import numpy as np
import pytest
import trimesh
from tiny import TINY

import uni3d
from uni3d.errors import CheckpointError, ConfigError
from uni3d.mesh.files import write_glb
from uni3d.mesh.types import Mesh
from uni3d.toybox import judge


def _mesh(shape: trimesh.Trimesh) -> Mesh:
    grey = np.full((len(shape.vertices), 3), 128, np.uint8)
    return Mesh(shape.vertices.astype(np.float32), shape.faces.astype(np.int32), vertex_colors=grey)


def _box(low, high) -> trimesh.Trimesh:
    return trimesh.creation.box(bounds=[low, high])


def _ball(radius: float, center=(0, 0, 0)) -> trimesh.Trimesh:
    ball = trimesh.creation.icosphere(subdivisions=4, radius=radius)
    return ball.apply_translation(center)


def _centers(resolution: int) -> np.ndarray:
    axis = (np.arange(resolution) + 0.5) * (2 / resolution) - 1
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1)


def _between(points, low, high):
    return ((points > low) & (points < high)).all(-1)


def test_a_box_holds_exactly_its_cells():
    low, high = np.array([-0.51, -0.2, 0.03]), np.array([0.33, 0.7, 0.9])
    found = judge.inside(_mesh(_box(low, high)), 32)
    np.testing.assert_array_equal(found, _between(_centers(32), low, high))


def test_a_hollow_box_and_one_beside_it():
    outer, inner = _box([-0.9, -0.9, -0.9], [0.1, 0.1, 0.1]), _box([-0.7] * 3, [-0.1] * 3)
    inner.invert()
    beside = _box([0.3, 0.3, 0.3], [0.8, 0.6, 0.5])
    found = judge.inside(_mesh(trimesh.util.concatenate([outer, inner, beside])), 32)
    p = _centers(32)
    wanted = _between(p, -0.9, 0.1) & ~_between(p, -0.7, -0.1)
    wanted |= _between(p, [0.3, 0.3, 0.3], [0.8, 0.6, 0.5])
    np.testing.assert_array_equal(found, wanted)


def test_a_ball_holds_the_cells_within_its_radius():
    center = np.array([0.11, -0.07, 0.2])
    reach = np.linalg.norm(_centers(48) - center, axis=-1)
    found = judge.inside(_mesh(_ball(0.6, center)), 48)
    sure = abs(reach - 0.6) > 0.004  # the facets lie this far inside
    np.testing.assert_array_equal(found[sure], (reach < 0.6)[sure])
    assert found.sum() * (2 / 48) ** 3 == pytest.approx(4 / 3 * np.pi * 0.6**3, rel=0.02)


@pytest.fixture
def truth(monkeypatch):
    """Puts closed forms in the place of the world's objects: one for each candidate, in turn."""

    def use(*distances):
        seeds = iter(range(1000))
        monkeypatch.setattr(judge, "build_toy", lambda *_: distances[next(seeds) % len(distances)])
        monkeypatch.setattr(judge, "distance", lambda toy, points: toy(points))

    return use


def _sphere(radius):
    return lambda points: np.linalg.norm(points, axis=-1) - radius


def _cuboid(low, high):
    return lambda points: np.where(_between(points, low, high), -1.0, 1.0)


@pytest.mark.parametrize("radius", [0.8, 0.6, 0.4])
def test_a_smaller_ball_has_the_ratio_of_the_volumes_and_aligned_one(truth, radius):
    truth(_sphere(0.8))
    placed, aligned = judge.best_iou(_mesh(_ball(radius)), "a corgi", 1)
    assert placed == pytest.approx((radius / 0.8) ** 3, abs=0.02)
    assert aligned > 0.9  # a grid of 64 cells holds a ball of 26 only so well


@pytest.mark.parametrize("shift", [0.0, 0.125, 0.5, 1.0])
def test_a_shifted_box_shares_what_the_shift_leaves(truth, shift):
    low, high = np.array([-0.75, -0.5, -0.5]), np.array([0.25, 0.5, 0.5])
    truth(_cuboid(low, high))
    along = np.array([0, shift / 2, 0])
    box = _box(low + along, high + along)
    placed, aligned = judge.best_iou(_mesh(box), "a corgi", 1)
    share = 1 - shift / 2
    assert placed == pytest.approx(share / (2 - share), abs=1e-9)
    assert aligned == pytest.approx(1, abs=0.05)


def test_boxes_of_other_proportions_stay_apart_when_aligned(truth):
    truth(_cuboid([-0.75] * 3, [0.75] * 3))
    _, aligned = judge.best_iou(_mesh(_box([-0.25, -0.5, -0.5], [0.25, 0.5, 0.5])), "a corgi", 1)
    assert aligned == pytest.approx(0.5, abs=0.03)


def test_the_best_candidate_counts(truth):
    truth(_sphere(0.3), _sphere(0.7), _sphere(0.5))
    ball = _mesh(_ball(0.7))
    assert judge.best_iou(ball, "a corgi", 1)[0] == pytest.approx((3 / 7) ** 3, abs=0.02)
    truth(_sphere(0.3), _sphere(0.7), _sphere(0.5))
    assert judge.best_iou(ball, "a corgi", 3)[0] > 0.97


def test_what_is_apart_or_empty_shares_nothing(truth):
    truth(_cuboid([-0.9] * 3, [-0.1] * 3))
    assert judge.best_iou(_mesh(_box([0.1] * 3, [0.9] * 3)), "a corgi", 1)[0] == 0
    truth(lambda points: np.ones(len(points)))
    assert judge.best_iou(_mesh(_box([0.1] * 3, [0.9] * 3)), "a corgi", 1) == (0.0, 0.0)


def test_a_prompt_without_a_kind_has_no_truth():
    with pytest.raises(ConfigError, match="names no kind"):
        judge.best_iou(_mesh(_ball(0.5)), "something nice", 1)


def test_a_run_is_evaluated_from_its_file(truth, tmp_path, monkeypatch):
    """The GLB is y up, the truth z up: a box with three different sides tells them apart."""
    low, high = np.array([-0.75, -0.5, -0.25]), np.array([0.25, 0.25, 0.75])
    truth(_cuboid(low, high))
    write_glb(_mesh(_box(low, high)), tmp_path / "mesh.glb")
    kinds = ["corgi"] * 5 + ["cat"] * 3
    shown = []

    def look(images):
        shown.append(tuple(images.shape))
        return types.SimpleNamespace(kinds=kinds, worn=[], colors=["red"] * 8)

    monkeypatch.setattr(judge, "load_recogniser", lambda _: types.SimpleNamespace(judge=look))
    monkeypatch.setattr(judge, "CANDIDATES", 1)
    result = judge.evaluate_run(uni3d.configure("a corgi"), tmp_path)
    assert shown == [(8, 3, 64, 64)]
    assert (result["wanted"], result["right_views"], result["views"]) == ("corgi", 5, 8)
    assert result["best_iou"] == pytest.approx(1, abs=1e-9)
    assert json.loads((tmp_path / "report.json").read_text())["evaluation"] == result


def test_what_cannot_be_evaluated_is_said(tmp_path):
    with pytest.raises(ConfigError, match="ground truth exists for toybox"):
        judge.evaluate_run(uni3d.configure("a corgi", teacher="sd"), tmp_path)
    with pytest.raises(CheckpointError, match=r"mesh\.glb: no mesh there"):
        judge.evaluate_run(uni3d.configure("a corgi", **TINY), tmp_path)
