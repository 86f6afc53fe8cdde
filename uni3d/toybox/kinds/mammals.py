"""More mammals on four legs: beasts of prey, farm animals and their kin."""

import math
from typing import Any

from uni3d.toybox.kinds.bodies import Body, eyes, quadruped
from uni3d.toybox.kinds.kind import Kind, animal
from uni3d.toybox.shapes import Builder

__all__ = ["MAMMALS"]


def _ears(b: Builder, body: Body, size: float, out: float = 0.66, up: float = 0.72) -> None:
    """Two round ears with a pink inside."""
    x, _, z = body.head
    r = body.head_radius
    ear = b.ball((x - 0.05 * r, out * r, z + up * r), size, region="head")
    inner = b.ball((x + 0.5 * size, out * r, z + up * r), 0.65 * size, "pink", region="head")
    b.mirror(ear, inner)


def _pointed_ears(b: Builder, body: Body, size: float, tall: float) -> None:
    x, _, z = body.head
    r = body.head_radius
    place = (x - 0.1 * r, 0.6 * r, z + 0.8 * r + 0.3 * tall)
    b.mirror(b.cone(place, size, 0.01, tall, turn=(-15, 0, 0), region="head"))
    b.cone(place, size, 0.01, tall, turn=(-15, 0, 0), region="head")


def _tail(b: Builder, body: Body, steps, radius: float, color=None) -> None:
    """Capsules from the rump through the points `steps`, given as (back, up) from it."""
    x, z = body.rump[0] + 0.12, body.trunk + 0.05
    at = (x, 0.0, z)
    for back, up in steps:
        to = (body.rump[0] - back, 0.0, body.trunk + up)
        b.capsule(at, to, radius, color, region="tail")
        at = to


def _stripe(b: Builder, frequency: float, dark="black", plain=()) -> None:
    """Fixed stripes on the parts of the main colour, except on the regions `plain`."""
    for part in b.parts:
        if part.main and part.region not in plain:
            part.pattern, part.color2, part.frequency = 1, b.rgb(dark), frequency


def _cat_face(b: Builder, body: Body, muzzle, nose: Any = "pink") -> None:
    x, _, z = body.head
    r = body.head_radius
    cheek = b.ellipsoid(
        (x + 0.78 * r, 0.26 * r, z - 0.3 * r), (0.42 * r, 0.36 * r, 0.3 * r), muzzle, region="head"
    )
    b.mirror(cheek)
    b.ellipsoid(
        (x + 0.7 * r, 0, z - 0.55 * r), (0.36 * r, 0.3 * r, 0.24 * r), muzzle, region="head"
    )
    b.ellipsoid((x + 1.14 * r, 0, z - 0.1 * r), (0.12 * r, 0.2 * r, 0.13 * r), nose, region="head")


def _tiger(b: Builder) -> None:
    body = quadruped(
        b,
        length=b.vary(0.42, 0.48),
        leg=b.vary(0.24, 0.3),
        girth=0.23,
        head=b.vary(0.29, 0.32),
        neck=0.28,
        leg_radius=0.1,
        feet="white",
        forward=0.16,
    )
    _ears(b, body, 0.1)
    _tail(b, body, ((0.14, 0.06), (0.32, 0.22), (0.36, b.vary(0.45, 0.56))), 0.065)
    _stripe(b, b.vary(11.0, 13.0))
    b.ball((body.rump[0] - 0.36, 0, body.trunk + 0.56), 0.075, "black", region="tail")
    b.ellipsoid((0, 0, body.trunk - 0.12), (0.4, 0.17, 0.14), "white", region="belly")
    _cat_face(b, body, "white")
    eyes(b, body, 0.15)


