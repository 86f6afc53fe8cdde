"""Files: read back by trimesh and PIL, equal bytes, right axes, and never half written."""

import errno
import json
import os
import struct
import sys

import imageio_ffmpeg
import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from uni3d.errors import ExportError
from uni3d.mesh.files import read_glb, reopen_and_check, write_glb, write_obj, write_ply
from uni3d.mesh.pictures import as_uint8, write_png, write_sheet, write_turntable
from uni3d.mesh.rasterize import sample_texture
from uni3d.mesh.types import Mesh

FRONT, LEFT, UP = 0.9, 0.5, 0.3  # a tetrahedron that is longest to the front, shortest upwards


def wedge(textured=True):
    """A closed tetrahedron with its own texture patch per face (so every vertex is split)."""
    corners = np.array([[0, 0, 0], [FRONT, 0, 0], [0, LEFT, 0], [0, 0, UP]], np.float32)
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    if not textured:
        colors = np.array([[0, 0, 0], [255, 0, 0], [0, 188, 0], [0, 0, 64]], np.uint8)
        return Mesh(corners, faces.astype(np.int32), vertex_colors=colors)
    vertices = corners[faces].reshape(-1, 3)
    patch = np.array([[0.05, 0.1], [0.2, 0.1], [0.05, 0.9]])
    uv = np.concatenate([patch + np.array([0.25 * k, 0]) for k in range(4)]).astype(np.float32)
    texture = np.zeros((32, 64, 3), np.uint8)
    for k, rgb in enumerate([(250, 10, 20), (30, 240, 40), (50, 60, 230), (200, 190, 70)]):
        texture[:, 16 * k : 16 * (k + 1)] = rgb
    return Mesh(vertices, np.arange(12, dtype=np.int32).reshape(4, 3), uv=uv, texture=texture)


@pytest.mark.parametrize("textured", [True, False])
def test_a_glb_comes_back_as_it_was(textured, tmp_path):
    mesh = wedge(textured)
    write_glb(mesh, tmp_path / "wedge.glb")
    again = read_glb(tmp_path / "wedge.glb")
    np.testing.assert_allclose(again.vertices, mesh.vertices, atol=1e-7)
    np.testing.assert_array_equal(again.faces, mesh.faces)
    if textured:
        np.testing.assert_allclose(again.uv, mesh.uv, atol=1e-6)
        np.testing.assert_array_equal(again.texture, mesh.texture)
    else:  # eight bits of linear light hold a dark 64 to within a few steps
        np.testing.assert_allclose(again.vertex_colors, mesh.vertex_colors, atol=3)


