"""Signed distances of toys and of the primitives they are made of."""

import dataclasses
import math

import numpy as np

from uni3d.scene.kernels import kernel
from uni3d.toybox.shapes import Toy

__all__ = ["distance", "nearest_color", "part_distance"]


@kernel(inline="always")
def _ellipsoid(x, y, z, a, b, c):
    k0 = math.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2)
    k1 = math.sqrt((x / (a * a)) ** 2 + (y / (b * b)) ** 2 + (z / (c * c)) ** 2)
    if k1 < 1e-12:
        return -min(a, b, c)
    return k0 * (k0 - 1.0) / k1


@kernel()
def part_distance(shape, x, y, z, a, b, c, d):
    """Signed distance of local point (x, y, z) to a primitive of the given size."""
    if shape == 0:  # ellipsoid
        return _ellipsoid(x, y, z, a, b, c)
    if shape == 1:  # rounded box
        qx, qy, qz = abs(x) - a + d, abs(y) - b + d, abs(z) - c + d
        ox, oy, oz = max(qx, 0.0), max(qy, 0.0), max(qz, 0.0)
        return math.sqrt(ox * ox + oy * oy + oz * oz) + min(max(qx, qy, qz), 0.0) - d
    if shape == 2:  # capsule
        lz = max(abs(z) - b, 0.0)
        return math.sqrt(x * x + y * y + lz * lz) - a
    if shape == 3:  # cylinder, rounding c
        qr, qz = math.sqrt(x * x + y * y) - a + c, abs(z) - b + c
        outer = math.sqrt(max(qr, 0.0) ** 2 + max(qz, 0.0) ** 2)
        return outer + min(max(qr, qz), 0.0) - c
    if shape == 4:  # frustum: bottom radius a, top radius b, half height c
        q = math.sqrt(x * x + y * y)
        k2x, k2y = b - a, 2.0 * c
        cax = q - min(q, a if z < 0.0 else b)
        cay = abs(z) - c
        t = ((b - q) * k2x + (c - z) * k2y) / (k2x * k2x + k2y * k2y)
        t = min(max(t, 0.0), 1.0)
        cbx, cby = q - b + k2x * t, z - c + k2y * t
        sign = -1.0 if (cbx < 0.0 and cay < 0.0) else 1.0
        return sign * math.sqrt(min(cax * cax + cay * cay, cbx * cbx + cby * cby))
    if shape == 5:  # torus
        q = math.sqrt(x * x + y * y) - a
        return math.sqrt(q * q + z * z) - b
    if shape == 6:  # dome
        return max(_ellipsoid(x, y, z, a, b, c), -z)
    if shape == 7:  # wedge: the triangle (-a,-c) (a,-c) (0,c) in xz, width 2b in y
        slope = math.sqrt(4.0 * c * c + a * a)
        side = (2.0 * c * abs(x) + a * (z - c)) / slope
        return max(max(side, -z - c), abs(y) - b)
    # arc: piece of a torus around +x, half angle c
    angle = math.atan2(abs(y), x)
    if angle <= c:
        q = math.sqrt(x * x + y * y) - a
        return math.sqrt(q * q + z * z) - b
    ex, ey = x - a * math.cos(c), abs(y) - a * math.sin(c)
    return math.sqrt(ex * ex + ey * ey + z * z) - b


@kernel()
def _distance(points, shape, center, axes, size, out):
    for i in range(points.shape[0]):
        best = 1e9
        for k in range(shape.shape[0]):
            px, py, pz = (
                points[i, 0] - center[k, 0],
                points[i, 1] - center[k, 1],
                points[i, 2] - center[k, 2],
            )
            m = axes[k]
            x = m[0, 0] * px + m[1, 0] * py + m[2, 0] * pz
            y = m[0, 1] * px + m[1, 1] * py + m[2, 1] * pz
            z = m[0, 2] * px + m[1, 2] * py + m[2, 2] * pz
            s = size[k]
            best = min(best, part_distance(shape[k], x, y, z, s[0], s[1], s[2], s[3]))
        out[i] = best


def distance(toy: Toy, points: np.ndarray) -> np.ndarray:
    """Signed distance (negative inside; a bound outside) of points `[n, 3]`, `[n]`."""
    out = np.empty(points.shape[0])
    _distance(
        np.ascontiguousarray(points, np.float64), toy.shape, toy.center, toy.axes, toy.size, out
    )
    return out


def nearest_color(toy: Toy, points: np.ndarray) -> np.ndarray:
    """Colour of the part nearest to each point `[n, 3]`, `[n, 3]` in [0, 1]; plain of pattern."""
    best = np.full(len(points), np.inf)
    color = np.zeros((len(points), 3))
    for k in range(len(toy.shape)):
        one = dataclasses.replace(
            toy,
            shape=toy.shape[k : k + 1],
            center=toy.center[k : k + 1],
            axes=toy.axes[k : k + 1],
            size=toy.size[k : k + 1],
        )
        value = distance(one, points)
        closer = value < best
        best[closer], color[closer] = value[closer], toy.color[k]
    return color
