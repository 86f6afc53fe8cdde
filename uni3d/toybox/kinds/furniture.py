"""Toy furniture; it faces +x."""

from uni3d.toybox.kinds.kind import Kind
from uni3d.toybox.shapes import Builder

__all__ = ["FURNITURE"]


def _legs(b: Builder, x: float, y: float, height: float, radius: float, color=None) -> None:
    """Four square legs between z = 0 and `height`."""
    for sign in (1, -1):
        leg = b.box((sign * x, y, height / 2), (radius, radius, height / 2), color)
        b.mirror(leg)


def _chair(b: Builder) -> None:
    width, seat, back = b.vary(0.38, 0.46), b.vary(0.42, 0.54), b.vary(0.36, 0.48)
    _legs(b, 0.34, width - 0.06, seat, 0.07)
    b.box((0, 0, seat), (0.42, width, 0.07), rounding=0.03)
    post = b.box((-0.36, width - 0.06, seat + back), (0.065, 0.07, back), rounding=0.03)
    b.mirror(post)
    b.box((-0.36, 0, seat + 2 * back - 0.12), (0.06, width, 0.14), rounding=0.04)
    b.box((-0.36, 0, seat + back * 0.85), (0.05, width, 0.10), rounding=0.04)
    b.box((0.02, 0, seat + 0.08), (0.33, width * 0.78, 0.05), "white", rounding=0.04)


def _table(b: Builder) -> None:
    length, width, height = b.vary(0.52, 0.66), b.vary(0.78, 0.95), b.vary(0.52, 0.68)
    _legs(b, length - 0.12, width - 0.12, height, 0.085)
    b.box((0, 0, height), (length, width, 0.07), rounding=0.03)
    b.box((0, 0, height - 0.12), (length - 0.12, width - 0.12, 0.08), b.shade(0.75))


def _bed(b: Builder) -> None:
    width, length, head = b.vary(0.46, 0.62), b.vary(0.80, 0.95), b.vary(0.34, 0.46)
    # The frame is all that is seen from behind, so it too must tell the colour of the bed.
    wood = b.shade(1.3 if b.color_name == "black" else 0.6)
    _legs(b, length - 0.06, width - 0.04, 0.30, 0.08, wood)
    b.box((0, 0, 0.26), (length, width, 0.10), wood)
    b.box((-length, 0, 0.12 + 2 * head), (0.07, width + 0.05, 0.10), wood, rounding=0.05)
    post = b.box((-length, width, 0.12 + head), (0.07, 0.08, head), wood)
    knob = b.ball((-length, width, 0.24 + 2 * head), 0.10, wood)
    foot = b.ball((length, width, 0.46), 0.09, wood)
    b.mirror(post, knob, foot)
    b.box((length, 0, 0.26), (0.07, width + 0.05, 0.14), wood, rounding=0.05)
    b.box((0, 0, 0.42), (length * 0.96, width * 0.96, 0.12), "white", rounding=0.06)
    b.box((length * 0.24, 0, 0.44), (length * 0.73, width * 1.05, 0.16), rounding=0.08)
    b.box((-length * 0.42, 0, 0.58), (0.09, width * 1.02, 0.05), b.shade(1.5), rounding=0.05)
    pillow = (-length * 0.72, width * 0.46, 0.60)
    b.mirror(b.ellipsoid(pillow, (0.17, width * 0.42, 0.12), "white", turn=(0, -12, 0)))


def _lamp(b: Builder) -> None:
    low, high, tall = b.vary(0.48, 0.60), b.vary(0.22, 0.32), b.vary(0.30, 0.42)
    metal = (0.30, 0.24, 0.22) if b.color_name != "black" else (0.75, 0.65, 0.45)
    shade = b.vary(0.28, 0.36)
    b.cylinder((0, 0, 0.06), 0.34, 0.06, metal, rounding=0.04)
    b.ball((0, 0, 0.26), 0.17, metal)
    b.cylinder((0, 0, 0.2 + tall), 0.06, tall, metal)
    middle = 0.34 + 2 * tall
    b.cone((0, 0, middle), low, high, shade)
    b.torus((0, 0, middle - shade), low, 0.035, b.shade(0.7))
    b.torus((0, 0, middle + shade), high, 0.03, b.shade(0.7))
    b.cylinder((0, 0, middle + shade), high * 0.85, 0.03, (1.0, 0.98, 0.80))
    b.ball((0, 0, middle + shade + 0.06), 0.08, metal)


def _sofa(b: Builder) -> None:
    width, back, arm = b.vary(0.78, 0.95), b.vary(0.34, 0.44), b.vary(0.26, 0.34)
    b.box((0, 0, 0.26), (0.42, width, 0.17), rounding=0.06)
    b.box((-0.34, 0, 0.20 + back), (0.16, width, back), rounding=0.12)
    rest = b.box((0.02, width, 0.14 + arm), (0.44, 0.15, arm), rounding=0.13)
    half = (0.34, width * 0.41, 0.10)
    seat = b.box((0.10, width * 0.43, 0.45), half, b.shade(1.18), rounding=0.08)
    foot = b.cylinder((0.32, width * 0.9, 0.06), 0.07, 0.08, (0.22, 0.13, 0.07))
    heel = b.cylinder((-0.34, width * 0.9, 0.06), 0.07, 0.08, (0.22, 0.13, 0.07))
    b.mirror(rest, seat, foot, heel)
    pillow = "white" if b.color_name == "yellow" else "yellow"
    b.box((-0.10, width * 0.62, 0.68), (0.08, 0.18, 0.18), pillow, turn=(12, -18, 0), rounding=0.07)


FURNITURE: tuple[Kind, ...] = (
    Kind(name="chair", words=("chair", "seat"), category="furniture", color="red", build=_chair),
    Kind(
        name="table",
        words=("table", "dining table", "desk"),
        category="furniture",
        color="brown",
        build=_table,
    ),
    Kind(
        name="bed", words=("bed",), category="furniture", color="blue", build=_bed, patterned=True
    ),
    Kind(
        name="lamp",
        words=("lamp", "table lamp"),
        category="furniture",
        color="yellow",
        build=_lamp,
        patterned=True,
    ),
    Kind(
        name="sofa",
        words=("sofa", "couch"),
        category="furniture",
        color="purple",
        build=_sofa,
        patterned=True,
    ),
)
