"""Things about the house."""

import math

from uni3d.toybox.kinds.kind import Kind
from uni3d.toybox.shapes import Builder

__all__ = ["HOUSEHOLD"]


def _mug(b: Builder) -> None:
    radius, height, handle = b.vary(0.40, 0.48), b.vary(0.44, 0.56), b.vary(0.24, 0.30)
    b.cylinder((0, 0, height), radius, height, rounding=0.06)
    b.torus((0, 0, 2 * height), radius - 0.06, 0.06)
    b.cylinder((0, 0, 2 * height + 0.01), radius - 0.09, 0.03, (0.26, 0.13, 0.06))
    b.arc((0, radius - 0.02, height), handle, 0.085, 105, turn=(90, 0, 90))


def _teapot(b: Builder) -> None:
    wide, tall, spout = b.vary(0.50, 0.58), b.vary(0.40, 0.46), b.vary(0.20, 0.32)
    b.ellipsoid((0, 0, tall), (wide, wide, tall))
    b.cylinder((0, 0, 0.04), wide * 0.62, 0.06, rounding=0.03)
    b.torus((0, 0, 2 * tall - 0.06), wide * 0.52, 0.05, b.shade(0.65))
    b.dome((0, 0, 2 * tall - 0.06), (wide * 0.50, wide * 0.50, 0.15))
    b.ball((0, 0, 2 * tall + 0.16), 0.10, b.shade(0.65))
    b.arc((0, wide * 0.92, tall + 0.04), 0.27, 0.075, 112, turn=(90, 0, 90))
    low, bend = (0, -wide * 0.75, tall * 0.75), (0, -wide - 0.24, tall * 1.05)
    tip = (0, -wide - 0.38, tall * 1.3 + spout)
    b.capsule(low, bend, 0.16)
    b.capsule(bend, tip, 0.115)
    b.ball(tip, 0.135, b.shade(0.65))


def _vase(b: Builder) -> None:
    belly, tall, neck = b.vary(0.36, 0.46), b.vary(0.40, 0.50), b.vary(0.15, 0.20)
    b.cylinder((0, 0, 0.05), belly * 0.62, 0.06, rounding=0.03)
    b.ellipsoid((0, 0, tall + 0.04), (belly, belly, tall))
    top = 2 * tall + 0.16
    b.cone((0, 0, top - 0.10), neck, neck + 0.09, 0.18)
    b.torus((0, 0, top + 0.07), neck + 0.08, 0.05)
    b.cylinder((0, 0, top + 0.08), neck + 0.05, 0.02, "black")
    for k, petals in enumerate(("pink", "yellow", "orange")):
        angle = 2 * math.pi * k / 3 + b.vary(-0.3, 0.3)
        x, y = math.cos(angle), math.sin(angle)
        z = top + 0.38 + 0.10 * (k % 2)
        b.capsule((0, 0, top), (0.22 * x, 0.22 * y, z), 0.035, "green")
        b.ball((0.24 * x, 0.24 * y, z), 0.155, petals)
        b.ball((0.32 * x, 0.32 * y, z + 0.08), 0.085, "white")


def _bottle(b: Builder) -> None:
    radius, body, neck = b.vary(0.27, 0.33), b.vary(0.42, 0.54), b.vary(0.20, 0.28)
    b.cylinder((0, 0, body), radius, body, rounding=0.06)
    b.ellipsoid((0, 0, 2 * body - 0.04), (radius, radius, 0.24))
    z = 2 * body + 0.14 + neck
    b.cylinder((0, 0, z), 0.11, neck + 0.06)
    cap = "red" if b.color_name != "red" else "yellow"
    b.torus((0, 0, z + neck - 0.06), 0.11, 0.04)
    b.cylinder((0, 0, z + neck + 0.10), 0.135, 0.10, cap, rounding=0.04)
    label = (0.97, 0.93, 0.80) if b.color_name != "white" else (0.80, 0.70, 0.45)
    b.cylinder((0, 0, body * 0.95), radius + 0.015, body * 0.34, label)
    b.cylinder((0, 0, body * 0.95), radius + 0.03, body * 0.09, cap)


def _umbrella(b: Builder) -> None:
    wide, height, shaft = b.vary(0.74, 0.86), b.vary(0.40, 0.52), b.vary(0.78, 0.92)
    wood = (0.36, 0.20, 0.09) if b.color_name != "brown" else (0.15, 0.15, 0.16)
    b.dome((0, 0, 0), (wide, wide, height))
    for k in range(4):
        b.dome((0, 0, 0), (wide + 0.02, 0.04, height + 0.025), b.shade(0.55), turn=(0, 0, 45 * k))
    for k in range(8):
        angle = math.pi * (k + 0.5) / 4
        edge = (wide * 0.80 * math.cos(angle), wide * 0.80 * math.sin(angle), 0.0)
        b.ellipsoid(edge, (0.16, wide * 0.30, 0.09), turn=(0, 0, math.degrees(angle)))
    b.cylinder((0, 0, -0.01), wide * 0.88, 0.03, b.shade(0.55))
    b.cone((0, 0, height + 0.08), 0.07, 0.03, 0.12, wood)
    b.cylinder((0, 0, -shaft / 2), 0.05, shaft / 2, (0.72, 0.73, 0.76))
    b.arc((0, 0.18, -shaft), 0.18, 0.07, 90, wood, turn=(0, 90, 0))


