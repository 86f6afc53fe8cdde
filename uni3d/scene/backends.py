"""Where the three heavy jobs of rendering run: encode points, sample rays, composite samples.

`CPU` (numba) is the default and the only one that is tested. `cuda_backend()` adapts tiny-cuda-nn
and nerfacc to the same three functions; `choose_backend()` takes it where a trial render works.
"""

import subprocess
import sys
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from uni3d.errors import ConfigError, MissingExtraError
from uni3d.scene import composite as compositing
from uni3d.scene import hashgrid, hashgrid_kernels
from uni3d.scene import march as marching
from uni3d.scene.composite import Composited
from uni3d.scene.field import HashField
from uni3d.scene.hashgrid import HashGrid
from uni3d.scene.kernels import as_array, launch
from uni3d.scene.march import Limits, Rays, Samples

__all__ = [
    "CPU",
    "CpuBackend",
    "SceneBackend",
    "choose_backend",
    "cuda_backend",
    "probe_cuda_backend",
]


class SceneBackend(Protocol):
    """What a renderer needs; all rays and points are flat, `[rays, 3]` and `[n, 3]`."""

    name: str
    device: torch.device

    def encode(self, points: Tensor, table: Tensor, grid: HashGrid) -> Tensor:
        """Features `[n, 2 * levels]` of points in [0, 1]^3, differentiable to both tensors."""
        ...

    def sample(self, field, occupied: Tensor, rays: Rays, limits: Limits) -> Samples:
        """Visible samples in the occupied cells (bool `[R, R, R]`); not differentiable."""
        ...

    def composite(self, densities: Tensor, colors: Tensor, samples: Samples) -> Composited:
        """Colours, opacities and weights, differentiable to densities and colours."""
        ...


class CpuBackend:
    """numba kernels. `sample` fuses march, density and pruning when the field is a `HashField`."""

    name = "cpu"
    device = torch.device("cpu")
    encode = staticmethod(hashgrid.encode)
    composite = staticmethod(compositing.composite)

    @torch.no_grad()
    def sample(self, field, occupied: Tensor, rays: Rays, limits: Limits) -> Samples:
        if not isinstance(field, HashField):
            found = marching.march(*rays[:2], occupied, rays.jitter, limits.step)
            density = field.density(found.points(*rays[:2]))
            return marching.prune(found, density, limits.alpha_min, limits.transmittance_min)
        walk, midpoints, counts = marching.walk_arguments(rays, occupied, limits.step)
        launch(
            hashgrid_kernels.walk_visible,
            *walk,
            np.float32(limits.alpha_min),
            np.float32(limits.transmittance_min),
            *field.fused_parameters(),
            as_array(midpoints),
            as_array(counts),
        )
        return marching.pack(midpoints, counts, limits.step)


CPU = CpuBackend()


