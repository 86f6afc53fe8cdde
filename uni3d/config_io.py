"""Strict configuration: YAML and `a.b=3` overrides into frozen keyword-only dataclasses and back.

Knows no component. A file holds only differences from the defaults; whatever is unknown, misspelt
or of the wrong type stops here, with the full dotted key, what was got and wanted, the nearest key.
Types: int, float, str, bool, None, Literal, unions, tuple[...], and nested dataclasses.
"""

import contextlib
import copy
import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

import yaml

from uni3d.errors import ConfigError

Config = TypeVar("Config")
LARGEST_COUNT = 10**9


class _Loader(yaml.SafeLoader):
    """The safe loader, and a key given twice is an error instead of the last one winning."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = [key for key in keys if keys.count(key) > 1]
        if twice:
            line = node.start_mark.line + 1
            raise ConfigError(
                f"{twice[0]}: got this key twice in the mapping at line {line}; wanted it once; "
                "do: remove one"
            )
        return super().construct_mapping(node, deep)


def _parse_yaml(text: str, where: str) -> Any:
    try:
        return yaml.load(text, _Loader)  # a SafeLoader: plain data only
    # Dates, numbers of many digits and nesting raise what Python raises.
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError) as error:
        problem = " ".join(str(error).split())
        raise ConfigError(f"{where}: got invalid YAML ({problem}); do: correct it") from error


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping in a YAML file; an empty file is an empty mapping."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: got no readable file ({error}); do: check the path") from error
    value = _parse_yaml(text, str(path))
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(
            f"{path}: got {_describe(value)}; wanted a mapping of keys to values; "
            "do: write lines like `seed: 3`"
        )
    return value


def apply_overrides(mapping: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A copy of `mapping` with `["a.b=3", ...]` applied in order; values are read as YAML."""
    result = copy.deepcopy(dict(mapping))
    for override in overrides:
        key, equals, text = override.partition("=")
        names = key.strip().split(".")
        if not equals or not all(names):
            raise ConfigError(
                f"override: got {override!r}; wanted key=value; do: write for example a.b=3"
            )
        inner = result
        for depth, name in enumerate(names[:-1], start=1):
            inner = inner.setdefault(name, {})
            if not isinstance(inner, dict):
                raise ConfigError(
                    f"{key.strip()}: got {'.'.join(names[:depth])} = {inner!r}; wanted a group of "
                    "keys there; do: check the key"
                )
        inner[names[-1]] = _parse_yaml(text, key.strip())
    return result


def load(cls: type[Config], mapping: Mapping[str, Any]) -> Config:
    """`cls` from nested `mapping`; what is absent keeps its default.

    A class whose files once looked otherwise has a static method `upgraded(mapping) -> mapping`.

    Raises:
        ConfigError: an unknown or missing key, a wrong type, or a ValueError of `__post_init__`.
    """
    upgraded = getattr(cls, "upgraded", dict)
    return _build(cls, upgraded(mapping), "", cls)


