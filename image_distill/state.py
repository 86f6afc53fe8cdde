"""Training states: one safetensors file with JSON in its header, replaced as a whole."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from uni3d.errors import CheckpointError, ExportError, NonFiniteError
from uni3d.storage.checkpoint import finite
from uni3d.storage.whole import temporary_names

__all__ = ["adam_state", "read_state", "restore_adam", "restoring", "under", "write_state"]

_KEY = "image_distill"


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries below `prefix/`, without it."""
    start = prefix + "/"
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}


def adam_state(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Adam's moments and step counts as "index.name"; empty before its first step."""
    rows = optimiser.state_dict()["state"]
    return {f"{i}.{name}": torch.as_tensor(v) for i, one in rows.items() for name, v in one.items()}


def restore_adam(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """The inverse of `adam_state`; learning rates stay as they are."""
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    rows: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        # Moments in the memory layout of their parameter: the fused step reads them side by side.
        like = parameters[int(index)] if value.ndim else value
        rows.setdefault(int(index), {})[name] = torch.empty_like(like).copy_(value)
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": rows, "param_groups": groups})


@contextmanager
def restoring(path: Path) -> Iterator[None]:
    """Within it, tensors that do not fit where they belong are a CheckpointError of `path`."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"{path}: got a damaged state ({reason}); wanted one of this recipe; "
            "do: resume from another"
        ) from error


def write_state(
    path: Path, parts: Mapping[str, Mapping[str, Tensor]], described: Mapping[str, Any]
) -> None:
    """Replace `path`; a write that fails or is killed leaves the old file.

    Raises:
        CheckpointError: the disk refuses. NonFiniteError: NaN or infinity in a tensor.
    """
    # Clones: safetensors refuses tensors that share memory, and wants them contiguous.
    flat = {
        f"{prefix}/{name}": value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for prefix, tensors in parts.items()
        for name, value in tensors.items()
    }
    if not finite(flat):
        raise NonFiniteError(
            f"{path}: the state of step {described.get('step')} is not finite and is not saved; "
            "do: resume, which goes on from the checkpoint before it, with a lower lr"
        )
    try:
        with temporary_names([path]) as (partial,):
            save_file(flat, partial, metadata={_KEY: json.dumps(dict(described), sort_keys=True)})
    except (ExportError, SafetensorError) as error:
        raise CheckpointError(
            f"{path}: cannot be written ({error}); do: make room or choose another outdir"
        ) from error


def read_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors, "part/name", and what they are of: `step`, `recipe` and more.

    Raises CheckpointError if damaged."""
    if not path.is_file():
        raise CheckpointError(f"{path}: got no such file; wanted a checkpoint; do: check the path")
    try:
        with safe_open(path, "pt") as file:
            described = json.loads((file.metadata() or {})[_KEY])
            recipe, step = described["recipe"], described["step"]
            if not isinstance(recipe, dict) or type(step) is not int or step < 0:
                raise ValueError("its description is not one")
            tensors = {key: file.get_tensor(key) for key in file.keys()}
            if not finite(tensors):
                raise ValueError("it holds numbers that are not finite")
            return tensors, described
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path}: got no complete checkpoint of image-distill ({error}); wanted one; "
            "do: resume from another"
        ) from error