def _lion(b: Builder) -> None:
    body = quadruped(
        b,
        length=b.vary(0.36, 0.42),
        leg=b.vary(0.26, 0.32),
        girth=0.23,
        head=0.28,
        neck=0.32,
        leg_radius=0.1,
        forward=0.18,
    )
    x, _, z = body.head
    mane, size = (0.42, 0.2, 0.06), b.vary(0.15, 0.18)
    b.ellipsoid((x - 0.12, 0, z - 0.03), (0.26, 0.4, 0.42), mane, region="head")
    for k in range(9):
        angle = 2 * math.pi * k / 9
        spot = (x + 0.02, 0.36 * math.sin(angle), z - 0.03 + 0.36 * math.cos(angle))
        b.ball(spot, size, mane, region="head")
    b.ellipsoid((x - 0.12, 0, z - 0.36), (0.2, 0.22, 0.24), mane, region="head")
    ear = b.ball((x + 0.06, 0.24, z + 0.27), 0.085, region="head")
    b.mirror(ear)
    _cat_face(b, body, (0.97, 0.88, 0.7), (0.3, 0.15, 0.1))
    eyes(b, body, 0.15)
    _tail(b, body, ((0.12, 0.02), (0.25, -0.18), (0.4, b.vary(-0.2, -0.1))), 0.045)
    b.ball((body.rump[0] - 0.45, 0, body.trunk - 0.14), 0.11, mane, region="tail")
    b.anchor("head", (x - 0.02, 0, z + 0.06), 0.38)  # hats and collars go around the mane
    b.anchor("neck", (x - 0.08, 0, z - 0.3), 0.42)


def _wolf(b: Builder) -> None:
    body = quadruped(
        b,
        length=b.vary(0.38, 0.44),
        leg=b.vary(0.36, 0.42),
        girth=0.2,
        head=0.23,
        neck=b.vary(0.28, 0.34),
        leg_radius=0.075,
        forward=0.16,
    )
    x, _, z = body.head
    pale = b.shade(1.5)
    b.cone((x + 0.28, 0, z - 0.07), 0.13, 0.07, 0.17, pale, turn=(0, 90, 0), region="head")
    b.ball((x + 0.46, 0, z - 0.05), 0.055, "black", region="head")
    _pointed_ears(b, body, 0.1, 0.16)
    ruff = b.ellipsoid((x - 0.08, 0.14, z - 0.2), (0.15, 0.15, 0.22), b.shade(0.75), region="neck")
    b.mirror(ruff)
    b.ellipsoid((x - 0.05, 0, z - 0.36), (0.2, 0.17, 0.26), pale, region="chest")
    b.ellipsoid((0, 0, body.trunk + 0.09), (0.44, 0.15, 0.13), b.shade(0.65), region="torso")
    eyes(b, body, 0.17, "yellow")
    long = b.vary(0.26, 0.3)
    b.ellipsoid(
        (body.rump[0] - 0.14, 0, body.trunk - 0.16),
        (long, 0.1, 0.11),
        turn=(0, -48, 0),
        region="tail",
    )
    b.ball((body.rump[0] - 0.3, 0, body.trunk - 0.36), 0.075, b.shade(0.5), region="tail")


def _equine(b: Builder, mane, hoof: Any = "black") -> Body:
    """Horse, zebra and unicorn: long legs, arched neck, long head, mane and hanging tail."""
    body = quadruped(
        b,
        length=b.vary(0.34, 0.4),
        leg=b.vary(0.5, 0.56),
        girth=0.21,
        head=0.17,
        neck=b.vary(0.52, 0.58),
        leg_radius=0.075,
        feet=hoof,
        forward=0.28,
    )
    x, _, z = body.head
    b.capsule((0.36, 0, body.trunk + 0.05), (x - 0.05, 0, z - 0.02), 0.15, region="neck")
    b.capsule((x, 0, z), (x + 0.27, 0, z - 0.2), 0.12, region="head")
    b.ball((x + 0.3, 0, z - 0.22), 0.115, b.shade(0.7), region="head")
    ear = b.cone((x - 0.06, 0.09, z + 0.2), 0.055, 0.01, 0.1, turn=(-10, 0, 0), region="head")
    nostril = b.ball((x + 0.39, 0.05, z - 0.22), 0.03, "black", region="head")
    eye = b.ball((x + 0.1, 0.135, z + 0.02), 0.045, "black", region="eye")
    b.mirror(ear, nostril, eye)
    for k in range(6):
        share = k / 5
        spot = (x - 0.12 - 0.26 * share, 0, z + 0.12 - 0.42 * share)
        b.ellipsoid(spot, (0.12, 0.07, 0.12), mane, region="mane")
    b.ellipsoid((x + 0.04, 0, z + 0.15), (0.11, 0.06, 0.07), mane, region="mane")
    rump = body.rump[0]
    b.capsule((rump + 0.08, 0, body.trunk + 0.1), (rump - 0.08, 0, body.trunk), 0.07, mane, "tail")
    b.capsule((rump - 0.08, 0, body.trunk), (rump - 0.14, 0, body.trunk - 0.4), 0.085, mane, "tail")
    b.anchor("eyes", (x + 0.16, 0, z + 0.03), 0.09)
    return body


