"""Things to play with or to work with by hand."""

import itertools
import math

import numpy as np

from uni3d.toybox.kinds.kind import Kind
from uni3d.toybox.kinds.palette import GOLD, SILVER, WOOD
from uni3d.toybox.shapes import Builder

__all__ = ["PLAYTHINGS"]


def _kite(b: Builder) -> None:
    wide, up, down = b.vary(0.46, 0.54), b.vary(0.34, 0.40), b.vary(0.58, 0.68)
    lean, yaw = b.vary(18, 28), b.vary(14, 24)
    accent = "yellow" if b.color_name not in ("yellow", "orange") else "blue"
    # Two triangles back to back, then the whole sail leans back; local x is up, y is to its left.
    angle, c = math.radians(lean), math.radians(yaw)
    spin = np.array([[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]])
    rise = spin @ np.array([-math.sin(angle), 0, math.cos(angle)])
    left = spin @ np.array([0.0, 1, 0])
    face = np.cross(left, rise)
    tall = b.wedge(rise * up / 2, (wide, 0.045, up / 2))
    tall.axes = np.stack([-left, face, rise], axis=1)
    long = b.wedge(-rise * down / 2, (wide, 0.045, down / 2), accent)
    long.axes = np.stack([left, face, -rise], axis=1)
    for side in (1, -1):  # quarters in two colours
        part = b.wedge((0, 0, 0), (wide / 2, 0.05, down / 4), None)
        part.center = side * left * wide / 2 * 0.98 - rise * down * 0.25
        part.axes = np.stack([left, face, -rise], axis=1)
    b.capsule(rise * up, -rise * down, 0.04, WOOD)
    b.capsule(left * wide, -left * wide, 0.04, WOOD)
    tail = -rise * down
    for k in range(5):
        swing = 0.11 * (-1) ** k
        end = tail + np.array([-0.06, swing, -0.15])
        b.capsule(tail, end, 0.032, "white")
        bow = accent if k % 2 else None
        for side in (1, -1):
            b.cone(end + side * left * 0.09, 0.085, 0.02, 0.075, bow, turn=(side * 90, 0, yaw))
        tail = end
    b.capsule(face * 0.02, face * 0.42 - rise * 0.42, 0.028, "white")


def _chess_set(b: Builder) -> None:
    half, tall = b.vary(0.76, 0.82), b.vary(0.9, 1.15)
    square = half / 4
    dark, light = (0.10, 0.09, 0.09), (0.97, 0.93, 0.82)
    b.box((0, 0, 0), (half + 0.10, half + 0.10, 0.07), rounding=0.02)
    b.box((0, 0, 0.06), (half, half, 0.03), b.shade(0.45))
    for i in range(8):
        for j in range(i % 2, 8, 2):
            place = (square * (i - 3.5), square * (j - 3.5), 0.07)
            b.box(place, (square / 2, square / 2, 0.03), (0.95, 0.86, 0.66), rounding=0.005)
    z = 0.10
    heights = (0.24, 0.30, 0.34, 0.46, 0.40, 0.34, 0.30, 0.24)
    for side, color in ((1, light), (-1, dark)):
        for j in range(8):
            x, y = side * square * 3.5, square * (j - 3.5)
            top = heights[j] * tall
            b.cone((x, y, z + top / 2), 0.085, 0.05, top / 2, color)
            if j in (0, 7):
                b.cylinder((x, y, z + top), 0.08, 0.05, color)
            else:
                b.ball((x, y, z + top), 0.07, color)
        for j in range(0, 8):
            x, y = side * square * 2.5, square * (j - 3.5)
            b.cone((x, y, z + 0.09), 0.08, 0.06, 0.13 * tall, color)


