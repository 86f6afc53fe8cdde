"""Birds: a body with a beak, wings and a tail; what differs is the neck, the legs and the tail."""

import itertools
import math

from uni3d.toybox.kinds.kind import Kind, animal
from uni3d.toybox.shapes import Builder

__all__ = ["BIRDS"]

BEAK = (0.96, 0.62, 0.1)


def _anchors(b: Builder, head, radius, torso, girth, neck=None, ring=None, lying=True) -> None:
    """Places of things worn; a lying body carries things on top, an upright one behind."""
    x, _, z = head
    tx, _, tz = torso
    b.anchor("head", head, radius)
    b.anchor("neck", neck or (x - 0.1 * radius, 0, z - 0.85 * radius), ring or 0.8 * radius)
    b.anchor("torso", torso, girth)
    if lying:
        b.anchor("back", (tx - 0.1, 0, tz + 0.95 * girth), 0.8 * girth)
        b.anchor("chest", (tx + 0.1, girth, tz), 0.8 * girth)
    else:
        b.anchor("back", (tx - girth, 0, tz + 0.1), 0.85 * girth)
        b.anchor("chest", (tx + 0.95 * girth, 0, tz + 0.05), 0.75 * girth)
    b.anchor("eyes", (x + 0.86 * radius, 0, z + 0.2 * radius), 0.42 * radius)


def _eyes(b: Builder, head, r: float, size: float = 0.2, white: bool = False) -> None:
    x, _, z = head
    if white:
        b.mirror(b.ball((x + 0.66 * r, 0.54 * r, z + 0.24 * r), 1.8 * size * r, "white", "eye"))
        b.ball((x + 0.66 * r, 0.54 * r, z + 0.24 * r), 1.8 * size * r, "white", "eye")
    out = 0.16 * r if white else 0.0
    spot = (x + 0.7 * r + out, 0.56 * r + out, z + 0.25 * r)
    b.mirror(b.ball(spot, size * r, "black", region="eye"))
    b.ball(spot, size * r, "black", region="eye")


def _legs(b: Builder, x: float, y: float, top: float, color, radius: float = 0.04) -> None:
    """Two thin legs with three toes in front and one behind."""
    parts = [b.capsule((x, y, top), (x, y, 0.04), radius, color, region="shank")]
    for angle in (-35, 0, 35, 180):
        turn = math.radians(angle)
        end = (x + 0.15 * math.cos(turn), y + 0.15 * math.sin(turn), 0.03)
        parts.append(b.capsule((x, y, 0.04), end, 0.75 * radius, color, region="foot"))
    b.mirror(*parts)


def _bird(b: Builder) -> None:
    """A small song bird: round, short beak, tail stretched behind."""
    plump = b.vary(0.29, 0.33)
    z = 0.22 + plump
    b.ellipsoid((0, 0, z), (0.42, plump, plump), turn=(0, -22, 0), region="torso")
    b.ellipsoid((0.12, 0, z - 0.06), (0.3, 0.25, 0.25), b.shade(1.6), (0, -22, 0), "belly")
    head = (0.3, 0.0, z + 0.36)
    b.ball(head, 0.24, region="head")
    b.cone((0.6, 0, z + 0.33), 0.085, 0.01, 0.12, BEAK, turn=(0, 90, 0), region="head")
    _eyes(b, head, 0.24, 0.19)
    wing = b.ellipsoid(
        (-0.1, plump * 0.92, z + 0.02), (0.32, 0.07, 0.18), b.shade(0.7), (0, -20, 6)
    )
    wing.region = "arm"
    b.mirror(wing)
    long = b.vary(0.22, 0.28)
    b.ellipsoid((-0.5, 0, z - 0.1), (long, 0.13, 0.05), b.shade(0.7), (0, -18, 0), "tail")
    _legs(b, 0.05, 0.13, z - 0.2, BEAK)
    _anchors(b, head, 0.24, (0, 0, z), plump)


