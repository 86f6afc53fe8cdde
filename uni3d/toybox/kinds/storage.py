"""Things that hold other things, and large things of a room and a yard."""

import math

from uni3d.toybox.kinds.kind import Kind
from uni3d.toybox.kinds.palette import GOLD, SILVER
from uni3d.toybox.shapes import Builder

__all__ = ["STORAGE"]

_DARK = (0.15, 0.12, 0.10)


def _basket(b: Builder) -> None:
    low, high, tall = b.vary(0.42, 0.48), b.vary(0.58, 0.66), b.vary(0.30, 0.38)
    handle = b.vary(0.56, 0.66)
    b.cone((0, 0, tall), low, high, tall, b.shade(0.55))
    rows = 6
    for k in range(rows):
        t = (k + 0.5) / rows
        radius = low + (high - low) * t
        b.torus((0, 0, 2 * tall * t), radius, tall / rows * 1.05, None if k % 2 else b.shade(1.25))
    for k in range(12):
        angle = 2 * math.pi * k / 12
        x, y = math.cos(angle), math.sin(angle)
        bottom, top = (low + 0.04) * 1.02, (high + 0.04) * 1.02
        b.capsule((bottom * x, bottom * y, 0.04), (top * x, top * y, 2 * tall), 0.045, b.shade(0.7))
    b.torus((0, 0, 2 * tall), high, 0.085)
    b.cylinder((0, 0, 2 * tall - 0.02), high - 0.05, 0.02, _DARK)
    b.arc((0, 0, 2 * tall), high * 0.98, 0.075, 90, turn=(0, -90, 0))
    b.cylinder((0, 0, 2 * tall + high * 0.98), 0.09, 0.16, b.shade(0.6), turn=(90, 0, 0))
    b.ellipsoid((0, handle * 0.2, 2 * tall + 0.0), (0.40, 0.36, 0.16), (0.93, 0.88, 0.80))


def _chest(b: Builder) -> None:
    wide, deep, tall = b.vary(0.66, 0.76), b.vary(0.40, 0.46), b.vary(0.24, 0.30)
    iron = GOLD if b.color_name not in ("yellow", "orange") else (0.25, 0.25, 0.28)
    b.box((0, 0, 0), (deep, wide, tall), rounding=0.03)
    b.cylinder((0, 0, tall), deep, wide, b.shade(0.8), turn=(90, 0, 0), rounding=0.03)
    b.box((0, 0, tall - 0.01), (deep + 0.03, wide + 0.03, 0.055), iron, rounding=0.02)
    b.box((0, 0, -tall + 0.04), (deep + 0.03, wide + 0.03, 0.055), iron, rounding=0.02)
    for y in (-0.84, -0.36, 0.36, 0.84):
        b.cylinder((0, y * wide, tall), deep + 0.03, 0.065, iron, turn=(90, 0, 0), rounding=0.02)
        b.box((0, y * wide, 0), (deep + 0.025, 0.06, tall), iron)
    b.box((deep + 0.05, 0, tall - 0.04), (0.06, 0.13, 0.16), iron, rounding=0.03)
    b.ball((deep + 0.10, 0, tall - 0.01), 0.055, "black")
    b.box((deep + 0.10, 0, tall - 0.10), (0.03, 0.025, 0.06), "black")
    b.mirror(b.torus((0, wide + 0.06, 0.02), 0.14, 0.045, SILVER, turn=(70, 0, 0)))


