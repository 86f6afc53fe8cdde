"""Training of the toybox teacher: resumable at any moment, deterministic from its seed.

DDPM in the clean-image parameterisation with the v-loss weight 1 / sigma^2 (clipped), AdamW, EMA.
The first `small_share` of the run sees pictures at half size, which is four times cheaper.
Captions are the canonical ones: reading what people write is not the teacher's work.
"""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import avg_pool2d, pixel_shuffle, pixel_unshuffle

from uni3d.errors import ConfigError
from uni3d.teacher.hub import SHIPPED
from uni3d.teacher.sampler import euler
from uni3d.toybox import dataset, grammar, model
from uni3d.toybox.state import (
    began_with,
    load_shipped,
    load_state,
    parameters_of,
    save_state,
)

__all__ = ["TrainConfig", "TrainProgress", "sample_pictures", "train"]

WEIGHT_CLIP = 8.0  # of 1 / sigma^2: keeps the cleanest noise levels from ruling the gradient
EVALUATION_PICTURES = 512
SAVE_SECONDS = 240
VALIDATION_SEED = 31337  # of pictures that no training draws
PROMPTS = (
    "a corgi",
    "a corgi astronaut",
    "a penguin",
    "a red chair",
    "a blue car",
    "a mushroom",
    "a cat wizard",
    "a castle",
    "a green teapot",
    "a rabbit wearing a scarf",
    "an elephant",
    "a yellow bus",
    "a rocket",
    "a spotted pink pig",
    "a bear knight",
    "a burger",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A training run. `steps` is the whole length; the learning rate falls over its last third."""

    out: Path
    steps: int = 12000
    minutes: float = 1e9  # stop (resumable) after this long
    batch: int = 32
    learning_rate: float = 1e-3
    small_share: float = 0.3
    composed_share: float = 0.0  # of a batch drawn from toys that are more than kind and colour
    shards: int = 25
    renew: int = 0  # steps after which a fresh shard takes the place of the oldest; 0: never
    workers: int = 1  # processes that render fresh shards
    seed: int = 0
    device: str = "cpu"
    bf16: bool = False  # forward and backward in bfloat16 where it is safe; weights stay fp32
    resume: bool = False
    from_shipped: str = ""  # start from this teacher of the package, with fresh moments


@dataclasses.dataclass(frozen=True)
class TrainProgress:
    step: int
    loss: float
    seconds: float
    validation: float | None = None
    note: str = ""


def _learning_rate(config: TrainConfig, step: int) -> float:
    warm, cool = min(1.0, (step + 1) / 200), (config.steps - step) / (config.steps / 3)
    return config.learning_rate * warm * max(0.02, min(1.0, cool))


def _batch(pictures: dataset.Pictures, indices: np.ndarray, rng: np.random.Generator, views=0.5):
    """Images [b, 3, 64, 64] in [-1, 1], captions, camera embeddings [b, 4]."""
    images, captions, cameras = [], [], []
    for index in indices:
        rgba, (azimuth, elevation, _), what = pictures[index]
        rgba = rgba.astype(np.float32) / 255
        background = rng.random((3, 1, 1), dtype=np.float32)
        images.append(rgba[:3] + (1 - rgba[3:]) * background)
        text = grammar.canonical(what)
        if rng.random() < views:
            text += f", {grammar.view_words(azimuth, elevation)}"
        captions.append(text if rng.random() >= 0.1 else "")
        az, el = np.radians([azimuth, elevation])
        shown = float(rng.random() >= 0.2)
        cameras.append([shown * v for v in (np.sin(az), np.cos(az), np.sin(el), np.cos(el))])
    stacked = torch.from_numpy(np.stack(images)) * 2 - 1
    return stacked, captions, torch.tensor(cameras, dtype=torch.float32)


def encode_text(tokenizer: Any, text_encoder: Any, captions: list[str]) -> Tensor:
    """Token features of captions, `[batch, context, width]`."""
    ids = tokenizer(
        captions,
        padding="max_length",
        truncation=True,
        max_length=model.CONTEXT,
        return_tensors="pt",
    ).input_ids
    return text_encoder(ids.to(text_encoder.device)).last_hidden_state


def _loss(networks, images, captions, cameras, t, eps) -> Tensor:
    """Per-sample v-loss of the clean-image prediction, `[batch]`."""
    unet, text_encoder, tokenizer, alphas_cumprod = networks
    device = alphas_cumprod.device
    images, cameras, t, eps = (part.to(device) for part in (images, cameras, t, eps))
    x0 = pixel_unshuffle(images, model.FACTOR)
    alpha, sigma2 = alphas_cumprod[t].sqrt(), 1 - alphas_cumprod[t]
    noisy = alpha[:, None, None, None] * x0 + sigma2.sqrt()[:, None, None, None] * eps
    context = encode_text(tokenizer, text_encoder, captions)
    predicted = unet(noisy, t, context, class_labels=cameras).sample
    error = (predicted.float() - x0).square().mean(dim=(1, 2, 3))
    return error * (1 / sigma2).clamp(max=WEIGHT_CLIP)


@torch.no_grad()
def sample_pictures(networks, prompts, cameras, *, steps=25, guidance=3.0, seed=0) -> Tensor:
    """Teacher samples `[batch, 3, 64, 64]` in [0, 1]; `cameras` are embeddings `[batch, 4]`."""
    unet, text_encoder, tokenizer, alphas_cumprod = networks
    cameras = cameras.to(alphas_cumprod.device)
    context = encode_text(tokenizer, text_encoder, [*prompts, *[""] * len(prompts)])
    both = torch.cat([cameras, cameras])
    t_index = torch.linspace(len(alphas_cumprod) - 1, 15, steps).long()
    sigmas = ((1 - alphas_cumprod) / alphas_cumprod).sqrt()

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        t = torch.searchsorted(sigmas, sigma[0] * (1 - 1e-6)).clamp(max=len(sigmas) - 1)
        scaled = torch.cat([x, x]) * alphas_cumprod[t].sqrt()
        t = t.expand(2 * x.shape[0])
        cond, uncond = unet(scaled, t, context, class_labels=both).sample.chunk(2)
        return uncond + guidance * (cond - uncond)

    side = model.IMAGE_SIZE // model.FACTOR
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(len(prompts), 3 * model.FACTOR**2, side, side, generator=generator)
    x0 = euler(denoise, noise.to(cameras.device), sigmas[t_index]).cpu()
    return (pixel_shuffle(x0, model.FACTOR).clamp(-1, 1) + 1) / 2


class _Swapped:
    """Context in which the networks hold their averaged weights."""

    def __init__(self, modules, average) -> None:
        self.modules, self.average = modules, average

    def __enter__(self) -> None:
        self.kept = {n: p.data.clone() for n, p in parameters_of(self.modules)}
        for name, parameter in parameters_of(self.modules):
            parameter.data.copy_(self.average[name])

    def __exit__(self, *_: object) -> None:
        for name, parameter in parameters_of(self.modules):
            parameter.data.copy_(self.kept[name])


def _validation_loss(networks, pictures: dataset.Pictures) -> float:
    rng = np.random.default_rng(12345)
    generator = torch.Generator().manual_seed(12345)
    losses = []
    for start in range(0, EVALUATION_PICTURES, 32):
        images, captions, cameras = _batch(pictures, start + np.arange(32), rng)
        t = torch.linspace(20, 980, 32).long()
        eps = torch.randn(32, 3 * model.FACTOR**2, 16, 16, generator=generator)
        with torch.no_grad():
            losses.append(_loss(networks, images, captions, cameras, t, eps).mean())
    return float(torch.stack(losses).mean())


def _sheet(networks, path: Path) -> None:
    from PIL import Image

    prompts = [p for p in PROMPTS for _ in range(4)]
    az = torch.deg2rad(torch.tensor([0.0, 60.0, 120.0, 180.0] * len(PROMPTS)))
    el = torch.deg2rad(torch.full_like(az, 15.0))
    cameras = torch.stack([az.sin(), az.cos(), el.sin(), el.cos()], 1)
    images = sample_pictures(networks, prompts, cameras, steps=12)
    grid = images.reshape(8, 8, 3, 64, 64).permute(0, 3, 1, 4, 2).reshape(512, 512, 3)
    Image.fromarray((grid.numpy() * 255).astype(np.uint8)).save(path)


def _networks(config: TrainConfig):
    """(modules, networks) as the configuration says, before any state of an earlier run.

    Every word of today's captions is a token: a tokenizer from before the world grew grows too.
    """
    words = config.out / "tokenizer"
    if not config.resume:
        (words / "merges.txt").unlink(missing_ok=True)  # an earlier run's
        if config.from_shipped:
            model.adopt_tokenizer(SHIPPED[config.from_shipped] / "tokenizer", words)
    model.build_tokenizer(words)
    model.grow_tokenizer(words, grammar.caption_words())
    tokenizer = model.build_tokenizer(words)
    unet, text_encoder, scheduler = model.build_networks(len(tokenizer), config.seed)
    modules = {"unet": unet, "text_encoder": text_encoder}
    if config.from_shipped:
        load_shipped(modules, config.from_shipped)
    if torch.device(config.device).type != "cpu":
        unet.to(memory_format=torch.channels_last)  # on a processor it costs a tenth of a step
    unet.to(config.device)
    text_encoder.to(config.device)
    return modules, (unet, text_encoder, tokenizer, scheduler.alphas_cumprod.to(config.device))


def _indices(config: TrainConfig, pictures, count: int, rng: np.random.Generator) -> np.ndarray:
    """Which pictures a step sees, `[count]`."""
    indices = rng.integers(len(pictures), size=count)
    chosen = round(config.composed_share * count)
    if chosen:
        indices[:chosen] = rng.choice(pictures.composed(), chosen)
    return indices


def _gradients(config: TrainConfig, networks, pictures, step: int) -> Tensor:
    """Backward of one batch; everything random follows from (seed, step). Returns the loss."""
    rng = np.random.default_rng((config.seed, step))
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
    small = step < config.small_share * config.steps
    count = config.batch * (2 if small else 1)
    indices = _indices(config, pictures, count, rng)
    images, captions, cameras = _batch(pictures, indices, rng)
    if small:
        images = avg_pool2d(images, 2)
    t = ((torch.arange(count) + torch.rand(count, generator=generator)) * (1000 / count)).long()
    side = images.shape[-1] // model.FACTOR
    eps = torch.randn(count, 3 * model.FACTOR**2, side, side, generator=generator)
    kind = torch.device(config.device).type
    with (
        torch.autocast(kind, dtype=torch.bfloat16, enabled=config.bf16),
        sdpa_kernel(SDPBackend.MATH) if kind == "cpu" else contextlib.nullcontext(),
    ):  # plain matrix products: heads of 4 numbers are slower fused, by a fifth of a step
        loss = _loss(networks, images, captions, cameras, t, eps).mean()
        loss.backward()
    return loss.detach()


def _probe(device: str) -> None:
    """Fail before any work where the machine has no such device."""
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        why = str(error).splitlines()[0]
        raise ConfigError(
            f"--device: got {device!r}, not to be had here ({why}); do: cpu"
        ) from None


def train(config: TrainConfig, stop: Callable[[], bool] = lambda: False) -> Iterator[TrainProgress]:
    """Train, yielding progress, until `config` is done or `stop()`; then the state is saved."""
    _probe(config.device)
    # 1. the data
    folder = config.out / "pictures"
    dataset.prepare(folder, 1, VALIDATION_SEED, size=EVALUATION_PICTURES)
    validation = dataset.Pictures(folder, 1, VALIDATION_SEED)
    window = dataset.Window(folder, config.shards, config.seed, config.renew, config.workers)
    # 2. the networks
    modules, networks = _networks(config)
    parameters = [p for _, p in parameters_of(modules)]
    optimizer = torch.optim.AdamW(parameters, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    average = {n: p.data.clone() for n, p in parameters_of(modules)}
    step = 0
    if config.resume:
        step = load_state(config, modules, average, optimizer)
        config = dataclasses.replace(config, from_shipped=began_with(config.out))  # for its card
    # 3. the loop
    started = saved = sheeted = time.monotonic()
    with window:
        while step < config.steps:
            loss = _gradients(config, networks, window.at(step), step)
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            for group in optimizer.param_groups:
                group["lr"] = _learning_rate(config, step)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            decay = min(0.999, (1 + step) / (10 + step))
            for name, parameter in parameters_of(modules):
                average[name].lerp_(parameter.data, 1 - decay)
            step += 1
            now = time.monotonic()
            last = step == config.steps or now - started > config.minutes * 60 or stop()
            if last or now - saved > SAVE_SECONDS:
                save_state(config, step, modules, average, optimizer)
                saved = now
                with _Swapped(modules, average):
                    checked = _validation_loss(networks, validation)
                    if last or now - sheeted > 600:
                        _sheet(networks, config.out / f"samples-{step:06d}.png")
                        sheeted = now
                yield TrainProgress(step, float(loss), now - started, checked, "saved")
            else:
                yield TrainProgress(step, float(loss), now - started)
            if last:
                break
