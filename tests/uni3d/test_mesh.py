"""Meshes out of analytic density fields: size, place, topology, colours, choice of level."""

import dataclasses
import math
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
import trimesh

from uni3d.cameras import Cameras
from uni3d.errors import ExportError
from uni3d.mesh import unwrap as unwrap_module
from uni3d.mesh.bake import bake
from uni3d.mesh.level import blurred
from uni3d.mesh.rasterize import sample_texture, silhouettes
from uni3d.mesh.simplify import decimate, drop_small_components, signed_volume, taubin_smooth
from uni3d.mesh.surface import _look, extract_mesh
from uni3d.mesh.types import Mesh, MeshConfig
from uni3d.mesh.unwrap import unwrap

NO_UV = MeshConfig(resolution=48, target_faces=4000, uv_time_limit_s=0)
VOXEL = 2 / 47


def ball(radius, centre=(0.0, 0.0, 0.0), sharpness=60.0, peak=200.0):
    """Density of a ball with a logistic edge, half its peak at `radius`."""
    middle = torch.tensor(centre)
    return lambda p: peak * torch.sigmoid((radius - (p - middle).norm(dim=-1)) * sharpness)


def rainbow(points):
    """A colour per direction from the origin: of a ball's surface, the same at any depth."""
    return (points / (points**2).sum(-1, keepdims=True) ** 0.5 + 1) / 2


def eight_views():
    return Cameras.orbit(torch.arange(8) * 45.0, torch.tensor([-10.0, 40.0]).repeat(4))


def rendered_opacity(density, cameras, size, samples=256):
    """Plain quadrature along every ray, an independent stand-in for the renderer."""
    origins, directions = cameras.rays(size, size)
    t = torch.linspace(1.4, 4.9, samples)
    points = origins[..., None, :] + directions[..., None, :] * t[:, None]
    inside = (points.abs() <= 1).all(dim=-1)
    optical_depth = (density(points) * inside).sum(-1) * (t[1] - t[0])
    return 1 - torch.exp(-optical_depth)


def extract(density, color=rainbow, config=NO_UV, size=48, pixel=VOXEL / 2):
    cameras = eight_views()
    opacity = rendered_opacity(density, cameras, size)
    return extract_mesh(density, field_of(density, color), cameras, opacity, pixel, config)


def field_of(density, color=rainbow):
    return lambda points: (density(points), color(points))


def as_trimesh(mesh):
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)


def test_ball_has_the_right_size_place_and_winding():
    # Its rendered outline is where a ray's optical depth is ln 2, the level must find it.
    density = ball(0.6)
    radii = torch.linspace(0.5, 0.8, 3001)
    along = torch.linspace(-0.9, 0.9, 4001)
    reach = (radii[:, None] ** 2 + along**2).sqrt()
    points = torch.stack([reach, torch.zeros_like(reach), torch.zeros_like(reach)], dim=-1)
    depth = density(points).sum(-1) * (along[1] - along[0])
    want = radii[(depth > math.log(2)).sum() - 1].item()
    mesh, report = extract(density)
    radius = np.linalg.norm(mesh.vertices.astype(np.float64), axis=-1)
    assert abs(radius.mean() - want) < VOXEL / 2
    assert radius.max() - radius.min() < VOXEL / 2
    own = 4 / 3 * math.pi * radius.mean() ** 3
    assert report.volume == pytest.approx(own, rel=0.005)
    assert report.watertight and report.components_dropped == 0
    assert report.silhouette_iou > 0.97
    shape = as_trimesh(mesh)
    assert shape.volume == pytest.approx(report.volume, rel=1e-5)  # positive: faces look outwards
    assert shape.euler_number == 2
    assert (shape.face_normals * shape.triangles_center).sum(-1).min() > 0


