"""Metrics against numpy and scipy written out here, and against closed forms."""

import numpy as np
import pytest
import scipy.linalg
import torch
from scipy.spatial.distance import cdist

from image_distill import metrics
from image_distill.data import DataError


def features(number, dimensions, seed, scale=1.0, shift=0.0):
    random = np.random.default_rng(seed)
    mix = random.normal(size=(dimensions, dimensions))
    return random.normal(size=(number, dimensions)) @ mix * scale + shift


def statistics(array, batch=37):
    sums = metrics.FeatureStatistics()
    for part in torch.from_numpy(array).split(batch):
        sums.add(part)
    return sums.result()


def test_statistics_are_those_of_numpy_also_far_from_zero():
    array = features(500, 16, 0, shift=1e4)
    got = statistics(array)
    assert np.abs(got.mu / array.mean(0) - 1).max() < 1e-12
    expected = np.cov(array, rowvar=False)
    assert np.abs(got.sigma - expected).max() < 1e-9 * np.abs(expected).max()


@pytest.mark.parametrize("number", [400, 30])
def test_distance_of_a_set_to_itself_is_zero(number):
    # 30 images of 64 features: the covariance is singular.
    own = statistics(features(number, 64, 1))
    assert abs(metrics.frechet_distance(own, own)) < 1e-6


@pytest.mark.parametrize(("first", "second"), [(400, 300), (400, 30)])
def test_distance_is_that_of_scipy(first, second):
    a, b = features(first, 24, 1), features(second, 24, 2, scale=0.7, shift=0.3)
    root = scipy.linalg.sqrtm(np.cov(a, rowvar=False) @ np.cov(b, rowvar=False)).real
    expected = (
        np.square(a.mean(0) - b.mean(0)).sum()
        + np.trace(np.cov(a, rowvar=False) + np.cov(b, rowvar=False))
        - 2 * np.trace(root)
    )
    got = metrics.frechet_distance(statistics(a), statistics(b))
    assert abs(got - expected) < 1e-6 * max(1, expected)


def test_distance_of_known_gaussians():
    # Diagonal: |mu|^2 + sum (s1 - s2)^2.
    first = metrics.Statistics(np.array([1.0, -2.0]), np.diag([4.0, 9.0]))
    second = metrics.Statistics(np.array([0.0, 0.0]), np.diag([1.0, 25.0]))
    assert metrics.frechet_distance(first, second) == pytest.approx(5 + 1 + 4, abs=1e-9)


