"""A Gaussian mixture in the plane, exact at every noise level, and how samples are held against it.

`x` is [batch, 2], `sigma` [batch], variance exploding (`x = x0 + sigma eps`).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from uni3d.instruct import score_from_x0


@dataclass(frozen=True)
class Mixture2D:
    """sum_k weights[k] N(means[k], std^2 I); `means` [modes, 2], `weights` [modes] sum to one."""

    means: Tensor
    weights: Tensor
    std: float

    @classmethod
    def ring(cls, modes: int = 8, radius: float = 2.0, std: float = 0.2) -> "Mixture2D":
        """Equal modes, equally spaced on a circle around the origin."""
        angle = torch.arange(modes) * (2 * math.pi / modes)
        means = radius * torch.stack([angle.cos(), angle.sin()], 1)
        return cls(means, torch.full((modes,), 1 / modes), std)

    def double(self) -> "Mixture2D":
        return Mixture2D(self.means.double(), self.weights.double(), self.std)

    @property
    def sigma_data(self) -> float:
        """Root mean square of a coordinate: what EDM preconditioning calls sigma_data."""
        second = (self.weights * self.means.square().mean(1)).sum()
        return math.sqrt(float(second) + self.std**2)

    def _component_log_density(self, x: Tensor, sigma: Tensor) -> Tensor:
        variance = self.std**2 + sigma[:, None] ** 2  # [batch, 1]
        square = (x[:, None] - self.means).square().sum(2) / variance
        return self.weights.log() - 0.5 * square - (2 * math.pi * variance).log()

    def log_density(self, x: Tensor, sigma: Tensor) -> Tensor:
        """log of the density [batch] of x0 + sigma eps at `x`."""
        return self._component_log_density(x, sigma).logsumexp(1)

    def denoise(self, x: Tensor, sigma: Tensor, cond: None = None) -> Tensor:
        """E[x0 | x] [batch, 2]."""
        posterior = self._component_log_density(x, sigma).softmax(1)
        gain = self.std**2 / (self.std**2 + sigma[:, None] ** 2)
        return gain * x + (1 - gain) * posterior @ self.means

    def score(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Gradient of `log_density` in `x` [batch, 2]; sigma must not be zero."""
        return score_from_x0(self.denoise(x, sigma), x, sigma)

    def sample(self, number: int, generator: torch.Generator | None = None) -> Tensor:
        """`number` clean samples [number, 2]."""
        mode = torch.multinomial(self.weights, number, replacement=True, generator=generator)
        noise = torch.randn(number, 2, generator=generator, dtype=self.means.dtype)
        return self.means[mode] + self.std * noise


def covered_modes(teacher: Mixture2D, samples: Tensor, share: float = 0.25) -> int:
    """Modes that got at least `share` of their weight of `samples` [n, 2] within 3 std."""
    distance, mode = torch.cdist(samples, teacher.means.to(samples)).min(1)
    counts = torch.bincount(mode[distance < 3 * teacher.std], minlength=len(teacher.means))
    return int((counts >= share * teacher.weights * len(samples)).sum())


def on_modes(teacher: Mixture2D, samples: Tensor) -> float:
    """Share of `samples` [n, 2] within 3 std of a mode: covering alone, a uniform ring does."""
    distance = torch.cdist(samples, teacher.means.to(samples)).min(1).values
    return float((distance < 3 * teacher.std).double().mean())


# KLs are taken after this much noise: both sides then have a density everywhere, the student's from
# a histogram. By the data-processing inequality they bound those without noise from below.
KL_SIGMA = 0.1
_CELL = 0.025
_FLOOR = 1e-30


def true_kl(teacher: Mixture2D, samples: Tensor, extent: float = 5.0) -> tuple[float, float]:
    """(KL(teacher || student), KL(student || teacher)) at noise `KL_SIGMA`, in nats.

    `samples` [n, 2] are counted in cells of 0.025 on [-extent, extent]^2 (those outside at its
    edge), and blurred by the exact noise; densities are floored at 1e-30, so a mode that is
    missed costs at most 69 nats times its weight.
    """
    cells = int(2 * extent / _CELL)
    index = ((samples.double() + extent) / _CELL).long().clamp(0, cells - 1)
    counts = torch.bincount(index[:, 0] * cells + index[:, 1], minlength=cells**2)
    density = counts.double().reshape(cells, cells) / (len(samples) * _CELL**2)

    reach = int(8 * KL_SIGMA / _CELL)
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float64) * _CELL
    kernel = torch.exp(-0.5 * (offsets / KL_SIGMA) ** 2)
    kernel = (kernel / kernel.sum()).reshape(1, 1, -1, 1)
    blurred = functional.conv2d(density[None, None], kernel, padding=(reach, 0))
    blurred = functional.conv2d(blurred, kernel.transpose(2, 3), padding=(0, reach))

    centre = (torch.arange(cells, dtype=torch.float64) + 0.5) * _CELL - extent
    grid = torch.stack(torch.meshgrid(centre, centre, indexing="ij"), -1).reshape(-1, 2)
    sigma = torch.full((len(grid),), KL_SIGMA, dtype=torch.float64)
    log_q = teacher.double().log_density(grid, sigma).clamp(min=math.log(_FLOOR))
    log_p = blurred.reshape(-1).clamp(min=_FLOOR).log()
    gap, area = log_q - log_p, _CELL**2
    return float((log_q.exp() * gap).sum() * area), float((-log_p.exp() * gap).sum() * area)
