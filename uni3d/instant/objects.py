"""One object of the instant network, as a run keeps it and as export takes it."""

import dataclasses
from typing import Any

import torch
from torch import Tensor

from uni3d.cameras import Cameras
from uni3d.instant.generator import GeneratorConfig, PointLayers, TriplaneField
from uni3d.scene.occupancy import OccupancyGrid
from uni3d.scene.render import RenderConfig, Rendered, render

__all__ = ["PREFIX", "InstantScene"]

PREFIX = "instant"  # of its tensors in a run's checkpoint


class InstantScene:
    """`field` and `picture` of one object, like a `uni3d.scene.scene.Scene`; it does not learn."""

    def __init__(self, field: TriplaneField) -> None:
        self.field = field
        self.occupancy = OccupancyGrid()
        for seed in range(2):  # two points of each cell
            self.occupancy.update(field.density, torch.Generator().manual_seed(seed))

    @torch.no_grad()
    def picture(self, cameras: Cameras, size: int, shade: float = 1.0) -> Rendered:
        """A picture `[cameras, 3, size, size]` over a solid grey of the given value."""
        background = torch.full((len(cameras), 3), shade)
        settings = RenderConfig()
        return render(
            self.field, self.occupancy, cameras, size, size, background=background, config=settings
        )

    def state(self) -> dict[str, Tensor]:
        layers = self.field.layers
        kept = {
            name: getattr(layers, name).state_dict() for name in ("at_point", "at_place", "out")
        }
        flat = {f"{part}.{key}": value for part, d in kept.items() for key, value in d.items()}
        blob = torch.tensor([layers.config.blob_density, layers.config.blob_radius])
        return {"planes": self.field.planes, "blob": blob, **flat}

    @staticmethod
    def of_state(tensors: dict[str, Tensor]) -> "InstantScene":
        """From what `state` gave. KeyError or RuntimeError for other tensors."""
        rest: dict[str, Any] = dict(tensors)
        planes, (density, radius) = rest.pop("planes"), rest.pop("blob").tolist()
        hidden, features = rest["at_point.weight"].shape
        config = dataclasses.replace(
            GeneratorConfig(),
            features=features,
            hidden=hidden,
            blob_density=density,
            blob_radius=radius,
        )
        layers = PointLayers(config).requires_grad_(False)
        layers.load_state_dict(rest)
        return InstantScene(TriplaneField(planes.clone(), layers))
