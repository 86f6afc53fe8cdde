"""Things of the kitchen and of the laid table."""

import math

from uni3d.toybox.kinds.kind import Kind
from uni3d.toybox.kinds.palette import SILVER, WOOD
from uni3d.toybox.shapes import Builder

__all__ = ["KITCHEN"]


def _plate(b: Builder) -> None:
    radius, lean, stand = b.vary(0.72, 0.82), b.vary(58, 68), b.vary(0.30, 0.38)
    turn = (0, lean, 0)
    n = (math.sin(math.radians(lean)), math.cos(math.radians(lean)))

    def at(out: float) -> tuple[float, float, float]:
        """A point `out` in front of the plate's middle."""
        return (out * n[0], 0, out * n[1])

    b.cylinder(at(0), radius - 0.04, 0.05, turn=turn, rounding=0.03)
    b.torus(at(0.04), radius - 0.06, 0.075, turn=turn)
    b.torus(at(0.05), radius * 0.62, 0.05, b.shade(0.6), turn=turn)
    b.cylinder(at(0.03), radius * 0.58, 0.04, b.shade(1.5), turn=turn)
    b.cylinder(at(-0.08), radius * 0.45, 0.06, b.shade(0.8), turn=turn, rounding=0.03)
    dots = "blue" if b.color_name != "blue" else "white"
    for k in range(8):
        angle = 2 * math.pi * k / 8
        p, q = 0.79 * radius * math.cos(angle), 0.79 * radius * math.sin(angle)
        b.ball((p * n[1] + 0.06 * n[0], q, -p * n[0] + 0.06 * n[1]), 0.075, dots)
    wood = WOOD if b.color_name != "brown" else (0.2, 0.2, 0.2)
    low = -radius * n[0] - 0.08
    foot = b.capsule((0.38, stand, low), (-0.62, stand, low), 0.06, wood)
    back = b.capsule((-0.58, stand, low), (-0.16, stand, 0.10), 0.06, wood)
    peg = b.capsule((0.38, stand, low), (0.46, stand, low + 0.20), 0.06, wood)
    b.mirror(foot, back, peg)
    b.capsule((-0.5, -stand, low), (-0.5, stand, low), 0.05, wood)


def _bowl(b: Builder) -> None:
    wide, deep, foot = b.vary(0.68, 0.78), b.vary(0.44, 0.54), b.vary(0.28, 0.36)
    b.dome((0, 0, 0), (wide, wide, deep), turn=(180, 0, 0))
    b.torus((0, 0, 0.0), wide - 0.03, 0.065)
    b.cylinder((0, 0, 0.0), wide - 0.08, 0.03, b.shade(0.55))
    b.torus((0, 0, -deep * 0.42), wide * 0.90, 0.045, b.shade(0.6))
    b.cylinder((0, 0, -deep), foot, 0.08, b.shade(0.75), rounding=0.03)
    for k in range(3):
        angle = 2 * math.pi * k / 3 + b.vary(-0.3, 0.3)
        fruit = ("red", "orange", "green")[k]
        b.ball((0.30 * math.cos(angle), 0.30 * math.sin(angle), 0.14), 0.25, fruit)
    b.capsule((0.02, 0, 0.24), (0.05, 0, 0.44), 0.035, "brown")


def _wine_glass(b: Builder) -> None:
    wide, stem, cup = b.vary(0.38, 0.45), b.vary(0.26, 0.34), b.vary(0.44, 0.54)
    wine = (0.55, 0.06, 0.16) if b.color_name not in ("red", "purple") else (0.95, 0.85, 0.5)
    b.cylinder((0, 0, 0.03), 0.36, 0.04, rounding=0.03)
    b.cone((0, 0, 0.10), 0.20, 0.06, 0.06)
    b.cylinder((0, 0, 0.1 + stem), 0.06, stem)
    z = 0.12 + 2 * stem + 0.36
    b.ball((0, 0, z - 0.36), 0.10)
    b.dome((0, 0, z), (wide, wide, 0.38), wine, turn=(180, 0, 0))
    b.cone((0, 0, z + 0.11), wide + 0.005, wide - 0.02, 0.11, wine)
    b.cone((0, 0, z + 0.22 + cup * 0.3), wide - 0.02, wide - 0.08, cup * 0.3)
    top = z + 0.22 + cup * 0.6
    b.torus((0, 0, top), wide - 0.10, 0.045)
    b.cylinder((0, 0, top), wide - 0.13, 0.03, wine)


