"""Training of the recogniser: fresh pictures of the whole world, exact to resume."""

import dataclasses
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from uni3d.errors import CheckpointError
from uni3d.storage import checkpoint
from uni3d.storage.lock import held as lock
from uni3d.storage.whole import temporary_names
from uni3d.toybox import dataset
from uni3d.toybox.recogniser import Recogniser, labels, pictures_of

__all__ = ["RecogniserConfig", "train_recogniser"]

HELD_SHARE = 0.2  # of its pictures that show held-out compositions
SAVE_EVERY = 500  # steps


@dataclasses.dataclass(frozen=True)
class RecogniserConfig:
    """What a training of the recogniser is; its state stands beside `out`."""

    out: Path
    steps: int = 30000
    batch: int = 64
    shards: int = 25
    renew: int = 150  # steps after which a fresh shard takes the place of the oldest; 0: never
    seed: int = 777  # one of its own: the teacher's pictures are not its pictures
    learning_rate: float = 2e-3
    bf16: bool = False  # forward and backward in bfloat16; weights stay fp32
    resume: bool = False

    @property
    def state(self) -> Path:
        return self.out.with_suffix(".state.safetensors")


def _augmented(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Mirroring; blur and noise, so that soft samples are judged by shape, not by sharpness."""
    mirrored = torch.from_numpy(rng.random(len(images)) < 0.5)[:, None, None, None]
    images = torch.where(mirrored, images.flip(3), images)
    if rng.random() < 0.3:
        images = nn.functional.avg_pool2d(images, 3, 1, 1, count_include_pad=False)
    if rng.random() < 0.3:
        noise = torch.from_numpy(rng.standard_normal(images.shape, dtype=np.float32))
        images = images + 0.04 * noise
    shift = tuple(int(v) for v in rng.integers(-3, 4, 2))
    return images.roll(shift, dims=(2, 3))


def _learning_rate(config: RecogniserConfig, step: int) -> float:
    """Linear for the first twentieth of the steps, then half a cosine down to zero."""
    warm = min(1.0, (step + 1) / max(1.0, config.steps / 20))
    return config.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * step / config.steps))


def _loss(net: Recogniser, images: Tensor, target: dict[str, Tensor], bf16: bool) -> Tensor:
    """Mean cross entropy of each head over the pictures of which it is asked, summed."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        logits = net(images)
    losses = [
        cross_entropy(logits[name].float(), rows, ignore_index=-1)
        for name, rows in target.items()
        if (rows >= 0).any()
    ]
    return torch.stack(losses).sum()


def _save_state(config: RecogniserConfig, step: int, net: Recogniser, optimizer) -> None:
    tensors = checkpoint.with_prefix("network", net.state_dict())
    tensors |= checkpoint.with_prefix("optimizer", checkpoint.optimizer_state(optimizer))
    checkpoint.save(config.state, tensors, {"step": step})


def _load_state(config: RecogniserConfig, net: Recogniser, optimizer) -> int:
    """Restore what `_save_state` wrote; returns the step to go on from."""
    tensors, described = checkpoint.load(config.state)
    try:
        net.load_state_dict(checkpoint.without_prefix("network", tensors))
        moments = checkpoint.without_prefix("optimizer", tensors)
        checkpoint.restore_optimizer(optimizer, moments)
        return int(described["step"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{config.state}: not the state of this training ({error}); wanted one of today's "
            "world and network; do: leave out --resume"
        ) from error


def _write(config: RecogniserConfig, net: Recogniser) -> None:
    """The weights in half precision, with the names of their rows, to `config.out`."""
    tensors = {k: v.half() if v.is_floating_point() else v for k, v in net.state_dict().items()}
    said = {name: str(value) for name, value in dataclasses.asdict(config).items()}
    card = {**said, "names": json.dumps(net.names)}
    with temporary_names([config.out]) as (temporary,):
        save_file({k: v.contiguous() for k, v in tensors.items()}, temporary, metadata=card)


def train_recogniser(
    config: RecogniserConfig, stop: Callable[[], bool] = lambda: False
) -> Iterator[tuple[int, float]]:
    """Train and write `config.out`; yields (step, loss). Ends early, its state saved, on `stop`.

    Raises CheckpointError where `resume` finds no state of this training, or another process
    trains with the same pictures; NonFiniteError where the state is not finite (it is not saved).
    """
    folder = config.out.parent / "recogniser-pictures"
    folder.mkdir(parents=True, exist_ok=True)
    with lock(folder):
        yield from _trained(config, folder, stop)


def _trained(
    config: RecogniserConfig, folder: Path, stop: Callable[[], bool]
) -> Iterator[tuple[int, float]]:
    held_shards = max(1, round(config.shards * HELD_SHARE))
    dataset.prepare(folder, held_shards, config.seed, True)
    held = dataset.Pictures(folder, held_shards, config.seed, True)
    torch.manual_seed(config.seed)
    net = Recogniser()  # its layout takes a fifth off a step in bfloat16
    net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimizer = torch.optim.AdamW(net.parameters(), lr=config.learning_rate, weight_decay=0.02)
    first = _load_state(config, net, optimizer) if config.resume else 0
    net.train()
    with dataset.Window(folder, config.shards, config.seed, config.renew) as window:
        for step in range(first, config.steps):
            rng = np.random.default_rng((config.seed, step))
            torch.manual_seed(int(rng.integers(2**62)))  # of the dropout
            images, what = [], []
            count = round(config.batch * HELD_SHARE)
            for pictures, n in ((window.at(step), config.batch - count), (held, count)):
                part = pictures_of(pictures, rng.integers(len(pictures), size=n), rng)
                images.append(part[0])
                what += part[1]
            for group in optimizer.param_groups:
                group["lr"] = _learning_rate(config, step)
            shown = _augmented(torch.cat(images), rng)
            shown = shown.contiguous(memory_format=torch.channels_last)
            loss = _loss(net, shown, labels(what, net.names), config.bf16)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield step + 1, float(loss.detach())
            if stop() or (step + 1) % SAVE_EVERY == 0 or step + 1 == config.steps:
                _save_state(config, step + 1, net, optimizer)
            if stop():
                return
    _write(config, net)
