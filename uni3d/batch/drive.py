"""The loop of a batch: hands tasks to an engine, tries failed ones again, tells how it goes."""

import collections
import dataclasses
import time
from collections.abc import Callable, Sequence

from uni3d.batch.make import Outcome, Task
from uni3d.batch.processes import Engine
from uni3d.batch.record import Record
from uni3d.run.folder import METRICS

__all__ = ["Tally", "drive"]

LOOK = 1.0  # seconds between looks at what runs
AGAIN = 2.0  # seconds until an object that another process makes is asked for again
OVERTIME = 60.0  # seconds beyond its timeout after which a worker is killed, not asked
OPTIMISING = 0.9  # share of an object's time, for the bar


@dataclasses.dataclass
class Tally:
    """How the objects of a command stand. done: also those of before."""

    total: int
    done: int = 0
    made: int = 0  # by this command
    failed: int = 0
    running: int = 0
    share: float = 0.0  # of the running ones together, in objects

    def line(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.done} of {self.total} done{failed}, {self.running} running"


def drive(
    record: Record,
    tasks: Sequence[Task],
    engine: Engine,
    tally: Tally,
    *,
    max_failures: int | None = None,
    stop: Callable[[], bool] = lambda: False,
    tell: Callable[[Tally], None] = lambda _: None,
    finished: Callable[[Task, Outcome], None] = lambda *_: None,
) -> Tally:
    """Make all of `tasks`; what fails is tried again later, as often as the task says.

    max_failures: with so many failed objects no other is begun. stop: asked between outcomes; then
    the workers save and end. tell: how it stands, about once a second. finished: told of each
    object that is done or has failed for good.
    """
    waiting = collections.deque((0.0, task) for task in tasks)
    running: dict[str, Task] = {}
    begun: dict[str, int] = {}  # attempts at an object before the one that runs
    first_failures = tally.failed
    try:
        while (waiting or running) and not stop():
            enough = max_failures is not None and tally.failed - first_failures >= max_failures
            if enough and not running:
                break
            now = time.monotonic()
            for _ in range(len(waiting)):
                if enough or not engine.free():
                    break
                when, task = waiting.popleft()
                if when > now:
                    waiting.append((when, task))
                else:
                    running[task.job.name] = task
                    begun[task.job.name] = record.status(task.job.name).attempts
                    engine.submit(task)
            tally.running, tally.share = len(running), _share(record, running.values())
            tell(tally)
            for outcome in engine.ended(LOOK):
                task = running.pop(outcome.name)
                if outcome.state in ("done", "failed"):
                    tally.done += outcome.state == "done"
                    tally.failed += outcome.state == "failed"
                    tally.made += outcome.made
                    finished(task, outcome)
                else:
                    later = time.monotonic() + (AGAIN if outcome.state == "busy" else 0.0)
                    waiting.append((later, task))
            for name, task in running.items():
                if _overdue(record, task, begun[name]):
                    engine.kill(name, f"took more than {task.timeout:g} s and was ended")
    finally:
        tally.running, tally.share = 0, 0.0
        engine.stop()
    tell(tally)
    return tally


def _share(record: Record, tasks) -> float:
    """How much of the running objects is done, in objects: by the lines of their step logs."""
    share = 0.0
    for task in tasks:
        try:
            steps = (record.working(task.job.name) / METRICS).read_bytes().count(b"\n")
        except OSError:
            continue
        share += OPTIMISING * min(1.0, steps / task.job.config.steps)
    return share


def _overdue(record: Record, task: Task, before: int) -> bool:
    """Whether the attempt after `before` ones takes too long. A machine that lost its power left
    "running" behind: that is no attempt of this command."""
    if task.timeout == float("inf"):
        return False
    status = record.status(task.job.name)
    late = time.time() - status.started > task.timeout + OVERTIME
    return status.state == "running" and status.attempts > before and late
