"""From published files to a folder of safetensors and JSON, and from that folder to a denoiser."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from image_distill.denoisers import Denoiser, build, network_arguments
from image_distill.pickles import ModuleNode, read_pickle, reason_of
from uni3d.errors import CheckpointError, ExportError
from uni3d.storage.checkpoint import finite
from uni3d.storage.whole import temporary_names

__all__ = [
    "TrainingState",
    "import_pickle",
    "import_training_state",
    "load_denoiser",
    "read_description",
    "read_training_state",
    "save_denoiser",
    "write_denoiser",
]

WEIGHTS, DESCRIPTION = "network.safetensors", "network.json"
_FORMAT = 1
# The attributes of a pickled preconditioning module that this project has as options.
# EDM2's says the same by other names.
_EDM2 = "Precond"
_OPTIONS = {"EDMPrecond": ("sigma_data",), "VPPrecond": ("beta_d", "beta_min", "M")}


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read: {error.strerror or error}; do: check the path"
        ) from error
    return digest.hexdigest()


def _verified(path: Path, sha256: str | None) -> str:
    """The checksum of the file, after comparing it with the one wanted."""
    found = _checksum(path)
    if sha256 is not None and found != sha256.strip().lower():
        raise CheckpointError(
            f"{path}: sha256 is {found}; wanted {sha256.strip()[:80]}; do: download it again"
        )
    return found


def _fetch(source: str, out_dir: Path) -> Path:
    """A local path as it is; an http(s) address is downloaded into `out_dir`."""
    if not re.match(r"https?://", source):
        return Path(source)
    import urllib.request

    out_dir.mkdir(parents=True, exist_ok=True)
    target = out_dir / (source.partition("?")[0].rstrip("/").rpartition("/")[2] or "download")
    partial = target.with_name(target.name + ".part")
    try:
        with urllib.request.urlopen(source, timeout=60) as answer, partial.open("wb") as stream:
            while block := answer.read(1 << 20):
                stream.write(block)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise CheckpointError(
            f"{source}: cannot be downloaded: {error}; do: download it and give the path"
        ) from error
    partial.replace(target)
    return target


def _plain(value: Any, name: str) -> Any:
    """`value` as JSON has it; an argument of another kind cannot come from a known network."""
    if isinstance(value, list | tuple) and all(isinstance(item, int | float) for item in value):
        return list(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise CheckpointError(f"argument {name[:40]!r} is a {type(value).__name__}; wanted a number")


def _describe(node: ModuleNode) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The description and the weights in an unpickled preconditioning module."""
    edm2 = node.class_name == _EDM2
    preconditioning = "EDMPrecond" if edm2 else node.class_name
    if preconditioning not in _OPTIONS:
        raise CheckpointError(
            f"'ema' is a {node.class_name[:80]!r}; wanted {', '.join(_OPTIONS)} or {_EDM2}; "
            "do: use an EDM, EDM2, SiD, SiDA or Uni-Instruct checkpoint"
        )
    inside = "unet" if edm2 else "model"
    model = node.children("_modules").get(inside)
    if not isinstance(model, ModuleNode):
        raise CheckpointError(f"'ema' has no module {inside!r}; do: download the file again")
    network = "EDM2UNet" if edm2 and model.class_name == "UNet" else model.class_name
    arguments = model.state.get("_init_kwargs")
    if not isinstance(arguments, dict) or model.state.get("_init_args"):
        raise CheckpointError("the network does not tell its arguments (_init_kwargs) by name")
    arguments = {str(name): _plain(value, str(name)) for name, value in arguments.items()}
    options = {
        name: _plain(node.state[name], name)
        for name in _OPTIONS[preconditioning]
        if name in node.state
    }
    description = {
        "format": _FORMAT,
        "network": network,
        "init_kwargs": network_arguments(network, arguments),
        "preconditioning": preconditioning,
        "precond_kwargs": options,
    }
    if not edm2:
        return description, node.tensors()
    # Its estimate of the loss's variance (logvar_*) is of use to its own training alone.
    return description, model.tensors("model.")


