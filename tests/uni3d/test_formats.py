"""STL, 3MF and USDZ: read back by other libraries, in the right size, closed, painted, whole."""

import importlib.util
import json
import struct
import zipfile

import numpy as np
import pytest
import trimesh
import yaml
from tiny import TINY

from uni3d.cli import main
from uni3d.errors import ConfigError, ExportError, MissingExtraError
from uni3d.mesh.files import write_glb
from uni3d.mesh.formats import check_formats
from uni3d.mesh.solid import as_solid, write_3mf, write_stl
from uni3d.mesh.types import FileOptions, Mesh
from uni3d.mesh.usd import reopen_usdz, write_usdz
from uni3d.run import finish
from uni3d.run.folder import read_config

FRONT, LEFT, UP = 0.9, 0.5, 0.3  # of a box whose middle is nowhere special


@pytest.fixture
def lib3mf():
    return pytest.importorskip("lib3mf", reason="pip install -e '.[print]'")


@pytest.fixture
def pxr():
    return pytest.importorskip("pxr", reason="pip install -e '.[usd]'")


def brick(colors=True) -> Mesh:
    """A box of FRONT x LEFT x UP with a red front corner, else blue."""
    box = trimesh.creation.box((FRONT, LEFT, UP))
    rgb = np.tile(np.array([0, 0, 255], np.uint8), (8, 1))
    rgb[(box.vertices > 0).all(axis=1)] = (255, 0, 0)
    vertices = (box.vertices + np.array([3.0, -1.0, 0.5])).astype(np.float32)
    return Mesh(vertices, box.faces.astype(np.int32), vertex_colors=rgb if colors else None)


def joined(*shapes: trimesh.Trimesh) -> Mesh:
    one = trimesh.util.concatenate(shapes)
    return Mesh(one.vertices.astype(np.float32), one.faces.astype(np.int32))


def reread(lib3mf, path):
    model = lib3mf.get_wrapper().CreateModel()
    model.QueryReader("3mf").ReadFromFile(str(path))
    meshes = model.GetMeshObjects()
    assert meshes.MoveNext()
    return model, meshes.GetCurrentMeshObject()


def test_stl_is_in_millimetres_stands_on_the_plate_and_faces_the_slicer(tmp_path):
    write_stl(brick(), tmp_path / "brick.stl", 90.0)
    shape = trimesh.load(tmp_path / "brick.stl")
    # The front (x of the world) goes to -y, the left to +x: 90 : 50 : 30 with the front longest.
    np.testing.assert_allclose(shape.bounds, [[-25, -45, 0], [25, 45, 30]], atol=1e-4)
    assert shape.is_watertight and shape.volume == pytest.approx(90 * 50 * 30, rel=1e-5)
    # The red corner, front left above, is at the slicer's right front.
    red = as_solid(brick(), 90.0)
    (corner,) = red.vertices[(red.colors == (255, 0, 0)).all(axis=1)]
    np.testing.assert_allclose(corner, [25, -45, 30], atol=1e-4)
    # Read by the bytes: 80 of header, the count, 50 for each triangle.
    data = (tmp_path / "brick.stl").read_bytes()
    assert struct.unpack("<I", data[80:84]) == (12,) and len(data) == 84 + 12 * 50


def test_3mf_has_units_colours_and_a_manifold(tmp_path, lib3mf):
    path = tmp_path / "brick.3mf"
    write_3mf(brick(), path, 90.0)
    model, shape = reread(lib3mf, path)
    assert model.GetUnit() == lib3mf.ModelUnit.MilliMeter
    assert shape.IsManifoldAndOriented()
    points = np.array([list(v.Coordinates) for v in shape.GetVertices()])
    np.testing.assert_allclose(np.ptp(points, axis=0), [50, 90, 30], atol=1e-3)
    group = model.GetColorGroupByID(shape.GetTriangleProperties(0).ResourceID)
    for k in range(shape.GetTriangleCount()):
        corners = shape.GetTriangle(k).Indices
        for vertex, color in zip(corners, shape.GetTriangleProperties(k).PropertyIDs, strict=True):
            got = group.GetColor(color)
            red = np.allclose(points[vertex], [25, -45, 30], atol=1e-3)
            assert (got.Red, got.Green, got.Blue) == ((255, 0, 0) if red else (0, 0, 255))
    other = trimesh.load_scene(path, process=False)  # by another library
    assert other.units == "millimeter"
    np.testing.assert_allclose(other.extents, [50, 90, 30], atol=1e-3)


def test_a_mesh_without_colours_prints_too(tmp_path, lib3mf):
    write_3mf(brick(colors=False), tmp_path / "plain.3mf")
    _, shape = reread(lib3mf, tmp_path / "plain.3mf")
    assert shape.IsManifoldAndOriented() and shape.GetTriangleCount() == 12


