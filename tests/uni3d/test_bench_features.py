"""What one object is to the bench, against objects whose answer is known."""

import numpy as np
import pytest
import torch

from uni3d.bench import features
from uni3d.bench.features import CELLS, GREY, SIZE, VIEWS, Objects
from uni3d.bench.truth import drawn
from uni3d.scene.scene import Scene, SceneConfig
from uni3d.toybox.distances import distance
from uni3d.toybox.reading import read
from uni3d.toybox.world import build_toy


@pytest.fixture(scope="module")
def cars():
    return drawn("a red car", 3, seed=1)


def test_truths_are_fresh_and_each_its_own(cars):
    again = drawn("a red car", 2, seed=1)
    assert np.array_equal(again.pictures, cars.pictures[:2])
    assert not np.array_equal(cars.pictures[0], cars.pictures[1])
    other = drawn("a red car", 1, seed=2)
    assert not np.array_equal(other.pictures[0], cars.pictures[0])


def test_occupancy_is_the_toys_own_indexed_x_y_z(cars):
    toy = build_toy(read("a red car").description, np.random.default_rng((1, 0)))
    for cell in ((16, 16, 16), (20, 16, 14), (2, 2, 2), (11, 18, 13)):
        point = (np.array([cell]) + 0.5) * (2 / CELLS) - 1
        assert cars.occupancy[(0, *cell)] == (distance(toy, point)[0] < 0)
    assert 0.005 < cars.occupancy[0].mean() < 0.3


def test_a_scenes_ball_is_where_it_shows_an_outline():
    """A field of a soft ball: what is solid has the outline of what is seen, on all sides."""
    scene = Scene(SceneConfig(), 0)
    with torch.no_grad():
        scene.field.density_out.zero_()
        config = type(scene.field.config)
        scene.field.config = config(blob_density=-50.0, blob_radius=2.0)
        assert not features.objects_of_scene(scene).occupancy.any()  # nothing is seen
        scene.field.config = config(blob_density=100.0)
    seen = features.objects_of_scene(scene)
    # The outline is where half of the light is stopped: depth ln 2 along the chord, by quadrature.
    along = np.linspace(-0.5, 0.5, 2001)
    passes = np.linspace(0.45, 0.5, 501)
    radii = np.hypot(passes[:, None], along)
    depth = 100 * (1 - radii / 0.5).clip(min=0).mean(1)  # a path of length 1
    radius = passes[np.argmin(abs(depth - np.log(2)))]
    assert 0.47 < radius < 0.49
    assert seen.occupancy[0].mean() * 8 == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.03)
    alpha = seen.pictures[0, 0, 3] / 255.0
    assert alpha[SIZE // 2, SIZE // 2] == pytest.approx(1, abs=0.01) and alpha[0, 0] == 0
    assert np.all(seen.pictures[0, :, :3, 0, 0] == round(GREY * 255))


def test_features_tell_objects_apart_and_say_what_colour(cars):
    rows = features.features_of(cars)
    assert rows["look"].shape == (3, VIEWS, 160)
    red, green, blue = rows["colour"][0].mean(0)
    assert red > 0.4 and red > 2 * green and red > 1.5 * blue
    other = features.features_of(drawn("a green teapot", 1, seed=1))
    apart = np.linalg.norm(rows["look"][0] - other["look"][0])
    assert apart > 2 * np.linalg.norm(rows["look"][0] - rows["look"][1])
    assert np.array_equal(rows["shape"][1, 0], cars.occupancy[1].ravel())


def test_psnr_to_the_nearest_by_hand(cars):
    noisy = cars.pictures[1:2].astype(int)
    noisy[:, :, :3] += np.where(np.indices(noisy[:, :, :3].shape).sum(0) % 2, 3, -3)
    seen = Objects(noisy.clip(0, 255).astype(np.uint8), None)
    error = (seen.pictures[0, :, :3] / 255.0 - cars.pictures[1, :, :3] / 255.0) ** 2
    assert features.psnr(seen, cars)[0] == pytest.approx(-10 * np.log10(error.mean()), abs=0.01)


def test_sharpness_falls_with_blur_and_rises_with_grain(cars):
    from scipy.ndimage import gaussian_filter

    soft = gaussian_filter(cars.pictures.astype(float), (0, 0, 0, 1, 1))
    rng = np.random.default_rng(0)
    grain = (cars.pictures + rng.normal(0, 20, cars.pictures.shape)).clip(0, 255)
    levels = [
        features.sharpness(Objects(p.astype(np.uint8), None)).mean()
        for p in (soft, cars.pictures, grain)
    ]
    assert levels[0] < 0.5 * levels[1] and levels[2] > 1.3 * levels[1]
    # A checkerboard of +-a keeps all but its blur, which is 0: mean square a^2.
    board = np.where(np.indices((SIZE, SIZE)).sum(0) % 2, 178, 77).astype(np.uint8)
    flat = np.tile(board, (1, VIEWS, 4, 1, 1))
    expected = ((178 - 77) / 2 / 255) ** 2
    assert features.sharpness(Objects(flat, None))[0] == pytest.approx(expected, rel=1e-3)


def test_cut_out_pictures_lie_over_grey():
    ys, xs = np.mgrid[:SIZE, :SIZE]
    disc = (ys - 32) ** 2 + (xs - 30) ** 2 < 15**2
    hole = (ys - 32) ** 2 + (xs - 30) ** 2 < 4**2  # of the ground's colour, but not joined to it
    picture = np.where(disc & ~hole, 0.9, 0.2) * np.ones((3, 1, 1))
    cut = features.matted(torch.from_numpy(picture).float()[None])[0]
    assert np.array_equal(cut[3] > 0, disc)
    assert set(np.unique(cut[0][~disc])) == {128}
    assert cut[0, 32, 45 - 5] == 230 and cut[0, 32, 30] == 51


def test_two_sheets_in_one_keep_their_order(cars):
    both = features.stacked([cars[slice(1, 2)], cars])
    assert len(both) == 4 and np.array_equal(both.pictures[2], cars.pictures[1])
    assert features.stacked([cars, Objects(cars.pictures, None)]).occupancy is None
