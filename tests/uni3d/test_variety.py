"""How varied and how near objects are, against closed forms."""

import math

import pytest
import torch

from uni3d.toybox.variety import (
    entropy,
    kernel,
    mmd2,
    nearest_neighbours,
    relative_entropy,
    width_of,
)


def normal(count, seed, shift=0.0, size=1.0):
    start = torch.Generator().manual_seed(seed)
    return size * torch.randn(count, 5, generator=start) + shift


def test_entropy_is_that_of_so_many_different_things():
    alike = torch.ones(6, 3)
    assert entropy(alike, 1.0) == pytest.approx(0, abs=1e-9)
    apart = 100 * torch.eye(6)
    assert entropy(apart, 1.0) == pytest.approx(math.log(6))
    # Two things, three times each; and one thing five times: eigenvalues 5/6 and 1/6.
    assert entropy(apart[[0, 0, 0, 1, 1, 1]], 1.0) == pytest.approx(math.log(2))
    uneven = -(5 / 6 * math.log(5 / 6) + 1 / 6 * math.log(1 / 6))
    assert entropy(apart[[0, 0, 0, 0, 0, 1]], 1.0) == pytest.approx(uneven)


def test_relative_entropy_is_0_for_one_object_and_1_for_the_truth():
    truth = normal(16, 0)
    assert relative_entropy(truth, truth) == pytest.approx(1)
    assert relative_entropy(truth[:1].expand(16, -1), truth) == pytest.approx(0, abs=1e-9)
    fresh = [relative_entropy(normal(16, k), truth) for k in range(1, 30)]
    assert sum(fresh) / len(fresh) == pytest.approx(1, abs=0.1)
    assert relative_entropy(0.1 * truth, truth) < 0.2


def test_mmd_is_unbiased_and_the_double_sum():
    made, truth = normal(7, 1, 0.5), normal(7, 2)
    width = width_of(truth)
    slow = 0.0
    for i in range(7):
        for j in range(7):
            if i != j:
                slow += float(kernel(made[i : i + 1], made[j : j + 1], width)) / 42
                slow += float(kernel(truth[i : i + 1], truth[j : j + 1], width)) / 42
            slow -= 2 * float(kernel(made[i : i + 1], truth[j : j + 1], width)) / 49
    assert mmd2(made, truth) == pytest.approx(slow, abs=1e-9)
    same = [mmd2(normal(16, k), normal(16, k + 1000)) for k in range(200)]
    error = torch.tensor(same).std() / math.sqrt(len(same))
    assert abs(sum(same) / len(same)) < 4 * error
    assert mmd2(normal(16, 1, 3.0), truth) > 0.5


def test_neighbours_tell_far_from_mixed():
    truth = normal(40, 0)
    assert nearest_neighbours(normal(40, 1, 50.0), truth)[0] == 1
    mixed = [nearest_neighbours(normal(40, k), truth)[0] for k in range(1, 40)]
    assert sum(mixed) / len(mixed) == pytest.approx(0.5, abs=0.05)
    assert nearest_neighbours(truth + 1e-3, truth)[1] == 1
    assert nearest_neighbours(truth[:1].expand(40, -1), truth)[1] == 1 / 40
