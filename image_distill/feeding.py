"""How a batch is split over processes and pieces, and the real images for each of them."""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from image_distill.data import ImageDataset
from image_distill.draws import Shuffle
from image_distill.gang import Gang
from uni3d.errors import ConfigError

__all__ = ["Batches", "pieces", "real_batches"]


class Batches(Protocol):
    """What is needed of a recipe; the names are those of its keys."""

    @property
    def batch(self) -> int: ...
    @property
    def batch_gpu(self) -> int | None: ...
    @property
    def seed(self) -> int: ...
    @property
    def workers(self) -> int: ...


def pieces(recipe: Batches, gang: Gang) -> list[range]:
    """This process's places of a batch, in pieces of at most `batch_gpu`."""
    if recipe.batch % gang.size:
        raise ConfigError(
            f"batch: got {recipe.batch} with {gang.size} processes; wanted a multiple; "
            "do: change batch, or torchrun --nproc_per_node"
        )
    places = gang.places(recipe.batch)
    size = recipe.batch_gpu or len(places)
    return [places[start : start + size] for start in range(0, len(places), size)]


def real_batches(
    dataset: ImageDataset, recipe: Batches, gang: Gang, steps: range
) -> Iterator[tuple[Tensor, Tensor]]:
    """Images and labels for every piece of each of `steps`, in order."""
    shuffle, parts = Shuffle(len(dataset), recipe.seed), pieces(recipe, gang)
    plan = (
        [shuffle[step * recipe.batch + place] for place in places]
        for step in steps
        for places in parts
    )
    # Its own generator: otherwise the loader would move the global one.
    source = torch.Generator().manual_seed(0)
    loader = DataLoader(
        dataset,
        batch_sampler=plan,
        num_workers=recipe.workers,
        generator=source,  # type: ignore[arg-type]
    )
    return iter(loader)