def _parrot(b: Builder) -> None:
    """Upright, hooked beak, wings of three colours and a long tail that hangs down."""
    tall = b.vary(0.42, 0.48)
    z = 0.5 + tall * 0.5
    b.ellipsoid((0, 0, z), (0.25, 0.26, tall), turn=(0, 14, 0), region="torso")
    head = (0.16, 0.0, z + tall + 0.06)
    b.ball(head, 0.25, region="head")
    x, _, hz = head
    face = b.ellipsoid((x + 0.14, 0.13, hz), (0.1, 0.11, 0.13), "white", region="head")
    b.ellipsoid((x + 0.25, 0, hz + 0.02), (0.15, 0.09, 0.12), (0.15, 0.14, 0.14), region="head")
    b.cone((x + 0.34, 0, hz - 0.1), 0.01, 0.07, 0.1, (0.15, 0.14, 0.14), (0, 12, 0), "head")
    wing = b.ellipsoid((-0.08, 0.25, z + 0.05), (0.15, 0.08, 0.34), "yellow", (4, 18, 0), "arm")
    low = b.ellipsoid((-0.16, 0.25, z - 0.16), (0.12, 0.085, 0.32), "blue", (4, 24, 0), "arm")
    eye = b.ball((x + 0.21, 0.17, hz + 0.04), 0.035, "black", region="eye")
    foot = b.ellipsoid((0.06, 0.11, 0.42), (0.12, 0.07, 0.06), "gray", region="foot")
    b.mirror(face, wing, low, eye, foot)
    drop = b.vary(0.44, 0.52)
    b.ellipsoid((-0.26, 0, 0.42), (0.07, 0.11, drop), turn=(0, 20, 0), region="tail")
    b.mirror(b.ellipsoid((-0.3, 0.07, 0.38), (0.05, 0.06, drop * 0.9), "blue", (0, 22, 0), "tail"))
    b.ellipsoid((-0.3, 0.07, 0.38), (0.05, 0.06, drop * 0.9), "blue", (0, 22, 0), "tail")
    b.cylinder((0.04, 0, 0.36), 0.06, 0.45, "brown", turn=(90, 0, 0), region="perch")
    _anchors(b, head, 0.25, (0, 0, z), 0.27, lying=False)


def _flamingo(b: Builder) -> None:
    leg = b.vary(0.62, 0.72)
    z = leg + 0.2
    b.ellipsoid((0, 0, z), (0.36, 0.22, 0.22), turn=(0, -8, 0), region="torso")
    b.cone((-0.4, 0, z - 0.02), 0.14, 0.02, 0.14, None, (0, -100, 0), "tail")
    wing = b.ellipsoid((-0.06, 0.2, z + 0.02), (0.28, 0.06, 0.15), b.shade(0.8), region="arm")
    pale = (0.98, 0.5, 0.6)
    spine = [(0.28, z + 0.05), (0.46, z + 0.14), (0.5, z + 0.3), (0.36, z + 0.46), (0.34, z + 0.62)]
    for (x0, z0), (x1, z1) in itertools.pairwise(spine):
        b.capsule((x0, 0, z0), (x1, 0, z1), 0.075, region="head")
    top = z + 0.68 + b.vary(0, 0.05)
    head = (0.4, 0.0, top)
    b.capsule((0.34, 0, z + 0.6), head, 0.08, region="head")
    b.ball(head, 0.135, region="head")
    b.capsule((0.48, 0, top - 0.02), (0.6, 0, top - 0.08), 0.065, "white", region="head")
    b.capsule((0.61, 0, top - 0.09), (0.62, 0, top - 0.2), 0.055, "black", region="head")
    b.mirror(b.ball((0.46, 0.11, top + 0.03), 0.035, "black", region="eye"))
    b.ball((0.46, 0.11, top + 0.03), 0.035, "black", region="eye")
    b.capsule((0.02, 0.08, z - 0.15), (-0.02, 0.08, 0.04), 0.04, pale, region="shank")
    b.ball((0, 0.08, z * 0.5), 0.06, pale, region="shank")
    b.ellipsoid((0.06, 0.08, 0.03), (0.14, 0.09, 0.03), pale, region="foot")
    knee = (0.14, -0.08, z * 0.52)
    b.capsule((0.02, -0.08, z - 0.15), knee, 0.04, pale, region="shank")
    b.capsule(knee, (-0.2, -0.08, z * 0.48), 0.04, pale, region="shank")
    b.mirror(wing)
    _anchors(b, head, 0.14, (0, 0, z), 0.23, neck=(0.34, 0, z + 0.54), ring=0.1)


