"""Meshes as files for viewers: GLB, OBJ, PLY; for printers see `uni3d.mesh.solid`.

Every file appears whole or not at all. Nothing depends on the clock, so the same input gives the
same bytes.

GLB and OBJ are y up with the front towards +z, as their viewers expect; PLY keeps the world's
z up, which is what PLY importers assume.
"""

import os
import pathlib
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uni3d.errors import ExportError
from uni3d.mesh.rasterize import vertex_normals
from uni3d.mesh.solid import welded
from uni3d.mesh.types import Mesh
from uni3d.storage.whole import replace_all

__all__ = [
    "as_trimesh",
    "read_glb",
    "reopen_and_check",
    "write_glb",
    "write_obj",
    "write_ply",
]

PathLike = str | os.PathLike[str]
UNLIT = "KHR_materials_unlit"


def write_glb(mesh: Mesh, path: PathLike, *, unlit: bool = False) -> None:
    """Binary glTF 2: y up, front +z, smooth normals, a matte material.

    unlit: viewers that know KHR_materials_unlit show the colours as they are, without light.

    glTF takes vertex colours as linear light, unlike textures; they are converted, or they
    would look pale.
    """
    shape = _y_up_shape(mesh, linear_colors=True)

    def finish(tree: dict[str, Any]) -> None:
        _add_missing_material(tree)
        if unlit:
            tree["extensionsUsed"] = [*tree.get("extensionsUsed", []), UNLIT]
            for material in tree["materials"]:
                material["extensions"] = {UNLIT: {}}

    data = shape.export(file_type="glb", include_normals=True, tree_postprocessor=finish)
    replace_all({pathlib.Path(path): data})


