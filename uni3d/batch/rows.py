"""A list of prompts: .txt (one a line), .csv or .jsonl (a prompt and any configuration keys a row).

Reading never stops at a bad row: it is told with its line number, and the others are used.
"""

import csv
import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from uni3d import config_io
from uni3d.errors import ConfigError, PromptError
from uni3d.teacher.prompts import check_prompt

__all__ = ["ENDINGS", "BadRow", "Row", "read_rows"]

ENDINGS = (".txt", ".csv", ".jsonl")
# Fewer than a run takes: in a list, a longer line is nearly always one with a line end missing.
LONGEST = 300
SURROGATE = re.compile("[\udc80-\udcff]")  # what bytes that are no UTF-8 become
csv.field_size_limit(1 << 20)


@dataclasses.dataclass(frozen=True)
class Row:
    """A row that can be read: its line (from 1), its prompt, and its keys as nested mappings."""

    line: int
    prompt: str
    settings: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class BadRow:
    """A row that is not made, and why."""

    line: int
    problem: str


def read_rows(path: Path) -> Iterator[Row | BadRow]:
    """The rows of a file in their order. Keys are not checked yet: see `uni3d.batch.plan`.

    Raises ConfigError for a file that cannot be read at all or has another ending.
    """
    kind = path.suffix.lower()
    if kind not in ENDINGS:
        raise ConfigError(
            f"{path}: got ending {kind!r}; want one of {', '.join(ENDINGS)}; do: rename it"
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); do: check it") from error
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ConfigError(f"{path}: is UTF-16; want UTF-8; do: iconv -f UTF-16 -t UTF-8")
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return {".txt": _plain, ".csv": _table, ".jsonl": _objects}[kind](path, lines)


def _row(line: int, prompt: Any, settings: dict[str, Any]) -> Row | BadRow:
    """The row, unless its prompt cannot be one."""
    if not isinstance(prompt, str):
        return BadRow(line, f"prompt: got {type(prompt).__name__}; want a text")
    try:
        prompt = check_prompt(prompt)
    except PromptError as error:
        return BadRow(line, str(error))
    if len(prompt) > LONGEST:
        return BadRow(line, f"the prompt has {len(prompt)} characters; wanted at most {LONGEST}")
    return Row(line, prompt, settings)


def _wrong_bytes(line: int, text: str) -> BadRow | None:
    found = SURROGATE.search(text)
    if not found:
        return None
    byte = ord(found.group()) - 0xDC00
    return BadRow(line, f"byte 0x{byte:02x} at place {found.start() + 1} is no UTF-8; do: re-code")


def _plain(_path: Path, lines: list[str]) -> Iterator[Row | BadRow]:
    for line, text in enumerate(lines, 1):
        yield _wrong_bytes(line, text) or _row(line, text, {})


def _table(path: Path, lines: list[str]) -> Iterator[Row | BadRow]:
    """Cells are read as YAML, as --set does; an empty cell says nothing. Column `prompt` is text.

    A row is named by the line it begins on.
    """
    table = csv.reader([text + "\n" for text in lines], skipinitialspace=True, strict=True)
    try:
        names = [name.strip() for name in next(table, [])]
        if names.count("prompt") != 1 or len(set(names)) != len(names) or "" in names:
            raise ConfigError(
                f"{path}: got the columns {', '.join(names) or 'nothing'} in its first line; want "
                "prompt and keys of the configuration, each once; do: correct it"
            )
        begin = table.line_num + 1
        for cells in table:
            yield _cells(begin, names, cells)
            begin = table.line_num + 1
    except csv.Error as error:
        raise ConfigError(f"{path}: line {table.line_num}: {error}; do: correct it") from error


def _cells(line: int, names: list[str], cells: list[str]) -> Row | BadRow:
    if wrong := _wrong_bytes(line, ",".join(cells)):
        return wrong
    if len(cells) > len(names):
        return BadRow(line, f"got {len(cells)} cells; want {len(names)}, as in the first line")
    given = {name: cell for name, cell in zip(names, cells, strict=False) if cell.strip()}
    prompt = given.pop("prompt", "")
    try:
        settings = config_io.apply_overrides({}, [f"{key}={cell}" for key, cell in given.items()])
    except ConfigError as error:
        return BadRow(line, str(error))
    return _row(line, prompt, settings)


def _objects(_path: Path, lines: list[str]) -> Iterator[Row | BadRow]:
    """A JSON object a line; keys may be dotted (`scene.field.levels`) or nested."""
    for line, text in enumerate(lines, 1):
        if wrong := _wrong_bytes(line, text):
            yield wrong
            continue
        try:
            entry = json.loads(text)
        except (ValueError, RecursionError) as error:
            yield BadRow(line, f"is no JSON ({error})" if text.strip() else "is empty")
            continue
        if not isinstance(entry, dict):
            yield BadRow(line, f"got {type(entry).__name__}; want an object with prompt")
            continue
        prompt = entry.pop("prompt", "")
        settings: dict[str, Any] = {}
        for key, value in entry.items():
            for name in reversed(key.split(".")):
                value = {name: value}
            settings = config_io.merge(settings, value)
        yield _row(line, prompt, settings)
