"""FID, KID, precision and recall, inception score: from features, in float64.

The detector is any callable from uint8 images [n, 3, h, w] to features [n, d]. Only with the
published Inception (`load_detector`) is the Frechet distance the FID of papers; with anything else
call it a Frechet distance and name the detector.
"""

import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from image_distill.data import DataError, to_uint8
from uni3d.storage.whole import temporary_names

Detector = Callable[[Tensor], Tensor]


def open_npz(path: str | Path) -> Any:
    """`np.load` of an npz. ValueError for a file that was cut off (numpy leaves an error behind).

    Raises also OSError, and what reading an entry may: KeyError, EOFError, zlib.error.
    """
    with Path(path).open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError("no whole zip file")
    return np.load(path, allow_pickle=False)


@dataclass(frozen=True)
class Statistics:
    """`mu` [d] and the unbiased covariance `sigma` [d, d], float64."""

    mu: np.ndarray
    sigma: np.ndarray

    def save(self, path: str | Path) -> None:
        """A reference npz with the published keys, `mu` and `sigma`."""
        with temporary_names([Path(path)]) as (partial,), partial.open("wb") as file:
            np.savez(file, mu=self.mu, sigma=self.sigma)

    @classmethod
    def load(cls, path: str | Path) -> "Statistics":
        """Read a reference npz. Raises DataError where it is missing or of another form."""
        try:
            with open_npz(path) as file:
                mu, sigma = (np.asarray(file[key], dtype=np.float64) for key in ("mu", "sigma"))
        except (OSError, ValueError, KeyError, EOFError, zlib.error) as error:
            raise DataError(
                f"{path}: got no readable reference statistics ({error}); wanted an npz with mu "
                "and sigma; do: download them, or make them from the data set"
            ) from error
        if mu.ndim != 1 or sigma.shape != (len(mu), len(mu)):
            raise DataError(
                f"{path}: got mu {mu.shape} and sigma {sigma.shape}; wanted [d] and [d, d]; "
                "do: make the statistics again"
            )
        return cls(mu, sigma)


class FeatureStatistics:
    """Sums over batches of features [n, d], in float64; all processes' sums may be added."""

    def __init__(self) -> None:
        self.count = 0
        self._shift: Tensor | None = None
        self._sum = self._outer = torch.zeros(())

    def add(self, features: Tensor) -> None:
        """Count features [n, d] in."""
        features = features.detach().double()
        if self._shift is None:
            # About the first batch's mean: sums of squares about zero lose digits.
            self._shift = features.mean(0)
            self._sum = torch.zeros_like(self._shift)
            self._outer = torch.outer(self._sum, self._sum)
        centred = features - self._shift
        self.count += len(features)
        self._sum = self._sum + centred.sum(0)
        self._outer = self._outer + centred.T @ centred

    def result(self) -> Statistics:
        """Mean and covariance of what was added. Raises DataError below two samples."""
        if self.count < 2 or self._shift is None:
            raise DataError(
                f"statistics: got {self.count} images; wanted at least two; do: give more"
            )
        mean = self._sum / self.count
        sigma = (self._outer - self.count * torch.outer(mean, mean)) / (self.count - 1)
        return Statistics((self._shift + mean).cpu().numpy(), sigma.cpu().numpy())


def load_detector(path: str | Path, device: str | torch.device = "cpu") -> Detector:
    """The published TorchScript Inception at `path`, as a detector with 2048 features.

    Raises:
        DataError: no such file, or not TorchScript.
    """
    advice = (
        "wanted the TorchScript Inception of StyleGAN3 and EDM; do: download "
        "inception-2015-12-05.pt and give its path"
    )
    if not Path(path).is_file():
        raise DataError(f"{path}: got no such file; {advice}")
    try:
        network = torch.jit.load(str(path), map_location=device).eval()
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise DataError(f"{path}: got no TorchScript ({reason}); {advice}") from error

    def detect(images: Tensor) -> Tensor:
        return network(images.to(device), return_features=True)

    return detect


@torch.no_grad()
def compute_features(batches: Iterable[Tensor], detector: Detector) -> Tensor:
    """Features [n, d], float32, of batches of images [b, 1 or 3, h, w].

    Floating-point images are in [-1, 1] and become uint8 first; grey ones get three channels.
    """
    features = []
    for images in batches:
        images = images if images.dtype == torch.uint8 else to_uint8(images)
        if images.shape[1] == 1:
            images = images.expand(-1, 3, -1, -1)
        features.append(detector(images).float().cpu())
    if not features:
        raise DataError("features: got no images; wanted some; do: check the folder or the count")
    return torch.cat(features)


def compute_statistics(batches: Iterable[Tensor], detector: Detector) -> Statistics:
    """Mean and covariance of the features of `batches`, one batch in memory at a time."""
    statistics = FeatureStatistics()
    for images in batches:
        statistics.add(compute_features([images], detector))
    return statistics.result()


