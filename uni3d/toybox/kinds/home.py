"""Things that decorate, light and fill a home."""

import math

from uni3d.toybox.kinds.kind import Kind
from uni3d.toybox.kinds.palette import GOLD, SILVER
from uni3d.toybox.shapes import Builder

__all__ = ["HOME"]

_WAX = (0.96, 0.93, 0.82)


def _flame(b: Builder, x: float, y: float, z: float, size: float) -> None:
    b.ellipsoid((x, y, z + 1.1 * size), (0.62 * size, 0.62 * size, 1.1 * size), "orange")
    b.ellipsoid((x, y, z + 2.1 * size), (0.3 * size, 0.3 * size, 0.9 * size), "yellow")


def _taper(b: Builder, x: float, y: float, z: float, tall: float, color=_WAX) -> None:
    """A thin candle that burns, its foot at (x, y, z)."""
    b.cylinder((x, y, z + tall / 2), 0.07, tall / 2, color, rounding=0.02)
    _flame(b, x, y, z + tall, 0.10)


def _statue(b: Builder) -> None:
    tall, wide, base = b.vary(0.46, 0.56), b.vary(0.22, 0.26), b.vary(0.12, 0.18)
    b.box((0, 0, -base), (0.42, 0.42, base), b.shade(0.75), rounding=0.02)
    b.box((0, 0, 0.04), (0.34, 0.34, 0.06), b.shade(0.9), rounding=0.02)
    b.cone((0, 0, 0.08 + tall), 0.31, wide * 0.8, tall)
    for k in range(7):
        angle = 2 * math.pi * k / 7
        x, y = math.cos(angle), math.sin(angle)
        b.capsule((0.30 * x, 0.30 * y, 0.14), (0.17 * x, 0.17 * y, 1.6 * tall), 0.045, b.shade(0.8))
    chest = 0.14 + 2 * tall
    b.ellipsoid((0, 0, chest + 0.06), (0.18, wide + 0.06, 0.27))
    b.capsule((0.14, wide, chest + 0.14), (0.12, -wide, chest - 0.34), 0.07, b.shade(0.8))
    b.capsule((0, 0, chest + 0.2), (0, 0, chest + 0.42), 0.10)
    b.ellipsoid((0.01, 0, chest + 0.54), (0.16, 0.14, 0.19))
    b.ellipsoid((-0.05, 0, chest + 0.62), (0.17, 0.16, 0.15), b.shade(0.7))
    b.ball((0.17, 0, chest + 0.53), 0.04)
    b.ball((-0.20, 0, chest + 0.58), 0.08, b.shade(0.7))
    lift = b.vary(0.30, 0.46)
    elbow = (0.06, wide + 0.26, chest + 0.16)
    b.capsule((0, wide + 0.02, chest + 0.20), elbow, 0.085)
    hand = (0.14, wide + 0.30, chest + 0.26 + lift)
    b.capsule(elbow, hand, 0.07)
    b.ball(hand, 0.095)
    elbow = (0.02, -wide - 0.18, chest - 0.10)
    b.capsule((0, -wide - 0.02, chest + 0.20), elbow, 0.085)
    b.capsule(elbow, (0.24, -wide - 0.04, chest - 0.24), 0.07)
    b.box((0.26, -wide, chest - 0.20), (0.05, 0.13, 0.16), b.shade(0.8), turn=(15, 0, 0))


def _candle(b: Builder) -> None:
    wide, tall, dish = b.vary(0.24, 0.30), b.vary(0.38, 0.50), b.vary(0.50, 0.58)
    metal = GOLD if b.color_name not in ("yellow", "orange") else SILVER
    b.cone((0, 0, 0.06), dish * 0.7, dish, 0.07, metal)
    b.torus((0, 0, 0.13), dish - 0.03, 0.05, metal)
    b.cylinder((0, 0, 0.16), wide + 0.07, 0.09, metal, rounding=0.04)
    b.torus((-dish - 0.13, 0, 0.16), 0.15, 0.055, metal, turn=(90, 0, 0))
    b.cylinder((0, 0, 0.2 + tall), wide, tall, rounding=0.06)
    for k in range(5):
        angle = 2 * math.pi * k / 5 + b.vary(-0.3, 0.3)
        x, y = wide * math.cos(angle), wide * math.sin(angle)
        top, low = 0.16 + 2 * tall, 0.2 + tall * b.vary(1.0, 1.6)
        b.capsule((x, y, top), (x, y, low), 0.06, b.shade(1.35))
    top = 0.2 + 2 * tall
    b.torus((0, 0, top - 0.02), wide - 0.06, 0.06, b.shade(1.35))
    b.capsule((0, 0, top - 0.04), (0, 0, top + 0.12), 0.035, "black")
    _flame(b, 0, 0, top + 0.06, 0.17)


