"""Animals of the sea, and the shell that one of them left behind."""

import itertools
import math

from uni3d.toybox.kinds.kind import Kind, animal
from uni3d.toybox.shapes import Builder

__all__ = ["SEA"]


def _octopus(b: Builder) -> None:
    """A dome of a head on eight arms that curl up at their ends."""
    tall = b.vary(0.36, 0.44)
    b.ellipsoid((-0.03, 0, 0.5 + tall * 0.6), (0.37, 0.36, tall), region="head")
    b.ellipsoid((0, 0, 0.36), (0.3, 0.3, 0.2), region="torso")
    for k in range(8):
        angle = math.pi / 8 + math.pi / 4 * k
        c, s = math.cos(angle), math.sin(angle)
        bend = b.vary(0.03, 0.14)
        points = [(0.2, 0.3), (0.42, 0.12), (0.68, 0.09), (0.84, 0.12 + bend)]
        radii = (0.115, 0.095, 0.065)
        for ((r0, z0), (r1, z1)), r in zip(itertools.pairwise(points), radii, strict=True):
            b.capsule((r0 * c, r0 * s, z0), (r1 * c, r1 * s, z1), r, region="leg")
    z = 0.52
    white = b.ball((0.3, 0.15, z + 0.1), 0.1, "white", region="eye")
    pupil = b.ball((0.38, 0.16, z + 0.11), 0.055, "black", region="eye")
    b.mirror(white, pupil)
    b.ellipsoid((0.33, 0, z - 0.08), (0.05, 0.07, 0.03), "black", region="head")
    b.anchor("head", (-0.03, 0, 0.5 + tall * 0.72), 0.33)
    b.anchor("neck", (0, 0, 0.36), 0.31)
    b.anchor("torso", (0, 0, 0.42), 0.33)
    b.anchor("back", (-0.36, 0, 0.6), 0.28)
    b.anchor("chest", (0.3, 0, 0.34), 0.24)
    b.anchor("eyes", (0.42, 0, z + 0.11), 0.15)


def _leg(b: Builder, start, knee, end, radius: float, color=None) -> list:
    return [
        b.capsule(start, knee, radius, color, region="leg"),
        b.capsule(knee, end, 0.8 * radius, color, region="leg"),
    ]


def _claw(b: Builder, wrist, size: float, yaw: float) -> list:
    """A pair of pincers that open to the front; `yaw` turns them, in degrees."""
    x, y, z = wrist
    c, s = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
    palm = b.ellipsoid(
        (x + 0.4 * size * c, y + 0.4 * size * s, z),
        (size * 0.62, size * 0.45, size * 0.34),
        turn=(0, 0, yaw),
        region="claw",
    )
    fingers = []
    for side, thick in ((1, 0.24), (-1, 0.18)):
        turn = math.radians(yaw + 22 * side)
        base = (
            x + 0.75 * size * c - 0.26 * size * s * side,
            y + 0.75 * size * s + 0.26 * size * c * side,
            z,
        )
        end = (
            base[0] + 0.8 * size * math.cos(turn - 0.5 * side),
            base[1] + 0.8 * size * math.sin(turn - 0.5 * side),
            z,
        )
        fingers.append(b.capsule(base, end, thick * size * 0.8, region="claw"))
    return [palm, *fingers]


def _crab(b: Builder) -> None:
    wide = b.vary(0.5, 0.58)
    b.ellipsoid((0, 0, 0.3), (0.36, wide, 0.22), region="torso")
    parts = []
    for k in range(3):
        x = 0.12 - 0.2 * k
        knee = (x * 1.5, wide + 0.2, 0.42 - 0.03 * k)
        parts += _leg(b, (x, wide * 0.8, 0.26), knee, (x * 1.9, wide + 0.32, 0.03), 0.06)
    lift = b.vary(0.55, 0.7)
    parts.append(b.capsule((0.22, wide * 0.75, 0.3), (0.5, wide * 0.98, lift), 0.08, region="claw"))
    parts += _claw(b, (0.44, wide * 0.95, lift), 0.34, -12)
    parts.append(b.capsule((0.26, 0.14, 0.4), (0.3, 0.16, 0.62), 0.035, region="head"))
    parts.append(b.ball((0.3, 0.16, 0.66), 0.08, "white", region="eye"))
    parts.append(b.ball((0.36, 0.165, 0.67), 0.045, "black", region="eye"))
    b.mirror(*parts)
    b.ellipsoid((0.33, 0, 0.26), (0.04, 0.12, 0.025), "black", region="head")


