"""Roles and accessories: what any animal or character may wear, put at the builder's anchors."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from uni3d.toybox.shapes import CAPSULE, Builder, Part

__all__ = ["ACCESSORIES", "ROLES", "Role", "at", "dress_in", "is_lying"]


@dataclasses.dataclass(frozen=True)
class Role:
    """A thing worn. `words` name it without article; `apply` runs after the kind is built."""

    name: str
    words: tuple[str, ...]
    apply: Callable[[Builder], None]


def dress_in(b: Builder, color, regions=("torso", "leg", "arm", "belly", "neck")) -> None:
    """Recolour the parts of the body that a suit covers."""
    rgb = b.rgb(color)
    for part in b.parts:
        if part.region in regions:
            part.color, part.main, part.pattern = rgb, False, 0


def at(b: Builder, name: str) -> tuple[float, float, float, float]:
    center, radius = b.anchors[name]
    return float(center[0]), float(center[1]), float(center[2]), radius


def is_lying(b: Builder) -> bool:
    """Whether the back is on top (four legs) rather than behind (two)."""
    back, torso = b.anchors["back"][0], b.anchors["torso"][0]
    return bool(back[2] - torso[2] > abs(back[0] - torso[0]))


def _pack(b: Builder, color, size: float = 1.0) -> None:
    x, _, z, r = at(b, "back")
    r = max(r, 0.85 * at(b, "head")[3]) * size  # slender animals carry a pack as big as their head
    if is_lying(b):
        b.box(
            (x, 0, z + 0.32 * r), (0.6 * r, 0.62 * r, 0.42 * r), color, region="worn", rounding=0.05
        )
    else:
        b.box(
            (x - 0.25 * r, 0, z),
            (0.46 * r, 0.68 * r, 0.74 * r),
            color,
            region="worn",
            rounding=0.05,
        )


def _collar(b: Builder, color, thick: float = 0.3) -> None:
    """A ring where head and body meet, its axis along the neck."""
    x, _, z, r = at(b, "neck")
    hx, _, hz, _ = at(b, "head")
    tilt = math.degrees(math.atan2(hx - x, hz - z)) if is_lying(b) else 0.0
    b.torus((x, 0, z), r * 1.08, r * thick, color, turn=(0, tilt, 0), region="worn")


def _cape(b: Builder, color) -> None:
    """A blanket over a lying trunk, or half a shell behind an upright one: the front stays free."""
    tx, _, tz, r = at(b, "torso")
    nx = float(b.anchors["neck"][0][0])
    if is_lying(b):
        rear = min(p.center[0] - _reach(p)[0] for p in b.parts if p.region == "torso")
        front = max(nx - 0.2 * r, tx + 0.5 * r)
        half = (front - rear) / 2 + 0.02 * r
        b.box(
            (front - half, 0, tz + 0.2 * r),
            (half, 1.16 * r, 0.94 * r),
            color,
            region="worn",
            rounding=0.5 * r,
        )
    else:
        top, bottom = float(b.anchors["neck"][0][2]), tz - 1.25 * r
        tall = (top - bottom) / 2
        # The dome's local up is turned to -x, so its radii are (height, width, depth).
        b.dome(
            (tx - 0.1 * r, 0, (top + bottom) / 2),
            (1.1 * tall, 1.2 * r, 1.1 * r),
            color,
            turn=(0, -90, 0),
            region="worn",
        )
        b.wedge(
            (tx - 1.12 * r, 0, bottom + 1.1 * tall),
            (1.4 * r, 0.2 * r, 1.1 * tall),
            color,
            turn=(14, 0, 90),
            region="worn",
        )


def _reach(part: Part) -> np.ndarray:
    """Half extents of a trunk's capsule or ellipsoid along x, y, z."""
    a, b, c, _ = part.size
    half = np.array([a, a, a + b]) if part.shape == CAPSULE else np.array([a, b, c])
    return np.abs(part.axes) @ half


def _astronaut(b: Builder) -> None:
    dress_in(b, "white")
    for part in b.parts:
        if part.region == "foot":
            part.color, part.main = b.rgb("gray"), False
    _collar(b, "gray")
    _pack(b, "gray")
    x, y, z, r = at(b, "chest")
    if y:
        patch = b.box((x, y, z), (0.4 * r, 0.08, 0.32 * r), "blue", region="worn")
        b.mirror(patch)
    else:
        b.box((x, 0, z), (0.07, 0.4 * r, 0.28 * r), "blue", region="worn")


def _wizard(b: Builder) -> None:
    dress_in(b, "purple")
    x, _, z, r = at(b, "head")
    z += 0.78 * r
    b.cylinder((x, 0, z), 1.35 * r, 0.14 * r, "purple", region="worn")
    b.cone((x, 0, z + 0.85 * r), 0.8 * r, 0.03, 0.85 * r, "purple", region="worn")
    for angle, up in ((0.3, 0.35), (2.4, 0.45), (4.4, 0.4), (1.3, 0.9), (3.6, 0.95), (5.6, 0.85)):
        ring = 0.8 * r * (1 - up / 1.75)
        star = (x + ring * math.cos(angle), ring * math.sin(angle), z + up * r)
        b.ball(star, 0.15 * r, "yellow", region="worn")


