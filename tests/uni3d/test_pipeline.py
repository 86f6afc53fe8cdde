"""The main path with a tiny teacher: every method, determinism, resuming, and broken numbers."""

import dataclasses

import pytest
import torch
from tiny import tiny_run

from uni3d.cameras import Cameras
from uni3d.errors import CheckpointError, NonFiniteError
from uni3d.instruct import DIVERGENCES, METHODS
from uni3d.run import real_samples
from uni3d.run import run as run_module
from uni3d.run import step as step_module
from uni3d.run.folder import CHECKPOINT
from uni3d.run.run import Run, restore_scene
from uni3d.run.settings import RunConfig


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


def test_a_pixel_is_what_neighbouring_rays_are_apart_in_the_middle_of_the_scene():
    config = RunConfig()
    origins, directions = Cameras.orbit([0.0], distance=3.15).rays(64, 64)
    places = origins - directions * (origins[..., :1] / directions[..., :1])  # where x = 0
    apart = float((places[0, 32, 32] - places[0, 32, 31]).norm())
    assert config.pixel == pytest.approx(apart, rel=1e-5)


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
    # 4.5e-3 for sds, 2.5e-3 to 2.7e-3 for the others: within a factor of 1.5.
    size, wanted = float(gradients[0]["color_out"].norm()), 4.5e-3 if method == "sds" else 2.6e-3
    assert wanted / 1.5 < size < wanted * 1.5
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
