"""Animals: bold heads, chunky bodies; `color=None` is the coat."""

from uni3d.toybox.kinds.bodies import eyes, quadruped, upright
from uni3d.toybox.kinds.kind import Kind, animal
from uni3d.toybox.shapes import Builder

__all__ = ["ANIMALS"]


def _corgi(b: Builder) -> None:
    body = quadruped(
        b,
        length=b.vary(0.42, 0.5),
        leg=b.vary(0.12, 0.17),
        girth=0.25,
        head=b.vary(0.29, 0.33),
        neck=0.42,
        feet="white",
    )
    x, _, z = body.head
    b.ellipsoid((x + 0.25, 0, z - 0.10), (0.20, 0.15, 0.12), "white", region="head")
    b.ball((x + 0.44, 0, z - 0.05), 0.065, "black", region="head")
    b.ellipsoid((x - 0.02, 0, z - 0.38), (0.25, 0.24, 0.2), "white", region="chest")
    tall = b.vary(0.22, 0.28)
    ear = b.cone((x - 0.05, 0.2, z + 0.33), 0.15, 0.03, tall, turn=(-16, 0, 0), region="head")
    inner = b.cone((x + 0.02, 0.2, z + 0.31), 0.09, 0.02, tall * 0.7, "pink", (-16, 0, 0), "head")
    b.mirror(ear, inner)
    eyes(b, body)
    b.ball((body.rump[0], 0, body.trunk + 0.1), 0.12, "white", region="tail")


def _cat(b: Builder) -> None:
    body = quadruped(
        b,
        length=b.vary(0.32, 0.38),
        leg=b.vary(0.26, 0.32),
        girth=0.2,
        head=b.vary(0.29, 0.33),
        neck=0.38,
        leg_radius=0.085,
    )
    x, _, z = body.head
    ear = b.cone((x, 0.19, z + 0.28), 0.14, 0.01, 0.14, turn=(-20, 0, 0), region="head")
    b.mirror(ear)
    b.ellipsoid((x + 0.26, 0, z - 0.09), (0.09, 0.14, 0.09), "white", region="head")
    b.ball((x + 0.34, 0, z - 0.04), 0.045, "pink", region="head")
    eyes(b, body, 0.2, "green")
    tip = (body.rump[0] - 0.12, 0, body.trunk + b.vary(0.62, 0.75))
    b.capsule(
        (body.rump[0] + 0.1, 0, body.trunk + 0.05),
        (body.rump[0] - 0.16, 0, body.trunk + 0.3),
        0.075,
        region="tail",
    )
    b.capsule((body.rump[0] - 0.16, 0, body.trunk + 0.3), tip, 0.075, region="tail")


def _rabbit(b: Builder) -> None:
    body = upright(b, height=b.vary(0.34, 0.4), girth=0.3, head=0.29, belly="white", arm=0.25)
    x, _, z = body.head
    tall = b.vary(0.3, 0.38)
    ear = b.ellipsoid(
        (x - 0.03, 0.13, z + 0.2 + tall), (0.07, 0.10, tall), region="head", turn=(-7, 0, 0)
    )
    inner = b.ellipsoid(
        (x + 0.03, 0.13, z + 0.2 + tall),
        (0.045, 0.06, tall * 0.8),
        "pink",
        region="head",
        turn=(-7, 0, 0),
    )
    b.mirror(ear, inner)
    b.ball((x + 0.28, 0, z - 0.04), 0.05, "pink", region="head")
    b.box((x + 0.25, 0, z - 0.17), (0.03, 0.05, 0.06), "white", region="head")
    eyes(b, body)
    b.ball((body.rump[0] - 0.05, 0, body.rump[2]), 0.14, "white", region="tail")


