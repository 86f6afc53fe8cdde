"""Things to hold in the hand: for play, for work, for a parade and for a fight."""

import itertools
import math

import numpy as np

from uni3d.toybox.kinds.kind import Kind
from uni3d.toybox.kinds.palette import GOLD, SILVER, WOOD
from uni3d.toybox.shapes import Builder

__all__ = ["TOOLS"]


def _ball(b: Builder) -> None:
    b.ball((0, 0, 0), 0.9)
    patch = "black" if b.color_name not in ("black", "blue", "purple", "brown") else "white"
    golden = (1 + 5**0.5) / 2
    size, start = b.vary(0.29, 0.34), b.vary(0, 1)
    corners = [(0, s, t * golden) for s in (1, -1) for t in (1, -1)]
    corners = [(p[k], p[(k + 1) % 3], p[(k + 2) % 3]) for p in corners for k in range(3)]
    turn = np.array([[math.cos(start), -math.sin(start)], [math.sin(start), math.cos(start)]])
    points = np.array(corners, dtype=float) / math.hypot(1, golden)  # [12, 3] of an icosahedron
    points[:, :2] = points[:, :2] @ turn.T
    for x, y, z in points:
        frame = (0, -math.degrees(math.asin(z)), math.degrees(math.atan2(y, x)))
        b.ellipsoid((0.88 * x, 0.88 * y, 0.88 * z), (0.06, size, size), patch, turn=frame)
    for i, j in itertools.combinations(range(12), 2):
        if points[i] @ points[j] > 0:  # neighbours: a seam runs between the two patches
            middle = (points[i] + points[j]) / np.linalg.norm(points[i] + points[j]) * 0.885
            along = (points[j] - points[i]) * 0.17
            b.capsule(middle - along, middle + along, 0.03, patch)


def _balloon(b: Builder) -> None:
    wide, tall, string = b.vary(0.50, 0.56), b.vary(0.58, 0.66), b.vary(0.26, 0.34)
    b.ellipsoid((0, 0, 0), (wide, wide, tall))
    b.cone((0, 0, -tall * 0.88), 0.05, wide * 0.52, 0.17)
    b.cone((0, 0, -tall - 0.16), 0.12, 0.04, 0.07)
    b.ellipsoid((wide * 0.68, wide * 0.30, tall * 0.44), (0.07, 0.09, 0.15), b.shade(1.8))
    points = [(0.0, 0.0, -tall - 0.2)]
    for k in range(4):
        sway = 0.10 * (1 if k % 2 else -1)
        points.append((sway * 0.7, sway, points[-1][2] - string))
    for k in range(4):
        b.capsule(points[k], points[k + 1], 0.03, "white" if b.color_name != "white" else "gray")


def _flag(b: Builder) -> None:
    long, tall, wave = b.vary(0.24, 0.29), b.vary(0.36, 0.44), b.vary(22, 34)
    yaw = 25
    pole, top = WOOD if b.color_name != "brown" else SILVER, 1.0
    b.cylinder((0, 0, -0.10), 0.06, 1.06, pole)
    b.ball((0, 0, top), 0.11, GOLD)
    b.cylinder((0, 0, -1.14), 0.30, 0.06, pole, rounding=0.03)
    b.cone((0, 0, -1.04), 0.16, 0.07, 0.06, pole)
    mark = "white" if b.color_name != "white" else "red"
    x, y = 0.0, 0.04
    middle = top - 0.16 - tall
    for k in range(5):
        angle = yaw + (wave if k % 2 else -wave)
        s, c = math.sin(math.radians(angle)), math.cos(math.radians(angle))
        mid = (x - s * long / 2, y + c * long / 2, middle - 0.03 * k)
        turn = (0, 0, angle)
        b.box(mid, (0.035, long * 0.56, tall), turn=turn, rounding=0.02)
        b.box(mid, (0.042, long * 0.57, tall * 0.26), mark, turn=turn)
        x, y = x - s * long, y + c * long