def _pirate(b: Builder) -> None:
    dress_in(b, "red", ("torso", "belly"))
    for part in b.parts:
        if part.region in ("torso", "belly"):  # a sailor's shirt: no other role is striped
            part.pattern, part.color2, part.frequency = 1, b.rgb("white"), 9.0
    x, _, z, r = at(b, "head")
    z += 0.72 * r
    b.ellipsoid((x, 0, z), (0.85 * r, 1.4 * r, 0.3 * r), "black", region="worn")
    b.dome((x, 0, z), (0.75 * r, 0.9 * r, 0.8 * r), "black", region="worn")
    b.ball((x + 0.68 * r, 0, z + 0.36 * r), 0.22 * r, "white", region="worn")
    b.ball((x - 0.68 * r, 0, z + 0.36 * r), 0.16 * r, "white", region="worn")
    ex, _, ez, gap = at(b, "eyes")
    b.ellipsoid((ex, gap, ez), (0.1, 0.28 * r, 0.28 * r), "black", region="worn")


def _knight(b: Builder) -> None:
    steel = (0.62, 0.64, 0.68)
    dress_in(b, steel, ("torso", "leg", "arm", "belly", "neck", "foot"))
    x, _, z, r = at(b, "head")
    b.dome((x - 0.08 * r, 0, z + 0.22 * r), (1.1 * r, 1.12 * r, 0.86 * r), steel, region="worn")
    b.torus((x - 0.08 * r, 0, z + 0.26 * r), 1.06 * r, 0.12 * r, "black", region="worn")
    b.ellipsoid((x - 0.2 * r, 0, z + 1.2 * r), (0.85 * r, 0.26 * r, 0.55 * r), "red", region="worn")
    _collar(b, steel, 0.25)


def _chef(b: Builder) -> None:
    dress_in(b, "white", ("torso", "belly", "arm"))
    x, _, z, r = at(b, "head")
    z += 0.75 * r
    b.cylinder((x, 0, z + 0.25 * r), 0.72 * r, 0.35 * r, "white", region="worn")
    b.ellipsoid((x, 0, z + 0.85 * r), (0.98 * r, 0.98 * r, 0.48 * r), "white", region="worn")
    _collar(b, "red", 0.22)


def _crown_on(b: Builder) -> None:
    x, _, z, r = at(b, "head")
    z += 0.82 * r
    gold = (0.98, 0.78, 0.1)
    b.cylinder((x, 0, z + 0.12 * r), 0.72 * r, 0.22 * r, gold, region="worn")
    for k in range(6):
        angle = math.pi / 3 * k
        place = (x + 0.6 * r * math.cos(angle), 0.6 * r * math.sin(angle), z + 0.5 * r)
        b.cone(place, 0.2 * r, 0.02, 0.24 * r, gold, region="worn")
    b.ball((x + 0.7 * r, 0, z + 0.14 * r), 0.15 * r, "red", region="worn")


def _king(b: Builder) -> None:
    _cape(b, "red")
    _collar(b, "white", 0.34)
    _crown_on(b)


def _top_hat(b: Builder) -> None:
    x, _, z, r = at(b, "head")
    z += 0.8 * r
    b.cylinder((x, 0, z), 1.15 * r, 0.1 * r, "black", region="worn")
    b.cylinder((x, 0, z + 0.55 * r), 0.72 * r, 0.6 * r, "black", region="worn")
    b.cylinder((x, 0, z + 0.24 * r), 0.76 * r, 0.13 * r, "red", region="worn")


def _scarf(b: Builder) -> None:
    _collar(b, "red", 0.36)
    x, _, z, r = at(b, "neck")
    b.capsule(
        (x + 0.85 * r, 0.45 * r, z - 0.1),
        (x + 0.95 * r, 0.5 * r, z - 0.15 - 0.8 * r),
        0.27 * r,
        "red",
        region="worn",
    )


def _only_cape(b: Builder) -> None:
    _cape(b, "blue")
    _collar(b, "blue", 0.26)


def _backpack(b: Builder) -> None:
    _pack(b, "green", 1.1)
    x, _, z, r = at(b, "back")
    r = max(r, 0.85 * at(b, "head")[3])
    if is_lying(b):
        b.box((x, 0, z + 0.84 * r), (0.45 * r, 0.45 * r, 0.12 * r), "brown", region="worn")
    else:
        b.box(
            (x - 0.78 * r, 0, z - 0.15 * r), (0.14 * r, 0.5 * r, 0.35 * r), "brown", region="worn"
        )


def _sunglasses(b: Builder) -> None:
    x, _, z, gap = at(b, "eyes")
    _, _, _, r = at(b, "head")
    lens = b.ellipsoid(
        (x + 0.05 * r, max(gap, 0.36 * r), z),
        (0.16 * r, 0.36 * r, 0.28 * r),
        "black",
        region="worn",
    )
    hook = b.capsule(
        (x, 0.75 * r, z + 0.1 * r),
        (x - 0.9 * r, 1.0 * r, z + 0.1 * r),
        0.08 * r,
        "black",
        region="worn",
    )
    b.mirror(lens, hook)
    b.capsule(
        (x + 0.12 * r, -0.3 * r, z), (x + 0.12 * r, 0.3 * r, z), 0.1 * r, "black", region="worn"
    )


def _table(*roles: Role) -> dict[str, Role]:
    return {role.name: role for role in roles}


ROLES = _table(
    Role("astronaut", ("astronaut", "spaceman"), _astronaut),
    Role("wizard", ("wizard", "magician"), _wizard),
    Role("pirate", ("pirate",), _pirate),
    Role("knight", ("knight",), _knight),
    Role("chef", ("chef", "cook"), _chef),
    Role("king", ("king",), _king),
)
ACCESSORIES = _table(
    Role("top_hat", ("top hat",), _top_hat),
    Role("scarf", ("scarf",), _scarf),
    Role("cape", ("cape",), _only_cape),
    Role("backpack", ("backpack", "rucksack"), _backpack),
    Role("crown", ("crown",), _crown_on),
    Role("sunglasses", ("pair of sunglasses",), _sunglasses),
)
