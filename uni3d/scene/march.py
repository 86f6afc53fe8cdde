"""Samples along rays: the unit ball in equal steps, empty cells skipped, packed ray by ray."""

import dataclasses
from typing import NamedTuple

import numpy as np
import torch
from numba import prange
from torch import Tensor

from uni3d.scene.kernels import as_array, kernel, launch

__all__ = ["Limits", "Rays", "Samples", "ball_interval", "lattice", "march", "pack", "prune"]

RAY_CHUNK = 64  # rays per parallel piece; fixed, so that results do not depend on the threads
ONE = np.float32(1)


class Rays(NamedTuple):
    """Flat rays: origins and unit directions `[rays, 3]`, and the phase `[rays]` of their samples.

    jitter is in [0, 1); 0.5 is the midpoint rule.
    """

    origins: Tensor
    directions: Tensor
    jitter: Tensor


class Limits(NamedTuple):
    """How rays are cut: step length in scene units, and which samples are worth asking for."""

    step: float
    alpha_min: float = 0.0
    transmittance_min: float = 0.0


@dataclasses.dataclass(frozen=True)
class Samples:
    """Samples of many rays, stored one ray after the other.

    offsets: int64 `[rays + 1]`; ray r owns samples offsets[r]..offsets[r + 1]
    ray_indices: int64 `[n]`; t_starts, t_ends: float32 `[n]`, distances along the unit direction.
    """

    offsets: Tensor
    ray_indices: Tensor
    t_starts: Tensor
    t_ends: Tensor

    @property
    def midpoints(self) -> Tensor:
        """Distances `[n]` at which the field is asked."""
        return (self.t_starts + self.t_ends) * 0.5

    def points(self, origins: Tensor, directions: Tensor) -> Tensor:
        """Sample positions `[n, 3]` from the rays' `[rays, 3]`."""
        along = directions.index_select(0, self.ray_indices) * self.midpoints[:, None]
        return along.add_(origins.index_select(0, self.ray_indices))


