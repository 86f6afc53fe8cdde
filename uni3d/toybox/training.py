"""Training of the toybox teacher: resumable at any moment, deterministic from its seed.

DDPM in the clean-image parameterisation with the v-loss weight 1 / sigma^2 (clipped), AdamW, EMA.
The first `SMALL_SHARE` of the run sees pictures at half size, which is four times cheaper.
"""

import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import avg_pool2d, pixel_shuffle, pixel_unshuffle

from uni3d.teacher.sampler import euler
from uni3d.toybox import dataset, grammar, model

__all__ = ["TrainConfig", "TrainProgress", "sample_pictures", "train"]

SHIPPED = Path(__file__).parent / "weights" / "teacher"
WEIGHT_CLIP = 8.0  # of 1 / sigma^2: keeps the cleanest noise levels from ruling the gradient
EVALUATION_PICTURES = 128
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
    worn_share: float = 0.0  # of a batch drawn from the toys that wear something (world: 1 in 8)
    shards: int = 25
    seed: int = 0
    resume: bool = False
    from_shipped: bool = False  # start from the weights in the package, with fresh moments


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
        text = grammar.caption(what, rng)
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
    return text_encoder(ids).last_hidden_state


def _loss(networks, images, captions, cameras, t, eps) -> Tensor:
    """Per-sample v-loss of the clean-image prediction, `[batch]`."""
    unet, text_encoder, tokenizer, alphas_cumprod = networks
    x0 = pixel_unshuffle(images, model.FACTOR)
    alpha, sigma2 = alphas_cumprod[t].sqrt(), 1 - alphas_cumprod[t]
    noisy = alpha[:, None, None, None] * x0 + sigma2.sqrt()[:, None, None, None] * eps
    context = encode_text(tokenizer, text_encoder, captions)
    predicted = unet(noisy, t, context, class_labels=cameras).sample
    return (predicted - x0).square().mean(dim=(1, 2, 3)) * (1 / sigma2).clamp(max=WEIGHT_CLIP)


@torch.no_grad()
def sample_pictures(networks, prompts, cameras, *, steps=25, guidance=3.0, seed=0) -> Tensor:
    """Teacher samples `[batch, 3, 64, 64]` in [0, 1]; `cameras` are embeddings `[batch, 4]`."""
    unet, text_encoder, tokenizer, alphas_cumprod = networks
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
    x0 = euler(denoise, noise, sigmas[t_index])
    return (pixel_shuffle(x0, model.FACTOR).clamp(-1, 1) + 1) / 2


def _state_files(out: Path) -> tuple[Path, Path]:
    return out / "state.safetensors", out / "state.json"


def save_state(config: TrainConfig, step: int, modules, average, optimizer) -> None:
    """Weights, their moving average and both Adam moments, in one safetensors file."""
    tensors: dict[str, Tensor] = {}
    for name, parameter in _parameters(modules):
        tensors[f"weight/{name}"] = parameter.data.contiguous()
        tensors[f"average/{name}"] = average[name].contiguous()
        state = optimizer.state.get(parameter)
        if state:
            tensors[f"m/{name}"] = state["exp_avg"].contiguous()
            tensors[f"v/{name}"] = state["exp_avg_sq"].contiguous()
    tensor_path, json_path = _state_files(config.out)
    temporary = tensor_path.with_suffix(".tmp")
    save_file(tensors, temporary, metadata={"step": str(step)})
    temporary.replace(tensor_path)
    described = {k: str(v) for k, v in dataclasses.asdict(config).items()}
    json_path.write_text(json.dumps({"step": step, "config": described}, indent=2) + "\n")


def _parameters(modules) -> Iterator[tuple[str, torch.nn.Parameter]]:
    for prefix, module in modules.items():
        for name, parameter in module.named_parameters():
            yield f"{prefix}.{name}", parameter


def load_state(config: TrainConfig, modules, average, optimizer) -> int:
    """Restore what `save_state` wrote; returns the step to go on from."""
    tensors = load_file(_state_files(config.out)[0])
    from safetensors import safe_open

    with safe_open(_state_files(config.out)[0], "pt") as file:
        step = int(file.metadata()["step"])
    for name, parameter in _parameters(modules):
        parameter.data.copy_(tensors[f"weight/{name}"])
        average[name].copy_(tensors[f"average/{name}"])
        if f"m/{name}" in tensors:
            optimizer.state[parameter] = {
                "step": torch.tensor(float(step)),
                # In the parameter's memory layout: the fused step walks through memory.
                "exp_avg": torch.empty_like(parameter).copy_(tensors[f"m/{name}"]).detach(),
                "exp_avg_sq": torch.empty_like(parameter).copy_(tensors[f"v/{name}"]).detach(),
            }
    return step


def load_shipped(modules) -> None:
    """Take the weights that the package ships."""
    for prefix, file in (("unet", "diffusion_pytorch_model"), ("text_encoder", "model")):
        tensors = load_file(SHIPPED / prefix / f"{file}.safetensors")
        modules[prefix].load_state_dict({k: v.float() for k, v in tensors.items()}, strict=False)


