"""What toys do and where they are: poses of the body, and things put to hand, seat, side, foot.

A pose moves parts that the kind has built, by their regions ("leg", "foot", "arm", ...) and the
anchors of `roles`; whoever lacks them cannot take it (`can_sit`, `can_hold`).
"""

import math

import numpy as np

from uni3d.toybox.held import HELD
from uni3d.toybox.kinds.kind import Kind
from uni3d.toybox.roles import at, is_lying
from uni3d.toybox.shapes import CAPSULE, CONE, Builder, Part, lowest_point, support
from uni3d.toybox.things import BELOW, BESIDE, CONTAINERS, RIDDEN

__all__ = ["ACTIONS", "RELATIONS", "act", "can_hold", "can_sit", "relate"]

ACTIONS = ("sitting", *(f"holding {t}" for t in HELD), *(f"riding {t}" for t in RIDDEN))
RELATIONS = (
    *(f"next to {t}" for t in BESIDE),
    *(f"on {t}" for t in BELOW),
    *(f"in {t}" for t in CONTAINERS),
)
# Their legs are not where the poses look for them.
_STIFF = {"kangaroo", "dinosaur", "otter", "dragon", "crocodile", "eagle", "octopus", "walrus"}
HEAD_REGIONS = ("head", "eye", "mane")


def _body(kind: Kind) -> Builder:
    """The kind as it is built once, to see what it has."""
    b = Builder(np.random.default_rng(0), kind.color)
    kind.build(b)
    return b


def can_sit(kind: Kind) -> bool:
    """Whether the poses know its body: two legs, or four and lying."""
    if not _has_limbs(kind):
        return False
    b = _body(kind)
    return len(_limbs(b)) == (4 if is_lying(b) else 2)


def _has_limbs(kind: Kind) -> bool:
    return (kind.wears or kind.name == "astronaut") and kind.name not in _STIFF


def can_hold(kind: Kind) -> bool:
    """Whether it has an arm on its left, or four legs of which it can lift one."""
    if not _has_limbs(kind):
        return False
    b = _body(kind)
    return len(_limbs(b)) == 4 if is_lying(b) else bool(_arm(b))


def act(b: Builder, action: str) -> None:
    """Take a pose of ACTIONS, with the thing it needs; see `can_sit` and `can_hold` for who can."""
    verb, _, thing = action.partition(" ")
    top = float(support(b.parts, np.array([[0, 0, 1.0]]))[0])
    tall, look = top - lowest_point(b.parts)[0], b.parts[0].look
    hand, astride = (0.0, 0.0, 0.0), verb == "riding" and thing != "skateboard"
    if verb == "holding":
        hand = _raised_hand(b)
    elif verb == "sitting" or astride:
        _sit(b, astride)
    for part in b.parts:  # the limbs that the pose has made are of what the rest is
        if part.region in ("leg", "foot"):
            part.look = look
    if verb == "holding":
        HELD[thing](b, hand, tall)
    elif verb == "riding":
        bottom = _seat(b) if astride else lowest_point(b.parts)[0]
        RIDDEN[thing](b, (0.0, 0.0, bottom + 0.02 * tall), 0.9 * tall)


def relate(b: Builder, relation: str) -> None:
    """Put the thing of one of RELATIONS where its preposition says."""
    where, thing = relation.rsplit(" ", 1)
    bottom, reach = lowest_point(b.parts)
    left, up = support(b.parts, np.array([[0, 1.0, 0], [0, 0, 1.0]]))
    tall = float(up) - bottom
    size = max(tall, 0.8 * reach)
    if where == "next to":
        BESIDE[thing](b, (0.0, float(left) + 0.02 * size, bottom), size)
    elif where == "on":
        BELOW[thing](b, (0.0, 0.0, bottom + 0.01 * size), min(0.85 * reach, 0.8 * tall))
    else:
        height = 0.42 * tall
        CONTAINERS[thing](b, (0.0, 0.0, bottom - 0.1 * tall), min(0.92 * reach, 0.9 * tall), height)


