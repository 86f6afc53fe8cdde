"""The scene: density and colour in the unit ball from a hash grid, and a learned background."""

import dataclasses
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from uni3d.config_io import within
from uni3d.errors import ConfigError
from uni3d.scene import hashgrid, hashgrid_kernels
from uni3d.scene.hashgrid import HashGrid
from uni3d.scene.kernels import as_array, launch
from uni3d.scene.mlp import mlp, mlp_reference

__all__ = ["Background", "FieldConfig", "HashField", "random_background"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FieldConfig:
    """Size of the scene. Lengths in scene units, where the object lives in the unit ball."""

    levels: int = 8  # of the hash grid
    features: int = 2  # per level; 2 is the only size that the kernels know
    log2_table_size: int = 15  # entries of one level's table, as a power of two
    base_resolution: int = 8  # cells along a side of the coarsest level
    max_resolution: int = 128  # cells along a side of the finest level
    hidden: int = 32  # width of the two hidden layers; at least 1
    blob_density: float = 5.0  # a run starts from a soft ball: raw density at its centre
    blob_radius: float = 0.5  # where that bias crosses zero; scene units, above 0

    def __post_init__(self) -> None:
        if self.features != 2:
            raise ConfigError(f"field.features: got {self.features}, want 2; do: leave it out")
        within(
            self,
            "scene.field",
            levels=(1, 32),
            hidden=(1, 4096),
            blob_density=(-1000, 1000),
            blob_radius=(1e-3, 1000),
        )
        _ = self.grid  # checks the rest

    @property
    def grid(self) -> HashGrid:
        return HashGrid(
            levels=self.levels,
            log2_table_size=self.log2_table_size,
            base_resolution=self.base_resolution,
            max_resolution=self.max_resolution,
        )


class HashField(nn.Module):
    """Hash grid, then one ReLU layer for density and one for colour, without bias.

    density = softplus(raw + blob_density * (1 - |x| / blob_radius)) inside the unit ball and
    exactly 0 outside, so that a mesh is closed and rays need to look at the ball only.
    Parameters: `table` (flat, tiny-cuda-nn's layout) and four matrices `[inputs, outputs]`.
    """

    def __init__(
        self, config: FieldConfig, generator: torch.Generator | None = None, *, encode=None
    ) -> None:
        """generator: source of the initial numbers; encode: another backend's `encode`."""
        super().__init__()
        self.config = config
        self.grid = config.grid
        self._encode = encode or hashgrid.encode

        def uniform(bound: float, *shape: int) -> nn.Parameter:
            return nn.Parameter((torch.rand(*shape, generator=generator) * 2 - 1) * bound)

        inputs, hidden = self.grid.outputs, config.hidden
        self.table = uniform(1e-4, 2 * self.grid.entries)  # tiny-cuda-nn's range
        # He: the variance of a ReLU layer is kept when the bound is sqrt(6 / inputs).
        self.density_hidden = uniform(math.sqrt(6 / inputs), inputs, hidden)
        self.density_out = uniform(math.sqrt(6 / hidden), hidden)
        self.color_hidden = uniform(math.sqrt(6 / inputs), inputs, hidden)
        self.color_out = uniform(math.sqrt(6 / hidden), hidden, 3)

    def _features(self, points: Tensor) -> Tensor:
        return self._encode(points * 0.5 + 0.5, self.table, self.grid)  # [n, 2 * levels]

    def _mlp(self, features: Tensor, hidden: Tensor, out: Tensor) -> Tensor:
        return (mlp if features.device.type == "cpu" else mlp_reference)(features, hidden, out)

    def _activate(self, raw: Tensor, points: Tensor) -> Tensor:
        # The square root's slope at 0 is infinite; 1e-12 keeps the centre finite.
        radius = (points.square().sum(-1) + 1e-12).sqrt()  # [n]
        blob = self.config.blob_density * (1 - radius / self.config.blob_radius)
        return functional.softplus(raw + blob) * (radius < 1)

    def density(self, points: Tensor) -> Tensor:
        """Densities `[n]` (per scene unit, >= 0) at points `[n, 3]` in [-1, 1]^3.

        Without gradients one fused kernel answers and nothing large is allocated.
        """
        if torch.is_grad_enabled() or points.device.type != "cpu":
            features = self._features(points)
            raw = self._mlp(features, self.density_hidden, self.density_out[:, None])
            return self._activate(raw[:, 0], points)
        densities = torch.empty(points.shape[0])
        launch(
            hashgrid_kernels.density_forward,
            as_array(points),
            *self.fused_parameters(),
            as_array(densities),
        )
        return densities

    def forward(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Densities `[n]` and colours `[n, 3]` in [0, 1] at points `[n, 3]` in [-1, 1]^3."""
        features = self._features(points)
        # One product for both networks: a wide one is faster than two narrow ones.
        hidden = torch.cat([self.density_hidden, self.color_hidden], dim=1)
        width = self.config.hidden
        out = torch.zeros(2 * width, 4, device=hidden.device)
        out[:width, 0], out[width:, 1:] = self.density_out, self.color_out
        raw = self._mlp(features, hidden, out)  # [n, 4]
        return self._activate(raw[:, 0], points), raw[:, 1:].sigmoid()

    def fused_parameters(self) -> tuple:
        """What the fused numba kernels take after the points, in their order."""
        return (
            as_array(self.table),
            self.grid.layout,
            self.grid.scales,
            as_array(self.density_hidden),
            as_array(self.density_out),
            _float32(self.config.blob_density),
            _float32(self.config.blob_radius),
        )


def _float32(value: float):
    return torch.tensor(value, dtype=torch.float32).numpy()[()]


class Background(nn.Module):
    """Colour by view direction: sines and cosines of the direction, one ReLU layer, sigmoid."""

    def __init__(
        self, generator: torch.Generator | None = None, *, frequencies: int = 3, hidden: int = 16
    ) -> None:
        super().__init__()

        def uniform(*shape: int) -> nn.Parameter:
            bound = math.sqrt(6 / shape[0])
            return nn.Parameter((torch.rand(*shape, generator=generator) * 2 - 1) * bound)

        self.frequencies = frequencies
        self.hidden = uniform(3 + 6 * frequencies, hidden)
        self.out = uniform(hidden, 3)
        with torch.no_grad():
            self.out.mul_(0.1)  # starts near mid grey
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, directions: Tensor) -> Tensor:
        """Colours `[n, 3]` in [0, 1] for unit directions `[n, 3]`."""
        waves = [directions]
        for k in range(self.frequencies):
            waves += [(directions * 2**k).sin(), (directions * 2**k).cos()]
        hidden = (torch.cat(waves, dim=-1) @ self.hidden).relu()
        return (hidden @ self.out + self.bias).sigmoid()


def random_background(batch: int, generator: torch.Generator) -> Tensor:
    """Solid colours `[batch, 3]`, uniform in the RGB cube."""
    return torch.rand(batch, 3, generator=generator)
