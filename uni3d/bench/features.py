"""What one object is to the statistics: eight pictures, its occupancy, and features of both.

Every object is seen by the same eight cameras over the same grey, be it a scene, a toy of the world
or a row of teacher samples.
"""

import dataclasses
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d

from uni3d.cameras import Cameras
from uni3d.errors import ExportError
from uni3d.mesh.level import choose_level, sample_grid
from uni3d.mesh.types import MeshConfig
from uni3d.scene.scene import Scene
from uni3d.toybox.distances import distance
from uni3d.toybox.raytrace import render_toy
from uni3d.toybox.recogniser import load_recogniser
from uni3d.toybox.shapes import Toy

__all__ = [
    "VIEWS",
    "Objects",
    "cameras",
    "centres",
    "features_of",
    "matted",
    "objects_of_scene",
    "objects_of_toy",
    "psnr",
    "sharpness",
    "stacked",
]

VIEWS, SIZE, GREY, CELLS = 8, 64, 0.5, 32
SURFACE = MeshConfig(resolution=48, levels=6)  # where a scene's density is taken to be solid


@dataclasses.dataclass(frozen=True)
class Objects:
    """Objects: pictures `[n, VIEWS, 4, SIZE, SIZE]` uint8, colour over GREY and alpha; occupancy
    `[n, CELLS, CELLS, CELLS]` bool, or None where there is no shape."""

    pictures: NDArray[np.uint8]
    occupancy: NDArray[np.bool_] | None

    def __getitem__(self, index: Any) -> "Objects":
        occupancy = None if self.occupancy is None else self.occupancy[index]
        return Objects(self.pictures[index], occupancy)

    def __len__(self) -> int:
        return len(self.pictures)


def stacked(objects: list[Objects]) -> Objects:
    """All objects of a list in one, in order."""
    shapes = [one.occupancy for one in objects if one.occupancy is not None]
    return Objects(
        np.concatenate([one.pictures for one in objects]),
        np.concatenate(shapes) if len(shapes) == len(objects) else None,
    )


def cameras() -> Cameras:
    """All sides, low and high in turns; inside every run's prior."""
    return Cameras.orbit(torch.arange(VIEWS) * (360 / VIEWS), torch.tensor([10.0, 35.0]).repeat(4))


def centres() -> NDArray[np.float64]:
    """Cell centres `[CELLS^3, 3]` of [-1, 1]^3, x slowest."""
    axis = (np.arange(CELLS) + 0.5) * (2 / CELLS) - 1
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1)
    return grid.reshape(-1, 3).astype(np.float64)


def _bytes(pictures: Tensor) -> NDArray[np.uint8]:
    return (pictures.clamp(0, 1) * 255).round().to(torch.uint8).numpy()[None]


def objects_of_toy(toy: Toy) -> Objects:
    """One object of the world."""
    rgba = torch.from_numpy(render_toy(toy, cameras(), SIZE))
    rgba[:, :3] += (1 - rgba[:, 3:]) * GREY
    solid = distance(toy, centres()) < 0
    return Objects(_bytes(rgba), solid.reshape(1, CELLS, CELLS, CELLS))


def objects_of_scene(scene: Scene) -> Objects:
    """A scene; a cell is occupied where its mesh would be: above the density whose surface has the
    outlines that the scene shows. Where it shows none, nothing is."""
    shot = scene.picture(cameras(), 2 * SIZE, GREY)
    rgba = avg_pool2d(torch.cat([shot.rgb, shot.opacity], dim=1).cpu(), 2)
    with torch.no_grad():
        points = torch.from_numpy(centres()).float().to(scene.backend.device)
        density = scene.field.density(points).cpu().numpy()
    solid = density > _level(scene, shot.opacity[:, 0].cpu() > 0.5)
    return Objects(_bytes(rgba), solid.reshape(1, CELLS, CELLS, CELLS))


