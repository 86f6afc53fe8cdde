"""How numba kernels are compiled and started: one place, one thread rule.

Every parallel kernel of the package splits its work in pieces whose size does not depend on the
number of threads and never lets two pieces write to the same place, so results are bit-equal on
every run and for every thread count. No kernel lets LLVM reassociate sums: the code that a process
compiles itself then added in another order than what later ones load from the disk.
"""

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

import numba
import torch
from torch import Tensor

from uni3d.storage.cache import cache_folder

__all__ = ["as_array", "kernel", "launch"]

# numba's fallback threading layer aborts when two Python threads start kernels at the same time.
_LOCK = threading.Lock()


def kernel(
    *,
    parallel: bool = False,
    fastmath: bool | set[str] = False,
    inline: str = "never",
    inlined: Sequence[ModuleType] = (),
) -> Callable:
    """Decorator: `numba.njit` with an on-disk cache where a cache folder is writable.

    inlined: modules whose device functions the kernel calls. numba's cache is keyed by the
    kernel's own file only and would serve stale machine code after a change elsewhere.
    """

    def compile_(function: Callable) -> Callable:
        options = {"parallel": parallel, "fastmath": fastmath, "nogil": True, "inline": inline}
        with _cache_of(Path(function.__code__.co_filename), inlined):
            try:
                return numba.njit(cache=True, **options)(function)
            except RuntimeError:  # "cannot cache function: no locator available": read-only install
                return numba.njit(**options)(function)

    return compile_


@contextlib.contextmanager
def _cache_of(file: Path, inlined: Sequence[ModuleType]) -> Iterator[None]:
    """While kernels are declared: a cache folder whose name is that of the inlined files' text."""
    if not inlined:
        yield
        return
    text = b"".join(Path(str(module.__file__)).read_bytes() for module in inlined)
    inside = file.parent / "__pycache__"
    base = inside if os.access(file.parent, os.W_OK) else cache_folder()
    before = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    numba.config.CACHE_DIR = str(base / f"kernels-{hashlib.sha256(text).hexdigest()[:12]}")  # type: ignore[attr-defined]
    try:
        yield
    finally:
        numba.config.CACHE_DIR = before  # type: ignore[attr-defined]


def launch(function: Callable, *args) -> None:
    """Run a parallel kernel with as many threads as torch uses (never more than numba has)."""
    with _LOCK:
        wanted = torch.get_num_threads()
        threads = min(wanted, numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]
        numba.set_num_threads(max(threads, 1))
        function(*args)
        # When numba's own threads start, torch gets as many. With OMP_NUM_THREADS=1 and another
        # program on the other core, all of torch was 8 to 20 times slower from then on.
        if torch.get_num_threads() != wanted:
            torch.set_num_threads(wanted)


def as_array(tensor: Tensor):
    """A numpy view of a CPU tensor without copy (with one, if it is not contiguous)."""
    return tensor.detach().contiguous().numpy()
