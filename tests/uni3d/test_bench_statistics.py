"""The statistics against closed forms, brute force and worked examples."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from uni3d.bench import statistics as s


def kernels(x, y, width):
    pairs = ((x, x), (x, y), (y, y))
    return [s.gaussian_kernel(s.squared_distances(a, b), width) for a, b in pairs]


def distances(x, y):
    return [np.sqrt(s.squared_distances(a, b)) for a, b in ((x, x), (x, y), (y, y))]


def mmd2_of_gaussians(shift, deviation, width):
    """N(0, 1) against N(shift, deviation^2): E k is a Gaussian of the difference's variance."""

    def mean_kernel(gap, variance):
        total = width**2 + variance
        return width / np.sqrt(total) * np.exp(-(gap**2) / (2 * total))

    own, other = mean_kernel(0, 2), mean_kernel(0, 2 * deviation**2)
    return own + other - 2 * mean_kernel(shift, 1 + deviation**2)


@pytest.mark.parametrize(("shift", "deviation"), [(0.0, 1.0), (0.7, 1.0), (0.0, 2.0), (1.5, 0.4)])
def test_mmd_of_two_gaussians_is_its_closed_form(shift, deviation):
    rng = np.random.default_rng(1)
    found = []
    for _ in range(400):
        x, y = rng.standard_normal((12, 1)), shift + deviation * rng.standard_normal((40, 1))
        found.append(s.mmd2(*kernels(x, y, 0.8)))
    error = np.std(found) / np.sqrt(len(found))
    assert np.mean(found) == pytest.approx(mmd2_of_gaussians(shift, deviation, 0.8), abs=4 * error)
    assert error < 0.02
    if (shift, deviation) == (0.0, 1.0):  # unbiased: below zero about as often as above
        assert min(found) < -0.005


def test_mmd_by_brute_force_and_with_weights():
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((5, 3)), rng.standard_normal((7, 3))

    def k(a, b):
        return float(np.exp(-((a - b) ** 2).sum() / (2 * 1.3**2)))

    weights = [2, 0, 1, 1, 1]
    # As if drawn: pairs of places that hold different originals.
    drawn = [i for i, w in enumerate(weights) for _ in range(w)]
    own = [k(x[i], x[j]) for i in drawn for j in drawn if i != j]
    truth = [k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j]
    cross = [k(x[i], b) for i in drawn for b in y]
    expected = np.mean(own) + np.mean(truth) - 2 * np.mean(cross)
    assert s.mmd2(*kernels(x, y, 1.3), np.array(weights)) == pytest.approx(expected, abs=1e-12)
    with pytest.raises(ValueError, match="2 different ones"):
        s.mmd2(*kernels(x, y, 1.3), np.array([3, 0, 0, 0, 0]))


def test_median_bandwidth():
    rows = np.array([[0.0], [1.0], [3.0], [7.0]])  # distances 1, 2, 3, 4, 6, 7
    assert s.bandwidth(s.squared_distances(rows, rows)) == pytest.approx(np.sqrt((9 + 16) / 2))


def test_nearest_neighbour_accuracy_is_half_at_equality_and_one_far_apart():
    rng = np.random.default_rng(3)
    same = [
        s.nearest_neighbour_accuracy(
            *distances(rng.standard_normal((6, 2)), rng.standard_normal((24, 2)))
        )
        for _ in range(300)
    ]
    error = np.std(same) / np.sqrt(len(same))
    # Leave-one-out: of 2n - 1 others n - 1 are of one's own set.
    assert np.mean(same) == pytest.approx(5 / 11, abs=4 * error)
    x, y = rng.standard_normal((6, 2)), rng.standard_normal((24, 2)) + 50
    assert s.nearest_neighbour_accuracy(*distances(x, y)) == 1


