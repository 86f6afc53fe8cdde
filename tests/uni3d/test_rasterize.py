"""The rasteriser against a brute-force ray tracer and analytic pictures."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from uni3d.cameras import Cameras
from uni3d.mesh.rasterize import (
    normals,
    project,
    rasterize,
    sample_texture,
    shade,
    silhouettes,
    vertex_normals,
)


def ray_triangle_twin(origin, directions, vertices, faces):
    """Slow twin: every ray against every triangle (Moeller-Trumbore), float64.

    Returns the nearest face `[n]` (-1 = none), its barycentrics `[n, 3]`, distance `[n]`.
    """
    best_face = np.full(len(directions), -1)
    best_weight = np.zeros((len(directions), 3))
    best_t = np.full(len(directions), np.inf)
    for n, direction in enumerate(directions):
        for f, (ia, ib, ic) in enumerate(faces):
            a, edge1, edge2 = vertices[ia], vertices[ib] - vertices[ia], vertices[ic] - vertices[ia]
            p = np.cross(direction, edge2)
            det = edge1 @ p
            if abs(det) < 1e-14:
                continue
            s = origin - a
            u = (s @ p) / det
            q = np.cross(s, edge1)
            v = (direction @ q) / det
            t = (edge2 @ q) / det
            if u >= 0 and v >= 0 and u + v <= 1 and 0 < t < best_t[n]:
                best_t[n], best_face[n], best_weight[n] = t, f, (1 - u - v, u, v)
    return best_face, best_weight, best_t


def icosphere(radius, subdivisions=4):
    import trimesh

    ball = trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius)
    return SimpleNamespace(
        vertices=np.asarray(ball.vertices, np.float32),
        faces=np.asarray(ball.faces, np.int32),
        uv=None,
        texture=None,
        vertex_colors=None,
    )


@pytest.mark.parametrize(("azimuth", "elevation"), [(0.0, 0.0), (37.0, 25.0), (200.0, -80.0)])
def test_matches_brute_force_rays(azimuth, elevation):
    rng = np.random.default_rng(3)
    centres = rng.uniform(-0.7, 0.7, (30, 1, 3))
    vertices = (centres + rng.normal(0, 0.3, (30, 3, 3))).reshape(-1, 3)
    faces = np.arange(90, dtype=np.int32).reshape(30, 3)
    camera = Cameras.orbit(azimuth, elevation)
    height, width = 20, 26  # not square: the aspect ratio is part of the check
    screen = project(camera, vertices, height, width)[0]
    face, weight, depth = rasterize(screen, faces, height, width)
    origins, directions = camera.rays(height, width)
    rays = directions[0].double().numpy().reshape(-1, 3)
    want_face, want_weight, want_t = ray_triangle_twin(
        origins[0, 0, 0].double().numpy(), rays, vertices, faces
    )
    want_face = want_face.reshape(height, width)
    assert (want_face >= 0).mean() > 0.2
    # Rays are float32, so a pixel on an edge may fall on either side: allow a handful.
    same = face == want_face
    assert (~same).sum() <= 2
    hit = same & (face >= 0)
    np.testing.assert_allclose(weight[hit], want_weight.reshape(height, width, 3)[hit], atol=3e-4)
    backward = camera.rotation[0, :, 2].double().numpy()
    along_axis = want_t.reshape(height, width) * -(rays @ backward).reshape(height, width)
    np.testing.assert_allclose(depth[hit], along_axis[hit], rtol=1e-5)


def test_project_inverts_rays():
    cameras = Cameras.orbit([10.0, 250.0], [-30.0, 60.0], distance=3.0, fovy_deg=50.0)
    origins, directions = cameras.rays(5, 7)
    for b in range(2):
        points = (origins[b] + 2.5 * directions[b]).reshape(-1, 3).numpy()
        xy = project(cameras, points, 5, 7)[b].reshape(5, 7, 3)
        rows, columns = np.meshgrid(np.arange(5) + 0.5, np.arange(7) + 0.5, indexing="ij")
        np.testing.assert_allclose(xy[..., 0], columns, atol=1e-4)
        np.testing.assert_allclose(xy[..., 1], rows, atol=1e-4)


def test_ball_silhouette_is_the_analytic_circle():
    radius, distance, size = 0.6, 3.15, 96
    cameras = Cameras.orbit([0.0, 90.0, 215.0], [0.0, 40.0, -10.0], distance=distance)
    masks = silhouettes(icosphere(radius, 5), cameras, size, size)
    # The tangent cone of a ball has half angle asin(r / d); its picture is an exact disc here.
    disc = math.tan(math.asin(radius / distance)) / math.tan(math.radians(20)) * size / 2
    ticks = torch.arange(size) + 0.5 - size / 2
    inside = ticks[:, None] ** 2 + ticks[None] ** 2 < disc**2
    for mask in masks:
        wrong = (mask != inside).sum().item()
        assert wrong <= 0.02 * inside.sum().item()
        assert abs(mask.sum().item() - math.pi * disc**2) < 0.02 * math.pi * disc**2


def test_normals_of_a_ball_are_its_positions():
    radius, size = 0.8, 64
    camera = Cameras.orbit(30.0, 20.0)
    picture = normals(icosphere(radius, 5), camera, size, size, supersample=1)[0]
    origins, directions = camera.rays(size, size)
    b = (origins * directions).sum(-1)[0]
    disc = b**2 - (origins[0].square().sum(-1) - radius**2)
    inner = disc > 0.2  # away from the rim
    points = origins[0] + (-b - disc.clamp(min=0).sqrt())[..., None] * directions[0]
    want = (points / radius + 1) / 2
    error = (picture.permute(1, 2, 0) - want)[inner].abs()
    assert inner.sum() > 300
    assert error.max() < 0.01
    corner = picture[:, 0, 0]
    assert torch.equal(corner, torch.ones(3))


def test_order_of_ties_and_of_depth():
    screen = np.array(
        [[0, 0, 2], [8, 0, 2], [0, 8, 2], [0, 0, 1], [4, 0, 1], [0, 4, 1]], dtype=np.float64
    )
    faces = np.array([[0, 1, 2], [2, 1, 0], [3, 4, 5]])  # 0 and 1 coincide; 2 is nearer, smaller
    face, weight, depth = rasterize(screen, faces, 8, 8)
    assert face[0, 0] == 2 and depth[0, 0] == 1
    assert face[5, 1] == 0 and depth[5, 1] == 2
    assert face[7, 7] == -1 and np.isinf(depth[7, 7])
    np.testing.assert_allclose(weight[5, 1], [1 - 1.5 / 8 - 5.5 / 8, 1.5 / 8, 5.5 / 8], atol=1e-6)


def test_a_triangle_behind_the_camera_is_not_seen():
    screen = np.array([[0, 0, -1.0], [8, 0, -1.0], [0, 8, -1.0]])
    face, _, _ = rasterize(screen, np.array([[0, 1, 2]]), 8, 8)
    assert (face == -1).all()


def test_texture_lookup_is_bilinear_and_v_points_up():
    texture = np.zeros((2, 2, 3), np.uint8)
    texture[0, 0], texture[0, 1], texture[1, 0], texture[1, 1] = 10, 30, 110, 250
    uv = np.array([[0.25, 0.75], [0.75, 0.25], [0.5, 0.5], [0.5, 0.75], [0.0, 0.0]])
    got = sample_texture(texture, uv)[:, 0] * 255
    np.testing.assert_allclose(got, [10, 250, (10 + 30 + 110 + 250) / 4, 20, 110], atol=1e-9)


def test_shade_shows_the_texture_unlit_and_darkens_with_a_headlight():
    quad = SimpleNamespace(  # faces +x, its right (as seen from +x) is +y
        vertices=np.array([[0, -1, -1], [0, 1, -1], [0, 1, 1], [0, -1, 1]], np.float32),
        faces=np.array([[0, 1, 2], [0, 2, 3]], np.int32),
        uv=np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32),
        texture=np.zeros((2, 2, 3), np.uint8),
        vertex_colors=None,
    )
    quad.texture[0, 0] = (255, 0, 0)  # upper left
    quad.texture[1, 1] = (0, 0, 255)  # lower right
    camera = Cameras.orbit(0.0, 0.0, distance=3.0)
    picture = shade(quad, camera, 40, 40, supersample=2)[0]
    assert picture[:, 9, 9].tolist() == pytest.approx([1, 0, 0], abs=0.15)
    assert picture[:, 30, 30].tolist() == pytest.approx([0, 0, 1], abs=0.15)
    lit = shade(quad, camera, 40, 40, light="headlight")[0]
    assert lit[:, 9, 9].max() < picture[:, 9, 9].max()  # off the axis: cosine below one
    oblique = shade(quad, Cameras.orbit(60.0, 0.0, distance=3.0), 41, 41, light="headlight")[0]
    unlit = shade(quad, Cameras.orbit(60.0, 0.0, distance=3.0), 41, 41)[0]
    ratio = (oblique[:, 20, 20].sum() / unlit[:, 20, 20].sum()).item()
    assert ratio == pytest.approx(0.35 + 0.65 * math.cos(math.radians(60)), abs=0.01)


def test_vertex_normals_ignore_seams():
    ball = icosphere(1.0, 3)
    split = ball.vertices[ball.faces].reshape(-1, 3)  # every face has its own corners
    unit = vertex_normals(split, np.arange(len(split)).reshape(-1, 3))
    assert np.abs(unit - split).max() < 0.02


def test_supersampling_gives_partial_coverage():
    ball = icosphere(0.6, 4)
    ball.vertex_colors = np.zeros((len(ball.vertices), 3), np.uint8)
    camera = Cameras.orbit(0.0)
    fine = shade(ball, camera, 96, 96, supersample=1).reshape(1, 3, 24, 4, 24, 4).mean((3, 5))
    coarse = shade(ball, camera, 24, 24, supersample=4)
    assert torch.allclose(fine, coarse, atol=1e-6)
    assert ((coarse > 0.1) & (coarse < 0.9)).any()
