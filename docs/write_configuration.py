"""docs/configuration.md from the configuration's dataclasses: python docs/write_configuration.py

A key's meaning is the comment on its line, or the comment lines right above it.
tests/uni3d/test_configs.py compares the file with what this makes.
"""

import ast
import dataclasses
import inspect
import json
import textwrap
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from uni3d import config_io
from uni3d.run.presets import PRESETS
from uni3d.run.settings import RunConfig
from uni3d.scene.regularizers import Ramp

PATH = Path(__file__).with_name("configuration.md")
HEAD = """# Every key of a run's configuration

Written by `python docs/write_configuration.py` from the dataclasses; a test compares. A YAML file
(`--config FILE`) holds only what differs from the preset, `--set guidance.scale=7.5` changes one
key, and in Python a group is a mapping: `uni3d.generate(prompt, guidance={"scale": 7.5})`. An
unknown key, or a value of another type, is an error. A run's `config.yaml` holds all of them.
Examples: [configs/text3d](../configs/text3d).

The defaults below are those of no preset. A run begins with `--preset default` unless another is
named, and a preset sets:

PRESETS

Scene units: the object lives in the unit ball, so 1 is its radius. A fraction of the run is its
step divided by `steps`. A ramp is a weight that moves linearly from `before` to `after` between the
fractions `start` and `end` of the run.
"""


def comments(cls: type) -> dict[str, str]:
    """Field name -> its comment: above the field and on its line, joined."""
    lines = textwrap.dedent(inspect.getsource(cls)).splitlines()
    (tree,) = ast.parse("\n".join(lines)).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for node in tree.body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        above, at = [], node.lineno - 2
        while lines[at].strip().startswith("#"):
            above.insert(0, lines[at].strip(" #"))
            at -= 1
        assert node.end_lineno is not None and node.end_col_offset is not None
        behind = lines[node.end_lineno - 1][node.end_col_offset :].strip(" #")
        said = " ".join(filter(None, [*above, behind]))
        found[node.target.id] = said.replace("|", "\\|")  # of a table's cell
    return found


def kind(annotation: Any) -> str:
    """An annotation in words."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return ", ".join(map(str, arguments))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(kind, arguments))
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return f"list of {kind(arguments[0])}"
        return f"[{', '.join(map(kind, arguments))}]"
    names = {float: "number", int: "whole number", str: "text", bool: "true, false"}
    return "null" if annotation is type(None) else names[annotation]


def rows(cls: type, value: Any, prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    """(key, type or choices, default, meaning) of every leaf below a group."""
    hints, said = typing.get_type_hints(cls), comments(cls)
    for field in dataclasses.fields(cls):
        default, key = getattr(value, field.name), prefix + field.name
        if isinstance(default, Ramp):
            shown = json.dumps(config_io.to_dict(default)).replace('"', "")
            yield key, "ramp", shown, said[field.name]
        elif dataclasses.is_dataclass(default):
            yield from rows(type(default), default, f"{key}.")
        else:
            shown = json.dumps(default) if default != "" else "empty"
            yield key, kind(hints[field.name]), shown, said[field.name]


def presets() -> str:
    """What each preset sets, a row a key."""

    def leaves(mapping: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
        for key, value in mapping.items():
            if isinstance(value, dict):
                yield from leaves(value, f"{prefix}{key}.")
            else:
                yield prefix + key, json.dumps(value)

    found = {name: dict(leaves(mapping)) for name, mapping in PRESETS.items()}
    keys = dict.fromkeys(key for mapping in found.values() for key in mapping)
    head = [f"| key | {' | '.join(found)} |", "|---" * (1 + len(found)) + "|"]
    cells = [" | ".join(mapping.get(key, "") for mapping in found.values()) for key in keys]
    return "\n".join([*head, *(f"| `{k}` | {c} |" for k, c in zip(keys, cells, strict=True))])


def document() -> str:
    """The whole file."""
    groups: dict[str, list[str]] = {}
    for key, wanted, default, meaning in rows(RunConfig, RunConfig()):
        line = f"| `{key}` | {wanted} | {default} | {meaning} |"
        groups.setdefault(key.rpartition(".")[0], []).append(line)
    ramp = [f"| `{k}` | {w} | {d} | {m} |" for k, w, d, m in rows(Ramp, Ramp())]
    groups["a ramp"] = ramp
    parts = [HEAD.replace("PRESETS", presets())]
    for name, lines in groups.items():
        table = ["| key | type | default | meaning, unit, range |", "|---|---|---|---|", *lines]
        parts.append("\n".join([f"## {name or 'The run'}", "", *table]) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PATH.write_text(document(), encoding="utf-8")
