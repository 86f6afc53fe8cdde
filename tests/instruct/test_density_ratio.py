"""The ratio recipe: the optimum it should find, and each taming step by hand."""

import math

import pytest
import torch

from uni3d.instruct import (
    RatioNormaliser,
    discriminator_loss,
    generator_adversarial_loss,
    ratio_is_clipped,
    ratio_is_steep,
)
from uni3d.instruct.density_ratio import clipped_log_ratio


def test_the_discriminator_is_stationary_at_the_log_ratio_and_nowhere_else():
    x = torch.linspace(-4, 4, 50)
    q, p = torch.exp(-((x - 0.5) ** 2) / 2), torch.exp(-(x**2) / 1.28) / 0.8
    elsewhere = torch.zeros(50)

    def slope(logit):
        logit = logit.clone().requires_grad_()
        real, fake = discriminator_loss(logit, elsewhere), discriminator_loss(elsewhere, logit)
        return torch.autograd.grad((q * real + p * fake).sum(), logit)[0] / (q + p)

    best = (q / p).log()
    assert slope(best).abs().max().item() < 1e-6
    assert slope(best + 0.1).min().item() > 1e-4 and slope(best - 0.1).max().item() < -1e-4


def test_discriminator_loss_by_hand():
    a = torch.tensor([[1.0, -2.0], [0.5, 0.0]])
    b = torch.tensor([[0.3, 0.4], [-1.0, 2.0]])
    want = [
        sum(
            math.log(1 + math.exp(-r)) + math.log(1 + math.exp(f))
            for r, f in zip(*row, strict=True)
        )
        / 2
        for row in zip(a.tolist(), b.tolist(), strict=True)
    ]
    torch.testing.assert_close(discriminator_loss(a, b), torch.tensor(want))


def test_generator_term_pulls_towards_real():
    logits = torch.tensor([[-3.0], [0.0], [3.0]], requires_grad=True)
    loss = generator_adversarial_loss(logits)
    assert loss.tolist() == pytest.approx(
        [math.log1p(math.exp(3)), math.log(2), math.log1p(math.exp(-3))]
    )
    (gradient,) = torch.autograd.grad(loss.sum(), logits)
    want = [[-1 / (1 + math.exp(-3))], [-0.5], [-1 / (1 + math.exp(3))]]
    torch.testing.assert_close(gradient, torch.tensor(want))


def test_maps_are_averaged_then_clamped_and_detached():
    logits = torch.tensor([[1.0, 3.0], [-50.0, 0.0], [9.0, 99.0], [0.0, 0.0]], requires_grad=True)
    log_ratio = clipped_log_ratio(logits.bfloat16())
    assert not log_ratio.requires_grad and log_ratio.dtype == torch.float32
    want = [math.exp(2), 0.1, 20.0, 1.0]
    torch.testing.assert_close(log_ratio.exp(), torch.tensor(want))
    assert ratio_is_clipped(logits.bfloat16()).tolist() == [False, True, True, False]


def test_normalised_ratio_has_mean_one_in_each_bin():
    normaliser = RatioNormaliser(4, horizon=500)
    generator = torch.Generator().manual_seed(0)
    ratios = []
    for _ in range(300):
        sigma = torch.rand(16, generator=generator) * 10 + 0.002
        # A miscalibrated discriminator: off by a factor that depends on the level.
        logits = torch.randn(16, 1, generator=generator) * 0.5 + sigma[:, None] / 6
        ratios.append(torch.stack([sigma, normaliser(logits, sigma).exp()]))
    sigma, ratio = torch.cat(ratios[100:], 1)
    index = normaliser.bin_of(sigma)
    for bin_index in index.unique():
        chosen = ratio[index == bin_index]
        assert chosen.mean().item() == pytest.approx(1, abs=0.08), bin_index


