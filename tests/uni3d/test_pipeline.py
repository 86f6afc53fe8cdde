"""The main path with a tiny teacher: its gradient by finite differences, its determinism."""

import dataclasses

import pytest
import torch
from tiny import TINY, tiny_run

from uni3d.cameras import Cameras
from uni3d.errors import CheckpointError, NonFiniteError
from uni3d.instruct import DIVERGENCES, METHODS
from uni3d.run import real_samples
from uni3d.run import run as run_module
from uni3d.run import step as step_module
from uni3d.run.folder import CHECKPOINT
from uni3d.run.run import Run, restore_scene
from uni3d.run.settings import RunConfig
from uni3d.teacher.model import Condition


@pytest.fixture(autouse=True)
def _few_samples(monkeypatch):
    monkeypatch.setattr(real_samples, "BINS", 2)


def _run(config, folder, *, steps=None, resume=False):
    """The run after `steps` of its steps (all by default), and its records."""
    folder.mkdir(exist_ok=True)
    run, records = Run(config, folder, resume=resume), []
    records.append(run.prepare())
    for record in run.steps():
        records.append(record)
        if steps is not None and record.step >= steps:
            break
    return run, records


def _state(run):
    return {k: v.clone() for k, v in run_module.state(run.parts).items()}


def _differing(a, b):
    assert a.keys() == b.keys()
    return [k for k in a if not torch.equal(a[k], b[k])]


class _Recorded:
    """One step of the pipeline with the scene's update withheld, and what was random in it."""

    def __init__(self, config, monkeypatch):
        parts = self.parts = run_module.prepare_parts(config)
        scene, fake = parts.scene, parts.fake
        with torch.no_grad():  # of order one: a fresh table is of order 1e-4, and so its slopes
            scene.field.table.mul_(1e4)
        if fake:  # an untrained adapter is the teacher; make the two differ
            generator = torch.Generator().manual_seed(9)
            with torch.no_grad():
                for p in fake.parameters.values():
                    p += 0.1 * torch.randn(p.shape, generator=generator)
        noise, shoot = step_module._draw_noise, scene.shoot
        self.noises, self.log_ratio = [], None

        def record_noise(*args):
            self.noises.append(noise(*args))
            return self.noises[-1]

        def record_shoot(cameras, size, generator):
            state = generator.get_state()
            self.shoot = lambda: shoot(cameras, size, torch.Generator().set_state(state))
            self.cameras = cameras
            return shoot(cameras, size, generator)

        monkeypatch.setattr(step_module, "_draw_noise", record_noise)
        monkeypatch.setattr(scene, "shoot", record_shoot)
        monkeypatch.setattr(scene, "update", lambda *_: None)
        if parts.real is not None:
            log_ratio = fake.log_ratio

            def record_ratio(features, sigma):
                found, self.clipped = log_ratio(features, sigma)
                self.log_ratio = self.judged(found)
                return self.log_ratio, self.clipped

            monkeypatch.setattr(fake, "log_ratio", record_ratio)
            with torch.no_grad():
                fake.head[-1].weight.mul_(20)  # ratios that differ between the views
        if fake:
            monkeypatch.setattr(fake, "fit", lambda *_: {})
        step_module.take_step(parts, 0)
        self.sigma, self.eps = self.noises[0]

    @staticmethod
    def judged(log_ratio):
        return log_ratio

    @staticmethod
    def latents(images):
        return torch.nn.functional.pixel_unshuffle(images * 2 - 1, 2)

    @torch.no_grad()
    def predictions(self):
        """x0, D_q and D_p `[views, pixels]`, float64, of the scene as it is now."""
        parts = self.parts
        x0 = self.latents(self.shoot().rgb)
        x = x0 + self.sigma.reshape(-1, 1, 1, 1) * self.eps
        told = parts.prompts.at(self.cameras)
        camera, scale = self.cameras.embedding, parts.config.guidance.scale
        without = parts.teacher.denoise(x, self.sigma, Condition(told.unconditional, camera))
        with_ = parts.teacher.denoise(x, self.sigma, Condition(told.positive, camera))
        teacher = without + scale * (with_ - without)
        fake = (
            parts.fake.predict(x, self.sigma, Condition(told.positive, camera))[0]
            if parts.fake
            else x0
        )
        return [t.double().flatten(1) for t in (x0, teacher, fake)]


