"""Things that grow."""

import math

import numpy as np

from uni3d.toybox.kinds.kind import Kind
from uni3d.toybox.shapes import Builder

__all__ = ["PLANTS"]


def _pine_tree(b: Builder) -> None:
    width, tier, shrink = b.vary(0.56, 0.70), b.vary(0.26, 0.32), b.vary(0.70, 0.78)
    b.cylinder((0, 0, 0.14), 0.14, 0.18, "brown")
    z, radius = 0.28, width
    for k in range(4):
        b.cone((0, 0, z + tier), radius, radius * 0.14, tier)
        b.torus((0, 0, z + 0.02), radius * 0.97, 0.035, b.shade(0.72))
        z, radius = z + tier * (1.12 - 0.06 * k), radius * shrink


def _cactus(b: Builder) -> None:
    fat, tall, arm = b.vary(0.21, 0.26), b.vary(0.85, 1.05), b.vary(0.26, 0.40)
    b.cone((0, 0, 0.18), 0.28, 0.38, 0.20, (0.78, 0.36, 0.18))
    b.cylinder((0, 0, 0.38), 0.43, 0.07, (0.78, 0.36, 0.18), rounding=0.04)
    b.capsule((0, 0, 0.40), (0, 0, 0.30 + tall), fat)
    left, right = b.vary(0.66, 0.76), b.vary(0.84, 0.95)
    for side, z, up in ((1, left, arm), (-1, right, arm * 0.8)):
        out = side * (fat + 0.24)
        b.capsule((0, 0, z), (0, out, z), 0.12)
        b.capsule((0, out, z), (0, out, z + up), 0.13)
    top = 0.30 + tall + fat
    for k in range(5):
        angle = 2 * math.pi * k / 5
        b.ball((0.11 * math.cos(angle), 0.11 * math.sin(angle), top + 0.01), 0.095, "pink")
    b.ball((0, 0, top + 0.07), 0.08, "yellow")
    for k in range(12):
        angle, z = 2.4 * k, 0.52 + (tall - 0.30) * k / 12
        b.ball((fat * math.cos(angle), fat * math.sin(angle), z), 0.04, (0.93, 0.95, 0.75))


def _flower(b: Builder) -> None:
    petal, tall, tilt = b.vary(0.22, 0.26), b.vary(0.78, 0.98), b.vary(38, 58)
    leaf = "green" if b.color_name != "green" else (0.05, 0.36, 0.10)
    b.capsule((0, 0, 0), (0, 0, tall), 0.065, leaf)
    for side, z in ((1, 0.22), (-1, 0.38)):
        b.ellipsoid((0.03, side * 0.25, z), (0.12, 0.26, 0.055), leaf, turn=(side * 28, 0, 0))
    pitch = math.radians(tilt)
    axis, across = (
        np.array([math.sin(pitch), 0, math.cos(pitch)]),
        np.array([math.cos(pitch), 0, -math.sin(pitch)]),
    )
    heart = np.array([0.04, 0, tall])
    count = 6
    for k in range(count):
        angle = 2 * math.pi * (k + 0.5) / count
        out = math.cos(angle) * across + math.sin(angle) * np.array([0.0, 1.0, 0.0])
        side = np.cross(axis, out)
        part = b.ellipsoid(heart + out * 0.37, (0.29, petal, 0.085))
        part.axes = np.stack([out, side, axis], axis=1)
    heart_color = "yellow" if b.color_name not in ("yellow", "orange") else (0.40, 0.20, 0.08)
    b.ball(heart + axis * 0.03, 0.20, heart_color)


def _mushroom(b: Builder) -> None:
    cap, height, stem = b.vary(0.68, 0.80), b.vary(0.46, 0.60), b.vary(0.50, 0.64)
    cream = (0.95, 0.90, 0.76)
    b.cone((0, 0, stem / 2), 0.27, 0.20, stem / 2, cream)
    b.ellipsoid((0, 0, 0.08), (0.31, 0.31, 0.12), cream)
    b.cylinder((0, 0, stem - 0.01), cap * 0.9, 0.03, (0.86, 0.78, 0.62))
    b.dome((0, 0, stem), (cap, cap, height))
    b.torus((0, 0, stem + 0.01), cap * 0.95, 0.045)
    spot = "white" if b.color_name != "white" else "red"
    b.ellipsoid((0, 0, stem + height), (0.17, 0.17, 0.045), spot)
    for count, lift, size, shift in ((5, 0.72, 0.13, 0.0), (7, 0.32, 0.11, 0.4)):
        for k in range(count):
            angle = 2 * math.pi * (k + shift) / count
            flat = math.sqrt(1 - lift * lift) * cap
            b.ball(
                (flat * math.cos(angle), flat * math.sin(angle), stem + lift * height), size, spot
            )


PLANTS: tuple[Kind, ...] = (
    Kind(
        name="pine_tree",
        words=("pine tree", "fir tree", "tree"),
        category="plant",
        color="green",
        build=_pine_tree,
        colorable=False,
    ),
    Kind(
        name="cactus",
        words=("cactus",),
        category="plant",
        color="green",
        build=_cactus,
        colorable=False,
    ),
    Kind(name="flower", words=("flower", "daisy"), category="plant", color="pink", build=_flower),
    Kind(
        name="mushroom",
        words=("mushroom", "toadstool"),
        category="plant",
        color="red",
        build=_mushroom,
    ),
)
