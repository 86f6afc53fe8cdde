"""Things to eat."""

import math

import numpy as np

from uni3d.toybox.kinds.kind import Kind
from uni3d.toybox.shapes import Builder

__all__ = ["FOOD"]

_BUN = (0.86, 0.56, 0.22)
_DOUGH = (0.83, 0.62, 0.34)
_SPRINKLES = ("white", "yellow", "blue", "green", "red")


def _burger(b: Builder) -> None:
    dome, patty, spread = b.vary(0.42, 0.56), b.vary(0.10, 0.15), b.vary(0.76, 0.86)
    b.cylinder((0, 0, 0.14), 0.74, 0.14, _BUN, rounding=0.12)
    b.cylinder((0, 0, 0.30), spread, 0.05, "green", rounding=0.05)
    for k in range(7):
        angle = 2 * math.pi * (k + 0.3) / 7
        b.ball((spread * math.cos(angle), spread * math.sin(angle), 0.28), 0.12, "green")
    z = 0.34 + patty
    b.cylinder((0, 0, z), 0.78, patty, (0.33, 0.16, 0.07), rounding=0.09)
    b.box((0, 0, z + patty + 0.02), (0.62, 0.62, 0.045), "yellow", turn=(0, 0, b.vary(0, 90)))
    b.cylinder((0, 0, z + patty + 0.10), 0.72, 0.06, "red", rounding=0.05)
    top = z + patty + 0.14
    b.dome((0, 0, top), (0.78, 0.78, dome), _BUN)
    for k in range(9):
        angle, r = 2.4 * k, 0.16 + 0.055 * k
        h = top + dome * math.sqrt(1 - (r / 0.78) ** 2)
        b.ellipsoid(
            (r * math.cos(angle), r * math.sin(angle), h),
            (0.085, 0.055, 0.045),
            (0.99, 0.93, 0.75),
            turn=(0, 0, math.degrees(angle)),
        )


def _donut(b: Builder) -> None:
    ring, thick, tilt = b.vary(0.54, 0.60), b.vary(0.26, 0.31), b.vary(38, 58)
    turn = (0.0, tilt, 0.0)
    pitch = math.radians(tilt)
    axis, across = (
        np.array([math.sin(pitch), 0, math.cos(pitch)]),
        np.array([math.cos(pitch), 0, -math.sin(pitch)]),
    )
    b.torus(axis * (0.06 - 0.40 * thick), ring, thick * 0.72, _DOUGH, turn=turn)
    b.torus(axis * 0.06, ring, thick * 0.99, turn=turn)
    for k in range(14):
        angle = 2 * math.pi * (k + b.vary(-0.2, 0.2)) / 14
        out = math.cos(angle) * across + math.sin(angle) * np.array([0.0, 1.0, 0.0])
        lean = (0.5, -0.1, -0.6)[k % 3]
        spot = out * (ring + thick * math.sin(lean)) + axis * (0.06 + thick * math.cos(lean))
        b.ellipsoid(spot, (0.075, 0.045, 0.045), _SPRINKLES[k % 5], turn=(40 * k, tilt, 70 * k))


def _ice_cream(b: Builder) -> None:
    scoop, cone, second = b.vary(0.44, 0.50), b.vary(0.40, 0.50), b.vary(0.33, 0.38)
    waffle = (0.85, 0.58, 0.25)
    b.cone((0, 0, cone), 0.06, 0.33, cone, waffle)
    for k in range(1, 4):
        z = cone * (0.5 * k)
        b.torus((0, 0, z), 0.06 + 0.27 * z / (2 * cone) - 0.01, 0.03, (0.62, 0.36, 0.12))
    z = 2 * cone + 0.14
    b.torus((0, 0, 2 * cone + 0.02), 0.32, 0.11)
    b.ball((0, 0, z), scoop)
    b.ball((0, 0, z + scoop + second * 0.35), second)
    top = z + scoop + second * 1.1
    sauce = (0.98, 0.90, 0.74) if b.color_name == "brown" else (0.36, 0.17, 0.07)
    b.dome((0, 0, top - second * 0.42), (second * 0.99, second * 0.99, second * 0.74), sauce)
    b.ball((0, 0, top + 0.36 * second), 0.13, "red")