def _potted_plant(b: Builder) -> None:
    pot, deep, leaf = b.vary(0.30, 0.36), b.vary(0.22, 0.28), b.vary(0.40, 0.52)
    clay = (0.80, 0.42, 0.24) if b.color_name not in ("orange", "brown") else (0.9, 0.9, 0.88)
    b.cone((0, 0, deep), pot * 0.72, pot, deep, clay)
    b.cylinder((0, 0, 2 * deep), pot + 0.06, 0.08, clay, rounding=0.03)
    b.cylinder((0, 0, 2 * deep + 0.07), pot - 0.02, 0.03, (0.25, 0.15, 0.08))
    base = 2 * deep + 0.06
    for ring, (count, lean, size) in enumerate(((6, 62, 1.0), (5, 36, 1.1), (3, 12, 1.15))):
        for k in range(count):
            angle = 360 * k / count + 25 * ring + b.vary(-10, 10)
            tip = lean + b.vary(-7, 7)
            out = math.sin(math.radians(tip))
            up = math.cos(math.radians(tip))
            x, y = math.cos(math.radians(angle)), math.sin(math.radians(angle))
            reach = leaf * size
            b.capsule((0, 0, base), (0.4 * out * x, 0.4 * out * y, base + 0.4 * up), 0.035)
            place = ((0.25 + reach) * out * x, (0.25 + reach) * out * y, base + up * (0.25 + reach))
            color = None if (k + ring) % 2 else b.shade(0.75)
            b.ellipsoid(place, (0.06, 0.17, reach), color, turn=(0, tip, angle))


def _key(b: Builder) -> None:
    bow, shaft, yaw = b.vary(0.28, 0.34), b.vary(0.50, 0.60), b.vary(28, 42)
    x, y = -math.sin(math.radians(yaw)), math.cos(math.radians(yaw))

    def at(side: float, up: float) -> tuple[float, float, float]:
        return (side * x, side * y, up)

    for s, u in ((0, 0.24), (0.25, -0.08), (-0.25, -0.08)):
        b.torus(at(s, shaft + bow + u), bow * 0.72, 0.10, turn=(0, 90, yaw))
    b.cylinder((0, 0, shaft + 0.04), 0.15, 0.06, rounding=0.03)
    b.cylinder((0, 0, shaft - 0.10), 0.13, 0.05, b.shade(0.75), rounding=0.03)
    b.capsule((0, 0, shaft), (0, 0, -shaft), 0.09)
    for up, wide in ((-0.92, 0.20), (-0.52, 0.15)):
        b.box(at(wide + 0.04, up * shaft), (0.075, wide, 0.085), turn=(0, 0, yaw))
    b.box(at(0.32, -0.72 * shaft), (0.075, 0.07, 0.20), turn=(0, 0, yaw))
    b.ball((0, 0, -shaft - 0.06), 0.11, b.shade(0.75))


