"""More things that go somewhere, on wheels, tracks, in the air and under water; they face +x."""

import math

from uni3d.toybox.kinds.kind import Kind
from uni3d.toybox.kinds.palette import SILVER, WOOD
from uni3d.toybox.shapes import Builder

__all__ = ["TRANSPORT"]

_GLASS = (0.62, 0.84, 0.97)
_STEEL = (0.36, 0.37, 0.40)
_RUBBER = "black"


def _spoked_wheel(
    b: Builder, centre, radius: float, tyre: float, color, spoke, diameters: int
) -> None:
    """A ring whose axle lies along y, its spokes and hub."""
    x, y, z = centre
    b.torus(centre, radius - tyre, tyre, color, turn=(90, 0, 0))
    for k in range(diameters):
        angle = math.pi * (k + 0.25) / diameters
        r = radius - tyre
        across, up = r * math.cos(angle), r * math.sin(angle)
        b.capsule((x + across, y, z + up), (x - across, y, z - up), 0.032, spoke)
    b.cylinder(centre, 0.08, tyre + 0.03, spoke, turn=(90, 0, 0))


def _tracks(b: Builder, length: float, y: float, height: float, hub) -> None:
    """A pair of crawler tracks on z = 0 at +-`y`, with their road wheels."""
    parts = [b.box((0, y, height), (length, 0.13, height), _RUBBER, rounding=height * 0.9)]
    count = 4
    for k in range(count):
        x = (length - height) * (2 * k / (count - 1) - 1)
        place = (x, y + 0.09, height)
        parts.append(b.cylinder(place, height * 0.72, 0.06, hub, turn=(90, 0, 0)))
    for k in range(7):
        x = (length - height * 0.8) * (k / 3 - 1)
        parts.append(
            b.box((x, y, height), (0.035, 0.14, height + 0.025), (0.2, 0.2, 0.22), rounding=0.01)
        )
    b.mirror(*parts)


def _bicycle(b: Builder) -> None:
    wheel, base, rise = b.vary(0.40, 0.46), b.vary(0.56, 0.64), b.vary(0.36, 0.44)
    width = b.vary(0.28, 0.36)
    for x in (base, -base):
        _spoked_wheel(b, (x, 0, wheel), wheel, 0.06, _RUBBER, SILVER, 4)
    crank, seat = (-0.08, 0, wheel * 0.85), (-0.26, 0, wheel + rise)
    head = (base - 0.17, 0, wheel + rise + 0.04)
    tube = 0.055
    for start, end in ((crank, seat), (crank, head), (seat, head)):
        b.capsule(start, end, tube)
    stay = b.capsule((-base, 0.09, wheel), (-0.26, 0.04, wheel + rise), 0.04)
    chain = b.capsule((-base, 0.09, wheel), (-0.08, 0.07, wheel * 0.85), 0.04)
    fork = b.capsule((base, 0.09, wheel), (head[0], 0.05, head[2]), 0.045)
    b.mirror(stay, chain, fork)
    b.capsule(seat, (-0.31, 0, wheel + rise + 0.13), 0.045, SILVER)
    b.ellipsoid((-0.31, 0, wheel + rise + 0.17), (0.22, 0.12, 0.07), "black")
    top = (head[0] - 0.05, 0, head[2] + 0.20)
    b.capsule(head, top, 0.05, SILVER)
    b.mirror(
        b.capsule(top, (top[0] + 0.04, width, top[2] + 0.02), 0.045, SILVER),
        b.capsule(
            (top[0] + 0.04, width, top[2] + 0.02), (top[0] - 0.14, width, top[2]), 0.06, "black"
        ),
    )
    b.cylinder(crank, 0.14, 0.05, SILVER, turn=(90, 0, 0))
    for side in (1, -1):
        foot = (crank[0] + side * 0.10, side * 0.12, crank[2] - side * 0.17)
        b.capsule((crank[0], side * 0.10, crank[2]), foot, 0.035, SILVER)
        b.box((foot[0], side * 0.20, foot[2]), (0.09, 0.09, 0.035), "black")


