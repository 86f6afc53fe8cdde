"""Insects, and other small crawling things."""

import itertools
import math

from uni3d.toybox.kinds.kind import Kind, animal
from uni3d.toybox.shapes import Builder

__all__ = ["INSECTS"]

DARK = (0.1, 0.09, 0.09)


def _bent_leg(b: Builder, x: float, y: float, z: float, reach: float, ahead: float, color=DARK):
    """Two pieces from the body at (x, y, z) over a knee to the ground; `reach` to the side."""
    knee = (x + 0.5 * ahead, y + 0.55 * reach, z + 0.3 * reach)
    foot = (x + ahead, y + reach, 0.02)
    return [
        b.capsule((x, y, z), knee, 0.035, color, region="leg"),
        b.capsule(knee, foot, 0.03, color, region="leg"),
    ]


def _feelers(b: Builder, x: float, z: float, long: float, knob: float = 0.035):
    end = (x + 0.5 * long, 0.45 * long, z + 0.8 * long)
    return [
        b.capsule((x, 0.06, z), end, 0.018, DARK, region="head"),
        b.ball(end, knob, DARK, region="head"),
    ]


def _beetle(b: Builder) -> None:
    """A ladybird: two wing cases with dots, a line between them, black head and legs."""
    tall = b.vary(0.34, 0.42)
    b.dome((-0.05, 0, 0.16), (0.56, 0.48, tall), region="torso")
    b.ellipsoid((-0.05, 0, 0.16), (0.53, 0.45, 0.09), DARK, region="belly")
    b.ellipsoid((0.44, 0, 0.22), (0.2, 0.26, 0.17), DARK, region="head")
    white = b.ball((0.56, 0.16, 0.28), 0.065, "white", region="eye")
    b.dome((-0.05, 0, 0.16), (0.565, 0.022, tall + 0.008), DARK, region="torso")
    parts = [white, *_feelers(b, 0.56, 0.32, 0.24)]
    for px, angle in ((0.16, 40), (-0.18, 48), (-0.4, 30)):
        lean = math.radians(angle)
        y = 0.48 * math.cos(lean)
        share = math.sqrt(max(0.05, 1 - ((px + 0.05) / 0.56) ** 2))
        spot = (px, y * share, 0.16 + tall * math.sin(lean) * share)
        parts.append(b.ball(spot, 0.085, DARK, region="spot"))
    for px, ahead in ((0.25, 0.16), (-0.05, 0.0), (-0.32, -0.16)):
        parts += _bent_leg(b, px, 0.36, 0.14, 0.3, ahead)
    b.mirror(*parts)


def _butterfly(b: Builder) -> None:
    """Four wide wings that rise to both sides of a thin body, with spots at their edges."""
    b.capsule((-0.28, 0, 0.0), (0.16, 0, 0.04), 0.06, DARK, region="torso")
    b.ball((0.24, 0, 0.07), 0.085, DARK, region="head")
    lift = b.vary(18, 34)
    c, s = math.cos(math.radians(lift)), math.sin(math.radians(lift))
    parts = _feelers(b, 0.28, 0.12, 0.26)
    for x, out, radii, yaw in (
        (0.2, 0.42, (0.29, 0.4, 0.025), -30),
        (-0.24, 0.32, (0.25, 0.3, 0.025), 32),
    ):
        spot = (x, out * c, out * s)
        parts.append(b.ellipsoid(spot, radii, None, (lift, 0, yaw), "wing"))
        for share, size, color in ((0.02, 0.62, b.shade(1.5)), (0.0, 0.28, "yellow")):
            place = (x, (out + share) * c, (out + share) * s)
            thick = 0.028 + 0.004 * (size < 0.5)
            inner = (radii[0] * size, radii[1] * size, thick)
            parts.append(b.ellipsoid(place, inner, color, (lift, 0, yaw), "wing"))
        rim = (radii[0] * 1.1, radii[1] * 1.1, 0.018)
        parts.append(b.ellipsoid(spot, rim, DARK, (lift, 0, yaw), "wing"))
    b.mirror(*parts)


def _bee(b: Builder) -> None:
    """Round and banded, with two pairs of glassy wings, a sting and big eyes."""
    fat = b.vary(0.28, 0.33)
    b.ellipsoid((-0.08, 0, 0.4), (0.46, fat, fat), region="torso")
    for x in (-0.34, -0.12, 0.1):
        share = math.sqrt(1 - ((x + 0.08) / 0.46) ** 2)
        b.cylinder((x, 0, 0.4), fat * share * 1.03, 0.05, DARK, (0, 90, 0), "torso", 0.03)
    b.ball((0.4, 0, 0.44), 0.22, DARK, region="head")
    b.cone((-0.58, 0, 0.4), 0.06, 0.005, 0.1, DARK, (0, -90, 0), "tail")
    glass = (0.82, 0.92, 0.98)
    lift = b.vary(35, 50)
    parts = [
        b.ellipsoid((0.06, 0.3, 0.8), (0.17, 0.36, 0.02), glass, (lift, 0, 14), "wing"),
        b.ellipsoid((-0.18, 0.26, 0.74), (0.13, 0.27, 0.02), glass, (lift, 0, 40), "wing"),
        b.ball((0.53, 0.12, 0.5), 0.085, "white", region="eye"),
        b.ball((0.59, 0.13, 0.51), 0.045, "black", region="eye"),
        *_feelers(b, 0.46, 0.62, 0.2, 0.045),
    ]
    for x in (0.16, -0.04, -0.22):
        parts.append(b.capsule((x, 0.16, 0.2), (x + 0.02, 0.24, 0.02), 0.035, DARK, region="leg"))
    b.mirror(*parts)


