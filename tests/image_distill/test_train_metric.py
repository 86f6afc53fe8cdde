"""The critics' time scale, and the metric that a run logs beside its teacher's."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import torch
from tiny_run import recipe, run, write_data, write_teacher

from image_distill import metrics, score
from image_distill.commands import against_teacher
from image_distill.data import ImageDataset, to_uint8
from image_distill.runfolder import CHECKPOINT
from image_distill.sample import Heun, OneStep, generate
from image_distill.state import read_state, write_state
from image_distill.teachers import load_denoiser
from uni3d.errors import ConfigError


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write_teacher(folder / "teacher")
    write_data(folder / "data.zip")
    return folder


def test_two_critic_steps_are_two_steps_of_the_critics(world, tmp_path):
    """While the generator waits, 4 steps of 2 are 8 of 1: same draws, same real images."""
    waiting = {"warmup_fake": 1.0, "warmup_sim": 1.0}
    _, one = run(recipe(world, tmp_path / "one", duration=32e-6, **waiting))
    _, two = run(recipe(world, tmp_path / "two", duration=16e-6, critic_steps=2, **waiting))
    assert [n for n in one if n.startswith("fake") and not torch.equal(one[n], two[n])] == []
    moved = load_denoiser(world / "teacher").state_dict()
    assert max(float((two[f"fake/{n}"] - v).abs().max()) for n, v in moved.items()) > 1e-3


def test_a_run_without_the_newer_keys_goes_on(world, tmp_path):
    """A checkpoint of before a key was there had its default."""
    chosen = recipe(world, tmp_path / "run", duration=16e-6)
    run(chosen)
    tensors, described = read_state(tmp_path / "run" / CHECKPOINT)
    described["recipe"].pop("critic_steps")
    parts: dict = {}
    for name, value in tensors.items():
        part, _, rest = name.partition("/")
        parts.setdefault(part, {})[rest] = value
    write_state(tmp_path / "run" / CHECKPOINT, parts, described)
    longer = dataclasses.replace(chosen, duration=24e-6, resume=chosen.outdir)
    assert run(longer)[0][-1].step == 6
    with pytest.raises(ConfigError, match="critic_steps: got 3 while resuming a run with 1"):
        run(dataclasses.replace(longer, duration=32e-6, critic_steps=3))


def pixels_of(images):
    """A detector: four means of the picture."""
    return torch.nn.functional.avg_pool2d(images.float(), 4)[:, 0].flatten(1)


def test_the_metric_is_logged_beside_the_teachers(world, tmp_path, monkeypatch):
    monkeypatch.setattr(score, "open_detector", lambda *_: pixels_of)
    real = torch.stack([image for image, _ in ImageDataset(world / "data.zip")])
    metrics.compute_statistics([real], pixels_of).save(tmp_path / "real.npz")
    chosen = recipe(
        world,
        tmp_path / "run",
        duration=16e-6,
        snap=2,
        metrics="frechet-efficientnet",
        metric_images=20,
        metric_sets=2,
        teacher_steps=2,
        data_stat=str(tmp_path / "real.npz"),
    )
    records, _ = run(chosen)
    values, name = records[-1].values, "frechet_efficientnet_lite0"

    def distance(network, sampler, seeds):
        made = torch.cat([batch.images for batch in generate(network, seeds, sampler)])
        fake, own = (pixels_of(to_uint8(x)).double().numpy() for x in (made, real))
        root = scipy.linalg.sqrtm(np.cov(fake.T) @ np.cov(own.T)).real
        both = np.trace(np.cov(fake.T) + np.cov(own.T) - 2 * root)
        return ((fake.mean(0) - own.mean(0)) ** 2).sum() + both

    student, teacher = load_denoiser(tmp_path / "run" / "last"), load_denoiser(world / "teacher")
    sets = (range(20), range(20, 40))
    ones = [distance(student, OneStep(init_sigma=2.5), seeds) for seeds in sets]
    assert values[name] == pytest.approx(np.mean(ones), rel=1e-4)
    half = 12.706 * abs(ones[0] - ones[1]) / 2  # Student's t with one degree of freedom
    assert values[f"{name}_interval"] == pytest.approx(half, rel=1e-3)
    twos = [distance(teacher, Heun(steps=2), seeds) for seeds in sets]
    assert values[f"{name}_teacher"] == pytest.approx(np.mean(twos), rel=1e-4)
    assert (tmp_path / "run" / "samples.png").read_bytes()[:4] == b"\x89PNG"
    line = against_teacher(values)
    assert line.startswith(f"{name} {np.mean(ones):.4g} +- ")
    assert line.endswith(f"= {np.mean(ones) / np.mean(twos):.3g} x teacher's {np.mean(twos):.4g}")

    # Resumed, the teacher is not measured again.
    monkeypatch.setattr(score, "Heun", None)
    longer = dataclasses.replace(chosen, duration=32e-6, resume=chosen.outdir)
    assert run(longer)[0][-1].values[f"{name}_teacher"] == values[f"{name}_teacher"]
