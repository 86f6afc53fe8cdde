"""Odd values for every argument of every command of `uni3d`: one line, no traceback, and what
others have is left as it is. The work itself is never reached."""

import argparse
import dataclasses
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from commands import ODD, drawn, flags, leaves, marks, run, settled
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import TINY, small_pictures

from uni3d import cli
from uni3d.cli import main
from uni3d.errors import ConfigError
from uni3d.instant.generator import Generator, GeneratorConfig
from uni3d.storage import checkpoint

# Of each command: words that are right. Names are of files in the folder `place` makes.
T = ["--config=tiny.yaml", "--teacher=TINY", "--formats=ply"]
BASE = {
    "generate": ["a corgi", *T],
    "resume": ["run", "--formats=ply"],
    "refine": ["object", "--formats=ply"],
    "export": ["run", "--formats=ply"],
    "evaluate": ["run"],
    "doctor": ["--teacher=TINY"],
    "toybox read": ["a red car"],
    "toybox sheet": [],
    "toybox render": ["a car", "--out=p.png"],
    "toybox mesh": ["a car", "--out=p.glb"],
    "toybox train": ["--out=teacher"],
    "toybox train-recogniser": ["--out=r.safetensors"],
    "toybox evaluate": [],
    "instant train": ["--out=i"],
    "instant export": ["training", "--out=w.safetensors"],
    "instant evaluate": ["training/checkpoint.safetensors", "--out=e"],
    "batch": ["prompts.txt", "--out=b", *T],
    "bench": ["--out=bench"],
    "app": ["--outputs=outputs"],
}


def parsers() -> dict[str, argparse.ArgumentParser]:
    from uni3d.web import server

    page = cli._Parser(prog="uni3d app")
    server.add_arguments(page)  # it is up before torch, so it is not among the others
    return {**dict(leaves(cli._parser())), "app": page}


ALL = parsers()
FLAGS = [(name, flag, takes) for name in ALL for flag, takes in flags(ALL[name]).items()]


def test_no_command_is_left_out():
    assert ALL.keys() == BASE.keys()
    assert {name.partition(" ")[0] for name in ALL} == set(cli.COMMANDS)
    assert len(FLAGS) > 150


@pytest.fixture(scope="module")
def stock(made, tiny_folder, tmp_path_factory):
    """The folder `here` with the files that BASE names, and one beside it."""
    folder = tmp_path_factory.mktemp("stock") / "in" / "here"
    shutil.copytree(made, folder / "run")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY | {"steps": 2, "method": "sds"}))
    (folder / "prompts.txt").write_text("a corgi\na red car\n")
    (folder.parent / "mine.txt").write_text("mine")
    small = GeneratorConfig(
        text_width=16, text=8, noise=4, style=8, channels=(8, 8), side=3, features=3, hidden=8
    )
    network = Generator(small, torch.Generator().manual_seed(0))
    told = {"network": dataclasses.asdict(small), "teacher": str(tiny_folder)}
    (folder / "training").mkdir()
    checkpoint.save(folder / "training" / "checkpoint.safetensors", network.state_dict(), told)
    (folder / "training" / "instant.yaml").write_text(f"teacher: {{name: {tiny_folder}}}\n")
    with pytest.MonkeyPatch.context() as patch:
        small_pictures(patch)
        patch.chdir(folder)
        weights = "--instant-weights=training/checkpoint.safetensors"
        words = [w.replace("TINY", str(tiny_folder)) for w in T]
        assert main(["a corgi", *words, "--preset=instant", weights, "--out=object"]) == 0
    return folder


def reached(*_args, **_more):
    raise ConfigError("the work is reached")


@pytest.fixture(scope="module")
def idle(stock, tmp_path_factory):
    """Nothing heavy is done: it says so instead."""
    from uni3d.batch import cluster, drive, processes
    from uni3d.bench import cost
    from uni3d.doctor import doctor
    from uni3d.mesh import rasterize
    from uni3d.run import finish, run
    from uni3d.teacher import model
    from uni3d.toybox import bars, dataset, instant_bars, mesh, raytrace
    from uni3d.web import server

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("UNI3D_CACHE", str(tmp_path_factory.mktemp("cache")))
        for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"):
            patch.setenv(name, "")
        for owner, names in (
            (run, "prepare_parts load_weights"),
            (finish, "extract_mesh"),
            (rasterize, "shade"),
            (dataset, "prepare"),
            (bars, "measure measure_prompts"),
            (instant_bars, "judge_object"),
            (mesh, "toy_mesh"),
            (raytrace, "render_toy"),
            (model, "load_teacher"),
            (cost, "priced"),
            (server, "_launch"),
        ):
            for name in names.split():
                patch.setattr(owner, name, reached)
        patch.setattr(doctor, "flops_per_second", lambda *_: 1e9)
        patch.setattr(doctor, "estimate", reached)
        patch.setattr(drive, "drive", lambda *_a, **_b: None)
        for owner, name in (
            (processes, "Processes"),
            (processes, "InProcess"),
            (cluster, "RayEngine"),
        ):
            patch.setattr(owner, name, lambda *_: None)
        yield


def check(words: list[str], folder: Path, teacher: Path, capsys) -> None:
    """Run beside the files of BASE, none of which may change; what is new is removed."""
    before = marks(folder)
    words = [word.replace("TINY", str(teacher)) for word in words]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder / "here")
        run(main, words, capsys, "uni3d")
    after = marks(folder)
    lost = [str(path) for path, mark in before.items() if after.get(path) != mark]
    assert not lost, (words, lost)
    for path in after.keys() - before.keys():
        path.unlink()
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


@settled
@given(data=st.data())
def test_odd_values_of_any_argument_end_in_a_line(data, idle, stock, tiny_folder, capsys):
    check(drawn(data, BASE, ALL), stock.parent, tiny_folder, capsys)


@pytest.mark.slow
@settings(settled, max_examples=2000, derandomize=False)
@given(data=st.data())
def test_two_thousand_command_lines(data, idle, stock, tiny_folder, capsys):
    check(drawn(data, BASE, ALL), stock.parent, tiny_folder, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(BASE))
def test_every_flag_with_every_odd_value(name, idle, stock, tiny_folder, capsys):
    for flag, takes in flags(ALL[name]).items():
        for value in ODD if takes else [""]:
            words = [*name.split(), *BASE[name], f"{flag}={value}" if takes else flag]
            check(words, stock.parent, tiny_folder, capsys)
