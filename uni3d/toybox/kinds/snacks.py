"""More things to eat; flat ones lean back so that their top faces the front."""

import itertools
import math

import numpy as np

from uni3d.toybox.kinds.kind import Kind
from uni3d.toybox.shapes import Builder

__all__ = ["SNACKS"]

_CRUST = (0.78, 0.47, 0.18)
_CRUMB = (0.97, 0.86, 0.62)
_CHEESE = (0.99, 0.80, 0.24)
_LETTUCE = (0.35, 0.72, 0.20)
_PLATE = (0.86, 0.89, 0.93)


def _frame(tilt: float):
    """(axis, across): the normal of a disc that leans back by `tilt` degrees, and its downhill."""
    angle = math.radians(tilt)
    return np.array([math.sin(angle), 0, math.cos(angle)]), np.array(
        [math.cos(angle), 0, -math.sin(angle)]
    )


def _on_disc(tilt: float, radius: float, angle: float, height: float) -> np.ndarray:
    """A point at `height` over a leaning disc; angle 0 is downhill."""
    axis, across = _frame(tilt)
    out = math.cos(angle) * across + math.sin(angle) * np.array([0.0, 1.0, 0.0])
    return radius * out + height * axis


def _bread(b: Builder) -> None:
    long, wide, tall = b.vary(0.66, 0.76), b.vary(0.32, 0.38), b.vary(0.22, 0.28)
    b.box((0, 0, tall), (wide, long, tall), _CRUST, rounding=0.09)
    b.cylinder((0, 0, 2 * tall), wide + 0.06, long + 0.02, _CRUST, turn=(90, 0, 0), rounding=0.12)
    cuts = 4
    for k in range(cuts):
        y = long * (2 * (k + 0.5) / cuts - 1)
        b.torus((0, y, 2 * tall), wide + 0.015, 0.065, (0.95, 0.74, 0.42), turn=(90, 0, 12))
        b.cylinder((0, y, 2 * tall), wide + 0.05, 0.02, (0.95, 0.74, 0.42), turn=(90, 0, 0))
    # One end is cut: the crumb shows, of a loaf's own outline.
    end = long + 0.03
    b.cylinder((0, end, 2 * tall), wide - 0.03, 0.02, _CRUMB, turn=(90, 0, 0))
    b.box((0, end - 0.03, tall + 0.02), (wide - 0.06, 0.05, tall - 0.06), _CRUMB)
    # A slice lies before the loaf.
    lean = b.vary(10, 22)
    b.box(
        (wide + 0.30, -long * 0.35, 0.26),
        (0.07, 0.30, 0.27),
        _CRUST,
        turn=(0, -lean, 0),
        rounding=0.06,
    )
    b.box(
        (wide + 0.32, -long * 0.35, 0.26),
        (0.07, 0.25, 0.22),
        _CRUMB,
        turn=(0, -lean, 0),
        rounding=0.05,
    )
    for side in (1, -1):
        b.cylinder(
            (wide + 0.22, -long * 0.35 + side * 0.15, 0.52),
            0.18,
            0.07,
            _CRUST,
            turn=(0, 90 - lean, 0),
            rounding=0.05,
        )
        b.cylinder(
            (wide + 0.24, -long * 0.35 + side * 0.14, 0.52),
            0.14,
            0.07,
            _CRUMB,
            turn=(0, 90 - lean, 0),
            rounding=0.05,
        )


