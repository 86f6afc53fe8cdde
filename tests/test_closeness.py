"""The comparison helper must refuse what it exists to refuse."""

import pytest
import torch
from closeness import assert_close_report

EXPECTED = torch.linspace(-1, 1, 101)


def test_accepts_equal_and_rounding():
    assert_close_report(EXPECTED, EXPECTED)
    assert_close_report(EXPECTED * (1 + 1e-6), EXPECTED)


def test_rejects_errors_that_cancel():
    error = torch.zeros(101)
    error[10], error[20] = 0.1, -0.1  # the signed sum is zero
    with pytest.raises(AssertionError, match="max"):
        assert_close_report(EXPECTED + error, EXPECTED)


def test_rejects_one_bad_element_among_many():
    expected = torch.ones(1_000_000)
    actual = expected.clone()
    actual[5] += 1e-3  # relative L2 is only 1e-6
    with pytest.raises(AssertionError, match=r"max 0\.001"):
        assert_close_report(actual, expected)


def test_rejects_a_small_bias_a_flipped_sign_a_scale_and_a_shape():
    with pytest.raises(AssertionError, match="bias"):
        assert_close_report(EXPECTED + 3e-5, EXPECTED)
    with pytest.raises(AssertionError, match="cosine 2 "):
        assert_close_report(-EXPECTED, EXPECTED)
    with pytest.raises(AssertionError, match="L2"):
        assert_close_report(EXPECTED * 1.001, EXPECTED)
    with pytest.raises(AssertionError, match="shape"):
        assert_close_report(EXPECTED[None], EXPECTED)  # broadcastable is not equal


def test_rejects_nan_and_anything_but_zero_for_zeros():
    with pytest.raises(AssertionError, match="finite"):
        assert_close_report(EXPECTED * float("nan"), EXPECTED)
    with pytest.raises(AssertionError, match="zeros"):
        assert_close_report(torch.full((3,), 1e-12), torch.zeros(3))
    assert_close_report(torch.zeros(3), torch.zeros(3))
