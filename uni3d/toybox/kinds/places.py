"""Larger things that stand outdoors or are built; their fronts face +x."""

import itertools
import math

from uni3d.toybox.kinds.kind import Kind
from uni3d.toybox.kinds.palette import GOLD, SILVER, WOOD
from uni3d.toybox.shapes import Builder

__all__ = ["PLACES"]

_DARK = (0.16, 0.13, 0.12)
_DOOR = (0.36, 0.20, 0.10)
_GLASS = (0.42, 0.62, 0.90)
_WATER = (0.30, 0.62, 0.92)
_SPRAY = (0.74, 0.90, 0.99)
_GRASS = (0.30, 0.60, 0.20)


def _tower(b: Builder) -> None:
    low, high, tall = b.vary(0.30, 0.35), b.vary(0.24, 0.28), b.vary(0.66, 0.80)
    crown = high + b.vary(0.09, 0.13)
    b.cylinder((0, 0, -0.04), low + 0.14, 0.06, _GRASS, rounding=0.04)
    b.cone((0, 0, tall), low, high, tall)
    for i in range(5):  # single stones
        z = 2 * tall * (i + 0.5) / 5.4
        r = low + (high - low) * z / (2 * tall)
        for k in range(5):
            angle = 2 * math.pi * (k + 0.5 * (i % 2) + 0.12 * i) / 5
            b.box(
                (r * math.cos(angle), r * math.sin(angle), z),
                (0.03, 0.085, 0.05),
                b.shade(0.74 if (i + k) % 2 else 1.2),
                turn=(0, 0, math.degrees(angle)),
            )
    top = 2 * tall
    b.cone((0, 0, top - 0.02), high, crown, 0.09, b.shade(0.8))
    b.cylinder((0, 0, top + 0.15), crown, 0.09)
    b.cylinder((0, 0, top + 0.25), crown - 0.07, 0.02, _DARK)
    for k in range(8):
        angle = 2 * math.pi * (k + 0.5) / 8
        place = ((crown - 0.04) * math.cos(angle), (crown - 0.04) * math.sin(angle), top + 0.30)
        b.box(place, (0.055, 0.085, 0.10), turn=(0, 0, math.degrees(angle)))
    b.box((low - 0.02, 0, 0.18), (0.05, 0.12, 0.18), _DOOR)
    b.cylinder((low - 0.02, 0, 0.36), 0.12, 0.05, _DOOR, turn=(0, 90, 0))
    for k, z in enumerate((0.62, 0.85, 1.15, 0.75)):
        angle = math.pi * k / 2
        r = low + (high - low) * z / 2
        place = (r * math.cos(angle), r * math.sin(angle), z * tall / 0.72)
        b.box(place, (0.03, 0.05, 0.12), _DARK, turn=(0, 0, math.degrees(angle)), rounding=0.02)
    b.cylinder((0, 0, top + 0.52), 0.035, 0.30, WOOD)
    flag = "red" if b.color_name != "red" else "yellow"
    b.box((0.02, 0.17, top + 0.72), (0.035, 0.17, 0.10), flag, turn=(0, 0, 20))


def _tent(b: Builder) -> None:
    long, wide, tall = b.vary(0.62, 0.72), b.vary(0.56, 0.66), b.vary(0.40, 0.48)
    inside, pole = _DARK, (0.80, 0.62, 0.36)
    b.box((0, 0, -0.04), (long + 0.24, wide + 0.24, 0.04), _GRASS, rounding=0.03)
    b.wedge((0, 0, tall), (wide, long, tall), turn=(0, 0, 90))
    # The doorway, and its two flaps folded back.
    b.wedge((long, 0, tall * 0.80), (wide * 0.40, 0.02, tall * 0.80), inside, turn=(0, 0, 90))
    slope = math.degrees(math.atan2(wide * 0.36, 1.6 * tall))
    for side in (1, -1):
        place = (long + 0.05, side * wide * 0.30, tall * 0.64)
        b.box(place, (0.035, 0.085, tall * 0.66), b.shade(0.65), turn=(side * slope, 0, 0))
    for x in (long, -long):
        b.cylinder((x, 0, tall + 0.03), 0.04, tall + 0.08, pole)
        b.ball((x, 0, 2 * tall + 0.13), 0.055, pole)
    b.capsule((-long, 0, 2 * tall), (long, 0, 2 * tall), 0.045, b.shade(0.6))
    edge = math.hypot(wide, 2 * tall) / 2
    tilt = math.degrees(math.atan2(2 * tall, wide))
    for x in (-0.55 * long, 0.0, 0.55 * long):  # seams
        part = b.box(
            (x, wide / 2 + 0.015, tall), (0.035, edge, 0.02), b.shade(0.65), turn=(-tilt, 0, 0)
        )
        b.mirror(part)
    for x in (long * 0.9, -long * 0.9):
        rope = b.capsule((x, wide * 0.45, 1.1 * tall), (x, wide + 0.18, 0.02), 0.03, "white")
        peg = b.capsule((x, wide + 0.18, -0.02), (x, wide + 0.18, 0.09), 0.04, WOOD)
        b.mirror(rope, peg)
    b.capsule((-long, 0, 2 * tall), (-long - 0.20, 0, 0.02), 0.03, "white")


