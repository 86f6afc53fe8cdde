"""Dragons, dinosaurs, reptiles and the frog."""

import itertools
import math

from uni3d.toybox.kinds.kind import Kind, animal
from uni3d.toybox.shapes import Builder

__all__ = ["REPTILES"]

BONE = (0.95, 0.9, 0.75)


def _chain(b: Builder, points, radii, color=None, region: str = "tail") -> None:
    """Capsules through the points `(x, y, z)`; each has the mean radius of its two ends."""
    ends = itertools.pairwise(zip(points, radii, strict=True))
    for (start, r0), (end, r1) in ends:
        b.capsule(start, end, (r0 + r1) / 2, color, region=region)


def _spikes(b: Builder, points, size: float, color) -> None:
    """Cones that stand on the points `(x, z)` of the back."""
    for x, z in points:
        b.cone((x, 0, z + 0.5 * size), 0.55 * size, 0.01, 0.75 * size, color, region="spike")


def _dragon(b: Builder) -> None:
    """Four legs, raised head with horns, spread wings, spikes and an arrow at the tail's end."""
    z = 0.46
    belly = (0.95, 0.8, 0.4)
    b.ellipsoid((0, 0, z), (0.42, 0.26, 0.27), turn=(0, -12, 0), region="torso")
    b.ellipsoid((0.1, 0, z - 0.07), (0.34, 0.2, 0.22), belly, (0, -12, 0), "belly")
    tall = b.vary(0.98, 1.08)
    _chain(
        b, [(0.28, 0, z + 0.1), (0.44, 0, 0.78), (0.44, 0, tall)], (0.19, 0.15, 0.14), None, "neck"
    )
    head = (0.5, 0.0, tall + 0.06)
    b.ball(head, 0.2, region="head")
    x, _, hz = head
    b.capsule((x + 0.1, 0, hz - 0.05), (x + 0.3, 0, hz - 0.07), 0.12, region="head")
    nostril = b.ball((x + 0.38, 0.06, hz + 0.0), 0.04, b.shade(0.5), region="head")
    horn = b.capsule((x - 0.08, 0.1, hz + 0.14), (x - 0.28, 0.16, hz + 0.32), 0.045, BONE, "head")
    eye = b.ball((x + 0.13, 0.13, hz + 0.09), 0.06, "yellow", region="eye")
    pupil = b.ball((x + 0.17, 0.155, hz + 0.1), 0.032, "black", region="eye")
    front = b.capsule((0.24, 0.17, z - 0.05), (0.3, 0.19, 0.09), 0.095, region="leg")
    back = b.ellipsoid((-0.26, 0.2, 0.3), (0.19, 0.11, 0.21), region="leg")
    feet = [b.ellipsoid((px, 0.2, 0.06), (0.15, 0.1, 0.07), region="foot") for px in (0.35, -0.2)]
    rise = b.vary(34, 54)
    lean = math.radians(rise)
    root = (-0.02, 0.15, z + 0.2)
    wrist = (-0.05, 0.15 + 0.62 * math.cos(lean), z + 0.2 + 0.62 * math.sin(lean))
    bones = [b.capsule(root, wrist, 0.045, region="wing")]
    for k in range(3):
        end = (-0.42 + 0.08 * k, wrist[1] + 0.2 - 0.32 * k, wrist[2] - 0.18 - 0.1 * k)
        middle = [(p + q) / 2 for p, q in zip(wrist, end, strict=True)]
        bones.append(b.capsule(wrist, end, 0.026, region="wing"))
        skin = (middle[0] + 0.08, middle[1] - 0.13, middle[2] - 0.02)
        bones.append(b.ellipsoid(skin, (0.22, 0.2, 0.022), belly, (rise, 0, 0), "wing"))
    inner = ((root[0] - 0.12), (root[1] + wrist[1]) / 2, (root[2] + wrist[2]) / 2 - 0.03)
    bones.append(b.ellipsoid(inner, (0.22, 0.36, 0.022), belly, (rise, 0, 0), "wing"))
    b.mirror(nostril, horn, eye, pupil, front, back, *feet, *bones)
    sway = b.vary(-0.15, 0.15)
    tail = [(-0.32, 0, z - 0.04), (-0.58, 0, 0.26), (-0.84, sway, 0.2), (-1.05, sway, 0.36)]
    _chain(b, tail, (0.19, 0.14, 0.1, 0.06))
    b.cone((-1.1, sway, 0.46), 0.11, 0.01, 0.12, "red", (0, -25, 0), "tail")
    back_line = ((0.3, tall), (0.26, 0.82), (0.1, 0.74), (-0.1, 0.71), (-0.3, 0.6), (-0.5, 0.42))
    _spikes(b, back_line, 0.13, "red")
    b.anchor("head", head, 0.21)
    b.anchor("neck", (0.45, 0, tall - 0.12), 0.17)
    b.anchor("torso", (0, 0, z), 0.27)
    b.anchor("back", (-0.05, 0, z + 0.27), 0.22)
    b.anchor("chest", (0.1, 0.25, z), 0.2)
    b.anchor("eyes", (x + 0.2, 0, hz + 0.09), 0.11)


