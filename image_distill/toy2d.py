"""Distillation in two dimensions: an analytic Gaussian mixture as teacher, everything else learned.

The teacher's denoiser, score and density are exact at every noise level, so what a divergence does
to a one-step generator can be measured instead of judged: the modes that are covered, and KL both
ways. `x` is [batch, 2], `sigma` [batch], variance exploding (`x = x0 + sigma eps`).
"""

import copy
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from image_distill.mixture2d import Mixture2D, covered_modes, on_modes, true_kl
from uni3d.errors import ConfigError, NonFiniteError
from uni3d.instruct import (
    EDMDenoiser,
    RatioNormaliser,
    add_noise,
    denoising_score_matching,
    discriminator_loss,
    ratio_is_clipped,
    ratio_is_steep,
    resolve_method,
    sample_karras_sigma,
    uni_instruct_loss,
)


@dataclass(frozen=True, kw_only=True)
class ToySettings:
    """One run. `ratio: none` trains no discriminator: reverse-kl, or h = 1, alone."""

    batch: int = 256
    hidden: int = 128
    generator_rate: float = 4e-3
    critic_rate: float = 4e-3
    critic_steps: int = 1
    warm_up: float = 0.2  # share of the steps with reverse-kl, while the discriminator learns
    ratio: str = "learned"  # or none
    sigma_min: float = 0.05
    sigma_max: float = 1.5  # the modes blur together beyond it
    ema_half_life: float = 300.0  # steps, and at most 5 % of those taken
    evaluation_samples: int = 200_000


@dataclass(frozen=True, kw_only=True)
class ToyResult:
    """What one run reached; KLs in nats at noise `KL_SIGMA`, `samples` [n, 2]."""

    divergence: str
    form: str
    seed: int
    steps: int
    modes_covered: int
    modes: int
    on_modes: float  # share of the samples within 3 std of a mode; the teacher's is 0.989
    forward_kl: float  # KL(teacher || student)
    reverse_kl: float  # KL(student || teacher)
    seconds: float
    samples: Tensor = field(repr=False)


def _mlp(inputs: int, outputs: int, hidden: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Linear(inputs, hidden), nn.SiLU()]
    for _ in range(2):
        layers += [nn.Linear(hidden, hidden), nn.SiLU()]
    return nn.Sequential(*layers, nn.Linear(hidden, outputs))


class LevelMLP(nn.Module):
    """A small network of a scaled point and its noise level: `(c_in x, ln(sigma) / 4) -> [b, n]`.

    Sines of both let so small a network see structure finer than the data's extent.
    """

    frequencies: Tensor
    phases: Tensor

    def __init__(self, outputs: int, hidden: int) -> None:
        super().__init__()
        rows = [k * torch.eye(3) for k in (2, 2, 4, 4)]
        self.register_buffer("frequencies", torch.cat(rows, 1))
        self.register_buffer("phases", torch.tensor([0.0, math.pi / 2] * 2).repeat_interleave(3))
        self.net = _mlp(3 + 12, outputs, hidden)

    def forward(self, x: Tensor, c_noise: Tensor, cond: None = None) -> Tensor:
        point = torch.cat([x, c_noise[:, None]], 1)
        waves = torch.addmm(self.phases, point, self.frequencies).sin()
        return self.net(torch.cat([point, waves], 1))


class Discriminator(nn.Module):
    """`(x, sigma) -> logit` [batch, 1]; its optimum is log(q_t / p_t)."""

    def __init__(self, hidden: int, sigma_data: float) -> None:
        super().__init__()
        self.net, self.sigma_data = LevelMLP(1, hidden), sigma_data

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        c_in = (sigma[:, None] ** 2 + self.sigma_data**2).rsqrt()
        return self.net(c_in * x, sigma.log() / 4)


class Generator(nn.Module):
    """`z -> x0` [batch, 2] in one step; begins near a Gaussian of the teacher's extent."""

    def __init__(self, hidden: int, sigma_data: float) -> None:
        super().__init__()
        self.net, self.sigma_data = _mlp(6, 2, hidden), sigma_data

    def forward(self, z: Tensor) -> Tensor:
        waves = torch.cat([z, (3 * z).sin(), (3 * z).cos()], 1)
        return self.sigma_data * (z + self.net(waves))


