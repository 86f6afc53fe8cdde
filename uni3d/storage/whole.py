"""Files that appear whole or not at all: written beside their place, then moved there."""

import contextlib
import os
import pathlib
from collections.abc import Iterator, Mapping

from uni3d.errors import ConfigError, ExportError

__all__ = ["new_folder", "new_target", "replace_all", "temporary_names"]


def new_target(path: pathlib.Path, overwrite: bool) -> pathlib.Path:
    """`path`, where nothing is yet, or it may be replaced. Raises ConfigError."""
    there = any(path.iterdir()) if path.is_dir() else os.path.lexists(path)
    if there and not overwrite:
        raise ConfigError(
            f"{path}: got a name where something is; wanted a new one; do: another name, or "
            "--overwrite"
        )
    return path


def new_folder(path: pathlib.Path, do: str, own: tuple[str, ...] = ()) -> pathlib.Path:
    """`path`, made, if it holds nothing yet but what `own` names and what a kill may leave.

    do: what the one line of the ConfigError advises where it holds more.
    """
    if path.is_dir():
        inside = [p.name for p in path.iterdir() if p.name not in (".lock", *own)]
        inside = [name for name in inside if not (name[0] == "." and name.endswith(".part"))]
        if inside:
            raise ConfigError(
                f"{path}: got a folder that holds {min(inside)}; wanted a new one; do: {do}"
            )
    path.mkdir(parents=True, exist_ok=True)
    return path


def replace_all(files: Mapping[pathlib.Path, bytes]) -> None:
    """Write the files under temporary names, then move all of them to their places."""
    with temporary_names(list(files)) as temporaries:
        for temporary, data in zip(temporaries, files.values(), strict=True):
            temporary.write_bytes(data)


@contextlib.contextmanager
def temporary_names(paths: list[pathlib.Path]) -> Iterator[list[pathlib.Path]]:
    """Temporary names beside `paths`; moved there on success, removed on any failure.

    The files reach the disk before the old ones go, and have the rights that the umask gives:
    some writers (safetensors) make theirs unreadable for others.

    An OSError inside becomes an ExportError; what was at `paths` before is then still there.
    """
    for path in paths:
        if not path.name or path.is_dir():
            raise ExportError(f"{path}: got a folder, want the name of a file; do: another name")
    temporaries = [path.with_name(f".{path.name}.{os.getpid()}.part") for path in paths]
    try:
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
        rights = []
        for temporary in temporaries:
            temporary.touch()
            rights.append(temporary.stat().st_mode & 0o777)
        yield temporaries
        for temporary, mode in zip(temporaries, rights, strict=True):
            temporary.chmod(mode)
            with open(temporary, "rb") as stream:
                os.fsync(stream.fileno())  # a full disk must show before the old file is gone
        for temporary, path in zip(temporaries, paths, strict=True):
            os.replace(temporary, path)
    except OSError as error:
        raise ExportError(
            f"{paths[-1]}: got {error.strerror or error}, want a place that can be written; "
            "do: free some space or choose another folder (an earlier file there is unchanged)"
        ) from error
    finally:
        for temporary in temporaries:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
