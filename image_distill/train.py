"""Distillation of a denoiser into a one-step generator: the algorithm, top to bottom.

`train(recipe)` yields one record per tick. The generator, its running average and the fake score
all begin as the teacher (2404.04057); the discriminator is the channel mean of the fake score's
last encoder map (2410.14919), so it adds no weights. Each step first teaches the critics, then the
generator. Everything random is drawn from (seed, step, place in the batch), see draws.py.
"""

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from image_distill import state
from image_distill.augment import augmented
from image_distill.denoisers import Denoiser
from image_distill.draws import Draws, draw, random_source
from image_distill.feeding import pieces, real_batches
from image_distill.gang import Gang
from image_distill.players import Players
from image_distill.recipe import Recipe, Stage, missing_files, resolved
from image_distill.runfolder import CHECKPOINT, RunFolder, check_outdir
from image_distill.score import Scorer
from image_distill.start import check_networks, local_network, open_data, resume
from image_distill.teachers import load_denoiser
from image_distill.ticks import Progress, collect, means_of, ratio_values, write_tick
from uni3d import config_io
from uni3d.errors import ConfigError, NonFiniteError
from uni3d.instruct import (
    DIVERGENCES,
    add_noise,
    denoising_score_matching,
    discriminator_loss,
    generator_adversarial_loss,
    ratio_is_clipped,
    ratio_is_steep,
    sample_karras_sigma,
    sample_lognormal_sigma,
    uni_instruct_loss,
)

__all__ = ["Progress", "train"]

FP16_SCALE = 1024.0  # keeps small gradients of activations in fp16's range; a power of two
PATIENCE = 50  # steps in a row with non-finite gradients before the run stops
H_MEMORY = 10  # steps over which the mean of h is taken
GRID = 64


