"""How materials look to the tracer: grain, facets and gloss on a colour that is given.

All but the highlight is fixed to the object, and the highlight is soft and wide, so that a scene
whose colour does not depend on the view can learn it. Points are in the toy's unit ball.
"""

import math

from uni3d.scene.kernels import kernel

__all__ = ["surface"]

_AMBIENT, _SKY, _KEY = 0.55, 0.16, 0.34  # as for a plain surface


@kernel(inline="always")
def _lattice(i, j, k):
    """A number in [0, 1) for each point of the integer lattice."""
    n = (i * 73856093) ^ (j * 19349663) ^ (k * 83492791)
    n = ((n & 0x7FFFFFFF) ^ ((n & 0x7FFFFFFF) >> 13)) * 1274126177
    return ((n ^ (n >> 16)) & 0xFFFF) / 65536.0


@kernel()
def _noise(x, y, z):
    """Value noise: the lattice's numbers between its points, in [0, 1)."""
    i, j, k = math.floor(x), math.floor(y), math.floor(z)
    u, v, w = x - i, y - j, z - k
    u, v, w = u * u * (3 - 2 * u), v * v * (3 - 2 * v), w * w * (3 - 2 * w)
    i, j, k = int(i), int(j), int(k)
    total = 0.0
    for a in range(2):
        for b in range(2):
            for c in range(2):
                weight = (u if a else 1 - u) * (v if b else 1 - v) * (w if c else 1 - w)
                total += weight * _lattice(i + a, j + b, k + c)
    return total


@kernel(inline="always")
def _step(low, high, x):
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * (3 - 2 * t)


@kernel()
def _hole(often, x, y, z):
    """1 within a ball around a point of each second cell of a grid, 0 outside."""
    i, j, k = math.floor(often * x), math.floor(often * y), math.floor(often * z)
    if _lattice(int(i), int(j), int(k)) < 0.55:
        return 0.0
    far = math.sqrt(
        (often * x - i - 0.5) ** 2 + (often * y - j - 0.5) ** 2 + (often * z - k - 0.5) ** 2
    )
    return 1.0 - _step(0.34, 0.46, far)


@kernel()
def _facet(n):
    """The normal of the paper's fold: the nearest of a coarse set of directions."""
    x, y, z = (
        math.floor(n[0] * 1.4 + 0.5),
        math.floor(n[1] * 1.4 + 0.5),
        math.floor(n[2] * 1.4 + 0.5),
    )
    length = math.sqrt(x * x + y * y + z * z)
    if length < 0.5:
        return n
    return (x / length, y / length, z / length)


@kernel()
def _grain(look, p, n):
    """Factor of brightness by place, and how far the colour goes to the material's other tone."""
    x, y, z = p
    if look == 1:  # wood: rings around an axis that leans
        u = math.sqrt((y - 0.6) ** 2 + (z + 0.25 * x - 0.5) ** 2) + 0.05 * _noise(
            3 * x, 3 * y, 3 * z
        )
        ring = 0.5 + 0.5 * math.sin(46.0 * u)
        return 0.68 + 0.38 * ring, 0.0
    if look == 4:  # stone: specks of two sizes
        fine, coarse = _noise(30 * x, 30 * y, 30 * z), _noise(7 * x, 7 * y, 7 * z)
        return 0.55 + 0.5 * fine + 0.3 * coarse, 0.0
    if look == 6:  # leather: pores, and wear in large patches
        return 0.8 + 0.25 * _noise(24 * x, 24 * y, 24 * z) + 0.25 * _noise(4 * x, 4 * y, 4 * z), 0.0
    if look == 7:  # knitting: rows of stitches that lean left and right
        around = math.atan2(y, x) * 0.75 if abs(n[2]) < 0.8 else x
        column = 9.0 * around
        lean = abs(column - math.floor(column) - 0.5)
        course = 7.5 * z + 1.2 * lean
        loop = 0.5 + 0.5 * math.cos(2 * math.pi * course)
        gap = 1.0 - _step(0.36, 0.5, lean)
        return 0.42 + 0.5 * loop + 0.22 * gap, 0.0
    if look == 9:  # brick: courses, every second one shifted by half a brick
        course = math.floor(z * 7.5)
        across = x if abs(n[1]) > abs(n[0]) else y
        if abs(n[2]) > 0.75:  # seen from above: bricks lying flat
            course = math.floor(x * 7.5)
            across, z = y, x
        u = across * 3.6 + 0.5 * (course % 2)
        v = z * 7.5 - course
        mortar = v < 0.17 or u - math.floor(u) < 0.1
        tone = 0.8 + 0.35 * _lattice(course, math.floor(u), 7)
        return (1.0, 1.0) if mortar else (tone, 0.0)
    if look == 11:  # rust: bare steel shows in patches
        patch = _noise(5 * x, 5 * y, 5 * z) + 0.35 * _noise(16 * x, 16 * y, 16 * z)
        return 0.7 + 0.5 * _noise(22 * x, 22 * y, 22 * z), _step(0.74, 0.86, patch)
    if look == 13:  # chocolate: the squares of a bar
        across = x if abs(n[1]) > abs(n[0]) else y
        up = y if abs(n[2]) > 0.75 else z
        u, v = 4.2 * across - math.floor(4.2 * across), 4.2 * up - math.floor(4.2 * up)
        return (0.45 if min(u, v) < 0.2 else 1.0), 0.0
    if look == 14:  # clay: the dents of fingers
        return 0.84 + 0.3 * _noise(8 * x, 8 * y, 8 * z), 0.0
    if look == 15:  # plush: tufts
        fine, coarse = _noise(30 * x, 30 * y, 30 * z), _noise(13 * x, 13 * y, 13 * z)
        return 0.3 + 0.4 * fine + 0.85 * coarse, 0.0
    if look == 18:  # age: stains and scratches
        stain = _step(0.5, 0.8, _noise(5 * x, 5 * y, 5 * z))
        scratch = _step(0.8, 0.9, _noise(40 * x, 40 * y, 6 * z))
        return 0.92 - 0.38 * stain + 0.12 * scratch, 0.0
    if look == 16:  # cheese: round holes of two sizes
        hole = max(_hole(3.4, x, y, z), _hole(5.2, x + 0.3, y, z))
        return 1.0 - 0.3 * hole, 0.0
    return 1.0, 0.0


