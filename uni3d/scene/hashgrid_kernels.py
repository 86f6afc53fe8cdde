"""numba kernels of the hash grid: encode, its gradients, and the fused visibility walk.

Legend: `points` are `[n, 3]` in [0, 1]; `table` is flat, `[2 * entries]`; `levels` is int64
`[levels, 4]` of (first entry, entries, resolution, hashed 0/1); `scales` is float32 `[levels]`.
float32 constants are spelled out because a bare literal would widen the arithmetic to float64.
"""

import math

import numpy as np
from numba import prange

from uni3d.scene.kernels import kernel

__all__ = ["backward_points", "backward_table", "density_forward", "encode_forward", "walk_visible"]

CHUNK = 2048  # points per parallel piece; fixed, so that results do not depend on the threads
RAY_CHUNK = 64
TWO, TWIN = np.uint64(2), np.uint64(1)
ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
PRIME_Y, PRIME_Z = 2654435761, 805459861  # tiny-cuda-nn's coherent prime hash; x has factor 1
# NaN and infinity keep their meaning. No "reassoc", as in `uni3d.scene.mlp`.
FAST = {"contract", "arcp"}


@kernel(fastmath=FAST)
def _axis(x, scale):
    """Cell index and fraction along one axis; x is clamped to [0, 1], NaN becomes 0."""
    if not x > ZERO:
        x = ZERO
    if x > ONE:
        x = ONE
    position = x * scale + HALF
    cell = np.int64(position)  # position >= 0.5, so truncation is floor
    return cell, position - np.float32(cell)


@kernel(fastmath=FAST)
def _slot(kx, ky, kz, size, hashed):
    """Entry of a corner within its level, from its three per-axis keys.

    int64 products below 2^53 share their low 32 bits with the uint32 products of the rule, and
    only the low bits survive the mask.
    """
    if hashed:
        return np.uint64((kx ^ ky ^ kz) & (size - 1))  # unsigned: numba checks signed ones for < 0
    index = kx + ky + kz
    return np.uint64(index % size if index >= size else index)


@kernel(fastmath=FAST)
def _corners(x, y, z, scale, start, size, resolution, hashed):
    """Where the numbers of the 8 corners around a point start, x fastest; the fractions."""
    ix, fx = _axis(x, scale)
    iy, fy = _axis(y, scale)
    iz, fz = _axis(z, scale)
    step_y = PRIME_Y if hashed else resolution
    step_z = PRIME_Z if hashed else resolution * resolution
    y0, z0 = iy * step_y, iz * step_z
    x1, y1, z1 = ix + 1, y0 + step_y, z0 + step_z
    base = TWO * np.uint64(start)
    slots = (
        base + TWO * _slot(ix, y0, z0, size, hashed),
        base + TWO * _slot(x1, y0, z0, size, hashed),
        base + TWO * _slot(ix, y1, z0, size, hashed),
        base + TWO * _slot(x1, y1, z0, size, hashed),
        base + TWO * _slot(ix, y0, z1, size, hashed),
        base + TWO * _slot(x1, y0, z1, size, hashed),
        base + TWO * _slot(ix, y1, z1, size, hashed),
        base + TWO * _slot(x1, y1, z1, size, hashed),
    )
    return slots, fx, fy, fz


@kernel(fastmath=FAST)
def _weights(fx, fy, fz):
    """Trilinear weights of the 8 corners, in the order of `_corners`."""
    gx, gy, gz = ONE - fx, ONE - fy, ONE - fz
    a, b, c, d = gy * gz, fy * gz, gy * fz, fy * fz
    return gx * a, fx * a, gx * b, fx * b, gx * c, fx * c, gx * d, fx * d


@kernel(fastmath=FAST)
def _encode_level(x, y, z, table, scale, start, size, resolution, hashed):
    s, fx, fy, fz = _corners(x, y, z, scale, start, size, resolution, hashed)
    w = _weights(fx, fy, fz)
    first = (
        w[0] * table[s[0]]
        + w[1] * table[s[1]]
        + w[2] * table[s[2]]
        + w[3] * table[s[3]]
        + w[4] * table[s[4]]
        + w[5] * table[s[5]]
        + w[6] * table[s[6]]
        + w[7] * table[s[7]]
    )
    second = (
        w[0] * table[s[0] + TWIN]
        + w[1] * table[s[1] + TWIN]
        + w[2] * table[s[2] + TWIN]
        + w[3] * table[s[3] + TWIN]
        + w[4] * table[s[4] + TWIN]
        + w[5] * table[s[5] + TWIN]
        + w[6] * table[s[6] + TWIN]
        + w[7] * table[s[7] + TWIN]
    )
    return first, second


