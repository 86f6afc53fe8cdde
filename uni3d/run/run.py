"""The main path: a sentence to an optimised scene, as a generator of progress records.

The numbered comments of `_step` are the algorithm (Uni-Instruct, arXiv 2505.20755, with a scene
in place of the one-step generator). Export of what it leaves is `uni3d.run.finish`.
"""

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from uni3d import config_io
from uni3d.cameras import Cameras, sample_cameras
from uni3d.errors import CheckpointError, NonFiniteError
from uni3d.instruct import add_noise, ratio_is_steep, uni_instruct_loss
from uni3d.mesh import files as export
from uni3d.run.settings import RunConfig
from uni3d.scene import regularizers
from uni3d.scene.backends import SceneBackend, choose_backend
from uni3d.scene.scene import Scene
from uni3d.storage import checkpoint
from uni3d.storage.cache import remembered
from uni3d.teacher.codecs import VaeCodec
from uni3d.teacher.fake_score import FakeScore
from uni3d.teacher.memory import (
    Profile,
    choose_profile,
    free_bytes,
    largest_picture,
    out_of_memory_explained,
)
from uni3d.teacher.model import Condition, Teacher, load_teacher
from uni3d.teacher.prompts import PromptSet, check_prompt

__all__ = [
    "CHECKPOINT",
    "CONFIG",
    "METRICS",
    "REPORT",
    "Progress",
    "Run",
    "preview",
    "restore_scene",
    "write_config",
]

# The files of a run folder; what export adds is in uni3d.run.finish.
CHECKPOINT, CONFIG = "checkpoint.safetensors", "config.yaml"
METRICS, REPORT = "metrics.jsonl", "report.json"
SMALLER = "--set memory=6GB, a smaller --set views=2, or --teacher toybox"
BINS = 8  # azimuth bins of the teacher samples that stand for real images


@dataclasses.dataclass(frozen=True)
class Progress:
    """What happened up to `step` of `steps`; `note` is for the reader."""

    stage: str
    step: int
    steps: int
    seconds: float
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    note: str = ""


@dataclasses.dataclass(frozen=True)
class _Parts:
    """Everything a step works with."""

    config: RunConfig
    teacher: Teacher
    prompts: PromptSet
    scene: Scene
    fake: FakeScore | None
    real: Tensor | None  # [BINS, per_view, channels, height, width]
    notice: str  # for the reader


