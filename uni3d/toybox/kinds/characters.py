"""Characters: upright figures with a face."""

import math

from uni3d.toybox.kinds.bodies import eyes, upright
from uni3d.toybox.kinds.kind import Kind
from uni3d.toybox.shapes import Builder

__all__ = ["CHARACTERS"]


def _astronaut(b: Builder) -> None:
    body = upright(b, height=b.vary(0.36, 0.42), girth=0.31, head=0.34, feet="gray")
    x, _, z = body.head
    b.ellipsoid((x + 0.14, 0, z), (0.24, 0.25, 0.2), (0.07, 0.09, 0.25), region="head")
    b.torus((x, 0, z - 0.3), 0.24, 0.07, "gray", region="neck")
    b.box((-0.38, 0, body.trunk + 0.08), (0.15, 0.27, 0.32), "gray", region="back", rounding=0.05)
    b.box((0.3, 0, body.trunk + 0.08), (0.06, 0.13, 0.09), "blue", region="chest")


def _robot(b: Builder) -> None:
    wide = b.vary(0.26, 0.32)
    b.box((0, 0, 0.55), (0.22, wide, 0.28), region="torso", rounding=0.04)
    b.box((0.21, 0, 0.6), (0.03, wide * 0.6, 0.12), "black", region="chest")
    b.mirror(b.ball((0.25, 0.1, 0.62), 0.05, "red", region="chest"))
    b.ball((0.25, 0.1, 0.62), 0.05, "yellow", region="chest")
    b.cylinder((0, 0, 0.88), 0.09, 0.08, "black", region="neck")
    b.box((0.02, 0, 1.13), (0.22, 0.27, 0.2), region="head", rounding=0.04)
    b.box((0.23, 0, 1.0), (0.03, 0.15, 0.04), "black", region="head")
    eye = b.ball((0.24, 0.11, 1.18), 0.075, "yellow", region="eye")
    arm = b.capsule((0, wide + 0.09, 0.74), (0.1, wide + 0.13, 0.36), 0.075, "black", region="arm")
    hand = b.ball((0.12, wide + 0.13, 0.3), 0.11, region="arm")
    leg = b.capsule((0, 0.15, 0.3), (0, 0.15, 0.1), 0.09, "black", region="limb")
    foot = b.box((0.05, 0.15, 0.06), (0.18, 0.12, 0.07), region="foot")
    b.mirror(eye, arm, hand, leg, foot)
    b.capsule((0, 0, 1.3), (0, 0, 1.48), 0.04, "black", region="head")
    b.ball((0, 0, 1.54), 0.08, "red", region="head")
    b.anchor("head", (0.02, 0, 1.14), 0.27)
    b.anchor("neck", (0, 0, 0.88), 0.22)
    b.anchor("torso", (0, 0, 0.55), 0.3)
    b.anchor("back", (-0.22, 0, 0.6), 0.28)
    b.anchor("chest", (0.24, 0, 0.6), 0.25)
    b.anchor("eyes", (0.26, 0, 1.18), 0.11)


def _snowman(b: Builder) -> None:
    low, mid = b.vary(0.42, 0.48), b.vary(0.30, 0.35)
    b.ball((0, 0, low), low, region="torso")
    z2 = low * 2 + mid * 0.62
    b.ball((0, 0, z2), mid, region="torso")
    z3 = z2 + mid + 0.16
    b.ball((0, 0, z3), 0.25, region="head")
    b.cone((0.36, 0, z3 - 0.02), 0.07, 0.01, 0.16, "orange", turn=(0, 90, 0), region="head")
    eye = b.ball((0.21, 0.09, z3 + 0.09), 0.045, "black", region="eye")
    stick = b.capsule((0, mid * 0.85, z2), (0.05, mid + 0.36, z2 + 0.22), 0.045, "brown", "arm")
    b.mirror(eye, stick)
    for k in range(3):
        b.ball((mid * 0.96, 0, z2 + 0.14 - 0.13 * k), 0.05, "black", region="chest")
    b.anchor("head", (0, 0, z3), 0.25)
    b.anchor("neck", (0, 0, z3 - 0.2), 0.24)
    b.anchor("torso", (0, 0, z2), mid)
    b.anchor("back", (-mid, 0, z2), mid * 0.9)
    b.anchor("chest", (mid, 0, z2), mid * 0.8)
    b.anchor("eyes", (0.23, 0, z3 + 0.09), 0.09)