def _chess_piece(b: Builder) -> None:
    base, tall, head = b.vary(0.36, 0.42), b.vary(0.42, 0.52), b.vary(0.20, 0.24)
    felt = (0.10, 0.35, 0.18) if b.color_name != "green" else (0.45, 0.12, 0.12)
    b.cylinder((0, 0, -0.02), base, 0.04, felt)
    b.cylinder((0, 0, 0.09), base, 0.10, rounding=0.06)
    b.cylinder((0, 0, 0.22), base * 0.86, 0.07, rounding=0.06)
    b.cone((0, 0, 0.36), base * 0.70, base * 0.46, 0.10)
    b.cone((0, 0, 0.40 + tall), base * 0.48, base * 0.34, tall)
    z = 0.40 + 2 * tall
    b.cylinder((0, 0, z), base * 0.66, 0.045, rounding=0.04)
    b.cylinder((0, 0, z + 0.10), base * 0.50, 0.045, rounding=0.04)
    # The king's crown: it widens, closes in a dome and carries a cross.
    b.cone((0, 0, z + 0.28), base * 0.40, head + 0.08, 0.16)
    b.torus((0, 0, z + 0.44), head + 0.04, 0.05, b.shade(0.7))
    b.dome((0, 0, z + 0.45), (head + 0.03, head + 0.03, 0.14))
    b.ball((0, 0, z + 0.60), 0.06)
    b.box((0, 0, z + 0.76), (0.055, 0.055, 0.16), rounding=0.02)
    b.box((0, 0, z + 0.80), (0.05, 0.14, 0.055), rounding=0.02)


def _staff(b: Builder) -> None:
    half, orb, bend = b.vary(0.78, 0.88), b.vary(0.15, 0.19), b.vary(0.02, 0.05)
    wood = WOOD if b.color_name != "brown" else (0.30, 0.17, 0.08)
    points = [
        np.array([bend * (-1) ** k, bend * (k % 3 - 1), half * (2 * k / 5 - 1)]) for k in range(6)
    ]
    for k, (start, end) in enumerate(itertools.pairwise(points)):
        b.capsule(start, end, 0.055 + 0.004 * k, wood)
    for k in (1, 3, 4):
        b.ball(points[k], 0.078, (0.40, 0.23, 0.10))
    b.cylinder(points[0], 0.075, 0.06, GOLD)
    top = points[-1]
    b.torus(top, 0.07, 0.04, GOLD)
    centre = top + np.array([0, 0, orb + 0.09])
    b.ball(centre, orb)
    b.ball(centre + np.array([orb * 0.45, orb * 0.4, orb * 0.5]), orb * 0.38, "white")
    # Four roots hold the orb.
    for k in range(4):
        angle = math.pi * (k + 0.5) / 2
        out = np.array([math.cos(angle), math.sin(angle), 0])
        low, middle = top, centre + out * (orb + 0.07)
        tip = centre + out * (orb * 0.72) + np.array([0, 0, orb + 0.10])
        b.capsule(low, middle - np.array([0, 0, 0.06]), 0.045, wood)
        b.capsule(middle - np.array([0, 0, 0.06]), middle + np.array([0, 0, 0.08]), 0.042, wood)
        b.capsule(middle + np.array([0, 0, 0.08]), tip, 0.036, wood)
    for k in range(3):
        b.torus(
            points[2] + np.array([0, 0, 0.07 * (k - 1)]),
            0.055,
            0.028,
            GOLD if k % 2 else (0.6, 0.1, 0.1),
        )


