"""What is dear to compute and the same in every run, kept on disk: text features, teacher samples.

A file is named by a hash of everything it depends on. A file that is missing, damaged or cannot be
written only costs the time to compute it again. Values read back are the values written, bit for
bit, so a run does not depend on whether the cache was warm.
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from uni3d import __version__
from uni3d.errors import CheckpointError, NonFiniteError
from uni3d.storage import checkpoint

__all__ = ["cache_folder", "remembered"]


def cache_folder() -> Path:
    """Where this program keeps what can be computed again: $UNI3D_CACHE, or ~/.cache/uni3d."""
    if os.environ.get("UNI3D_CACHE"):
        return Path(os.path.expanduser(os.environ["UNI3D_CACHE"]))
    # expanduser: unlike Path.home, it does not fail where there is no home
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "uni3d"


@functools.cache
def _machine() -> dict[str, str]:
    """What of machine and libraries changes the last bits of a sum."""
    try:
        cores = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line for line in cores if line.startswith("model name"))
    except (OSError, UnicodeDecodeError, StopIteration):
        processor = platform.processor()
    found = {"processor": processor, "machine": platform.machine(), "uni3d": __version__}
    found["instructions"] = torch.backends.cpu.get_cpu_capability()  # an environment may lower them
    if torch.cuda.is_available():
        found["card"] = torch.cuda.get_device_name()
    for package in ("torch", "diffusers", "transformers"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def remembered(kind: str, key: dict[str, Any], compute: Callable[[], Tensor]) -> Tensor:
    """`compute()`, or what it gave before under the same `kind` and JSON-able `key`.

    An empty value in key["teacher"] means that the teacher cannot be told from others: then
    nothing is kept. The result lies on the CPU.
    """
    if not key.get("teacher"):
        return compute()
    # Sums depend on the number of threads, so the samples do.
    key = {**key, **_machine(), "threads": torch.get_num_threads()}
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    path = cache_folder() / kind / f"{digest[:32]}.safetensors"
    try:
        tensors, described = checkpoint.load(path)
        if described == json.loads(json.dumps(key)):
            # Tensors read from a file may lie at any address, and sums can depend on that.
            value = tensors["value"].clone()
            if checkpoint.finite({"value": value}):
                return value
    except (CheckpointError, OSError, KeyError):  # it is only a cache
        pass
    value = compute().cpu()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.save(path, {"value": value}, key)
    except (OSError, CheckpointError, NonFiniteError):
        pass
    return value
