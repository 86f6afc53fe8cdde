"""Small things that toys hold: each a few primitives.

The hand is at `p`; `s` is the height of the toy. They are plain on purpose: what they are must be
seen at a dozen pixels.
"""

import math
from collections.abc import Callable

from uni3d.toybox.shapes import Builder

__all__ = ["DARK", "HELD", "REGION", "STEEL", "WOOD", "Place", "flower"]

Place = tuple[float, float, float]
REGION = "thing"
STEEL, DARK, WOOD = (0.75, 0.78, 0.82), (0.12, 0.12, 0.14), (0.5, 0.3, 0.14)


def _rod(b: Builder, p: Place, low: float, high: float, radius: float, color) -> None:
    b.capsule((p[0], p[1], p[2] + low), (p[0], p[1], p[2] + high), radius, color, REGION)


def _sword(b: Builder, p: Place, s: float) -> None:
    x, y, z = p
    _rod(b, p, -0.06 * s, 0.04 * s, 0.022 * s, WOOD)
    b.box((x, y, z + 0.06 * s), (0.02 * s, 0.09 * s, 0.02 * s), (0.9, 0.7, 0.15), region=REGION)
    b.box((x, y, z + 0.3 * s), (0.014 * s, 0.04 * s, 0.24 * s), STEEL, region=REGION)
    b.cone((x, y, z + 0.58 * s), 0.04 * s, 0.004, 0.045 * s, STEEL, region=REGION)


def _balloon(b: Builder, p: Place, s: float) -> None:
    x, y, z = p
    _rod(b, p, -0.04 * s, 0.42 * s, 0.01 * s, "white")
    b.ellipsoid((x, y, z + 0.58 * s), (0.16 * s, 0.16 * s, 0.19 * s), "red", region=REGION)
    b.cone((x, y, z + 0.39 * s), 0.03 * s, 0.004, 0.02 * s, "red", region=REGION)


def _flag(b: Builder, p: Place, s: float) -> None:
    x, y, z = p
    _rod(b, p, -0.3 * s, 0.58 * s, 0.018 * s, WOOD)
    b.box((x, y + 0.2 * s, z + 0.48 * s), (0.014 * s, 0.2 * s, 0.05 * s), "red", region=REGION)
    b.box((x, y + 0.2 * s, z + 0.38 * s), (0.014 * s, 0.2 * s, 0.05 * s), "white", region=REGION)


def _umbrella(b: Builder, p: Place, s: float) -> None:
    x, y, z = p
    _rod(b, p, -0.08 * s, 0.5 * s, 0.016 * s, DARK)
    b.dome((x, y, z + 0.36 * s), (0.36 * s, 0.36 * s, 0.2 * s), (0.75, 0.1, 0.35), region=REGION)
    b.cone((x, y, z + 0.58 * s), 0.02 * s, 0.004, 0.04 * s, DARK, region=REGION)


def _book(b: Builder, p: Place, s: float) -> None:
    x, y, z = p
    for side in (-1, 1):
        turn = (0, -25, -side * 22)
        cover = (x + 0.06 * s, y + side * 0.1 * s, z + 0.06 * s)
        b.box(cover, (0.014 * s, 0.11 * s, 0.14 * s), "red", turn, REGION)
        pages = (x + 0.035 * s, y + side * 0.095 * s, z + 0.065 * s)
        b.box(pages, (0.014 * s, 0.098 * s, 0.125 * s), "white", turn, REGION)


def _guitar(b: Builder, p: Place, s: float) -> None:
    x, y, z = p
    turn = (35, 0, 0)  # its neck leans to the toy's right

    def along(t: float) -> Place:
        angle = math.radians(35)
        return (x, y - t * s * math.sin(angle), z + t * s * math.cos(angle))

    wood = (0.8, 0.45, 0.12)
    b.ellipsoid(along(-0.12), (0.045 * s, 0.15 * s, 0.13 * s), wood, turn, REGION)
    b.ellipsoid(along(0.03), (0.045 * s, 0.11 * s, 0.1 * s), wood, turn, REGION)
    front = along(-0.03)
    b.ellipsoid((x + 0.035 * s, *front[1:]), (0.02 * s, 0.045 * s, 0.045 * s), DARK, turn, REGION)
    b.capsule(along(0.1), along(0.46), 0.024 * s, DARK, REGION)
    b.box(along(0.5), (0.02 * s, 0.04 * s, 0.05 * s), wood, turn, REGION)


def flower(b: Builder, p: Place, s: float) -> None:
    x, y, z = p
    _rod(b, p, -0.08 * s, 0.22 * s, 0.016 * s, "green")
    leaf = (x, y + 0.05 * s, z + 0.1 * s)
    b.ellipsoid(leaf, (0.02 * s, 0.06 * s, 0.03 * s), "green", (35, 0, 0), REGION)
    for k in range(5):
        angle = 2 * math.pi * k / 5
        spot = (x, y + 0.09 * s * math.cos(angle), z + 0.29 * s + 0.09 * s * math.sin(angle))
        b.ball(spot, 0.065 * s, (0.95, 0.5, 0.75), region=REGION)
    b.ball((x + 0.02 * s, y, z + 0.29 * s), 0.065 * s, "yellow", region=REGION)


