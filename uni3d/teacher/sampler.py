"""Deterministic sampling from a denoiser: Euler steps of the probability-flow ODE."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["euler"]


@torch.no_grad()
def euler(denoise: Callable[[Tensor, Tensor], Tensor], noise: Tensor, sigmas: Tensor) -> Tensor:
    """Integrate dx/dsigma = (x - D(x, sigma)) / sigma from sigmas[0] to 0 (2206.00364, Eq. 1).

    noise: unit Gaussian `[batch, ...]`. sigmas: decreasing, positive, `[steps]`, in
    variance-exploding coordinates; a last step to 0 is implied, which returns D. In
    variance-preserving coordinates this is DDIM. `denoise(x, sigma [batch]) -> x0`.
    """
    x = noise * sigmas[0]
    for i, sigma in enumerate(sigmas):
        x0 = denoise(x, sigma.expand(x.shape[0]))
        following = sigmas[i + 1] if i + 1 < len(sigmas) else torch.zeros(())
        x = x0 + (x - x0) * (following / sigma)
    return x
