"""Toy buildings; their doors face +x."""

import math

from uni3d.toybox.kinds.kind import Kind
from uni3d.toybox.shapes import Builder

__all__ = ["BUILDINGS"]

_GLASS = (0.62, 0.84, 0.97)
_DOOR = (0.36, 0.20, 0.10)


def _house(b: Builder) -> None:
    long, wide, wall = b.vary(0.46, 0.58), b.vary(0.56, 0.68), b.vary(0.34, 0.42)
    roof = b.vary(0.22, 0.28)
    # The roof is what an overhead view sees, so it too must tell the colour of the house.
    tiles = b.shade(1.3 if b.color_name in ("black", "brown") else 0.5)
    b.box((0, 0, wall), (long, wide, wall))
    b.wedge((0, 0, 2 * wall + roof * 0.8), (wide * 0.94, long, roof), turn=(0, 0, 90))
    slope = math.degrees(math.atan2(2 * roof, wide))
    slab = math.hypot(wide, 2 * roof) / 2 + 0.06
    z = 2 * wall + roof * 0.86
    b.mirror(b.box((0, wide * 0.53, z), (long + 0.09, slab, 0.05), tiles, turn=(-slope, 0, 0)))
    b.box((-long * 0.45, wide * 0.45, 2 * wall + roof * 1.5), (0.11, 0.11, 0.30))
    b.box((-long * 0.45, wide * 0.45, 2 * wall + roof * 1.5 + 0.28), (0.13, 0.13, 0.05), "gray")
    b.box((long, 0, wall * 0.62), (0.03, 0.14, wall * 0.62), _DOOR)
    b.ball((long + 0.03, 0.08, wall * 0.6), 0.04, "yellow")
    for side in (1, -1):
        b.box((side * long, wide * 0.60, wall * 1.1), (0.02, 0.17, 0.17), "white")
        b.box((side * long, -wide * 0.60, wall * 1.1), (0.02, 0.17, 0.17), "white")
        b.box((side * long, wide * 0.60, wall * 1.1), (0.03, 0.13, 0.13), _GLASS)
        b.box((side * long, -wide * 0.60, wall * 1.1), (0.03, 0.13, 0.13), _GLASS)
    b.mirror(b.box((0, wide, wall * 1.1), (0.20, 0.02, 0.17), "white"))
    b.mirror(b.box((0, wide, wall * 1.1), (0.16, 0.03, 0.13), _GLASS))


def _castle(b: Builder) -> None:
    side, wall, tower = b.vary(0.48, 0.56), b.vary(0.26, 0.32), b.vary(0.42, 0.52)
    roof = b.vary(0.17, 0.24)
    tiles = "blue" if b.color_name not in ("blue", "purple", "black") else "red"
    b.box((0, 0, wall), (side, side, wall))
    for x in (side, -side):
        for y in (-0.22, 0.0, 0.22):
            b.box((x - math.copysign(0.06, x), y, 2 * wall + 0.06), (0.07, 0.07, 0.10))
        posts = b.cylinder((x, side, tower), 0.20, tower)
        rims = b.cylinder((x, side, 2 * tower), 0.235, 0.07, b.shade(0.8))
        caps = b.cone((x, side, 2 * tower + 0.05 + roof), 0.22, 0.02, roof, tiles)
        b.mirror(posts, rims, caps)
    b.mirror(b.box((0.13, side - 0.06, 2 * wall + 0.06), (0.07, 0.07, 0.10)))
    b.mirror(b.box((-0.13, side - 0.06, 2 * wall + 0.06), (0.07, 0.07, 0.10)))
    keep = tower + 0.18
    b.cylinder((0, 0, keep), 0.27, keep)
    for k in range(6):
        angle = 2 * math.pi * (k + 0.5) / 6
        b.box(
            (0.25 * math.cos(angle), 0.25 * math.sin(angle), 2 * keep + 0.04),
            (0.07, 0.08, 0.11),
            turn=(0, 0, 60 * k + 30),
        )
    b.cylinder((0, 0, 2 * keep + 0.20), 0.04, 0.26, _DOOR)
    b.box((0, 0.16, 2 * keep + 0.36), (0.04, 0.16, 0.10), "red", rounding=0.03)
    b.box((side, 0, 0.17), (0.04, 0.16, 0.17), _DOOR)
    b.cylinder((side, 0, 0.34), 0.16, 0.04, _DOOR, turn=(0, 90, 0))
    for x in (0.26, -0.26):
        b.box((x, 0, keep * 1.68), (0.03, 0.05, 0.10), "black", rounding=0.02)