class Trainer:
    """The alternating scheme of loss.md: critics (fake score, discriminator), then the generator.

    All randomness comes from `seed`; the global generator is left as it was found.
    """

    def __init__(
        self, teacher: Mixture2D, divergence: str, form: str, seed: int, settings: ToySettings
    ) -> None:
        if settings.ratio not in ("learned", "none"):
            raise ConfigError(
                f"ratio: got {settings.ratio!r}; wanted learned or none; do: use learned"
            )
        try:
            method = resolve_method(
                "uni-instruct", divergence, form, ratio_available=settings.ratio == "learned"
            )
        except ValueError as error:
            raise ConfigError(str(error)) from error
        self.divergence, self.form = str(method.divergence), form
        self.teacher, self.settings = teacher, settings
        self.random = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.generator = Generator(settings.hidden, teacher.sigma_data)
            self.fake_network = LevelMLP(2, settings.hidden)
            self.discriminator = Discriminator(settings.hidden, teacher.sigma_data)
        self.fake = EDMDenoiser(self.fake_network, teacher.sigma_data)
        self.average, self.steps_taken = copy.deepcopy(self.generator), 0
        self.normaliser = RatioNormaliser(
            sigma_min=settings.sigma_min, sigma_max=settings.sigma_max
        )
        critics = [*self.fake_network.parameters(), *self.discriminator.parameters()]
        self.critic_optimiser = torch.optim.Adam(
            critics, settings.critic_rate, (0.0, 0.999), fused=True
        )
        self.generator_optimiser = torch.optim.Adam(
            self.generator.parameters(), settings.generator_rate, (0.0, 0.999), fused=True
        )

    def _noise(self) -> Tensor:
        return torch.randn(self.settings.batch, 2, generator=self.random)

    def _sigma(self) -> Tensor:
        low, high = self.settings.sigma_min, self.settings.sigma_max
        return sample_karras_sigma(
            self.settings.batch, self.random, u_range=(0, 1), sigma_min=low, sigma_max=high
        )

    def critic_step(self) -> None:
        """Score matching on generated points; the discriminator on real ones as well."""
        with torch.no_grad():
            fake = self.generator(self._noise())
        sigma, eps = self._sigma(), self._noise()
        x = add_noise(fake, sigma, eps)
        data = self.teacher.sigma_data
        loss = denoising_score_matching(self.fake(x, sigma), fake, sigma, sigma_data=data).mean()
        if self.settings.ratio == "learned":
            real = add_noise(self.teacher.sample(len(x), self.random), sigma, eps)
            logits = self.discriminator(real, sigma), self.discriminator(x, sigma)
            loss = loss + discriminator_loss(*logits).mean()
        self.critic_optimiser.zero_grad()
        loss.backward()
        self.critic_optimiser.step()

    def generator_step(self, divergence: str) -> None:
        """One step on `divergence`; only the generator's weights receive a gradient."""
        x0 = self.generator(self._noise())
        sigma = self._sigma()
        x = add_noise(x0, sigma, self._noise())
        x0_teacher, x0_fake = self.teacher.denoise(x, sigma), self.fake(x, sigma)
        log_ratio = constant_h = None
        if self.settings.ratio == "learned":
            with torch.no_grad():
                logits = self.discriminator(x, sigma)
            log_ratio = self.normaliser(logits, sigma)
            constant_h = ratio_is_clipped(logits) | ratio_is_steep(x0_teacher, x0_fake, sigma)
        loss = uni_instruct_loss(
            x0,
            x0_teacher,
            x0_fake,
            sigma,
            log_ratio,
            divergence=divergence,
            form=self.form,
            normalise_h=True,
            constant_h=constant_h,
        ).per_sample.mean()
        parameters = list(self.generator.parameters())
        gradients = torch.autograd.grad(loss, parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        if not torch.isfinite(nn.utils.clip_grad_norm_(parameters, 10.0)):
            raise NonFiniteError(
                f"toy2d: the gradient is not finite in step {self.steps_taken + 1}; do: a lower "
                "learning rate"
            )
        self.generator_optimiser.step()
        self.steps_taken += 1
        half_life = min(self.settings.ema_half_life, 0.05 * self.steps_taken)
        with torch.no_grad():
            for mean, parameter in zip(self.average.parameters(), parameters, strict=True):
                mean.lerp_(parameter, 1 - 0.5 ** (1 / half_life))

    def train(self, steps: int) -> None:
        """`steps` generator steps, the learning rates falling to zero along a half cosine."""
        first = int(self.settings.warm_up * steps)
        rates = (
            (self.critic_optimiser, self.settings.critic_rate),
            (self.generator_optimiser, self.settings.generator_rate),
        )
        for step in range(steps):
            for optimiser, rate in rates:
                optimiser.param_groups[0]["lr"] = rate * (1 + math.cos(math.pi * step / steps)) / 2
            for _ in range(self.settings.critic_steps):
                self.critic_step()
            self.generator_step("reverse-kl" if step < first else self.divergence)

    @torch.no_grad()
    def sample(self, number: int, seed: int = 12345) -> Tensor:
        """Points [number, 2] of the averaged generator."""
        noise = torch.randn(number, 2, generator=torch.Generator().manual_seed(seed))
        return self.average(noise)


def run(
    divergence: str = "forward-kl",
    form: str = "paper",
    seed: int = 0,
    steps: int = 4000,
    *,
    teacher: Mixture2D | None = None,
    settings: ToySettings | None = None,
) -> ToyResult:
    """Distil `teacher` (eight modes on a ring) into a one-step generator and measure it.

    Raises:
        ConfigError: an unknown divergence or form, or one that needs the ratio there is not.
    """
    teacher, settings = teacher or Mixture2D.ring(), settings or ToySettings()
    begin = time.perf_counter()
    trainer = Trainer(teacher, divergence, form, seed, settings)
    trainer.train(steps)
    samples = trainer.sample(settings.evaluation_samples)
    forward, reverse = true_kl(teacher, samples)
    return ToyResult(
        divergence=trainer.divergence,
        form=form,
        seed=seed,
        steps=steps,
        modes_covered=covered_modes(teacher, samples),
        modes=len(teacher.means),
        on_modes=on_modes(teacher, samples),
        forward_kl=forward,
        reverse_kl=reverse,
        seconds=time.perf_counter() - begin,
        samples=samples,
    )


def figure(
    results: Sequence[ToyResult],
    path: str | Path,
    *,
    teacher: Mixture2D | None = None,
    columns: int = 4,
    size: int = 256,
    extent: float = 3.0,
    points: int = 4000,
) -> None:
    """A PNG with the teacher's samples and one labelled scatter of `size` pixels per result."""
    from PIL import Image, ImageDraw

    teacher = teacher or Mixture2D.ring()
    real = teacher.sample(points, torch.Generator().manual_seed(0))
    panels = [("teacher", real)]
    for r in results:
        label = f"{r.divergence} {r.form} seed {r.seed}: {r.modes_covered}/{r.modes}"
        panels.append((label, r.samples[:points]))
    rows = -(-len(panels) // columns)
    sheet = Image.new("RGB", (size * min(columns, len(panels)), size * rows), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (label, samples) in enumerate(panels):
        left, top = size * (i % columns), size * (i // columns)
        pixel = ((samples / extent + 1) / 2 * size).long()
        pixel = pixel[((pixel >= 0) & (pixel < size)).all(1)].tolist()
        colour = "#1f4e9c" if i == 0 else "#b3421b"
        draw.point([(left + px, top + size - 1 - py) for px, py in pixel], fill=colour)
        draw.rectangle((left, top, left + size - 1, top + size - 1), outline="#cccccc")
        draw.text((left + 4, top + 3), label, fill="black")
    sheet.save(path)
