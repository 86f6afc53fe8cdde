"""Things that stand on a desk: to read, to write, to measure and to listen."""

import math

from uni3d.toybox.kinds.kind import Kind
from uni3d.toybox.kinds.palette import GOLD, SILVER
from uni3d.toybox.shapes import Builder

__all__ = ["DESK"]

_PAPER = (0.96, 0.94, 0.86)


def _book(b: Builder) -> None:
    wide, tall, thick = b.vary(0.46, 0.54), b.vary(0.62, 0.74), b.vary(0.14, 0.20)
    gold = GOLD if b.color_name not in ("yellow", "orange") else (0.3, 0.15, 0.1)
    b.box((-thick, 0, 0), (0.05, wide, tall), rounding=0.02)
    b.box((0, 0.02, 0), (thick, wide - 0.06, tall - 0.06), _PAPER)
    opened = math.radians(b.vary(10, 18))  # the front cover, about its spine
    x, y = thick + wide * math.sin(opened), -wide + wide * math.cos(opened)
    turn = (0, 0, -math.degrees(opened))
    b.box((x, y, 0), (0.05, wide, tall), turn=turn, rounding=0.02)
    b.box((x - 0.07, y + 0.01, 0), (0.035, wide - 0.05, tall - 0.07), _PAPER, turn=turn)
    b.box((0, -wide, 0), (thick + 0.05, 0.06, tall), rounding=0.05)
    for z in (0.62, -0.62):
        b.box((0, -wide, z * tall), (thick + 0.06, 0.075, 0.05), gold)
    b.box((0, -wide - 0.05, 0.05), (thick * 0.6, 0.025, 0.14), gold)
    b.box((x + 0.05, y, tall * 0.38), (0.02, wide * 0.62, 0.09), gold, turn=turn)
    b.ellipsoid((x + 0.05, y, -tall * 0.2), (0.03, 0.20, 0.20), gold, turn=turn)
    b.box((-0.02, wide * 0.3, -tall), (0.03, 0.06, 0.16), "red" if gold is GOLD else "blue")


def _pen(b: Builder) -> None:
    radius, barrel, cap = b.vary(0.15, 0.18), b.vary(0.50, 0.62), b.vary(0.30, 0.40)
    lean = b.vary(24, 34)
    up = math.cos(math.radians(lean))
    side = math.sin(math.radians(lean))

    def at(s: float, x: float = 0.0) -> tuple[float, float, float]:
        """The point `s` along the pen, `x` in front of its axis."""
        return (x, -s * side, s * up)

    turn = (lean, 0, 0)
    b.cylinder(at(0), radius, barrel, turn=turn, rounding=0.03)
    b.cylinder(at(barrel + cap), radius + 0.02, cap, b.shade(0.6), turn=turn, rounding=0.06)
    b.cylinder(at(barrel + 0.03), radius + 0.04, 0.05, GOLD, turn=turn, rounding=0.02)
    b.cylinder(at(barrel + 2 * cap), radius * 0.8, 0.05, GOLD, turn=turn, rounding=0.03)
    b.capsule(
        at(barrel + 2 * cap - 0.04, radius + 0.08), at(barrel + 0.2, radius + 0.07), 0.04, GOLD
    )
    b.cylinder(at(-barrel - 0.04), radius * 0.95, 0.06, GOLD, turn=turn, rounding=0.02)
    b.cone(at(-barrel - 0.20), 0.05, radius * 0.85, 0.14, SILVER, turn=turn)
    b.cone(at(-barrel - 0.38), 0.015, 0.05, 0.06, "black", turn=turn)


def _paper_sheet(b: Builder) -> None:
    wide, tall, bend = b.vary(0.50, 0.58), b.vary(0.26, 0.30), b.vary(12, 20)
    ink = (0.25, 0.27, 0.34) if b.color_name not in ("black", "gray") else (0.9, 0.9, 0.9)
    x, z, angle = 0.0, 0.0, -bend
    for k in range(4):
        step = (tall * math.sin(math.radians(angle)), tall * math.cos(math.radians(angle)))
        mid = (x + step[0] / 2, 0, z + step[1] / 2)
        b.box(mid, (0.035, wide, tall * 0.54), turn=(0, angle, 0), rounding=0.015)
        for j, shift in enumerate((-0.25, 0.25)):
            length = wide * (0.78 if (k + j) % 3 else 0.5)
            front = (
                mid[0] + 0.03 * math.cos(math.radians(angle)) + shift * step[0],
                -wide * 0.8 + length,
                mid[2] + shift * step[1],
            )
            if k < 3 or j == 0:
                b.box(front, (0.02, length, 0.03), ink, turn=(0, angle, 0))
        x, z, angle = x + step[0], z + step[1], angle - bend * 0.4
    b.cylinder((x + 0.09, 0, z - 0.02), 0.10, wide, b.shade(0.85), turn=(90, 0, 0), rounding=0.02)
    b.cylinder((0.09, 0, 0.02), 0.10, wide, b.shade(0.85), turn=(90, 0, 0), rounding=0.02)
    b.ball((0.02, wide * 0.55, 0.30), 0.11, "red" if b.color_name != "red" else "yellow")