class Trainer:
    """The two alternating steps. `one_step(z)` is `D(init_sigma z, init_sigma)`."""

    def __init__(self, players: Players, recipe: Recipe, gang: Gang, reals: Iterator[Any]) -> None:
        self.players, self.recipe, self.gang, self.reals = players, recipe, gang, reals
        model = players.teacher.model
        self.shape = (model.in_channels, model.img_resolution, model.img_resolution)
        self.label_dim = model.label_dim
        self.pixels = math.prod(self.shape)
        self.pieces = pieces(recipe, gang)
        self.bad_gradients = 0

    def one_step(self, network: Denoiser, draws: Draws) -> Tensor:
        """Images [b, c, h, w] that `network` makes of the latents in one evaluation."""
        sigma = torch.full_like(draws.sigma, self.recipe.init_sigma)
        return network(self.recipe.init_sigma * draws.latent, sigma, draws.label)

    def critic_step(self, step: int) -> dict[str, float]:
        """Score matching of the fake score on generated images; the discriminator's loss. `step`
        counts the critics' own steps."""
        recipe, fake = self.recipe, self.players.fake.requires_grad_(True)
        self.players.fake_optimiser.zero_grad()
        rows = []
        for places in self.pieces:
            draws = self._draw("critics", step, places, self._critic_sigma)
            with self._precision():
                with torch.no_grad():
                    x0 = self.one_step(self.players.generator, draws)
                x0, augmentation = self._augmented("critics", step, places, x0)
                x = add_noise(x0, draws.sigma, draws.eps)
                denoised, features = fake.with_features(x, draws.sigma, draws.label, augmentation)
                matching = denoising_score_matching(denoised, x0, draws.sigma)
                loss, discrimination = recipe.ls * matching, torch.zeros_like(matching)
                if recipe.use_gan:
                    real, label = (tensor.to(self.gang.device) for tensor in next(self.reals))
                    # The same noise level and the same noise for real and fake.
                    real, augmentation = self._augmented("real", step, places, real)
                    noisy = add_noise(real, draws.sigma, draws.eps)
                    real_features = fake.features(noisy, draws.sigma, label, augmentation)
                    discrimination = discriminator_loss(real_features.mean(1), features.mean(1))
                    loss = loss + recipe.lsd * discrimination
            self._backward(loss)
            rows.append(torch.stack([matching.detach(), discrimination.detach()], 1))
        self._optimise(self.players.fake_optimiser, list(fake.parameters()))
        matching, discrimination = self.gang.gather(torch.cat(rows)).double().mean(0).tolist()
        return {"fake": matching} | ({"discriminator": discrimination} if recipe.use_gan else {})

    def generator_step(self, step: int, stage: Stage) -> dict[str, float]:
        """The Uni-Instruct loss of the stage's method; only the generator's weights move."""
        recipe, players, method = self.recipe, self.players, stage.method
        assert method is not None and method.divergence is not None and method.form is not None
        fake, generator = players.fake.requires_grad_(False), players.generator
        players.generator_optimiser.zero_grad()
        rows = []
        for places in self.pieces:
            draws = self._draw("generator", step, places, self._generator_sigma)
            with self._precision():
                x0 = self.one_step(generator, draws)
                x0, augmentation = self._augmented("generator", step, places, x0)
                x = add_noise(x0, draws.sigma, draws.eps)
                with torch.set_grad_enabled(method.network_gradients):
                    x0_teacher = players.teacher(x, draws.sigma, draws.label, augmentation)
                with torch.set_grad_enabled(method.network_gradients or stage.adversarial):
                    x0_fake, features = fake.with_features(
                        x, draws.sigma, draws.label, augmentation
                    )
                logits, log_ratio, constant_h = features.mean(1), None, None
                if recipe.use_gan:
                    log_ratio = players.ratio(logits, draws.sigma, update=False)
                    constant_h = ratio_is_clipped(logits)
                    constant_h = constant_h | ratio_is_steep(x0_teacher, x0_fake, draws.sigma)
                terms = uni_instruct_loss(
                    x0,
                    x0_teacher,
                    x0_fake if method.learned_fake_score else x0,
                    draws.sigma,
                    log_ratio,
                    divergence=method.divergence,
                    form=method.form,
                    sid_alpha=method.sid_alpha,
                    constant_h=constant_h,
                )
                scale = float(players.h_mean) if recipe.variance_reduction else 1.0
                loss = recipe.lsg / scale * terms.per_sample
                fooled = generator_adversarial_loss(logits)
                if stage.adversarial:
                    loss = loss + recipe.lsg_gan * self.pixels * fooled
            self._backward(loss)
            log = (
                draws.sigma,
                logits.float().flatten(1).mean(1),
                terms.terms["h"],
                terms.terms["u_norm"],
                fooled,
            )
            rows.append(torch.stack([column.detach().float() for column in log], 1))
        self._optimise(players.generator_optimiser, list(generator.parameters()))
        sigma, logit, h, u_norm, fooled = self.gang.gather(torch.cat(rows)).unbind(1)
        self._update_ratio(sigma, logit, h)
        values = {"h": h, "u_norm": u_norm / math.sqrt(self.pixels)}
        if recipe.use_gan:
            values |= {"fooled": fooled, "logit": logit}
        return {name: float(value.double().mean()) for name, value in values.items()}

    def _update_ratio(self, sigma: Tensor, logit: Tensor, h: Tensor) -> None:
        """The running means learn from the whole batch, after it was used: so they do not depend
        on how it was split."""
        players = self.players
        if self.recipe.use_gan:
            players.ratio(logit, sigma)
        players.h_steps += 1
        memory = min(int(players.h_steps), H_MEMORY)
        players.h_mean += (h.double().mean().cpu() - players.h_mean) / memory

    def begin_stage(self, stage: Stage) -> None:
        """Another divergence has another h: its running mean starts at h(1)."""
        if stage.method is not None:
            divergence = DIVERGENCES[str(stage.method.divergence)]
            self.players.h_mean = divergence.h(torch.zeros((), dtype=torch.float64)).clone()
            self.players.h_steps = torch.zeros((), dtype=torch.int64)

    @torch.no_grad()
    def update_average(self, images: int) -> None:
        """The running average with half-life `min(ema, 5 % of the images seen)`."""
        half_life = max(min(self.recipe.ema * 1e6, 0.05 * images), 1e-8)
        weight = 1 - 0.5 ** (self.recipe.batch / half_life)
        pairs = zip(
            self.players.average.parameters(), self.players.generator.parameters(), strict=True
        )
        for mean, parameter in pairs:
            mean.lerp_(parameter, weight)

    def _critic_sigma(self, number: int, source: torch.Generator) -> Tensor:
        if torch.rand((), generator=source) < self.recipe.karras_share:
            return self._generator_sigma(number, source)
        return sample_lognormal_sigma(number, source)

    def _generator_sigma(self, number: int, source: torch.Generator) -> Tensor:
        return sample_karras_sigma(number, source, u_range=(0.0, self.recipe.tmax / 1000))

    def _draw(self, purpose: str, step: int, places: range, sampler: Any) -> Draws:
        key = (self.recipe.seed, purpose, step)
        if self.recipe.dropout:  # its masks come from the global generator
            torch.manual_seed(random_source(*key, places[0], "dropout").initial_seed())
        return draw(key, places, self.shape, self.label_dim, sampler, self.gang.device)

    def _augmented(
        self, purpose: str, step: int, places: range, images: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        key = (self.recipe.seed, f"augment {purpose}", step)
        return augmented(images, self.recipe.augment, key, places)

    def _precision(self) -> torch.autocast:
        half = torch.float16 if self.recipe.fp16 else torch.bfloat16
        on = self.recipe.fp16 or self.recipe.bf16
        return torch.autocast(self.gang.device.type, half, enabled=on)

    def _backward(self, loss: Tensor) -> None:
        """Add the gradient of this piece's share of the batch mean of `loss` [b]."""
        scale = FP16_SCALE if self.recipe.fp16 else 1.0
        (loss.sum() * (scale / self.recipe.batch)).backward()

    def _optimise(self, optimiser: torch.optim.Optimizer, parameters: list[Any]) -> None:
        """Adam on the gradient of the whole batch; non-finite entries are zeroed and counted."""
        self.gang.sum_gradients(parameters)
        gradients = [p.grad for p in parameters if p.grad is not None]
        if self.recipe.fp16:
            torch._foreach_div_(gradients, FP16_SCALE)
        finite = all(bool(torch.isfinite(gradient.sum())) for gradient in gradients)
        self.bad_gradients = 0 if finite else self.bad_gradients + 1
        if not finite:
            for gradient in gradients:
                gradient.nan_to_num_(0.0, 0.0, 0.0)
        if self.bad_gradients >= PATIENCE:
            raise NonFiniteError(
                f"gradients: got NaN or infinity in {PATIENCE} steps in a row; wanted numbers; "
                "do: resume the last checkpoint with a lower lr and glr, or bf16 instead of fp16"
            )
        optimiser.step()


def train(recipe: Recipe, gang: Gang | None = None) -> Iterator[Progress]:
    """Runs the recipe; one record per tick. The run folder is `recipe.outdir`.

    Raises:
        ConfigError, CheckpointError, DataError: before the first step.
        NonFiniteError: gradients stayed NaN or infinite.
    """
    gang = gang or Gang()
    recipe = resolved(recipe)
    missing = missing_files(recipe)
    if missing:
        raise ConfigError(str(missing[0]))
    check_outdir(recipe.outdir, recipe.resume)

    # 1. The teacher; generator and fake score begin as copies of it.
    outdir = Path(recipe.outdir)
    like = local_network(recipe.edm_model, outdir / "teacher", gang)
    players = _players(recipe, gang, like)
    dataset = open_data(recipe, players.teacher)
    scorer = Scorer(recipe, gang) if recipe.metrics != "none" and gang.rank == 0 else None

    # 2. Where an interrupted run stopped.
    resumed = resume(recipe, players)
    first = resumed or 0
    folder = _folder(recipe, resumed) if gang.rank == 0 else None
    turns = range(first * recipe.critic_steps, recipe.steps * recipe.critic_steps)
    reals = real_batches(dataset, recipe, gang, turns) if dataset else iter(())
    trainer = Trainer(players, recipe, gang, reals)
    latents = _latents(trainer)
    if folder and resumed is None:
        folder.picture("fakes000000", _show(trainer, latents))

    collected: dict[str, list[float]] = {}
    begin = time.perf_counter()
    for step in range(first, recipe.steps):
        images = (step + 1) * recipe.batch
        stage = recipe.stage(step * recipe.batch)
        if step == 0 or stage != recipe.stage((step - 1) * recipe.batch):
            trainer.begin_stage(stage)
        players.set_rates(recipe, step)

        # 3. The critics learn what the generator makes now, on a faster time scale if asked.
        for turn in range(recipe.critic_steps):
            collect(collected, trainer.critic_step(step * recipe.critic_steps + turn))
        # 4. The generator moves against the divergence.
        if stage.method is not None:
            collect(collected, trainer.generator_step(step, stage))
            trainer.update_average(images)

        # 5. At a tick and at the end, come early or not: log, pictures, snapshots, checkpoint.
        last = step + 1 == recipe.steps or gang.ends()
        tick = int(images / recipe.ticks)
        if not last and tick == int((images - recipe.batch) / recipe.ticks):
            continue
        progress = Progress(
            step=step + 1,
            kimg=images / 1000,
            stage=stage.name,
            seconds=time.perf_counter() - begin,
            values=means_of(collected) | ratio_values(players, recipe),
        )
        if folder:
            shown = _show(trainer, latents)
            due = last or bool(recipe.snap and tick % recipe.snap == 0)
            progress = write_tick(folder, like, players, recipe, progress, shown, scorer, due)
            if last or (recipe.dump and tick % recipe.dump == 0):
                described = {"step": step + 1, "recipe": config_io.to_dict(recipe)}
                state.write_state(outdir / CHECKPOINT, players.parts(), described)
        gang.wait()
        yield progress
        if last:
            return
        collected, begin = {}, time.perf_counter()


def _players(recipe: Recipe, gang: Gang, like: Path) -> Players:
    """The networks of a run: teacher, generator and fake score."""
    teacher = generator = load_denoiser(like)
    if recipe.sid_model:
        start_from = local_network(recipe.sid_model, Path(recipe.outdir) / "sid_model", gang)
        generator = load_denoiser(start_from)
    check_networks(recipe, teacher, generator)
    return Players(teacher, generator, recipe, gang)


def _folder(recipe: Recipe, resumed: int | None) -> RunFolder:
    at = None if resumed is None else resumed * recipe.batch
    text = config_io.dump(recipe)
    return RunFolder(Path(recipe.outdir), text, resumed_at=at, board=recipe.tensorboard)


def _latents(trainer: Trainer) -> Draws:
    """Those of the pictures, the same all along."""
    return draw(
        (trainer.recipe.seed, "grid"),
        range(GRID),
        trainer.shape,
        trainer.label_dim,
        trainer._generator_sigma,
        trainer.gang.device,
    )


@torch.no_grad()
def _show(trainer: Trainer, latents: Draws) -> Tensor:
    return trainer.one_step(trainer.players.average, latents)
