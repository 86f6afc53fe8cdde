"""`--keep best`: of an object made with several seeds, the best stays and the others go."""

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from uni3d.batch.plan import Job
from uni3d.batch.record import Record
from uni3d.run.folder import LEFT, METRICS, REPORT
from uni3d.storage.lock import held

__all__ = ["keep_best", "score"]

# What stays of one that was not kept: enough to see why.
TOLD = (REPORT, METRICS, "sheet.png")


def score(folder: Path, facts: dict[str, Any]) -> tuple[float, ...]:
    """The larger the better: the share of views that the judge names right, where there is a
    judge; then how well the outline fits the optimised scene; then how small the gap between
    teacher and fake score is at the end (mean over the last tenth of the steps)."""
    views, right = facts.get("views"), facts.get("right_views")
    share = float(right) / float(views) if views and right is not None else 0.0
    gaps = _gaps(folder)
    last = gaps[-max(1, len(gaps) // 10) :]
    gap = sum(last) / len(last) if last else float("inf")
    return share, float(facts.get("silhouette_iou") or 0.0), -gap


def _gaps(folder: Path) -> list[float]:
    """The gap of each step, from the step log; damaged lines are left out."""
    gaps = []
    with contextlib.suppress(OSError), (folder / METRICS).open(errors="replace") as lines:
        for line in lines:
            with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
                gaps.append(float(json.loads(line)["gap"]))
    return gaps


def keep_best(record: Record, jobs: Sequence[Job]) -> str:
    """Of the jobs of one row, all of which have ended: keep the best, thin out the others.

    Gives the name of the best, "" where none is whole. Says so in the manifest once.
    """
    entries = record.entries()
    whole = [job.name for job in jobs if record.is_whole(job.name)]
    if not whole:
        return ""
    scores = {n: score(record.whole(n), entries[n].facts if n in entries else {}) for n in whole}
    best = max(whole, key=lambda name: scores[name])
    for name in whole:
        kept = name == best
        if not kept:
            with held(record.whole(name)):
                for pattern in LEFT:
                    for path in record.whole(name).glob(pattern):
                        if path.name not in TOLD:
                            with contextlib.suppress(FileNotFoundError):
                                path.unlink()
        if name not in entries or entries[name].facts.get("kept") != kept:
            record.append([{"event": "kept" if kept else "dropped", "name": name, "kept": kept}])
    return best
