"""Which parts of the scene box are worth looking at: a coarse grid kept up to date by sampling."""

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from uni3d.config_io import within

__all__ = ["OccupancyConfig", "OccupancyGrid"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class OccupancyConfig:
    """resolution cells per axis over [-1, 1]^3; threshold is a density per scene unit."""

    resolution: int = 48  # cells along a side of [-1, 1]^3; at least 1
    # density per scene unit that counts, or the mean of the grid if that is lower; above 0
    threshold: float = 0.1
    decay: float = 0.95  # of the moving maximum, per update; between 0 and 1

    def __post_init__(self) -> None:
        within(
            self,
            "scene.occupancy",
            resolution=(1, 1024),
            threshold=(1e-12, 1e6),
            decay=(1e-6, 1 - 1e-6),
        )


class OccupancyGrid(nn.Module):
    """Buffers `density` (decaying maximum, float32 `[R, R, R]`, x first) and `occupied` (bool).

    The rule is instant-ngp's: density <- max(decay * density, sampled density); a cell counts if
    it exceeds min(mean, threshold). Neighbours of such cells count too, because one sample may
    miss a corner of an object and because an object must be able to grow. Everything counts at
    the start, and again whenever nothing would.
    """

    density: Tensor
    occupied: Tensor

    def __init__(self, config: OccupancyConfig | None = None) -> None:
        super().__init__()
        self.config = config or OccupancyConfig()
        shape = (self.config.resolution,) * 3
        self.register_buffer("density", torch.zeros(shape))
        self.register_buffer("occupied", torch.ones(shape, dtype=torch.bool))

    @torch.no_grad()
    def update(
        self, density_fn: Callable[[Tensor], Tensor], generator: torch.Generator | None
    ) -> None:
        """Sample every cell at one random point (its centre without a generator) and refresh.

        density_fn: points `[n, 3]` -> densities `[n]`.
        """
        resolution = self.config.resolution
        axis = torch.arange(resolution)
        corner = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)
        corner = corner.reshape(-1, 3).float()
        inside = 0.5 if generator is None else torch.rand(corner.shape, generator=generator)
        points = (corner + inside) * (2 / resolution) - 1
        sampled = density_fn(points.to(self.density.device)).reshape(self.density.shape)
        torch.maximum(self.density * self.config.decay, sampled, out=self.density)
        threshold = min(self.density.mean().item(), self.config.threshold)
        above = (self.density > threshold).float()
        grown = functional.max_pool3d(above[None, None], kernel_size=3, stride=1, padding=1)
        self.occupied.copy_(grown[0, 0] > 0)
        if not self.occupied.any():
            self.occupied.fill_(True)

    @property
    def fraction(self) -> float:
        """Share of the cells that count, in [0, 1]."""
        return self.occupied.float().mean().item()