def _lobster(b: Builder) -> None:
    """Long body, ringed tail that ends in a fan, long feelers and two big claws."""
    b.ellipsoid((0.12, 0, 0.2), (0.36, 0.18, 0.16), region="torso")
    for k in range(5):
        r = 0.155 - 0.014 * k
        b.ellipsoid((-0.24 - 0.13 * k, 0, 0.18 - 0.01 * k), (0.1, r, r * 0.85), region="tail")
    for angle in (-44, -22, 0, 22, 44):
        turn = math.radians(180 + angle)
        spot = (-0.84 + 0.17 * math.cos(turn), 0.17 * math.sin(turn), 0.1)
        b.ellipsoid(spot, (0.17, 0.06, 0.03), b.shade(0.8), (0, 0, angle), "tail")
    parts = []
    for k in range(4):
        x = 0.28 - 0.13 * k
        knee = (x * 1.25 - 0.04, 0.34, 0.24)
        parts += _leg(b, (x, 0.12, 0.16), knee, (x * 1.5 - 0.08, 0.44, 0.03), 0.036)
    spread = b.vary(0.32, 0.4)
    parts.append(b.capsule((0.34, 0.12, 0.18), (0.56, spread, 0.2), 0.06, region="claw"))
    parts += _claw(b, (0.54, spread, 0.2), 0.27, b.vary(-10, 5))
    parts.append(b.ball((0.42, 0.08, 0.31), 0.045, "black", region="eye"))
    feeler = (0.9, 0.16, 0.5)
    parts.append(b.capsule((0.44, 0.05, 0.24), feeler, 0.016, region="feeler"))
    b.mirror(*parts)
    b.cone((0.52, 0, 0.24), 0.06, 0.01, 0.1, None, (0, 85, 0), "head")


def _whale(b: Builder) -> None:
    """A big blunt body with a pale grooved belly, flukes that lie flat, and a spout."""
    fat = b.vary(0.36, 0.41)
    b.ellipsoid((0.12, 0, 0), (0.58, fat, fat * 0.95), region="torso")
    b.ellipsoid((0.16, 0, -0.09), (0.55, fat * 0.9, fat * 0.84), "white", region="belly")
    b.capsule((-0.3, 0, 0.04), (-0.72, 0, 0.2), 0.17, region="tail")
    fluke = b.ellipsoid((-0.88, 0.17, 0.3), (0.14, 0.25, 0.05), turn=(8, 10, 32), region="tail")
    fin = b.ellipsoid(
        (0.18, fat + 0.06, -0.16), (0.14, 0.22, 0.04), turn=(-28, 0, -24), region="fin"
    )
    eye = b.ball((0.5, fat * 0.76, 0.03), 0.045, "black", region="eye")
    b.mirror(fluke, fin, eye)
    water = (0.6, 0.85, 0.98)
    b.capsule((0.14, 0, fat * 0.85), (0.14, 0, fat + 0.2), 0.045, water, region="spout")
    for k in range(4):
        angle = math.pi / 2 * k + 0.4
        out = (0.14 + 0.15 * math.cos(angle), 0.15 * math.sin(angle), fat + 0.26)
        b.capsule((0.14, 0, fat + 0.2), out, 0.045, water, region="spout")
        b.ball(
            (2 * out[0] - 0.14 * 1.1 - 0.0, out[1] * 1.4, fat + 0.2), 0.05, water, region="spout"
        )


