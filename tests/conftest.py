"""Being here puts this folder on the path, so that every test can import `closeness` and `tiny`."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    """Nothing is taken from, or left in, the cache of whoever runs the tests."""
    monkeypatch.setenv("UNI3D_CACHE", str(tmp_path_factory.getbasetemp() / "uni3d-cache"))


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory) -> Path:
    """The folder of a teacher with random weights; tests must not write to it."""
    from tiny import tiny_teacher

    return tiny_teacher(tmp_path_factory.mktemp("teacher") / "tiny")


@pytest.fixture
def small_runs(tmp_path, monkeypatch):
    """Runs and exports of seconds, in a folder of the test's own."""
    from uni3d.run import finish, real_samples

    monkeypatch.setattr(finish, "TURNTABLE_FRAMES", 2)
    monkeypatch.setattr(real_samples, "BINS", 2)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def command(tiny_folder, tmp_path) -> list[str]:
    """Words of a command line for a run of two steps."""
    import yaml
    from tiny import TINY

    values = {**TINY, "steps": 2, "checkpoint_every": 1, "method": "sds"}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(values))
    file = str(tmp_path / "tiny.yaml")
    return ["--config", file, "--teacher", str(tiny_folder), "--formats=ply"]


@pytest.fixture(scope="session")
def made(tiny_folder, tmp_path_factory) -> Path:
    """A finished optimisation of two steps; tests work on copies."""
    from tiny import tiny_run

    from uni3d.run.run import Run

    folder = tmp_path_factory.mktemp("made") / "run"
    folder.mkdir()
    run = Run(tiny_run(tiny_folder, steps=2, checkpoint_every=1, method="sds"), folder)
    run.prepare()
    list(run.steps())
    return folder