def glb_json(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<I", data[12:16])
    return json.loads(data[20 : 20 + length])


def test_glb_is_y_up_and_faces_forward(tmp_path):
    write_glb(wedge(), tmp_path / "wedge.glb")
    report = reopen_and_check(tmp_path / "wedge.glb")
    low, high = np.array(report["bounds"])
    np.testing.assert_allclose(low, 0, atol=1e-7)
    np.testing.assert_allclose(high, [LEFT, UP, FRONT], atol=1e-6)  # glTF: +x left, +y up, +z front
    shape = trimesh.load_mesh(tmp_path / "wedge.glb", process=False)
    assert shape.volume == pytest.approx(FRONT * LEFT * UP / 6, rel=1e-5)  # not mirrored
    # Read by the bytes, not by trimesh: the accessor's own bounds say the same.
    tree = glb_json(tmp_path / "wedge.glb")
    position = tree["meshes"][0]["primitives"][0]["attributes"]["POSITION"]
    np.testing.assert_allclose(tree["accessors"][position]["max"], [LEFT, UP, FRONT], atol=1e-6)
    assert tree["materials"][0]["pbrMetallicRoughness"]["metallicFactor"] == 0.0


@pytest.mark.parametrize("name", ["wedge.glb", "a wedge.obj"])
def test_texture_survives_and_stays_in_place(tmp_path, name):
    mesh = wedge()
    (write_glb if name.endswith("glb") else write_obj)(mesh, tmp_path / name)
    report = reopen_and_check(tmp_path / name)
    assert report["faces"] == 4 and report["textured"] and report["colors_vary"]
    assert report["watertight"]  # although every vertex is split
    shape = trimesh.load_mesh(tmp_path / name, process=False)
    material = shape.visual.material
    picture = getattr(material, "baseColorTexture", None) or material.image
    texture = np.asarray(picture.convert("RGB"))
    assert np.array_equal(texture, mesh.texture)
    world = shape.vertices[:, [2, 0, 1]]  # back to z up, written out independently
    for k in range(4):
        middle = world[shape.faces[k]].mean(axis=0)
        original = np.abs(mesh.vertices.reshape(4, 3, 3).mean(axis=1) - middle).sum(axis=1)
        uv = shape.visual.uv[shape.faces[k]].mean(axis=0, keepdims=True)
        want = mesh.texture[0, 16 * original.argmin() + 8]
        np.testing.assert_allclose(sample_texture(texture, uv)[0] * 255, want, atol=1e-6)
        assert original.min() < 1e-6


def test_obj_refers_to_its_companions_by_safe_names(tmp_path):
    write_obj(wedge(), tmp_path / "a red wedge.obj")
    assert sorted(os.listdir(tmp_path)) == ["a red wedge.obj", "a_red_wedge.mtl", "a_red_wedge.png"]
    assert "mtllib a_red_wedge.mtl" in (tmp_path / "a red wedge.obj").read_text()
    material = (tmp_path / "a_red_wedge.mtl").read_text()
    assert "map_Kd a_red_wedge.png" in material
    (diffuse,) = [line.split()[1:] for line in material.splitlines() if line.startswith("Kd ")]
    assert [float(x) for x in diffuse] == [1, 1, 1]  # else readers darken the texture
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a_red_wedge.png")), wedge().texture)


def test_glb_vertex_colours_are_linear_light_on_a_matte_material(tmp_path):
    write_glb(wedge(textured=False), tmp_path / "wedge.glb")
    (shape,) = trimesh.load_scene(tmp_path / "wedge.glb", process=False).geometry.values()
    # sRGB 188 is half of full light (IEC 61966-2-1), sRGB 64 is 0.0513 of it.
    got = np.asarray(shape.visual.vertex_attributes["color"])[:, :3]
    assert got.tolist() == [[0, 0, 0], [255, 0, 0], [0, 128, 0], [0, 0, 13]]
    tree = glb_json(tmp_path / "wedge.glb")
    primitive = tree["meshes"][0]["primitives"][0]
    material = tree["materials"][primitive["material"]]["pbrMetallicRoughness"]
    assert material["metallicFactor"] == 0.0
    report = reopen_and_check(tmp_path / "wedge.glb")
    assert not report["textured"] and report["colors_vary"] and report["watertight"]


def test_ply_has_world_axes_and_the_textures_colours(tmp_path):
    mesh = wedge()
    write_ply(mesh, tmp_path / "wedge.ply")
    shape = trimesh.load_mesh(tmp_path / "wedge.ply", process=False)
    np.testing.assert_allclose(shape.bounds[1], [FRONT, LEFT, UP], atol=1e-6)
    assert len(shape.vertices) == 4 and shape.is_watertight  # split vertices are one again
    assert shape.volume == pytest.approx(FRONT * LEFT * UP / 6, rel=1e-5)
    front = shape.vertices[:, 0].argmax()
    touching = [0, 1, 3]  # faces at the front corner; each has one flat colour
    want = mesh.texture[0, [16 * k + 8 for k in touching]].mean(axis=0)
    np.testing.assert_allclose(shape.visual.vertex_colors[front, :3], want, atol=1)
    write_ply(wedge(textured=False), tmp_path / "colours.ply")
    again = trimesh.load_mesh(tmp_path / "colours.ply", process=False)
    assert again.visual.vertex_colors[:, :3].tolist() == wedge(False).vertex_colors.tolist()


@pytest.mark.parametrize("textured", [True, False])
@pytest.mark.parametrize(("write", "name"), [(write_glb, "m.glb"), (write_obj, "m.obj")])
def test_same_mesh_same_bytes(tmp_path, monkeypatch, write, name, textured):
    import time

    write(wedge(textured), tmp_path / "first" / name)
    monkeypatch.setattr(time, "time", lambda: 2e9)  # another day
    write(wedge(textured), tmp_path / "second" / name)
    first, second = tmp_path / "first", tmp_path / "second"
    assert sorted(os.listdir(first)) == sorted(os.listdir(second))
    for file in os.listdir(first):
        assert (first / file).read_bytes() == (second / file).read_bytes()


@pytest.mark.parametrize(
    ("write", "name"), [(write_glb, "m.glb"), (write_obj, "m.obj"), (write_ply, "m.ply")]
)
def test_full_disk_keeps_the_old_file(tmp_path, monkeypatch, write, name):
    write(wedge(), tmp_path / name)
    before = {file: (tmp_path / file).read_bytes() for file in os.listdir(tmp_path)}

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ExportError, match=rf"{name}: got No space left on device"):
        write(wedge(textured=False), tmp_path / name)
    assert {file: (tmp_path / file).read_bytes() for file in os.listdir(tmp_path)} == before


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX resource limits")
def test_a_file_size_limit_is_an_error_too(tmp_path):
    import resource

    path = tmp_path / "noise.png"
    write_png(np.zeros((2, 2, 3), np.uint8), path)
    before = path.read_bytes()
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(ExportError, match="File too large"):
            write_png(noise, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["noise.png"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(ExportError, match=r"taken.m\.glb"):
        write_glb(wedge(), tmp_path / "taken" / "m.glb")


def test_reopening_refuses_what_is_no_mesh(tmp_path):
    (tmp_path / "bad.glb").write_bytes(b"not a mesh at all")
    with pytest.raises(ExportError, match=r"bad\.glb: got a file that cannot be read back"):
        reopen_and_check(tmp_path / "bad.glb")
    with pytest.raises(ExportError, match="cannot be read back"):
        reopen_and_check(tmp_path / "absent.glb")


def test_reopening_sees_holes_and_flat_colour(tmp_path):
    mesh = wedge(textured=False)
    grey = np.full((4, 3), 90, np.uint8)
    write_ply(Mesh(mesh.vertices, mesh.faces[:3], vertex_colors=grey), tmp_path / "open.ply")
    report = reopen_and_check(tmp_path / "open.ply")
    assert report["faces"] == 3 and not report["watertight"] and not report["colors_vary"]


def test_as_uint8_rounds_and_clamps():
    images = torch.tensor([-1.0, 0.5, 2.0]).reshape(1, 3, 1, 1)
    assert as_uint8(images).tolist() == [[[[0, 128, 255]]]]


def test_sheet_places_every_picture(tmp_path):
    color = np.stack([np.full((20, 30, 3), (200, 30 * k, 10), np.uint8) for k in range(8)])
    opacity = np.stack([np.full((20, 30), 30 * k, np.uint8) for k in range(8)])
    path = tmp_path / "sheet.png"
    write_sheet({"color": color, "opacity": opacity}, path, [f"{45 * k} deg" for k in range(8)])
    sheet = np.asarray(Image.open(path))
    for k in range(8):
        assert (sheet == color[k, 0, 0]).all(axis=-1).sum() == 20 * 30
    row_of = [np.argwhere((sheet == (200, 30 * k, 10)).all(-1)).min(axis=0) for k in range(8)]
    assert np.ptp([row for row, _ in row_of]) == 0
    assert np.diff([column for _, column in row_of]).tolist() == [32] * 7
    left = sheet[:, : row_of[0][1]]
    assert (left.min(axis=-1) < 100).sum() > 40  # the row names are there


def moving_square(size):
    frames = np.zeros((6, size, size, 3), np.uint8)
    for k in range(6):
        frames[k, 8:24, 4 * k + 2 : 4 * k + 18] = (220, 40, 40)
    return frames


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of the reader
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_turntable_is_a_video_of_the_frames(tmp_path):
    frames = moving_square(47)  # odd: H.264 needs even sides
    path, notice = write_turntable(frames, tmp_path / "turn.mp4", fps=6)
    assert notice == "" and os.listdir(tmp_path) == ["turn.mp4"]
    reader = imageio_ffmpeg.read_frames(str(path))
    meta = next(reader)
    assert meta["size"] == (48, 48) and meta["fps"] == 6 and meta["codec"] == "h264"
    got = [np.frombuffer(frame, np.uint8).reshape(48, 48, 3) for frame in reader]
    assert len(got) == 6
    for k in range(6):
        red = got[k][:47, :47, 0].astype(float)
        assert np.abs(red - frames[k, ..., 0]).mean() < 12  # lossy, but this frame
    again, _ = write_turntable(frames, tmp_path / "again.mp4", fps=6)
    assert again.read_bytes() == path.read_bytes()


def test_turntable_without_ffmpeg_is_a_gif(tmp_path, monkeypatch):
    def missing():
        raise RuntimeError("No ffmpeg exe could be found")

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", missing)
    path, notice = write_turntable(moving_square(32), tmp_path / "turn.mp4", fps=5)
    assert path.name == "turn.gif" and "No ffmpeg exe" in notice and "turn.gif" in notice
    with Image.open(path) as gif:
        assert gif.n_frames == 6 and gif.info["duration"] == 200


def test_turntable_that_cannot_be_finished_leaves_the_old_one(tmp_path, monkeypatch):
    path, _ = write_turntable(moving_square(32), tmp_path / "turn.mp4")
    before = path.read_bytes()

    def full(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ExportError, match="No space left"):
        write_turntable(moving_square(32)[:3], path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["turn.mp4"]
