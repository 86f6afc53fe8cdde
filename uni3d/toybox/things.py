"""Things that toys ride, sit beside, lie on or are in: each a few primitives.

Ridden things have their seat at `p`; all are scaled by `s`, the height of the toy.
"""

from collections.abc import Callable

from uni3d.toybox.held import DARK, REGION, STEEL, WOOD, Place, flower
from uni3d.toybox.shapes import Builder

__all__ = ["BELOW", "BESIDE", "CONTAINERS", "RIDDEN"]


def _wheels(b: Builder, p: Place, s: float, radius: float, thick: float, gap: float) -> None:
    for side in (-1, 1):
        hub = (p[0] + side * gap * s, p[1], p[2] - 0.24 * s)
        b.torus(hub, radius * s, thick * s, DARK, (90, 0, 0), REGION)
        b.cylinder(hub, 0.3 * radius * s, 0.025 * s, STEEL, (90, 0, 0), REGION)


def _bicycle(b: Builder, p: Place, s: float) -> None:
    x, y, z = p
    _wheels(b, p, s, 0.24, 0.03, 0.38)
    hubs = [(x - 0.38 * s, y, z - 0.24 * s), (x + 0.38 * s, y, z - 0.24 * s)]
    seat, pedal, bar = (x - 0.06 * s, y, z), (x, y, z - 0.28 * s), (x + 0.3 * s, y, z + 0.06 * s)
    for start, end in (
        (hubs[0], seat),
        (hubs[0], pedal),
        (seat, pedal),
        (pedal, bar),
        (hubs[1], bar),
    ):
        b.capsule(start, end, 0.025 * s, "red", REGION)
    grip = (bar[0] - 0.03 * s, y, bar[2] + 0.08 * s)
    b.capsule(bar, grip, 0.022 * s, DARK, REGION)
    b.capsule((grip[0], -0.2 * s, grip[2]), (grip[0], 0.2 * s, grip[2]), 0.022 * s, DARK, REGION)


def _motorcycle(b: Builder, p: Place, s: float) -> None:
    x, y, z = p
    _wheels(b, p, s, 0.17, 0.09, 0.42)
    b.ellipsoid(
        (x + 0.14 * s, y, z - 0.05 * s), (0.26 * s, 0.13 * s, 0.13 * s), "orange", region=REGION
    )
    b.box((x - 0.18 * s, y, z - 0.05 * s), (0.25 * s, 0.11 * s, 0.05 * s), DARK, region=REGION)
    b.box((x, y, z - 0.2 * s), (0.16 * s, 0.1 * s, 0.1 * s), STEEL, region=REGION)
    b.ellipsoid(
        (x - 0.44 * s, y, z - 0.06 * s), (0.14 * s, 0.1 * s, 0.05 * s), "orange", region=REGION
    )
    b.capsule(
        (x + 0.42 * s, y, z - 0.24 * s), (x + 0.3 * s, y, z + 0.14 * s), 0.035 * s, STEEL, REGION
    )
    bar = z + 0.16 * s
    b.capsule(
        (x + 0.27 * s, -0.22 * s, bar), (x + 0.27 * s, 0.22 * s, bar), 0.025 * s, DARK, REGION
    )
    b.ball((x + 0.38 * s, y, z + 0.08 * s), 0.07 * s, "yellow", region=REGION)


def _horse(b: Builder, p: Place, s: float) -> None:
    x, y, z = p
    coat, mane = (0.5, 0.3, 0.16), (0.15, 0.1, 0.08)
    trunk = z - 0.17 * s
    b.capsule((x - 0.3 * s, y, trunk), (x + 0.3 * s, y, trunk), 0.18 * s, coat, REGION)
    for side in (-1, 1):
        leg = b.capsule(
            (x + side * 0.3 * s, 0.1 * s, trunk),
            (x + side * 0.3 * s, 0.1 * s, trunk - 0.42 * s),
            0.06 * s,
            coat,
            REGION,
        )
        b.mirror(leg)
    top = (x + 0.52 * s, y, z + 0.26 * s)
    b.capsule((x + 0.32 * s, y, trunk + 0.05 * s), top, 0.1 * s, coat, REGION)
    b.capsule(
        (x + 0.33 * s, y, trunk + 0.2 * s),
        (top[0] - 0.09 * s, y, top[2] + 0.06 * s),
        0.05 * s,
        mane,
        REGION,
    )
    b.capsule(top, (top[0] + 0.2 * s, y, top[2] - 0.1 * s), 0.085 * s, coat, REGION)
    ear = b.cone(
        (top[0] - 0.02 * s, 0.05 * s, top[2] + 0.12 * s),
        0.03 * s,
        0.004,
        0.05 * s,
        coat,
        region=REGION,
    )
    b.mirror(ear)
    b.capsule(
        (x - 0.47 * s, y, trunk + 0.08 * s),
        (x - 0.58 * s, y, trunk - 0.28 * s),
        0.05 * s,
        mane,
        REGION,
    )
    b.box((x, y, z - 0.02 * s), (0.14 * s, 0.17 * s, 0.04 * s), "red", region=REGION)


