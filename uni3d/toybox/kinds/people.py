"""People: adults, children and a baby, and the figures that are built like them.

The main colour is that of the clothes on the upper body: "a woman in red".
"""

import math

from uni3d.toybox.kinds.bodies import upright
from uni3d.toybox.kinds.kind import Kind
from uni3d.toybox.shapes import Builder

__all__ = ["PEOPLE"]

SKIN = ((0.96, 0.78, 0.64), (0.87, 0.64, 0.46), (0.66, 0.44, 0.29), (0.42, 0.27, 0.18))
HAIR = (
    (0.07, 0.06, 0.06),
    (0.28, 0.16, 0.08),
    (0.5, 0.3, 0.12),
    (0.9, 0.72, 0.3),
    (0.72, 0.3, 0.1),
)
OLD_HAIR = (0.8, 0.8, 0.8)
TROUSERS = ((0.16, 0.2, 0.4), (0.2, 0.2, 0.22), (0.45, 0.38, 0.28), (0.3, 0.34, 0.25))


def _choose(b: Builder, options):
    return options[b.rng.integers(len(options))]


def _anchors(b: Builder, *, head, radius: float, shoulder: float, chest: float, depth: float):
    """The places of things worn on a standing figure; `chest` is the height of its middle."""
    x, _, z = head
    b.anchor("head", head, radius)
    b.anchor("neck", (0, 0, z - 0.93 * radius), 0.72 * radius)
    b.anchor("torso", (0, 0, chest), shoulder)
    b.anchor("back", (-depth, 0, chest + 0.05), 0.85 * shoulder)
    b.anchor("chest", (depth, 0, chest + 0.05), 0.8 * shoulder)
    b.anchor("eyes", (x + 0.92 * radius, 0, z + 0.08 * radius), 0.38 * radius)


def _face(b: Builder, head, r: float, skin) -> None:
    x, _, z = head
    b.ellipsoid(head, (0.96 * r, 0.9 * r, r), skin, region="head")
    b.ball((x + r, 0, z - 0.1 * r), 0.14 * r, skin, region="head")
    eye = b.ball((x + 0.86 * r, 0.34 * r, z + 0.08 * r), 0.14 * r, "black", region="eye")
    ear = b.ball((x, 0.9 * r, z - 0.05 * r), 0.2 * r, skin, region="head")
    b.mirror(eye, ear)
    b.ellipsoid(
        (x + 0.8 * r, 0, z - 0.48 * r),
        (0.12 * r, 0.26 * r, 0.06 * r),
        (0.7, 0.25, 0.22),
        region="head",
    )


def _hair(b: Builder, head, r: float, style: str, color) -> None:
    """Hair on the skull; every style leaves the face free and fits under a hat."""
    x, _, z = head
    if style == "bald":
        ring = b.ellipsoid(
            (x - 0.4 * r, 0.5 * r, z - 0.05 * r), (0.55 * r, 0.48 * r, 0.4 * r), color
        )
        b.mirror(ring)
        return
    b.dome((x - 0.06 * r, 0, z + 0.12 * r), (1.04 * r, 1.02 * r, 0.98 * r), color, (0, -18, 0))
    b.ellipsoid((x - 0.35 * r, 0, z - 0.05 * r), (0.75 * r, 0.98 * r, 0.75 * r), color)
    if style == "long":
        b.ellipsoid((x - 0.5 * r, 0, z - 0.75 * r), (0.5 * r, 0.95 * r, 1.2 * r), color)
        lock = b.capsule(
            (x, 0.9 * r, z + 0.2 * r), (x + 0.02, 0.92 * r, z - 1.2 * r), 0.22 * r, color
        )
        b.mirror(lock)
    elif style == "bun":
        b.ball((x - 0.75 * r, 0, z + 0.75 * r), 0.42 * r, color)
    elif style == "ponytail":
        b.ball((x - 1.0 * r, 0, z + 0.45 * r), 0.26 * r, color)
        b.capsule((x - 1.2 * r, 0, z + 0.3 * r), (x - 1.35 * r, 0, z - 1.0 * r), 0.24 * r, color)
    elif style == "pigtails":
        tail = b.ellipsoid(
            (x - 0.1 * r, 1.3 * r, z - 0.2 * r), (0.3 * r, 0.32 * r, 0.62 * r), color
        )
        bow = b.ball((x - 0.1 * r, 1.08 * r, z + 0.4 * r), 0.2 * r, "red")
        b.mirror(tail, bow)
    elif style == "curly":
        for k in range(7):
            angle = math.pi * (0.28 + 0.24 * k)
            spot = (x - 0.15 * r + 0.75 * r * math.cos(angle), 0.85 * r * math.sin(angle))
            b.ball((*spot, z + 0.35 * r), 0.42 * r, color)


