"""The toy against quadrature: its teacher, its measurements, and the gradient a generator gets."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from PIL import Image

from image_distill import toy2d
from image_distill.mixture2d import KL_SIGMA, Mixture2D, covered_modes, on_modes, true_kl
from image_distill.toy2d import ToySettings
from uni3d.errors import ConfigError
from uni3d.instruct import DIVERGENCES, add_noise, uni_instruct_loss
from uni3d.instruct.divergences import FORMS

# Broad enough for Gauss-Hermite quadrature, and without any symmetry.
MIXTURE = Mixture2D(
    torch.tensor([[1.0, 0.2], [-0.7, 0.9], [0.1, -1.1]], dtype=torch.float64),
    torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64),
    0.8,
)


def hermite(nodes):
    """Nodes and weights of E over one standard normal."""
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    return torch.from_numpy(x), torch.from_numpy(w / w.sum())


def product(count, nodes):
    """Nodes [nodes^count, count] and weights of E over `count` independent normals."""
    x, w = hermite(nodes)
    points = torch.cartesian_prod(*[x] * count)
    weights = torch.cartesian_prod(*[w] * count).prod(1)
    return points, weights


def gaussian(mean, scale, sigma):
    """(log density, score) of N(mean, diag(scale^2 + sigma^2)), as functions of x."""
    variance = scale**2 + sigma**2

    def log_density(x):
        square = ((x - mean) ** 2 / variance).sum(1)
        return -0.5 * square - 0.5 * variance.log().sum() - math.log(2 * math.pi)

    return log_density, lambda x: -(x - mean) / variance


@pytest.mark.parametrize("sigma", [0.1, 0.8, 5.0])
def test_teacher_is_consistent_with_its_density(sigma):
    x = torch.randn(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x.requires_grad_()
    level = torch.full((50,), sigma, dtype=torch.float64)
    # The density of x0 + sigma eps is a mixture again; numpy, component by component.
    variance = 0.8**2 + sigma**2
    density = sum(
        w * np.exp(-((x.detach().numpy() - m) ** 2).sum(1) / 2 / variance) / (2 * np.pi * variance)
        for w, m in zip(MIXTURE.weights.numpy(), MIXTURE.means.numpy(), strict=True)
    )
    log_density = MIXTURE.log_density(x, level)
    assert np.abs(log_density.exp().detach().numpy() / density - 1).max() < 1e-12
    (score,) = torch.autograd.grad(log_density.sum(), x)
    assert (MIXTURE.score(x, level) - score).abs().max() < 1e-10


def test_samples_have_the_moments_of_the_mixture():
    samples = MIXTURE.sample(200_000, torch.Generator().manual_seed(1))
    mean = MIXTURE.weights @ MIXTURE.means
    second = MIXTURE.weights @ MIXTURE.means**2 + 0.8**2
    assert (samples.mean(0) - mean).abs().max() < 0.01
    assert (samples.square().mean(0) - second).abs().max() < 0.02
    assert MIXTURE.sigma_data == pytest.approx(float(second.mean().sqrt()), rel=1e-12)


@pytest.mark.parametrize("divergence", sorted(DIVERGENCES))
def test_generator_gradient_is_that_of_quadrature(divergence):
    """The loss's gradient in a linear generator against the objective's own finite difference."""
    sigma, row = 0.9, DIVERGENCES[divergence]
    theta = torch.tensor([0.3, -0.2, 0.6, 0.75], dtype=torch.float64)  # mean, scales

    def objective(theta):
        mean, scale = theta[:2], theta[2:]
        z, weights = product(2, 40)
        x = mean + (scale**2 + sigma**2).sqrt() * z
        level = torch.full((len(x),), sigma, dtype=torch.float64)
        log_p, score_p = gaussian(mean, scale, sigma)
        a = MIXTURE.log_density(x, level) - log_p(x)
        gap = (score_p(x) - MIXTURE.score(x, level)).square().sum(1)
        return (weights * row.h(a) * gap).sum()

    step = 1e-5 * torch.eye(4, dtype=torch.float64)
    expected = torch.stack([(objective(theta + d) - objective(theta - d)) / 2e-5 for d in step])

    nodes, weights = product(4, 20)
    parameters = theta.clone().requires_grad_()
    x0 = parameters[:2] + parameters[2:] * nodes[:, :2]
    level = torch.full((len(x0),), sigma, dtype=torch.float64)
    x = add_noise(x0, level, nodes[:, 2:])
    log_p, score_p = gaussian(theta[:2], theta[2:], sigma)
    loss = uni_instruct_loss(
        x0,
        MIXTURE.denoise(x, level),
        x + sigma**2 * score_p(x),
        level,
        MIXTURE.log_density(x, level) - log_p(x),
        divergence=divergence,
        form="exact",
        weight="score",
    ).per_sample
    (got,) = torch.autograd.grad((weights * loss).sum(), parameters)
    assert (got - expected).abs().max() < 1e-4 * expected.abs().max()


def test_measured_kl_is_that_of_quadrature_and_zero_for_the_teacher():
    sigma = KL_SIGMA
    mean = torch.tensor([0.4, -0.3], dtype=torch.float64)
    scale = torch.tensor([1.1, 0.9], dtype=torch.float64)
    log_p, _ = gaussian(mean, scale, sigma)

    def kl(x, weights, sign):
        level = torch.full((len(x),), sigma, dtype=torch.float64)
        return float((weights * sign * (MIXTURE.log_density(x, level) - log_p(x))).sum())

    z, weights = product(2, 60)
    reverse = kl(mean + (scale**2 + sigma**2).sqrt() * z, weights, -1)
    parts = zip(MIXTURE.weights, MIXTURE.means, strict=True)
    forward = sum(kl(m + math.hypot(0.8, sigma) * z, w * weights, 1) for w, m in parts)

    noise = torch.randn(
        1_000_000, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2)
    )
    got = true_kl(MIXTURE, mean + scale * noise, extent=7.0)
    # The histogram is empty in the mixture's far tail, which only the forward direction feels.
    assert got == pytest.approx((forward, reverse), abs=8e-3)
    ring = Mixture2D.ring()
    own = true_kl(ring, ring.sample(200_000, torch.Generator().manual_seed(3)))
    assert max(map(abs, own)) < 2e-3


def test_a_missing_mode_is_counted_and_costs_what_it_must():
    ring = Mixture2D.ring()
    few = Mixture2D(ring.means[:6], torch.full((6,), 1 / 6), ring.std)
    samples = few.sample(100_000, torch.Generator().manual_seed(4))
    assert covered_modes(ring, samples) == 6
    assert covered_modes(ring, torch.zeros(100, 2)) == 0
    # Rayleigh: P(distance < 3 std) = 1 - exp(-9/2).
    assert on_modes(ring, samples) == pytest.approx(1 - math.exp(-4.5), abs=2e-3)
    assert on_modes(ring, torch.zeros(100, 2)) == 0
    forward, reverse = true_kl(ring, samples)
    # KL(p || q) with p on 6 of 8 modes is log(8/6) up to the overlap of the modes.
    assert reverse == pytest.approx(math.log(8 / 6), abs=2e-3)
    assert forward > 1


# High noise moves a student that begins in the wrong place; the default is for the modes' detail.
SHORT = ToySettings(
    batch=128,
    hidden=64,
    sigma_max=5.0,
    generator_rate=2e-3,
    critic_rate=3e-3,
    evaluation_samples=20_000,
)


def true_divergence(row, samples, teacher):
    """D_f at the same noise as the KLs, by scipy's blur of numpy's histogram.

    The ratio ends at 20, as the loss clips it: else chi-square is ruled by the places where the
    teacher still has a little mass and the histogram is empty.
    """
    from scipy.ndimage import gaussian_filter

    edges = np.linspace(-5, 5, 201)
    counts, *_ = np.histogram2d(*samples.clamp(-4.99, 4.99).T.double().numpy(), edges)
    p = gaussian_filter(counts / counts.sum(), KL_SIGMA / 0.05, truncate=12) + 1e-12
    centre = torch.from_numpy((edges[1:] + edges[:-1]) / 2)
    grid = torch.cartesian_prod(centre, centre)
    level = torch.full((len(grid),), KL_SIGMA, dtype=torch.float64)
    log_q = teacher.double().log_density(grid, level) + math.log(0.05**2)
    p = torch.from_numpy(p).reshape(-1)
    return float((p * row.f((log_q - p.log()).clamp(-30, math.log(20)))).sum())


FAST = [("forward-kl", "paper"), ("jensen-shannon", "integral")]


@pytest.mark.parametrize(
    ("divergence", "form"),
    [
        pytest.param(d, form, marks=() if (d, form) in FAST else pytest.mark.slow)
        for d in DIVERGENCES
        for form in FORMS
    ],
)
def test_a_short_run_lowers_the_true_divergence(divergence, form):
    """By the mean of three seeds: one alone goes another way on another processor."""
    means = torch.tensor([[2.0, 0.5], [0.5, 2.0]])
    teacher, row = Mixture2D(means, torch.tensor([0.6, 0.4]), 0.5), DIVERGENCES[divergence]
    left = []
    for seed in range(3):
        trainer = toy2d.Trainer(teacher, divergence, form, seed, SHORT)
        before = true_divergence(row, trainer.sample(20_000), teacher)
        trainer.train(200)
        left.append(true_divergence(row, trainer.sample(20_000), teacher) / before)
    assert sum(left) / 3 < 0.5, left


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_without_a_discriminator_a_short_run_lowers_it_too(form):
    means = torch.tensor([[2.0, 0.5], [0.5, 2.0]])
    teacher, row = Mixture2D(means, torch.tensor([0.6, 0.4]), 0.5), DIVERGENCES["reverse-kl"]
    trainer = toy2d.Trainer(
        teacher, "reverse-kl", form, 0, dataclasses.replace(SHORT, ratio="none")
    )
    before = true_divergence(row, trainer.sample(20_000), teacher)
    trainer.train(200)
    assert true_divergence(row, trainer.sample(20_000), teacher) < 0.5 * before


def test_same_seed_same_run_and_the_global_generator_is_left_alone():
    state = torch.get_rng_state()
    runs = [toy2d.run("hellinger", "exact", 5, 5, settings=SHORT) for _ in range(2)]
    assert torch.equal(runs[0].samples, runs[1].samples)
    assert runs[0].forward_kl == runs[1].forward_kl
    other = toy2d.run("hellinger", "exact", 6, 5, settings=SHORT)
    assert not torch.equal(runs[0].samples, other.samples)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("form", ["paper", "exact", "integral"])
def test_every_divergence_takes_steps_after_the_warm_up(form):
    for divergence in DIVERGENCES:
        trainer = toy2d.Trainer(Mixture2D.ring(), divergence, form, 0, SHORT)
        first = trainer.sample(10)
        trainer.train(6)
        moved = (trainer.sample(10) - first).abs()
        assert moved.isfinite().all() and moved.max() > 0


def test_a_ratio_steeper_than_its_estimate_is_told_to_the_loss(monkeypatch):
    steep, told = [], []

    def recorded(x0, teacher, fake, sigma, log_ratio, *, constant_h, **rest):
        steep.append((teacher - fake).square().sum(1) > sigma**2)
        told.append(constant_h)
        return uni_instruct_loss(x0, teacher, fake, sigma, log_ratio, constant_h=constant_h, **rest)

    monkeypatch.setattr(toy2d, "uni_instruct_loss", recorded)
    toy2d.Trainer(Mixture2D.ring(), "hellinger", "paper", 0, SHORT).train(6)
    steep, told = torch.cat(steep), torch.cat(told)
    assert steep.any() and told[steep].all()
    assert not told.all()


def test_without_a_ratio_only_a_constant_h_is_allowed():
    settings = ToySettings(batch=64, ratio="none", evaluation_samples=1000)
    trainer = toy2d.Trainer(Mixture2D.ring(), "Reverse-KL", "paper", 0, settings)
    untouched = [p.clone() for p in trainer.discriminator.parameters()]
    trainer.train(5)
    after = trainer.discriminator.parameters()
    assert all(torch.equal(a, b) for a, b in zip(untouched, after, strict=True))
    with pytest.raises(ConfigError, match="forward-kl without a density ratio"):
        toy2d.run("forward-kl", settings=settings)
    with pytest.raises(ConfigError, match="do: use 'forward-kl'"):
        toy2d.run("forwardkl", steps=1)


def test_the_figure_shows_the_points_where_they_are(tmp_path):
    points = torch.tensor([[1.5, 0.0], [0.0, -1.5], [9.0, 0.0]])
    result = toy2d.ToyResult(
        divergence="forward-kl",
        form="paper",
        seed=0,
        steps=1,
        modes_covered=0,
        modes=8,
        on_modes=0.0,
        forward_kl=1.0,
        reverse_kl=1.0,
        seconds=0.0,
        samples=points,
    )
    toy2d.figure([result], tmp_path / "f.png", size=200, extent=3.0)
    pixels = np.array(Image.open(tmp_path / "f.png")).astype(int)
    assert pixels.shape == (200, 400, 3)
    red = np.argwhere((pixels == (0xB3, 0x42, 0x1B)).all(2)).tolist()  # [row, column]
    assert red == [[99, 350], [149, 300]]