def ball_interval(origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Where rays `[rays, 3]` enter and leave the unit ball, `[rays]` each, not behind the origin.

    A ray that misses gets (0, 0). Directions must have unit length.
    """
    middle = -(origins * directions).sum(-1)
    closest = origins + middle[:, None] * directions  # better conditioned than |o|^2 - middle^2
    half_squared = 1 - closest.square().sum(-1)
    half = half_squared.clamp(min=0).sqrt()
    near, far = (middle - half).clamp(min=0), (middle + half).clamp(min=0)
    hit = half_squared > 0
    return torch.where(hit, near, 0), torch.where(hit, far, 0)


def lattice(origins: Tensor, directions: Tensor, jitter: Tensor, step: float):
    """First midpoint `[rays]`, end of the ball `[rays]`, and the most midpoints a ray can have."""
    near, far = ball_interval(origins, directions)
    return near + jitter * step, far, int(2 / step) + 2


@kernel(parallel=True)
def _march(origins, directions, first, last, step, occupied, midpoints, counts):
    cells = occupied.shape[0]
    half_cells = np.float32(cells) * np.float32(0.5)
    rays = origins.shape[0]
    for chunk in prange((rays + RAY_CHUNK - 1) // RAY_CHUNK):
        for r in range(chunk * RAY_CHUNK, min((chunk + 1) * RAY_CHUNK, rays)):
            kept = 0
            for k in range(midpoints.shape[1]):
                t = first[r] + np.float32(k) * step
                if t >= last[r]:
                    break
                ix = int((origins[r, 0] + t * directions[r, 0] + ONE) * half_cells)
                iy = int((origins[r, 1] + t * directions[r, 1] + ONE) * half_cells)
                iz = int((origins[r, 2] + t * directions[r, 2] + ONE) * half_cells)
                ix = min(max(ix, 0), cells - 1)
                iy = min(max(iy, 0), cells - 1)
                iz = min(max(iz, 0), cells - 1)
                if occupied[ix, iy, iz] != 0:
                    midpoints[r, kept] = t
                    kept += 1
            counts[r] = kept


@kernel(parallel=True)
def _pack(midpoints, offsets, half_step, ray_indices, t_starts, t_ends):
    rays = midpoints.shape[0]
    for chunk in prange((rays + RAY_CHUNK - 1) // RAY_CHUNK):
        for r in range(chunk * RAY_CHUNK, min((chunk + 1) * RAY_CHUNK, rays)):
            for i in range(offsets[r], offsets[r + 1]):
                t = midpoints[r, i - offsets[r]]
                ray_indices[i] = r
                t_starts[i] = t - half_step
                t_ends[i] = t + half_step


def pack(midpoints: Tensor, counts: Tensor, step: float) -> Samples:
    """Padded midpoints `[rays, most]` of which the first counts[r] are valid -> `Samples`."""
    offsets = torch.zeros(counts.shape[0] + 1, dtype=torch.int64)
    torch.cumsum(counts, 0, out=offsets[1:])
    total = int(offsets[-1])
    samples = Samples(
        offsets, torch.empty(total, dtype=torch.int64), torch.empty(total), torch.empty(total)
    )
    launch(
        _pack,
        as_array(midpoints),
        as_array(offsets),
        np.float32(step / 2),
        as_array(samples.ray_indices),
        as_array(samples.t_starts),
        as_array(samples.t_ends),
    )
    return samples


def march(
    origins: Tensor, directions: Tensor, occupied: Tensor, jitter: Tensor, step: float
) -> Samples:
    """Samples of rays `[rays, 3]` in the occupied cells (bool `[R, R, R]`) of the unit ball.

    Midpoints are near + (k + jitter) * step, k = 0, 1, ..., below far; jitter `[rays]` in [0, 1)
    comes from outside (0.5: the midpoint rule). Uniform jitter makes the sum over samples of
    f * step an unbiased estimate of the integral of f. Nothing here is differentiable.
    """
    walk, midpoints, counts = walk_arguments(Rays(origins, directions, jitter), occupied, step)
    launch(_march, *walk, as_array(midpoints), as_array(counts))
    return pack(midpoints, counts, step)


def walk_arguments(
    rays: Rays, occupied: Tensor, step: float
) -> tuple[tuple[np.ndarray | np.float32, ...], Tensor, Tensor]:
    """For a kernel that walks rays: its first arguments, and the outputs that it fills.

    The outputs are midpoints `[rays, most]` and counts `[rays]`, as `pack` takes them.
    """
    first, last, most = lattice(*rays, step)
    count = rays.origins.shape[0]
    arguments = (
        as_array(rays.origins),
        as_array(rays.directions),
        as_array(first),
        as_array(last),
        np.float32(step),
        as_array(occupied).view(np.uint8),
    )
    return arguments, torch.empty(count, most), torch.empty(count, dtype=torch.int64)


def prune(
    samples: Samples, densities: Tensor, alpha_min: float, transmittance_min: float
) -> Samples:
    """Only the samples `[n]` that can be seen, given their densities.

    Dropped: those with opacity below alpha_min, and those behind the point where the kept ones
    left less than transmittance_min of the light.
    """
    optical = densities.detach() * (samples.t_ends - samples.t_starts)  # [n]
    optical = torch.where(-torch.expm1(-optical) >= alpha_min, optical, 0).double()
    before = optical.cumsum(0) - optical  # over all rays
    start = torch.cat([before, before.new_zeros(1)])[samples.offsets[:-1]]  # [rays]
    transmittance = torch.exp(start[samples.ray_indices] - before)
    keep = (optical > 0) & (transmittance >= transmittance_min)
    counts = torch.zeros(len(samples.offsets) - 1, dtype=torch.int64)
    counts.index_add_(0, samples.ray_indices[keep], torch.ones(int(keep.sum()), dtype=torch.int64))
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    return Samples(offsets, samples.ray_indices[keep], samples.t_starts[keep], samples.t_ends[keep])
