"""A picture of what the instant network makes: rows of sentences, columns of z, two views each."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from uni3d.cameras import Cameras
from uni3d.instant.generator import Generator, TriplaneField
from uni3d.mesh.pictures import as_uint8, write_png
from uni3d.scene.render import RenderConfig, render

__all__ = ["SHOWN", "look", "opacity", "write_sheet"]

# The twelve of the prototype: eight kinds, two colours, two compositions.
SHOWN = (
    "a car",
    "a chair",
    "a mushroom",
    "a corgi",
    "a penguin",
    "a teapot",
    "a house",
    "a rocket",
    "a red chair",
    "a blue car",
    "a corgi astronaut",
    "a green teapot",
)


@torch.no_grad()
def look(field: TriplaneField, cameras: Cameras, size: int, shade: float = 1.0) -> Tensor:
    """Pictures `[cameras, 3, size, size]` of a field over a solid grey."""
    background = torch.full((len(cameras), 3), shade)
    settings = RenderConfig(step_size=0.04)
    return render(field, None, cameras, size, size, background=background, config=settings).rgb


@torch.no_grad()
def opacity(field: TriplaneField, cameras: Cameras, size: int) -> Tensor:
    """Opacities `[cameras, size, size]`."""
    settings = RenderConfig(step_size=0.04)
    return render(field, None, cameras, size, size, config=settings).opacity[:, 0]


@torch.no_grad()
def write_sheet(
    generator: Generator, features: list[Tensor], path: Path, noises: int = 4, size: int = 64
) -> float:
    """Write the picture; return the mean difference of pictures between z of one sentence.

    features: `[tokens, width]` of each sentence. z is the same for every row.
    """
    start = torch.Generator().manual_seed(0)
    z = torch.randn(noises, generator.config.noise, generator=start)
    cameras, rows, apart = Cameras.orbit([20.0, 140.0], 15.0), [], []
    for feature in features:
        fields = generator.fields(feature.expand(noises, -1, -1), z)
        views = torch.stack([look(field, cameras, size) for field in fields])  # [z, 2, 3, s, s]
        apart.append(float((views[:, None] - views[None]).abs().mean()) * noises / (noises - 1))
        rows.append(np.concatenate(list(as_uint8(views.flatten(0, 1))), axis=1))
    write_png(np.concatenate(rows, axis=0), path)
    return float(np.mean(apart))
