"""The density ratio `r = q_t / p_t` from a discriminator, and the discriminator's two losses.

With the logistic loss the optimal logit is `log(q_t / p_t)` ("real" = teacher's distribution q).
What an imperfect discriminator gives is tamed in three steps: clamp and clip, divide by a running
mean per noise level (`E_p[r] = 1` holds exactly for the true ratio), and divide the loss by a mean
of h: over steps (`RunningMean`), or in the loss over a large batch (`normalise_h`). Clipping r
makes another divergence, one whose h is constant outside the range: the loss must know where
(`ratio_is_clipped`), or terms with h' push points that are far from the teacher still farther away
(Jensen-Shannon and Hellinger then lose every mode).
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from uni3d.instruct.noise import RHO, SIGMA_MAX, SIGMA_MIN, karras_time

MAX_LOGIT = 10.0
RATIO_RANGE = (0.1, 20.0)


def mean_logit(logits: Tensor) -> Tensor:
    """Logit maps [batch, ...] -> one fp32 logit per sample [batch]."""
    return logits.float().reshape(len(logits), -1).mean(1)


def clipped_log_ratio(logits: Tensor) -> Tensor:
    """Logits [batch, ...] -> log r [batch], clamped, r clipped to [0.1, 20]; detached."""
    logit = mean_logit(logits.detach()).clamp(-MAX_LOGIT, MAX_LOGIT)
    return logit.clamp(math.log(RATIO_RANGE[0]), math.log(RATIO_RANGE[1]))


def ratio_is_clipped(logits: Tensor) -> Tensor:
    """Where [batch] `clipped_log_ratio` of the logits [batch, ...] is at an end of its range."""
    low, high = (math.log(end) for end in RATIO_RANGE)
    logit = mean_logit(logits.detach())
    return (logit <= low) | (logit >= high)


def ratio_is_steep(x0_teacher: Tensor, x0_fake: Tensor, sigma: Tensor) -> Tensor:
    """Where [batch] log r changes by more than 1 within the noise; predictions are [batch, ...].

    Its gradient is `(D_q - D_p) / sigma^2`, so along noise of deviation sigma it varies by
    `|D_q - D_p| / sigma`, which grows with the square root of the number of pixels. A
    discriminator's estimate does not: where they disagree, `r^2 h''` at the estimate says nothing
    of the true one, which has left the range where h varies.
    """
    u = (x0_teacher - x0_fake).detach().flatten(1)
    return (u * u).sum(1).sqrt() > sigma


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Logistic loss per sample [batch]: `softplus(-real) + softplus(fake)`, mean over the map.

    Real and fake must share the noise level and the noise; logits are [batch, ...].
    """
    return mean_logit(softplus(-real_logits.float())) + mean_logit(softplus(fake_logits.float()))


def generator_adversarial_loss(fake_logits: Tensor) -> Tensor:
    """Non-saturating generator term per sample [batch]: `softplus(-fake)`, mean over the map."""
    return mean_logit(softplus(-fake_logits.float()))


class RunningMean(nn.Module):
    """A mean per noise-level bin; its buffers travel in the checkpoint.

    Bins are equal in Karras time between `sigma_min` and `sigma_max`. A bin's mean is the plain
    average of its samples until `horizon` of them were seen, then exponential with that memory.
    """

    def __init__(
        self,
        bins: int = 10,
        *,
        horizon: int = 1000,
        sigma_min: float = SIGMA_MIN,
        sigma_max: float = SIGMA_MAX,
        rho: float = RHO,
    ) -> None:
        super().__init__()
        self.bins, self.horizon = bins, horizon
        self.sigma_range, self.rho = (sigma_min, sigma_max), rho
        self.count: Tensor
        self.mean: Tensor
        self.register_buffer("count", torch.zeros(bins, dtype=torch.float64))
        self.register_buffer("mean", torch.ones(bins, dtype=torch.float64))

    def bin_of(self, sigma: Tensor) -> Tensor:
        """Bin index [batch] of `sigma` [batch]; levels outside the range go to the end bins."""
        time = karras_time(sigma.double(), *self.sigma_range, self.rho)
        return (time * self.bins).long().clamp(0, self.bins - 1)

    @torch.no_grad()
    def of(self, values: Tensor, sigma: Tensor) -> Tensor:
        """The means [batch] at `sigma` [batch] with `values` [batch] taken in; detached.

        What a bin sees first is its mean: a stand-in of 1 would be wrong for most quantities.
        """
        index = self.bin_of(sigma)
        self._update_mean(values.double(), index)
        return self.mean[index].to(values.dtype)

    def _update_mean(self, values: Tensor, index: Tensor) -> None:
        number = torch.zeros_like(self.mean).index_add_(0, index, torch.ones_like(values))
        total = torch.zeros_like(self.mean).index_add_(0, index, values)
        self.count += number
        memory = torch.maximum(self.count.clamp(max=self.horizon), number).clamp(min=1)
        self.mean += (total - number * self.mean) / memory


class RatioNormaliser(RunningMean):
    """log r with mean 1 per noise-level bin, in `RunningMean`'s bins."""

    def __init__(self, bins: int = 10, **options: Any) -> None:
        super().__init__(bins, **options)
        # Rows: number, sum, sum of squares and maximum of the normalised r since the last reset.
        self.used: Tensor
        self.register_buffer("used", torch.zeros(4, bins, dtype=torch.float64))

    @torch.no_grad()
    def forward(self, logits: Tensor, sigma: Tensor, *, update: bool = True) -> Tensor:
        """Logits [batch, ...] of *generated* samples at `sigma` [batch] -> log r [batch], detached.

        `update=False` leaves the running means and the statistics as they are.
        """
        log_ratio = clipped_log_ratio(logits)
        index = self.bin_of(sigma)
        if update:
            self._update_mean(log_ratio.double().exp(), index)
        log_ratio = log_ratio - self.mean[index].log().to(log_ratio.dtype)
        if update:
            self._record(log_ratio.double().exp(), index)
        return log_ratio

    def _record(self, ratio: Tensor, index: Tensor) -> None:
        moments = torch.stack([torch.ones_like(ratio), ratio, ratio**2])
        self.used[:3].index_add_(1, index, moments)
        self.used[3].scatter_reduce_(0, index, ratio, "amax")

    def statistics(self, *, reset: bool = False) -> dict[str, Tensor]:
        """Per bin [bins] since the last reset: `count`, `mean`, `max` of r and `ess`.

        `ess = (sum r)^2 / sum r^2` is the effective number of the `count` samples; 0 where empty.
        """
        count, total, squares, largest = self.used.clone()
        if reset:
            self.used.zero_()
        mean = total / count.clamp(min=1)
        ess = total**2 / squares.clamp(min=torch.finfo(squares.dtype).tiny)
        return {"count": count, "mean": mean, "max": largest, "ess": ess}