def _suitcase(b: Builder) -> None:
    wide, tall, thick = b.vary(0.66, 0.76), b.vary(0.48, 0.56), b.vary(0.20, 0.26)
    trim = (0.93, 0.80, 0.52) if b.color_name not in ("yellow", "white") else (0.4, 0.22, 0.1)
    b.box((0, 0, 0), (thick, wide, tall), rounding=0.10)
    b.box((0, 0, 0), (0.035, wide + 0.015, tall + 0.015), b.shade(0.5), rounding=0.03)
    for sign in (1, -1):
        b.box((0, sign * wide * 0.55, 0), (thick + 0.02, 0.085, tall + 0.02), trim, rounding=0.02)
        for x in (thick + 0.02, -thick - 0.02):
            b.box((x, sign * wide * 0.55, tall * 0.45), (0.03, 0.12, 0.07), GOLD, rounding=0.02)
        for z in (tall, -tall):
            spot = (0, sign * (wide - 0.09), z * 0.86)
            b.box(spot, (thick + 0.015, 0.11, 0.09), trim, rounding=0.06)
    post = b.capsule((0, 0.20, tall - 0.04), (0, 0.17, tall + 0.16), 0.06, trim)
    b.mirror(post)
    b.capsule((0, -0.17, tall + 0.17), (0, 0.17, tall + 0.17), 0.075, b.shade(0.5))
    stickers = ("red", "blue", "green") if b.color_name != "red" else ("white", "blue", "green")
    b.cylinder((thick + 0.01, 0.10, 0.10), 0.16, 0.02, stickers[0], turn=(0, 90, 0))
    b.box((thick + 0.01, -0.12, -0.22), (0.02, 0.16, 0.10), stickers[1], turn=(15, 0, 0))
    b.box((-thick - 0.01, 0.06, 0.12), (0.02, 0.18, 0.12), stickers[2], turn=(-12, 0, 0))
    b.mirror(b.ball((thick * 0.6, wide * 0.8, -tall - 0.02), 0.075, "black"))
    b.mirror(b.ball((-thick * 0.6, wide * 0.8, -tall - 0.02), 0.075, "black"))


def _box(b: Builder) -> None:
    wide, deep, tall = b.vary(0.48, 0.58), b.vary(0.44, 0.54), b.vary(0.36, 0.46)
    fold = b.vary(28, 48)
    tape = (0.90, 0.80, 0.58) if b.color_name not in ("yellow", "white") else (0.5, 0.32, 0.16)
    wall = 0.04
    b.box((0, 0, -tall * 0.35), (deep - 0.02, wide - 0.02, tall * 0.65), b.shade(0.4))
    side = b.box((0, wide, 0), (deep + wall, wall, tall))
    b.mirror(side)
    for sign in (1, -1):
        b.box((sign * deep, 0, 0), (wall, wide + wall, tall), b.shade(0.92))
        b.box((sign * (deep + wall), 0, 0), (0.015, 0.10, tall), tape)
    flap = 0.24
    s, c = math.sin(math.radians(fold)), math.cos(math.radians(fold))
    lid = b.box(
        (0, wide + flap * c, tall + flap * s),
        (deep + wall, flap, wall),
        b.shade(1.25),
        turn=(fold, 0, 0),
    )
    b.mirror(lid)
    for sign in (1, -1):
        place = (sign * (deep + flap * c), 0, tall + flap * s)
        b.box(place, (flap, wide, wall), b.shade(1.15), turn=(0, -sign * fold, 0))
    b.box((deep + wall, wide * 0.55, -tall * 0.5), (0.02, 0.12, 0.10), "white")
    mark = b.capsule((deep * 0.3, wide + wall, -0.10), (deep * 0.3, wide + wall, 0.16), 0.035, tape)
    b.mirror(mark)
    head = b.cone((deep * 0.3, wide + wall, 0.20), 0.10, 0.01, 0.06, tape)
    b.mirror(head)


def _barrel(b: Builder) -> None:
    end, belly, tall = b.vary(0.42, 0.48), b.vary(0.54, 0.62), b.vary(0.36, 0.44)
    hoop = (0.32, 0.33, 0.36) if b.color_name not in ("black", "gray") else GOLD
    middle = (end + belly) / 2 + 0.03
    for sign in (1, -1):
        low, high = (belly, middle) if sign > 0 else (middle, belly)
        b.cone((0, 0, sign * tall * 0.5), low, high, tall * 0.5)
        low, high = (middle, end) if sign > 0 else (end, middle)
        b.cone((0, 0, sign * tall * 1.5), low, high, tall * 0.5)
        b.torus((0, 0, sign * (2 * tall - 0.07)), end + 0.02, 0.05, hoop)
        b.torus((0, 0, sign * tall * 0.8), middle + 0.02, 0.05, hoop)
        b.cylinder((0, 0, sign * (2 * tall - 0.01)), end - 0.07, 0.02, b.shade(0.7))
        b.torus((0, 0, sign * 2 * tall), end - 0.04, 0.05)
    for k in range(14):
        angle = 2 * math.pi * k / 14
        x, y = math.cos(angle), math.sin(angle)
        for sign in (1, -1):
            mid = ((middle - 0.005) * x, (middle - 0.005) * y, sign * tall)
            b.capsule((belly * x, belly * y, 0), mid, 0.022, b.shade(0.6))
            b.capsule(mid, (end * x, end * y, sign * 2 * tall), 0.022, b.shade(0.6))
    b.cylinder((belly, 0, -0.02), 0.09, 0.07, GOLD, turn=(0, 90, 0))


