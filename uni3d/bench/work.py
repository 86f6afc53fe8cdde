"""The runs of a plan: each in its folder, claimed by one process, kept when it is done."""

import dataclasses
import io
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from uni3d.bench.cost import Counter, forget_peak, peak_memory_mb
from uni3d.bench.features import Objects, objects_of_scene
from uni3d.bench.plan import Plan, config_of, folder_of
from uni3d.errors import CheckpointError
from uni3d.run.run import Run
from uni3d.storage.lock import held
from uni3d.storage.whole import replace_all
from uni3d.teacher.model import load_teacher

__all__ = ["Cell", "finished", "read_objects", "work", "write_objects"]

ROW, OBJECTS_FILE = "row.json", "seen.npz"  # folders of earlier benches have these names
Cell = tuple[str, int, str]  # prompt, seed, method


def write_objects(objects: Objects, path: Path) -> None:
    """Pictures as they are, occupancy as bits."""
    buffer = io.BytesIO()
    if objects.occupancy is None:
        np.savez_compressed(buffer, pictures=objects.pictures)
    else:
        bits = np.packbits(objects.occupancy, axis=-1)
        np.savez_compressed(buffer, pictures=objects.pictures, occupancy=bits)
    replace_all({path: buffer.getvalue()})


def read_objects(path: Path) -> Objects:
    with np.load(path) as file:
        bits = file["occupancy"] if "occupancy" in file else None
        shape = None if bits is None else np.unpackbits(bits, axis=-1).astype(bool)
        return Objects(file["pictures"], shape)


def finished(plan: Plan, folder: Path) -> dict[Cell, dict[str, float]]:
    """Rows of the cells that are done."""
    rows = {}
    for cell in plan.cells:
        path = folder / folder_of(*cell) / ROW
        if path.is_file():
            rows[cell] = json.loads(path.read_text())
    return rows


def work(
    plan: Plan, folder: Path, chosen: Callable[[Cell], bool], stop: Callable[[], bool]
) -> Iterator[tuple[Cell, int, int, bool]]:
    """Do the chosen cells that nobody else does: (cell, step, steps, whether it is done now).

    A cell that was broken off is begun again: it then has the seconds of one whole run.
    """
    for cell in plan.cells:
        run = folder / folder_of(*cell)
        if not chosen(cell) or (run / ROW).is_file():
            continue
        run.mkdir(parents=True, exist_ok=True)
        try:
            with held(run):
                if (run / ROW).is_file():  # another ended it meanwhile
                    continue
                for step, steps in _one(plan, run, cell, stop):
                    yield cell, step, steps, False
        except CheckpointError as error:
            if "another process" not in str(error):
                raise
            continue
        if stop():
            return
        yield cell, plan.steps[cell[2]], plan.steps[cell[2]], True


def _one(plan: Plan, run: Path, cell: Cell, stop: Callable[[], bool]) -> Iterator[tuple[int, int]]:
    for left in run.iterdir():
        if left.name != ".lock":
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    config = config_of(plan, *cell)
    teacher = load_teacher(config.teacher)
    stepper = Run(config, run, teacher=teacher)
    stepper.prepare()
    counter = Counter(teacher)
    forget_peak()
    started, wall = time.process_time(), time.monotonic()
    sums: dict[str, float] = {}
    for record in stepper.optimise(stop):
        for name, value in record.metrics.items():
            sums[name] = sums.get(name, 0.0) + value
        yield record.step, record.steps
    if stepper.step < config.steps:
        return
    cost = plan.cost[cell[2]]
    row = {
        "steps": config.steps,
        "seconds": time.process_time() - started + cost["setup"],
        "wall": time.monotonic() - wall,
        "unet_pictures": counter.pictures + cost["setup_pictures"],
        "peak_memory_mb": peak_memory_mb(),
        "metrics": {name: total / config.steps for name, total in sums.items()},
    }
    assert stepper.parts is not None
    write_objects(objects_of_scene(stepper.parts.scene), run / OBJECTS_FILE)
    replace_all({run / ROW: (json.dumps(row, indent=1) + "\n").encode()})


@dataclasses.dataclass(frozen=True)
class Only:
    """Which cells a process does: those whose "method prompt-as-slug seed" has all the words."""

    words: tuple[str, ...]

    def __call__(self, cell: Cell) -> bool:
        _, seed, method = cell
        description = (method, folder_of(*cell).parent.name, f"seed{seed}")
        return all(word in description for word in self.words)