# f of the ratio r = q/p, by hand; h = r^2 f'' and its derivatives follow by differentiation.
F = {
    "reverse-kl": lambda r: -r.log(),
    "forward-kl": lambda r: r * r.log(),
    "jeffrey-kl": lambda r: (r - 1) * r.log(),
    "chi-square": lambda r: (r - 1) ** 2,
    "jensen-shannon": lambda r: r * r.log() - (1 + r) * ((1 + r) / 2).log(),
    "hellinger": lambda r: (r.sqrt() - 1) ** 2,
}


def weights_of(divergence, r):
    """h, r h' and r^2 h'' at the ratios r."""
    r = r.clone().requires_grad_()

    def slope(values):
        if not values.requires_grad:
            return torch.zeros_like(r)
        return torch.autograd.grad(values.sum(), r, create_graph=True, allow_unused=True)[0]

    h = r**2 * slope(slope(F[divergence](r)))
    first = slope(h)
    return h.detach(), (r * first).detach(), (r**2 * slope(first)).detach()


# Much noise, so that the ratio is not too steep to be known and the terms of h' and h'' are on.
NOISY = TINY["guidance"] | {"t_min": 0.9, "t_max_end": 0.95}


@pytest.mark.parametrize(
    ("method", "divergence", "form"),
    [
        ("sds", "reverse-kl", "integral"),
        ("vsd", "reverse-kl", "integral"),
        ("sim", "reverse-kl", "paper"),
        ("f-distill-forward-kl", "forward-kl", "integral"),
        ("f-distill-jensen-shannon", "jensen-shannon", "integral"),
        ("uni-instruct", "hellinger", "integral"),
        ("uni-instruct", "forward-kl", "paper"),
        ("uni-instruct", "jeffrey-kl", "paper"),
        ("uni-instruct", "chi-square", "paper"),
        ("uni-instruct", "jensen-shannon", "paper"),
        ("uni-instruct", "hellinger", "paper"),
        ("uni-instruct", "reverse-kl", "exact"),
        ("uni-instruct", "forward-kl", "exact"),
        ("uni-instruct", "jensen-shannon", "exact"),
    ],
)
def test_scene_gradient_is_the_slope_of_the_loss(
    tiny_folder, monkeypatch, method, divergence, form
):
    chosen = {"method": method}
    if method == "uni-instruct":
        chosen |= {"divergence": divergence, "form": form}
    if divergence != "reverse-kl":
        chosen["guidance"] = NOISY
    step = _Recorded(tiny_run(tiny_folder, **chosen), monkeypatch)
    check_slopes(step, divergence, form)


@pytest.mark.parametrize("divergence", ["forward-kl", "jensen-shannon", "chi-square"])
def test_until_the_ratio_is_known_every_divergence_is_reverse_kl(
    tiny_folder, monkeypatch, divergence
):
    gradients = []
    waiting = TINY["guidance"] | {"ratio_warm_up": 0.5}
    for changes in ({"method": "sim"}, {"divergence": divergence, "guidance": waiting}):
        with monkeypatch.context() as patch:
            step = _Recorded(tiny_run(tiny_folder, **changes), patch)
            gradients.append(step.parts.scene.field.table.grad.clone())
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-9)


def test_a_pixel_is_what_neighbouring_rays_are_apart_in_the_middle_of_the_scene():
    config = RunConfig()
    origins, directions = Cameras.orbit([0.0], distance=3.15).rays(64, 64)
    places = origins - directions * (origins[..., :1] / directions[..., :1])  # where x = 0
    apart = float((places[0, 32, 32] - places[0, 32, 31]).norm())
    assert config.pixel == pytest.approx(apart, rel=1e-5)