def _eagle(b: Builder) -> None:
    """White head, hooked yellow beak, wings spread, strong talons."""
    z = 0.62
    b.ellipsoid((0, 0, z), (0.27, 0.25, 0.4), turn=(0, 18, 0), region="torso")
    head = (0.16, 0.0, z + b.vary(0.42, 0.47))
    b.ball(head, 0.21, "white", region="head")
    b.ellipsoid((0.1, 0, z + 0.3), (0.2, 0.19, 0.15), "white", region="head")
    x, _, hz = head
    b.capsule((x + 0.18, 0, hz - 0.01), (x + 0.3, 0, hz - 0.03), 0.075, "yellow", region="head")
    b.cone((x + 0.36, 0, hz - 0.12), 0.01, 0.06, 0.09, "yellow", (0, 8, 0), "head")
    _eyes(b, head, 0.21, 0.16)
    rise = b.vary(14, 32)
    parts = [
        b.ellipsoid((-0.02, 0.42, z + 0.2), (0.2, 0.32, 0.07), None, (rise, 0, 0), "wing"),
    ]
    lift = math.sin(math.radians(rise))
    for k in range(4):
        angle = 8 + 16 * k
        spot = (-0.12 - 0.05 * k, 0.78 - 0.13 * k, z + 0.24 + (0.38 - 0.13 * k) * lift)
        parts.append(
            b.ellipsoid(spot, (0.075, 0.3, 0.03), b.shade(0.65), (rise, 0, angle + 8), "wing")
        )
    thigh = b.ellipsoid((0.02, 0.15, 0.34), (0.12, 0.11, 0.2), region="leg")
    b.mirror(*parts, thigh)
    for angle in (-18, 0, 18):
        b.ellipsoid((-0.32, 0, 0.25), (0.05, 0.09, 0.25), "white", (angle, 35, 0), "tail")
    _legs(b, 0.04, 0.15, 0.22, "yellow", 0.05)
    _anchors(b, head, 0.22, (0, 0, z), 0.27, lying=False)


def _swan(b: Builder) -> None:
    """Afloat: a boat of a body, raised wings, and the long S of the neck."""
    b.ellipsoid((-0.02, 0, 0.26), (0.52, 0.31, 0.26), region="torso")
    b.cone((-0.52, 0, 0.42), 0.17, 0.02, 0.16, None, (0, -62, 0), "tail")
    up = b.vary(0.38, 0.44)
    wing = b.ellipsoid((-0.12, 0.26, up), (0.4, 0.1, 0.22), turn=(-12, 14, 8), region="arm")
    b.mirror(wing)
    tall = b.vary(0.95, 1.05)
    spine = [(0.36, 0.3), (0.52, 0.44), (0.5, 0.62), (0.4, 0.78), (0.4, tall - 0.05), (0.5, tall)]
    for (x0, z0), (x1, z1) in itertools.pairwise(spine):
        b.capsule((x0, 0, z0), (x1, 0, z1), 0.1, region="head")
    head = (0.52, 0.0, tall)
    b.ball(head, 0.14, region="head")
    b.cone((0.72, 0, tall - 0.05), 0.08, 0.03, 0.11, "orange", turn=(0, 98, 0), region="head")
    b.ball((0.65, 0, tall + 0.03), 0.055, "black", region="head")
    b.mirror(b.ball((0.6, 0.1, tall + 0.03), 0.035, "black", region="eye"))
    b.ball((0.6, 0.1, tall + 0.03), 0.035, "black", region="eye")
    _anchors(b, head, 0.16, (0, 0, 0.28), 0.31, neck=(0.4, 0, tall - 0.18), ring=0.13)


def _chicken(b: Builder) -> None:
    plump = b.vary(0.3, 0.34)
    z = 0.28 + plump
    b.ellipsoid((0, 0, z), (0.42, plump, plump), region="torso")
    head = (0.36, 0.0, z + b.vary(0.4, 0.46))
    b.capsule((0.24, 0, z + 0.08), head, 0.19, region="neck")
    b.ball(head, 0.2, region="head")
    x, _, hz = head
    for k, r in enumerate((0.075, 0.095, 0.075)):
        b.ball((x + 0.1 - 0.1 * k, 0, hz + 0.22), r, "red", region="head")
    b.cone((x + 0.25, 0, hz), 0.075, 0.01, 0.1, BEAK, turn=(0, 95, 0), region="head")
    b.mirror(b.ellipsoid((x + 0.19, 0.04, hz - 0.15), (0.05, 0.045, 0.09), "red", region="head"))
    b.ellipsoid((x + 0.19, 0.04, hz - 0.15), (0.05, 0.045, 0.09), "red", region="head")
    _eyes(b, head, 0.2, 0.18)
    wing = b.ellipsoid(
        (-0.06, plump * 0.95, z), (0.27, 0.07, 0.17), b.shade(0.8), (0, 12, 0), "arm"
    )
    b.mirror(wing)
    for angle in (-50, -30, -10):
        turn = math.radians(-angle)
        spot = (-0.4 - 0.13 * math.sin(turn), 0, z + 0.14 + 0.2 * math.cos(turn))
        b.ellipsoid(spot, (0.1, 0.07, 0.25), b.shade(0.85), (0, angle, 0), "tail")
    _legs(b, 0.02, 0.15, z - 0.25, BEAK, 0.045)
    _anchors(b, head, 0.21, (0, 0, z), plump, neck=(0.31, 0, z + 0.22), ring=0.2)


