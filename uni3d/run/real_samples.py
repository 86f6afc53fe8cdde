"""Teacher samples that stand for real images in the density ratio: there are none in text-to-3D."""

import dataclasses

import torch
from torch import Tensor

from uni3d.cameras import Cameras, sample_cameras
from uni3d.run.settings import RunConfig
from uni3d.storage.cache import remembered
from uni3d.teacher.model import Teacher
from uni3d.teacher.prompts import PromptSet

__all__ = ["BINS", "draw_real_samples", "pick_real_samples", "real_cameras"]

BINS = 8  # azimuth bins
SEEDS = 2**62 + 17, 2**62 + 18  # of the cameras and of the noise: those of no step of a run


def real_cameras(config: RunConfig) -> Cameras:
    """The cameras of the samples, `[BINS * per_view]`: elevation and distance from the run's own
    prior, azimuths even in their bins. The discriminator is shown each sample with its own."""
    count = config.guidance.real_samples_per_view
    generator = torch.Generator().manual_seed(SEEDS[0])
    drawn = sample_cameras(config.camera, BINS * count, generator)
    azimuth = torch.arange(BINS * count) * (360 / (BINS * count))
    return dataclasses.replace(drawn, azimuth_deg=azimuth)


def draw_real_samples(config: RunConfig, teacher: Teacher, prompts: PromptSet) -> Tensor:
    """Teacher samples of the prompt per azimuth bin: "real" for the ratio, as no images exist.

    The same for every seed of a run, and kept on disk for the next one.
    """
    guidance, all_cameras = config.guidance, real_cameras(config)
    count, steps = guidance.real_samples_per_view, 12
    # The ratio is that of the divergence: with guidance apart, to the unguided teacher.
    apart = guidance.mode == "apart"
    scale, rescale = (1.0, 0.0) if apart else (guidance.scale, guidance.rescale)

    def draw() -> Tensor:
        generator = torch.Generator().manual_seed(SEEDS[1])
        bins = []
        for k in range(BINS):
            cameras = all_cameras[torch.arange(k * count, (k + 1) * count)]
            bins.append(
                teacher.sample(
                    prompts.at(cameras),
                    teacher.camera(cameras),
                    generator=generator,
                    scale=scale,
                    rescale=rescale,
                    steps=steps,
                )
            )
        return torch.stack(bins)

    key = {
        "teacher": teacher.fingerprint,
        "precision": str(teacher.dtype),
        "device": teacher.device.type,
        "prompt": config.teacher_prompt,
        "prompts": dataclasses.asdict(config.prompts),
        "camera": dataclasses.asdict(config.camera),
        "scale": scale,
        "rescale": rescale,
        "steps": steps,
        "shape": [BINS, count],
        "seeds": SEEDS,
        "one_by_one": teacher.one_by_one,
    }
    return remembered("samples", key, draw)


def pick_real_samples(
    real: Tensor, cameras: Cameras, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """One cached sample of each camera's bin, and its place `[batch]` among `real_cameras`."""
    place = (cameras.azimuth_deg % 360 / (360 / BINS)).long().clamp(max=BINS - 1)
    pick = torch.randint(real.shape[1], (len(cameras),), generator=generator)
    return real[place, pick], place * real.shape[1] + pick