def _level(scene: Scene, outlines: Tensor) -> float:
    if not outlines.any():
        return np.inf
    try:
        grid = sample_grid(scene.field.density, SURFACE)
    except ExportError:
        return np.inf
    return choose_level(grid, cameras(), outlines, SURFACE.levels)


def matted(pictures: Tensor, tolerance: float = 0.12) -> NDArray[np.uint8]:
    """Pictures `[n, 3, SIZE, SIZE]` in [0, 1] over unknown solid colours, put over GREY.

    What is joined to the border and within `tolerance` (of root mean square colour) of the border's
    median is background. For teacher samples, whose backgrounds are their own.
    """
    from scipy.ndimage import label

    out = np.empty((len(pictures), 4, SIZE, SIZE), np.uint8)
    for k, picture in enumerate(pictures.clamp(0, 1).numpy()):
        edge = np.concatenate(
            [picture[:, 0], picture[:, -1], picture[:, :, 0], picture[:, :, -1]], axis=1
        )
        colour = np.median(edge, axis=1)[:, None, None]
        parts: Any = label(np.sqrt(((picture - colour) ** 2).mean(0)) < tolerance)
        border = parts[0].copy()
        border[1:-1, 1:-1] = 0
        outside = np.isin(parts[0], np.unique(border[border > 0]))
        out[k, :3] = np.where(outside, GREY, picture) * 255 + 0.5
        out[k, 3] = np.where(outside, 0, 255)
    return out


def _colour(objects: Objects) -> Tensor:
    """Pictures `[n * VIEWS, 3, SIZE, SIZE]` in [0, 1]."""
    return torch.from_numpy(objects.pictures[:, :, :3]).flatten(0, 1).float() / 255


@torch.no_grad()
def features_of(objects: Objects) -> dict[str, NDArray[np.float32]]:
    """Rows to compare objects by. look: the recogniser's last layer `[n, VIEWS, 160]`; colour: the
    mean over the object `[n, VIEWS, 3]`; shape: occupancy `[n, 1, CELLS^3]`, where there is one."""
    net = load_recogniser()
    look = torch.cat([net.hidden(net.body(part * 2 - 1)) for part in _colour(objects).split(64)])
    rgb, alpha = objects.pictures[:, :, :3] / 255.0, objects.pictures[:, :, 3:] / 255.0
    own = rgb - (1 - alpha) * GREY  # premultiplied
    colour = own.sum((3, 4)) / alpha.sum((3, 4)).clip(min=1)
    found = {"look": look.reshape(len(objects), VIEWS, -1).numpy(), "colour": colour}
    if objects.occupancy is not None:
        found["shape"] = objects.occupancy.reshape(len(objects), 1, -1)
    return {name: rows.astype(np.float32) for name, rows in found.items()}


def sharpness(objects: Objects) -> NDArray[np.float64]:
    """Energy of each object's pictures above the 3 x 3 binomial blur, `[n]`: mean square of what
    the blur takes from the luminance."""
    grey = _colour(objects).mean(1, keepdim=True)
    binomial = torch.tensor([0.25, 0.5, 0.25])
    detail = grey[..., 1:-1, 1:-1] - conv2d(grey, torch.outer(binomial, binomial)[None, None])
    return detail.square().mean((1, 2, 3)).reshape(len(objects), VIEWS).mean(1).double().numpy()


def psnr(objects: Objects, truth: Objects) -> NDArray[np.float64]:
    """Of each object, in dB over all its pictures, to the nearest of the truths, `[n]`."""
    best = []
    theirs = truth.pictures[:, :, :3].reshape(len(truth), -1).astype(np.float32) / 255
    for one in objects.pictures[:, :, :3].reshape(len(objects), -1).astype(np.float32) / 255:
        error = min(float(np.square(other - one).mean()) for other in theirs)
        best.append(-10 * np.log10(max(error, 1e-10)))
    return np.array(best)
