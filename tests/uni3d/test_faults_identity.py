"""What belongs to a run carries its identity and goes with it; what a run replaces is kept until
the new one has something to show."""

import dataclasses
import importlib.util
import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from tiny import TINY, tiny_run, tiny_teacher

from uni3d import api, config_io
from uni3d.cli import main
from uni3d.errors import CheckpointError, ConfigError, NonFiniteError, Uni3DError
from uni3d.run import finish, real_samples
from uni3d.run import run as run_module
from uni3d.run.folder import chosen_folder, read_config, read_report, set_aside, write_config
from uni3d.run.run import Run, restore_scene
from uni3d.run.settings import RunConfig
from uni3d.storage import checkpoint

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


@pytest.fixture(scope="module")
def exported(teacher, tmp_path_factory):
    """A run of two steps with mesh.glb and mesh.ply."""
    folder = tmp_path_factory.mktemp("exported") / "run"
    folder.mkdir()
    patch = pytest.MonkeyPatch()
    patch.setattr(finish, "TURNTABLE_FRAMES", 2)
    run = Run(tiny_run(teacher, steps=2, checkpoint_every=1, method="sds"), folder)
    run.prepare()
    list(run.optimise())
    list(finish.export_run(run.config, folder, ["glb", "ply"]))
    patch.undo()
    return folder


@pytest.fixture
def run(exported, tmp_path):
    """A copy of `exported`."""
    return shutil.copytree(exported, tmp_path / "run")


def words(teacher, *more: str) -> list[str]:
    settings = {**TINY, "steps": 2, "checkpoint_every": 1, "method": "sds"}
    Path("tiny.yaml").write_text(yaml.safe_dump(settings))
    start = ["a red chair", "--config=tiny.yaml", "--teacher", str(teacher), "--formats=ply"]
    return [*start, "--out=run", "--overwrite", *more]


def contents(folder: Path) -> dict[str, bytes]:
    files = (p for p in folder.rglob("*") if p.is_file() and p.name != ".lock")
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


# An id of its own.


def test_a_run_has_an_id_that_its_files_carry(run, teacher):
    config = read_config(run)
    assert re.fullmatch("[0-9a-f]{16}", config.run_id)
    assert read_report(run)["run_id"] == config.run_id
    assert checkpoint.described(run / "checkpoint.safetensors")["run_id"] == config.run_id
    assert main(words(teacher, "--config", str(shutil.copy(run / "config.yaml", "old.yaml")))) == 0
    again = read_config(run)
    assert again.run_id not in ("", config.run_id)
    assert read_report(run)["run_id"] == again.run_id


def test_a_checkpoint_of_another_run_of_the_same_prompt_and_seed_is_refused(run):
    other = dataclasses.replace(read_config(run), run_id="0" * 16)
    with pytest.raises(CheckpointError, match="run_id"):
        restore_scene(other, run)
    write_config(other, run)
    before = contents(run)
    assert main(["resume", str(run)]) == 2
    assert contents(run) == before


@pytest.mark.parametrize("damage", ["other mesh", "other run", "no report", "other step"])
def test_a_mesh_of_another_run_or_step_is_not_judged(run, damage, capsys):
    config = read_config(run)
    finish.check_mesh(config, run)  # as it was exported
    if damage == "other mesh":
        glb = (run / "mesh.glb").read_bytes()
        (run / "mesh.glb").write_bytes(glb[:-1] + b"!")
    elif damage == "other run":
        config = dataclasses.replace(config, run_id="0" * 16)
    elif damage == "no report":
        (run / "report.json").unlink()
    else:
        tensors, about = checkpoint.load(run / "checkpoint.safetensors")
        checkpoint.save(run / "checkpoint.safetensors", tensors, about | {"step": 7})
    with pytest.raises(CheckpointError, match="uni3d export"):
        finish.check_mesh(config, run)
    toybox = dataclasses.replace(config.teacher, name="toybox")
    write_config(dataclasses.replace(config, teacher=toybox), run)
    assert main(["evaluate", str(run)]) == 2
    assert "uni3d export" in capsys.readouterr().err
    with pytest.raises(CheckpointError, match="uni3d export"):
        _ = api.load_run(run).mesh


def test_meshes_of_an_earlier_step_go_when_the_new_ones_are_there(run):
    list(finish.export_run(read_config(run), run, ["ply"]))
    assert read_report(run)["files"].keys() == {"mesh.glb", "mesh.ply"}  # the same scene
    finish.check_mesh(read_config(run), run)
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("steps: 2", "steps: 3", 1))
    report = json.loads((run / "report.json").read_text()) | {"evaluation": {"kind": "corgi"}}
    (run / "report.json").write_text(json.dumps(report))
    assert main(["resume", str(run), "--formats=ply"]) == 0
    report = read_report(run)
    assert report["steps_done"] == 3 and report["files"].keys() == {"mesh.ply"}
    assert not (run / "mesh.glb").exists() and "evaluation" not in report


def test_a_judgement_does_not_survive_a_resume_whose_export_fails(run, monkeypatch):
    (run / "report.json").write_text(json.dumps(read_report(run) | {"evaluation": {"kind": "x"}}))
    monkeypatch.setattr(finish, "extract_mesh", lambda *_: (_ for _ in ()).throw(MemoryError()))
    assert main(["resume", str(run), "--formats=ply"]) == 2
    assert "evaluation" not in read_report(run)


