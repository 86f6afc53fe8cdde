"""From densities to triangles: the sampled grid, its blur, marching cubes, the surface's level.

What the field holds below a pixel of the pictures that made it is noise, so densities are blurred
by that much. The density level of the surface is not a constant: it is the one whose mesh has the
outlines that the field itself renders.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uni3d.cameras import Cameras
from uni3d.errors import ExportError
from uni3d.mesh.rasterize import silhouettes
from uni3d.mesh.simplify import signed_volume
from uni3d.mesh.types import Mesh, MeshConfig

__all__ = [
    "PointFunction",
    "blurred",
    "choose_level",
    "fill_cavities",
    "marching_surface",
    "sample_grid",
    "silhouette_iou",
]

PointFunction = Callable[[Tensor], Tensor]

# Optical depth through the box (2 units) below which nothing is seen: 1 - exp(-2 * 0.1) = 18 %.
MIN_DENSITY = 0.1
MAX_DENSITY = 400.0  # 0.01 units of it are opaque (98 %); more says nothing, and would spread
LOG_CLAMP = 3.0  # surfaces are interpolated in log density, within a factor e^3 of the level
IOU_TIE = 2e-3  # levels this close in IoU count as equal; the middle one of them is taken


def _in_chunks(function: PointFunction, points: Tensor, chunk: int) -> NDArray[np.float32]:
    with torch.no_grad():
        parts = [function(part).detach().float().cpu().numpy() for part in points.split(chunk)]
    return np.concatenate(parts)


def sample_grid(density: PointFunction, config: MeshConfig) -> NDArray[np.float32]:
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
            "finite numbers; the optimisation diverged; do: go back to an earlier checkpoint"
        )
    if grid.max() <= MIN_DENSITY:
        raise ExportError(
            f"the scene is empty: got density {grid.max():.3g} at most, want above "
            f"{MIN_DENSITY:g} somewhere in the box; do: more steps or another seed"
        )
    return grid


def blurred(grid: NDArray[np.float32], deviation: float) -> NDArray[np.float32]:
    """Geometric means of the densities `[r, r, r]` under a Gaussian; its deviation in scene units.

    In logarithms an edge stays where it is, whatever the densities on its two sides are.
    """
    from scipy.ndimage import gaussian_filter

    if deviation == 0:
        return grid
    spacing = 2 / (grid.shape[0] - 1)
    logarithms = np.log(grid.clip(MIN_DENSITY / 2, MAX_DENSITY))
    return np.exp(gaussian_filter(logarithms, deviation / spacing, mode="nearest"))


def marching_surface(grid: NDArray[np.float32], level: float) -> tuple[NDArray, NDArray]:
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


def fill_cavities(grid: NDArray[np.float32], level: float) -> NDArray[np.float32]:
    """Make enclosed empty space solid: nobody sees its walls, and printers choke on them."""
    from scipy.ndimage import label

    found: Any = label(np.pad(grid < level, 1, constant_values=True))
    parts = found[0]
    outside = parts == parts[0, 0, 0]  # the padding: one connected part around everything
    enclosed = (grid < level) & ~outside[1:-1, 1:-1, 1:-1]
    return np.where(enclosed, np.float32(level * np.exp(LOG_CLAMP)), grid)


def choose_level(grid: NDArray[np.float32], cameras: Cameras, views: Tensor, count: int) -> float:
    """The density whose surface has the outlines `views`, by three geometric sweeps."""
    scores: dict[float, float] = {}

    def sweep(low: float, high: float, steps: int) -> None:
        for level in np.geomspace(low, high, steps).tolist():
            if level not in scores:
                surface = Mesh(*marching_surface(grid, level))
                scores[level] = silhouette_iou(surface, cameras, views)

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


def silhouette_iou(mesh: Mesh, cameras: Cameras, views: Tensor) -> float:
    """Mean over the views of intersection over union; a view empty in both counts as 1."""
    masks = silhouettes(mesh, cameras, views.shape[1], views.shape[2])
    both = (masks & views).sum(dim=(1, 2)).double()
    either = (masks | views).sum(dim=(1, 2)).double()
    return torch.where(either > 0, both / either.clamp(min=1), 1.0).mean().item()