def _penguin(b: Builder) -> None:
    tall = b.vary(0.5, 0.58)
    b.ellipsoid((0, 0, tall), (0.37, 0.37, tall), region="torso")
    b.ellipsoid((0.13, 0, tall * 0.92), (0.28, 0.27, tall * 0.78), "white", region="belly")
    z = tall * 1.85
    b.ball((0.02, 0, z), 0.29, region="head")
    face = b.ellipsoid((0.16, 0.1, z + 0.01), (0.14, 0.12, 0.14), "white", region="head")
    wing = b.ellipsoid(
        (0, 0.41, tall * 1.05), (0.16, 0.06, 0.36), turn=(b.vary(14, 30), 0, 0), region="arm"
    )
    foot = b.ellipsoid((0.14, 0.17, 0.04), (0.2, 0.13, 0.06), "orange", region="foot")
    eye = b.ball((0.27, 0.1, z + 0.06), 0.05, "black", region="eye")
    b.mirror(face, wing, foot, eye)
    b.cone((0.36, 0, z - 0.03), 0.08, 0.01, 0.12, "orange", turn=(0, 90, 0), region="head")
    b.anchor("head", (0.02, 0, z), 0.29)
    b.anchor("neck", (0, 0, z - 0.24), 0.29)
    b.anchor("torso", (0, 0, tall), 0.37)
    b.anchor("back", (-0.35, 0, tall * 1.15), 0.33)
    b.anchor("chest", (0.38, 0, tall * 1.1), 0.33)
    b.anchor("eyes", (0.29, 0, z + 0.06), 0.11)


def _elephant(b: Builder) -> None:
    body = quadruped(
        b,
        length=b.vary(0.30, 0.36),
        leg=0.28,
        girth=b.vary(0.36, 0.4),
        head=0.31,
        neck=0.22,
        leg_radius=0.15,
        forward=0.3,
    )
    x, _, z = body.head
    ear = b.ellipsoid(
        (x - 0.12, 0.36, z + 0.04), (0.07, b.vary(0.22, 0.28), 0.3), turn=(0, 0, -24), region="head"
    )
    tusk = b.capsule((x + 0.24, 0.13, z - 0.18), (x + 0.42, 0.14, z - 0.24), 0.05, "white", "head")
    b.mirror(ear, tusk)
    b.capsule((x + 0.24, 0, z - 0.05), (x + 0.42, 0, z - 0.36), 0.11, region="head")
    b.capsule((x + 0.42, 0, z - 0.36), (x + 0.52, 0, z - 0.55), 0.085, region="head")
    eyes(b, body, 0.13)
    b.capsule(
        (body.rump[0] + 0.05, 0, body.trunk + 0.1),
        (body.rump[0] - 0.06, 0, body.trunk - 0.2),
        0.05,
        region="tail",
    )


def _giraffe(b: Builder) -> None:
    body = quadruped(
        b,
        length=0.3,
        leg=b.vary(0.5, 0.58),
        girth=0.21,
        head=0.17,
        neck=b.vary(0.78, 0.92),
        leg_radius=0.085,
        feet="brown",
        forward=0.28,
    )
    x, _, z = body.head
    b.ellipsoid((x + 0.17, 0, z - 0.05), (0.15, 0.11, 0.1), "brown", region="head")
    horn = b.capsule((x - 0.04, 0.08, z + 0.1), (x - 0.06, 0.1, z + 0.3), 0.045, "brown", "head")
    ear = b.ellipsoid((x - 0.06, 0.22, z + 0.08), (0.04, 0.12, 0.06), region="head")
    b.mirror(horn, ear)
    eyes(b, body, 0.2)
    for px, py, pz, r in (
        (0.2, 0.17, 0.06, 0.11),
        (-0.12, 0.18, 0.02, 0.13),
        (-0.35, 0.14, 0.08, 0.1),
        (0.02, 0.12, 0.16, 0.1),
    ):
        b.mirror(b.ball((px, py, body.trunk + pz), r, "brown", region="torso"))
        b.ball((px, py, body.trunk + pz), r, "brown", region="torso")


