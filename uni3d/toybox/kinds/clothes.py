"""Things to wear, as things of their own; they face +x."""

import math

from uni3d.toybox.kinds.kind import Kind
from uni3d.toybox.kinds.palette import GOLD, SILVER
from uni3d.toybox.shapes import Builder

__all__ = ["CLOTHES"]


def _other(b: Builder, first: str, second: str) -> str:
    """`first`, or `second` where the thing itself has the first colour."""
    return first if b.color_name != first else second


def _shoe(b: Builder) -> None:
    long, wide, tall = b.vary(0.74, 0.90), b.vary(0.27, 0.33), b.vary(0.46, 0.60)
    sole = _other(b, "white", "gray")
    toe, heel = long - wide, -long + wide
    b.cylinder((toe, 0, 0.08), wide + 0.03, 0.09, sole, rounding=0.04)
    b.cylinder((heel, 0, 0.08), wide + 0.01, 0.09, sole, rounding=0.04)
    b.box((0, 0, 0.08), (toe, wide + 0.02, 0.09), sole, rounding=0.03)
    b.ellipsoid((toe - 0.06, 0, 0.24), (wide + 0.08, wide, 0.24))
    b.ellipsoid((toe + 0.12, 0, 0.18), (wide * 0.95, wide * 0.97, 0.18), sole)
    b.box((-0.1, 0, 0.26), (toe, wide * 0.94, 0.16), rounding=0.10)
    b.cylinder((heel + 0.06, 0, tall * 0.6), wide * 0.92, tall * 0.55, rounding=0.08)
    b.capsule((heel + 0.25, 0, tall * 0.95), (toe - 0.06, 0, 0.30), wide * 0.60)
    b.torus((heel + 0.06, 0, tall * 1.12), wide * 0.78, 0.07, b.shade(0.6))
    b.cylinder((heel + 0.06, 0, tall * 1.14), wide * 0.72, 0.03, (0.16, 0.14, 0.14))
    for k in range(3):
        t = 0.30 + 0.24 * k
        x = (heel + 0.25) + t * (toe - heel - 0.31)
        z = tall * 0.95 + t * (0.30 - tall * 0.95) + wide * 0.52
        b.capsule((x, -0.16, z - 0.05), (x + 0.02, 0.16, z - 0.05), 0.05, sole)
    b.mirror(b.box((-0.12, wide * 0.96, 0.30), (0.22, 0.03, 0.055), sole, turn=(0, 25, 0)))


def _boot(b: Builder) -> None:
    long, wide, tall = b.vary(0.50, 0.62), b.vary(0.25, 0.30), b.vary(0.52, 0.66)
    dark = (0.16, 0.11, 0.09) if sum(b.main_color) > 0.6 else (0.45, 0.40, 0.36)
    b.cylinder((long, 0, 0.07), wide + 0.02, 0.07, dark, rounding=0.03)
    b.box((0.12, 0, 0.07), (long - 0.1, wide * 0.94, 0.07), dark, rounding=0.03)
    b.box((-0.12, 0, -0.03), (0.22, wide * 0.94, 0.12), dark, rounding=0.03)
    b.ellipsoid((long - 0.05, 0, 0.24), (wide + 0.08, wide, 0.26))
    b.capsule((0, 0, 0.34), (long - 0.1, 0, 0.26), wide * 0.92)
    b.cylinder((-0.06, 0, 0.2 + tall), wide * 1.04, tall + 0.08, rounding=0.08)
    b.torus((-0.06, 0, 0.26 + 2 * tall), wide * 1.0, 0.08, b.shade(0.6))
    b.cylinder((-0.06, 0, 0.29 + 2 * tall), wide * 0.95, 0.03, "black")
    b.torus((-0.06, 0, 0.40), wide * 1.02, 0.045, b.shade(0.6))
    b.cylinder((wide * 1.0 - 0.06, 0, 0.40), 0.08, 0.05, GOLD, turn=(0, 90, 0))
    b.capsule((-wide * 1.1, 0, tall * 1.4), (-wide * 1.1, 0, 0.3 + 2 * tall), 0.05, b.shade(0.6))


