"""What people have on their disks and type by mistake: nothing made is lost, nothing passes
silently, and every refusal is one line."""

import dataclasses
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import TINY, tiny_run, tiny_teacher

from uni3d import config_io, errors
from uni3d.cli import main
from uni3d.errors import CheckpointError, ConfigError, NonFiniteError, TeacherError, Uni3DError
from uni3d.run import finish, real_samples
from uni3d.run.folder import MetricsLog, chosen_folder, read_config
from uni3d.run.run import Run, restore_scene, state
from uni3d.run.settings import RunConfig
from uni3d.storage import checkpoint
from uni3d.storage.cache import remembered
from uni3d.storage.lock import held, is_held
from uni3d.teacher.hub import find_folder
from uni3d.teacher.prompts import slug

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    monkeypatch.setenv("UNI3D_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(finish, "TURNTABLE_FRAMES", 2)
    monkeypatch.setattr(real_samples, "BINS", 2)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return tiny_teacher(tmp_path_factory.mktemp("teacher"))


@pytest.fixture
def command(teacher, tmp_path):
    """Words of a command line for a run of two steps."""
    (tmp_path / "tiny.yaml").write_text(
        yaml.safe_dump({**TINY, "steps": 2, "checkpoint_every": 1, "method": "sds"})
    )
    return ["--config", str(tmp_path / "tiny.yaml"), "--teacher", str(teacher), "--formats=ply"]


@pytest.fixture(scope="module")
def made(teacher, tmp_path_factory):
    """A finished optimisation of two steps; tests work on copies."""
    folder = tmp_path_factory.mktemp("made") / "run"
    folder.mkdir()
    run = Run(tiny_run(teacher, steps=2, checkpoint_every=1, method="sds"), folder)
    run.prepare()
    list(run.steps())
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    files = (p for p in folder.rglob("*") if p.is_file() and p.name != ".lock")
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def one_line(capsys) -> str:
    lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith("uni3d: error: ")]
    assert len(lines) == 1, lines
    return lines[0]


# What someone already has is kept.


def test_runs_never_share_a_default_folder(command, tmp_path):
    for more in ([], ["--steps=1"], ["--method=sim"]):
        assert main(["a corgi", *command, *more]) == 0
    names = sorted(p.name for p in (tmp_path / "outputs").iterdir())
    assert names == ["a-corgi-0", "a-corgi-0-2", "a-corgi-0-3"]
    assert read_config(tmp_path / "outputs" / "a-corgi-0-2").steps == 1
    assert read_config(tmp_path / "outputs" / "a-corgi-0").steps == 2


def test_prompts_without_latin_letters_have_names_of_their_own():
    prompts = ["一只柯基犬", "红椅子", "собака", "a red chair с котом", "a red chair"]
    assert len({slug(prompt) for prompt in prompts}) == len(prompts)
    assert slug("a red chair") == "a-red-chair"


def test_a_folder_of_somebody_else_is_refused_untouched(command, tmp_path, capsys):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "config.yaml").write_text("my: settings\n")
    (mine / "checkpoint.safetensors").write_bytes(b"years of work")
    before = contents(mine)
    for more in ([], ["--overwrite"]):
        assert main(["a corgi", *command, "--out", str(mine), *more]) == 2
        assert "no run of uni3d" in one_line(capsys)
    assert contents(mine) == before


