"""A teacher of one's own: EDM training (2206.00364, table 1) of a small network."""

import contextlib
import copy
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from image_distill import state
from image_distill.augment import LABELS, augmented
from image_distill.data import ImageDataset
from image_distill.denoisers import Denoiser, build
from image_distill.draws import draw, random_source
from image_distill.feeding import pieces, real_batches
from image_distill.gang import Gang
from image_distill.networks import placed
from image_distill.recipe import LIMITS
from image_distill.runfolder import CHECKPOINT, check_outdir
from image_distill.teachers import write_denoiser
from uni3d import config_io
from uni3d.errors import CheckpointError, ConfigError
from uni3d.instruct import add_noise, denoising_score_matching, sample_lognormal_sigma
from uni3d.storage.lock import held

__all__ = ["TeacherProgress", "TeacherRecipe", "network_of", "train"]

_NETWORKS = {"ddpmpp": "SongUNet", "adm": "DhariwalUNet"}


@dataclass(frozen=True, kw_only=True)
class TeacherRecipe:
    """One training run; units as in `Recipe`. The network lands in outdir/network."""

    data: str
    outdir: str = "image-runs/teacher"
    cond: bool = False
    resume: bool = False  # go on with the checkpoint in outdir

    arch: Literal["ddpmpp", "adm"] = "ddpmpp"
    model_channels: int = 32
    channel_mult: tuple[int, ...] = (1, 2, 2)
    num_blocks: int = 2
    attn_resolutions: tuple[int, ...] = (8,)
    dropout: float = 0.0
    augment: float = 0.0  # probability of each transformation (augment.py); 0.12 in the paper

    batch: int = 128
    batch_gpu: int | None = None
    lr: float = 1e-3
    warmup: float = 10.0  # kimg over which the learning rate rises
    decay: bool = True  # then falls to zero along a half cosine; otherwise it stays
    ema: float = 0.5  # half-life, Mimg; at most 5 % of the images seen
    bf16: bool = False
    duration: float = 1.0  # Mimg
    tick: float = 10.0  # kimg between records
    dump: int = 5  # ticks between checkpoints
    seed: int = 0
    workers: int = 0

    @property
    def steps(self) -> int:
        """Batches in `duration`."""
        return max(1, round(self.duration * 1e6 / self.batch))

    def __post_init__(self) -> None:
        sizes = {"model_channels": (4, 4096), "num_blocks": (1, 100), "warmup": (0, 1e9)}
        config_io.within(self, "", **LIMITS, **sizes)
        for name in ("channel_mult", "attn_resolutions"):
            values = getattr(self, name)
            if not all(1 <= value <= 4096 for value in values) or not self.channel_mult:
                raise ValueError(f"{name}: got {values}; wanted whole numbers from 1 to 4096")

    def rate(self, step: int) -> float:
        """The learning rate of `step`."""
        rate = self.lr * min((step + 1) * self.batch / max(self.warmup * 1000, 1e-8), 1)
        return rate * (1 + math.cos(math.pi * step / self.steps)) / 2 if self.decay else rate


@dataclass(frozen=True, kw_only=True)
class TeacherProgress:
    """One tick: the mean of the weighted loss over its images."""

    step: int
    kimg: float
    loss: float
    seconds: float


def network_of(recipe: TeacherRecipe, dataset: ImageDataset) -> tuple[Denoiser, dict[str, Any]]:
    """A fresh network for the data, initialised from the seed, and its description."""
    arguments = {
        "img_resolution": dataset.resolution,
        "in_channels": dataset.channels,
        "out_channels": dataset.channels,
        "label_dim": dataset.label_dim,
        "model_channels": recipe.model_channels,
        "channel_mult": list(recipe.channel_mult),
        "num_blocks": recipe.num_blocks,
        "attn_resolutions": list(recipe.attn_resolutions),
        "dropout": recipe.dropout,
    }
    if recipe.augment:
        arguments["augment_dim"] = LABELS
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = build(_NETWORKS[recipe.arch], arguments)
    return network, {"network": _NETWORKS[recipe.arch], "init_kwargs": arguments}


