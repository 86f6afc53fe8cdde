"""Noise levels against published numbers and the recurrences they come from."""

import math

import pytest
import torch

from uni3d.instruct import (
    VPSchedule,
    add_noise,
    karras_sigmas,
    sample_karras_sigma,
    sample_lognormal_sigma,
)
from uni3d.instruct.noise import karras_sigma, karras_time


def ddpm_alphas_cumprod():
    product, out = 1.0, []
    for i in range(1000):
        product *= 1 - (1e-4 + (2e-2 - 1e-4) * i / 999)
        out.append(product)
    return out


def test_stable_diffusion_range():
    # The sigma range quoted everywhere for Stable Diffusion: 0.0292 to 14.6146.
    schedule = VPSchedule.scaled_linear()
    assert schedule.sigma_of(0).item() == pytest.approx(0.0292, abs=5e-5)
    assert schedule.sigma_of(999).item() == pytest.approx(14.6146, abs=5e-5)


def test_linear_schedule_step_by_step():
    schedule, products = VPSchedule.linear(), ddpm_alphas_cumprod()
    for step in (0, 1, 250, 998, 999):
        want = math.sqrt((1 - products[step]) / products[step])
        assert schedule.sigma_of(step).item() == pytest.approx(want, rel=1e-6)


def test_sigma_and_step_are_inverse_and_clamped():
    schedule = VPSchedule.scaled_linear()
    steps = torch.tensor([0.0, 0.3, 17.0, 500.25, 998.9, 999.0], dtype=torch.float64)
    torch.testing.assert_close(schedule.t_of(schedule.sigma_of(steps)), steps, atol=1e-8, rtol=0)
    assert schedule.t_of(torch.tensor([1e-9, 0.0, 1e9])).tolist() == [0, 0, 999]
    # Half way between two steps is their geometric mean.
    want = (schedule.sigma_of(4) * schedule.sigma_of(5)).sqrt()
    torch.testing.assert_close(schedule.sigma_of(4.5), want)


def test_zero_terminal_snr_is_floored():
    schedule = VPSchedule.from_alphas_cumprod(torch.tensor([0.99, 0.5, 0.1, 0.0]))
    assert schedule.sigma_of(3).item() == pytest.approx(1000, rel=1e-5)
    assert schedule.sigma_of(1).item() == pytest.approx(1, rel=1e-6)
    assert schedule.t_of(torch.tensor(math.inf)).item() == 3
    assert torch.isfinite(schedule.sigma_of(torch.linspace(0, 3, 50))).all()


def test_a_schedule_that_does_not_decrease_is_refused():
    with pytest.raises(ValueError, match=r"alphas_cumprod: got shape .*not strictly decreasing"):
        VPSchedule.from_alphas_cumprod(torch.tensor([0.5, 0.9]))


def test_add_noise_uses_each_samples_own_level():
    x0, eps = torch.full((2, 1, 2), 3.0), torch.tensor([[[1.0, -1.0]], [[2.0, 0.5]]])
    got = add_noise(x0, torch.tensor([0.5, 10.0]), eps)
    assert got.tolist() == [[[3.5, 2.5]], [[23.0, 8.0]]]


def test_karras_grid():
    # Eq. 5 of 2206.00364 written out for i = 0 .. 17.
    low, high = 0.002 ** (1 / 7), 80 ** (1 / 7)
    want = [(high + i / 17 * (low - high)) ** 7 for i in range(18)] + [0]
    torch.testing.assert_close(karras_sigmas(18), torch.tensor(want), rtol=1e-5, atol=0)
    u = torch.linspace(0, 1, 30, dtype=torch.float64)
    torch.testing.assert_close(karras_time(karras_sigma(u)), u)


def test_student_sampler_has_the_published_range():
    sigma = sample_karras_sigma(100_000, torch.Generator().manual_seed(0))
    assert sigma.min().item() >= 0.002 * (1 - 1e-5)
    assert 24.3 < sigma.max().item() < 24.42
    # Uniform in Karras time: 38 % lie above 2.5 (binomial standard error 0.15 %).
    assert (sigma > 2.5).float().mean().item() == pytest.approx(0.376, abs=0.007)
    again = sample_karras_sigma(100_000, torch.Generator().manual_seed(0))
    assert torch.equal(sigma, again)


def test_lognormal_sampler_moments_and_seed():
    sigma = sample_lognormal_sigma(100_000, torch.Generator().manual_seed(0))
    log = sigma.double().log()
    assert log.mean().item() == pytest.approx(-1.2, abs=0.02)
    assert log.std().item() == pytest.approx(1.2, abs=0.015)
    again = sample_lognormal_sigma(100_000, torch.Generator().manual_seed(0))
    assert torch.equal(sigma, again)