def _check_weights(denoiser: Denoiser, weights: Mapping[str, Tensor], where: str) -> None:
    """Same keys and shapes, box filters only; one line that names the first that differs."""
    wanted = {name: tuple(value.shape) for name, value in denoiser.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    for name in [*wanted, *found]:
        if wanted.get(name) != found.get(name):
            raise CheckpointError(
                f"{where}: wrong architecture: {str(name)[:120]} is {found.get(name, 'missing')}; "
                f"wanted {wanted.get(name, 'no such key')}; do: check which network the file holds"
            )
    for name, value in weights.items():
        if name.endswith("resample_filter") and not bool((value == 0.25).all()):
            raise CheckpointError(f"{where}: {name} is not the box filter; it is not supported")


def _write(
    out_dir: Path,
    description: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    dtype: torch.dtype = torch.float32,
) -> None:
    from safetensors.torch import save_file

    try:
        text = json.dumps(description, indent=2, sort_keys=True, allow_nan=False) + "\n"
        with temporary_names([out_dir / WEIGHTS, out_dir / DESCRIPTION]) as (
            weights_file,
            description_file,
        ):
            save_file(
                {name: value.detach().contiguous().to(dtype) for name, value in weights.items()},
                weights_file,
            )
            description_file.write_text(text, encoding="utf-8")
    except (ExportError, ValueError) as error:
        raise CheckpointError(f"{out_dir}: cannot be written: {error}") from error


def import_pickle(path: str | Path, out_dir: str | Path, sha256: str | None = None) -> Path:
    """Turns a published network `.pkl` into safetensors and JSON; nothing in it is executed.

    Args:
        path: a file, or an http(s) address.
        out_dir: the folder to write; what it held of an earlier import is replaced.
        sha256: refuse the file when its checksum is another one.

    Raises:
        CheckpointError: damaged, refused or another architecture; then nothing is written.
    """
    out_dir = Path(out_dir)
    file = _fetch(str(path), out_dir)
    checksum = _verified(file, sha256)
    ema = read_pickle(file).get("ema")
    if not isinstance(ema, ModuleNode):
        raise CheckpointError(
            f"{file}: has no network under 'ema'; do: give a network snapshot, not a training state"
        )
    try:
        description, weights = _describe(ema)
        denoiser = _from_description(description, "meta")
    except RecursionError as error:
        raise CheckpointError(f"{file}: its modules contain each other") from error
    except CheckpointError as error:
        raise CheckpointError(f"{file}: {error}") from error
    _check_weights(denoiser, weights, str(file))
    description |= {"source": file.name, "source_sha256": checksum}
    _write(out_dir, description, weights)
    return out_dir


def _from_description(description: Mapping[str, Any], device: str) -> Denoiser:
    return build(
        description["network"],
        description["init_kwargs"],
        description["preconditioning"],
        description["precond_kwargs"],
        device,
    )


def read_description(folder: Path) -> dict[str, Any]:
    """What `network.json` in `folder` says. Raises CheckpointError where it is not whole."""
    path = folder / DESCRIPTION
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path}: cannot be read ({error}); do: image-distill import FILE.pkl {folder}"
        ) from error
    kinds = {"network": str, "init_kwargs": dict, "preconditioning": str, "precond_kwargs": dict}
    if (
        not isinstance(description, dict)
        or description.get("format") != _FORMAT
        or not all(isinstance(description.get(key), kind) for key, kind in kinds.items())
    ):
        raise CheckpointError(
            f"{path}: not a network of format {_FORMAT}; do: import the checkpoint again"
        )
    return description


