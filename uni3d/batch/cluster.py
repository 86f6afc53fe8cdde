"""The engine of a cluster: Ray places the workers on machines, starts them again, and tries the
tasks of lost ones again. The batch folder must be on a disk that all machines share."""

import contextlib
import os
import time
from typing import Any

from uni3d.batch.make import Maker, Outcome, Task, record_failure
from uni3d.batch.processes import THREAD_VARIABLES
from uni3d.errors import ConfigError, MissingExtraError

__all__ = ["RayEngine", "check_ray"]

LOCAL = "local"  # --ray without a word: a Ray of its own on this machine
OBJECT_STORE = 100 * 2**20  # bytes; only configurations and outcomes travel


def check_ray() -> None:
    """Raises MissingExtraError where Ray is not installed."""
    _ray()


def _ray() -> Any:
    # What it would ask of the network, or tell it, is not asked for here.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray  # type: ignore[import-not-found]
    except ImportError as error:
        raise MissingExtraError("ray", "cluster") from error
    return ray


class Actor:
    """What Ray runs in a process of its own, on whatever machine: a maker and its warm teacher."""

    def __init__(self, threads: int) -> None:
        # Before torch is loaded here: OpenMP reads them then.
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
        self._maker = Maker()

    def make(self, task: Task) -> Outcome:
        return self._maker.make(task)

    def process(self) -> int:
        """Its process id, for whoever wants to watch it."""
        return os.getpid()


class RayEngine:
    """`workers` actors of `threads` cores and `gpus` GPUs each."""

    def __init__(
        self, address: str, workers: int | None, threads: int, gpus: float, retries: int
    ) -> None:
        ray = _ray()
        options: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
        if address == LOCAL:
            needed = max(os.cpu_count() or 1, (workers or 1) * threads)
            options |= {"address": "local", "num_cpus": needed, "include_dashboard": False}
            options["object_store_memory"] = OBJECT_STORE
        else:
            options["address"] = address
        try:
            if not ray.is_initialized():
                ray.init(**options)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ConfigError(
                f"--ray: got {address}, where no Ray answers ({error}); do: ray start --head there"
            ) from error
        have = ray.cluster_resources()
        fit = int(have.get("CPU", 1) // threads)
        if gpus:
            fit = min(fit, int(have.get("GPU", 0) // gpus))
        self.workers = workers or max(1, fit)
        # An actor comes back however often it is lost; its task is tried `retries` times more.
        self._kind = ray.remote(Actor).options(
            num_cpus=threads, num_gpus=gpus, max_restarts=-1, max_task_retries=retries
        )
        self._ray, self._threads = ray, threads
        self._idle: list[Any] = []
        self._busy: dict[Any, tuple[Any, Task]] = {}  # the task's reference -> its actor, itself
        self._errors: dict[str, str] = {}

    def free(self) -> bool:
        return len(self._busy) < self.workers

    def submit(self, task: Task) -> None:
        actor = self._idle.pop() if self._idle else self._kind.remote(self._threads)
        self._busy[actor.make.remote(task)] = (actor, task)

    def ended(self, seconds: float) -> list[Outcome]:
        # An actor lost with its machine may wait for the room that idle ones have.
        while self._idle:
            self._ray.kill(self._idle.pop())
        if not self._busy:
            time.sleep(seconds)
            return []
        ready, _ = self._ray.wait(list(self._busy), timeout=seconds)
        outcomes = []
        for reference in ready:
            actor, task = self._busy.pop(reference)
            try:
                outcomes.append(self._ray.get(reference))
                self._idle.append(actor)
            except self._ray.exceptions.RayError as error:
                message = self._errors.pop(task.job.name, "") or _line(error)
                outcomes.append(record_failure(task, message))
                with contextlib.suppress(Exception):
                    self._ray.kill(actor)
        return outcomes

    def kill(self, name: str, error: str) -> None:
        for actor, task in self._busy.values():
            if task.job.name == name:
                self._errors[name] = error
                self._ray.kill(actor)

    def stop(self) -> None:
        """What runs is cut off; its checkpoint is where the next command goes on."""
        for actor in [*self._idle, *(actor for actor, _ in self._busy.values())]:
            self._ray.kill(actor)
        self._ray.shutdown()


def _line(error: BaseException) -> str:
    first = str(error).strip().splitlines()
    return f"its worker was lost ({type(error).__name__}: {first[0] if first else ''})"