def _figure(
    b: Builder,
    *,
    leg: float,
    trunk: float,
    shoulder: float,
    head: float,
    style: str,
    hair,
    bottom: str = "trousers",
    beard: bool = False,
) -> None:
    """A standing figure: `leg` and `trunk` are heights, `shoulder` the half width, all free."""
    skin = _choose(b, SKIN)
    cloth, shoe = _choose(b, TROUSERS), _choose(b, ((0.1, 0.1, 0.1), (0.35, 0.2, 0.1)))
    hip, depth = shoulder * 0.84, shoulder * 0.62
    bare = bottom in ("skirt", "dress", "shorts")
    y = hip * 0.55
    limb = b.capsule(
        (0, y, leg), (0, y + 0.02, 0.1), 0.46 * hip, skin if bare else cloth, region="leg"
    )
    foot = b.ellipsoid((0.07, y + 0.02, 0.07), (0.19, 0.1, 0.08), shoe, region="foot")
    b.mirror(limb, foot)
    if bottom == "shorts":
        short = b.capsule((0, y, leg), (0, y + 0.01, leg * 0.62), 0.56 * hip, cloth, region="leg")
        b.mirror(short)
    low = leg + 0.04
    middle = low + trunk / 2
    b.box(
        (0, 0, middle + 0.03),
        (depth, shoulder, trunk / 2),
        region="torso",
        rounding=0.95 * depth,
    )
    if bottom in ("trousers", "shorts"):
        b.ellipsoid((0, 0, leg + 0.02), (depth * 0.98, hip * 1.05, 0.16), cloth, region="leg")
    elif bottom == "skirt":
        b.cone((0, 0, leg - 0.06), hip * 1.5, hip * 0.8, 0.2, cloth, region="leg")
    else:
        tall = (leg + 0.2 - 0.22) / 2
        b.cone((0, 0, 0.22 + tall), hip * 1.65, hip * 0.8, tall, region="torso")
    top = low + trunk
    swing = b.vary(0.1, 0.24)
    elbow = (0.02, shoulder + 0.55 * swing + 0.04, top - 0.5 * trunk)
    wrist = (0.1, shoulder + swing + 0.05, top - 0.92 * trunk)
    long_sleeve = bottom != "shorts" and b.rng.random() < 0.6
    upper = b.capsule((0, shoulder * 0.88, top - 0.08), elbow, 0.095, region="arm")
    lower = b.capsule(elbow, wrist, 0.08, None if long_sleeve else skin, region="arm")
    hand = b.ball((wrist[0] + 0.02, wrist[1] + 0.01, wrist[2] - 0.05), 0.095, skin, region="hand")
    b.mirror(upper, lower, hand)
    b.capsule((0, 0, top - 0.05), (0.02, 0, top + 0.12), 0.1, skin, region="head")
    center = (0.03, 0.0, top + 0.06 + 0.95 * head)
    _face(b, center, head, skin)
    _hair(b, center, head, style, hair)
    if beard:
        b.ellipsoid(
            (center[0] + 0.42 * head, 0, center[2] - 0.66 * head),
            (0.5 * head, 0.66 * head, 0.48 * head),
            hair,
            region="head",
        )
    _anchors(b, head=center, radius=head, shoulder=shoulder, chest=middle + 0.06, depth=depth)


def _man(b: Builder) -> None:
    old = b.rng.random() < 0.25
    _figure(
        b,
        leg=b.vary(0.68, 0.8),
        trunk=b.vary(0.58, 0.66),
        shoulder=b.vary(0.27, 0.33),
        head=b.vary(0.24, 0.27),
        style=_choose(b, ("short", "short", "short", "curly", "bald")),
        hair=OLD_HAIR if old else _choose(b, HAIR),
        beard=b.rng.random() < 0.35,
    )


