"""What the page says: runs and reports in words, curves as SVG. Everything from outside is escaped.

Pure functions of plain data, so that they are tested without a browser.
"""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from uni3d.web.runs import DAMAGE, RunState, Summary

__all__ = [
    "caption",
    "comparison",
    "curves",
    "duration",
    "engine",
    "files_line",
    "report",
    "status",
]

STAGES = {
    "loading": "Loading the teacher and drawing its reference pictures",
    "optimising": "Optimising the scene",
    "meshing": "Taking the surface out of the scene",
    "writing": "Writing the mesh files",
    "picturing": "Drawing the sheet and the turntable",
    "done": "Finishing",
}
HEADLINES = {
    "queued": "Waiting",
    "running": "Running",
    "interrupted": "Interrupted",
    "cancelled": "Cancelled",
    "done": "Done",
    "failed": "Failed",
}
# name in metrics.jsonl -> heading, what it means, fixed range (None: that of the data)
CURVES = {
    "opacity": ("Filled", "share of the picture that the object covers", (0.0, 1.0)),
    "recogniser": ("Recognised", "how sure the recogniser is of the prompt's kind", (0.0, 1.0)),
    "gap": ("Teacher's objection", "distance of teacher and scene score; 0 is agreement", None),
}


def _text(value: Any) -> str:
    return html.escape(str(value), quote=True)


def small(text: str) -> str:
    """A line in small print; nothing for an empty one."""
    return f"<div class='u3-small'>{_text(text)}</div>" if text else ""


def duration(seconds: float) -> str:
    """Seconds as a person says them; nothing for negative ones."""
    if seconds < 0:
        return ""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def engine(ready: bool, broken: str = "") -> str:
    """The notice while torch and its company are still loading."""
    if broken:
        line = html.escape(f"The engine cannot be loaded: {broken}. Runs will fail.")
        return f"<div class='u3-notice' role='alert'>{line}</div>"
    if ready:
        return ""
    return (
        "<div class='u3-notice' role='status'>The engine is still loading (some seconds). "
        "You can start already: your run begins when it is there.</div>"
    )


def status(one: Summary | None, ahead: int = 0, cancelling: bool = False) -> str:
    """The head of a run: its prompt, how far it is, and what a person should know."""
    if one is None:
        return (
            "<div class='u3-status u3-empty'>Nothing yet. Write what you want to have and press "
            "<b>Make it</b>.</div>"
        )
    state = one.state
    parts = [
        f"<span class='u3-badge u3-{state.state}'>{HEADLINES[state.state]}</span>",
        f"<div class='u3-prompt'>{_text(one.prompt)}</div>",
        f"<div class='u3-small'>{_text(one.label)}</div>",
    ]
    if state.state == "running":
        done = 100 * state.step / max(state.steps, 1)
        parts.append(
            "<div class='u3-bar' role='progressbar' aria-valuemin='0' aria-valuemax='100' "
            f"aria-valuenow='{done:.0f}'><div style='width:{done:.1f}%'></div></div>"
        )
    parts.append(f"<div class='u3-line'>{_text(_line(state, ahead, cancelling))}</div>")
    if state.note:
        parts.append(f"<div class='u3-note'>{_text(state.note)}</div>")
    if state.error:
        parts.append(f"<div class='u3-error'>{_text(state.error)}</div>")
    return f"<div class='u3-status' role='status'>{''.join(parts)}</div>"


def _line(state: RunState, ahead: int, cancelling: bool) -> str:
    steps = f"step {state.step} of {state.steps}"
    if state.state == "queued":
        if ahead <= 0:
            return "Next in the queue."
        return f"Position {ahead + 1} in the queue: {ahead} before this one."
    if state.state == "running":
        if cancelling:
            return f"Stopping after this step, then the mesh of what exists ({steps})."
        line = f"{STAGES.get(state.stage, 'Working')}: {steps}"
        if state.stage == "optimising" and state.eta >= 0:
            line += f", about {duration(state.eta)} to go"
        return line + "."
    if state.state == "interrupted":
        return f"Stopped at {steps} when the server ended; Continue goes on from there."
    if state.state == "cancelled":
        return f"Stopped at {steps}; what existed was exported where there was something."
    return f"{steps.capitalize()}, {duration(state.seconds)} of optimisation."