def _hammer(b: Builder, p: Place, s: float) -> None:
    _rod(b, p, -0.08 * s, 0.3 * s, 0.022 * s, WOOD)
    head = (p[0], p[1], p[2] + 0.32 * s)
    b.box(head, (0.12 * s, 0.055 * s, 0.06 * s), (0.42, 0.44, 0.48), region=REGION)


def _violin(b: Builder, p: Place, s: float) -> None:
    x, y, z = p
    turn, wood = (-35, 0, 0), (0.55, 0.22, 0.06)

    def along(t: float) -> Place:
        angle = math.radians(35)
        return (x, y + t * s * math.sin(angle), z + t * s * math.cos(angle))

    b.ellipsoid(along(-0.08), (0.035 * s, 0.11 * s, 0.1 * s), wood, turn, REGION)
    b.ellipsoid(along(0.05), (0.035 * s, 0.085 * s, 0.08 * s), wood, turn, REGION)
    b.capsule(along(0.1), along(0.32), 0.02 * s, DARK, REGION)
    front = x + 0.06 * s
    bow = ((front, y - 0.22 * s, z + 0.1 * s), (front, y + 0.26 * s, z - 0.06 * s))
    b.capsule(*bow, 0.014 * s, (0.92, 0.88, 0.78), REGION)


def _trumpet(b: Builder, p: Place, s: float) -> None:
    x, y, z = p
    brass = (0.95, 0.72, 0.18)
    b.capsule(
        (x - 0.14 * s, y, z + 0.06 * s), (x + 0.22 * s, y, z + 0.1 * s), 0.03 * s, brass, REGION
    )
    b.capsule((x - 0.06 * s, y, z - 0.03 * s), (x + 0.14 * s, y, z), 0.025 * s, brass, REGION)
    bell = (x + 0.32 * s, y, z + 0.115 * s)
    b.cone(bell, 0.14 * s, 0.03 * s, 0.1 * s, brass, (0, -84, 0), REGION)
    for k in range(3):
        valve = (x + (0.06 * k - 0.02) * s, y, z + 0.13 * s)
        b.cylinder(valve, 0.016 * s, 0.05 * s, STEEL, region=REGION)


def _cup(b: Builder, p: Place, s: float) -> None:
    x, y, z = p
    b.cone((x, y, z + 0.08 * s), 0.07 * s, 0.1 * s, 0.13 * s, "white", region=REGION)
    b.cylinder((x, y, z + 0.22 * s), 0.11 * s, 0.018 * s, (0.45, 0.25, 0.12), region=REGION)
    b.cylinder((x, y, z + 0.06 * s), 0.092 * s, 0.035 * s, "red", region=REGION)
    b.capsule((x, y, z + 0.2 * s), (x, y + 0.06 * s, z + 0.42 * s), 0.016 * s, "red", REGION)


def _camera(b: Builder, p: Place, s: float) -> None:
    x, y, z = p
    b.box((x, y, z + 0.06 * s), (0.06 * s, 0.15 * s, 0.1 * s), DARK, region=REGION)
    b.box((x, y, z + 0.17 * s), (0.04 * s, 0.05 * s, 0.02 * s), STEEL, region=REGION)
    lens = (x + 0.09 * s, y, z + 0.05 * s)
    b.cylinder(lens, 0.075 * s, 0.05 * s, STEEL, (0, 90, 0), REGION)
    glass = (x + 0.135 * s, y, z + 0.05 * s)
    b.cylinder(glass, 0.055 * s, 0.012 * s, (0.15, 0.35, 0.7), (0, 90, 0), REGION)


def _drum(b: Builder, p: Place, s: float) -> None:
    x, y, z = p
    middle = (x + 0.16 * s, y - 0.12 * s)
    b.cylinder((*middle, z - 0.08 * s), 0.2 * s, 0.12 * s, "red", region=REGION)
    b.cylinder((*middle, z + 0.045 * s), 0.205 * s, 0.014 * s, (0.95, 0.93, 0.86), region=REGION)
    b.torus((*middle, z - 0.2 * s), 0.2 * s, 0.02 * s, "yellow", region=REGION)
    b.torus((*middle, z + 0.03 * s), 0.2 * s, 0.02 * s, "yellow", region=REGION)
    b.capsule(p, (middle[0], middle[1], z + 0.1 * s), 0.018 * s, WOOD, REGION)


def _donut(b: Builder, p: Place, s: float) -> None:
    x, y, z = p
    b.torus((x, y, z + 0.1 * s), 0.1 * s, 0.06 * s, (0.8, 0.52, 0.24), (0, 90, 0), REGION)
    icing = (0.95, 0.5, 0.7)
    b.torus((x + 0.025 * s, y, z + 0.1 * s), 0.1 * s, 0.05 * s, icing, (0, 90, 0), REGION)


# Built at the hand, of the toy's height.
HELD: dict[str, Callable[[Builder, Place, float], None]] = {
    "sword": _sword,
    "balloon": _balloon,
    "flag": _flag,
    "umbrella": _umbrella,
    "book": _book,
    "guitar": _guitar,
    "flower": flower,
    "hammer": _hammer,
    "violin": _violin,
    "trumpet": _trumpet,
    "cup": _cup,
    "camera": _camera,
    "drum": _drum,
    "donut": _donut,
}
