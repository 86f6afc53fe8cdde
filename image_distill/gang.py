"""The processes that train together: one, or as many as `torchrun` started (gloo, or nccl)."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Gang:
    """`rank` of `size` processes; each has whole networks and a slice of a batch."""

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")

    def places(self, batch: int) -> range:
        """This process's share of the places 0 .. batch - 1; contiguous, in the order of rank."""
        return range(self.rank * batch // self.size, (self.rank + 1) * batch // self.size)

    def sum_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Replace every gradient by the sum over the processes; one message for all of them."""
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        torch.distributed.all_reduce(flat)
        pieces = flat.split([gradient.numel() for gradient in gradients])
        for gradient, piece in zip(gradients, pieces, strict=True):
            gradient.copy_(piece.reshape(gradient.shape))

    def gather(self, values: Tensor) -> Tensor:
        """`values` [n, ...] of all processes, in the order of rank; n may differ between them."""
        if self.size == 1:
            return values
        parts: list[Tensor | None] = [None] * self.size
        torch.distributed.all_gather_object(parts, values.cpu())
        return torch.cat([part for part in parts if part is not None]).to(values.device)

    def wait(self) -> None:
        """Until all are here."""
        if self.size > 1:
            torch.distributed.barrier()


@contextmanager
def assemble() -> Iterator[Gang]:
    """The gang of this process; under `torchrun` its members find each other through it."""
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if cuda else None
    if cuda:
        torch.cuda.set_device(device)
    device = device or torch.device("cpu")
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Gang(device=device)
        return
    torch.distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        yield Gang(torch.distributed.get_rank(), size, device)
    finally:
        torch.distributed.destroy_process_group()