def _guitar(b: Builder) -> None:
    low, high, neck = b.vary(0.44, 0.52), b.vary(0.32, 0.38), b.vary(0.46, 0.58)
    deep = b.vary(0.14, 0.18)
    dark = (0.24, 0.13, 0.07) if b.color_name != "brown" else (0.12, 0.08, 0.06)
    b.cylinder((0, 0, 0), low, deep, turn=(0, 90, 0), rounding=0.06)
    b.cylinder((0, 0, low * 0.62 + high * 0.62), high, deep, turn=(0, 90, 0), rounding=0.06)
    b.cylinder((0, 0, 0.02), low + 0.015, 0.05, dark, turn=(0, 90, 0))
    top = low * 0.62 + high * 1.6
    b.cylinder((0, 0, low * 0.62 + high * 0.62), high + 0.015, 0.05, dark, turn=(0, 90, 0))
    b.cylinder((deep, 0, low * 0.45), 0.16, 0.02, "black", turn=(0, 90, 0))
    b.torus((deep, 0, low * 0.45), 0.17, 0.035, (0.98, 0.88, 0.60), turn=(0, 90, 0))
    b.box((deep + 0.02, 0, -low * 0.45), (0.04, 0.22, 0.06), dark)
    b.box((deep * 0.7, 0, top + neck * 0.6), (0.06, 0.085, neck * 1.15), dark)
    b.box((deep + 0.03, 0, low * 0.6), (0.025, 0.055, low * 1.05), (0.93, 0.90, 0.80))
    head = top + neck * 1.75 + 0.14
    b.box((deep * 0.6, 0, head), (0.07, 0.15, 0.20), turn=(0, -8, 0), rounding=0.04)
    for dz in (-0.10, 0.08):
        b.mirror(b.ball((deep * 0.6, 0.19, head + dz), 0.065, "white"))


def _crown(b: Builder) -> None:
    radius, band, point = b.vary(0.56, 0.66), b.vary(0.20, 0.26), b.vary(0.22, 0.32)
    flare = radius + 0.07
    b.cone((0, 0, band), radius, flare, band)
    b.cylinder((0, 0, 2 * band), flare - 0.09, 0.02, b.shade(0.45))
    b.torus((0, 0, 0.05), radius, 0.07)
    b.torus((0, 0, 2 * band), flare - 0.06, 0.06)
    gems = [g for g in ("red", "blue", "green") if g != b.color_name]
    for k in range(6):
        angle = 2 * math.pi * k / 6
        x, y = math.cos(angle), math.sin(angle)
        r = flare - 0.08
        z = 2 * band + point
        b.cone((r * x, r * y, z), 0.24, 0.04, point, turn=(0, 8, math.degrees(angle)))
        b.ball(
            ((r + 0.05) * x, (r + 0.05) * y, z + point + 0.04),
            0.085,
            "red" if "red" in gems else "blue",
        )
        side = radius + 0.04
        b.ball((side * x, side * y, band), 0.11, gems[k % len(gems)])


def _clock(b: Builder) -> None:
    radius, deep, bell = b.vary(0.50, 0.56), b.vary(0.20, 0.27), b.vary(0.20, 0.25)
    b.cylinder((0, 0, 0), radius, deep, turn=(0, 90, 0), rounding=0.08)
    b.torus((deep - 0.03, 0, 0), radius - 0.07, 0.07, turn=(0, 90, 0))
    face = "white" if b.color_name != "white" else (0.72, 0.86, 0.96)
    b.cylinder((deep, 0, 0), radius * 0.74, 0.03, face, turn=(0, 90, 0))
    for k in range(4):
        y, z = math.cos(k * math.pi / 2), math.sin(k * math.pi / 2)
        b.ball((deep + 0.02, radius * 0.60 * y, radius * 0.60 * z), 0.05, "black")
    front = deep + 0.05
    hour, minute = b.vary(-2.4, -0.6), b.vary(0.0, 1.2)
    for angle, size in ((hour, 0.46), (minute, 0.60)):
        r = radius * size
        b.capsule((front, 0, 0), (front, r * math.sin(angle), r * math.cos(angle)), 0.042, "black")
    b.ball((front, 0, 0), 0.07, "red")
    metal = (0.93, 0.74, 0.22) if b.color_name not in ("yellow", "orange") else (0.70, 0.72, 0.76)
    y, z = radius * 0.66, radius * 0.80
    cup = b.dome((0, y, z), (bell, bell, bell * 0.9), metal, turn=(-38, 0, 0))
    leg = b.capsule((0, radius * 0.5, -radius * 0.7), (0, radius * 0.74, -radius * 1.15), 0.08)
    b.mirror(cup, leg)
    b.arc((0, 0, radius + 0.03), 0.17, 0.045, 90, metal, turn=(0, -90, 0))


def _kind(name: str, words: tuple[str, ...], color: str, build, patterned: bool = False) -> Kind:
    return Kind(
        name=name, words=words, category="household", color=color, build=build, patterned=patterned
    )


HOUSEHOLD: tuple[Kind, ...] = (
    _kind("mug", ("mug", "coffee mug", "cup"), "red", _mug, True),
    _kind("teapot", ("teapot", "kettle"), "orange", _teapot, True),
    _kind("vase", ("vase", "flower vase"), "blue", _vase, True),
    _kind("bottle", ("bottle", "wine bottle"), "green", _bottle),
    _kind("umbrella", ("umbrella", "parasol"), "purple", _umbrella, True),
    _kind("guitar", ("guitar", "acoustic guitar"), "brown", _guitar),
    _kind("crown", ("crown", "royal crown"), "yellow", _crown),
    _kind("clock", ("clock", "alarm clock"), "green", _clock),
)