def _woman(b: Builder) -> None:
    old = b.rng.random() < 0.2
    _figure(
        b,
        leg=b.vary(0.66, 0.78),
        trunk=b.vary(0.52, 0.6),
        shoulder=b.vary(0.22, 0.26),
        head=b.vary(0.24, 0.27),
        style="bun" if old else _choose(b, ("long", "long", "ponytail", "bun")),
        hair=OLD_HAIR if old else _choose(b, HAIR),
        bottom=_choose(b, ("skirt", "dress", "dress", "trousers")),
    )


def _person(b: Builder) -> None:
    (_man if b.rng.random() < 0.5 else _woman)(b)


def _boy(b: Builder) -> None:
    _figure(
        b,
        leg=b.vary(0.4, 0.48),
        trunk=b.vary(0.4, 0.46),
        shoulder=b.vary(0.22, 0.26),
        head=b.vary(0.29, 0.32),
        style=_choose(b, ("short", "short", "curly")),
        hair=_choose(b, HAIR),
        bottom="shorts",
    )


def _girl(b: Builder) -> None:
    _figure(
        b,
        leg=b.vary(0.4, 0.48),
        trunk=b.vary(0.38, 0.44),
        shoulder=b.vary(0.2, 0.23),
        head=b.vary(0.29, 0.32),
        style=_choose(b, ("pigtails", "pigtails", "ponytail", "long")),
        hair=_choose(b, HAIR),
        bottom=_choose(b, ("skirt", "dress")),
    )


def _baby(b: Builder) -> None:
    skin, head = _choose(b, SKIN), b.vary(0.36, 0.4)
    b.ellipsoid((0, 0, 0.33), (0.3, 0.33, 0.35), region="torso")
    b.ellipsoid((0.02, 0, 0.16), (0.32, 0.34, 0.17), "white", region="leg")
    spread = b.vary(0.26, 0.36)
    leg = b.capsule((0.15, 0.2, 0.14), (0.5, spread, 0.12), 0.12, skin, region="leg")
    foot = b.ellipsoid((0.58, spread, 0.18), (0.09, 0.09, 0.13), skin, region="foot")
    up = b.vary(0.2, 0.5)
    arm = b.capsule((0, 0.26, 0.52), (0.22, 0.45, up), 0.1, region="arm")
    hand = b.ball((0.27, 0.48, up - 0.02), 0.1, skin, region="hand")
    b.mirror(leg, foot, arm, hand)
    center = (0.05, 0.0, 0.64 + 0.8 * head)
    _face(b, center, head, skin)
    x, _, z = center
    hair = _choose(b, HAIR)
    b.dome(
        (x - 0.1 * head, 0, z + 0.3 * head),
        (0.9 * head, 0.84 * head, 0.74 * head),
        hair,
        (0, -20, 0),
    )
    b.ball((x + 0.95 * head, 0, z - 0.45 * head), 0.2 * head, (0.3, 0.7, 0.95), region="head")
    _anchors(b, head=center, radius=head, shoulder=0.33, chest=0.4, depth=0.3)