def test_jump_in_density_puts_the_surface_halfway():
    # 1 inside, 0 outside: whatever the level, radius and volume are those of the ball.
    def density(p):
        return torch.where(p.norm(dim=-1) < 0.7, 500.0, 0.0)

    mesh, report = extract(density, config=dataclasses.replace(NO_UV, resolution=96))
    radius = np.linalg.norm(mesh.vertices.astype(np.float64), axis=-1)
    assert abs(radius - 0.7).max() < 2 / 95
    assert report.volume == pytest.approx(4 / 3 * math.pi * 0.7**3, rel=0.02)


def test_an_off_centre_ball_stays_where_it_is():
    mesh, _ = extract(ball(0.3, (0.4, -0.3, 0.2)))
    middle = (mesh.vertices.max(axis=0) + mesh.vertices.min(axis=0)) / 2
    np.testing.assert_allclose(middle, [0.4, -0.3, 0.2], atol=VOXEL / 4)


def test_torus_has_a_hole():
    def density(p):
        tube = ((p[..., :2].norm(dim=-1) - 0.55) ** 2 + p[..., 2] ** 2).sqrt()
        return 300 * torch.sigmoid((0.22 - tube) * 60)

    mesh, report = extract(density)
    shape = as_trimesh(mesh)
    assert shape.euler_number == 0
    assert shape.is_watertight and report.watertight
    thick = math.sqrt(report.volume / (2 * math.pi**2 * 0.55))  # of the tube, V = 2 pi^2 R r^2
    assert abs(thick - 0.22) < 2 * VOXEL


def test_floaters_go_and_large_parts_stay():
    def density(p):
        parts = ((0.6, (0.0, 0.0, 0.0)), (0.055, (0.85, 0.85, 0.8)), (0.2, (-0.7, 0.6, 0.0)))
        inside = [(p - torch.tensor(middle)).norm(dim=-1) < radius for radius, middle in parts]
        return 300.0 * torch.stack(inside).any(dim=0)

    mesh, report = extract(density)
    assert report.components_dropped == 1
    assert as_trimesh(mesh).body_count == 2
    assert mesh.vertices[:, 2].max() < 0.6 + VOXEL


def test_enclosed_cavities_are_filled():
    def density(p):
        distance = p.norm(dim=-1)
        return 300 * torch.sigmoid((0.7 - distance) * 60) * torch.sigmoid((distance - 0.4) * 60)

    mesh, report = extract(density)
    assert np.linalg.norm(mesh.vertices, axis=-1).min() > 0.6
    assert report.components_dropped == 0
    assert as_trimesh(mesh).euler_number == 2


def test_solid_that_leaves_the_box_is_closed_at_its_walls():
    mesh, report = extract(lambda p: torch.full(p.shape[:-1], 50.0))
    assert report.watertight
    assert report.volume == pytest.approx(8, rel=0.1)
    assert np.abs(mesh.vertices).max() < 1 + 2 * VOXEL


@pytest.mark.parametrize("threshold", [1.0, 12.0, 90.0])
def test_level_reproduces_the_outlines_it_is_given(threshold):
    # Density falls by e every 0.1: each level is a ball of its own, 0.1 ln(ratio) apart.
    def density(p):
        return 400 * torch.exp(-p.norm(dim=-1) / 0.1) * (p.norm(dim=-1) < 0.97)

    radius = 0.1 * math.log(400 / threshold)
    cameras = eight_views()
    origins, directions = cameras.rays(128, 128)
    closest = torch.cross(origins, directions, dim=-1).norm(dim=-1)
    config = dataclasses.replace(NO_UV, resolution=64)
    outlines = (closest < radius).float()
    mesh, report = extract_mesh(density, field_of(density), cameras, outlines, 0.02, config)
    assert report.level == pytest.approx(threshold, rel=0.2)
    assert np.linalg.norm(mesh.vertices, axis=-1).mean() == pytest.approx(radius, rel=0.04)
    assert report.silhouette_iou > 0.96


