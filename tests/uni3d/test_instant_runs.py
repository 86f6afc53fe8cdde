"""The instant network as a person meets it: preset, variations, refine, a start for other runs."""

import argparse
import dataclasses
import json

import numpy as np
import pytest
import torch
from folders import contents, one_line
from tiny import TINY, small_pictures, tiny_run
from torch.nn.functional import mse_loss

import uni3d
from uni3d import config_io
from uni3d.cameras import Cameras
from uni3d.cli import main
from uni3d.errors import CheckpointError, ConfigError
from uni3d.instant.files import FILE, varies
from uni3d.instant.generator import Generator, GeneratorConfig
from uni3d.instant.objects import InstantScene
from uni3d.instant.start import fit_scene
from uni3d.instant.weights import export_weights, load_weights, make_scene
from uni3d.run import run as running
from uni3d.run.arguments import add_run_arguments, run_mapping
from uni3d.run.presets import PRESETS
from uni3d.run.run import Run
from uni3d.run.variations import refined_config
from uni3d.scene.scene import Scene, SceneConfig
from uni3d.storage import checkpoint
from uni3d.storage.lock import held
from uni3d.teacher.model import TeacherConfig

SMALL = GeneratorConfig(
    text_width=16, text=8, noise=4, style=8, channels=(8, 8, 8), side=3, features=3, hidden=8
)


@pytest.fixture(scope="module", autouse=True)
def _small():
    with pytest.MonkeyPatch.context() as patch:
        small_pictures(patch)
        yield


@pytest.fixture(scope="module")
def weights(tmp_path_factory, tiny_folder):
    """A network of random numbers, far enough from its start that z and text change the object."""
    network = Generator(SMALL, torch.Generator().manual_seed(0))
    with torch.no_grad():
        network.out.weight.mul_(6)
    path = tmp_path_factory.mktemp("weights") / "network.safetensors"
    described = {"network": dataclasses.asdict(SMALL), "teacher": str(tiny_folder)}
    checkpoint.save(path, network.state_dict(), described)
    return path


@pytest.fixture
def command(tmp_path, tiny_folder, weights):
    """The words of a command line that makes a small object."""
    (tmp_path / "small.yaml").write_text(config_io.yaml.safe_dump(TINY))
    words = ["--teacher", str(tiny_folder), "--config", str(tmp_path / "small.yaml")]
    return [*words, "--instant-weights", str(weights), "--formats", "glb"]


def instant(command, out, *more):
    return main(["a corgi", "--preset", "instant", *command, "--out", str(out), *more])