def _skeleton(b: Builder) -> None:
    leg, wide = b.vary(0.72, 0.82), b.vary(0.24, 0.28)
    top = leg + 0.62
    thigh = b.capsule((0, 0.13, leg), (0.02, 0.15, leg / 2), 0.05, region="leg")
    shin = b.capsule((0.02, 0.15, leg / 2), (0, 0.15, 0.08), 0.045, region="leg")
    knee = b.ball((0.03, 0.15, leg / 2), 0.08, region="leg")
    foot = b.ellipsoid((0.08, 0.15, 0.05), (0.18, 0.08, 0.05), region="foot")
    out = wide + b.vary(0.1, 0.18)
    upper = b.capsule((0, wide, top - 0.04), (0, out, top - 0.34), 0.045, region="arm")
    lower = b.capsule((0, out, top - 0.34), (0.1, out + 0.05, top - 0.62), 0.04, region="arm")
    elbow = b.ball((0, out, top - 0.34), 0.07, region="arm")
    hand = b.ellipsoid((0.12, out + 0.06, top - 0.7), (0.07, 0.05, 0.1), region="hand")
    hip = b.ellipsoid((0, 0.1, leg + 0.03), (0.1, 0.13, 0.1), region="leg")
    b.mirror(thigh, shin, knee, foot, upper, lower, elbow, hand, hip)
    b.capsule((-0.06, 0, leg), (-0.06, 0, top + 0.1), 0.055, region="torso")
    b.capsule((0, -wide, top), (0, wide, top), 0.055, region="torso")
    for k in range(4):
        size = (0.2, 0.23, 0.22, 0.17)[k]
        b.torus((0, 0, top - 0.1 - 0.1 * k), size, 0.034, region="torso")
    b.box((0.21, 0, top - 0.22), (0.03, 0.04, 0.16), region="torso")
    r, z = 0.25, top + 0.33
    b.ball((0.02, 0, z), r, region="head")
    b.box((0.1, 0, z - 0.22), (0.12, 0.14, 0.1), region="head", rounding=0.04)
    socket = b.ball((0.2, 0.1, z + 0.01), 0.085, "black", region="eye")
    b.mirror(socket)
    b.ball((0.26, 0, z - 0.1), 0.04, "black", region="head")
    for k in (-1, 0, 1):
        b.box((0.215, 0.07 * k, z - 0.21), (0.02, 0.014, 0.07), "black", region="head")
    _anchors(b, head=(0.02, 0, z), radius=r, shoulder=wide, chest=top - 0.24, depth=0.2)


def _doll(b: Builder) -> None:
    """A rag doll: yarn hair, button eyes, red cheeks, a wide dress and striped stockings."""
    cloth, yarn = (0.98, 0.86, 0.74), _choose(b, ((0.85, 0.2, 0.08), (0.95, 0.75, 0.2)))
    head, wide = b.vary(0.32, 0.36), b.vary(0.42, 0.48)
    for k in range(4):
        band = "white" if k % 2 else (0.8, 0.15, 0.15)
        b.mirror(b.cylinder((0, 0.15, 0.14 + 0.09 * k), 0.09, 0.05, band, region="leg"))
        b.cylinder((0, 0.15, 0.14 + 0.09 * k), 0.09, 0.05, band, region="leg")
    shoe = b.ellipsoid((0.06, 0.15, 0.07), (0.17, 0.1, 0.09), "black", region="foot")
    b.cone((0, 0, 0.68), wide, 0.16, 0.27, region="torso")
    b.torus((0, 0, 0.43), wide - 0.01, 0.045, "white", region="torso")
    arm = b.capsule((0, 0.15, 0.88), (0.04, 0.5, 0.72), 0.085, region="arm")
    hand = b.ball((0.05, 0.55, 0.69), 0.1, cloth, region="hand")
    z = 0.95 + 0.9 * head
    b.ball((0.02, 0, z), head, cloth, region="head")
    eye = b.cylinder(
        (0.02 + 0.9 * head, 0.36 * head, z + 0.1 * head), 0.06, 0.04, "black", (0, 90, 0), "eye"
    )
    cheek = b.ball((0.02 + 0.8 * head, 0.5 * head, z - 0.22 * head), 0.07, (0.95, 0.4, 0.4), "head")
    braid = [
        b.ball((-0.02, head * (1.02 + 0.08 * k), z - 0.15 * head - 0.13 * k), 0.11, yarn)
        for k in range(4)
    ]
    b.mirror(shoe, arm, hand, eye, cheek, *braid)
    b.dome((-0.02, 0, z + 0.1 * head), (1.05 * head, 1.06 * head, 1.0 * head), yarn, (0, -20, 0))
    b.ellipsoid((-0.12, 0, z - 0.05), (0.8 * head, 0.98 * head, 0.85 * head), yarn)
    b.ellipsoid((0.03 + 0.9 * head, 0, z - 0.4 * head), (0.03, 0.09, 0.03), "red", region="head")
    _anchors(b, head=(0.02, 0, z), radius=head, shoulder=0.26, chest=0.75, depth=0.26)


