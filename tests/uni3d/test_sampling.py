"""The ODE sampler against a Gaussian, whose denoiser and flow are known in closed form."""

import pytest
import torch

from uni3d.instruct import karras_sigmas
from uni3d.teacher.sampler import euler

MEAN, SPREAD = 0.7, 0.5


def _denoise(x, sigma):
    """E[x0 | x] for x0 ~ N(MEAN, SPREAD^2)."""
    share = (SPREAD**2 / (SPREAD**2 + sigma**2)).reshape(-1, 1)
    return MEAN + share * (x - MEAN)


def test_the_gaussian_comes_out_with_its_mean_and_variance():
    noise = torch.randn(4000, 4, generator=torch.Generator().manual_seed(0))
    out = euler(_denoise, noise, karras_sigmas(200)[:-1])
    assert float(out.mean()) == pytest.approx(MEAN, abs=0.02)
    assert float(out.std()) == pytest.approx(SPREAD, rel=0.03)


def test_error_against_the_exact_flow_falls_with_the_step():
    noise = torch.linspace(-2, 2, 9)[:, None]
    sigma_max = 80.0
    # The flow keeps the standardised value: (x - mean) / sqrt(spread^2 + sigma^2).
    scale = SPREAD / (SPREAD**2 + sigma_max**2) ** 0.5
    exact = MEAN + (noise * sigma_max - MEAN) * scale
    errors = [
        float((euler(_denoise, noise, karras_sigmas(n)[:-1]) - exact).abs().max())
        for n in (50, 100, 200)
    ]
    # First order: doubling the steps halves the error.
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.15)
    assert errors[1] / errors[2] == pytest.approx(2, rel=0.15)


def test_the_last_step_returns_the_denoised():
    noise = torch.tensor([[0.3], [-1.0]])
    out = euler(_denoise, noise, torch.tensor([2.0]))
    torch.testing.assert_close(out, _denoise(noise * 2.0, torch.tensor([2.0, 2.0])))
