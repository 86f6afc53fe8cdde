"""From a published file to a denoiser that gives the published numbers."""

import hashlib
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from edm_files import EDM, NAMES, Call, write
from safetensors.torch import load_file, save_file

from image_distill.__main__ import main
from image_distill.teachers import (
    import_pickle,
    import_training_state,
    load_denoiser,
    read_training_state,
    save_denoiser,
)
from uni3d.errors import CheckpointError


def oracle(name):
    arrays = np.load(EDM / f"{name}.npz")
    labels = torch.from_numpy(arrays["labels"]) if "labels" in arrays else None
    x, sigma, denoised = (torch.from_numpy(arrays[key]) for key in ("x", "sigma", "denoised"))
    return x, sigma, labels, denoised


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return import_pickle(EDM / "vp_song.pkl", tmp_path_factory.mktemp("import") / "vp")


@pytest.mark.parametrize("name", NAMES)
def test_imported_network_reproduces_the_published_numbers(name, tmp_path):
    denoiser = load_denoiser(import_pickle(EDM / f"{name}.pkl", tmp_path / "out"))
    x, sigma, labels, expected = oracle(name)
    got = denoiser(x, sigma, labels)
    for index in range(len(x)):  # each noise level on its own: the scales differ 1000 times
        # What the network adds, too: at small sigma the skip alone would pass.
        error = (got[index] - expected[index]).abs().max()
        assert error <= 1e-4 * expected[index].abs().max()
    moved = expected[1:] - x[1:]
    assert (got[1:] - x[1:] - moved).norm() <= 1e-4 * moved.norm()
    assert not denoiser.training and not any(p.requires_grad for p in denoiser.parameters())


def test_labels_reach_the_network(tmp_path):
    denoiser = load_denoiser(import_pickle(EDM / "song_cond.pkl", tmp_path / "out"))
    x, sigma, labels, expected = oracle("song_cond")
    rolled = denoiser(x, sigma, labels.roll(1, dims=1))
    assert (rolled - expected).abs().max() > 1e-3 * expected.abs().max()


def test_the_folder_says_what_it_holds(folder):
    description = json.loads((folder / "network.json").read_text())
    assert sorted(file.name for file in folder.iterdir()) == [
        "network.json",
        "network.safetensors",
    ]
    assert description["network"] == "SongUNet"
    assert description["preconditioning"] == "VPPrecond"
    assert description["precond_kwargs"] == {"beta_d": 19.9, "beta_min": 0.1, "M": 1000}
    assert description["init_kwargs"]["channel_mult"] == [1, 1]
    digest = hashlib.sha256((EDM / "vp_song.pkl").read_bytes()).hexdigest()
    assert description["source_sha256"] == digest


def test_checksum_is_compared(tmp_path):
    digest = hashlib.sha256((EDM / "vp_song.pkl").read_bytes()).hexdigest()
    import_pickle(EDM / "vp_song.pkl", tmp_path / "good", sha256=digest.upper())
    with pytest.raises(CheckpointError, match=f"sha256 is {digest}; wanted 00"):
        import_pickle(EDM / "vp_song.pkl", tmp_path / "bad", sha256="00")
    assert not (tmp_path / "bad").exists()