def _spoon(b: Builder) -> None:
    wide, long, tall = b.vary(0.32, 0.39), b.vary(0.38, 0.46), b.vary(0.52, 0.66)
    b.ellipsoid((0, 0, tall + long), (0.14, wide, long))
    b.ellipsoid((0.075, 0, tall + long), (0.10, wide * 0.76, long * 0.78), b.shade(0.55))
    b.capsule((0, 0, tall + 0.12), (-0.06, 0, tall - 0.12), 0.10)
    b.capsule((-0.06, 0, tall - 0.12), (0, 0, -tall), 0.075)
    b.ellipsoid((0, 0, -tall), (0.08, 0.15, 0.28))
    b.ellipsoid((0, 0, -tall), (0.10, 0.08, 0.16), b.shade(0.6))


def _pan(b: Builder) -> None:
    wide, deep, handle = b.vary(0.56, 0.64), b.vary(0.11, 0.15), b.vary(0.62, 0.78)
    lean = 20
    s, c = math.sin(math.radians(lean)), math.cos(math.radians(lean))
    b.cone((0, 0, 0), wide - 0.08, wide, deep, turn=(0, lean, 0))
    top = (deep * s, 0, deep * c)
    b.torus(top, wide - 0.03, 0.06, turn=(0, lean, 0))
    b.cylinder(top, wide - 0.08, 0.02, b.shade(1.35), turn=(0, lean, 0))
    white = (0.97, 0.96, 0.92)
    b.ellipsoid(top, (0.36, 0.33, 0.06), white, turn=(0, lean, 30))
    b.ellipsoid((top[0] - 0.1, 0.16, top[2] + 0.04), (0.24, 0.24, 0.06), white, turn=(0, lean, 0))
    b.ellipsoid((top[0] + 0.03, 0.0, top[2] + 0.05), (0.16, 0.16, 0.11), "yellow")
    grip = WOOD if b.color_name != "brown" else (0.15, 0.15, 0.16)
    start, mid = (0, wide - 0.04, 0.06), (0, wide + 0.24, 0.12)
    b.capsule(start, mid, 0.07)
    b.capsule(mid, (0, wide + 0.2 + handle, 0.20), 0.10, grip)


def _cauldron(b: Builder) -> None:
    wide, tall = b.vary(0.60, 0.68), b.vary(0.50, 0.58)
    brew = (0.45, 0.88, 0.20) if b.color_name != "green" else (0.75, 0.30, 0.85)
    b.ellipsoid((0, 0, 0), (wide, wide, tall))
    b.cylinder((0, 0, tall * 0.78), wide * 0.76, 0.10)
    b.torus((0, 0, tall * 0.78 + 0.10), wide * 0.76, 0.085, b.shade(1.25))
    b.cylinder((0, 0, tall * 0.78 + 0.13), wide * 0.72, 0.03, brew)
    for k in range(5):
        angle, r = 2 * math.pi * k / 5 + b.vary(-0.3, 0.3), wide * b.vary(0.25, 0.5)
        place = (r * math.cos(angle), r * math.sin(angle), tall * 0.78 + 0.17)
        b.ball(place, b.vary(0.08, 0.15), brew)
    b.torus((0, 0, 0.02), wide, 0.05, b.shade(1.25))
    for k in range(3):
        angle = 2 * math.pi * k / 3 + math.pi
        x, y = math.cos(angle), math.sin(angle)
        b.capsule((0.36 * x, 0.36 * y, -tall * 0.7), (0.46 * x, 0.46 * y, -tall - 0.16), 0.09)
    loop = b.torus((0, wide + 0.06, 0.10), 0.15, 0.05, b.shade(1.25), turn=(55, 0, 0))
    b.mirror(loop)