def _dice(b: Builder) -> None:
    half, yaw = b.vary(0.50, 0.56), b.vary(18, 34)
    pip = "black" if b.color_name not in ("black", "blue", "purple", "brown") else "white"
    c, s = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
    b.box((0, 0, 0), (half, half, half), turn=(0, 0, yaw), rounding=b.vary(0.10, 0.16))
    q = half * 0.52
    corners = ((q, q), (-q, -q), (q, -q), (-q, q))
    faces = {
        1: [(0, 0)],
        2: corners[:2],
        3: [*corners[:2], (0, 0)],
        4: corners,
        5: [*corners, (0, 0)],
        6: [*corners, (q, 0), (-q, 0)],
    }
    places = {1: (2, 1), 6: (2, -1), 2: (0, 1), 5: (0, -1), 3: (1, 1), 4: (1, -1)}
    for number, (axis, sign) in places.items():
        for u, v in faces[number]:
            spot = [u, v]
            spot.insert(axis, sign * half * 0.985)
            radii = [0.125 * half / 0.53] * 3
            radii[axis] = 0.05
            x, y, z = spot
            big = 1.5 if number == 1 else 1.0
            radii = [r * big if r > 0.05 else r for r in radii]
            b.ellipsoid((c * x - s * y, s * x + c * y, z), radii, pip, turn=(0, 0, yaw))


def _blanket(b: Builder) -> None:
    wide, deep, thick = b.vary(0.64, 0.76), b.vary(0.48, 0.56), b.vary(0.10, 0.13)
    band = "white" if b.color_name != "white" else "blue"
    layers = 3
    for k in range(layers):
        z = 2.05 * thick * k
        shift = b.vary(-0.03, 0.03)
        b.box((0, shift, z), (deep, wide, thick), rounding=thick * 0.7)
        b.cylinder(
            (deep - 0.06, shift, z),
            thick * 1.12,
            wide,
            b.shade(0.85),
            turn=(90, 0, 0),
            rounding=0.04,
        )
        for sign in (1, -1):
            b.box((0.01, shift + sign * wide * 0.62, z), (deep + 0.05, 0.06, thick + 0.015), band)
    top = 2.05 * thick * (layers - 1) + thick
    flap = wide * 0.55
    b.box((0.02, 0, top + 0.04), (deep * 0.95, flap, 0.06), b.shade(1.3), rounding=0.05)
    b.box((deep + 0.06, 0, top - 0.30), (0.06, flap, 0.37), b.shade(1.3), rounding=0.05)
    b.box((0.02, 0, top + 0.06), (deep * 0.95, flap * 0.2, 0.06), band, rounding=0.03)
    b.box((deep + 0.08, 0, top - 0.29), (0.06, flap * 0.2, 0.37), band, rounding=0.03)
    for k in range(7):
        y = flap * 0.9 * (k - 3) / 3
        b.capsule((deep + 0.06, y, top - 0.64), (deep + 0.07, y * 1.06, top - 0.84), 0.045, band)


def _mirror(b: Builder) -> None:
    wide, tall, lean = b.vary(0.36, 0.42), b.vary(0.68, 0.80), 8
    glass = (0.76, 0.90, 0.97)
    s, c = math.sin(math.radians(lean)), math.cos(math.radians(lean))

    def at(out: float, side: float, up: float) -> tuple[float, float, float]:
        return (out * c - up * s, side, out * s + up * c)

    turn = (0, -lean, 0)
    b.box(at(0, 0, 0), (0.05, wide, tall), b.shade(0.7), turn=turn, rounding=0.04)
    for sign in (1, -1):
        b.capsule(at(0.03, sign * wide, tall), at(0.03, sign * wide, -tall), 0.085)
        b.capsule(at(0.03, wide, sign * tall), at(0.03, -wide, sign * tall), 0.085)
    b.ellipsoid(at(0.02, 0, tall + 0.08), (0.09, 0.24, 0.13))
    b.box(at(0.045, 0, 0), (0.02, wide - 0.06, tall - 0.06), glass, turn=turn)
    for side, up, long in ((0.04, 0.28, 0.30), (0.0, -0.02, 0.30), (-0.05, -0.36, 0.16)):
        start, end = (
            at(0.06, side + long * 0.5, up + long * 0.7),
            at(0.06, side - long * 0.5, up - 0.1),
        )
        b.capsule(start, end, 0.035, "white")
    y = wide + 0.20
    post = b.capsule((0, y, 0.16), (0, y, -tall - 0.20), 0.07, b.shade(0.8))
    foot = b.capsule((0.36, y, -tall - 0.26), (-0.36, y, -tall - 0.26), 0.075, b.shade(0.8))
    knob = b.ball((0, y, 0.24), 0.10, GOLD if b.color_name != "yellow" else "brown")
    axle = b.capsule((0, y, 0.0), (0, wide, 0.0), 0.06, b.shade(0.8))
    b.mirror(post, foot, knob, axle)
    b.capsule((0, y, -tall - 0.14), (0, -y, -tall - 0.14), 0.055, b.shade(0.8))


