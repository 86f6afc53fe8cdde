"""Priors on the scene: pure functions of `Rendered`, each a scalar that is near 0 when all is well.

All are safe on an empty image (no sample, nothing opaque): the value is finite, and so is the
gradient. Forms as in DreamFusion and threestudio, which differ between papers only in weights.
"""

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from uni3d.config_io import within
from uni3d.errors import ConfigError
from uni3d.scene.render import Rendered

__all__ = [
    "Ramp",
    "RegularizerConfig",
    "entropy",
    "finite_difference_normals",
    "opacity",
    "orientation",
    "sparsity",
    "total",
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ramp:
    """A weight that moves linearly from `before` to `after` between two fractions of the run."""

    before: float = 0.0  # weight until `start`
    after: float = 0.0  # weight from `end` on
    start: float = 0.0  # fraction of the run, 0..1
    end: float = 1.0  # fraction of the run, 0..1, not before `start`

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end <= 1:
            raise ConfigError(
                f"ramp: got start={self.start}, end={self.end}; want 0 <= start <= end <= 1; "
                "do: change it"
            )
        within(self, "ramp", before=(-1e6, 1e6), after=(-1e6, 1e6))

    def at(self, fraction: float) -> float:
        """Weight after `fraction` (0..1) of the run; a step at `start` if start = end."""
        if fraction >= self.end:
            return self.after
        if fraction <= self.start:
            return self.before
        return self.before + (self.after - self.before) * (fraction - self.start) / (
            self.end - self.start
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegularizerConfig:
    """Weights by term. None is strong from step 0: an early push empties the scene."""

    opacity: Ramp = Ramp()  # the price of every opaque pixel
    sparsity: Ramp = Ramp(after=0.01, end=0.5)  # the same, but flat where the picture is empty
    entropy: Ramp = Ramp(after=0.01, start=0.3)  # a pixel should be object or background
    orientation: Ramp = Ramp(after=0.01, end=0.5)  # visible surfaces must face the camera
    orientation_samples: int = 1024  # random samples that the orientation term sees per step

    def __post_init__(self) -> None:
        within(self, "regularizers", orientation_samples=(1, 10**7))


def opacity(rendered: Rendered) -> Tensor:
    """Mean opacity: the price of every opaque pixel."""
    return rendered.opacity.mean()


def sparsity(rendered: Rendered) -> Tensor:
    """mean(sqrt(opacity^2 + 0.01)) - 0.1: like opacity, but flat where the image is empty."""
    return (rendered.opacity.square() + 0.01).sqrt().mean() - 0.1


def entropy(rendered: Rendered) -> Tensor:
    """Mean binary entropy (nats) of the opacity: a pixel should be object or background.

    Opacity is clamped to [0.001, 0.999]; beyond, the slope would be huge, and there it is 0.
    """
    o = rendered.opacity.clamp(1e-3, 1 - 1e-3)
    return -(o * o.log() + (1 - o) * (1 - o).log()).mean()


def finite_difference_normals(
    density_fn: Callable[[Tensor], Tensor], points: Tensor, epsilon: float
) -> Tensor:
    """Unit normals `[n, 3]`, -grad density / |grad density|, from four densities per point.

    The corners k of a tetrahedron satisfy sum k = 0 and sum k k^T = 4 I, so that
    sum_k k density(x + epsilon k) = 4 epsilon grad density, with a relative error of order epsilon.
    Differentiable to the field, which the analytic slope of a numba kernel is not. Where density
    is flat: 0.
    """
    corners = points.new_tensor([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])  # [4, 3]
    around = points[:, None] + epsilon * corners  # [n, 4, 3]
    values = density_fn(around.reshape(-1, 3)).reshape(-1, 4)
    slope = (values[..., None] * corners).sum(1) / (4 * epsilon)  # [n, 3]
    return -functional.normalize(slope, dim=-1, eps=1e-6)


def orientation(
    rendered: Rendered,
    density_fn: Callable[[Tensor], Tensor],
    generator: torch.Generator | None,
    *,
    samples: int = 1024,
    weight_min: float = 0.01,
    epsilon: float = 0.01,
) -> Tensor:
    """Visible surfaces must face the camera (Ref-NeRF): sum w max(0, n . d)^2 per opaque pixel.

    The sum runs over `samples` random samples with weight above `weight_min`, scaled to all of
    them; weights are constants here, else the term would lower them. epsilon: scene units.
    """
    points, directions = rendered.points, rendered.directions
    assert rendered.weights is not None and points is not None and directions is not None, (
        "orientation needs a picture rendered with gradients on"
    )
    weights = rendered.weights.detach()
    candidates = (weights > weight_min).nonzero()[:, 0]
    if candidates.numel() == 0:
        return rendered.opacity.sum() * 0
    pick = candidates
    if candidates.numel() > samples:
        order = torch.rand(candidates.numel(), generator=generator).to(weights.device)
        pick = candidates[order.topk(samples).indices.sort().values]
    normals = finite_difference_normals(density_fn, points[pick].detach(), epsilon)
    away = (normals * directions[pick]).sum(-1).clamp(min=0)
    pixels = (rendered.opacity.detach() > 0).sum()
    share = pick.numel() / candidates.numel()
    return (weights[pick] * away.square()).sum() / (share * pixels)


def total(
    rendered: Rendered,
    density_fn: Callable[[Tensor], Tensor],
    config: RegularizerConfig,
    fraction: float,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, dict[str, float]]:
    """The weighted sum after `fraction` of the run, and each active term before its weight.

    Terms of weight 0 are not computed; `generator` feeds the orientation term.
    """
    terms = {
        "opacity": lambda: opacity(rendered),
        "sparsity": lambda: sparsity(rendered),
        "entropy": lambda: entropy(rendered),
        "orientation": lambda: orientation(
            rendered, density_fn, generator, samples=config.orientation_samples
        ),
    }
    loss, values = rendered.opacity.new_zeros(()), {}
    for name, term in terms.items():
        weight = getattr(config, name).at(fraction)
        if weight:
            value = term()
            loss = loss + weight * value
            values[name] = value.item()
    return loss, values
