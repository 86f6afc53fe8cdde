"""What people have on their disks and type by mistake: nothing passes silently, and every refusal
is one line."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from folders import contents, one_line

from uni3d import errors
from uni3d.cli import main
from uni3d.errors import CheckpointError, ConfigError, TeacherError
from uni3d.mesh.formats import check_formats
from uni3d.run import finish
from uni3d.run.folder import chosen_folder
from uni3d.storage import cache, checkpoint
from uni3d.storage.cache import remembered
from uni3d.storage.lock import held
from uni3d.teacher.hub import find_folder
from uni3d.toybox import state
from uni3d.toybox.training import TrainConfig

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("small_runs")


# What would be wrong without a word.


@pytest.mark.parametrize(
    ("part", "changes", "named"),
    [
        ("scheduler/scheduler_config", {"_class_name": "EDMDPMSolverMultistepScheduler"}, "EDMDPM"),
        ("scheduler/scheduler_config", {"_class_name": "EDMEulerScheduler"}, "EDMEuler"),
        ("scheduler/scheduler_config", {"_class_name": "FlowMatchEulerDiscreteScheduler"}, "Flow"),
        ("scheduler/scheduler_config", {"_class_name": "ScoreSdeVeScheduler"}, "ScoreSdeVe"),
        ("scheduler/scheduler_config", {"use_flow_sigmas": True}, "use_flow_sigmas"),
        ("scheduler/scheduler_config", {"timestep_type": "continuous"}, "timestep_type"),
        ("scheduler/scheduler_config", {"beta_start": None}, "no betas"),
        ("vae/config", {"shift_factor": 0.1159}, "shift_factor"),
        ("unet/config", {"_class_name": "UNetMotionModel"}, "UNetMotionModel"),
        ("unet/config", {"class_embed_type": "timestep"}, "class labels"),
        ("unet/config", {"projection_class_embeddings_input_dim": 2048}, "class labels"),
        ("unet/config", {"class_embed_type": None, "num_class_embeds": 1000}, "class labels"),
        ("vae/config", {"latents_mean": [0.0] * 4}, "latents_mean"),
        ("vae/config", {"latents_std": [1.0] * 4}, "latents_std"),
        ("unet/config", {"in_channels": 9}, "9 channels"),
    ],
)
def test_teachers_of_other_kinds_are_refused_by_name(tiny_folder, tmp_path, part, changes, named):
    folder = tmp_path / "t"
    shutil.copytree(tiny_folder, folder)
    shutil.rmtree(folder / "codec")
    path = folder / f"{part}.json"
    path.parent.mkdir(exist_ok=True)
    told = json.loads(path.read_text()) if path.exists() else {"latent_channels": 4}
    path.write_text(json.dumps(told | changes))
    with pytest.raises(TeacherError, match=named):
        find_folder(str(folder))


@pytest.mark.parametrize("changes", [{"beta_end": 2.0}, {"num_train_timesteps": 0}])
def test_betas_that_are_no_schedule_are_one_line(tiny_folder, tmp_path, changes, capsys):
    folder = shutil.copytree(tiny_folder, tmp_path / "t")
    path = folder / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    assert main(["a corgi", "--teacher", str(folder), "--out", str(tmp_path / "o")]) == 2
    assert "no noise schedule" in one_line(capsys)
    assert not (tmp_path / "o").exists()


def test_a_teacher_without_betas_or_without_a_unet_is_refused(tiny_folder, tmp_path, capsys):
    folder = shutil.copytree(tiny_folder, tmp_path / "t")
    path = folder / "scheduler" / "scheduler_config.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in told.items() if "beta" not in k}))
    with pytest.raises(TeacherError, match="no betas"):
        find_folder(str(folder))
    assert main(["doctor", "--teacher", str(folder)]) == 2
    assert "no betas" in one_line(capsys)
    path.write_text(json.dumps(told))
    (folder / "unet").rename(folder / "transformer")
    with pytest.raises(TeacherError, match="transformer"):
        find_folder(str(folder))


@pytest.mark.parametrize("what", ["processor", "instructions", "diffusers", "uni3d"])
def test_samples_of_another_machine_or_library_are_others(monkeypatch, what):
    key, here = {"teacher": "t"}, cache._machine()
    assert what in here
    assert remembered("k", key, lambda: torch.ones(1)) == 1
    assert remembered("k", key, lambda: torch.zeros(1)) == 1
    monkeypatch.setattr(cache, "_machine", lambda: here | {what: "another"})
    assert remembered("k", key, lambda: torch.zeros(1)) == 0


def test_a_cache_where_there_is_no_place_or_home_fails_no_run(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("UNI3D_CACHE", str(tmp_path / "file"))
    assert remembered("k", {"teacher": "t"}, lambda: torch.ones(1)) == 1
    monkeypatch.setenv("UNI3D_CACHE", "~/own")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_folder() == tmp_path / "own"
    monkeypatch.delenv("UNI3D_CACHE")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert cache.cache_folder().name == "uni3d"


def test_samples_of_another_number_of_threads_are_others(monkeypatch):
    key, threads = {"teacher": "t"}, torch.get_num_threads()
    assert remembered("k", key, lambda: torch.ones(1)) == 1
    assert remembered("k", key, lambda: torch.zeros(1)) == 1
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads + 1)
    assert remembered("k", key, lambda: torch.zeros(1)) == 0


def test_a_cache_that_cannot_be_read_fails_no_run(monkeypatch):
    def refuse(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(checkpoint, "load", refuse)
    assert remembered("k", {"teacher": "t"}, lambda: torch.ones(1)) == 1


def test_peak_memory_is_in_mib_on_macos_too(monkeypatch):
    linux = finish.peak_memory_mb()
    monkeypatch.setattr(finish.sys, "platform", "darwin")
    assert finish.peak_memory_mb() == pytest.approx(linux / 1024, rel=0.1)


@pytest.mark.parametrize(
    ("word", "command"), [("docotr", "doctor"), ("exprot", "export"), ("resum", "resume")]
)
def test_a_misspelt_command_is_no_prompt(word, command, capsys, tmp_path):
    assert main([word]) == 2
    assert f"uni3d {command}" in one_line(capsys) and not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("word", ["docotr", "Doctor", "doctor", " doctor "])
@pytest.mark.parametrize("before", [["--seed", "1"], ["--teacher=nowhere"], ["--"]])
def test_a_misspelt_command_behind_options_is_no_prompt(before, word, capsys):
    assert main([*before, word]) == 2
    line = one_line(capsys)
    assert "uni3d doctor" in line and f"uni3d generate {word.strip()}" in line


def test_only_extras_that_exist_are_named():
    table = (ROOT / "pyproject.toml").read_text().split("[project.optional-dependencies]")[1]
    extras = set(re.findall(r"^(\w+) = \[", table.split("\n[")[0], re.M))
    assert {"app", "dev", "image"} <= extras
    found = set()
    for path in [*(ROOT / "uni3d").rglob("*.py"), *(ROOT / "image_distill").rglob("*.py")]:
        source = path.read_text()
        assert "pip install 'uni3d" not in source, path
        found |= set(re.findall(r'MissingExtraError\([^)]*?, "(\w+)"\)', source))
    assert {"app", "cuda", "image"} <= found <= extras
    assert "pip install -e '.[app]'" in str(errors.MissingExtraError("gradio", "app"))


# One bad thing does not take everything down.


def test_damage_is_one_line_and_what_is_whole_is_used(made, tmp_path, capsys):
    def copy(name):
        shutil.copytree(made, tmp_path / name)
        return tmp_path / name

    run = copy("report")
    (run / "report.json").write_bytes(b'{"a": \xff')
    assert main(["export", str(run), "--formats=ply"]) == 0 and (run / "mesh.ply").is_file()
    (run / "report.json").write_text("[1]")
    assert main(["resume", str(run), "--formats=ply"]) == 0
    assert json.loads((run / "report.json").read_text())["steps_done"] == 2
    capsys.readouterr()
    run = copy("field")
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("log2_table_size: 10", "log2_table_size: 9"))
    assert main(["export", str(run)]) == 2
    assert "does not fit" in one_line(capsys)
    run = copy("mesh")
    (run / "mesh.glb").write_bytes(b"glTF\2\0\0\0")
    with pytest.raises(CheckpointError, match="uni3d export"):
        finish.read_mesh(run)


def test_bytes_in_a_prompt_and_a_terminal_of_few_letters(command, tmp_path):
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)}
    start = [sys.executable, "-m", "uni3d"]
    done = subprocess.run(
        [*start, "a corgi", *command, "--out", "собака"], env=environment, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "собака" / "mesh.ply").is_file()
    done = subprocess.run([*start, b"a corgi \xff"], env=environment, capture_output=True)
    assert done.returncode == 2 and b"Traceback" not in done.stderr and b"UTF-8" in done.stderr


def test_too_little_memory_is_one_line(made, tmp_path, monkeypatch, capsys):
    shutil.copytree(made, tmp_path / "run")

    def explode(*_args, **_options):
        raise MemoryError

    monkeypatch.setattr(finish, "extract_mesh", explode)
    assert main(["export", "run"]) == 2
    assert "texture_size" in one_line(capsys)


# Paths and words.


def test_a_teacher_is_found_from_anywhere(tiny_folder, tmp_path, monkeypatch):
    shutil.copytree(tiny_folder, tmp_path / "home" / "models" / "tiny")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "home")
    whole = str(tmp_path / "home" / "models" / "tiny")
    assert find_folder("models/tiny").name == find_folder("~/models/tiny").name == whole
    index = Path(whole) / "model_index.json"
    index.write_bytes(b"\xef\xbb\xbf" + index.read_bytes())
    entry = tmp_path / "hub" / "models--x--y"
    shutil.copytree(whole, entry / "snapshots" / "abc")
    (entry / "refs").mkdir()
    (entry / "refs" / "main").write_text("abc")
    assert find_folder(str(entry)).folder == entry / "snapshots" / "abc"
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(TeacherError, match="from_single_file"):
        find_folder(str(tmp_path / "model.safetensors"))


@pytest.mark.parametrize("inside", ["unet", "model_index.json", "unet/config.json", ".."])
def test_a_teachers_folder_is_named_from_near_it(tiny_folder, tmp_path, inside):
    folder = shutil.copytree(tiny_folder, tmp_path / "t").resolve()
    with pytest.raises(TeacherError, match=f"do: --teacher {re.escape(str(folder))}"):
        find_folder(str((folder / inside).resolve()))


def test_weights_of_one_variant_are_named(tiny_folder, tmp_path):
    folder = tmp_path / "t"
    shutil.copytree(tiny_folder, folder)
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    shutil.move(weights, weights.with_name("diffusion_pytorch_model.fp16.safetensors"))
    with pytest.raises(TeacherError, match="unet has no weights without a variant; do: --variant"):
        find_folder(str(folder))
    with pytest.raises(TeacherError, match="text_encoder has no weights of variant 'fp16'"):
        find_folder(str(folder), variant="fp16")


@pytest.mark.parametrize(
    ("text", "said"), [("", "got nothing"), ("car.glb", "--formats glb"), ("file", "a file")]
)
def test_names_that_are_no_folder(text, said, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=said):
        chosen_folder(text, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_home_is_understood_where_a_shell_leaves_it(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert chosen_folder("~/x", overwrite=False) == tmp_path / "x"
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "got nothing"),
        ("outputs/run/mesh.glb", "do: outputs/run"),
        ("outputs/run/config.yaml", "do: outputs/run"),
        ("outputs", "do: outputs/run"),
        ("typo", "no run there"),
    ],
)
@pytest.mark.parametrize("command", ["resume", "export", "evaluate"])
def test_what_is_no_run_is_told_what_it_is(name, said, command, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "outputs" / "run"
    run.mkdir(parents=True)
    for file in ("config.yaml", "mesh.glb"):
        (run / file).touch()
    assert main([command, name]) == 2
    assert said in one_line(capsys)


@pytest.mark.parametrize("word", ["--resume", "--resum", "--resume=runs/p", "--reusme"])
def test_resume_as_an_option_is_told_the_command(word, capsys):
    assert main(["a corgi", word]) == 2
    assert "uni3d resume FOLDER" in one_line(capsys)


@pytest.mark.parametrize("words", [["a corgi", "--stesp", "3"], ["export"], ["x y", "--seed", "q"]])
def test_a_wrong_flag_is_one_line(words, capsys):
    with pytest.raises(SystemExit) as end:
        main(words)
    said = capsys.readouterr().err
    assert end.value.code == 2 and said.startswith("uni3d: error: ") and said.count("\n") == 1


def test_formats_as_people_write_them_and_resume_as_an_option(capsys):
    assert check_formats(["glb", " OBJ", ".ply", "glb"]) == ("glb", "obj", "ply")
    assert main(["a corgi", "--resume"]) == 2
    assert "uni3d resume FOLDER" in one_line(capsys)


@pytest.mark.parametrize(
    "words",
    [
        ["toybox", "sheet", "--out=mine/a.png"],
        ["toybox", "render", "a car", "--out=mine/a.png"],
        ["toybox", "mesh", "a car", "--out=mine/a.png"],
        ["toybox", "train", "--out=mine"],
        ["toybox", "train", "--out=mine", "--from-shipped"],
        ["toybox", "train-recogniser", "--out=mine/a.png"],
        ["instant", "train", "--out=mine"],
        ["instant", "export", "mine", "--out=mine/a.png"],
        ["instant", "evaluate", "mine/a.png", "--out=mine"],
        ["batch", "prompts.txt", "--out=mine"],
        ["bench", "--out=mine"],
    ],
)
def test_what_others_have_is_kept_by_every_command_that_writes(words, tmp_path, capsys):
    mine = tmp_path / "mine"
    mine.mkdir()
    (tmp_path / "prompts.txt").write_text("a corgi\n")
    names = ("a.png", "state.safetensors", "checkpoint.safetensors", "index.html", "metrics.jsonl")
    for name in names:
        (mine / name).write_text("years of work")
    before = contents(mine)
    assert main(words) == 2
    one_line(capsys)
    assert contents(mine) == before


@pytest.mark.parametrize(
    ("words", "written"),
    [
        (["toybox", "train", "--out=t", "--resume"], "t"),
        (["toybox", "train-recogniser", "--out=r.safetensors"], "recogniser-pictures"),
    ],
)
def test_a_training_is_written_by_one_process(words, written, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / written).mkdir()
    with held(Path(written)):
        assert main(words) == 2
    assert "another process is writing" in one_line(capsys)
    assert [p.name for p in tmp_path.rglob("*")] == [written, ".lock"]


def test_a_state_of_a_teacher_that_is_not_finite_is_never_saved(tmp_path):
    modules, config = {"net": torch.nn.Linear(2, 2)}, TrainConfig(out=tmp_path)
    average = {name: p.data.clone() for name, p in state.parameters_of(modules)}
    optimizer = torch.optim.Adam(modules["net"].parameters())
    state.save_state(config, 3, modules, average, optimizer)
    before = contents(tmp_path)
    average["net.bias"][0] = float("inf")
    with pytest.raises(errors.NonFiniteError, match="step 4"):
        state.save_state(config, 4, modules, average, optimizer)
    assert contents(tmp_path) == before
    assert state.load_state(config, modules, average, optimizer) == 3
    (tmp_path / "state.safetensors").write_bytes(b"cut")
    with pytest.raises(CheckpointError, match="not the state"):
        state.load_state(config, modules, average, optimizer)
