"""What a step of each method costs, and how many steps a budget therefore buys.

The methods take turns, step by step, in one process, so that whatever slows the machine down slows
all of them. Time is that of the processor, which waiting for others does not count.
"""

import dataclasses
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from uni3d.bench.plan import Plan, config_of
from uni3d.errors import ConfigError
from uni3d.run.run import prepare_parts
from uni3d.run.step import Parts, take_step
from uni3d.teacher.model import Teacher, load_teacher

__all__ = ["Counter", "priced"]

ROUNDS = 40  # steps of each method, evenly over its run, unless told otherwise
WARM_UP = 2  # of each, before: kernels are compiled and chosen then


class Counter:
    """Pictures that the U-Net of a teacher was asked about, forward."""

    def __init__(self, teacher: Teacher) -> None:
        self.pictures = 0
        teacher.unet.register_forward_hook(self._count)

    def _count(self, _module, inputs, _output) -> None:
        self.pictures += len(inputs[0])


@contextmanager
def _cold_cache() -> Iterator[None]:
    """What a run draws once and keeps is drawn inside, and counted."""
    before = os.environ.get("UNI3D_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["UNI3D_CACHE"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["UNI3D_CACHE"]
            else:
                os.environ["UNI3D_CACHE"] = before


def _prepared(plan: Plan, method: str, rounds: int) -> tuple[Parts, dict[str, float]]:
    """A run of so many steps, ready; seconds and U-Net pictures that getting ready took."""
    short = dataclasses.replace(plan, steps={**plan.steps, method: rounds})
    config = config_of(short, plan.prompts[0], 0, method)
    teacher = load_teacher(config.teacher)
    counter, started = Counter(teacher), time.process_time()
    with _cold_cache():
        parts = prepare_parts(config, teacher)
    taken = time.process_time() - started
    return parts, {"setup": taken, "setup_pictures": float(counter.pictures)}


def priced(plan: Plan, rounds: int = ROUNDS) -> Iterator[tuple[int, int, Plan | None]]:
    """Measure, and give the plan its steps: yields (done, of, None), at last the plan too."""
    prepared = {method: _prepared(plan, method, rounds) for method in plan.methods}
    for parts, _ in prepared.values():
        for k in range(WARM_UP):  # at the smallest and at the largest pictures
            take_step(parts, k * (rounds - 1))
    spent = dict.fromkeys(plan.methods, 0.0)
    for step in range(rounds):
        for method, (parts, _) in prepared.items():
            started = time.process_time()
            take_step(parts, step)
            spent[method] += time.process_time() - started
        yield step + 1, rounds, None
    cost = {m: {"step": spent[m] / rounds, **prepared[m][1]} for m in plan.methods}
    bought = {m: int((plan.budget - c["setup"]) / c["step"]) for m, c in cost.items()}
    steps = {m: plan.methods[m].get("steps", count) for m, count in bought.items()}
    for method, count in steps.items():
        if count < 1:
            raise ConfigError(
                f"budget: got {plan.budget:g} s; {method} needs {cost[method]['setup']:.1f} s "
                f"before its first step and {cost[method]['step']:.2f} s a step; do: a larger one"
            )
    yield rounds, rounds, dataclasses.replace(plan, steps=steps, cost=cost)


def peak_memory_mb() -> float:
    """The most memory since `forget_peak`, in MiB; of the whole process where that cannot be."""
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    from uni3d.run.finish import peak_memory_mb as of_the_process

    return of_the_process()


def forget_peak() -> None:
    """From now on, as far as the system can: Linux alone."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass
