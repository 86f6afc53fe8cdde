"""What grows, lies or shines outdoors: fruit, flowers, rocks, a rainbow, a star."""

import math

import numpy as np

from uni3d.toybox.kinds.kind import Kind
from uni3d.toybox.shapes import Builder

__all__ = ["NATURE"]

_GREEN = (0.13, 0.52, 0.16)
_GOLDEN = math.pi * (3 - 5**0.5)


def _leaf_color(b: Builder):
    return _GREEN if b.color_name != "green" else (0.05, 0.36, 0.10)


def _rock(b: Builder) -> None:
    radii = np.array([b.vary(0.60, 0.72), b.vary(0.52, 0.64), b.vary(0.42, 0.52)])
    b.ellipsoid((0, 0, 0), radii)
    count = 15
    for k in range(count):  # flat facets: plates that touch the lump along a spiral
        z, angle = 1 - 2 * (k + 0.5) / count, _GOLDEN * k + b.vary(-0.2, 0.2)
        flat = math.sqrt(1 - z * z)
        out = np.array([flat * math.cos(angle), flat * math.sin(angle), z])
        normal = out / radii
        normal /= np.linalg.norm(normal)
        tangent = np.cross([0, 0, 1.0], normal)
        tangent /= np.linalg.norm(tangent)
        size = b.vary(0.19, 0.25)
        tint = b.shade((0.84, 1.0, 0.92, 1.10)[k % 4])
        part = b.box(out * radii - 0.05 * normal, (size, size, 0.09), tint, rounding=0.05)
        turn = b.vary(0, math.pi)
        x = math.cos(turn) * tangent + math.sin(turn) * np.cross(normal, tangent)
        part.axes = np.stack([x, np.cross(normal, x), normal], axis=1)
    moss = (0.33, 0.52, 0.16) if b.color_name != "green" else (0.62, 0.58, 0.40)
    b.ellipsoid((-0.14, 0.16, radii[2] * 0.94), (0.26, 0.22, 0.08), moss, turn=(-10, -8, 0))
    for _ in range(2):
        angle = b.vary(0, 2 * math.pi)
        place = (0.84 * math.cos(angle), 0.78 * math.sin(angle), 0.08 - radii[2])
        b.ellipsoid(place, (0.16, 0.13, 0.10), b.shade(0.8), turn=(0, 0, b.vary(0, 90)))


def _fence(b: Builder) -> None:
    tall, wide, depth = b.vary(0.40, 0.50), b.vary(0.70, 0.80), b.vary(0.50, 0.66)
    grass = (0.30, 0.60, 0.18) if b.color_name != "green" else (0.55, 0.40, 0.22)
    # A corner of a garden, so that pickets are seen broad from every side.
    x0 = -depth
    b.box((0, 0, -0.06), (depth + 0.16, wide + 0.14, 0.06), grass, rounding=0.04)

    def picket(x: float, y: float, yaw: float) -> None:
        half = 0.095
        b.box((x, y, tall), (half, 0.045, tall), turn=(0, 0, yaw))
        b.wedge((x, y, 2 * tall + 0.08), (half, 0.045, 0.09), turn=(0, 0, yaw))

    count = 5
    for k in range(count):
        picket(x0, wide * (2 * k / (count - 1) - 1), 90)
    for side in (1, -1):
        for k in range(1, 4):
            picket(x0 + 2 * depth * k / 3, side * wide, 0)
    for z in (0.62 * tall, 1.45 * tall):
        b.box((x0 - 0.05, 0, z), (0.04, wide + 0.06, 0.06), b.shade(0.8))
        b.mirror(b.box((0, wide + 0.05, z), (depth, 0.04, 0.06), b.shade(0.8)))


