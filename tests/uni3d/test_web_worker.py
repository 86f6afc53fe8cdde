"""The queue, with a pipeline of counting steps in place of the real one."""

import json
import threading

import pytest

from uni3d.errors import ConfigError, ExportError, NonFiniteError, PromptError
from uni3d.run import finish
from uni3d.run import run as pipeline
from uni3d.run.run import Progress
from uni3d.run.settings import RunConfig
from uni3d.web import worker as module
from uni3d.web.requests import parse_request
from uni3d.web.runs import RunStore
from uni3d.web.site import Site
from uni3d.web.worker import Job, Worker

TEACHERS = {"toybox": "toybox"}


class Stepped:
    """Stands for pipeline.Run: each step waits until the test lets it go."""

    gate = threading.Semaphore(0)
    reached: list[tuple[str, int]]
    fails: Exception | None = None
    note = ""

    def __init__(self, config, folder, *, resume=False):
        self.config, self.folder, self.step, self.parts = config, folder, 0, None
        self.resume = resume
        saved = folder / pipeline.CHECKPOINT
        if resume and saved.exists():
            self.step = int(saved.read_text())

    def prepare(self):
        if not self.resume:  # as the real one does
            (self.folder / "metrics.jsonl").unlink(missing_ok=True)
        return Progress("optimising", self.step, self.config.steps, 0.0, note=self.note)

    def steps(self):
        while self.step < self.config.steps:
            assert self.gate.acquire(timeout=20)
            if self.fails:
                raise self.fails
            self.step += 1
            self.reached.append((self.config.prompt, self.step))
            metrics = {"opacity": self.step / 100}
            yield Progress("optimising", self.step, self.config.steps, 1.0 * self.step, metrics)

    def save(self):
        (self.folder / pipeline.CHECKPOINT).write_text(str(self.step))


@pytest.fixture
def site(tmp_path, monkeypatch):
    def export_run(config, run, formats=()):
        saved = run / pipeline.CHECKPOINT
        step = int(saved.read_text()) if saved.exists() else config.steps
        yield Progress("meshing", step, config.steps, 0.0)
        for name in formats:
            (run / f"mesh.{name}").write_text("mesh")
        finish.write_report(run, {"mesh": {"faces": 1}})
        yield Progress("done", step, config.steps, 0.0)

    monkeypatch.setattr(Stepped, "gate", threading.Semaphore(0))
    monkeypatch.setattr(Stepped, "reached", [], raising=False)
    monkeypatch.setattr(Stepped, "fails", None)
    monkeypatch.setattr(pipeline, "Run", Stepped)
    monkeypatch.setattr(finish, "export_run", export_run)
    monkeypatch.setattr(module, "_import_heavy", lambda: None)
    store = RunStore(tmp_path)
    worker = Worker(store, picture_seconds=float("inf"))
    site = Site(store=store, worker=worker, base={"steps": 10}, teachers=TEACHERS)
    worker.start()
    yield site
    Stepped.gate.release(1000)
    worker.stop(20)


def _wait(site, run_id, *states):
    for _ in range(2000):
        state = site.store.state(run_id)
        if state.state in states:
            return state
        threading.Event().wait(0.01)
    raise AssertionError(f"still {state} after 20 s; wanted {states}")


def _reach(prompt, step):
    for _ in range(2000):
        if (prompt, step) in Stepped.reached:
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"never reached step {step} of {prompt}: {Stepped.reached}")


def test_a_run_ends_with_a_mesh_and_its_curve(site):
    run_id = site.start({"prompt": "a corgi"}, "")
    Stepped.gate.release(10)
    state = _wait(site, run_id, "done")
    assert (state.step, state.steps, state.seconds) == (10, 10, 10.0)
    assert site.store.metrics(run_id)["opacity"] == [(k, k / 100) for k in range(1, 11)]
    assert set(site.store.files(run_id)) == {"mesh.glb", "mesh.obj", "mesh.ply", "mesh-obj.zip"}
    assert site.store.report(run_id)["interrupted"] is False


def test_cancel_ends_within_two_steps_and_exports(site):
    run_id = site.start({"prompt": "a corgi"}, "")
    Stepped.gate.release(3)
    _reach("a corgi", 3)
    site.cancel(run_id, "")
    Stepped.gate.release(7)
    state = _wait(site, run_id, "cancelled")
    assert 3 <= state.step <= 5
    assert "mesh.glb" in site.store.files(run_id)
    assert site.store.report(run_id)["interrupted"] is True
    saved = site.store.folder(run_id) / pipeline.CHECKPOINT
    assert int(saved.read_text()) == state.step


