"""A frozen dataclass as command-line flags: `--name`, or with hyphens, and `key=value`."""

import argparse
import dataclasses
import typing
from pathlib import Path
from typing import Any, TypeVar

from uni3d import config_io
from uni3d.errors import ConfigError

__all__ = ["add_flags", "gives", "read_flags"]

Kind = TypeVar("Kind")
_PREFIX = "recipe_"


def add_flags(parser: argparse.ArgumentParser, kind: type) -> None:
    """`--config FILE`, a flag for every field of `kind`, and free `key=value`."""
    parser.add_argument("--config", type=Path, metavar="YAML", help="differences from the defaults")
    group = parser.add_argument_group("recipe", "every key of the recipe, as in the YAML file")
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        names = dict.fromkeys([f"--{field.name}", f"--{field.name.replace('_', '-')}"])
        wanted = getattr(hints[field.name], "__name__", str(hints[field.name]))
        has_default = field.default is not dataclasses.MISSING
        group.add_argument(
            *names,
            dest=_PREFIX + field.name,
            metavar=field.name.upper(),
            help=f"{wanted}; default {field.default}" if has_default else wanted,
        )
    parser.add_argument("set", nargs="*", metavar="key=value", help="the same, without dashes")


def gives(arguments: argparse.Namespace, name: str) -> bool:
    """Whether the command line itself says what `name` is."""
    dashed = getattr(arguments, _PREFIX + name, None) is not None
    return dashed or any(text.startswith(f"{name}=") for text in arguments.set)


def read_flags(
    arguments: argparse.Namespace, kind: type[Kind], base: dict[str, Any] | None = None
) -> Kind:
    """`kind` from `base`, else from --config, then flags and `key=value`, in that order.

    Raises:
        ConfigError: see `uni3d.config_io`.
    """
    mapping = dict(base or {})
    if arguments.config is not None:
        mapping |= config_io.read_yaml(arguments.config)
    hints = typing.get_type_hints(kind)
    for name, wanted in hints.items():
        text = getattr(arguments, _PREFIX + name, None)
        if text is None:
            continue
        if wanted is bool and text in ("0", "1"):
            text = "true" if text == "1" else "false"  # as the reference's flags are written
        if wanted in (str, str | None) and text not in ("null", "none"):
            mapping[name] = text
            continue
        value = "null" if text == "none" else text
        mapping = config_io.apply_overrides(mapping, [f"{name}={value}"])
    try:
        return config_io.load(kind, config_io.apply_overrides(mapping, arguments.set))
    except ValueError as error:
        raise ConfigError(str(error)) from error