def _motorcycle(b: Builder) -> None:
    wheel, base, seat = b.vary(0.33, 0.38), b.vary(0.60, 0.68), b.vary(0.66, 0.74)
    for x in (base, -base):
        b.torus((x, 0, wheel), wheel - 0.11, 0.11, _RUBBER, turn=(90, 0, 0))
        b.cylinder((x, 0, wheel), wheel * 0.55, 0.08, SILVER, turn=(90, 0, 0))
        b.cylinder((x, 0, wheel), 0.09, 0.11, "black", turn=(90, 0, 0))
        # Mudguards: flat arcs over the top of the wheels.
        for y in (-0.07, 0.0, 0.07):
            b.arc((x, y, wheel), wheel + 0.03, 0.05, 62, turn=(90, -105 if x < 0 else -75, 0))
    b.box((0.0, 0, wheel + 0.02), (0.28, 0.15, 0.19), _STEEL, rounding=0.06)
    for k in range(3):
        b.box((0.02, 0, wheel + 0.02 + 0.09 * k), (0.22, 0.19, 0.03), SILVER)
    b.ellipsoid((0.16, 0, seat + 0.06), (0.34, 0.19, 0.19), turn=(0, 8, 0))
    b.ellipsoid((-0.30, 0, seat + 0.01), (0.36, 0.18, 0.11), "black", turn=(0, 4, 0))
    b.ellipsoid((-0.62, 0, seat + 0.02), (0.20, 0.15, 0.10), turn=(0, 18, 0))
    b.ball((-0.80, 0, seat - 0.02), 0.07, (0.8, 0.05, 0.05))
    head = (base - 0.22, 0, seat + 0.20)
    fork = b.capsule((base, 0.13, wheel), (head[0], 0.10, head[2]), 0.05, SILVER)
    bar = b.capsule(
        (head[0], 0, head[2] + 0.10), (head[0] - 0.10, 0.36, head[2] + 0.16), 0.045, SILVER
    )
    end = (head[0] - 0.10, 0.36, head[2] + 0.16)
    grip = b.capsule(end, (end[0] - 0.10, 0.44, end[2]), 0.065, "black")
    pipe = b.capsule((0.10, 0.20, wheel - 0.12), (-0.74, 0.22, wheel - 0.02), 0.07, SILVER)
    b.mirror(fork, bar, grip, pipe)
    b.ellipsoid((head[0] + 0.10, 0, head[2]), (0.14, 0.15, 0.15))
    b.ellipsoid((head[0] + 0.19, 0, head[2]), (0.07, 0.12, 0.12), (1.0, 0.96, 0.70))


def _bulldozer(b: Builder) -> None:
    length, blade, cabin = b.vary(0.54, 0.62), b.vary(0.50, 0.58), b.vary(0.22, 0.27)
    lift = b.vary(0.05, 0.14)
    _tracks(b, length, 0.36, 0.21, SILVER)
    b.box((0, 0, 0.38), (length * 0.9, 0.26, 0.16), rounding=0.05)
    b.box((0.26, 0, 0.62), (0.30, 0.24, 0.17), rounding=0.06)
    for k in range(3):
        b.box((0.565, 0, 0.53 + 0.09 * k), (0.02, 0.18, 0.025), "black")
    b.box((-0.26, 0, 0.62 + cabin), (0.24, 0.28, cabin), _GLASS, rounding=0.03)
    for x in (-0.04, -0.48):
        b.mirror(b.box((x, 0.26, 0.62 + cabin), (0.04, 0.04, cabin)))
    b.box((-0.26, 0, 0.60), (0.28, 0.31, 0.10), rounding=0.03)
    b.box((-0.26, 0, 0.66 + 2 * cabin), (0.32, 0.34, 0.06), rounding=0.04)
    b.cylinder((0.34, 0.10, 0.90), 0.055, 0.17, "black")
    # The blade is hollow: its upper and lower edges lean forward.
    front = length + 0.30
    b.box((front, 0, 0.30 + lift), (0.05, blade, 0.17), SILVER)
    b.box((front + 0.04, 0, 0.50 + lift), (0.05, blade, 0.10), SILVER, turn=(0, 32, 0))
    b.box((front + 0.06, 0, 0.12 + lift), (0.05, blade, 0.12), _STEEL, turn=(0, -35, 0))
    b.mirror(
        b.box((front + 0.03, blade, 0.30 + lift), (0.12, 0.04, 0.25), _STEEL),
        b.capsule((-0.05, 0.53, 0.22), (front - 0.02, 0.46, 0.20 + lift), 0.065),
        b.capsule((0.42, 0.20, 0.52), (front - 0.02, 0.24, 0.42 + lift), 0.05, SILVER),
    )
    b.box((-length - 0.10, 0, 0.36), (0.12, 0.10, 0.08), _STEEL)
    b.capsule((-length - 0.18, 0, 0.36), (-length - 0.30, 0, 0.10), 0.06, _STEEL)


