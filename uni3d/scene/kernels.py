"""How numba kernels are compiled and started: one place, one thread rule.

Every parallel kernel of the package splits its work in pieces whose size does not depend on the
number of threads and never lets two pieces write to the same place, so results are bit-equal on
every run and for every thread count.
"""

import threading
from collections.abc import Callable

import numba
import torch
from torch import Tensor

__all__ = ["as_array", "kernel", "launch"]

# numba's fallback threading layer aborts when two Python threads start kernels at the same time.
_LOCK = threading.Lock()


def kernel(*, parallel: bool = False, fastmath: bool | set[str] = False) -> Callable:
    """Decorator: `numba.njit` with an on-disk cache where a cache folder is writable.

    Keep device functions in the file of the kernels that call them: numba's cache is keyed by the
    caller's file only and would serve stale machine code after a change elsewhere.
    """

    def compile_(function: Callable) -> Callable:
        options = {"parallel": parallel, "fastmath": fastmath, "nogil": True}
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:  # "cannot cache function: no locator available": read-only install
            return numba.njit(**options)(function)

    return compile_


def launch(function: Callable, *args) -> None:
    """Run a parallel kernel with as many threads as torch uses (never more than numba has)."""
    with _LOCK:
        threads = min(torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]
        numba.set_num_threads(max(threads, 1))
        function(*args)


def as_array(tensor: Tensor):
    """A numpy view of a CPU tensor without copy (with one, if it is not contiguous)."""
    return tensor.detach().contiguous().numpy()
