"""Weights of the instant network: how they are read, written and asked for an object."""

import dataclasses
from pathlib import Path

import torch
from torch import Tensor

from uni3d import config_io
from uni3d.errors import CheckpointError, ConfigError
from uni3d.instant.generator import Generator, GeneratorConfig, draw_z
from uni3d.instant.objects import InstantScene
from uni3d.storage import checkpoint
from uni3d.storage.cache import remembered
from uni3d.teacher.hub import find_folder
from uni3d.teacher.model import Teacher, TeacherConfig, fingerprint
from uni3d.teacher.texts import text_reader

__all__ = ["export_weights", "load_weights", "make_scene", "text_features"]


def load_weights(path: Path, teacher: str = "") -> Generator:
    """The network of `export_weights`, or the average of a training's checkpoint.

    teacher: the one it will be asked about. CheckpointError for a file of something else,
    ConfigError for a network of another teacher.
    """
    tensors, described = checkpoint.load(path)
    if any(name.startswith("average/") for name in tensors):
        tensors = checkpoint.without_prefix("average", tensors)
    try:
        network = Generator(config_io.load(GeneratorConfig, described["network"]))
        network.load_state_dict({name: value.float() for name, value in tensors.items()})
    except (KeyError, RuntimeError, ConfigError) as error:
        raise CheckpointError(
            f"{path}: holds no instant network ({error}); do: another file"
        ) from error
    if not checkpoint.finite(network.state_dict()):
        raise CheckpointError(f"{path}: holds numbers that are not finite; do: other weights")
    of = described.get("teacher", "")
    own = path.resolve().parent == Path(teacher).resolve()  # a folder may have been moved
    if teacher and of and of != teacher and not own:
        raise ConfigError(
            f"instant weights: {path} was trained with the teacher {of}; wanted one of {teacher}; "
            "do: --from-scratch, or other weights"
        )
    return network.requires_grad_(False)


def export_weights(training: Path, out: Path, teacher: str, apart: float | None = None) -> int:
    """Write the average of a training's checkpoint in half precision; the size in bytes.

    apart: mean difference of the pictures of two z, where it was measured.
    """
    network = load_weights(training)
    _, description = checkpoint.load(training)
    tensors = {name: value.half() for name, value in network.state_dict().items()}
    described = {"network": dataclasses.asdict(network.config), "teacher": teacher}
    if apart is not None:
        described["apart"] = apart
    checkpoint.save(out, tensors, described | {"step": description.get("step", 0)})
    return out.stat().st_size


def text_features(sentence: str, config: TeacherConfig, teacher: Teacher | None = None) -> Tensor:
    """Token features `[1, tokens, width]` of a sentence; the teacher's U-Net is not loaded."""
    if teacher is not None:
        features = teacher.encode_text([sentence]).float().cpu()
        teacher.encode_text.free()  # read once; a large one takes gigabytes
        return features
    found = find_folder(config.name, config.revision, config.variant)
    key = {"teacher": fingerprint(found, config.variant), "texts": [sentence]}
    return remembered(
        "texts", key, lambda: text_reader(found.folder, config.variant)([sentence]).float()
    )


@torch.no_grad()
def make_scene(
    network: Generator,
    sentence: str,
    seed: int,
    config: TeacherConfig,
    teacher: Teacher | None = None,
) -> InstantScene:
    """The object of a sentence and a seed, in one pass. ConfigError where the widths differ."""
    features = text_features(sentence, config, teacher)
    if features.shape[-1] != network.config.text_width:
        raise ConfigError(
            f"instant weights: they read text of {network.config.text_width} numbers a token; the "
            f"teacher {config.name} gives {features.shape[-1]}; do: its own weights"
        )
    (field,) = network.fields(features, draw_z(seed, network.config.noise))
    return InstantScene(field)
