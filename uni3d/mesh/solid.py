"""Meshes for printers: STL and 3MF, in millimetres, z up, standing on z = 0, front towards -y.

Slicers look at the plate from -y, so that is where the front goes. Inner voids are filled: no
printer can reach them, and resin would stay in them.
"""

import dataclasses
import os
import pathlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uni3d.errors import ExportError
from uni3d.mesh.rasterize import sample_texture
from uni3d.mesh.simplify import compact, component_labels, signed_volume
from uni3d.mesh.types import Mesh
from uni3d.storage.whole import replace_all

__all__ = ["Solid", "as_solid", "welded", "write_3mf", "write_stl"]

PathLike = str | os.PathLike[str]
# 3MF wants names for its parts; fixed ones, so that the same mesh gives the same bytes.
_UUIDS = [f"75af7a3e-3d00-4000-8000-{k:012x}" for k in range(3)]


@dataclasses.dataclass(frozen=True)
class Solid:
    """What is printed. vertices: float64 `[v, 3]` in millimetres; faces: int32 `[f, 3]`;
    colors: uint8 `[v, 3]` (sRGB) or None; watertight: every edge has two faces that agree."""

    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]
    colors: NDArray[np.uint8] | None
    watertight: bool


def welded(mesh: Mesh) -> tuple[NDArray, NDArray, NDArray[np.uint8] | None]:
    """(vertices, faces, colours `[v, 3]`) with every position once and the mean of its colours."""
    rgb = None if mesh.vertex_colors is None else mesh.vertex_colors / 255
    if mesh.texture is not None and mesh.uv is not None:
        rgb = sample_texture(mesh.texture, mesh.uv)
    vertices, weld = np.unique(mesh.vertices, axis=0, return_inverse=True)
    weld = weld.reshape(-1)
    if rgb is None:
        return vertices, weld[mesh.faces], None
    count = np.bincount(weld)[:, None]
    total = np.stack([np.bincount(weld, rgb[:, k]) for k in range(3)], axis=-1)
    return vertices, weld[mesh.faces], np.rint(total / count * 255).astype(np.uint8)


def as_solid(mesh: Mesh, size_mm: float) -> Solid:
    """The mesh welded, its voids filled and small holes closed, its longest side `size_mm`."""
    import trimesh

    vertices, faces, colors = welded(mesh)
    first, second, third = faces.T
    faces = faces[(first != second) & (second != third) & (third != first)]
    faces = _without_voids(vertices, faces)
    shape = trimesh.Trimesh(vertices, faces, process=False)
    if not shape.is_watertight:
        trimesh.repair.fill_holes(shape)  # adds faces between the vertices that are there
        faces = np.asarray(shape.faces)
    watertight = bool(shape.is_watertight and shape.is_winding_consistent)
    used = np.unique(faces)
    vertices, faces = compact(vertices, faces)
    points = np.asarray(vertices, np.float64) @ np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])
    low, high = points.min(axis=0), points.max(axis=0)
    middle = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
    points = (points - middle) * (size_mm / (high - low).max())
    return Solid(
        points, faces.astype(np.int32), None if colors is None else colors[used], watertight
    )


def _without_voids(vertices: NDArray, faces: NDArray) -> NDArray:
    """The faces but those of shells that are turned inwards: walls of enclosed empty space."""
    label = component_labels(faces, len(vertices))
    hollow = []
    for k in np.unique(label):
        part = faces[label == k]
        # About its own middle, so that the sign is right for a part with a hole in it, too.
        if signed_volume(vertices - vertices[part].mean(axis=(0, 1)), part) < 0:
            hollow.append(k)
    outer = faces[~np.isin(label, hollow)]
    if len(outer) == 0:
        raise ExportError("mesh: got only surfaces that face inwards, want a solid; turn the faces")
    return outer


def write_stl(mesh: Mesh, path: PathLike, size_mm: float = 80.0) -> Solid:
    """Binary STL in millimetres; STL has no colours. Returns what was written."""
    import trimesh

    solid = as_solid(mesh, size_mm)
    data: Any = trimesh.Trimesh(solid.vertices, solid.faces, process=False).export(file_type="stl")
    replace_all({pathlib.Path(path): data})
    return solid


def write_3mf(mesh: Mesh, path: PathLike, size_mm: float = 80.0) -> Solid:
    """3MF (core and materials extension) in millimetres, with vertex colours. Needs lib3mf."""
    import lib3mf

    solid = as_solid(mesh, size_mm)
    model: Any = lib3mf.get_wrapper().CreateModel()
    model.SetUnit(lib3mf.ModelUnit.MilliMeter)
    thing = model.AddMeshObject()
    thing.SetName("uni3d")
    points = [lib3mf.Position((x, y, z)) for x, y, z in solid.vertices.tolist()]
    thing.SetGeometry(points, [lib3mf.Triangle(tuple(face)) for face in solid.faces.tolist()])
    if solid.colors is not None:
        _paint(model, thing, solid.faces, solid.colors)
    item = model.AddBuildItem(thing, lib3mf.get_wrapper().GetIdentityTransform())
    model.SetBuildUUID(_UUIDS[0])
    item.SetUUID(_UUIDS[1])
    thing.SetUUID(_UUIDS[2])
    buffer = model.QueryWriter("3mf").WriteToBuffer()
    replace_all({pathlib.Path(path): bytes(buffer)})
    return solid


def _paint(model: Any, thing: Any, faces: NDArray, colors: NDArray[np.uint8]) -> None:
    """Give each corner of each triangle the colour of its vertex."""
    import lib3mf

    palette, index = np.unique(colors, axis=0, return_inverse=True)
    group = model.AddColorGroup()
    ids = np.array([group.AddColor(lib3mf.Color(*rgb, 255)) for rgb in palette.tolist()])
    corners = ids[index.reshape(-1)][faces].tolist()
    resource = group.GetResourceID()
    thing.SetAllTriangleProperties(
        [lib3mf.TriangleProperties(resource, tuple(corner)) for corner in corners]
    )
    thing.SetObjectLevelProperty(resource, int(ids[0]))
