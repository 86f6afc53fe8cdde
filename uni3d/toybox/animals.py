"""Four-legged and winged toys."""

from uni3d.toybox.kinds import Kind
from uni3d.toybox.shapes import Builder

__all__ = ["ANIMALS"]


def _corgi(b: Builder) -> None:
    length, leg, ear = b.vary(0.50, 0.62), b.vary(0.20, 0.28), b.vary(0.20, 0.28)
    body_z = leg + 0.20
    b.capsule((-length, 0, body_z), (length * 0.75, 0, body_z + 0.03), 0.24, region="torso")
    b.ellipsoid((length * 0.80, 0, body_z - 0.02), (0.22, 0.20, 0.22), "white", region="torso")
    head = (length + 0.18, 0.0, body_z + 0.40)
    b.capsule((length * 0.8, 0, body_z + 0.1), head, 0.17, "white", region="neck")
    b.ellipsoid(head, (0.26, 0.27, 0.25), region="head")
    b.ellipsoid((head[0] + 0.26, 0, head[2] - 0.07), (0.17, 0.12, 0.10), "white", region="head")
    b.ellipsoid((head[0] + 0.42, 0, head[2] - 0.03), (0.05, 0.06, 0.05), "black", region="head")
    ears = b.cone(
        (head[0] - 0.04, 0.17, head[2] + 0.30), 0.13, 0.02, ear, turn=(-14, 0, 0), region="head"
    )
    eyes = b.ball((head[0] + 0.21, 0.11, head[2] + 0.07), 0.045, "black", region="head")
    front = b.capsule(
        (length * 0.7, 0.14, body_z - 0.1), (length * 0.72, 0.15, 0.06), 0.09, "white", region="leg"
    )
    back = b.capsule(
        (-length * 0.9, 0.14, body_z - 0.1), (-length * 0.9, 0.15, 0.06), 0.09, "white", region="leg"
    )
    b.mirror(ears, eyes, front, back)
    b.ellipsoid((-length - 0.24, 0, body_z + 0.12), (0.10, 0.09, 0.09), region="tail")
    b.anchor("head", (head[0], 0, head[2] + 0.05), 0.26)
    b.anchor("neck", (length * 0.95, 0, body_z + 0.22), 0.22)
    b.anchor("torso", (0.0, 0, body_z), 0.25)
    b.anchor("eyes", (head[0] + 0.24, 0, head[2] + 0.07), 0.11)


ANIMALS: tuple[Kind, ...] = (
    Kind(
        name="corgi",
        words=("corgi", "dog", "puppy"),
        category="animal",
        color="orange",
        build=_corgi,
        patterned=True,
        wears=True,
    ),
)
