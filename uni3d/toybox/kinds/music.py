"""Instruments and players of music; they face +x."""

import math

from uni3d.toybox.kinds.kind import Kind
from uni3d.toybox.kinds.palette import GOLD, SILVER
from uni3d.toybox.shapes import Builder

__all__ = ["MUSIC"]

_IVORY = (0.96, 0.94, 0.88)


def _piano(b: Builder) -> None:
    wide, tail, lift = b.vary(0.62, 0.70), b.vary(0.42, 0.54), b.vary(28, 40)
    black = (0.08, 0.08, 0.09) if b.color_name != "black" else (0.22, 0.22, 0.24)
    b.box((0.10, 0, 0), (0.36, wide, 0.14), rounding=0.03)
    b.cylinder((-tail, wide - 0.42, 0), 0.42, 0.14, rounding=0.03)
    b.box((-tail / 2, wide - 0.42, 0), (tail / 2 + 0.1, 0.42, 0.14), rounding=0.03)
    b.cylinder((-0.22, -wide + 0.30, 0), 0.30, 0.14, rounding=0.03)
    b.box((-0.02, 0, 0.13), (0.22, wide - 0.08, 0.03), GOLD)
    b.cylinder((-tail, wide - 0.42, 0.13), 0.34, 0.03, GOLD)
    b.box((0.55, 0, -0.06), (0.20, wide, 0.07), rounding=0.03)
    b.box((0.58, 0, 0.03), (0.16, wide - 0.10, 0.035), _IVORY)
    for k in range(7):
        y = (wide - 0.18) * (k - 3) / 3
        b.box((0.52, y, 0.06), (0.10, 0.045, 0.035), black)
    b.mirror(b.box((0.55, wide - 0.05, 0.02), (0.20, 0.055, 0.10), rounding=0.03))
    b.box((0.30, 0, 0.28), (0.03, wide * 0.55, 0.15), turn=(0, -18, 0))
    b.box((0.325, 0, 0.29), (0.02, wide * 0.36, 0.12), "white", turn=(0, -18, 0))
    s, c = math.sin(math.radians(lift)), math.cos(math.radians(lift))
    for x, half, deep in ((-0.02, 0.24, wide), (-tail * 0.8, tail * 0.55, wide * 0.66)):
        place = (x, wide - deep * c, 0.16 + deep * s)
        b.box(place, (half, deep, 0.035), b.shade(0.85), turn=(-lift, 0, 0))
    b.capsule((0.1, -wide * 0.6, 0.14), (0.1, -wide * 0.5, 0.2 + 1.5 * wide * s), 0.035, GOLD)
    for x, y in ((0.40, wide - 0.12), (0.40, -wide + 0.12), (-tail - 0.05, wide - 0.42)):
        b.cone((x, y, -0.42), 0.06, 0.10, 0.32)
        b.ball((x, y, -0.76), 0.075, GOLD)
    b.mirror(b.capsule((0.30, 0.07, -0.12), (0.30, 0.07, -0.70), 0.035, GOLD))


def _violin(b: Builder) -> None:
    low, high, neck = b.vary(0.36, 0.41), b.vary(0.28, 0.32), b.vary(0.36, 0.44)
    deep = b.vary(0.11, 0.14)
    dark = (0.14, 0.09, 0.06)
    rim = b.shade(0.6)
    top = low * 0.9 + high * 0.75
    turn = (0, 90, 0)
    for z, radius in ((0, low), (top, high)):
        b.cylinder((0, 0, z), radius, deep, turn=turn, rounding=0.06)
        b.cylinder((0, 0, z), radius + 0.02, 0.04, rim, turn=turn)
    b.box((0, 0, top * 0.5), (deep, high * 0.72, top * 0.4), rounding=0.05)
    for z in (top * 0.72, top * 0.28):
        b.mirror(b.ball((0, high * 0.82, z), 0.075, rim))
    front = deep + 0.01
    b.mirror(b.capsule((front, 0.14, top * 0.28), (front, 0.17, top * 0.62), 0.035, dark))
    b.box((front + 0.05, 0, top * 0.36), (0.04, 0.12, 0.05), _IVORY, rounding=0.02)
    b.box((front + 0.02, 0, -low * 0.5), (0.04, 0.075, low * 0.38), dark, rounding=0.03)
    b.ellipsoid((front, 0.16, -low * 0.72), (0.07, 0.13, 0.08), dark)
    end = top + high + 2 * neck
    b.box((front + 0.02, 0, (top * 0.55 + end) / 2), (0.045, 0.065, (end - top * 0.55) / 2), dark)
    b.box((deep * 0.4, 0, top + high + neck), (0.07, 0.06, neck), rim, rounding=0.03)
    b.cylinder((deep * 0.3, 0, end + 0.08), 0.12, 0.085, rim, turn=(90, 0, 0), rounding=0.03)
    b.mirror(b.ball((deep * 0.3, 0.10, end + 0.08), 0.06))
    for z in (end - 0.04, end - 0.18):
        b.mirror(b.capsule((deep * 0.3, 0.05, z), (deep * 0.3, 0.20, z), 0.04, dark))
    for y in (-0.03, 0.03):
        b.capsule((front + 0.09, y, -low * 0.3), (front + 0.06, y, end - 0.1), 0.02, "white")
    tip, frog = (front + 0.16, -0.60, end - 0.35), (front + 0.16, -0.30, -low - 0.12)
    b.capsule(frog, tip, 0.042, (0.40, 0.20, 0.08) if b.color_name != "brown" else dark)
    b.capsule((frog[0], frog[1] + 0.09, frog[2]), (tip[0], tip[1] + 0.06, tip[2]), 0.028, "white")
    b.box((frog[0], frog[1] + 0.05, frog[2] + 0.03), (0.05, 0.08, 0.06), dark)