def _peacock(b: Builder) -> None:
    """A blue bird before the open fan of its tail, with an eye on every feather."""
    b.ellipsoid((0.08, 0, 0.5), (0.3, 0.19, 0.22), turn=(0, -20, 0), region="torso")
    tall = b.vary(0.98, 1.06)
    b.capsule((0.26, 0, 0.58), (0.34, 0, tall), 0.095, region="neck")
    head = (0.36, 0.0, tall + 0.04)
    b.ball(head, 0.13, region="head")
    b.cone((0.53, 0, tall + 0.02), 0.05, 0.01, 0.08, BEAK, turn=(0, 95, 0), region="head")
    for angle in (-25, 0, 25):
        turn = math.radians(angle)
        end = (0.34, 0.2 * math.sin(turn), tall + 0.12 + 0.2 * math.cos(turn))
        b.capsule((0.34, 0, tall + 0.12), end, 0.015, region="head")
        b.ball(end, 0.035, region="head")
    _eyes(b, head, 0.13, 0.2)
    green, wide = (0.08, 0.5, 0.3), b.vary(0.75, 0.85)
    for k in range(9):
        angle = math.radians(-88 + 22 * k)
        up = (math.sin(angle), math.cos(angle))
        spot = (-0.16, 0.5 * wide * up[0], 0.48 + 0.5 * wide * up[1])
        b.ellipsoid(spot, (0.04, 0.14, 0.56 * wide), green, (-math.degrees(angle), 0, 0), "tail")
        for r, color, depth in ((0.1, BEAK, 0.05), (0.065, "blue", 0.06)):
            eye = (-0.16, 0.9 * wide * up[0], 0.48 + 0.9 * wide * up[1])
            b.ellipsoid(eye, (depth, r, r), color, region="tail")
    _legs(b, 0.1, 0.1, 0.4, "gray")
    _anchors(b, head, 0.14, (0.08, 0, 0.5), 0.22, neck=(0.33, 0, tall - 0.12), ring=0.12)


def _owl(b: Builder) -> None:
    tall = b.vary(0.44, 0.5)
    b.ellipsoid((0, 0, tall), (0.32, 0.34, tall), region="torso")
    b.ellipsoid((0.1, 0, tall * 0.85), (0.26, 0.26, tall * 0.7), b.shade(1.5), region="belly")
    z = tall * 1.75
    b.ellipsoid((0.02, 0, z), (0.3, 0.35, 0.29), region="head")
    disc = b.cylinder((0.24, 0.15, z + 0.03), 0.16, 0.07, b.shade(1.6), (0, 80, 15), "head")
    iris = b.ball((0.28, 0.15, z + 0.04), 0.095, "yellow", region="eye")
    pupil = b.ball((0.35, 0.16, z + 0.05), 0.05, "black", region="eye")
    tuft = b.cone((0.04, 0.24, z + 0.3), 0.1, 0.01, 0.14, None, (-28, 0, 0), "head")
    wing = b.ellipsoid(
        (-0.03, 0.34, tall * 0.95), (0.2, 0.08, 0.36), b.shade(0.7), (-6, 0, 0), "arm"
    )
    b.mirror(disc, iris, pupil, tuft, wing)
    b.cone((0.36, 0, z - 0.07), 0.02, 0.06, 0.08, BEAK, turn=(0, -20, 0), region="head")
    for k in range(2):
        toe = b.ball((0.2, 0.1 + 0.09 * k, 0.05), 0.06, BEAK, region="foot")
        b.mirror(toe)
    b.ellipsoid((-0.26, 0, 0.1), (0.09, 0.14, 0.2), b.shade(0.7), (0, 30, 0), "tail")
    _anchors(
        b, (0.02, 0, z), 0.31, (0, 0, tall), 0.33, neck=(0, 0, z - 0.26), ring=0.31, lying=False
    )


BIRDS: tuple[Kind, ...] = (
    animal("bird", ("bird", "sparrow", "robin"), "blue", _bird),
    animal("parrot", ("parrot", "macaw"), "red", _parrot),
    animal("flamingo", ("flamingo",), "pink", _flamingo),
    animal("eagle", ("eagle", "hawk", "falcon"), "brown", _eagle),
    animal("swan", ("swan",), "white", _swan),
    animal("chicken", ("chicken", "hen", "rooster"), "white", _chicken),
    animal("peacock", ("peacock",), "blue", _peacock, patterned=False),
    animal("owl", ("owl",), "brown", _owl),
)
