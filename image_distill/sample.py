"""Images from a network: in one step, or by EDM's sampler; one random generator per seed."""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from image_distill.data import to_uint8
from image_distill.denoisers import Denoiser
from uni3d.errors import ConfigError
from uni3d.instruct import karras_sigmas
from uni3d.instruct.noise import SIGMA_MAX, SIGMA_MIN
from uni3d.storage.whole import temporary_names

__all__ = ["Batch", "Heun", "OneStep", "generate", "parse_seeds", "write_images"]

MOST = 10_000_000  # seeds in one range


def parse_seeds(text: str) -> list[int]:
    """ "0-3,7" -> [0, 1, 2, 3, 7]. Raises ConfigError."""
    seeds: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if not found or len(part) > 40 or int(found[2] or found[1]) < int(found[1]):
            raise ConfigError(
                f"seeds: got {text[:80]!r}; wanted numbers and ranges; do: write 0-49999"
            )
        if len(found[2] or found[1]) > 18 or int(found[2] or found[1]) - int(found[1]) > MOST:
            raise ConfigError(f"seeds: got {text[:80]!r}; wanted {MOST:,} at most; do: fewer")
        seeds += range(int(found[1]), int(found[2] or found[1]) + 1)
    return seeds


@dataclass(frozen=True, kw_only=True)
class OneStep:
    """`D(init_sigma z, init_sigma)`, as distilled networks are used."""

    init_sigma: float = 2.5

    @property
    def evaluations(self) -> int:
        """Calls of the network per image."""
        return 1

    def __call__(
        self, network: Denoiser, latents: Tensor, labels: Tensor, sources: Sequence[torch.Generator]
    ) -> Tensor:
        """`latents` [b, c, h, w] of standard deviation 1, `labels` [b, label_dim] -> images."""
        sigma = latents.new_full((len(latents),), self.init_sigma)
        return network(self.init_sigma * latents, sigma, labels)


@dataclass(frozen=True, kw_only=True)
class Heun:
    """Algorithm 2 of 2206.00364; deterministic (algorithm 1) with `churn` 0. CIFAR-10 in the paper:
    18 steps; ImageNet-64: 256 steps, churn 40, min 0.05, max 50, noise 1.003. Without `corrected`
    it is Euler's method, which is better with very few steps.
    """

    steps: int = 18
    sigma_min: float = SIGMA_MIN
    sigma_max: float = SIGMA_MAX
    rho: float = 7.0
    churn: float = 0.0
    churn_min: float = 0.0
    churn_max: float = float("inf")
    churn_noise: float = 1.0
    corrected: bool = True

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(f"steps: got {self.steps}; wanted 1 or more; do: use 18")

    @property
    def evaluations(self) -> int:
        """Calls of the network per image."""
        return 2 * self.steps - 1 if self.corrected else self.steps

    def __call__(
        self, network: Denoiser, latents: Tensor, labels: Tensor, sources: Sequence[torch.Generator]
    ) -> Tensor:
        """`latents` [b, c, h, w] of standard deviation 1; `sources` give the noise of the churn."""

        def slope(x: Tensor, sigma: float) -> Tensor:
            level = x.new_full((len(x),), sigma)
            return (x - network(x.float(), level.float(), labels).double()) / sigma

        sigmas = karras_sigmas(self.steps, self.sigma_min, self.sigma_max, self.rho).tolist()
        x = latents.double() * sigmas[0]
        for now, after in itertools.pairwise(sigmas):
            churned = self.churn > 0 and self.churn_min <= now <= self.churn_max
            raised = now * (1 + min(self.churn / self.steps, 2**0.5 - 1)) if churned else now
            if churned:
                shape = x.shape[1:]
                noise = torch.stack([torch.randn(shape, generator=s) for s in sources]).to(x)
                x = x + (raised**2 - now**2) ** 0.5 * self.churn_noise * noise
            first = slope(x, raised)
            step = after - raised
            guess = x + step * first
            if after == 0:
                return guess.float()
            x = x + step * (first + slope(guess, after)) / 2 if self.corrected else guess
        raise AssertionError("karras_sigmas ends with zero")


@dataclass(frozen=True)
class Batch:
    """`images` [b, c, h, w] in [-1, 1]; `classes` [b], or None without classes."""

    seeds: list[int]
    classes: list[int] | None
    images: Tensor


@torch.no_grad()
def generate(
    network: Denoiser,
    seeds: Sequence[int],
    sampler: OneStep | Heun,
    *,
    chosen: int | None = None,
    batch: int = 64,
) -> Iterator[Batch]:
    """Images for `seeds`, in order. Every seed's generator gives latents, then the class.

    Args:
        chosen: the class for all; otherwise each seed draws its own.

    Raises:
        ConfigError: a class that the network does not have.
    """
    model = network.model
    device = next(network.parameters()).device
    shape = (model.in_channels, model.img_resolution, model.img_resolution)
    if chosen is not None and not 0 <= chosen < model.label_dim:
        has = f"0 to {model.label_dim - 1}" if model.label_dim else "none, it has no classes"
        raise ConfigError(f"class: got {chosen}; wanted {has}; do: change --class or leave it out")
    for start in range(0, len(seeds), batch):
        part = list(seeds[start : start + batch])
        sources = [torch.Generator().manual_seed(seed % 2**32) for seed in part]
        latents = torch.stack([torch.randn(shape, generator=source) for source in sources])
        labels, classes = torch.zeros(len(part), model.label_dim), None
        if model.label_dim:
            drawn = [int(torch.randint(model.label_dim, (), generator=s)) for s in sources]
            classes = drawn if chosen is None else [chosen] * len(part)
            labels = torch.eye(model.label_dim)[classes]
        latents = latents.to(device, memory_format=torch.channels_last)
        yield Batch(part, classes, sampler(network, latents, labels.to(device), sources))


def write_images(batches: Iterator[Batch], out: str | Path) -> int:
    """Writes OUT.npz (`images` uint8 [n, h, w, c], `seeds`, `classes`), or a folder of PNGs named
    by seed; the number of images.
    """
    from PIL import Image

    out = Path(out)
    npz = out.suffix == ".npz"
    (out.parent if npz else out).mkdir(parents=True, exist_ok=True)
    pixels, seeds, classes = [], [], []
    for batch in batches:
        array = to_uint8(batch.images).permute(0, 2, 3, 1).cpu().numpy()
        seeds += batch.seeds
        classes += batch.classes or []
        if npz:
            pixels.append(array)
            continue
        for seed, image in zip(batch.seeds, array, strict=True):
            grey = image.shape[2] == 1
            Image.fromarray(image[..., 0] if grey else image).save(out / f"{seed:06d}.png")
    if npz:
        with temporary_names([out]) as (partial,), partial.open("wb") as file:
            np.savez(file, images=np.concatenate(pixels), seeds=seeds, classes=classes)
    return len(seeds)