def _lighthouse(b: Builder) -> None:
    base, top, tall = b.vary(0.31, 0.37), b.vary(0.18, 0.23), b.vary(0.62, 0.78)
    band = "white" if b.color_name != "white" else "red"
    b.ellipsoid((0, 0, 0.02), (0.56, 0.52, 0.20), (0.44, 0.42, 0.40))
    b.ball((0.30, 0.30, 0.04), 0.20, (0.38, 0.36, 0.35))
    b.ball((-0.34, -0.20, 0.04), 0.20, (0.38, 0.36, 0.35))
    z0 = 0.10
    b.cone((0, 0, z0 + tall), base, top, tall)
    for k in (1, 3):
        fraction = (k + 0.45) / 5 + 0.05
        radius = base + (top - base) * fraction
        step = (base - top) * 0.0625
        b.cone(
            (0, 0, z0 + 2 * tall * fraction),
            radius + step + 0.015,
            radius - step + 0.015,
            tall * 0.125,
            band,
        )
    z = z0 + 2 * tall
    b.cylinder((0, 0, z + 0.02), top + 0.13, 0.06, "black", rounding=0.03)
    b.cylinder((0, 0, z + 0.20), top * 0.82, 0.16, (1.0, 0.93, 0.45))
    for k in range(4):
        angle = math.pi * (k + 0.5) / 2
        r = top * 0.80
        b.cylinder((r * math.cos(angle), r * math.sin(angle), z + 0.20), 0.04, 0.16, "black")
    b.cone((0, 0, z + 0.47), top + 0.07, 0.03, 0.13)
    b.ball((0, 0, z + 0.62), 0.06, "black")
    b.box((base - 0.01, 0, 0.27), (0.05, 0.11, 0.17), _DOOR, rounding=0.04)


def _windmill(b: Builder) -> None:
    base, top, tall = b.vary(0.36, 0.44), b.vary(0.22, 0.28), b.vary(0.50, 0.62)
    spin, blade = b.vary(15, 75), b.vary(0.62, 0.74)
    wood = (0.44, 0.25, 0.11) if b.color_name != "brown" else (0.16, 0.10, 0.07)
    b.cone((0, 0, tall), base, top, tall)
    b.cylinder((0, 0, 0.05), base + 0.05, 0.07, "gray", rounding=0.03)
    z = 2 * tall
    b.torus((0, 0, z), top, 0.06, wood)
    b.dome((0, 0, z), (top + 0.05, top + 0.05, 0.34))
    hub = (top + 0.20, 0.0, z + 0.10)
    b.cylinder((hub[0] - 0.16, 0, hub[2]), 0.08, 0.20, wood, turn=(0, 90, 0))
    b.ball((hub[0] + 0.05, 0, hub[2]), 0.12, "red")
    sail = (0.96, 0.88, 0.68) if b.color_name != "yellow" else (0.95, 0.95, 0.94)
    for k in range(4):
        roll = spin + 90 * k
        angle = math.radians(roll)
        # Local +z after a roll about x points along (0, -sin, cos).
        up, across = (-math.sin(angle), math.cos(angle)), (math.cos(angle), math.sin(angle))
        arm = blade * 0.5
        b.box(
            (hub[0], up[0] * arm, hub[2] + up[1] * arm),
            (0.045, 0.045, blade * 0.52),
            wood,
            turn=(roll, 0, 0),
        )
        y, h = up[0] * blade * 0.62 + across[0] * 0.10, up[1] * blade * 0.62 + across[1] * 0.10
        b.box((hub[0], y, hub[2] + h), (0.035, 0.12, blade * 0.38), sail, turn=(roll, 0, 0))
    b.box((base - 0.02, 0, 0.24), (0.06, 0.12, 0.20), _DOOR, rounding=0.03)
    for x in (1, -1):
        b.box((x * (base + top) / 2, 0, tall * 1.05), (0.05, 0.09, 0.10), _GLASS, rounding=0.03)


def _kind(name: str, words: tuple[str, ...], color: str, build) -> Kind:
    return Kind(name=name, words=words, category="building", color=color, build=build)


BUILDINGS: tuple[Kind, ...] = (
    _kind("house", ("house", "cottage", "home"), "orange", _house),
    _kind("castle", ("castle", "fortress"), "gray", _castle),
    _kind("lighthouse", ("lighthouse",), "red", _lighthouse),
    _kind("windmill", ("windmill", "mill"), "white", _windmill),
)