def _pillow(b: Builder) -> None:
    wide, tall, thick = b.vary(0.62, 0.72), b.vary(0.54, 0.64), b.vary(0.24, 0.32)
    lean = b.vary(-24, -12)
    turn = (0, lean, 0)
    s, c = math.sin(math.radians(lean)), math.cos(math.radians(lean))

    def at(out: float, side: float, up: float) -> tuple[float, float, float]:
        return (out * c + up * s, side, -out * s + up * c)

    b.ellipsoid((0, 0, 0), (thick, wide * 1.02, tall * 1.02), turn=turn)
    for out, side in ((0.42, 1.0), (0.68, 0.84), (0.85, 0.66)):
        half = (thick * out, wide * side, tall * side)
        b.box((0, 0, 0), half, turn=turn, rounding=thick * out)
    tassel = GOLD if b.color_name not in ("yellow", "orange") else (0.9, 0.9, 0.9)
    for p in (1, -1):
        for q in (1, -1):
            b.ball(at(0, p * wide * 0.98, q * tall * 0.98), 0.09, tassel)
            start, end = (at(0, p * (wide + d), q * (tall + d)) for d in (0.0, 0.10))
            b.capsule(start, end, 0.055, tassel)
    for out in (thick, -thick):
        b.ball(at(out * 0.97, 0, 0), 0.08, tassel)


def _chandelier(b: Builder) -> None:
    wide, arms, drop = b.vary(0.66, 0.78), 6, b.vary(0.30, 0.42)
    crystal = (0.72, 0.90, 0.98)
    b.capsule((0, 0, 0), (0, 0, 0.66 + drop), 0.06)
    for k in range(3):
        b.ball((0, 0, 0.06 + 0.26 * k), 0.16 - 0.035 * k)
    for k in range(2):
        b.torus((0, 0, 0.72 + drop + 0.17 * k), 0.09, 0.04, turn=(90, 0, 90 * k))
    b.dome((0, 0, 0.98 + drop), (0.20, 0.20, 0.12))
    b.ball((0, 0, -0.16), 0.13, crystal)
    b.cone((0, 0, -0.32), 0.02, 0.09, 0.10, crystal)
    b.torus((0, 0, 0.10), wide * 0.52, 0.04)
    for k in range(arms):
        angle = 360 * k / arms + 15
        x, y = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        half = wide / 2
        b.arc((half * x, half * y, 0.10), half, 0.05, 90, turn=(90, 90, angle))
        b.cylinder((wide * x, wide * y, 0.12), 0.13, 0.035, rounding=0.02)
        _taper(b, wide * x, wide * y, 0.14, 0.26)
        b.ball((wide * x, wide * y, 0.0), 0.07, crystal)
        b.capsule((0, 0, 0.62 + drop), (wide * 0.5 * x, wide * 0.5 * y, 0.12), 0.028, crystal)


def _candelabra(b: Builder) -> None:
    wide, tall, reach = b.vary(0.32, 0.38), b.vary(0.40, 0.50), b.vary(0.26, 0.31)
    b.cylinder((0, 0, 0.05), wide, 0.06, rounding=0.04)
    b.cone((0, 0, 0.17), wide * 0.7, 0.09, 0.08)
    b.cylinder((0, 0, 0.2 + tall), 0.065, tall)
    for z in (0.3, 0.2 + tall, 0.2 + 2 * tall):
        b.ball((0, 0, z), 0.12)
    z = 0.24 + 2 * tall
    for yaw in (0, 90):
        for span, color in ((2 * reach, None),):
            b.arc((0, 0, z), span, 0.055, 90, color, turn=(0, 90, yaw))
        x, y = math.sin(math.radians(yaw)), math.cos(math.radians(yaw))
        for sign in (1, -1):
            spot = (sign * 2 * reach * x, sign * 2 * reach * y)
            b.cone((*spot, z + 0.04), 0.06, 0.14, 0.06)
            _taper(b, *spot, z + 0.08, 0.34)
    b.cylinder((0, 0, z + 0.1), 0.065, 0.1)
    b.cone((0, 0, z + 0.24), 0.06, 0.14, 0.06)
    _taper(b, 0, 0, z + 0.28, 0.36)


