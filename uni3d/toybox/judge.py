"""How good a mesh made with toybox is: recogniser verdict and overlap with ground truth."""

from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from uni3d.errors import ConfigError
from uni3d.mesh.rasterize import shade
from uni3d.mesh.types import Mesh
from uni3d.run.finish import check_mesh, read_mesh, sheet_cameras
from uni3d.run.folder import write_report
from uni3d.run.settings import RunConfig
from uni3d.teacher.hub import SHIPPED
from uni3d.toybox.distances import distance
from uni3d.toybox.known import Known, shipped_known
from uni3d.toybox.reading import read
from uni3d.toybox.recogniser import WEIGHTS, load_recogniser
from uni3d.toybox.world import KINDS, build_toy

__all__ = ["best_iou", "evaluate_run", "inside"]

CANDIDATES = 16  # ground-truth objects of the prompt; the best counts, as a prompt names many
RESOLUTION = 64


def inside(mesh: Mesh, resolution: int) -> np.ndarray:
    """Occupancy of the mesh at cell centres of [-1, 1]^3, `[r, r, r]`: ray parity along z."""
    import trimesh

    shape = trimesh.Trimesh(mesh.vertices, mesh.faces, process=True)
    centers = (np.arange(resolution) + 0.5) * (2 / resolution) - 1
    triangles = np.asarray(shape.triangles, dtype=np.float64)  # [f, 3, 3]
    crossings = np.zeros((resolution,) * 3, dtype=bool)
    # Tiny shifts keep columns off the edges and corners that meshes put on round numbers; two
    # different ones, off diagonals too: a column on an edge would cross both of its triangles.
    xs, ys = centers + 1.3e-6, centers + 3.1e-6
    for corners in triangles:
        low, high = corners[:, :2].min(0), corners[:, :2].max(0)
        i = slice(*np.searchsorted(xs, [low[0], high[0]]))
        j = slice(*np.searchsorted(ys, [low[1], high[1]]))
        x, y = xs[i][:, None], ys[j][None, :]
        if x.size == 0 or y.size == 0:
            continue
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = corners
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if abs(area) < 1e-15:
            continue
        u = ((bx - x) * (cy - y) - (cx - x) * (by - y)) / area
        v = ((cx - x) * (ay - y) - (ax - x) * (cy - y)) / area
        w = 1 - u - v
        hit = (u >= 0) & (v >= 0) & (w >= 0)
        depth = u * az + v * bz + w * cz
        crossings[i, j] ^= hit[..., None] & (centers > depth[..., None])
    return crossings


def verdict(teacher: str, prompt: str, images: Tensor) -> dict[str, Any]:
    """What the recogniser sees in views `[n, 3, 64, 64]` beside what the prompt asks for, as the
    built-in `teacher` reads it."""
    if not WEIGHTS[teacher].is_file():  # a checkout whose recogniser was not trained yet
        return {}
    wanted = read(prompt, shipped_known(teacher)).description
    judged = load_recogniser(WEIGHTS[teacher]).judge(images)
    return {
        "wanted": wanted.kind if wanted else None,
        "right_views": sum(kind == wanted.kind for kind in judged.kinds) if wanted else 0,
        "views": len(judged.kinds),
        "kinds": judged.kinds,
        "worn": judged.worn,
        "colors": judged.colors,
    }


def certainty(teacher: str, prompt: str, images: Tensor) -> float | None:
    """Mean probability of the prompt's kind over views `[n, 3, 64, 64]`; None without a kind."""
    wanted = read(prompt, shipped_known(teacher)).description
    if wanted is None or not WEIGHTS[teacher].is_file():
        return None
    judged = load_recogniser(WEIGHTS[teacher]).judge(images)
    return float(judged.kind_probability[:, list(KINDS).index(wanted.kind)].mean())


def _overlap(first: np.ndarray, second: np.ndarray) -> float:
    either = np.logical_or(first, second).sum()
    return float(np.logical_and(first, second).sum() / either) if either else 0.0


def _aligned(solid: np.ndarray) -> np.ndarray:
    """The occupied cells centred in their box and scaled to the grid: size and place do not count.

    The prompt names a shape, and ground truth is normalised likewise.
    """
    cells = np.argwhere(solid)
    if len(cells) == 0:
        return solid
    low, high = cells.min(0), cells.max(0) + 1
    side = (high - low).max()
    start = (low + high) / 2 - side / 2
    n = solid.shape[0]
    at = [np.floor(start[k] + (np.arange(n) + 0.5) * side / n).astype(int) for k in range(3)]
    valid = [(index >= 0) & (index < n) for index in at]
    grid = solid[np.ix_(*(index.clip(0, n - 1) for index in at))]
    return grid & valid[0][:, None, None] & valid[1][None, :, None] & valid[2][None, None, :]


def best_iou(
    mesh: Mesh, prompt: str, candidates: int = CANDIDATES, known: Known | None = None
) -> tuple[float, float]:
    """Volumetric IoU with the best of `candidates` objects of the prompt: (as placed, aligned)."""
    what = read(prompt, known).description
    if what is None:
        raise ConfigError(
            f"{prompt!r} names no kind of toybox; there is no ground truth; do: another"
        )
    solid = inside(mesh, RESOLUTION)
    centers = (np.arange(RESOLUTION) + 0.5) * (2 / RESOLUTION) - 1
    points = np.stack(np.meshgrid(centers, centers, centers, indexing="ij"), -1).reshape(-1, 3)
    placed, aligned = 0.0, 0.0
    for seed in range(candidates):
        toy = build_toy(what, np.random.default_rng((1000, seed)))
        truth = (distance(toy, points) < 0).reshape(solid.shape)
        placed = max(placed, _overlap(solid, truth))
        aligned = max(aligned, _overlap(_aligned(solid), _aligned(truth)))
    return placed, aligned


def evaluate_run(config: RunConfig, run: Path) -> dict[str, Any]:
    """Recogniser verdict from eight views and best-of-16 IoU; also merged into report.json."""
    if config.teacher.name not in SHIPPED:
        raise ConfigError(
            f"evaluate: got teacher {config.teacher.name!r}; ground truth exists for "
            f"{' and '.join(SHIPPED)}"
        )
    check_mesh(config, run)
    mesh = read_mesh(run)
    result: dict[str, Any] = {"prompt": config.prompt}
    result |= verdict(config.teacher.name, config.prompt, shade(mesh, sheet_cameras(), 64, 64))
    result["best_iou"], result["best_iou_aligned"] = best_iou(
        mesh, config.prompt, known=shipped_known(config.teacher.name)
    )
    write_report(run, {"evaluation": result})
    return result
