"""Two-sample statistics on kernels and distances, and their intervals; numpy alone.

Samples come as matrices of kernel values or of distances, so that one object may be a picture, a
shape or a list of views. Every function says what it is at equality of the two distributions.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "bandwidth",
    "coverage",
    "gaussian_kernel",
    "holm",
    "interval",
    "mmd2",
    "nearest_neighbour_accuracy",
    "p_value",
    "renyi_entropy",
    "resampled",
    "squared_distances",
]

Matrix = NDArray[np.float64]


def squared_distances(a: NDArray, b: NDArray) -> Matrix:
    """|a_i - b_j|^2, `[n, m]`, of rows `a [n, d]` and `b [m, d]`."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    gram = (a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T
    return gram.clip(min=0)


def bandwidth(squared: Matrix) -> float:
    """The median distance between different rows, from their `squared` distances `[n, n]`."""
    above = squared[np.triu_indices(len(squared), 1)]
    return max(float(np.sqrt(np.median(above))), 1e-12)


def gaussian_kernel(squared: Matrix, width: float) -> Matrix:
    """exp(-d^2 / (2 width^2)), of the shape of the squared distances."""
    return np.exp(-squared / (2 * width**2))


def mmd2(
    within_x: Matrix, between: Matrix, within_y: Matrix, weights: NDArray | None = None
) -> float:
    """Unbiased squared maximum mean discrepancy (Gretton et al. 2012, eq. 3); negative is kept.

    within_x `[n, n]`, between `[n, m]`, within_y `[m, m]` are kernel values; n, m >= 2. `weights`
    `[n]` says how often each x was drawn in a bootstrap: pairs of one x with itself stay out, or a
    repeated draw would look like a lack of diversity. 0 in expectation at equality.
    """
    n, m = between.shape
    w = np.ones(n) if weights is None else np.asarray(weights, np.float64)
    pairs = np.outer(w, w)
    np.fill_diagonal(pairs, 0)
    if pairs.sum() == 0:
        raise ValueError(f"mmd2: got {n} samples with weights {w}; want 2 different ones or more")
    own = (pairs * within_x).sum() / pairs.sum()
    truth = (within_y.sum() - np.trace(within_y)) / (m * (m - 1))
    return float(own + truth - 2 * (w @ between.mean(1)) / w.sum())


def nearest_neighbour_accuracy(within_x: Matrix, between: Matrix, within_y: Matrix) -> float:
    """How often the nearest other sample is of one's own set; 1 when far apart.

    At equality (n - 1) / (2n - 1): half, less what is lost by not being one's own neighbour.
    The arguments are distances, shaped as for `mmd2`. The two sets weigh the same whatever their
    sizes: of x all n are taken, of y as many, in turns through all of y (Lopez-Paz and Oquab 2017,
    averaged over subsets, as chance is 1/2 only for sets of one size).
    """
    n, m = between.shape
    found = []
    for start in range(0, m - n + 1, n):
        part = slice(start, start + n)
        distance = np.block(
            [[within_x, between[:, part]], [between[:, part].T, within_y[part, part]]]
        )
        np.fill_diagonal(distance, np.inf)
        nearest = distance.argmin(1)
        found.append(((nearest < n) == (np.arange(2 * n) < n)).mean())
    if not found:
        raise ValueError(f"nearest neighbours: got {n} samples and {m} truths; want n <= m")
    return float(np.mean(found))


def coverage(between: Matrix, within_y: Matrix, k: int = 5) -> float:
    """Share of y with an x within the distance of its k-th nearest y (Naeem et al. 2020, eq. 6).

    Arguments as for `nearest_neighbour_accuracy`. It grows with n: compare at equal n.
    """
    others = within_y + np.diag(np.full(len(within_y), np.inf))
    radius = np.sort(others, axis=1)[:, k - 1]  # [m]
    return float((between.min(0) <= radius).mean())


def renyi_entropy(within: Matrix) -> float:
    """Order-2 entropy -log tr((K / n)^2) of kernel values `[n, n]` with 1 on the diagonal.

    Matrix entropy of Sanchez Giraldo et al. (2014): 0 when all samples are one, log n when no two
    are alike.
    """
    n = len(within)
    return float(-np.log((within**2).sum() / n**2) + 0.0)


def resampled(
    statistic: Callable[[int, NDArray[np.intp]], float],
    seeds: Sequence[int],
    draws: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Bootstrap of a mean over prompts, then seeds: `draws` values of it.

    `seeds[p]` is the number of samples of prompt p; `statistic(p, weights)` is a prompt's value
    when its samples count `weights` times. Prompts are drawn with repetition, and inside each its
    samples; a draw in which all are one sample is drawn again.
    """
    values = np.empty(draws)
    for draw in range(draws):
        total = 0.0
        for prompt in rng.integers(len(seeds), size=len(seeds)):
            weights = np.zeros(1, np.intp)
            while np.count_nonzero(weights) < min(2, seeds[prompt]):
                chosen = rng.integers(seeds[prompt], size=seeds[prompt])
                weights = np.bincount(chosen, minlength=seeds[prompt])
            total += statistic(int(prompt), weights)
        values[draw] = total / len(seeds)
    return values


def interval(values: NDArray[np.float64], level: float = 0.95) -> tuple[float, float]:
    """The percentile interval of bootstrap values; NaN where there was nothing to draw from."""
    if np.ptp(values) < 1e-12:
        return float("nan"), float("nan")
    tail = (1 - level) / 2 * 100
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)


def p_value(values: NDArray[np.float64]) -> float:
    """Two-sided, from bootstrap values of a difference: how rarely they fall beyond zero; 1 where
    there was nothing to draw from."""
    if np.ptp(values) < 1e-12:
        return 1.0
    beyond = min((values <= 0).sum(), (values >= 0).sum())
    return float(min(1.0, 2 * (beyond + 1) / (len(values) + 1)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values (Holm 1979): below a level, the family's error rate is below it too."""
    order = np.argsort(p_values, kind="stable")
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[int(place)] = largest
    return adjusted