def _teddy_bear(b: Builder) -> None:
    tan = b.shade(1.45)
    body = upright(
        b,
        height=b.vary(0.33, 0.38),
        girth=0.33,
        head=b.vary(0.3, 0.33),
        belly=tan,
        arm=0.4,
        feet=tan,
    )
    x, _, z = body.head
    ear = b.ball((x - 0.02, 0.25, z + 0.24), 0.13, region="head")
    inner = b.ball((x + 0.07, 0.25, z + 0.24), 0.08, tan, region="head")
    b.mirror(ear, inner)
    b.ellipsoid((x + 0.25, 0, z - 0.08), (0.13, 0.15, 0.12), tan, region="head")
    b.ball((x + 0.37, 0, z - 0.03), 0.055, "black", region="head")
    eyes(b, body, 0.13)


def _ghost(b: Builder) -> None:
    tall = b.vary(0.5, 0.62)
    b.capsule((0, 0, 0.4), (0, 0, 0.4 + tall), 0.4, region="torso")
    b.cone((0, 0, 0.3), 0.5, 0.4, 0.18, region="torso")
    for k in range(6):
        angle = 1.047 * k
        b.ball((0.34 * math.cos(angle), 0.34 * math.sin(angle), 0.1), 0.17, region="torso")
    z = 0.5 + tall
    eye = b.ellipsoid((0.35, 0.15, z), (0.07, 0.08, 0.12), "black", region="eye")
    arm = b.ellipsoid((0.15, 0.42, 0.5 + tall * 0.5), (0.12, 0.17, 0.1), region="arm")
    b.mirror(eye, arm)
    b.ellipsoid((0.38, 0, z - 0.24), (0.05, 0.07, 0.09), "black", region="head")
    b.anchor("head", (0, 0, 0.42 + tall), 0.4)
    b.anchor("neck", (0, 0, 0.4 + tall * 0.4), 0.41)
    b.anchor("torso", (0, 0, 0.4 + tall * 0.4), 0.4)
    b.anchor("back", (-0.4, 0, 0.4 + tall * 0.4), 0.34)
    b.anchor("chest", (0.4, 0, 0.35 + tall * 0.3), 0.3)
    b.anchor("eyes", (0.38, 0, z), 0.15)


def _alien(b: Builder) -> None:
    body = upright(b, height=b.vary(0.28, 0.34), girth=0.22, head=0.32, arm=0.35)
    x, _, z = body.head
    b.ellipsoid((x - 0.02, 0, z + 0.12), (0.34, b.vary(0.36, 0.42), 0.32), region="head")
    eye = b.ellipsoid(
        (x + 0.27, 0.16, z + 0.08), (0.08, 0.11, 0.15), "black", turn=(25, 0, 0), region="eye"
    )
    stalk = b.capsule((x, 0.15, z + 0.35), (x, 0.26, z + 0.62), 0.04, region="head")
    bulb = b.ball((x, 0.27, z + 0.66), 0.085, "yellow", region="head")
    b.mirror(eye, stalk, bulb)


def _kind(name, words, color, build, wears=True) -> Kind:
    return Kind(name=name, words=words, category="character", color=color, build=build, wears=wears)


CHARACTERS: tuple[Kind, ...] = (
    _kind("astronaut", ("astronaut", "spaceman"), "white", _astronaut, wears=False),
    _kind("robot", ("robot", "android"), "gray", _robot),
    _kind("snowman", ("snowman",), "white", _snowman),
    _kind("teddy_bear", ("teddy bear", "teddy"), "brown", _teddy_bear),
    _kind("ghost", ("ghost", "spirit"), "white", _ghost),
    _kind("alien", ("alien", "martian"), "green", _alien),
)