def _typewriter(b: Builder) -> None:
    wide, deep = b.vary(0.66, 0.76), b.vary(0.52, 0.60)
    key = (0.95, 0.94, 0.88) if b.color_name != "white" else (0.2, 0.2, 0.22)
    b.box((0, 0, 0.12), (deep, wide, 0.12), rounding=0.08)
    b.box((-deep * 0.45, 0, 0.36), (deep * 0.5, wide * 0.94, 0.24), rounding=0.10)
    b.box((deep * 0.40, 0, 0.22), (deep * 0.55, wide * 0.84, 0.05), "black", turn=(0, 16, 0))
    for row in range(3):
        x, z = deep * (0.16 + 0.28 * row), 0.37 - 0.06 * row
        for k in range(7):
            y = wide * (-0.66 + 0.22 * k) + 0.04 * (row - 1)
            b.ellipsoid((x, y, z), (0.065, 0.075, 0.05), key)
    b.box((deep * 0.96, 0, 0.27), (0.05, wide * 0.4, 0.04), key, rounding=0.03)
    back = -deep * 0.62
    b.cylinder((back, 0, 0.68), 0.13, wide + 0.06, (0.25, 0.25, 0.27), turn=(90, 0, 0))
    knob = b.cylinder((back, wide + 0.14, 0.68), 0.11, 0.05, SILVER, turn=(90, 0, 0))
    b.mirror(knob)
    b.capsule((back + 0.10, wide, 0.70), (back + 0.30, wide + 0.14, 0.74), 0.04, SILVER)
    b.box((back - 0.12, 0, 0.98), (0.035, wide * 0.62, 0.36), _PAPER, turn=(0, -12, 0))
    for k in range(3):
        z = 0.92 + 0.13 * k
        b.box((back - 0.08 - 0.21 * (z - 0.98), 0, z), (0.02, wide * 0.45, 0.025), "gray")


def _globe(b: Builder) -> None:
    radius, stand = b.vary(0.56, 0.62), b.vary(0.28, 0.38)
    land = (0.30, 0.66, 0.25) if b.color_name != "green" else (0.85, 0.72, 0.40)
    b.ball((0, 0, 0), radius)
    spots = (
        (20, 25, 0.30),
        (50, -20, 0.26),
        (-40, 40, 0.32),
        (-70, -15, 0.26),
        (110, 35, 0.36),
        (150, 5, 0.26),
        (170, -40, 0.22),
        (-120, 30, 0.28),
        (-150, -25, 0.26),
        (80, 62, 0.28),
    )
    for azimuth, elevation, size in spots:
        around, above = math.radians(azimuth), math.radians(elevation)
        x, y, z = (
            math.cos(around) * math.cos(above),
            math.sin(around) * math.cos(above),
            math.sin(above),
        )
        place = (0.93 * radius * x, 0.93 * radius * y, 0.93 * radius * z)
        half = (0.075, size * radius, size * radius * b.vary(0.9, 1.4))
        b.ellipsoid(place, half, land, turn=(b.vary(-40, 40), -elevation, azimuth))
    b.ellipsoid((0, 0, radius * 0.93), (0.22, 0.22, 0.075), "white")
    b.ellipsoid((0, 0, -radius * 0.93), (0.25, 0.25, 0.075), "white")
    b.arc((0, 0, 0), radius + 0.09, 0.05, 96, GOLD, turn=(90, 0, 90))

    b.ball((0, 0, radius + 0.10), 0.08, GOLD)
    b.cylinder((0, 0, -radius - stand * 0.5), 0.07, stand * 0.6, GOLD)
    wood = (0.40, 0.22, 0.10) if b.color_name != "brown" else (0.2, 0.2, 0.2)
    b.cylinder((0, 0, -radius - stand - 0.06), 0.38, 0.07, wood, rounding=0.05)
    b.cone((0, 0, -radius - stand + 0.06), 0.30, 0.10, 0.08, wood)