def _drum(b: Builder) -> None:
    wide, tall, cords = b.vary(0.58, 0.68), b.vary(0.34, 0.46), 8
    rim = GOLD if b.color_name not in ("yellow", "orange") else "blue"
    skin = (0.95, 0.92, 0.84) if b.color_name != "white" else (0.85, 0.70, 0.48)
    b.cylinder((0, 0, 0), wide, tall, rounding=0.02)
    for sign in (1, -1):
        b.cylinder((0, 0, sign * tall), wide + 0.04, 0.085, rim, rounding=0.04)
        b.cylinder((0, 0, sign * (tall + 0.08)), wide - 0.03, 0.03, skin, rounding=0.02)
    for k in range(cords):
        angle = 2 * math.pi * k / cords
        for step in (0.5, -0.5):
            e = angle + 2 * math.pi * step / cords
            r = wide + 0.015
            low = (r * math.cos(angle), r * math.sin(angle), -tall + 0.06)
            high = (r * math.cos(e), r * math.sin(e), tall - 0.06)
            b.capsule(low, high, 0.035, "white" if b.color_name != "white" else "black")
        b.ball(
            (wide * 1.03 * math.cos(angle), wide * 1.03 * math.sin(angle), -tall + 0.08), 0.065, rim
        )
    wood = (0.72, 0.48, 0.24)
    z = tall + 0.16
    for sign, yaw in ((1, b.vary(20, 40)), (-1, b.vary(20, 40))):
        s, c = math.sin(math.radians(yaw)) * sign, math.cos(math.radians(yaw))
        tip = (-0.42 * c, 0.10 * sign + 0.42 * s, z + 0.02)
        b.capsule(tip, (0.62 * c, -0.62 * s, z + 0.18 + 0.08 * sign), 0.05, wood)
        b.ball(tip, 0.10, wood)


def _trumpet(b: Builder) -> None:
    long, bell, drop = b.vary(0.78, 0.90), b.vary(0.32, 0.38), b.vary(0.34, 0.42)
    b.capsule((-long, 0, 0), (long * 0.6, 0, 0), 0.06)
    for k, (low, high) in enumerate(((0.065, 0.10), (0.10, 0.19), (0.19, bell))):
        half = (0.14, 0.09, 0.05)[k]
        x = long * 0.6 + (0.12, 0.33, 0.46)[k]
        b.cone((x, 0, 0), low, high, half, turn=(0, 90, 0))
    b.torus((long * 0.6 + 0.51, 0, 0), bell - 0.02, 0.045, turn=(0, 90, 0))
    b.cylinder((long * 0.6 + 0.51, 0, 0), bell - 0.06, 0.02, b.shade(0.4), turn=(0, 90, 0))
    b.arc((long * 0.5, 0, -drop / 2), drop / 2, 0.06, 90, turn=(90, 0, 0))
    b.capsule((long * 0.5, 0, -drop), (-long * 0.5, 0, -drop), 0.06)
    b.arc((-long * 0.5, 0, -drop / 2), drop / 2, 0.06, 90, turn=(90, 0, 180))
    b.cone((-long - 0.08, 0, 0), 0.13, 0.06, 0.08, SILVER, turn=(0, 90, 0))
    for k in range(3):
        x = -0.20 + 0.20 * k
        b.cylinder((x, 0, -drop * 0.45), 0.095, drop * 0.72, b.shade(0.8), rounding=0.03)
        b.cylinder((x, 0, drop * 0.38), 0.04, 0.10, SILVER)
        b.cylinder((x, 0, drop * 0.38 + 0.10), 0.075, 0.03, "white")
        b.cylinder((x, 0, -drop * 1.2), 0.07, 0.03, SILVER)
    b.arc((0.44, 0, -drop - 0.02), 0.12, 0.04, 100, turn=(90, 90, 0))