def test_inner_voids_are_filled_and_other_parts_stay():
    void = trimesh.creation.icosphere(2, radius=0.2)
    void.invert()
    beside = trimesh.creation.icosphere(2, radius=0.1).apply_translation((2, 0, 0))
    solid = as_solid(joined(trimesh.creation.icosphere(3, radius=0.5), void, beside), 100.0)
    shape = trimesh.Trimesh(solid.vertices, solid.faces)
    assert shape.body_count == 2 and solid.watertight
    scale = 100 / 2.6
    expected = sum(4 / 3 * np.pi * (r * scale) ** 3 for r in (0.5, 0.1))
    assert shape.volume == pytest.approx(expected, rel=0.03)  # of a polyhedron in the ball
    hollow = joined(trimesh.creation.icosphere(3, radius=0.5), void)
    assert trimesh.Trimesh(hollow.vertices, hollow.faces).volume < 0.95 * 4 / 3 * np.pi * 0.5**3
    with pytest.raises(ExportError, match="face inwards"):
        as_solid(joined(void), 10.0)


def test_small_holes_are_closed_and_large_ones_are_told():
    ball = trimesh.creation.icosphere(3, radius=0.5)
    one_less = Mesh(ball.vertices.astype(np.float32), ball.faces[1:].astype(np.int32))
    closed = as_solid(one_less, 50.0)
    assert closed.watertight and len(closed.faces) == len(ball.faces)
    half = ball.faces[(ball.triangles_center[:, 2] > 0.1)].astype(np.int32)
    for height in (0.0, -5.0):  # seen from the origin, the lower one faces inwards
        open_ = Mesh((ball.vertices + np.array([0, 0, height])).astype(np.float32), half)
        assert not as_solid(open_, 50.0).watertight
        assert len(as_solid(open_, 50.0).faces) == len(half)


def test_the_same_mesh_gives_the_same_bytes(tmp_path, lib3mf, pxr, monkeypatch):
    for k, later in enumerate((0, 100_000_000)):
        import time

        now = time.time
        monkeypatch.setattr(time, "time", lambda now=now, later=later: now() + later)
        for write, suffix in ((write_stl, "stl"), (write_3mf, "3mf"), (write_usdz, "usdz")):
            write(brick(), tmp_path / f"{k}.{suffix}")
    for suffix in ("stl", "3mf", "usdz"):
        first, second = ((tmp_path / f"{k}.{suffix}").read_bytes() for k in (0, 1))
        assert first == second, suffix


def usd_errors(path) -> list[str]:
    from pxr import Usd, UsdValidation

    every = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    assert len(every) > 20
    found = UsdValidation.ValidationContext(every).Validate(Usd.Stage.Open(str(path)))
    return [error.GetMessage() for error in found]


def test_usdz_is_what_the_specification_asks_for(tmp_path, pxr):
    path = tmp_path / "brick.usdz"
    write_usdz(brick(), path, 90.0)
    with zipfile.ZipFile(path) as package:
        entries = package.infolist()
        assert [e.filename for e in entries] == ["model.usdc", "color.png"]
        assert all(e.compress_type == zipfile.ZIP_STORED for e in entries)
    data = path.read_bytes()
    for entry in entries:  # the local header says where the content begins
        name, extra = struct.unpack(
            "<HH", data[entry.header_offset + 26 : entry.header_offset + 30]
        )
        assert (entry.header_offset + 30 + name + extra) % 64 == 0
    assert usd_errors(path) == []
    report = reopen_usdz(path)
    assert report["faces"] == 12 and report["watertight"]
    # metres: x is the left, y is up and from 0, z is the front
    np.testing.assert_allclose(
        report["bounds"], [[-0.025, 0, -0.045], [0.025, 0.03, 0.045]], atol=1e-6
    )


def test_usd_validators_notice_a_bad_package(tmp_path, pxr):
    """The guard itself: content at other offsets, and a missing picture, are told."""
    write_usdz(brick(), tmp_path / "good.usdz")
    for left_out in ("", "color.png"):
        bad = tmp_path / f"bad-{left_out}.usdz"
        good = zipfile.ZipFile(tmp_path / "good.usdz")
        with good, zipfile.ZipFile(bad, "w") as package:
            for name in good.namelist():
                if name != left_out:
                    package.writestr(name, good.read(name))
        said = usd_errors(bad)
        assert any("invalid offset" in line for line in said)
        assert any("unresolvable" in line for line in said) == bool(left_out)


