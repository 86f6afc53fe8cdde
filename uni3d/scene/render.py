"""From a field and cameras to images."""

import dataclasses
import math

import torch
from torch import Tensor, nn

from uni3d.cameras import Cameras
from uni3d.config_io import within
from uni3d.scene.backends import CPU, SceneBackend
from uni3d.scene.composite import Composited
from uni3d.scene.march import Limits, Rays, Samples
from uni3d.scene.occupancy import OccupancyGrid

__all__ = ["RenderConfig", "Rendered", "render"]


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
        within(
            self,
            "scene.render",
            step_size=(1e-4, 1),
            alpha_min=(0, 0.999),
            transmittance_min=(0, 0.999),
            chunk_rays=(1, 2**26),
        )

    @property
    def limits(self) -> Limits:
        """The three numbers by which samples are found."""
        return Limits(self.step_size, self.alpha_min, self.transmittance_min)


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
    rays = flat_rays(cameras, height, width, jitter_generator, backend.device)
    occupied = _occupied(occupancy, backend.device)
    if torch.is_grad_enabled():
        out, samples, points, densities = _shoot(field, occupied, rays, config, backend)
        packed = {
            "weights": out.weights,
            "points": points,
            "densities": densities,
            "directions": rays.directions.index_select(0, samples.ray_indices),
            "ray_indices": samples.ray_indices,
        }
    else:
        pieces = [
            _shoot(field, occupied, Rays(*piece), config, backend)[0]
            for piece in zip(*(each.split(config.chunk_rays) for each in rays), strict=True)
        ]
        out, packed = _join(pieces), {}
    shape = (len(cameras), height, width)
    backdrop = backdrop_colors(background, rays.directions, shape, config)
    return as_images(out, backdrop, shape, packed)


def flat_rays(
    cameras: Cameras,
    height: int,
    width: int,
    generator: torch.Generator | None,
    device: torch.device,
) -> Rays:
    """The rays of all pixels, flat: `[b * h * w, 3]`; their phases are drawn on the CPU."""
    origins, directions = (rays.reshape(-1, 3) for rays in cameras.rays(height, width))
    count = len(origins)
    jitter = torch.full((count,), 0.5)
    if generator is not None:
        jitter = torch.rand(count, generator=generator)
    return Rays(*(rays.contiguous().to(device) for rays in (origins, directions, jitter)))


def _occupied(occupancy: OccupancyGrid | None, device: torch.device) -> Tensor:
    if occupancy is None:
        return torch.ones(1, 1, 1, dtype=torch.bool, device=device)
    return occupancy.occupied


def _shoot(
    field, occupied: Tensor, rays: Rays, config: RenderConfig, backend: SceneBackend
) -> tuple[Composited, Samples, Tensor, Tensor]:
    """One batch of rays: find the visible samples, ask the field there, composite."""
    samples = backend.sample(field, occupied, rays, config.limits)
    points = samples.points(rays.origins, rays.directions)
    densities, colors = field(points)
    return backend.composite(densities, colors, samples), samples, points, densities


def _join(pieces: list[Composited]) -> Composited:
    names = [f.name for f in dataclasses.fields(Composited)]
    return Composited(*(torch.cat([getattr(p, name) for p in pieces]) for name in names))


def backdrop_colors(
    background, directions: Tensor, shape: tuple[int, int, int], config: RenderConfig
) -> Tensor | None:
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


def as_images(
    out: Composited, backdrop: Tensor | None, shape: tuple[int, int, int], packed: dict
) -> Rendered:
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
