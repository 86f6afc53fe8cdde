"""What makes z carry something: it says how an object is to differ from others of its sentence.

Every z of a generator that is trained by score distillation alone gives the same object: the
gradient of each picture is averaged over fresh noise, and says nothing of z. Here an object also
has to share the traits (its mean colour) of one sample of the teacher, its anchor, as seen from
that sample's side, and the first numbers of its z say how far these traits are from what the
sentence and the side let expect. Where it is asked for, the object also has to look like the anchor
from there, both blurred (what that did and did not bring: docs/instant.md).
"""

import dataclasses
import math
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from uni3d.cameras import Cameras
from uni3d.errors import CheckpointError
from uni3d.storage import checkpoint

__all__ = [
    "CELLS",
    "SIDE",
    "TRAITS",
    "Anchors",
    "apart_from",
    "deviations",
    "edge_colour",
    "likeness",
    "read_anchors",
    "traits",
    "unlike",
    "write_anchors",
]

SIDE = 32  # pixels at which an anchor is measured
CELLS = 16  # a side of an anchor's blurred picture
SCATTER = 0.1  # the unit of their difference; trained objects are about 0.08 from samples
SURE = 0.1  # root mean square difference from the background where a pixel is surely the object
# Red, green and blue. Proportions were tried (width, height and lean of the outline): the network
# met them by fog and crumbs beside the object.
TRAITS = 3
DEVIATION = 0.045  # of the mean colours of toybox's samples of one sentence


@dataclasses.dataclass(frozen=True)
class Anchors:
    """Samples of the teacher. sentences: their captions; cameras; colours `[n, TRAITS]`: what
    `traits` found; z `[n, TRAITS]`: their deviations, about unit normal; pictures
    `[n, 3, CELLS, CELLS]` in [0, 1], and grounds `[n, 3]`, the colours of their backgrounds."""

    sentences: list[str]
    cameras: Cameras
    colours: Tensor
    z: Tensor
    pictures: Tensor
    grounds: Tensor


def write_anchors(path: Path, anchors: Anchors) -> None:
    tensors = {f"camera/{k}": v for k, v in vars(anchors.cameras).items()}
    tensors |= {name: getattr(anchors, name) for name in ("colours", "z", "pictures", "grounds")}
    checkpoint.save(path, tensors, {"sentences": anchors.sentences})


def read_anchors(path: Path) -> Anchors:
    """What `write_anchors` wrote; CheckpointError for another file."""
    tensors, described = checkpoint.load(path)
    try:
        cameras = Cameras(**checkpoint.without_prefix("camera", tensors))
        rest = [tensors[name] for name in ("colours", "z", "pictures", "grounds")]
        found = Anchors(described["sentences"], cameras, *rest)
        if len({len(found.sentences), len(cameras), *map(len, rest)}) > 1 or not len(cameras):
            raise ValueError("its parts differ in number")
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: holds no anchors ({error}); do: remove it") from error
    return found


def traits(pictures: Tensor, opacity: Tensor | None = None) -> Tensor:
    """Mean colours `[n, TRAITS]` of the objects of `[n, 3, h, w]` in [0, 1] over solid colours.

    opacity `[n, 1, h, w]`: where the objects are, and pictures are premultiplied; without it, where
    they differ from the border.
    """
    if opacity is None:
        apart = (pictures - edge_colour(pictures)[:, :, None, None]).square().mean(1).sqrt()
        mask = (apart / SURE).clamp(max=1)
    else:  # fog does not count: an object is not to change its colour by a thin halo
        mask = ((opacity[:, 0] - 0.3) / 0.4).clamp(0, 1)
        pictures = pictures / opacity.clamp(min=0.3)
    return (pictures * mask[:, None]).sum((2, 3)) / mask.sum((1, 2)).clamp(min=1e-3)[:, None]


def deviations(values: Tensor, texts: Tensor, cameras: Cameras) -> Tensor:
    """How far each row of `values [n, k]` is from what the others let expect, about unit normal.

    Leave-one-out residuals of Gaussian process regression on texts `[n, width]` and cameras, over
    their deviations (Rasmussen & Williams 2006, eq. 5.12); of six noise levels the likeliest.
    """
    values = values.double()
    standard = (values - values.mean(0)) / values.std(0).clamp(min=1e-9)
    expected = likeness(texts.double(), cameras)
    best, least = standard, math.inf
    for noise in (0.01, 0.03, 0.1, 0.3, 1.0, 3.0):
        inverse = torch.linalg.inv(expected + noise * torch.eye(len(values), dtype=torch.float64))
        certain = inverse.diagonal()[:, None]
        residual = (inverse @ standard) / certain
        variance = (residual.square() * certain).mean(0) / certain  # of each trait its own scale
        unlikely = float((residual.square() / variance + variance.log()).mean())
        if unlikely < least:
            best, least = residual / variance.sqrt(), unlikely
    return best.clamp(-3, 3).float()


def likeness(texts: Tensor, cameras: Cameras) -> Tensor:
    """The kernel `[n, n]`: near texts, and near texts seen from near sides."""
    apart = torch.cdist(texts, texts).square()
    others, text = apart[apart > 1e-9], torch.ones_like(apart)
    if len(others):
        text = torch.exp(-apart / (2 * others.quantile(0.05)))
    round_, up = cameras.azimuth_deg.double().deg2rad(), cameras.elevation_deg.double()
    far = cameras.distance.double()
    side = torch.exp(2 * (torch.cos(round_[:, None] - round_[None]) - 1))
    side = side * torch.exp(-(up[:, None] - up[None]).square() / (2 * 20.0**2))
    side = side * torch.exp(-(far[:, None] - far[None]).square() / (2 * 0.3**2))
    return text * (0.5 + side) + 0.1 * side + 0.1


def edge_colour(pictures: Tensor) -> Tensor:
    """The median colours `[batch, 3]` of the border pixels of `[batch, 3, h, w]`."""
    rows = pictures[:, :, [0, -1]].flatten(2)
    columns = pictures[:, :, :, [0, -1]].flatten(2)
    return torch.cat([rows, columns], dim=2).median(dim=2).values


def apart_from(rgb: Tensor, opacity: Tensor, backgrounds: Tensor, colours: Tensor) -> Tensor:
    """How far the traits of pictures are from `colours [batch, TRAITS]`, over DEVIATION: a quarter
    of the mean square, and linear beyond 2.

    rgb `[batch, 3, h, w]` over `backgrounds [batch, 3]`, opacity `[batch, 1, h, w]`.
    """
    own = rgb - (1 - opacity) * backgrounds[:, :, None, None]
    apart = (traits(own, opacity) - colours) / DEVIATION
    return functional.smooth_l1_loss(apart, torch.zeros_like(apart), beta=2.0)


def unlike(
    rgb: Tensor, opacity: Tensor, backgrounds: Tensor, pictures: Tensor, grounds: Tensor
) -> Tensor:
    """The mean square difference, over SCATTER, of renderings and anchors' `pictures [batch, 3,
    CELLS, CELLS]`, both blurred to cells and over the anchors' backgrounds `grounds [batch, 3]`.

    rgb `[batch, 3, h, w]` over `backgrounds [batch, 3]`, opacity `[batch, 1, h, w]`.
    """
    own = rgb + (1 - opacity) * (grounds - backgrounds)[:, :, None, None]
    apart = functional.adaptive_avg_pool2d(own, CELLS) - pictures
    return (apart / SCATTER).square().mean()
