"""EDM's augmentation (2206.00364, appendix F.2, table 6): geometric, and told to the network.

Seven transformations, each with the probability A_prob of the recipe (a flip in x is a coin toss
whenever there is any augmentation), applied in this order; nine numbers say what was done, all
zero where nothing was. The network is given them, so that at sampling zeros ask for plain images.

    x-flip, y-flip     label: 1 where flipped
    scaling            by 2^(0.2 a2)                          a2
    rotation           by a3, uniform                         cos a3 - 1, sin a3
    anisotropy         by 2^(0.2 a5) along a4, 1 over it across   a5 cos a4, a5 sin a4;
                       a4 is uniform in half of the cases and 0 in the others (reference)
    translation        by (a6, a7) / 8 of the image           a6, a7

a2, a5, a6, a7 are standard normal. Coordinates are x to the right and y down; a rotation by a
positive a3 turns what is seen counterclockwise.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from image_distill.draws import random_source

__all__ = ["LABELS", "Transforms", "augmented", "draw_transforms"]

LABELS = 9
_STEP = 2**0.2  # A_scale and A_aniso
_SHIFT = 1 / 8  # A_trans

# The low-pass filter of the wavelet sym6 (Daubechies' least asymmetric, twelve taps). Its shifts by
# two are orthonormal: what it upsamples, the same filter downsamples to what it was.
SYM6 = (
    0.015404109327027373,
    0.0034907120842174702,
    -0.11799011114819057,
    -0.048311742585633,
    0.4910559419267466,
    0.787641141030194,
    0.3379294217276218,
    -0.07263752278646252,
    -0.021060292512300564,
    0.04472490177066578,
    0.0017677118642428036,
    -0.007800708325034148,
)
# It is not quite symmetric: this is where it puts what is smooth.
_MIDDLE = sum(k * tap for k, tap in enumerate(SYM6)) / sum(SYM6)


class Transforms:
    """What is done to each of `n` images: `labels` [n, 9] and `matrices` [n, 2, 3].

    A matrix maps a point of the original to its place in the result, both in units of the image's
    side from its middle; flips are in the labels alone, and are exact.
    """

    def __init__(self, labels: Tensor, matrices: Tensor) -> None:
        self.labels, self.matrices = labels, matrices

    def __call__(self, images: Tensor) -> Tensor:
        """`images` [n, c, h, h] -> the same shape, differentiable; the rest is not touched."""
        labels = self.labels
        for column, axis in ((0, 3), (1, 2)):
            flipped = (labels[:, column] > 0)[:, None, None, None]
            if bool(flipped.any()):
                images = torch.where(flipped, images.flip(axis), images)
        moved = (labels[:, 2:] != 0).any(1)
        if not bool(moved.any()):
            return images
        index = moved.nonzero()[:, 0]
        return images.index_copy(0, index, warp(images[index], self.matrices[index]))


def _rotation(angle: float) -> Tensor:
    """Counterclockwise as it is seen, with y down."""
    cos, sin = math.cos(angle), math.sin(angle)
    return torch.tensor([[cos, sin], [-sin, cos]], dtype=torch.float64)


def _draw_one(probability: float, source: torch.Generator) -> tuple[Tensor, Tensor]:
    """Labels [9] and matrix [2, 3] of one image. Everything is drawn, used or not: so that a
    number does not depend on what came before it."""
    chances = torch.rand(5, generator=source, dtype=torch.float64) < probability
    coins = torch.randint(2, (3,), generator=source).tolist()
    normal = torch.randn(4, generator=source, dtype=torch.float64).tolist()
    uniform = torch.rand(2, generator=source, dtype=torch.float64)
    turn, along = ((2 * uniform - 1) * math.pi).tolist()
    labels, linear = [0.0] * LABELS, torch.eye(2, dtype=torch.float64)
    shift = torch.zeros(2, dtype=torch.float64)
    flips, scales, turns, stretches, shifts = chances.tolist()
    if probability > 0:
        labels[0] = float(coins[0])
    if flips:
        labels[1] = float(coins[1])
    if scales:
        labels[2] = normal[0]
        linear = linear * _STEP ** normal[0]
    if turns:
        labels[3:5] = [math.cos(turn) - 1, math.sin(turn)]
        linear = _rotation(turn) @ linear
    if stretches:
        factor, along = _STEP ** normal[1], along * coins[2]
        labels[5:7] = [normal[1] * math.cos(along), normal[1] * math.sin(along)]
        stretch = torch.diag(torch.tensor([factor, 1 / factor], dtype=torch.float64))
        linear = _rotation(along) @ stretch @ _rotation(-along) @ linear
    if shifts:
        labels[7:9] = normal[2:4]
        shift = torch.tensor(normal[2:4], dtype=torch.float64) * _SHIFT
    return torch.tensor(labels), torch.cat([linear, shift[:, None]], 1)


def draw_transforms(
    probability: float,
    key: Sequence[int | str],
    places: Sequence[int],
    device: torch.device | str = "cpu",
) -> Transforms:
    """For the images at `places` of the batch, as `draws.draw`; `key` is seed, purpose, step."""
    drawn = [_draw_one(probability, random_source(*key, place)) for place in places]
    labels, matrices = (torch.stack(column) for column in zip(*drawn, strict=True))
    return Transforms(labels.to(device), matrices.to(device))


def augmented(
    images: Tensor, probability: float, key: Sequence[int | str], places: Sequence[int]
) -> tuple[Tensor, Tensor | None]:
    """`images` transformed, and what the network is told of it [n, 9]: nothing where
    `probability` is 0."""
    if not probability:
        return images, None
    transforms = draw_transforms(probability, key, places, images.device)
    return transforms(images), transforms.labels


def _filter(channels: int, like: Tensor) -> Tensor:
    taps = torch.tensor(SYM6, dtype=like.dtype, device=like.device)
    return torch.outer(taps, taps).expand(channels, 1, -1, -1)


def warp(images: Tensor, matrices: Tensor) -> Tensor:
    """`images` [n, c, h, h] under `matrices` [n, 2, 3], resampled at twice the resolution.

    In the images' own precision, whatever autocast says.

    What comes in from outside is the image mirrored. Under the identity nothing changes but
    rounding, because the filter is orthonormal.
    """
    n, channels, side, _ = images.shape
    margin = side - 1
    padded = functional.pad(images, (margin,) * 4, mode="reflect")
    kernel = _filter(channels, images)
    # Sample k of the upsampled image lies at (k - _MIDDLE) / 2 of the padded one.
    with torch.autocast(images.device.type, enabled=False):
        fine = functional.conv_transpose2d(padded, kernel, stride=2, groups=channels)

    count = 2 * side + len(SYM6) - 2  # samples that the last filter needs
    places = (torch.arange(count, dtype=torch.float64, device=images.device) - _MIDDLE) / 2
    places = (places + 0.5) / side - 0.5  # from pixels to sides from the middle
    y, x = torch.meshgrid(places, places, indexing="ij")
    linear, shift = matrices[:, :, :2], matrices[:, :, 2]
    points = torch.stack([x, y], -1).reshape(1, -1, 2) - shift[:, None]
    origin = points @ torch.linalg.inv(linear).transpose(1, 2)  # [n, count^2, 2]
    index = ((origin + 0.5) * side - 0.5 + margin) * 2 + _MIDDLE
    grid = (2 * index / (fine.shape[-1] - 1) - 1).reshape(n, count, count, 2).to(images.dtype)
    moved = functional.grid_sample(
        fine, grid, mode="bilinear", padding_mode="reflection", align_corners=True
    )
    with torch.autocast(images.device.type, enabled=False):
        return functional.conv2d(moved, kernel, stride=2, groups=channels)
