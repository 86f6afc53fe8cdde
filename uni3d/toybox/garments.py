"""More things worn: clothes and small accessories, put at the same anchors as in `roles`."""

import math
from typing import Any, cast

import numpy as np

from uni3d.toybox.distances import part_distance
from uni3d.toybox.roles import Role, at, dress_in, is_lying
from uni3d.toybox.shapes import Builder, lowest_point, support

__all__ = ["GARMENTS"]


def _outside(b: Builder, start, direction) -> tuple[float, float, float]:
    """The last point of the toy's surface on the way from `start`."""
    steps = np.arange(0.0, 1.2, 0.01)
    points = np.asarray(start) + steps[:, None] * np.asarray(direction)
    last, inside_of = 0, cast(Any, part_distance)  # its arguments are numba's to check
    for part in b.parts:
        local = (points - part.center) @ part.axes
        inside = [inside_of(part.shape, *point, *part.size) < 0 for point in local]
        last = max([last, *np.flatnonzero(inside)])
    x, y, z = points[last]
    return float(x), float(y), float(z)


def _throat(b: Builder) -> tuple[float, float, float]:
    """The front of the neck, below the chin."""
    x, _, z, r = at(b, "neck")
    if is_lying(b):
        hx, _, hz, _ = at(b, "head")
        tilt = math.atan2(hx - x, hz - z)
        return _outside(b, (x, 0, z), (math.cos(tilt), 0, -math.sin(tilt)))
    return _outside(b, (x, 0, z - 0.15 * r), (1, 0, 0))


def _bow_tie(b: Builder) -> None:
    x, _, z = _throat(b)
    r = at(b, "neck")[3]
    around = support(b.parts, np.concatenate([np.eye(3), -np.eye(3)]))
    extent = float(np.max(around[:3] + around[3:]))
    size = max(0.55 * r, 0.55 * at(b, "head")[3], 0.5 * at(b, "torso")[3], 0.1 * extent)
    wing = b.cone(
        (x, 0.5 * size, z),
        0.12 * size,
        0.5 * size,
        0.5 * size,
        (0.1, 0.35, 0.95),
        (-90, 0, 0),
        "worn",
    )
    b.mirror(wing)
    b.ball((x + 0.05, 0, z), 0.28 * size, "white", region="worn")


def _tuxedo(b: Builder) -> None:
    dress_in(b, (0.06, 0.06, 0.08), ("torso", "leg", "arm", "belly", "foot"))
    x, y, z, r = at(b, "chest")
    if y:  # a lying trunk: the shirt is in front, under the throat
        _, _, tz, trunk = at(b, "torso")
        front = max(p.center[0] + p.size[0] + p.size[1] for p in b.parts if p.region == "torso")
        front = min(front, at(b, "head")[0])
        b.ellipsoid(
            (front - 0.25 * trunk, 0, tz),
            (0.5 * trunk, 0.5 * trunk, 0.8 * trunk),
            "white",
            region="worn",
        )
    else:
        b.ellipsoid(
            (x - 0.12 * r, 0, z + 0.05), (0.3 * r, 0.34 * r, 0.75 * r), "white", region="worn"
        )
        for k in range(2):
            b.ball((x + 0.18 * r, 0, z + 0.1 - 0.3 * k * r), 0.06 * r, "black", region="worn")
    _bow_tie(b)


def _sweater(b: Builder) -> None:
    dress_in(b, (0.1, 0.45, 0.4), ("torso", "arm", "neck", "belly"))
    x, _, z, r = at(b, "torso")
    pale = (0.95, 0.92, 0.82)
    for k in (-0.45, 0.1):
        if is_lying(b):
            b.torus((x + 1.2 * k * r, 0, z), 0.96 * r, 0.16 * r, pale, (0, 90, 0), "worn")
        else:
            b.torus((x, 0, z + k * r), 0.92 * r, 0.14 * r, pale, region="worn")
    nx, _, nz, ring = at(b, "neck")
    hx, _, hz, _ = at(b, "head")
    tilt = math.degrees(math.atan2(hx - nx, hz - nz)) if is_lying(b) else 0.0
    b.torus((nx, 0, nz), ring, 0.3 * ring, (0.1, 0.45, 0.4), (0, tilt, 0), "worn")


def _party_hat(b: Builder) -> None:
    x, _, z, r = at(b, "head")
    z += 0.8 * r
    b.cone((x, 0, z + 0.6 * r), 0.62 * r, 0.03, 0.7 * r, (0.95, 0.25, 0.6), region="worn")
    for up, wide in ((0.15, 0.55), (0.65, 0.32)):
        b.torus((x, 0, z + up * r), wide * r, 0.09 * r, "yellow", region="worn")
    b.ball((x, 0, z + 1.35 * r), 0.22 * r, "yellow", region="worn")