def test_one_at_a_time_in_order_and_the_others_know_their_place(site):
    first, second, third = (site.start({"prompt": f"a corgi {n}"}, "") for n in "abc")
    Stepped.gate.release(1)
    _reach("a corgi a", 1)
    assert [site.worker.position(r) for r in (first, second, third)] == [0, 1, 2]
    site.cancel(second, "")
    assert site.store.state(second).state == "cancelled"
    assert site.worker.position(third) == 1
    Stepped.gate.release(30)
    _wait(site, third, "done")
    assert Stepped.reached == [(f"a corgi {n}", k) for n in "ac" for k in range(1, 11)]


def test_a_stopping_server_leaves_runs_to_be_resumed(site):
    first = site.start({"prompt": "a corgi"}, "")
    second = site.start({"prompt": "a cat"}, "")
    Stepped.gate.release(4)
    _reach("a corgi", 4)
    stopping = threading.Thread(target=site.worker.stop)
    stopping.start()
    Stepped.gate.release(1)
    stopping.join(20)
    assert [site.store.state(r).state for r in (first, second)] == ["interrupted"] * 2
    assert "mesh.glb" not in site.store.files(first)
    step = int((site.store.folder(first) / pipeline.CHECKPOINT).read_text())
    assert step in (4, 5)

    again = Worker(site.store, picture_seconds=float("inf"))
    again.start()
    renewed = Site(store=site.store, worker=again, base={}, teachers=TEACHERS)
    Stepped.reached.clear()
    renewed.proceed(first, 0, "")
    Stepped.gate.release(20)
    _wait(site, first, "done")
    assert Stepped.reached == [("a corgi", k) for k in range(step + 1, 11)]
    again.stop(20)


def test_more_steps_go_on_from_the_last(site):
    run_id = site.start({"prompt": "a corgi", "steps": 3}, "")
    Stepped.gate.release(3)
    _wait(site, run_id, "done")
    with pytest.raises(ConfigError, match="has done all of its own"):
        site.proceed(run_id, 0, "")
    with pytest.raises(ConfigError, match="at most 3000"):
        site.proceed(run_id, 2998, "")
    for wrong in ("5", -1, True, None, 0.5):
        with pytest.raises(ConfigError, match="wanted a whole number"):
            site.proceed(run_id, wrong, "")
    (site.store.folder(run_id) / pipeline.CHECKPOINT).write_text("3")
    site.proceed(run_id, 2, "")
    Stepped.gate.release(2)
    for _ in range(2000):
        if site.store.state(run_id).steps == 5 and site.store.state(run_id).state == "done":
            break
        threading.Event().wait(0.01)
    assert Stepped.reached[-2:] == [("a corgi", 4), ("a corgi", 5)]
    assert site.store.config(run_id)["steps"] == 5


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (NonFiniteError("the scene is not\nfinite"), "the scene is not finite"),
        (OSError(28, "No space left on device", "/secret/place"), "No space left on device; do"),
        (RuntimeError("<b>secrets</b>"), "internal error (RuntimeError)"),
    ],
)
def test_a_failing_run_says_why_and_the_next_is_served(site, error, line, caplog):
    Stepped.fails = error
    run_id = site.start({"prompt": "a corgi"}, "")
    Stepped.gate.release(1)
    state = _wait(site, run_id, "failed")
    assert line in state.error
    assert "secret" not in state.error
    Stepped.fails = None
    other = site.start({"prompt": "a cat"}, "")
    Stepped.gate.release(10)
    _wait(site, other, "done")


def test_an_empty_scene_is_told(site, monkeypatch):
    def nothing(*_, **__):
        raise ExportError("the scene is empty; do: more steps")
        yield

    monkeypatch.setattr(finish, "export_run", nothing)
    run_id = site.start({"prompt": "a corgi", "steps": 1}, "")
    Stepped.gate.release(1)
    assert "the scene is empty" in _wait(site, run_id, "failed").error


def test_words_left_out_are_named(site):
    run_id = site.start({"prompt": "a corgi blorptious", "steps": 1}, "")
    Stepped.gate.release(1)
    assert "left out: blorptious" in _wait(site, run_id, "done").note


