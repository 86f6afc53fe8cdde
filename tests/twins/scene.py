"""Slow twins of the scene's kernels in plain torch: the same numbers by the shortest code."""

import torch
from torch import Tensor, nn

from uni3d.cameras import Cameras
from uni3d.scene.composite import Composited
from uni3d.scene.hashgrid import HashGrid
from uni3d.scene.hashgrid_kernels import PRIME_Y, PRIME_Z
from uni3d.scene.march import Samples, lattice
from uni3d.scene.render import RenderConfig, Rendered, as_images, backdrop_colors, flat_rays


def encode_reference(points: Tensor, table: Tensor, grid: HashGrid) -> Tensor:
    """The twin of `encode` in plain torch, any float type: one gather per level."""
    table = table.reshape(-1, 2)
    features = []
    offsets = torch.tensor([[c & 1, c >> 1 & 1, c >> 2 & 1] for c in range(8)])  # [8, 3]
    for (start, size, resolution, hashed), scale in zip(
        grid.layout.tolist(), grid.scales.tolist(), strict=True
    ):
        position = points.clamp(0, 1) * scale + 0.5  # [n, 3]
        cell = position.detach().floor()
        fraction = (position - cell)[:, None]  # [n, 1, 3]
        corner = cell.long()[:, None] + offsets  # [n, 8, 3]
        x, y, z = corner.unbind(-1)
        if hashed:
            mask32 = 0xFFFFFFFF  # uint32 arithmetic in int64
            slot = x ^ (y * PRIME_Y & mask32) ^ (z * PRIME_Z & mask32)
        else:
            slot = x + y * resolution + z * resolution**2
        values = table[start + slot % size]  # [n, 8, 2]
        weight = torch.where(offsets == 1, fraction, 1 - fraction).prod(-1)  # [n, 8]
        features.append((weight[..., None] * values).sum(1))
    return torch.cat(features, dim=-1)


def march_reference(
    origins: Tensor, directions: Tensor, occupied: Tensor, jitter: Tensor, step: float
) -> Samples:
    """The twin of `march` in torch: the whole lattice `[rays, most]`, then a mask."""
    first, last, most = lattice(origins, directions, jitter, step)
    t = first[:, None] + torch.arange(most, dtype=torch.float32) * step  # [rays, most]
    points = origins[:, None] + t[..., None] * directions[:, None]  # [rays, most, 3]
    cells = occupied.shape[0]
    x, y, z = ((points + 1) * (cells / 2)).long().clamp(0, cells - 1).unbind(-1)
    keep = occupied[x, y, z] & (t < last[:, None])
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), keep.sum(1).cumsum(0)])
    return Samples(offsets, keep.nonzero()[:, 0], t[keep] - step / 2, t[keep] + step / 2)


def composite_reference(densities: Tensor, colors: Tensor, samples: Samples) -> Composited:
    """The twin of `composite` in plain torch, one ray at a time, any float type."""
    weights, rgb, opacity, distance = [], [], [], []
    for start, end in zip(samples.offsets[:-1].tolist(), samples.offsets[1:].tolist(), strict=True):
        ray = slice(start, end)
        t_starts, t_ends = samples.t_starts[ray].to(densities), samples.t_ends[ray].to(densities)
        alpha = 1 - torch.exp(-densities[ray] * (t_ends - t_starts))
        transmittance = torch.cat([alpha.new_ones(1), (1 - alpha).cumprod(0)])[:-1]
        weight = transmittance * alpha
        weights.append(weight)
        rgb.append((weight[:, None] * colors[ray]).sum(0))
        opacity.append(weight.sum())
        distance.append((weight * (t_starts + t_ends) / 2).sum())
    return Composited(
        torch.stack(rgb), torch.stack(opacity), torch.stack(distance), torch.cat(weights)
    )


def render_reference(
    field,
    cameras: Cameras,
    height: int,
    width: int,
    *,
    background: Tensor | nn.Module | None = None,
    jitter_generator: torch.Generator | None = None,
    config: RenderConfig | None = None,
) -> Rendered:
    """The twin of `render` in plain torch: every sample of the ball, nothing skipped or dropped."""
    config = config or RenderConfig()
    rays = flat_rays(cameras, height, width, jitter_generator, torch.device("cpu"))
    everything = torch.ones(1, 1, 1, dtype=torch.bool)
    samples = march_reference(*rays[:2], everything, rays.jitter, config.step_size)
    points = samples.points(*rays[:2])
    densities, colors = field(points)
    out = composite_reference(densities, colors, samples)
    shape = (len(cameras), height, width)
    packed = {
        "weights": out.weights,
        "points": points,
        "densities": densities,
        "directions": rays.directions.index_select(0, samples.ray_indices),
        "ray_indices": samples.ray_indices,
    }
    backdrop = backdrop_colors(background, rays.directions, shape, config)
    return as_images(out, backdrop, shape, packed)