def test_the_time_of_a_session_that_was_killed_counts(run):
    steps = Run(read_config(run), run)
    steps.prepare()
    next(iterator := steps.steps())  # one step of two, and its checkpoint; then a kill
    iterator.close()
    before = read_report(run)["seconds_optimise"]
    assert before > 0
    (run / "report.json").write_text(json.dumps({"seconds_optimise": before + 1000}))
    assert main(["resume", str(run), "--formats=ply"]) == 0
    assert before + 1000 < read_report(run)["seconds_optimise"] < before + 1600


# A run that is replaced.


@pytest.mark.parametrize(
    "error", [NonFiniteError("not finite"), ZeroDivisionError(), MemoryError(), OSError(28, "full")]
)
def test_a_run_that_fails_before_its_first_checkpoint_replaces_nothing(
    run, teacher, error, monkeypatch, capsys
):
    def fail(*_args):
        raise error

    before = contents(run)
    monkeypatch.setattr(run_module, "take_step", fail)
    if isinstance(error, ZeroDivisionError):
        with pytest.raises(ZeroDivisionError):
            main(words(teacher))
    else:
        assert main(words(teacher)) == 2
    assert contents(run) == before
    said = capsys.readouterr().err
    assert not isinstance(error, Uni3DError) or "there again" in said


def test_a_checkpoint_that_cannot_be_written_replaces_nothing(run, teacher, monkeypatch):
    before = contents(run)

    def full(*_args):
        raise CheckpointError("no space")

    monkeypatch.setattr(checkpoint, "save", full)
    assert main(words(teacher)) == 2
    assert contents(run) == before


def test_a_new_run_whose_export_alone_fails_is_there_to_be_exported(
    run, teacher, monkeypatch, capsys
):
    """--overwrite asked for the earlier run to go; it goes with the new one's checkpoint, and from
    that `uni3d export` makes what is missing."""
    with monkeypatch.context() as patch:
        patch.setattr(finish, "extract_mesh", lambda *_: (_ for _ in ()).throw(MemoryError()))
        assert main(words(teacher)) == 2
    assert "uni3d export" in capsys.readouterr().err
    assert not (run / ".replaced").exists() and "mesh.glb" not in contents(run)
    assert restore_scene(read_config(run), run)[1] == 2
    assert main(["export", str(run), "--formats=ply"]) == 0
    assert (run / "mesh.ply").is_file() and read_report(run)["prompt"] == "a red chair"


@pytest.mark.parametrize("written", [False, True])
def test_a_kill_before_the_first_checkpoint_of_a_run_that_replaces_another(run, written, teacher):
    """Before the new config.yaml the folder is the earlier run; after it, the new one's."""
    before = contents(run)
    set_aside(run)
    if written:
        write_config(tiny_run(teacher, prompt="a chair", steps=1, method="sds", run_id="ab"), run)
        with pytest.raises(ConfigError, match="--overwrite"):
            chosen_folder(str(run), overwrite=False)
        assert main(["resume", str(run), "--formats=ply"]) == 0
        assert read_report(run)["prompt"] == "a chair" and not (run / ".replaced").exists()
        assert "mesh.glb" not in contents(run)
    else:
        assert main(["export", str(run), "--formats=ply"]) == 0
        assert contents(run).keys() == before.keys()
        assert contents(run)["mesh.glb"] == before["mesh.glb"]


def test_a_folder_whose_config_is_no_runs_is_never_replaced(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "report.json").write_text("{}")
    for text in ("", "seed: 3\n", "prompt: a corgi\nsteps: 5\n"):
        (mine / "config.yaml").write_text(text)
        with pytest.raises(ConfigError, match="no run of uni3d"):
            chosen_folder(str(mine), overwrite=True)
    # A run of before some keys were there: its id says that it is one.
    (mine / "config.yaml").write_text("prompt: a corgi\nsteps: 5\nrun_id: 0123456789ab\n")
    assert chosen_folder(str(mine), overwrite=True) == mine


# Everything is checked before anything is touched: the ranges that the document of the keys tells.


def outside() -> list[tuple[str, str]]:
    path = ROOT / "docs" / "write_configuration.py"
    spec = importlib.util.spec_from_file_location("write_configuration", path)
    assert spec and spec.loader
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    found = []
    for key, _, _, meaning in writer.rows(RunConfig, RunConfig()):
        for low, high in re.findall(r"(?<![\d.\]])(-?[\d.]+?)\.\.(-?\d[\d.]*)", meaning):
            found += [(key, str(float(low) - 1)), (key, str(float(high) + 1))]
        found += [(key, str(int(least) - 1)) for least in re.findall(r"at least (\d+)", meaning)]
        if "above 0" in meaning:
            found += [(key, "0.0"), (key, "-1.0")]
    return found


def test_the_ranges_that_are_written_down_are_kept():
    cases = outside()
    assert len({key for key, _ in cases}) > 30, cases
    for key, value in cases:
        kind = type(_default(key))
        if kind is tuple:
            value = f"[{value}, {value}]"
        elif kind is int:
            value = str(int(float(value)))
        with pytest.raises(Uni3DError, match="want"):
            mapping = config_io.apply_overrides({}, [f"{key}={value}"])
            raise AssertionError(key, value, config_io.load(RunConfig, mapping))


def _default(key: str):
    value = RunConfig()
    for name in key.split("."):
        value = getattr(value, name)
    return value
