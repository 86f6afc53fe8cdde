"""How a teacher is used where memory is short: profiles, and errors that say what to do."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from uni3d.errors import OutOfMemoryError

__all__ = [
    "PROFILES",
    "Profile",
    "choose_profile",
    "free_bytes",
    "largest_picture",
    "out_of_memory_explained",
]

GB = 1e9


@dataclasses.dataclass(frozen=True, kw_only=True)
class Profile:
    """One way of using a large teacher; each switch costs time and saves memory.

    one_by_one: branches of guidance one after another, not as one batch.
    slice_vae: pictures through the autoencoder one at a time, its activations computed twice.
    checkpoint_networks: U-Net activations computed twice where a loss needs their gradient, and
        in the fake score's own step.
    max_picture: pictures are not rendered larger than this, whatever `resolutions` says.
    """

    memory_gb: float  # free memory it is meant for
    one_by_one: bool
    slice_vae: bool
    checkpoint_networks: bool
    max_picture: int


PROFILES: dict[str, Profile] = {
    "full": Profile(
        memory_gb=24, one_by_one=False, slice_vae=False, checkpoint_networks=False, max_picture=512
    ),
    "24GB": Profile(
        memory_gb=24, one_by_one=False, slice_vae=True, checkpoint_networks=True, max_picture=512
    ),
    "12GB": Profile(
        memory_gb=12, one_by_one=True, slice_vae=True, checkpoint_networks=True, max_picture=256
    ),
    "6GB": Profile(
        memory_gb=6, one_by_one=True, slice_vae=True, checkpoint_networks=True, max_picture=64
    ),
}
# Of rendering with gradients, per ray: 3.4 to 3.8 kB were measured at the start of a run (18.6
# visible samples a ray); a dense fog has about three times the samples.
RAY_BYTES = 10_000
SMALL_TEACHER = 100e6  # parameters; below this nothing is worth saving


def free_bytes(device: torch.device) -> int:
    """Memory that can still be had there: what the driver has free and what torch holds idle."""
    if device.type == "cuda":
        idle = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + idle
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(x.split()[1]) * 1024 for x in lines if x.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return 8 * 2**30  # not Linux: a modest guess


def choose_profile(
    name: str, parameters: int, device: torch.device, held_as: torch.dtype | None = None
) -> tuple[str, Profile]:
    """The profile called `name`; "auto" chooses by free memory.

    held_as: of the weights that lie there already, if they do; their bytes were free before.
    A teacher of fewer than SMALL_TEACHER parameters is always used at full speed.
    """
    if name != "auto":
        return name, PROFILES[name]
    if parameters < SMALL_TEACHER:
        return "full", PROFILES["full"]
    free = free_bytes(device) + (parameters * held_as.itemsize if held_as else 0)
    for key in ("24GB", "12GB"):
        # A card of that size never has all of its memory free.
        if free >= 0.85 * PROFILES[key].memory_gb * GB:
            return key, PROFILES[key]
    return "6GB", PROFILES["6GB"]


def largest_picture(views: int, free: int) -> int:
    """The largest side of `views` square pictures whose rendering takes half of `free` bytes."""
    return max(16, int((free / 2 / (views * RAY_BYTES)) ** 0.5))


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError)
        and any(t in str(error) for t in ("can't allocate memory", "not enough memory"))
    )


@contextmanager
def out_of_memory_explained(what: str, advice: str) -> Iterator[Any]:
    """Running out of memory inside becomes an OutOfMemoryError of one line."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        raise OutOfMemoryError(f"out of memory {what}; do: {advice}") from error
