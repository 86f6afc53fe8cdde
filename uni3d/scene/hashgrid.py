"""Multiresolution hash encoding with tiny-cuda-nn's layout, on a CPU.

Rules (Mueller et al. 2022, and the conventions of tiny-cuda-nn's `HashGrid`): level `l` has
scale = base * growth^l - 1 and resolution = ceil(scale) + 1; a point x in [0, 1]^3 falls at
x * scale + 0.5; a level whose resolution^3 corners fit the table is indexed densely, others by the
spatial hash; level sizes are rounded up to a multiple of 8. A table is one flat float32 tensor,
interchangeable with `tinycudann.Encoding.params`. At the upper border (x > 1 - 0.5 / scale) a dense
level wraps to another corner, as it does there; objects live in the unit ball, so it hardly shows.
"""

import dataclasses
import functools
import math

import numpy as np
import torch
from torch import Tensor

from uni3d.errors import ConfigError
from uni3d.scene import hashgrid_kernels as kernels
from uni3d.scene.kernels import as_array, launch

__all__ = ["HashGrid", "encode"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class HashGrid:
    """Shape of an encoding; two features per level, `2 * levels` outputs."""

    levels: int = 8
    log2_table_size: int = 15
    base_resolution: int = 8
    max_resolution: int = 128

    def __post_init__(self) -> None:
        if self.levels < 1 or not 3 <= self.log2_table_size <= 24:
            raise ConfigError(
                f"hash grid: got levels={self.levels}, log2_table_size={self.log2_table_size}; "
                "want levels >= 1 and log2_table_size in 3..24; do: change it"
            )
        if not 2 <= self.base_resolution <= self.max_resolution <= 1 << 20:
            raise ConfigError(
                f"hash grid: got base_resolution={self.base_resolution}, "
                f"max_resolution={self.max_resolution}; want 2 <= base <= max <= 2^20; "
                "do: change it"
            )

    @property
    def growth(self) -> float:
        """Factor between the resolutions of neighbouring levels."""
        if self.levels == 1:
            return 1.0
        return math.exp(math.log(self.max_resolution / self.base_resolution) / (self.levels - 1))

    @functools.cached_property
    def scales(self) -> np.ndarray:
        """float32 `[levels]`: `base * growth^l - 1`, computed in float64 and rounded once.

        numpy's float32 powers differ between processors in the last bit, and that bit can add a
        resolution step: a checkpoint would not fit another machine.
        """
        exact = self.base_resolution * self.growth ** np.arange(self.levels) - 1
        return exact.round(9).astype(np.float32)

    @functools.cached_property
    def layout(self) -> np.ndarray:
        """int64 `[levels, 4]`: first entry, number of entries, resolution, hashed (0 or 1)."""
        rows, start, largest = [], 0, 1 << self.log2_table_size
        for scale in self.scales:
            resolution = math.ceil(scale) + 1
            size = min(-(-(resolution**3) // 8) * 8, largest)
            rows.append((start, size, resolution, int(resolution**3 > size)))
            start += size
        return np.array(rows, dtype=np.int64)

    @property
    def entries(self) -> int:
        """Table rows over all levels; the flat table has twice as many numbers."""
        return int(self.layout[-1, 0] + self.layout[-1, 1])

    @property
    def outputs(self) -> int:
        return 2 * self.levels


class _Encode(torch.autograd.Function):
    @staticmethod
    def forward(ctx, points: Tensor, table: Tensor, grid: HashGrid) -> Tensor:
        out = torch.empty(points.shape[0], grid.outputs)
        ctx.grid = grid
        ctx.save_for_backward(points, table)
        launch(
            kernels.encode_forward,
            as_array(points),
            as_array(table),
            grid.layout,
            grid.scales,
            as_array(out),
        )
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_out: Tensor):
        points, table = ctx.saved_tensors
        grid, grad, grad_points, grad_table = ctx.grid, as_array(grad_out), None, None
        if ctx.needs_input_grad[0]:
            grad_points = torch.empty_like(points, memory_format=torch.contiguous_format)
            launch(
                kernels.backward_points,
                as_array(points),
                as_array(table),
                grad,
                grid.layout,
                grid.scales,
                as_array(grad_points),
            )
        if ctx.needs_input_grad[1]:
            grad_table = torch.zeros_like(table, memory_format=torch.contiguous_format)
            launch(
                kernels.backward_table,
                as_array(points),
                grad,
                grid.layout,
                grid.scales,
                as_array(grad_table),
            )
        return grad_points, grad_table, None


def encode(points: Tensor, table: Tensor, grid: HashGrid) -> Tensor:
    """Features `[n, 2 * levels]` of points `[n, 3]` in [0, 1]^3 (clamped to it).

    points, table: float32 on the CPU; table is flat, `[2 * grid.entries]`. Differentiable once to
    both; bit-equal on every run and for every number of threads.
    """
    assert points.ndim == 2 and points.shape[1] == 3, f"points: got {tuple(points.shape)}"
    assert table.numel() == 2 * grid.entries, f"table: got {table.numel()}, want {2 * grid.entries}"
    assert points.dtype == table.dtype == torch.float32, f"got {points.dtype}, {table.dtype}"
    return _Encode.apply(points, table, grid)
