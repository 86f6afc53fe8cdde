"""The Fashion-MNIST benchmark at smoke size, with random pictures and a detector of its own."""

import gzip
import json
import struct
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from image_distill import assess, fashion, score
from image_distill.__main__ import main
from image_distill.budgets import Budget
from image_distill.data import ImageDataset, to_uint8
from image_distill.recipe import Recipe
from image_distill.sample import OneStep, generate
from image_distill.teachers import load_denoiser
from uni3d import config_io
from uni3d.errors import ConfigError


def detect(images: torch.Tensor) -> torch.Tensor:
    """Mean of the picture's four quarters."""
    return torch.nn.functional.avg_pool2d(images.float(), images.shape[-1] // 2)[:, 0].flatten(1)


def source(folder):
    for part, number in (("train", 64), ("t10k", 96)):
        pixels = np.random.default_rng(number).integers(0, 256, (number, 28, 28), dtype=np.uint8)
        images = struct.pack(">IIII", 0x803, *pixels.shape) + pixels.tobytes()
        labels = struct.pack(">II", 0x801, number) + bytes(i % 10 for i in range(number))
        for kind, data in (("images-idx3", images), ("labels-idx1", labels)):
            (folder / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(data))
    return folder


@pytest.mark.slow
def test_without_classes_teacher_and_students_know_none(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fashion, "open_detector", lambda *_: detect)
    monkeypatch.setattr(score, "open_detector", lambda *_: detect)
    smoke = ["--source", str(source(tmp_path)), "--smoke", "--resolution", "16"]
    out = tmp_path / "out"
    assert main(["fashion-mnist", str(out), *smoke, "--unconditional"]) == 0
    assert "| network" in capsys.readouterr().out
    for place in ("teacher/network", *(f"{s}/last" for s in Budget.small().usual)):
        network = load_denoiser(out / place)
        assert network.model.label_dim == 0
        # What it makes follows from the seed alone: latents, and no class drawn after them.
        source_of = torch.Generator().manual_seed(7)
        latents = torch.randn(1, 1, 16, 16, generator=source_of)
        made = next(generate(network, [7], OneStep(init_sigma=2.5))).images
        told = OneStep(init_sigma=2.5)(network, latents, torch.zeros(1, 0), [source_of])
        torch.testing.assert_close(made, told)
    # A folder of networks with classes is not gone on with.
    assert main(["fashion-mnist", str(out), *smoke]) == 2
    assert "another recipe" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("resolution", [32, 16])
def test_a_run_goes_on_and_its_kept_networks_give_its_table(
    tmp_path, monkeypatch, capsys, resolution
):
    monkeypatch.setattr(fashion, "open_detector", lambda *_: detect)
    monkeypatch.setattr(score, "open_detector", lambda *_: detect)
    smoke = ["--source", str(source(tmp_path)), "--smoke", "--resolution", str(resolution)]
    first, second = tmp_path / "first", tmp_path / "second"
    assert main(["fashion-mnist", str(first), *smoke, "--minutes", "0.0001"]) == 0
    assert "the minutes are over" in capsys.readouterr().out
    assert main(["fashion-mnist", str(first), *smoke]) == 0
    table = capsys.readouterr().out.partition("| network")[2]
    results = json.loads((first / "results.json").read_text())
    budget = Budget.full() if resolution == 32 else Budget.small()
    students = list(budget.usual)
    assert set(results["seconds"]) == {"teacher", *students}

    # One distance by scipy, from images made by the public command's function.
    network, sampler = load_denoiser(first / students[0] / "last"), OneStep(init_sigma=2.5)
    real = torch.stack([i for i, _ in ImageDataset(first / f"fashion-mnist{resolution}.zip")])
    real = detect(to_uint8(real)).double().numpy()
    for trial, row in enumerate(results["measured"][f"{students[0]}, 1 evaluation"]):
        seeds = range(32 * trial, 32 * trial + 32)
        made = torch.cat([batch.images for batch in generate(network, seeds, sampler)])
        fake = detect(to_uint8(made)).double().numpy()
        root = sqrtm(np.cov(fake.T) @ np.cov(real.T)).real
        expected = ((fake.mean(0) - real.mean(0)) ** 2).sum()
        expected += np.trace(np.cov(fake.T) + np.cov(real.T) - 2 * root)
        assert row["frechet"] == pytest.approx(expected, rel=1e-4)
    assert len(results["measured"][f"{students[0]}, 1 evaluation"]) == 3

    # The floor: three blocks of the test images.
    held = detect(to_uint8(torch.stack([i for i, _ in held_out(first, resolution)])))
    expected = assess.Reality(torch.from_numpy(real).float()).judge(held[32:64])
    assert results["measured"][fashion.FLOOR][1] == pytest.approx(asdict(expected), rel=1e-4)

    assert (first / "costs.png").read_bytes()[:4] == b"\x89PNG"

    # The table has of each cost the better sampler, and the verdict compares the right two.
    lines = table.splitlines()
    assert "Heun" in lines[3] or "Euler" in lines[3]
    best = lines[-1].partition(" against ")
    assert best[0].partition(",")[0] in students and best[2].startswith("teacher, ")

    # Measured again elsewhere, without a step of training.
    monkeypatch.setattr(fashion, "train", None)
    monkeypatch.setattr(fashion.edm, "train", None)
    assert main(["fashion-mnist", str(second), *smoke, "--networks", str(first)]) == 0
    assert capsys.readouterr().out.partition("| network")[2] == table
    assert not (second / "teacher").exists()

    # Kept in halves: as far from the trained weights as rounding is, and with their times.
    some = ["reverse-kl"] if resolution == 32 else []
    chosen = [*smoke, *(["--students", *some] if some else [])]
    assert main(["fashion-mnist", str(first), *chosen, "--keep", str(tmp_path / "kept")]) == 0
    for place in ("teacher/network", f"{students[0] if not some else some[0]}/last"):
        whole = load_denoiser(first / place).state_dict()
        half = load_denoiser(tmp_path / "kept" / place).state_dict()
        for name, value in whole.items():
            assert half[name].dtype == torch.float32
            torch.testing.assert_close(half[name], value, rtol=2**-11, atol=2**-25)
        size = (tmp_path / "kept" / place / "network.safetensors").stat().st_size
        assert size < 0.6 * (first / place / "network.safetensors").stat().st_size
    told = json.loads((tmp_path / "kept" / "results.json").read_text())
    assert set(told) == {"seconds"} and told["seconds"]["teacher"] == results["seconds"]["teacher"]
    assert set(told["seconds"]) == {"teacher", *(some or students)}

    assert main(["fashion-mnist", str(second), *smoke, "--networks", str(tmp_path)]) == 2
    assert "teacher/network" in capsys.readouterr().err


def list_of(value):
    return list(value) if isinstance(value, tuple) else value


def held_out(folder, resolution):
    return ImageDataset(folder / f"fashion-mnist{resolution}-test.zip")


def test_the_cheaper_networks_make_the_kept_ones(tmp_path, capsys):
    """The design that `--cheaper` trains is that of the networks with docs' numbers."""
    budget = Budget.cheaper()
    kept = Path(__file__).parents[2] / "benchmarks" / "fashion-mnist32-cheaper"
    for place in ("teacher/network", *(f"{name}/last" for name in budget.usual)):
        told = json.loads((kept / place / "network.json").read_text())["init_kwargs"]
        for key in ("model_channels", "channel_mult", "num_blocks", "attn_resolutions"):
            assert told[key] == list_of(getattr(budget.teacher, key)), (place, key)
    first, second = (replace(budget.student, **row) for row in budget.students.values())
    assert not first.use_gan and second.use_gan and second.lsg_gan == 10.0
    assert second.sid_model == budget.usual[0]  # it goes on from the first
    assert main(["fashion-mnist", str(tmp_path / "out"), "--cheaper", "--resolution", "16"]) == 2
    assert "cheaper: got it with --resolution 16" in capsys.readouterr().err


def test_the_config_is_the_students_of_the_benchmark():
    path = Path(__file__).parents[2] / "configs" / "image" / "fashion-mnist16.yaml"
    told, budget = config_io.load(Recipe, config_io.read_yaml(path)), Budget.small()
    for name in ("edm_model", "data", "outdir", "data_stat"):
        told = replace(told, **{name: getattr(budget.student, name)})
    assert told == budget.student


def test_every_student_of_the_table_is_a_recipe():
    """With the term and without, and no other difference; a name that is not known is one line."""
    budget = Budget.small()
    for name, changes in budget.students.items():
        recipe = replace(budget.student, **changes)
        recipe.methods()
        assert (recipe.lsg_gan == 0) == (name.endswith("-alone") and recipe.lsg > 0), name
        other = budget.students.get(f"{name}-alone")
        assert other is None or replace(recipe, lsg_gan=0.0) == replace(budget.student, **other)
    assert len(budget.students) == 23
    assert budget.chosen(["sid"]).students == {"sid": budget.students["sid"]}
    with pytest.raises(ConfigError, match="got 'sd'; wanted some of forward-kl, reverse-kl"):
        budget.chosen(["sd"])
