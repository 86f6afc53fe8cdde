"""What toys stand on: a piece of furniture, or a round of the ground of some place."""

import math
from collections.abc import Callable

import numpy as np

from uni3d.toybox.shapes import Builder, lowest_point, support

__all__ = ["STANDS", "UNCOUNTED", "stand_on"]

REGION = "stand"
_SIDES = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])


def stand_on(b: Builder, name: str) -> None:
    """Put the stand under the lowest point of what is built."""
    bottom, reach = lowest_point(b.parts)
    reach *= 0.75
    if name not in ("table", "rock", "pedestal"):  # a ground is as wide as the toy
        reach = max(reach, 0.62 * float(support(b.parts, _SIDES).max()))
    STANDS[name](b, bottom, reach)


def _table(b: Builder, z: float, r: float) -> None:
    b.cylinder((0, 0, z - 0.07), r * 1.25, 0.08, "brown", region=REGION)
    for angle in (45, 135, 225, 315):
        x, y = math.cos(math.radians(angle)) * r * 0.9, math.sin(math.radians(angle)) * r * 0.9
        b.capsule((x, y, z - 0.1), (x, y, z - 0.75 * r), 0.09, "brown", REGION)


def _rock(b: Builder, z: float, r: float) -> None:
    b.ellipsoid((0, 0, z - 0.4 * r), (1.3 * r, 1.2 * r, 0.5 * r), "gray", region=REGION)


def _pedestal(b: Builder, z: float, r: float) -> None:
    b.cylinder((0, 0, z - 0.06), r * 1.2, 0.08, "white", region=REGION)
    b.cylinder((0, 0, z - 0.1 - 0.3 * r), r, 0.32 * r, "white", region=REGION)
    b.cylinder((0, 0, z - 0.64 * r), r * 1.3, 0.08, "white", region=REGION)


def _around(r: float, count: int, turn: float) -> list[tuple[float, float]]:
    """Places on a circle, `turn` degrees from the front."""
    angles = [math.radians(turn + 360 * k / count) for k in range(count)]
    return [(r * math.cos(a), r * math.sin(a)) for a in angles]


def _grass(b: Builder, z: float, r: float) -> None:
    b.cylinder((0, 0, z - 0.06), 1.5 * r, 0.07, (0.22, 0.55, 0.16), region=REGION)
    for x, y in _around(1.3 * r, 9, 15):
        blade = (x, y, z + 0.07 * r)
        b.cone(blade, 0.09 * r, 0.004, 0.14 * r, (0.3, 0.68, 0.18), region=REGION)


def _sand(b: Builder, z: float, r: float) -> None:
    sand = (0.88, 0.76, 0.5)
    b.ellipsoid((0, 0, z - 0.16 * r), (1.6 * r, 1.45 * r, 0.24 * r), sand, region=REGION)
    b.ellipsoid((-r, 0.8 * r, z - 0.1 * r), (0.6 * r, 0.5 * r, 0.2 * r), sand, region=REGION)
    shell = (0.98, 0.82, 0.78)
    b.dome((1.15 * r, 0.45 * r, z - 0.06 * r), (0.16 * r, 0.2 * r, 0.1 * r), shell, region=REGION)
    star = (1.0 * r, -0.55 * r, z - 0.02 * r)
    b.ellipsoid(star, (0.14 * r, 0.14 * r, 0.05 * r), "orange", region=REGION)


def _water(b: Builder, z: float, r: float) -> None:
    b.cylinder((0, 0, z - 0.06), 1.5 * r, 0.07, (0.16, 0.45, 0.75), region=REGION)
    for wide in (0.85, 1.2):
        ring = (0.65, 0.85, 0.95)
        b.torus((0, 0, z + 0.01), wide * r, 0.035 * r, ring, region=REGION)


def _snow(b: Builder, z: float, r: float) -> None:
    snow = (0.95, 0.97, 1.0)
    b.ellipsoid((0, 0, z - 0.2 * r), (1.5 * r, 1.4 * r, 0.26 * r), snow, region=REGION)
    for k, (x, y) in enumerate(_around(1.15 * r, 5, 50)):
        size = (0.4 + 0.08 * (k % 3)) * r
        b.ellipsoid((x, y, z - 0.16 * r), (size, size, 0.55 * size), snow, region=REGION)