def test_reference_file(tmp_path):
    own = statistics(features(50, 8, 3))
    own.save(tmp_path / "ref.npz")
    with np.load(tmp_path / "ref.npz") as file:
        assert sorted(file.files) == ["mu", "sigma"] and file["sigma"].dtype == np.float64
    np.savez_compressed(tmp_path / "other.npz", mu=own.mu, sigma=own.sigma)
    for name in ("ref", "other"):
        again = metrics.Statistics.load(tmp_path / f"{name}.npz")
        assert np.array_equal(again.mu, own.mu) and np.array_equal(again.sigma, own.sigma)
    np.savez(tmp_path / "bad.npz", mu=own.mu)
    np.savez(tmp_path / "object.npz", mu=np.array([{}], dtype=object), sigma=own.sigma)
    whole = (tmp_path / "other.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    for name in ("bad", "object", "absent", "cut"):
        with pytest.raises(DataError, match=rf"{name}.npz: got no readable reference"):
            metrics.Statistics.load(tmp_path / f"{name}.npz")


def test_kid_is_the_double_sum_and_zero_in_expectation():
    a, b = features(40, 6, 4), features(30, 6, 5, shift=0.5)

    def kernel(x, y):
        return (sum(p * q for p, q in zip(x, y, strict=True)) / 6 + 1) ** 3

    xx = sum(kernel(a[i], a[j]) for i in range(30) for j in range(30) if i != j) / (30 * 29)
    yy = sum(kernel(b[i], b[j]) for i in range(30) for j in range(30) if i != j) / (30 * 29)
    xy = sum(kernel(x, y) for x in a[:30] for y in b) / 900
    got = metrics.kernel_distance(torch.from_numpy(a[:30]), torch.from_numpy(b), subsets=3)
    assert got[0] == pytest.approx(xx + yy - 2 * xy, rel=1e-9)
    assert got[1] < 1e-9 * abs(got[0])  # every subset is the whole set

    same = torch.from_numpy(np.random.default_rng(6).normal(size=(4000, 6)))
    mean, std = metrics.kernel_distance(same[:2000], same[2000:], subsets=50, subset_size=200)
    assert abs(mean) < std and std > 0


def test_precision_and_recall_are_those_of_the_plain_definition():
    real, fake = features(60, 5, 7), features(50, 5, 8)

    def share(points, centres):
        inside = np.sort(cdist(centres, centres), 1)[:, 3]  # column 0 is the point itself
        return (cdist(points, centres) <= inside).any(1).mean()

    got = metrics.precision_recall(torch.from_numpy(real), torch.from_numpy(fake), chunk=7)
    assert got == pytest.approx((share(fake, real), share(real, fake)))
    assert 0 < got[0] < 1 and 0 < got[1] < 1


def test_collapse_costs_recall_and_noise_costs_precision():
    real = torch.from_numpy(np.random.default_rng(9).normal(size=(300, 4)))
    precision, recall = metrics.precision_recall(real, real[:1] + 1e-3 * real)
    assert precision == 1 and recall < 0.05
    precision, recall = metrics.precision_recall(real, 20 * real)
    assert precision < 0.2


def test_inception_score_of_known_predictions():
    certain = 50.0 * torch.eye(10).repeat(20, 1)
    assert metrics.inception_score(certain, splits=4)[0] == pytest.approx(10, rel=1e-9)
    assert metrics.inception_score(torch.ones(100, 7))[0] == pytest.approx(1, rel=1e-12)

    logits = np.random.default_rng(10).normal(size=(90, 5)) * 2
    scores = []
    for part in np.split(logits, 3):
        p = np.exp(part) / np.exp(part).sum(1, keepdims=True)
        scores.append(np.exp((p * np.log(p / p.mean(0))).sum(1).mean()))
    got = metrics.inception_score(torch.from_numpy(logits), splits=3)
    assert got == pytest.approx((np.mean(scores), np.std(scores)), rel=1e-9)


class Half(torch.nn.Module):
    """Stands for the published detector: mean and spread of what it is given."""

    def forward(self, x: torch.Tensor, return_features: bool = False) -> torch.Tensor:
        flat = x.float().flatten(1)
        out = torch.stack([flat.mean(1), flat.amax(1), flat.amin(1)], 1)
        return out if return_features else out.softmax(1)


def test_images_are_quantised_and_grey_is_tripled_before_a_torchscript_detector(tmp_path):
    torch.jit.script(Half()).save(tmp_path / "detector.pt")
    detector = metrics.load_detector(tmp_path / "detector.pt")
    images = torch.linspace(-1.2, 1.2, 6 * 1 * 4 * 4).reshape(6, 1, 4, 4)
    got = metrics.compute_features(images.split(4), detector)
    bytes_ = np.clip(np.float32(images.numpy()) * np.float32(127.5) + 128, 0, 255).astype(np.uint8)
    flat = bytes_.reshape(6, -1).astype(np.float64)
    expected = np.stack([flat.mean(1), flat.max(1), flat.min(1)], 1)
    assert np.abs(got.numpy() - expected).max() < 1e-4

    tripled = []
    metrics.compute_features([images], lambda x: (tripled.append(x), x.flatten(1))[1])
    assert tripled[0].dtype == torch.uint8 and tripled[0].shape == (6, 3, 4, 4)
    assert np.array_equal(tripled[0][:, 2].numpy(), bytes_[:, 0])

    streamed = metrics.compute_statistics(images.split(4), detector)
    assert np.abs(streamed.sigma - np.cov(expected, rowvar=False)).max() < 1e-2


def test_a_missing_or_foreign_detector_is_one_line(tmp_path):
    (tmp_path / "x.pt").write_bytes(b"not a zip")
    for name, message in (("none.pt", "got no such file"), ("x.pt", "got no TorchScript")):
        with pytest.raises(DataError, match=message) as error:
            metrics.load_detector(tmp_path / name)
        assert "inception-2015-12-05.pt" in str(error.value) and "\n" not in str(error.value)


def test_too_little_and_mismatched_input():
    with pytest.raises(DataError, match="at least two"):
        statistics(np.zeros((1, 3)))
    with pytest.raises(DataError, match="more than k = 3"):
        metrics.precision_recall(torch.zeros(3, 2), torch.zeros(9, 2))
    with pytest.raises(DataError, match="one detector for both"):
        metrics.frechet_distance(statistics(features(9, 2, 0)), statistics(features(9, 3, 0)))
