"""Sphere-traced pictures of toys, seen by the same cameras as the NeRF.

Light: a hemisphere plus a soft key beside the camera, so that little shading is baked into what
the teacher learns.
"""

import math
from typing import Any

import numpy as np

from uni3d.cameras import Cameras
from uni3d.scene.kernels import kernel
from uni3d.toybox import distances, looks
from uni3d.toybox.distances import part_distance
from uni3d.toybox.looks import surface
from uni3d.toybox.shapes import Toy

__all__ = ["render_toy"]


_INLINED = (distances, looks)
_MAX_PARTS_PER_RAY = 96
_SKY, _KEY, _AMBIENT = 0.16, 0.34, 0.55


@kernel(inline="always")
def _local(axes, center, k, px, py, pz):
    dx, dy, dz = px - center[k, 0], py - center[k, 1], pz - center[k, 2]
    m = axes[k]
    return (
        m[0, 0] * dx + m[1, 0] * dy + m[2, 0] * dz,
        m[0, 1] * dx + m[1, 1] * dy + m[2, 1] * dz,
        m[0, 2] * dx + m[1, 2] * dy + m[2, 2] * dz,
    )


@kernel(inlined=_INLINED)
def _nearest(px, py, pz, t, near, enter, leave, count, shape, center, axes, size):
    """Distance along the ray that is safe to go, and the part that limits it."""
    best, which = 1e9, -1
    for j in range(count):
        k = near[j]
        if t > leave[j]:  # the ray is past this part's box
            continue
        if enter[j] - t > 0.05:  # not there yet: up to the box is safe
            if enter[j] - t + 1e-3 < best:
                best, which = enter[j] - t + 1e-3, -1
            continue
        x, y, z = _local(axes, center, k, px, py, pz)
        s = size[k]
        value = part_distance(shape[k], x, y, z, s[0], s[1], s[2], s[3])
        if value < best:
            best, which = value, k
    return best, which


@kernel(inlined=_INLINED)
def _box_interval(m, half, ox, oy, oz, dx, dy, dz):
    """Where a ray (relative to the part) enters and leaves the part's local box, slightly grown."""
    first, last = -1e9, 1e9
    for axis in range(3):
        o = m[0, axis] * ox + m[1, axis] * oy + m[2, axis] * oz
        d = m[0, axis] * dx + m[1, axis] * dy + m[2, axis] * dz
        reach = half[axis] + 2e-3
        if abs(d) < 1e-9:
            if abs(o) > reach:
                return 1.0, 0.0
            continue
        t0, t1 = (-reach - o) / d, (reach - o) / d
        if t0 > t1:
            t0, t1 = t1, t0
        first, last = max(first, t0), min(last, t1)
    return first, last


@kernel(inlined=_INLINED)
def _patterned(pattern, frequency, px, py, pz):
    """Whether a point of a patterned part shows the second colour."""
    if pattern == 1:  # stripes across the length and height of the toy
        return math.sin(2.2 * frequency * (px + 0.45 * pz) + 0.3) > 0.15
    u, v, w = px * 0.62 * frequency, py * 0.62 * frequency, pz * 0.62 * frequency
    u += 0.5 * (math.floor(w) % 2)
    v += 0.5 * (math.floor(w) % 2)
    du, dv, dw = u - math.floor(u) - 0.5, v - math.floor(v) - 0.5, w - math.floor(w) - 0.5
    return du * du + dv * dv + dw * dw < 0.17


@kernel(inline="always")
def _candidates(ray, center, axes, bound, half, near, enter, leave):
    """Put the parts whose boxes the ray meets into `near`, and where it does into `enter` and
    `leave`; their number, and where the first begins and the last ends."""
    ox, oy, oz, dx, dy, dz = ray
    count, start, end = 0, 1e9, -1e9
    for k in range(center.shape[0]):
        cx, cy, cz = center[k, 0] - ox, center[k, 1] - oy, center[k, 2] - oz
        along = cx * dx + cy * dy + cz * dz
        gap = cx * cx + cy * cy + cz * cz - along * along
        reach = bound[k] * bound[k] - gap
        if reach > 0.0 and count < _MAX_PARTS_PER_RAY:
            first, last = _box_interval(axes[k], half[k], -cx, -cy, -cz, dx, dy, dz)
            if first < last:
                start, end = min(start, first), max(end, last)
                near[count], enter[count], leave[count] = k, first, last
                count += 1
    return count, start, end


@kernel(inline="always")
def _first_hit(ray, start, end, near, enter, leave, count, shape, center, axes, size):
    """How far along the ray it meets a part, and which; -1 for none."""
    ox, oy, oz, dx, dy, dz = ray
    t = max(start, 0.0)
    if count == 0:
        return t, -1
    for _ in range(64):
        if t > end:
            break
        px, py, pz = ox + t * dx, oy + t * dy, oz + t * dz
        value, which = _nearest(px, py, pz, t, near, enter, leave, count, shape, center, axes, size)
        if value < 1.5e-3 and which >= 0:
            return t, which
        t += max(0.95 * value, 1.5e-3)
    return t, -1