def test_final_outlines_are_the_reported_ones():
    density = ball(0.5, (0.2, 0.1, -0.1))
    cameras = eight_views()
    opacity = rendered_opacity(density, cameras, 48)
    mesh, report = extract_mesh(density, field_of(density), cameras, opacity, 0.02, NO_UV)
    masks, want = silhouettes(mesh, cameras, 48, 48), opacity > 0.5
    iou = [(m & w).sum().item() / (m | w).sum().item() for m, w in zip(masks, want, strict=True)]
    assert report.silhouette_iou == pytest.approx(np.mean(iou), abs=1e-9)


def test_texture_holds_the_colour_of_every_surface_point():
    config = MeshConfig(resolution=48, target_faces=2000, texture_size=512)
    mesh, report = extract(ball(0.7), config=config)
    assert report.textured and report.texture_note == ""
    rng = np.random.default_rng(0)
    face = rng.integers(0, len(mesh.faces), 4000)
    weight = rng.dirichlet((0.5, 0.5, 0.5), 4000)  # many near edges, where the seams are
    corners = mesh.faces[face]
    points = np.einsum("nkc,nk->nc", mesh.vertices[corners], weight)
    uv = np.einsum("nkc,nk->nc", mesh.uv[corners], weight)
    error = np.abs(sample_texture(mesh.texture, uv) - rainbow(points)) * 255
    assert error.mean() < 1.0
    assert error.max() < 6.0
    for position in (points.min(axis=0), points.max(axis=0)):  # the whole ball, not a patch
        np.testing.assert_allclose(np.abs(position), 0.775, atol=0.01)


def test_colour_is_what_a_ray_straight_ahead_composites():
    # Fog of density 40 below z = 0, red down to a depth of 0.05 and blue below it.
    def layers(points):
        depth = -points[:, 2]
        red = (depth < 0.05).float()
        rgb = torch.stack([red, torch.zeros_like(red), 1 - red], dim=-1)
        return 40.0 * (depth > 0), rgb

    points, inward = np.array([[0.1, 0.2, 0.0], [0.0, 0.0, 0.7]]), np.array([[0.0, 0.0, -1.0]] * 2)
    # Half a pixel from sample to sample: both borders lie on edges of samples.
    (seen, empty) = _look(layers, points, inward, 0.05, 1000)
    red, to_the_end = 1 - math.exp(-40 * 0.05), 1 - math.exp(-40 * 0.25)
    np.testing.assert_allclose(seen, [red / to_the_end, 0, 1 - red / to_the_end], atol=1e-5)
    np.testing.assert_allclose(empty, [1, 0, 0], atol=1e-6)  # nothing is met: the colour there


def test_blur_takes_noise_away_and_leaves_the_edge():
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(48, 48, 48, generator=generator)

    def rough(points):
        nearest = ((points + 1) / VOXEL).round().long().clamp(0, 47)
        return ball(0.6)(points) * noise[tuple(nearest.unbind(-1))].exp()

    def radii(density, blur):
        config = dataclasses.replace(NO_UV, blur=blur, smoothing_iterations=0)
        return np.linalg.norm(extract(density, config=config, size=64)[0].vertices, axis=-1)

    smooth = radii(rough, 2.0)
    assert smooth.std() < 0.25 * radii(rough, 0.0).std()
    assert abs(smooth.mean() - radii(ball(0.6), 0.0).mean()) < 0.25 * VOXEL
    # An edge between any two densities stays halfway between their logarithms.
    edge = np.full((40, 8, 8), 0.2, np.float32)
    edge[20:] = 50.0
    after = blurred(edge, 3 * 2 / 39)[:, 4, 4]
    np.testing.assert_allclose(np.sqrt(after[19] * after[20]), np.sqrt(0.2 * 50), rtol=1e-5)
    assert blurred(edge, 0.0) is edge


