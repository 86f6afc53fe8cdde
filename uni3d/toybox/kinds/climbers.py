"""Mammals that sit or stand upright, and the walrus."""

from uni3d.toybox.kinds.bodies import eyes, upright
from uni3d.toybox.kinds.kind import Kind, animal
from uni3d.toybox.shapes import Builder

__all__ = ["CLIMBERS"]

CREAM = (0.93, 0.8, 0.62)


def _monkey(b: Builder) -> None:
    body = upright(
        b, height=b.vary(0.32, 0.38), girth=0.25, head=b.vary(0.28, 0.31), belly=CREAM, arm=0.75
    )
    x, _, z = body.head
    ear = b.ellipsoid((x - 0.02, 0.32, z + 0.02), (0.06, 0.12, 0.14), region="head")
    inner = b.ellipsoid((x + 0.03, 0.33, z + 0.02), (0.05, 0.085, 0.1), CREAM, region="head")
    brow = b.ellipsoid((x + 0.2, 0.1, z + 0.06), (0.1, 0.12, 0.13), CREAM, region="head")
    hand = b.ball((0.12, 0.62, body.trunk - 0.1), 0.12, CREAM, region="hand")
    b.mirror(ear, inner, brow, hand)
    b.ellipsoid((x + 0.2, 0, z - 0.11), (0.15, 0.19, 0.13), CREAM, region="head")
    b.mirror(b.ball((x + 0.345, 0.035, z - 0.06), 0.022, "black", region="head"))
    b.ball((x + 0.345, 0.035, z - 0.06), 0.022, "black", region="head")
    b.ellipsoid((x + 0.3, 0, z - 0.17), (0.06, 0.1, 0.018), "black", region="head")
    eyes(b, body, 0.14)
    rx, _, rz = body.rump
    b.capsule((rx + 0.05, 0, rz), (rx - 0.34, 0, rz - 0.02), 0.055, region="tail")
    curl = b.vary(0.15, 0.2)
    b.arc((rx - 0.34, 0, rz + curl), curl, 0.055, 150, turn=(90, 0, 60), region="tail")


def _squirrel(b: Builder) -> None:
    body = upright(b, height=b.vary(0.3, 0.34), girth=0.24, head=0.24, belly=CREAM, arm=0.05)
    x, _, z = body.head
    ear = b.cone((x - 0.02, 0.14, z + 0.28), 0.075, 0.01, 0.14, turn=(-12, 0, 0), region="head")
    cheek = b.ball((x + 0.16, 0.1, z - 0.1), 0.11, CREAM, region="head")
    paw = b.ball((0.3, 0.1, body.trunk + 0.08), 0.08, region="arm")
    fore = b.capsule((0.08, 0.22, body.trunk + 0.12), (0.28, 0.1, body.trunk + 0.08), 0.08)
    fore.region = "arm"
    b.mirror(ear, cheek, paw, fore)
    b.ball((x + 0.25, 0, z - 0.04), 0.045, "black", region="head")
    nut = (0.36, 0, body.trunk + 0.08)
    b.ellipsoid(nut, (0.085, 0.085, 0.11), (0.72, 0.45, 0.15), region="held")
    b.dome((0.36, 0, nut[2] + 0.05), (0.1, 0.1, 0.08), (0.35, 0.2, 0.08), region="held")
    eyes(b, body, 0.19)
    wide, tall = b.vary(0.19, 0.23), b.vary(0.44, 0.52)
    b.ellipsoid((-0.34, 0, 0.22), (0.2, wide * 0.8, 0.15), region="tail")
    b.ellipsoid((-0.46, 0, 0.3 + tall), (wide, wide, tall), turn=(0, -8, 0), region="tail")
    b.ball((-0.62, 0, 0.38 + 1.85 * tall), wide * 0.95, region="tail")
    b.ellipsoid(
        (-0.63, 0, 0.28 + tall),
        (wide * 0.4, wide * 0.6, tall * 0.8),
        b.shade(1.35),
        (0, -8, 0),
        "tail",
    )