def _skull(b: Builder) -> None:
    wide, long, jaw = b.vary(0.50, 0.56), b.vary(0.58, 0.66), b.vary(0.24, 0.30)
    dark = "black" if b.color_name != "black" else (0.75, 0.75, 0.75)
    b.ellipsoid((-0.08, 0, 0.20), (long, wide, 0.54))
    b.box((0.24, 0, -0.20), (0.26, 0.32, 0.22), rounding=0.14)
    eye = b.ellipsoid((0.42, 0.20, 0.06), (0.13, 0.155, 0.16), dark)
    brow = b.capsule((0.42, 0.08, 0.24), (0.34, 0.38, 0.20), 0.085)
    bone = b.capsule((0.40, 0.30, -0.13), (0.04, 0.44, -0.10), 0.085)
    hollow = b.ellipsoid((0.02, 0.34, -0.26), (0.16, 0.10, 0.13), dark)
    b.mirror(eye, brow, bone, hollow)
    b.ellipsoid((0.49, 0, -0.13), (0.05, 0.065, 0.10), dark)
    b.box((0.26, 0, -0.40 - jaw * 0.5), (0.24, 0.27, 0.13), rounding=0.10)
    b.mirror(b.capsule((0.16, 0.25, -0.42 - jaw * 0.4), (-0.04, 0.34, -0.16), 0.085))
    b.box((0.30, 0, -0.40), (0.19, 0.24, 0.07), dark)
    for k in range(5):
        y = 0.105 * (k - 2)
        x = 0.49 - 0.3 * y * y
        b.box((x, y, -0.37), (0.045, 0.045, 0.085), "white", rounding=0.02)
        b.box((x, y, -0.49), (0.045, 0.042, 0.07), "white", rounding=0.02)


def _cane(b: Builder) -> None:
    hook, tall, thick = b.vary(0.26, 0.32), b.vary(0.72, 0.84), b.vary(0.085, 0.10)
    tip = (0.12, 0.12, 0.13) if b.color_name != "black" else SILVER
    b.capsule((0, 0, tall), (0, 0, -tall), thick)
    b.arc((hook, 0, tall), hook, thick, 90, turn=(90, -90, 0))
    b.capsule((2 * hook, 0, tall), (2 * hook, 0, tall - 0.14), thick)
    b.ball((2 * hook, 0, tall - 0.18), thick + 0.03, GOLD)
    b.cylinder((0, 0, tall - 0.12), thick + 0.03, 0.07, GOLD, rounding=0.03)
    b.cylinder((0, 0, -tall - 0.02), thick + 0.035, 0.12, tip, rounding=0.04)


def _gun(b: Builder) -> None:
    long, thick, grip = b.vary(0.66, 0.78), b.vary(0.13, 0.16), b.vary(0.40, 0.48)
    wood = WOOD if b.color_name != "brown" else (0.15, 0.15, 0.16)
    b.box((0, 0, 0.12), (long, thick, 0.16), rounding=0.04)
    b.box((0.02, 0, -0.06), (long - 0.10, thick * 0.9, 0.09), b.shade(0.7), rounding=0.03)
    b.cylinder((long, 0, 0.14), 0.085, 0.04, b.shade(1.4), turn=(0, 90, 0))
    b.cylinder((long + 0.02, 0, 0.14), 0.05, 0.04, "black", turn=(0, 90, 0))
    low = (-long + 0.02, 0, -0.10 - grip)
    b.box(
        (-long + 0.14, 0, -0.10 - grip / 2),
        (0.17, thick * 1.05, grip * 0.62),
        wood,
        turn=(0, 16, 0),
        rounding=0.07,
    )
    b.box(
        (low[0] + 0.02, 0, low[2] - 0.03), (0.19, thick * 1.1, 0.05), b.shade(0.7), turn=(0, 16, 0)
    )
    b.torus((-long + 0.48, 0, -0.20), 0.145, 0.045, b.shade(0.7), turn=(90, 0, 0))
    b.capsule((-long + 0.48, 0, -0.12), (-long + 0.44, 0, -0.26), 0.04, "black")
    b.box((long - 0.10, 0, 0.30), (0.06, 0.035, 0.05), b.shade(0.6))
    b.box((-long + 0.12, 0, 0.30), (0.07, 0.08, 0.05), b.shade(0.6))
    b.capsule((-long - 0.02, 0, 0.22), (-long - 0.10, 0, 0.32), 0.06, b.shade(0.6))
    for k in range(4):
        x = -long + 0.14 + 0.10 * k
        b.mirror(b.box((x, thick, 0.14), (0.025, 0.02, 0.12), b.shade(0.5)))