@kernel(inline="always")
def _normal(hit, px, py, pz, shape, center, axes, size):
    """The unit normal of part `hit` at a point of its surface, by differences."""
    s, k, e = size[hit], shape[hit], 1e-4
    x, y, z = _local(axes, center, hit, px, py, pz)
    here = part_distance(k, x, y, z, s[0], s[1], s[2], s[3])
    gx = part_distance(k, x + e, y, z, s[0], s[1], s[2], s[3]) - here
    gy = part_distance(k, x, y + e, z, s[0], s[1], s[2], s[3]) - here
    gz = part_distance(k, x, y, z + e, s[0], s[1], s[2], s[3]) - here
    m = axes[hit]
    nx = m[0, 0] * gx + m[0, 1] * gy + m[0, 2] * gz
    ny = m[1, 0] * gx + m[1, 1] * gy + m[1, 2] * gz
    nz = m[2, 0] * gx + m[2, 1] * gy + m[2, 2] * gz
    length = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-12
    return nx / length, ny / length, nz / length


@kernel(inlined=_INLINED)
def _trace(
    origins,
    directions,
    lights,
    shape,
    center,
    axes,
    size,
    color,
    color2,
    pattern,
    frequency,
    bound,
    half,
    look,
    out,
):
    near = np.empty(_MAX_PARTS_PER_RAY, np.int64)
    enter, leave = np.empty(_MAX_PARTS_PER_RAY), np.empty(_MAX_PARTS_PER_RAY)
    for i in range(origins.shape[0]):
        ox, oy, oz = origins[i, 0], origins[i, 1], origins[i, 2]
        dx, dy, dz = directions[i, 0], directions[i, 1], directions[i, 2]
        ray = (ox, oy, oz, dx, dy, dz)
        # Only the parts whose bounding boxes the ray meets can be hit: the union of those is
        # what is traced.
        count, start, end = _candidates(ray, center, axes, bound, half, near, enter, leave)
        t, hit = _first_hit(ray, start, end, near, enter, leave, count, shape, center, axes, size)
        if hit < 0:
            out[i, 0] = out[i, 1] = out[i, 2] = out[i, 3] = 0.0
            continue
        px, py, pz = ox + t * dx, oy + t * dy, oz + t * dz
        nx, ny, nz = _normal(hit, px, py, pz, shape, center, axes, size)
        if look[hit] > 0:
            key = (lights[i, 0], lights[i, 1], lights[i, 2])
            rgb = (color[hit, 0], color[hit, 1], color[hit, 2])
            red, green, blue = surface(
                look[hit], rgb, (px, py, pz), (nx, ny, nz), key, (dx, dy, dz)
            )
            out[i, 0], out[i, 1], out[i, 2], out[i, 3] = red, green, blue, 1.0
            continue
        facing = max(nx * lights[i, 0] + ny * lights[i, 1] + nz * lights[i, 2], 0.0)
        light = _AMBIENT + _SKY * (0.5 + 0.5 * nz) + _KEY * facing
        second = pattern[hit] > 0 and _patterned(pattern[hit], frequency[hit], px, py, pz)
        for c in range(3):
            albedo = color2[hit, c] if second else color[hit, c]
            out[i, c] = min(albedo * light, 1.0)
        out[i, 3] = 1.0


def render_toy(toy: Toy, cameras: Cameras, size: int = 64, supersample: int = 2) -> np.ndarray:
    """Pictures with premultiplied colour and alpha, `[batch, 4, size, size]` float32 in [0, 1].

    Composite over a background as `rgb + (1 - alpha) * background`.
    """
    side = size * supersample
    origins, directions = cameras.rays(side, side)
    rotation = cameras.rotation.numpy().astype(np.float64)  # columns right, up, back
    key = 0.35 * rotation[:, :, 0] + 0.55 * rotation[:, :, 1] + 0.76 * rotation[:, :, 2]  # [b, 3]
    key /= np.linalg.norm(key, axis=1, keepdims=True)
    lights = np.repeat(key, side * side, axis=0)
    flat_origins = origins.reshape(-1, 3).numpy().astype(np.float64)
    flat_directions = directions.reshape(-1, 3).numpy().astype(np.float64)
    out = np.empty((flat_origins.shape[0], 4), np.float32)
    trace: Any = _trace  # its arguments are numba's to check
    trace(flat_origins, flat_directions, lights, *toy.arrays, out)
    grid = out.reshape(len(cameras), size, supersample, size, supersample, 4).mean(axis=(2, 4))
    return np.ascontiguousarray(grid.transpose(0, 3, 1, 2))