def test_usdz_carries_the_texture_and_bakes_vertex_colours(tmp_path, pxr):
    import io

    from PIL import Image
    from pxr import Usd, UsdGeom
    from test_export import wedge

    for name, mesh in (("wedge", wedge()), ("brick", brick())):
        path = tmp_path / f"{name}.usdz"
        write_usdz(mesh, path)
        with zipfile.ZipFile(path) as package:
            texture = np.asarray(Image.open(io.BytesIO(package.read("color.png"))))
        stage = Usd.Stage.Open(str(path))
        shape = UsdGeom.Mesh(stage.GetPrimAtPath("/Model/Mesh"))
        st = np.asarray(UsdGeom.PrimvarsAPI(shape).GetPrimvar("st").Get()).reshape(-1, 3, 2)
        middle = st.mean(axis=1)
        column = (middle[:, 0] * texture.shape[1]).astype(int)
        row = ((1 - middle[:, 1]) * texture.shape[0]).astype(int)
        if mesh.texture is not None:
            assert np.array_equal(texture, mesh.texture)
            want = [(250, 10, 20), (30, 240, 40), (50, 60, 230), (200, 190, 70)]
        else:
            want = np.rint(mesh.vertex_colors[mesh.faces].mean(axis=1))
        np.testing.assert_array_equal(texture[row, column], want)


def test_unlit_is_asked_for_by_name(tmp_path, pxr):
    from pxr import Usd, UsdShade

    for unlit in (False, True):
        write_glb(brick(), tmp_path / "brick.glb", unlit=unlit)
        data = (tmp_path / "brick.glb").read_bytes()
        (length,) = struct.unpack("<I", data[12:16])
        tree = json.loads(data[20 : 20 + length])
        assert ("KHR_materials_unlit" in tree.get("extensionsUsed", [])) == unlit
        assert all(("extensions" in m) == unlit for m in tree["materials"])
        path = tmp_path / f"unlit-{unlit}.usdz"
        write_usdz(brick(), path, unlit=unlit)
        stage = Usd.Stage.Open(str(path))
        surface = UsdShade.Shader(stage.GetPrimAtPath("/Model/Material/Surface"))
        glows = surface.GetInput("emissiveColor")
        assert bool(glows and glows.HasConnectedSource()) == unlit
        assert surface.GetInput("diffuseColor").HasConnectedSource() != unlit
        assert usd_errors(path) == []


@pytest.mark.parametrize(
    ("name", "module", "command"),
    [("3mf", "lib3mf", "pip install -e '.[print]'"), ("usdz", "pxr", "pip install -e '.[usd]'")],
)
def test_a_format_without_its_extra_names_the_command(monkeypatch, name, module, command):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *a: None if n == module else found(n, *a)
    )
    with pytest.raises(MissingExtraError) as error:
        check_formats(["glb", name])
    assert command in str(error.value) and "\n" not in str(error.value)
    assert check_formats(["stl", "glb", "stl"]) == ("stl", "glb")  # need no extra


def test_formats_and_sizes_out_of_range_are_one_line():
    with pytest.raises(ConfigError, match=r"'fbx'.*glb, obj, ply, stl, 3mf, usdz"):
        check_formats(["fbx"])
    for size in (0.0, -5.0, float("nan"), float("inf")):
        with pytest.raises(ExportError, match="size-mm"):
            FileOptions(size_mm=size)


def test_export_flags_reach_the_files(tiny_folder, tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(TINY | {"teacher": str(tiny_folder)}))
    monkeypatch.setattr(finish, "TURNTABLE_FRAMES", 2)
    monkeypatch.setattr(finish, "TURNTABLE_SIZE", 16)
    monkeypatch.setattr(finish, "SHEET_SIZE", 16)
    made = ["a corgi", "--config", str(tmp_path / "c.yaml"), "--out", str(run), "--steps", "2"]
    assert main([*made, "--formats", "ply", "--faces", "300"]) == 0
    assert read_config(run).mesh.target_faces == 300  # a resumed run has it, too
    many = json.loads((run / "report.json").read_text())["mesh"]["faces"]
    flags = ["--formats", "stl,glb", "--size-mm", "50", "--faces", "120", "--unlit"]
    capsys.readouterr()
    assert main(["export", str(run), *flags]) == 0
    report = json.loads((run / "report.json").read_text())
    assert report["mesh"]["faces"] <= 120 < many <= 300
    shape = trimesh.load(run / "mesh.stl")
    assert max(shape.extents) == pytest.approx(50, abs=1e-3)
    assert b"KHR_materials_unlit" in (run / "mesh.glb").read_bytes()
    told = capsys.readouterr().err
    assert ("mesh.stl: " in told) and ("NOT watertight" in told) != shape.is_watertight