def _add_missing_material(tree: dict[str, Any]) -> None:
    """Give material-less (vertex-coloured) parts a matte one: glTF's default is dark metal."""
    matte = {"pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 1.0}}
    for part in tree["meshes"]:
        for primitive in part["primitives"]:
            if "material" not in primitive:
                tree.setdefault("materials", []).append(matte)
                primitive["material"] = len(tree["materials"]) - 1


def write_obj(mesh: Mesh, path: PathLike) -> None:
    """Wavefront OBJ (y up) with, for a textured mesh, `<stem>.mtl` and `<stem>.png` beside it."""
    import trimesh.visual
    from trimesh.exchange.obj import export_obj

    path = pathlib.Path(path)
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", path.stem)  # readers split material names at spaces
    shape = _y_up_shape(mesh)
    if mesh.texture is not None:
        # Readers multiply the texture by Kd; the conversion of the GLB's material makes that 0.4.
        shape.visual.material = trimesh.visual.material.SimpleMaterial(
            image=shape.visual.material.baseColorTexture,
            diffuse=(255, 255, 255, 255),
            ambient=(255, 255, 255, 255),
            specular=(0, 0, 0, 255),
            name=stem,
        )
    text, companions = export_obj(
        shape, include_normals=True, return_texture=True, mtl_name=f"{stem}.mtl"
    )
    files = {path.parent / name: data for name, data in companions.items()}
    replace_all({**files, path: text.encode()})  # the OBJ last: it is the one that refers


def write_ply(mesh: Mesh, path: PathLike) -> None:
    """Binary PLY in world axes (z up) with vertex colours, sampled from the texture if need be."""
    import trimesh

    vertices, faces, rgb = mesh.vertices, mesh.faces, mesh.vertex_colors
    if rgb is None and mesh.texture is not None:
        vertices, faces, rgb = welded(mesh)
    shape = trimesh.Trimesh(vertices, faces, vertex_colors=rgb, process=False)
    data: Any = shape.export(file_type="ply")
    replace_all({pathlib.Path(path): data})


def as_trimesh(mesh: Mesh) -> Any:
    """The mesh as a `trimesh.Trimesh`, in world axes, with its texture or vertex colours."""
    import trimesh

    return trimesh.Trimesh(mesh.vertices, mesh.faces, visual=_visual(mesh), process=False)


def read_glb(path: PathLike) -> Mesh:
    """A mesh as `write_glb` wrote it, back in world axes. ExportError for a damaged file."""
    shape = _only_part(path)
    vertices = np.ascontiguousarray(np.asarray(shape.vertices, np.float32)[:, [2, 0, 1]])
    faces, texture = np.asarray(shape.faces, np.int32), _texture_of(shape)
    if texture is not None:
        return Mesh(vertices, faces, uv=np.asarray(shape.visual.uv, np.float32), texture=texture)
    colors = _vertex_colors_of(shape)
    return Mesh(vertices, faces, vertex_colors=None if colors is None else _linear_to_srgb(colors))


def _visual(mesh: Mesh, linear_colors: bool = False) -> Any:
    """The mesh's colours as trimesh keeps them."""
    import trimesh.visual
    from PIL import Image

    visual = None
    if mesh.texture is not None and mesh.uv is not None:
        material = trimesh.visual.material.PBRMaterial(
            baseColorTexture=Image.fromarray(mesh.texture),
            metallicFactor=0.0,
            roughnessFactor=1.0,
        )
        visual = trimesh.visual.TextureVisuals(uv=mesh.uv, material=material)
    elif mesh.vertex_colors is not None:
        rgb = _srgb_to_linear(mesh.vertex_colors) if linear_colors else mesh.vertex_colors
        visual = trimesh.visual.ColorVisuals(vertex_colors=rgb)
    return visual


def _y_up_shape(mesh: Mesh, linear_colors: bool = False) -> Any:
    """The mesh with y up as trimesh's object, untouched otherwise."""
    import trimesh

    return trimesh.Trimesh(
        _y_up(mesh.vertices),
        mesh.faces,
        vertex_normals=_y_up(vertex_normals(mesh.vertices, mesh.faces)),
        visual=_visual(mesh, linear_colors),
        process=False,
    )


def _y_up(vectors: NDArray) -> NDArray:
    """World (front +x, left +y, up +z) to glTF (front +z, left +x, up +y): a pure rotation."""
    return np.ascontiguousarray(np.asarray(vectors)[:, [1, 2, 0]])


def _srgb_to_linear(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    value = rgb / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return np.rint(linear * 255).astype(np.uint8)


def _linear_to_srgb(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    value = rgb / 255
    curved = np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055)
    return np.rint(curved * 255).astype(np.uint8)


def reopen_and_check(path: PathLike) -> dict[str, Any]:
    """Read a written mesh back with trimesh and say what is in it.

    Keys: faces, vertices, bounds (low and high corner), watertight (with equal positions merged),
    textured, colors_vary (texture or vertex colours are not all the same), bytes.
    Raises ExportError when the file cannot be read, has no faces or no finite size.
    """
    import trimesh

    path = pathlib.Path(path)
    shape = _only_part(path)
    if len(shape.faces) == 0 or not np.isfinite(shape.vertices).all():
        raise ExportError(
            f"{path}: got {len(shape.faces)} faces, want a finite mesh; do: export again"
        )
    texture = _texture_of(shape)
    colors = texture if texture is not None else _vertex_colors_of(shape)
    welded = trimesh.Trimesh(shape.vertices, shape.faces, process=False)
    welded.merge_vertices()
    return {
        "faces": len(shape.faces),
        "vertices": len(shape.vertices),
        "bounds": shape.bounds.tolist(),
        "watertight": bool(welded.is_watertight),
        "textured": texture is not None,
        "colors_vary": colors is not None and bool(np.ptp(colors.reshape(-1, 3), axis=0).any()),
        "bytes": path.stat().st_size,
    }


def _only_part(path: PathLike) -> Any:
    """The one mesh of a file. ExportError when it cannot be read."""
    import trimesh

    try:
        # Not load_mesh: joining the parts of a scene loses vertex colours beside a material.
        (shape,) = trimesh.load_scene(pathlib.Path(path), process=False).geometry.values()
    except Exception as error:  # trimesh raises whatever its parsers happen to raise
        raise ExportError(
            f"{path}: got a file that cannot be read back ({error}); do: export again"
        ) from error
    return shape


def _texture_of(shape: Any) -> NDArray[np.uint8] | None:
    """The colour picture of a trimesh mesh, `[h, w, 3]`, if it has one."""
    material = getattr(shape.visual, "material", None)
    if material is None or getattr(shape.visual, "uv", None) is None:
        return None
    picture = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    return None if picture is None else np.asarray(picture.convert("RGB"))


def _vertex_colors_of(shape: Any) -> NDArray[np.uint8] | None:
    """Vertex colours `[v, 3]`; trimesh keeps them elsewhere when there is a material too."""
    if shape.visual.kind == "vertex":
        return np.asarray(shape.visual.vertex_colors)[:, :3]
    colors = getattr(shape.visual, "vertex_attributes", {}).get("color")
    return None if colors is None else np.asarray(colors)[:, :3]
