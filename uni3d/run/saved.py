"""What a run saved, read again: whose it is, and whether it is whole."""

import contextlib
import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor

from uni3d import config_io
from uni3d.errors import CheckpointError
from uni3d.run.folder import CHECKPOINT
from uni3d.run.settings import RunConfig
from uni3d.storage import checkpoint

__all__ = ["fitting", "id_of", "read_checkpoint"]


def id_of(config: RunConfig) -> str:
    """The same for the same settings: such runs are the same, byte for byte."""
    settings = config_io.dump(dataclasses.replace(config, run_id=""))
    return hashlib.sha256(settings.encode()).hexdigest()[:16]


def read_checkpoint(run: Path, config: RunConfig) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The checkpoint of `config`'s run and its description; CheckpointError for another's."""
    path = run / CHECKPOINT
    tensors, described = checkpoint.load(path)
    step = described.get("step")
    if type(step) is not int or not 0 <= step:
        raise CheckpointError(f"{path}: got step {step!r}; wanted a number; do: start a new run")
    expected = {key: getattr(config, key) for key in ("prompt", "seed")}
    if config.run_id:  # runs of before there were ids have none
        expected["run_id"] = config.run_id
    for key, wanted in expected.items():
        if key in described and described[key] != wanted:
            raise CheckpointError(
                f"{path}: got a checkpoint with {key} {described[key]!r}; wanted "
                f"{wanted!r}, as in config.yaml; do: start a new run"
            )
    if not checkpoint.finite(tensors):
        raise CheckpointError(f"{path}: holds numbers that are not finite; do: start a new run")
    return tensors, described


@contextlib.contextmanager
def fitting(run: Path) -> Iterator[None]:
    """What a checkpoint of other shapes raises, as one line."""
    try:
        yield
    except (KeyError, IndexError, TypeError, RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"{run / CHECKPOINT}: does not fit its config.yaml ({error}); do: start a new run"
        ) from error
