"""Noise levels. Everything is variance exploding: `x = x0 + sigma eps`, `sigma` alone is the level.

A variance-preserving model (DDPM, Stable Diffusion) sees `x_vp = alpha_vp x` with
`alpha_vp = 1 / sqrt(1 + sigma^2)`, and `sigma = sigma_vp / alpha_vp` (Karras et al. 2206.00364).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

# The Karras range and exponent of EDM (2206.00364, table 1).
SIGMA_MIN, SIGMA_MAX, RHO = 0.002, 80.0, 7.0


def expand_like(values: Tensor, x: Tensor) -> Tensor:
    """`values` [batch] viewed as [batch, 1, ...] with the rank, dtype and device of `x`."""
    return values.to(x).reshape(-1, *[1] * (x.ndim - 1))


def add_noise(x0: Tensor, sigma: Tensor, eps: Tensor) -> Tensor:
    """`x0 + sigma eps` for `x0`, `eps` [batch, ...] and `sigma` [batch]."""
    return x0 + expand_like(sigma, x0) * eps


@dataclass(frozen=True)
class VPSchedule:
    """The discrete levels of a variance-preserving model, seen as variance-exploding sigmas.

    `log_sigmas` [steps], float64, increasing; between the steps log sigma is linear in t.
    """

    log_sigmas: Tensor

    @classmethod
    def from_alphas_cumprod(cls, alphas_cumprod: Tensor) -> "VPSchedule":
        """From `alphas_cumprod` [steps], decreasing, in [0, 1]; the last may be zero.

        Zero terminal SNR means sigma = infinity; it is floored at alpha^2 = 1e-6 (sigma = 1000),
        where float32 still keeps four digits of x0 in x0 + sigma eps.
        """
        squared = alphas_cumprod.detach().double()
        if squared.ndim != 1 or len(squared) < 2 or not bool((squared.diff() < 0).all()):
            raise ValueError(
                f"alphas_cumprod: got shape {tuple(squared.shape)}, not strictly decreasing; "
                "wanted one decreasing value per step; do: pass scheduler.alphas_cumprod"
            )
        squared = squared.clamp(min=1e-6)
        return cls(0.5 * ((1 - squared) / squared).log())

    @classmethod
    def linear(
        cls, steps: int = 1000, beta_start: float = 1e-4, beta_end: float = 2e-2
    ) -> "VPSchedule":
        """Betas linear in t (DDPM, 2006.11239)."""
        betas = torch.linspace(beta_start, beta_end, steps, dtype=torch.float64)
        return cls.from_alphas_cumprod((1 - betas).cumprod(0))

    @classmethod
    def scaled_linear(
        cls, steps: int = 1000, beta_start: float = 8.5e-4, beta_end: float = 1.2e-2
    ) -> "VPSchedule":
        """Square roots of the betas linear in t; the defaults are Stable Diffusion's."""
        roots = torch.linspace(beta_start**0.5, beta_end**0.5, steps, dtype=torch.float64)
        return cls.from_alphas_cumprod((1 - roots**2).cumprod(0))

    def sigma_of(self, t_index: Tensor | float) -> Tensor:
        """sigma at `t_index` (integer or fractional, any shape), clamped to the schedule."""
        table = self.log_sigmas
        t = torch.as_tensor(t_index)
        out_dtype = t.dtype if t.is_floating_point() else torch.float32
        table, t = table.to(t.device), t.double().clamp(0, len(table) - 1)
        low = t.long().clamp(max=len(table) - 2)
        return torch.lerp(table[low], table[low + 1], t - low).exp().to(out_dtype)

    def t_of(self, sigma: Tensor | float) -> Tensor:
        """Fractional step index of `sigma` (any shape), clamped to [0, steps - 1]."""
        sigma = torch.as_tensor(sigma)
        out_dtype = sigma.dtype if sigma.is_floating_point() else torch.float32
        table = self.log_sigmas.to(sigma.device)
        log_sigma = sigma.double().log().clamp(table[0], table[-1])
        low = torch.searchsorted(table, log_sigma, right=True).clamp(1, len(table) - 1) - 1
        # Two steps may share the floor of zero terminal SNR.
        gap = (table[low + 1] - table[low]).clamp(min=torch.finfo(table.dtype).tiny)
        step = (log_sigma - table[low]) / gap
        return (low + step).to(out_dtype)


def karras_sigma(
    u: Tensor, sigma_min: float = SIGMA_MIN, sigma_max: float = SIGMA_MAX, rho: float = RHO
) -> Tensor:
    """sigma at Karras time `u` in [0, 1], increasing (eq. 5 of 2206.00364, read backwards)."""
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return (low + u * (high - low)) ** rho


def karras_time(
    sigma: Tensor, sigma_min: float = SIGMA_MIN, sigma_max: float = SIGMA_MAX, rho: float = RHO
) -> Tensor:
    """Inverse of `karras_sigma`; outside [0, 1] for sigmas outside the range."""
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return (sigma ** (1 / rho) - low) / (high - low)


def karras_sigmas(
    steps: int, sigma_min: float = SIGMA_MIN, sigma_max: float = SIGMA_MAX, rho: float = RHO
) -> Tensor:
    """The sampler's grid [steps + 1]: `steps` sigmas from high to low, then zero."""
    u = torch.linspace(1, 0, steps, dtype=torch.float64)
    sigmas = karras_sigma(u, sigma_min, sigma_max, rho)
    return torch.cat([sigmas, sigmas.new_zeros(1)]).float()


def sample_karras_sigma(
    batch: int,
    generator: torch.Generator | None = None,
    *,
    u_range: tuple[float, float] = (0.0, 0.8),
    sigma_min: float = SIGMA_MIN,
    sigma_max: float = SIGMA_MAX,
    rho: float = RHO,
) -> Tensor:
    """Sigmas [batch] uniform in Karras time over `u_range`: the generator's (student's) sampler.

    The default range is the published tmax = 800 of 1000: sigma in [0.002, 24.4].
    """
    device = generator.device if generator is not None else None
    u = torch.rand(batch, generator=generator, device=device)
    return karras_sigma(u_range[0] + u * (u_range[1] - u_range[0]), sigma_min, sigma_max, rho)


def sample_lognormal_sigma(
    batch: int, generator: torch.Generator | None = None, *, mean: float = -1.2, std: float = 1.2
) -> Tensor:
    """Sigmas [batch] with ln sigma ~ N(mean, std^2): the sampler of denoising score matching."""
    device = generator.device if generator is not None else None
    return (mean + std * torch.randn(batch, generator=generator, device=device)).exp()
