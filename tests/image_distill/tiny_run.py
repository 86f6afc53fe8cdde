"""A tiny teacher, a tiny data set, and recipes that use them."""

from pathlib import Path

import numpy as np
import torch

from image_distill.denoisers import build
from image_distill.prepare import EDMWriter
from image_distill.recipe import Recipe
from image_distill.state import read_state
from image_distill.teachers import write_denoiser
from image_distill.train import train

ARGUMENTS = {
    "img_resolution": 8,
    "in_channels": 1,
    "out_channels": 1,
    "label_dim": 3,
    "model_channels": 16,
    "channel_mult": [1],
    "num_blocks": 1,
    "attn_resolutions": [],
    "dropout": 0.1,
}


def write_teacher(folder: Path, seed: int = 0, **changes: object) -> Path:
    arguments = ARGUMENTS | changes
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build("SongUNet", arguments)
        for parameter in network.parameters():  # the last layers begin at zero
            parameter.data += 0.05 * torch.randn(parameter.shape)
        for name, parameter in network.named_parameters():
            if name.endswith("qkv.weight"):  # else attention is uniform, and learns from rounding
                parameter.data *= 3
    write_denoiser(folder, network, {"network": "SongUNet", "init_kwargs": arguments})
    return folder


def write_data(path: Path, number: int = 30, size: int = 8) -> Path:
    random = np.random.default_rng(0)
    with EDMWriter(path) as writer:
        for i in range(number):
            writer.add(random.integers(0, 256, (size, size), dtype=np.uint8), i % 3)
    return path


def recipe(world: Path, outdir: Path, **changes: object) -> Recipe:
    """20 steps of 4 images: 2 of the critics alone, 3 of warm-up, then the divergence."""
    keys = {
        "edm_model": str(world / "teacher"),
        "data": str(world / "data.zip"),
        "outdir": str(outdir),
        "cond": True,
        "divergence": "forward-kl",
        "batch": 4,
        "duration": 80e-6,
        "tick": 0.02,
        "snap": 0,
        "dump": 1,
        "warmup_fake": 0.008,
        "warmup_sim": 0.02,
        "lr": 1e-3,
        "glr": 1e-3,
    }
    return Recipe(**(keys | changes))


def run(chosen: Recipe):
    """(records, tensors of the last checkpoint)."""
    records = list(train(chosen))
    return records, read_state(Path(chosen.outdir) / "checkpoint.safetensors")[0]


def largest_gap(first: dict, second: dict, *parts: str) -> float:
    assert first.keys() == second.keys()
    names = [name for name in first if name.startswith(parts)]
    assert names
    return max(float((first[n].double() - second[n].double()).abs().max()) for n in names)
