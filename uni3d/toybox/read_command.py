"""`uni3d toybox read`: what prompts are understood as, a line each, and how often they are."""

import csv
import dataclasses
import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from uni3d.errors import ConfigError
from uni3d.toybox.known import today
from uni3d.toybox.letters import singular
from uni3d.toybox.reading import Reading, read, read_as_shipped

__all__ = ["KEYS", "lines_of", "read_prompts", "table"]

KEYS = (
    "prompt",
    "subject",
    "kind",
    "color",
    "material",
    "pattern",
    "wears",
    "action",
    "relation",
    "stand",
    "caption",
    "left_out",
    "understood",
    "drawable",
)


def lines_of(path: Path) -> list[str]:
    """The lines of a text file that are not empty; ConfigError where it cannot be read."""
    try:
        return [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: got no readable text ({error}); do: check the path") from error


def read_prompts(
    prompts: list[str], file: Path | None, measured: Path | None, as_json: bool
) -> int:
    """Print what each prompt is understood as, or the table of a file of known subjects."""
    if measured is not None:
        sys.stdout.write(table(lines_of(measured)))
        return 0
    prompts = [*prompts, *(lines_of(file) if file else [])]
    if not prompts:
        raise ConfigError("read: got no prompt; wanted PROMPT... or --file FILE; do: give one")
    for prompt in prompts:
        _, reading = read_as_shipped(prompt)
        values = dataclasses.asdict(reading)
        chosen = {key: values[key] for key in KEYS}
        if as_json:
            line = json.dumps(chosen, ensure_ascii=False)
        else:
            line = f"{prompt}: {reading.note or 'shown as it is'}"
        sys.stdout.write(line + "\n")
    return 0


def _head(subject: str) -> str:
    words = subject.lower().replace("-", " ").split()
    return singular(words[-1]) if words else ""


def _agrees(reading: Reading, subject: str) -> bool:
    return _head(reading.subject) == _head(subject)


def table(lines: Iterable[str]) -> str:
    """A Markdown table by source of lines `source<TAB>subject<TAB>prompt` (the first is a head):
    shares with the right subject, a subject in the world, one a teacher knows, all understood.

    Raises ConfigError for a line of another number of columns.
    """
    counts: dict[str, Counter[str]] = {}
    rows = csv.reader(list(lines)[1:], delimiter="\t", quoting=csv.QUOTE_NONE)
    for number, row in enumerate(rows, 2):
        if len(row) != 3:
            raise ConfigError(
                f"line {number}: got {len(row)} columns; wanted source, subject and prompt, "
                "between tabs"
            )
        source, subject, prompt = row
        (_, ours), whole = read_as_shipped(prompt), read(prompt, today())
        for name in (source, "all"):
            count = counts.setdefault(name, Counter())
            count["prompts"] += 1
            count["subject"] += _agrees(whole, subject)
            count["in the world"] += whole.kind is not None
            count["teacher knows it"] += ours.drawable
            count["understood, world"] += whole.understood
            count["understood, teacher"] += ours.understood
    names = ("subject", "in the world", "teacher knows it", "understood, world")
    names = (*names, "understood, teacher")
    text = ["| source | prompts | " + " | ".join(names) + " |", "|---" * (len(names) + 2) + "|"]
    counts["all"] = counts.pop("all")
    for source, count in counts.items():
        shares = (f"{count[name] / count['prompts']:.0%}" for name in names)
        text.append(f"| {source} | {count['prompts']} | " + " | ".join(shares) + " |")
    return "\n".join(text) + "\n"