@kernel(parallel=True, fastmath=FAST)
def encode_forward(points, table, levels, scales, out):
    """out[n, 2 * levels]: interpolated features, level by level."""
    count = points.shape[0]
    for chunk in prange((count + CHUNK - 1) // CHUNK):
        low = chunk * CHUNK
        high = min(low + CHUNK, count)
        for k in range(levels.shape[0]):
            start, size, resolution = levels[k, 0], levels[k, 1], levels[k, 2]
            hashed, scale = levels[k, 3] != 0, scales[k]
            for i in range(low, high):
                first, second = _encode_level(
                    points[i, 0],
                    points[i, 1],
                    points[i, 2],
                    table,
                    scale,
                    start,
                    size,
                    resolution,
                    hashed,
                )
                out[i, 2 * k] = first
                out[i, 2 * k + 1] = second
                # Never taken. A loop that may end early is not vectorised, and this one runs
                # twice as fast scalar: its gathers are slow vector instructions.
                if levels[k, 1] == 0:
                    break


@kernel(parallel=True, fastmath=FAST)
def backward_table(points, grad_out, levels, scales, grad_table):
    """Scatter-add into grad_table.

    One task per level: levels own disjoint entries and each is filled in the order of the points,
    so there are no races and the sum is the same for every thread count.
    """
    for k in prange(levels.shape[0]):
        start, size, resolution = levels[k, 0], levels[k, 1], levels[k, 2]
        hashed = levels[k, 3] != 0
        for i in range(points.shape[0]):
            u, v = grad_out[i, 2 * k], grad_out[i, 2 * k + 1]
            if u == ZERO and v == ZERO:
                continue
            s, fx, fy, fz = _corners(
                points[i, 0], points[i, 1], points[i, 2], scales[k], start, size, resolution, hashed
            )
            w = _weights(fx, fy, fz)
            for corner in range(8):
                grad_table[s[corner]] += w[corner] * u
                grad_table[s[corner] + TWIN] += w[corner] * v


@kernel(parallel=True, fastmath=FAST)
def backward_points(points, table, grad_out, levels, scales, grad_points):
    """grad_points[n, 3]: slope of the trilinear interpolation, zero where x was clamped."""
    count = points.shape[0]
    for chunk in prange((count + CHUNK - 1) // CHUNK):
        for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, count)):
            dx, dy, dz = ZERO, ZERO, ZERO
            for k in range(levels.shape[0]):
                s, fx, fy, fz = _corners(
                    points[i, 0],
                    points[i, 1],
                    points[i, 2],
                    scales[k],
                    levels[k, 0],
                    levels[k, 1],
                    levels[k, 2],
                    levels[k, 3] != 0,
                )
                gx, gy, gz = ONE - fx, ONE - fy, ONE - fz
                u, v = grad_out[i, 2 * k], grad_out[i, 2 * k + 1]
                c0 = table[s[0]] * u + table[s[0] + TWIN] * v
                c1 = table[s[1]] * u + table[s[1] + TWIN] * v
                c2 = table[s[2]] * u + table[s[2] + TWIN] * v
                c3 = table[s[3]] * u + table[s[3] + TWIN] * v
                c4 = table[s[4]] * u + table[s[4] + TWIN] * v
                c5 = table[s[5]] * u + table[s[5] + TWIN] * v
                c6 = table[s[6]] * u + table[s[6] + TWIN] * v
                c7 = table[s[7]] * u + table[s[7] + TWIN] * v
                dx += scales[k] * (
                    gz * (gy * (c1 - c0) + fy * (c3 - c2)) + fz * (gy * (c5 - c4) + fy * (c7 - c6))
                )
                dy += scales[k] * (
                    gz * (gx * (c2 - c0) + fx * (c3 - c1)) + fz * (gx * (c6 - c4) + fx * (c7 - c5))
                )
                dz += scales[k] * (
                    gy * (gx * (c4 - c0) + fx * (c5 - c1)) + fy * (gx * (c6 - c2) + fx * (c7 - c3))
                )
            grad_points[i, 0] = dx if ZERO <= points[i, 0] <= ONE else ZERO
            grad_points[i, 1] = dy if ZERO <= points[i, 1] <= ONE else ZERO
            grad_points[i, 2] = dz if ZERO <= points[i, 2] <= ONE else ZERO


