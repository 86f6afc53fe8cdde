"""Toys that go somewhere; they face +x."""

import math

from uni3d.toybox.kinds.kind import Kind
from uni3d.toybox.shapes import Builder

__all__ = ["VEHICLES"]

_GLASS = (0.62, 0.84, 0.97)
_TYRE = "black"


def _wheels(b: Builder, xs, y: float, radius: float, width: float, hub="gray") -> None:
    """A pair of wheels standing on z = 0 at every x, with their outer faces at |y| = `y`."""
    for x in xs:
        centre = (x, y - width, radius)
        tyre = b.cylinder(centre, radius, width, _TYRE, turn=(90, 0, 0), rounding=0.03)
        cap = b.cylinder((x, y, radius), radius * 0.55, 0.03, hub, turn=(90, 0, 0))
        b.mirror(tyre, cap)


def _car(b: Builder) -> None:
    length, width, cabin = b.vary(0.80, 0.95), b.vary(0.40, 0.46), b.vary(0.36, 0.46)
    roof = b.vary(0.16, 0.21)
    b.box((0, 0, 0.37), (length, width, 0.20), rounding=0.10)
    b.box((-0.10, 0, 0.55 + roof), (cabin, width * 0.86, roof), _GLASS, rounding=0.07)
    b.box((-0.10, 0, 0.57 + 2 * roof), (cabin * 0.95, width * 0.84, 0.05), rounding=0.04)
    pillar = b.box((-0.12, width * 0.80, 0.55 + roof), (0.06, 0.06, roof))
    rear = b.box((-0.06 - cabin, width * 0.76, 0.55 + roof), (0.06, 0.08, roof))
    light = b.ball((length - 0.02, width * 0.66, 0.42), 0.09, "yellow")
    stop = b.box((-length, width * 0.66, 0.42), (0.03, 0.09, 0.06), (0.7, 0.03, 0.03))
    b.mirror(pillar, rear, light, stop)
    b.box((length - 0.02, 0, 0.26), (0.05, width * 0.95, 0.06), "gray")
    b.box((-length + 0.02, 0, 0.26), (0.05, width * 0.95, 0.06), "gray")
    _wheels(b, (length * 0.58, -length * 0.58), width + 0.04, b.vary(0.20, 0.24), 0.10)


def _truck(b: Builder) -> None:
    bed, width, wall = b.vary(0.50, 0.62), b.vary(0.38, 0.44), b.vary(0.18, 0.25)
    nose = b.vary(0.26, 0.32)
    b.box((0.55 - bed, 0, 0.30), (bed + 0.42, width * 0.8, 0.09), "gray")
    b.box((0.72, 0, 0.64), (nose, width, 0.40), rounding=0.06)
    b.box((0.75, 0, 0.80), (nose, width * 0.85, 0.14), _GLASS)
    side = b.box((0.70, width, 0.80), (nose * 0.6, 0.02, 0.14), _GLASS)
    light = b.ball((0.72 + nose, width * 0.7, 0.42), 0.09, "yellow")
    b.box((0.74 + nose, 0, 0.28), (0.05, width, 0.07), "black")
    middle = 0.40 - bed
    b.box((middle, 0, 0.48), (bed, width, 0.10))
    b.box((middle + bed, 0, 0.60 + wall), (0.06, width, wall + 0.10))
    b.box((middle - bed, 0, 0.50 + wall), (0.06, width, wall))
    b.mirror(side, light, b.box((middle, width, 0.50 + wall), (bed, 0.06, wall)))
    b.ellipsoid((middle, 0, 0.44 + wall), (bed * 0.95, width, wall * 1.5), (0.45, 0.30, 0.16))
    _wheels(b, (0.68, 0.40 - bed * 0.9, 0.40 - bed * 1.72), width + 0.05, 0.22, 0.10)


def _bus(b: Builder) -> None:
    length, width, height = b.vary(0.92, 1.05), b.vary(0.32, 0.37), b.vary(0.36, 0.43)
    middle = 0.20 + height
    b.box((0, 0, middle), (length, width, height), rounding=0.07)
    glass = middle + height * 0.38
    b.box((length - 0.01, 0, glass - 0.03), (0.04, width * 0.84, height * 0.40), _GLASS)
    b.box((0.01 - length, 0, glass), (0.04, width * 0.70, height * 0.28), _GLASS)
    for k in range(4):
        x = length * (-0.72 + 0.44 * k)
        b.mirror(b.box((x, width, glass), (length * 0.16, 0.025, height * 0.30), _GLASS))
    b.mirror(b.box((0, width, middle - 0.16 * height), (length * 0.97, 0.025, 0.04), "black"))
    b.mirror(b.ball((length, width * 0.68, 0.34), 0.08, "white"))
    b.mirror(b.box((-length, width * 0.7, 0.36), (0.03, 0.07, 0.07), "red"))
    for x in (-0.5, 0.4):
        b.box((length * x, 0, middle + height), (0.18, 0.15, 0.04), "white")
    b.box((length, 0, 0.24), (0.04, width * 0.95, 0.05), "black")
    _wheels(b, (length * 0.60, -length * 0.60), width + 0.03, 0.19, 0.09)


