"""Meshes as USDZ, what iOS asks for: y up, front +z, one texture, in real size.

The package is a zip whose entries are stored and start at multiples of 64 bytes (USDZ
specification, Pixar); `usd-core` writes it.
"""
# usd-core has no type stubs: its names are made when it is loaded.
# pyright: reportAttributeAccessIssue=false

import os
import pathlib
import tempfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uni3d.errors import ExportError
from uni3d.mesh.rasterize import vertex_normals
from uni3d.mesh.types import Mesh
from uni3d.storage.whole import replace_all

__all__ = ["reopen_usdz", "write_usdz"]

PathLike = str | os.PathLike[str]
_BLOCK = 4  # texels along the patch of a face where vertex colours become a texture


def write_usdz(mesh: Mesh, path: PathLike, size_mm: float = 80.0, *, unlit: bool = False) -> None:
    """USDZ with UsdPreviewSurface; vertex colours become a texture, for iOS shows no others.

    unlit: the colours glow by themselves and take no light. Needs usd-core.
    """
    from PIL import Image
    from pxr import Sdf, Usd, UsdGeom, UsdShade

    st, texture = _texture(mesh)  # [3 f, 2], one per corner
    with tempfile.TemporaryDirectory(prefix="uni3d-usd-") as name:
        folder = pathlib.Path(name)
        Image.fromarray(texture).save(folder / "color.png")
        stage = Usd.Stage.CreateNew(str(folder / "model.usdc"))
        UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
        UsdGeom.SetStageMetersPerUnit(stage, UsdGeom.LinearUnits.centimeters)
        root = UsdGeom.Xform.Define(stage, "/Model")
        Usd.ModelAPI(root.GetPrim()).SetKind("component")
        stage.SetDefaultPrim(root.GetPrim())
        shape = _geometry(UsdGeom.Mesh.Define(stage, "/Model/Mesh"), mesh, size_mm, st)
        material = _material(stage, UsdShade, Sdf, unlit)
        UsdShade.MaterialBindingAPI.Apply(shape.GetPrim()).Bind(material)
        stage.GetRootLayer().Save()
        del shape, material, root, stage
        data = _package(folder, ["model.usdc", "color.png"])
    replace_all({pathlib.Path(path): data})


def _geometry(shape: Any, mesh: Mesh, size_mm: float, st: NDArray) -> Any:
    from pxr import Sdf, UsdGeom, Vt

    points = mesh.vertices[:, [1, 2, 0]].astype(np.float32)  # y up, front +z
    low, high = points.min(axis=0), points.max(axis=0)
    middle = np.array([(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2], np.float32)
    points = (points - middle) * np.float32(size_mm / 10 / (high - low).max())
    normals = vertex_normals(mesh.vertices, mesh.faces)[:, [1, 2, 0]].astype(np.float32)
    shape.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(points)))
    shape.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(len(mesh.faces), 3, np.int32)))
    shape.CreateFaceVertexIndicesAttr(
        Vt.IntArray.FromNumpy(np.ascontiguousarray(mesh.faces, np.int32).reshape(-1))
    )
    shape.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(normals)))
    shape.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    shape.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    shape.CreateExtentAttr(Vt.Vec3fArray.FromNumpy(np.stack([points.min(0), points.max(0)])))
    primvar = UsdGeom.PrimvarsAPI(shape.GetPrim()).CreatePrimvar(
        "st", Sdf.ValueTypeNames.TexCoord2fArray, UsdGeom.Tokens.faceVarying
    )
    primvar.Set(Vt.Vec2fArray.FromNumpy(np.ascontiguousarray(st, np.float32)))
    return shape