def _dinosaur(b: Builder) -> None:
    """A tyrannosaur: big head with teeth, tiny arms, two strong legs, a heavy tail."""
    z = b.vary(0.66, 0.72)
    pale = b.shade(1.45)
    b.ellipsoid((0, 0, z), (0.4, 0.26, 0.29), turn=(0, -28, 0), region="torso")
    b.ellipsoid((0.1, 0, z - 0.06), (0.32, 0.21, 0.22), pale, (0, -30, 0), "belly")
    head = (0.5, 0.0, z + 0.5)
    b.capsule((0.22, 0, z + 0.14), (0.42, 0, z + 0.44), 0.19, region="neck")
    b.ball(head, 0.24, region="head")
    x, _, hz = head
    b.box((x + 0.22, 0, hz + 0.01), (0.26, 0.18, 0.12), region="head", rounding=0.09)
    gape = b.vary(8, 18)
    b.box((x + 0.18, 0, hz - 0.19), (0.24, 0.15, 0.06), None, (0, gape, 0), "head", 0.05)
    b.box((x + 0.16, 0, hz - 0.13), (0.22, 0.13, 0.05), (0.7, 0.15, 0.2), region="head")
    nostril = b.ball((x + 0.44, 0.08, hz + 0.08), 0.03, "black", region="head")
    white = b.ball((x + 0.12, 0.17, hz + 0.13), 0.075, "white", region="eye")
    pupil = b.ball((x + 0.16, 0.215, hz + 0.14), 0.045, "black", region="eye")
    teeth = [
        b.cone((x + 0.16 + 0.09 * k, 0.145, hz - 0.14), 0.005, 0.035, 0.05, "white", region="head")
        for k in range(4)
    ]
    arm = b.capsule((0.3, 0.2, z + 0.08), (0.46, 0.22, z - 0.04), 0.055, region="arm")
    hand = b.capsule((0.46, 0.22, z - 0.04), (0.52, 0.21, z + 0.02), 0.045, region="arm")
    thigh = b.ellipsoid((-0.04, 0.24, z - 0.18), (0.19, 0.13, 0.27), turn=(0, -12, 0), region="leg")
    shin = b.capsule((-0.04, 0.26, 0.34), (-0.08, 0.26, 0.1), 0.09, region="leg")
    foot = b.ellipsoid((0.06, 0.26, 0.06), (0.22, 0.13, 0.07), region="foot")
    claws = [b.ball((0.27, 0.2 + 0.06 * k, 0.04), 0.035, BONE, region="foot") for k in range(3)]
    b.mirror(nostril, white, pupil, *teeth, arm, hand, thigh, shin, foot, *claws)
    end = b.vary(-0.05, 0.12)
    tail = [(-0.25, 0, z - 0.1), (-0.55, 0, 0.44), (-0.85, 0, 0.34), (-1.15, 0, 0.36 + end)]
    _chain(b, tail, (0.24, 0.17, 0.11, 0.05))
    ridge = (
        (0.22, z + 0.34),
        (0.04, z + 0.24),
        (-0.16, z + 0.12),
        (-0.36, z - 0.03),
        (-0.56, 0.56),
    )
    _spikes(b, ridge, 0.1, b.shade(0.6))
    b.anchor("head", head, 0.26)
    b.anchor("neck", (0.36, 0, z + 0.3), 0.21)
    b.anchor("torso", (0, 0, z), 0.3)
    b.anchor("back", (-0.32, 0, z + 0.18), 0.24)
    b.anchor("chest", (0.36, 0, z), 0.2)
    b.anchor("eyes", (x + 0.24, 0, hz + 0.14), 0.17)