def _train(b: Builder) -> None:
    length, boiler, stack = b.vary(0.52, 0.64), b.vary(0.27, 0.32), b.vary(0.18, 0.28)
    accent = "yellow" if b.color_name == "red" else "red"
    z = 0.36 + boiler
    b.box((0, 0, 0.32), (0.92, 0.30, 0.09), accent)
    front = length + 0.18
    b.cylinder((front - length, 0, z), boiler, length, turn=(0, 90, 0), rounding=0.04)
    b.cylinder((front, 0, z), boiler * 0.60, 0.05, "black", turn=(0, 90, 0))
    b.ball((front + 0.05, 0, z), 0.10, "yellow")
    b.cone((front - 0.18, 0, z + boiler + stack * 0.6), 0.09, 0.17, stack, "black")
    b.dome((front - 0.55, 0, z + boiler - 0.06), (0.15, 0.15, 0.22), "yellow")
    b.torus((front - 0.36, 0, z), boiler, 0.035, "yellow", turn=(0, 90, 0))
    b.box((-0.62, 0, 0.72), (0.30, 0.36, 0.40), rounding=0.04)
    b.box((-0.62, 0, 1.18), (0.40, 0.44, 0.07), rounding=0.05)
    b.mirror(b.box((-0.62, 0.36, 0.88), (0.16, 0.02, 0.15), _GLASS))
    b.box((-0.92, 0, 0.88), (0.02, 0.20, 0.15), _GLASS)
    b.wedge((0.96, 0, 0.20), (0.20, 0.30, 0.14))
    _wheels(b, (0.68, 0.22), 0.38, 0.20, 0.06, accent)
    _wheels(b, (-0.50,), 0.40, 0.30, 0.06, accent)


def _rocket(b: Builder) -> None:
    radius, height, fin = b.vary(0.27, 0.34), b.vary(0.52, 0.66), b.vary(0.22, 0.32)
    accent = "white" if b.color_name == "red" else "red"
    b.cylinder((0, 0, height), radius, height, rounding=0.04)
    b.torus((0, 0, 0.16), radius, 0.04, accent)
    b.cone((0, 0, 2 * height + 0.26), radius * 1.02, 0.03, 0.28)
    b.torus((0, 0, 2 * height), radius, 0.045, accent)
    b.ball((0, 0, 2 * height + 0.54), 0.07, accent)
    b.cone((0, 0, -0.10), radius * 0.85, radius * 0.5, 0.12, (0.25, 0.25, 0.28))
    b.cone((0, 0, -0.30), 0.05, radius * 0.6, 0.16, "orange")
    for k in range(4):
        turn = 45 + 90 * k
        x, y = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        reach = radius + fin * 0.35
        b.box(
            (x * reach, y * reach, 0.14),
            (fin * 0.8, 0.05, 0.24),
            accent,
            turn=(0, 28, turn),
            rounding=0.04,
        )
    window = height * 1.38
    for side in (1, -1):
        b.cylinder((side * radius, 0, window), 0.17, 0.04, "white", turn=(0, 90, 0))
        b.cylinder((side * radius, 0, window), 0.12, 0.06, "blue", turn=(0, 90, 0))


def _airplane(b: Builder) -> None:
    length, span, body = b.vary(0.72, 0.88), b.vary(0.85, 1.05), b.vary(0.19, 0.24)
    sweep = b.vary(8, 22)
    accent = "orange" if b.color_name == "blue" else "blue"
    b.capsule((-length * 0.7, 0, 0.04), (length, 0, 0), body)
    b.cone((-length - 0.12, 0, 0.08), body * 0.95, 0.06, 0.32, turn=(0, -84, 0))
    wing = b.box(
        (0.02 - span * 0.12, span * 0.5, -0.04),
        (0.23, span * 0.56, 0.05),
        turn=(4, 0, sweep),
        rounding=0.05,
    )
    tail = b.box((-length - 0.18, 0.24, 0.10), (0.13, 0.26, 0.04), turn=(0, 0, sweep))
    engine = b.cylinder((0.14, span * 0.42, -0.13), 0.11, 0.20, "gray", turn=(0, 90, 0))
    end = (0.02 - span * 0.30, span * 1.02, 0.0)
    tip = b.box(end, (0.20, 0.08, 0.06), accent, turn=(4, 0, sweep))
    b.mirror(wing, tail, engine, tip)
    b.box((-length - 0.20, 0, 0.36), (0.17, 0.045, 0.28), accent, turn=(0, -22, 0), rounding=0.04)
    b.box((length + 0.05, 0, 0.13), (0.12, body * 0.75, 0.06), (0.15, 0.25, 0.45), turn=(0, 25, 0))
    for k in range(4):
        window = (length * (0.6 - 0.4 * k), body * 0.93, 0.09)
        b.mirror(b.ball(window, 0.055, (0.15, 0.25, 0.45)))


