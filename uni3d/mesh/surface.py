"""Density field -> textured triangle mesh, all on the CPU and the same every time.

Densities are sampled and blurred and the level of the surface is found (`uni3d.mesh.level`). Then
floaters go, marching-cubes stairs are smoothed, faces are reduced (before texture coordinates are
made, which otherwise take for ever) and what the field shows from straight ahead of each surface
point is baked into a texture.
"""

import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uni3d.cameras import Cameras
from uni3d.errors import ExportError
from uni3d.mesh.bake import bake
from uni3d.mesh.level import (
    PointFunction,
    blurred,
    choose_level,
    fill_cavities,
    marching_surface,
    sample_grid,
    silhouette_iou,
)
from uni3d.mesh.rasterize import vertex_normals
from uni3d.mesh.simplify import decimate, drop_small_components, signed_volume, taubin_smooth
from uni3d.mesh.types import LOOK_SAMPLES, Mesh, MeshConfig, MeshReport
from uni3d.mesh.unwrap import unwrap

__all__ = ["extract_mesh"]

Field = Callable[[Tensor], tuple[Tensor, Tensor]]

LOOK = (-1.0, 5.0)  # pixels below the surface that make a texel's colour


def extract_mesh(
    density: PointFunction,
    field: Field,
    cameras: Cameras,
    opacity: Tensor,
    pixel: float,
    config: MeshConfig | None = None,
) -> tuple[Mesh, MeshReport]:
    """Take the surface out of a field.

    density: points float32 `[n, 3]` in [-1, 1] -> density `[n]` (per scene unit, >= 0).
    field: the same points -> the same density `[n]` and colours `[n, 3]` in [0, 1].
    cameras, opacity `[len(cameras), h, w]`: views and the opacity the field renders in them; the
    level of the surface is chosen to reproduce opacity > 0.5.
    pixel: scene units from pixel to pixel of the pictures that the field was fitted to.

    Raises ExportError when the field is empty or not finite.
    """
    config = config or MeshConfig()
    seconds: dict[str, float] = {}
    started = time.perf_counter()

    def lap(stage: str) -> None:
        nonlocal started
        now = time.perf_counter()
        seconds[stage] = round(now - started, 3)
        started = now

    views = _checked_opacity(opacity, cameras)
    grid = blurred(sample_grid(density, config), config.blur * pixel)
    lap("sample")
    level = choose_level(grid, cameras, views, config.levels)
    lap("level")
    surface = marching_surface(fill_cavities(grid, level), level)
    vertices, faces, dropped = drop_small_components(*surface, config.min_component_fraction)
    vertices = taubin_smooth(vertices, faces, config.smoothing_iterations)
    lap("surface")
    vertices, faces = decimate(vertices, faces, config.target_faces)
    vertices = vertices.astype(np.float32)
    lap("decimate")
    unwrapped = unwrap(vertices, faces, config.texture_size, config.uv_time_limit_s)
    lap("unwrap")
    mesh = _coloured(
        vertices,
        faces,
        unwrapped,
        lambda points, inward: _look(field, points, inward, pixel, config.chunk),
        config.texture_size,
    )
    lap("bake")
    report = MeshReport(
        faces=len(faces),
        vertices=len(vertices),
        watertight=_is_watertight(vertices, faces),
        volume=signed_volume(vertices, faces),
        components_dropped=dropped,
        level=level,
        silhouette_iou=silhouette_iou(Mesh(vertices, faces), cameras, views),
        textured=mesh.texture is not None,
        texture_note=unwrapped if isinstance(unwrapped, str) else "",
        seconds=seconds,
    )
    lap("report")
    return mesh, report


def _checked_opacity(opacity: Tensor, cameras: Cameras) -> Tensor:
    """The outlines to reproduce, bool `[views, h, w]`."""
    assert opacity.ndim == 3 and len(opacity) == len(cameras) > 0, (
        f"opacity: got shape {tuple(opacity.shape)}, want [{len(cameras)}, h, w], one per camera"
    )
    if not torch.isfinite(opacity).all():
        raise ExportError(
            "opacity: got NaN or infinity, want numbers in 0..1; the optimisation diverged; "
            "do: go back to an earlier checkpoint"
        )
    if opacity.max() <= 0.5:
        raise ExportError(
            f"the scene is empty: got opacity {opacity.max().item():.3g} at most in "
            f"{len(cameras)} views, want above 0.5 somewhere; do: more steps or another seed"
        )
    return (opacity > 0.5).detach().cpu()


def _look(
    field: Field, points: NDArray, inward: NDArray, pixel: float, chunk: int
) -> NDArray[np.float32]:
    """Colours `[n, 3]` of surface `points [n, 3]` seen along the unit directions `inward [n, 3]`.

    Composited along a short ray, as the pictures were that the field was fitted to: of the layer
    at the surface itself they see little, and nothing has told it what colour to have.
    """
    edges = torch.linspace(*LOOK, LOOK_SAMPLES + 1) * pixel
    length, middle = float(edges[1] - edges[0]), (edges[:-1] + edges[1:]) / 2
    start, along = (torch.from_numpy(values.astype(np.float32)) for values in (points, inward))
    colours = []
    for p, d in zip(
        *(values.split(chunk // LOOK_SAMPLES) for values in (start, along)), strict=True
    ):
        samples = p[:, None] + d[:, None] * middle[:, None]  # [n, samples, 3]
        with torch.no_grad():
            density, rgb = field(samples.reshape(-1, 3).clamp(-1, 1))
        assert rgb.shape == (samples[..., 0].numel(), 3), f"field: got colours {tuple(rgb.shape)}"
        depth = density.cpu().reshape(samples.shape[:2]) * length  # optical
        before = depth.cumsum(1) - depth
        weight = (-before).exp() * -torch.expm1(-depth) + 1e-6  # where all is empty: the mean
        weight = weight / weight.sum(1, keepdim=True)
        colours.append(torch.einsum("ns,nsc->nc", weight, rgb.cpu().reshape(samples.shape)).numpy())
    found = np.concatenate(colours)
    if not np.isfinite(found).all():
        raise ExportError(
            "color: got NaN or infinity, want numbers in 0..1; the optimisation diverged; "
            "do: go back to an earlier checkpoint"
        )
    return found


def _coloured(
    vertices, faces, unwrapped, color: Callable[[NDArray, NDArray], NDArray], texture_size: int
) -> Mesh:
    """The final mesh: baked texture where there are texture coordinates, else vertex colours."""
    if isinstance(unwrapped, str):
        colors = color(vertices, -vertex_normals(vertices, faces))
        rgb = np.rint(np.clip(colors, 0, 1) * 255).astype(np.uint8)
        return Mesh(vertices, faces, vertex_colors=rgb)
    source, corners, uv = unwrapped
    vertices = vertices[source]
    texture = bake(vertices, corners, uv, texture_size, color)
    return Mesh(vertices, corners, uv=uv, texture=texture)


def _is_watertight(vertices: NDArray, faces: NDArray) -> bool:
    import trimesh

    shape = trimesh.Trimesh(vertices, faces, process=False)
    return bool(shape.is_watertight and shape.is_winding_consistent)
