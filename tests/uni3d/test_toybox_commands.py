"""`uni3d toybox sheet | render | mesh` through the command line."""

import numpy as np
import pytest

from uni3d.cameras import Cameras
from uni3d.cli import main
from uni3d.toybox.raytrace import render_toy
from uni3d.toybox.world import KINDS, Description, build_toy


def test_sheet_shows_every_kind_twice(tmp_path):
    from PIL import Image

    assert main(["toybox", "sheet", "-o", str(tmp_path / "world.png")]) == 0
    pixels = np.asarray(Image.open(tmp_path / "world.png").convert("RGB"))
    rows = -(-2 * len(KINDS) // 12)
    tiles = pixels.reshape(rows, 96, 12, 96, 3).transpose(0, 2, 1, 3, 4).reshape(-1, 96, 96, 3)
    drawn = [(np.abs(t.astype(int) - 204).max(-1) > 8).mean() > 0.03 for t in tiles]
    assert drawn == [True] * (2 * len(KINDS)) + [False] * (len(tiles) - 2 * len(KINDS))


def test_a_sheet_of_materials_has_a_row_for_each(tmp_path):
    from PIL import Image

    from uni3d.toybox.world import MATERIALS

    out = tmp_path / "materials.png"
    assert main(["toybox", "sheet", "--materials", "-o", str(out)]) == 0
    pixels = np.asarray(Image.open(out).convert("RGB"))
    assert pixels.shape == (96 * len(MATERIALS), 12 * 96, 3)
    toy = build_toy(Description(kind="man", material="golden"), np.random.default_rng(0))
    rgba = render_toy(toy, Cameras.orbit([30.0], [15.0]), 96)[0]
    expected = (rgba[:3] + (1 - rgba[3:]) * 0.8).transpose(1, 2, 0) * 255
    row = list(MATERIALS).index("golden")
    error = np.abs(pixels[row * 96 : (row + 1) * 96, 2 * 96 : 3 * 96] - expected).max(-1)
    assert (error > 1.01).mean() < 2e-3


def test_render_is_the_toy_from_eight_sides(tmp_path):
    from PIL import Image

    out = tmp_path / "corgi.png"
    assert main(["toybox", "render", "a blue corgi", "--seed", "2", "-o", str(out)]) == 0
    pixels = np.asarray(Image.open(out).convert("RGB")).astype(int)
    assert pixels.shape == (192, 8 * 192, 3)
    toy = build_toy(Description(kind="corgi", color="blue"), np.random.default_rng(2))
    third = render_toy(toy, Cameras.orbit([90.0], 15.0), 192)[0]
    expected = (third[:3] + (1 - third[3:]) * 0.9).transpose(1, 2, 0) * 255
    error = np.abs(pixels[:, 2 * 192 : 3 * 192] - expected).max(-1)
    assert (error > 1).mean() < 2e-3


@pytest.mark.parametrize("suffix", ["glb", "obj", "ply"])
def test_mesh_is_readable_and_as_large_as_the_toy(tmp_path, suffix):
    import trimesh

    out = tmp_path / f"mug.{suffix}"
    assert main(["toybox", "mesh", "a red mug", "-o", str(out)]) == 0
    mesh = trimesh.load(out, force="mesh")
    assert len(mesh.faces) > 5000
    assert 0.85 < np.linalg.norm(mesh.vertices, axis=1).max() < 0.98
    assert mesh.volume > 0  # its faces look outwards


def test_an_unknown_kind_is_a_one_line_error(tmp_path, capsys):
    out = tmp_path / "none.png"
    assert main(["toybox", "render", "a trowel", "-o", str(out)]) != 0
    told = capsys.readouterr().err.strip()
    assert "names no known kind" in told and "\n" not in told
    assert not out.exists()