def _sunflower(b: Builder) -> None:
    tall, petal, tilt = b.vary(0.95, 1.10), b.vary(0.30, 0.36), b.vary(58, 72)
    pitch = math.radians(tilt)
    axis, across = (
        np.array([math.sin(pitch), 0, math.cos(pitch)]),
        np.array([math.cos(pitch), 0, -math.sin(pitch)]),
    )
    b.capsule((-0.06, 0, 0), (-0.06, 0, tall - 0.10), 0.075, _GREEN)
    heart = np.array([0.06, 0, tall])
    b.capsule((-0.06, 0, tall - 0.10), heart, 0.075, _GREEN)
    for side, z in ((1, 0.30), (-1, 0.48)):
        place = (0.02, side * 0.30, z)
        b.ellipsoid(place, (0.17, 0.28, 0.05), _GREEN, turn=(side * 30, 12, 0))
    radius = b.vary(0.27, 0.32)
    # Turned over first, the dome bulges to the back once it leans like the disc.
    back = heart - axis * 0.02
    b.dome(back, (radius + 0.12, radius + 0.12, 0.15), _GREEN, turn=(180, tilt, 0))
    for row, count, color in ((0, 13, (0.98, 0.68, 0.05)), (1, 13, None)):
        for k in range(count):
            angle = 2 * math.pi * (k + 0.5 * row) / count
            out = math.cos(angle) * across + math.sin(angle) * np.array([0.0, 1.0, 0.0])
            reach = radius + petal * (0.62 - 0.10 * row)
            part = b.ellipsoid(
                heart + out * reach + axis * (0.02 + 0.05 * row), (petal, 0.115, 0.05), color
            )
            part.axes = np.stack([out, np.cross(axis, out), axis], axis=1)
    b.ellipsoid(heart + axis * 0.04, (radius, radius, 0.13), (0.28, 0.14, 0.05), turn=(0, tilt, 0))
    for k in range(14):
        r = radius * math.sqrt((k + 0.5) / 14) * 0.85
        out = math.cos(_GOLDEN * k) * across + math.sin(_GOLDEN * k) * np.array([0.0, 1.0, 0.0])
        up = 0.04 + 0.13 * math.sqrt(1 - (r / radius) ** 2)
        b.ball(heart + out * r + axis * up, 0.035, (0.50, 0.28, 0.08))


def _mountain(b: Builder) -> None:
    peaks = (
        (0.0, 0.0, b.vary(0.62, 0.70), b.vary(0.62, 0.72)),
        (0.14, 0.50, 0.40, b.vary(0.34, 0.42)),
        (-0.20, -0.46, 0.44, b.vary(0.40, 0.50)),
        (-0.42, 0.24, 0.38, b.vary(0.26, 0.34)),
        (0.42, -0.24, 0.36, b.vary(0.20, 0.28)),
    )
    snow = "white" if b.color_name != "white" else (0.62, 0.80, 0.97)
    b.cylinder((0, 0, -0.03), 0.95, 0.06, _GREEN, rounding=0.05)
    for k, (x, y, radius, half) in enumerate(peaks):
        b.cone((x, y, half), radius, 0.04, half, None if k % 2 == 0 else b.shade(0.82))
        line = 0.62 if k < 3 else 0.70  # where the snow begins, of the height
        middle = (1 + line) / 2
        edge = radius + (0.04 - radius) * line
        b.cone((x, y, 2 * half * middle + 0.01), edge + 0.025, 0.065, half * (1 - line), snow)
        for j in range(5):  # a ragged edge, and ribs of rock below it
            angle = 2 * math.pi * (j + 0.37 * k) / 5
            c, s = math.cos(angle), math.sin(angle)
            z = 2 * half * line
            if k < 3:
                b.ellipsoid((x + edge * c, y + edge * s, z), (0.07, 0.07, 0.13), snow)
            if k == 0:
                foot = (x + radius * 0.98 * c, y + radius * 0.98 * s, 0.02)
                b.capsule(
                    foot, (x + edge * c * 0.9, y + edge * s * 0.9, z - 0.16), 0.10, b.shade(0.7)
                )
    for k in range(5):
        angle = 2 * math.pi * (k + b.vary(0.1, 0.4)) / 5
        x, y = 0.80 * math.cos(angle), 0.80 * math.sin(angle)
        b.cone((x, y, 0.16), 0.10, 0.02, 0.15, (0.05, 0.36, 0.12))


