"""Bodies that several animals share: four legs under a lying trunk, or two under an upright one."""

import dataclasses
import math

from uni3d.toybox.shapes import Builder

__all__ = ["Body", "quadruped", "upright"]


@dataclasses.dataclass(frozen=True)
class Body:
    """Where things are attached: head centre and radius, rump point, and trunk height."""

    head: tuple[float, float, float]
    head_radius: float
    rump: tuple[float, float, float]
    trunk: float


def quadruped(
    b: Builder,
    *,
    length: float,
    leg: float,
    girth: float,
    head: float,
    neck: float,
    leg_radius: float = 0.1,
    feet: str | None = None,
    forward: float = 0.12,
) -> Body:
    """Trunk along x with its belly `leg` above the ground, four legs, neck and head.

    `neck` is how far the head's centre is above the trunk's axis; the anchors are set.
    """
    z = leg + girth * 0.8
    b.capsule((-length, 0, z), (length, 0, z), girth, region="torso")
    center = (length + forward, 0.0, z + neck)
    b.capsule((length * 0.9, 0, z), center, min(girth, head) * 0.72, region="neck")
    b.ball(center, head, region="head")
    for x in (length * 0.85, -length * 0.85):
        y = girth * 0.62
        limb = b.capsule((x, y, z - girth * 0.3), (x, y, leg_radius), leg_radius, region="leg")
        foot = b.ball((x + 0.03, y, leg_radius * 0.9), leg_radius * 1.1, feet, region="foot")
        b.mirror(limb, foot)
    b.anchor("head", (center[0], 0, center[2]), head)
    b.anchor("neck", *_seam((length, z), girth, (center[0], center[2]), head))
    b.anchor("torso", (0, 0, z), girth)
    b.anchor("back", (-length * 0.1, 0, z + girth), girth)
    b.anchor("chest", (length * 0.2, girth, z), girth)
    b.anchor("eyes", (center[0] + head * 0.86, 0, center[2] + head * 0.25), head * 0.42)
    return Body(center, head, (-length - girth, 0.0, z), z)


def _seam(
    trunk: tuple[float, float], girth: float, head: tuple[float, float], radius: float
) -> tuple[tuple[float, float, float], float]:
    """Centre and radius of a collar that shows, from the trunk's front ball and the head (x, z).

    Where the balls meet it is their circle of intersection; apart, a ring just below the head.
    """
    gap = math.hypot(head[0] - trunk[0], head[1] - trunk[1])
    down = min((gap * gap + radius**2 - girth**2) / (2 * gap), 0.9 * radius)
    share = down / gap
    ring = max(math.sqrt(radius**2 - down**2), 0.72 * radius)
    x, z = (h + share * (t - h) for h, t in zip(head, trunk, strict=True))
    return (x, 0.0, z), ring


def upright(
    b: Builder,
    *,
    height: float,
    girth: float,
    head: float,
    arm: float = 0.5,
    belly: str | tuple | None = None,
    feet: str | tuple | None = None,
    legs: float = 0.16,
) -> Body:
    """An egg-shaped trunk on two short legs with two arms and a round head; anchors are set."""
    z = legs + height
    b.ellipsoid((0, 0, z), (girth, girth, height), region="torso")
    if belly is not None:
        b.ellipsoid(
            (girth * 0.28, 0, z - height * 0.05),
            (girth * 0.8, girth * 0.72, height * 0.78),
            belly,
            region="belly",
        )
    center = (0.03, 0.0, z + height * 0.85 + head * 0.75)
    b.ball(center, head, region="head")
    limb = b.capsule(
        (0, girth * 0.85, z + height * 0.35),
        (0.12, girth + arm * 0.45, z - height * 0.25),
        0.115,
        region="arm",
    )
    foot = b.ellipsoid((0.1, girth * 0.5, 0.1), (0.22, 0.15, 0.1), feet, region="foot")
    leg = b.capsule((0, girth * 0.5, 0.12), (0, girth * 0.5, z - height * 0.6), 0.14, region="leg")
    b.mirror(limb, foot, leg)
    b.anchor("head", center, head)
    b.anchor("neck", (0.02, 0, center[2] - head * 0.85), girth * 0.72)
    b.anchor("torso", (0, 0, z), girth)
    b.anchor("back", (-girth * 0.95, 0, z + height * 0.15), girth * 0.9)
    b.anchor("chest", (girth, 0, z + height * 0.2), girth)
    b.anchor("eyes", (center[0] + head * 0.86, 0, center[2] + head * 0.25), head * 0.42)
    return Body(center, head, (-girth, 0.0, z - height * 0.4), z)


def eyes(b: Builder, body: Body, size: float = 0.16, color: str = "black") -> None:
    """Two eyes on the front of the head."""
    x, _, z = body.head
    r = body.head_radius
    b.mirror(b.ball((x + r * 0.84, r * 0.4, z + r * 0.28), r * size, color, region="eye"))
    b.ball((x + r * 0.84, r * 0.4, z + r * 0.28), r * size, color, region="eye")