def _horse(b: Builder) -> None:
    _equine(b, (0.1, 0.07, 0.05))


def _zebra(b: Builder) -> None:
    _equine(b, "black")
    _stripe(b, b.vary(11.5, 13.5), plain=("head",))  # so that eyes and glasses show


def _unicorn(b: Builder) -> None:
    body = _equine(b, ("pink", "purple")[b.rng.integers(2)], (0.95, 0.75, 0.2))
    x, _, z = body.head
    b.cone((x + 0.2, 0, z + 0.28), 0.06, 0.01, 0.24, (0.98, 0.78, 0.15), (0, 32, 0), "head")


def _cow(b: Builder) -> None:
    body = quadruped(
        b,
        length=b.vary(0.38, 0.44),
        leg=b.vary(0.28, 0.34),
        girth=0.28,
        head=0.23,
        neck=0.2,
        leg_radius=0.095,
        feet="black",
        forward=0.32,
    )
    x, _, z = body.head
    b.ellipsoid((x + 0.2, 0, z - 0.12), (0.15, 0.19, 0.14), "pink", region="head")
    nostril = b.ball((x + 0.33, 0.07, z - 0.1), 0.035, (0.4, 0.2, 0.2), region="head")
    horn = b.capsule(
        (x, 0.17, z + 0.16), (x + 0.05, 0.3, z + 0.34), 0.045, (0.9, 0.85, 0.7), "head"
    )
    ear = b.ellipsoid((x - 0.04, 0.3, z + 0.06), (0.05, 0.13, 0.08), "black", region="head")
    b.mirror(nostril, horn, ear)
    b.ellipsoid((x + 0.1, 0.13, z + 0.08), (0.13, 0.12, 0.14), "black", region="head")
    for side, px, pz, r in (
        (1, 0.2, 0.08, 0.2),
        (1, -0.3, 0.02, 0.22),
        (-1, -0.05, 0.06, 0.24),
        (-1, -0.42, 0.14, 0.16),
        (-1, 0.36, -0.02, 0.15),
    ):
        spot = (px + b.vary(-0.05, 0.05), 0.15 * side, body.trunk + pz)
        b.ellipsoid(spot, (r, 0.152, r * 0.85), "black", region="torso")
    b.ellipsoid((-0.2, 0, body.trunk - 0.27), (0.15, 0.13, 0.09), "pink", region="belly")
    eyes(b, body, 0.17)
    _tail(b, body, ((0.03, 0.05), (0.1, -0.3)), 0.035)
    b.ball((body.rump[0] - 0.1, 0, body.trunk - 0.34), 0.075, "black", region="tail")


def _goat(b: Builder) -> None:
    body = quadruped(
        b,
        length=b.vary(0.3, 0.36),
        leg=b.vary(0.34, 0.4),
        girth=0.21,
        head=0.19,
        neck=b.vary(0.36, 0.42),
        leg_radius=0.07,
        feet="black",
        forward=0.2,
    )
    x, _, z = body.head
    b.cone((x + 0.18, 0, z - 0.09), 0.14, 0.075, 0.16, turn=(0, 105, 0), region="head")
    b.ball((x + 0.34, 0, z - 0.12), 0.065, "pink", region="head")
    b.cone((x + 0.2, 0, z - 0.36), 0.01, 0.08, 0.16, b.shade(0.7), region="head")
    brown = (0.4, 0.3, 0.2)
    low = b.capsule((x, 0.09, z + 0.14), (x - 0.08, 0.12, z + 0.36), 0.055, brown, "head")
    high = b.capsule((x - 0.08, 0.12, z + 0.36), (x - 0.28, 0.16, z + 0.42), 0.045, brown, "head")
    tip = b.capsule((x - 0.28, 0.16, z + 0.42), (x - 0.4, 0.19, z + 0.32), 0.03, brown, "head")
    ear = b.ellipsoid((x - 0.03, 0.24, z), (0.05, 0.13, 0.06), turn=(-20, 0, 0), region="head")
    b.mirror(low, high, tip, ear)
    eyes(b, body, 0.2)
    b.cone((body.rump[0] - 0.02, 0, body.trunk + 0.2), 0.08, 0.02, 0.11, None, (0, -40, 0), "tail")


