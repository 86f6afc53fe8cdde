"""What is optimised: the field, its background, the occupancy grid, and their optimiser."""

import dataclasses
from typing import Literal

import torch
from torch import Tensor

from uni3d.cameras import Cameras
from uni3d.config_io import within
from uni3d.scene.backends import CPU, SceneBackend
from uni3d.scene.field import Background, FieldConfig, HashField, random_background
from uni3d.scene.occupancy import OccupancyConfig, OccupancyGrid
from uni3d.scene.regularizers import Ramp
from uni3d.scene.render import RenderConfig, Rendered, render
from uni3d.storage import checkpoint

__all__ = ["Scene", "SceneConfig"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SceneConfig:
    """The scene and how it learns."""

    # auto: the GPU where the teacher is on one and tiny-cuda-nn and nerfacc work
    backend: Literal["auto", "cpu", "cuda"] = "auto"
    field: FieldConfig = FieldConfig()
    occupancy: OccupancyConfig = OccupancyConfig()
    render: RenderConfig = RenderConfig()
    grid_learning_rate: float = 1e-2  # Adam's, of the hash table; above 0
    network_learning_rate: float = 1e-3  # Adam's, of the networks and the background; above 0
    # Share of both rates: the gradient is noisy to the end, and what it shakes settles as they fall
    cool_down: Ramp = Ramp(before=1.0, after=0.1, start=0.5)
    random_background: float = 0.8  # share of steps over random solid colours; rest learned; 0..1
    occupancy_every: int = 8  # steps between updates of the occupancy grid; at least 1

    def __post_init__(self) -> None:
        within(
            self,
            "scene",
            grid_learning_rate=(1e-12, 10),
            network_learning_rate=(1e-12, 10),
            random_background=(0, 1),
            occupancy_every=(1, 10**9),
        )
        within(self.cool_down, "scene.cool_down", before=(0, 1000), after=(0, 1000))


class Scene:
    """The 3D object under optimisation; everything of it is in `state()`.

    It lies where `backend` renders; a state moves between backends.
    """

    def __init__(self, config: SceneConfig, seed: int, backend: SceneBackend = CPU) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.config, self.backend = config, backend
        self.field = HashField(config.field, generator, encode=backend.encode).to(backend.device)
        self.background = Background(generator).to(backend.device)
        self.occupancy = OccupancyGrid(config.occupancy).to(backend.device)
        table = [p for n, p in self.field.named_parameters() if n == "table"]
        networks = [p for n, p in self.field.named_parameters() if n != "table"]
        self.optimizer = torch.optim.Adam(
            [
                {"params": table, "lr": config.grid_learning_rate},
                {
                    "params": [*networks, *self.background.parameters()],
                    "lr": config.network_learning_rate,
                },
            ],
            betas=(0.9, 0.99),
            eps=1e-15,
        )
        self.parameters = [*table, *networks, *self.background.parameters()]
        self.rates = [group["lr"] for group in self.optimizer.param_groups]

    def shoot(self, cameras: Cameras, size: int, generator: torch.Generator) -> Rendered:
        """A training picture `[batch, 3, size, size]`, jittered, over random backgrounds."""
        batch = len(cameras)
        solid = random_background(batch, generator)
        learned = torch.rand((), generator=generator) >= self.config.random_background
        return self._render(cameras, size, self.background if learned else solid, generator)

    @torch.no_grad()
    def picture(self, cameras: Cameras, size: int, shade: float = 1.0) -> Rendered:
        """An evaluation picture over a solid grey of the given value."""
        return self._render(cameras, size, torch.full((len(cameras), 3), shade))

    def _render(self, cameras: Cameras, size: int, background, generator=None) -> Rendered:
        return render(
            self.field,
            self.occupancy,
            cameras,
            size,
            size,
            background=background,
            jitter_generator=generator,
            config=self.config.render,
            backend=self.backend,
        )

    def update(self, step: int, fraction: float, generator: torch.Generator) -> None:
        """One optimiser step on the gathered gradients, then the occupancy grid when due.

        `step` is at `fraction` (0..1) of the run.
        """
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * self.config.cool_down.at(fraction)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if step % self.config.occupancy_every == 0:
            self.occupancy.update(self.field.density, generator)

    def state(self) -> dict[str, Tensor]:
        parts = {
            "field": self.field.state_dict(),
            "background": self.background.state_dict(),
            "occupancy": self.occupancy.state_dict(),
            "optimizer": checkpoint.optimizer_state(self.optimizer),
        }
        return {
            k: v
            for name, part in parts.items()
            for k, v in checkpoint.with_prefix(name, part).items()
        }

    def restore(self, tensors: dict[str, Tensor]) -> None:
        for name in ("field", "background", "occupancy"):
            getattr(self, name).load_state_dict(checkpoint.without_prefix(name, tensors))
        checkpoint.restore_optimizer(
            self.optimizer, checkpoint.without_prefix("optimizer", tensors)
        )
