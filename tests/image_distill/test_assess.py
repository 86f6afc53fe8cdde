"""Distances to all real images: closed forms, scipy, and the plain definitions."""

import math

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import torch
from scipy.spatial.distance import cdist

from image_distill import assess, metrics
from image_distill.data import DataError


def normal(*shape, seed=0, shift=0.0, scale=1.0):
    random = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=random, dtype=torch.float64) * scale + shift


def test_the_unbiased_mmd_is_the_double_sum():
    real, fake = normal(37, 6, seed=1), normal(23, 6, seed=2, shift=0.4)

    def kernel(x, y):
        return (float(x @ y) / 6 + 1) ** 3

    xx = np.mean([kernel(a, b) for i, a in enumerate(real) for j, b in enumerate(real) if i != j])
    yy = np.mean([kernel(a, b) for i, a in enumerate(fake) for j, b in enumerate(fake) if i != j])
    xy = np.mean([kernel(a, b) for a in real for b in fake])
    expected = xx + yy - 2 * xy
    assert metrics.kernel_mmd(real, fake, chunk=10) == pytest.approx(expected, rel=1e-10)
    known = metrics.mean_kernel(real, chunk=7)
    assert known == pytest.approx(xx, rel=1e-12)
    assert metrics.kernel_mmd(real, fake, real_kernel=known) == pytest.approx(expected, rel=1e-10)
    # Of as many of each, all of them in one subset, KID is the same number.
    kid, _ = metrics.kernel_distance(real[:23], fake, subsets=1)
    assert metrics.kernel_mmd(real[:23], fake) == pytest.approx(kid, rel=1e-10)
    single = metrics.kernel_mmd(real.float(), fake.float())
    assert single == pytest.approx(expected, rel=1e-4)


def test_the_mmd_of_two_normal_laws():
    """In one dimension the kernel compares three moments: MMD^2 = 3 d1^2 + 3 d2^2 + d3^2."""
    mu, number = 0.7, 6_000
    expected = 3 * mu**2 + 3 * (mu**2) ** 2 + (mu**3 + 3 * mu) ** 2
    found = metrics.kernel_mmd(normal(number, 1, seed=3), normal(number, 1, seed=4, shift=mu))
    assert found == pytest.approx(expected, rel=0.1)


def test_the_mmd_has_no_bias():
    real = normal(400, 4, seed=5)
    values = [metrics.kernel_mmd(normal(40, 4, seed=100 + i), real) for i in range(150)]
    # Real images are the same in all: their own distance to the law stays, and is small.
    assert abs(np.mean(values)) < 0.1 * np.std(values) + 3 * np.std(values) / math.sqrt(150)
    biased = [float(metrics._cubic(normal(40, 4, seed=100 + i), real).mean()) for i in range(9)]
    assert np.std(values) < np.std(biased) * 5


def test_too_few_images_for_an_mmd():
    with pytest.raises(DataError, match="wanted two"):
        metrics.kernel_mmd(normal(1, 3), normal(9, 3))


def test_the_interval_is_students():
    values = [3.0, 3.4, 2.9]
    mean, half = assess.interval(values)
    low, high = scipy.stats.t.interval(0.95, 2, np.mean(values), scipy.stats.sem(values))
    assert (mean - half, mean + half) == pytest.approx((low, high), rel=1e-12)
    assert assess.interval([5.0]) == (5.0, math.inf)
    assert assess.overlap([1.0, 1.1, 1.2], [1.2, 1.3, 1.4])
    assert not assess.overlap([1.0, 1.01, 1.02], [1.2, 1.21, 1.22])


def plain(real, fake):
    """The four numbers from their definitions, in numpy and scipy."""
    real, fake = real.double().numpy(), fake.double().numpy()
    root = scipy.linalg.sqrtm(np.cov(real.T) @ np.cov(fake.T)).real
    frechet = ((real.mean(0) - fake.mean(0)) ** 2).sum()
    frechet += np.trace(np.cov(real.T) + np.cov(fake.T) - 2 * root)

    def share(points, centres):
        inside = np.sort(cdist(centres, centres), 1)[:, 3]
        return (cdist(points, centres) <= inside).any(1).mean()

    return frechet, share(fake, real), share(real, fake)


def test_the_four_numbers_and_their_file(tmp_path):
    real, fake = normal(300, 5, seed=6).float(), normal(80, 5, seed=7, shift=0.5).float()
    batches, counted = real.split(64), []

    def detector(images):
        counted.append(len(images))
        return images[:, 0, 0].float()

    def images():
        return (b[:, None, None].expand(-1, 3, 1, -1).double() for b in batches)

    # A detector that gives back what the pictures hold, but for their quantisation.
    made = assess.Reality.open(tmp_path / "real.npy", images(), detector)
    found = made.judge(fake)
    frechet, precision, recall = plain(made.features, fake)
    assert found.frechet == pytest.approx(frechet, rel=1e-4)
    assert found.precision == pytest.approx(precision, abs=1e-12)
    assert found.recall == pytest.approx(recall, abs=1e-12)
    assert found.mmd == pytest.approx(metrics.kernel_mmd(made.features, fake), rel=1e-9)

    number = len(counted)
    again = assess.Reality.open(tmp_path / "real.npy", images(), detector)
    assert len(counted) == number and again.judge(fake) == found

    (tmp_path / "real.pairs.npz").write_bytes(b"cut short")
    with pytest.raises(DataError, match=r"real.pairs.npz: got no readable features"):
        assess.Reality.open(tmp_path / "real.npy", images(), detector).judge(fake)
    (tmp_path / "real.npy").write_bytes(b"cut short")
    with pytest.raises(DataError, match=r"real.npy: got no readable features"):
        assess.Reality.open(tmp_path / "real.npy", images(), detector)
