"""From a field and cameras to images: the fast path, its slow twin, and normal maps."""

import dataclasses
import functools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from uni3d.cameras import Cameras
from uni3d.errors import ConfigError
from uni3d.scene.backends import CPU, SceneBackend
from uni3d.scene.composite import Composited, composite_reference
from uni3d.scene.march import Samples, march_reference
from uni3d.scene.occupancy import OccupancyGrid

__all__ = ["RenderConfig", "Rendered", "normal_map", "render", "render_reference"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RenderConfig:
    """How rays are cut. Lengths in scene units.

    Samples less opaque than alpha_min, and those behind the point where less than
    transmittance_min of the light is left, are found without gradients and dropped before the
    field is asked in earnest. Bias: opacity is low by at most transmittance_min where the ray is
    blocked, and by at most alpha_min per dropped sample in thin fog; dropped samples get no
    gradient. Zeros switch dropping off.
    """

    # scene units, 0.0001..1; on a finished scene 59 dB to pictures of steps of 0.006
    step_size: float = 0.035
    alpha_min: float = 1e-3  # samples less opaque than this are dropped; 0..1, 0 drops none
    transmittance_min: float = 1e-3  # samples behind the point with less light left are; 0..1
    chunk_rays: int = 16384  # per piece of an evaluation; bounds its memory; at least 1

    def __post_init__(self) -> None:
        if not 1e-4 <= self.step_size <= 1 or self.chunk_rays < 1:
            raise ConfigError(
                f"render: got step_size={self.step_size}, chunk_rays={self.chunk_rays}; "
                "want step_size in 0.0001..1 and chunk_rays >= 1"
            )
        if not (0 <= self.alpha_min < 1 and 0 <= self.transmittance_min < 1):
            raise ConfigError(
                f"render: got alpha_min={self.alpha_min}, "
                f"transmittance_min={self.transmittance_min}; want both in [0, 1)"
            )


@dataclasses.dataclass(frozen=True)
class Rendered:
    """Images, and the packed samples behind them for the regularisers.

    rgb `[b, 3, h, w]` in [0, 1], over the background if one was given, else over black
    opacity `[b, 1, h, w]` in [0, 1]
    depth `[b, 1, h, w]`: mean distance of what was hit along the unit ray, 0 where nothing was
    weights, densities `[n]`; points, directions `[n, 3]`; ray_indices `[n]` into b*h*w: visible
    samples of all rays, differentiable but for the geometry; None when gradients are off.
    """

    rgb: Tensor
    opacity: Tensor
    depth: Tensor
    weights: Tensor | None = None
    points: Tensor | None = None
    densities: Tensor | None = None
    directions: Tensor | None = None
    ray_indices: Tensor | None = None


def render(
    field,
    occupancy: OccupancyGrid | None,
    cameras: Cameras,
    height: int,
    width: int,
    *,
    background: Tensor | nn.Module | None = None,
    jitter_generator: torch.Generator | None = None,
    config: RenderConfig | None = None,
    backend: SceneBackend = CPU,
) -> Rendered:
    """Render a field from every camera.

    field: a `HashField`, or anything with `field(points) -> (density, rgb)` and `field.density`
    background: solid colours `[b, 3]`, or a module from directions `[n, 3]` to colours
    jitter_generator: random phase of each ray's samples; without it the midpoint rule is used.
    Differentiable to the field's and background's parameters. With gradients off the work is cut
    in pieces of `config.chunk_rays`, with the same result.
    """
    config = config or RenderConfig()
    origins, directions = _rays(cameras, height, width, backend.device)
    jitter = _jitter(origins.shape[0], jitter_generator).to(backend.device)
    occupied = _occupied(occupancy, backend.device)
    if torch.is_grad_enabled():
        out, samples, points, densities = _shoot(
            field, occupied, origins, directions, jitter, config, backend
        )
        packed = {
            "weights": out.weights,
            "points": points,
            "densities": densities,
            "directions": directions.index_select(0, samples.ray_indices),
            "ray_indices": samples.ray_indices,
        }
    else:
        pieces = [
            _shoot(field, occupied, origin, direction, phase, config, backend)[0]
            for origin, direction, phase in zip(
                *(rays.split(config.chunk_rays) for rays in (origins, directions, jitter)),
                strict=True,
            )
        ]
        out, packed = _join(pieces), {}
    shape = (len(cameras), height, width)
    return _picture(out, _backdrop(background, directions, shape, config), shape, packed)


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
    origins, directions = _rays(cameras, height, width, torch.device("cpu"))
    jitter = _jitter(origins.shape[0], jitter_generator)
    everything = torch.ones(1, 1, 1, dtype=torch.bool)
    samples = march_reference(origins, directions, everything, jitter, config.step_size)
    points = samples.points(origins, directions)
    densities, colors = field(points)
    out = composite_reference(densities, colors, samples)
    shape = (len(cameras), height, width)
    packed = {
        "weights": out.weights,
        "points": points,
        "densities": densities,
        "directions": directions.index_select(0, samples.ray_indices),
        "ray_indices": samples.ray_indices,
    }
    return _picture(out, _backdrop(background, directions, shape, config), shape, packed)


def normal_map(
    field,
    occupancy: OccupancyGrid | None,
    cameras: Cameras,
    height: int,
    width: int,
    *,
    config: RenderConfig | None = None,
    backend: SceneBackend = CPU,
) -> Tensor:
    """World-space surface normals `[b, 3, h, w]`, of length opacity; for pictures, no gradients.

    The normal of a sample is the direction in which density falls fastest, -grad / |grad|.
    """
    config = config or RenderConfig()
    origins, directions = _rays(cameras, height, width, backend.device)
    jitter = _jitter(origins.shape[0], None).to(backend.device)
    occupied = _occupied(occupancy, backend.device)
    normals_as_colors = functools.partial(_density_and_normals, field)
    normals = []
    with torch.no_grad():
        for origin, direction, phase in zip(
            *(rays.split(config.chunk_rays) for rays in (origins, directions, jitter)), strict=True
        ):
            out = _shoot(
                field, occupied, origin, direction, phase, config, backend, ask=normals_as_colors
            )[0]
            normals.append(functional.normalize(out.rgb, dim=-1) * out.opacity[:, None])
    return torch.cat(normals).reshape(len(cameras), height, width, 3).permute(0, 3, 1, 2)


def _density_and_normals(field, points: Tensor) -> tuple[Tensor, Tensor]:
    """Densities `[n]` and, in the place of colours, unit normals `[n, 3]`."""
    with torch.enable_grad():
        points = points.detach().requires_grad_()
        densities = field.density(points)
        (slope,) = torch.autograd.grad(densities.sum(), points)
    return densities.detach(), -functional.normalize(slope, dim=-1)


def _rays(cameras: Cameras, height: int, width: int, device: torch.device):
    """Flat ray origins and unit directions, `[b * h * w, 3]`."""
    origins, directions = cameras.rays(height, width)
    return (
        origins.reshape(-1, 3).contiguous().to(device),
        directions.reshape(-1, 3).contiguous().to(device),
    )


def _jitter(rays: int, generator: torch.Generator | None) -> Tensor:
    if generator is None:
        return torch.full((rays,), 0.5)
    return torch.rand(rays, generator=generator)


def _occupied(occupancy: OccupancyGrid | None, device: torch.device) -> Tensor:
    if occupancy is None:
        return torch.ones(1, 1, 1, dtype=torch.bool, device=device)
    return occupancy.occupied


def _shoot(
    field, occupied, origins, directions, jitter, config, backend, ask=None
) -> tuple[Composited, Samples, Tensor, Tensor]:
    """One batch of rays: find the visible samples, ask the field (or `ask`) there, composite."""
    samples = backend.sample(
        field,
        occupied,
        origins,
        directions,
        jitter,
        step=config.step_size,
        alpha_min=config.alpha_min,
        transmittance_min=config.transmittance_min,
    )
    points = samples.points(origins, directions)
    densities, colors = (ask or field)(points)
    return backend.composite(densities, colors, samples), samples, points, densities


def _join(pieces: list[Composited]) -> Composited:
    names = [f.name for f in dataclasses.fields(Composited)]
    return Composited(*(torch.cat([getattr(p, name) for p in pieces]) for name in names))


def _backdrop(background, directions: Tensor, shape: tuple[int, int, int], config) -> Tensor | None:
    """Background colours `[b * h * w, 3]`."""
    if background is None:
        return None
    if isinstance(background, Tensor):
        assert background.shape == (shape[0], 3), (
            f"background: got {tuple(background.shape)}, want {(shape[0], 3)}"
        )
        return background.to(directions.device).repeat_interleave(math.prod(shape[1:]), dim=0)
    if torch.is_grad_enabled():
        return background(directions)
    return torch.cat([background(piece) for piece in directions.split(config.chunk_rays)])


def _picture(out: Composited, backdrop: Tensor | None, shape, packed: dict) -> Rendered:
    """Put flat ray results `[b * h * w, ...]` into images."""
    batch, height, width = shape
    rgb = out.rgb
    if backdrop is not None:
        rgb = rgb + (1 - out.opacity)[:, None] * backdrop
    depth = out.distance / out.opacity.clamp(min=1e-6)
    return Rendered(
        rgb=rgb.reshape(batch, height, width, 3).permute(0, 3, 1, 2).contiguous(),
        opacity=out.opacity.reshape(batch, 1, height, width),
        depth=depth.reshape(batch, 1, height, width),
        **packed,
    )
