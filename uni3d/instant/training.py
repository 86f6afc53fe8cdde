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
from torch.nn import functional

from uni3d.cameras import Cameras, sample_cameras
from uni3d.errors import CheckpointError, NonFiniteError
from uni3d.instant.diversity import (
    CELLS,
    SIDE,
    Anchors,
    apart_from,
    deviations,
    edge_colour,
    traits,
    unlike,
)
from uni3d.instant.generator import Generator, TriplaneField
from uni3d.instant.sentences import Texts
from uni3d.instant.settings import InstantConfig
from uni3d.instruct import DIVERGENCES, add_noise, uni_instruct_loss
from uni3d.instruct.density_ratio import ratio_is_steep
from uni3d.scene.field import random_background
from uni3d.scene.occupancy import OccupancyConfig, OccupancyGrid
from uni3d.scene.render import RenderConfig, render
from uni3d.storage import checkpoint
from uni3d.teacher.fake_score import FakeScore
from uni3d.teacher.model import Condition, Teacher
from uni3d.teacher.prompts import PromptSet, ViewConditioning

__all__ = ["Sentences", "Step", "Trainer", "draw_anchors"]

ANCHORS_AT_ONCE = 16
CELLS_OF_A_BOX = 32  # a side; a point of each says where an object is


class Sentences(Protocol):
    def draw(self, rng: np.random.Generator) -> str: ...


@dataclasses.dataclass(frozen=True)
class Step:
    """What happened in a step."""

    step: int
    metrics: dict[str, float]


class Trainer:
    """A training in progress; everything that changes is in `state()`."""

    def __init__(
        self,
        config: InstantConfig,
        teacher: Teacher,
        sentences: Sentences,
        anchors: Anchors | None = None,
    ) -> None:
        """anchors: of `draw_anchors`, where the configuration wants them."""
        assert (anchors is not None) == (config.anchors > 0), "anchors: as many as config.anchors"
        width = teacher.encode_text(["a"]).shape[-1]
        network = dataclasses.replace(config.generator, text_width=width)
        self.config = config = dataclasses.replace(config, generator=network)
        self.teacher, self.sentences, self.anchors, self.step = teacher, sentences, anchors, 0
        self.method = config.resolved_method()
        start = torch.Generator().manual_seed(config.seed)
        self.generator = Generator(network, start)  # on the CPU, where scenes are rendered
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.optimizer = torch.optim.Adam(
            self.generator.parameters(), lr=config.learning_rate, betas=(0.9, 0.99)
        )
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
        # 1. Sentences, several z of each, cameras for each object, what the teacher is given. With
        # anchors: theirs, and each object's first camera.
        z = torch.randn(
            config.sentences * config.noises, config.generator.noise, generator=generator
        )
        count = len(z) * config.views
        cameras = sample_cameras(config.camera, count, generator)
        cameras = cameras[torch.randperm(count, generator=generator)]
        first = torch.arange(0, count, config.views)
        chosen, anchors = None, self.anchors
        if anchors is not None:
            chosen = torch.from_numpy(rng.integers(len(anchors.z), size=len(z)))
            z[:, : anchors.z.shape[1]] = anchors.z[chosen]
            cameras = cameras.replaced(first, anchors.cameras[chosen])
            texts = [self.texts.of(anchors.sentences[k]) for k in chosen.tolist()]
        else:
            texts = [self.texts.of(self.sentences.draw(rng)) for _ in range(config.sentences)]
            texts = [pair for pair in texts for _ in range(config.noises)]
        each = [prompts for _, prompts in texts for _ in range(config.views)]
        views, camera = _views(each, cameras), teacher.camera(cameras)
        # 2. Objects and their pictures, encoded: x0 = g(text, z, camera).
        fields = self.generator.fields(torch.stack([plain for plain, _ in texts]), z)
        backgrounds = random_background(count, generator)
        rgb, opacity = self._pictures(
            fields, cameras, backgrounds, config.size_at(share), generator
        )
        x0 = teacher.encode(rgb)
        # 3. Diffuse.
        sigma, eps = self._noise(x0, share, generator)
        x = add_noise(x0, sigma, eps)
        # 4.-6. Teacher, fake score, ratio, loss: per latent number.
        loss, metrics = self._loss(x0, x, sigma, views, camera, sds)
        # 7. From its first camera each object has the colour of its anchor, and looks like it.
        if anchors is not None and chosen is not None:
            seen = rgb[first], opacity[first], backgrounds[first]
            apart = apart_from(*seen, anchors.colours[chosen])
            loss = loss + config.anchor_weight * apart
            metrics["apart_from_anchor"] = float(apart.detach())
            if config.picture_weight:
                blurred = unlike(*seen, anchors.pictures[chosen], anchors.grounds[chosen])
                loss = loss + config.picture_weight * blurred
                metrics["unlike_anchor"] = float(blurred.detach())
        # 8. Update generator and average.
        teacher.backward(loss, list(self.generator.parameters()))
        metrics |= self._update()
        # 9. Let the fake score follow. It is given text and camera, never z.
        if self.fake is not None and share >= config.fake_share:
            sigma, eps = self._noise(x0, 0.0, generator)
            real = self._real(views, camera, generator)
            condition = Condition(views.positive, camera)
            losses = self.fake.fit(x0.detach(), sigma, eps, condition, 1.0, real)
            metrics |= {name: float(value) for name, value in losses.items()}
        self.step += 1
        return Step(self.step, metrics)

    def _pictures(
        self, fields: list[TriplaneField], cameras: Cameras, backgrounds: Tensor, size: int, jitter
    ) -> tuple[Tensor, Tensor]:
        """Over solid backgrounds, `views` of each field: `[fields * views, 3, size, size]`, and
        opacities `[fields * views, 1, size, size]`."""
        settings = RenderConfig(step_size=self.config.render_step / size)
        pictures, opacities = [], []
        for i, field in enumerate(fields):
            own = slice(i * self.config.views, (i + 1) * self.config.views)
            # Most of the box is empty, and looking for samples in it took a third of a step.
            grid = OccupancyGrid(OccupancyConfig(resolution=CELLS_OF_A_BOX))
            grid.update(field.density, jitter)
            view = render(
                field,
                grid,
                cameras[own],
                size,
                size,
                background=backgrounds[own],
                jitter_generator=jitter,
                config=settings,
            )
            pictures.append(view.rgb)
            opacities.append(view.opacity)
        return torch.cat(pictures), torch.cat(opacities)

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

    def _real(self, views: ViewConditioning, camera, generator) -> Tensor | None:
        """Teacher samples of this step's sentences and cameras, every few steps; else None."""
        assert self.fake is not None
        if self.fake.ratio is None or self.step % self.config.real_every:
            return None
        return self.teacher.sample(
            views, camera, scale=self.config.scale, steps=12, generator=generator
        )

    def _update(self) -> dict[str, float]:
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


