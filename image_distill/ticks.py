"""What a training says of itself at a tick: its record, the log, pictures and snapshots."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from image_distill.players import Players
from image_distill.recipe import Recipe
from image_distill.runfolder import RunFolder
from image_distill.score import Scorer

__all__ = ["Progress", "collect", "means_of", "ratio_values", "write_tick"]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One tick. `values` are means over its images, and what the log has besides."""

    step: int
    kimg: float
    stage: str
    seconds: float
    values: dict[str, float]


def collect(collected: dict[str, list[float]], values: dict[str, float]) -> None:
    for name, value in values.items():
        collected.setdefault(name, []).append(value)


def means_of(collected: dict[str, list[float]]) -> dict[str, float]:
    return {name: sum(values) / len(values) for name, values in collected.items()}


def ratio_values(players: Players, recipe: Recipe) -> dict[str, float]:
    """Mean, maximum and effective share of samples of the density ratio since the last tick."""
    if not recipe.use_gan:
        return {}
    found = players.ratio.statistics(reset=True)
    number = found["count"].sum().clamp(min=1)
    mean = (found["mean"] * found["count"]).sum() / number
    return {
        "ratio": float(mean),
        "ratio_max": float(found["max"].max()),
        "ratio_ess": float(found["ess"].sum() / number),
    }


def write_tick(
    folder: RunFolder,
    like: Path,
    players: Players,
    recipe: Recipe,
    progress: Progress,
    shown: Tensor,
    scorer: Scorer | None,
    due: bool,
) -> Progress:
    """The log and the pictures `shown` of a tick, with a snapshot where one is due."""
    folder.picture("samples", shown)
    if due:
        folder.picture(f"fakes{round(progress.kimg):06d}", shown)
        progress = _snapshot(folder, like, players, recipe, progress, scorer)
    # Times apart: all else in the log is the same in a resumed run.
    record = {"step": progress.step, "kimg": progress.kimg, "stage": progress.stage}
    folder.record(record | progress.values | {"seconds": round(progress.seconds, 3)})
    return progress


def _snapshot(
    folder: RunFolder,
    like: Path,
    players: Players,
    recipe: Recipe,
    progress: Progress,
    scorer: Scorer | None,
) -> Progress:
    """Keeps the averaged generator: as last and, by the metric, as best; or one per snapshot."""
    average, keep = players.average, recipe.save_best_and_last
    name = "last" if keep else f"network-snapshot-{round(progress.kimg):06d}"
    folder.snapshot(name, average, like, progress.kimg)
    if scorer is None:
        return progress
    measured = scorer(average)
    if keep and measured[scorer.name] < folder.best_score(scorer.name):
        folder.snapshot("best", average, like, progress.kimg)
    measured |= scorer.of_teacher(players.teacher, folder.path / "teacher_metric.json")
    return dataclasses.replace(progress, values=progress.values | measured)