def _sheep(b: Builder) -> None:
    """A cloud of wool on thin dark legs, with a dark face."""
    dark = (0.14, 0.12, 0.12)
    leg, z = b.vary(0.22, 0.28), 0.62
    wool = b.vary(0.17, 0.2)
    b.ellipsoid((0, 0, z), (0.48, 0.34, 0.32), region="torso")
    for px in (-0.38, -0.13, 0.13, 0.36):
        for angle in (-100, -50, 0, 50, 100):
            turn = math.radians(angle)
            spot = (px, 0.24 * math.sin(turn), z + 0.02 + 0.2 * math.cos(turn))
            b.ball(spot, wool, region="torso")
    b.ball((-0.5, 0, z), wool * 1.1, region="torso")
    head = (0.62, 0.0, z + 0.24)
    b.ellipsoid(head, (0.22, 0.17, 0.19), dark, turn=(0, 25, 0), region="head")
    b.ball((0.5, 0, z + 0.16), 0.2, region="neck")
    for px, py in ((0.52, 0.0), (0.5, 0.11), (0.5, -0.11), (0.6, 0.0)):
        b.ball((px, py, z + 0.4), 0.11, region="head")
    ear = b.ellipsoid((0.56, 0.24, z + 0.26), (0.05, 0.12, 0.06), dark, (-20, 0, 0), "head")
    white = b.ball((0.76, 0.1, z + 0.3), 0.05, "white", region="eye")
    pupil = b.ball((0.8, 0.11, z + 0.3), 0.028, "black", region="eye")
    b.mirror(ear, white, pupil)
    for px in (0.28, -0.28):
        b.mirror(b.capsule((px, 0.18, z - 0.2), (px, 0.18, z - 0.36 - leg), 0.065, dark, "leg"))
        b.capsule((px, 0.18, z - 0.2), (px, 0.18, z - 0.36 - leg), 0.065, dark, "leg")
    b.anchor("head", (0.6, 0, z + 0.28), 0.23)
    b.anchor("neck", (0.5, 0, z + 0.14), 0.25)
    b.anchor("torso", (0, 0, z), 0.4)
    b.anchor("back", (-0.05, 0, z + 0.36), 0.34)
    b.anchor("chest", (0.1, 0.38, z), 0.34)
    b.anchor("eyes", (0.8, 0, z + 0.3), 0.1)


def _camel(b: Builder) -> None:
    body = quadruped(
        b,
        length=b.vary(0.34, 0.4),
        leg=b.vary(0.5, 0.56),
        girth=0.22,
        head=0.15,
        neck=b.vary(0.5, 0.56),
        leg_radius=0.07,
        forward=0.4,
    )
    x, _, z = body.head
    for px in (-0.22, 0.2):
        hump = (px, 0, body.trunk + 0.26)
        b.ellipsoid(hump, (0.17, 0.14, b.vary(0.2, 0.25)), region="torso")
        b.ball((px, 0, hump[2] + 0.14), 0.1, b.shade(0.65), region="torso")
    b.capsule((0.4, 0, body.trunk), (0.62, 0, body.trunk + 0.12), 0.13, region="neck")
    b.ellipsoid((x + 0.16, 0, z - 0.06), (0.17, 0.11, 0.1), region="head")
    b.mirror(b.ball((x + 0.31, 0.05, z - 0.03), 0.025, "black", region="head"))
    b.ball((x + 0.31, 0.05, z - 0.03), 0.025, "black", region="head")
    _pointed_ears(b, body, 0.05, 0.06)
    eyes(b, body, 0.24)
    _tail(b, body, ((0.04, 0.0), (0.08, -0.26)), 0.035)
    b.anchor("back", (0, 0, body.trunk + 0.24), 0.22)


