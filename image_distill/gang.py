"""The processes that train together: one, or as many as `torchrun` started (gloo, or nccl)."""

import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Gang:
    """`rank` of `size` processes; each has whole networks and a slice of a batch."""

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")
    asked: threading.Event = field(default_factory=threading.Event)  # to end after this step

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

    def ends(self) -> bool:
        """Whether any process was asked to end; all get the same answer."""
        asked = torch.tensor(float(self.asked.is_set()), device=self.device)
        if self.size > 1:
            torch.distributed.all_reduce(asked, torch.distributed.ReduceOp.MAX)
        return bool(asked)

    def wait(self) -> None:
        """Until all are here."""
        if self.size > 1:
            torch.distributed.barrier()


@contextmanager
def assemble() -> Iterator[Gang]:
    """The gang of this process; under `torchrun` its members find each other through it.

    Within it the first Ctrl-C or SIGTERM asks for an end after the running step, the
    second ends at once.
    """
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if cuda else None
    if cuda:
        torch.cuda.set_device(device)
    device = device or torch.device("cpu")
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        gang = Gang(device=device)
        with _first_interrupt(gang.asked):
            yield gang
        return
    torch.distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        gang = Gang(torch.distributed.get_rank(), size, device)
        with _first_interrupt(gang.asked):
            yield gang
    finally:
        torch.distributed.destroy_process_group()


@contextmanager
def _first_interrupt(asked: threading.Event) -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def give_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask(*_: object) -> None:
        asked.set()
        give_back()

    for number in before:
        signal.signal(number, ask)
    try:
        yield
    finally:
        give_back()