def _sword(b: Builder) -> None:
    wide, long, guard = b.vary(0.12, 0.15), b.vary(0.66, 0.78), b.vary(0.34, 0.42)
    hilt = GOLD if b.color_name not in ("yellow", "orange") else (0.55, 0.1, 0.15)
    yaw = b.vary(20, 36)
    x, y = -math.sin(math.radians(yaw)), math.cos(math.radians(yaw))
    turn = (0, 0, yaw)
    b.box((0, 0, long), (0.055, wide, long), turn=turn, rounding=0.03)
    b.box((0, 0, long * 0.9), (0.075, wide * 0.35, long * 0.85), b.shade(0.7), turn=turn)
    b.wedge((0, 0, 2 * long + 0.13), (wide, 0.055, 0.15), turn=(0, 0, yaw + 90))
    ends = [(sign * guard * x, sign * guard * y, 0.04) for sign in (1, -1)]
    b.capsule(ends[0], ends[1], 0.09, hilt)
    for end in ends:
        b.ball(end, 0.13, hilt)
    grip = (0.30, 0.15, 0.08) if b.color_name != "brown" else (0.1, 0.1, 0.11)
    b.cylinder((0, 0, -0.24), 0.09, 0.24, grip)
    for k in range(3):
        b.torus((0, 0, -0.12 - 0.12 * k), 0.08, 0.035, hilt)
    b.ball((0, 0, -0.54), 0.14, hilt)
    b.ellipsoid(
        (0, 0, 0.04), (0.13, 0.10, 0.10), "red" if b.color_name != "red" else "blue", turn=turn
    )


def _axe(b: Builder) -> None:
    tall, blade, thick = b.vary(0.80, 0.94), b.vary(0.34, 0.40), b.vary(0.10, 0.13)
    wood = WOOD if b.color_name != "brown" else (0.85, 0.70, 0.45)
    b.capsule((0, 0, -tall), (0, 0, tall), 0.085, wood)
    b.ball((0, 0, -tall), 0.12, wood)
    z = tall - 0.30
    b.box((0, 0, z), (0.17, thick + 0.03, 0.20), rounding=0.03)
    b.box((-0.22, 0, z), (0.12, thick + 0.01, 0.15), rounding=0.03)
    b.wedge((0.36, 0, z), (blade, thick, 0.32), turn=(0, -90, 0))
    b.box((0.30, 0, z), (0.20, thick + 0.01, 0.14), rounding=0.03)
    b.box((0.66, 0, z), (0.07, 0.045, blade + 0.02), b.shade(1.5), rounding=0.03)
    b.ellipsoid((0.66, 0, z), (0.17, 0.045, blade), b.shade(1.5))
    b.cylinder((0, 0, -tall * 0.62), 0.105, 0.20, (0.75, 0.12, 0.10), rounding=0.03)


def _camera(b: Builder) -> None:
    wide, tall, lens = b.vary(0.62, 0.72), b.vary(0.38, 0.44), b.vary(0.30, 0.35)
    band = (0.75, 0.76, 0.78) if b.color_name not in ("gray", "white") else (0.15, 0.15, 0.16)
    b.box((0, 0, 0), (0.24, wide, tall), rounding=0.08)
    b.box((0, 0, tall - 0.05), (0.25, wide + 0.01, 0.10), band, rounding=0.06)
    b.box((0.02, 0, tall + 0.10), (0.20, 0.24, 0.13), band, rounding=0.06)
    b.box((0.22, 0, tall + 0.11), (0.02, 0.14, 0.06), (0.98, 0.96, 0.80))
    turn = (0, 90, 0)
    b.cylinder((0.34, 0.0, -0.05), lens, 0.14, band, turn=turn, rounding=0.03)
    b.cylinder((0.50, 0.0, -0.05), lens * 0.88, 0.13, (0.12, 0.12, 0.13), turn=turn, rounding=0.03)
    b.torus((0.62, 0.0, -0.05), lens * 0.74, 0.05, band, turn=turn)
    b.ellipsoid((0.60, 0.0, -0.05), (0.08, lens * 0.64, lens * 0.64), (0.22, 0.38, 0.62))
    b.ball((0.66, 0.07, 0.03), 0.05, "white")
    b.cylinder((0.02, -wide * 0.68, tall + 0.07), 0.10, 0.06, "red", rounding=0.03)
    b.cylinder((0.02, wide * 0.68, tall + 0.07), 0.13, 0.06, "black", rounding=0.02)
    b.ball((0.24, -wide * 0.72, tall * 0.42), 0.06, "red")
    b.mirror(b.torus((0, wide + 0.04, tall * 0.6), 0.09, 0.04, band, turn=(90, 0, 0)))
    b.box((-0.24, 0.10, -0.04), (0.02, wide * 0.52, tall * 0.56), (0.45, 0.68, 0.85))
    for z in (0.12, -0.12):
        b.cylinder((-0.24, -wide * 0.76, z), 0.06, 0.03, band, turn=turn)
    b.box((-0.20, 0, tall + 0.11), (0.04, 0.12, 0.07), "black", rounding=0.02)