def _skateboard(b: Builder) -> None:
    length, width, kick = b.vary(0.54, 0.62), b.vary(0.24, 0.29), b.vary(22, 32)
    wheel = b.vary(0.11, 0.13)
    wheels = "yellow" if b.color_name in ("white", "black", "gray") else "white"
    z = 2 * wheel + 0.10
    b.box((0, 0, z), (length, width, 0.05), rounding=0.04)
    angle = math.radians(kick)
    for side in (1, -1):
        x = side * (length + 0.13 * math.cos(angle))
        up = z + 0.13 * math.sin(angle)
        b.box((x, 0, up), (0.18, width, 0.05), turn=(0, -side * kick, 0), rounding=0.04)
        tip = (side * (length + 0.30 * math.cos(angle)), 0, z + 0.30 * math.sin(angle))
        b.cylinder(tip, width, 0.05, turn=(0, -side * kick, 0), rounding=0.04)
        axle = side * length * 0.72
        b.box((axle, 0, wheel + 0.06), (0.07, 0.08, 0.10), SILVER)
        b.capsule((axle, -width, wheel), (axle, width, wheel), 0.045, SILVER)
        hub, face = (axle, width - 0.02, wheel), (axle, width + 0.07, wheel)
        roll = b.cylinder(hub, wheel, 0.09, wheels, turn=(90, 0, 0), rounding=0.03)
        cap = b.cylinder(face, wheel * 0.4, 0.02, "red", turn=(90, 0, 0))
        b.mirror(roll, cap)
        for dy in (0.07, -0.07):
            for dx in (0.07, -0.07):
                b.ball((axle + dx, dy, z + 0.045), 0.03, SILVER)
    bolt = b.shade(0.45) if b.color_name != "black" else (0.85, 0.30, 0.10)
    for k in (-1, 0, 1):  # a bolt of lightning on the deck
        b.box(
            (0.17 * k, 0.05 * (-1) ** k, z + 0.045),
            (0.14, 0.05, 0.015),
            bolt,
            turn=(0, 0, 40 * (-1) ** k),
        )


def _wagon(b: Builder) -> None:
    length, width, wall = b.vary(0.56, 0.66), b.vary(0.32, 0.38), b.vary(0.13, 0.18)
    wheel = b.vary(0.26, 0.30)
    iron = (0.20, 0.20, 0.22)
    rim = WOOD if b.color_name != "brown" else (0.30, 0.17, 0.08)
    z = wheel * 1.35
    b.box((0, 0, z), (length, width, 0.06), b.shade(0.7))
    for k in range(2):
        up = z + 0.08 + wall * (0.5 + k)
        b.mirror(b.box((0, width, up), (length, 0.05, wall * 0.46), rounding=0.02))
        for x in (length, -length):
            b.box((x, 0, up), (0.05, width + 0.04, wall * 0.46), rounding=0.02)
    for x in (-0.92, 0.0, 0.92):
        b.mirror(b.box((x * length, width + 0.05, z + wall), (0.05, 0.04, wall + 0.12), rim))
    b.ellipsoid((0, 0, z + 2 * wall - 0.02), (length * 0.9, width * 0.9, 0.16), (0.90, 0.76, 0.36))
    for x in (0.62 * length, -0.62 * length):
        b.cylinder((x, 0, wheel), 0.05, width + 0.08, iron, turn=(90, 0, 0))
        b.box((x, 0, wheel + 0.05), (0.06, width * 0.7, 0.10), iron)
        for side in (1, -1):
            _spoked_wheel(b, (x, side * (width + 0.14), wheel), wheel, 0.055, rim, rim, 3)
    end = length + b.vary(0.42, 0.52)
    b.capsule((length * 0.6, 0, wheel + 0.02), (end, 0, wheel + 0.30), 0.05, iron)
    b.capsule((end, -0.16, wheel + 0.30), (end, 0.16, wheel + 0.30), 0.055, rim)


