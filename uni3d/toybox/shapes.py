"""Toys as assemblies of signed-distance primitives, and the builder that kinds are written with.

Object frame: +x front, +y the object's left, +z up. A finished `Toy` fits the unit ball.
Distances follow the closed forms collected by Inigo Quilez ("distance functions"); the ellipsoid
is his first-order bound, exact in sign.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["COLORS", "LOOKS", "PATTERNS", "Builder", "Part", "Toy", "lowest_point", "support"]

# Linear display colours, spread so that each is told from the others under soft light.
COLORS: dict[str, tuple[float, float, float]] = {
    "red": (0.86, 0.10, 0.10),
    "orange": (0.96, 0.52, 0.06),
    "yellow": (0.97, 0.87, 0.12),
    "green": (0.13, 0.62, 0.20),
    "blue": (0.12, 0.30, 0.86),
    "purple": (0.52, 0.16, 0.70),
    "pink": (0.98, 0.56, 0.74),
    "brown": (0.46, 0.26, 0.11),
    "black": (0.08, 0.08, 0.09),
    "white": (0.95, 0.95, 0.94),
    "gray": (0.52, 0.53, 0.55),
}
PATTERNS = ("plain", "striped", "spotted")
# Surfaces as the tracer knows them; the first is what every toy without a material has.
LOOKS = (
    "plain",
    "wooden",
    "golden",
    "silver",
    "stone",
    "glass",
    "leather",
    "knitted",
    "origami",
    "brick",
    "porcelain",
    "rusty",
    "bronze",
    "chocolate",
    "clay",
    "plush",
    "cheese",
    "shiny",
    "old",
)

ELLIPSOID, BOX, CAPSULE, CYLINDER, CONE, TORUS, DOME, WEDGE, ARC = range(9)


@dataclasses.dataclass
class Part:
    """One primitive. `size` by shape: ellipsoid (a, b, c); box (hx, hy, hz, rounding);
    capsule (r, half_length); cylinder (r, half_height, rounding); cone (r_bottom, r_top,
    half_height); torus (R, r); dome (a, b, c) upper half of an ellipsoid; wedge (half_base_x,
    half_width_y, half_height_z) with its ridge along y at +z; arc (R, r, half_angle) a piece of a
    torus in the xy plane around +x. `axes` columns are the local axes in the object frame.
    """

    shape: int
    center: np.ndarray
    axes: np.ndarray
    size: tuple[float, float, float, float]
    color: tuple[float, float, float]
    region: str = "body"
    main: bool = False  # painted in the toy's main colour: recoloured and patterned by the prompt
    pattern: int = 0
    color2: tuple[float, float, float] = (1.0, 1.0, 1.0)
    frequency: float = 0.0
    look: int = 0  # index into LOOKS


@dataclasses.dataclass(frozen=True)
class Toy:
    """A finished object in the unit ball, as flat arrays for the kernels. `n` parts."""

    shape: np.ndarray  # [n] int64
    center: np.ndarray  # [n, 3]
    axes: np.ndarray  # [n, 3, 3] columns are local axes
    size: np.ndarray  # [n, 4]
    color: np.ndarray  # [n, 3]
    color2: np.ndarray  # [n, 3]
    pattern: np.ndarray  # [n] int64, index into PATTERNS
    frequency: np.ndarray  # [n]
    bound: np.ndarray  # [n] radius of a ball around `center` that holds the part
    half: np.ndarray  # [n, 3] half extents of the local box that holds the part
    look: np.ndarray  # [n] int64, index into LOOKS

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        return tuple(getattr(self, f.name) for f in dataclasses.fields(self))


def _rotation(turn: Sequence[float]) -> np.ndarray:
    """Rotation from (roll about x, pitch about y, yaw about z) in degrees, applied in that order.

    Positive pitch tips +z towards +x (a nod forward); positive yaw turns +x towards +y.
    """
    rx, ry, rz = (math.radians(angle) for angle in turn)
    cx, sx, cy, sy, cz, sz = (f(a) for a in (rx, ry, rz) for f in (math.cos, math.sin))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def _axes_to(direction: np.ndarray) -> np.ndarray:
    """Axes whose local +z points along `direction`."""
    z = direction / np.linalg.norm(direction)
    helper = np.array([1.0, 0, 0]) if abs(z[0]) < 0.9 else np.array([0, 1.0, 0])
    y = np.cross(z, helper)
    y /= np.linalg.norm(y)
    return np.stack([np.cross(y, z), y, z], axis=1)


class Builder:
    """Collects parts; kinds, roles and accessories are functions that call its methods.

    `color=None` means the main colour of the toy, which a prompt may change; any other colour is
    a name of COLORS or an rgb tuple. Units are free: `finish` scales into the unit ball.
    `anchors` maps names ("head", "neck", "torso", "eyes") to (centre, radius) for things worn.
    """

    def __init__(self, rng: np.random.Generator, color: str, pattern: str = "plain") -> None:
        self.rng = rng
        self.parts: list[Part] = []
        self.anchors: dict[str, tuple[np.ndarray, float]] = {}
        self.main_color = self.rgb(color, jitter=0.05)
        self.color_name = color
        self.pattern = pattern

    def vary(self, low: float, high: float) -> float:
        """A continuous parameter of this object, uniform in [low, high]."""
        return float(self.rng.uniform(low, high))

    def rgb(self, color, jitter: float = 0.02) -> tuple[float, float, float]:
        value = COLORS[color] if isinstance(color, str) else color
        shifted = np.asarray(value) + self.rng.uniform(-jitter, jitter, 3)
        return tuple(np.clip(shifted, 0.0, 1.0))  # type: ignore[return-value]

    def shade(self, factor: float) -> tuple[float, float, float]:
        """The main colour, darker (factor < 1) or lighter (> 1)."""
        base = np.asarray(self.main_color)
        mixed = base * factor if factor <= 1 else base + (1 - base) * (factor - 1)
        return tuple(np.clip(mixed, 0.0, 1.0))  # type: ignore[return-value]

    def anchor(self, name: str, center: Sequence[float], radius: float) -> None:
        self.anchors[name] = (np.asarray(center, dtype=float), float(radius))

    def add(
        self, shape, center, size, color=None, turn=(0, 0, 0), region="body", axes=None
    ) -> Part:
        padded: Any = tuple(float(s) for s in size) + (0.0,) * (4 - len(size))
        rgb = self.main_color if color is None else self.rgb(color)
        frame = _rotation(turn) if axes is None else axes
        part = Part(shape, np.asarray(center, float), frame, padded, rgb, region, color is None)
        self.parts.append(part)
        return part

    def ellipsoid(self, center, radii, color=None, turn=(0, 0, 0), region="body"):
        return self.add(ELLIPSOID, center, radii, color, turn, region)

    def ball(self, center, radius, color=None, region="body"):
        return self.add(ELLIPSOID, center, (radius, radius, radius), color, region=region)

    def box(self, center, half, color=None, turn=(0, 0, 0), region="body", rounding=0.02):
        """Box with half extents `half` (rounding included)."""
        rounding = min(rounding, 0.99 * min(half))
        return self.add(BOX, center, (*half, rounding), color, turn, region)

    def capsule(self, start, end, radius, color=None, region="body"):
        start, end = np.asarray(start, float), np.asarray(end, float)
        half = np.linalg.norm(end - start) / 2
        frame = _axes_to(end - start) if half > 1e-9 else np.eye(3)
        middle = (start + end) / 2
        return self.add(CAPSULE, middle, (radius, half), color, region=region, axes=frame)

    def cylinder(
        self, center, radius, half_height, color=None, turn=(0, 0, 0), region="body", rounding=0.01
    ):
        """Upright unless turned: turn=(90, 0, 0) lies along y, (0, 90, 0) along x."""
        rounding = min(rounding, 0.99 * min(radius, half_height))
        size = (radius, half_height, rounding)
        return self.add(CYLINDER, center, size, color, turn, region)

    def cone(self, center, bottom, top, half_height, color=None, turn=(0, 0, 0), region="body"):
        return self.add(CONE, center, (bottom, top, half_height), color, turn, region)

    def torus(self, center, radius, thickness, color=None, turn=(0, 0, 0), region="body"):
        """Ring lying flat (axis +z) unless turned."""
        return self.add(TORUS, center, (radius, thickness), color, turn, region)

    def dome(self, center, radii, color=None, turn=(0, 0, 0), region="body"):
        """Upper half (local z >= 0) of an ellipsoid."""
        return self.add(DOME, center, radii, color, turn, region)

    def wedge(self, center, half, color=None, turn=(0, 0, 0), region="body"):
        """Gable roof: triangle in xz with its ridge along y at the top; half extents."""
        return self.add(WEDGE, center, half, color, turn, region)

    def arc(self, center, radius, thickness, half_angle, color=None, turn=(0, 0, 0), region="body"):
        """Piece of a flat ring around local +x, `half_angle` degrees to each side."""
        size = (radius, thickness, math.radians(half_angle))
        return self.add(ARC, center, size, color, turn, region)

    def mirror(self, *parts: Part) -> None:
        """Add the left-right (y -> -y) images of the given parts."""
        flip = np.diag([1.0, -1.0, 1.0])
        for part in parts:
            # A reflection of the frame composed with a local y flip is again a rotation, and all
            # primitives are symmetric in their local y.
            image = dataclasses.replace(
                part, center=flip @ part.center, axes=flip @ part.axes @ flip
            )
            self.parts.append(image)

    def finish(self, radius: float = 0.96) -> Toy:
        """Apply the pattern, centre the toy and scale it into a ball of `radius`."""
        contrast = 0.95 if sum(self.main_color) < 1.6 else 0.12
        for part in self.parts:
            if part.main and self.pattern != "plain":
                part.pattern = PATTERNS.index(self.pattern)
                part.color2 = (contrast, contrast, contrast)
        directions = _sphere_directions(200)  # [d, 3]
        reach = support(self.parts, directions)  # [d]
        box = support(self.parts, np.concatenate([np.eye(3), -np.eye(3)]))
        middle = (box[:3] - box[3:]) / 2
        scale = radius / float(np.max(reach - directions @ middle))
        stack = [
            [p.shape for p in self.parts],
            [(p.center - middle) * scale for p in self.parts],
            [p.axes for p in self.parts],
            [_scaled(p, scale) for p in self.parts],
            [p.color for p in self.parts],
            [p.color2 for p in self.parts],
            [p.pattern for p in self.parts],
            [p.frequency or 9.0 for p in self.parts],
            [_bound(p) * scale for p in self.parts],
            [_half_extent(p) * scale for p in self.parts],
            [p.look for p in self.parts],
        ]
        dtypes = [np.int64, *[np.float64] * 5, np.int64, *[np.float64] * 3, np.int64]
        return Toy(*(np.ascontiguousarray(a, dtype=d) for a, d in zip(stack, dtypes, strict=True)))


def support(parts: Sequence[Part], directions: np.ndarray) -> np.ndarray:
    """How far the parts reach along each direction `[d, 3]`, from the origin, `[d]`."""
    return np.max([_support(part, directions) for part in parts], axis=0)


def lowest_point(parts: Sequence[Part]) -> tuple[float, float]:
    """Height of the lowest point of the parts, and how far they reach from the z axis."""
    around = np.array([[0, 0, -1.0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])
    reach = support(parts, around)
    return -float(reach[0]), float(reach[1:].max())


def _sphere_directions(count: int) -> np.ndarray:
    """A Fibonacci lattice of unit vectors, `[count, 3]`."""
    k = np.arange(count) + 0.5
    z = 1 - 2 * k / count
    phi = math.pi * (1 + 5**0.5) * k
    flat = np.sqrt(1 - z * z)
    return np.stack([flat * np.cos(phi), flat * np.sin(phi), z], axis=1)


def _scaled(part: Part, scale: float) -> tuple[float, ...]:
    a, b, c, d = part.size
    if part.shape == ARC:  # the third number is an angle
        return (a * scale, b * scale, c, d)
    return (a * scale, b * scale, c * scale, d * scale)


def _half_extent(part: Part) -> np.ndarray:
    """Half extents of the local box around a part."""
    a, b, c, _ = part.size
    return {
        ELLIPSOID: np.array([a, b, c]),
        BOX: np.array([a, b, c]),
        CAPSULE: np.array([a, a, a + b]),
        CYLINDER: np.array([a, a, b]),
        CONE: np.array([max(a, b), max(a, b), c]),
        TORUS: np.array([a + b, a + b, b]),
        DOME: np.array([a, b, c]),
        WEDGE: np.array([a, b, c]),
        ARC: np.array([a + b, a + b, b]),
    }[part.shape]


def _bound(part: Part) -> float:
    a, b, c, _ = part.size
    if part.shape in (ELLIPSOID, DOME):
        return max(a, b, c)
    if part.shape == CAPSULE:
        return a + b
    if part.shape in (TORUS, ARC):
        return a + b
    if part.shape == CYLINDER:
        return math.hypot(a, b)
    if part.shape == CONE:
        return math.hypot(max(a, b), c)
    return float(np.linalg.norm(_half_extent(part)))


def _support(part: Part, directions: np.ndarray) -> np.ndarray:
    """Largest extent of a part along each direction (exact or slightly above), `[d]`."""
    local = directions @ part.axes  # [d, 3]
    half = _half_extent(part)
    a, b, _, _ = part.size
    if part.shape in (ELLIPSOID, DOME):
        reach = np.linalg.norm(local * half, axis=1)
    elif part.shape == CAPSULE:
        reach = a + np.abs(local[:, 2]) * b
    elif part.shape in (CYLINDER, CONE, TORUS, ARC):
        flat = np.linalg.norm(local[:, :2], axis=1)
        if part.shape == ARC:  # past its ends, the nearer end is the farthest point
            away = np.abs(np.arctan2(local[:, 1], local[:, 0])) - part.size[2]
            reach = flat * a * np.cos(np.clip(away, 0, math.pi)) + b
        elif part.shape == TORUS:
            reach = flat * a + b
        else:
            reach = flat * half[0] + np.abs(local[:, 2]) * half[2]
    else:
        reach = np.abs(local) @ half
    return directions @ part.center + reach
