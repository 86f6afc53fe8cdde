"""What the command line refuses, in one line and with exit code 2, and where it writes."""

import argparse
import json
import os
import signal

import pytest
import yaml
from tiny import TINY

from uni3d import cli, config_io
from uni3d.cli import main
from uni3d.run import run as pipeline
from uni3d.run import step
from uni3d.run.folder import read_config
from uni3d.run.presets import with_preset
from uni3d.run.settings import RunConfig


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def _broken_yaml(folder):
    (folder / "c.yaml").write_text("steps: [1")
    return ["a corgi", "--config", "c.yaml"]


def _misspelt_file(folder):
    (folder / "c.yaml").write_text("scene:\n  field:\n    levles: 3\n")
    return ["a corgi", "--config", "c.yaml"]


def _file_for_folder(folder):
    (folder / "taken").write_text("")
    return ["a corgi", "--out", "taken/run"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([""], "the prompt is empty"),
        ([" \n "], "the prompt is empty"),
        (["x" * 1001], "has 1001 characters; wanted at most 1000"),
        (["a blorptious corgi", "--strict"], "left out: blorptious; do: leave"),
        (["a corgi", "--teacher", "toybix", "--out", "r"], "teacher 'toybix' is not known"),
        (["a corgi", "--set", "guidance.scael=3"], "did you mean guidance.scale?"),
        (["a corgi", "--set", "steps=many"], "steps: got str 'many'; wanted int"),
        (["a corgi", "--set", "steps"], "wanted key=value"),
        (["a corgi", "--steps", "0"], "steps: got 0"),
        (["a corgi", "--method", "sdss"], "'sds'"),
        (["a corgi", "--method", "sds", "--divergence", "forward-kl"], "which sds fixes"),
        (["a corgi", "--formats", "glb,fbx"], "want some of glb, obj, ply, stl, 3mf, usdz"),
        (["a corgi", "--formats", "stl", "--size-mm", "0"], "size-mm: got 0.0"),
        (["a corgi", "--faces", "3"], "mesh.target_faces: got 3"),
        (["a corgi", "--config", "none.yaml"], "none.yaml: got no readable file"),
        (_broken_yaml, "c.yaml: got invalid YAML"),
        (_misspelt_file, "did you mean scene.field.levels?"),
        (_file_for_folder, "taken/run: cannot be written"),
        (["resume", "nowhere"], "nowhere: no run there"),
        (["export", "nowhere"], "nowhere: no run there"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(arguments, part, tmp_path, capsys):
    arguments = arguments(tmp_path) if callable(arguments) else arguments
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if not line.startswith("uni3d: loading")]
    assert len(lines) == 1 and lines[0].startswith("uni3d: error: "), err
    assert part in lines[0]
    assert out == "" and "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--versoin"], "unrecognized arguments: --versoin;"),  # and not "required: prompt"
        (["resume", "--list=1"], "unrecognized arguments: --list;"),
        (["a corgi", "--step", "4", "--", "--versoin"], "unrecognized arguments: -- --versoin;"),
        ([], "required: command;"),
    ],
)
def test_an_unknown_option_is_what_the_line_names(arguments, part, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    out, err = capsys.readouterr()
    assert ended.value.code == 2
    assert len(err.splitlines()) == 1 and err.startswith("uni3d: error: "), err
    assert part in err and out == ""


def _start(monkeypatch, arguments):
    """The run folder and configuration that `arguments` lead to; nothing is optimised."""
    started = []

    def begin(config, run, *_, resume):
        assert not resume
        pipeline.write_config(config, run)
        started.append((run, config))
        return 0

    monkeypatch.setattr(cli, "_optimise", begin)
    assert main(arguments) == 0
    return started[0]


@pytest.mark.parametrize(
    ("prompt", "folder"),
    [
        ("a corgi\n../../x/y", "outputs/a-corgi-x-y-3"),
        ("/etc/a corgi", "outputs/etc-a-corgi-3"),
    ],
)
def test_prompt_of_slashes_and_newlines_stays_in_outputs(monkeypatch, tmp_path, prompt, folder):
    run, _ = _start(monkeypatch, [prompt, "--seed", "3", "--anyway"])
    assert str(run) == folder
    assert [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.yaml")] == [
        f"{folder}/config.yaml"
    ]


def test_later_sources_win_and_the_written_config_is_complete(monkeypatch, tmp_path):
    (tmp_path / "c.yaml").write_text("steps: 11\nseed: 12\nguidance: {t_min: 0.1, scale: 2}\n")
    arguments = ["a corgi", "--preset", "draft", "--config", "c.yaml", "--seed", "13"]
    arguments += ["--guidance-scale", "7.5", "--set", "guidance.t_min=0.2", "--out", "r"]
    run, config = _start(monkeypatch, arguments)
    assert (config.steps, config.seed, config.mesh.resolution) == (11, 13, 72)
    assert (config.guidance.scale, config.guidance.t_min) == (7.5, 0.2)
    assert config.guidance.t_max == RunConfig().guidance.t_max
    assert read_config(run) == config


def test_a_failed_start_leaves_the_run_that_was_there(tmp_path):
    run = tmp_path / "r"
    run.mkdir()
    for name in ("checkpoint.safetensors", "config.yaml", "report.json"):
        (run / name).write_text("old")
    assert main(["a corgi", "--teacher", "toybix", "--out", "r"]) == 2
    assert {p.name: p.read_text() for p in run.iterdir()} == {
        "checkpoint.safetensors": "old",
        "config.yaml": "old",
        "report.json": "old",
    }


def test_words_left_out_are_said_and_the_run_goes_on(monkeypatch, capsys):
    _, config = _start(monkeypatch, ["a blorptious sleeping corgi"])
    err = capsys.readouterr().err
    assert err == "uni3d: toybox: shown as 'a corgi'; left out: blorptious, sleeping\n"
    assert (config.prompt, config.caption) == ("a blorptious sleeping corgi", "a corgi")
    assert config.teacher_prompt == "a corgi"


def test_a_known_subject_is_no_error_whatever_the_length(monkeypatch, capsys):
    _, config = _start(monkeypatch, ["a corgi " + "that is very " * 60 + "nice"])
    assert config.teacher_prompt == "a corgi"


def test_an_unknown_subject_stops_before_any_work(capsys, tmp_path):
    assert main(["a zorblax", "--out", "z"]) == 2
    err = capsys.readouterr().err
    assert "toybox: 'zorblax' is not known; nearest: " in err and "uni3d toybox sheet" in err
    assert not (tmp_path / "z").exists()


def test_anyway_goes_on_with_the_words_as_they_are(monkeypatch, capsys):
    _, config = _start(monkeypatch, ["a zorblax", "--anyway"])
    assert "going on" in capsys.readouterr().err
    assert (config.caption, config.teacher_prompt) == ("", "a zorblax")


def test_ctrl_c_lets_the_step_end_and_exports_it(tiny_folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(TINY | {"teacher": str(tiny_folder)}))
    step = pipeline.take_step

    def press(parts, number):
        if number == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return step(parts, number)

    monkeypatch.setattr(pipeline, "take_step", press)
    command = ["a corgi", "--config", "c.yaml", "--method", "sds", "--out", "r"]
    assert main([*command, "--steps", "50", "--formats", "glb"]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert json.loads((tmp_path / "r" / "report.json").read_text())["steps_done"] == 5
    assert (tmp_path / "r" / "mesh.glb").stat().st_size > 1000


def test_the_loss_is_four_calls_from_the_command(tiny_folder, tmp_path, monkeypatch):
    class Reached(Exception):
        pass

    def loss(*_, **__):
        raise Reached

    monkeypatch.setattr(step, "uni_instruct_loss", loss)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY | {"method": "sds"}))
    with pytest.raises(Reached) as caught:
        main(["a corgi", "--teacher", str(tiny_folder), "--config", "tiny.yaml", "--out", "run"])
    called = [entry.name for entry in caught.traceback]
    assert called[called.index("_generate") + 1 :] == ["_optimise", "optimise", "take_step", "loss"]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("steps: abc", "got str 'abc'"),
        ("steps: null", "got null"),
        ("views: [2]", "views: got"),
        ("instant: 3", "instant: got"),
        ("nosuch: 1", "nosuch: got an unknown key"),
    ],
)
def test_what_is_wrong_in_the_pages_file_is_said_before_it_is_up(text, part, tmp_path, capsys):
    file = tmp_path / "page.yaml"
    file.write_text(text + "\n")
    assert cli.main(["app", "--config", str(file), "--outputs", str(tmp_path / "o")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and f"{file}: " in said and part in said


def test_overwrite_alone_replaces_the_usual_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    args = argparse.Namespace(out=None, overwrite=True)
    usual = tmp_path / "outputs" / "a-cat-0"
    config = RunConfig(prompt="a cat", run_id="one")
    for _ in range(2):
        with cli._place(args, usual) as run:
            assert run == usual
            (run / "config.yaml").write_text(config_io.dump(config))
    args.overwrite = False
    with cli._place(args, usual) as run:
        assert run.name == "a-cat-0-2"
    # Broken off before there is anything to go on from: nothing is left.
    with pytest.raises(KeyboardInterrupt), cli._place(args, usual) as run:
        (run / "config.yaml").write_text("prompt: a cat\n")
        raise KeyboardInterrupt
    assert [p.name for p in usual.parent.iterdir()] == ["a-cat-0"]


def test_ctrl_c_while_files_are_written_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    def broken(*_):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("uni3d.run.finish.export_run", broken)
    assert cli._export(None, tmp_path / "run", ((), None)) == 130
    said = capsys.readouterr()
    assert f"do: uni3d export {tmp_path / 'run'}" in said.err and not said.out


def test_what_a_preset_of_one_pass_does_not_use_is_said():
    def note(**more):
        config = config_io.load(RunConfig, with_preset("instant", {"prompt": "a cat", **more}))
        return config.idle_in_one_pass

    assert note() == note(seed=3) == ""
    assert note(steps=3, method="vsd") == "; steps, method: not used"