def _bridge(b: Builder) -> None:
    half, tower, tall = b.vary(0.92, 1.0), b.vary(0.46, 0.52), b.vary(0.44, 0.54)
    deck, width = 0.02, b.vary(0.17, 0.21)
    # A suspension bridge across the view: the road runs along y.
    b.box((0, 0, -0.36), (0.36, half, 0.05), _WATER, rounding=0.03)
    b.box((0, 0, deck), (width, half, 0.045), (0.30, 0.30, 0.33))
    b.box((0, 0, deck + 0.045), (0.022, half * 0.98, 0.012), "white")
    for x in (width, -width):
        b.box((x, 0, deck + 0.02), (0.035, half, 0.075))
    for side in (1, -1):
        y = side * tower
        b.box((0, y, -0.26), (width + 0.10, 0.13, 0.10), SILVER, rounding=0.04)
        for x in (width + 0.03, -width - 0.03):
            b.box((x, y, tall / 2 - 0.08), (0.055, 0.07, tall / 2 + 0.22))
            b.box((x, y, tall + 0.14), (0.07, 0.085, 0.04))
        for z in (tall * 0.55, tall):
            b.box((0, y, z + 0.05), (width + 0.03, 0.05, 0.05))
        b.box((0, side * (half - 0.02), -0.16), (width + 0.08, 0.10, 0.22), (0.55, 0.50, 0.45))
    for x in (width + 0.03, -width - 0.03):
        steps = 8
        sag = [
            tall + 0.06 - (tall - 0.06) * (1 - (2 * k / steps - 1) ** 2) for k in range(steps + 1)
        ]
        points = [(x, tower * (2 * k / steps - 1), z) for k, z in enumerate(sag)]
        for start, end in itertools.pairwise(points):
            b.capsule(start, end, 0.032)
        for _, y, z in points[1:-1]:
            b.capsule((x, y, deck), (x, y, z), 0.02)
        for side in (1, -1):
            b.capsule((x, side * tower, tall + 0.06), (x, side * half, deck + 0.06), 0.032)
            middle = (tower + half) / 2
            b.capsule((x, side * middle, deck), (x, side * middle, deck + tall / 2 + 0.03), 0.02)