def _trophy(b: Builder) -> None:
    wide, cup, stem = b.vary(0.38, 0.46), b.vary(0.26, 0.34), b.vary(0.12, 0.20)
    base = "black" if b.color_name != "black" else (0.5, 0.3, 0.15)
    b.box((0, 0, 0.12), (0.36, 0.36, 0.13), base, rounding=0.03)
    b.box((0.36, 0, 0.12), (0.025, 0.20, 0.07), "white" if b.color_name != "white" else "yellow")
    b.cylinder((0, 0, 0.29), 0.26, 0.05, rounding=0.03)
    b.cone((0, 0, 0.40), 0.20, 0.07, 0.08)
    b.cylinder((0, 0, 0.42 + stem), 0.075, stem)
    b.ball((0, 0, 0.42 + stem), 0.13)
    z = 0.44 + 2 * stem
    b.dome((0, 0, z + 0.30), (wide * 0.90, wide * 0.90, 0.34), turn=(180, 0, 0))
    b.cone((0, 0, z + 0.28 + cup), wide * 0.89, wide + 0.06, cup)
    top = z + 0.28 + 2 * cup
    b.torus((0, 0, top), wide + 0.03, 0.055)
    b.cylinder((0, 0, top), wide, 0.03, b.shade(0.5))
    b.mirror(b.arc((0, wide * 0.92, z + 0.30 + cup), 0.29, 0.065, 105, turn=(90, 0, 90)))
    star = "red" if b.color_name != "red" else "white"
    b.ellipsoid((wide * 0.93, 0, z + 0.30 + cup), (0.07, 0.17, 0.17), star)


def _lipstick(b: Builder) -> None:
    wide, case, stick = b.vary(0.25, 0.30), b.vary(0.40, 0.50), b.vary(0.24, 0.32)
    shell = (0.12, 0.12, 0.13) if b.color_name != "black" else (0.55, 0.56, 0.58)
    b.cylinder((0, 0, case), wide + 0.06, case, shell, rounding=0.04)
    b.cylinder((0, 0, 0.06), wide + 0.08, 0.06, GOLD, rounding=0.02)
    b.cylinder((0, 0, 2 * case + 0.02), wide + 0.08, 0.06, GOLD, rounding=0.02)
    b.cylinder((0, 0, 2 * case + 0.18), wide, 0.18, GOLD, rounding=0.03)
    top = 2 * case + 0.34 + 2 * stick
    b.cylinder((0, 0, top - stick), wide * 0.86, stick, rounding=0.03)
    b.ellipsoid((0, 0, top), (wide * 0.86, wide * 0.86, 0.16))
    for k in range(4):
        b.ellipsoid(
            (-0.05 - 0.03 * k, 0, top + 0.08 * k), (wide * (0.80 - 0.14 * k),) * 2 + (0.16,)
        )


def _kind(name: str, color: str, build, *more: str, patterned: bool = False) -> Kind:
    return Kind(
        name=name,
        words=(name.replace("_", " "), *more),
        category="home",
        color=color,
        build=build,
        patterned=patterned,
    )


HOME: tuple[Kind, ...] = (
    _kind("statue", "white", _statue, "sculpture", "marble statue"),
    _kind("candle", "white", _candle, "burning candle"),
    _kind("potted_plant", "green", _potted_plant, "houseplant"),
    _kind("key", "yellow", _key, "door key"),
    _kind("dice", "white", _dice),
    _kind("blanket", "blue", _blanket, "quilt", patterned=True),
    _kind("mirror", "brown", _mirror, "looking glass"),
    _kind("pillow", "purple", _pillow, "cushion", patterned=True),
    _kind("chandelier", "yellow", _chandelier),
    _kind("candelabra", "yellow", _candelabra),
    _kind("trophy", "yellow", _trophy, "trophy cup"),
    _kind("lipstick", "red", _lipstick),
)