def test_an_object_is_made_without_a_step_and_without_the_teachers_unet(
    command, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(running, "load_teacher", None)
    one, again, other = (tmp_path / name for name in ("one", "again", "other"))
    assert instant(command, one) == 0
    left = {path.name for path in one.iterdir()}
    assert {"mesh.glb", "sheet.png", "turntable.mp4", "report.json", "config.yaml"} <= left
    report = json.loads((one / "report.json").read_text())
    assert report["steps_done"] == 0 and report["mesh"]["textured"]
    assert report["silhouette_iou"] > 0.7
    assert instant(command, again) == instant(command, other, "--seed", "1") == 0
    meshes = [(run / "mesh.glb").read_bytes() for run in (one, again, other)]
    assert meshes[0] == meshes[1] != meshes[2]
    # Written again from its checkpoint, and told of as any run.
    assert main(["export", str(one), "--formats", "glb"]) == 0
    assert (one / "mesh.glb").read_bytes() == meshes[0]
    assert uni3d.load_run(one).scene.picture(Cameras.orbit([0.0]), 16).opacity.max() > 0.5
    capsys.readouterr()


def test_what_is_kept_of_an_object_is_the_object(weights, tiny_folder):
    scene = make_scene(load_weights(weights), "a chair", 3, TeacherConfig(name=str(tiny_folder)))
    kept = {name: value.clone() for name, value in scene.state().items()}
    again, points = InstantScene.of_state(kept), torch.rand(50, 3) * 2 - 1
    for a, b in zip(scene.field(points), again.field(points), strict=True):
        assert torch.equal(a, b)
    with pytest.raises((KeyError, RuntimeError)):
        InstantScene.of_state(kept | {"at_point.weight": torch.zeros(8, 2)})


def test_a_scene_is_fitted_to_the_object(weights, tiny_folder):
    wanted = make_scene(load_weights(weights), "a chair", 3, TeacherConfig(name=str(tiny_folder)))
    scene, cameras = Scene(SceneConfig(), 0), Cameras.orbit([0.0, 120.0, 240.0], 15.0)
    truth = wanted.picture(cameras, 32).rgb
    before = mse_loss(scene.picture(cameras, 32).rgb, truth)
    error = fit_scene(scene, wanted, 0)
    after = mse_loss(scene.picture(cameras, 32).rgb, truth)
    assert error < 0.02
    assert after < before / 20 and after < 10 ** (-2.7)  # 27 dB
    assert scene.occupancy.fraction < 0.8
    assert not scene.optimizer.state_dict()["state"]


def first_step(config, folder):
    run = Run(config, folder)
    folder.mkdir()
    return run, run.prepare()


def test_another_preset_begins_with_the_object_and_half_of_its_steps(
    weights, tiny_folder, tmp_path
):
    named = {"instant": {"weights": str(weights), "use": True}}
    config = tiny_run(tiny_folder, steps=8, scene={"field": {"levels": 6}}, **named)
    run, first = first_step(config, tmp_path / "run")
    assert first.step == 4 and run.config.begin == 0.5
    assert first.note.startswith("begins with the instant network's object")
    wanted = make_scene(load_weights(weights), "a corgi", 0, config.teacher)
    cameras = Cameras.orbit([0.0, 120.0], 15.0)
    assert run.parts is not None
    got = run.parts.scene.picture(cameras, 32).rgb
    assert mse_loss(got, wanted.picture(cameras, 32).rgb) < 10**-2.5
    assert [record.step for record in run.steps()] == [5, 6, 7, 8]
    off = {"instant": {"weights": str(weights), "use": False}}
    run, first = first_step(tiny_run(tiny_folder, steps=8, **off), tmp_path / "scratch")
    assert first.step == 0 and run.config.begin == 0 and not first.note


def test_a_teachers_folder_may_hold_its_network(weights, tmp_path):
    from tiny import tiny_teacher

    teacher = tiny_teacher(tmp_path / "teacher")
    (teacher / FILE).write_bytes(weights.read_bytes())
    run, first = first_step(tiny_run(teacher, instant={"use": True}), tmp_path / "run")
    assert first.step == 3
    assert run.config.instant.weights == str(teacher / FILE)


def test_a_network_whose_objects_are_all_alike_makes_no_variations(
    weights, command, tmp_path, capsys
):
    """What the log of its training says of two z goes with the exported file."""
    training = tmp_path / "training"
    training.mkdir()
    (training / "checkpoint.safetensors").write_bytes(weights.read_bytes())
    network = dataclasses.asdict(load_weights(weights).config)
    kept = checkpoint.load(weights)[0]
    checkpoint.save(training / "checkpoint.safetensors", kept, {"network": network})
    (training / "instant.yaml").write_text("teacher:\n  name: toybox\n")
    named = {}
    for apart in (0.002, 0.03):
        lines = [{"step": 1, "apart": 0.5}, {"step": 2, "apart": apart}, {"step": 3}]
        (training / "metrics.jsonl").write_text(
            "".join(json.dumps(x) + "\n" for x in lines) + '{"apart": 0.'
        )
        named[apart] = tmp_path / f"{apart}.safetensors"
        assert main(["instant", "export", str(training), "--out", str(named[apart])]) == 0
    assert varies(named[0.03]) and varies(weights) and not varies(named[0.002])
    capsys.readouterr()
    alike = [*command, "--instant-weights", str(named[0.002]), "--teacher", "toybox"]
    assert instant(alike, tmp_path / "choice", "--variations", "2") == 2
    assert "makes the same object for every seed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "use"),
    [
        ([], True),
        (["--from-scratch"], False),
        (["--preset", "high"], None),
        (["--preset", "high", "--from-instant"], True),
        (["--instant-weights", "x"], True),
        (["--instant-weights", "x", "--from-scratch"], False),
        (["--preset", "instant", "--from-scratch"], False),
    ],
)
def test_what_a_command_line_starts_from(words, use):
    parser = argparse.ArgumentParser()
    add_run_arguments(parser)
    asked = run_mapping(parser.parse_args(words)).get("instant", {})
    assert asked.get("use") is use and not asked.get("only")