def _pizza(b: Builder) -> None:
    radius, tilt, thick = b.vary(0.80, 0.88), b.vary(42, 58), b.vary(0.10, 0.13)
    turn = (0, tilt, 0)
    b.cylinder(_on_disc(tilt, 0, 0, -0.05), radius, 0.07, _CRUST, turn=turn, rounding=0.05)
    b.torus(_on_disc(tilt, 0, 0, 0.0), radius - 0.02, thick, (0.85, 0.56, 0.24), turn=turn)
    b.cylinder(_on_disc(tilt, 0, 0, 0.02), radius - 0.07, 0.03, (0.80, 0.16, 0.06), turn=turn)
    b.cylinder(_on_disc(tilt, 0, 0, 0.03), radius - 0.13, 0.035, _CHEESE, turn=turn)
    start = b.vary(0, 1)
    for k in range(9):
        ring, count, first = (0.66, 6, 0) if k < 6 else (0.28, 3, 0.5)
        angle = start + 2 * math.pi * (k + first) / count
        place = _on_disc(tilt, ring * radius, angle, 0.07)
        b.cylinder(place, 0.125, 0.03, (0.72, 0.10, 0.07), turn=turn, rounding=0.02)
    for k in range(6):
        angle = start + 2 * math.pi * (k + 0.5) / 6
        place = _on_disc(tilt, 0.50 * radius, angle, 0.07)
        b.ellipsoid(place, (0.11, 0.06, 0.04), "green", turn=turn)
        b.ball(_on_disc(tilt, 0.78 * radius, angle, 0.07), 0.055, (0.10, 0.09, 0.12))
    for k in range(4):  # the cuts
        part = b.box(_on_disc(tilt, 0, 0, 0.045), (radius - 0.14, 0.018, 0.03), (0.62, 0.30, 0.08))
        axis, across = _frame(tilt)
        cut = start + 0.26 + math.pi * k / 4
        out = math.cos(cut) * across + math.sin(cut) * np.array([0.0, 1.0, 0.0])
        part.axes = np.stack([out, np.cross(axis, out), axis], axis=1)


def _egg(b: Builder) -> None:
    radius, top, bottom = b.vary(0.60, 0.66), b.vary(0.88, 1.00), b.vary(0.58, 0.66)
    b.dome((0, 0, 0), (radius, radius, top))
    b.dome((0, 0, 0.002), (radius, radius, bottom), turn=(180, 0, 0))


def _sandwich(b: Builder) -> None:
    side, slice_, turn = b.vary(0.60, 0.68), b.vary(0.11, 0.14), (0, 0, b.vary(15, 35))
    z = slice_
    for k, (grow, half, color) in enumerate(
        (
            (0.0, slice_, None),
            (0.07, 0.045, _LETTUCE),
            (0.02, 0.06, (0.95, 0.55, 0.55)),
            (0.08, 0.045, _CHEESE),
            (0.0, 0.06, (0.85, 0.16, 0.10)),
            (0.08, 0.045, _LETTUCE),
            (0.0, slice_, None),
        )
    ):
        if k:
            z += half
        half_side = side + grow
        if color is None:
            b.box((0, 0, z), (half_side, half_side, half), _CRUST, turn=turn, rounding=0.06)
            face = half_side - 0.07
            b.box((0, 0, z + 0.025), (face, face, half), _CRUMB, turn=turn, rounding=0.04)
            b.box((0, 0, z - 0.025), (face, face, half), _CRUMB, turn=turn, rounding=0.04)
        else:
            extra = 45 if color == _CHEESE else 0
            size = half_side * (0.80 if extra else 1.0)
            b.box((0, 0, z), (size, size, half), color, turn=(0, 0, turn[2] + extra), rounding=0.03)
        z += half
    b.capsule((0, 0, z), (0, 0, z + 0.34), 0.032, (0.93, 0.80, 0.55))
    b.ellipsoid((0, 0, z + 0.12), (0.11, 0.11, 0.14), (0.48, 0.60, 0.12))
    b.ball((0, 0, z + 0.36), 0.07, "red")


def _watermelon(b: Builder) -> None:
    radius, tilt, deep = b.vary(0.80, 0.86), b.vary(34, 48), b.vary(0.76, 0.88)
    skin = (0.16, 0.50, 0.16)
    axis, _ = _frame(tilt)
    shell = b.dome((0, 0, 0), (radius, radius, radius * deep), skin, turn=(180, 0, 0))
    shell.axes = np.stack([np.cross([0, 1.0, 0], -axis), [0, 1.0, 0], -axis], axis=1)
    for k in range(4):
        stripe = b.dome(
            (0, 0, 0), (radius + 0.015, 0.10, radius * deep + 0.015), (0.05, 0.26, 0.08)
        )
        spoke = math.pi * (k + 0.3) / 4
        x = math.cos(spoke) * shell.axes[:, 0] + math.sin(spoke) * shell.axes[:, 1]
        stripe.axes = np.stack([x, np.cross(-axis, x), -axis], axis=1)
    turn = (0, tilt, 0)
    b.cylinder(axis * 0.0, radius + 0.005, 0.03, (0.62, 0.84, 0.42), turn=turn)
    b.cylinder(axis * 0.01, radius - 0.06, 0.035, (0.96, 0.95, 0.82), turn=turn)
    b.cylinder(axis * 0.02, radius - 0.11, 0.04, (0.93, 0.16, 0.20), turn=turn)
    for k in range(13):
        ring, count = (0.58, 8) if k < 8 else (0.28, 5)
        angle = 2 * math.pi * (k + b.vary(-0.15, 0.15)) / count
        b.ellipsoid(
            _on_disc(tilt, ring * radius, angle, 0.06), (0.06, 0.045, 0.03), "black", turn=turn
        )