def _rose(b: Builder) -> None:
    tall, bloom, lean = b.vary(0.80, 0.95), b.vary(0.34, 0.40), b.vary(-0.06, 0.10)
    leaf = _leaf_color(b)
    head = np.array([lean, 0, tall + 0.26])
    b.capsule((0, 0, -0.10), (0, 0, tall * 0.5), 0.06, leaf)
    b.capsule((0, 0, tall * 0.5), head, 0.06, leaf)
    for side, z, yaw in ((1, 0.20, 20), (-1, 0.38, -15)):
        for reach, size in ((0.20, 0.13), (0.36, 0.14)):
            y = side * reach
            b.ellipsoid(
                (0.02, y, z + 0.4 * reach), (0.125, size, 0.045), leaf, turn=(side * 25, 0, yaw)
            )
    for z, side in ((0.12, -1), (0.55, 1)):
        b.cone((0, side * 0.09, z), 0.045, 0.01, 0.06, leaf, turn=(-side * 75, 0, 0))
    for k in range(5):
        angle = 2 * math.pi * k / 5
        place = head + np.array([0.20 * math.cos(angle), 0.20 * math.sin(angle), -0.22])
        b.ellipsoid(place, (0.22, 0.09, 0.05), leaf, turn=(0, 35, math.degrees(angle)))
    b.ellipsoid(head, (bloom * 0.78, bloom * 0.78, bloom * 0.80), b.shade(0.70))
    # Petals: rows of shells around the heart, the outer ones open farther.
    for row, (count, reach, up, open_) in enumerate(
        ((5, 0.66, -0.10, 38), (5, 0.46, 0.10, 18), (3, 0.26, 0.20, 6))
    ):
        for k in range(count):
            angle = 2 * math.pi * (k + 0.5 * row) / count
            place = head + bloom * np.array([reach * math.cos(angle), reach * math.sin(angle), up])
            size = bloom * (0.82 - 0.16 * row)
            b.ellipsoid(
                place,
                (0.085, size * 0.86, size),
                None if row % 2 == 0 else b.shade(0.80),
                turn=(0, open_, math.degrees(angle)),
            )
    top = head + np.array([0, 0, bloom * 0.80])
    b.arc(top, 0.10, 0.045, 130, b.shade(0.6), turn=(0, 0, b.vary(0, 180)))
    b.ball(top, 0.05, b.shade(0.6))


def _pumpkin(b: Builder) -> None:
    ring, lobe, squat = b.vary(0.36, 0.42), b.vary(0.36, 0.41), b.vary(0.50, 0.60)
    count = 10
    b.ellipsoid((0, 0, 0), (ring + 0.2, ring + 0.2, squat * 0.88), b.shade(0.75))
    for k in range(count):
        angle = 2 * math.pi * k / count
        b.ellipsoid(
            (ring * math.cos(angle), ring * math.sin(angle), 0),
            (lobe, 0.22, squat),
            None if k % 2 else b.shade(0.90),
            turn=(0, 0, math.degrees(angle)),
        )
    stem = (0.36, 0.38, 0.12) if b.color_name != "green" else (0.40, 0.26, 0.12)
    top = squat * 0.86
    bend = b.vary(0.04, 0.14)
    b.cone((0, 0, top + 0.05), 0.17, 0.09, 0.10, stem)
    b.capsule((0, 0, top + 0.08), (bend, bend, top + 0.30), 0.09, stem)
    b.ellipsoid((0.05, 0.32, top + 0.03), (0.17, 0.24, 0.04), _leaf_color(b), turn=(-12, 0, 20))
    b.arc((-0.16, -0.20, top + 0.06), 0.14, 0.035, 120, _leaf_color(b), turn=(25, 0, 40))


def _strawberry(b: Builder) -> None:
    wide, tall = b.vary(0.50, 0.58), b.vary(0.78, 0.90)
    leaf = _leaf_color(b)
    seed = (0.98, 0.86, 0.36) if b.color_name not in ("yellow", "white") else (0.75, 0.35, 0.10)
    b.dome((0, 0, 0), (wide, wide, 0.36))
    b.dome((0, 0, 0.01), (wide, wide, tall), turn=(180, 0, 0))
    b.cone((0, 0, -tall * 0.46), 0.10, wide * 0.94, tall * 0.46)
    b.ball((0, 0, -tall * 0.93), 0.12)
    count = 40
    for k in range(count):
        z = 0.20 - (tall + 0.02) * (k + 0.5) / count
        r = wide * (math.sqrt(1 - (z / 0.36) ** 2) if z > 0 else math.sqrt(1 - (z / tall) ** 2))
        angle = _GOLDEN * k
        b.ellipsoid((r * math.cos(angle), r * math.sin(angle), z), (0.035, 0.035, 0.055), seed)
    for k in range(7):
        angle = 2 * math.pi * k / 7
        place = (0.26 * math.cos(angle), 0.26 * math.sin(angle), 0.33)
        b.ellipsoid(place, (0.27, 0.105, 0.05), leaf, turn=(0, 22, math.degrees(angle)))
    b.ellipsoid((0, 0, 0.36), (0.16, 0.16, 0.09), leaf)
    b.capsule((0, 0, 0.36), (0.06, 0.04, b.vary(0.58, 0.68)), 0.05, leaf)