def _church(b: Builder) -> None:
    long, wide, wall = b.vary(0.44, 0.52), b.vary(0.32, 0.38), b.vary(0.26, 0.32)
    tower, tall, spire = b.vary(0.19, 0.22), b.vary(0.50, 0.58), b.vary(0.24, 0.32)
    roof = b.shade(0.45) if b.color_name != "black" else (0.45, 0.20, 0.15)
    if b.color_name == "white":
        roof = (0.46, 0.22, 0.16)
    b.box((-0.05, 0, -0.03), (long + 0.42, wide + 0.20, 0.04), _GRASS, rounding=0.03)
    middle = -0.16
    b.box((middle, 0, wall), (long, wide, wall))
    rise = wide * 0.62
    b.wedge((middle, 0, 2 * wall + rise), (wide, long, rise), turn=(0, 0, 90))
    slab, slope = math.hypot(wide, 2 * rise) / 2 + 0.05, math.degrees(math.atan2(2 * rise, wide))
    plate = (middle, wide * 0.52, 2 * wall + rise + 0.02)
    b.mirror(b.box(plate, (long + 0.05, slab, 0.045), roof, turn=(-slope, 0, 0)))
    for k in range(3):
        x = middle + long * (0.58 * k - 0.62)
        pane = b.box((x, wide, wall * 0.95), (0.06, 0.025, 0.12), _GLASS)
        arch = b.cylinder((x, wide, wall * 0.95 + 0.12), 0.06, 0.025, _GLASS, turn=(90, 0, 0))
        post = b.box((x + 0.13, wide + 0.02, wall * 0.7), (0.035, 0.05, wall * 0.7), b.shade(0.82))
        b.mirror(pane, arch, post)
    b.cylinder((middle - long, 0, wall * 1.6), 0.13, 0.03, _GLASS, turn=(0, 90, 0))
    x = middle + long + tower * 0.6
    b.box((x, 0, tall), (tower, tower, tall))
    b.box((x, 0, 2 * tall), (tower + 0.04, tower + 0.04, 0.04), b.shade(0.8))
    b.cone((x, 0, 2 * tall + spire), tower * 1.25, 0.02, spire, roof)
    top = 2 * tall + 2 * spire
    b.box((x, 0, top + 0.12), (0.035, 0.035, 0.15), GOLD)
    b.box((x, 0, top + 0.16), (0.035, 0.10, 0.035), GOLD)
    front = x + tower
    b.box((front, 0, 0.15), (0.03, 0.10, 0.15), _DOOR)
    b.cylinder((front, 0, 0.30), 0.10, 0.03, _DOOR, turn=(0, 90, 0))
    b.cylinder((front, 0, tall * 1.12), 0.10, 0.03, "white", turn=(0, 90, 0))
    b.cylinder((front, 0, tall * 1.12), 0.075, 0.04, _GLASS, turn=(0, 90, 0))
    for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        place = (x + dx * tower, dy * tower, 1.70 * tall)
        b.box(place, (0.03 + 0.045 * abs(dy), 0.03 + 0.045 * abs(dx), 0.11), _DARK)


def _pyramid(b: Builder) -> None:
    base, tall, count = b.vary(0.76, 0.86), b.vary(0.92, 1.08), 14
    # Of sandstone with a gilded top, unless a colour is asked for.
    sand = (0.86, 0.70, 0.42) if b.color_name == "yellow" else b.main_color
    floor = tuple(c + (1 - c) * 0.4 for c in sand)
    b.box((0, 0, -0.05), (base + 0.14, base + 0.14, 0.05), floor, rounding=0.04)
    step = tall / count
    for k in range(count):
        half = base * (1 - (k + 0.15) / count)
        tint = None if k >= count - 3 else tuple(c * (1.0, 0.84, 0.92)[k % 3] for c in sand)
        b.box((0, 0, step * (k + 0.5)), (half, half, step * 0.5 + 0.002), tint, rounding=0.008)
    # A stair up the front, and the door at its foot.
    stone = tuple(c * 0.7 for c in sand)
    b.box((base * 0.985, 0, step * 1.6), (0.06, 0.16, step * 1.6), stone)
    b.box((base * 1.03, 0, step * 1.4), (0.04, 0.09, step * 1.4), _DARK)