# Arms


def _arm(b: Builder) -> list[Part]:
    """The parts of the left arm, hand included."""
    parts = [p for p in b.parts if p.region in ("arm", "hand", "limb") and p.center[1] > 0.02]
    return parts if any(p.region == "arm" for p in parts) else []


def _ends(part: Part) -> list[np.ndarray]:
    if part.shape == CAPSULE:
        reach = part.axes[:, 2] * part.size[1]
        return [part.center - reach, part.center + reach]
    return [part.center - [0, 0, max(part.size[:3])], part.center]


def _raised_hand(b: Builder) -> tuple[float, float, float]:
    """Lift the left arm forward (or the left forepaw); where its hand is then."""
    if is_lying(b):
        return _lifted_paw(b)
    arm = [p for p in _arm(b) if p.region != "limb"]
    shoulder = max((e for p in arm if p.region == "arm" for e in _ends(p)), key=lambda e: e[2])
    turn = _about_y(-60)
    far = shoulder
    for part in arm:
        part.center = shoulder + turn @ (part.center - shoulder)
        part.axes = turn @ part.axes
        far = max([far, *_ends(part)], key=lambda e: float(np.linalg.norm(e - shoulder)))
    return float(far[0]), float(far[1]), float(far[2])


def _lifted_paw(b: Builder) -> tuple[float, float, float]:
    leg = next(p for p in _limbs(b) if p.center[0] > 0 and p.center[1] > 0)
    foot = [
        p for p in b.parts if p.region == "foot" and math.dist(p.center[:2], leg.center[:2]) < 0.2
    ]
    b.parts = [p for p in b.parts if not any(p is q for q in (leg, *foot))]
    radius = leg.size[0]
    top = max(_ends(leg), key=lambda e: e[2])
    _, _, tz, girth = at(b, "torso")
    hand = (top[0] + 0.75 * girth + radius, max(top[1], girth) + 1.2 * radius, tz + 0.15 * girth)
    limb = b.capsule(top, hand, radius, leg.color, "leg")
    paw = b.ball(hand, 1.25 * radius, foot[0].color if foot else leg.color, "foot")
    limb.main, paw.main = leg.main, False
    return hand


# Legs


def _limbs(b: Builder) -> list[Part]:
    """The legs: the longest upright capsule or cylinder of each corner or side."""
    corners: dict[tuple[bool, bool], Part] = {}
    lying = is_lying(b)
    for p in b.parts:
        tall = abs(p.axes[2, 2]) * (p.size[1] if p.shape in (CAPSULE, 3) else 0.0)
        if p.region != "leg" or abs(p.center[1]) < 0.02 or tall == 0.0:
            continue
        corner = (lying and bool(p.center[0] > at(b, "torso")[0]), bool(p.center[1] > 0))
        other = corners.get(corner)
        if other is None or tall > abs(other.axes[2, 2]) * other.size[1]:
            corners[corner] = p
    return list(corners.values())


def _about_y(degrees: float) -> np.ndarray:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _seat(b: Builder) -> float:
    """Height of the lowest point of the trunk."""
    trunk = [p for p in b.parts if p.region in ("torso", "belly")]
    return lowest_point(trunk)[0]


def _sit(b: Builder, astride: bool) -> None:
    limbs = _limbs(b)
    feet = [p for p in b.parts if p.region == "foot"]
    gone = [p for p in b.parts if p.region in ("leg", "foot") and abs(p.center[1]) > 0.02]
    worn = [p for p in b.parts if p.region == "worn" and p.center[2] < _seat(b)]  # boots
    b.parts = [p for p in b.parts if not any(p is q for q in (*gone, *worn))]
    foot_color = (worn or feet or limbs)[0].color
    if is_lying(b):
        _sit_on_haunches(b, limbs, foot_color)
    else:
        _sit_down(b, limbs, foot_color, astride)