class Run:
    """A run in progress. `progress()` is the main path; `save()` keeps what exists at any time.

    `config` is what is really done, from the second record on: the teacher that was found, the
    picture sizes that fit. The folder's config.yaml says the same.
    """

    def __init__(self, config: RunConfig, run: Path, *, resume: bool = False) -> None:
        self.config, self.folder, self.resume = config, run, resume
        self.parts: _Parts | None = None
        self.step = 0

    def progress(self) -> Iterator[Progress]:
        """Optimise a scene for `config.prompt`, leaving its checkpoint; export is separate.

        Same config and seed give the same scene; a run killed at any step and resumed does too.
        """
        config, started = self.config, time.monotonic()
        yield Progress("loading", 0, config.steps, 0.0)
        with out_of_memory_explained("loading the teacher", f"close other programs, {SMALLER}"):
            self.parts = parts = _prepare(config)
        # A short name may mean another model tomorrow, and there may be more memory free: the run
        # remembers which ones it had. Only now: the folder may hold another run, and no teacher.
        if not self.resume:
            for old in (CHECKPOINT, REPORT, METRICS):
                (self.folder / old).unlink(missing_ok=True)
        self._adopt(parts.config)
        self.step = _restore(parts, self.folder) if self.resume else 0
        good = (self.step, _state(parts)) if self.step else None
        seconds = time.monotonic() - started
        yield Progress("optimising", self.step, config.steps, seconds, note=parts.notice)
        while self.step < config.steps:
            note = self._check_room(parts.scene.backend)
            with out_of_memory_explained(
                f"in step {self.step + 1}",
                f"set memory: 6GB in {self.folder / 'config.yaml'}, then: uni3d resume "
                f"{self.folder}; or {SMALLER}",
            ):
                metrics = _step(self.parts, self.step)
            self.step += 1
            if self.step % config.checkpoint_every == 0 or self.step == config.steps:
                if parts.scene.finite():
                    good = (self.step, _state(parts))
                    self.save()
                elif good is None:
                    raise NonFiniteError(
                        f"the scene is not finite after {self.step} steps; do: another seed, or a "
                        "lower --guidance-scale"
                    )
                else:
                    note = f"not finite at step {self.step}: back to the scene of step {good[0]}"
                    _load(parts, good[1])
            if self.step % config.picture_every == 0:
                preview(parts.scene, self.folder / f"progress-{self.step:05d}.png")
            seconds = time.monotonic() - started
            yield Progress("optimising", self.step, config.steps, seconds, metrics, note)

    def _adopt(self, config: RunConfig) -> None:
        assert self.parts is not None
        self.config, self.parts = config, dataclasses.replace(self.parts, config=config)
        write_config(config, self.folder)

    def _check_room(self, backend: SceneBackend) -> str:
        """Where pictures are about to grow: cut them to what fits now. A line for the reader."""
        if self.step == 0:  # they were cut before it
            return ""
        config = self.config
        size, before = (config.size_at((self.step - k) / config.steps) for k in (0, 1))
        if size <= before:
            return ""
        room = max(before, largest_picture(config.views, free_bytes(backend.device)))
        if size <= room:
            return ""
        sizes = tuple((start, min(side, room)) for start, side in config.resolutions)
        self._adopt(dataclasses.replace(config, resolutions=sizes))
        return f"pictures of {room} instead of {size} pixels from here on, for lack of memory"

    def save(self) -> None:
        """Write the checkpoint of the last whole step."""
        assert self.parts is not None, "save: there is nothing before the first progress record"
        described = {"step": self.step, "prompt": self.config.prompt, "seed": self.config.seed}
        checkpoint.save(self.folder / CHECKPOINT, _state(self.parts), described)


def write_config(config: RunConfig, run: Path) -> None:
    """Make `config` the one of the run folder."""
    temporary = (run / CONFIG).with_suffix(".tmp")
    temporary.write_text(config_io.dump(config), encoding="utf-8")
    temporary.replace(run / CONFIG)


def _prepare(config: RunConfig) -> _Parts:
    prompt = check_prompt(config.prompt)
    teacher = load_teacher(config.teacher, config.loading)
    config = dataclasses.replace(
        config,
        teacher=teacher.name,
        loading=dataclasses.replace(config.loading, revision=teacher.revision),
    )
    prompts = PromptSet(
        prompt,
        config.prompts,
        lambda texts: remembered(
            "texts",
            {"teacher": teacher.fingerprint, "texts": texts},
            lambda: teacher.encode_text(texts),
        ),
    )
    teacher.encode_text.free()
    backend, notice = choose_backend(config.scene.backend, teacher.device)
    config, profile = _fit_memory(config, teacher, backend)
    # Real samples are drawn before there is an adapter: they are the teacher's alone.
    real = _real_samples(config, teacher, prompts) if config.needs_ratio else None
    scene = Scene(config.scene, config.seed, backend)
    fake = None
    if config.resolved_method().learned_fake_score:
        fake = FakeScore(teacher, config.fake_score, config.seed, config.needs_ratio)
        if profile.checkpoint_networks:
            fake.checkpoint_network()
    return _Parts(config, teacher, prompts, scene, fake, real, notice)


def _fit_memory(
    config: RunConfig, teacher: Teacher, backend: SceneBackend
) -> tuple[RunConfig, Profile]:
    """The profile for this machine, its switches set on the teacher, and `config` with both it and
    picture sizes that will fit: found before the first step, not at the jump to a larger one."""
    size = sum(parameter.numel() for parameter in teacher.unet.parameters())
    name, profile = choose_profile(config.memory, size, teacher.device)
    teacher.one_by_one = profile.one_by_one
    if isinstance(teacher.codec, VaeCodec):
        teacher.codec = dataclasses.replace(teacher.codec, sliced=profile.slice_vae)
    largest = min(profile.max_picture, largest_picture(config.views, free_bytes(backend.device)))
    sizes = tuple((start, min(size, largest)) for start, size in config.resolutions)
    return dataclasses.replace(config, memory=name, resolutions=sizes), profile


