"""What the page shows of a run: its mesh as soon as it is written, the rest when it is whole."""

import gc

import pytest

gr = pytest.importorskip("gradio", reason="the extra `app` is not installed")

from uni3d.run.settings import RunConfig  # noqa: E402
from uni3d.web.page import _Watched  # noqa: E402
from uni3d.web.runs import RunStore  # noqa: E402
from uni3d.web.site import Site  # noqa: E402
from uni3d.web.worker import Worker  # noqa: E402

# Gradio leaves event loops behind when it builds a page.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def watched(tmp_path):
    """The column of a page whose worker never begins, and the id of a run of the store."""
    store = RunStore(tmp_path / "outputs")
    site = Site(store=store, worker=Worker(store), base={}, teachers={"toybox": "toybox"})
    run_id = store.create(RunConfig(prompt="a corgi"), "")
    with gr.Blocks():
        column = _Watched(site)
    gc.collect()  # here, where its warnings are expected
    return column, run_id


def _value(update):
    """What an output is told: "skipped", or its value."""
    return update.get("value", "skipped") if isinstance(update, dict) else update


def _looks(watched, run_id, before):
    """(viewer, report, video, what is on the page now)"""
    updates = dict(zip(map(id, watched.outputs), watched.updates(run_id, before, ""), strict=True))
    panel = watched.panel
    found = [_value(updates[id(one)]) for one in (panel.model, panel.report, panel.video)]
    return (*found, updates[id(watched.shown)])


def test_a_mesh_is_shown_before_its_pictures_are_drawn_and_is_loaded_once(watched):
    column, run_id = watched
    folder = column.site.store.folder(run_id)
    # What an earlier export left is not of the scene that is running now.
    for name in ("mesh.glb", "turntable.mp4"):
        (folder / name).write_bytes(b"of before")
    (folder / "report.json").write_text('{"mesh": {"faces": 12345, "watertight": true}}')
    column.site.store.change(run_id, state="running", stage="writing")
    model, report, video, shown = _looks(column, run_id, "")
    assert (model, report, video) == (None, "", None)

    column.site.store.change(run_id, stage="picturing")
    model, report, video, shown = _looks(column, run_id, shown)
    assert model == str(folder / "mesh.glb")
    assert (report, video) == ("", None)
    assert column.updates(run_id, shown, "")[0] == gr.skip()  # nothing new

    column.site.store.change(run_id, state="done", stage="")
    model, report, video, shown = _looks(column, run_id, shown)
    assert model == "skipped"
    assert "12,345 faces" in report
    assert video == str(folder / "turntable.mp4")

    # An export of other colours: the viewer gets the new file, once it is written.
    column.site.store.change(run_id, state="running", stage="meshing")
    assert _looks(column, run_id, shown)[0] is None
