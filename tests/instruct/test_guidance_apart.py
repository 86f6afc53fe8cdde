"""Guidance apart from the divergence: what it minimises, by quadrature, and what it shares with
guidance inside."""

import pytest
import torch
from mixtures import Mixture, normal_grid

from uni3d.instruct import DIVERGENCES, classifier_free_guidance, guidance_pull, uni_instruct_loss

COND = Mixture.gaussian(0.6, 0.7)  # q(x | c)
ALL = Mixture(*torch.tensor([[0.4, 0.6], [-1.0, 0.5], [0.6, 0.9]], dtype=torch.float64))  # q(x)
Z, EPS, WEIGHTS = normal_grid()
X = torch.arange(-40, 40, 0.01, dtype=torch.float64)


def objective(params, sigma, scale, row):
    """E_p[h(r) (s_p - s_cond)^2] - (s - 1) (2 / sigma^2) E_p[log q(c | x)], no loss code involved;
    log q(c | x) up to log q(c), which does not move."""
    level = torch.full_like(X, sigma)
    student = Mixture.gaussian(*params)
    log_p, log_q = student.log_density(X, level), COND.log_density(X, level)
    gap = (COND.denoise(X, level) - student.denoise(X, level)) / sigma**2
    classifier = log_q - ALL.log_density(X, level)
    inside = row.h(log_q - log_p) * gap**2 - (scale - 1) * 2 / sigma**2 * classifier
    return float((log_p.exp() * inside).sum() * 0.01)


@pytest.mark.parametrize("name", sorted(DIVERGENCES))
@pytest.mark.parametrize(
    ("m", "s", "sigma", "scale"), [(0.1, 0.8, 0.9, 5.0), (-0.5, 1.1, 1.5, 2.0)]
)
def test_apart_is_the_gradient_of_divergence_and_classifier(name, m, s, sigma, scale):
    params = torch.tensor([m, s], dtype=torch.float64, requires_grad=True)
    x0 = params[0] + params[1] * Z
    level = torch.full_like(Z, sigma)
    x = x0 + sigma * EPS
    student = Mixture.gaussian(m, s)
    teacher = COND.denoise(x, level)
    pull = (scale - 1) * (teacher - ALL.denoise(x, level))
    terms = uni_instruct_loss(
        x0,
        teacher,
        student.denoise(x, level),
        level,
        COND.log_density(x, level) - student.log_density(x, level),
        divergence=name,
        form="exact",
        weight="score",
    )
    loss = terms.per_sample + guidance_pull(x0, pull, terms.terms["weight"])
    (found,) = torch.autograd.grad((WEIGHTS * loss).sum(), params)
    row, step = DIVERGENCES[name], 1e-4
    for k in range(2):
        ends = []
        for sign in (1, -1):
            moved = [m, s]
            moved[k] += sign * step
            ends.append(objective(moved, sigma, scale, row))
        slope = (ends[0] - ends[1]) / (2 * step)
        assert float(found[k]) == pytest.approx(slope, rel=2e-3, abs=2e-4)


def test_in_the_integral_form_apart_and_inside_are_one():
    generator = torch.Generator().manual_seed(0)
    x0, cond, uncond, fake = torch.randn(4, 3, 5, dtype=torch.float64, generator=generator)
    sigma = torch.tensor([0.3, 1.0, 4.0], dtype=torch.float64)
    gradients = []
    for apart in (True, False):
        x = x0.clone().requires_grad_()
        pull = classifier_free_guidance(uncond, cond, 5.0) - cond
        terms = uni_instruct_loss(
            x,
            cond if apart else cond + pull,
            fake,
            sigma,
            divergence="reverse-kl",
            form="integral",
            weight="none",
        )
        loss = terms.per_sample
        if apart:
            loss = loss + guidance_pull(x, pull, terms.terms["weight"])
        gradients.append(torch.autograd.grad(loss.sum(), x)[0])
    torch.testing.assert_close(*gradients)


def test_only_x0_feels_the_pull_and_each_sample_by_its_own_weight():
    x0, direction = torch.ones(2, 3).requires_grad_(), torch.ones(2, 3).requires_grad_()
    weight = torch.tensor([1.0, 4.0]).requires_grad_()
    guidance_pull(x0, direction, weight).sum().backward()
    assert torch.equal(x0.grad, torch.tensor([[-1.0] * 3, [-4.0] * 3]))
    assert direction.grad is None and weight.grad is None
    with pytest.raises(ValueError, match="direction: got shape"):
        guidance_pull(x0, direction[:1], weight)