def _cabinet(b: Builder) -> None:
    wide, deep, tall = b.vary(0.50, 0.60), b.vary(0.24, 0.30), b.vary(0.80, 0.92)
    knob = GOLD if b.color_name not in ("yellow", "orange") else "black"
    b.box((-deep + 0.05, 0, 0), (0.05, wide, tall), b.shade(0.8))
    b.mirror(b.box((0, wide, 0), (deep, 0.06, tall)))
    b.box((0.02, 0, tall), (deep + 0.05, wide + 0.10, 0.07), b.shade(1.15), rounding=0.03)
    b.box((0, 0, -tall * 0.55), (deep - 0.04, wide, tall * 0.45))
    b.box((0.02, 0, -tall * 0.08), (deep + 0.02, wide + 0.03, 0.05), b.shade(1.15))
    b.box((0, 0, -tall), (deep + 0.03, wide + 0.08, 0.07), b.shade(0.6), rounding=0.03)
    door = b.box((deep - 0.02, wide * 0.5, -tall * 0.55), (0.04, wide * 0.45, tall * 0.38))
    panel = b.box(
        (deep + 0.01, wide * 0.5, -tall * 0.55), (0.03, wide * 0.30, tall * 0.27), b.shade(0.65)
    )
    pull = b.ball((deep + 0.07, 0.09, -tall * 0.50), 0.065, knob)
    b.mirror(door, panel, pull)
    b.box((0, 0, tall * 0.46), (deep - 0.02, wide, 0.045))
    b.box((-deep + 0.10, 0, tall * 0.46), (0.03, wide, tall * 0.5), b.shade(0.45))
    colors = ("red", "blue", "yellow", "green", "purple", "orange", "white", "pink")
    for row in range(2):
        y, k = -wide + 0.12, row * 3
        while y < wide - 0.22:
            half, high = b.vary(0.045, 0.065), b.vary(0.13, 0.17)
            z = -tall * 0.08 + 0.05 + high if row == 0 else tall * 0.46 + 0.045 + high
            y += half
            b.box((0.02, y, z), (deep * 0.72, half, high), colors[k % 8], rounding=0.015)
            y, k = y + half + 0.012, k + 1


def _toilet(b: Builder) -> None:
    wide, long, tank = b.vary(0.36, 0.42), b.vary(0.38, 0.46), b.vary(0.30, 0.38)
    b.cone((0.02, 0, 0.16), wide * 0.72, wide * 0.62, 0.18)
    b.box((-0.20, 0, 0.18), (0.30, wide * 0.55, 0.19), rounding=0.08)
    b.dome((0.10, 0, 0.58), (long, wide, 0.36), turn=(180, 0, 0))
    b.ellipsoid((0.10, 0, 0.58), (long + 0.04, wide + 0.03, 0.065), b.shade(0.85))
    b.ellipsoid((0.13, 0, 0.62), (long * 0.72, wide * 0.68, 0.05), (0.35, 0.62, 0.85))
    b.box((-0.40, 0, 0.62), (0.12, wide * 0.7, 0.16), rounding=0.06)
    b.box((-0.48, 0, 0.74 + tank), (0.16, wide + 0.10, tank), rounding=0.06)
    b.box((-0.48, 0, 0.76 + 2 * tank), (0.19, wide + 0.14, 0.06), b.shade(0.85), rounding=0.04)
    lid = b.vary(8, 16)
    b.ellipsoid((-0.24, 0, 0.62 + long), (0.06, wide, long), turn=(0, -lid, 0))
    b.ellipsoid(
        (-0.20, 0, 0.62 + long), (0.04, wide * 0.8, long * 0.8), b.shade(0.85), turn=(0, -lid, 0)
    )
    b.capsule(
        (-0.30, wide + 0.0, 0.62 + 2 * tank), (-0.26, wide - 0.18, 0.60 + 2 * tank), 0.045, SILVER
    )
    b.cylinder((-0.48, 0, 0.84 + 2 * tank), 0.09, 0.03, SILVER)
    b.box((0.0, 0, 0.02), (0.34, wide * 0.76, 0.04), rounding=0.03)