def _raccoon(b: Builder) -> None:
    body = upright(
        b,
        height=b.vary(0.34, 0.38),
        girth=0.31,
        head=0.29,
        belly=(0.78, 0.77, 0.74),
        arm=0.2,
        feet="black",
    )
    x, _, z = body.head
    ear = b.cone((x - 0.02, 0.2, z + 0.25), 0.12, 0.03, 0.12, turn=(-24, 0, 0), region="head")
    inner = b.cone((x + 0.03, 0.2, z + 0.24), 0.08, 0.02, 0.09, "white", (-24, 0, 0), "head")
    mask = b.ellipsoid(
        (x + 0.19, 0.14, z + 0.03), (0.12, 0.15, 0.085), "black", (-20, 0, 0), "head"
    )
    brow = b.ellipsoid((x + 0.17, 0.13, z + 0.14), (0.1, 0.12, 0.045), "white", (-16, 0, 0), "head")
    cheek = b.ellipsoid((x + 0.15, 0.17, z - 0.1), (0.12, 0.14, 0.09), "white", region="head")
    eye = b.ball((x + 0.29, 0.11, z + 0.055), 0.038, "white", region="eye")
    hand = b.ball((0.13, 0.4, body.trunk - 0.11), 0.12, "black", region="hand")
    b.mirror(ear, inner, mask, brow, cheek, eye, hand)
    b.ellipsoid((x + 0.28, 0, z - 0.08), (0.15, 0.1, 0.085), "white", region="head")
    b.ball((x + 0.42, 0, z - 0.05), 0.055, "black", region="head")
    rise = b.vary(0.09, 0.13)
    for k in range(5):
        spot = (-0.36 - 0.11 * k, 0, 0.22 + rise * k)
        b.ball(spot, (0.13, 0.14, 0.145, 0.14, 0.12)[k], "black" if k % 2 else None, region="tail")


def _panda(b: Builder) -> None:
    body = upright(
        b, height=b.vary(0.35, 0.4), girth=0.37, head=b.vary(0.32, 0.35), arm=0.3, feet="black"
    )
    for part in b.parts:
        if part.region in ("arm", "leg"):
            part.color, part.main = b.rgb("black"), False
    x, _, z = body.head
    ear = b.ball((x - 0.02, 0.26, z + 0.26), 0.13, "black", region="head")
    patch = b.ellipsoid((x + 0.25, 0.14, z + 0.05), (0.1, 0.09, 0.12), "black", (30, 0, 0), "head")
    eye = b.ball((x + 0.34, 0.13, z + 0.08), 0.035, "white", region="eye")
    b.mirror(ear, patch, eye)
    b.ellipsoid((0, 0, body.trunk + 0.24), (0.35, 0.35, 0.14), "black", region="torso")
    b.ellipsoid((x + 0.26, 0, z - 0.12), (0.13, 0.15, 0.11), "white", region="head")
    b.ellipsoid((x + 0.38, 0, z - 0.08), (0.05, 0.07, 0.05), "black", region="head")
    b.ball((body.rump[0] - 0.02, 0, body.rump[2]), 0.1, region="tail")


def _koala(b: Builder) -> None:
    body = upright(
        b, height=b.vary(0.32, 0.36), girth=0.29, head=b.vary(0.32, 0.35), belly="white", arm=0.2
    )
    x, _, z = body.head
    size = b.vary(0.2, 0.23)
    ear = b.ellipsoid((x - 0.02, 0.38, z + 0.16), (0.11, size, size), region="head")
    fluff = b.ellipsoid((x + 0.06, 0.39, z + 0.14), (0.08, 0.7 * size, 0.7 * size), "white")
    fluff.region = "head"
    eye = b.ball((x + 0.27, 0.17, z + 0.05), 0.05, "black", region="eye")
    b.mirror(ear, fluff, eye)
    b.ellipsoid((x + 0.31, 0, z - 0.04), (0.08, 0.085, 0.15), (0.13, 0.12, 0.14), region="head")
    b.ellipsoid((x + 0.2, 0, z - 0.2), (0.13, 0.15, 0.08), "white", region="head")