def _sit_down(b: Builder, limbs: list[Part], foot_color, astride: bool) -> None:
    """Two legs forward on the ground, or to the sides of what is ridden."""
    leg = limbs[0]
    ends = sorted(_ends(leg), key=lambda e: e[2])
    hip, radius = ends[1], leg.size[0]
    length = max(float(hip[2] - ends[0][2]) + radius, 2.6 * radius)
    for part in b.parts:  # a skirt becomes a lap
        if part.shape == CONE and abs(part.center[1]) < 0.02 and part.center[2] < hip[2]:
            top = part.center[2] + part.size[2]
            half = min(part.size[2], 0.4 * length)
            part.center = np.array([0.1 * length, 0, top - half])
            part.size = (part.size[0], part.size[1], half, 0.0)
    ground = _seat(b)
    y = abs(float(hip[1]))
    for side in (1, -1):
        start = np.array([hip[0], side * y, max(hip[2] - 0.3 * radius, ground + radius)])
        if astride:
            wide = side * (y + 0.16 * length)
            knee = (start[0] + 0.55 * length, wide, start[2] - 0.12 * length)
            end = (knee[0] - 0.05 * length, wide, knee[2] - 0.45 * length)
        else:
            knee = (start[0] + 0.5 * length, side * y * 1.1, ground + 1.1 * radius)
            end = (start[0] + 1.0 * length, side * y * 1.25, ground + radius)
        for a, c in ((start, knee), (knee, end)):
            b.capsule(a, c, radius, leg.color, "leg").main = leg.main
        toe = (
            (end[0] + 0.6 * radius, end[1], end[2])
            if astride
            else (end[0], end[1], end[2] + 0.6 * radius)
        )
        b.ellipsoid(toe, (1.3 * radius, 1.05 * radius, 1.2 * radius), foot_color, region="foot")


def _sit_on_haunches(b: Builder, limbs: list[Part], foot_color) -> None:
    """The trunk tips up about the hind hips; the head stays level, the front legs upright."""
    hind = [p for p in limbs if p.center[0] < at(b, "torso")[0]]
    front = [p for p in limbs if p.center[0] >= at(b, "torso")[0]]
    hip = max(_ends(hind[0]), key=lambda e: e[2])
    pivot = np.array([hip[0], 0, hip[2]])
    turn = _about_y(-38)

    def moved(point: np.ndarray) -> np.ndarray:
        return pivot + turn @ (point - pivot)

    hx, _, hz, radius = at(b, "head")
    head = np.array([hx, 0, hz])
    lift = moved(head) - head
    for part in b.parts:
        near = np.linalg.norm(part.center - head) < 1.45 * radius
        if part.region in HEAD_REGIONS or (near and part.region not in ("torso", "neck")):
            part.center = part.center + lift
        elif part.region != "tail":
            part.center, part.axes = moved(part.center), turn @ part.axes
    shoulders = [moved(max(_ends(p), key=lambda e: e[2])) for p in front]
    ground = _seat(b) - 0.02
    girth, thick = at(b, "torso")[3], front[0].size[0]
    for shoulder, leg in zip(shoulders, front, strict=True):
        low = (shoulder[0] + 0.1, shoulder[1], ground + thick)
        b.capsule(shoulder, low, thick, leg.color, "leg").main = leg.main
        b.ball((low[0] + 0.04, low[1], low[2] - 0.1 * thick), 1.15 * thick, foot_color, "foot")
    for leg in hind:
        y = leg.center[1]
        haunch = (pivot[0] + 0.5 * girth, 1.05 * y, ground + 0.62 * girth)
        size = (0.85 * girth, 0.5 * girth, 0.62 * girth)
        b.ellipsoid(haunch, size, leg.color, region="leg").main = leg.main
        toe = (haunch[0] + 0.95 * girth, 1.2 * y, ground + 0.8 * thick)
        b.ellipsoid(toe, (1.7 * thick, thick, 0.85 * thick), foot_color, region="foot")
