"""The mesh formats that may be asked for, and what each needs installed."""

import importlib.util
from collections.abc import Sequence

from uni3d.errors import ConfigError, MissingExtraError

__all__ = ["FORMATS", "MORE_FORMATS", "at_hand", "check_formats"]

FORMATS = ("glb", "obj", "ply")  # what a run writes unless asked
MORE_FORMATS = ("stl", "3mf", "usdz")
# format -> the extra that it needs, and the modules of that extra with their packages
EXTRAS = {
    "3mf": ("print", {"lib3mf": "lib3mf", "lxml": "lxml", "networkx": "networkx"}),
    "usdz": ("usd", {"pxr": "usd-core"}),
}


def check_formats(formats: Sequence[str]) -> tuple[str, ...]:
    """The formats, each once. ConfigError for an unknown one, MissingExtraError for one whose
    packages are not installed."""
    known = (*FORMATS, *MORE_FORMATS)
    if isinstance(formats, str):
        formats = formats.split(",")
    if not isinstance(formats, Sequence) or not all(isinstance(name, str) for name in formats):
        raise ConfigError(
            f"formats: got {formats!r:.200}; wanted names such as ('glb', 'stl'); do: these"
        )
    formats = [name.strip().lower().removeprefix(".") for name in formats]
    if not formats or any(name not in known for name in formats):
        raise ConfigError(
            f"formats: got {','.join(formats)!r}; want some of {', '.join(known)}; do: choose"
        )
    for name in formats:
        extra, modules = EXTRAS.get(name, ("", {}))
        for module, package in modules.items():
            if importlib.util.find_spec(module) is None:
                raise MissingExtraError(package, extra)
    return tuple(dict.fromkeys(formats))


def at_hand() -> tuple[str, ...]:
    """The formats whose packages are installed."""

    def works(name: str) -> bool:
        try:
            check_formats([name])
        except MissingExtraError:
            return False
        return True

    return tuple(name for name in (*FORMATS, *MORE_FORMATS) if works(name))