def _pancakes(b: Builder) -> None:
    radius, thick, count = b.vary(0.62, 0.70), b.vary(0.085, 0.105), 5
    b.cylinder((0, 0, -0.02), radius + 0.26, 0.05, _PLATE, rounding=0.04)
    b.torus((0, 0, 0.03), radius + 0.22, 0.05, _PLATE)
    z = 0.03
    for _ in range(count):
        z += thick
        x, y = b.vary(-0.05, 0.05), b.vary(-0.05, 0.05)
        b.cylinder((x, y, z), radius, thick * 0.98, (0.95, 0.78, 0.46), rounding=thick * 0.9)
        b.cylinder(
            (x, y, z + thick * 0.45), radius - 0.03, thick * 0.5, (0.80, 0.48, 0.17), rounding=0.03
        )
        z += thick
    syrup = (0.48, 0.20, 0.05)
    b.cylinder((0, 0, z), radius * 0.72, 0.035, syrup, rounding=0.03)
    start = b.vary(0, 1)
    for k in range(6):
        angle = start + 2 * math.pi * k / 6
        x, y = math.cos(angle), math.sin(angle)
        fall = thick * (3 + 3 * ((k * 7) % 3) / 2)
        edge = radius + 0.03
        b.capsule(
            (0.6 * radius * x, 0.6 * radius * y, z), (edge * x, edge * y, z - 0.04), 0.07, syrup
        )
        b.capsule((edge * x, edge * y, z - 0.04), (edge * x, edge * y, z - fall), 0.07, syrup)
    b.box((0, 0, z + 0.10), (0.20, 0.20, 0.08), (1.0, 0.92, 0.45), turn=(0, 0, 25), rounding=0.04)


def _hot_dog(b: Builder) -> None:
    long, bun, fat = b.vary(0.62, 0.72), b.vary(0.22, 0.26), b.vary(0.17, 0.20)
    for x in (bun * 0.95, -bun * 0.95):
        b.capsule((x, -long * 0.86, bun), (x, long * 0.86, bun), bun, (0.88, 0.60, 0.26))
        b.capsule(
            (x * 0.72, -long * 0.86, bun + 0.07),
            (x * 0.72, long * 0.86, bun + 0.07),
            bun * 0.84,
            _CRUMB,
        )
    b.box((0, 0, bun * 0.7), (bun, long * 0.8, bun * 0.6), (0.88, 0.60, 0.26), rounding=0.05)
    z = bun * 1.75
    b.capsule((0, -long - 0.06, z), (0, long + 0.06, z), fat, (0.76, 0.24, 0.10))
    steps, x = 8, fat * 0.55
    points = [(x * (-1) ** k, long * (2 * k / steps - 1), z + fat * 0.86) for k in range(steps + 1)]
    for start, end in itertools.pairwise(points):
        b.capsule(start, end, 0.05, (0.99, 0.84, 0.10))