def _smartphone(b: Builder) -> None:
    wide, tall, thick = b.vary(0.36, 0.42), b.vary(0.74, 0.84), b.vary(0.075, 0.10)
    b.box((0, 0, 0), (thick, wide, tall), rounding=0.07)
    b.box((thick - 0.01, 0, 0), (0.025, wide - 0.04, tall - 0.05), "black", rounding=0.02)
    b.box((thick + 0.005, 0, 0), (0.025, wide - 0.08, tall - 0.13), (0.60, 0.82, 0.96))
    icons = ("red", "yellow", "green", "white", "orange", "purple", "blue", "pink", "green")
    for k, icon in enumerate(icons):
        y, z = (k % 3 - 1) * wide * 0.50, tall * (0.5 - 0.32 * (k // 3))
        b.box((thick + 0.02, y, z), (0.025, wide * 0.18, wide * 0.18), icon, rounding=0.02)
    b.box((thick + 0.02, 0, -tall * 0.72), (0.025, wide * 0.66, 0.07), "white", rounding=0.02)
    b.box((-thick - 0.01, -wide * 0.45, tall * 0.66), (0.05, 0.15, 0.20), "black", rounding=0.04)
    for z in (0.58, 0.74):
        b.cylinder((-thick - 0.06, -wide * 0.45, tall * z), 0.075, 0.03, SILVER, turn=(0, 90, 0))
    b.ball((-thick, 0, -tall * 0.1), 0.09, "white" if b.color_name != "white" else "gray")
    for z in (0.30, 0.46):
        b.box((0, wide, tall * z), (0.03, 0.03, 0.07), SILVER)


def _telephone(b: Builder) -> None:
    wide, deep, tall = b.vary(0.50, 0.58), b.vary(0.44, 0.50), b.vary(0.24, 0.30)
    b.box((0, 0, 0.10), (deep + 0.06, wide + 0.05, 0.11), rounding=0.07)
    b.wedge((0, 0, tall + 0.12), (deep + 0.25, wide - 0.05, tall + 0.12))
    b.box((-0.02, 0, 2 * tall), (0.19, wide - 0.06, 0.13), rounding=0.08)
    slope = math.degrees(math.atan2(deep + 0.25, 2 * tall + 0.24))
    x, z = (deep + 0.25) * 0.52 + 0.03, tall + 0.12
    turn = (0, 90 - slope, 0)
    n = (math.cos(math.radians(slope)), math.sin(math.radians(slope)))
    ring = "white" if b.color_name != "white" else "gray"
    b.cylinder((x, 0, z), 0.30, 0.05, ring, turn=turn, rounding=0.02)
    for k in range(9):
        angle = math.radians(40 + 32 * k)
        p, q = 0.21 * math.cos(angle), 0.21 * math.sin(angle)
        spot = (x + 0.04 * n[0] - q * n[1], p, z + 0.04 * n[1] + q * n[0])
        b.ball(spot, 0.05, "black")
    b.cylinder((x + 0.03 * n[0], 0, z + 0.03 * n[1]), 0.10, 0.05, GOLD, turn=turn)
    top = 2 * tall + 0.30
    hand = wide + 0.10
    b.capsule((-0.02, -hand, top), (-0.02, hand, top), 0.10, b.shade(0.75))
    cup = b.cylinder((-0.02, hand, top - 0.10), 0.19, 0.11, b.shade(0.75), rounding=0.08)
    fork = b.capsule((-0.02, wide * 0.55, top - 0.22), (-0.02, wide * 0.55, top - 0.04), 0.07)
    b.mirror(cup, fork)
    for k in range(5):
        b.torus((-0.02 - 0.02 * k, -hand, top - 0.28 - 0.09 * k), 0.07, 0.04, "black")


def _laptop(b: Builder) -> None:
    wide, deep, lean = b.vary(0.68, 0.76), b.vary(0.46, 0.54), b.vary(12, 26)
    b.box((0, 0, 0), (deep, wide, 0.05), rounding=0.04)
    dark = (0.15, 0.15, 0.17) if b.color_name != "black" else (0.45, 0.46, 0.5)
    for row in range(4):
        for k in range(8):
            y = wide * (-0.77 + 0.22 * k)
            b.box((-deep * 0.62 + 0.15 * row, y, 0.05), (0.055, 0.062, 0.03), dark)
    b.box((deep * 0.68, 0, 0.045), (0.11, 0.20, 0.02), b.shade(0.7))
    s, c = math.sin(math.radians(lean)), math.cos(math.radians(lean))
    x, z = -deep - deep * s, deep * c + 0.03
    b.box((x, 0, z), (0.05, wide, deep), turn=(0, -lean, 0), rounding=0.04)
    screen = (x + 0.045 * c, 0, z + 0.045 * s)
    b.box(screen, (0.02, wide - 0.06, deep - 0.06), "black", turn=(0, -lean, 0))
    glow = (x + 0.055 * c, 0, z + 0.055 * s)
    b.box(glow, (0.02, wide - 0.12, deep - 0.12), (0.35, 0.65, 0.92), turn=(0, -lean, 0))
    for k, shade in enumerate(("white", "yellow", "white")):
        u = deep * (0.42 - 0.36 * k)
        place = (x + 0.07 * c - u * s, -wide * 0.2, z + 0.07 * s + u * c)
        b.box(place, (0.02, wide * (0.55 - 0.12 * k), 0.06), shade, turn=(0, -lean, 0))
    logo = "white" if b.color_name not in ("white", "gray") else "black"
    b.ellipsoid((x - 0.045 * c, 0, z - 0.045 * s), (0.03, 0.12, 0.13), logo, turn=(0, -lean, 0))


def _radio(b: Builder) -> None:
    wide, tall, deep = b.vary(0.70, 0.80), b.vary(0.40, 0.48), b.vary(0.24, 0.30)
    face = (0.94, 0.88, 0.74) if b.color_name not in ("white", "yellow") else (0.3, 0.22, 0.16)
    b.box((0, 0, 0), (deep, wide, tall), rounding=0.12)
    b.box((deep, 0, 0), (0.03, wide - 0.09, tall - 0.09), face, rounding=0.02)
    b.cylinder((deep + 0.02, -wide * 0.45, -0.02), 0.29, 0.05, "black", turn=(0, 90, 0))
    b.torus((deep + 0.05, -wide * 0.45, -0.02), 0.28, 0.05, SILVER, turn=(0, 90, 0))
    for k in range(5):
        y = -wide * 0.45 + 0.09 * (k - 2)
        b.capsule((deep + 0.07, y, -0.16), (deep + 0.07, y, 0.12), 0.025, SILVER)
    b.box((deep + 0.03, wide * 0.45, tall * 0.36), (0.03, wide * 0.36, 0.10), "black")
    b.box((deep + 0.05, wide * 0.36, tall * 0.36), (0.03, 0.03, 0.10), "red")
    for k in (-1, 1):
        spot = (deep + 0.05, wide * 0.45 + 0.16 * k, -tall * 0.36)
        b.cylinder(spot, 0.11, 0.06, "black", turn=(0, 90, 0), rounding=0.03)
    b.box((-deep, 0, -0.02), (0.03, wide * 0.6, tall * 0.55), "black", rounding=0.02)
    post = b.capsule((0, wide * 0.6, tall), (0, wide * 0.6, tall + 0.20), 0.05, SILVER)
    b.mirror(post)
    b.capsule((0, -wide * 0.6, tall + 0.20), (0, wide * 0.6, tall + 0.20), 0.065, b.shade(0.6))
    tip = (-deep * 0.7, wide * 0.9 + 0.24, tall + b.vary(0.45, 0.6))
    b.capsule((-deep * 0.7, wide * 0.8, tall - 0.04), tip, 0.04, SILVER)
    b.ball(tip, 0.06, "red")


def _television(b: Builder) -> None:
    wide, tall, deep = b.vary(0.64, 0.74), b.vary(0.48, 0.56), b.vary(0.28, 0.36)
    b.box((0, 0, 0), (deep, wide, tall), rounding=0.09)
    b.box((-deep - 0.10, 0, -0.02), (0.16, wide * 0.62, tall * 0.66), b.shade(0.6), rounding=0.10)
    b.box((deep, 0.14, 0.0), (0.04, wide - 0.24, tall - 0.09), "black", rounding=0.03)
    b.ellipsoid((deep, 0.14, 0.0), (0.11, wide - 0.30, tall - 0.14), (0.45, 0.68, 0.78))
    b.ellipsoid((deep + 0.08, 0.30, tall * 0.36), (0.03, 0.12, 0.06), "white", turn=(25, 0, 0))
    for k in range(2):
        spot = (deep + 0.03, -wide + 0.13, tall * (0.52 - 0.5 * k))
        b.cylinder(spot, 0.085, 0.06, SILVER, turn=(0, 90, 0), rounding=0.03)
    for k in range(3):
        b.box((deep + 0.01, -wide + 0.13, -tall * (0.32 + 0.16 * k)), (0.03, 0.08, 0.025), "black")
    leg = b.capsule((deep * 0.5, wide * 0.6, -tall), (deep * 0.8, wide * 0.75, -tall - 0.26), 0.06)
    heel = b.capsule(
        (-deep * 0.5, wide * 0.6, -tall), (-deep * 0.8, wide * 0.75, -tall - 0.26), 0.06
    )
    ear = b.capsule((0, 0.05, tall), (0, 0.36, tall + b.vary(0.42, 0.54)), 0.04, SILVER)
    b.mirror(leg, heel, ear)
    b.dome((0, 0, tall - 0.02), (0.14, 0.16, 0.11), "black")


def _hourglass(b: Builder) -> None:
    wide, tall, post = b.vary(0.38, 0.46), b.vary(0.40, 0.48), 0.05
    sand, glass = (0.95, 0.78, 0.42), (0.78, 0.90, 0.95)
    for sign in (1, -1):
        b.cylinder((0, 0, sign * (2 * tall + 0.06)), wide + 0.12, 0.07, rounding=0.04)
        b.torus((0, 0, sign * (2 * tall - 0.02)), wide, 0.06)
    b.cone((0, 0, -tall), wide - 0.02, 0.07, tall, glass)
    b.cone((0, 0, tall), 0.07, wide - 0.02, tall, glass)
    b.cone((0, 0, -tall * 1.55), wide, wide * 0.5, tall * 0.42, sand)
    level = b.vary(0.40, 0.55)
    b.cone((0, 0, tall * level), 0.09, 0.09 + (wide - 0.07) * level, tall * level, sand)
    b.cylinder((0, 0, 0), 0.10, 0.05, GOLD)
    for k in range(4):
        angle = math.pi * (k + 0.5) / 2
        x, y = (wide + 0.04) * math.cos(angle), (wide + 0.04) * math.sin(angle)
        b.capsule((x, y, -2 * tall), (x, y, 2 * tall), post)
        for sign in (1, 0, -1):
            b.ball((x, y, sign * tall), 0.075)


def _headphones(b: Builder) -> None:
    radius, cup, pad = b.vary(0.56, 0.64), b.vary(0.28, 0.34), b.vary(0.11, 0.15)
    cushion = (0.15, 0.15, 0.17) if b.color_name != "black" else (0.5, 0.5, 0.53)
    for x in (-0.07, 0.07):
        b.arc((x, 0, 0), radius, 0.075, 92, turn=(0, -90, 0))
    b.arc((0, 0, 0.01), radius - 0.05, 0.085, 55, cushion, turn=(0, -90, 0))
    slide = b.capsule((0, radius, 0.05), (0, radius, -0.16), 0.06, SILVER)
    shell = b.cylinder((0, radius + 0.04, -0.28), cup, pad, turn=(90, 0, 0), rounding=0.08)
    soft = b.torus((0, radius - pad, -0.28), cup - 0.09, 0.12, cushion, turn=(90, 0, 0))
    disk = b.cylinder((0, radius + pad + 0.04, -0.28), cup * 0.6, 0.04, SILVER, turn=(90, 0, 0))
    b.mirror(slide, shell, soft, disk)


def _kind(name: str, color: str, build, *more: str, patterned: bool = False) -> Kind:
    return Kind(
        name=name,
        words=(name.replace("_", " "), *more),
        category="desk",
        color=color,
        build=build,
        patterned=patterned,
    )


DESK: tuple[Kind, ...] = (
    _kind("book", "red", _book, "novel", "diary"),
    _kind("pen", "blue", _pen, "fountain pen"),
    _kind("paper_sheet", "white", _paper_sheet, "sheet of paper", "letter"),
    _kind("typewriter", "black", _typewriter),
    _kind("globe", "blue", _globe, "world globe"),
    _kind("smartphone", "black", _smartphone, "mobile phone", "phone"),
    _kind("telephone", "red", _telephone, "rotary phone"),
    _kind("laptop", "gray", _laptop, "laptop computer", "computer"),
    _kind("radio", "red", _radio, "transistor radio"),
    _kind("television", "brown", _television, "tv", "television set"),
    _kind("hourglass", "brown", _hourglass, "sand timer"),
    _kind("headphones", "black", _headphones, "headset"),
)