def _kangaroo(b: Builder) -> None:
    """Leaning forward on big hind feet and a thick tail, a young one in the pouch."""
    tall = b.vary(0.4, 0.46)
    b.ellipsoid((-0.05, 0, 0.55), (0.31, 0.29, 0.34), region="torso")
    b.ellipsoid((0.06, 0, 0.66 + tall * 0.6), (0.19, 0.19, tall * 0.72), region="torso")
    b.ellipsoid((0.16, 0, 0.52), (0.2, 0.2, 0.24), CREAM, region="belly")
    top = 0.75 + tall * 1.2
    head = (0.2, 0.0, top + 0.08)
    b.capsule((0.08, 0, top - 0.2), head, 0.13, region="neck")
    b.ball(head, 0.18, region="head")
    x, _, z = head
    b.capsule((x + 0.06, 0, z - 0.02), (x + 0.24, 0, z - 0.08), 0.1, region="head")
    b.ball((x + 0.33, 0, z - 0.06), 0.05, "black", region="head")
    ear = b.ellipsoid(
        (x - 0.08, 0.12, z + 0.28), (0.05, 0.075, 0.18), turn=(-14, 0, 0), region="head"
    )
    inner = b.ellipsoid(
        (x - 0.045, 0.12, z + 0.28), (0.035, 0.045, 0.13), "pink", (-14, 0, 0), "head"
    )
    eye = b.ball((x + 0.13, 0.12, z + 0.06), 0.04, "black", region="eye")
    arm = b.capsule((0.16, 0.17, top - 0.28), (0.36, 0.16, top - 0.46), 0.065, region="arm")
    thigh = b.ellipsoid((0.0, 0.26, 0.42), (0.2, 0.12, 0.26), turn=(0, 15, 0), region="leg")
    shin = b.capsule((-0.02, 0.28, 0.24), (-0.1, 0.28, 0.1), 0.085, region="leg")
    foot = b.capsule((-0.1, 0.28, 0.07), (0.36, 0.28, 0.06), 0.07, region="foot")
    b.mirror(ear, inner, eye, arm, thigh, shin, foot)
    at = (-0.2, 0.0, 0.42)
    for back, up, r in ((0.5, 0.16, 0.13), (0.78, 0.08, 0.09), (1.05, b.vary(0.08, 0.16), 0.065)):
        b.capsule(at, (-back, 0, up), r, region="tail")
        at = (-back, 0.0, up)
    b.ball((0.32, 0, 0.7), 0.12, b.shade(1.2), region="pouch")
    b.mirror(b.ellipsoid((0.3, 0.08, 0.84), (0.03, 0.04, 0.08), b.shade(1.2), region="pouch"))
    b.ellipsoid((0.3, 0.08, 0.84), (0.03, 0.04, 0.08), b.shade(1.2), region="pouch")
    b.anchor("head", head, 0.19)
    b.anchor("neck", (0.13, 0, top - 0.12), 0.16)
    b.anchor("torso", (0, 0, 0.7), 0.3)
    b.anchor("back", (-0.16, 0, 0.85), 0.26)
    b.anchor("chest", (0.24, 0, 0.66 + 0.6 * tall), 0.2)
    b.anchor("eyes", (x + 0.16, 0, z + 0.06), 0.09)


