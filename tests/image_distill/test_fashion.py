"""The Fashion-MNIST benchmark at smoke size, with random pictures and a detector of its own."""

import gzip
import json
import struct

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from image_distill import fashion
from image_distill.__main__ import main
from image_distill.data import to_uint8
from image_distill.sample import OneStep, generate
from image_distill.teachers import load_denoiser


def detect(images: torch.Tensor) -> torch.Tensor:
    """Mean of the picture's four quarters."""
    return torch.nn.functional.avg_pool2d(images.float(), 16)[:, 0].flatten(1)


def source(folder):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 28, 28), dtype=np.uint8)
    images = struct.pack(">IIII", 0x803, *pixels.shape) + pixels.tobytes()
    labels = struct.pack(">II", 0x801, 64) + bytes(i % 10 for i in range(64))
    for kind, data in (("images-idx3", images), ("labels-idx1", labels)):
        (folder / f"train-{kind}-ubyte.gz").write_bytes(gzip.compress(data))
    return folder


@pytest.mark.slow
def test_a_run_goes_on_and_its_kept_networks_give_its_table(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fashion, "open_detector", lambda *_: detect)
    smoke = ["--source", str(source(tmp_path)), "--smoke"]
    first, second = tmp_path / "first", tmp_path / "second"
    assert main(["fashion-mnist", str(first), *smoke, "--minutes", "0.0001"]) == 0
    assert "the minutes are over" in capsys.readouterr().out
    assert main(["fashion-mnist", str(first), *smoke]) == 0
    table = capsys.readouterr().out.partition("| network")[2]
    results = json.loads((first / "results.json").read_text())
    assert set(results["seconds"]) == {"teacher", *fashion.STUDENTS}

    # One distance by scipy, from images made by the public command's function.
    network, sampler = load_denoiser(first / "forward-kl" / "last"), OneStep(init_sigma=2.5)
    made = torch.cat([batch.images for batch in generate(network, range(32), sampler)])
    fake = detect(to_uint8(made)).double().numpy()
    real = np.load(first / "statistics.npz")
    root = sqrtm(np.cov(fake.T) @ real["sigma"]).real
    expected = ((fake.mean(0) - real["mu"]) ** 2).sum()
    expected += np.trace(np.cov(fake.T) + real["sigma"] - 2 * root)
    assert results["distances"]["forward-kl, 1 evaluation"] == pytest.approx(expected, rel=1e-4)

    # Measured again elsewhere, without a step of training.
    monkeypatch.setattr(fashion, "train", None)
    monkeypatch.setattr(fashion.edm, "train", None)
    assert main(["fashion-mnist", str(second), *smoke, "--networks", str(first)]) == 0
    assert capsys.readouterr().out.partition("| network")[2] == table
    assert not (second / "teacher").exists()

    assert main(["fashion-mnist", str(second), *smoke, "--networks", str(tmp_path)]) == 2
    assert "teacher/network" in capsys.readouterr().err