@pytest.mark.parametrize(
    ("scale", "chosen", "alpha"), [(5.0, {}, 1.0), (1.0, {}, 1.2), (5.0, {"sid_alpha": 0.5}, 0.5)]
)
def test_sid_rewards_the_gap_only_of_an_unguided_teacher(
    tiny_folder, monkeypatch, scale, chosen, alpha
):
    guidance = TINY["guidance"] | {"scale": scale}
    config = tiny_run(tiny_folder, method="sid", guidance=guidance, **chosen)
    check_slopes(_Recorded(config, monkeypatch), "reverse-kl", "paper", alpha)


def check_slopes(step, divergence, form, alpha=1.0):
    """The gradients that `step` left on the scene against differences of the loss by hand."""
    frozen_x0, frozen_teacher, frozen_fake = step.predictions()
    frozen_u = frozen_teacher - frozen_fake
    frozen_uv = (frozen_u * (frozen_fake - frozen_x0)).sum(1)
    omega = 1 / (frozen_x0 - frozen_teacher).abs().mean(1)
    r = torch.ones(2).double() if step.log_ratio is None else step.log_ratio.double().exp()
    h, first, second = weights_of(divergence, r)
    if divergence != "reverse-kl":
        assert float((r[0] - r[1]).abs()) > 0.05  # else the weights are not seen
        known = (frozen_u.norm(dim=1) <= step.sigma) & ~step.clipped
        # Else the terms of h' and h'' are not; forward-kl in form paper has none.
        assert known.any() or (divergence, form) == ("forward-kl", "paper")
        omega, first, second = omega / h.mean(), first * known, second * known
    variance = step.sigma.double() ** 2

    def loss():
        x0, teacher, fake = step.predictions()
        pull = (frozen_u * x0).sum(1)
        if form == "integral":
            terms = -h * pull
        else:
            u = teacher - fake
            terms = h * (u * (fake - x0)).sum(1) + (1 - alpha) * (u**2).sum(1)
            terms = terms - second * (frozen_u**2).sum(1) / (2 * variance) * pull
            if form == "exact":
                terms = terms + (h - first) / 2 * (u**2).sum(1)
                terms = terms + first * frozen_uv / variance * pull
        return float((omega * terms).mean()) / x0.shape[1]

    field = step.parts.scene.field
    for weights in (field.color_out, field.color_hidden):
        # Along the gradient itself, so that the slope is far from the rounding of float32.
        direction = weights.grad / weights.grad.norm()
        slopes = []
        for sign in (1, -1):
            with torch.no_grad():
                weights += sign * 0.02 * direction
                slopes.append(loss())
                weights -= sign * 0.02 * direction
        slope = (slopes[0] - slopes[1]) / 0.04
        assert float(weights.grad.norm()) > 0
        assert float(weights.grad.norm()) == pytest.approx(slope, rel=0.03)


def test_discriminator_is_shown_samples_of_each_cameras_bin(tiny_folder, monkeypatch):
    config = tiny_run(tiny_folder, divergence="forward-kl", views=4)
    parts = run_module.prepare_parts(config)
    marks = torch.arange(real_samples.BINS, dtype=torch.float32).reshape(-1, 1, 1, 1, 1)
    parts = dataclasses.replace(parts, real=marks.expand_as(parts.real).contiguous())
    cameras, shown, sample = [], [], step_module.sample_cameras

    def record_cameras(*args):
        cameras.append(sample(*args))
        return cameras[-1]

    monkeypatch.setattr(step_module, "sample_cameras", record_cameras)
    fit = parts.fake.fit
    monkeypatch.setattr(parts.fake, "fit", lambda *a: shown.append(a[-2:]) or fit(*a))
    head = [p.detach().clone() for p in parts.fake.head.parameters()]
    metrics = step_module.take_step(parts, 0)
    half = (cameras[0].azimuth_deg >= 180).float()  # two bins in these tests
    assert 0 < half.sum() < 4
    real, told = shown[0]
    assert torch.equal(real[:, 0, 0, 0], half)
    # Each with its own camera: in the rendered one's bin, its elevation from the run's prior.
    prior = real_samples.real_cameras(config)
    sine, cosine = told.camera[:, 0], told.camera[:, 1]
    assert torch.equal((torch.atan2(sine, cosine) < -1e-6).float(), half)
    assert {round(float(e), 5) for e in told.camera[:, 2]} <= {
        round(float(e), 5) for e in torch.deg2rad(prior.elevation_deg).sin()
    }
    assert metrics["discriminator"] > 0
    after = list(parts.fake.head.parameters())
    assert all(not torch.equal(a, b) for a, b in zip(head, after, strict=True))


