"""The one thread that computes: a queue of jobs, one at a time, over `uni3d.run.run.Run`.

Browser tabs come and go; a job belongs to its run folder alone. One thread is also a matter of
safety: numba's kernels may not be entered from two threads at once.
"""

import dataclasses
import gc
import itertools
import logging
import sys
import threading
import time
from pathlib import Path
from typing import Any

from uni3d.errors import ConfigError, ExportError, NonFiniteError, Uni3DError
from uni3d.storage.lock import held
from uni3d.web.runs import RunStore

__all__ = ["Job", "Worker"]

WAITING, WAITING_EACH = 20, 5  # jobs in the queue, in all and of one user
LIVE_SIZE = 128  # pixels a side of each of the four live views
# Seconds for the browser to fetch and show a mesh before pictures of it take the processor again.
HEAD_START = 1.0
log = logging.getLogger("uni3d.web")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """`kind`: make (a new run), resume (continue its checkpoint) or export (mesh files only)."""

    kind: str
    run_id: str
    owner: str = ""
    formats: tuple[str, ...] = ("glb", "obj", "ply")


class Worker:
    """`submit` and `cancel` from any thread; `picture_seconds` is the pace of the live picture."""

    def __init__(self, store: RunStore, *, picture_seconds: float = 3.0) -> None:
        self.store, self.picture_seconds = store, picture_seconds
        self.ready = threading.Event()  # the heavy imports are done
        self.broken = ""  # why they cannot be
        self._before: dict[str, str] = {}  # states of runs whose files are to be made again
        self._waiting: list[Job] = []
        self._running: Job | None = None
        self._cancelled: set[str] = set()
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="uni3d-worker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 60.0) -> None:
        """End after the running step; what was active is then interrupted, to be resumed."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def submit(self, job: Job) -> int:
        """Queue a job and return its position (1: next). ConfigError where the queue is full."""
        with self._changed:
            mine = sum(other.owner == job.owner for other in self._waiting)
            if len(self._waiting) >= WAITING or (job.owner and mine >= WAITING_EACH):
                raise ConfigError("queue: it is full; do: wait until a run has ended")
            if self.busy_with(job.run_id):
                raise ConfigError("run: it is queued or running already; do: wait for it")
            self._cancelled.discard(job.run_id)
            self._before.pop(job.run_id, None)
            if job.kind == "export":
                self._before[job.run_id] = self.store.state(job.run_id).state
            self.store.change(job.run_id, state="queued", stage="", eta=-1.0, error="", note="")
            self._waiting.append(job)
            self._changed.notify_all()
            return len(self._waiting) + (self._running is not None)

    def busy_with(self, run_id: str) -> bool:
        running = self._running is not None and self._running.run_id == run_id
        return running or any(job.run_id == run_id for job in self._waiting)

    def position(self, run_id: str) -> int:
        """How many jobs end before this one begins; 0 when it is running or not queued."""
        with self._changed:
            for place, job in enumerate(self._waiting):
                if job.run_id == run_id:
                    return place + (self._running is not None)
        return 0

    def cancel(self, run_id: str) -> None:
        """A waiting job is dropped now; a running one ends after its step and is exported."""
        with self._changed:
            for job in self._waiting:
                if job.run_id == run_id:
                    self._waiting.remove(job)
                    state = self._before.get(run_id, "cancelled")
                    self.store.change(run_id, state=state, note="Cancelled in the queue.")
                    return
            if self._running is not None and self._running.run_id == run_id:
                self._cancelled.add(run_id)

    def cancelling(self, run_id: str) -> bool:
        return run_id in self._cancelled and self.busy_with(run_id)

    def _work(self) -> None:
        try:
            _import_heavy()
        except Exception as error:  # a damaged library raises anything
            self.broken = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            log.error("the engine cannot be loaded: %s", error)
        self.ready.set()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopping)
                if self._stopping:
                    for job in self._waiting:
                        state = self._before.get(job.run_id, "interrupted")
                        self.store.change(job.run_id, state=state)
                    return
                self._running = job = self._waiting.pop(0)
            try:
                self._do(job)
            finally:
                _let_go()
                with self._changed:
                    self._running = None

    def _do(self, job: Job) -> None:
        """One job; whatever it raises ends in its state, never in the death of this thread."""
        try:
            if self.broken:
                raise ConfigError(f"the engine cannot be loaded ({self.broken}); do: install again")
            with held(self.store.root / job.run_id):
                self._hold(job)
        except Uni3DError as error:
            self._fail(job, " ".join(str(error).split()))
        except OSError as error:
            self._fail(job, f"{error.strerror or 'the disk'}; do: check space and rights")
        except Exception as error:  # a fault of ours: the next run must still be served
            log.exception("run %s failed", job.run_id)
            self._fail(job, f"internal error ({type(error).__name__}); the server's log says more")

    def _hold(self, job: Job) -> None:
        self.store.change(job.run_id, state="running", stage="loading")
        if job.kind == "export" or self._optimise(job):
            self._export(job)

    def _fail(self, job: Job, line: str) -> None:
        try:
            self.store.change(job.run_id, state="failed", stage="", eta=-1.0, error=line)
        except OSError:
            log.exception("the state of run %s cannot be written", job.run_id)

    def _optimise(self, job: Job) -> bool:
        """Optimise the scene; whether there is something to export."""
        from uni3d.run.folder import MetricsLog, read_config
        from uni3d.run.run import Run, preview

        store, folder = self.store, self.store.root / job.run_id
        config = read_config(folder)
        before = store.state(job.run_id).seconds if job.kind == "resume" else 0.0
        understood = _unknown(config)
        store.change(job.run_id, note=understood, steps=config.steps)
        stepper = Run(config, folder, resume=job.kind == "resume")
        eye, pace = _Eye(config), _Pace(config.steps)
        last_picture = last_state = 0.0
        first = stepper.prepare()  # a new run has cleared its folder
        if first.note:  # a sentence beside what was understood, not in its place
            sentence = f"{first.note[0].upper()}{first.note[1:]}."
            first = dataclasses.replace(first, note=f"{understood} {sentence}".strip())
        with MetricsLog(folder, first.step) as lines:
            for record in itertools.chain([first], stepper.steps()):
                now = time.monotonic()
                metrics = dict(record.metrics)
                if metrics and now - last_picture >= self.picture_seconds:
                    assert stepper.parts is not None
                    preview(stepper.parts.scene, folder / "live.png", LIVE_SIZE)
                    metrics |= eye.judge(folder / "live.png")
                    last_picture = now
                if metrics:
                    lines.write(record.step, metrics)
                ends = self._stopping or job.run_id in self._cancelled
                if now - last_state >= 0.5 or ends or record.note or record.step == config.steps:
                    note = {"note": record.note} if record.note else {}
                    store.change(
                        job.run_id,
                        stage=record.stage,
                        step=record.step,
                        seconds=before + record.seconds,
                        eta=pace.eta(record.step, now),
                        **note,
                    )
                    last_state = now
                if ends:
                    return self._ended_early(job, stepper)
        return True

    def _ended_early(self, job: Job, stepper: Any) -> bool:
        """Save the last whole step; only what a person cancelled is exported."""
        if stepper.step:
            try:
                stepper.save()
            except NonFiniteError as error:
                self.store.change(job.run_id, note=str(error))
        if self._stopping and job.run_id not in self._cancelled:
            self.store.change(job.run_id, state="interrupted", stage="", eta=-1.0)
            return False
        if not stepper.step:
            self.store.change(
                job.run_id, state="cancelled", stage="", note="Cancelled before the first step."
            )
        return bool(stepper.step)

    def _export(self, job: Job) -> None:
        from uni3d.run.finish import export_run
        from uni3d.run.folder import read_config, write_report

        store, folder = self.store, self.store.root / job.run_id
        cancelled = job.run_id in self._cancelled
        state = store.state(job.run_id)
        early = cancelled or (job.kind == "export" and state.step < state.steps)
        if job.kind != "export":
            write_report(folder, {"seconds_optimise": state.seconds, "interrupted": cancelled})
        try:
            for record in export_run(read_config(folder), folder, job.formats):
                store.change(job.run_id, stage=record.stage, step=record.step, eta=-1.0)
                if record.stage == "picturing":
                    time.sleep(HEAD_START)
        except ExportError as error:
            line = " ".join(str(error).split())
            end = "cancelled" if early else "failed"
            store.change(job.run_id, state=end, stage="", eta=-1.0, error=line)
            return
        store.change(job.run_id, state="cancelled" if early else "done", stage="", eta=-1.0)


class _Pace:
    """Time to go, from the mean time of the last steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self._marks: list[tuple[int, float]] = []

    def eta(self, step: int, now: float) -> float:
        """Seconds to go at monotonic time `now`; negative while nothing is known."""
        self._marks = [*self._marks[-40:], (step, now)]
        (first, began), (last, ended) = self._marks[0], self._marks[-1]
        if last - first < 2:
            return -1.0
        return (self.steps - last) * (ended - began) / (last - first)


