"""The page among files of any bytes: every run is shown, none takes the page down."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from uni3d.errors import CheckpointError, ConfigError, Uni3DError
from uni3d.storage.lock import held
from uni3d.web import words
from uni3d.web.result import thumbnail
from uni3d.web.runs import RunStore
from uni3d.web.site import Site
from uni3d.web.worker import Worker

CONFIG = {
    "prompt": "a corgi",
    "method": "sds",
    "seed": 1,
    "steps": 5,
    "teacher": {"name": "toybox"},
}
REPORT = {
    "steps_done": 5,
    "seconds_optimise": 2.5,
    "seconds_export": 1.5,
    "mesh": {"faces": 100, "watertight": True, "textured": True},
    "silhouette_iou": 0.9,
    "recogniser": {"wanted": "corgi", "right_views": 7, "views": 8},
}
STATE = {"state": "done", "owner": "", "created": 1.0, "step": 5, "steps": 5, "seconds": 2.5}
LINES = [{"step": step, "loss": 1.0, "opacity": 0.5, "gap": 2.0} for step in (1, 2, 3)]
ODD = [
    None,
    True,
    -1,
    0,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x",
    [],
    [1],
    {},
    {"a": 1},
]


def site_of(root: Path) -> Site:
    store = RunStore(root)
    return Site(store=store, worker=Worker(store), base={}, teachers={"toybox": "toybox"})


def write(folder: Path, config=CONFIG, report=REPORT, state=STATE, lines=LINES) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "report.json").write_text(json.dumps(report))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if state is not None:
        (folder / "state.json").write_text(json.dumps(state))
    Image.fromarray(np.zeros((99, 200, 3), np.uint8)).save(folder / "sheet.png")
    return folder


def with_odd(data, mapping: dict) -> dict:
    """A copy of the mapping with one value replaced, at any depth."""
    key = data.draw(st.sampled_from(sorted(mapping)))
    if isinstance(mapping[key], dict) and mapping[key] and data.draw(st.booleans()):
        return mapping | {key: with_odd(data, mapping[key])}
    return mapping | {key: data.draw(st.sampled_from(ODD))}


def check_page(data, folder: Path) -> None:
    """One file of one of two runs is damaged; then all that the page does is done."""
    outside = folder / "mine.txt"
    outside.write_text("mine")
    root = folder / "outputs"
    write(root / "good", state=None)
    kinds = {"config": CONFIG, "report": REPORT, "state": STATE, "lines": LINES[1]}
    name = data.draw(st.sampled_from([*kinds, "bytes"]))
    changed = {} if name == "bytes" else {name: with_odd(data, kinds[name])}
    if name == "lines":
        changed = {"lines": [LINES[0], changed["lines"], LINES[2]]}
    bad = write(root / "bad", **changed)
    if name == "bytes":
        path = bad / data.draw(st.sampled_from(sorted(p.name for p in bad.iterdir())))
        raw = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    site = site_of(root)
    site.store.mark_interrupted()
    runs = {one.run_id: one for one in site.store.runs()}
    assert runs.keys() == {"good", "bad"} and runs["good"].state.state == "done"
    for run_id, one in runs.items():
        found = site.find(run_id, "")
        assert found is not None and words.status(one) and words.caption(one)
        told = site.store.report(run_id)
        assert words.report(one, told)
        assert words.comparison(one, runs["good"], [told, site.store.report("good")])
        words.curves(site.store.metrics(run_id), one.state.steps)
        thumbnail(found[1])
        json.dumps(site.status(run_id, ""))
        for action, more in ((site.proceed, 3), (site.export, ["glb"])):
            try:
                action(run_id, more, "")
                site.cancel(run_id, "")
            except Uni3DError as error:
                assert str(error).strip()
    site.delete("bad", "")
    assert [p.name for p in root.iterdir()] == ["good"] and outside.read_text() == "mine"


@settings(deadline=None, max_examples=150, derandomize=True)
@given(data=st.data())
def test_any_bytes_of_a_run_are_shown_or_are_one_line(data, tmp_path_factory):
    check_page(data, tmp_path_factory.mktemp("page"))


@pytest.mark.slow
@settings(deadline=None, max_examples=2000)
@given(data=st.data())
def test_two_thousand_runs_on_the_page(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    check_page(data, folder)
    shutil.rmtree(folder)


def test_nothing_is_done_with_a_run_that_a_command_line_writes(tmp_path):
    site = site_of(tmp_path / "outputs")
    run = write(tmp_path / "outputs" / "cli", state=None)
    (run / "checkpoint.safetensors").write_bytes(b"x")
    before = sorted(p.name for p in run.iterdir())
    with held(run):
        for action in (
            lambda: site.proceed("cli", 5, ""),
            lambda: site.export("cli", ["glb"], ""),
            lambda: site.delete("cli", ""),
        ):
            with pytest.raises((CheckpointError, ConfigError), match="running"):
                action()
    assert sorted(p.name for p in run.iterdir() if p.name != ".lock") == before
    assert not site.worker.busy_with("cli")
    assert "steps: 5" in (run / "config.yaml").read_text()
    site.proceed("cli", 5, "")
    assert site.worker.busy_with("cli")


def test_a_run_that_a_stopping_server_left_is_continued(tmp_path):
    """Queued or running when the server ended: interrupted, and Continue goes on."""
    root = tmp_path / "outputs"
    for state in ("queued", "running"):
        write(root / state, report={}, state=STATE | {"state": state, "step": 2})
    site = site_of(root)
    site.store.mark_interrupted()
    for run_id in ("queued", "running"):
        assert site.store.state(run_id).state == "interrupted"
        site.proceed(run_id, 0, "")
        assert site.worker.busy_with(run_id)


def test_an_exporting_run_that_a_stopping_server_left_is_done_or_continued(tmp_path):
    root = tmp_path / "outputs"
    write(root / "whole", state=STATE | {"state": "running", "stage": "meshing"})
    site = site_of(root)
    site.store.mark_interrupted()
    assert site.store.state("whole").state == "done"
    site.proceed("whole", 5, "")
    assert site.worker.busy_with("whole")