def _skateboard(b: Builder, p: Place, s: float) -> None:
    x, y, z = p
    b.box((x, y, z - 0.025 * s), (0.36 * s, 0.13 * s, 0.025 * s), "purple", region=REGION)
    for side in (-1, 1):
        end = (x + side * 0.4 * s, y, z + 0.005 * s)
        b.box(end, (0.08 * s, 0.13 * s, 0.022 * s), "purple", (0, -side * 25, 0), REGION)
        wheel = b.cylinder(
            (x + side * 0.24 * s, 0.1 * s, z - 0.09 * s),
            0.06 * s,
            0.035 * s,
            "yellow",
            (90, 0, 0),
            REGION,
        )
        b.mirror(wheel)


def _ball(b: Builder, p: Place, s: float) -> None:
    x, y, z = p
    r = 0.2 * s
    b.ball((x, y + r, z + r), r, "red", region=REGION)
    b.torus((x, y + r, z + r), 0.93 * r, 0.1 * r, "white", (90, 0, 20), REGION)
    b.torus((x, y + r, z + r), 0.93 * r, 0.1 * r, "white", (0, 0, 0), REGION)


def _crate(b: Builder, p: Place, s: float) -> None:
    x, y, z = p
    r = 0.19 * s
    b.box((x, y + r, z + r), (r, r, r), (0.72, 0.52, 0.3), region=REGION)
    b.box((x, y + r, z + r), (0.3 * r, 1.04 * r, 1.04 * r), (0.5, 0.33, 0.17), region=REGION)


def _tree(b: Builder, p: Place, s: float) -> None:
    x, y, z = p
    y += 0.24 * s
    b.cylinder((x, y, z + 0.14 * s), 0.06 * s, 0.14 * s, WOOD, region=REGION)
    for up, wide in ((0.34, 0.25), (0.54, 0.2), (0.72, 0.14)):
        b.cone((x, y, z + up * s), wide * s, 0.02 * s, 0.14 * s, (0.1, 0.45, 0.18), region=REGION)


def _candle(b: Builder, p: Place, s: float) -> None:
    x, y, z = p
    y += 0.12 * s
    b.cylinder((x, y, z + 0.02 * s), 0.12 * s, 0.02 * s, (0.85, 0.65, 0.2), region=REGION)
    b.cylinder((x, y, z + 0.22 * s), 0.07 * s, 0.2 * s, "white", region=REGION)
    b.ellipsoid((x, y, z + 0.5 * s), (0.04 * s, 0.04 * s, 0.08 * s), "orange", region=REGION)


def _beside_basket(b: Builder, p: Place, s: float) -> None:
    x, y, z = p
    _woven(b, (x, y + 0.22 * s, z), 0.2 * s, 0.22 * s)
    b.arc((x, y + 0.22 * s, z + 0.2 * s), 0.19 * s, 0.025 * s, 90, WOOD, (0, -90, 0), REGION)


def _woven(b: Builder, p: Place, radius: float, height: float) -> None:
    """A round basket standing at p: rings of straw around a dark inside."""
    x, y, z = p
    rings = 4
    b.cylinder(
        (x, y, z + 0.48 * height), 0.9 * radius, 0.46 * height, (0.4, 0.24, 0.1), region=REGION
    )
    for k in range(rings):
        up = (k + 0.5) / rings * height
        tone = (0.82, 0.6, 0.3) if k % 2 else (0.66, 0.44, 0.2)
        b.torus((x, y, z + up), 0.92 * radius, 0.6 * height / rings, tone, region=REGION)


def _beside_flower(b: Builder, p: Place, s: float) -> None:
    x, y, z = p
    flower(b, (x, y + 0.2 * s, z + 0.1 * s), 1.5 * s)


def _beside_cup(b: Builder, p: Place, s: float) -> None:
    x, y, z = p
    y += 0.14 * s
    b.cylinder((x, y, z + 0.15 * s), 0.13 * s, 0.15 * s, "white", region=REGION)
    b.cylinder((x, y, z + 0.3 * s), 0.11 * s, 0.008 * s, (0.35, 0.2, 0.1), region=REGION)
    b.torus((x, y + 0.14 * s, z + 0.16 * s), 0.08 * s, 0.025 * s, "white", (0, 90, 0), REGION)