def _root(matrix: np.ndarray) -> np.ndarray:
    """Symmetric square root of a positive semi-definite matrix."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return vectors * np.sqrt(values.clip(min=0)) @ vectors.T


def frechet_distance(first: Statistics, second: Statistics) -> float:
    """`|mu1 - mu2|^2 + tr(S1 + S2 - 2 sqrtm(S1 S2))` (1706.08500).

    The trace of the root is the sum of singular values of `S1^1/2 S2^1/2`, which stays accurate
    where a covariance is singular (fewer images than features).
    """
    if first.mu.shape != second.mu.shape:
        raise DataError(
            f"statistics: got {len(first.mu)} and {len(second.mu)} features; wanted as many; "
            "do: use one detector for both"
        )
    product = _root(first.sigma) @ _root(second.sigma)
    cross = np.linalg.svd(product, compute_uv=False).sum()
    distance = np.square(first.mu - second.mu).sum()
    return float(distance + np.trace(first.sigma) + np.trace(second.sigma) - 2 * cross)


def _cubic(first: Tensor, second: Tensor) -> Tensor:
    return (first @ second.T / first.shape[1] + 1) ** 3


def kernel_distance(
    real: Tensor, fake: Tensor, *, subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """KID (1801.01401): mean and standard deviation over subsets of the unbiased MMD^2.

    Args:
        real, fake: features [n, d], [m, d]; the kernel is `(a.b / d + 1)^3`.
        subsets, subset_size: of each side without replacement; at most as many as there are.
    """
    size = min(subset_size, len(real), len(fake))
    if size < 2:
        raise DataError(f"KID: got {size} images on one side; wanted two or more; do: give more")
    random = torch.Generator().manual_seed(seed)
    values = []
    for _ in range(subsets):
        x = real[torch.randperm(len(real), generator=random)[:size]].double()
        y = fake[torch.randperm(len(fake), generator=random)[:size]].double()
        xx, yy = _cubic(x, x), _cubic(y, y)
        within = xx.sum() - xx.trace() + yy.sum() - yy.trace()
        values.append(within / (size * (size - 1)) - 2 * _cubic(x, y).mean())
    stacked = torch.stack(values)
    return float(stacked.mean()), float(stacked.std(correction=0))


def mean_kernel(features: Tensor, *, chunk: int = 1000) -> float:
    """Mean of KID's kernel over the pairs of different rows of `features` [n, d]."""
    total = 0.0
    for start in range(0, len(features), chunk):
        rows = features[start : start + chunk]
        values = _cubic(rows, features)
        total += float(values.sum(dtype=torch.float64))
        total -= float(values[:, start : start + len(rows)].trace())
    return total / (len(features) * (len(features) - 1))


def kernel_mmd(
    real: Tensor, fake: Tensor, *, real_kernel: float | None = None, chunk: int = 1000
) -> float:
    """The unbiased MMD^2 of KID's kernel over all pairs (1206.2488 eq. 3, a U-statistic).

    `kernel_distance` takes subsets of as many of each; this takes all, so that the one number has
    no noise but that of the images. Products are in the dtype of the features, sums in float64.

    Args:
        real, fake: features [n, d], [m, d].
        real_kernel: `mean_kernel(real)`, where it is known already.
    """
    if min(len(real), len(fake)) < 2:
        raise DataError(f"MMD: got {len(real)} and {len(fake)} images; wanted two; do: give more")
    within = mean_kernel(real, chunk=chunk) if real_kernel is None else real_kernel
    parts = [_cubic(rows, real).sum(dtype=torch.float64) for rows in fake.split(chunk)]
    across = float(torch.stack(parts).sum()) / (len(real) * len(fake))
    return within + mean_kernel(fake, chunk=chunk) - 2 * across


def _distances(rows: Tensor, columns: Tensor) -> Tensor:
    # In float64 the |a|^2 + |b|^2 - 2 a.b shortcut is exact enough, near duplicates included.
    return torch.cdist(rows, columns, compute_mode="use_mm_for_euclid_dist")


def neighbour_radii(features: Tensor, k: int = 3, *, chunk: int = 500) -> Tensor:
    """Distance [n], float64, from each row of `features` [n, d] to its k-th nearest other row."""
    # The nearest of all is the row itself.
    features = features.double()
    parts = [_distances(c, features).kthvalue(k + 1, dim=1).values for c in features.split(chunk)]
    return torch.cat(parts)


def share_inside(points: Tensor, centres: Tensor, radii: Tensor, *, chunk: int = 500) -> float:
    """Share of `points` [m, d] within the radius [n] of any of `centres` [n, d]."""
    centres = centres.double()
    hits = [(_distances(c.double(), centres) <= radii).any(1) for c in points.split(chunk)]
    return float(torch.cat(hits).double().mean())


def precision_recall(
    real: Tensor, fake: Tensor, *, k: int = 3, chunk: int = 500
) -> tuple[float, float]:
    """Improved precision and recall (1904.06991) of features [n, d] and [m, d].

    Precision: the share of fakes within the k-th-neighbour radius of some real; recall: the
    reverse.
    """
    if min(len(real), len(fake)) <= k:
        raise DataError(
            f"precision/recall: got {len(real)} and {len(fake)} images; wanted more than k = {k}; "
            "do: give more"
        )
    precision = share_inside(fake, real, neighbour_radii(real, k, chunk=chunk), chunk=chunk)
    recall = share_inside(real, fake, neighbour_radii(fake, k, chunk=chunk), chunk=chunk)
    return precision, recall


def inception_score(logits: Tensor, *, splits: int = 10) -> tuple[float, float]:
    """Mean and standard deviation over splits of `exp E[KL(p(y|x) || p(y))]` (1606.03498).

    `logits` [n, classes]; log-probabilities serve as well.
    """
    if len(logits) < splits:
        raise DataError(
            f"inception score: got {len(logits)} images; wanted at least one per split "
            f"({splits}); do: give more, or fewer splits"
        )
    scores = []
    for part in logits.double().tensor_split(splits):
        log_p = part.log_softmax(1)
        log_marginal = log_p.logsumexp(0) - torch.tensor(len(part)).double().log()
        scores.append((log_p.exp() * (log_p - log_marginal)).sum(1).mean().exp())
    stacked = torch.stack(scores)
    return float(stacked.mean()), float(stacked.std(correction=0))