def _fountain(b: Builder) -> None:
    basin, bowl, tall = b.vary(0.72, 0.82), b.vary(0.32, 0.38), b.vary(0.26, 0.32)
    b.cylinder((0, 0, 0.12), basin, 0.12, b.shade(0.85), rounding=0.03)
    b.torus((0, 0, 0.25), basin - 0.02, 0.075)
    b.cylinder((0, 0, 0.24), basin - 0.06, 0.02, _WATER)
    b.cone((0, 0, 0.34), 0.20, 0.11, 0.12)
    b.cylinder((0, 0, 0.30 + tall), 0.10, tall)
    z = 0.36 + 2 * tall
    b.dome((0, 0, z), (bowl, bowl, 0.20), turn=(180, 0, 0))
    b.torus((0, 0, z), bowl - 0.02, 0.05)
    b.cylinder((0, 0, z), bowl - 0.05, 0.025, _WATER)
    b.cone((0, 0, z + 0.12), 0.09, 0.06, 0.12)
    top = z + 0.30
    b.ellipsoid((0, 0, top + 0.10), (0.07, 0.07, 0.20), _SPRAY)
    count, reach = 6, b.vary(0.15, 0.18)
    for k in range(count):
        yaw = 360 * k / count
        angle = math.radians(yaw)
        # Up from the middle and over: an arch in the upright plane of this direction.
        centre = (reach * math.cos(angle), reach * math.sin(angle), top - 0.02)
        b.arc(centre, reach, 0.04, 80, _SPRAY, turn=(90, -90, yaw))
        fall = 2 * reach
        edge = (fall * math.cos(angle), fall * math.sin(angle))
        b.capsule((*edge, top - 0.02), (*edge, z), 0.04, _SPRAY)
        angle += math.pi / count
        out = (bowl + 0.08) * math.cos(angle), (bowl + 0.08) * math.sin(angle)
        b.capsule(
            (bowl * math.cos(angle), bowl * math.sin(angle), z + 0.03),
            (*out, z - 0.08),
            0.045,
            _SPRAY,
        )
        b.capsule((*out, z - 0.08), (*out, 0.26), 0.045, _SPRAY)
        b.ellipsoid((*out, 0.26), (0.11, 0.11, 0.035), _SPRAY)


def _fire_hydrant(b: Builder) -> None:
    radius, tall, cap = b.vary(0.25, 0.29), b.vary(0.46, 0.54), b.vary(0.24, 0.30)
    metal = SILVER if b.color_name not in ("white", "gray") else "red"
    b.cylinder((0, 0, 0.05), radius + 0.14, 0.06, rounding=0.02)
    for k in range(6):
        angle = 2 * math.pi * (k + 0.5) / 6
        r = radius + 0.08
        b.cylinder((r * math.cos(angle), r * math.sin(angle), 0.12), 0.045, 0.04, metal)
    b.cylinder((0, 0, tall), radius, tall)
    b.cylinder((0, 0, 0.20), radius + 0.04, 0.05)
    top = 2 * tall
    b.cylinder((0, 0, top), radius + 0.09, 0.06, rounding=0.03)
    b.cylinder((0, 0, top - 0.11), radius + 0.05, 0.04, b.shade(0.75))
    b.dome((0, 0, top + 0.05), (radius + 0.03, radius + 0.03, cap))
    b.cylinder((0, 0, top + 0.05 + cap), 0.075, 0.07, metal)
    z = top * 0.66
    arm = b.cylinder((0, radius + 0.06, z), 0.14, 0.14, turn=(90, 0, 0))
    lid = b.cylinder((0, radius + 0.20, z), 0.17, 0.05, metal, turn=(90, 0, 0))
    nut = b.box((0, radius + 0.27, z), (0.055, 0.05, 0.055), metal)
    b.mirror(arm, lid, nut)
    z = top * 0.58
    b.cylinder((radius + 0.04, 0, z), 0.17, 0.12, turn=(0, 90, 0))
    b.cylinder((radius + 0.16, 0, z), 0.20, 0.05, metal, turn=(0, 90, 0))
    b.box((radius + 0.23, 0, z), (0.05, 0.06, 0.06), metal)
    b.capsule((radius + 0.14, 0.17, z - 0.08), (radius * 0.7, radius * 0.75, z - 0.30), 0.03, metal)