def _harp(b: Builder) -> None:
    tall, wide, bow = b.vary(0.80, 0.90), b.vary(0.46, 0.54), b.vary(0.14, 0.20)
    string = (0.96, 0.95, 0.90) if b.color_name != "white" else (0.35, 0.30, 0.25)
    # In the plane of y and z: column at the left, sounding board from its foot, neck on top.
    foot, crown = np.array([0, wide, -tall]), np.array([0, wide + 0.04, tall])
    shoulder = np.array([0, -wide, tall * 0.52])
    b.capsule(foot, crown, 0.075)
    for z in (-0.80, -0.66, 0.70, 0.86):
        b.torus((0, wide + 0.02 + 0.02 * z, tall * z), 0.075, 0.04, b.shade(0.65))
    b.ball(crown + np.array([0, 0, 0.08]), 0.12)
    steps = 6
    board = [foot + (shoulder - foot) * k / steps for k in range(steps + 1)]
    for k, (start, end) in enumerate(itertools.pairwise(board)):
        middle, half = (start + end) / 2, np.linalg.norm(end - start) / 2 + 0.02
        along = (end - start) / np.linalg.norm(end - start)
        part = b.box(middle, (0.21 - 0.02 * k, 0.07, half), b.shade(0.80), rounding=0.04)
        part.axes = np.stack([[1.0, 0, 0], np.cross(along, [1.0, 0, 0]), along], axis=1)
    b.ball(shoulder, 0.13)
    # The neck dips from the crown, then rises to the shoulder: an S.
    neck = []
    for k in range(8):
        t = k / 7
        straight = crown + (shoulder - crown) * t
        neck.append(
            straight
            + np.array([0, 0, -bow * math.sin(2 * math.pi * t) + 0.10 * math.sin(math.pi * t)])
        )
    for start, end in itertools.pairwise(neck):
        b.capsule(start, end, 0.085)
    count = 7
    for k in range(count):
        t = (k + 1) / (count + 1.2)
        low = foot + (shoulder - foot) * t
        s = np.clip((low[1] - crown[1]) / (shoulder[1] - crown[1]), 0, 1) * 7
        i = min(int(s), 6)
        high = neck[i] + (neck[i + 1] - neck[i]) * (s - i)
        b.capsule(low, high, 0.024, string)
    b.box((0.0, wide - 0.10, -tall - 0.05), (0.28, 0.26, 0.07), b.shade(0.65), rounding=0.04)


def _screwdriver(b: Builder) -> None:
    handle, shaft, fat = b.vary(0.34, 0.42), b.vary(0.36, 0.44), b.vary(0.15, 0.18)
    lean = b.vary(22, 38)
    grip = "black" if b.color_name != "black" else (0.75, 0.10, 0.08)
    slant = math.radians(lean)
    # Tip down, leaning to the left.
    up = np.array([0, math.sin(slant), math.cos(slant)])
    turn = (-lean, 0, 0)
    b.cylinder(handle * up, fat, handle, turn=turn, rounding=0.09)
    for k in range(6):
        angle = 2 * math.pi * k / 6
        side = math.cos(angle) * np.array([1.0, 0, 0]) + math.sin(angle) * np.cross(up, [1.0, 0, 0])
        start = side * fat * 0.94
        b.capsule(start + up * handle * 0.50, start + up * handle * 1.55, 0.05, grip)
    b.dome(2 * handle * up - 0.04 * up, (fat * 0.92, fat * 0.92, 0.11), grip, turn=turn)
    b.cone(0.03 * up, 0.075, fat * 0.80, 0.09, grip, turn=turn)
    b.torus(0.14 * up, fat * 0.92, 0.035, turn=turn)
    b.cylinder(-shaft * up, 0.06, shaft, SILVER, turn=turn)
    b.box(-2 * shaft * up, (0.05, 0.10, 0.12), SILVER, turn=turn, rounding=0.02)
    b.box(
        -(2 * shaft + 0.12) * up, (0.03, 0.11, 0.07), (0.45, 0.46, 0.50), turn=turn, rounding=0.01
    )


def _kind(name: str, words: tuple[str, ...], category: str, color: str, build, **more) -> Kind:
    return Kind(name=name, words=words, category=category, color=color, build=build, **more)


PLAYTHINGS: tuple[Kind, ...] = (
    _kind("kite", ("kite",), "toy", "red", _kite),
    _kind("chess_set", ("chess set", "chessboard", "chess board"), "toy", "brown", _chess_set),
    _kind("staff", ("staff", "wizard staff", "magic staff"), "tool", "blue", _staff),
    _kind("chess_piece", ("chess piece", "chess king"), "toy", "black", _chess_piece),
    _kind("harp", ("harp",), "instrument", "yellow", _harp),
    _kind("screwdriver", ("screwdriver",), "tool", "red", _screwdriver),
)