@kernel(fastmath=FAST)
def _density(x, y, z, table, levels, scales, hidden, out, blob_density, blob_radius, buffer):
    """Density at one world point: encode, one ReLU layer, blob bias, softplus; 0 out of the ball.

    hidden `[2 * levels, width]` and out `[width]` are the density network; `buffer` holds width.
    """
    radius = math.sqrt(x * x + y * y + z * z)
    if radius >= ONE:
        return ZERO
    width = hidden.shape[1]
    for j in range(width):
        buffer[j] = ZERO
    ux, uy, uz = x * HALF + HALF, y * HALF + HALF, z * HALF + HALF
    for k in range(levels.shape[0]):
        first, second = _encode_level(
            ux,
            uy,
            uz,
            table,
            scales[k],
            levels[k, 0],
            levels[k, 1],
            levels[k, 2],
            levels[k, 3] != 0,
        )
        for j in range(width):
            buffer[j] += first * hidden[2 * k, j] + second * hidden[2 * k + 1, j]
    raw = ZERO
    for j in range(width):
        raw += max(buffer[j], ZERO) * out[j]
    raw += blob_density * (ONE - radius / blob_radius)
    return raw if raw > np.float32(20) else np.float32(math.log1p(math.exp(raw)))


@kernel(parallel=True, fastmath=FAST)
def density_forward(
    points, table, levels, scales, hidden, out, blob_density, blob_radius, densities
):
    """densities[n] at world points [n, 3], nothing kept for a gradient."""
    count = points.shape[0]
    for chunk in prange((count + CHUNK - 1) // CHUNK):
        buffer = np.empty(hidden.shape[1], np.float32)
        for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, count)):
            x, y, z = points[i, 0], points[i, 1], points[i, 2]
            densities[i] = _density(
                x, y, z, table, levels, scales, hidden, out, blob_density, blob_radius, buffer
            )


@kernel(parallel=True, fastmath=FAST)
def walk_visible(
    origins,
    directions,
    first,
    last,
    step,
    occupied,
    alpha_min,
    transmittance_min,
    table,
    levels,
    scales,
    hidden,
    out,
    blob_density,
    blob_radius,
    midpoints,
    counts,
):
    """Walk every ray from first[r] to last[r] and keep the samples that can be seen.

    A sample is kept if its cell of `occupied` (uint8 [R, R, R] over [-1, 1]^3) is set and its
    opacity is at least alpha_min; a ray ends when its transmittance falls below
    transmittance_min, so hidden samples are never even evaluated. Writes the kept distances to
    midpoints [rays, most] and their number to counts [rays].
    """
    cells = occupied.shape[0]
    half_cells = np.float32(cells) * HALF
    rays = origins.shape[0]
    for chunk in prange((rays + RAY_CHUNK - 1) // RAY_CHUNK):
        buffer = np.empty(hidden.shape[1], np.float32)
        for r in range(chunk * RAY_CHUNK, min((chunk + 1) * RAY_CHUNK, rays)):
            kept = 0
            transmittance = ONE
            for k in range(midpoints.shape[1]):
                t = first[r] + np.float32(k) * step
                if t >= last[r]:
                    break
                x = origins[r, 0] + t * directions[r, 0]
                y = origins[r, 1] + t * directions[r, 1]
                z = origins[r, 2] + t * directions[r, 2]
                ix = min(max(int((x + ONE) * half_cells), 0), cells - 1)
                iy = min(max(int((y + ONE) * half_cells), 0), cells - 1)
                iz = min(max(int((z + ONE) * half_cells), 0), cells - 1)
                if occupied[ix, iy, iz] == 0:
                    continue
                density = _density(
                    x, y, z, table, levels, scales, hidden, out, blob_density, blob_radius, buffer
                )
                alpha = ONE - math.exp(-density * step)
                if alpha < alpha_min:
                    continue
                midpoints[r, kept] = t
                kept += 1
                transmittance *= ONE - alpha
                if transmittance < transmittance_min:
                    break
            counts[r] = kept