def test_a_run_is_replaced_only_when_asked_and_then_wholly(command, made, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(made, run)
    for name in ("mesh.glb", "sheet.png", "progress-00009.png", "live.png"):
        (run / name).write_bytes(b"of the old run")
    (run / "notes.txt").write_text("mine")
    before = contents(run)
    assert main(["a red chair", *command, "--out", str(run)]) == 2
    assert "--overwrite" in one_line(capsys) and contents(run) == before
    assert main(["a red chair", *command, "--out", str(run), "--overwrite"]) == 0
    after = contents(run)
    assert after["notes.txt"] == b"mine" and b"of the old run" not in after.values()
    assert not {"mesh.glb", "progress-00009.png", "live.png"} & after.keys()


def test_a_judgement_goes_with_its_mesh(made, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(made, run)
    (run / "report.json").write_text(json.dumps({"evaluation": {"kind": "corgi"}, "own": 1}))
    list(finish.export_run(read_config(run), run, ["ply"]))
    report = json.loads((run / "report.json").read_text())
    assert "evaluation" not in report and report["own"] == 1 and report["steps_done"] == 2


@pytest.mark.parametrize("where", ["field", "background", "adapter", "optimizer"])
def test_a_state_that_is_not_finite_is_never_saved(teacher, tmp_path, where):
    run = Run(tiny_run(teacher, method="vsd", steps=2, checkpoint_every=1), tmp_path)
    run.prepare()
    steps = run.steps()
    next(steps)
    saved = (tmp_path / "checkpoint.safetensors").read_bytes()
    name = next(n for n, v in state(run.parts).items() if where in n and v.is_floating_point())
    poison(run, name)
    assert not checkpoint.finite(state(run.parts))
    with pytest.raises(NonFiniteError, match="is not saved"):
        run.save()
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == saved
    assert checkpoint.finite(checkpoint.load(tmp_path / "checkpoint.safetensors")[0])


def poison(run: Run, name: str) -> None:
    """NaN in the tensor that `state` calls `name`."""
    parts, (room, rest) = run.parts, name.split("/", 1)
    owner = parts.scene if room == "scene" else parts.fake
    tensors = {k: v.clone() for k, v in owner.state().items()}
    tensors[rest].view(-1)[0] = float("nan")
    owner.restore(tensors)


def test_a_checkpoint_with_nan_does_not_count_as_good(made, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(made, run)
    path = run / "checkpoint.safetensors"
    tensors, described = checkpoint.load(path)
    name = next(n for n in tensors if "background" in n and "scene/background" in n)
    tensors[name].view(-1)[0] = float("nan")
    checkpoint.save(path, tensors, described)
    with pytest.raises(CheckpointError, match="not finite"):
        Run(read_config(run), run, resume=True).prepare()
    with pytest.raises(CheckpointError, match="not finite"):
        restore_scene(read_config(run), run)


def test_a_checkpoint_of_another_run_is_refused(made, tmp_path):
    shutil.copytree(made, tmp_path / "run")
    other = dataclasses.replace(read_config(made), prompt="a red chair")
    with pytest.raises(CheckpointError, match="prompt"):
        restore_scene(other, tmp_path / "run")


def test_one_process_writes_a_folder_and_a_kill_lets_go(tmp_path, made):
    run = tmp_path / "run"
    shutil.copytree(made, run)
    code = "import sys,time,pathlib\nfrom uni3d.storage.lock import held\n"
    code += "with held(pathlib.Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(60)"
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(run)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert other.stdout.readline() == "held\n" and is_held(run)
        before = contents(run)
        assert main(["resume", str(run)]) == 2
        assert contents(run) == before
        (run / ".checkpoint.safetensors.1.part").write_bytes(b"half")
    finally:
        other.kill()
        other.communicate()
    assert not is_held(run)
    with held(run):
        assert is_held(run) and not list(run.glob(".*.part"))
    assert not is_held(run)


@pytest.mark.parametrize(
    "words",
    [
        ["--seed", "9223372036854775807"],
        ["--guidance-scale", "nan"],
        ["--set", "guidance.real_samples_per_view=0"],
        ["--set", "checkpoint_every=0"],
        ["--set", "scene.grid_learning_rate=.inf"],
        ["--set", "resolutions=[[0.0, 0]]"],
    ],
)
def test_values_that_cannot_work_touch_nothing(words, command, made, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(made, run)
    before = contents(run)
    assert main(["a corgi", *command, "--out", str(run), "--overwrite", *words]) == 2
    one_line(capsys)
    assert contents(run) == before


def _floats(value, path=""):
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _floats(getattr(value, field.name), f"{path}.{field.name}".strip("."))
    elif isinstance(value, float):
        yield path


def test_no_number_of_a_configuration_may_be_infinite():
    names = list(_floats(RunConfig()))
    assert len(names) > 40
    for name in names:
        for bad in (".nan", ".inf", "-.inf", "1e999"):
            with pytest.raises(ConfigError, match="finite"):
                config_io.load(RunConfig, config_io.apply_overrides({}, [f"{name}={bad}"]))


def test_times_add_up_and_the_log_has_each_step_once(made, tmp_path, command):
    run = tmp_path / "run"
    shutil.copytree(made, run)
    (run / "report.json").write_text('{"seconds_optimise": 1000.0}')
    lines = [json.dumps({"step": step, "loss": 1.0}) for step in (1, 2, 2, 3, 4)]
    (run / "metrics.jsonl").write_bytes(("\n".join(lines) + '\n{"step": 5, "lo').encode() + b"\xff")
    (run / "config.yaml").write_text(
        (run / "config.yaml").read_text().replace("steps: 2", "steps: 4", 1)
    )
    assert main(["resume", str(run), "--formats=ply"]) == 0
    steps = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 2, 3, 4]
    assert 1000 < json.loads((run / "report.json").read_text())["seconds_optimise"] < 1600


def test_a_line_of_the_log_is_there_before_the_next_step(tmp_path):
    with MetricsLog(tmp_path, 0) as log:
        log.write(1, {"loss": 2.0})
        assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1, "loss": 2.0}\n'


def test_sigterm_saves_and_exports_like_ctrl_c(command, tmp_path, monkeypatch):
    step = Run._record

    def record(self, metrics=None, note=""):
        if metrics:
            signal.raise_signal(signal.SIGTERM)
        return step(self, metrics, note)

    monkeypatch.setattr(Run, "_record", record)
    run = tmp_path / "run"
    assert main(["a corgi", *command, "--steps=9", "--out", str(run)]) == 130
    assert checkpoint.load(run / "checkpoint.safetensors")[1]["step"] == 1
    assert (run / "mesh.ply").is_file() and json.loads((run / "report.json").read_text())[
        "interrupted"
    ]


def test_files_have_the_rights_of_the_umask(tmp_path):
    (tmp_path / "probe").touch()
    checkpoint.save(tmp_path / "c.safetensors", {"a": torch.ones(1)}, {})
    modes = [stat.S_IMODE((tmp_path / n).stat().st_mode) for n in ("probe", "c.safetensors")]
    assert modes[0] == modes[1]


def test_a_checkpoint_is_on_the_disk_before_the_old_one_goes(tmp_path, monkeypatch):
    done = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda f: done.append("fsync") or fsync(f))
    monkeypatch.setattr(os, "replace", lambda a, b: done.append("replace") or replace(a, b))
    checkpoint.save(tmp_path / "c.safetensors", {"a": torch.ones(1)}, {})
    assert done == ["fsync", "replace"]


# What would be wrong without a word.


@pytest.mark.parametrize(
    ("part", "changes", "named"),
    [
        ("scheduler/scheduler_config", {"_class_name": "EDMDPMSolverMultistepScheduler"}, "EDMDPM"),
        ("scheduler/scheduler_config", {"_class_name": "EDMEulerScheduler"}, "EDMEuler"),
        ("scheduler/scheduler_config", {"_class_name": "FlowMatchEulerDiscreteScheduler"}, "Flow"),
        ("vae/config", {"latents_mean": [0.0] * 4}, "latents_mean"),
        ("vae/config", {"latents_std": [1.0] * 4}, "latents_std"),
        ("unet/config", {"in_channels": 9}, "9 channels"),
    ],
)
def test_teachers_of_other_kinds_are_refused_by_name(teacher, tmp_path, part, changes, named):
    folder = tmp_path / "t"
    shutil.copytree(teacher, folder)
    shutil.rmtree(folder / "codec")
    path = folder / f"{part}.json"
    path.parent.mkdir(exist_ok=True)
    told = json.loads(path.read_text()) if path.exists() else {"latent_channels": 4}
    path.write_text(json.dumps(told | changes))
    with pytest.raises(TeacherError, match=named):
        find_folder(str(folder))


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


def test_a_teacher_is_found_from_anywhere(teacher, tmp_path, monkeypatch):
    shutil.copytree(teacher, tmp_path / "home" / "models" / "tiny")
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


def test_weights_of_one_variant_are_named(teacher, tmp_path):
    folder = tmp_path / "t"
    shutil.copytree(teacher, folder)
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


def test_formats_as_people_write_them_and_resume_as_an_option(capsys):
    assert finish.check_formats(["glb", " OBJ", ".ply", "glb"]) == ("glb", "obj", "ply")
    assert main(["a corgi", "--resume"]) == 2
    assert "uni3d resume FOLDER" in one_line(capsys)


# Any value, any bytes: one line, and nothing outside the run folder is touched.

KEYS = sorted(config_io._dotted_keys(RunConfig))
ODD = [0, -1, 1, 2**40, 10**30, 0.5, -0.5, 1e308, "nan", "", "x", True, None, [], [0], {"a": 1}]
VALUE = st.one_of(st.sampled_from(ODD), st.integers(), st.floats(), st.text(max_size=5))


def check_value(data) -> None:
    key, value = data.draw(st.sampled_from(KEYS)), data.draw(VALUE)
    mapping: dict = {}
    inner = mapping
    *groups, last = key.split(".")
    for group in groups:
        inner = inner.setdefault(group, {})
    inner[last] = value
    try:
        config = config_io.load(RunConfig, mapping)
    except Uni3DError as error:
        assert str(error).strip()
        return
    assert config_io.load(RunConfig, yaml.safe_load(config_io.dump(config))) == config


FILES = ("config.yaml", "report.json", "metrics.jsonl", "checkpoint.safetensors")


def check_bytes(data, made: Path, folder: Path) -> None:
    """Some bytes of one file of a run are changed, or its end is cut; then it is read."""
    run = folder / "run"
    shutil.copytree(made, run)
    (run / "report.json").write_text('{"seconds_optimise": 3.0, "steps_done": 2}')
    (run / "metrics.jsonl").write_text('{"step": 1, "loss": 0.5}\n{"step": 2, "loss": 0.25}\n')
    path = run / data.draw(st.sampled_from(FILES))
    raw = bytearray(path.read_bytes())
    end = min(len(raw), 4000)  # of the checkpoint: its header
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, end - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(
        raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw
    )
    try:
        config = read_config(run)
        with MetricsLog(run, 2) as log:
            log.write(3, {"loss": 0.1})
        restore_scene(read_config(made) if path.name != "config.yaml" else small_only(config), run)
        finish.write_report(run, {"steps_done": 2})
    except Uni3DError as error:
        assert str(error).strip()
    for line in (run / "metrics.jsonl").read_bytes().splitlines():
        assert path.name == "metrics.jsonl" or json.loads(line)
    assert [p.name for p in folder.iterdir()] == ["run"]
    shutil.rmtree(run)


def small_only(config: RunConfig) -> RunConfig:
    """A scene that a changed digit made huge is not built here."""
    field = config.scene.field
    if max(field.log2_table_size, field.levels, field.hidden // 64) > 16:
        raise ConfigError("too large for a test")
    return config


@settings(deadline=None, max_examples=300, derandomize=True)
@given(data=st.data())
def test_values_of_a_configuration_load_or_are_one_line(data):
    check_value(data)


@pytest.mark.slow
@settings(deadline=None, max_examples=2000)
@given(data=st.data())
def test_two_thousand_values(data):
    check_value(data)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(data=st.data())
def test_bytes_of_a_run_are_read_or_are_one_line(data, made, tmp_path_factory):
    check_bytes(data, made, tmp_path_factory.mktemp("bytes"))


@pytest.mark.slow
@settings(deadline=None, max_examples=2000)
@given(data=st.data())
def test_two_thousand_files(data, made, tmp_path_factory):
    check_bytes(data, made, tmp_path_factory.mktemp("bytes"))


def check_model(data, teacher: Path, folder: Path) -> None:
    """Bytes of a text file of a model folder are changed; then it is looked up."""
    own = folder / "t"
    own.mkdir()
    texts = ("model_index.json", "scheduler/scheduler_config.json", "unet/config.json")
    for name in texts:
        (own / name).parent.mkdir(exist_ok=True)
        shutil.copy(teacher / name, own / name)
    path = own / data.draw(st.sampled_from(texts))
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(
        raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw
    )
    from diffusers import DDPMScheduler, UNet2DConditionModel

    from uni3d.teacher.texts import load_network, load_part, text_reader

    before = contents(folder)
    try:
        found = find_folder(str(own))
        text_reader(found.folder)
        load_part(found.folder, "scheduler", DDPMScheduler)
        load_network(found.folder, "unet", UNet2DConditionModel)
    except Uni3DError as error:
        assert str(error).strip()
    assert contents(folder) == before


@settings(deadline=None, max_examples=60, derandomize=True)
@given(data=st.data())
def test_bytes_of_a_model_folder_are_read_or_are_one_line(data, teacher, tmp_path_factory):
    check_model(data, teacher, tmp_path_factory.mktemp("model"))


@pytest.mark.slow
@settings(deadline=None, max_examples=2000)
@given(data=st.data())
def test_two_thousand_model_folders(data, teacher, tmp_path_factory):
    check_model(data, teacher, tmp_path_factory.mktemp("model"))