def test_what_is_typed_is_read_once_the_engine_is_there(site):
    site.worker.ready.clear()
    loaded = threading.Timer(0.3, site.worker.ready.set)
    loaded.start()
    # Typed before the engine is there, read as soon as it is.
    assert "left out: sleeping" in site.reading("a sleeping cat", "toybox")
    assert site.worker.ready.is_set()
    assert "shown as &#x27;a cat&#x27;; left out: sleeping" in site.reading(
        "a sleeping cat", "toybox"
    )
    assert "is not known; nearest: " in site.reading("a zorblax", "toybox")
    assert site.reading("a cat", "toybox") == site.reading(" ", "toybox") == ""
    # A tiger is for the other built-in teacher, which knows it.
    assert "shown as &#x27;a tiger&#x27;; left out" in site.reading("a sleeping tiger", "toybox")
    assert "<b>" not in site.reading("a <b>cat</b> zorblax", "toybox")


def test_an_unknown_subject_is_refused(site):
    with pytest.raises(PromptError, match="'zorblax' is not known; nearest: "):
        site.start({"prompt": "a zorblax"}, "")
    assert site.store.runs() == []


def test_an_unknown_subject_goes_on_where_that_is_asked(site):
    run_id = site.start({"prompt": "a zorblax", "anyway": True}, "")
    config = site.store.config(run_id)
    assert config["prompt"] == "a zorblax" and not config.get("caption")
    with pytest.raises(ConfigError, match="anyway: got a text of 3 characters; wanted true"):
        site.start({"prompt": "a zorblax", "anyway": "yes"}, "")


def test_how_a_run_begins_is_said_beside_what_was_understood(site, monkeypatch):
    monkeypatch.setattr(Stepped, "note", "begins with an object")
    run_id = site.start({"prompt": "a sleeping corgi"}, "")
    Stepped.gate.release(1)
    _reach("a sleeping corgi", 1)
    note = site.store.state(run_id).note
    assert note == "Toybox: shown as 'a corgi'; left out: sleeping. Begins with an object."
    site.cancel(run_id, "")


def test_the_queue_is_bounded(site):
    for n in range(module.WAITING + 1):
        run_id = site.start({"prompt": f"a corgi {n}"}, "")
        if n == 0:
            Stepped.gate.release(1)
            _reach("a corgi 0", 1)  # running: it waits no more
    count = len(site.store.runs())
    with pytest.raises(ConfigError, match="queue: it is full"):
        site.start({"prompt": "a corgi too many"}, "")
    assert len(site.store.runs()) == count
    with pytest.raises(Exception, match="queued or running"):
        site.delete(run_id, "")
    # A run that was stopped is as long as it was, if it cannot be gone on with now.
    stopped = site.store.create(RunConfig(prompt="a corgi", steps=10), "")
    site.store.change(stopped, state="interrupted", step=5)
    with pytest.raises(ConfigError, match="queue: it is full"):
        site.proceed(stopped, 200, "")
    assert site.store.config(stopped)["steps"] == 10
    for one in site.store.runs():
        site.cancel(one.run_id, "")


def test_one_user_cannot_fill_the_queue(site):
    config = RunConfig(prompt="a corgi", steps=1)
    ids = [site.store.create(config, "ann") for _ in range(module.WAITING_EACH + 2)]
    with pytest.raises(ConfigError, match="queue: it is full"):
        for run_id in ids:
            site.worker.submit(Job(kind="make", run_id=run_id, owner="ann"))
    bob = site.store.create(config, "bob")
    site.worker.submit(Job(kind="make", run_id=bob, owner="bob"))


def test_everything_through_the_site_asks_for_the_owner(site):
    separate = Site(
        store=site.store, worker=site.worker, base={"steps": 10}, teachers=TEACHERS, separate=True
    )
    run_id = separate.start({"prompt": "a corgi"}, "ann")
    for action in (
        lambda: separate.cancel(run_id, "bob"),
        lambda: separate.delete(run_id, "bob"),
        lambda: separate.export(run_id, ["glb"], "bob"),
        lambda: separate.proceed(run_id, 1, "bob"),
        lambda: separate.status(run_id, "bob"),
    ):
        with pytest.raises(Exception, match="there is no such run here"):
            action()
    assert separate.find(run_id, "bob") is None
    assert separate.find(run_id, "ann") is not None


def test_requests_reach_the_configuration(site):
    run_id = site.start({"prompt": "a corgi", "method": "sds", "seed": 5, "steps": 2}, "")
    kept = site.store.config(run_id)
    assert (kept["method"], kept["seed"], kept["steps"]) == ("sds", 5, 2)
    asked = parse_request({"prompt": "a corgi"}, TEACHERS)
    assert asked.steps == 0
    assert json.loads((site.store.root / run_id / "state.json").read_text())["owner"] == ""