def test_texture_outside_the_charts_continues_the_nearest_colour():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    uv = np.array([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75]])
    seen = []

    def color(points, inward):
        seen.append(points)
        np.testing.assert_allclose(inward, [[0, 0, -1]] * len(points), atol=1e-12)
        return np.concatenate([points[:, :2], np.full((len(points), 1), 0.5)], axis=-1)

    picture = bake(vertices, np.array([[0, 1, 2]]), uv, 64, color)
    assert (picture[..., 2] == 128).all()  # no black texel is left anywhere
    assert picture[63, 0, :2].max() < 10  # lower left: the corner at (0, 0)
    assert picture[63, 63, 0] > 240 and picture[63, 63, 1] < 10  # lower right: (1, 0)
    points = np.concatenate(seen)
    assert points.min() >= 0 and points.sum(-1).max() <= 1 + 1e-6
    assert len(points) == pytest.approx(0.5 * 32 * 32, rel=0.05)


def test_faces_smaller_than_a_texel_get_their_colour():
    vertices = np.array([[5, 5, 5], [5.1, 5, 5], [5, 5.1, 5]])
    uv = np.array([[0.511, 0.511], [0.512, 0.511], [0.511, 0.512]])  # off the centre of its texel
    picture = bake(vertices, np.array([[0, 1, 2]]), uv, 16, lambda p, _: (p > 4).astype(float))
    assert (picture == 255).all()


def test_same_input_same_bytes():
    config = MeshConfig(resolution=32, target_faces=800, texture_size=128)
    first, second = extract(ball(0.6), config=config), extract(ball(0.6), config=config)
    for name in ("vertices", "faces", "uv", "texture"):
        assert getattr(first[0], name).tobytes() == getattr(second[0], name).tobytes()
    assert dataclasses.replace(first[1], seconds={}) == dataclasses.replace(second[1], seconds={})


@pytest.mark.parametrize(("limit", "words"), [(0.0, "is 0"), (0.001, "took longer than 0.001 s")])
def test_out_of_time_gives_vertex_colours(limit, words):
    config = dataclasses.replace(NO_UV, uv_time_limit_s=limit)
    mesh, report = extract(ball(0.6), config=config)
    assert not report.textured and words in report.texture_note
    assert mesh.texture is None and mesh.uv is None
    error = np.abs(mesh.vertex_colors / 255 - rainbow(mesh.vertices.astype(np.float64)))
    assert error.max() <= 2 / 255  # a vertex normal is not quite that of the ball


def test_failure_of_the_child_is_told(monkeypatch):
    box = trimesh.creation.box()
    monkeypatch.setattr(unwrap_module, "_CHILD", "import sys; sys.exit('no such luck')")
    assert unwrap(box.vertices, box.faces, 64, 30.0) == "xatlas failed: no such luck"
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert "could not be started" in unwrap(box.vertices, box.faces, 64, 30.0)