def _glasses(b: Builder) -> None:
    x, _, z, gap = at(b, "eyes")
    r = at(b, "head")[3]
    y = max(gap, 0.36 * r)
    lens = b.ellipsoid(
        (x + 0.05 * r, y, z), (0.05 * r, 0.3 * r, 0.3 * r), (0.85, 0.93, 0.97), region="worn"
    )
    rim = b.torus((x + 0.08 * r, y, z), 0.32 * r, 0.09 * r, (0.5, 0.12, 0.1), (0, 90, 0), "worn")
    hook = b.capsule(
        (x, 0.8 * r, z + 0.1 * r),
        (x - 0.9 * r, 1.0 * r, z + 0.1 * r),
        0.08 * r,
        (0.5, 0.12, 0.1),
        "worn",
    )
    b.mirror(lens, rim, hook)
    b.capsule(
        (x + 0.1 * r, -0.1 * r, z), (x + 0.1 * r, 0.1 * r, z), 0.08 * r, (0.5, 0.12, 0.1), "worn"
    )


def _boots(b: Builder) -> None:
    feet = [p for p in b.parts if p.region == "foot" and p.center[1] > 0.02]
    bottom, _ = lowest_point(b.parts)
    x, _, _, r = at(b, "torso")
    size = (0.45 if is_lying(b) else 0.6) * max(r, at(b, "head")[3])
    places = _apart([(p.center[0], p.center[1]) for p in feet], size)
    if not places:  # no feet to be seen: a pair under the body
        places = [(x + 0.45 * r, 0.5 * r)]
    color = (0.97, 0.8, 0.08)
    for px, py in places:
        shaft = b.cylinder(
            (px, py, bottom + 1.0 * size), 0.62 * size, 0.8 * size, color, region="worn"
        )
        toe = b.ellipsoid(
            (px + 0.4 * size, py, bottom + 0.32 * size),
            (0.95 * size, 0.64 * size, 0.42 * size),
            color,
            region="worn",
        )
        top = b.torus(
            (px, py, bottom + 1.8 * size), 0.58 * size, 0.14 * size, (0.75, 0.2, 0.1), region="worn"
        )
        sole = b.box(
            (px + 0.3 * size, py, bottom - 0.02),
            (0.95 * size, 0.62 * size, 0.09 * size),
            "black",
            region="worn",
        )
        b.mirror(shaft, toe, top, sole)


def _apart(places: list[tuple[float, float]], size: float) -> list[tuple[float, float]]:
    """One place of those that are closer than a boot is wide (toes of one foot)."""
    kept: list[tuple[float, float]] = []
    for place in places:
        if all(math.dist(place, other) > 1.4 * size for other in kept):
            kept.append(place)
    return kept


def _dress(b: Builder) -> None:
    pink = (0.93, 0.35, 0.62)
    dress_in(b, pink, ("torso", "belly"))
    x, _, z, r = at(b, "torso")
    if is_lying(b):
        b.cone((x - 0.75 * r, 0, z), 1.55 * r, 0.95 * r, 0.55 * r, pink, (0, 90, 0), "worn")
        b.torus((x - 1.3 * r, 0, z), 1.5 * r, 0.1 * r, "white", (0, 90, 0), "worn")
        b.torus((x - 0.2 * r, 0, z), 0.98 * r, 0.12 * r, "white", (0, 90, 0), "worn")
        return
    bottom, _ = lowest_point(b.parts)
    low, high = bottom + 0.25 * (z - bottom), z - 0.05 * r
    b.cone((x, 0, (low + high) / 2), 1.6 * r, 0.85 * r, (high - low) / 2, pink, region="worn")
    b.torus((x, 0, low + 0.03), 1.58 * r, 0.09 * r, "white", region="worn")
    b.torus((x, 0, high), 0.86 * r, 0.12 * r, "white", region="worn")


GARMENTS = {
    garment.name: garment
    for garment in (
        Role("tuxedo", ("tuxedo",), _tuxedo),
        Role("sweater", ("sweater",), _sweater),
        Role("party_hat", ("party hat",), _party_hat),
        Role("glasses", ("pair of glasses",), _glasses),
        Role("boots", ("pair of boots",), _boots),
        Role("bow_tie", ("bow tie",), _bow_tie),
        Role("dress", ("dress",), _dress),
    )
}