def _step(parts: _Parts, step: int) -> dict[str, float]:
    """One step of the algorithm; everything random follows from (seed, step)."""
    config, teacher, scene, fake = parts.config, parts.teacher, parts.scene, parts.fake
    method = config.resolved_method()
    fraction = step / config.steps
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step + 1)

    # 1. Cameras, stratified in azimuth, and what the teacher is told at each.
    cameras = sample_cameras(config.camera, config.views, generator)
    views, camera = parts.prompts.at(cameras), teacher.camera(cameras)
    told = Condition(views.positive, camera)
    # 2. Render the scene and encode the pictures: x0 = g(theta, camera).
    rendered = scene.shoot(cameras, config.size_at(fraction), generator)
    x0 = teacher.encode(rendered.rgb)
    # 3. Diffuse: x = x0 + sigma eps, one noise level per view, stratified.
    sigma, eps = _noise(config, teacher, x0, config.t_max_at(fraction), generator)
    x = add_noise(x0, sigma, eps)
    # 4. Teacher and fake score at x, with gradient only where the method asks for it.
    guidance = config.guidance
    through = method.network_gradients and not guidance.detach_networks
    with torch.set_grad_enabled(through):
        seen = x if through else x.detach()
        x0_teacher = teacher.guided(seen, sigma, views, camera, guidance.scale, guidance.rescale)
        # Without a learned fake score the injected noise stands in for it: D_p = x0.
        x0_fake = fake(seen, sigma, told) if fake else x0.detach()
    # 5. The density ratio, once the discriminator has had its warm-up.
    ratio_ready = parts.real is not None and fraction >= guidance.ratio_warm_up
    log_ratio = clipped = None
    if fake and parts.real is not None:
        log_ratio, clipped = fake.log_ratio(sigma)
        clipped = clipped | ratio_is_steep(x0_teacher, x0_fake, sigma)
        if not ratio_ready:  # reverse-kl: h is the same everywhere
            log_ratio, clipped = torch.zeros_like(log_ratio), torch.ones_like(clipped)
    # 6. The Uni-Instruct loss, per latent number so that its scale does not depend on the teacher.
    terms = uni_instruct_loss(
        x0,
        x0_teacher,
        x0_fake,
        sigma,
        log_ratio,
        divergence=str(method.divergence),
        form=str(method.form),
        weight="omega",
        sid_alpha=method.sid_alpha,
        normalise_h=log_ratio is not None,
        clipped=clipped,
    )
    loss = terms.per_sample.mean() / x0[0].numel()
    # 7. Priors on the scene.
    prior, values = regularizers.total(
        rendered, scene.field.density, config.regularizers, fraction, generator
    )
    # 8. Update the scene.
    (loss + prior).backward()
    scene.update(step, fraction, generator)
    metrics = {"loss": float(loss.detach()), "opacity": float(rendered.opacity.detach().mean())}
    # How far apart teacher and fake score are, root mean square per latent number.
    metrics["gap"] = float(terms.terms["u_norm"].mean()) / x0[0].numel() ** 0.5
    # 9. Let the fake score follow what is rendered now, and the discriminator with it.
    if fake:
        for _ in range(config.fake_score.steps_per_step):
            sigma, eps = _noise(config, teacher, x0, config.guidance.t_max, generator)
            real = None
            if parts.real is not None:
                real = _real_for(parts.real, cameras, generator).to(x0.device)
            losses = fake.fit(x0.detach(), sigma, eps, told, fraction, real)
        metrics |= {name: float(loss) for name, loss in losses.items()}
    if log_ratio is not None:
        metrics["ratio"] = float(log_ratio.exp().mean())
    return metrics | values