def _hippo(b: Builder) -> None:
    body = quadruped(
        b,
        length=b.vary(0.28, 0.34),
        leg=0.12,
        girth=b.vary(0.36, 0.4),
        head=0.3,
        neck=0.08,
        leg_radius=0.14,
        forward=0.36,
    )
    x, _, z = body.head
    b.ellipsoid((x + 0.28, 0, z - 0.1), (0.24, 0.3, 0.2), region="head")
    b.ellipsoid((x + 0.26, 0, z - 0.24), (0.22, 0.26, 0.1), "pink", region="head")
    nostril = b.ball((x + 0.42, 0.14, z + 0.06), 0.055, b.shade(0.5), region="head")
    tooth = b.cylinder((x + 0.42, 0.14, z - 0.22), 0.04, 0.07, "white", region="head")
    b.mirror(nostril, tooth)
    _ears(b, body, 0.075, out=0.62, up=0.85)
    bump = b.ball((x + 0.14, 0.17, z + 0.22), 0.085, region="head")
    eye = b.ball((x + 0.2, 0.19, z + 0.25), 0.05, "black", region="eye")
    b.mirror(bump, eye)
    _tail(b, body, ((0.05, 0.02),), 0.05)
    b.anchor("eyes", (x + 0.26, 0, z + 0.2), 0.16)


def _mouse(b: Builder) -> None:
    """Small and low: huge round ears, a pointed snout and a long thin tail."""
    z, long = 0.3, b.vary(0.38, 0.44)
    b.ellipsoid((-0.1, 0, z), (long, 0.28, 0.28), region="torso")
    head = (long * 0.75, 0.0, z + 0.18)
    b.ball(head, 0.23, region="head")
    x, _, hz = head
    b.cone((x + 0.24, 0, hz - 0.05), 0.15, 0.03, 0.14, turn=(0, 95, 0), region="head")
    b.ball((x + 0.39, 0, hz - 0.06), 0.05, "pink", region="head")
    size = b.vary(0.19, 0.23)
    ear = b.ellipsoid(
        (x - 0.1, 0.24, hz + 0.27), (0.05, size, size), turn=(-20, 0, 0), region="head"
    )
    inner = b.ellipsoid(
        (x - 0.06, 0.24, hz + 0.27), (0.04, size * 0.72, size * 0.72), "pink", (-20, 0, 0), "head"
    )
    eye = b.ball((x + 0.17, 0.12, hz + 0.07), 0.05, "black", region="eye")
    whisker = b.capsule((x + 0.28, 0.05, hz - 0.06), (x + 0.3, 0.26, hz - 0.02), 0.012, "black")
    front = b.ellipsoid((0.22, 0.14, 0.05), (0.1, 0.06, 0.05), "pink", region="foot")
    back = b.ellipsoid((-0.2, 0.2, 0.05), (0.14, 0.08, 0.06), "pink", region="foot")
    b.mirror(ear, inner, eye, whisker, front, back)
    at = (-long - 0.05, 0.0, z - 0.1)
    for to in ((-long - 0.28, 0.06, 0.1), (-long - 0.5, -0.04, 0.14), (-long - 0.66, 0.0, 0.32)):
        b.capsule(at, to, 0.035, "pink", region="tail")
        at = to
    b.anchor("head", head, 0.23)
    b.anchor("neck", (x - 0.12, 0, hz - 0.08), 0.25)
    b.anchor("torso", (-0.1, 0, z), 0.29)
    b.anchor("back", (-0.15, 0, z + 0.28), 0.26)
    b.anchor("chest", (-0.05, 0.28, z), 0.26)
    b.anchor("eyes", (x + 0.2, 0, hz + 0.07), 0.12)


MAMMALS: tuple[Kind, ...] = (
    animal("tiger", ("tiger",), "orange", _tiger, patterned=False),
    animal("lion", ("lion",), "yellow", _lion),
    animal("wolf", ("wolf",), "gray", _wolf),
    animal("horse", ("horse", "pony"), "brown", _horse),
    animal("zebra", ("zebra",), "white", _zebra, patterned=False, colorable=False),
    animal("unicorn", ("unicorn",), "white", _unicorn),
    animal("cow", ("cow", "bull"), "white", _cow, patterned=False),
    animal("goat", ("goat",), "white", _goat),
    animal("sheep", ("sheep", "lamb"), "white", _sheep),
    animal("camel", ("camel",), "brown", _camel),
    animal("hippo", ("hippo", "hippopotamus"), "gray", _hippo),
    animal("mouse", ("mouse", "rat"), "gray", _mouse),
)