def _sailing_boat(b: Builder) -> None:
    length, mast, angle = b.vary(0.66, 0.78), b.vary(0.52, 0.64), b.vary(4, 14)
    base = b.vary(0.36, 0.44)
    hull = "gray" if b.color_name == "brown" else "brown"
    b.ellipsoid((0.05, 0, 0.16), (length + 0.22, 0.31, 0.25), hull)
    b.box((-0.28, 0, 0.16), (length * 0.72, 0.29, 0.20), hull, rounding=0.10)
    b.ellipsoid((0.05, 0, 0.30), (length + 0.24, 0.35, 0.09))
    b.box((-0.30, 0, 0.30), (length * 0.72, 0.34, 0.09), rounding=0.08)
    b.box((-0.14, 0, 0.38), (length * 0.66, 0.22, 0.04), (0.85, 0.66, 0.40))
    b.cylinder((0.12, 0, 0.40 + mast), 0.05, mast + 0.14, (0.30, 0.17, 0.08))
    b.ball((0.12, 0, 0.58 + 2 * mast), 0.07, "red")
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    lean = math.degrees(math.atan2(base, 2 * mast))
    back = base * 0.5 + 0.06
    b.wedge(
        (0.12 - back * c, -back * s, 0.56 + mast),
        (base, 0.075, mast * 0.94),
        turn=(0, lean, angle),
    )
    # The jib swings far out, so that some sail is seen broad from every side.
    angle = b.vary(42, 56)
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    jib, ahead = base * 0.72, base * 0.36 + 0.10
    lean = math.degrees(math.atan2(jib, 1.5 * mast))
    b.wedge(
        (0.12 + ahead * c, ahead * s, 0.54 + mast * 0.78),
        (jib, 0.075, mast * 0.75),
        turn=(0, -lean, angle),
    )


def _tractor(b: Builder) -> None:
    wheel, hood, cabin = b.vary(0.38, 0.44), b.vary(0.36, 0.46), b.vary(0.26, 0.33)
    b.box((0.10, 0, 0.46), (0.66, 0.18, 0.12), "gray")
    b.box((hood + 0.02, 0, 0.64), (hood, 0.27, 0.20), rounding=0.07)
    b.box((2 * hood + 0.03, 0, 0.62), (0.03, 0.20, 0.14), "black")
    b.box((-0.30, 0, 0.66), (0.34, 0.30, 0.20), rounding=0.05)
    b.box((-0.30, 0, 0.80 + cabin), (0.27, 0.28, cabin), _GLASS, rounding=0.04)
    b.box((-0.30, 0, 0.84 + 2 * cabin), (0.38, 0.37, 0.07), rounding=0.05)
    fender = b.box((-0.36, 0.42, wheel * 2 + 0.03), (0.34, 0.16, 0.06), rounding=0.05)
    post = b.box((-0.08, 0.26, 0.80 + cabin), (0.05, 0.05, cabin))
    back = b.box((-0.54, 0.26, 0.80 + cabin), (0.05, 0.05, cabin))
    light = b.ball((2 * hood + 0.03, 0.20, 0.76), 0.07, "white")
    b.mirror(fender, post, back, light)
    b.cylinder((hood + 0.18, 0, 1.04), 0.06, 0.26, "black")
    _wheels(b, (-0.36,), 0.56, wheel, 0.12, "yellow")
    _wheels(b, (2 * hood - 0.16,), 0.42, 0.23, 0.09, "yellow")


def _kind(name: str, words: tuple[str, ...], color: str, build, patterned: bool = False) -> Kind:
    return Kind(
        name=name, words=words, category="vehicle", color=color, build=build, patterned=patterned
    )


VEHICLES: tuple[Kind, ...] = (
    _kind("car", ("car", "automobile", "sedan"), "red", _car, True),
    _kind("truck", ("truck", "dump truck", "lorry"), "orange", _truck),
    _kind("bus", ("bus", "school bus"), "yellow", _bus),
    _kind("train", ("train", "locomotive", "steam engine"), "blue", _train),
    _kind("rocket", ("rocket", "spaceship", "space rocket"), "gray", _rocket, True),
    _kind("airplane", ("airplane", "plane", "aeroplane"), "white", _airplane, True),
    _kind("sailing_boat", ("sailing boat", "sailboat", "boat"), "white", _sailing_boat, True),
    _kind("tractor", ("tractor", "farm tractor"), "green", _tractor),
)
