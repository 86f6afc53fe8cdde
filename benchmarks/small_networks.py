"""Images per second of small networks at 16 x 16, one thread: which design a CPU should train.

    python benchmarks/small_networks.py [--rounds 6] [--batch 64]

Seconds are of this process (CPU time), the best of the rounds; on a machine that others use only
the ratios within one call mean something.
"""

import argparse
import time

import torch

from image_distill.denoisers import build
from image_distill.networks import placed
from uni3d.instruct import denoising_score_matching

DESIGNS = {
    "16 x (1, 2), 2 blocks": (16, (1, 2), 2),
    "16 x (1, 2, 4), 1 block": (16, (1, 2, 4), 1),
    "16 x (1, 2, 4), 2 blocks": (16, (1, 2, 4), 2),
    "16 x (1, 4), 1 block": (16, (1, 4), 1),
    "16 x (1, 4, 4), 1 block": (16, (1, 4, 4), 1),
    "32 x (1, 2), 1 block": (32, (1, 2), 1),
    "32 x (1, 2, 2), 1 block": (32, (1, 2, 2), 1),
}
CHOSEN = "16 x (1, 2), 2 blocks"


def cost(
    design: tuple[int, tuple[int, ...], int],
    *,
    rounds: int,
    batch: int,
    bf16: bool = False,
    channels_last: bool = True,
    fused: bool = True,
) -> tuple[float, float, int]:
    """(ms per image of a forward pass, of a training step, weights)."""
    channels, factors, blocks = design
    arguments = {"img_resolution": 16, "in_channels": 1, "out_channels": 1, "label_dim": 10}
    arguments |= {"model_channels": channels, "channel_mult": factors, "num_blocks": blocks}
    network = build("SongUNet", arguments | {"attn_resolutions": (), "dropout": 0.0}).train()
    network = placed(network, "cpu") if channels_last else network
    adam = torch.optim.Adam(network.parameters(), 1e-3, fused=fused)
    form = torch.channels_last if channels_last else torch.contiguous_format
    x = torch.randn(batch, 1, 16, 16).contiguous(memory_format=form)
    sigma, labels = torch.rand(batch) + 0.1, torch.eye(10)[torch.arange(batch) % 10]
    forward, step = [], []
    for _ in range(rounds):
        begin = time.process_time()
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            network(x, sigma, labels)
        middle = time.process_time()
        adam.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            denoised = network(x, sigma, labels)
        denoising_score_matching(denoised, x, sigma).mean().backward()
        adam.step()
        forward.append(middle - begin)
        step.append(time.process_time() - middle)
    each = 1e3 / batch
    return min(forward) * each, min(step) * each, sum(p.numel() for p in network.parameters())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--batch", type=int, default=64)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    given = {"rounds": arguments.rounds, "batch": arguments.batch}
    base = cost(DESIGNS[CHOSEN], **given)[1]
    print("| network | weights, millions | forward, ms | training step, ms | images/s | relative |")
    print("|---|---|---|---|---|---|")
    rows = [(name, DESIGNS[name], {}) for name in DESIGNS]
    chosen = DESIGNS[CHOSEN]
    rows += [
        (f"{CHOSEN}, bf16", chosen, {"bf16": True}),
        (f"{CHOSEN}, channels first", chosen, {"channels_last": False}),
        (f"{CHOSEN}, optimiser not fused", chosen, {"fused": False}),
    ]
    for name, design, options in rows:
        forward, step, weights = cost(design, **given, **options)
        print(
            f"| {name} | {weights / 1e6:.2f} | {forward:.2f} | {step:.2f} | {1e3 / step:.0f} | "
            f"{step / base:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
