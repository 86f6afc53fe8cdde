"""What toys can be made of: the colours of a material, and which kinds it suits.

A material changes no shape. Here it repaints the parts, along a ramp from its dark to its light
tone, so that eyes stay dark and a belly stays pale; the tracer adds grain and gloss (`LOOKS`).
"""

import dataclasses

import numpy as np

from uni3d.toybox.kinds.kind import Kind
from uni3d.toybox.shapes import LOOKS, Builder

__all__ = ["MATERIALS", "Material", "make_of", "suits"]

Rgb = tuple[float, float, float]


@dataclasses.dataclass(frozen=True)
class Material:
    """dark, light: ends of its colour ramp. keep: the share of a part's own colour that stays.

    tint: whether an asked colour takes the place of the ramp's ("green glass").
    """

    name: str
    dark: Rgb
    light: Rgb
    keep: float = 0.0
    tint: bool = False


MATERIALS = {
    material.name: material
    for material in (
        Material("wooden", (0.30, 0.16, 0.06), (0.84, 0.62, 0.36)),
        Material("golden", (0.42, 0.25, 0.02), (1.0, 0.80, 0.22)),
        Material("silver", (0.28, 0.29, 0.32), (0.88, 0.90, 0.94)),
        Material("stone", (0.30, 0.29, 0.27), (0.70, 0.68, 0.63)),
        Material("glass", (0.20, 0.42, 0.46), (0.72, 0.93, 0.95), tint=True),
        Material("leather", (0.15, 0.07, 0.03), (0.46, 0.21, 0.10), tint=True),
        Material("knitted", (0.20, 0.15, 0.16), (0.93, 0.88, 0.80), keep=0.75, tint=True),
        Material("origami", (0.30, 0.30, 0.36), (0.97, 0.96, 0.93), keep=0.55, tint=True),
        Material("brick", (0.42, 0.14, 0.09), (0.76, 0.33, 0.22)),
        Material("porcelain", (0.25, 0.36, 0.72), (0.97, 0.97, 0.99), tint=True),
        Material("rusty", (0.25, 0.12, 0.06), (0.66, 0.33, 0.12)),
        Material("bronze", (0.22, 0.12, 0.05), (0.80, 0.52, 0.26)),
        Material("chocolate", (0.15, 0.06, 0.03), (0.44, 0.23, 0.12)),
        Material("clay", (0.40, 0.17, 0.10), (0.84, 0.48, 0.33), tint=True),
        Material("plush", (0.24, 0.18, 0.15), (0.95, 0.90, 0.84), keep=0.88, tint=True),
        Material("cheese", (0.78, 0.48, 0.06), (1.0, 0.84, 0.32)),
        # A finish of what a toy is anyway.
        Material("shiny", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), keep=1.0, tint=True),
        Material("old", (0.24, 0.19, 0.13), (0.80, 0.74, 0.62), keep=0.6, tint=True),
    )
}

_FIGURE = ("wooden", "golden", "silver", "stone", "glass", "knitted", "origami", "porcelain")
_LATER = {  # of a second round; at the end, where they are added to what was there before
    "bronze": (
        "animal character person vehicle furniture household building clothing desk kitchen home "
        "storage music tool"
    ),
    "chocolate": "animal character person vehicle food household building clothing music",
    "clay": "animal character person vehicle food plant building kitchen home music",
    "plush": "animal character person vehicle furniture food plant clothing",
    "cheese": "animal character vehicle furniture building music",
    "knitted": "vehicle furniture building household",
    "brick": "vehicle animal character",
    "silver": "food plant furniture",
    "shiny": (
        "animal character vehicle furniture food household clothing desk kitchen home storage "
        "music tool"
    ),
    "old": "vehicle furniture household building clothing desk kitchen home storage music tool",
}
_BY_CATEGORY = {
    "animal": _FIGURE,
    "character": (*_FIGURE, "rusty"),
    "person": _FIGURE,
    "vehicle": ("wooden", "golden", "silver", "glass", "origami", "rusty"),
    "furniture": ("wooden", "golden", "stone", "glass", "leather", "rusty"),
    "food": ("wooden", "golden", "glass", "knitted", "porcelain"),
    "plant": ("wooden", "golden", "glass", "knitted", "origami", "porcelain"),
    "household": ("wooden", "golden", "silver", "stone", "glass", "porcelain", "rusty"),
    "building": ("wooden", "golden", "stone", "glass", "origami", "brick", "rusty"),
    "clothing": ("golden", "silver", "glass", "leather", "knitted", "origami"),
    "desk": ("wooden", "golden", "silver", "stone", "leather", "rusty"),
    "kitchen": ("wooden", "golden", "silver", "stone", "glass", "porcelain", "rusty"),
    "home": ("wooden", "golden", "silver", "stone", "glass", "porcelain"),
    "storage": ("wooden", "golden", "silver", "stone", "leather", "brick", "rusty"),
    "music": ("wooden", "golden", "silver", "glass", "rusty"),
    "tool": ("wooden", "golden", "silver", "stone", "glass", "rusty"),
}
_OTHER = ("wooden", "golden", "silver", "stone", "glass")


def suits(kind: Kind) -> tuple[str, ...]:
    """The materials that a kind may be made of: those its row names, or those of its category."""
    if kind.materials is not None:
        return kind.materials
    later = (name for name, categories in _LATER.items() if kind.category in categories.split())
    return (*_BY_CATEGORY.get(kind.category, _OTHER), *later)


def make_of(b: Builder, name: str, colored: bool) -> None:
    """Repaint every part there is as of this material; `colored`: the prompt asks for a colour."""
    material = MATERIALS[name]
    shift = b.rng.uniform(-0.04, 0.04)
    for part in b.parts:
        own = np.asarray(part.color)
        keeps = (colored and part.main and material.tint) or part.region == "eye"
        part.color = _painted(material, own, shift, 0.92 if keeps else material.keep)
        part.look = LOOKS.index(name)
        part.main = False  # no pattern over a material's own grain


def _painted(material: Material, own: np.ndarray, shift: float, keep: float) -> Rgb:
    light = float(own @ (0.3, 0.59, 0.11))
    t = min(1.0, 0.1 + 1.15 * light**0.6)
    ramp = np.asarray(material.dark) * (1 - t) + np.asarray(material.light) * t + shift
    return tuple(np.clip(ramp * (1 - keep) + own * keep, 0.0, 1.0))  # type: ignore[return-value]
