"""Errors meant for the person who made them: what, got, wanted, what to do, in one line."""

import io
import sys

__all__ = [
    "CheckpointError",
    "ConfigError",
    "ExportError",
    "MissingExtraError",
    "NonFiniteError",
    "OutOfMemoryError",
    "PromptError",
    "TeacherError",
    "Uni3DError",
    "escape_missing_letters",
]


class Uni3DError(Exception):
    """Base of every user-facing error; the CLI prints `str(error)` in one line and exits with 2."""


class ConfigError(Uni3DError):
    """An unknown key, a wrong type or an impossible combination in the configuration."""


class PromptError(Uni3DError):
    """A prompt that cannot be used: empty, too long, or (with --strict) with unknown words."""


class TeacherError(Uni3DError):
    """A teacher that is not known or cannot be loaded."""


class CheckpointError(Uni3DError):
    """A run folder or checkpoint that is missing, damaged or from another configuration."""


class ExportError(Uni3DError):
    """A mesh that cannot be made or written; what was already made stays."""


class NonFiniteError(Uni3DError):
    """The optimisation produced NaN or infinity and could not be rolled back."""


class OutOfMemoryError(Uni3DError):
    """The machine's or the card's memory did not suffice; what was saved before stays."""


class MissingExtraError(Uni3DError):
    """An optional package is needed; the message names the extra to install, "" where it is one of
    those that every installation has. From a checkout: the name on the package index may be
    anybody's."""

    def __init__(self, package: str, extra: str = "") -> None:
        place = f"'.[{extra}]'" if extra else "."
        super().__init__(
            f"{package} is needed for this and is not installed; do, in this project's folder: "
            f"pip install -e {place}"
        )


def escape_missing_letters() -> None:
    """stdout and stderr write an escape where they lack a letter: it costs that, not the run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
