"""The stored pictures: each follows from its seed and index, and is filed under it."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from uni3d.cameras import Cameras
from uni3d.toybox import dataset
from uni3d.toybox.grammar import view_words
from uni3d.toybox.raytrace import render_toy
from uni3d.toybox.world import Description, build_toy, is_held_out, sample

SEED = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two training shards of eight pictures and one held-out shard of forty."""
    folder = tmp_path_factory.mktemp("pictures")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "SHARD", 8)
        dataset.prepare(folder, 2, SEED)
        patch.setattr(dataset, "SHARD", 40)
        dataset.prepare(folder, 1, SEED, held=True)
    return folder


def test_a_shard_follows_from_its_seed(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "SHARD", 8)
    dataset.prepare(tmp_path, 2, SEED)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted(
        f"train-3-000{i}.{end}" for i in (0, 1) for end in ("npy", "json", "angles.npy")
    )
    for name in names:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name
    dataset.prepare(tmp_path / "other", 1, SEED + 1)
    other = np.load(tmp_path / "other" / "train-4-0000.npy")
    assert not np.array_equal(other, np.load(folder / "train-3-0000.npy"))


def test_pictures_are_renderings_of_what_they_say(folder, monkeypatch):
    """Rendered again one by one, from (seed, shard, toy) and the angles on file."""
    monkeypatch.setattr(dataset, "SHARD", 8)
    pictures = dataset.Pictures(folder, 2, SEED)
    assert len(pictures) == 16
    for index in range(16):
        rgba, (azimuth, elevation, distance), what = pictures[index]
        rng = np.random.default_rng((SEED, index // 8, index % 8 // 4))
        assert what == sample(rng)
        dataset.random_cameras(rng, 4)  # drawn between the description and the toy
        toy = build_toy(what, rng)
        again = render_toy(toy, Cameras.orbit([azimuth], [elevation], float(distance)), 64)[0]
        error = np.abs(again * 255 - rgba)
        assert rgba.dtype == np.uint8 and rgba.shape == (4, 64, 64)
        assert np.mean(error > 0.51) < 2e-3, index  # an edge may tip over in float32
        assert 100 < (rgba[3] > 127).sum() < 64 * 64 * 0.7
        assert (rgba[:3] <= rgba[3:]).all()  # premultiplied
    assert pictures[np.int64(9)][2] == pictures[9][2]


def test_held_shards_hold_only_held_out_compositions(folder, monkeypatch):
    monkeypatch.setattr(dataset, "SHARD", 40)
    held = dataset.Pictures(folder, 1, SEED, held=True)
    kinds = [held[i][2] for i in range(40)]
    assert all(is_held_out(w) for w in kinds)
    for shard in (0, 1):
        told = json.loads((folder / f"train-3-000{shard}.json").read_text())
        assert len(told) == 2
        for w in (Description(**d) for d in told):
            assert not is_held_out(w)


def test_the_composed_are_known_by_picture(folder, monkeypatch):
    monkeypatch.setattr(dataset, "SHARD", 40)
    held = dataset.Pictures(folder, 1, SEED, held=True)
    plain = {"color", "pattern", "stand", "kind"}
    expected = [
        i for i in range(40) if {f for f, v in dataclasses.asdict(held[i][2]).items() if v} - plain
    ]
    assert 0 < len(expected) < 40
    assert held.composed().tolist() == expected


def test_the_window_follows_from_the_step(tmp_path, monkeypatch):
    """Two shards of four pictures, a new one every third step; the same however one gets there."""
    monkeypatch.setattr(dataset, "SHARD", 4)
    with dataset.Window(tmp_path / "one", 2, SEED, renew=3) as window:
        first = np.array(window.at(0).rgba)
        assert window.at(2) is window.at(0)
        window.at(3)
        late = np.array(window.at(7).rgba)
    left = {p.name for p in (tmp_path / "one").glob("train-3-????.npy")}
    assert "train-3-0000.npy" not in left and "train-3-0003.npy" in left
    with dataset.Window(tmp_path / "two", 2, SEED, renew=3) as window:
        np.testing.assert_array_equal(np.array(window.at(8).rgba), late)
    dataset.prepare(tmp_path / "three", 4, SEED)
    fixed = np.array(dataset.Pictures(tmp_path / "three", 4, SEED).rgba)
    np.testing.assert_array_equal(fixed[:2], first)
    np.testing.assert_array_equal(fixed[2:], late)


def test_present_shards_are_left_alone(folder, monkeypatch):
    monkeypatch.setattr(dataset, "SHARD", 8)
    before = {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    dataset.prepare(folder, 2, SEED)
    assert {p.name: p.stat().st_mtime_ns for p in folder.iterdir()} == before


def test_training_cameras_go_all_around_and_mostly_near_the_horizon():
    rng = np.random.default_rng(0)
    batches = [dataset.random_cameras(rng, 4) for _ in range(2000)]
    azimuth = torch.stack([c.azimuth_deg for c in batches])
    elevation = torch.cat([c.elevation_deg for c in batches])
    distance = torch.cat([c.distance for c in batches])
    share = torch.histc(azimuth, 8, 0, 360) / azimuth.numel()
    assert float((share - 1 / 8).abs().max()) < 0.015
    assert float((elevation < 45).float().mean()) == pytest.approx(0.8, abs=0.02)
    assert -12 <= float(elevation.min()) < -11 and 84 < float(elevation.max()) <= 85
    assert 3.0 <= float(distance.min()) and float(distance.max()) <= 3.3
    assert all((c.fovy_deg == 40).all() for c in batches)
    told = [view_words(float(a), float(e)) for a, e in zip(azimuth.flatten(), elevation)]  # noqa: B905
    # Overhead: 20 % of the cameras times (85 - 60) / (85 - 45).
    assert told.count("overhead view") / len(told) == pytest.approx(0.125, abs=0.015)
