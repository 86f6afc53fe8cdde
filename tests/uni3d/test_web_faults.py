"""The page among damaged runs, command lines at work, and careless ways to start it."""

import argparse
import dataclasses
import shutil
import zlib

import pytest
from PIL import Image

from uni3d.errors import CheckpointError, ConfigError
from uni3d.storage.lock import held
from uni3d.web import server, words
from uni3d.web.guard import Guard
from uni3d.web.result import thumbnail
from uni3d.web.runs import RunStore
from uni3d.web.site import Site
from uni3d.web.worker import Job, Worker


def run(store: RunStore, name: str, text: str = "prompt: a corgi\nsteps: 5\n", report: str = ""):
    folder = store.root / name
    folder.mkdir()
    (folder / "config.yaml").write_text(text)
    if report:
        (folder / "report.json").write_text(report)
    return folder


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "outputs")


def test_a_damaged_run_is_shown_as_damaged_and_the_rest_works(store):
    run(store, "bad", "steps: 1e3\n")
    (run(store, "bytes") / "metrics.jsonl").write_bytes(b'\xff\xfe\n{"step": 1, "loss": 2.0}\n')
    run(store, "good", report='{"mesh": {}, "steps_done": 5}')
    store.mark_interrupted()
    states = {one.run_id: one.state.state for one in store.runs()}
    assert states == {"bad": "failed", "bytes": "interrupted", "good": "done"}
    assert store.metrics("bytes") == {"loss": [(1, 2.0)]}


def test_folders_with_usual_names_are_shown_and_links_are_named(store, tmp_path):
    for name in ("Car_v1.2", "my car", "red-chair-0"):
        run(store, name)
    shutil.copytree(store.root / "my car", tmp_path / "elsewhere")
    (store.root / "link").symlink_to(tmp_path / "elsewhere")
    assert {one.run_id for one in store.runs()} == {"Car_v1.2", "my car", "red-chair-0"}
    run(store, "a <b> run")
    assert store.left_out() == ["a <b> run", "link"]
    site = Site(store=store, worker=Worker(store), base={}, teachers={"toybox": "toybox"})
    line = words.files_line(len(store.runs()), site.left_out())
    assert "3 runs" in line and "Not shown: a &lt;b&gt; run, link." in line
    (store.root / "\udcff").mkdir()
    (store.root / "\udcff" / "config.yaml").touch()
    words.files_line(0, site.left_out()).encode()  # a page is UTF-8
    others = dataclasses.replace(site, separate=True)  # names are not for other people
    assert others.left_out() == [] and "Not shown" not in words.files_line(3, [])
    for bad in ("..", ".", "", "../outputs", "a/b", ".hidden"):
        with pytest.raises(CheckpointError):
            store.folder(bad)


def test_a_run_of_a_command_line_is_left_alone_while_it_writes(store):
    folder = run(store, "cli")
    with held(folder):
        store.mark_interrupted()
        assert store.state("cli").state == "running" and not (folder / "state.json").exists()
        with pytest.raises(CheckpointError, match="queued or running"):
            store.delete("cli")
    assert store.state("cli").state == "interrupted"
    store.delete("cli")
    assert not folder.exists()


@pytest.mark.parametrize("end", ["cancel", "stop"])
def test_a_queued_export_leaves_a_finished_run_finished(store, end):
    run(store, "done", report='{"mesh": {}, "steps_done": 5}')
    worker = Worker(store)
    worker.submit(Job(kind="export", run_id="done"))
    assert store.state("done").state == "queued"
    if end == "cancel":
        worker.cancel("done")
    else:
        worker._stopping = True
        worker._work()
    assert store.state("done").state == "done"


def test_a_library_that_fails_is_said(store, monkeypatch):
    def explode():
        raise OSError("libGL.so.1: cannot open")

    monkeypatch.setattr("uni3d.web.worker._import_heavy", explode)
    worker = Worker(store)
    worker._stopping = True
    worker._work()
    assert worker.ready.is_set() and "libGL" in worker.broken


def test_one_account_sees_files_of_all_runs(store, tmp_path):
    folder = run(store, "mine")
    (folder / "mesh.glb").write_bytes(b"x")
    app = type("App", (), {"tokens": {"t": "ann"}})()
    scope = {"app": app}
    headers = {b"cookie": b"access-token-1=t"}
    for separate, refused in ((False, False), (True, True)):
        guard = Guard(None, store=store, cache=tmp_path / "c", hosts=None, separate=separate)
        answer = guard._refused_file(str(folder / "mesh.glb"), scope, headers)
        assert (answer is not None) == refused


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    server.add_arguments(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize("words", [["--share"], ["--host", "0.0.0.0"]])
def test_a_page_for_others_wants_a_password(words, tmp_path):
    with pytest.raises(ConfigError, match="--auth-file"):
        server._who(parsed(*words))
    (tmp_path / "who").write_text("ann:secret\n\nbob:other\n")
    accounts = server._who(parsed(*words, "--auth-file", str(tmp_path / "who")))
    assert accounts == [("ann", "secret"), ("bob", "other")]


def test_gradios_own_variables_are_heard(monkeypatch):
    monkeypatch.setenv("GRADIO_SERVER_PORT", "7999")
    monkeypatch.setenv("GRADIO_SERVER_NAME", "localhost")
    assert (parsed().port, parsed().host) == (7999, "localhost")
    assert parsed("--port", "8000").port == 8000


@pytest.mark.parametrize("name", ["sheet.png", "live.png"])
def test_a_picture_that_is_cut_in_its_head_is_shown_as_grey(name, tmp_path):
    Image.new("RGB", (200, 99)).save(tmp_path / name)
    raw = bytearray((tmp_path / name).read_bytes())
    raw[8:12] = (4).to_bytes(4, "big")  # IHDR is thirteen bytes
    raw[16:24] = raw[16:20] + zlib.crc32(raw[12:20]).to_bytes(4, "big")
    (tmp_path / name).write_bytes(raw)
    assert thumbnail({name: tmp_path / name}).getpixel((9, 9)) == (200, 203, 208)