def _helicopter(b: Builder) -> None:
    body, boom, blade = b.vary(0.36, 0.42), b.vary(0.70, 0.82), b.vary(0.82, 0.95)
    spin = b.vary(20, 70)
    accent = "white" if b.color_name != "white" else "red"
    b.ellipsoid((0.12, 0, 0), (body + 0.16, body * 0.82, body * 0.92))
    b.ellipsoid((0.30, 0, 0.04), (body, body * 0.74, body * 0.74), _GLASS)
    b.ellipsoid((-0.02, 0, 0.02), (body * 0.9, body * 0.85, body * 0.95))
    b.mirror(b.box((0.04, body * 0.80, 0.08), (0.14, 0.05, 0.13), _GLASS, rounding=0.04))
    b.cone((-0.28 - boom / 2, 0, 0.12), 0.17, 0.07, boom / 2, turn=(0, -90, 0))
    tail = -0.28 - boom
    b.box((tail - 0.04, 0, 0.28), (0.10, 0.045, 0.24), accent, turn=(0, -20, 0), rounding=0.03)
    b.box((tail + 0.12, 0, 0.12), (0.09, 0.24, 0.04), accent, rounding=0.03)
    for k in range(3):
        turn = (0, 60 * k + spin, 0)
        b.box((tail, 0.11, 0.16), (0.05, 0.03, 0.24), "black", turn=turn, rounding=0.02)
    b.ball((tail, 0.12, 0.16), 0.06, SILVER)
    b.box((-0.04, 0, body * 0.95), (0.24, 0.15, 0.10), accent, rounding=0.07)
    top = body + 0.16
    b.cylinder((0, 0, top - 0.04), 0.055, 0.14, SILVER)
    for k in range(2):
        b.box((0, 0, top + 0.07), (blade, 0.075, 0.035), "black", turn=(0, 0, spin + 90 * k))
    b.ellipsoid((0, 0, top + 0.09), (0.12, 0.12, 0.08), SILVER)
    skid = -body - 0.22
    rail = b.capsule((-0.34, 0.28, skid), (0.50, 0.28, skid), 0.045, "black")
    tip = b.capsule((0.50, 0.28, skid), (0.60, 0.28, skid + 0.09), 0.045, "black")
    legs = [
        b.capsule((x, 0.28, skid), (x * 0.8, 0.15, -body * 0.6), 0.04, SILVER)
        for x in (-0.16, 0.34)
    ]
    b.mirror(rail, tip, *legs)


def _hot_air_balloon(b: Builder) -> None:
    radius, drop, gap = b.vary(0.64, 0.72), b.vary(0.34, 0.42), b.vary(0.30, 0.40)
    accent = "yellow" if b.color_name not in ("yellow", "orange", "white") else "red"
    b.ball((0, 0, 0), radius)
    low = 0.72  # where the cone leaves the ball, of its radius
    ring = radius * math.sqrt(1 - low * low)
    b.cone((0, 0, -low * radius - drop / 2), 0.24, ring + 0.02, drop / 2)
    for k in range(4):
        turn = 45 * k
        b.ellipsoid((0, 0, 0), (radius + 0.02, 0.13, radius + 0.02), accent, turn=(0, 0, turn))
        for side in (0, 180):
            angle = math.radians(turn + side)
            start = (ring * math.cos(angle) * 0.97, ring * math.sin(angle) * 0.97, -low * radius)
            end = (0.23 * math.cos(angle), 0.23 * math.sin(angle), -low * radius - drop)
            b.capsule(start, end, 0.065, accent)
    mouth = -low * radius - drop
    b.torus((0, 0, mouth), 0.22, 0.05, accent)
    basket = mouth - gap
    b.mirror(
        *[b.capsule((x, 0.20, mouth), (x * 0.85, 0.16, basket), 0.03, WOOD) for x in (0.16, -0.16)]
    )
    b.box((0, 0, basket - 0.14), (0.22, 0.22, 0.17), (0.66, 0.42, 0.18), rounding=0.05)
    b.box((0, 0, basket + 0.02), (0.25, 0.25, 0.045), (0.40, 0.23, 0.10), rounding=0.04)
    b.box((0, 0, basket - 0.14), (0.235, 0.235, 0.03), (0.40, 0.23, 0.10), rounding=0.02)
    b.cone((0, 0, mouth - 0.08), 0.05, 0.09, 0.09, "orange")


