"""Bytes of data sets and runs change: they are read, or refused in one line, and stay."""

import shutil
from pathlib import Path

import pytest
from folders import contents
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_run import recipe, run, write_data, write_teacher

from image_distill.__main__ import main
from image_distill.compare import read_curve
from image_distill.data import DataError, ImageStore
from image_distill.teachers import load_denoiser
from uni3d.errors import ConfigError, Uni3DError


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    """A run of 4 steps, of which others are copies."""
    folder = tmp_path_factory.mktemp("half")
    write_teacher(folder / "teacher")
    write_data(folder / "data.zip")
    run(recipe(folder, folder / "p", duration=16e-6))
    return folder / "p"


@settings(deadline=None, max_examples=150, derandomize=True)
@given(data=st.data())
def test_bytes_of_a_zip_are_read_or_refused(data, tmp_path_factory):
    check_zip_bytes(data, tmp_path_factory.mktemp("zip"))


@pytest.mark.slow
@settings(deadline=None, max_examples=2000)
@given(data=st.data())
def test_two_thousand_zips(data, tmp_path_factory):
    check_zip_bytes(data, tmp_path_factory.mktemp("zip"))


small_fuzz = settings(
    deadline=None,
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def check_zip_bytes(data, folder: Path) -> None:
    """Some bytes of a data set are changed, or its end is cut."""
    path = write_data(folder / "d.zip", number=2)
    change_bytes(data, path)
    before = path.read_bytes()
    try:
        store = ImageStore(path)
        store.read_labels()
        for name in store.images:
            store.read_image(name)
    except Uni3DError as error:
        assert isinstance(error, DataError)
    assert path.read_bytes() == before and list(folder.iterdir()) == [path]


def change_bytes(data, path: Path) -> None:
    """Up to four bytes of the file change, of a tensor's numbers half the time; or it is cut."""
    raw = bytearray(path.read_bytes())
    header = 8 + int.from_bytes(raw[:8], "little") if path.suffix == ".safetensors" else 0
    first = header if header and data.draw(st.booleans()) else 0
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(first, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw))) if data.draw(st.booleans()) else len(raw)
    path.write_bytes(raw[:cut])


def check_run_bytes(data, half: Path, folder: Path, capsys) -> None:
    """A file of a run changes; then its network is used, its curve drawn, and it is resumed."""
    own = shutil.copytree(half, folder / "p")
    kinds = (".safetensors", ".json", ".jsonl", ".yaml")
    path = data.draw(st.sampled_from(sorted(p for p in own.rglob("*") if p.suffix in kinds)))
    change_bytes(data, path)
    before = contents(folder)
    for use, where in ((load_denoiser, own / "last"), (read_curve, own)):
        try:
            use(where)
        except Uni3DError as error:
            assert str(error).strip()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("image_distill.train._folder", _reached)
        assert main(["train", f"--resume={own}"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("image-distill: error: ") and said.count("\n") == 1, said
    assert contents(folder) == before
    shutil.rmtree(folder)


def _reached(*_args):
    raise ConfigError("the work is reached")


@small_fuzz
@given(data=st.data())
def test_bytes_of_a_run_are_read_or_are_one_line(data, half, tmp_path_factory, capsys):
    check_run_bytes(data, half, tmp_path_factory.mktemp("run"), capsys)


@pytest.mark.slow
@settings(small_fuzz, max_examples=2000, derandomize=False)
@given(data=st.data())
def test_two_thousand_files_of_runs(data, half, tmp_path_factory, capsys):
    check_run_bytes(data, half, tmp_path_factory.mktemp("run"), capsys)