class _Eye:
    """How far the live picture shows what was asked; silent where the teacher cannot judge."""

    def __init__(self, config: Any) -> None:
        from uni3d.teacher.abilities import abilities_of

        self.prompt, self.able = config.prompt, abilities_of(config.teacher.name)

    def judge(self, path: Path) -> dict[str, float]:
        """Mean probability of the wanted kind over the views of a live picture."""
        if self.able is None:
            return {}
        import numpy as np
        import torch
        from PIL import Image

        with Image.open(path) as strip:
            views = [
                strip.crop((x, 0, x + strip.height, strip.height)).resize((64, 64))
                for x in range(0, strip.width, strip.height)
            ]
            pixels = np.stack([np.asarray(view.convert("RGB")) for view in views])
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
        sure = self.able.certainty(self.prompt, images)
        return {} if sure is None else {"recogniser": sure}


def _let_go() -> None:
    """Free the job's teacher before the next one comes: it is part of cycles."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _import_heavy() -> None:
    """Everything a run imports, once, while the page is already being read."""
    import diffusers
    import imageio
    import peft
    import transformers
    import trimesh
    import xatlas

    from uni3d.run import finish

    names = [m.__name__ for m in (diffusers, imageio, peft, transformers, trimesh, xatlas, finish)]
    log.debug("loaded %s", ", ".join(names))


def _unknown(config: Any) -> str:
    """What the teacher says of the prompt, as a sentence; empty where it is shown as it is."""
    from uni3d.teacher.abilities import abilities_of

    able = abilities_of(config.teacher.name)
    note = able.read(config.prompt).note if able else ""
    return f"{config.teacher.name.capitalize()}: {note}." if note else ""
