"""What someone already has is kept: folders, states and logs of earlier runs."""

import dataclasses
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from folders import contents, one_line
from safetensors.torch import save_file
from tiny import tiny_run

from uni3d import config_io
from uni3d.cli import main
from uni3d.errors import CheckpointError, ConfigError, NonFiniteError
from uni3d.run import finish
from uni3d.run.folder import MetricsLog, read_config
from uni3d.run.run import Run, restore_scene, state
from uni3d.run.settings import RunConfig
from uni3d.storage import checkpoint
from uni3d.storage.lock import held, is_held
from uni3d.teacher.prompts import slug

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("small_runs")


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
def test_a_state_that_is_not_finite_is_never_saved(tiny_folder, tmp_path, where):
    run = Run(tiny_run(tiny_folder, method="vsd", steps=2, checkpoint_every=1), tmp_path)
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
    saved = path.read_bytes()
    with pytest.raises(NonFiniteError, match="not finite"):
        checkpoint.save(path, tensors, described)
    assert path.read_bytes() == saved
    save_file(tensors, path, metadata={"uni3d": json.dumps(described)})
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
