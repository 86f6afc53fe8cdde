"""How varied objects are, and how near to the true ones: numbers of their pictures' features."""

import numpy as np
import torch
from torch import Tensor

from uni3d.toybox.recogniser import Recogniser

__all__ = [
    "describe",
    "entropy",
    "kernel",
    "mmd2",
    "nearest_neighbours",
    "relative_entropy",
    "width_of",
]


@torch.no_grad()
def describe(net: Recogniser, views: Tensor) -> Tensor:
    """Features `[objects, numbers]` of objects seen as views `[objects, views, 3, 64, 64]`.

    The recogniser's last hidden layer, one view after the other.
    """
    net.eval()
    hidden = net.hidden(net.body(views.flatten(0, 1) * 2 - 1))
    return hidden.reshape(len(views), -1)


def width_of(truth: Tensor) -> float:
    """The median distance between true objects: the width of the kernel."""
    apart = torch.pdist(truth.double())
    return float(apart.median().clamp(min=1e-12))


def kernel(a: Tensor, b: Tensor, width: float) -> Tensor:
    """exp(-|a - b|^2 / (2 width^2)) `[len(a), len(b)]`."""
    return torch.exp(-torch.cdist(a.double(), b.double()).square() / (2 * width**2))


def entropy(features: Tensor, width: float) -> float:
    """Von Neumann entropy of the kernel's matrix, in nats: 0 where all are alike, log n at most.

    Its exponential is the Vendi score (2210.02410).
    """
    values = torch.linalg.eigvalsh(kernel(features, features, width) / len(features)).clamp(min=0)
    return float(-(values * values.clamp(min=1e-300).log()).sum())


def relative_entropy(made: Tensor, truth: Tensor) -> float:
    """Entropy of what was made over that of as many true objects; about 1 is right, 0 is one."""
    assert len(made) == len(truth), f"got {len(made)} and {len(truth)} objects; wanted as many"
    width = width_of(truth)
    return entropy(made, width) / entropy(truth, width)


def mmd2(made: Tensor, truth: Tensor) -> float:
    """Squared maximum mean discrepancy, unbiased (Gretton et al. 2012, eq. 3); may be below 0."""
    width = width_of(truth)

    def among(features: Tensor) -> float:
        matrix, n = kernel(features, features, width), len(features)
        return float((matrix.sum() - n) / (n * (n - 1)))

    return among(made) + among(truth) - 2 * float(kernel(made, truth, width).mean())


def nearest_neighbours(made: Tensor, truth: Tensor) -> tuple[float, float]:
    """(1-NNA, coverage): the share of objects whose nearest neighbour is of their own kind (one
    half is right), and the share of true objects that are the nearest true one of some made one.
    """
    both = torch.cat([made, truth]).double()
    apart = torch.cdist(both, both).fill_diagonal_(float("inf"))
    label = np.arange(len(both)) < len(made)
    own = label[apart.argmin(1).numpy()] == label
    near = torch.cdist(made.double(), truth.double()).argmin(1)
    return float(own.mean()), len(near.unique()) / len(truth)
