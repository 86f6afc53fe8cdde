"""The generator g(text features, z) -> three planes -> density and colour, in one pass.

A convolutional decoder from a learned constant, moved and at every layer modulated by the text and
z (FiLM, 1709.07871; a style from a learned constant is StyleGAN's, 1812.04948), to a triplane
(2112.07945). Nothing here knows how it is trained.
"""

import dataclasses
import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from uni3d.errors import ConfigError

__all__ = [
    "Generator",
    "GeneratorConfig",
    "PointLayers",
    "TriplaneField",
    "draw_z",
    "look_up_planes",
]

AXES = ((0, 1), (0, 2), (1, 2))  # of the planes: xy, xz, yz


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeneratorConfig:
    """Sizes of the network. `text_width` is that of the teacher's token features."""

    text_width: int = 128
    text: int = 128  # numbers that are left of a sentence
    noise: int = 16  # numbers in z
    style: int = 256
    channels: tuple[int, ...] = (192, 128, 96, 64)  # of the constant, then after each doubling
    side: int = 6  # of the constant; planes are side * 2 ** (len(channels) - 1) wide
    features: int = 12  # of a plane
    hidden: int = 64  # of the layer at a point
    blob_density: float = 5.0  # before training: a soft ball, its raw density at the centre
    blob_radius: float = 0.5  # where that bias crosses zero

    def __post_init__(self) -> None:
        sizes = (self.text_width, self.text, self.noise, self.style, self.side, self.features)
        if min(*sizes, self.hidden, *self.channels) < 1 or len(self.channels) < 2:
            raise ConfigError(f"generator: got {self}; want sizes of at least 1, two channels")
        if any(c % 8 for c in self.channels[1:]):
            raise ConfigError(f"generator.channels: got {self.channels}; want multiples of 8")


class _Block(nn.Module):
    """conv 3x3, group norm, FiLM from the style, SiLU."""

    def __init__(self, inputs: int, outputs: int, style: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm = nn.GroupNorm(8, outputs)
        self.film = nn.Linear(style, 2 * outputs)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        scale, shift = self.film(style)[:, :, None, None].chunk(2, dim=1)
        return functional.silu(self.norm(self.conv(x)) * (1 + scale) + shift)


class PointLayers(nn.Module):
    """The layers at a point, from a feature of the planes to raw density and colour."""

    at_point: nn.Linear
    at_place: nn.Linear
    out: nn.Linear
    config: GeneratorConfig

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.at_point = nn.Linear(config.features, config.hidden)
        self.at_place = nn.Linear(3, config.hidden, bias=False)
        self.out = nn.Linear(config.hidden, 4)


class Generator(PointLayers):
    """Text features and z to `TriplaneField`s; the layers at a point are shared by all objects."""

    def __init__(self, config: GeneratorConfig, generator: torch.Generator | None = None) -> None:
        """generator: source of the initial numbers; without one, torch's own."""
        seed = torch.randint(2**62, (), generator=generator)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(seed))
            super().__init__(config)
            self.attention = nn.Linear(config.text_width, 1)
            self.text = nn.Linear(config.text_width, config.text)
            self.style = nn.Sequential(
                nn.Linear(config.text + config.noise, config.style),
                nn.SiLU(),
                nn.Linear(config.style, config.style),
                nn.SiLU(),
            )
            widths = config.channels
            self.constant = nn.Parameter(torch.randn(1, widths[0], config.side, config.side))
            self.place = nn.Linear(config.style, self.constant.numel())
            nn.init.zeros_(self.place.weight)
            nn.init.zeros_(self.place.bias)
            self.blocks = nn.ModuleList()
            for before, after in itertools.pairwise(widths):
                self.blocks.append(_Block(before, after, config.style))
                self.blocks.append(_Block(after, after, config.style))
            self.planes = nn.Conv2d(widths[-1], 3 * config.features, 1)
            with torch.no_grad():  # starts as the soft ball, grey
                self.out.weight.mul_(0.1)
                self.out.bias.zero_()

    def forward(self, features: Tensor, z: Tensor) -> Tensor:
        """Planes `[batch, 3, features, side, side]` of token features `[batch, tokens, width]`
        and z `[batch, noise]` (unit normal)."""
        share = self.attention(features).softmax(dim=1)  # [batch, tokens, 1]
        text = self.text((share * features).sum(1))
        style = self.style(torch.cat([text, z], dim=1))
        x = self.constant + self.place(style).reshape(-1, *self.constant.shape[1:])
        for first, second in zip(self.blocks[::2], self.blocks[1::2], strict=True):
            x = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = second(first(x, style), style)
        planes = self.planes(x)
        return planes.reshape(len(z), 3, self.config.features, *planes.shape[-2:])

    def fields(self, features: Tensor, z: Tensor) -> list["TriplaneField"]:
        """One field per object of the batch, see `forward`."""
        return [TriplaneField(planes, self) for planes in self(features, z)]


class TriplaneField:
    """Density and colour of one object, as the renderer and the mesher take them.

    density = softplus(raw + blob_density (1 - |x| / blob_radius)) inside the unit ball, exactly 0
    outside, as that of `uni3d.scene.field.HashField`.
    """

    def __init__(self, planes: Tensor, layers: PointLayers) -> None:
        """planes `[3, features, side, side]`, and the layers at a point."""
        self.planes, self.layers = planes, layers

    def _hidden(self, points: Tensor) -> Tensor:
        """`[hidden, n]`: channels first, as the planes are, so that nothing is transposed."""
        layers = self.layers
        found = look_up_planes(self.planes, points)  # [features, n]
        raw = torch.addmm(layers.at_point.bias[:, None], layers.at_point.weight, found)
        return functional.silu(torch.addmm(raw, layers.at_place.weight, points.T))

    def _activate(self, raw: Tensor, points: Tensor) -> Tensor:
        config = self.layers.config
        # The square root's slope at 0 is infinite; 1e-12 keeps the centre finite.
        radius = (points.square().sum(-1) + 1e-12).sqrt()
        blob = config.blob_density * (1 - radius / config.blob_radius)
        return functional.softplus(raw + blob) * (radius < 1)

    def density(self, points: Tensor) -> Tensor:
        """Densities `[n]` (per scene unit, >= 0) at points `[n, 3]` in [-1, 1]^3."""
        out = self.layers.out
        raw = out.weight[0] @ self._hidden(points) + out.bias[0]
        return self._activate(raw, points)

    def __call__(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Densities `[n]` and colours `[n, 3]` in [0, 1] at points `[n, 3]` in [-1, 1]^3."""
        out = self.layers.out
        raw = torch.addmm(out.bias[:, None], out.weight, self._hidden(points))  # [4, n]
        return self._activate(raw[0], points), raw[1:].sigmoid().T


def look_up_planes(planes: Tensor, points: Tensor) -> Tensor:
    """Features `[channels, n]`: the sum over xy, xz and yz of planes `[3, channels, h, w]`.

    Bilinear between the middles of the cells; `points [n, 3]` in [-1, 1]^3. The first axis of a
    pair runs along the width.
    """
    places = torch.stack([points[:, axes] for axes in AXES])[:, None]  # [3, 1, n, 2]
    found = functional.grid_sample(planes, places, padding_mode="border", align_corners=False)
    return found[:, :, 0].sum(0)


def draw_z(seed: int, noise: int) -> Tensor:
    """The z `[1, noise]` that stands for a seed."""
    return torch.randn(1, noise, generator=torch.Generator().manual_seed(seed))