def _hat(b: Builder) -> None:
    brim, crown, tall = b.vary(0.82, 0.98), b.vary(0.40, 0.50), b.vary(0.26, 0.36)
    b.cylinder((0, 0, 0), brim, 0.04, rounding=0.03)
    b.torus((0, 0, 0.02), brim - 0.05, 0.06)
    b.cone((0, 0, tall), crown + 0.03, crown * 0.86, tall)
    b.dome((0, 0, 2 * tall - 0.01), (crown * 0.86, crown * 0.86, 0.16))
    band = _other(b, "red", "yellow")
    b.cone((0, 0, 0.12), crown + 0.06, crown + 0.03, 0.10, band)
    b.ball((0, crown + 0.06, 0.14), 0.09, band)
    b.ellipsoid((0.10, crown + 0.08, 0.22), (0.05, 0.05, 0.17), band, turn=(0, 35, 0))


def _shirt(b: Builder) -> None:
    wide, tall, sleeve = b.vary(0.42, 0.52), b.vary(0.54, 0.64), b.vary(0.30, 0.46)
    b.box((0, 0, 0), (0.20, wide, tall), rounding=0.14)
    b.box((0, 0, -tall + 0.10), (0.215, wide + 0.015, 0.10), b.shade(0.65), rounding=0.06)
    b.ellipsoid((0, 0, tall - 0.12), (0.22, wide + 0.04, 0.16))
    elbow = (0, wide + sleeve * 0.80, tall - 0.20 - sleeve * 0.72)
    arm = b.capsule((0, wide - 0.10, tall - 0.16), elbow, 0.18)
    cuff = b.ellipsoid(elbow, (0.20, 0.12, 0.20), b.shade(0.65), turn=(-42, 0, 0))
    b.mirror(arm, cuff)
    b.torus((0.02, 0, tall - 0.01), 0.17, 0.06, b.shade(0.65), turn=(0, 12, 0))
    b.cylinder((0.02, 0, tall + 0.01), 0.15, 0.03, "black", turn=(0, 12, 0))
    button = _other(b, "white", "black")
    b.box((0.20, 0, -0.08), (0.02, 0.05, tall - 0.12), b.shade(0.8))
    for k in range(4):
        b.ball((0.215, 0, tall * (0.55 - 0.4 * k)), 0.05, button)
    b.box((0.20, 0.24, tall * 0.35), (0.03, 0.11, 0.12), b.shade(0.8))


def _dress(b: Builder) -> None:
    tall, hem, waist = b.vary(0.48, 0.62), b.vary(0.56, 0.72), b.vary(0.20, 0.25)
    b.cone((0, 0, 0), hem, waist, tall)
    b.torus((0, 0, -tall + 0.02), hem - 0.02, 0.06, b.shade(1.45))
    b.torus((0, 0, -tall * 0.45), waist + (hem - waist) * 0.71, 0.05, b.shade(1.45))
    for k in range(8):
        angle = 2 * math.pi * k / 8
        x, y = math.cos(angle), math.sin(angle)
        top, low = (waist * x, waist * y, tall * 0.95), (hem * x, hem * y, -tall * 0.9)
        b.capsule(top, low, 0.045, b.shade(0.75))
    sash = _other(b, "white", "pink")
    b.cylinder((0, 0, tall), waist + 0.03, 0.07, sash, rounding=0.05)
    knot = b.ellipsoid((-waist - 0.04, 0.11, tall + 0.02), (0.07, 0.12, 0.09), sash)
    tail = b.capsule((-waist - 0.05, 0.03, tall), (-waist - 0.16, 0.14, tall - 0.34), 0.05, sash)
    b.ellipsoid((0, 0, tall + 0.24), (waist + 0.02, waist + 0.08, 0.30))
    strap = b.arc((0, 0.17, tall + 0.44), 0.15, 0.055, 95, turn=(90, -90, 0))
    puff = b.ball((0, waist + 0.14, tall + 0.40), 0.14)
    b.mirror(knot, tail, strap, puff)