def test_unwrapping_needs_no_main_guard(tmp_path):
    # A child made by multiprocessing "spawn" would run this script again, and again.
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import numpy as np
        from uni3d.mesh.unwrap import unwrap
        vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
        faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
        source, faces, uv = unwrap(vertices, faces, 64, 60.0)
        with open(__file__ + ".log", "a") as log:
            log.write(f"{len(faces)} {uv.min() >= 0} {uv.max() <= 1}\\n")
        """)
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    env["PYTHONPATH"] = os.getcwd() + os.pathsep + env["PYTHONPATH"]
    subprocess.run([sys.executable, str(script)], check=True, env=env, timeout=60)
    assert (tmp_path / "script.py.log").read_text() == "4 True True\n"


@pytest.mark.parametrize(
    ("density", "opacity", "words"),
    [
        (lambda p: torch.zeros(len(p)), 1.0, "the scene is empty: got density 0 at most"),
        (lambda p: torch.full((len(p),), 9.0), 0.3, "the scene is empty: got opacity 0.3 at most"),
        (lambda p: torch.full((len(p),), torch.nan), 1.0, "NaN or infinity"),
        (lambda p: torch.full((len(p),), 9.0), torch.nan, "opacity: got NaN"),
    ],
)
def test_fields_without_a_surface_are_refused(density, opacity, words):
    views = torch.full((8, 8, 8), opacity)
    with pytest.raises(ExportError, match=words):
        extract_mesh(density, field_of(density), eight_views(), views, 0.02, NO_UV)


def test_colours_that_are_not_numbers_are_refused():
    with pytest.raises(ExportError, match="color: got NaN"):
        extract(ball(0.6), color=lambda p: torch.full_like(p, torch.nan))


def test_impossible_settings_are_refused():
    with pytest.raises(ExportError, match=r"mesh\.resolution: got 2, want at least 8"):
        MeshConfig(resolution=2)


def bumpy_surface():
    """A rough closed surface with handles, hard on decimation, and the field it is the zero of."""
    from scipy.ndimage import gaussian_filter
    from skimage.measure import marching_cubes

    axis = np.linspace(-1, 1, 72)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    noise = gaussian_filter(np.random.default_rng(0).standard_normal(x.shape), 1.5)
    field = np.clip(20 * (0.7 - np.sqrt(x * x + y * y + z * z)) + 20 * noise, -3, 3)
    field = np.pad(field, 1, constant_values=-3.0)
    vertices, faces, _, _ = marching_cubes(field, 0.0)
    return field, *drop_small_components(vertices, faces[:, ::-1], 0.01)[:2]


def test_decimation_keeps_a_rough_surface_manifold():
    from scipy.ndimage import map_coordinates

    field, vertices, faces = bumpy_surface()
    fewer, kept = decimate(vertices, faces, 12_000)
    before = trimesh.Trimesh(vertices, faces, process=False)
    after = trimesh.Trimesh(fewer, kept, process=False)
    assert len(faces) > 25_000 and 11_998 <= len(kept) <= 12_000
    assert after.is_watertight and after.is_winding_consistent
    assert after.euler_number == before.euler_number  # no handle cut, none made
    assert after.volume == pytest.approx(before.volume, rel=0.01)
    slope = np.linalg.norm(np.gradient(field), axis=0)
    value, steep = (map_coordinates(a, fewer.T, order=1) for a in (field, slope))
    assert np.median(np.abs(value / steep)) < 0.1  # voxels off the surface, to first order


def test_decimation_leaves_flat_sides_flat():
    box = trimesh.creation.box(extents=(1, 2, 3)).subdivide_loop(0)
    for _ in range(5):
        box = box.subdivide()
    fewer, kept = decimate(box.vertices, box.faces, 200)
    shape = trimesh.Trimesh(fewer, kept, process=False)
    assert len(kept) <= 200 and shape.is_watertight
    assert shape.volume == pytest.approx(6.0, rel=1e-3)


def test_smoothing_removes_noise_and_keeps_volume():
    shape = trimesh.creation.icosphere(subdivisions=4)
    rng = np.random.default_rng(1)
    rough = shape.vertices * (1 + 0.01 * rng.standard_normal((len(shape.vertices), 1)))
    smooth = taubin_smooth(rough, shape.faces, 5)
    assert np.linalg.norm(smooth, axis=-1).std() < 0.5 * np.linalg.norm(rough, axis=-1).std()
    change = signed_volume(smooth, shape.faces) / signed_volume(rough, shape.faces)
    assert change == pytest.approx(1, abs=0.003)


def test_signed_volume_of_a_box_turned_inside_out():
    box = trimesh.creation.box(extents=(1, 2, 3))
    box.apply_translation((5, -4, 3))
    assert signed_volume(box.vertices, box.faces) == pytest.approx(6)
    assert signed_volume(box.vertices, box.faces[:, ::-1]) == pytest.approx(-6)


def test_mesh_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Mesh(np.zeros((3, 3)), np.zeros((1, 3))).uv = None
