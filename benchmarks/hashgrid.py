"""How much faster the numba hash grid is than a plain torch one, and where a step's time goes.

    python benchmarks/hashgrid.py [--threads 2] [--points 262144] [--runs 7]

Both encodings are timed in turns in one run, forward plus gradient to the table, so that a busy
machine slows both alike. Medians.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from uni3d.cameras import Cameras
from uni3d.scene.backends import CPU
from uni3d.scene.field import Background, FieldConfig, HashField
from uni3d.scene.hashgrid import HashGrid, encode
from uni3d.scene.march import Rays
from uni3d.scene.occupancy import OccupancyGrid
from uni3d.scene.render import RenderConfig, render


def torch_encode(points: Tensor, table: Tensor, grid: HashGrid) -> Tensor:
    """The multiresolution encoding as torch users on a CPU write it: gather 8 corners per level."""
    rows, features = table.view(-1, 2), []
    corners = torch.tensor([[(c >> axis) & 1 for axis in range(3)] for c in range(8)])
    primes = torch.tensor([1, 2654435761, 805459861])
    for (start, size, resolution, hashed), scale in zip(
        grid.layout.tolist(), grid.scales.tolist(), strict=True
    ):
        position = points * scale + 0.5
        cell = position.floor()
        fraction = (position - cell)[:, None]
        corner = cell.long()[:, None] + corners  # [n, 8, 3]
        if hashed:
            keys = corner * primes
            slot = (keys[..., 0] ^ keys[..., 1] ^ keys[..., 2]) & (size - 1)
        else:
            strides = torch.tensor([1, resolution, resolution**2])
            slot = (corner * strides).sum(-1) % size
        weight = torch.where(corners.bool(), fraction, 1 - fraction).prod(-1, keepdim=True)
        features.append((rows[start + slot] * weight).sum(1))
    return torch.cat(features, dim=-1)


def clock(work: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def compare_encodings(points: int, runs: int) -> None:
    grid, generator = HashGrid(), torch.Generator().manual_seed(0)
    at = torch.rand(points, 3, generator=generator)
    table = torch.randn(2 * grid.entries, generator=generator).requires_grad_()
    slope = torch.randn(points, grid.outputs, generator=generator)
    times: dict[str, list[tuple[float, float]]] = {"numba": [], "torch": []}
    outputs = {}
    for turn in range(runs + 1):
        for name, function in (("numba", encode), ("torch", torch_encode)):
            table.grad = None
            start = time.perf_counter()
            out = function(at, table, grid)
            middle = time.perf_counter()
            out.backward(slope)
            end = time.perf_counter()
            if turn:  # the first turn compiles and warms up
                times[name].append(((middle - start) * 1e3, (end - middle) * 1e3))
            outputs[name] = (out.detach(), table.grad)
    print(f"encode {points} points, {grid.levels} levels, {torch.get_num_threads()} threads [ms]")
    for name, pairs in times.items():
        forward, backward = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"  {name}: forward {forward:8.1f}  backward {backward:8.1f}")
    ratios = [sum(slow) / sum(fast) for fast, slow in zip(*times.values(), strict=True)]
    print(f"  ratio torch / numba: median {statistics.median(ratios):.1f}, least {min(ratios):.1f}")
    for index, what in enumerate(("features", "table gradient")):
        fast, slow = outputs["numba"][index], outputs["torch"][index]
        print(f"  {what} differ by {float((fast - slow).norm() / slow.norm()):.1e} (relative L2)")


def split_a_step(runs: int) -> None:
    """4 views of 64x64 of an opaque ball that fills about a quarter of each picture."""
    generator, config = torch.Generator().manual_seed(0), RenderConfig()
    field = HashField(FieldConfig(blob_density=150.0, blob_radius=0.67), generator)
    occupancy, background = OccupancyGrid(), Background(generator)
    occupancy.update(field.density, generator)
    cameras = Cameras.orbit([0.0, 90.0, 180.0, 270.0], 15.0)
    origins, directions = (rays.reshape(-1, 3).contiguous() for rays in cameras.rays(64, 64))
    rays = Rays(origins, directions, torch.rand(len(origins), generator=generator))
    target = torch.rand(4, 3, 64, 64, generator=generator)
    state: dict = {}

    def forward() -> None:
        state["out"] = render(
            field, occupancy, cameras, 64, 64, background=background, jitter_generator=generator
        )

    def sample() -> None:
        state["samples"] = CPU.sample(field, occupancy.occupied, rays, config.limits)

    parts = {
        "render forward": forward,
        "render backward": lambda: (state["out"].rgb - target).square().mean().backward(),
        "  find samples": sample,
        "  field forward": lambda: state.update(
            field=field(state["samples"].points(origins, directions))
        ),
        "  field backward": lambda: (state["field"][0].sum() + state["field"][1].sum()).backward(),
        "  background, both": lambda: background(directions).sum().backward(),
        "occupancy update": lambda: occupancy.update(field.density, generator),
        "evaluate 4 x 128^2": lambda: torch.no_grad()(render)(
            field, occupancy, cameras, 128, 128, background=background
        ),
    }
    times: dict[str, list[float]] = {name: [] for name in parts}
    for turn in range(runs + 1):
        for name, work in parts.items():
            taken = clock(work)
            if turn:
                times[name].append(taken)
    out = state["out"]
    covered = (out.opacity > 0.5).float().mean().item()
    print(f"4 views of 64x64, {covered:.0%} covered, {len(out.weights)} samples [ms]")
    for name, values in times.items():
        print(f"  {name:20s} median {statistics.median(values):7.1f}  least {min(values):7.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--points", type=int, default=2**18)
    parser.add_argument("--runs", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    compare_encodings(arguments.points, arguments.runs)
    split_a_step(arguments.runs)


if __name__ == "__main__":
    main()
