"""What a bench tells: tables in Markdown, the raw numbers, a plot and a picture."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from uni3d.bench.plan import BASELINE, Plan, folder_of
from uni3d.bench.scores import FLOOR_NAME, MATTED, TEACHER, Scores, Value
from uni3d.bench.truth import teacher_pictures, truths
from uni3d.bench.work import OBJECTS_FILE, finished, read_objects
from uni3d.errors import MissingExtraError
from uni3d.mesh.pictures import write_png
from uni3d.storage.whole import replace_all, temporary_names

__all__ = ["pareto", "picture", "tables", "write_results"]

DIFFERENCE = f"minus {BASELINE}"
# heading, score, digits
DISTRIBUTION = (
    ("MMD² look", "mmd2 look", 3),
    (f"minus {BASELINE}'s", DIFFERENCE, 3),
    ("MMD² shape", "mmd2 shape", 3),
    ("MMD² colour", "mmd2 colour", 3),
    ("1-NN", "1-NN accuracy", 2),
    ("coverage", "coverage", 2),
    ("diversity", "diversity", 2),
)
OBJECTS = (
    ("kind", "kind", 2),
    ("colour", "color", 2),
    ("worn", "worn", 2),
    ("sharpness", "sharpness", 2),
    ("PSNR", "psnr", 1),
)
COST = (
    ("steps", "steps", 0),
    ("seconds", "seconds", 1),
    ("U-Net pictures", "unet_pictures", 0),
    ("MB", "peak_memory_mb", 0),
)


def _shown(value: Value | None, digits: int) -> str:
    if value is None or np.isnan(value.mean):
        return "–"
    text = f"{value.mean:.{digits}f}"
    if np.isnan(value.low) or value.low == value.high:  # one prompt of two seeds: no interval
        return text
    text = f"{text} [{value.low:.{digits}f}, {value.high:.{digits}f}]"
    return text if value.p is None else f"{text} p {value.p:.2g}"


def _table(scores: Scores, columns: Sequence[tuple[str, str, int]]) -> list[str]:
    lines = ["| | " + " | ".join(heading for heading, _, _ in columns) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    for name, row in scores.rows.items():
        cells = [_shown(row.get(score), digits) for _, score, digits in columns]
        if any(cell != "–" for cell in cells):
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def tables(plan: Plan, scores: Scores) -> str:
    """Markdown: distribution, objects, cost, and what was logged."""
    prompts = list(dict.fromkeys(prompt for prompt, _ in scores.pairs))
    seeds = len(scores.pairs) / len(prompts)
    head = (
        f"{len(prompts)} prompts ({', '.join(prompts)}), {seeds:g} seeds each, "
        f"{plan.budget:g} s of one thread a run, {plan.truths} truths a prompt. Means, and 95 % "
        "intervals (bootstrap over prompts, then seeds; 1-NN, coverage and diversity over prompts "
        f"alone; of the truth the range over groups). MMD²: negative values are kept. {DIFFERENCE}"
        "'s: paired, p adjusted by Holm's method over the rows."
    )
    logged = sorted({name for metrics in scores.metrics.values() for name in metrics})
    lines = [head, "", *_table(scores, DISTRIBUTION), "", *_table(scores, OBJECTS)]
    lines += ["", *_table(scores, COST), "", "Logged, mean over the steps:", ""]
    lines += ["| | " + " | ".join(logged) + " |", "|---" * (len(logged) + 1) + "|"]
    for method, metrics in scores.metrics.items():
        cells = [f"{metrics[name]:.3g}" if name in metrics else "–" for name in logged]
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def write_results(plan: Plan, scores: Scores, folder: Path) -> None:
    """results.json: plan, scores and every run's row; table.md."""
    rows = [
        {"prompt": prompt, "seed": seed, "method": method, **row}
        for (prompt, seed, method), row in finished(plan, folder).items()
    ]
    results = {"plan": dataclasses.asdict(plan), **dataclasses.asdict(scores), "runs": rows}
    replace_all(
        {
            folder / "results.json": (json.dumps(results, indent=1) + "\n").encode(),
            folder / "table.md": tables(plan, scores).encode(),
        }
    )


def picture(plan: Plan, scores: Scores, folder: Path, prompt: str, path: Path) -> None:
    """A prompt's first compared seed by each method, one row of views each; then a truth and the
    teacher's own pictures. The order is that of `scores.rows`, without the cut-out truth."""
    seed = next(seed for p, seed in scores.pairs if p == prompt)
    rows = []
    for name in scores.rows:
        if name == FLOOR_NAME:
            objects = truths(plan, folder, prompt)
        elif name == TEACHER:
            objects = teacher_pictures(plan, folder, prompt)
        elif name == MATTED:
            continue
        else:
            objects = read_objects(folder / folder_of(prompt, seed, name) / OBJECTS_FILE)
        rows.append(np.concatenate(list(objects.pictures[0, :, :3].transpose(0, 2, 3, 1)), axis=1))
    write_png(np.concatenate(rows), path)


def pareto(benches: Sequence[tuple[Plan, Scores]], path: Path) -> None:
    """MMD² of look against seconds: a line a method, a point a bench; the floors as lines."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError as error:
        raise MissingExtraError("matplotlib", "bench") from error
    figure, axes = pyplot.subplots(figsize=(8, 5), dpi=120)
    names = list(dict.fromkeys(name for plan, _ in benches for name in plan.methods))
    for name in names:
        points = [scores.rows[name] for _, scores in benches if name in scores.rows]
        points.sort(key=lambda row: row["seconds"].mean)
        at = [row["seconds"].mean for row in points]
        mean = [row["mmd2 look"].mean for row in points]
        reach = [
            [np.nanmax([row["mmd2 look"].mean - row["mmd2 look"].low, 0]) for row in points],
            [np.nanmax([row["mmd2 look"].high - row["mmd2 look"].mean, 0]) for row in points],
        ]
        axes.errorbar(at, mean, yerr=reach, marker="o", capsize=3, label=name)
    for name, style in ((FLOOR_NAME, ":"), (TEACHER, "--")):
        value = benches[-1][1].rows[name]["mmd2 look"].mean
        axes.axhline(value, linestyle=style, color="grey", label=name)
    axes.set(
        xlabel="seconds of one thread a run", ylabel="MMD² of look to the truth (lower: better)"
    )
    axes.set_xlim(left=0)
    axes.legend(fontsize="small", ncols=2)
    figure.tight_layout()
    with temporary_names([path]) as (temporary,):
        figure.savefig(temporary, format="png")
    pyplot.close(figure)