def test_running_mean_by_hand():
    normaliser = RatioNormaliser(2, horizon=4)
    low, high = torch.tensor([0.01] * 2), torch.tensor([70.0] * 2)
    ratio = torch.tensor([2.0, 4.0])
    # First batch: the mean is 3. Each bin keeps its own.
    got = normaliser(ratio.log(), low).exp()
    torch.testing.assert_close(got, ratio / 3)
    assert normaliser.mean.tolist() == pytest.approx([3, 1])
    # Second: (2 + 4 + 1 + 1) / 4 = 2. Third: memory 4, 2 + (2 - 2 * 2) / 4 = 1.5.
    normaliser(torch.zeros(2), low)
    assert normaliser.mean.tolist() == pytest.approx([2, 1])
    normaliser(torch.zeros(2), low)
    assert normaliser.mean.tolist() == pytest.approx([1.5, 1])
    before = {name: value.clone() for name, value in normaliser.state_dict().items()}
    got = normaliser(torch.zeros(2), high, update=False)
    assert got.tolist() == [0, 0]
    got = normaliser(torch.zeros(2), low, update=False).exp()
    torch.testing.assert_close(got, torch.full((2,), 1 / 1.5))
    assert all(torch.equal(before[name], now) for name, now in normaliser.state_dict().items())


def test_bins_are_equal_in_karras_time():
    normaliser = RatioNormaliser(5)
    low, high = 0.002 ** (1 / 7), 80 ** (1 / 7)
    edges = torch.tensor([(low + i / 5 * (high - low)) ** 7 for i in range(6)])
    centres = (edges[:-1] * edges[1:]).sqrt()
    assert normaliser.bin_of(centres).tolist() == [0, 1, 2, 3, 4]
    assert normaliser.bin_of(torch.tensor([1e-4, 1e3])).tolist() == [0, 4]


def test_statistics_and_effective_sample_size():
    normaliser = RatioNormaliser(2)
    normaliser.mean[:] = 2  # as if learned; a long memory keeps it there
    normaliser.count[:] = 1e12
    normaliser.horizon = 10**12
    logits = torch.tensor([2.0, 2.0, 4.0, 8.0]).log()
    normaliser(logits, torch.tensor([0.01, 0.01, 0.01, 70.0]))
    stats = normaliser.statistics(reset=True)
    assert stats["count"].tolist() == [3, 1]
    assert stats["mean"].tolist() == pytest.approx([4 / 3, 4], rel=1e-5)
    assert stats["max"].tolist() == pytest.approx([2, 4], rel=1e-5)
    assert stats["ess"].tolist() == pytest.approx([16 / 6, 1], rel=1e-5)
    assert normaliser.statistics()["count"].tolist() == [0, 0]


def test_resuming_continues_bit_for_bit():
    generator = torch.Generator().manual_seed(0)
    first, second = RatioNormaliser(3), RatioNormaliser(3)
    sigma = torch.rand(8, generator=generator) * 20
    first(torch.randn(8, generator=generator), sigma)
    second.load_state_dict(first.state_dict())
    logits = torch.randn(8, generator=generator)
    assert torch.equal(first(logits, sigma), second(logits, sigma))
    assert torch.equal(first.mean, second.mean)


@pytest.mark.parametrize("pixels", [1, 64])
@pytest.mark.parametrize("sigma", [0.05, 0.3, 1.0, 8.0])
def test_a_ratio_is_steep_where_its_logarithm_varies_by_more_than_one_within_the_noise(
    pixels, sigma
):
    """Two Gaussians a distance of 0.4 per pixel apart, of deviation 0.5; log r by definition."""
    generator = torch.Generator().manual_seed(1)
    shift, variance = 0.4, 0.25 + sigma**2
    x = torch.randn(1, pixels, generator=generator)
    near = x + sigma * torch.randn(20_000, pixels, generator=generator)
    log_ratio = ((near**2).sum(1) - ((near - shift) ** 2).sum(1)) / (2 * variance)
    # Tweedie: D = x + sigma^2 score.
    predictions = [x + sigma**2 * (mean - x) / variance for mean in (shift, 0.0)]
    steep = ratio_is_steep(*predictions, torch.tensor([sigma]))
    assert steep.tolist() == [float(log_ratio.std()) > 1]