def _pineapple(b: Builder) -> None:
    wide, tall, crown = b.vary(0.38, 0.44), b.vary(0.54, 0.62), b.vary(0.30, 0.38)
    b.ellipsoid((0, 0, 0), (wide, wide, tall), (0.60, 0.34, 0.05))
    rows, around = 7, 8
    for i in range(rows):  # scales in a lattice of diamonds
        z = tall * 0.88 * (2 * (i + 0.5) / rows - 1)
        r = wide * math.sqrt(1 - (z / tall) ** 2)
        for k in range(around):
            angle = 2 * math.pi * (k + 0.5 * (i % 2)) / around
            b.ellipsoid(
                (r * math.cos(angle) * 0.96, r * math.sin(angle) * 0.96, z),
                (0.07, 0.40 * r, 0.105),
                (0.96, 0.70, 0.13) if i % 2 else (0.90, 0.58, 0.08),
                turn=(0, -50 * z / tall, math.degrees(angle)),
            )
    for row, (count, open_, length) in enumerate(((7, 48, 0.26), (6, 26, 0.34), (3, 8, 0.40))):
        for k in range(count):
            angle = 2 * math.pi * (k + 0.5 * row) / count
            c, s = math.cos(angle), math.sin(angle)
            size = length * crown / 0.34
            lean = math.radians(open_)
            out, up = math.sin(lean) * size, math.cos(lean) * size
            place = ((0.08 + out) * c, (0.08 + out) * s, tall * 0.94 + up)
            green = (0.12, 0.50, 0.16) if row % 2 else (0.22, 0.62, 0.22)
            b.cone(place, 0.085, 0.015, size, green, turn=(0, open_, math.degrees(angle)))


def _leaf(b: Builder) -> None:
    wide, tall, fold = b.vary(0.42, 0.52), b.vary(0.74, 0.84), b.vary(26, 38)
    vein = b.shade(0.55) if b.color_name != "black" else (0.35, 0.35, 0.35)
    # Two halves that meet in the midrib at an angle, so that some blade is seen from each side.
    angle = math.radians(fold)
    for side in (1, -1):
        out = np.array([math.sin(angle), side * math.cos(angle), 0])
        normal = np.array([math.cos(angle), -side * math.sin(angle), 0])
        rows = 9
        for k in range(rows):
            t = (k + 0.5) / rows  # 0 at the stem, 1 at the tip
            reach = wide * (math.sin(math.pi * t**0.75) ** 0.9) + 0.03
            z = tall * (2 * t - 1)
            lift = 0.06 * reach * normal
            half = np.array([0, 0, z + 0.10]) + out * reach / 2 - lift
            part = b.ellipsoid(half, (0.05, reach / 2 + 0.05, tall / rows * 1.9))
            part.axes = np.stack([normal, np.cross([0, 0, 1.0], normal), [0, 0, 1.0]], axis=1)
        for t in (0.22, 0.42, 0.62):
            reach = wide * (math.sin(math.pi * t**0.75) ** 0.9) * 0.78
            start = np.array([0.05, 0, tall * (2 * t - 1)])
            b.capsule(start, start + out * reach + np.array([0, 0, 0.26]), 0.035, vein)
    b.capsule((0.03, 0, -tall), (0.02, 0, tall * 0.92), 0.05, vein)
    b.capsule((0.03, 0, -tall), (-0.06, 0.05, -tall - b.vary(0.26, 0.36)), 0.055, vein)


