"""A scene that starts from an instant object: the hash grid is fitted to it by regression."""

import torch
from torch import Tensor

from uni3d.instant.objects import InstantScene
from uni3d.scene.scene import Scene

__all__ = ["fit_scene"]

LENGTH = 0.05  # scene units: densities are compared by what so long a piece of a ray absorbs
POINTS = 8192  # in a step
RATE = 1e-2  # Adam's; falls to a tenth


def fit_scene(scene: Scene, wanted: InstantScene, seed: int, steps: int = 200) -> float:
    """Fit field and occupancy of a fresh scene; the root mean square error of opacity left.

    The scene's own optimiser stays as it was: its memory is of gradients of another loss.
    """
    generator = torch.Generator().manual_seed(seed)
    parameters = list(scene.field.parameters())
    optimizer = torch.optim.Adam(parameters, lr=RATE, betas=(0.9, 0.99), eps=1e-15)
    errors: list[float] = []
    device = scene.backend.device
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * 0.1 ** (step / steps)
        points = _points(wanted.occupancy.occupied, generator)
        with torch.no_grad():
            density, colour = (t.to(device) for t in wanted.field(points))
        got_density, got_colour = scene.field(points.to(device))
        opacity = -torch.expm1(-LENGTH * density)
        apart = -torch.expm1(-LENGTH * got_density) - opacity
        coloured = opacity[:, None] * (got_colour - colour)
        loss = apart.square().mean() + coloured.square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        errors.append(float(apart.detach().square().mean()))
    for parameter in parameters:
        parameter.grad = None
    for _ in range(2):
        scene.occupancy.update(scene.field.density, generator)
    last = errors[-20:]
    return (sum(last) / len(last)) ** 0.5


def _points(occupied: Tensor, generator: torch.Generator) -> Tensor:
    """Points `[POINTS, 3]`: three of four in occupied cells, the others anywhere in the box."""
    cells = occupied.nonzero()
    chosen = cells[torch.randint(len(cells), (POINTS * 3 // 4,), generator=generator)]
    inside = torch.rand(len(chosen), 3, generator=generator)
    near = (chosen + inside) * (2 / len(occupied)) - 1
    anywhere = torch.rand(POINTS - len(near), 3, generator=generator) * 2 - 1
    return torch.cat([near, anywhere])
