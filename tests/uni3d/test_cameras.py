"""Cameras against an independent look-at matrix and hand-placed points."""

import math

import numpy as np
import pytest
import torch
from closeness import assert_close_report

from uni3d.cameras import CameraConfig, Cameras, sample_cameras


def look_at(position):
    """Camera-to-world rotation from cross products with the world's up, in numpy."""
    back = position / np.linalg.norm(position)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(back, right), back], axis=1)


def project(cameras, point):
    """Pixel coordinates in [-1, 1], x right and y up, of one world point in every camera."""
    local = torch.einsum("bij,bi->bj", cameras.rotation, torch.tensor(point) - cameras.position)
    half = torch.tan(torch.deg2rad(cameras.fovy_deg) / 2)
    return local[:, :2] / (-local[:, 2:] * half[:, None])


@pytest.mark.parametrize(("azimuth", "elevation"), [(0, 0), (37, 20), (200, -35), (-90, 80)])
def test_rotation_is_the_look_at_matrix(azimuth, elevation):
    cameras = Cameras.orbit(float(azimuth), float(elevation), distance=2.5)
    az, el = math.radians(azimuth), math.radians(elevation)
    position = 2.5 * np.array(
        [math.cos(el) * math.cos(az), math.cos(el) * math.sin(az), math.sin(el)]
    )
    assert_close_report(cameras.position[0], torch.from_numpy(position))
    assert_close_report(cameras.rotation[0], torch.from_numpy(look_at(position)))
    assert torch.linalg.det(cameras.rotation[0]).item() == pytest.approx(1, abs=1e-6)


def test_the_ray_through_the_image_centre_meets_the_origin():
    cameras = Cameras.orbit([10.0, 130.0], [5.0, -50.0])
    origins, directions = cameras.rays(9, 15)
    centre = directions[:, 4, 7]
    assert_close_report(centre, -cameras.position / cameras.distance[:, None])
    assert_close_report(origins[:, 0, 0], cameras.position)
    assert_close_report(directions.norm(dim=-1), torch.ones(2, 9, 15))


def test_sides_as_seen_from_the_front():
    """From +x: +y (the object's left) is at the viewer's right, +z is up."""
    front = Cameras.orbit(0.0)
    x, y = project(front, [0.0, 0.5, 0.0])[0].tolist()
    assert x > 0.3 and abs(y) < 1e-6
    x, y = project(front, [0.0, 0.0, 0.5])[0].tolist()
    assert abs(x) < 1e-6 and y > 0.3
    x, _ = project(Cameras.orbit(180.0), [0.0, 0.5, 0.0])[0].tolist()
    assert x < -0.3


@pytest.mark.parametrize(("height", "width"), [(8, 8), (6, 10)])
def test_rays_hit_what_projects_to_their_pixel(height, width):
    cameras = Cameras.orbit([25.0], [30.0], distance=3.0)
    origins, directions = cameras.rays(height, width)
    point = (origins + 2.7 * directions)[0, 1, 6]
    x, y = project(cameras, point.tolist())[0].tolist()
    assert x * height / width == pytest.approx((6 + 0.5) * 2 / width - 1, abs=1e-5)
    assert y == pytest.approx(1 - (1 + 0.5) * 2 / height, abs=1e-5)


def test_the_top_row_spans_the_field_of_view():
    _, directions = Cameras.orbit(0.0, fovy_deg=40.0).rays(2, 1)
    cosine = (directions[0, 0, 0] * directions[0, 1, 0]).sum().item()
    want = 2 * math.atan(0.5 * math.tan(math.radians(20)))  # rows lie at half of the half-height
    assert math.acos(cosine) == pytest.approx(want, abs=1e-6)


def test_sampling_is_stratified_in_range_and_reproducible():
    config = CameraConfig(overhead_fraction=0.25)
    cameras = sample_cameras(config, 4000, torch.Generator().manual_seed(1))
    again = sample_cameras(config, 4000, torch.Generator().manual_seed(1))
    assert torch.equal(cameras.position, again.position)
    histogram = torch.histc(cameras.azimuth_deg, bins=40, min=0, max=360)
    assert histogram.min() >= 98 and histogram.max() <= 102  # 100 each, but for cut strata
    overhead = (cameras.elevation_deg > 45).float().mean().item()
    assert overhead == pytest.approx(0.25, abs=0.03)
    assert -10 <= cameras.elevation_deg.min() and cameras.elevation_deg.max() <= 80
    assert 3.0 <= cameras.distance.min() and cameras.distance.max() <= 3.3
