"""Training of the instant network: many sentences at once, no 3D data, one frozen 2D teacher.

The numbered comments of `take_step` are the algorithm: that of a run (`uni3d.run.step`), with a
generator of z in place of one scene. Everything random follows from (seed, step).
"""

import copy
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from uni3d.cameras import CameraConfig, Cameras, sample_cameras
from uni3d.config_io import within
from uni3d.errors import CheckpointError, ConfigError, NonFiniteError
from uni3d.instant.diversity import NoiseReader, TiedNoise
from uni3d.instant.generator import Generator, GeneratorConfig, TriplaneField
from uni3d.instant.sentences import Texts
from uni3d.instruct import DIVERGENCES, Method, add_noise, resolve_method, uni_instruct_loss
from uni3d.instruct.density_ratio import ratio_is_steep
from uni3d.scene.field import random_background
from uni3d.scene.render import RenderConfig, render
from uni3d.storage import checkpoint
from uni3d.teacher.fake_score import FakeScore, FakeScoreConfig
from uni3d.teacher.model import Condition, Teacher, TeacherConfig
from uni3d.teacher.prompts import PromptSet, ViewConditioning

__all__ = ["InstantConfig", "Sentences", "Step", "Trainer"]


class Sentences(Protocol):
    def draw(self, rng: np.random.Generator) -> str: ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class InstantConfig:
    """A training. Shares are of `steps`, over which the schedules run."""

    steps: int = 20_000
    seed: int = 0
    teacher: TeacherConfig = TeacherConfig()
    method: str = "vsd"  # after the sds phase
    divergence: str = ""
    form: str = ""
    sentences: int = 4  # in a step
    worn_share: float = 0.0  # of toybox's, those drawn from the ones that wear something
    noises: int = 1  # z of each sentence in a step
    views: int = 2  # pictures of each object in a step
    sizes: tuple[tuple[float, int], ...] = ((0.0, 24), (0.3, 32), (0.75, 48))  # (share, pixels)
    render_step: float = 2.4  # scene units, over the pixels of a side
    camera: CameraConfig = CameraConfig()
    sds_share: float = 0.5
    fake_share: float = 0.45  # from here on the fake score is fitted
    # Guidance; 1 is none. Without it a large world stays blobs for a long time. With it z is pushed
    # away: where the noise is red, the teacher without text answers red more readily than the one
    # with it, and is then subtracted.
    sds_scale: float = 5.0
    scale: float = 4.0
    t_min: float = 0.02
    t_max: float = 0.98
    t_max_end: float = 0.58
    anneal_end: float = 0.7
    # How loud z is in the noise of the sds phase, 1: a unit normal part of it like any other; 0:
    # not at all. Later the noise must not know z. Wants sds_scale 1.
    tied_noise: float = 0.0
    reader: int = 0  # numbers of z that are read back from the pictures; 0: none
    reader_weight: float = 0.02
    learning_rate: float = 2e-3
    warm_up: int = 100  # steps
    decay_start: float = 0.5
    decay_to: float = 0.1
    average: float = 0.995
    real_every: int = 8  # steps between teacher samples, where the ratio is needed
    sheet_every: int = 250
    checkpoint_every: int = 250
    fake_score: FakeScoreConfig = FakeScoreConfig(learning_rate=5e-4, warm_up=0.0)
    generator: GeneratorConfig = GeneratorConfig()

    def __post_init__(self) -> None:
        counts = (self.steps, self.sentences, self.noises, self.views)
        if min(counts) < 1 or not 0 <= self.sds_share <= 1:
            raise ConfigError(
                f"instant: got steps, sentences, noises, views = {counts}, "
                f"sds_share={self.sds_share}; want counts of at least 1 and a share in 0..1"
            )
        shares = dict.fromkeys(("fake_share", "anneal_end", "decay_start", "average"), (0.0, 1.0))
        scales = dict.fromkeys(("sds_scale", "scale", "tied_noise", "reader_weight"), (0.0, 1000.0))
        every = ("real_every", "sheet_every", "checkpoint_every")
        within(
            self,
            "instant",
            **shares,
            **scales,
            worn_share=(0, 1),
            **dict.fromkeys(every, (1, 10**9)),
            seed=(0, 2**42),
            render_step=(1e-3, 100),
            learning_rate=(0, 1),
            decay_to=(0, 1),
            warm_up=(0, 10**9),
        )
        if not 0 <= self.t_min < self.t_max_end <= self.t_max <= 1:
            raise ConfigError(
                f"instant: got t_min={self.t_min}, t_max_end={self.t_max_end}, "
                f"t_max={self.t_max}; want 0 <= t_min < t_max_end <= t_max <= 1"
            )
        starts = [start for start, _ in self.sizes]
        if (
            starts[:1] != [0]
            or starts != sorted(starts)
            or not all(1 <= size <= 8192 for _, size in self.sizes)
        ):
            raise ConfigError(
                f"instant.sizes: got {self.sizes}; want (share, pixels) pairs that start at 0 "
                "and rise, of 1 to 8192 pixels"
            )
        if not 0 <= self.reader <= self.generator.noise:
            raise ConfigError(f"instant: got reader={self.reader}; want 0..{self.generator.noise}")
        self.resolved_method()

    def resolved_method(self) -> Method:
        """The loss after the sds phase; ConfigError for an impossible combination."""
        try:
            return resolve_method(self.method, self.divergence or None, self.form or None)
        except ValueError as error:
            raise ConfigError(str(error)) from error

    def size_at(self, share: float) -> int:
        return [size for start, size in self.sizes if start <= share][-1]

    def rate_at(self, step: int) -> float:
        done = (step / self.steps - self.decay_start) / max(1 - self.decay_start, 1e-9)
        falling = self.decay_to ** min(max(done, 0.0), 1.0)
        return self.learning_rate * falling * min(1.0, (step + 1) / max(self.warm_up, 1))