def _jeans(b: Builder) -> None:
    leg, wide, apart = b.vary(0.80, 0.96), b.vary(0.17, 0.21), b.vary(0.20, 0.26)
    seam = (0.85, 0.60, 0.25) if b.color_name not in ("orange", "yellow") else (0.35, 0.2, 0.1)
    b.box((0, 0, 0.05), (wide + 0.03, apart + wide + 0.02, 0.22), rounding=0.14)
    b.box((0, 0, 0.26), (wide + 0.035, apart + wide + 0.03, 0.07), b.shade(0.6), rounding=0.06)
    b.box((0, 0, 0.31), (wide * 0.75, apart + wide * 0.6, 0.03), "black", rounding=0.02)
    b.box((wide + 0.04, 0, 0.26), (0.03, 0.09, 0.07), GOLD)
    foot = apart + b.vary(0.04, 0.12)
    trouser = b.capsule((0, apart, 0), (0, foot, -leg), wide)
    hem = b.cylinder((0, foot, -leg - wide * 0.6), wide * 1.06, wide * 0.5, rounding=0.03)
    cuff = b.torus((0, foot, -leg - wide * 0.85), wide * 0.95, 0.06, b.shade(1.5))
    pocket = b.box((-wide - 0.02, apart * 0.9, 0.02), (0.03, 0.12, 0.12), b.shade(0.65))
    stitch = b.box((wide + 0.02, apart * 1.2, 0.12), (0.02, 0.14, 0.025), seam, turn=(35, 0, 0))
    side = b.capsule((0, apart + wide, 0.05), (0, foot + wide, -leg), 0.025, seam)
    b.mirror(trouser, hem, cuff, pocket, stitch, side)
    b.capsule((wide + 0.02, 0, 0.18), (wide, 0, -0.12), 0.025, seam)


def _glove(b: Builder) -> None:
    palm, finger, thick = b.vary(0.34, 0.40), b.vary(0.26, 0.36), b.vary(0.15, 0.18)
    b.box((0, 0, 0), (thick, palm, 0.36), rounding=thick * 0.9)
    for k in range(4):
        y = palm * (0.74 - 0.493 * k)
        extra = (0.06, 0.16, 0.12, -0.02)[k]
        b.capsule((0, y, 0.2), (0, y * 1.18, 0.36 + finger + extra), 0.125)
    b.capsule((0.02, palm - 0.06, -0.12), (0.08, palm + 0.30, 0.20), 0.125)
    b.cone((0, 0, -0.46), 0.36, 0.27, 0.18, b.shade(0.7))
    b.torus((0, 0, -0.62), 0.34, 0.07, b.shade(1.5))
    b.cylinder((0, 0, -0.67), 0.30, 0.02, "black")
    for k in range(3):
        y = palm * (0.45 - 0.45 * k)
        b.capsule((-thick, y, 0.10), (-thick, y, -0.12), 0.035, b.shade(0.6))


def _glasses(b: Builder) -> None:
    lens, gap, arm = b.vary(0.30, 0.36), b.vary(0.10, 0.14), b.vary(0.80, 0.95)
    y = lens + gap
    ring = b.torus((0, y, 0), lens, 0.075, turn=(0, 90, 0))
    pane = b.cylinder((0, y, 0), lens, 0.025, (0.72, 0.87, 0.95), turn=(0, 90, 0))
    glint = b.capsule((0.03, y - 0.10, -0.04), (0.03, y + 0.06, 0.14), 0.035, "white")
    outer = y + lens + 0.04
    temple = b.capsule((0, outer, 0.10), (-arm, outer - 0.06, 0.12), 0.06)
    ear = b.capsule((-arm, outer - 0.06, 0.12), (-arm - 0.20, outer - 0.08, -0.16), 0.07)
    b.mirror(ring, pane, glint, temple, ear)
    b.arc((0, 0, 0.02), gap + 0.02, 0.06, 80, turn=(0, -90, 0))