def test_same_seed_same_scene_another_seed_another(tiny_folder, tmp_path):
    states = [
        _state(_run(tiny_run(tiny_folder, steps=3, seed=seed), tmp_path / str(i))[0])
        for i, seed in enumerate((4, 4, 5))
    ]
    assert _differing(states[0], states[1]) == []
    assert not torch.equal(*(states[i]["scene/field/table"] for i in (0, 2)))


def test_three_steps_and_three_more_are_six(tiny_folder, tmp_path):
    config = tiny_run(tiny_folder)
    whole, records = _run(config, tmp_path / "whole")
    assert [r.step for r in records] == [0, 1, 2, 3, 4, 5, 6]
    # Killed after step 5: the checkpoint is of step 3, steps 4 and 5 are done again.
    _run(config, tmp_path / "parts", steps=5)
    resumed, records = _run(config, tmp_path / "parts", resume=True)
    assert [r.step for r in records] == [3, 4, 5, 6]
    assert _differing(_state(whole), _state(resumed)) == []
    names = {k.split("/")[0] + "/" + k.split("/")[1] for k in _state(whole)}
    assert {"fake/adapter", "fake/head", "fake/ratio", "fake/optimizer", "scene/occupancy"} <= names
    for name in ("whole", "parts"):
        scene, step = restore_scene(config, tmp_path / name)
        assert step == 6
        assert torch.equal(scene.field.table, whole.parts.scene.field.table)
    first, last = (tmp_path / n / CHECKPOINT for n in ("whole", "parts"))
    assert first.read_bytes() == last.read_bytes()


def test_resume_of_another_shape_is_refused(tiny_folder, tmp_path):
    _run(tiny_run(tiny_folder, steps=1), tmp_path / "a")
    other = tiny_run(tiny_folder, steps=2, fake_score={"rank": 3})
    with pytest.raises(CheckpointError, match=r"does not fit its config\.yaml"):
        _run(other, tmp_path / "a", resume=True)


COMBINATIONS = [
    *((name, "") for name, row in METHODS.items() if row.divergence is not None),
    *(("uni-instruct", divergence) for divergence in DIVERGENCES),
]


@pytest.mark.parametrize(("method", "divergence"), COMBINATIONS)
def test_every_method_moves_the_scene_down_its_gradient(
    tiny_folder, tmp_path, monkeypatch, method, divergence
):
    """The first step of Adam is the rate against the sign of the gradient, whatever its size: so
    the size is asserted of the gradient itself."""
    config = tiny_run(tiny_folder, steps=2, method=method, divergence=divergence)
    gradients, update = [], run_module.Scene.update

    def watch(scene, *arguments):
        named = scene.field.named_parameters()
        gradients.append({n: p.grad.clone() for n, p in named if p.grad is not None})
        update(scene, *arguments)
        if len(gradients) == 1:
            moved.update({n: p.detach().clone() for n, p in scene.field.named_parameters()})

    moved: dict[str, torch.Tensor] = {}
    monkeypatch.setattr(run_module.Scene, "update", watch)
    (tmp_path / "r").mkdir()
    run = Run(config, tmp_path / "r")
    run.prepare()
    assert run.parts is not None
    with torch.no_grad():  # of order one: the slopes of a fresh table are of order 1e-8
        run.parts.scene.field.table.mul_(1e4)
    before = {n: p.detach().clone() for n, p in run.parts.scene.field.named_parameters()}
    records = list(run.steps())
    assert all(bool(torch.isfinite(v).all()) for v in _state(run).values())
    rates = {"color_out": config.scene.network_learning_rate}
    rates |= {"density_out": config.scene.network_learning_rate}
    rates |= {"table": config.scene.grid_learning_rate}
    for name, rate in rates.items():
        gradient, way = gradients[0][name], moved[name] - before[name]
        felt = gradient.abs() > 1e-12
        assert felt.any(), name
        torch.testing.assert_close(
            way[felt], -rate * gradient[felt].sign(), rtol=1e-2, atol=1e-2 * rate
        )
        assert not way[gradient == 0].any(), name
    # 3.2e-3 for sds, 5.2e-4 to 6.9e-4 for the others: within a factor of two.
    size, wanted = float(gradients[0]["color_out"].norm()), 3.2e-3 if method == "sds" else 6e-4
    assert wanted / 2 < size < wanted * 2
    assert 0 < records[-1].metrics["opacity"] < 1
    assert ("ratio" in records[-1].metrics) == config.needs_ratio
    assert ("fake" in records[-1].metrics) == (method != "sds")


