"""The loss' gradient against exact numbers: quadrature oracles, Monte Carlo, and identities."""

import json
import math
from pathlib import Path

import pytest
import torch
from mixtures import Mixture, normal_grid

from uni3d.instruct import DIVERGENCES, denoising_score_matching, uni_instruct_loss

ORACLE = json.loads((Path(__file__).parents[1] / "data" / "gaussian.json").read_text())
TEACHER = Mixture.gaussian(0.0, 1.0)
TWO_HUMPS = Mixture(*torch.tensor([[0.3, 0.7], [-1.0, 0.8], [0.5, 0.7]], dtype=torch.float64))
GRID = normal_grid()
FORM_PAIR = ("paper", "exact")


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


@pytest.mark.parametrize(
    "case",
    ORACLE["expansion"],
    ids=lambda c: "{divergence}-{m}-{s}-{alpha:.2f}-{sigma:.2f}".format(**c),
)
def test_exact_form_equals_the_oracle(case):
    # In VE coordinates sigma_ve = sigma / alpha and the score is alpha times larger, so the
    # penalty |s_p - s_q|^2, and with it the gradient, is alpha^2 times the oracle's.
    alpha = case["alpha"]
    got = (
        exact_gradient(
            case["m"],
            case["s"],
            case["sigma"] / alpha,
            divergence=case["divergence"],
            form="exact",
            weight="score",
        )
        / alpha**2
    )
    want = torch.tensor([case["grad_m"], case["grad_s"]], dtype=torch.float64)
    torch.testing.assert_close(got, want, rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("name", DIVERGENCES)
@pytest.mark.parametrize("sigma", [0.4, 1.5])
def test_exact_form_for_a_teacher_with_two_humps(name, sigma):
    params = torch.tensor([0.2, 0.9], dtype=torch.float64, requires_grad=True)
    value = expected_penalty(params, sigma, TWO_HUMPS, DIVERGENCES[name])
    (want,) = torch.autograd.grad(value, params)
    got = exact_gradient(0.2, 0.9, sigma, TWO_HUMPS, divergence=name, form="exact", weight="score")
    torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", DIVERGENCES)
@pytest.mark.parametrize(("m", "s", "sigma"), [(0.5, 0.9, 2**-0.5), (-0.7, 1.1, 2.5)])
def test_exact_form_by_sampling(name, m, s, sigma):
    # What training does: plain samples. Antithetic pairs (z, eps) -> -(z, eps); a separate
    # parameter per sample gives per-sample gradients, hence the standard error.
    pairs = 200_000
    generator = torch.Generator().manual_seed(0)
    half = torch.randn(2, pairs, generator=generator, dtype=torch.float64)
    z, eps = torch.cat([half, -half], 1)
    params = torch.tensor([m, s], dtype=torch.float64)[:, None].repeat(1, 2 * pairs)
    params.requires_grad_()
    loss = per_sample_loss(
        params[0] + params[1] * z,
        Mixture.gaussian(m, s),
        TEACHER,
        torch.full_like(z, sigma),
        eps,
        divergence=name,
        form="exact",
        weight="score",
    )
    (gradients,) = torch.autograd.grad(loss.sum(), params)
    samples = gradients.reshape(2, 2, pairs).mean(1)  # [parameter, pair]
    mean, error = samples.mean(1), samples.std(1) / math.sqrt(pairs)
    want = exact_gradient(m, s, sigma, divergence=name, form="exact", weight="score")
    # The shift of reverse-kl has no variance at all: only rounding is left.
    assert bool(((mean - want).abs() < 4.5 * error + 1e-12).all()), (mean, want, error)
    assert bool((error < 0.03 * want.norm()).all()), (error, want)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_exact_form_in_two_dimensions(name):
    # The dots run over all pixels: student N(m, s^2 I), teacher N(0, I), m = (0.5, -0.3).
    sigma, m, s = 0.8, torch.tensor([0.5, -0.3], dtype=torch.float64), 0.9
    row = DIVERGENCES[name]

    def log_ratio_of(x, m, s):
        p_variance, q_variance = s**2 + sigma**2, 1 + sigma**2
        log_p = -((x - m) ** 2).sum(1) / (2 * p_variance) - p_variance.log()
        return -(x**2).sum(1) / (2 * q_variance) - math.log(q_variance) - log_p, log_p

    def both_denoisers(x, m, s):
        return x / (1 + sigma**2), m + s**2 / (s**2 + sigma**2) * (x - m)

    # Directly: a plain sum over a grid of x, differentiated as a whole.
    params = torch.tensor([*m.tolist(), s], dtype=torch.float64, requires_grad=True)
    axis = torch.arange(-12, 12.01, 0.1, dtype=torch.float64)
    x = torch.cartesian_prod(axis, axis)
    log_ratio, log_p = log_ratio_of(x, params[:2], params[2])
    q_mean, p_mean = both_denoisers(x, params[:2], params[2])
    penalty = ((q_mean - p_mean) ** 2).sum(1) / sigma**4
    value = (log_p.exp() / (2 * math.pi) * row.h(log_ratio) * penalty).sum() * 0.1**2
    (want,) = torch.autograd.grad(value, params)

    # The loss: a grid over (z, eps), four normals, with the networks frozen.
    nodes = torch.arange(-7, 7.01, 0.5, dtype=torch.float64)
    mass = torch.exp(-(nodes**2) / 2) * 0.5 / math.sqrt(2 * math.pi)
    noise = torch.cartesian_prod(nodes, nodes, nodes, nodes)
    weights = torch.cartesian_prod(mass, mass, mass, mass).prod(1)
    x0 = params[:2] + params[2] * noise[:, :2]
    x = x0 + sigma * noise[:, 2:]
    q_mean, p_mean = both_denoisers(x, m, params[2].detach())
    log_ratio = log_ratio_of(x, m, params[2].detach())[0]
    loss = uni_instruct_loss(
        x0,
        q_mean,
        p_mean,
        torch.full_like(weights, sigma),
        log_ratio,
        divergence=name,
        form="exact",
        weight="score",
    ).per_sample
    (got,) = torch.autograd.grad((weights * loss).sum(), params)
    torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("case", ORACLE["divergence"], ids=lambda c: f"{c['divergence']}-{c['m']}")
def test_the_expansion_adds_up_to_the_divergence(case):
    # D_f(q_0||p_0) = 1/2 int E_{p_t}[h (s_p - s_q)^2] d(sigma^2), in tau = log sigma.
    tau = torch.linspace(-9, 9, 400, dtype=torch.float64)
    sigma = tau.exp()
    unit = torch.arange(-14, 14.01, 0.05, dtype=torch.float64)
    row, student = DIVERGENCES[case["divergence"]], Mixture.gaussian(case["m"], case["s"])
    values = []
    for level in sigma:
        x = case["m"] + (case["s"] ** 2 + level**2).sqrt() * unit
        levels = level.expand_as(x)
        log_ratio = TEACHER.log_density(x, levels) - student.log_density(x, levels)
        gap = (TEACHER.denoise(x, levels) - student.denoise(x, levels)) / level**2
        density = torch.exp(-(unit**2) / 2) * 0.05 / math.sqrt(2 * math.pi)
        values.append((density * row.h(log_ratio) * gap**2).sum())
    total = torch.trapezoid(torch.stack(values) * sigma**2, tau)
    assert float(total) == pytest.approx(case["D_f"], rel=2e-5)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_integral_form_is_the_gradient_of_the_divergence_at_that_level(name):
    sigma, x = 0.6, torch.arange(-40, 40, 0.01, dtype=torch.float64)
    level = torch.full_like(x, sigma)
    params = torch.tensor([0.4, 0.9], dtype=torch.float64, requires_grad=True)
    log_p = Mixture.gaussian(params[0], params[1]).log_density(x, level)
    log_q = TWO_HUMPS.log_density(x, level)
    value = (log_p.exp() * DIVERGENCES[name].f(log_q - log_p)).sum() * 0.01
    (want,) = torch.autograd.grad(value, params)
    got = exact_gradient(
        0.4, 0.9, sigma, TWO_HUMPS, divergence=name, form="integral", weight="score"
    )
    torch.testing.assert_close(got * sigma**2 / 2, want, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("form", ["paper", "exact", "integral"])
@pytest.mark.parametrize("name", DIVERGENCES)
def test_nothing_moves_at_the_optimum(name, form):
    got = exact_gradient(0.0, 1.0, 0.7, divergence=name, form=form, weight="score")
    assert got.abs().max() < 1e-12


@pytest.mark.parametrize("form", FORM_PAIR)
@pytest.mark.parametrize("name", DIVERGENCES)
def test_where_the_ratio_is_clipped_the_loss_is_that_of_a_constant_h(name, form):
    z, eps, _ = GRID
    x0, level = (0.5 + 0.9 * z).requires_grad_(), torch.full_like(z, 0.7)
    x = x0 + level * eps
    student, low = Mixture.gaussian(0.5, 0.9), torch.full_like(z, math.log(0.1))
    known = (x0, TEACHER.denoise(x, level), student.denoise(x, level), level)
    got, plain = (
        uni_instruct_loss(
            *known, low, divergence=d, form=form, weight="score", constant_h=everywhere
        )
        for d, everywhere in ((name, torch.ones_like(z, dtype=torch.bool)), ("reverse-kl", None))
    )
    (got,) = torch.autograd.grad(got.per_sample.sum(), x0, retain_graph=True)
    (plain,) = torch.autograd.grad(plain.per_sample.sum(), x0)
    torch.testing.assert_close(got, plain * DIVERGENCES[name].h(low), rtol=1e-12, atol=1e-12)


def force_on(point, told, name, form):
    """Mean of -dl/dx0 on a generated point far from the teacher's modes at -2 and 2, over noise
    levels weighted as in the theorem, with the ratio clipped to [0.1, 20]."""
    rows = torch.tensor([[0.5, -2, 0.2], [0.5, 2, 0.2]], dtype=torch.float64)
    teacher = Mixture(*rows.T)
    # The student: its own two modes a little wide, and stragglers between and beside them.
    rows = [
        [1, -2, 0.25],
        [1, 2, 0.25],
        *([0.05, m, 0.4] for m in (-1, 0, 1)),
        *([0.03, m, 0.4] for m in (-3, 3)),
    ]
    rows = torch.tensor(rows, dtype=torch.float64)
    student = Mixture(rows[:, 0] / rows[:, 0].sum(), rows[:, 1], rows[:, 2])
    eps = torch.linspace(-6, 6, 241, dtype=torch.float64)
    tau = torch.linspace(math.log(0.05), math.log(1.5), 60, dtype=torch.float64)
    level, noise = (t.reshape(-1) for t in torch.meshgrid(tau.exp(), eps, indexing="ij"))
    x0 = torch.full_like(level, point, requires_grad=True)
    x = x0 + level * noise
    exact = teacher.log_density(x, level) - student.log_density(x, level)
    log_ratio = exact.clamp(math.log(0.1), math.log(20))
    loss = uni_instruct_loss(
        x0,
        teacher.denoise(x, level),
        student.denoise(x, level),
        level,
        log_ratio,
        divergence=name,
        form=form,
        weight="score",
        constant_h=log_ratio != exact if told else None,
    ).per_sample
    (slope,) = torch.autograd.grad((loss * level**2 * torch.exp(-(noise**2) / 2)).sum(), x0)
    return -float(slope.sum())


@pytest.mark.parametrize("form", FORM_PAIR)
@pytest.mark.parametrize("name", DIVERGENCES)
def test_a_clipped_ratio_does_not_push_points_away_from_the_teacher(name, form):
    if name != "reverse-kl":  # whose sim term alone, without fgm, pushes at some places
        for point in (-1.4, -1.0, -0.6, -0.2):
            assert force_on(point, True, name, form) < 0, point
    if name in ("jensen-shannon", "hellinger"):  # r^2 h'' < 0
        assert force_on(-0.2, False, name, form) > 0


def test_without_the_cross_term_forward_kl_is_exact_for_shifts_and_biased_for_scales():
    # The price of form `paper`: h is detached and the cross term is left out.
    choices = {"divergence": "forward-kl", "weight": "score"}
    paper, exact = (exact_gradient(0.5, 0.9, 0.25, form=form, **choices) for form in FORM_PAIR)
    assert float(paper[0] / exact[0]) == pytest.approx(1, rel=1e-9)
    assert float(paper[1] / exact[1]) == pytest.approx(1 - 0.3227, abs=1e-4)
    paper, exact = (exact_gradient(-0.7, 1.1, 0.25, form=form, **choices) for form in FORM_PAIR)
    assert float(paper[1] / exact[1]) == pytest.approx(1 - 0.9491, abs=1e-4)


def test_the_analytic_denoiser_minimises_score_matching():
    z, eps, weights = GRID
    sigma, student = torch.full_like(z, 0.8), Mixture.gaussian(0.5, 0.9)
    x0 = 0.5 + 0.9 * z
    best = student.denoise(x0 + sigma * eps, sigma)
    shift = torch.zeros((), dtype=torch.float64, requires_grad=True)
    loss = (weights * denoising_score_matching((best + shift)[:, None], x0[:, None], sigma)).sum()
    (slope,) = torch.autograd.grad(loss, shift)
    assert abs(float(slope)) < 1e-10
    # The least error is the posterior variance.
    want = (0.64 + 0.25) / (0.8 * 0.5) ** 2 / (1 / 0.81 + 1 / 0.64)
    assert loss.item() == pytest.approx(want, rel=1e-9)