def test_nearest_neighbours_by_a_tree():
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((8, 3)), rng.standard_normal((8, 3)) + 0.7
    both = np.concatenate([x, y])
    _, found = cKDTree(both).query(both, k=2)
    expected = np.mean((found[:, 1] < 8) == (np.arange(16) < 8))
    assert s.nearest_neighbour_accuracy(*distances(x, y)) == pytest.approx(expected)


def test_coverage_by_a_tree():
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal((9, 2)), rng.standard_normal((60, 2))
    radius = cKDTree(y).query(y, k=6)[0][:, 5]  # itself first
    nearest = cKDTree(x).query(y)[0]
    _, between, within = distances(x, y)
    assert s.coverage(between, within) == pytest.approx(np.mean(nearest <= radius))
    assert 0 < s.coverage(between, within) < 1
    assert s.coverage(distances(x[:1] + 100, y)[1], within) == 0


def test_entropy_of_copies_of_strangers_and_of_two_heaps():
    assert s.renyi_entropy(np.ones((7, 7))) == 0
    assert s.renyi_entropy(np.eye(7)) == pytest.approx(np.log(7))
    heaps = np.kron(np.eye(2), np.ones((4, 4)))  # eigenvalues 1/2, 1/2: one bit
    assert s.renyi_entropy(heaps) == pytest.approx(np.log(2))
    rng = np.random.default_rng(6)
    k = s.gaussian_kernel(s.squared_distances(*[rng.standard_normal((6, 2))] * 2), 1.0)
    values = np.linalg.eigvalsh(k / 6)
    assert s.renyi_entropy(k) == pytest.approx(-np.log((values**2).sum()))


def test_bootstrap_has_the_analytic_standard_error():
    """Means over prompts of means over seeds: drawn prompts, and inside them drawn seeds."""
    rng = np.random.default_rng(7)
    table = rng.standard_normal((12, 1)) + 0.5 * rng.standard_normal((12, 10))
    values = s.resampled(
        lambda p, w: float(w @ table[p] / w.sum()), [10] * 12, 4000, np.random.default_rng(8)
    )
    # Given the data, plug-in variances (divided by n): between prompts, and within over seeds.
    between = table.mean(1).var() / 12
    within = (table.var(1) / 10).mean() / 12
    assert values.mean() == pytest.approx(table.mean(), abs=0.02)
    assert values.std() == pytest.approx(np.sqrt(between + within), rel=0.05)
    low, high = s.interval(values)
    assert (high - low) / (2 * 1.96) == pytest.approx(values.std(), rel=0.07)


def test_bootstrap_never_draws_one_sample_alone():
    seen = []
    s.resampled(lambda p, w: seen.append(w) or 0.0, [2, 3], 50, np.random.default_rng(9))
    assert all(np.count_nonzero(w) >= 2 for w in seen)
    assert {int(w.sum()) for w in seen} == {2, 3}


def test_p_values_of_a_clear_and_of_no_difference():
    rng = np.random.default_rng(10)
    assert s.p_value(rng.standard_normal(999) + 9) == pytest.approx(2 / 1000)
    assert s.p_value(rng.standard_normal(4000)) > 0.8
    # Two seeds of one prompt: every draw is the same one, which says nothing of chance.
    one = s.resampled(lambda p, w: float(w[0]), [2], 50, np.random.default_rng(0))
    assert s.p_value(one) == 1 and np.isnan(s.interval(one)).all()
    # A normal estimate two standard errors off has p = 0.0455.
    assert s.p_value(rng.standard_normal(40000) + 2) == pytest.approx(0.0455, abs=0.005)


def test_holm_by_a_worked_example():
    # Holm (1979): 0.01 and 0.013 of four at 4x and 3x, 0.03 and 0.04 at 2x and 1x, kept rising.
    assert s.holm([0.03, 0.01, 0.04, 0.013]) == pytest.approx([0.06, 0.04, 0.06, 0.04])
    assert s.holm([0.5, 0.9]) == [1.0, 1.0]
    assert s.holm([]) == []
