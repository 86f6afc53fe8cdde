"""Odd values for every argument of every command of `image-distill`: one line, no traceback, and
what others have is left as it is. No training is reached."""

import argparse
import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from commands import ODD, drawn, flags, leaves, marks, run, settled
from edm_files import EDM
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_run import recipe, write_data, write_teacher
from tiny_run import run as train_run

from image_distill import __main__ as program
from image_distill.edm import TeacherRecipe
from image_distill.flags import add_flags
from image_distill.recipe import Recipe
from uni3d.errors import ConfigError

NEAR = "--detector=detector.pt"
# Of each command: words that are right. Names are of files in the folder `stock` makes.
BASE = {
    "import": ["song.pkl", "o"],
    "prepare": ["folder", "data.zip", "o.zip"],
    "train": ["--config=small.yaml", "--divergence=reverse-kl", "--outdir=o"],
    "train-teacher": ["--data=data.zip", "--outdir=o"],
    "generate": ["teacher", "o", "--seeds=0-1"],
    "statistics": ["data.zip", "o.npz", NEAR],
    "fid": ["data.zip", "data.zip", NEAR],
    "kid": ["data.zip", "data.zip", NEAR],
    "precision-recall": ["data.zip", "data.zip", NEAR],
    "inception-score": ["data.zip", "--detector=guess.pt"],
    "compare": ["measured", "--out=o.png"],
    "export": ["run", "o"],
    "toy2d": ["--steps=1"],
    "fashion-mnist": ["o", "--source=.", "--smoke"],
}


def parsers() -> dict[str, argparse.ArgumentParser]:
    found = dict(leaves(program._parser()))
    for name, kind in (("train", Recipe), ("train-teacher", TeacherRecipe)):
        add_flags(found[name], kind)
    return found


ALL = parsers()


def test_no_command_is_left_out():
    assert ALL.keys() == BASE.keys()
    assert sum(len(flags(parser)) for parser in ALL.values()) > 100


class Brightness(torch.nn.Module):
    def forward(self, x: torch.Tensor, return_features: bool = False) -> torch.Tensor:
        return x.float().flatten(2).mean(2).repeat(1, 4) * torch.arange(1, 13)


class Guess(torch.nn.Module):
    def forward(self, x: torch.Tensor, no_output_bias: bool = False) -> torch.Tensor:
        return torch.cat([x.float().flatten(1).mean(1, keepdim=True) / 9] * 3, 1).softmax(1)


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    """The folder `here` with the files that BASE names, and one beside it."""
    folder = tmp_path_factory.mktemp("stock") / "in" / "here"
    folder.mkdir(parents=True)
    write_teacher(folder / "teacher")
    write_data(folder / "data.zip")
    train_run(recipe(folder, folder / "run", duration=16e-6))
    (folder / "measured").mkdir()
    rows = [{"kimg": k, "seconds": 1.0, "fid": 9.0 - k} for k in (1.0, 2.0)]
    (folder / "measured" / "log.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    shutil.copy(EDM / "song_cond.pkl", folder / "song.pkl")
    keys = {"edm_model": "teacher", "data": "data.zip", "cond": True, "batch": 4}
    (folder / "small.yaml").write_text(yaml.safe_dump({**keys, "duration": 16e-6}))
    (folder / "tiny.yaml").write_text("mine: yes\n")
    for name, network in (("detector", Brightness()), ("guess", Guess())):
        torch.jit.script(network).save(str(folder / f"{name}.pt"))
    (folder.parent / "mine.txt").write_text("mine")
    return folder


def reached(*_args, **_more):
    raise ConfigError("the work is reached")


@pytest.fixture(scope="module")
def idle(stock):
    """Nothing that can last is done: it says so instead."""
    from image_distill import edm, fashion, sample, score, teachers, toy2d, train

    fetch = teachers._fetch
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in (
            (train, "_folder"),
            (edm, "held"),
            (sample.Heun, "__call__"),
            (score, "network_batches"),
            (toy2d, "run"),
            (fashion, "prepare"),
            (fashion.Benchmark, "_network"),
        ):
            patch.setattr(owner, name, reached)
        patch.setattr(teachers, "_fetch", lambda s, o: reached() if "://" in s else fetch(s, o))
        yield


def check(words: list[str], stock: Path, folder: Path, capsys) -> None:
    """Run in a copy of the stock, of which only what --overwrite names may change."""
    shutil.copytree(stock.parent, folder, symlinks=True)
    here = folder / "here"
    before = marks(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        run(program.main, words, capsys, "image-distill")
    after = marks(folder)
    named = [word.rpartition("=")[2] for word in words] if "--overwrite" in words else []
    free = [(here / name).resolve() for name in named if name and "\0" not in name]
    lost = [
        str(path)
        for path, mark in before.items()
        if after.get(path) != mark and not any(path.is_relative_to(own) for own in free)
    ]
    assert not lost, (words, lost)
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", sorted(BASE))
def test_right_words_do_the_work_or_reach_it(name, idle, stock, tmp_path, monkeypatch, capsys):
    shutil.copytree(stock, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    code = program.main([name, *BASE[name]])
    assert code == 0 or "the work is reached" in capsys.readouterr().err


@settled
@given(data=st.data())
def test_odd_values_of_any_argument_end_in_a_line(data, idle, stock, tmp_path, capsys):
    check(drawn(data, BASE, ALL), stock, tmp_path / "in", capsys)


@pytest.mark.slow
@settings(settled, max_examples=2000, derandomize=False)
@given(data=st.data())
def test_two_thousand_command_lines(data, idle, stock, tmp_path, capsys):
    check(drawn(data, BASE, ALL), stock, tmp_path / "in", capsys)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(BASE))
def test_every_flag_with_every_odd_value(name, idle, stock, tmp_path, capsys):
    for flag, takes in flags(ALL[name]).items():
        for value in ODD if takes else [""]:
            words = [name, *BASE[name], f"{flag}={value}" if takes else flag]
            check(words, stock, tmp_path / "in", capsys)
