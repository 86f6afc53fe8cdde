"""The learning curves of several runs beside each other: a table, and a picture as PNG.

A run is the folder of `image-distill train`; what is drawn is the metric in its log, with its 95 %
interval where it was taken over several sets of seeds, and the teacher's as a line.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from image_distill.runfolder import LOG
from uni3d.errors import CheckpointError, MissingExtraError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Curve", "draw", "draw_costs", "metric_of", "read_curve", "table"]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One run: a point per measurement. `half` are half widths of intervals, 0 where unknown."""

    name: str
    metric: str
    kimg: list[float]
    seconds: list[float]  # of training, up to the measurement
    value: list[float]
    half: list[float]
    teacher: float | None

    @property
    def best(self) -> int:
        """The index of the lowest value."""
        return min(range(len(self.value)), key=lambda i: self.value[i])


def metric_of(values: Mapping[str, object]) -> str | None:
    """The name of the distance among `values`, or None."""
    return next((name for name in values if name.startswith(("fid", "frechet"))), None)


def read_curve(folder: str | Path) -> Curve:
    """The log of the run in `folder`. Lines that a kill cut short are left out.

    Raises:
        CheckpointError: no log, or no measurement in it.
    """
    path = Path(folder) / LOG
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise CheckpointError(
            f"{folder}: got no {LOG} ({error.strerror}); wanted the folder of a training run; "
            "do: check the path"
        ) from error
    metric, seconds, rows, teacher = None, 0.0, [], None
    for line in lines:
        try:
            record = json.loads(line)
            seconds += float(record.get("seconds", 0.0))
            name = metric_of(record)
            if name is None:
                continue
            half = float(record.get(f"{name}_interval", 0.0))
            rows.append((float(record["kimg"]), seconds, float(record[name]), half))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            continue
        metric, teacher = name, record.get(f"{name}_teacher", teacher)
    if metric is None:
        raise CheckpointError(
            f"{folder}: got no measurement in {LOG}; wanted a run with --metrics; "
            "do: go on with it with --metrics frechet-efficientnet (or fid) and --data_stat"
        )
    kimg, spent, value, half = (list(column) for column in zip(*rows, strict=True))
    return Curve(
        name=Path(folder).resolve().name,
        metric=metric,
        kimg=kimg,
        seconds=spent,
        value=value,
        half=half,
        teacher=None if teacher is None else float(teacher),
    )


def _one_metric(curves: Sequence[Curve]) -> str:
    metrics = sorted({curve.metric for curve in curves})
    if len(metrics) > 1:
        raise CheckpointError(
            f"compare: got runs measured by {' and by '.join(metrics)}; wanted one metric; "
            "do: compare those of one metric"
        )
    return metrics[0]


def _number(value: float, half: float) -> str:
    return f"{value:.2f} ± {half:.2f}" if half else f"{value:.2f}"


def table(curves: Sequence[Curve]) -> str:
    """Markdown: the last and the best measurement of every run, and the best one's ratio."""
    lines = [
        f"| run | kimg | hours | {_one_metric(curves)}, last | best | at kimg | best / teacher |",
        "|---|---|---|---|---|---|---|",
    ]
    for curve in curves:
        best = curve.best
        ratio = "-" if curve.teacher is None else f"{curve.value[best] / curve.teacher:.3f}"
        cells = [
            curve.name,
            f"{curve.kimg[-1]:.6g}",
            f"{curve.seconds[-1] / 3600:.2f}",
            _number(curve.value[-1], curve.half[-1]),
            _number(curve.value[best], curve.half[best]),
            f"{curve.kimg[best]:.6g}",
            ratio,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _figure(width: float) -> "Figure":
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "image") from error
    return Figure(figsize=(width, 4.5), layout="constrained")


def draw_costs(
    points: Mapping[str, Sequence[tuple[int, float, float]]], floor: float, path: str | Path
) -> None:
    """Distance against evaluations per image, as PNG: a line per network, and the real images'.

    Args:
        points: name -> (evaluations, distance, half width of its interval), by evaluations.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure = _figure(6.5)
    axes = figure.subplots()
    for name, row in points.items():
        evaluations, value, half = zip(*row, strict=True)
        axes.errorbar(evaluations, value, yerr=half, marker="o", capsize=3, label=name)
    axes.axhline(floor, color="black", linestyle=":", label="real images")
    axes.set(xscale="log", yscale="log", xlabel="evaluations per image", ylabel="Frechet distance")
    axes.grid(True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(path, format="png", dpi=110)


def draw(curves: Sequence[Curve], path: str | Path) -> None:
    """The curves against images and against hours of training, as PNG; both axes of value alike.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    metric = _one_metric(curves)
    figure = _figure(11)
    from matplotlib.ticker import LogFormatter

    against_images, against_time = figure.subplots(1, 2, sharey=True)
    for axes, label in ((against_images, "thousand images"), (against_time, "hours of training")):
        axes.set_xlabel(label)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(LogFormatter())  # 90, not 9 x 10^1
        axes.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(2, 0.5)))
        axes.grid(True, which="both", alpha=0.3)
    against_images.set_ylabel(metric)
    drawn: set[float] = set()
    for i, curve in enumerate(curves):
        hours = [seconds / 3600 for seconds in curve.seconds]
        for axes, along in ((against_images, curve.kimg), (against_time, hours)):
            axes.plot(along, curve.value, ".-", color=f"C{i % 10}", label=curve.name)
            low = [max(v - h, 1e-3 * v) for v, h in zip(curve.value, curve.half, strict=True)]
            high = [v + h for v, h in zip(curve.value, curve.half, strict=True)]
            if all(math.isfinite(h) for h in high):
                axes.fill_between(along, low, high, color=f"C{i % 10}", alpha=0.2, linewidth=0)
            if curve.teacher is not None and curve.teacher not in drawn:
                axes.axhline(curve.teacher, color="black", linestyle="--", label="teacher")
        drawn |= {curve.teacher} if curve.teacher is not None else set()
    against_images.legend()
    figure.savefig(path, format="png", dpi=110)