def test_a_teacher_without_a_network_says_so_and_goes_on_from_scratch(
    command, tmp_path, tiny_folder, capsys
):
    without = command[: command.index("--instant-weights")]
    assert instant([*without, "--formats", "glb"], tmp_path / "run") == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "instant" in line]
    assert told == [f"uni3d: {tiny_folder}: it has no instant network; from scratch"]
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["steps_done"] == TINY["steps"]


def test_variations_differ_and_one_is_refined(command, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(PRESETS, "draft", {name: TINY[name] for name in ("steps", "views", "mesh")})
    folder = tmp_path / "choice"
    assert instant(command, folder, "--variations", "2", "--seed", "5") == 0
    assert {p.name for p in folder.iterdir()} == {"1", "2", "contact.png", ".lock"}
    assert [uni3d.load_run(folder / str(k)).config.seed for k in (1, 2)] == [5, 6]
    meshes = {(folder / str(k) / "mesh.glb").read_bytes() for k in (1, 2)}
    assert len(meshes) == 2
    before = {p.name: p.read_bytes() for p in (folder / "2").iterdir()}
    refined = uni3d.refine(folder / "2", preset="draft", out=tmp_path / "refined", formats=["glb"])
    assert (refined.config.seed, refined.config.steps) == (6, 6)
    assert refined.report["steps_done"] == 6 and not refined.report["interrupted"]
    lines = (tmp_path / "refined" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [4, 5, 6]
    assert {p.name: p.read_bytes() for p in (folder / "2").iterdir()} == before
    capsys.readouterr()


def test_a_batch_makes_the_same_object(command, tmp_path):
    assert instant(command, tmp_path / "one") == 0
    (tmp_path / "prompts.txt").write_text("a corgi\n")
    words = ["batch", str(tmp_path / "prompts.txt"), "-o", str(tmp_path / "many")]
    assert main([*words, "--preset", "instant", *command, "--workers", "1", "--threads", "1"]) == 0
    (mesh,) = (tmp_path / "many").rglob("mesh.glb")
    report = json.loads((mesh.parent / "report.json").read_text())
    assert report["steps_done"] == 0 and report["silhouette_iou"] > 0.7
    assert main([*words, "--preset", "instant", *command, "--workers", "1", "--threads", "1"]) == 0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--instant-weights", "nowhere.safetensors"], "nowhere.safetensors"),
        (["--variations", "0"], "1 to 64"),
        (["--variations", "2", "--preset", "draft"], "--preset instant"),
        (["--variations", "2", "--from-scratch"], "--preset instant"),
        (["--set", "instant.begin=1"], "instant.begin"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(command, tmp_path, capsys, more, said):
    assert instant(command, tmp_path / "run", *more) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line and not (tmp_path / "run").exists()


def test_weights_of_another_teacher_are_refused(weights, tmp_path, tiny_folder):
    with pytest.raises(ConfigError, match="was trained with the teacher"):
        load_weights(weights, "toybox")
    tensors, _ = checkpoint.load(weights)
    checkpoint.save(tmp_path / "half.safetensors", tensors, {})
    with pytest.raises(CheckpointError, match="holds no instant network"):
        load_weights(tmp_path / "half.safetensors")
    wide = Generator(dataclasses.replace(SMALL, text_width=32))
    with pytest.raises(ConfigError, match="32 numbers a token"):
        make_scene(wide, "a chair", 0, TeacherConfig(name=str(tiny_folder)))


def test_the_exported_file_is_the_network_in_half_precision(weights, tmp_path, tiny_folder):
    network, out = load_weights(weights), tmp_path / "half.safetensors"
    size = export_weights(weights, out, str(tiny_folder))
    count = sum(value.numel() for value in network.state_dict().values())
    assert size < 2 * count + 6000
    features, z = torch.randn(1, 3, 16), torch.randn(1, 4)
    got, wanted = load_weights(out)(features, z), network(features, z)
    np.testing.assert_allclose(got.numpy(), wanted.numpy(), atol=0.01 * float(wanted.abs().max()))


def test_refine_replaces_a_run_only_when_asked_and_never_its_own_object(
    command, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert instant(command, tmp_path / "one") == 0
    assert instant(command, tmp_path / "other", "--seed=1") == 0
    before = contents(tmp_path)
    for words, said in (
        (["one", "--out=other"], "--overwrite"),
        (["one", "--out=one", "--overwrite"], "the object itself"),
        (["one", "--out=tiny.yaml", "--overwrite"], "a folder"),
    ):
        (tmp_path / "tiny.yaml").touch()
        assert main(["refine", *words]) == 2
        assert said in one_line(capsys) and contents(tmp_path).items() >= before.items()
    with pytest.raises(ConfigError, match="the object itself"):
        uni3d.refine("one", out="one", overwrite=True)

    def full(*_args, **_more):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:  # it fails before its first checkpoint
        patch.setattr("shutil.copyfile", full)
        assert main(["refine", "one", "--out=other", "--overwrite"]) == 2
    assert contents(tmp_path).items() >= before.items()
    monkeypatch.setitem(PRESETS, "draft", TINY | {"steps": 2, "checkpoint_every": 1})
    words = ["refine", "one", "--preset=draft", "--out=other", "--overwrite", "--formats=ply"]
    assert main(words) == 0
    report = json.loads((tmp_path / "other" / "report.json").read_text())
    assert report["steps_done"] == 2 and not (tmp_path / "other" / ".replaced").exists()
    assert not (tmp_path / "other" / "mesh.glb").exists()  # of the run that was replaced
    now = contents(tmp_path / "one")
    assert now == {k[4:]: v for k, v in before.items() if k.startswith("one/")}


@pytest.mark.parametrize(
    ("asked", "preset", "method"),
    [
        ([], "draft", "sds"),
        ([], "default", "uni-instruct"),
        (["--method", "vsd"], "draft", "vsd"),
        (["--divergence", "hellinger"], "draft", "uni-instruct"),
    ],
)
def test_refining_takes_the_presets_method_unless_one_was_chosen(
    command, tmp_path, asked, preset, method
):
    assert instant(command, tmp_path / "one", *asked) == 0
    refined = refined_config(tmp_path / "one", preset)
    assert refined.method == method
    assert refined.divergence == ("hellinger" if "hellinger" in asked else "")


def test_nothing_is_refined_into_a_folder_that_somebody_writes(command, tmp_path):
    assert instant(command, tmp_path / "one") == 0
    assert instant(command, tmp_path / "other") == 0
    before = contents(tmp_path)
    with held(tmp_path / "other"), pytest.raises(CheckpointError, match="another process"):
        uni3d.refine(tmp_path / "one", out=tmp_path / "other", overwrite=True)
    assert contents(tmp_path) == before