def _noise(config: RunConfig, teacher: Teacher, x0: Tensor, t_max: float, generator):
    """sigma `[batch]` with t uniform in [t_min, t_max], stratified and shuffled; and unit noise."""
    batch = x0.shape[0]
    places = torch.randperm(batch, generator=generator) + torch.rand(batch, generator=generator)
    t = config.guidance.t_min + (t_max - config.guidance.t_min) * places / batch
    sigma = teacher.schedule.sigma_of(t * (len(teacher.schedule.log_sigmas) - 1))
    # Drawn on the CPU: a GPU gives the same run.
    return sigma.to(x0.device), torch.randn(x0.shape, generator=generator).to(x0.device)


def _real_samples(config: RunConfig, teacher: Teacher, prompts: PromptSet) -> Tensor:
    """Teacher samples of the prompt per azimuth bin: "real" for the ratio, as no images exist.

    The same for every seed of a run, and kept on disk for the next one.
    """
    guidance, (low, high) = config.guidance, config.camera.elevation_deg
    count, steps = guidance.real_samples_per_view, 12

    def draw() -> Tensor:
        generator = torch.Generator().manual_seed(17)
        bins = []
        for k in range(BINS):
            azimuth = (torch.arange(count) / count + k) * (360 / BINS)
            elevation = low + (high - low) * torch.rand(count, generator=generator)
            cameras = Cameras.orbit(azimuth, elevation)
            bins.append(
                teacher.sample(
                    prompts.at(cameras),
                    teacher.camera(cameras),
                    generator=generator,
                    scale=guidance.scale,
                    rescale=guidance.rescale,
                    steps=steps,
                )
            )
        return torch.stack(bins)

    key = {
        "teacher": teacher.fingerprint,
        "precision": str(teacher.dtype),
        "device": teacher.device.type,
        "prompt": config.prompt,
        "prompts": dataclasses.asdict(config.prompts),
        "elevation": [low, high],
        "scale": guidance.scale,
        "rescale": guidance.rescale,
        "steps": steps,
        "shape": [BINS, count],
        "one_by_one": teacher.one_by_one,
    }
    return remembered("samples", key, draw)


def _real_for(real: Tensor, cameras: Cameras, generator: torch.Generator) -> Tensor:
    """One cached sample of each camera's bin."""
    place = (cameras.azimuth_deg % 360 / (360 / BINS)).long().clamp(max=BINS - 1)
    pick = torch.randint(real.shape[1], (len(cameras),), generator=generator)
    return real[place, pick]


def _state(parts: _Parts) -> dict[str, Tensor]:
    tensors = checkpoint.with_prefix("scene", parts.scene.state())
    if parts.fake:
        tensors |= checkpoint.with_prefix("fake", parts.fake.state())
    return {k: v.detach().clone() for k, v in tensors.items()}


def _load(parts: _Parts, tensors: dict[str, Tensor]) -> None:
    parts.scene.restore(checkpoint.without_prefix("scene", tensors))
    if parts.fake:
        parts.fake.restore(checkpoint.without_prefix("fake", tensors))


def _restore(parts: _Parts, run: Path) -> int:
    """Continue from the run's checkpoint; from the start when it was killed before the first."""
    if not (run / CHECKPOINT).exists():
        return 0
    tensors, described = checkpoint.load(run / CHECKPOINT)
    try:
        _load(parts, tensors)
    except (KeyError, RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"{run / CHECKPOINT}: does not fit its config.yaml ({error}); do: start a new run"
        ) from error
    return int(described["step"])


def restore_scene(config: RunConfig, run: Path) -> tuple[Scene, int]:
    """The scene of a run's checkpoint and its step; no teacher is loaded."""
    scene = Scene(config.scene, config.seed)
    tensors, described = checkpoint.load(run / CHECKPOINT)
    scene.restore(checkpoint.without_prefix("scene", tensors))
    return scene, int(described["step"])


def preview(scene: Scene, path: Path, size: int = 96) -> None:
    """A picture of four views of the scene as it is."""
    views = scene.picture(Cameras.orbit([0, 90, 180, 270], 15.0), size)
    export.write_png(np.concatenate(list(export.as_uint8(views.rgb)), axis=1), path)
