"""Samplers against the exact solution for a Gaussian; seeds; what is written."""

import itertools

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_run import write_teacher

from image_distill.draws import Shuffle, draw, random_source
from image_distill.sample import Heun, OneStep, generate, parse_seeds, write_images
from image_distill.teachers import load_denoiser
from uni3d.errors import ConfigError
from uni3d.instruct import karras_sigmas, sample_karras_sigma

STD = 0.5


def gaussian(x, sigma, labels):
    """The exact denoiser of N(0, STD^2)."""
    level = sigma[:, None, None, None]
    return STD**2 / (STD**2 + level**2) * x


def latents(number=1):
    return torch.randn(number, 1, 8, 8, generator=random_source("test"))


def test_deterministic_heun_follows_the_exact_path():
    # dx/dsigma = sigma x / (STD^2 + sigma^2): x is proportional to sqrt(STD^2 + sigma^2).
    z = latents()
    exact = 80 * z * STD / (STD**2 + 80**2) ** 0.5
    errors = [
        float((Heun(steps=n)(gaussian, z, torch.zeros(1, 0), []) - exact).norm() / exact.norm())
        for n in (18, 36, 72)
    ]
    assert errors[0] < 0.06
    # Second order, up to the last Euler step from 0.002 to 0.
    assert errors[1] < errors[0] / 3
    assert errors[2] < errors[1] / 3


def test_euler_is_the_product_of_its_steps():
    sampler = Heun(steps=5, corrected=False)
    sigmas = karras_sigmas(5, sampler.sigma_min, sampler.sigma_max, 7.0).tolist()
    factor = sigmas[0]
    for now, after in itertools.pairwise(sigmas):
        factor *= 1 + (after - now) * (1 - STD**2 / (STD**2 + now**2)) / now
    made = sampler(gaussian, latents(), torch.zeros(1, 0), [])
    torch.testing.assert_close(made, latents() * factor)


def test_stochastic_heun_keeps_the_distribution():
    sampler = Heun(steps=64, churn=30, churn_min=0.05, churn_max=50)
    sources = [random_source("churn", i) for i in range(200)]
    made = sampler(gaussian, latents(200), torch.zeros(200, 0), sources)
    # 12,800 numbers: the standard error of their deviation is STD / sqrt(2 n) = 0.0031.
    assert float(made.std()) == pytest.approx(STD, abs=0.0125)
    other = Heun(steps=64)(gaussian, latents(200), torch.zeros(200, 0), [])
    assert float((made - other).abs().mean()) > 0.1


@pytest.mark.parametrize(
    ("steps", "corrected", "evaluations"),
    [(18, True, 35), (3, True, 5), (2, True, 3), (5, False, 5)],
)
def test_evaluations_are_counted(steps, corrected, evaluations):
    calls = []
    sampler = Heun(steps=steps, corrected=corrected)
    sampler(lambda *a: calls.append(1) or gaussian(*a), latents(), torch.zeros(1, 0), [])
    assert len(calls) == evaluations == sampler.evaluations


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return load_denoiser(write_teacher(tmp_path_factory.mktemp("network") / "n"))


def test_one_step_is_one_call_on_seeded_latents(network):
    (batch,) = generate(network, [5, 5, 2**32 + 5], OneStep(init_sigma=2.5))
    source = torch.Generator().manual_seed(5)
    z = torch.randn(1, 1, 8, 8, generator=source)
    label = int(torch.randint(3, (), generator=source))
    assert batch.classes == [label] * 3
    with torch.no_grad():
        expected = network(2.5 * z, torch.tensor([2.5]), torch.eye(3)[[label]])
    for image in batch.images:
        assert torch.allclose(image, expected[0], atol=1e-5)


def test_the_batch_size_does_not_change_images(network):
    whole = torch.cat([b.images for b in generate(network, range(5), OneStep(), batch=5)])
    parts = torch.cat([b.images for b in generate(network, range(5), OneStep(), batch=2)])
    assert torch.allclose(whole, parts, atol=1e-5)


def test_a_class_for_all_and_a_class_there_is_not(network):
    (batch,) = generate(network, [0, 1, 2, 3], OneStep(), chosen=2)
    assert batch.classes == [2, 2, 2, 2]
    with pytest.raises(ConfigError, match="class: got 3; wanted 0 to 2"):
        list(generate(network, [0], OneStep(), chosen=3))


def test_png_and_npz_hold_the_same_quantised_images(network, tmp_path):
    (batch,) = generate(network, [3, 8], OneStep())
    assert write_images(iter([batch]), tmp_path / "png") == 2
    assert write_images(iter([batch]), tmp_path / "all.npz") == 2
    with np.load(tmp_path / "all.npz") as file:
        stored, seeds = file["images"], file["seeds"]
    assert seeds.tolist() == [3, 8]
    expected = np.clip(batch.images.numpy() * 127.5 + 128, 0, 255).astype(np.uint8)
    for i, seed in enumerate(seeds):
        pixels = np.array(Image.open(tmp_path / "png" / f"{seed:06d}.png"))
        assert np.array_equal(pixels, expected[i, 0])
        assert np.array_equal(stored[i, ..., 0], expected[i, 0])


def test_seeds_are_parsed():
    assert parse_seeds("0-3, 7,9-9") == [0, 1, 2, 3, 7, 9]
    for wrong in ("", "3-1", "a", "1,,2", "-4"):
        with pytest.raises(ConfigError, match="seeds: got"):
            parse_seeds(wrong)


def test_draws_do_not_depend_on_the_split():
    def take(places):
        return draw((0, "x", 7), places, (1, 4, 4), 3, sample_karras_sigma)

    whole, part = take(range(6)), take(range(2, 5))
    for name in ("latent", "label", "sigma", "eps"):
        assert torch.equal(getattr(whole, name)[2:5], getattr(part, name))
    assert not torch.equal(whole.latent, whole.eps)
    assert len(set(whole.sigma.tolist())) == 6


def test_every_pass_of_the_shuffle_is_a_permutation():
    shuffle = Shuffle(7, seed=3)
    passes = [[shuffle[i] for i in range(7 * turn, 7 * turn + 7)] for turn in range(3)]
    assert all(sorted(order) == list(range(7)) for order in passes)
    assert passes[0] != passes[1]
    assert Shuffle(7, seed=3)[16] == passes[2][2]  # entered in the middle