def _monster(b: Builder) -> None:
    """Furry and round, with one eye, horns, a wide mouth with teeth, and claws."""
    tall, wide = b.vary(0.5, 0.58), b.vary(0.42, 0.48)
    b.ellipsoid((0, 0, 0.18 + tall), (wide * 0.9, wide, tall), region="torso")
    z = 0.18 + tall * 1.3
    b.ball((wide * 0.62, 0, z), 0.22, "white", region="eye")
    b.ball((wide * 0.62 + 0.15, 0, z), 0.11, "black", region="eye")
    b.ellipsoid((wide * 0.72, 0, z - 0.42), (0.2, 0.27, 0.12), (0.3, 0.04, 0.08), region="head")
    for k in (-1.5, -0.5, 0.5, 1.5):
        spot = (wide * 0.9 - 0.02 * abs(k), 0.11 * k, z - 0.36)
        b.cone(spot, 0.01, 0.055, 0.07, "white", region="head")
    horn = b.cone((0, 0.25, z + 0.42), 0.11, 0.01, 0.2, (0.95, 0.88, 0.65), (-24, 0, 0), "head")
    arm = b.capsule((0, wide * 0.92, 0.75), (0.2, wide + 0.22, 0.4), 0.12, region="arm")
    claws = [
        b.cone((0.3, wide + 0.18 + 0.07 * k, 0.3), 0.05, 0.01, 0.08, "white", (0, 140, 0), "hand")
        for k in (-1, 0, 1)
    ]
    leg = b.capsule((0, 0.22, 0.3), (0.02, 0.24, 0.1), 0.16, region="leg")
    foot = b.ellipsoid((0.1, 0.25, 0.09), (0.25, 0.18, 0.1), b.shade(0.7), region="foot")
    b.mirror(horn, arm, *claws, leg, foot)
    for k in range(5):
        spike = (-wide * 0.86 + 0.05 * abs(k - 2), 0, 0.4 + 0.2 * k)
        b.cone(spike, 0.09, 0.01, 0.13, b.shade(0.6), (0, -80 + 22 * (k - 2), 0), "back")
    b.anchor("head", (0, 0, z - 0.02), wide * 0.8)
    b.anchor("neck", (0, 0, z - 0.48), wide * 0.92)
    b.anchor("torso", (0, 0, 0.6), wide)
    b.anchor("back", (-wide * 0.9, 0, 0.7), wide * 0.8)
    b.anchor("chest", (wide * 0.9, 0, 0.45), wide * 0.6)
    b.anchor("eyes", (wide * 0.62 + 0.16, 0, z), 0.12)


def _gummy_bear(b: Builder) -> None:
    """One colour all over, soft limbs close to the body, light spots like gelatine."""
    light = b.shade(1.35)
    body = upright(b, height=b.vary(0.36, 0.42), girth=0.31, head=b.vary(0.27, 0.3), arm=0.0)
    x, _, z = body.head
    ear = b.ball((x - 0.02, 0.22, z + 0.22), 0.12, region="head")
    paw = b.ellipsoid((0.32, 0.2, body.trunk + 0.02), (0.14, 0.11, 0.1), region="arm")
    sole = b.ellipsoid((0.28, 0.19, 0.14), (0.16, 0.16, 0.16), region="foot")
    b.mirror(ear, paw, sole)
    b.ellipsoid((0.2, 0, body.trunk - 0.04), (0.17, 0.17, 0.2), light, region="belly")
    b.ellipsoid((x + 0.22, 0, z - 0.08), (0.13, 0.14, 0.11), light, region="head")
    b.mirror(b.ball((x + 0.24, 0.12, z + 0.08), 0.035, b.shade(0.45), region="eye"))
    b.ball((x + 0.24, 0.12, z + 0.08), 0.035, b.shade(0.45), region="eye")


def _kind(name, words, color, build, patterned=True) -> Kind:
    return Kind(
        name=name,
        words=words,
        category="person",
        color=color,
        build=build,
        wears=True,
        patterned=patterned,
    )


PEOPLE: tuple[Kind, ...] = (
    _kind("person", ("person", "human"), "blue", _person),
    _kind("man", ("man", "guy"), "green", _man),
    _kind("woman", ("woman", "lady"), "red", _woman),
    _kind("boy", ("boy",), "orange", _boy),
    _kind("girl", ("girl",), "pink", _girl),
    _kind("baby", ("baby", "infant"), "yellow", _baby),
    _kind("skeleton", ("skeleton",), "white", _skeleton, patterned=False),
    _kind("doll", ("doll",), "purple", _doll),
    _kind("monster", ("monster",), "purple", _monster),
    _kind("gummy_bear", ("gummy bear",), "red", _gummy_bear, patterned=False),
)