def _jar(b: Builder) -> None:
    wide, tall, lid = b.vary(0.42, 0.50), b.vary(0.46, 0.56), b.vary(0.09, 0.13)
    cap = "red" if b.color_name != "red" else "white"
    b.cylinder((0, 0, tall), wide, tall, rounding=0.14)
    b.torus((0, 0, 0.06), wide - 0.08, 0.07, b.shade(0.7))
    b.cylinder((0, 0, 2 * tall + 0.03), wide * 0.80, 0.08, b.shade(0.7))
    b.cylinder((0, 0, 2 * tall + 0.08 + lid), wide * 0.92, lid, cap, rounding=0.05)
    b.torus((0, 0, 2 * tall + 0.10), wide * 0.90, 0.045, cap)
    b.cylinder((0, 0, 2 * tall + 0.09 + 2 * lid), wide * 0.7, 0.03, (0.95, 0.93, 0.88))
    b.ball((0, 0, 2 * tall + 0.16 + 2 * lid), 0.10, cap)
    b.cylinder((0, 0, tall * 0.95), wide + 0.015, tall * 0.44, (0.97, 0.94, 0.84))
    for k in range(4):
        angle = math.pi * k / 2
        x, y = (wide + 0.005) * math.cos(angle), (wide + 0.005) * math.sin(angle)
        b.ellipsoid((x, y, tall), (0.05, 0.15, 0.16), cap, turn=(0, 0, 90 * k))


def _can(b: Builder) -> None:
    wide, tall = b.vary(0.40, 0.48), b.vary(0.56, 0.68)
    stripe = "white" if b.color_name != "white" else "red"
    b.cylinder((0, 0, 0), wide, tall, rounding=0.03)
    for sign in (1, -1):
        z = sign * (tall + 0.05)
        bottom, top = (wide, wide * 0.84) if sign > 0 else (wide * 0.84, wide)
        b.cone((0, 0, z), bottom, top, 0.07, SILVER)
        b.torus((0, 0, sign * (tall + 0.12)), wide * 0.82, 0.045, SILVER)
    b.cylinder((0, 0, tall + 0.10), wide * 0.78, 0.03, (0.60, 0.61, 0.64))
    b.torus((0.06, 0, tall + 0.16), 0.10, 0.04, SILVER)
    b.capsule((-0.02, 0, tall + 0.15), (-0.18, 0, tall + 0.15), 0.05, "black")
    for k in range(24):
        angle = 2 * math.pi * k / 24
        z = 0.16 * tall * math.sin(2 * angle)
        x, y = wide * 0.985 * math.cos(angle), wide * 0.985 * math.sin(angle)
        b.box((x, y, z), (0.035, 0.07, 0.15), stripe, turn=(0, 0, math.degrees(angle)))
    b.cylinder((0, 0, -tall * 0.86), wide + 0.012, 0.04, stripe)


def _toaster(b: Builder) -> None:
    wide, deep, tall = b.vary(0.58, 0.68), b.vary(0.34, 0.40), b.vary(0.36, 0.44)
    crust, crumb = (0.60, 0.34, 0.12), (0.93, 0.74, 0.42)
    b.box((0, 0, 0), (deep, wide, tall), rounding=0.20)
    b.box((0, 0, -tall + 0.02), (deep - 0.03, wide - 0.03, 0.08), (0.15, 0.15, 0.16))
    for x in (deep * 0.42, -deep * 0.42):
        b.box((x, 0, tall), (0.10, wide * 0.72, 0.02), "black")
        rise = tall + b.vary(0.14, 0.24)
        b.box((x, 0, rise - 0.08), (0.07, wide * 0.58, 0.24), crust, rounding=0.06)
        b.box((x, 0, rise - 0.09), (0.085, wide * 0.50, 0.20), crumb, rounding=0.05)
        ear = b.ellipsoid((x, wide * 0.36, rise + 0.10), (0.07, wide * 0.26, 0.12), crust)
        b.mirror(ear)
    b.box((0, wide, 0.04), (0.04, 0.02, tall * 0.55), "black")
    b.box((0, wide + 0.08, tall * 0.34), (0.13, 0.09, 0.06), "black", rounding=0.04)
    b.cylinder((deep * 0.5, wide + 0.02, -tall * 0.4), 0.09, 0.05, "red", turn=(90, 0, 0))
    b.box((deep, 0, -0.02), (0.02, wide * 0.62, 0.035), b.shade(0.6))
    b.box((-deep, 0, -0.02), (0.02, wide * 0.62, 0.035), b.shade(0.6))