def _poison(run):
    with torch.no_grad():
        run.parts.scene.field.color_out[0, 0] = float("nan")


def test_nan_before_the_first_checkpoint_is_reported(tiny_folder, tmp_path):
    run = Run(tiny_run(tiny_folder, method="sds"), tmp_path)
    with pytest.raises(NonFiniteError, match="not finite after 3 steps"):
        run.prepare()
        for record in run.steps():
            if record.step == 1:
                _poison(run)
    assert not (tmp_path / CHECKPOINT).exists()


def test_nan_later_goes_back_to_the_last_good_scene(tiny_folder, tmp_path):
    run, notes = Run(tiny_run(tiny_folder, method="sds", steps=9), tmp_path), []
    run.prepare()
    for record in run.steps():
        if record.step == 3:
            good = _state(run)
        if record.step in (4, 7):  # twice: the kept scene must survive being gone back to
            _poison(run)
        if record.note:
            notes.append(record.note)
            assert _differing(_state(run), good) == []
    assert notes == [f"not finite at step {n}: back to the scene of step 3" for n in (6, 9)]
    assert restore_scene(run.config, tmp_path)[1] == 3


def test_real_samples_are_drawn_from_the_runs_own_prior(tiny_folder, monkeypatch):
    monkeypatch.setattr(real_samples, "BINS", 8)
    config = tiny_run(tiny_folder, divergence="forward-kl", guidance={"real_samples_per_view": 500})
    cameras = real_samples.real_cameras(config)
    above = float((cameras.elevation_deg > config.camera.elevation_deg[1]).float().mean())
    assert above == pytest.approx(config.camera.overhead_fraction, abs=0.02)
    bins = (cameras.azimuth_deg / 45).long()
    assert torch.equal(bins, torch.arange(8).repeat_interleave(500))


def test_a_ratio_method_with_one_view_is_not_sim(tiny_folder, monkeypatch):
    """h divided by the batch mean of h would be 1 with one view, whatever the ratio says."""
    weights = []
    loss = step_module.uni_instruct_loss

    def record(*args, **options):
        terms = loss(*args, **options)
        weights.append(terms.terms["h"])
        return terms

    monkeypatch.setattr(step_module, "uni_instruct_loss", record)
    config = tiny_run(tiny_folder, divergence="forward-kl", views=1)
    parts = run_module.prepare_parts(config)
    ratios = iter([0.0, 1.0, -1.0])

    def log_ratio(features, sigma):
        return torch.full_like(sigma, next(ratios)), torch.zeros_like(sigma, dtype=torch.bool)

    monkeypatch.setattr(parts.fake, "log_ratio", log_ratio)
    monkeypatch.setattr(parts.fake.mean_h, "bin_of", lambda s: torch.zeros_like(s).long())
    means = []
    of = parts.fake.mean_h.of
    monkeypatch.setattr(parts.fake.mean_h, "of", lambda h, s: means.append(of(h, s)) or means[-1])
    for step in range(3):
        step_module.take_step(parts, step)
    relative = [float(h / mean) for h, mean in zip(weights, means, strict=True)]
    running = [sum(float(h) for h in weights[: k + 1]) / (k + 1) for k in range(3)]
    assert [float(m) for m in means] == pytest.approx(running, rel=1e-5)
    assert abs(relative[1] - 1) > 0.2 and abs(relative[2] - 1) > 0.2