class _CudaBackend:
    """UNVERIFIED on a GPU: written from the documentation of tiny-cuda-nn and nerfacc 0.5.

    Same table layout as the CPU, so checkpoints move both ways. Not bit-reproducible: the table
    gradient is summed with atomics in an order that changes from run to run.
    """

    name = "cuda"

    def __init__(self) -> None:
        try:
            import nerfacc  # type: ignore[import-not-found]
            import tinycudann  # type: ignore[import-not-found]
        except ImportError as error:
            if error.name == "tinycudann":  # on no package index
                raise ConfigError(
                    "tinycudann is needed for this and is not installed; do: build tiny-cuda-nn's "
                    "bindings for torch (docs/gpu.md)"
                ) from error
            raise MissingExtraError(error.name or "nerfacc", "cuda") from error
        self.device = torch.device("cuda")
        self._nerfacc, self._tinycudann = nerfacc, tinycudann
        self._encodings: dict[HashGrid, torch.nn.Module] = {}

    def encode(self, points: Tensor, table: Tensor, grid: HashGrid) -> Tensor:
        if grid not in self._encodings:
            settings = {
                "otype": "HashGrid",
                "n_levels": grid.levels,
                "n_features_per_level": 2,
                "log2_hashmap_size": grid.log2_table_size,
                "base_resolution": grid.base_resolution,
                "per_level_scale": grid.growth,
            }
            self._encodings[grid] = self._tinycudann.Encoding(3, settings, dtype=torch.float32)
        return torch.func.functional_call(self._encodings[grid], {"params": table}, (points,))

    @torch.no_grad()
    def sample(self, field, occupied: Tensor, rays: Rays, limits: Limits) -> Samples:
        (origins, directions, jitter), step = rays, limits.step
        estimator = self._nerfacc.OccGridEstimator(
            roi_aabb=[-1.0, -1.0, -1.0, 1.0, 1.0, 1.0], resolution=occupied.shape[0], levels=1
        ).to(self.device)
        estimator.binaries = occupied[None]
        # Sampling lowers alpha_thre to the mean of what it believes to be the opacities: at the
        # zeros of a fresh estimator nothing would be left out.
        estimator.occs.fill_(1.0)

        def density(t_starts: Tensor, t_ends: Tensor, ray_indices: Tensor) -> Tensor:
            t = (t_starts + t_ends)[:, None] * 0.5
            return field.density(origins[ray_indices] + t * directions[ray_indices])

        # The phase of each ray's samples comes from our jitter, not from nerfacc's own dice.
        near, far = marching.ball_interval(origins, directions)
        ray_indices, t_starts, t_ends = estimator.sampling(
            origins,
            directions,
            sigma_fn=density,
            t_min=near + (jitter - 0.5) * step,
            t_max=far,
            render_step_size=step,
            alpha_thre=limits.alpha_min,
            early_stop_eps=limits.transmittance_min,
        )
        counts = torch.bincount(ray_indices, minlength=origins.shape[0])
        offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        return Samples(offsets, ray_indices, t_starts, t_ends)

    def composite(self, densities: Tensor, colors: Tensor, samples: Samples) -> Composited:
        rays, index = len(samples.offsets) - 1, samples.ray_indices
        weights, _, _ = self._nerfacc.render_weight_from_density(
            samples.t_starts, samples.t_ends, densities, ray_indices=index, n_rays=rays
        )

        def along(values: Tensor | None) -> Tensor:
            return self._nerfacc.accumulate_along_rays(weights, values, index, rays)

        distance = along(samples.midpoints[:, None])[:, 0]
        return Composited(along(colors), along(None)[:, 0], distance, weights)


def cuda_backend() -> SceneBackend:
    """The CUDA adapter (UNVERIFIED on a GPU). MissingExtraError without its packages."""
    return _CudaBackend()


def choose_backend(name: str, teacher_device: torch.device) -> tuple[SceneBackend, str]:
    """The backend called `name`, and one line for the reader ("" = nothing to say).

    "auto" is the GPU where the teacher is on one and a trial render works there, else the CPU.
    Raises ConfigError for "cuda" where the trial render fails.
    """
    if name == "cpu" or (name == "auto" and teacher_device.type != "cuda"):
        return CPU, ""
    works, why = probe_cuda_backend()
    if works:
        return cuda_backend(), ""
    if name == "cuda":
        raise ConfigError(f"scene.backend: got cuda, but {why}; do: --set scene.backend=cpu")
    return CPU, f"the scene is rendered on the CPU: {why}"


_PROBE = """
import torch
from uni3d.scene.backends import cuda_backend
from uni3d.cameras import Cameras
from uni3d.scene.field import FieldConfig, HashField
from uni3d.scene.render import render
backend = cuda_backend()
field = HashField(FieldConfig(), encode=backend.encode).to(backend.device)
out = render(field, None, Cameras.orbit(0.0), 8, 8, backend=backend)
assert out.opacity.max().item() > 0.1, "the ball is not visible"
out.rgb.sum().backward()
assert bool(field.table.grad.isfinite().all()), "the gradient is not finite"
"""


def probe_cuda_backend(timeout_s: float = 120.0) -> tuple[bool, str]:
    """(True, "") if a tiny render runs on the GPU, else (False, one line why).

    In a child process, because a broken CUDA extension may abort or hang its process.
    """
    if not torch.cuda.is_available():
        return False, "torch sees no CUDA device"
    try:
        child = subprocess.run(
            [sys.executable, "-c", _PROBE], capture_output=True, text=True, timeout=timeout_s
        )
    except subprocess.TimeoutExpired:
        return False, f"the trial render did not end within {timeout_s:g} s"
    if child.returncode == 0:
        return True, ""
    lines = child.stderr.strip().splitlines()
    return False, lines[-1] if lines else f"the trial render ended with code {child.returncode}"
