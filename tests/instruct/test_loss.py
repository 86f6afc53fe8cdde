"""The loss' gradient against exact numbers: quadrature oracles, Monte Carlo, and identities."""

import json
import math
from pathlib import Path

import pytest
import torch
from mixtures import Mixture, normal_grid

from uni3d.instruct import DIVERGENCES, denoising_score_matching, jeffrey, uni_instruct_loss

ORACLE = json.loads((Path(__file__).parents[1] / "data" / "gaussian.json").read_text())
TEACHER = Mixture.gaussian(0.0, 1.0)
TWO_HUMPS = Mixture(*torch.tensor([[0.3, 0.7], [-1.0, 0.8], [0.5, 0.7]], dtype=torch.float64))
GRID = normal_grid()


def per_sample_loss(x0, student, teacher, sigma, eps, **choices):
    """The loss of the 1-D student `x0` [batch] with analytic, weight-frozen networks."""
    x, frozen = x0 + sigma * eps, student.detach()
    log_ratio = teacher.log_density(x, sigma) - frozen.log_density(x, sigma)
    return uni_instruct_loss(
        x0, teacher.denoise(x, sigma), frozen.denoise(x, sigma), sigma, log_ratio, **choices
    ).per_sample


def exact_gradient(m, s, sigma, teacher=TEACHER, **choices):
    """d/dm, d/ds of the expected loss for the student N(m, s^2), by quadrature."""
    z, eps, weights = GRID
    params = torch.tensor([m, s], dtype=torch.float64, requires_grad=True)
    x0 = params[0] + params[1] * z
    level = torch.full_like(z, sigma)
    student = Mixture.gaussian(params[0], params[1])
    loss = per_sample_loss(x0, student, teacher, level, eps, **choices)
    (gradient,) = torch.autograd.grad((weights * loss).sum(), params)
    return gradient


def expected_penalty(params, sigma, teacher, row):
    """E_p[h(r) (s_p - s_q)^2] by direct quadrature over x: no loss code involved."""
    x = torch.arange(-40, 40, 0.01, dtype=torch.float64)
    level = torch.full_like(x, sigma)
    student = Mixture.gaussian(params[0], params[1])
    log_p, log_q = student.log_density(x, level), teacher.log_density(x, level)
    gap = (teacher.denoise(x, level) - student.denoise(x, level)) / sigma**2
    return (log_p.exp() * row.h(log_q - log_p) * gap**2).sum() * 0.01


@pytest.mark.parametrize("case", ORACLE["expansion"], ids=lambda c: "{divergence}-{m}-{s}-{alpha:.2f}-{sigma:.2f}".format(**c))
def test_exact_form_equals_the_oracle(case):
    # In VE coordinates sigma_ve = sigma / alpha and the score is alpha times larger, so the
    # penalty |s_p - s_q|^2, and with it the gradient, is alpha^2 times the oracle's.
    alpha = case["alpha"]
    got = exact_gradient(
        case["m"], case["s"], case["sigma"] / alpha,
        divergence=case["divergence"], form="exact", weight="score",
    ) / alpha**2
    want = torch.tensor([case["grad_m"], case["grad_s"]], dtype=torch.float64)
    torch.testing.assert_close(got, want, rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("name", DIVERGENCES)
@pytest.mark.parametrize("sigma", [0.4, 1.5])
def test_exact_form_for_a_teacher_with_two_humps(name, sigma):
    params = torch.tensor([0.2, 0.9], dtype=torch.float64, requires_grad=True)
    value = expected_penalty(params, sigma, TWO_HUMPS, DIVERGENCES[name])
    (want,) = torch.autograd.grad(value, params)
    got = exact_gradient(
        0.2, 0.9, sigma, TWO_HUMPS, divergence=name, form="exact", weight="score"
    )
    torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-8)