def draw_anchors(
    config: InstantConfig, teacher: Teacher, sentences: Sentences
) -> Iterator[tuple[int, Anchors | None]]:
    """Draw `config.anchors` samples of the teacher, each of a sentence from a camera.

    Yields (how many there are, None), at the end (all, the anchors).
    """
    # Of no step: (seed, step) has two numbers there, and smaller ones here.
    rng = np.random.default_rng((config.seed, 7, 1))
    generator = torch.Generator().manual_seed(2**62 + config.seed)
    texts = Texts(teacher)
    drawn = [sentences.draw(rng) for _ in range(config.anchors)]
    cameras = sample_cameras(config.camera, config.anchors, generator)
    cameras = cameras[torch.randperm(config.anchors, generator=generator)]
    colours, features, pictures, grounds = [], [], [], []
    for low in range(0, config.anchors, ANCHORS_AT_ONCE):
        here = slice(low, low + ANCHORS_AT_ONCE)
        pairs = [texts.of(sentence) for sentence in drawn[here]]
        made = teacher.sample(
            _views([prompts for _, prompts in pairs], cameras[here]),
            teacher.camera(cameras[here]),
            scale=config.anchor_scale,
            steps=config.anchor_steps,
            generator=generator,
        )
        seen = teacher.codec.decode(made).float().cpu().clamp(0, 1)
        colours.append(traits(functional.adaptive_avg_pool2d(seen, SIDE)))
        pictures.append(functional.adaptive_avg_pool2d(seen, CELLS))
        grounds.append(edge_colour(seen))
        features += [plain.mean(0) for plain, _ in pairs]
        yield min(low + ANCHORS_AT_ONCE, config.anchors), None
    found = torch.cat(colours)
    z = deviations(found, torch.stack(features), cameras)[:, : config.generator.noise]
    yield config.anchors, Anchors(drawn, cameras, found, z, torch.cat(pictures), torch.cat(grounds))