def _tomato(b: Builder) -> None:
    ring, thick, squat = b.vary(0.34, 0.40), b.vary(0.42, 0.47), b.vary(0.80, 0.92)
    leaf = "green" if b.color_name != "green" else (0.05, 0.36, 0.10)
    count = 6
    for k in range(count):  # lobes
        angle = 2 * math.pi * k / count
        b.ellipsoid(
            (ring * math.cos(angle), ring * math.sin(angle), 0),
            (thick, thick * 0.92, thick * 1.25 * squat),
            turn=(0, 0, math.degrees(angle)),
        )
    top = thick * 1.18 * squat
    b.ellipsoid((0, 0, 0), (0.5, 0.5, thick * 1.05 * squat))
    for k in range(5):
        angle = 2 * math.pi * (k + 0.5) / 5
        part = b.ellipsoid(
            (0.24 * math.cos(angle), 0.24 * math.sin(angle), top),
            (0.27, 0.085, 0.05),
            leaf,
            turn=(0, 10, math.degrees(angle)),
        )
        tip = part.center + part.axes[:, 0] * 0.22
        b.capsule(
            tip, tip + np.array([0.10 * math.cos(angle), 0.10 * math.sin(angle), 0.05]), 0.04, leaf
        )
    b.capsule((0, 0, top - 0.05), (0.05, 0.03, top + 0.26), 0.06, leaf)


def _sushi(b: Builder) -> None:
    rice, fish, seaweed = (0.98, 0.97, 0.93), (0.98, 0.50, 0.26), (0.07, 0.15, 0.10)
    radius, tall = b.vary(0.24, 0.28), b.vary(0.17, 0.21)
    wood = (0.62, 0.38, 0.18)
    b.box((0, 0, 0), (0.52, 0.84, 0.05), wood, rounding=0.02)
    b.mirror(b.box((0, 0.56, -0.10), (0.46, 0.07, 0.07), wood))
    # Nigiri: a slice of fish on a bed of rice.
    y, up = b.vary(0.40, 0.46), b.vary(0.15, 0.18)
    b.box((0, y, 0.05 + up), (0.42, 0.24, up), rice, rounding=0.13)
    z = 0.08 + 2 * up
    b.box((0, y, z), (0.48, 0.25, 0.085), fish, rounding=0.08)
    for k in (-1, 0, 1):
        b.box((0.24 * k, y, z + 0.075), (0.03, 0.19, 0.02), (1.0, 0.80, 0.66), turn=(0, 0, 22))
    b.box((0, y, 0.06 + up), (0.10, 0.265, up + 0.13), seaweed, rounding=0.03)
    # Maki: one stands, one lies on its side and shows its face.
    for x, fill in ((0.26, (0.93, 0.26, 0.16)), (-0.27, (0.40, 0.74, 0.25))):
        b.cylinder((x, -0.12, 0.05 + tall), radius, tall, seaweed)
        b.cylinder((x, -0.12, 0.06 + tall), radius - 0.05, tall, rice)
        b.cylinder((x, -0.12, 0.07 + tall), radius * 0.42, tall, fill)
    y = -0.42 - tall * 0.4
    b.cylinder((0, y, 0.05 + radius), radius, tall, seaweed, turn=(0, 90, 0))
    b.cylinder((0, y, 0.05 + radius), radius - 0.05, tall + 0.01, rice, turn=(0, 90, 0))
    b.cylinder((0, y, 0.05 + radius), radius * 0.42, tall + 0.02, fish, turn=(0, 90, 0))


def _taco(b: Builder) -> None:
    long, tall, lean = b.vary(0.78, 0.88), b.vary(0.58, 0.66), b.vary(16, 22)
    shell = (0.95, 0.72, 0.26)
    for side in (1, -1):
        part = b.dome((side * 0.11, 0, 0), (0.075, long, tall), shell, turn=(0, side * lean, 0))
        for k in range(5):  # toasted spots
            angle = math.pi * (k + 0.8) / 5.6
            spot = part.axes @ np.array(
                [side * 0.055, 0.62 * long * math.cos(angle), 0.62 * tall * math.sin(angle)]
            )
            b.ball(part.center + spot, 0.05, (0.74, 0.46, 0.12))
    b.capsule((0, -long * 0.88, 0), (0, long * 0.88, 0), 0.13, shell)
    b.dome((0, 0, 0.02), (0.16, long * 0.86, tall * 0.95), (0.42, 0.22, 0.10))
    fills = (_LETTUCE, "red", _LETTUCE, _CHEESE, _LETTUCE)
    count = 13
    for k in range(count):
        angle = math.pi * (k + 0.5) / count
        place = (
            b.vary(-0.07, 0.07),
            long * 0.90 * math.cos(angle),
            0.02 + tall * 0.98 * math.sin(angle),
        )
        b.ellipsoid(place, (0.15, 0.13, 0.11), fills[k % 5], turn=(b.vary(-40, 40), 0, 0))