def _material(stage: Any, shade: Any, sdf: Any, unlit: bool) -> Any:
    """A matte preview surface whose colour is color.png."""
    types = sdf.ValueTypeNames
    material = shade.Material.Define(stage, "/Model/Material")
    surface = shade.Shader.Define(stage, "/Model/Material/Surface")
    surface.CreateIdAttr("UsdPreviewSurface")
    surface.CreateInput("roughness", types.Float).Set(1.0)
    surface.CreateInput("metallic", types.Float).Set(0.0)
    reader = shade.Shader.Define(stage, "/Model/Material/Reader")
    reader.CreateIdAttr("UsdPrimvarReader_float2")
    reader.CreateInput("varname", types.String).Set("st")
    picture = shade.Shader.Define(stage, "/Model/Material/Texture")
    picture.CreateIdAttr("UsdUVTexture")
    picture.CreateInput("file", types.Asset).Set("color.png")
    picture.CreateInput("sourceColorSpace", types.Token).Set("sRGB")
    for wrap in ("wrapS", "wrapT"):
        picture.CreateInput(wrap, types.Token).Set("clamp")
    picture.CreateInput("st", types.Float2).ConnectToSource(
        reader.CreateOutput("result", types.Float2)
    )
    colour = surface.CreateInput("emissiveColor" if unlit else "diffuseColor", types.Color3f)
    colour.ConnectToSource(picture.CreateOutput("rgb", types.Float3))
    if unlit:
        surface.CreateInput("diffuseColor", types.Color3f).Set((0, 0, 0))
    material.CreateSurfaceOutput().ConnectToSource(surface.CreateOutput("surface", types.Token))
    return material


def _texture(mesh: Mesh) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Coordinates of every corner `[3 f, 2]` and the picture `[h, w, 3]` they look into."""
    if mesh.uv is not None and mesh.texture is not None:
        return mesh.uv[mesh.faces.reshape(-1)], mesh.texture
    count = len(mesh.faces)
    rgb = np.full((count, 3), 200.0)
    if mesh.vertex_colors is not None:
        rgb = mesh.vertex_colors[mesh.faces].mean(axis=1)
    side = int(np.ceil(np.sqrt(count)))
    cells = np.zeros((side * side, 3), np.uint8)
    cells[:count] = np.rint(rgb)
    texture = cells.reshape(side, side, 3).repeat(_BLOCK, axis=0).repeat(_BLOCK, axis=1)
    row, column = np.divmod(np.arange(count), side)
    uv = np.stack([(column + 0.5) / side, 1 - (row + 0.5) / side], axis=-1)
    return uv.astype(np.float32).repeat(3, axis=0), texture


def _package(folder: pathlib.Path, names: list[str]) -> bytes:
    """The files as one USDZ, the same bytes for the same content."""
    from pxr import Sdf

    for name in names:  # the zip keeps times of its files
        os.utime(folder / name, (315_619_200, 315_619_200))  # 1980-01-02, near the zip's first day
    made = folder / "made.usdz"
    with Sdf.ZipFileWriter.CreateNew(str(made)) as writer:
        for name in names:
            writer.AddFile(str(folder / name), name)
    return made.read_bytes()


def reopen_usdz(path: PathLike) -> dict[str, Any]:
    """Read a USDZ back with usd-core and say what is in it; keys as `reopen_and_check`'s.

    bounds are in metres. Raises ExportError where it cannot be read or holds no mesh.
    """
    import trimesh
    from pxr import Tf, Usd, UsdGeom

    path = pathlib.Path(path)
    try:
        stage = Usd.Stage.Open(str(path))
        shape = UsdGeom.Mesh(stage.GetPrimAtPath(f"{stage.GetDefaultPrim().GetPath()}/Mesh"))
        points = np.asarray(shape.GetPointsAttr().Get(), np.float64)
        faces = np.asarray(shape.GetFaceVertexIndicesAttr().Get()).reshape(-1, 3)
        scale = UsdGeom.GetStageMetersPerUnit(stage)
    except (Tf.ErrorException, RuntimeError, ValueError, AttributeError) as error:
        raise ExportError(
            f"{path}: got a file that cannot be read back ({error}); do: export again"
        ) from error
    if len(faces) == 0 or not np.isfinite(points).all():
        raise ExportError(f"{path}: got {len(faces)} faces, want a finite mesh; do: export again")
    joined = trimesh.Trimesh(points, faces, process=False)
    joined.merge_vertices()
    return {
        "faces": len(faces),
        "vertices": len(points),
        "bounds": (np.stack([points.min(0), points.max(0)]) * scale).tolist(),
        "watertight": bool(joined.is_watertight),
        "textured": True,
        "bytes": path.stat().st_size,
    }