def _beside_book(b: Builder, p: Place, s: float) -> None:
    x, y, z = p
    _flat_book(b, (x, y + 0.3 * s, z + 0.09 * s), 0.22 * s)


def _plate(b: Builder, p: Place, r: float) -> None:
    x, y, z = p
    b.cylinder((x, y, z - 0.03 * r), 1.3 * r, 0.04 * r, "white", region=REGION)
    b.torus((x, y, z), 1.28 * r, 0.07 * r, "blue", region=REGION)


def _flat_book(b: Builder, p: Place, r: float) -> None:
    x, y, z = p
    b.box((x, y, z - 0.05 * r), (0.95 * r, 1.25 * r, 0.05 * r), "green", region=REGION)
    b.box((x + 0.03 * r, y, z - 0.2 * r), (0.9 * r, 1.2 * r, 0.12 * r), "white", region=REGION)
    b.box((x, y, z - 0.35 * r), (0.95 * r, 1.25 * r, 0.05 * r), "green", region=REGION)
    b.box((x - 0.93 * r, y, z - 0.2 * r), (0.05 * r, 1.25 * r, 0.2 * r), "green", region=REGION)


def _pillow(b: Builder, p: Place, r: float) -> None:
    x, y, z = p
    pale = (0.55, 0.7, 0.95)
    b.box(
        (x, y, z - 0.2 * r), (1.15 * r, 1.15 * r, 0.26 * r), pale, region=REGION, rounding=0.25 * r
    )
    for front, left in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        b.ball(
            (x + 1.1 * front * r, y + 1.1 * left * r, z - 0.2 * r),
            0.12 * r,
            "yellow",
            region=REGION,
        )


def _under_box(b: Builder, p: Place, r: float) -> None:
    x, y, z = p
    b.box((x, y, z - 0.65 * r), (r, r, 0.65 * r), (0.72, 0.52, 0.3), region=REGION)
    b.box((x, y, z - 0.65 * r), (1.02 * r, 0.16 * r, 0.66 * r), (0.5, 0.33, 0.17), region=REGION)


def _in_basket(b: Builder, p: Place, r: float, height: float) -> None:
    _woven(b, p, 1.12 * r, height)


def _in_box(b: Builder, p: Place, r: float, height: float) -> None:
    x, y, z = p
    card = (0.76, 0.57, 0.36)
    b.box((x, y, z + 0.45 * height), (r, r, 0.45 * height), (0.4, 0.28, 0.16), region=REGION)
    for sign in (-1, 1):
        b.box(
            (x + sign * r, y, z + 0.5 * height),
            (0.06 * r, 1.06 * r, 0.5 * height),
            card,
            region=REGION,
        )
        b.box(
            (x, y + sign * r, z + 0.5 * height),
            (1.06 * r, 0.06 * r, 0.5 * height),
            card,
            region=REGION,
        )
        flap = (x, y + sign * 1.3 * r, z + 0.93 * height)
        b.box(flap, (1.0 * r, 0.3 * r, 0.03 * r), card, (-sign * 25, 0, 0), REGION)


def _in_bowl(b: Builder, p: Place, r: float, height: float) -> None:
    x, y, z = p
    blue = (0.2, 0.45, 0.8)
    b.dome((x, y, z + height), (1.2 * r, 1.2 * r, height), blue, (180, 0, 0), REGION)
    b.torus((x, y, z + height), 1.16 * r, 0.07 * r, "white", region=REGION)
    b.cylinder((x, y, z + 0.03 * r), 0.5 * r, 0.06 * r, blue, region=REGION)


# Built at the seat, of the toy's height.
RIDDEN: dict[str, Callable[[Builder, Place, float], None]] = {
    "bicycle": _bicycle,
    "horse": _horse,
    "skateboard": _skateboard,
    "motorcycle": _motorcycle,
}
# Built from the place where the thing touches the toy's side, of the toy's height.
BESIDE: dict[str, Callable[[Builder, Place, float], None]] = {
    "ball": _ball,
    "box": _crate,
    "tree": _tree,
    "candle": _candle,
    "basket": _beside_basket,
    "flower": _beside_flower,
    "cup": _beside_cup,
    "book": _beside_book,
}
# Built under the lowest point, of the toy's reach to the sides.
BELOW: dict[str, Callable[[Builder, Place, float], None]] = {
    "plate": _plate,
    "book": _flat_book,
    "pillow": _pillow,
    "box": _under_box,
}
# Built around the lowest part, of a radius and a height.
CONTAINERS: dict[str, Callable[[Builder, Place, float, float], None]] = {
    "basket": _in_basket,
    "box": _in_box,
    "bowl": _in_bowl,
}
