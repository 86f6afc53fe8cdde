"""The state of a teacher training on disk: weights, their moving average and Adam's moments."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from uni3d.errors import CheckpointError, ExportError, NonFiniteError
from uni3d.storage.checkpoint import finite
from uni3d.storage.whole import temporary_names
from uni3d.teacher.hub import SHIPPED
from uni3d.toybox import model

__all__ = [
    "began_with",
    "export_state",
    "load_shipped",
    "load_state",
    "parameters_of",
    "save_state",
    "state_files",
]

WORDS = "text_encoder.embeddings.token_embedding.weight"  # the one tensor that grows


def parameters_of(modules: dict[str, Any]) -> Iterator[tuple[str, torch.nn.Parameter]]:
    """(module.parameter, value) of all modules, in a fixed order."""
    for prefix, module in modules.items():
        for name, parameter in module.named_parameters():
            yield f"{prefix}.{name}", parameter


def state_files(out: Path) -> tuple[Path, Path]:
    return out / "state.safetensors", out / "state.json"


def save_state(config: Any, step: int, modules, average, optimizer) -> None:
    """Weights, their moving average and both Adam moments, in one safetensors file.

    Raises NonFiniteError for NaN or infinity in any of them, CheckpointError where the disk
    refuses; the state before stays.
    """
    tensors: dict[str, Tensor] = {}
    for name, parameter in parameters_of(modules):
        tensors[f"weight/{name}"] = parameter.data.contiguous()
        tensors[f"average/{name}"] = average[name].contiguous()
        state = optimizer.state.get(parameter)
        if state:
            tensors[f"m/{name}"] = state["exp_avg"].contiguous()
            tensors[f"v/{name}"] = state["exp_avg_sq"].contiguous()
    if not finite(tensors):
        raise NonFiniteError(
            f"{config.out}: the state of step {step} is not finite and is not saved; do: --resume, "
            "which goes on from the state before it, with a lower --learning-rate"
        )
    described = {k: str(v) for k, v in dataclasses.asdict(config).items()}
    try:
        with temporary_names(list(state_files(config.out))) as (tensor_path, json_path):
            save_file(tensors, tensor_path, metadata={"step": str(step)})
            json_path.write_text(json.dumps({"step": step, "config": described}, indent=2) + "\n")
    except (ExportError, SafetensorError) as error:
        raise CheckpointError(f"{config.out}: cannot be written ({error})") from error


def load_state(config: Any, modules, average, optimizer) -> int:
    """Restore what `save_state` wrote; returns the step to go on from.

    Where the vocabulary has grown since, the new words keep the rows they have in `modules`, and
    their moments are zero. A file without moments (`export_state`) starts them afresh.
    Raises CheckpointError for a file that is missing, damaged or of other networks.
    """
    path = state_files(config.out)[0]
    if not path.is_file():
        raise CheckpointError(f"{path}: no state of toybox train there; do: leave out --resume")
    try:
        return _restored(path, modules, average, optimizer)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path}: not the state of such a training ({error})") from error


def _restored(path: Path, modules, average, optimizer) -> int:
    tensors = load_file(path)
    if not finite(tensors):
        raise ValueError("it holds numbers that are not finite")
    with safe_open(path, "pt") as file:
        step = int(file.metadata()["step"])
    for name, parameter in parameters_of(modules):
        rows = slice(None, len(tensors[f"weight/{name}"]) if name == WORDS else None)
        parameter.data[rows].copy_(tensors[f"weight/{name}"])
        average[name].copy_(parameter.data)
        average[name][rows].copy_(tensors[f"average/{name}"])
        if f"m/{name}" in tensors:
            moments = {}
            for key, short in (("exp_avg", "m"), ("exp_avg_sq", "v")):
                # In the parameter's memory layout: the fused step walks through memory.
                moments[key] = torch.zeros_like(parameter).detach()
                moments[key][rows].copy_(tensors[f"{short}/{name}"])
            count = torch.tensor(float(step), device=parameter.device)
            optimizer.state[parameter] = {"step": count, **moments}
    return step


def began_with(out: Path) -> str:
    """The teacher of the package that the run in `out` began with; "" for none."""
    name = json.loads(state_files(out)[1].read_text())["config"]["from_shipped"]
    return name if name in SHIPPED else ""


def load_shipped(modules, name: str) -> None:
    """Take the weights of a teacher in the package; words it does not know get random rows."""
    for prefix, file in (("unet", "diffusion_pytorch_model"), ("text_encoder", "model")):
        tensors = load_file(SHIPPED[name] / prefix / f"{file}.safetensors")
        tensors = {k: v.float() for k, v in tensors.items()}
        if prefix == "text_encoder":
            words = next(k for k in tensors if k.endswith("token_embedding.weight"))
            rows = modules[prefix].config.vocab_size
            tensors[words] = model.grow_embedding(tensors[words], rows)
        modules[prefix].load_state_dict(tensors, strict=False)


def export_state(out: Path, target: Path) -> int:
    """Write weights and average of a run in half precision, with its words, to `target`.

    A run that finds this file as its state goes on from it with fresh moments; returns its bytes.
    """
    path = state_files(out)[0]
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    kept = {k: v.half() for k, v in tensors.items() if k.startswith(("weight/", "average/"))}
    target.mkdir(parents=True, exist_ok=True)
    save_file(kept, target / path.name, metadata=metadata)
    (target / "state.json").write_bytes(state_files(out)[1].read_bytes())
    words = target / "tokenizer"
    words.mkdir(exist_ok=True)
    for name in ("vocab.json", "merges.txt"):
        (words / name).write_bytes((out / "tokenizer" / name).read_bytes())
    return (target / path.name).stat().st_size
