"""Adapters and guidance on a network whose exact answer is known."""

import pytest
import torch
from mixtures import Mixture

from uni3d.instruct import (
    EDMDenoiser,
    EpsDenoiser,
    VDenoiser,
    VPSchedule,
    add_noise,
    classifier_free_guidance,
    perp_neg,
    score_from_x0,
)

HUMPS = Mixture(*torch.tensor([[0.3, 0.7], [-1.0, 0.8], [0.5, 0.7]], dtype=torch.float64))
SCHEDULE = VPSchedule.scaled_linear()


def vp_network(kind):
    """A network in VP coordinates that knows only (x_vp, t_index): the true posterior mean."""

    def network(x_vp, t_index, cond):
        assert cond == "a cow"
        sigma = SCHEDULE.sigma_of(t_index.double())
        alpha = 1 / (1 + sigma**2).sqrt()
        clean = HUMPS.denoise(x_vp / alpha, sigma)
        eps = (x_vp - alpha * clean) / (alpha * sigma)
        return eps if kind == "eps" else alpha * eps - alpha * sigma * clean

    return network


def edm_network(x_in, noise_label, cond):
    assert cond == "a cow"
    sigma = (4 * noise_label).exp()
    x = x_in * (sigma**2 + 0.25).sqrt()
    skip = 0.25 / (sigma**2 + 0.25)
    return (HUMPS.denoise(x, sigma) - skip * x) / (sigma * 0.5 / (sigma**2 + 0.25).sqrt())


@pytest.mark.parametrize(
    "denoiser",
    [
        EpsDenoiser(vp_network("eps"), SCHEDULE),
        VDenoiser(vp_network("v"), SCHEDULE),
        EDMDenoiser(edm_network),
    ],
    ids=["eps", "v", "edm"],
)
def test_adapters_return_the_posterior_mean(denoiser):
    x = torch.linspace(-3, 3, 40, dtype=torch.float64)
    sigma = torch.logspace(-1.4, 1.1, 40, dtype=torch.float64)
    want = HUMPS.denoise(x, sigma)
    torch.testing.assert_close(denoiser(x, sigma, "a cow"), want, rtol=1e-6, atol=1e-6)


def test_v_stays_exact_at_zero_terminal_snr():
    # eps carries no x0 there; v does: with alpha -> 0, v -> -x0.
    schedule = VPSchedule.from_alphas_cumprod(torch.tensor([0.9, 0.5, 0.0]))
    sigma, x0 = torch.tensor([1000.0]), torch.tensor([[0.25, -0.5]])
    x = add_noise(x0, sigma, torch.tensor([[1.0, -1.0]]))
    alpha = (1 + sigma**2).rsqrt()
    denoiser = VDenoiser(lambda x_vp, t, cond: (alpha * x_vp - x0) / (alpha * sigma), schedule)
    torch.testing.assert_close(denoiser(x, sigma), x0, rtol=0, atol=2e-6)


def test_score_is_the_gradient_of_the_log_density():
    x = torch.linspace(-3, 3, 40, dtype=torch.float64).requires_grad_()
    sigma = torch.full((40,), 0.6, dtype=torch.float64)
    (want,) = torch.autograd.grad(HUMPS.log_density(x, sigma).sum(), x)
    torch.testing.assert_close(score_from_x0(HUMPS.denoise(x, sigma), x, sigma), want)


def predictions(count=4):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 3, 2, 4, 4, generator=generator, dtype=torch.float64)


def test_guidance_scale_means_one_thing():
    uncond, cond, *_ = predictions()
    assert torch.equal(classifier_free_guidance(uncond, cond, 0.0), uncond)
    assert torch.equal(classifier_free_guidance(uncond, cond, 1.0), cond)
    guided = classifier_free_guidance(uncond, cond, torch.tensor([0.0, 1.0, 7.5]))
    assert torch.equal(guided[0], uncond[0]) and torch.equal(guided[1], cond[1])
    torch.testing.assert_close(guided[2], uncond[2] + 7.5 * (cond[2] - uncond[2]))


def test_rescaled_guidance_has_the_spread_of_the_conditional():
    uncond, cond, *_ = predictions()
    full = classifier_free_guidance(uncond, cond, 7.5, rescale=1.0)
    dims = (1, 2, 3)
    torch.testing.assert_close(full.std(dims), cond.std(dims))
    plain = classifier_free_guidance(uncond, cond, 7.5)
    half = classifier_free_guidance(uncond, cond, 7.5, rescale=0.5)
    torch.testing.assert_close(half, (plain + full) / 2)


def test_perp_neg_removes_only_what_is_perpendicular():
    uncond, positive, back, side = predictions()
    dims = (1, 2, 3)
    direction = positive - uncond
    got = perp_neg(uncond, positive, [back, side], [1.5, torch.tensor([0.0, 0.3, 2.0])], 5.0)
    # What changed against plain guidance is perpendicular to the positive direction.
    change = got - classifier_free_guidance(uncond, positive, 5.0)
    cosine = (change * direction).sum(dims) / (change.norm() * direction.norm())
    assert cosine.abs().max().item() < 1e-12
    # It moves against each negative: in a plane, the hand computation.
    plane = [torch.tensor([v]) for v in ([0.0, 0.0], [2.0, 0.0], [3.0, 4.0])]
    got = perp_neg(plane[0], plane[1], [plane[2]], [0.5], 10.0)
    assert got.tolist() == [[20.0, -20.0]]


def test_perp_neg_of_nothing_and_of_the_positive_itself_is_plain_guidance():
    uncond, positive, *_ = predictions()
    plain = classifier_free_guidance(uncond, positive, 7.5)
    torch.testing.assert_close(perp_neg(uncond, positive, [], [], 7.5), plain)
    torch.testing.assert_close(perp_neg(uncond, positive, [positive], [3.0], 7.5), plain)
    same = perp_neg(uncond, uncond, [positive], [0.0], 7.5)
    torch.testing.assert_close(same, uncond)
    with pytest.raises(ValueError, match="got 1 negatives and 0 weights"):
        perp_neg(uncond, positive, [positive], [], 7.5)