def ship(config: TrainConfig) -> None:
    """Write the averaged weights of a run into the package, with their card."""
    tokenizer = model.build_tokenizer(config.out / "tokenizer")
    unet, text_encoder, scheduler = model.build_networks(len(tokenizer), config.seed)
    tensors = load_file(_state_files(config.out)[0])
    for name, parameter in _parameters({"unet": unet, "text_encoder": text_encoder}):
        parameter.data.copy_(tensors[f"average/{name}"])
    model.save_folder(SHIPPED, unet, text_encoder, tokenizer, scheduler)
    state = json.loads(_state_files(config.out)[1].read_text())
    count = sum(p.numel() for p in unet.parameters())
    continued = state["config"]["from_shipped"] == "True"
    history = _history() if continued else []
    command = f"uni3d toybox train{' --from-shipped' if continued else ''} --steps {config.steps}"
    history.append(
        f"  - {state['step']} of {config.steps} steps of {config.batch} pictures (twice that at "
        f"half size, {config.small_share:.0%} of them), AdamW {config.learning_rate}: `{command} "
        f"--shards {config.shards} --seed {config.seed} --small-share {config.small_share} "
        f"--worn-share {config.worn_share} --ship`"
    )
    lines = "\n".join(history)
    card = f"""# The toybox teacher

A text-to-image diffusion model of a procedural world of {len(grammar.KINDS)} kinds of toys; it
knows nothing else. {count / 1e6:.1f} M parameters, 64x64 pictures, weights in half precision.

- data: shards of {dataset.SHARD} pictures, as many and from the seed that each command names
- trained by these, each going on from the one before (average 0.999; to go on: `--from-shipped`):
{lines}
- what it reaches: `uni3d toybox evaluate` prints it
- limits: only the words of its grammar; one object on a plain background; 64x64 pixels
"""
    (SHIPPED / "README.md").write_text(card)


def _history() -> list[str]:
    """What the card in the package says of earlier trainings."""
    card = SHIPPED / "README.md"
    lines = card.read_text().splitlines() if card.exists() else []
    return [line for line in lines if line.startswith("  - ")]


class _Swapped:
    """Context in which the networks hold their averaged weights."""

    def __init__(self, modules, average) -> None:
        self.modules, self.average = modules, average

    def __enter__(self) -> None:
        self.kept = {n: p.data.clone() for n, p in _parameters(self.modules)}
        for name, parameter in _parameters(self.modules):
            parameter.data.copy_(self.average[name])

    def __exit__(self, *_: object) -> None:
        for name, parameter in _parameters(self.modules):
            parameter.data.copy_(self.kept[name])


def _validation_loss(networks, pictures: dataset.Pictures) -> float:
    rng = np.random.default_rng(12345)
    generator = torch.Generator().manual_seed(12345)
    losses = []
    for start in range(0, EVALUATION_PICTURES, 32):
        # The last shard is kept out of training.
        indices = len(pictures) - dataset.SHARD + start * 7 + np.arange(32) * 7
        images, captions, cameras = _batch(pictures, indices, rng)
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


def train(config: TrainConfig) -> Iterator[TrainProgress]:
    """Train, yielding progress; the state in `config.out` is current whenever it stops."""
    config.out.mkdir(parents=True, exist_ok=True)
    # 1. the data
    dataset.prepare(config.out / "pictures", config.shards, config.seed)
    pictures = dataset.Pictures(config.out / "pictures", config.shards, config.seed)
    # 2. the networks
    words = config.out / "tokenizer"
    if not config.resume:
        (words / "merges.txt").unlink(missing_ok=True)  # an earlier run's
        if config.from_shipped:
            model.adopt_tokenizer(SHIPPED / "tokenizer", words)
    tokenizer = model.build_tokenizer(words)
    unet, text_encoder, scheduler = model.build_networks(len(tokenizer), config.seed)
    unet = unet.to(memory_format=torch.channels_last)
    modules = {"unet": unet, "text_encoder": text_encoder}
    networks = (unet, text_encoder, tokenizer, scheduler.alphas_cumprod)
    parameters = [p for _, p in _parameters(modules)]
    optimizer = torch.optim.AdamW(parameters, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    if config.from_shipped:
        load_shipped(modules)
    average = {n: p.data.clone() for n, p in _parameters(modules)}
    step = load_state(config, modules, average, optimizer) if config.resume else 0
    worn = pictures.wearing(len(pictures) - dataset.SHARD)
    # 3. the loop: everything random follows from (seed, step)
    started = saved = sheeted = time.monotonic()
    while step < config.steps:
        rng = np.random.default_rng((config.seed, step))
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
        small = step < config.small_share * config.steps
        count = config.batch * (2 if small else 1)
        indices = rng.integers(len(pictures) - dataset.SHARD, size=count)
        chosen = round(config.worn_share * count)
        if chosen:
            indices[:chosen] = rng.choice(worn, chosen)
        images, captions, cameras = _batch(pictures, indices, rng)
        if small:
            images = avg_pool2d(images, 2)
        t = ((torch.arange(count) + torch.rand(count, generator=generator)) * (1000 / count)).long()
        side = images.shape[-1] // model.FACTOR
        eps = torch.randn(count, 3 * model.FACTOR**2, side, side, generator=generator)
        loss = _loss(networks, images, captions, cameras, t, eps).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = _learning_rate(config, step)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        decay = min(0.999, (1 + step) / (10 + step))
        for name, parameter in _parameters(modules):
            average[name].lerp_(parameter.data, 1 - decay)
        step += 1
        now = time.monotonic()
        last = step == config.steps or now - started > config.minutes * 60
        if last or now - saved > 240:
            save_state(config, step, modules, average, optimizer)
            saved = now
            with _Swapped(modules, average):
                checked = _validation_loss(networks, pictures)
                if last or now - sheeted > 600:
                    _sheet(networks, config.out / f"samples-{step:06d}.png")
                    sheeted = now
            yield TrainProgress(step, float(loss.detach()), now - started, checked, "saved")
        else:
            yield TrainProgress(step, float(loss.detach()), now - started)
        if last:
            break