def _necklace(b: Builder) -> None:
    radius, bead, tilt = b.vary(0.64, 0.72), b.vary(0.085, 0.105), math.radians(b.vary(38, 50))
    count = 22
    for k in range(count):
        angle = 2 * math.pi * (k + 0.5) / count
        x, y = radius * math.cos(angle), radius * math.sin(angle)
        size = bead * (1.15 if k % 2 else 0.9)
        point = (x * math.cos(tilt), y, -x * math.sin(tilt))
        b.ball(point, size, None if k % 2 else b.shade(1.4))
    x, z = radius * math.cos(tilt) + 0.02, -radius * math.sin(tilt)
    gem = _other(b, "red", "blue")
    b.torus((x + 0.02, 0, z - 0.26), 0.17, 0.05, GOLD, turn=(0, 90, 0))
    b.ellipsoid((x + 0.02, 0, z - 0.26), (0.11, 0.16, 0.16), gem)
    b.ball((x, 0, z - 0.06), 0.06, GOLD)


def _watch(b: Builder) -> None:
    radius, wide, face = b.vary(0.46, 0.54), b.vary(0.15, 0.19), b.vary(0.34, 0.40)
    for k in range(20):
        degrees = 18 * k
        x, z = (
            radius * math.cos(math.radians(degrees)),
            radius * math.sin(math.radians(degrees)) * 1.12,
        )
        half = (0.055, wide, radius * 0.20)
        b.box((x, 0, z), half, turn=(0, -degrees, 0), rounding=0.03)
    metal = GOLD if b.color_name not in ("yellow", "orange") else SILVER
    x = radius + 0.10
    b.cylinder((x, 0, 0), face, 0.10, metal, turn=(0, 90, 0), rounding=0.04)
    b.torus((x + 0.08, 0, 0), face - 0.05, 0.06, metal, turn=(0, 90, 0))
    b.cylinder((x + 0.09, 0, 0), face * 0.84, 0.03, "white", turn=(0, 90, 0))
    for k in range(4):
        y, z = math.cos(k * math.pi / 2), math.sin(k * math.pi / 2)
        b.ball((x + 0.11, face * 0.68 * y, face * 0.68 * z), 0.04, "black")
    front = x + 0.14
    for angle, size in ((b.vary(-2.4, -0.6), 0.42), (b.vary(0.0, 1.2), 0.66)):
        tip = (front, face * size * math.sin(angle), face * size * math.cos(angle))
        b.capsule((front, 0, 0), tip, 0.036, "black")
    b.cylinder((x, -face - 0.05, 0), 0.07, 0.06, metal, turn=(90, 0, 0))
    b.box((-radius - 0.05, 0, 0), (0.05, wide + 0.06, 0.10), metal, rounding=0.03)


def _mask(b: Builder) -> None:
    tall, wide, deep = b.vary(0.74, 0.84), b.vary(0.54, 0.62), b.vary(0.32, 0.42)
    b.dome((0, 0, 0), (tall, wide, deep), turn=(0, 90, 0))
    b.cylinder((0.03, 0, 0), wide * 0.9, 0.05, b.shade(0.65), turn=(0, 90, 0))
    dark = "black" if b.color_name != "black" else "white"
    eye = b.ellipsoid(
        (deep * 0.45, wide * 0.42, 0.16), (deep * 0.56, 0.17, 0.11), dark, turn=(20, 0, 0)
    )
    brow = b.capsule((deep * 0.93, wide * 0.18, 0.36), (deep * 0.78, wide * 0.60, 0.46), 0.05, GOLD)
    hole = b.ellipsoid((-0.02, wide * 0.42, 0.16), (0.04, 0.17, 0.11), dark, turn=(20, 0, 0))
    cheek = b.ball((deep * 0.72, wide * 0.50, -0.18), 0.13, _other(b, "pink", "red"))
    b.mirror(eye, brow, hole, cheek)
    b.capsule((deep * 0.95, 0, 0.20), (deep + 0.10, 0, -0.10), 0.075)
    b.arc((deep * 0.74, 0, -0.16), 0.25, 0.075, 62, _other(b, "red", "black"), turn=(0, 90, 0))
    b.arc((0, 0, 0.12), wide * 0.94, 0.05, 90, "black", turn=(0, 0, 180))
    for k in range(5):
        y = wide * (0.5 - 0.25 * k)
        feather = ("red", "purple", "yellow", "purple", "red")[k]
        tip = (0.04, y * 1.5, tall + 0.26 - 0.25 * abs(k - 2) ** 1.5 * 0.35)
        b.capsule((0.06, y, tall * 0.80), tip, 0.085, feather)
    b.ball((0.16, 0, tall * 0.86), 0.11, GOLD)