def renamed(tmp_path, old: bytes, new: bytes) -> Path:
    assert len(old) == len(new)
    data = (EDM / "vp_song.pkl").read_bytes()
    assert old in data
    path = tmp_path / "renamed.pkl"
    path.write_bytes(data.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            b"VPPrecond",
            b"VEPrecond",
            "'ema' is a 'VEPrecond'; wanted EDMPrecond, VPPrecond or Precond",
        ),
        (b"SongUNet", b"NongUSet", "network class 'NongUSet' is not known"),
        (b"positional", b"fourierial", "embedding_type='fourierial' is not supported"),
        (b"map_layer0", b"map_layer9", "map_layer0.weight is missing"),
    ],
)
def test_a_wrong_architecture_is_one_clear_line(tmp_path, old, new, words):
    with pytest.raises(CheckpointError, match=words) as caught:
        import_pickle(renamed(tmp_path, old, new), tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_pickle_without_a_network_is_one_clear_line(tmp_path):
    for content in ({}, {"ema": None}, {"ema": {"model": 1}}):
        with pytest.raises(CheckpointError, match="no network under 'ema'"):
            import_pickle(write(tmp_path / "x.pkl", content), tmp_path / "out")


def test_loading_refuses_damaged_folders(folder, tmp_path):
    with pytest.raises(CheckpointError, match="image-distill import"):
        load_denoiser(tmp_path / "nothing")
    copy = shutil.copytree(folder, tmp_path / "copy")
    weights = load_file(copy / "network.safetensors")
    save_file({**weights, "model.extra": torch.zeros(1)}, copy / "network.safetensors")
    with pytest.raises(CheckpointError, match=r"model\.extra"):
        load_denoiser(copy)
    name = "model.map_layer0.weight"
    save_file({**weights, name: torch.zeros(2, 2)}, copy / "network.safetensors")
    with pytest.raises(CheckpointError, match=r"map_layer0.weight is \(2, 2\); wanted \(64, 16\)"):
        load_denoiser(copy)
    (copy / "network.safetensors").write_bytes(b"123")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_denoiser(copy)
    (copy / "network.json").write_text("{}")
    with pytest.raises(CheckpointError, match="not a network of format 1"):
        load_denoiser(copy)


def test_a_changed_filter_is_refused(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    weights = load_file(copy / "network.safetensors")
    name = next(name for name in weights if name.endswith("resample_filter"))
    save_file({**weights, name: torch.ones(1, 1, 2, 2)}, copy / "network.safetensors")
    with pytest.raises(CheckpointError, match="not the box filter"):
        load_denoiser(copy)


def test_a_saved_network_comes_back_bit_for_bit(folder, tmp_path):
    denoiser = load_denoiser(folder)
    for parameter in denoiser.parameters():
        parameter.mul_(1.01)
    save_denoiser(tmp_path / "saved", denoiser, like=folder, note={"source": "a test"})
    again = load_denoiser(tmp_path / "saved")
    x, sigma, _, _ = oracle("vp_song")
    assert torch.equal(again(x, sigma), denoiser(x, sigma))


def training_state(folder, path, **changes) -> Path:
    weights = load_file(folder / "network.safetensors")
    state = {
        "fake_score_state": {name: value * 1 for name, value in weights.items()},
        "G_state": {n: v if "filter" in n else v * 2 for n, v in weights.items()},
        "G_ema_state": {n: v if "filter" in n else v * 3 for n, v in weights.items()},
        "fake_score_optimizer_state": {"state": {}, "param_groups": [{"lr": 1e-5}]},
        "g_optimizer_state": {"state": {}, "param_groups": []},
    }
    torch.save(state | changes, path)
    return path


def test_training_states_are_read_and_imported(folder, tmp_path):
    path = training_state(folder, tmp_path / "training-state-001024.pt")
    state = read_training_state(path)
    weights, name = load_file(folder / "network.safetensors"), "model.map_layer1.bias"
    assert state.kimg == 1024
    assert torch.equal(state.fake_score[name], weights[name])
    assert torch.equal(state.generator[name], 2 * weights[name])
    assert torch.equal(state.generator_ema[name], 3 * weights[name])
    import_training_state(path, tmp_path / "out", like=folder)
    loaded = load_denoiser(tmp_path / "out" / "G_ema").state_dict()
    assert torch.equal(loaded[name], 3 * weights[name])
    x, sigma, _, expected = oracle("vp_song")
    got = load_denoiser(tmp_path / "out" / "fake_score")(x, sigma)
    assert (got - expected).abs().max() <= 1e-4 * expected.abs().max()


def test_hostile_or_incomplete_training_states_are_one_clear_line(folder, tmp_path):
    canary, path = tmp_path / "canary", tmp_path / "training-state-000000.pt"
    evil = Call(eval, f"open({str(canary)!r}, 'w').close()")
    training_state(folder, path, extra=evil)
    with pytest.raises(CheckpointError, match="the global 'eval'") as caught:
        read_training_state(path)
    assert "\n" not in str(caught.value) and not canary.exists()
    torch.load(path, weights_only=False)  # the guard matters: unguarded, the file acts
    assert canary.exists()
    training_state(folder, path, G_state=None)
    with pytest.raises(CheckpointError, match="no weights under 'G_state'"):
        read_training_state(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="refused or damaged"):
        read_training_state(path)


def test_command_line_imports(tmp_path, capsys):
    assert main(["import", str(EDM / "song_uncond.pkl"), str(tmp_path / "out")]) == 0
    x, sigma, _, expected = oracle("song_uncond")
    got = load_denoiser(tmp_path / "out")(x, sigma)
    assert (got - expected).abs().max() <= 1e-4 * expected.abs().max()
    assert capsys.readouterr().err.strip() == f"wrote {tmp_path / 'out'}"


def test_command_line_errors_are_one_line_and_2(tmp_path, capsys):
    canary = tmp_path / "canary"
    evil = write(tmp_path / "evil.pkl", {"ema": Call(eval, f"open({str(canary)!r}, 'w').close()")})
    for arguments in (
        [str(evil)],
        [str(tmp_path / "missing.pkl")],
        [str(EDM / "vp_song.pkl"), "--sha256", "12"],
        ["state.pt"],
        ["http://127.0.0.1:9/network.pkl"],
    ):
        assert main(["import", arguments[0], str(tmp_path / "out"), *arguments[1:]]) == 2
        message = capsys.readouterr().err
        assert message.startswith("image-distill: error: ") and message.count("\n") == 1
    assert not canary.exists()
    with evil.open("rb") as stream:
        pickle.load(stream)
    assert canary.exists()
