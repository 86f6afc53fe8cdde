"""Cleaning a closed triangle surface: floaters, smoothing, fewer faces.

Everything here keeps a closed surface closed and gives the same answer for the same input.
"""

import heapq

import numpy as np
from numpy.typing import NDArray

from uni3d.scene.kernels import kernel

__all__ = [
    "compact",
    "component_labels",
    "decimate",
    "drop_small_components",
    "signed_volume",
    "taubin_smooth",
]


def signed_volume(vertices: NDArray, faces: NDArray) -> float:
    """Volume enclosed by a closed surface; negative when the faces look inwards."""
    corners = np.asarray(vertices, dtype=np.float64)[faces]
    crossed = np.cross(corners[:, 1], corners[:, 2])
    return float(np.einsum("fi,fi->", corners[:, 0], crossed) / 6)


def component_labels(faces: NDArray, vertices: int) -> NDArray[np.int32]:
    """The connected part of each face `[f]`, of a surface with that many vertices."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    edges = faces[:, [0, 1, 1, 2]].reshape(-1, 2)  # two edges tie the three corners of a face
    graph = coo_matrix(
        (np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), shape=(vertices, vertices)
    )
    return connected_components(graph, directed=False)[1][faces[:, 0]]


def drop_small_components(
    vertices: NDArray, faces: NDArray, min_fraction: float
) -> tuple[NDArray, NDArray, int]:
    """Keep the connected parts whose area or volume is at least `min_fraction` of the largest's.

    Returns vertices, faces and how many parts were dropped.
    """
    label = component_labels(faces, len(vertices))  # [f]
    corners = np.asarray(vertices, dtype=np.float64)[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.bincount(label, np.linalg.norm(normal, axis=-1) / 2)
    volume = np.abs(np.bincount(label, np.einsum("fi,fi->f", corners[:, 0], normal) / 6))
    present = np.unique(label)
    keep = (area >= min_fraction * area.max()) | (volume >= min_fraction * volume.max())
    keep_vertices, keep_faces = compact(vertices, faces[keep[label]])
    return keep_vertices, keep_faces, int((~keep[present]).sum())


def compact(vertices: NDArray, faces: NDArray) -> tuple[NDArray, NDArray]:
    """Drop the vertices no face uses; order is kept."""
    used = np.unique(faces)
    place = np.full(len(vertices), -1, dtype=np.int32)
    place[used] = np.arange(len(used), dtype=np.int32)
    return vertices[used], place[faces]


def taubin_smooth(
    vertices: NDArray, faces: NDArray, iterations: int, shrink: float = 0.5, grow: float = -0.53
) -> NDArray[np.float64]:
    """Taubin's low-pass filter: a shrinking and a growing Laplacian step per iteration.

    The growing step undoes the shrinking of everything but high frequencies, so marching-cubes
    stairs go and the volume stays (Taubin 1995, uniform weights).
    """
    from scipy.sparse import coo_matrix

    count = len(vertices)
    start, end = faces[:, [0, 1, 2]].ravel(), faces[:, [1, 2, 0]].ravel()
    ones = np.ones(len(start))
    neighbours = coo_matrix((ones, (start, end)), shape=(count, count)).tocsr()
    degree = np.maximum(np.asarray(neighbours.sum(axis=1)).reshape(-1, 1), 1)
    points = np.asarray(vertices, dtype=np.float64)
    for _ in range(iterations):
        for step in (shrink, grow):
            points = points + step * (neighbours @ points / degree - points)
    return points


def decimate(
    vertices: NDArray, faces: NDArray, target_faces: int
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Fewer faces by quadric edge collapse (Garland and Heckbert 1997) on a closed surface.

    A collapse is refused when it would pinch the surface (link condition) or turn a face over,
    so a closed manifold stays one; libraries that skip the first test leave non-manifold edges.
    May stop above `target_faces` when every remaining collapse is refused.
    """
    points = np.array(vertices, dtype=np.float64)
    if len(faces) <= target_faces:
        return points, faces.astype(np.int32)
    quadric = _quadrics(points, faces.astype(np.int64))
    kept = _collapse(points, faces.astype(np.int32).copy(), quadric, target_faces)
    return compact(points, kept)


