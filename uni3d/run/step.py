"""The algorithm: one step of Uni-Instruct (arXiv 2505.20755) on a scene, in numbered steps.

A scene and a random camera stand in place of the paper's one-step generator and its noise.
"""

import dataclasses

import torch
from torch import Tensor

from uni3d.cameras import Cameras, sample_cameras
from uni3d.instruct import add_noise, guidance_pull, ratio_is_steep, uni_instruct_loss
from uni3d.run.real_samples import pick_real_samples, real_cameras
from uni3d.run.settings import RunConfig
from uni3d.scene import regularizers
from uni3d.scene.scene import Scene
from uni3d.teacher.fake_score import FakeScore
from uni3d.teacher.model import Condition, Teacher
from uni3d.teacher.prompts import PromptSet

__all__ = ["Parts", "take_step"]


@dataclasses.dataclass(frozen=True)
class Parts:
    """Everything a step works with."""

    config: RunConfig
    teacher: Teacher
    prompts: PromptSet
    scene: Scene
    fake: FakeScore | None
    real: Tensor | None  # [BINS, per_view, channels, height, width]
    notice: str  # for the reader


def take_step(parts: Parts, step: int) -> dict[str, float]:
    """One step of the algorithm; everything random follows from (seed, step)."""
    config, teacher, scene = parts.config, parts.teacher, parts.scene
    fraction = step / config.steps
    method = config.method_at(fraction)  # sds until the fake score starts
    fake = parts.fake if method.learned_fake_score else None
    since = config.fake_score_age(fraction)
    learns = fake is not None and step % config.fake_score.every == 0
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step + 1)

    # 1. Cameras, stratified in azimuth, and the text for each.
    cameras = sample_cameras(config.camera, config.views, generator)
    views, camera = parts.prompts.at(cameras), teacher.camera(cameras)
    condition = Condition(views.positive, camera)
    # 2. Render the scene and encode the pictures: x0 = g(theta, camera).
    rendered = scene.shoot(cameras, config.size_at(fraction), generator)
    x0 = teacher.encode(rendered.rgb)
    # 3. Diffuse: x = x0 + sigma eps, one noise level per view, stratified.
    sigma, eps = _draw_noise(config, teacher, x0, config.t_max_at(fraction), generator)
    x = add_noise(x0, sigma, eps)
    # 4. Teacher and fake score at x, with gradient only where the method asks for it.
    guidance = config.guidance
    through_networks = method.network_gradients and not guidance.detach_networks
    pull = learned = None
    with torch.set_grad_enabled(through_networks):
        noisy = x if through_networks else x.detach()
        rates = {"scale": guidance.scale, "rescale": guidance.rescale}
        if guidance.mode == "apart":
            x0_teacher, pull = teacher.apart(noisy, sigma, views, camera, **rates)
        else:
            x0_teacher = teacher.guided(noisy, sigma, views, camera, **rates)
        # Without a learned fake score the injected noise stands in for it: D_p = x0.
        shown = x0.detach()
        x0_fake, features = shown, None
        if fake and learns and config.fake_score.shared:
            x0_fake, features, learned = fake.predict_and_learn(noisy, sigma, condition, shown)
        elif fake:
            x0_fake, features = fake.predict(noisy, sigma, condition)
    # 5. The density ratio, once the discriminator has had its warm-up.
    ratio_ready = parts.real is not None and since >= guidance.ratio_warm_up
    log_ratio = constant_h = None
    if fake and features is not None:
        log_ratio, constant_h = fake.log_ratio(features, sigma)
        constant_h = constant_h | ratio_is_steep(x0_teacher, x0_fake, sigma)
        if not ratio_ready:  # reverse-kl: h is the same everywhere
            log_ratio, constant_h = torch.zeros_like(log_ratio), torch.ones_like(constant_h)
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
        constant_h=constant_h,
    )
    per_sample = terms.per_sample
    if fake and fake.mean_h is not None and log_ratio is not None:
        # By a mean over steps, not over the batch: with one view that would be h itself.
        per_sample = per_sample / fake.mean_h.of(terms.terms["h"], sigma)
    if pull is not None:
        per_sample = per_sample + guidance_pull(x0, pull, terms.terms["weight"])
    loss = per_sample.mean() / x0[0].numel()
    # 7. Priors on the scene.
    prior, values = regularizers.total(
        rendered, scene.field.density, config.regularizers, fraction, generator
    )
    # 8. Update the scene. What a shared pass taught is apart from the adapter's share of the loss.
    teacher.backward(loss + prior, scene.parameters, only=learned is not None)
    scene.update(step, fraction, generator)
    metrics = {"loss": float(loss.detach()), "opacity": float(rendered.opacity.detach().mean())}
    # How far apart teacher and fake score are: root mean square per latent number; and how many
    # nats log r moves within the noise, which is where h' and h'' begin to mean something below 1.
    metrics["gap"] = float(terms.terms["u_norm"].mean()) / x0[0].numel() ** 0.5
    metrics["steepness"] = float((terms.terms["u_norm"] / sigma).mean())
    # 9. Let the fake score follow what is rendered now, and the discriminator with it.
    losses: dict[str, Tensor] = {}
    if fake and learned:
        real, real_condition = _real(parts, cameras, generator, x0)
        losses = fake.fit_learned(learned, sigma, eps, since, real, real_condition)
    elif fake and learns:
        for _ in range(config.fake_score.steps_per_step):
            sigma, eps = _draw_noise(config, teacher, x0, guidance.t_max, generator)
            real, real_condition = _real(parts, cameras, generator, x0)
            losses = fake.fit(shown, sigma, eps, condition, since, real, real_condition)
    metrics |= {name: float(loss) for name, loss in losses.items()}
    if log_ratio is not None and constant_h is not None:
        metrics["ratio"] = float(log_ratio.exp().mean())
        metrics["constant_h"] = float(constant_h.float().mean())
    return metrics | values


def _real(parts: Parts, cameras: Cameras, generator: torch.Generator, x0: Tensor):
    """Teacher samples of the cameras' bins and their conditions; None where none are used."""
    if parts.real is None:
        return None, None
    real, chosen = pick_real_samples(parts.real, cameras, generator)
    own = real_cameras(parts.config)[chosen]  # each sample has a camera of its own
    condition = Condition(parts.prompts.at(own).positive, parts.teacher.camera(own))
    return real.to(x0.device), condition


def _draw_noise(config: RunConfig, teacher: Teacher, x0: Tensor, t_max: float, generator):
    """sigma `[batch]` with t uniform in [t_min, t_max], stratified and shuffled; and unit noise."""
    batch = x0.shape[0]
    places = torch.randperm(batch, generator=generator) + torch.rand(batch, generator=generator)
    t = config.guidance.t_min + (t_max - config.guidance.t_min) * places / batch
    sigma = teacher.schedule.sigma_of(t * (len(teacher.schedule.log_sigmas) - 1))
    # Drawn on the CPU: a GPU gives the same run.
    return sigma.to(x0.device), torch.randn(x0.shape, generator=generator).to(x0.device)