def _fish(b: Builder) -> None:
    long = b.vary(0.5, 0.6)
    b.ellipsoid((0, 0, 0), (long, 0.22, b.vary(0.34, 0.42)), region="torso")
    b.ellipsoid((-long - 0.13, 0, 0.2), (0.11, 0.05, 0.28), turn=(0, -38, 0), region="tail")
    b.ellipsoid((-long - 0.13, 0, -0.2), (0.11, 0.05, 0.28), turn=(0, 38, 0), region="tail")
    b.ellipsoid((-0.05, 0, 0.4), (0.26, 0.05, 0.16), b.shade(0.7), region="tail")
    side = b.ellipsoid((0.02, 0.24, -0.1), (0.17, 0.05, 0.1), b.shade(0.7), turn=(30, 0, 20))
    white = b.ball((long * 0.68, 0.13, 0.1), 0.1, "white", region="eye")
    eye = b.ball((long * 0.74, 0.18, 0.11), 0.06, "black", region="eye")
    b.mirror(side, white, eye)
    b.torus((long * 0.97, 0, -0.03), 0.06, 0.035, "pink", turn=(0, 90, 0), region="head")


def _turtle(b: Builder) -> None:
    wide = b.vary(0.42, 0.5)
    b.dome((0, 0, 0.16), (wide * 1.12, wide, b.vary(0.36, 0.44)))
    b.cylinder((0, 0, 0.15), wide * 1.12, 0.06, b.shade(0.6), rounding=0.05)
    skin = (0.55, 0.75, 0.3)
    b.ball((wide + 0.32, 0, 0.34), 0.19, skin, region="head")
    b.capsule((wide * 0.8, 0, 0.18), (wide + 0.28, 0, 0.3), 0.11, skin, region="neck")
    eye = b.ball((wide + 0.46, 0.1, 0.4), 0.04, "black", region="eye")
    front = b.ellipsoid((wide * 0.72, wide * 0.78, 0.1), (0.16, 0.16, 0.1), skin, region="leg")
    back = b.ellipsoid((-wide * 0.72, wide * 0.78, 0.1), (0.16, 0.16, 0.1), skin, region="leg")
    b.mirror(eye, front, back)
    b.cone((-wide - 0.2, 0, 0.12), 0.07, 0.01, 0.1, skin, turn=(0, -90, 0), region="tail")


def _duck(b: Builder) -> None:
    long = b.vary(0.42, 0.48)
    b.ellipsoid((0, 0, 0.34), (long, 0.33, 0.3), region="torso")
    b.cone((-long - 0.02, 0, 0.52), 0.16, 0.02, 0.16, turn=(0, -60, 0), region="tail")
    head = (long * 0.72, 0.0, b.vary(0.85, 0.92))
    b.capsule((long * 0.6, 0, 0.45), head, 0.17, region="neck")
    b.ball(head, 0.25, region="head")
    b.ellipsoid((head[0] + 0.3, 0, head[2] - 0.05), (0.17, 0.14, 0.055), "orange", region="head")
    wing = b.ellipsoid((-0.08, 0.31, 0.4), (0.28, 0.08, 0.17), b.shade(0.82), region="arm")
    eye = b.ball((head[0] + 0.19, 0.13, head[2] + 0.07), 0.045, "black", region="eye")
    foot = b.ellipsoid((0.08, 0.15, 0.03), (0.15, 0.1, 0.04), "orange", region="foot")
    b.mirror(wing, eye, foot)
    b.anchor("head", head, 0.25)
    b.anchor("neck", (long * 0.68, 0, 0.62), 0.2)
    b.anchor("torso", (0, 0, 0.34), 0.32)
    b.anchor("back", (-0.1, 0, 0.62), 0.26)
    b.anchor("chest", (0.1, 0.33, 0.42), 0.3)
    b.anchor("eyes", (head[0] + 0.21, 0, head[2] + 0.07), 0.12)