def _rocking_horse(b: Builder) -> None:
    sway, trunk, neck = b.vary(1.05, 1.25), b.vary(0.21, 0.25), b.vary(0.36, 0.44)
    wood = (0.62, 0.36, 0.16) if b.color_name != "brown" else (0.85, 0.20, 0.15)
    mane = (0.96, 0.88, 0.60) if b.color_name not in ("white", "yellow") else (0.3, 0.18, 0.1)
    rocker = b.arc((0, 0.27, sway - 0.70), sway, 0.07, 48, wood, turn=(90, 90, 0))
    b.mirror(rocker)
    for x in (0.40, -0.40):
        b.capsule((x, -0.27, -0.62), (x, 0.27, -0.62), 0.06, wood)
        leg = b.capsule((x * 0.85, 0.12, 0.10), (x * 1.15, 0.26, -0.58), 0.095)
        hoof = b.ball((x * 1.15, 0.26, -0.56), 0.11, mane)
        b.mirror(leg, hoof)
    b.capsule((-0.34, 0, 0.14), (0.34, 0, 0.16), trunk)
    head = (0.56, 0, 0.20 + neck + 0.14)
    b.capsule((0.36, 0, 0.20), head, 0.155)
    b.capsule(head, (0.82, 0, 0.14 + neck), 0.125)
    b.ball((0.84, 0, 0.13 + neck), 0.13, b.shade(1.3))
    ear = b.cone((0.50, 0.09, neck + 0.52), 0.07, 0.01, 0.10)
    eye = b.ball((0.66, 0.125, 0.34 + neck), 0.05, "black")
    grip = b.capsule((0.58, 0, 0.24 + neck), (0.58, 0.32, 0.24 + neck), 0.05, wood)
    b.mirror(ear, eye, grip)
    for k in range(5):
        t = k / 4
        b.ball((0.24 + 0.22 * t, 0, 0.34 + (neck + 0.14) * t), 0.105, mane)
    b.capsule((-0.52, 0, 0.24), (-0.72, 0, 0.02), 0.09, mane)
    b.capsule((-0.72, 0, 0.02), (-0.76, 0, -0.22), 0.075, mane)
    saddle = "red" if b.color_name != "red" and wood[0] < 0.8 else "blue"
    b.ellipsoid((-0.02, 0, 0.26), (0.23, trunk + 0.05, 0.16), saddle)
    b.ellipsoid((-0.20, 0, 0.38), (0.07, trunk * 0.8, 0.13), saddle)


def _wheel(b: Builder) -> None:
    radius, tire, yaw = b.vary(0.66, 0.76), b.vary(0.085, 0.11), b.vary(24, 38)
    spokes = 8
    x, y = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
    iron = (0.22, 0.22, 0.24) if b.color_name not in ("black", "gray") else GOLD
    for out in (-0.07, 0.07):
        b.torus((out * x, out * y, 0), radius, tire, turn=(0, 90, yaw))
    b.torus((0, 0, 0), radius + tire, 0.06, iron, turn=(0, 90, yaw))
    for k in range(spokes):
        angle = 2 * math.pi * k / spokes
        side, up = radius * math.cos(angle), radius * math.sin(angle)
        b.capsule((0, 0, 0), (-side * y, side * x, up), 0.075, b.shade(0.8))
    b.cylinder((0, 0, 0), 0.20, 0.20, turn=(0, 90, yaw), rounding=0.05)
    b.cylinder((0, 0, 0), 0.12, 0.27, iron, turn=(0, 90, yaw), rounding=0.04)


def _kind(name: str, color: str, build, *more: str, patterned: bool = False) -> Kind:
    return Kind(
        name=name,
        words=(name.replace("_", " "), *more),
        category="storage",
        color=color,
        build=build,
        patterned=patterned,
    )


STORAGE: tuple[Kind, ...] = (
    _kind("basket", "brown", _basket, "wicker basket"),
    _kind("chest", "brown", _chest, "treasure chest"),
    _kind("toilet", "white", _toilet),
    _kind("wheel", "brown", _wheel, "wagon wheel"),
    _kind("suitcase", "brown", _suitcase, "briefcase"),
    _kind("box", "brown", _box, "cardboard box", "crate"),
    _kind("rocking_horse", "white", _rocking_horse),
    _kind("barrel", "brown", _barrel, "keg"),
    _kind("cabinet", "brown", _cabinet, "bookshelf", "cupboard"),
)