def _saxophone(b: Builder) -> None:
    tall, bow, bell = b.vary(0.64, 0.74), b.vary(0.24, 0.29), b.vary(0.30, 0.36)
    pearl = (0.96, 0.95, 0.92) if b.color_name != "white" else (0.25, 0.25, 0.28)
    b.cone((-bow, 0, 0.06), 0.125, 0.07, tall)
    b.arc((0, 0, -tall + 0.06), bow, 0.135, 90, turn=(90, 90, 0))
    b.cone((bow, 0, -tall + 0.26), 0.14, 0.19, 0.22)
    b.cone((bow + 0.05, 0, -tall + 0.62), 0.19, bell, 0.20, turn=(0, 14, 0))
    top = (bow + 0.10, 0, -tall + 0.81)
    b.torus(top, bell - 0.01, 0.05, turn=(0, 14, 0))
    b.cylinder(top, bell - 0.05, 0.02, b.shade(0.4), turn=(0, 14, 0))
    neck = (-bow - 0.05, 0, tall + 0.22)
    b.capsule((-bow, 0, tall + 0.06), neck, 0.065)
    b.capsule(neck, (-bow - 0.34, 0, tall + 0.26), 0.06)
    b.capsule((-bow - 0.34, 0, tall + 0.26), (-bow - 0.56, 0, tall + 0.16), 0.075, "black")
    b.torus((-bow, 0, tall + 0.08), 0.07, 0.04, b.shade(0.7))
    for k in range(6):
        z = tall * (0.66 - 0.26 * k)
        b.ball((-bow + 0.10 + 0.008 * k, 0, z), 0.075, pearl)
        side = 1 if k % 2 else -1
        b.cylinder((-bow, side * 0.12, z - 0.06), 0.085, 0.04, b.shade(0.7), turn=(90, 0, 0))
    b.mirror(b.capsule((-bow - 0.02, 0.115, tall * 0.7), (-bow, 0.15, -tall * 0.7), 0.03, SILVER))
    b.cylinder((bow * 0.2, 0.13, -tall - 0.10), 0.10, 0.04, b.shade(0.7), turn=(90, 0, 0))
    b.cylinder((bow * 1.1, 0.17, -tall + 0.34), 0.10, 0.04, b.shade(0.7), turn=(90, 0, 0))


def _record_player(b: Builder) -> None:
    wide, deep, lean = b.vary(0.66, 0.74), b.vary(0.54, 0.62), b.vary(14, 26)
    vinyl = (0.07, 0.07, 0.08) if b.color_name != "black" else (0.18, 0.18, 0.2)
    b.box((0, 0, 0), (deep, wide, 0.16), rounding=0.05)
    b.box((0, 0, 0.15), (deep - 0.06, wide - 0.06, 0.03), b.shade(1.35), rounding=0.02)
    b.cylinder((0, 0.10, 0.20), 0.47, 0.04, SILVER)
    b.cylinder((0, 0.10, 0.23), 0.46, 0.035, vinyl)
    for radius in (0.24, 0.34):
        b.torus((0, 0.10, 0.262), radius, 0.012, (0.35, 0.35, 0.38))
    label = "red" if b.color_name != "red" else "yellow"
    b.cylinder((0, 0.10, 0.26), 0.16, 0.02, label)
    b.capsule((0, 0.10, 0.26), (0, 0.10, 0.33), 0.035, SILVER)
    pivot = (-deep + 0.18, -wide + 0.16, 0.30)
    b.cylinder((pivot[0], pivot[1], 0.24), 0.10, 0.08, SILVER, rounding=0.02)
    elbow = (0.20, -wide + 0.22, 0.34)
    b.capsule(pivot, elbow, 0.04, SILVER)
    b.capsule(elbow, (0.26, -0.16, 0.30), 0.045, "white")
    for k in range(2):
        b.cylinder((deep - 0.14 - 0.2 * k, -wide + 0.13, 0.20), 0.065, 0.04, SILVER)
    s, c = math.sin(math.radians(lean)), math.cos(math.radians(lean))
    lid = (-deep - deep * s, 0, 0.16 + deep * c)
    b.box(lid, (0.06, wide, deep), b.shade(0.8), turn=(0, -lean, 0), rounding=0.04)
    inner = (lid[0] + 0.05 * c, 0, lid[2] + 0.05 * s)
    b.box(inner, (0.02, wide - 0.09, deep - 0.09), (0.93, 0.86, 0.70), turn=(0, -lean, 0))
    b.mirror(b.box((deep, wide * 0.55, 0.0), (0.03, 0.06, 0.06), GOLD, rounding=0.02))
    b.mirror(b.cylinder((deep - 0.12, wide - 0.12, -0.19), 0.07, 0.05, "black"))
    b.mirror(b.cylinder((-deep + 0.12, wide - 0.12, -0.19), 0.07, 0.05, "black"))


def _kind(name: str, color: str, build, *more: str, patterned: bool = False) -> Kind:
    return Kind(
        name=name,
        words=(name.replace("_", " "), *more),
        category="music",
        color=color,
        build=build,
        patterned=patterned,
    )


MUSIC: tuple[Kind, ...] = (
    _kind("piano", "black", _piano, "grand piano"),
    _kind("violin", "brown", _violin, "fiddle"),
    _kind("drum", "red", _drum, "snare drum"),
    _kind("record_player", "brown", _record_player, "turntable"),
    _kind("trumpet", "yellow", _trumpet, "bugle"),
    _kind("saxophone", "yellow", _saxophone, "sax"),
)
