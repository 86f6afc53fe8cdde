"""Density field -> textured triangle mesh, all on the CPU and the same every time.

What the field holds below a pixel of the pictures that made it is noise, so densities are blurred
by that much. The density level of the surface is not a constant: it is the one whose mesh has the
outlines that the field itself renders. Then floaters go, marching-cubes stairs are smoothed, faces
are reduced (before texture coordinates are made, which otherwise take for ever) and what the field
shows from straight ahead of each surface point is baked into a texture.
"""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uni3d.cameras import Cameras
from uni3d.errors import ExportError
from uni3d.mesh.bake import bake, unwrap
from uni3d.mesh.rasterize import silhouettes, vertex_normals
from uni3d.mesh.simplify import decimate, drop_small_components, signed_volume, taubin_smooth

__all__ = ["Mesh", "MeshConfig", "MeshReport", "extract_mesh"]

PointFunction = Callable[[Tensor], Tensor]
Field = Callable[[Tensor], tuple[Tensor, Tensor]]

# Optical depth through the box (2 units) below which nothing is seen: 1 - exp(-2 * 0.1) = 18 %.
MIN_DENSITY = 0.1
MAX_DENSITY = 400.0  # 0.01 units of it are opaque (98 %); more says nothing, and would spread
LOG_CLAMP = 3.0  # surfaces are interpolated in log density, within a factor e^3 of the level
LOOK, LOOK_SAMPLES = (-1.0, 5.0), 12  # pixels below the surface that make a texel's colour
IOU_TIE = 2e-3  # levels this close in IoU count as equal; the middle one of them is taken


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeshConfig:
    """How the surface is taken out of the field."""

    resolution: int = 96  # density samples along each side of the box [-1, 1]^3
    blur: float = 0.7  # pixels: deviation of the Gaussian over log density; 0 = off
    levels: int = 12  # density levels of the coarse sweep; two finer sweeps follow
    min_component_fraction: float = 0.02  # smaller parts (of the largest's area, volume) go
    smoothing_iterations: int = 5  # Taubin pairs; 0 = off
    target_faces: int = 20_000
    texture_size: int = 1024  # texels
    uv_time_limit_s: float = 60.0  # then vertex colours are used instead of a texture
    chunk: int = 1 << 18  # points per call of density and color

    def __post_init__(self) -> None:
        limits = {"resolution": 8, "blur": 0, "levels": 3, "smoothing_iterations": 0}
        limits |= {"target_faces": 16, "texture_size": 16, "chunk": LOOK_SAMPLES}
        for name, least in limits.items():
            value = getattr(self, name)
            if value < least:
                raise ExportError(f"mesh.{name}: got {value}, want at least {least}; raise it")