def _spider(b: Builder) -> None:
    """A round abdomen, a smaller front with many eyes, eight long bent legs."""
    fat = b.vary(0.3, 0.36)
    b.ellipsoid((-0.34, 0, 0.42), (fat * 1.15, fat, fat * 0.95), region="torso")
    b.ellipsoid((0.14, 0, 0.36), (0.24, 0.21, 0.17), region="head")
    reach = b.vary(0.62, 0.72)
    parts = []
    for k, angle in enumerate((52, 20, -16, -52)):
        turn = math.radians(90 - angle)
        c, s = math.cos(turn), math.sin(turn)
        root = (0.12 + 0.14 * c, 0.15 * s, 0.36)
        knee = (0.12 + 0.5 * reach * c, 0.08 + 0.62 * reach * s, 0.66 - 0.02 * k)
        foot = (0.12 + 1.1 * reach * c, 0.1 + 1.2 * reach * s, 0.02)
        parts.append(b.capsule(root, knee, 0.045, region="leg"))
        parts.append(b.capsule(knee, foot, 0.035, region="leg"))
    for y, z, r in ((0.06, 0.44, 0.05), (0.15, 0.42, 0.04), (0.05, 0.36, 0.035)):
        parts.append(b.ball((0.36 - 0.5 * y, y, z), r, "red", region="eye"))
    parts.append(b.cone((0.36, 0.06, 0.22), 0.01, 0.04, 0.07, "white", region="head"))
    b.mirror(*parts)


def _caterpillar(b: Builder) -> None:
    """A row of balls that arches up, many stubby feet, a face with feelers."""
    count, hump = 7, b.vary(0.1, 0.24)
    parts = []
    for k in range(count):
        x = -0.78 + 0.23 * k
        z = 0.2 + hump * math.sin(math.pi * min(k, 5) / 5) ** 2
        b.ball((x, 0, z), 0.18, None if k % 2 else b.shade(0.72), region="torso")
        if z < 0.28 or k in (0, 1, 5, 6):
            parts.append(b.ball((x, 0.1, max(0.05, z - 0.18)), 0.06, "orange", region="foot"))
    x, z = 0.8, 0.36
    b.ball((x, 0, z), 0.24, region="head")
    parts.append(b.ball((x + 0.17, 0.1, z + 0.08), 0.075, "white", region="eye"))
    parts.append(b.ball((x + 0.225, 0.11, z + 0.09), 0.04, "black", region="eye"))
    parts += _feelers(b, x, z + 0.2, 0.2, 0.055)
    b.mirror(*parts)
    b.ellipsoid((x + 0.21, 0, z - 0.08), (0.04, 0.08, 0.025), "red", region="head")


def _snail(b: Builder) -> None:
    """A soft foot that slides, eyes on stalks, and a coiled shell on its back."""
    skin = (0.88, 0.76, 0.55)
    b.capsule((-0.6, 0, 0.06), (0.5, 0, 0.1), 0.12, skin, region="foot")
    b.capsule((0.44, 0, 0.1), (0.62, 0, 0.4), 0.125, skin, region="head")
    b.ball((0.64, 0, 0.42), 0.15, skin, region="head")
    stalk = b.capsule((0.66, 0.07, 0.5), (0.74, 0.13, 0.76), 0.03, skin, region="head")
    eye = b.ball((0.75, 0.135, 0.79), 0.06, "black", region="eye")
    horn = b.capsule((0.74, 0.06, 0.4), (0.86, 0.1, 0.36), 0.025, skin, region="head")
    b.mirror(stalk, eye, horn)
    r = b.vary(0.38, 0.43)
    x, z = -0.12, 0.16 + r
    b.cylinder((x, 0, z), r, 0.2, None, (90, 0, 0), "torso", 0.18)
    turns = [(2.6 * k / 22, r * (0.98 - 0.86 * k / 22)) for k in range(23)]
    spiral = [
        (x + q * math.cos(2 * math.pi * t), 0.16, z + q * math.sin(2 * math.pi * t))
        for t, q in turns
    ]
    lines = [
        b.capsule(
            (p[0], p[1] + 0.025 * i / 22, p[2]),
            (q[0], q[1] + 0.025 * i / 22, q[2]),
            0.045,
            b.shade(0.5),
        )
        for i, (p, q) in enumerate(itertools.pairwise(spiral))
    ]
    b.mirror(*lines)


INSECTS: tuple[Kind, ...] = (
    animal("beetle", ("beetle", "ladybug", "bug"), "red", _beetle, patterned=False, wears=False),
    animal("butterfly", ("butterfly", "moth"), "orange", _butterfly, wears=False),
    animal("bee", ("bee", "bumblebee", "wasp"), "yellow", _bee, patterned=False, wears=False),
    animal("spider", ("spider", "tarantula"), "black", _spider, wears=False),
    animal("caterpillar", ("caterpillar",), "green", _caterpillar, wears=False),
    animal("snail", ("snail",), "brown", _snail, wears=False),
)
