"""Checkpoints: one safetensors file with JSON in its header; written atomically, never pickled."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from uni3d.errors import CheckpointError, ExportError, NonFiniteError
from uni3d.storage.whole import temporary_names

__all__ = [
    "described",
    "finite",
    "load",
    "optimizer_state",
    "restore_optimizer",
    "save",
    "with_prefix",
    "without_prefix",
]


def with_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}/{name}": value for name, value in tensors.items()}


def without_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}/"
    return {k[len(start) :]: v for k, v in tensors.items() if k.startswith(start)}


def finite(tensors: dict[str, Tensor]) -> bool:
    """Whether no number in any of them is NaN or infinite."""
    return all(bool(torch.isfinite(v).all()) for v in tensors.values() if v.is_floating_point())


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Adam's state as flat tensors "index.name"; learning rates belong to the schedule."""
    state = optimizer.state_dict()["state"]
    return {f"{i}.{k}": torch.as_tensor(v) for i, one in state.items() for k, v in one.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    described = optimizer.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value.clone()  # Adam writes into what it is given
    optimizer.load_state_dict({"state": state, "param_groups": described["param_groups"]})


def save(path: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Replace `path` by the tensors and the JSON-able description `about`; all or nothing.

    Raises CheckpointError when the disk refuses, NonFiniteError for NaN or infinity in a tensor;
    the previous file stays.
    """
    if not finite(tensors):
        raise NonFiniteError(
            f"{path}: got numbers that are not finite, which are not saved; do: go on from what "
            "was saved before, with lower rates, or with another seed"
        )
    flat = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    try:
        with temporary_names([path]) as (temporary,):
            save_file(flat, temporary, metadata={"uni3d": json.dumps(about, sort_keys=True)})
    except (ExportError, SafetensorError) as error:
        raise CheckpointError(
            f"{path}: cannot be written ({error}); do: free some space"
        ) from error


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and description. Raises CheckpointError when the file is missing or damaged."""
    return _read(path, tensors=True)


def described(path: Path) -> dict[str, Any]:
    """The description alone: the tensors are not read. Raises CheckpointError as `load`."""
    return _read(path, tensors=False)[1]


def _read(path: Path, *, tensors: bool) -> tuple[dict[str, Tensor], dict[str, Any]]:
    if not path.is_file():
        raise CheckpointError(
            f"{path}: no checkpoint there; wanted the file of an earlier run; do: check it"
        )
    try:
        with safe_open(path, "pt") as file:
            description = json.loads((file.metadata() or {})["uni3d"])
            if not isinstance(description, dict):
                raise ValueError("its description is no mapping")
            return {key: file.get_tensor(key) for key in file.keys() if tensors}, description
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path}: not a whole checkpoint of uni3d ({error}); do: another"
        ) from error