def _quadrics(points: NDArray, faces: NDArray) -> NDArray[np.float64]:
    """Area-weighted plane quadrics of every vertex `[v, 10]`: xx xy xz xd yy yz yd zz zd dd."""
    corners = points[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(normal, axis=-1, keepdims=True)
    normal = normal / np.maximum(area, 1e-30)
    offset = -np.einsum("fi,fi->f", normal, corners[:, 0])[:, None]
    plane = np.concatenate([normal, offset], axis=-1)  # [f, 4]
    upper = np.triu_indices(4)
    per_face = (plane[:, :, None] * plane[:, None, :])[:, upper[0], upper[1]] * area
    total = np.zeros((len(points), 10))
    for k in range(3):
        np.add.at(total, faces[:, k], per_face)
    return total


@kernel()
def _error(q, x, y, z):  # pragma: no cover - compiled
    """Sum of squared distances to the planes of quadric `q` at a point."""
    return (
        q[0] * x * x
        + q[4] * y * y
        + q[7] * z * z
        + q[9]
        + 2.0 * (q[1] * x * y + q[2] * x * z + q[5] * y * z + q[3] * x + q[6] * y + q[8] * z)
    )


@kernel()
def _best_point(q, start, end):  # pragma: no cover - compiled
    """Where the edge collapses to and what that costs: (cost, x, y, z)."""
    # Pull weakly to the middle: it makes the 3x3 system regular on flat and straight parts.
    middle = (start + end) * 0.5
    length2 = ((start - end) ** 2).sum()
    pull = 1e-3 * (q[0] + q[4] + q[7]) + 1e-30
    xx, xy, xz, yy, yz, zz = q[0] + pull, q[1], q[2], q[4] + pull, q[5], q[7] + pull
    rx, ry, rz = pull * middle[0] - q[3], pull * middle[1] - q[6], pull * middle[2] - q[8]
    c0, c1, c2 = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    det = xx * c0 + xy * c1 + xz * c2
    x = (rx * c0 + ry * c1 + rz * c2) / det
    y = (rx * c1 + ry * (xx * zz - xz * xz) + rz * (xy * xz - xx * yz)) / det
    z = (rx * c2 + ry * (xy * xz - xx * yz) + rz * (xx * yy - xy * xy)) / det
    shift2 = (x - middle[0]) ** 2 + (y - middle[1]) ** 2 + (z - middle[2]) ** 2
    if not shift2 <= length2:  # also when det underflowed and x, y, z are not finite
        x, y, z = middle[0], middle[1], middle[2]
    # The length term orders collapses of equal error: short edges first keep faces well shaped.
    cost = max(_error(q, x, y, z), 0.0) + 1e-4 * pull * length2
    return cost, x, y, z


@kernel()
def _ring(v, faces, head, following, out):  # pragma: no cover - compiled
    """Neighbours of vertex `v` into `out`; returns how many, or -1 when `out` is too short."""
    count = 0
    corner = head[v]
    while corner >= 0:
        f = corner // 3
        if faces[f, 0] >= 0:
            for k in range(3):
                w = faces[f, k]
                if w == v:
                    continue
                known = False
                for i in range(count):
                    if out[i] == w:
                        known = True
                        break
                if not known:
                    if count == out.shape[0]:
                        return -1
                    out[count] = w
                    count += 1
        corner = following[corner]
    return count


@kernel()
def _turns_over(v, other, target, points, faces, head, following):  # pragma: no cover - compiled
    """Whether moving `v` to `target` flips or flattens one of its faces that lack `other`."""
    corner = head[v]
    while corner >= 0:
        f = corner // 3
        k = corner % 3
        corner = following[corner]
        if faces[f, 0] < 0:
            continue
        w1, w2 = faces[f, (k + 1) % 3], faces[f, (k + 2) % 3]
        if w1 == other or w2 == other:
            continue
        p1, p2 = points[w1], points[w2]
        edge = p2 - p1
        before = np.cross(edge, points[v] - p1)
        after = np.cross(edge, target - p1)
        size = np.sqrt((before * before).sum() * (after * after).sum())
        if not (before * after).sum() > 0.2 * size:
            return True
        # Slivers: twice the area over the longest side squared (equilateral: 0.87).
        side = max((edge * edge).sum(), ((target - p1) ** 2).sum(), ((target - p2) ** 2).sum())
        if np.sqrt((after * after).sum()) < 0.02 * side:
            return True
    return False


@kernel()
def _corners_around(faces, head, following, last):  # pragma: no cover - compiled
    """Chain the corners (3 * face + k) around every vertex: from `head`, by `following`, to
    `last`; -1 ends a chain."""
    for f in range(faces.shape[0]):
        for k in range(3):
            v = faces[f, k]
            if last[v] < 0:
                head[v] = 3 * f + k
            else:
                following[last[v]] = 3 * f + k
            last[v] = 3 * f + k


@kernel()
def _edges_by_cost(points, faces, quadric):  # pragma: no cover - compiled
    """A heap of every edge (cost, v, w, stamp of v, stamp of w), stamps 0."""
    heap = [(0.0, 0, 0, 0, 0) for _ in range(0)]
    for f in range(faces.shape[0]):
        for k in range(3):
            v, w = faces[f, k], faces[f, (k + 1) % 3]
            if v < w:  # closed and oriented: the neighbour face holds the edge as (w, v)
                cost = _best_point(quadric[v] + quadric[w], points[v], points[w])[0]
                entry = (cost, np.int64(v), np.int64(w), np.int64(0), np.int64(0))
                heap.append(entry)  # type: ignore[arg-type]
    heapq.heapify(heap)
    return heap


@kernel()
def _keeps_the_surface(  # pragma: no cover - compiled
    u, v, faces, head, following, ring_u, ring_v, ring_o
):
    """Whether u and v have exactly two neighbours in common, none of them of three faces: else a
    collapse of their edge would leave a surface that is no manifold. Fills both rings."""
    size_u = _ring(u, faces, head, following, ring_u)
    size_v = _ring(v, faces, head, following, ring_v)
    if size_u < 0 or size_v < 0:
        return False
    common, stuck = 0, False
    for i in range(size_u):
        for j in range(size_v):
            if ring_u[i] == ring_v[j]:
                common += 1
                stuck = stuck or _ring(ring_u[i], faces, head, following, ring_o) == 3
    return common == 2 and not stuck


@kernel()
def _merge(u, v, faces, head, following, last):  # pragma: no cover - compiled
    """Give v's faces to u; the faces on their edge die. The number of those."""
    died = 0
    corner = head[v]
    while corner >= 0:
        f = corner // 3
        if faces[f, 0] >= 0:
            if faces[f, 0] == u or faces[f, 1] == u or faces[f, 2] == u:
                faces[f, 0] = -1
                died += 1
            else:
                faces[f, corner % 3] = u
        corner = following[corner]
    following[last[u]] = head[v]
    last[u] = last[v]
    return died


@kernel()
def _collapse(points, faces, quadric, target_faces):  # pragma: no cover - compiled
    """Collapse the cheapest edges of `faces` (changed in place with `points`) down to the target.

    A face is dead when its first index is -1. `stamp` tells stale heap entries from live ones.
    """
    count = points.shape[0]
    head, last = np.full(count, -1, np.int64), np.full(count, -1, np.int64)
    following = np.full(faces.shape[0] * 3, -1, np.int64)
    stamp = np.zeros(count, np.int64)
    _corners_around(faces, head, following, last)
    heap = _edges_by_cost(points, faces, quadric)
    ring_u, ring_v = np.empty(64, np.int64), np.empty(64, np.int64)
    ring_o = np.empty(64, np.int64)
    target = np.empty(3)
    alive = faces.shape[0]
    while alive > target_faces and len(heap) > 0:
        _, u, v, stamp_u, stamp_v = heapq.heappop(heap)
        if stamp[u] != stamp_u or stamp[v] != stamp_v:
            continue
        if not _keeps_the_surface(u, v, faces, head, following, ring_u, ring_v, ring_o):
            continue
        _, target[0], target[1], target[2] = _best_point(
            quadric[u] + quadric[v], points[u], points[v]
        )
        if _turns_over(u, v, target, points, faces, head, following) or _turns_over(
            v, u, target, points, faces, head, following
        ):
            continue
        alive -= _merge(u, v, faces, head, following, last)
        points[u] = target
        quadric[u] += quadric[v]
        stamp[v] = -1
        stamp[u] += 1
        size_u = _ring(u, faces, head, following, ring_u)
        for i in range(size_u):  # -1 (too many neighbours) simply leaves u as it is from now on
            w = ring_u[i]
            first, second = min(u, w), max(u, w)
            cost = _best_point(quadric[first] + quadric[second], points[first], points[second])[0]
            heapq.heappush(heap, (cost, first, second, stamp[first], stamp[second]))
    return faces[faces[:, 0] >= 0]
