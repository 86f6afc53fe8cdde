"""The run store: ids that stay inside, states, what a killed server leaves, who sees what."""

import json
import os
import zipfile

import pytest

from uni3d.errors import CheckpointError
from uni3d.run.settings import RunConfig
from uni3d.web.runs import RunState, RunStore

CONFIG = RunConfig(prompt="a corgi", steps=20)


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "outputs")


def test_a_new_run_is_queued_and_found_again(store):
    run_id = store.create(CONFIG, "")
    (one,) = RunStore(store.root).runs()
    assert (one.run_id, one.prompt, one.state.state) == (run_id, "a corgi", "queued")
    assert one.state.steps == 20


def test_the_id_owes_nothing_to_the_prompt(store):
    run_id = store.create(RunConfig(prompt="../../etc/passwd; rm -rf /"), "")
    assert store.folder(run_id).parent == store.root
    assert not {"etc", "passwd", "rm"} & set(run_id.split("-"))


HOSTILE = [
    "",
    ".",
    "..",
    "../x",
    "/etc",
    "a/b",
    "a\\b",
    "a\0b",
    "A",
    "-x",
    "x" * 81,
    "x\n",
    None,
    3,
    ["x"],
    {"x": 1},
    "%2e%2e",
    "run.",
    "~",
    "$HOME",
    "x;y",
    "état",
]


@pytest.mark.parametrize("run_id", HOSTILE)
def test_hostile_ids(store, run_id):
    # Even where such a place exists and looks like a run.
    for place in (store.root.parent, store.root):
        (place / "config.yaml").write_text("prompt: outside")
    with pytest.raises(CheckpointError, match="there is no such run here"):
        store.folder(run_id)


def test_a_link_that_leads_outside_is_not_a_run(store, tmp_path):
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (outside / "config.yaml").write_text("prompt: outside")
    (store.root / "link").symlink_to(outside)
    with pytest.raises(CheckpointError):
        store.folder("link")
    assert store.runs() == []


def test_owners_do_not_see_each_other(store):
    mine, theirs = store.create(CONFIG, "ann"), store.create(CONFIG, "bob")
    assert [one.run_id for one in store.runs("ann")] == [mine]
    assert {one.run_id for one in store.runs("")} == {mine, theirs}
    for action in (store.folder, store.summary, store.files, store.delete):
        with pytest.raises(CheckpointError, match="there is no such run here"):
            action(theirs, "ann")
    assert (store.root / theirs).is_dir()


def test_what_a_killed_server_left_is_interrupted(store):
    running, done = store.create(CONFIG, ""), store.create(CONFIG, "")
    store.change(running, state="running", step=7)
    store.change(done, state="done", step=20)
    again = RunStore(store.root)
    again.mark_interrupted()
    assert (again.state(running).state, again.state(running).step) == ("interrupted", 7)
    assert again.state(done).state == "done"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"state": "odd"}', '{"x": 1}', "\0"])
def test_a_damaged_state_is_a_failed_run(store, text):
    run_id = store.create(CONFIG, "")
    (store.root / run_id / "state.json").write_text(text)
    assert store.state(run_id).state == "failed"
    assert store.summary(run_id).prompt == "a corgi"


def test_a_folder_of_the_command_line(store):
    folder = store.root / "a-corgi-0"
    folder.mkdir()
    (folder / "config.yaml").write_text("prompt: a corgi\nsteps: 700\n")
    assert store.state("a-corgi-0").state == "interrupted"
    report = {"mesh": {"faces": 3}, "steps_done": 700, "seconds_optimise": 61.5}
    (folder / "report.json").write_text(json.dumps(report))
    state = store.state("a-corgi-0")
    assert (state.state, state.step, state.steps, state.seconds) == ("done", 700, 700, 61.5)


def test_newest_first(store):
    ids = [store.create(CONFIG, "") for _ in range(3)]
    for age, run_id in enumerate(ids):
        store.change(run_id, created=1000.0 - age)
    assert [one.run_id for one in store.runs()] == ids


def test_curves_survive_a_torn_line_and_a_step_done_twice(store):
    run_id = store.create(CONFIG, "")
    lines = [
        '{"step": 1, "opacity": 0.1}',
        '{"step": 3, "opacity": 0.9}',
        '{"step": 3, "opacity": 0.3, "gap": 2}',
        "[1]",
        '{"step": 4, "opac',
    ]
    (store.root / run_id / "metrics.jsonl").write_text("\n".join(lines))
    assert store.metrics(run_id) == {"opacity": [(1, 0.1), (3, 0.3)], "gap": [(3, 2.0)]}


def test_only_meshes_and_pictures_are_handed_out(store):
    run_id = store.create(CONFIG, "")
    folder = store.root / run_id
    for name in ("mesh.obj", "mesh.mtl", "mesh.png", "checkpoint.safetensors", "notes.txt"):
        (folder / name).write_text(f"text of {name}")
    store.change(run_id, state="done")
    files = store.files(run_id)
    assert set(files) == {"mesh.obj", "mesh-obj.zip"}
    with zipfile.ZipFile(files["mesh-obj.zip"]) as archive:
        assert sorted(archive.namelist()) == ["mesh.mtl", "mesh.obj", "mesh.png"]
        assert archive.read("mesh.mtl") == b"text of mesh.mtl"


def test_the_archive_follows_a_new_export(store):
    run_id = store.create(CONFIG, "")
    store.change(run_id, state="done")
    mesh = store.root / run_id / "mesh.obj"
    mesh.write_text("old")
    path = store.files(run_id)["mesh-obj.zip"]
    mesh.write_text("new")
    os.utime(mesh, ns=(path.stat().st_mtime_ns + 10**9,) * 2)
    with zipfile.ZipFile(store.files(run_id)["mesh-obj.zip"]) as archive:
        assert archive.read("mesh.obj") == b"new"


def test_delete_takes_the_folder_and_spares_what_is_active(store):
    run_id = store.create(CONFIG, "")
    with pytest.raises(CheckpointError, match="still queued or running"):
        store.delete(run_id)
    store.change(run_id, state="cancelled")
    store.delete(run_id)
    assert not (store.root / run_id).exists()


def test_a_state_is_replaced_whole(store, monkeypatch):
    run_id = store.create(CONFIG, "")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        store.write(run_id, RunState(state="done"))
    assert store.state(run_id).state == "queued"
