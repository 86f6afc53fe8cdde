"""Random numbers that depend on (seed, purpose, step, place in the batch) and on nothing else.

Every image of a batch has its own generator. How a batch is split, over processes or into the
pieces of gradient accumulation, and where a run was interrupted, therefore changes nothing.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


def random_source(*key: int | str) -> torch.Generator:
    """A generator on the CPU, seeded by all of `key`."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


@dataclass(frozen=True)
class Draws:
    """What one piece of a batch needs: `latent`, `eps` [b, c, h, w], `label` [b, label_dim]
    (one-hot, uniform over the classes), `sigma` [b].
    """

    latent: Tensor
    label: Tensor
    sigma: Tensor
    eps: Tensor


def draw(
    key: Sequence[int | str],
    places: Sequence[int],
    shape: tuple[int, int, int],
    label_dim: int,
    sample_sigma: Callable[[int, torch.Generator], Tensor],
    device: torch.device | str = "cpu",
) -> Draws:
    """Draws for the images at `places` of the batch.

    Args:
        key: seed, purpose, step.
        shape: of one image.
        sample_sigma: one of the core's samplers, `(number, generator) -> sigmas`.
    """
    latents, labels, sigmas, noises = [], [], [], []
    for place in places:
        source = random_source(*key, place)
        latents.append(torch.randn(shape, generator=source))
        labels.append(torch.randint(max(label_dim, 1), (), generator=source))
        sigmas.append(sample_sigma(1, source))
        noises.append(torch.randn(shape, generator=source))
    label = torch.zeros(len(places), label_dim)
    if label_dim:
        label = torch.nn.functional.one_hot(torch.stack(labels), label_dim).float()
    return Draws(
        latent=_images(latents).to(device),
        label=label.to(device),
        sigma=torch.cat(sigmas).to(device),
        eps=_images(noises).to(device),
    )


def _images(tensors: list[Tensor]) -> Tensor:
    # Channels last is what convolutions on a CPU and half precision on a GPU like.
    return torch.stack(tensors).contiguous(memory_format=torch.channels_last)


class Shuffle:
    """An endless sequence over `number` items, in a new order on every pass.

    `shuffle[i]` is the item at position i; it can begin anywhere, so a resumed run goes on with the
    very image that was next.
    """

    def __init__(self, number: int, seed: int) -> None:
        self.number, self.seed = number, seed
        self._pass, self._order = -1, torch.empty(0, dtype=torch.int64)

    def __getitem__(self, position: int) -> int:
        turn, place = divmod(position, self.number)
        if turn != self._pass:
            source = random_source(self.seed, "shuffle", turn)
            self._pass, self._order = turn, torch.randperm(self.number, generator=source)
        return int(self._order[place])