@dataclasses.dataclass(frozen=True)
class Step:
    """What happened in a step."""

    step: int
    metrics: dict[str, float]


class Trainer:
    """A training in progress; everything that changes is in `state()`."""

    def __init__(self, config: InstantConfig, teacher: Teacher, sentences: Sentences) -> None:
        width = teacher.encode_text(["a"]).shape[-1]
        network = dataclasses.replace(config.generator, text_width=width)
        self.config = config = dataclasses.replace(config, generator=network)
        self.teacher, self.sentences, self.step = teacher, sentences, 0
        self.method = config.resolved_method()
        start = torch.Generator().manual_seed(config.seed)
        self.generator = Generator(network, start)  # on the CPU, where scenes are rendered
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.optimizer = torch.optim.Adam(
            self.generator.parameters(), lr=config.learning_rate, betas=(0.9, 0.99)
        )
        self.tied = None
        if config.tied_noise > 0:
            self.tied = TiedNoise(network.noise, teacher.encode, teacher.codec.image_size)
        self.reader = self.reader_optimizer = None
        if config.reader:
            self.reader = NoiseReader(config.reader, config.seed)
            self.reader_optimizer = torch.optim.Adam(self.reader.parameters(), lr=1e-3)
        self.fake = None
        if self.method.learned_fake_score and config.sds_share < 1:
            ratio = DIVERGENCES[str(self.method.divergence)].needs_ratio
            self.fake = FakeScore(teacher, config.fake_score, config.seed, ratio)
        self.texts = Texts(teacher)

    def start_from(self, network: Generator) -> None:
        """Take the numbers of a trained network of the same sizes, with fresh moments."""
        self.generator.load_state_dict(network.state_dict())
        self.average.load_state_dict(network.state_dict())

    def take_step(self) -> Step:
        """One step of the algorithm."""
        config, teacher, share = self.config, self.teacher, self.step / self.config.steps
        rng = np.random.default_rng((config.seed, self.step))
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + self.step + 1)
        sds = self.fake is None or share < config.sds_share
        # 1. Sentences, several z of each, cameras for each object, what the teacher is given.
        texts = [self.texts.of(self.sentences.draw(rng)) for _ in range(config.sentences)]
        texts = [pair for pair in texts for _ in range(config.noises)]
        z = torch.randn(len(texts), config.generator.noise, generator=generator)
        count = len(texts) * config.views
        cameras = sample_cameras(config.camera, count, generator)
        cameras = cameras[torch.randperm(count, generator=generator)]
        each = [prompts for _, prompts in texts for _ in range(config.views)]
        views, camera = _views(each, cameras), teacher.camera(cameras)
        # 2. Objects and their pictures, encoded: x0 = g(text, z, camera).
        features = torch.stack([plain for plain, _ in texts])
        fields = self.generator.fields(features, z)
        backgrounds = random_background(count, generator)
        rgb = self._pictures(fields, cameras, backgrounds, config.size_at(share), generator)
        x0 = teacher.encode(rgb)
        z = z.repeat_interleave(config.views, dim=0)
        # 3. Diffuse. In the sds phase part of the noise of an object is its z.
        sigma, eps = self._noise(x0, share, generator)
        if sds and self.tied is not None:
            loud = config.tied_noise * z
            eps = self.tied(eps, loud, self.tied.contrast(rgb, backgrounds))
        x = add_noise(x0, sigma, eps)
        # 4.-6. Teacher, fake score, ratio, loss: per latent number.
        loss, metrics = self._loss(x0, x, sigma, views, camera, sds)
        # 7. What z says must be seen.
        if self.reader is not None:
            error = self.reader.error(rgb, z, generator)
            loss = loss + config.reader_weight * error
            metrics["reader"] = float(error.detach())
        # 8. Update generator, reader and average.
        loss.backward()
        metrics |= self._update(rgb)
        # 9. Let the fake score follow. It is given text and camera, never z.
        if self.fake is not None and share >= config.fake_share:
            sigma, eps = self._noise(x0, 0.0, generator)
            real = self._real(views, camera, generator, share)
            condition = Condition(views.positive, camera)
            losses = self.fake.fit(x0.detach(), sigma, eps, condition, 1.0, real)
            metrics |= {name: float(value) for name, value in losses.items()}
        self.step += 1
        return Step(self.step, metrics)

    def _pictures(
        self, fields: list[TriplaneField], cameras: Cameras, backgrounds: Tensor, size: int, jitter
    ) -> Tensor:
        """`[fields * views, 3, size, size]` over solid backgrounds, `views` of each field."""
        settings = RenderConfig(step_size=self.config.render_step / size)
        pictures = []
        for i, field in enumerate(fields):
            own = slice(i * self.config.views, (i + 1) * self.config.views)
            view = render(
                field,
                None,
                cameras[own],
                size,
                size,
                background=backgrounds[own],
                jitter_generator=jitter,
                config=settings,
            )
            pictures.append(view.rgb)
        return torch.cat(pictures)

    def _noise(self, x0: Tensor, share: float, generator: torch.Generator):
        """sigma `[batch]`, t stratified in [t_min, t_max at share], and fresh unit noise."""
        config, batch = self.config, len(x0)
        done = min(1.0, share / max(config.anneal_end, 1e-9))
        t_max = config.t_max + (config.t_max_end - config.t_max) * done
        places = torch.randperm(batch, generator=generator) + torch.rand(batch, generator=generator)
        t = config.t_min + (t_max - config.t_min) * places / batch
        sigma = self.teacher.schedule.sigma_of(t * (len(self.teacher.schedule.log_sigmas) - 1))
        return sigma.to(x0.device), torch.randn(x0.shape, generator=generator).to(x0.device)

    def _loss(self, x0, x, sigma, views: ViewConditioning, camera, sds: bool):
        """The mean loss per latent number, and metrics."""
        config, method = self.config, self.method
        through_networks = method.network_gradients and not sds
        log_ratio = constant_h = None
        with torch.set_grad_enabled(through_networks):
            noisy = x if through_networks else x.detach()
            scale = config.sds_scale if sds else config.scale
            condition = Condition(views.positive, camera)
            if scale == 1:  # without guidance there is no need of the unconditional pass
                x0_teacher = self.teacher.denoise(noisy, sigma, condition)
            else:
                x0_teacher = self.teacher.guided(noisy, sigma, views, camera, scale)
            x0_fake = x0.detach()  # without a learned fake score: D_p = x0
            if not sds:
                assert self.fake is not None
                x0_fake, features = self.fake.predict(noisy, sigma, condition)
                if features is not None:
                    log_ratio, constant_h = self.fake.log_ratio(features, sigma)
                    constant_h = constant_h | ratio_is_steep(x0_teacher, x0_fake, sigma)
        terms = uni_instruct_loss(
            x0,
            x0_teacher,
            x0_fake,
            sigma,
            log_ratio=log_ratio,
            divergence="reverse-kl" if sds else str(method.divergence),
            form="integral" if sds else str(method.form),
            sid_alpha=None if sds else method.sid_alpha,
            constant_h=constant_h,
        )
        per_sample, metrics = terms.per_sample, {}
        if log_ratio is not None:  # by a running mean: that of a batch of one is h itself
            assert self.fake is not None and self.fake.mean_h is not None
            per_sample = per_sample / self.fake.mean_h.of(terms.terms["h"], sigma)
            metrics["ratio"] = float(log_ratio.exp().mean())
        loss = per_sample.mean() / x0[0].numel()
        gap = float(terms.terms["u_norm"].mean()) / x0[0].numel() ** 0.5
        return loss, {"loss": float(loss.detach()), "gap": gap, **metrics}

    def _real(self, views: ViewConditioning, camera, generator, share: float) -> Tensor | None:
        """Teacher samples of this step's sentences and cameras, every few steps; else None."""
        assert self.fake is not None
        if self.fake.ratio is None or self.step % self.config.real_every:
            return None
        with self.fake.adapter(trainable=False, on=False):
            return self.teacher.sample(
                views, camera, scale=self.config.scale, steps=12, generator=generator
            )

    def _update(self, rgb: Tensor) -> dict[str, float]:
        config = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = config.rate_at(self.step)
        norm = torch.nn.utils.clip_grad_norm_(self.generator.parameters(), 1.0)
        if not torch.isfinite(norm):
            raise NonFiniteError(
                f"instant: the gradient is not finite in step {self.step + 1}; do: --resume with "
                "a lower learning rate"
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.reader_optimizer is not None:
            self.reader_optimizer.step()  # scaled by reader_weight, which Adam does not feel
            self.reader_optimizer.zero_grad(set_to_none=True)
        keep = min(config.average, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            for slow, fast in zip(
                self.average.parameters(), self.generator.parameters(), strict=True
            ):
                slow.lerp_(fast, 1 - keep)
        return {"gradient": float(norm), "rate": config.rate_at(self.step)}

    def state(self) -> dict[str, Tensor]:
        parts: dict[str, dict[str, Tensor]] = {
            "generator": self.generator.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": checkpoint.optimizer_state(self.optimizer),
        }
        if self.reader is not None and self.reader_optimizer is not None:
            parts["reader"] = self.reader.state_dict()
            parts["reader_optimizer"] = checkpoint.optimizer_state(self.reader_optimizer)
        if self.fake is not None:
            parts["fake"] = self.fake.state()
        flat: dict[str, Tensor] = {}
        for name, part in parts.items():
            flat |= checkpoint.with_prefix(name, part)
        return flat

    def save(self, path: Path) -> None:
        network = dataclasses.asdict(self.config.generator)
        described = {"step": self.step, "network": network, "teacher": self.teacher.name}
        checkpoint.save(path, self.state(), described)

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint of the same configuration; CheckpointError otherwise."""
        tensors, described = checkpoint.load(path)
        try:
            self.generator.load_state_dict(checkpoint.without_prefix("generator", tensors))
            self.average.load_state_dict(checkpoint.without_prefix("average", tensors))
            checkpoint.restore_optimizer(
                self.optimizer, checkpoint.without_prefix("optimizer", tensors)
            )
            if self.reader is not None and self.reader_optimizer is not None:
                self.reader.load_state_dict(checkpoint.without_prefix("reader", tensors))
                checkpoint.restore_optimizer(
                    self.reader_optimizer, checkpoint.without_prefix("reader_optimizer", tensors)
                )
            if self.fake is not None:
                self.fake.restore(checkpoint.without_prefix("fake", tensors))
        except (KeyError, RuntimeError, ValueError) as error:
            raise CheckpointError(
                f"{path}: does not fit its configuration ({error}); do: start a new training"
            ) from error
        self.step = int(described["step"])

    def steps(self, until: float = float("inf")) -> Iterator[Step]:
        """Steps up to `config.steps`, or to the monotonic time `until`."""
        while self.step < self.config.steps and time.monotonic() < until:
            yield self.take_step()


def _views(prompts: list[PromptSet], cameras: Cameras) -> ViewConditioning:
    """What the teacher is told of each sentence at its own camera."""
    each = [p.at(cameras[i : i + 1]) for i, p in enumerate(prompts)]
    names = [f.name for f in dataclasses.fields(ViewConditioning)]
    return ViewConditioning(*(torch.cat([getattr(v, name) for v in each]) for name in names))