def _carrot(b: Builder) -> None:
    radius, half, lean = b.vary(0.23, 0.27), b.vary(0.62, 0.72), b.vary(18, 34)
    leaf = _leaf_color(b)
    # Built along an axis that leans to the left, its tip down.
    slant = math.radians(lean)
    up, side = (
        np.array([0, math.sin(slant), math.cos(slant)]),
        np.array([0, math.cos(slant), -math.sin(slant)]),
    )
    front = np.array([1.0, 0, 0])
    turn = (-lean, 0, 0)
    b.cone(0 * up, 0.04, radius, half, turn=turn)
    b.ball(-half * up, 0.045)
    b.ellipsoid(half * up, (radius, radius, 0.10), turn=turn)
    for k in range(6):
        t = -0.60 + 0.26 * k
        r = 0.04 + (radius - 0.04) * (1 + t) / 2
        b.torus(half * t * up, r - 0.012, 0.026, b.shade(0.72), turn=turn)
    top = half * up + 0.06 * up
    for k in range(7):
        angle = 2 * math.pi * k / 7
        out = (math.cos(angle) * front + math.sin(angle) * side) * (0.25 if k else 0.0)
        tip = top + out * b.vary(0.9, 1.2) + up * b.vary(0.36, 0.52)
        b.capsule(top, tip, 0.04, leaf)
        b.ellipsoid(tip, (0.09, 0.09, 0.15), leaf, turn=turn)
        middle = (top + tip) / 2
        b.ellipsoid(middle + out * 0.25, (0.07, 0.07, 0.10), leaf, turn=turn)


def _rainbow(b: Builder) -> None:
    outer, band = b.vary(0.86, 0.94), b.vary(0.085, 0.095)
    colors = ("red", "orange", "yellow", "green", "blue", "purple")
    for k, color in enumerate(colors):
        radius = outer - k * band * 1.15
        for x in (0.05, -0.05):
            b.arc((x, 0, 0), radius, band * 0.68, 90, color, turn=(0, -90, 0))
    middle = outer - 2.5 * band * 1.15
    puffs = (
        (0, 0, 0.0, 0.27),
        (0.10, 0.22, -0.02, 0.20),
        (0.05, -0.22, -0.02, 0.20),
        (0.20, 0.02, -0.05, 0.18),
    )
    puffs += ((-0.20, 0.04, -0.03, 0.20),)
    for side in (1, -1):
        for x, y, z, radius in puffs:
            b.ball((x, side * (middle + y), z - 0.06), radius * b.vary(0.95, 1.1), "white")


def _star(b: Builder) -> None:
    inner, thick, bulge = b.vary(0.38, 0.46), b.vary(0.13, 0.17), b.vary(0.06, 0.10)
    count = 5
    waist = inner * math.cos(math.pi / count)  # from the centre to the foot of an arm
    base = inner * math.sin(math.pi / count)
    for scale, deep in ((1.0, thick), (0.66, thick + bulge)):  # a smaller star bevels the faces
        for k in range(count):
            angle = 2 * math.pi * k / count
            out = np.array([0, math.sin(angle), math.cos(angle)])
            tangent = np.array([0, -out[2], out[1]])
            # An arm points out; its mirror image over the foot fills the way to the centre.
            for sign, half in ((1, (1 - waist) / 2), (-1, waist / 2)):
                part = b.wedge((0, 0, 0), (base * scale, deep, half * scale))
                part.center = scale * (waist + sign * half) * out
                part.axes = np.stack([sign * tangent, [1.0, 0, 0], sign * out], axis=1)


def _kind(name: str, words: tuple[str, ...], category: str, color: str, build, **more) -> Kind:
    return Kind(name=name, words=words, category=category, color=color, build=build, **more)


NATURE: tuple[Kind, ...] = (
    _kind("rock", ("rock", "stone", "boulder"), "nature", "gray", _rock),
    _kind("fence", ("fence", "picket fence"), "nature", "white", _fence),
    _kind("sunflower", ("sunflower",), "plant", "yellow", _sunflower, colorable=False),
    _kind("mountain", ("mountain", "snowy mountain"), "nature", "gray", _mountain),
    _kind("rose", ("rose",), "plant", "red", _rose),
    _kind("pumpkin", ("pumpkin",), "food", "orange", _pumpkin),
    _kind("rainbow", ("rainbow",), "nature", "red", _rainbow, colorable=False),
    _kind("strawberry", ("strawberry",), "food", "red", _strawberry),
    _kind("pineapple", ("pineapple",), "food", "yellow", _pineapple, colorable=False),
    _kind("star", ("star",), "nature", "yellow", _star, patterned=True),
    _kind("leaf", ("leaf",), "plant", "green", _leaf),
    _kind("carrot", ("carrot",), "food", "orange", _carrot),
)
