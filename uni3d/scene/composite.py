"""Emission-absorption compositing of packed samples (Max 1995; NeRF 2020, Eq. 3).

With alpha_i = 1 - exp(-sigma_i delta_i), T_i = prod_{j<i} (1 - alpha_j) and w_i = T_i alpha_i,
a ray has opacity sum w_i, colour sum w_i c_i and accumulated distance sum w_i t_i.
"""

import dataclasses
import math

import numpy as np
import torch
from numba import prange
from torch import Tensor

from uni3d.scene.kernels import as_array, kernel, launch
from uni3d.scene.march import Samples

__all__ = ["Composited", "composite"]

RAY_CHUNK = 64
ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
FAST = {"contract", "arcp"}


@dataclasses.dataclass(frozen=True)
class Composited:
    """rgb `[rays, 3]` over black, opacity `[rays]`, distance `[rays]` (sum w t), weights `[n]`."""

    rgb: Tensor
    opacity: Tensor
    distance: Tensor
    weights: Tensor


@kernel(parallel=True, fastmath=FAST)
def _forward(densities, colors, starts, ends, offsets, rays_out, weights):
    """rays_out [rays, 5]: red, green, blue, opacity, accumulated distance."""
    rays = offsets.shape[0] - 1
    for chunk in prange((rays + RAY_CHUNK - 1) // RAY_CHUNK):
        for r in range(chunk * RAY_CHUNK, min((chunk + 1) * RAY_CHUNK, rays)):
            red, green, blue, opacity, distance = ZERO, ZERO, ZERO, ZERO, ZERO
            transmittance = ONE
            for i in range(offsets[r], offsets[r + 1]):
                passed = np.float32(math.exp(-densities[i] * (ends[i] - starts[i])))
                weight = transmittance * (ONE - passed)
                weights[i] = weight
                red += weight * colors[i, 0]
                green += weight * colors[i, 1]
                blue += weight * colors[i, 2]
                opacity += weight
                distance += weight * (starts[i] + ends[i]) * HALF
                transmittance *= passed
            rays_out[r, 0], rays_out[r, 1], rays_out[r, 2] = red, green, blue
            rays_out[r, 3], rays_out[r, 4] = opacity, distance


@kernel(parallel=True, fastmath=FAST)
def _backward(
    densities, colors, starts, ends, offsets, grad_rays, grad_weights, grad_densities, grad_colors
):
    """dL/dsigma_i = delta_i (T_{i+1} g_i - sum_{j>i} w_j g_j), g_i = slope of L to w_i."""
    rays = offsets.shape[0] - 1
    for chunk in prange((rays + RAY_CHUNK - 1) // RAY_CHUNK):
        for r in range(chunk * RAY_CHUNK, min((chunk + 1) * RAY_CHUNK, rays)):
            red, green, blue = grad_rays[r, 0], grad_rays[r, 1], grad_rays[r, 2]
            transmittance = ONE
            for i in range(offsets[r], offsets[r + 1]):  # parks T_{i+1} and g_i for the way back
                passed = np.float32(math.exp(-densities[i] * (ends[i] - starts[i])))
                weight = transmittance * (ONE - passed)
                slope = (
                    red * colors[i, 0]
                    + green * colors[i, 1]
                    + blue * colors[i, 2]
                    + grad_rays[r, 3]
                    + grad_rays[r, 4] * (starts[i] + ends[i]) * HALF
                    + grad_weights[i]
                )
                transmittance *= passed
                grad_colors[i, 0] = weight * slope
                grad_densities[i] = transmittance * slope
                grad_colors[i, 1] = weight
            behind = ZERO
            for i in range(offsets[r + 1] - 1, offsets[r] - 1, -1):
                grad_densities[i] = (ends[i] - starts[i]) * (grad_densities[i] - behind)
                behind += grad_colors[i, 0]
                weight = grad_colors[i, 1]
                grad_colors[i, 0] = weight * red
                grad_colors[i, 1] = weight * green
                grad_colors[i, 2] = weight * blue


class _Composite(torch.autograd.Function):
    @staticmethod
    def forward(ctx, densities: Tensor, colors: Tensor, samples: Samples):
        rays_out = torch.empty(len(samples.offsets) - 1, 5)
        weights = torch.empty_like(densities, memory_format=torch.contiguous_format)
        ctx.samples = samples
        ctx.save_for_backward(densities, colors)
        launch(
            _forward,
            as_array(densities),
            as_array(colors),
            as_array(samples.t_starts),
            as_array(samples.t_ends),
            as_array(samples.offsets),
            as_array(rays_out),
            as_array(weights),
        )
        return rays_out, weights

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_rays: Tensor, grad_weights: Tensor):
        densities, colors = ctx.saved_tensors
        samples = ctx.samples
        grad_densities = torch.empty_like(densities, memory_format=torch.contiguous_format)
        grad_colors = torch.empty_like(colors, memory_format=torch.contiguous_format)
        launch(
            _backward,
            as_array(densities),
            as_array(colors),
            as_array(samples.t_starts),
            as_array(samples.t_ends),
            as_array(samples.offsets),
            as_array(grad_rays),
            as_array(grad_weights),
            as_array(grad_densities),
            as_array(grad_colors),
        )
        return grad_densities, grad_colors, None


def composite(densities: Tensor, colors: Tensor, samples: Samples) -> Composited:
    """Composite densities `[n]` and colours `[n, 3]`; differentiable once to both.

    Not differentiable to the sample positions. Bit-equal for every number of threads.
    """
    rays, weights = _Composite.apply(densities, colors, samples)
    return Composited(rays[:, :3], rays[:, 3], rays[:, 4], weights)