@dataclasses.dataclass(frozen=True)
class Mesh:
    """A triangle surface in world axes (z up), faces counter-clockwise seen from outside.

    vertices: float32 `[v, 3]`; faces: int32 `[f, 3]`; then either uv float32 `[v, 2]` (u right,
    v up) with texture uint8 `[h, w, 3]` (row 0 on top, sRGB), or vertex_colors uint8 `[v, 3]`.
    With a texture, vertices on chart borders appear once per chart.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    uv: NDArray[np.float32] | None = None
    texture: NDArray[np.uint8] | None = None
    vertex_colors: NDArray[np.uint8] | None = None


@dataclasses.dataclass(frozen=True)
class MeshReport:
    """What came out; `dataclasses.asdict` gives plain JSON values."""

    faces: int
    vertices: int  # of the surface, before chart borders split them
    watertight: bool
    volume: float  # scene units cubed
    components_dropped: int
    level: float  # density of the surface
    silhouette_iou: float  # of the final mesh with opacity > 0.5, mean over the views
    textured: bool
    texture_note: str  # why there is no texture; empty when there is one
    seconds: dict[str, float]  # per stage


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
    grid = _blurred(_sample_grid(density, config), config.blur * pixel)
    lap("sample")
    level = _choose_level(grid, cameras, views, config.levels)
    lap("level")
    surface = _surface(_fill_cavities(grid, level), level)
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
        silhouette_iou=_silhouette_iou(Mesh(vertices, faces), cameras, views),
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
            "opacity: got NaN or infinity, want numbers in 0..1; the optimisation diverged, "
            "go back to an earlier checkpoint"
        )
    if opacity.max() <= 0.5:
        raise ExportError(
            f"the scene is empty: got opacity {opacity.max().item():.3g} at most in "
            f"{len(cameras)} views, want above 0.5 somewhere; run more steps or another seed"
        )
    return (opacity > 0.5).detach().cpu()


def _in_chunks(function: PointFunction, points: Tensor, chunk: int) -> NDArray[np.float32]:
    with torch.no_grad():
        parts = [function(part).detach().float().cpu().numpy() for part in points.split(chunk)]
    return np.concatenate(parts)


def _sample_grid(density: PointFunction, config: MeshConfig) -> NDArray[np.float32]:
    """Densities on a cubic grid over [-1, 1]^3, `[r, r, r]` indexed x, y, z."""
    resolution = config.resolution
    axis = torch.linspace(-1, 1, resolution)
    slabs = []
    thickness = max(1, config.chunk // resolution**2)
    for x in axis.split(thickness):  # whole slabs, so that the points are never held all at once
        points = torch.stack(torch.meshgrid(x, axis, axis, indexing="ij"), dim=-1).reshape(-1, 3)
        values = _in_chunks(density, points, config.chunk)
        assert values.shape == (len(points),), (
            f"density(points): got shape {values.shape}, want [{len(points)}]"
        )
        slabs.append(values.reshape(-1, resolution, resolution))
    grid = np.concatenate(slabs)
    if not np.isfinite(grid).all():
        raise ExportError(
            f"density: got {int((~np.isfinite(grid)).sum())} values of NaN or infinity, want "
            "finite numbers; the optimisation diverged, go back to an earlier checkpoint"
        )
    if grid.max() <= MIN_DENSITY:
        raise ExportError(
            f"the scene is empty: got density {grid.max():.3g} at most, want above "
            f"{MIN_DENSITY:g} somewhere in the box; run more steps or another seed"
        )
    return grid


def _blurred(grid: NDArray[np.float32], deviation: float) -> NDArray[np.float32]:
    """Geometric means of the densities `[r, r, r]` under a Gaussian; its deviation in scene units.

    In logarithms an edge stays where it is, whatever the densities on its two sides are.
    """
    from scipy.ndimage import gaussian_filter

    if deviation == 0:
        return grid
    spacing = 2 / (grid.shape[0] - 1)
    logarithms = np.log(grid.clip(MIN_DENSITY / 2, MAX_DENSITY))
    return np.exp(gaussian_filter(logarithms, deviation / spacing, mode="nearest"))


def _surface(grid: NDArray[np.float32], level: float) -> tuple[NDArray, NDArray]:
    """Marching cubes at a density level: world vertices `[v, 3]`, faces `[f, 3]` turned outwards.

    The border is padded with empty space, so the surface is closed. Field densities are
    exponentials of smooth functions, hence the interpolation in their logarithm; the clamp puts
    the surface half-way where the density jumps.
    """
    from skimage.measure import marching_cubes

    tiny = level * np.exp(-2 * LOG_CLAMP)
    relative = np.clip(np.log(np.maximum(grid, tiny) / level), -LOG_CLAMP, LOG_CLAMP)
    padded = np.pad(relative.astype(np.float32), 1, constant_values=-LOG_CLAMP)
    vertices, faces, _, _ = marching_cubes(padded, 0.0)
    vertices = (vertices.astype(np.float64) - 1) * (2 / (grid.shape[0] - 1)) - 1
    if signed_volume(vertices, faces) < 0:
        faces = faces[:, ::-1]
    return vertices, np.ascontiguousarray(faces, dtype=np.int32)


def _fill_cavities(grid: NDArray[np.float32], level: float) -> NDArray[np.float32]:
    """Make enclosed empty space solid: nobody sees its walls, and printers choke on them."""
    from scipy.ndimage import label

    found: Any = label(np.pad(grid < level, 1, constant_values=True))
    parts = found[0]
    outside = parts == parts[0, 0, 0]  # the padding: one connected part around everything
    enclosed = (grid < level) & ~outside[1:-1, 1:-1, 1:-1]
    return np.where(enclosed, np.float32(level * np.exp(LOG_CLAMP)), grid)


def _choose_level(grid: NDArray[np.float32], cameras: Cameras, views: Tensor, count: int) -> float:
    """The density whose surface has the outlines `views`, by three geometric sweeps."""
    scores: dict[float, float] = {}

    def sweep(low: float, high: float, steps: int) -> None:
        for level in np.geomspace(low, high, steps).tolist():
            if level not in scores:
                surface = Mesh(*_surface(grid, level))
                scores[level] = _silhouette_iou(surface, cameras, views)

    sweep(MIN_DENSITY, float(grid.max()) * 0.9 + 0.1 * MIN_DENSITY, count)
    for _ in range(2):
        levels = sorted(scores)
        best = levels.index(max(levels, key=scores.__getitem__))
        sweep(levels[max(best - 1, 0)], levels[best], 4)
        sweep(levels[best], levels[min(best + 1, len(levels) - 1)], 4)
    levels = sorted(scores)
    best = first = last = levels.index(max(levels, key=scores.__getitem__))
    enough = scores[levels[best]] - IOU_TIE
    while first > 0 and scores[levels[first - 1]] >= enough:
        first -= 1
    while last < len(levels) - 1 and scores[levels[last + 1]] >= enough:
        last += 1
    middle = np.sqrt(levels[first] * levels[last])
    return min(levels[first : last + 1], key=lambda level: abs(np.log(level / middle)))


def _silhouette_iou(mesh: Mesh, cameras: Cameras, views: Tensor) -> float:
    """Mean over the views of intersection over union; a view empty in both counts as 1."""
    masks = silhouettes(mesh, cameras, views.shape[1], views.shape[2])
    both = (masks & views).sum(dim=(1, 2)).double()
    either = (masks | views).sum(dim=(1, 2)).double()
    return torch.where(either > 0, both / either.clamp(min=1), 1.0).mean().item()


def _look(
    field: Field, points: NDArray, inward: NDArray, pixel: float, chunk: int
) -> NDArray[np.float32]:
    """Colours `[n, 3]` of surface `points [n, 3]` seen along the unit directions `inward [n, 3]`.

    Composited along a short ray, as the pictures were that the field was fitted to: of the layer
    at the surface itself they see little, and nothing has told it what colour to have.
    """
    edges = torch.linspace(*LOOK, LOOK_SAMPLES + 1) * pixel
    length, middle = float(edges[1] - edges[0]), (edges[:-1] + edges[1:]) / 2
    start, along = (torch.from_numpy(a.astype(np.float32)) for a in (points, inward))
    colours = []
    for p, d in zip(*(a.split(chunk // LOOK_SAMPLES) for a in (start, along)), strict=True):
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
            "color: got NaN or infinity, want numbers in 0..1; the optimisation diverged, "
            "go back to an earlier checkpoint"
        )
    return found


def _coloured(
    vertices, faces, unwrapped, color: Callable[[NDArray, NDArray], NDArray], texture_size: int
) -> Mesh:
    """The final mesh: baked texture where there are texture coordinates, else vertex colours."""
    if isinstance(unwrapped, str):
        seen = color(vertices, -vertex_normals(vertices, faces))
        rgb = np.rint(np.clip(seen, 0, 1) * 255).astype(np.uint8)
        return Mesh(vertices, faces, vertex_colors=rgb)
    source, corners, uv = unwrapped
    vertices = vertices[source]
    texture = bake(vertices, corners, uv, texture_size, color)
    return Mesh(vertices, corners, uv=uv, texture=texture)


def _is_watertight(vertices: NDArray, faces: NDArray) -> bool:
    import trimesh

    shape = trimesh.Trimesh(vertices, faces, process=False)
    return bool(shape.is_watertight and shape.is_winding_consistent)
