"""Checkpoints: exact, whole or refused, and never replaced by a failed write."""

import resource
from pathlib import Path

import pytest
import torch

from uni3d.errors import CheckpointError
from uni3d.storage import checkpoint

TENSORS = {
    "a/x": torch.arange(6.0).reshape(2, 3),
    "a/y": torch.tensor([True, False]),
    "b": torch.tensor(3, dtype=torch.int64),
    "strided": torch.arange(12.0).reshape(3, 4).T,
}


def test_round_trip_is_exact(tmp_path):
    path = tmp_path / "c.safetensors"
    checkpoint.save(path, TENSORS, {"step": 7, "prompt": "a\n'füchs'"})
    tensors, described = checkpoint.load(path)
    assert described == {"step": 7, "prompt": "a\n'füchs'"}
    assert tensors.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        assert torch.equal(tensors[name], value) and tensors[name].dtype == value.dtype
    assert [p.name for p in tmp_path.iterdir()] == ["c.safetensors"]


def test_prefixes_are_undone_and_do_not_mix():
    tensors = checkpoint.with_prefix("fake", {"w": torch.ones(1)}) | {"faker/w": torch.zeros(1)}
    assert list(checkpoint.without_prefix("fake", tensors)) == ["w"]


@pytest.mark.parametrize("keep", [0, 4, 30, 0.5, -1])
def test_truncated_files_are_refused(tmp_path, keep):
    path = tmp_path / "c.safetensors"
    checkpoint.save(path, TENSORS, {"step": 7})
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(CheckpointError, match=r"c\.safetensors"):
        checkpoint.load(path)


def test_missing_and_foreign_files_are_refused(tmp_path):
    from safetensors.torch import save_file

    with pytest.raises(CheckpointError, match="no checkpoint there"):
        checkpoint.load(tmp_path / "none")
    save_file({"a": torch.zeros(1)}, tmp_path / "foreign")
    with pytest.raises(CheckpointError, match="not a whole checkpoint"):
        checkpoint.load(tmp_path / "foreign")


def test_a_refused_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "c.safetensors"
    checkpoint.save(path, TENSORS, {"step": 7})
    old = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))  # stands for a full disk
    try:
        with pytest.raises(CheckpointError, match="cannot be written"):
            checkpoint.save(path, {"big": torch.zeros(100_000)}, {"step": 8})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["c.safetensors"]


def _adam(seed):
    weights = torch.randn(5, generator=torch.Generator().manual_seed(seed)).requires_grad_()
    return weights, torch.optim.Adam([weights], lr=0.1)


def _descend(weights, optimizer, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        (weights**2 + weights.sin()).sum().backward()
        optimizer.step()


def test_restored_adam_goes_on_bit_for_bit_and_keeps_its_source(tmp_path):
    weights, optimizer = _adam(0)
    _descend(weights, optimizer, 3)
    kept = weights.detach().clone()
    state = {k: v.clone() for k, v in checkpoint.optimizer_state(optimizer).items()}
    _descend(weights, optimizer, 3)
    for _ in range(2):  # twice from the same tensors: restoring must not hand them to Adam
        other, its = _adam(1)
        with torch.no_grad():
            other.copy_(kept)
        checkpoint.restore_optimizer(its, state)
        _descend(other, its, 3)
        assert torch.equal(other, weights)


@pytest.mark.parametrize("name", [".", "", ".."])
def test_a_folder_is_no_name_of_a_file(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="name of a file"):
        checkpoint.save(Path(name), TENSORS, {})
    assert not list(tmp_path.iterdir())