def _frog(b: Builder) -> None:
    """Sitting: wide mouth, eyes on top, folded hind legs, splayed toes."""
    wide = b.vary(0.36, 0.41)
    b.ellipsoid((-0.08, 0, 0.36), (0.42, wide, 0.28), turn=(0, -25, 0), region="torso")
    b.ellipsoid((0.06, 0, 0.3), (0.3, wide * 0.82, 0.25), b.shade(1.7), (0, -25, 0), "belly")
    head = (0.2, 0.0, 0.6)
    b.ellipsoid(head, (0.32, wide * 0.98, 0.22), region="head")
    b.ellipsoid((0.26, 0, 0.54), (0.275, wide * 0.88, 0.035), (0.35, 0.08, 0.08), region="head")
    b.ellipsoid((0.22, 0, 0.47), (0.29, wide * 0.9, 0.1), b.shade(1.7), region="head")
    bump = b.ball((0.18, 0.22, 0.8), 0.13, region="head")
    white = b.ball((0.24, 0.245, 0.82), 0.1, "white", region="eye")
    pupil = b.ball((0.32, 0.27, 0.83), 0.055, "black", region="eye")
    nostril = b.ball((0.5, 0.06, 0.64), 0.02, "black", region="head")
    thigh = b.ellipsoid(
        (-0.2, wide * 1.02, 0.26), (0.32, 0.13, 0.2), turn=(0, -28, 12), region="leg"
    )
    shin = b.capsule((0.08, wide * 1.2, 0.32), (-0.26, wide * 1.25, 0.08), 0.08, region="leg")
    fore = b.capsule((0.24, wide * 0.75, 0.36), (0.34, wide * 0.95, 0.07), 0.08, region="arm")
    toes = []
    for px, py, angles in ((-0.1, wide * 1.3, (0, 28, 56)), (0.36, wide * 0.98, (-25, 5, 35))):
        for angle in angles:
            turn = math.radians(angle)
            end = (px + 0.22 * math.cos(turn), py + 0.22 * math.sin(turn), 0.045)
            toes.append(b.capsule((px - 0.1, py, 0.05), end, 0.04, region="foot"))
    b.mirror(bump, white, pupil, nostril, thigh, shin, fore, *toes)
    b.anchor("head", (0.18, 0, 0.66), 0.29)
    b.anchor("neck", (0.12, 0, 0.42), 0.36)
    b.anchor("torso", (-0.08, 0, 0.36), 0.38)
    b.anchor("back", (-0.28, 0, 0.58), 0.28)
    b.anchor("chest", (0.02, wide, 0.36), 0.24)
    b.anchor("eyes", (0.34, 0, 0.83), 0.24)


def _lizard(b: Builder) -> None:
    """Low and long: four bent legs sprawled to the sides, a tail as long as the rest."""
    b.ellipsoid((0, 0, 0.22), (0.42, 0.23, 0.17), region="torso")
    b.ellipsoid((0.44, 0, 0.26), (0.18, 0.15, 0.13), region="neck")
    b.ellipsoid((0.62, 0, 0.3), (0.23, 0.19, 0.14), region="head")
    parts = [b.ball((0.68, 0.13, 0.4), 0.06, "black", region="eye")]
    for px, way in ((0.28, 1), (-0.28, -1)):
        knee = (px + 0.1 * way, 0.36, 0.22)
        foot = (px + 0.2 * way, 0.44, 0.03)
        parts.append(b.capsule((px, 0.12, 0.2), knee, 0.08, region="leg"))
        parts.append(b.capsule(knee, foot, 0.065, region="leg"))
        for angle in (-40, 0, 40):
            turn = math.radians(angle + 30)
            end = (foot[0] + 0.12 * math.cos(turn), foot[1] + 0.12 * math.sin(turn), 0.03)
            parts.append(b.capsule(foot, end, 0.028, region="foot"))
    b.mirror(*parts)
    sway = b.vary(0.12, 0.3)
    tail = [(-0.34, 0, 0.19), (-0.6, 0.08, 0.13), (-0.78, -sway / 2, 0.1), (-0.95, -sway, 0.07)]
    _chain(b, tail, (0.16, 0.12, 0.08, 0.03))
    for k in range(7):
        b.cone((0.42 - 0.14 * k, 0, 0.42 - 0.004 * k * k), 0.06, 0.01, 0.07, b.shade(0.6))
    b.capsule((0.82, 0, 0.23), (0.98, 0, 0.21), 0.02, "red", region="head")