def _otter(b: Builder) -> None:
    body = upright(b, height=b.vary(0.46, 0.52), girth=0.24, head=0.24, belly=CREAM, arm=0.05)
    x, _, z = body.head
    ear = b.ball((x - 0.04, 0.2, z + 0.14), 0.065, region="head")
    cheek = b.ellipsoid((x + 0.17, 0.09, z - 0.1), (0.13, 0.14, 0.1), CREAM, region="head")
    whisker = b.capsule((x + 0.26, 0.08, z - 0.1), (x + 0.24, 0.32, z - 0.07), 0.012, "black")
    foot = b.ellipsoid((0.2, 0.15, 0.05), (0.2, 0.14, 0.05), b.shade(0.6), region="foot")
    b.mirror(ear, cheek, whisker, foot)
    b.ellipsoid((x + 0.27, 0, z - 0.03), (0.05, 0.075, 0.05), "black", region="head")
    eyes(b, body, 0.16)
    end = b.vary(0.6, 0.75)
    b.capsule((-0.14, 0, 0.22), (-0.5, 0, 0.08), 0.11, region="tail")
    b.ellipsoid((-end, 0, 0.07), (0.22, 0.11, 0.06), region="tail")


def _walrus(b: Builder) -> None:
    """A heavy slug of a body with a raised chest, whiskered muzzle, tusks and flippers."""
    fat = b.vary(0.34, 0.38)
    b.capsule((0.1, 0, fat), (-0.5, 0, 0.26), fat * 0.78, region="torso")
    b.ellipsoid((0.14, 0, 0.5), (0.34, fat, 0.46), turn=(0, 12, 0), region="torso")
    b.ellipsoid((-0.72, 0, 0.18), (0.28, 0.2, 0.17), region="torso")
    head = (0.3, 0.0, b.vary(0.94, 1.0))
    b.ball(head, 0.27, region="head")
    x, _, z = head
    puff = b.ellipsoid((x + 0.22, 0.1, z - 0.1), (0.14, 0.14, 0.13), b.shade(1.35), region="head")
    tusk = b.cone((x + 0.26, 0.1, z - 0.38), 0.015, 0.055, 0.22, "white", region="head")
    eye = b.ball((x + 0.21, 0.14, z + 0.09), 0.04, "black", region="eye")
    fin = b.ellipsoid((0.28, 0.42, 0.08), (0.17, 0.24, 0.06), b.shade(0.7), (0, 0, 20), "foot")
    tail = b.ellipsoid((-1.0, 0.14, 0.08), (0.22, 0.1, 0.05), b.shade(0.7), (0, 0, -30), "foot")
    b.mirror(puff, tusk, eye, fin, tail)
    for k in (-1, 1):
        for j in range(3):
            spot = (x + 0.35, 0.06 * k + 0.05 * k * j, z - 0.12 + 0.04 * (j - 1))
            b.ball(spot, 0.02, "black", region="head")
    b.ball((x + 0.36, 0, z - 0.02), 0.05, "black", region="head")
    b.anchor("head", head, 0.27)
    b.anchor("neck", (0.24, 0, z - 0.24), 0.28)
    b.anchor("torso", (0.1, 0, 0.5), 0.37)
    b.anchor("back", (-0.22, 0, 0.62), 0.3)
    b.anchor("chest", (0.47, 0, 0.44), 0.26)
    b.anchor("eyes", (x + 0.23, 0, z + 0.09), 0.13)


CLIMBERS: tuple[Kind, ...] = (
    animal("monkey", ("monkey", "chimpanzee", "ape"), "brown", _monkey),
    animal("squirrel", ("squirrel", "chipmunk"), "orange", _squirrel),
    animal("raccoon", ("raccoon",), "gray", _raccoon, patterned=False),
    animal("panda", ("panda",), "white", _panda, patterned=False, colorable=False),
    animal("koala", ("koala",), "gray", _koala),
    animal("kangaroo", ("kangaroo",), "brown", _kangaroo),
    animal("otter", ("otter", "beaver"), "brown", _otter),
    animal("walrus", ("walrus",), "brown", _walrus),
)