def _helmet(b: Builder) -> None:
    wide, tall, horn = b.vary(0.50, 0.56), b.vary(0.52, 0.62), b.vary(0.30, 0.42)
    b.dome((0, 0, 0), (wide, wide, tall))
    b.cylinder((0, 0, -0.03), wide * 0.9, 0.05, "black")
    b.torus((0, 0, 0.02), wide, 0.085, GOLD)
    for turn in (0, 90):
        b.dome((0, 0, 0), (wide + 0.05, 0.07, tall + 0.05), GOLD, turn=(0, 0, turn))
    b.box((wide + 0.02, 0, -0.16), (0.06, 0.08, 0.22), GOLD, rounding=0.04)
    bone, tips = (0.93, 0.87, 0.72), (wide + 0.33, 0.34 + horn)
    root = b.cylinder((0, wide - 0.02, 0.24), 0.15, 0.10, GOLD, turn=(90, 0, 0))
    low = b.capsule((0, wide, 0.24), (0, wide + 0.20, 0.30), 0.12, bone)
    mid = b.capsule((0, wide + 0.20, 0.30), (0, wide + 0.31, 0.26 + horn * 0.6), 0.095, bone)
    tip = b.capsule((0, wide + 0.31, 0.26 + horn * 0.6), (0, *tips), 0.065, bone)
    rivet = b.ball((wide * 0.72, wide * 0.72, 0.04), 0.06, SILVER)
    back = b.ball((-wide * 0.72, wide * 0.72, 0.04), 0.06, SILVER)
    b.mirror(root, low, mid, tip, rivet, back)


def _ring(b: Builder) -> None:
    radius, band, gem = b.vary(0.50, 0.58), b.vary(0.09, 0.12), b.vary(0.26, 0.32)
    yaw = b.vary(28, 42)
    x, y = math.sin(math.radians(yaw)), math.cos(math.radians(yaw))
    for shift in (-0.06, 0.06):
        place = (shift * y, shift * x, 0)
        b.torus(place, radius, band, turn=(0, 90, yaw))
    top = radius + band
    b.cone((0, 0, top + 0.06), 0.10, gem * 0.9, 0.14)
    stone = (0.62, 0.88, 0.98) if b.color_name != "blue" else (0.9, 0.2, 0.3)
    b.cone((0, 0, top + 0.20), gem * 0.45, gem, 0.12, stone)
    b.cone((0, 0, top + 0.40), gem, gem * 0.55, 0.08, (0.80, 0.95, 1.0))
    for k in range(4):
        angle = math.pi / 4 + k * math.pi / 2
        p, q = gem * math.cos(angle), gem * math.sin(angle)
        b.capsule((p * 0.5, q * 0.5, top), (p, q, top + 0.36), 0.05)


def _kind(name: str, color: str, build, *words: str, patterned: bool = False) -> Kind:
    return Kind(
        name=name,
        words=(name, *words),
        category="clothing",
        color=color,
        build=build,
        patterned=patterned,
    )


CLOTHES: tuple[Kind, ...] = (
    _kind("shoe", "red", _shoe, "sneaker"),
    _kind("boot", "brown", _boot, "leather boot"),
    _kind("hat", "brown", _hat, "fedora", "straw hat"),
    _kind("shirt", "blue", _shirt, "t shirt", "jacket", patterned=True),
    _kind("dress", "pink", _dress, "gown", patterned=True),
    _kind("necklace", "blue", _necklace, "pendant"),
    _kind("glasses", "black", _glasses, "spectacles"),
    _kind("watch", "brown", _watch, "wristwatch"),
    _kind("mask", "white", _mask, "carnival mask"),
    _kind("jeans", "blue", _jeans, "pants", "trousers"),
    _kind("glove", "red", _glove, "mitten"),
    _kind("helmet", "gray", _helmet, "viking helmet"),
    _kind("ring", "yellow", _ring, "diamond ring"),
)