def train(recipe: TeacherRecipe, gang: Gang | None = None) -> Iterator[TeacherProgress]:
    """Trains, one record per tick; writes checkpoints, and the averaged network to outdir/network.

    Raises:
        ConfigError, DataError, CheckpointError: before the first step.
    """
    gang = gang or Gang()
    dataset = ImageDataset(recipe.data, use_labels=recipe.cond)
    network, description = network_of(recipe, dataset)
    network = placed(network, gang.device).train()
    average = copy.deepcopy(network).requires_grad_(False).eval()
    optimiser = torch.optim.Adam(network.parameters(), recipe.lr, fused=True)
    checkpoint = Path(recipe.outdir) / CHECKPOINT
    first = _start(recipe, checkpoint, network, average, optimiser)
    lock = contextlib.ExitStack()  # let go of at the end, however that comes
    if gang.rank == 0:
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        lock.enter_context(held(checkpoint.parent))
    reals = real_batches(dataset, recipe, gang, range(first, recipe.steps))

    total, count, begin = 0.0, 0, time.perf_counter()
    for step in range(first, recipe.steps):
        # 1. Denoise real images, and learn from the error.
        optimiser.zero_grad()
        losses = _learn(recipe, gang, network, reals, step)
        parameters = list(network.parameters())
        gang.sum_gradients(parameters)
        optimiser.param_groups[0]["lr"] = recipe.rate(step)
        optimiser.step()
        # 2. The running average.
        images_seen = (step + 1) * recipe.batch
        half_life = max(min(recipe.ema * 1e6, 0.05 * images_seen), 1e-8)
        with torch.no_grad():
            for mean, parameter in zip(average.parameters(), parameters, strict=True):
                mean.lerp_(parameter, 1 - 0.5 ** (recipe.batch / half_life))
        total, count = total + float(gang.gather(losses).double().mean()), count + 1

        # 3. At a tick and at the end, come early or not: record, checkpoint, network.
        last = step + 1 == recipe.steps or gang.ends()
        tick = int(images_seen / (recipe.tick * 1000))
        if not last and tick == int((images_seen - recipe.batch) / (recipe.tick * 1000)):
            continue
        if gang.rank == 0 and (last or (recipe.dump and tick % recipe.dump == 0)):
            parts = {
                "network": network.state_dict(),
                "average": average.state_dict(),
                "optimiser": state.adam_state(optimiser),
            }
            described = {"step": step + 1, "recipe": config_io.to_dict(recipe)}
            state.write_state(checkpoint, parts, described)
            write_denoiser(Path(recipe.outdir) / "network", average, description)
        gang.wait()
        yield TeacherProgress(
            step=step + 1,
            kimg=images_seen / 1000,
            loss=total / count,
            seconds=time.perf_counter() - begin,
        )
        if last:
            return
        total, count, begin = 0.0, 0, time.perf_counter()


def _learn(
    recipe: TeacherRecipe, gang: Gang, network: Denoiser, reals: Iterator[Any], step: int
) -> Tensor:
    """The loss of each of this process's images `[n]`; its gradient is left in the network."""
    losses = []
    for places in pieces(recipe, gang):
        images, labels = (tensor.to(gang.device) for tensor in next(reals))
        key = (recipe.seed, "teacher", step)
        if recipe.dropout:  # its masks come from the global generator
            torch.manual_seed(random_source(*key, places[0], "dropout").initial_seed())
        shape = tuple(images.shape[1:])
        draws = draw(key, places, shape, 0, sample_lognormal_sigma, gang.device)
        images, augmentation = augmented(images, recipe.augment, (*key, "augment"), places)
        noisy = add_noise(images, draws.sigma, draws.eps)
        with torch.autocast(gang.device.type, torch.bfloat16, enabled=recipe.bf16):
            denoised = network(noisy, draws.sigma, labels, augmentation)
        loss = denoising_score_matching(denoised, images, draws.sigma)
        (loss.sum() / recipe.batch).backward()
        losses.append(loss.detach())
    return torch.cat(losses)


def _start(
    recipe: TeacherRecipe,
    checkpoint: Path,
    network: Denoiser,
    average: Denoiser,
    optimiser: torch.optim.Optimizer,
) -> int:
    """The step to begin with: 0, or that of the checkpoint, whose state is restored."""
    if not recipe.resume:
        if checkpoint.exists():
            raise ConfigError(
                f"outdir: got {recipe.outdir}, which holds a run; wanted a new folder; "
                "do: choose another, or go on with --resume 1"
            )
        check_outdir(recipe.outdir, None)
        return 0
    tensors, described = state.read_state(checkpoint)
    then = config_io.load(TeacherRecipe, described["recipe"])
    free: dict[str, Any] = {
        name: getattr(recipe, name)
        for name in ("data", "outdir", "resume", "batch_gpu", "tick", "dump", "workers")
    }
    if not recipe.decay:
        free["duration"] = recipe.duration  # the learning rate does not depend on it
    if replace(then, **free) != recipe:
        raise CheckpointError(
            f"{checkpoint}: got a checkpoint of another recipe; wanted the same one; "
            "do: resume with the keys of the interrupted run, or choose another outdir"
        )
    prefixes: dict[str, dict[str, Tensor]] = {
        name: state.under(name, tensors) for name in ("network", "average", "optimiser")
    }
    with state.restoring(checkpoint):
        network.load_state_dict(prefixes["network"])
        average.load_state_dict(prefixes["average"])
        state.restore_adam(optimiser, prefixes["optimiser"])
    return described["step"]