def _scissors(b: Builder) -> None:
    ring, blade, spread = b.vary(0.24, 0.29), b.vary(0.74, 0.86), b.vary(16, 22)
    yaw = b.vary(22, 36)
    x, y = -math.sin(math.radians(yaw)), math.cos(math.radians(yaw))

    for sign in (1, -1):
        lean = math.radians(spread) * sign
        out = 0.05 * sign

        def at(side: float, up: float, out: float = out) -> tuple[float, float, float]:
            return (side * x + out * y, side * y - out * x, up)

        tip = at(math.sin(lean) * blade, math.cos(lean) * blade)
        half = blade * 0.54
        middle = at(math.sin(lean) * half, math.cos(lean) * half)
        b.wedge(middle, (0.15, 0.05, half), SILVER, turn=(0, math.degrees(lean), yaw + 90))
        b.capsule(at(0, 0), tip, 0.045, SILVER)
        low = at(-math.sin(lean) * 0.34, -0.34)
        b.capsule(at(0, -0.02), low, 0.085)
        hold = at(-(math.sin(lean) * 0.34 + ring * 0.92 * sign), -0.36 - ring * 0.8)
        b.torus(hold, ring, 0.085, turn=(0, 90, yaw))
    b.cylinder((0, 0, 0), 0.085, 0.13, (0.40, 0.41, 0.44), turn=(0, 90, yaw), rounding=0.03)


def _binoculars(b: Builder) -> None:
    wide, long, apart = b.vary(0.26, 0.30), b.vary(0.48, 0.58), b.vary(0.33, 0.38)
    trim = GOLD if b.color_name not in ("yellow", "orange") else SILVER
    turn = (0, 90, 0)
    barrel = b.cylinder((0.14, apart, 0), wide, long * 0.62, turn=turn, rounding=0.04)
    rim = b.torus((0.14 + long * 0.62, apart, 0), wide - 0.02, 0.06, trim, turn=turn)
    glass = b.ellipsoid(
        (0.12 + long * 0.62, apart, 0), (0.06, wide * 0.84, wide * 0.84), (0.35, 0.60, 0.88)
    )
    neck = b.cone((-long * 0.58, apart, 0), 0.18, wide, 0.14, turn=turn)
    eye = b.cylinder((-long - 0.14, apart, 0), 0.17, 0.16, b.shade(0.7), turn=turn, rounding=0.03)
    cup = b.torus((-long - 0.30, apart, 0), 0.14, 0.06, trim, turn=turn)
    lens = b.cylinder((-long - 0.31, apart, 0), 0.11, 0.02, (0.5, 0.7, 0.9), turn=turn)
    band = b.cylinder((0.10, apart, 0), wide + 0.02, 0.07, b.shade(1.4), turn=turn)
    b.mirror(barrel, rim, glass, neck, eye, cup, lens, band)
    b.box((0.10, 0, 0.02), (0.18, apart - 0.1, 0.08), rounding=0.03)
    b.box((-long * 0.7, 0, 0.02), (0.10, apart - 0.08, 0.07), rounding=0.03)
    b.cylinder((-long * 0.30, 0, 0.06), 0.10, 0.16, trim, turn=turn, rounding=0.03)


def _kind(name: str, color: str, build, *more: str, patterned: bool = False) -> Kind:
    return Kind(
        name=name,
        words=(name.replace("_", " "), *more),
        category="tool",
        color=color,
        build=build,
        patterned=patterned,
    )


TOOLS: tuple[Kind, ...] = (
    _kind("ball", "white", _ball, "soccer ball"),
    _kind("cane", "brown", _cane, "walking stick"),
    _kind("skull", "white", _skull),
    _kind("gun", "gray", _gun, "pistol", "handgun"),
    _kind("sword", "gray", _sword, "longsword"),
    _kind("camera", "black", _camera, "photo camera"),
    _kind("binoculars", "black", _binoculars, "field glasses"),
    _kind("flag", "red", _flag, "banner"),
    _kind("balloon", "red", _balloon, "party balloon", patterned=True),
    _kind("scissors", "red", _scissors),
    _kind("axe", "gray", _axe, "hatchet"),
)