def _birdcage(b: Builder) -> None:
    radius, tall, dome = b.vary(0.44, 0.50), b.vary(0.34, 0.42), b.vary(0.38, 0.46)
    bird = "blue" if b.color_name in ("yellow", "orange") else "yellow"
    b.cylinder((0, 0, -0.05), radius + 0.07, 0.10, rounding=0.04)
    b.cylinder((0, 0, 0.06), radius - 0.04, 0.02, (0.90, 0.82, 0.62))
    top = 0.05 + 2 * tall
    for z in (0.08, 0.05 + tall * 1.2, top):
        b.torus((0, 0, z), radius, 0.035)
    count = 10
    for k in range(count):
        angle = 2 * math.pi * k / count
        c, s = math.cos(angle), math.sin(angle)
        b.capsule((radius * c, radius * s, 0), (radius * c, radius * s, top), 0.03)
        points = [
            (radius * math.cos(t) * c, radius * math.cos(t) * s, top + dome * math.sin(t))
            for t in (0.0, 0.45, 0.95, math.pi / 2)
        ]
        for start, end in itertools.pairwise(points):
            b.capsule(start, end, 0.03)
    b.ball((0, 0, top + dome), 0.08)
    b.torus((0, 0, top + dome + 0.16), 0.11, 0.035, turn=(90, 0, 0))
    # The bird on its perch is large enough to be seen between the bars.
    perch = 0.36
    b.capsule((0, -radius, perch), (0, radius, perch), 0.035, WOOD)
    b.ellipsoid((0.0, 0, perch + 0.18), (0.19, 0.15, 0.20), bird, turn=(0, -20, 0))
    b.ball((0.10, 0, perch + 0.40), 0.14, bird)
    b.cone((0.26, 0, perch + 0.39), 0.06, 0.01, 0.07, "orange", turn=(0, 90, 0))
    b.mirror(b.ball((0.20, 0.08, perch + 0.44), 0.035, "black"))
    b.box((-0.22, 0, perch + 0.05), (0.16, 0.06, 0.035), bird, turn=(0, -40, 0))


def _hammock(b: Builder) -> None:
    half, sag, width = b.vary(0.62, 0.70), b.vary(0.26, 0.34), b.vary(0.26, 0.31)
    stripe = "white" if b.color_name != "white" else "blue"
    post, up = half + 0.30, b.vary(0.44, 0.52)
    # Two palm trunks lean apart, on a strip of sand.
    b.ellipsoid((0, 0, -0.32), (0.46, post + 0.16, 0.10), (0.93, 0.82, 0.52))
    for side in (1, -1):
        b.capsule(
            (0, side * (post - 0.06), -0.32), (0, side * (post + 0.10), up + 0.10), 0.075, WOOD
        )
        for k in range(4):
            z = -0.16 + 0.20 * k
            y = side * (post - 0.06 + 0.16 * (z + 0.32) / (up + 0.42))
            b.torus((0, y, z), 0.075, 0.025, (0.36, 0.21, 0.09))
        for dx in (width * 0.85, 0.0, -width * 0.85):
            b.capsule(
                (0, side * (post + 0.06), up - 0.10),
                (dx, side * half, 0.30),
                0.028,
                (0.93, 0.88, 0.74),
            )
        for k in range(5):
            angle = math.radians(72 * k)
            place = (
                0.20 * math.cos(angle),
                side * (post + 0.10) + 0.20 * math.sin(angle),
                up + 0.15,
            )
            b.ellipsoid(place, (0.24, 0.08, 0.045), _GRASS, turn=(0, 24, 72 * k))
    count = 9
    for k in range(count):
        t = 2 * (k + 0.5) / count - 1
        slope = math.degrees(math.atan2(2 * sag * t, half))
        z = 0.30 - sag * (1 - t * t)
        color = None if k % 2 == 0 else stripe
        long = half / count / math.cos(math.radians(slope)) + 0.015
        b.box((0, half * t, z), (width * 0.7, long, 0.035), color, turn=(slope, 0, 0))
        edge = 0.07
        for side in (1, -1):  # the cloth curls up along its sides
            place = (side * width * 0.86, half * t, z + edge)
            b.box(place, (width * 0.30, long, 0.035), color, turn=(slope, -side * 32, 0))


def _kind(name: str, words: tuple[str, ...], category: str, color: str, build, **more) -> Kind:
    return Kind(name=name, words=words, category=category, color=color, build=build, **more)


PLACES: tuple[Kind, ...] = (
    _kind("tower", ("tower", "watchtower", "stone tower"), "building", "gray", _tower),
    _kind("tent", ("tent", "camping tent"), "building", "orange", _tent, patterned=True),
    _kind("fire_hydrant", ("fire hydrant", "hydrant"), "street", "red", _fire_hydrant),
    _kind("bridge", ("bridge", "suspension bridge"), "building", "red", _bridge),
    _kind("church", ("church", "chapel"), "building", "white", _church),
    _kind("pyramid", ("pyramid",), "building", "yellow", _pyramid),
    _kind("fountain", ("fountain", "water fountain"), "street", "gray", _fountain),
    _kind("hammock", ("hammock",), "household", "red", _hammock),
    _kind("birdcage", ("birdcage", "bird cage"), "household", "yellow", _birdcage),
)