def load_denoiser(folder: str | Path, device: str | torch.device = "cpu") -> Denoiser:
    """The network in a folder, called as `(x, sigma, class_labels)`, giving the denoised image.

    It is in evaluation mode and float32; its parameters ask for no gradient (to train a copy:
    `.train().requires_grad_(True)`).

    Raises:
        CheckpointError: no such folder, damaged, or weights of another architecture.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(folder)
    description = read_description(folder)
    try:
        found = load_file(folder / WEIGHTS, device=str(device))
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{folder / WEIGHTS}: cannot be read ({error}); do: import the checkpoint again"
        ) from error
    try:
        denoiser = _from_description(description, "meta")
    except CheckpointError as error:
        raise CheckpointError(f"{folder}: {error}") from error
    weights = {name: value.float() for name, value in found.items()}  # a kept one is in halves
    _check_weights(denoiser, weights, str(folder))
    if not finite(weights):
        raise CheckpointError(
            f"{folder / WEIGHTS}: holds numbers that are not finite; do: import it again"
        )
    denoiser.load_state_dict(weights, assign=True)
    return denoiser.eval().requires_grad_(False)


def save_denoiser(
    folder: str | Path,
    denoiser: Denoiser,
    like: str | Path,
    note: Mapping[str, str] | None = None,
    *,
    half: bool = False,
) -> None:
    """Writes `denoiser` as `load_denoiser` reads it.

    Args:
        like: a folder with a network of the same architecture; its description is copied.
        note: added to the description, such as {"source": "run 3"}.
        half: in float16, which moves a weight by at most 2^-11 of itself (or 2^-25).
    """
    description = read_description(Path(like))
    weights = denoiser.state_dict()
    _check_weights(_from_description(description, "meta"), weights, str(like))
    dtype = torch.float16 if half else torch.float32
    _write(Path(folder), {**description, **dict(note or {})}, weights, dtype)


def write_denoiser(folder: str | Path, denoiser: Denoiser, description: Mapping[str, Any]) -> None:
    """Writes a network that was not imported: `description` has `network` and `init_kwargs`."""
    name = type(denoiser).__name__
    options = {option: getattr(denoiser, option) for option in _OPTIONS[name]}
    described = {"format": _FORMAT, "preconditioning": name, "precond_kwargs": options}
    _write(Path(folder), {**described, **description}, denoiser.state_dict())


@dataclass(frozen=True)
class TrainingState:
    """State dicts of a reference `training-state-NNNNNN.pt`; `kimg` is the number in its name."""

    fake_score: dict[str, Tensor]
    generator: dict[str, Tensor]
    generator_ema: dict[str, Tensor]
    kimg: int | None


def read_training_state(path: str | Path, sha256: str | None = None) -> TrainingState:
    """Reads a reference training state with torch's weights-only loader.

    Raises:
        CheckpointError: missing, damaged, with anything but tensors and plain values, or without
            one of its three networks.
    """
    path = Path(path)
    _verified(path, sha256)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or hostile file can fail in any way
        raise CheckpointError(
            f"{path}: refused or damaged: {reason_of(error)}; "
            "do: give a training state that holds only tensors"
        ) from error
    names = ("fake_score_state", "G_state", "G_ema_state")
    for name in names:
        state = content.get(name) if isinstance(content, dict) else None
        if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
            raise CheckpointError(
                f"{path}: has no weights under {name!r}; do: give a training-state-NNNNNN.pt"
            )
    number = re.search(r"(\d+)\.pt$", path.name)
    return TrainingState(
        fake_score=dict(content["fake_score_state"]),
        generator=dict(content["G_state"]),
        generator_ema=dict(content["G_ema_state"]),
        kimg=int(number[1]) if number else None,
    )


def import_training_state(
    path: str | Path, out_dir: str | Path, like: str | Path, sha256: str | None = None
) -> Path:
    """Writes the three networks of a training state to `fake_score`, `G` and `G_ema` of `out_dir`.

    The file has weights only, so `like` names a folder with a network of the same architecture
    (the imported snapshot of the same run, or the teacher's).
    """
    state, out_dir = read_training_state(path, sha256), Path(out_dir)
    description = read_description(Path(like))
    description.pop("source_sha256", None)
    denoiser = _from_description(description, "meta")
    networks = {"fake_score": state.fake_score, "G": state.generator, "G_ema": state.generator_ema}
    for name, weights in networks.items():
        _check_weights(denoiser, weights, f"{path}: {name}")
    for name, weights in networks.items():
        _write(out_dir / name, {**description, "source": Path(path).name}, weights)
    return out_dir