def _cake(b: Builder) -> None:
    radius, height, upper = b.vary(0.62, 0.72), b.vary(0.19, 0.25), b.vary(0.36, 0.44)
    cream = "white" if b.color_name != "white" else "pink"
    b.cylinder((0, 0, 0), 0.88, 0.05, (0.80, 0.85, 0.90), rounding=0.04)
    b.cylinder((0, 0, height), radius, height, rounding=0.04)
    b.torus((0, 0, 0.08), radius, 0.07, cream)
    top = 2 * height
    b.cylinder((0, 0, top + height * 0.85), upper, height * 0.85, rounding=0.04)
    b.torus((0, 0, top + 0.02), upper + 0.02, 0.06, cream)
    summit = top + height * 1.7
    for k in range(6):
        angle = 2 * math.pi * k / 6
        r = (radius + upper) / 2 + 0.03
        b.ball((r * math.cos(angle), r * math.sin(angle), top + 0.05), 0.09, "red")
    b.torus((0, 0, summit), upper - 0.04, 0.055, cream)
    for k in range(3):
        angle = 2 * math.pi * k / 3 + 0.4
        x, y = 0.20 * math.cos(angle), 0.20 * math.sin(angle)
        b.cylinder((x, y, summit + 0.14), 0.05, 0.16, ("blue", "green", "purple")[k])
        b.ellipsoid((x, y, summit + 0.36), (0.055, 0.055, 0.10), "yellow")


def _apple(b: Builder) -> None:
    ring, thick, low = b.vary(0.26, 0.32), b.vary(0.38, 0.44), b.vary(0.52, 0.60)
    b.torus((0, 0, 0.18), ring, thick)
    b.dome((0, 0, 0.18), (ring + thick, ring + thick, low + 0.10), turn=(180, 0, 0))
    b.torus((0, 0, -0.36), 0.18, 0.17)
    b.capsule((0, 0, 0.35), (0.06, 0.03, 0.80), 0.055, (0.34, 0.20, 0.08))
    leaf = "green" if b.color_name != "green" else (0.05, 0.36, 0.10)
    b.ellipsoid((0.04, 0.27, 0.78), (0.13, 0.27, 0.05), leaf, turn=(b.vary(10, 30), 0, 0))


def _banana(b: Builder) -> None:
    bend, fat, fan = b.vary(0.72, 0.86), b.vary(0.15, 0.18), b.vary(22, 34)
    half = b.vary(50, 60)
    # Each banana is an arc in an upright plane that holds the common stem.
    angle = math.radians(half)
    reach, stem = bend * math.sin(angle), np.array([0, -bend * math.sin(angle), 0])
    for k in (-1, 0, 1):
        yaw = 90.0 + k * fan
        along = np.array([math.cos(math.radians(yaw)), math.sin(math.radians(yaw)), 0])
        low = np.array([0, 0, bend * math.cos(angle)])
        centre = stem + along * reach + low
        # pitch 90 takes local +x to -z; the roll before it puts the arc's plane upright.
        turn = (90.0, 90.0, yaw)
        b.arc(centre, bend, fat * 0.80, half - 6, "yellow", turn=turn)
        b.arc(centre, bend, fat, half * 0.62, "yellow", turn=turn)
        b.ball(stem + 2 * along * reach, 0.10, (0.28, 0.17, 0.06))
    root, tip = stem + np.array([0, 0.06, -0.06]), stem + np.array([0, -0.10, 0.16])
    b.capsule(root, tip, 0.11, (0.45, 0.34, 0.08))


def _kind(name: str, words: tuple[str, ...], color: str, build, colorable: bool = True) -> Kind:
    return Kind(
        name=name, words=words, category="food", color=color, build=build, colorable=colorable
    )


FOOD: tuple[Kind, ...] = (
    _kind("burger", ("burger", "hamburger", "cheeseburger"), "orange", _burger, False),
    _kind("donut", ("donut", "doughnut"), "pink", _donut),
    _kind("ice_cream", ("ice cream", "ice cream cone"), "pink", _ice_cream),
    _kind("cake", ("cake", "birthday cake"), "brown", _cake),
    _kind("apple", ("apple",), "red", _apple),
    _kind("banana", ("banana", "bunch of bananas"), "yellow", _banana, False),
)