def _shark(b: Builder) -> None:
    """Pointed snout, upright back fin, upright half-moon tail, white belly, teeth."""
    long = b.vary(0.62, 0.7)
    b.ellipsoid((0, 0, 0), (long, 0.2, 0.22), region="torso")
    b.ellipsoid((0.03, 0, -0.06), (long * 0.93, 0.175, 0.175), "white", region="belly")
    b.cone((long * 0.88, 0, 0.03), 0.135, 0.03, 0.18, None, (0, 92, 0), "head")
    b.capsule((-long * 0.75, 0, 0.02), (-long - 0.16, 0, 0.04), 0.07, region="tail")
    b.ellipsoid((-long - 0.24, 0, 0.22), (0.08, 0.035, 0.26), turn=(0, -32, 0), region="tail")
    b.ellipsoid((-long - 0.2, 0, -0.1), (0.07, 0.035, 0.18), turn=(0, 32, 0), region="tail")
    b.wedge((-0.06, 0, 0.32), (0.15, 0.03, 0.17), None, (0, -20, 0), "fin")
    b.ellipsoid((-0.06, 0, 0.24), (0.18, 0.04, 0.16), turn=(0, -35, 0), region="fin")
    fin = b.ellipsoid((0.12, 0.3, -0.15), (0.11, 0.22, 0.03), turn=(-24, 0, 28), region="fin")
    eye = b.ball((long * 0.72, 0.125, 0.08), 0.04, "black", region="eye")
    gills = [
        b.ellipsoid((0.3 - 0.06 * k, 0.172, 0.02), (0.012, 0.03, 0.08), b.shade(0.45), (0, 12, 0))
        for k in range(3)
    ]
    tooth = [
        b.cone((long * 0.82 - 0.055 * k, 0.045 + 0.025 * k, -0.13), 0.005, 0.028, 0.04, "white")
        for k in range(3)
    ]
    b.mirror(fin, eye, *gills, *tooth)
    b.ellipsoid((long * 0.76, 0, -0.12), (0.14, 0.1, 0.035), (0.55, 0.1, 0.12), region="head")


def _jellyfish(b: Builder) -> None:
    """A bell with a scalloped hem, thick frilly arms inside and thin threads around."""
    wide, tall = b.vary(0.46, 0.52), b.vary(0.4, 0.5)
    b.dome((0, 0, 0.6), (wide, wide, tall), region="torso")
    for k in range(10):
        angle = 2 * math.pi * k / 10
        c, s = math.cos(angle), math.sin(angle)
        b.ball((0.88 * wide * c, 0.88 * wide * s, 0.6), 0.115, b.shade(1.4), region="torso")
        at = (0.8 * wide * c, 0.8 * wide * s, 0.56)
        drop = b.vary(0.5, 0.75)
        for step in (1, 2):
            swing = 0.07 * (-1) ** (k + step)
            to = (at[0] + swing * c, at[1] + swing * s, 0.56 - drop * step / 2)
            b.capsule(at, to, 0.03, region="leg")
            at = to
    for k in range(4):
        angle = math.pi / 2 * k + 0.4
        c, s = math.cos(angle), math.sin(angle)
        for step in range(4):
            r = 0.12 + 0.035 * (-1) ** step
            b.ball(
                (r * c, r * s, 0.5 - 0.16 * step), 0.105 - 0.014 * step, b.shade(1.5), region="arm"
            )


def _seashell(b: Builder) -> None:
    """A scallop: ribs spread like a fan from the hinge, curved like a bowl."""
    count, half = 9, b.vary(62, 72)
    for k in range(count):
        angle = math.radians(half * (2 * k / (count - 1) - 1))
        s, c = math.sin(angle), math.cos(angle)
        tall = 0.84 + 0.08 * c
        color = None if k % 2 else b.shade(1.35)
        spot = (0.0, 0.5 * tall * s, 0.16 + 0.5 * tall * c)
        axis = (-math.degrees(angle), 0, 0)
        b.ellipsoid(spot, (0.13, 0.115, 0.5 * tall), color, axis, "torso")
        b.ball((0, 0.86 * tall * s, 0.16 + 0.86 * tall * c), 0.12, color, region="torso")
    ear = b.box((0, 0.17, 0.12), (0.05, 0.13, 0.1), region="hinge", rounding=0.03)
    b.mirror(ear)
    b.ball((0.02, 0, 0.12), 0.13, b.shade(0.8), region="hinge")


SEA: tuple[Kind, ...] = (
    animal("octopus", ("octopus", "kraken"), "purple", _octopus),
    animal("lobster", ("lobster",), "red", _lobster, wears=False),
    animal("crab", ("crab",), "orange", _crab, wears=False),
    animal("whale", ("whale",), "blue", _whale, wears=False),
    animal("shark", ("shark",), "gray", _shark, wears=False),
    animal("jellyfish", ("jellyfish",), "pink", _jellyfish, wears=False),
    animal(
        "seashell",
        ("seashell", "shell", "scallop"),
        "pink",
        _seashell,
        patterned=False,
        wears=False,
    ),
)