def merge(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `more` over it, group by group; neither is changed."""
    result = dict(base)
    for key, value in more.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merge(result[key], value) if both else value
    return result


def count(text: str) -> int:
    """A whole number from 1, of a flag on the command line; ValueError for anything else."""
    if not 1 <= (value := int(text)) <= LARGEST_COUNT:
        raise ValueError(text)
    return value


def natural(text: str) -> int:
    """A whole number from 0, as `count`."""
    return 0 if (value := int(text)) == 0 else count(str(value))


def number(text: str) -> float:
    """A number from 0 that is finite, as `count`."""
    if not 0 <= (value := float(text)) < math.inf:
        raise ValueError(text)
    return value


def share(text: str) -> float:
    """A number of 0 to 1, as `count`."""
    if (value := number(text)) > 1:
        raise ValueError(text)
    return value


# What argparse says was wanted.
count.__name__ = f"whole number of 1 to {LARGEST_COUNT}"
natural.__name__ = f"whole number of 0 to {LARGEST_COUNT}"
number.__name__, share.__name__ = "finite number from 0", "number of 0 to 1"


def within(config: Any, where: str, **limits: tuple[float, float]) -> None:
    """Raise ConfigError unless the named numbers of `config` are None or in their (least, most).

    `where`: the group of the keys, "" for those at the top.
    """
    for name, (least, most) in limits.items():
        value = getattr(config, name)
        if value is not None and not least <= value <= most:
            key = f"{where}.{name}" if where else name
            raise ConfigError(f"{key}: got {value}; want {least:g} to {most:g}; do: change it")


def to_dict(config: Any) -> dict[str, Any]:
    """Plain nested data for YAML or JSON; tuples become lists. `load` is the inverse."""
    return {field.name: _plain(getattr(config, field.name)) for field in dataclasses.fields(config)}


def dump(config: Any) -> str:
    """The complete configuration, defaults included, as YAML text."""
    return yaml.safe_dump(to_dict(config), sort_keys=False, allow_unicode=True)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _build(cls: type, mapping: Any, prefix: str, root: type, base: Any = None) -> Any:
    """`cls` from `mapping`; what is absent is as in `base`, the default of the field it goes in."""
    if not isinstance(mapping, Mapping):
        raise ConfigError(
            f"{prefix.rstrip('.') or 'configuration'}: got {_describe(mapping)}; wanted a group of "
            f"the keys {', '.join(_types(cls))}; do: indent the keys below it"
        )
    fields = _types(cls)
    for key in mapping:
        if key not in fields:
            raise ConfigError(
                f"{prefix}{key}: got an unknown key; wanted one of "
                f"{', '.join(prefix + name for name in fields)}; "
                f"do: {_nearest(str(key), prefix, fields, root)}"
            )
    defaults = {field.name: _default(field, base) for field in dataclasses.fields(cls)}
    for field in dataclasses.fields(cls):
        missing = defaults[field.name] is dataclasses.MISSING
        if field.init and missing and field.name not in mapping:
            raise ConfigError(
                f"{prefix}{field.name}: got nothing; wanted {_name(fields[field.name])}; "
                f"do: set {prefix}{field.name}"
            )
    values = {
        key: _convert(fields[key], value, prefix + key, root, defaults[key])
        for key, value in mapping.items()
    }
    try:
        return cls(**values) if base is None else dataclasses.replace(base, **values)
    except ValueError as error:
        raise ConfigError(f"{prefix.rstrip('.') or cls.__name__}: {error}") from error


def _default(field: dataclasses.Field[Any], base: Any) -> Any:
    """What `field` holds when nothing is said of it; MISSING when something must be."""
    if base is not None:
        return getattr(base, field.name)
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _convert(wanted: Any, value: Any, key: str, root: type, default: Any = None) -> Any:
    """`value` as the annotation `wanted`, or a ConfigError that names `key`."""
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if dataclasses.is_dataclass(wanted):
        kind = typing.cast(type, wanted)
        base = default if isinstance(default, kind) else None
        return _build(kind, value, f"{key}.", root, base)
    if origin in (Union, types.UnionType):
        return _convert_union(wanted, arguments, value, key, root)
    if origin is Literal:
        # Type as well as value: True == 1 must not pass for Literal[1].
        if any(value == choice and type(value) is type(choice) for choice in arguments):
            return value
    elif origin is tuple:
        if isinstance(value, (list, tuple)):
            kinds = arguments[:1] * len(value) if arguments[-1:] == (...,) else arguments
            if len(kinds) == len(value):
                return tuple(
                    _convert(kind, item, f"{key}[{i}]", root)
                    for i, (kind, item) in enumerate(zip(kinds, value, strict=True))
                )
    elif wanted is float:
        number = _as_float(value)
        if number is not None and not math.isfinite(number):
            raise ConfigError(f"{key}: got {value!r}; wanted a finite number; do: change the value")
        if number is not None:
            return number
    elif wanted in (int, str, bool, type(None)):
        if type(value) is wanted:
            return value
    else:
        raise TypeError(f"{key}: {wanted} is not a type a configuration may have")
    raise ConfigError(
        f"{key}: got {_describe(value)}; wanted {_name(wanted)}; {_advice(wanted, value)}"
    )


def _convert_union(
    wanted: Any, arguments: tuple[Any, ...], value: Any, key: str, root: type
) -> Any:
    if value is None and type(None) in arguments:
        return None
    others = [kind for kind in arguments if kind is not type(None)]
    if len(others) == 1 and value is not None:
        # The error of the only candidate says more than "wanted a union".
        return _convert(others[0], value, key, root)
    # Exact types first: the 3 of `float | int` stays an int, and of `float | str` a "3" a str.
    for kind in sorted(others, key=lambda kind: type(value) is not kind):
        try:
            return _convert(kind, value, key, root)
        except ConfigError:
            continue
    raise ConfigError(f"{key}: got {_describe(value)}; wanted {_name(wanted)}; do: change it")


def _as_float(value: Any) -> float | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value) if abs(value) < 1e300 else math.inf
    if isinstance(value, float):
        return value
    # YAML 1.1 reads 1e-3 (no dot) as text; "nan" and "inf" as text stay text.
    if isinstance(value, str) and any(c.isdigit() for c in value):
        try:
            return float(value)
        except ValueError:
            return None
    return None


def _advice(wanted: Any, value: Any) -> str:
    if typing.get_origin(wanted) is Literal and isinstance(value, str):
        choices = [choice for choice in typing.get_args(wanted) if isinstance(choice, str)]
        nearest = difflib.get_close_matches(value, choices, n=1)
        if nearest:
            return f"do: did you mean {nearest[0]}?"
    if wanted is str:
        return f"do: quote it, '{value}'"
    return "do: change the value"


def _types(cls: type) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls) if field.init}


def _dotted_keys(cls: type, prefix: str = "") -> Iterator[str]:
    for name, kind in _types(cls).items():
        yield prefix + name
        for candidate in (kind, *typing.get_args(kind)):
            if dataclasses.is_dataclass(candidate):
                yield from _dotted_keys(typing.cast(type, candidate), f"{prefix}{name}.")


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """What is wrong inside is of this file, and its line says so."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _nearest(key: str, prefix: str, fields: Mapping[str, Any], root: type) -> str:
    """Advice: a sibling spelt alike; else a key of that name elsewhere; else to leave it out."""
    siblings = difflib.get_close_matches(key, fields, n=1, cutoff=0.6)
    elsewhere = [full for full in _dotted_keys(root) if full.rpartition(".")[2] == key]
    meant = [prefix + name for name in siblings] or elsewhere
    return f"did you mean {meant[0]}?" if meant else "leave it out"


def _describe(value: Any) -> str:
    try:
        return "null" if value is None else f"{type(value).__name__} {value!r:.200}"
    except (TypeError, ValueError, RecursionError):  # an integer of too many digits
        return f"{type(value).__name__} that cannot be shown"


def _name(kind: Any) -> str:
    """An annotation in words."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is type(None):
        return "null"
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin is tuple and arguments[-1:] == (...,):
        return f"a list of {_name(arguments[0])}"
    if origin is tuple:
        return f"a list [{', '.join(map(_name, arguments))}]"
    if origin in (Union, types.UnionType):
        return " or ".join(map(_name, arguments))
    return getattr(kind, "__name__", str(kind))
