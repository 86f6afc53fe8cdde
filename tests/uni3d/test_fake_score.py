"""The adapter, its score matching, the discriminator, and their state."""

import copy
import math

import pytest
import torch
from families import save_family
from torch import nn

from uni3d.instruct import add_noise
from uni3d.teacher.fake_score import FakeScore, FakeScoreConfig
from uni3d.teacher.model import Condition, load_teacher

CONFIG = FakeScoreConfig(rank=4, learning_rate=5e-3, discriminator_learning_rate=1e-2)


def _batch(teacher, count=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x0 = torch.rand(count, *teacher.latent_shape, generator=generator) * 2 - 1
    eps = torch.randn(x0.shape, generator=generator)
    sigma = torch.tensor([0.3, 0.7, 1.5, 4.0])[:count]
    cond = Condition(
        teacher.encode_text(["a fox"]).expand(count, -1, -1),
        torch.randn(count, 4, generator=generator),
    )
    return x0, sigma, eps, cond


@pytest.fixture
def teacher(tiny_folder):
    return load_teacher(str(tiny_folder))


@pytest.fixture
def fake(teacher):
    return FakeScore(teacher, CONFIG, seed=3, ratio=True)


def test_adapter_off_is_the_teacher_bit_for_bit(teacher):
    x0, sigma, eps, cond = _batch(teacher)
    x = add_noise(x0, sigma, eps)
    with torch.no_grad():
        before = teacher.denoise(x, sigma, cond)
        fake = FakeScore(teacher, CONFIG, seed=3, ratio=True)
        assert torch.equal(teacher.denoise(x, sigma, cond), before)
        # An untrained adapter adds nothing: its second matrix is zero.
        torch.testing.assert_close(fake.predict(x, sigma, cond)[0], before)
    for _ in range(3):
        fake.fit(x0, sigma, eps, cond, fraction=0.5)
    with torch.no_grad():
        assert torch.equal(teacher.denoise(x, sigma, cond), before)
        assert float((fake.predict(x, sigma, cond)[0] - before).abs().max()) > 1e-3
        assert torch.equal(teacher.denoise(x, sigma, cond), before)


def test_fit_changes_the_adapter_and_nothing_else(teacher, fake):
    x0, sigma, eps, cond = _batch(teacher)
    before = {n: p.detach().clone() for n, p in teacher.unet.named_parameters()}
    head = copy.deepcopy(fake.head.state_dict())
    for _ in range(2):  # the first matrix of each pair moves once the second is not zero
        fake.fit(x0, sigma, eps, cond, fraction=0.5)
    changed = {n for n, p in teacher.unet.named_parameters() if not torch.equal(p, before[n])}
    assert changed == set(fake.parameters)
    assert all(".fake." in n and "lora_" in n for n in changed)
    assert all(torch.equal(v, head[n]) for n, v in fake.head.state_dict().items())
    # Attention and convolution both carry one.
    assert any("to_q" in n for n in changed) and any("conv1" in n for n in changed)


def test_score_matching_learns_the_latents(teacher, fake):
    x0, sigma, eps, cond = _batch(teacher)
    losses = [float(fake.fit(x0, sigma, eps, cond, fraction=0.5)["fake"]) for _ in range(40)]
    # The first loss is the teacher's own: (1 + 1/sigma^2) |D - x0|^2, mean over everything.
    with torch.no_grad():
        error = (teacher.denoise(add_noise(x0, sigma, eps), sigma, cond) - x0).square()
    expected = ((1 + sigma**-2) * error.mean(dim=(1, 2, 3))).mean()
    assert losses[0] == pytest.approx(float(expected), rel=1e-4)
    assert losses[-1] < 0.5 * losses[0], losses[::8]


def test_warm_up_scales_the_step(teacher, fake):
    batch = _batch(teacher)
    fake.fit(*batch, fraction=CONFIG.warm_up / 2)
    assert fake.optimizer.param_groups[0]["lr"] == pytest.approx(CONFIG.learning_rate / 2, rel=1e-3)
    fake.fit(*batch, fraction=0.9)
    assert fake.optimizer.param_groups[0]["lr"] == CONFIG.learning_rate


def test_frozen_adapter_still_passes_gradient_to_its_input(teacher, fake):
    x0, sigma, eps, cond = _batch(teacher, count=1)
    x = add_noise(x0, sigma, eps).requires_grad_()
    fake.predict(x, sigma, cond)[0].sum().backward()
    assert x.grad is not None and float(x.grad.abs().max()) > 0
    assert all(p.grad is None for p in teacher.unet.parameters())


def test_discriminator_separates_two_constant_sets(teacher, fake):
    _, sigma, _, cond = _batch(teacher)
    real = torch.full((4, *teacher.latent_shape), 0.8)
    generator = torch.Generator().manual_seed(1)
    losses = []
    for _ in range(60):
        eps = torch.randn(real.shape, generator=generator)
        step = fake.fit(-real, sigma, eps, cond, fraction=0.5, real=real)
        losses.append(float(step["discriminator"]))
    assert losses[0] == pytest.approx(2 * torch.tensor(2.0).log().item(), rel=0.3)  # undecided
    assert losses[-1] < 0.5 * losses[0], losses[::10]
    logits = []
    for images in (real, -real):
        eps = torch.randn(real.shape, generator=torch.Generator().manual_seed(2))
        with torch.no_grad():
            _, features = fake.predict(add_noise(images, sigma, eps), sigma, cond)
            logits.append(fake.head(features).mean(dim=(1, 2, 3)))
    assert bool((logits[0] > logits[1]).all())


def test_real_and_fake_share_noise_and_pass(teacher, fake, monkeypatch):
    x0, sigma, eps, cond = _batch(teacher)
    seen = {}

    def record(real, rendered):
        seen["real"], seen["fake"] = real, rendered
        return {"discriminator": torch.zeros(())}

    monkeypatch.setattr(fake, "_fit_head", record)
    fake.fit(x0, sigma, eps, cond, fraction=0.5, real=x0)
    # The same latents, level and noise: what the discriminator sees cannot differ.
    torch.testing.assert_close(seen["real"], seen["fake"])
    fake.fit(x0, sigma, eps, cond, fraction=0.5, real=-x0)
    assert float((seen["real"] - seen["fake"]).abs().max()) > 1e-3


def test_discriminator_leaves_the_adapter_alone(tiny_folder, teacher, fake):
    x0, sigma, eps, cond = _batch(teacher)
    other = FakeScore(load_teacher(str(tiny_folder)), CONFIG, seed=3, ratio=True)
    for _ in range(2):
        without = fake.fit(x0, sigma, eps, cond, fraction=0.5)
        both = other.fit(x0, sigma, eps, cond, fraction=0.5, real=-x0)
    assert torch.equal(without["fake"], both["fake"])
    assert all(torch.equal(p, other.parameters[n]) for n, p in fake.parameters.items())


def test_log_ratio_is_the_heads_mean_logit(teacher, fake):
    """The first sample of a bin is its own mean, so its ratio is 1 whatever the head says: the
    ones after it tell the head's logit from others."""
    x0, sigma, eps, cond = _batch(teacher, count=1)
    (last,) = (x for x in fake.head if isinstance(x, nn.Linear) and x.out_features == 1)
    nn.init.zeros_(last.weight)
    with torch.no_grad():
        _, features = fake.predict(add_noise(x0, sigma, eps), sigma, cond)
    logits, ratios = (1.5, -0.5, 0.7, 2.9), []
    for number, logit in enumerate(logits, 1):
        nn.init.constant_(last.bias, logit)
        log_ratio, clipped = fake.log_ratio(features, sigma)
        ratios.append(math.exp(logit))
        mean = sum(ratios) / number
        assert float(log_ratio) == pytest.approx(logit - math.log(mean), abs=1e-5)
        assert float(fake.ratio.mean[fake.ratio.bin_of(sigma)]) == pytest.approx(mean, rel=1e-5)
        assert not bool(clipped)
    nn.init.constant_(last.bias, 3.1)  # above log 20
    assert bool(fake.log_ratio(features, sigma)[1])


def test_state_round_trip_goes_on_bit_for_bit(tiny_folder, teacher, fake):
    x0, sigma, eps, cond = _batch(teacher)

    def work(score, fraction):
        with torch.no_grad():
            _, features = score.predict(add_noise(x0, sigma, eps), sigma, cond)
        score.log_ratio(features, sigma)
        score.fit(x0, sigma, eps, cond, fraction, real=-x0)

    work(fake, 0.4)
    kept = {k: v.detach().clone() for k, v in fake.state().items()}
    other = FakeScore(load_teacher(str(tiny_folder)), CONFIG, seed=99, ratio=True)
    other.restore(kept)
    for score in (fake, other):
        work(score, 0.5)
        work(score, 0.6)
    mine, its = fake.state(), other.state()
    assert mine.keys() == its.keys()
    assert [k for k in mine if not torch.equal(mine[k], its[k])] == []
    assert any(not torch.equal(mine[k], kept[k]) for k in kept if k.startswith("adapter"))


@pytest.mark.parametrize("family", ["", "sd1"])  # with cameras of its own, and without
def test_a_released_teacher_serves_another_run_as_a_new_one_would(family, tiny_folder, tmp_path):
    folder = str(save_family(family, tmp_path) if family else tiny_folder)

    def learned(teacher, seed) -> torch.Tensor:
        x0, sigma, eps, cond = _batch(teacher)
        fake = FakeScore(teacher, CONFIG, seed=seed, ratio=True)
        fake.checkpoint_network()
        for _ in range(2):
            fake.fit(x0, sigma, eps, cond, fraction=0.5)
        with torch.no_grad():
            told = fake.predict(add_noise(x0, sigma, eps), sigma, cond)[0]
        fake.release()
        return told

    new, kept = load_teacher(folder), load_teacher(folder)
    x0, sigma, eps, cond = _batch(kept)
    with torch.no_grad():
        before = kept.denoise(add_noise(x0, sigma, eps), sigma, cond)
        numbers = sum(p.numel() for p in kept.unet.parameters())
    learned(kept, seed=1)
    with torch.no_grad():
        assert torch.equal(kept.denoise(add_noise(x0, sigma, eps), sigma, cond), before)
    assert sum(p.numel() for p in kept.unet.parameters()) == numbers
    assert not kept.unet.is_gradient_checkpointing
    assert not kept.unet.time_embedding._forward_hooks
    assert torch.equal(learned(kept, seed=2), learned(new, seed=2))
