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