@kernel()
def surface(look, rgb, p, n, key, ray):
    """Colour `(r, g, b)` of a point of a look (index into LOOKS) seen along `ray`.

    rgb: its colour; p, n: point and normal; key: direction to the key light; all unit vectors.
    """
    if look == 8:
        n = _facet(n)
    facing = max(n[0] * key[0] + n[1] * key[1] + n[2] * key[2], 0.0)
    toward = -(n[0] * ray[0] + n[1] * ray[1] + n[2] * ray[2])
    light = _AMBIENT + _SKY * (0.5 + 0.5 * n[2]) + _KEY * facing
    grain, other = _grain(look, p, n)
    shine = 0.0
    if look == 2 or look == 3 or look == 12:  # metal mirrors a bright sky over a dark ground
        up = n[2] + 0.15 * math.sin(9.0 * (n[0] + n[1]))
        light = 0.42 + 0.62 * _step(-0.15, 0.35, up) - 0.3 * _step(0.55, 0.95, up)
        light += 0.28 * _step(-1.0, -0.5, -up) * _step(-0.9, -0.5, up) * 0.5
        shine = 0.75 * facing**14
    elif look == 5:  # glass: dark inside, bright rim, a sharp highlight
        rim = 1.0 - max(toward, 0.0)
        light = 0.62 + 0.7 * rim * rim
        shine = 0.9 * facing**22
    elif look == 6:
        shine = 0.28 * facing**8
    elif look == 8:
        light = 0.42 + 0.25 * (0.5 + 0.5 * n[2]) + 0.5 * facing
    elif look == 10:
        shine = 0.55 * facing**26
    elif look == 13:  # chocolate melts a little
        shine = 0.42 * facing**6
    elif look == 17:  # polish: a window of light, and a dark horizon under it
        shine = 0.8 * facing**9 + 0.34 * _step(0.2, 0.5, n[2]) * (1.0 - _step(0.65, 0.9, n[2]))
    elif look == 14:
        shine = 0.08 * facing**4
    elif look == 15:  # the pile catches the light at its edges
        rim = 1.0 - max(toward, 0.0)
        light += 0.42 * rim * rim
    tone = (0.80, 0.77, 0.72) if look == 9 else (0.55, 0.57, 0.60)
    r = (rgb[0] * (1 - other) + tone[0] * other) * grain * light + shine
    g = (rgb[1] * (1 - other) + tone[1] * other) * grain * light + shine
    b = (rgb[2] * (1 - other) + tone[2] * other) * grain * light + shine
    return min(r, 1.0), min(g, 1.0), min(b, 1.0)
