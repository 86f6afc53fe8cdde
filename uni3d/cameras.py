"""Orbit cameras: where they stand, the rays they shoot, and how a run samples them.

World: right-handed, +x front, +y the object's left, +z up; objects live in the unit ball.
Azimuth 0 stands on +x and sees the front, 90 stands on +y; elevation is above the xy plane.
Cameras look at the origin. Camera space is OpenGL's: x right, y up, looking along -z.
"""

import dataclasses
import math
from typing import Any

import torch
from torch import Tensor

from uni3d.config_io import within
from uni3d.errors import ConfigError

__all__ = ["CameraConfig", "Cameras", "sample_cameras"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class CameraConfig:
    """The prior over cameras of a run. Degrees; distances in scene units (unit-ball radii)."""

    elevation_deg: tuple[float, float] = (-10.0, 45.0)  # lowest, highest; degrees, -90..90
    overhead_fraction: float = 0.15  # share of cameras drawn from elevation_deg[1]..80; 0..1
    distance: tuple[float, float] = (3.0, 3.3)  # nearest, farthest; scene units, above 1
    fovy_deg: float = 40.0  # vertical field of view; degrees, 1..179

    def __post_init__(self) -> None:
        within(self, "camera", overhead_fraction=(0, 1), fovy_deg=(1, 179))
        (low, high), (near, far) = self.elevation_deg, self.distance
        if not -90 <= low <= high <= 90:
            raise ConfigError(
                f"camera.elevation_deg: got {low}, {high}; want -90 <= lowest <= highest <= 90; "
                "do: change it"
            )
        if not 1 < near <= far <= 1000:
            raise ConfigError(
                f"camera.distance: got {near}, {far}; want 1 < nearest <= farthest <= 1000: the "
                "object fills the ball of radius 1; do: change it"
            )


@dataclasses.dataclass(frozen=True)
class Cameras:
    """A batch of orbit cameras.

    azimuth_deg, elevation_deg, distance, fovy_deg: float32 tensors `[batch]`.
    """

    azimuth_deg: Tensor
    elevation_deg: Tensor
    distance: Tensor
    fovy_deg: Tensor

    @staticmethod
    def orbit(
        azimuth_deg: Any, elevation_deg: Any = 0.0, distance: float = 3.15, fovy_deg: float = 40.0
    ) -> "Cameras":
        """Cameras at the given angles; scalars are broadcast against `azimuth_deg`.

        Raises ConfigError for what is no finite number, or other lengths than azimuth's.
        """
        given = {"azimuth": azimuth_deg, "elevation": elevation_deg}
        given |= {"distance": distance, "fovy": fovy_deg}
        try:
            parts = [torch.as_tensor(v, dtype=torch.float32).reshape(-1) for v in given.values()]
            count = len(parts[0])
            parts = [part.expand(count).clone() for part in parts]
        except (TypeError, ValueError, RuntimeError) as error:
            raise ConfigError(
                f"cameras: got {given!r:.200}; wanted numbers, or lists of as many as azimuth has"
            ) from error
        if not all(bool(part.isfinite().all()) for part in parts):
            raise ConfigError(f"cameras: got {given!r:.200}; wanted finite numbers; do: change it")
        return Cameras(*parts)

    def __len__(self) -> int:
        return self.azimuth_deg.shape[0]

    def __getitem__(self, index) -> "Cameras":
        pick = [getattr(self, f.name)[index].reshape(-1) for f in dataclasses.fields(self)]
        return Cameras(*pick)

    def replaced(self, index: Tensor, others: "Cameras") -> "Cameras":
        """These cameras with `others` in the places `index`."""
        names = [f.name for f in dataclasses.fields(self)]
        return Cameras(
            *(getattr(self, name).index_copy(0, index, getattr(others, name)) for name in names)
        )

    @property
    def position(self) -> Tensor:
        """Camera centres, `[batch, 3]`."""
        az, el = torch.deg2rad(self.azimuth_deg), torch.deg2rad(self.elevation_deg)
        unit = torch.stack([el.cos() * az.cos(), el.cos() * az.sin(), el.sin()], dim=-1)
        return unit * self.distance[:, None]

    @property
    def rotation(self) -> Tensor:
        """Camera-to-world rotations `[batch, 3, 3]`; columns are right, up, backward."""
        az, el = torch.deg2rad(self.azimuth_deg), torch.deg2rad(self.elevation_deg)
        zero = torch.zeros_like(az)
        right = torch.stack([-az.sin(), az.cos(), zero], dim=-1)
        back = torch.stack([el.cos() * az.cos(), el.cos() * az.sin(), el.sin()], dim=-1)
        up = torch.stack([-el.sin() * az.cos(), -el.sin() * az.sin(), el.cos()], dim=-1)
        return torch.stack([right, up, back], dim=-1)

    @property
    def embedding(self) -> Tensor:
        """`[batch, 4]`: sin and cos of azimuth and of elevation; what toybox is conditioned on.

        The all-zero vector, which no camera has, means "no camera given".
        """
        az, el = torch.deg2rad(self.azimuth_deg), torch.deg2rad(self.elevation_deg)
        return torch.stack([az.sin(), az.cos(), el.sin(), el.cos()], dim=-1)

    def rays(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Origins and unit directions through pixel centres, both `[batch, height, width, 3]`."""
        half = torch.tan(torch.deg2rad(self.fovy_deg) / 2)[:, None, None]  # [batch, 1, 1]
        ys = 1 - (torch.arange(height) + 0.5) * (2 / height)
        xs = ((torch.arange(width) + 0.5) * (2 / width) - 1) * (width / height)
        grid_y, grid_x = torch.meshgrid(ys, xs, indexing="ij")
        local = torch.stack(
            [grid_x * half, grid_y * half, -torch.ones_like(grid_x * half)], dim=-1
        )  # [batch, height, width, 3]
        directions = torch.einsum("bij,bhwj->bhwi", self.rotation, local)
        directions = directions / directions.norm(dim=-1, keepdim=True)
        return self.position[:, None, None, :].expand_as(directions), directions


def sample_cameras(config: CameraConfig, batch: int, generator: torch.Generator) -> Cameras:
    """Random cameras, azimuth stratified over the batch so that every step sees all sides.

    Elevation: half uniform in angle, half uniform on the sphere (threestudio's law); a share of
    `overhead_fraction` looks from above `elevation_deg[1]`.
    """

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    offset = uniform(1) * 360
    azimuth = (offset + (torch.arange(batch) + uniform(batch)) * (360 / batch)) % 360
    low, high = config.elevation_deg
    in_angle = low + (high - low) * uniform(batch)
    sin_low, sin_high = math.sin(math.radians(low)), math.sin(math.radians(high))
    on_sphere = torch.rad2deg(torch.asin(sin_low + (sin_high - sin_low) * uniform(batch)))
    elevation = torch.where(uniform(batch) < 0.5, in_angle, on_sphere)
    overhead = high + (80.0 - high) * uniform(batch)
    elevation = torch.where(uniform(batch) < config.overhead_fraction, overhead, elevation)
    near, far = config.distance
    distance = near + (far - near) * uniform(batch)
    return Cameras(azimuth, elevation, distance, torch.full((batch,), config.fovy_deg))