def _tank(b: Builder) -> None:
    length, turret, barrel = b.vary(0.70, 0.80), b.vary(0.27, 0.33), b.vary(0.46, 0.56)
    aim = b.vary(4, 12)
    _tracks(b, length, 0.38, 0.19, b.shade(0.7))
    b.box((0, 0, 0.30), (length * 0.92, 0.30, 0.16), rounding=0.04)
    b.box((-0.04, 0, 0.44), (length * 0.92, 0.50, 0.06), b.shade(0.85), rounding=0.03)
    b.cylinder((-0.08, 0, 0.62), turret + 0.06, 0.14, rounding=0.08)
    b.dome((-0.08, 0, 0.72), (turret, turret, 0.14))
    b.cylinder((-0.16, 0.06, 0.86), 0.12, 0.05, b.shade(0.6))
    angle = math.radians(aim)
    start = (turret - 0.10, 0, 0.64)
    along = (math.cos(angle), 0, math.sin(angle))
    end = tuple(s + (barrel + 0.20) * d for s, d in zip(start, along, strict=True))
    b.capsule(start, end, 0.075, b.shade(0.75))
    b.cylinder(end, 0.11, 0.09, b.shade(0.55), turn=(0, 90 - aim, 0))
    b.capsule((-0.30, -0.14, 0.74), (-0.36, -0.16, 1.16), 0.032, "black")
    b.mirror(b.ball((length * 0.92, 0.20, 0.36), 0.07, (1.0, 0.95, 0.65)))
    for y in (0.16, -0.16):
        b.cylinder((-length * 0.93, y, 0.36), 0.10, 0.05, _STEEL, turn=(0, 90, 0))
    star = "white" if b.color_name != "white" else "red"
    b.mirror(b.cylinder((-0.08, turret + 0.05, 0.62), 0.10, 0.02, star, turn=(90, 0, 0)))


def _submarine(b: Builder) -> None:
    length, radius, sail = b.vary(0.62, 0.72), b.vary(0.28, 0.34), b.vary(0.18, 0.24)
    trim = "red" if b.color_name not in ("red", "orange") else "blue"
    b.ellipsoid((0.06, 0, 0), (length + 0.22, radius, radius))
    b.capsule((-length * 0.5, 0, 0), (length * 0.5, 0, 0), radius)
    b.cone((-length - 0.06, 0, 0), radius * 0.82, 0.07, 0.26, turn=(0, -90, 0))
    b.box((0, 0, radius * -0.62), (length * 0.7, radius * 0.82, 0.05), trim, rounding=0.04)
    b.box((0.06, 0, radius + sail * 0.6), (0.24, 0.14, sail), rounding=0.10)
    b.box((0.06, 0, radius + sail * 1.6), (0.25, 0.15, 0.04), trim, rounding=0.03)
    b.box((0.02, 0, radius + sail * 1.0), (0.10, 0.32, 0.035), trim, rounding=0.02)
    top = radius + sail * 1.6
    b.capsule((0.12, 0, top), (0.12, 0, top + 0.28), 0.05, SILVER)
    b.capsule((0.12, 0, top + 0.28), (0.26, 0, top + 0.28), 0.06, SILVER)
    for x in (0.46, 0.14, -0.18):
        ring = b.cylinder((x, radius * 0.94, 0.06), 0.105, 0.05, SILVER, turn=(90, 0, 0))
        pane = b.cylinder((x, radius * 0.97, 0.06), 0.07, 0.05, _GLASS, turn=(90, 0, 0))
        b.mirror(ring, pane)
    b.cylinder((length + 0.20, 0, 0.03), 0.13, 0.06, SILVER, turn=(0, 90, 0))
    b.ellipsoid((length + 0.25, 0, 0.03), (0.06, 0.10, 0.10), _GLASS)
    stern = -length - 0.20
    b.box((stern, 0, 0), (0.09, 0.34, 0.04), trim, rounding=0.03)
    b.box((stern, 0, 0), (0.09, 0.04, 0.32), trim, rounding=0.03)
    for k in range(4):
        b.ellipsoid(
            (stern - 0.16, 0, 0), (0.035, 0.24, 0.07), (0.93, 0.74, 0.22), turn=(45 * k, 0, 20)
        )
    b.ball((stern - 0.16, 0, 0), 0.07, SILVER)


