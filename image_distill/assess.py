"""How near generated images are to the real ones: four numbers, and how sure they are.

Distances by Frechet and by the unbiased kernel MMD, improved precision and recall, all on the
features of one detector, against every real image. Several sets of seeds give an interval.
"""

import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from scipy.special import stdtrit
from torch import Tensor

from image_distill.data import DataError
from image_distill.metrics import (
    Detector,
    FeatureStatistics,
    Statistics,
    compute_features,
    frechet_distance,
    kernel_mmd,
    mean_kernel,
    neighbour_radii,
    open_npz,
    share_inside,
)
from uni3d.storage.whole import temporary_names

__all__ = ["NUMBERS", "Nearness", "Reality", "interval", "overlap"]

NUMBERS = ("frechet", "mmd", "precision", "recall")


@dataclass(frozen=True, kw_only=True)
class Nearness:
    """One set of images against the real ones; the first two are the better the lower."""

    frechet: float
    mmd: float
    precision: float
    recall: float


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half width of its 95 % interval (Student's t) of independent `values`.

    One value has no interval: infinity.
    """
    number, mean = len(values), sum(values) / len(values)
    if number < 2:
        return mean, math.inf
    variance = sum((value - mean) ** 2 for value in values) / (number - 1)
    return mean, float(stdtrit(number - 1, 0.975)) * math.sqrt(variance / number)


def overlap(first: Sequence[float], second: Sequence[float]) -> bool:
    """Whether the 95 % intervals of two sets of values have a number in common."""
    (a, da), (b, db) = interval(first), interval(second)
    return abs(a - b) <= da + db


class Reality:
    """The real images as a detector sees them, and what is computed of them once."""

    def __init__(self, features: Tensor, pairs: Path | None = None) -> None:
        """
        Args:
            features: [n, d], float32.
            pairs: the npz in which `radii` and `kernel` are kept; None: they are not.
        """
        self.features, self.statistics, self._pairs = features, _statistics(features), pairs

    @classmethod
    def open(cls, path: Path, batches: Iterable[Tensor], detector: Detector) -> "Reality":
        """From the npy at `path`; where there is none, computed of `batches` and kept there.

        Raises:
            DataError: the file is damaged.
        """
        if not path.exists():
            made = compute_features(batches, detector).numpy()
            with temporary_names([path]) as (partial,), partial.open("wb") as file:
                np.save(file, made)
        with _readable(path):
            features = torch.from_numpy(np.load(path, allow_pickle=False))
        return cls(features, path.with_suffix(".pairs.npz"))

    @cached_property
    def _of_pairs(self) -> tuple[Tensor, float]:
        """`neighbour_radii` [n] and `mean_kernel`; minutes for 60,000 images: every pair counts."""
        if self._pairs is None or not self._pairs.exists():
            radii, kernel = neighbour_radii(self.features), mean_kernel(self.features)
            if self._pairs is None:
                return radii, kernel
            with temporary_names([self._pairs]) as (partial,), partial.open("wb") as file:
                np.savez(file, radii=radii.numpy(), kernel=kernel)
        with _readable(self._pairs), open_npz(self._pairs) as file:
            return torch.from_numpy(file["radii"]), float(file["kernel"])

    def judge(self, fake: Tensor) -> Nearness:
        """Features [m, d] of generated images against the real ones."""
        radii, kernel = self._of_pairs
        return Nearness(
            frechet=frechet_distance(_statistics(fake), self.statistics),
            mmd=kernel_mmd(self.features, fake, real_kernel=kernel),
            precision=share_inside(fake, self.features, radii),
            recall=share_inside(self.features, fake, neighbour_radii(fake)),
        )


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path}: got no readable features ({error}); wanted those of the real images; "
            "do: remove it, and it is made again"
        ) from error


def _statistics(features: Tensor) -> Statistics:
    sums = FeatureStatistics()
    for part in features.split(1000):
        sums.add(part)
    return sums.result()
