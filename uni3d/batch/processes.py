"""Two of the three engines: this process itself, and processes on this machine.

An engine only carries tasks to workers and outcomes back; which task is next is
`uni3d.batch.drive`'s affair, and a cluster's machines are Ray's (`uni3d.batch.cluster`).
"""

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Protocol

from uni3d.batch.make import Maker, Outcome, Task, record_failure

__all__ = ["Engine", "InProcess", "Processes", "cores"]

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
GRACE = 60.0  # seconds in which a worker that was told to stop may save


class Engine(Protocol):
    """Workers, each of which makes one object at a time."""

    workers: int

    def free(self) -> bool:
        """Whether a worker waits for a task."""
        ...

    def submit(self, task: Task) -> None:
        """Give a task to a worker that waits."""
        ...

    def ended(self, seconds: float) -> list[Outcome]:
        """The attempts that ended since, after waiting at most so long for one."""
        ...

    def kill(self, name: str, error: str) -> None:
        """End the worker that makes `name`; its outcome says `error`."""
        ...

    def stop(self) -> None:
        """Let the workers save what they have and end."""
        ...


class InProcess:
    """The tasks one after another in this process. Nothing can be killed from outside."""

    workers = 1

    def __init__(self, stop: Callable[[], bool]) -> None:
        self._maker = Maker(stop)
        self._task: Task | None = None

    def free(self) -> bool:
        return self._task is None

    def submit(self, task: Task) -> None:
        self._task = task

    def ended(self, seconds: float) -> list[Outcome]:
        if self._task is None:
            time.sleep(seconds)
            return []
        task, self._task = self._task, None
        return [self._maker.make(task)]

    def kill(self, name: str, error: str) -> None:
        """Nobody is there to do it: a timeout is seen after the step, not within it."""

    def stop(self) -> None:
        """Nothing runs between two tasks."""


class _Worker:
    """A process, and what it makes now."""

    def __init__(self, threads: int) -> None:
        context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
        ours, theirs = context.Pipe()
        self.line: Connection = ours
        self.process: SpawnProcess = context.Process(
            target=_serve, args=(theirs, os.getpid()), daemon=True
        )
        self.task: Task | None = None
        self.error = ""  # why it is killed
        with _environment(threads):
            self.process.start()
        theirs.close()

    def died(self) -> str:
        self.process.join()
        code = self.process.exitcode or 0
        if self.error:
            return self.error
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        memory = "; too little memory?" if code == -signal.SIGKILL else ""
        return f"its process ended ({how}{memory})"


class Processes:
    """`workers` processes of `threads` threads each; one that dies is replaced."""

    def __init__(self, workers: int, threads: int) -> None:
        self.workers, self._threads = workers, threads
        self._all: list[_Worker] = []

    def free(self) -> bool:
        return len(self._all) < self.workers or any(w.task is None for w in self._all)

    def submit(self, task: Task) -> None:
        worker = next((w for w in self._all if w.task is None), None)
        if worker is None:
            worker = _Worker(self._threads)
            self._all.append(worker)
        worker.task = task
        with contextlib.suppress(OSError):  # it died while it waited: `ended` will see
            worker.line.send(task)

    def ended(self, seconds: float) -> list[Outcome]:
        ready = connection.wait([w.line for w in self._all], seconds)
        outcomes = []
        for worker in [w for w in self._all if w.line in ready]:
            try:
                outcomes.append(worker.line.recv())
                worker.task = None
            except (EOFError, OSError):
                self._all.remove(worker)
                error = worker.died()
                if worker.task is not None:
                    outcomes.append(record_failure(worker.task, error))
        return outcomes

    def kill(self, name: str, error: str) -> None:
        for worker in self._all:
            if worker.task is not None and worker.task.job.name == name:
                worker.error = error
                worker.process.kill()

    def stop(self) -> None:
        for worker in self._all:
            worker.process.terminate()  # `_serve` saves after the running step
        until = time.monotonic() + GRACE
        for worker in self._all:
            worker.process.join(max(0.0, until - time.monotonic()))
            worker.process.kill()
        self._all.clear()


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def _environment(threads: int) -> Iterator[None]:
    """What a child started inside finds in its environment: OpenMP reads it when it is loaded."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _serve(line: Connection, parent: int) -> None:
    """What a worker process does. It ends when its driver does, after saving."""
    signals: list[int] = []
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: the driver decides
    signal.signal(signal.SIGTERM, lambda number, _frame: signals.append(number))
    maker = Maker(lambda: bool(signals) or os.getppid() != parent)
    with contextlib.suppress(EOFError, OSError):
        while not signals:
            while not line.poll(0.5):
                if signals or os.getppid() != parent:
                    return
            line.send(maker.make(line.recv()))