def _points(curve: Sequence[tuple[int, float]], low: float, high: float, steps: int) -> str:
    """SVG points in a 200 x 56 box, smoothed: single steps differ by their noise levels."""
    thinned = curve[:: max(1, len(curve) // 200)] if len(curve) > 200 else curve
    smooth, out = None, []
    for step, value in thinned:
        smooth = value if smooth is None else 0.8 * smooth + 0.2 * value
        share = (smooth - low) / (high - low) if high > low else 0.5
        out.append(f"{200 * step / max(steps, 1):.1f},{54 - 50 * min(max(share, 0), 1):.1f}")
    return " ".join(out)


def curves(metrics: Mapping[str, Sequence[tuple[int, float]]], steps: int) -> str:
    """Small charts of the numbers that mean something; empty before the second step."""
    cards = []
    for name, (heading, meaning, span) in CURVES.items():
        curve = metrics.get(name, ())
        if len(curve) < 2:
            continue
        values = [value for _, value in curve]
        low, high = span or (0.0, max(values))
        last = f"{values[-1]:.0%}" if span else f"{sum(values[-10:]) / len(values[-10:]):.3f}"
        cards.append(
            f"<figure class='u3-chart'><figcaption><b>{heading}</b><span>{last}</span>"
            f"</figcaption><svg viewBox='0 0 200 56' preserveAspectRatio='none' role='img' "
            f"aria-label='{heading}: {meaning}; now {last}'><polyline points='"
            f"{_points(curve, low, high, steps)}'/></svg><small>{meaning}</small></figure>"
        )
    return f"<div class='u3-charts'>{''.join(cards)}</div>" if cards else ""


def _skipped(config: Mapping[str, Any], done: int) -> int:
    """Of `done` steps, those that a run which began with the instant network's object left out."""
    instant, steps = config.get("instant"), config.get("steps")
    if not isinstance(instant, Mapping) or not instant.get("weights"):
        return 0
    begin = instant.get("begin")
    if not isinstance(begin, float) or not isinstance(steps, int):
        return 0
    return min(round(begin * steps), done)


def _sentences(one: Summary, entries: Mapping[str, Any]) -> list[str]:
    mesh = entries.get("mesh")
    if not isinstance(mesh, dict):
        return []
    closed = "is watertight" if mesh.get("watertight") else "is not watertight"
    lines = [f"The mesh has {int(mesh.get('faces', 0)):,} faces and {closed}."]
    if not mesh.get("textured", True) and mesh.get("texture_note"):
        lines.append(f"Colours are per vertex, not a texture: {mesh['texture_note']}.")
    optimise, export = one.state.seconds, float(entries.get("seconds_export", 0.0))
    done = int(entries.get("steps_done", one.state.step))
    lines.append(
        f"{done - _skipped(one.config, done)} steps took {duration(optimise)}, "
        f"the mesh and its pictures {duration(export)}."
    )
    if "silhouette_iou" in entries:
        lines.append(f"Its outline covers {float(entries['silhouette_iou']):.0%} of the scene's.")
    verdict = entries.get("recogniser")
    if isinstance(verdict, dict) and verdict.get("wanted"):
        lines.append(
            f"The recogniser sees a {verdict['wanted']} in {verdict.get('right_views', 0)} of "
            f"{verdict.get('views', 0)} views."
        )
    return lines


def report(one: Summary, entries: Mapping[str, Any]) -> str:
    """report.json in words."""
    try:
        lines = _sentences(one, entries)
    except DAMAGE:
        return "<div class='u3-report u3-empty'>The report of this run is damaged.</div>"
    if not lines:
        return "<div class='u3-report u3-empty'>There is no mesh of this run yet.</div>"
    return f"<div class='u3-report'>{''.join(f'<p>{_text(line)}</p>' for line in lines)}</div>"


def caption(one: Summary) -> str:
    """One line of plain text for a list."""
    prompt = one.prompt if len(one.prompt) <= 60 else one.prompt[:57] + "..."
    return f"{prompt} · {one.label} · {HEADLINES[one.state.state].lower()}"


def files_line(count: int, left_out: Sequence[str]) -> str:
    """How many runs there are, and the names of folders with a run that are not among them."""
    if count == 0:
        line = "<div class='u3-status u3-empty'>No runs yet. What you make is kept here.</div>"
    else:
        runs = "1 run" if count == 1 else f"{count} runs"
        line = f"<div class='u3-small'>{runs} on this machine. Choose one to open it.</div>"
    if left_out:
        names = ", ".join(left_out).encode(errors="replace").decode()
        line += (
            f"<div class='u3-small'>Not shown: {html.escape(names)}. The page follows no links, "
            "and names may have letters, digits, space and . _ + - alone: rename, or move the run "
            "here.</div>"
        )
    return line


def _teacher(one: Summary) -> str:
    """The last part of the teacher's name; runs of before it was a group hold the bare name."""
    teacher = one.config.get("teacher", "")
    name = teacher.get("name", "") if isinstance(teacher, Mapping) else teacher
    return str(name).rstrip("/").rpartition("/")[2]


def comparison(left: Summary, right: Summary, reports: Sequence[Mapping[str, Any]]) -> str:
    """A table of what differs and of what came out."""
    rows = []
    for key in ("prompt", "method", "divergence", "seed", "steps", "views"):
        of_left, of_right = (
            str(one.config.get(key, "")) or "(the method's)" for one in (left, right)
        )
        rows.append((key.capitalize(), of_left, of_right))
    rows.append(("Teacher", _teacher(left), _teacher(right)))
    rows.append(("Time", duration(left.state.seconds), duration(right.state.seconds)))
    meshes = [mesh if isinstance(mesh := one.get("mesh"), dict) else {} for one in reports]
    rows.append(("Faces", *(_faces(mesh) for mesh in meshes)))
    rows.append(
        ("Watertight", *(("yes" if m.get("watertight") else "no") if m else "" for m in meshes))
    )
    verdicts = [one.get("recogniser") for one in reports]
    if any(isinstance(s, dict) for s in verdicts):
        rows.append(("Right views", *(_right(s) for s in verdicts)))
    body = "".join(
        f"<tr{' class=u3-same' if of_left == of_right else ''}><th scope='row'>{_text(name)}</th>"
        f"<td>{_text(of_left)}</td><td>{_text(of_right)}</td></tr>"
        for name, of_left, of_right in rows
    )
    return (
        "<table class='u3-table'><thead><tr><td></td><th scope='col'>Left</th>"
        f"<th scope='col'>Right</th></tr></thead><tbody>{body}</tbody></table>"
    )


def _faces(mesh: Mapping[str, Any]) -> str:
    faces = mesh.get("faces")
    return f"{faces:,}" if isinstance(faces, int) else "no mesh"


def _right(verdict: Any) -> str:
    if not isinstance(verdict, dict):
        return ""
    return f"{verdict.get('right_views', '?')} of {verdict.get('views', '?')}"
