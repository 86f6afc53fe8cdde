"""index.html of a batch: pictures, prompts, verdicts, seconds, links. It opens from the disk."""

import html
import math
from collections.abc import Sequence
from typing import Any

from uni3d.batch.record import Entry, Record
from uni3d.storage.whole import replace_all

__all__ = ["write_page"]

ROWS = 2000  # a page; a browser gets slow beyond
COLUMNS = ("", "prompt", "seed", "state", "right views", "outline", "faces", "seconds", "files")

STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.4 system-ui, sans-serif; margin: 1.5rem; max-width: 75rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .35rem .6rem; vertical-align: top }
th, td { border-bottom: 1px solid #8884 }
th button { all: unset; cursor: pointer; font-weight: 600 }
th button:focus-visible { outline: 2px solid }
th[aria-sort=ascending] button::after { content: " \\25b2" }
th[aria-sort=descending] button::after { content: " \\25bc" }
td.number { text-align: right; font-variant-numeric: tabular-nums }
img { display: block; border-radius: 4px }
.failed { color: #c0392b } small { opacity: .75; display: block }
"""

# Numbers sort as numbers, rows without one last.
SCRIPT = """
document.querySelectorAll("th button").forEach((button, column) => button.onclick = () => {
  const head = button.closest("th"), body = document.querySelector("tbody")
  const up = head.getAttribute("aria-sort") !== "ascending", place = head.cellIndex
  document.querySelectorAll("th").forEach(th => th.removeAttribute("aria-sort"))
  head.setAttribute("aria-sort", up ? "ascending" : "descending")
  const key = row => row.cells[place].dataset.sort ?? row.cells[place].textContent
  const number = text => text === "" ? NaN : Number(text)
  const rows = [...body.rows].sort((a, b) => {
    const x = key(a), y = key(b), u = number(x), v = number(y)
    if (x === "" || y === "") return (x === "") - (y === "")
    const order = isNaN(u) || isNaN(v) ? x.localeCompare(y) : u - v
    return up ? order : -order
  })
  body.append(...rows)
})
"""


def write_page(record: Record, entries: Sequence[Entry]) -> None:
    """index.html, and index-2.html and so on beyond ROWS objects; whole or not at all."""
    pages = max(1, math.ceil(len(entries) / ROWS))
    for number in range(pages):
        part = entries[number * ROWS : (number + 1) * ROWS]
        text = _page(record, part, len(entries), number, pages)
        replace_all({record.root / _name(number): text.encode()})


def _name(number: int) -> str:
    return "index.html" if number == 0 else f"index-{number + 1}.html"


def _page(record: Record, part: Sequence[Entry], total: int, number: int, pages: int) -> str:
    states = [entry.state for entry in part]
    counts = ", ".join(f"{states.count(s)} {s}" for s in ("done", "failed") if s in states)
    links = " ".join(
        f"<b>{k + 1}</b>" if k == number else f'<a href="{_name(k)}">{k + 1}</a>'
        for k in range(pages)
    )
    heads = "".join(
        f"<th><button>{name}</button></th>" if name not in ("", "files") else f"<th>{name}</th>"
        for name in COLUMNS
    )
    rows = "\n".join(_row(entry) for entry in part)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Batch of {total}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{STYLE}</style>\n'
        f"<h1>{total} objects</h1><p>{counts or 'none is done yet'}{' here' * (pages > 1)}. "
        f"{'Pages: ' + links if pages > 1 else ''}</p>\n"
        f"<table><thead><tr>{heads}</tr></thead><tbody>\n{rows}\n</tbody></table>\n"
        f"<script>{SCRIPT}</script></html>\n"
    )


def _row(entry: Entry) -> str:
    facts, done = entry.facts, entry.state == "done"
    name, prompt = html.escape(entry.name), html.escape(str(facts.get("prompt", "")))
    picture = f'<img src="{name}/thumb.png" width="96" height="96" loading="lazy" alt="{prompt}">'
    if done:
        picture = f'<a href="{name}/sheet.png">{picture}</a>'
    note = f"<small>{html.escape(str(facts['note']))}</small>" if facts.get("note") else ""
    state, error = entry.state, html.escape(str(facts.get("error") or ""))
    if facts.get("kept") is not None:
        state += ", kept" if facts["kept"] else ", not the best"
    views = facts.get("views")
    kinds = facts.get("kinds") or facts.get("seen") or []  # older manifests: seen
    verdict = f"{facts.get('right_views')} of {views}" if views and done else ""
    most = max(set(kinds), key=kinds.count) if kinds else ""
    files = facts.get("files") or []
    if not done or facts.get("kept") is False:
        files = []
    shown = ["mesh.obj", *(f for f in files if f.count(".") == 1 and f[-3:] not in ("mtl", "png"))]
    links = [f for f in dict.fromkeys(shown) if f in files]
    if done:
        links.append("report.json")
    cells = [
        f"<td>{picture if done else ''}</td>",
        f"<td>{prompt}{note}</td>",
        _number(facts.get("seed")),
        f'<td class="{entry.state}">{state}{f"<small>{error}</small>" if error else ""}</td>',
        f'<td data-sort="{facts.get("right_views", "") if verdict else ""}">{verdict}'
        f"{f'<small>{html.escape(str(most))}</small>' if most else ''}</td>",
        _number(facts.get("silhouette_iou"), 3),
        _number(facts.get("faces")),
        _number(facts.get("seconds"), 1),
        "<td>" + " ".join(f'<a href="{name}/{f}">{_short(f)}</a>' for f in links) + "</td>",
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _number(value: Any, digits: int = 0) -> str:
    if not isinstance(value, (int, float)):
        return '<td class="number" data-sort=""></td>'
    return f'<td class="number" data-sort="{value}">{value:.{digits}f}</td>'


def _short(file: str) -> str:
    return html.escape(file.removeprefix("mesh."))