def _cheese(b: Builder) -> None:
    long, wide, tall = b.vary(0.74, 0.84), b.vary(0.48, 0.56), b.vary(0.26, 0.32)
    yaw = b.vary(20, 40)
    rind = (0.93, 0.60, 0.12)
    hole = (0.80, 0.52, 0.06)
    # Lying wedge: its tip (local +z) points ahead, turned a little to the side.
    axes = np.array([[0, 0, 1.0], [1, 0, 0], [0, 1, 0]])  # columns: local x -> y, y -> z, z -> x
    c, s = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
    spin = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    block = b.wedge((0, 0, tall), (wide, tall, long))
    block.axes = spin @ axes
    back = spin @ np.array([-long, 0, 0])
    b.box(back + np.array([0, 0, tall]), (0.05, wide, tall + 0.015), rind, turn=(0, 0, yaw))
    slope = math.hypot(2 * long, wide)
    normal_x, normal_y = wide / slope, 2 * long / slope
    for along, up, size in (
        (0.28, 0.62, 0.13),
        (0.50, 1.35, 0.10),
        (0.66, 0.55, 0.085),
        (0.14, 1.5, 0.10),
    ):
        for side in (1, -1):
            t = along if side > 0 else 0.92 - along
            place = np.array([long * (2 * t - 1), side * wide * (1 - t), up * tall])
            b.cylinder(
                spin @ place,
                size,
                0.012,
                hole,
                region="body",
                turn=(0, 90, yaw + side * math.degrees(math.atan2(normal_y, normal_x))),
            )
    for x, y, size in (
        (-0.62, 0.12, 0.14),
        (-0.30, -0.16, 0.10),
        (0.10, 0.04, 0.11),
        (-0.66, -0.24, 0.08),
    ):
        place = spin @ np.array([x * long, y, 0]) + np.array([0, 0, 2 * tall])
        b.cylinder(place, size, 0.012, hole)


def _croissant(b: Builder) -> None:
    bend, fat, tilt = b.vary(0.48, 0.54), b.vary(0.29, 0.33), b.vary(22, 38)
    half, count = b.vary(96, 110), 11
    axis, across = _frame(tilt)
    side = np.array([0.0, 1.0, 0.0])
    for k in range(count):
        t = 2 * k / (count - 1) - 1
        angle = math.radians(half) * t
        out = -math.cos(angle) * across + math.sin(angle) * side
        radius = fat * (1 - 0.72 * abs(t) ** 1.5)
        width = 0.115 + 0.10 * (1 - abs(t))
        color = (0.90, 0.62, 0.26) if k % 2 else (0.74, 0.42, 0.13)
        part = b.ellipsoid(bend * out, (radius, width, radius * 0.92), color)
        tangent = math.sin(angle) * across + math.cos(angle) * side
        part.axes = np.stack([np.cross(tangent, axis), tangent, axis], axis=1)


def _kind(name: str, words: tuple[str, ...], color: str, build, colorable: bool = False, **more):
    return Kind(
        name=name,
        words=words,
        category="food",
        color=color,
        build=build,
        colorable=colorable,
        **more,
    )


SNACKS: tuple[Kind, ...] = (
    _kind("bread", ("bread", "loaf of bread", "loaf"), "brown", _bread),
    _kind("pizza", ("pizza",), "yellow", _pizza),
    _kind("egg", ("egg",), "white", _egg, True, patterned=True),
    _kind("sandwich", ("sandwich",), "yellow", _sandwich),
    _kind("watermelon", ("watermelon",), "red", _watermelon),
    _kind("pancakes", ("pancakes", "pancake"), "brown", _pancakes),
    _kind("hot_dog", ("hot dog", "hotdog"), "brown", _hot_dog),
    _kind("tomato", ("tomato",), "red", _tomato, True),
    _kind("sushi", ("sushi",), "white", _sushi),
    _kind("taco", ("taco",), "yellow", _taco),
    _kind("cheese", ("cheese", "piece of cheese"), "yellow", _cheese, True),
    _kind("croissant", ("croissant",), "brown", _croissant),
)
