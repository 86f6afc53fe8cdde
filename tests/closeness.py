"""One way to say that two tensors agree: in every element, on the whole, and without a bias."""

import torch
from torch import Tensor

__all__ = ["assert_close_report"]


def assert_close_report(
    actual: Tensor, expected: Tensor, *, rtol: float = 1e-5, what: str = "value"
) -> None:
    """AssertionError with four numbers unless `actual` is `expected` to within `rtol`.

    max: largest error over the largest expected magnitude, below 10 rtol
    L2: norm of the error over the norm of the expected, below rtol
    cosine: 1 - cosine of the two, below rtol
    bias: |sum of errors| over the sum of expected magnitudes, below rtol
    Nothing is summed with its sign except for the bias, so errors cannot hide each other. An
    expected tensor of zeros must be met exactly.
    """
    assert actual.shape == expected.shape, (
        f"{what}: got shape {tuple(actual.shape)}, want {tuple(expected.shape)}"
    )
    a, e = actual.detach().double().flatten(), expected.detach().double().flatten()
    assert a.isfinite().all() and e.isfinite().all(), f"{what}: not finite"
    if not e.any():
        assert not a.any(), f"{what}: got up to {a.abs().max():.3g}, want exact zeros"
        return
    error = a - e
    measures = {
        "max": (error.abs().max() / e.abs().max(), 10 * rtol),
        "L2": (error.norm() / e.norm(), rtol),
        "cosine": (1 - torch.dot(a, e) / (a.norm() * e.norm()).clamp(min=1e-300), rtol),
        "bias": (error.sum().abs() / e.abs().sum(), rtol),
    }
    text = ", ".join(f"{name} {float(v):.3g} (< {tol:g})" for name, (v, tol) in measures.items())
    assert all(value <= tol for value, tol in measures.values()), f"{what}: {text}"