def _wheelbarrow(b: Builder) -> None:
    tray, width, deep = b.vary(0.46, 0.54), b.vary(0.32, 0.38), b.vary(0.19, 0.23)
    wheel = b.vary(0.20, 0.24)
    handle = (0.72, 0.48, 0.24) if b.color_name not in ("brown", "orange") else (0.30, 0.30, 0.32)
    z = wheel + 0.16 + deep
    # A trough, narrow below; the rim of four bars hides that it is filled to the top.
    b.wedge((0, 0, z), (tray, width, deep * 1.5), turn=(180, 0, 0))
    b.box((0.02, 0, z - deep * 0.1), (tray * 0.62, width * 0.97, deep * 0.9), rounding=0.05)
    top = z + deep * 1.5
    b.mirror(b.capsule((-tray, width, top), (tray + 0.02, width, top), 0.05))
    for x in (-tray, tray):
        b.capsule((x, -width, top), (x, width, top), 0.05)
    b.ellipsoid((0.02, 0, top), (tray * 0.86, width * 0.88, 0.20), (0.33, 0.20, 0.10))
    front = tray + 0.10
    b.torus((front, 0, wheel), wheel - 0.07, 0.08, _RUBBER, turn=(90, 0, 0))
    b.cylinder((front, 0, wheel), wheel * 0.55, 0.05, SILVER, turn=(90, 0, 0))
    back = -tray - b.vary(0.46, 0.56)
    shaft = b.capsule((front, 0.12, wheel), (back, 0.34, z + deep * 0.5), 0.05, handle)
    grip = b.capsule(
        (back + 0.14, 0.335, z + deep * 0.45), (back, 0.34, z + deep * 0.5), 0.07, "black"
    )
    leg = b.capsule((-tray * 0.55, 0.25, z - deep * 0.4), (-tray * 0.75, 0.27, 0.04), 0.05, _STEEL)
    b.mirror(shaft, grip, leg)
    b.capsule((-tray * 0.75, -0.27, 0.06), (-tray * 0.75, 0.27, 0.06), 0.045, _STEEL)


def _kind(name: str, words: tuple[str, ...], color: str, build, patterned: bool = False) -> Kind:
    return Kind(
        name=name, words=words, category="vehicle", color=color, build=build, patterned=patterned
    )


TRANSPORT: tuple[Kind, ...] = (
    _kind("bicycle", ("bicycle", "bike"), "red", _bicycle),
    _kind("bulldozer", ("bulldozer", "digger"), "yellow", _bulldozer),
    _kind("motorcycle", ("motorcycle", "motorbike"), "red", _motorcycle),
    _kind("skateboard", ("skateboard",), "blue", _skateboard, True),
    _kind("wagon", ("wagon", "cart"), "brown", _wagon),
    _kind("helicopter", ("helicopter", "chopper"), "blue", _helicopter, True),
    _kind("hot_air_balloon", ("hot air balloon",), "red", _hot_air_balloon),
    _kind("wheelbarrow", ("wheelbarrow",), "green", _wheelbarrow),
    _kind("tank", ("tank", "army tank"), "green", _tank, True),
    _kind("submarine", ("submarine",), "yellow", _submarine, True),
)
