"""Runs with guidance apart, and with a fake score that starts late, learns rarely or shares."""

import dataclasses

import pytest
import torch
from tiny import TINY, tiny_run

from uni3d import config_io
from uni3d.errors import ConfigError
from uni3d.run import real_samples
from uni3d.run import run as run_module
from uni3d.run.presets import with_preset
from uni3d.run.run import Run
from uni3d.run.settings import RunConfig
from uni3d.teacher.fake_score import FakeScoreConfig
from uni3d.teacher.model import Condition

APART = TINY["guidance"] | {"mode": "apart"}


@pytest.fixture(autouse=True)
def _few_samples(monkeypatch):
    monkeypatch.setattr(real_samples, "BINS", 2)


def _after(config, folder, steps, *, resume=False):
    """State and metrics after so many steps."""
    folder.mkdir(exist_ok=True)
    run, seen = Run(config, folder, resume=resume), []
    run.prepare()
    for record in run.steps():
        seen.append(record.metrics)
        if record.step >= steps:
            break
    return {k: v.clone() for k, v in run_module.state(run.parts).items()}, seen


def _config(folder, method="vsd", **fake):
    return tiny_run(folder, method=method, fake_score=TINY["fake_score"] | fake)


@pytest.mark.parametrize(
    ("method", "guidance", "fake"),
    [
        ("sim", APART, {}),
        ("uni-instruct", APART, {"shared": True}),
        ("vsd", TINY["guidance"], {"start": 0.4, "every": 2, "shared": True}),
    ],
)
def test_three_steps_and_three_more_are_six(tiny_folder, tmp_path, method, guidance, fake):
    fake = TINY["fake_score"] | fake
    config = tiny_run(tiny_folder, method=method, guidance=guidance, fake_score=fake)
    whole, _ = _after(config, tmp_path / "whole", 6)
    _after(config, tmp_path / "parts", 3)
    parts, _ = _after(config, tmp_path / "parts", 6, resume=True)
    assert whole.keys() == parts.keys()
    assert [k for k in whole if not torch.equal(whole[k], parts[k])] == []


@pytest.mark.parametrize(
    ("start", "begin", "fraction", "age"),
    [(0.7, 0.5, 0.8, 0.1), (0.0, 0.5, 0.5, 0.0), (0.0, 0.0, 0.3, 0.3), (0.7, 0.0, 0.5, -0.2)],
)
def test_the_fake_score_is_as_old_as_it_has_learned(start, begin, fraction, age):
    """Its warm-up and the ratio's: with an object at hand too (both were wrong)."""
    config = with_preset("default", {"instant": {"weights": "a file" if begin else ""}})
    config = config_io.load(RunConfig, config | {"prompt": "a cat", "fake_score": {"start": start}})
    assert config.begin == begin
    assert config.fake_score_age(fraction) == pytest.approx(age)


def test_until_the_fake_score_starts_a_run_is_sds_bit_for_bit(tiny_folder, tmp_path):
    sds, _ = _after(_config(tiny_folder, "sds"), tmp_path / "sds", 3)
    late, _ = _after(_config(tiny_folder, start=0.5), tmp_path / "late", 3)
    assert [k for k in sds if not torch.equal(sds[k], late[k])] == []
    after, metrics = _after(_config(tiny_folder, start=0.5), tmp_path / "more", 5)
    assert ["fake" in m for m in metrics if m] == [False, False, False, True, True]
    moved = [
        k for k in after if k.startswith("fake/adapter") and not torch.equal(after[k], late[k])
    ]
    assert moved


def test_a_fake_score_that_learns_every_second_step_does(tiny_folder, tmp_path):
    _, metrics = _after(_config(tiny_folder, every=2), tmp_path, 4)
    assert ["fake" in m for m in metrics if m] == [True, False, True, False]


def test_what_a_shared_pass_teaches_is_what_fit_teaches_at_that_noise(tiny_folder):
    """The same latents, noise and level: one step of the adapter either way, up to rounding."""
    parts = [run_module.prepare_parts(_config(tiny_folder, shared=s)) for s in (False, True)]
    generator = torch.Generator().manual_seed(3)
    teacher = parts[0].teacher
    x0, eps = torch.randn(2, 2, *teacher.latent_shape, generator=generator)
    sigma = torch.tensor([0.5, 2.0])
    x = x0 + sigma.reshape(-1, 1, 1, 1) * eps
    condition = Condition(teacher.encode_text(["a corgi"] * 2), torch.zeros(2, 4))
    plain, shared = (p.fake for p in parts)
    with torch.no_grad():
        predicted, _ = plain.predict(x, sigma, condition)
        same, _, learned = shared.predict_and_learn(x, sigma, condition, x0)
    torch.testing.assert_close(same, predicted)
    losses = plain.fit(x0, sigma, eps, condition, 1.0)["fake"]
    torch.testing.assert_close(shared.fit_learned(learned, sigma, eps, 1.0)["fake"], losses)
    for a, b in zip(plain.parameters.values(), shared.parameters.values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_the_ratio_apart_is_to_the_unguided_teacher(tiny_folder):
    drawn = []
    for scale, mode in ((1.0, "inside"), (5.0, "apart"), (5.0, "inside")):
        guidance = TINY["guidance"] | {"scale": scale, "mode": mode}
        config = tiny_run(tiny_folder, divergence="forward-kl", guidance=guidance)
        drawn.append(run_module.prepare_parts(config).real)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_sid_has_its_published_alpha_with_guidance_apart():
    config = RunConfig(method="sid")
    assert config.resolved_method().sid_alpha == 1.0
    apart = dataclasses.replace(config.guidance, mode="apart")
    assert dataclasses.replace(config, guidance=apart).resolved_method().sid_alpha == 1.2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"every": 0}, r"every: got 0; want 1 to"),
        ({"start": 1.0}, "start"),
        ({"shared": True, "steps_per_step": 2}, "more than one steps_per_step"),
    ],
)
def test_impossible_fake_scores_stop(change, message):
    with pytest.raises(ConfigError, match=message):
        FakeScoreConfig(**change)


def test_a_divergence_that_cannot_matter_is_said_to():
    guided = RunConfig(divergence="jensen-shannon")
    assert "tells it from reverse-kl" in guided.note
    plain = dataclasses.replace(guided.guidance, scale=1.0)
    assert dataclasses.replace(guided, guidance=plain).note == ""
    assert RunConfig(divergence="reverse-kl").note == RunConfig().note == ""