def _refrigerator(b: Builder) -> None:
    wide, deep, tall = b.vary(0.38, 0.45), b.vary(0.34, 0.40), b.vary(0.82, 0.94)
    metal = SILVER if b.color_name not in ("gray", "white") else (0.2, 0.2, 0.22)
    b.box((-0.04, 0, 0), (deep, wide, tall), b.shade(0.85), rounding=0.06)
    cut = tall * b.vary(0.30, 0.42)
    b.box((deep, 0, (cut + tall) / 2 + 0.01), (0.06, wide, (tall - cut) / 2 - 0.015), rounding=0.05)
    b.box((deep, 0, (cut - tall) / 2), (0.06, wide, (tall + cut) / 2 - 0.02), rounding=0.05)
    for low, high in ((cut + 0.10, cut + 0.34), (cut - 0.62, cut - 0.12)):
        y = -wide + 0.10
        b.capsule((deep + 0.11, y, low), (deep + 0.11, y, high), 0.045, metal)
        for z in (low, high):
            b.capsule((deep + 0.03, y, z), (deep + 0.11, y, z), 0.04, metal)
    for k, magnet in enumerate(("red", "yellow", "green")):
        spot = (deep + 0.06, 0.20 - 0.14 * k, cut - 0.22 - 0.10 * (k % 2))
        b.box(spot, (0.03, 0.055, 0.055), magnet, rounding=0.02)
    b.box((deep + 0.05, 0.14, cut - 0.52), (0.02, 0.12, 0.15), (0.96, 0.95, 0.80))
    b.box((-deep - 0.04, 0, -0.1), (0.03, wide - 0.08, tall * 0.7), "black")
    for k in range(7):
        z = -0.1 + tall * 0.2 * (k - 3)
        b.capsule((-deep - 0.08, -wide + 0.14, z), (-deep - 0.08, wide - 0.14, z), 0.03, SILVER)
    b.mirror(b.cylinder((deep - 0.1, wide - 0.08, -tall - 0.03), 0.06, 0.06, "black"))
    b.mirror(b.cylinder((-deep + 0.06, wide - 0.08, -tall - 0.03), 0.06, 0.06, "black"))


def _watering_can(b: Builder) -> None:
    wide, tall, reach = b.vary(0.40, 0.46), b.vary(0.34, 0.42), b.vary(0.50, 0.64)
    b.cone((0, 0, tall), wide, wide * 0.88, tall)
    b.torus((0, 0, 0.03), wide - 0.02, 0.05, b.shade(0.65))
    b.torus((0, 0, 2 * tall), wide * 0.86, 0.05, b.shade(0.65))
    b.cylinder((0, 0, 2 * tall + 0.01), wide * 0.82, 0.03, (0.30, 0.55, 0.80))
    b.ellipsoid((0.18, 0, 2 * tall), (wide * 0.62, wide * 0.84, 0.12))
    end = (wide + reach, 0, 2 * tall + 0.12)
    b.capsule((wide * 0.8, 0, tall * 0.5), end, 0.085)
    b.cone((wide + reach + 0.06, 0, 2 * tall + 0.18), 0.09, 0.22, 0.10, turn=(0, 42, 0))
    b.cylinder(
        (wide + reach + 0.13, 0, 2 * tall + 0.26), 0.21, 0.03, b.shade(0.65), turn=(0, 42, 0)
    )
    b.arc((0, 0, 2 * tall - 0.04), wide * 0.82, 0.06, 90, b.shade(0.65), turn=(90, -90, 0))
    b.arc((-wide * 0.86, 0, tall), 0.30, 0.06, 100, b.shade(0.65), turn=(90, 0, 180))


def _kind(name: str, color: str, build, *more: str, patterned: bool = False) -> Kind:
    return Kind(
        name=name,
        words=(name.replace("_", " "), *more),
        category="kitchen",
        color=color,
        build=build,
        patterned=patterned,
    )


KITCHEN: tuple[Kind, ...] = (
    _kind("plate", "white", _plate, "dish", "platter"),
    _kind("wine_glass", "white", _wine_glass, "goblet"),
    _kind("toaster", "gray", _toaster),
    _kind("spoon", "gray", _spoon, "tablespoon"),
    _kind("watering_can", "green", _watering_can),
    _kind("bowl", "blue", _bowl, "fruit bowl"),
    _kind("cauldron", "black", _cauldron, "witch cauldron"),
    _kind("jar", "orange", _jar, "cookie jar"),
    _kind("can", "red", _can, "soda can"),
    _kind("refrigerator", "white", _refrigerator, "fridge"),
    _kind("pan", "black", _pan, "frying pan"),
)
