"""Closed-form 1-D Gaussian mixtures: the density, denoiser and sampler every loss test rests on.

Everything is float64 and variance exploding: x = x0 + sigma eps.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Mixture:
    """sum_k weights[k] N(means[k], stds[k]^2); each tensor is [components]."""

    weights: Tensor
    means: Tensor
    stds: Tensor

    @classmethod
    def gaussian(cls, mean: float | Tensor, std: float | Tensor) -> "Mixture":
        as_row = [torch.as_tensor(value, dtype=torch.float64).reshape(1) for value in (mean, std)]
        return cls(torch.ones(1, dtype=torch.float64), *as_row)

    def detach(self) -> "Mixture":
        return Mixture(self.weights.detach(), self.means.detach(), self.stds.detach())

    def component_log_density(self, x: Tensor, sigma: Tensor) -> Tensor:
        variance = self.stds**2 + sigma[:, None] ** 2  # [batch, components]
        square = (x[:, None] - self.means) ** 2 / variance
        return self.weights.log() - 0.5 * (square + (2 * torch.pi * variance).log())

    def log_density(self, x: Tensor, sigma: Tensor) -> Tensor:
        """log of the density of x0 + sigma eps at `x` [batch]."""
        return self.component_log_density(x, sigma).logsumexp(1)

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """E[x0 | x] at `x` [batch]."""
        posterior = self.component_log_density(x, sigma).softmax(1)
        gain = self.stds**2 / (self.stds**2 + sigma[:, None] ** 2)
        return (posterior * (self.means + gain * (x[:, None] - self.means))).sum(1)


def normal_grid(limit: float = 14.0, step: float = 0.125) -> tuple[Tensor, Tensor, Tensor]:
    """Two independent standard normals by the trapezoid rule: nodes, nodes, weights [n].

    The rule is exponentially accurate for smooth integrands that vanish at the limit.
    """
    nodes = torch.arange(-limit, limit + step / 2, step, dtype=torch.float64)
    weights = torch.exp(-(nodes**2) / 2)
    weights = weights / weights.sum()
    z, eps = torch.meshgrid(nodes, nodes, indexing="ij")
    return z.reshape(-1), eps.reshape(-1), torch.outer(weights, weights).reshape(-1)
