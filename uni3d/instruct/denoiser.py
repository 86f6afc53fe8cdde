"""One contract for every network, `D(x, sigma, cond) -> x0`, and the arithmetic of guidance.

Teachers and fake scores are adapted here, at the boundary, once; nothing else in the project hears
of prediction types. `x` [batch, ...] is variance exploding, `sigma` [batch], `cond` is whatever the
network takes. The adapters compute in the dtype of `x` (give float32) and detach nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from uni3d.instruct.noise import VPSchedule, expand_like

Network = Callable[[Tensor, Tensor, Any], Tensor]


class Denoiser(Protocol):
    """The mean of x0 given the noisy `x`."""

    def __call__(self, x: Tensor, sigma: Tensor, cond: Any = None) -> Tensor:
        """`x` [batch, ...], `sigma` [batch] -> x0 estimate, shape of `x`."""
        ...


@dataclass(frozen=True)
class EpsDenoiser:
    """A network `(x_vp, t_index, cond) -> eps`; `t_index` [batch] is fractional."""

    network: Network
    schedule: VPSchedule

    def __call__(self, x: Tensor, sigma: Tensor, cond: Any = None) -> Tensor:
        level = expand_like(sigma, x)
        eps = self.network(x / (1 + level**2).sqrt(), self.schedule.t_of(sigma), cond)
        return x - level * eps.to(x.dtype)


@dataclass(frozen=True)
class VDenoiser:
    """A network `(x_vp, t_index, cond) -> v`, `v = alpha eps - sigma_vp x0` (2202.00512)."""

    network: Network
    schedule: VPSchedule

    def __call__(self, x: Tensor, sigma: Tensor, cond: Any = None) -> Tensor:
        level = expand_like(sigma, x)
        alpha = (1 + level**2).rsqrt()
        v = self.network(alpha * x, self.schedule.t_of(sigma), cond)
        return alpha * (alpha * x - level * v.to(x.dtype))


@dataclass(frozen=True)
class EDMDenoiser:
    """A raw network `(c_in x, ln(sigma) / 4, cond) -> F` with EDM preconditioning (eq. 7)."""

    network: Network
    sigma_data: float = 0.5

    def __call__(self, x: Tensor, sigma: Tensor, cond: Any = None) -> Tensor:
        level, data = expand_like(sigma, x), self.sigma_data
        c_in = (level**2 + data**2).rsqrt()
        raw = self.network(c_in * x, sigma.log() / 4, cond)
        return (data * c_in) ** 2 * x + level * data * c_in * raw.to(x.dtype)


def score_from_x0(x0: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
    """`(x0 - x) / sigma^2` (Tweedie), shape of `x`."""
    return (x0 - x) / expand_like(sigma, x) ** 2


def classifier_free_guidance(
    uncond: Tensor, cond: Tensor, scale: float | Tensor, rescale: float = 0.0
) -> Tensor:
    """`uncond + scale (cond - uncond)`: 0 is unconditional, 1 conditional, both bit for bit.

    Args:
        uncond, cond: x0 predictions [batch, ...].
        scale: a number, or one per sample [batch].
        rescale: 0 to 1, how far the per-sample standard deviation is brought back to that of
            `cond` (2305.08891, section 3.4).
    """
    if isinstance(scale, Tensor) and scale.ndim == 1:
        scale = expand_like(scale, cond)
    return _rescaled(torch.lerp(uncond, cond, scale), cond, rescale)


def _rescaled(guided: Tensor, cond: Tensor, rescale: float) -> Tensor:
    if rescale == 0:
        return guided
    dims = tuple(range(1, cond.ndim))
    ratio = cond.std(dims, keepdim=True) / guided.std(dims, keepdim=True).clamp(min=1e-8)
    return guided * (1 + rescale * (ratio - 1))


def perp_neg(
    uncond: Tensor,
    positive: Tensor,
    negatives: Sequence[Tensor],
    weights: Sequence[float | Tensor],
    scale: float | Tensor,
    rescale: float = 0.0,
) -> Tensor:
    """Perp-Neg guidance (2304.04968, eq. 9) on x0 predictions [batch, ...].

    `uncond + scale (d - sum_i w_i d_i_perp)`, `d = positive - uncond`: of each negative direction
    only the part perpendicular to `d` is subtracted, so a negative prompt that shares the subject
    never weakens it. `weights` are positive numbers or [batch]. Everything is per sample. `rescale`
    is that of `classifier_free_guidance`, towards the spread of `positive`.
    """
    if len(negatives) != len(weights):
        raise ValueError(
            f"perp_neg: got {len(negatives)} negatives and {len(weights)} weights; "
            "wanted as many of each; do: give one weight per negative"
        )
    dims = tuple(range(1, positive.ndim))
    direction = positive - uncond
    squared = (direction**2).sum(dims, keepdim=True).clamp(min=torch.finfo(direction.dtype).tiny)
    total = direction
    for negative, weight in zip(negatives, weights, strict=True):
        away = negative - uncond
        along = (away * direction).sum(dims, keepdim=True) / squared
        factor = expand_like(torch.as_tensor(weight), positive)
        total = total - factor * (away - along * direction)
    guided = uncond + expand_like(torch.as_tensor(scale), positive) * total
    return _rescaled(guided, positive, rescale)
