"""What a distillation begins with: the networks and the data, and whether they fit together."""

from pathlib import Path

from image_distill.data import ImageDataset
from image_distill.denoisers import Denoiser
from image_distill.gang import Gang
from image_distill.recipe import Recipe, teacher_folder
from image_distill.teachers import import_pickle
from uni3d.errors import ConfigError

__all__ = ["check_networks", "local_network", "open_data"]


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
    arch = {"SongUNet": "ddpmpp", "DhariwalUNet": "adm"}[type(teacher.model).__name__]
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