def _road(b: Builder, z: float, r: float) -> None:
    wide = 1.25 * r
    b.box((0, 0, z - 0.06), (1.6 * r, wide, 0.06), (0.2, 0.2, 0.22), region=REGION)
    for side in (-1, 1):
        edge = (0, side * (wide + 0.1 * r), z - 0.04)
        b.box(edge, (1.6 * r, 0.12 * r, 0.08), (0.62, 0.62, 0.6), region=REGION)
    for x in (-1.2, -0.4, 0.4, 1.2):
        b.box((x * r, 0, z - 0.055), (0.22 * r, 0.07 * r, 0.06), "white", region=REGION)


def _rug(b: Builder, z: float, r: float) -> None:
    b.box((0, 0, z - 0.05), (1.2 * r, 1.5 * r, 0.035), (0.6, 0.1, 0.14), region=REGION)
    b.box((0, 0, z - 0.048), (0.95 * r, 1.25 * r, 0.035), (0.9, 0.75, 0.4), region=REGION)
    b.box((0, 0, z - 0.046), (0.82 * r, 1.12 * r, 0.035), (0.6, 0.1, 0.14), region=REGION)
    for side in (-1, 1):
        fringe = (0, side * 1.56 * r, z - 0.055)
        b.box(fringe, (1.15 * r, 0.08 * r, 0.02), (0.93, 0.9, 0.82), region=REGION)


def _log(b: Builder, z: float, r: float) -> None:
    thick = 0.55 * r
    turn = (90, 0, 0)
    b.cylinder((0, 0, z - thick), thick, 1.45 * r, (0.33, 0.2, 0.1), turn, REGION)
    for side in (-1, 1):
        cut = (0, side * 1.44 * r, z - thick)
        b.cylinder(cut, 0.88 * thick, 0.05 * r, (0.85, 0.66, 0.4), turn, REGION)
    knot = (0.55 * thick, 0.9 * r, z - 0.6 * thick)
    b.capsule(knot, (1.35 * thick, 1.1 * r, z), 0.14 * r, (0.33, 0.2, 0.1), REGION)


def _floor(b: Builder, z: float, r: float) -> None:
    for k in range(7):
        tone = (0.72, 0.5, 0.28) if k % 2 else (0.58, 0.37, 0.18)
        board = (0, (k - 3) * 0.42 * r, z - 0.05)
        b.box(board, (1.5 * r, 0.2 * r, 0.045), tone, region=REGION)


def _chair(b: Builder, z: float, r: float) -> None:
    wood = (0.66, 0.42, 0.2)
    b.box((0, 0, z - 0.06), (1.05 * r, 1.05 * r, 0.06), wood, region=REGION)
    b.box((-1.05 * r, 0, z + 0.5 * r), (0.07 * r, 1.05 * r, 0.62 * r), wood, region=REGION)
    for x, y in _around(1.3 * r, 4, 45):
        b.capsule((x, y, z - 0.1), (x, y, z - 1.1 * r), 0.1 * r, wood, REGION)


def _sofa(b: Builder, z: float, r: float) -> None:
    cloth = (0.2, 0.35, 0.62)
    soft = 0.1 * r
    seat = (1.1 * r, 1.55 * r, 0.24 * r)
    b.box((0, 0, z - 0.25 * r), seat, cloth, region=REGION, rounding=soft)
    back = (0.22 * r, 1.7 * r, 0.62 * r)
    b.box((-1.15 * r, 0, z + 0.12 * r), back, cloth, region=REGION, rounding=soft)
    for side in (-1, 1):
        arm = (0, side * 1.65 * r, z - 0.05 * r)
        b.box(arm, (1.15 * r, 0.2 * r, 0.42 * r), cloth, region=REGION, rounding=soft)
        for x in (-0.9, 0.9):
            b.ball((x * r, side * 1.5 * r, z - 0.55 * r), 0.12 * r, (0.25, 0.15, 0.08), REGION)


# Each is built below the height z, for a toy that reaches r to the sides.
STANDS: dict[str, Callable[[Builder, float, float], None]] = {
    "table": _table,
    "rock": _rock,
    "pedestal": _pedestal,
    "grass": _grass,
    "sand": _sand,
    "water": _water,
    "snow": _snow,
    "road": _road,
    "rug": _rug,
    "log": _log,
    "floor": _floor,
    "chair": _chair,
    "sofa": _sofa,
}
UNCOUNTED = ("grass", "sand", "water", "snow")  # without an article: "a chair on grass"
