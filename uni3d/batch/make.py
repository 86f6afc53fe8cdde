"""Makes one object after another in this process; the teacher stays loaded between them."""

import contextlib
import dataclasses
import gc
import socket
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from uni3d.batch.plan import Job
from uni3d.batch.record import Record, Status, facts_of
from uni3d.errors import (
    CheckpointError,
    ConfigError,
    MissingExtraError,
    NonFiniteError,
    PromptError,
    TeacherError,
    Uni3DError,
)
from uni3d.mesh.pictures import first_of_sheet, write_png
from uni3d.mesh.types import FileOptions
from uni3d.run.folder import CHECKPOINT

__all__ = ["ERROR_FILE", "Maker", "Outcome", "Task", "record_failure"]

ERROR_FILE = "error.txt"  # the trace of an error that nobody foresaw
# Another attempt would end the same way.
FINAL = (ConfigError, PromptError, TeacherError, MissingExtraError, NonFiniteError)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """A job, and how it is to be done; it travels to the worker. timeout: seconds an attempt."""

    root: str
    job: Job
    formats: tuple[str, ...]
    options: FileOptions
    retries: int = 1
    drop_checkpoint: bool = False  # once the object is whole
    timeout: float = float("inf")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an attempt ended.

    state: done (also where it was before), failed, queued (failed, to be tried again), busy
    (another process makes it) or stopped (this process was told to).
    """

    name: str
    state: str
    error: str = ""
    made: bool = False  # by this attempt


class _Stopped(Exception):
    """The process was told to stop."""


class _TooLong(Exception):
    """The attempt took longer than its timeout."""


class Maker:
    """`make(task)` for one task after another. stop: asked after every step."""

    def __init__(self, stop: Callable[[], bool] = lambda: False) -> None:
        self._stop = stop
        self._teacher: tuple[Any, Any] | None = None  # (its configuration, the teacher)

    def make(self, task: Task) -> Outcome:
        """Make the object, or go on with it. Every error becomes an Outcome."""
        record, name = Record(Path(task.root)), task.job.name
        try:
            with record.claimed(name) as folder:
                if folder is not None:
                    return self._attempt(record, folder, task)
            return self._complete(record, task)
        except CheckpointError:
            return Outcome(name=name, state="busy")
        except (OSError, Uni3DError) as error:  # the disk is full, or may not be written
            return Outcome(name=name, state="failed", error=_line(error))

    def _attempt(self, record: Record, folder: Path, task: Task) -> Outcome:
        name, before = task.job.name, record.status(task.job.name)
        began = time.monotonic()
        status = dataclasses.replace(
            before,
            state="running",
            attempts=before.attempts + 1,
            started=time.time(),
            error="",
            host=socket.gethostname(),
        )
        record.write_status(folder, status)
        record.append([{"event": "running", "name": name, "attempt": status.attempts}])

        def ended(state: str, error: str = "") -> Status:
            seconds = before.seconds + time.monotonic() - began
            failures = before.failures + (error != "")
            return dataclasses.replace(
                status, state=state, error=error, failures=failures, seconds=round(seconds, 3)
            )

        try:
            self._run(folder, task, began + task.timeout)
            _thumbnail(folder)
        except _Stopped:
            record.write_status(folder, ended("queued"))
            record.append([{"event": "stopped", "name": name}])
            return Outcome(name=name, state="stopped")
        except Exception as error:
            self._teacher = None  # who knows in what state it is
            text = _line(error)
            if isinstance(error, _TooLong):
                text = f"took more than {task.timeout:g} s"
            if not isinstance(error, (Uni3DError, OSError, MemoryError, _TooLong)):
                with contextlib.suppress(OSError):
                    (folder / ERROR_FILE).write_text(traceback.format_exc())
            again = not isinstance(error, FINAL) and before.failures < task.retries
            return _failed(record, folder, name, ended("queued" if again else "failed", text))
        status = ended("done")
        record.write_status(folder, status)
        (folder / ERROR_FILE).unlink(missing_ok=True)
        if task.drop_checkpoint:
            (folder / CHECKPOINT).unlink()
        record.finish(name)
        facts = {"seconds": status.seconds, "attempts": status.attempts}
        record.append(
            [{"event": "done", "name": name, **facts, **facts_of(record.whole(name)), "error": ""}]
        )
        return Outcome(name=name, state="done", made=True)

    def _run(self, folder: Path, task: Task, deadline: float) -> None:
        """The run, resumed where one was begun; its folder is whole afterwards."""
        from uni3d.run.folder import CONFIG, clear, read_config
        from uni3d.run.run import Run

        config, resume = task.job.config, (folder / CONFIG).is_file()
        teacher = self._warm_teacher(config.teacher)
        if resume:
            try:
                config = read_config(folder)
                if not config.instant.only:  # else it is made again: resuming would optimise it
                    run = Run(config, folder, resume=True, teacher=teacher)
                    self._all(run, task, deadline)
                    return
            except (CheckpointError, ConfigError):  # cut off or damaged: from the start
                self._teacher = None
                teacher = self._warm_teacher(task.job.config.teacher)
                clear(folder)
                (folder / CONFIG).unlink(missing_ok=True)
        self._all(Run(task.job.config, folder, teacher=teacher), task, deadline)

    def _all(self, run: Any, task: Task, deadline: float) -> None:
        from uni3d.run.finish import export_run

        def over() -> bool:
            return self._stop() or time.monotonic() > deadline

        def checked(records: Iterator[Any]) -> None:
            for _ in records:
                if self._stop():
                    raise _Stopped
                if time.monotonic() > deadline:
                    raise _TooLong

        run.prepare()
        try:
            for _ in run.optimise(stop=over):  # on stopping, the last step is saved
                pass
        finally:
            if run.parts is not None and run.parts.fake:
                run.parts.fake.release()
        if not run.whole:
            raise _Stopped if self._stop() else _TooLong
        checked(export_run(run.config, run.folder, task.formats, task.options))

    def _warm_teacher(self, config: Any) -> Any:
        from uni3d.teacher.model import load_teacher

        if self._teacher is None or self._teacher[0] != config:
            self._teacher = None
            gc.collect()  # it is part of cycles: the old one goes before the new one comes
            self._teacher = config, load_teacher(config)
        return self._teacher[1]

    def _complete(self, record: Record, task: Task) -> Outcome:
        """An object that is whole: add the formats that this command asks for beyond its own."""
        from uni3d.run.finish import export_run
        from uni3d.run.folder import read_config
        from uni3d.storage.lock import held

        name = task.job.name
        folder = record.whole(name)
        lacking = [f for f in task.formats if not (folder / f"mesh.{f}").is_file()]
        if not lacking or not (folder / CHECKPOINT).is_file():
            return Outcome(name=name, state="done")
        with held(folder):
            try:
                for _ in export_run(read_config(folder), folder, lacking, task.options):
                    pass
            except Uni3DError as error:
                return Outcome(name=name, state="failed", error=_line(error))
            record.append([{"event": "exported", "name": name, **facts_of(folder)}])
        return Outcome(name=name, state="done")


def record_failure(task: Task, error: str) -> Outcome:
    """Write down that an attempt's process died, which it could not do itself."""
    record, name = Record(Path(task.root)), task.job.name
    try:
        with record.claimed(name) as folder:
            if folder is None:
                return Outcome(name=name, state="done")
            before = record.status(name)
            state = "queued" if before.failures < task.retries else "failed"
            spent = max(0.0, time.time() - before.started) if before.state == "running" else 0.0
            spent = min(spent, task.timeout)  # "running" may be left from before a power cut
            status = dataclasses.replace(
                before,
                state=state,
                failures=before.failures + 1,
                seconds=round(before.seconds + spent, 3),
                error=error,
            )
            return _failed(record, folder, name, status)
    except CheckpointError:
        return Outcome(name=name, state="busy")


def _failed(record: Record, folder: Path, name: str, status: Status) -> Outcome:
    record.write_status(folder, status)
    facts = {"failures": status.failures, "seconds": status.seconds, "error": status.error}
    record.append([{"event": status.state, "name": name, **facts}])
    return Outcome(name=name, state=status.state, error=status.error)


def _thumbnail(folder: Path) -> None:
    """thumb.png: one small picture for a page that may show thousands."""
    import numpy as np
    from PIL import Image

    with Image.open(folder / "sheet.png") as sheet:
        small = first_of_sheet(sheet.convert("RGB")).resize((128, 128))
    write_png(np.asarray(small), folder / "thumb.png")


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, Uni3DError) and text else f"{type(error).__name__}: {text}"
