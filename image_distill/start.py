"""What a distillation begins with: the networks and the data, whether they fit together, and
where an interrupted run stopped."""

import dataclasses
from pathlib import Path
from typing import Any

from image_distill import state
from image_distill.data import ImageDataset
from image_distill.denoisers import Denoiser
from image_distill.gang import Gang
from image_distill.players import Players
from image_distill.recipe import Recipe, teacher_folder
from image_distill.runfolder import CHECKPOINT
from image_distill.teachers import import_pickle, read_training_state
from uni3d import config_io
from uni3d.errors import CheckpointError, ConfigError

__all__ = ["check_networks", "local_network", "open_data", "resume"]

# Keys that a resumed run may have otherwise than the interrupted one.
FREE = frozenset(
    "edm_model sid_model data outdir resume duration batch_gpu tick snap dump save_best_and_last "
    "metrics metric_images metric_sets teacher_steps detector_url data_stat tensorboard "
    "workers".split()
)


def local_network(name: str, target: Path, gang: Gang) -> Path:
    """The folder of a network; a pickle or an address is imported into `target` first."""
    if not name.startswith(("http://", "https://")) and not name.endswith(".pkl"):
        return teacher_folder(name)
    if gang.rank == 0:
        import_pickle(name, target)
    gang.wait()
    return target


def check_networks(recipe: Recipe, teacher: Denoiser, generator: Denoiser) -> None:
    """One line for what in the recipe does not fit the networks. Raises ConfigError."""
    names = {"SongUNet": "ddpmpp", "DhariwalUNet": "adm", "EDM2UNet": "edm2"}
    arch = names[type(teacher.model).__name__]
    if recipe.arch not in ("auto", arch):
        raise ConfigError(
            f"arch: got {recipe.arch}; wanted {arch}, that of {recipe.edm_model}; do: leave it out"
        )
    if recipe.cond != bool(teacher.model.label_dim):
        kind = f"{teacher.model.label_dim} classes" if teacher.model.label_dim else "no classes"
        raise ConfigError(
            f"cond: got {recipe.cond} with a teacher of {kind}; wanted {not recipe.cond}; "
            "do: change cond or edm_model"
        )
    if recipe.augment and getattr(teacher.model, "map_augment", None) is None:
        raise ConfigError(
            f"augment: got {recipe.augment} with a teacher that cannot be told of it; wanted 0, or "
            "one trained with augmentation (augment_dim 9); do: leave it out"
        )
    own, other = ({k: v.shape for k, v in n.state_dict().items()} for n in (teacher, generator))
    if own != other:
        raise ConfigError(
            f"sid_model: got {recipe.sid_model} of another architecture than the teacher; "
            f"wanted that of {recipe.edm_model}; do: choose a snapshot distilled from this teacher"
        )


def open_data(recipe: Recipe, teacher: Denoiser) -> ImageDataset | None:
    """The real images; None without a discriminator. Raises ConfigError, DataError."""
    if not recipe.use_gan:
        return None
    dataset = ImageDataset(recipe.data, use_labels=recipe.cond)
    model = teacher.model
    got = (dataset.channels, dataset.resolution, dataset.label_dim)
    wanted = (model.in_channels, model.img_resolution, model.label_dim)
    if got != wanted:
        raise ConfigError(
            f"data: got {recipe.data} with channels, resolution, classes = {got}; wanted {wanted}, "
            "those of the teacher; do: choose the teacher's data set (another size: image-distill "
            "prepare folder DATA OUT.zip --resolution N)"
        )
    return dataset


def _defaults() -> dict[str, Any]:
    return {field.name: field.default for field in dataclasses.fields(Recipe)}


def resume(recipe: Recipe, players: Players) -> int | None:
    """Restores `players`; the step to go on with, or None for a fresh run."""
    if recipe.resume is None:
        return None
    path = Path(recipe.resume)
    if path.suffix == ".pt":
        found = read_training_state(path)
        try:
            players.fake.load_state_dict(found.fake_score)
            players.generator.load_state_dict(found.generator)
            players.average.load_state_dict(found.generator_ema)
        except RuntimeError as error:
            raise CheckpointError(
                f"{path}: got networks of another architecture; wanted that of "
                f"{recipe.edm_model}; do: choose the teacher of that run"
            ) from error
        return round((found.kimg or 0) * 1000 / recipe.batch)
    path = path / CHECKPOINT if path.is_dir() else path
    tensors, described = state.read_state(path)
    # A key that the interrupted run did not know yet had its default.
    now, then = config_io.to_dict(recipe), _defaults() | described["recipe"]
    for key in now:
        if key not in FREE and now[key] != then[key]:
            raise ConfigError(
                f"{key}: got {now[key]} while resuming a run with {then[key]}; wanted the "
                "same; do: leave it out, or start a new run with --sid_model"
            )
    with state.restoring(path):
        players.restore(tensors)
    return described["step"]