def _bear(b: Builder) -> None:
    body = quadruped(
        b,
        length=b.vary(0.3, 0.36),
        leg=0.2,
        girth=b.vary(0.34, 0.38),
        head=0.3,
        neck=0.3,
        leg_radius=0.16,
        forward=0.25,
    )
    x, _, z = body.head
    b.mirror(b.ball((x - 0.02, 0.21, z + 0.24), 0.11, region="head"))
    b.ball((x - 0.02, 0.21, z + 0.24), 0.11, region="head")
    b.ellipsoid((x + 0.24, 0, z - 0.08), (0.16, 0.15, 0.12), (0.75, 0.55, 0.35), region="head")
    b.ball((x + 0.39, 0, z - 0.04), 0.06, "black", region="head")
    eyes(b, body, 0.14)
    b.ball((body.rump[0], 0, body.trunk + 0.15), 0.1, region="tail")


def _pig(b: Builder) -> None:
    body = quadruped(
        b,
        length=b.vary(0.24, 0.3),
        leg=0.14,
        girth=b.vary(0.33, 0.38),
        head=0.29,
        neck=0.12,
        leg_radius=0.11,
        feet="brown",
        forward=0.3,
    )
    x, _, z = body.head
    b.cylinder((x + 0.3, 0, z - 0.04), 0.14, 0.09, b.shade(0.85), turn=(0, 90, 0), region="head")
    nostril = b.ball((x + 0.39, 0.055, z - 0.04), 0.035, "black", region="head")
    ear = b.cone((x - 0.02, 0.18, z + 0.26), 0.12, 0.01, 0.12, turn=(-25, 25, 0), region="head")
    b.mirror(nostril, ear)
    eyes(b, body, 0.14)
    b.torus((body.rump[0] - 0.03, 0, body.trunk + 0.12), 0.08, 0.04, turn=(90, 0, 0), region="tail")


def _fox(b: Builder) -> None:
    body = quadruped(
        b,
        length=b.vary(0.26, 0.32),
        leg=b.vary(0.24, 0.3),
        girth=0.2,
        head=0.27,
        neck=0.34,
        leg_radius=0.085,
        feet="black",
    )
    x, _, z = body.head
    b.cone((x + 0.27, 0, z - 0.06), 0.15, 0.04, 0.16, "white", turn=(0, 90, 0), region="head")
    b.ball((x + 0.44, 0, z - 0.06), 0.055, "black", region="head")
    ear = b.cone((x - 0.03, 0.16, z + 0.29), 0.13, 0.01, 0.17, turn=(-14, 0, 0), region="head")
    tip = b.cone((x - 0.03, 0.185, z + 0.40), 0.055, 0.01, 0.08, "black", (-14, 0, 0), "head")
    b.mirror(ear, tip)
    eyes(b, body)
    tail = b.vary(0.26, 0.32)
    rump = body.rump[0]
    b.capsule((rump + 0.05, 0, body.trunk), (rump - 0.3, 0, body.trunk + 0.1), 0.12, region="tail")
    b.ellipsoid(
        (rump - 0.28, 0, body.trunk + 0.1), (tail, 0.16, 0.16), turn=(0, -20, 0), region="tail"
    )
    b.ball((rump - 0.28 - tail * 0.8, 0, body.trunk + 0.18), 0.13, "white", region="tail")


ANIMALS: tuple[Kind, ...] = (
    animal("corgi", ("corgi", "dog", "puppy"), "orange", _corgi),
    animal("cat", ("cat", "kitten"), "gray", _cat),
    animal("rabbit", ("rabbit", "bunny"), "white", _rabbit),
    animal("penguin", ("penguin",), "black", _penguin, patterned=False),
    animal("elephant", ("elephant",), "gray", _elephant),
    animal("giraffe", ("giraffe",), "yellow", _giraffe, wears=False, patterned=False),
    animal("fish", ("fish", "goldfish"), "orange", _fish, wears=False),
    animal("turtle", ("turtle", "tortoise"), "green", _turtle, wears=False),
    animal("duck", ("duck", "duckling"), "yellow", _duck),
    animal("bear", ("bear", "grizzly"), "brown", _bear),
    animal("pig", ("pig", "piglet"), "pink", _pig),
    animal("fox", ("fox",), "orange", _fox),
)