def _crocodile(b: Builder) -> None:
    """Long flat snout with teeth, scutes along the back, short legs and a strong tail."""
    b.ellipsoid((-0.05, 0, 0.24), (0.5, 0.25, 0.18), region="torso")
    b.ellipsoid((0.0, 0, 0.17), (0.46, 0.2, 0.13), b.shade(1.6), region="belly")
    b.ellipsoid((0.5, 0, 0.27), (0.22, 0.19, 0.15), region="head")
    snout = b.vary(0.23, 0.28)
    tip = 0.6 + 2 * snout
    b.box((0.58 + snout, 0, 0.29), (snout, 0.13, 0.055), region="head", rounding=0.05)
    b.box((0.58 + snout, 0, 0.15), (snout * 0.96, 0.12, 0.04), None, (0, 4, 0), "head", 0.035)
    b.box((0.58 + snout, 0, 0.22), (snout * 0.9, 0.1, 0.04), (0.75, 0.25, 0.25), region="head")
    parts = [
        b.cone((0.72 + k * 0.11, 0.115, 0.225), 0.025, 0.005, 0.04, "white", (180, 0, 0), "head")
        for k in range(int((tip - 0.72) / 0.11))
    ]
    parts.append(b.ball((0.52, 0.12, 0.4), 0.085, region="head"))
    parts.append(b.ball((0.56, 0.145, 0.42), 0.06, "yellow", region="eye"))
    parts.append(b.ball((0.6, 0.165, 0.43), 0.035, "black", region="eye"))
    parts.append(b.ball((tip - 0.08, 0.06, 0.35), 0.04, region="head"))
    for px in (0.26, -0.34):
        parts.append(b.capsule((px, 0.2, 0.2), (px + 0.06, 0.32, 0.07), 0.085, region="leg"))
        parts.append(b.ellipsoid((px + 0.12, 0.34, 0.04), (0.13, 0.09, 0.045), region="foot"))
    b.mirror(*parts)
    sway = b.vary(-0.2, 0.2)
    tail = [(-0.42, 0, 0.22), (-0.75, 0, 0.17), (-0.95, sway / 2, 0.13), (-1.12, sway, 0.1)]
    _chain(b, tail, (0.18, 0.14, 0.09, 0.04))
    for k in range(6):
        for y in (-0.09, 0.09):
            b.cone((0.28 - 0.14 * k, y, 0.42), 0.055, 0.01, 0.05, b.shade(0.6), region="spike")
    _spikes(b, ((-0.6, 0.34), (-0.76, 0.3), (-0.92, 0.24)), 0.09, b.shade(0.6))
    b.anchor("head", (0.46, 0, 0.33), 0.18)
    b.anchor("neck", (0.34, 0, 0.25), 0.2)
    b.anchor("torso", (-0.05, 0, 0.24), 0.25)
    b.anchor("back", (-0.1, 0, 0.44), 0.22)
    b.anchor("chest", (0.0, 0.24, 0.26), 0.2)
    b.anchor("eyes", (0.62, 0, 0.42), 0.13)


def _snake(b: Builder) -> None:
    """A coil with the head raised from its middle, and a forked tongue."""
    wide = b.vary(0.4, 0.46)
    b.torus((0, 0, 0.12), wide, 0.13, region="torso")
    b.torus((0, 0, 0.32), wide * 0.72, 0.12, region="torso")
    neck = [(-0.28, 0, 0.4), (-0.12, 0, 0.62), (0.06, 0, 0.8), (0.1, 0, b.vary(0.95, 1.08))]
    _chain(b, neck, (0.12, 0.115, 0.11, 0.1), None, "neck")
    head = (0.2, 0.0, neck[-1][2] + 0.07)
    b.ellipsoid(head, (0.23, 0.17, 0.125), region="head")
    b.mirror(b.ball((0.3, 0.12, head[2] + 0.06), 0.05, "yellow", region="eye"))
    b.ball((0.3, 0.12, head[2] + 0.06), 0.05, "yellow", region="eye")
    b.mirror(b.ball((0.33, 0.14, head[2] + 0.07), 0.028, "black", region="eye"))
    b.ball((0.33, 0.14, head[2] + 0.07), 0.028, "black", region="eye")
    b.capsule((0.4, 0, head[2] - 0.03), (0.54, 0, head[2] - 0.05), 0.02, "red", region="head")
    fork = b.capsule((0.54, 0, head[2] - 0.05), (0.62, 0.06, head[2] - 0.03), 0.016, "red", "head")
    b.mirror(fork)
    tail = [(0.05, -wide, 0.1), (-0.35, -wide - 0.12, 0.08), (-0.68, -wide + 0.02, 0.06)]
    _chain(b, tail, (0.12, 0.08, 0.03))


REPTILES: tuple[Kind, ...] = (
    animal("dragon", ("dragon",), "green", _dragon),
    animal("dinosaur", ("dinosaur", "tyrannosaurus"), "green", _dinosaur),
    animal("frog", ("frog", "toad"), "green", _frog),
    animal("lizard", ("lizard", "gecko"), "green", _lizard, wears=False),
    animal("crocodile", ("crocodile", "alligator"), "green", _crocodile),
    animal("snake", ("snake", "cobra"), "yellow", _snake, wears=False),
)
