"""Who writes a run folder: one process at a time. A kill lets go of the lock, too."""

import contextlib
import errno
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path

from uni3d.errors import CheckpointError

__all__ = ["held", "is_held"]

LOCK = ".lock"
PATIENCE = 0.5  # seconds: `is_held` takes the lock for a moment


def _taken(error: OSError) -> bool:
    return error.errno in (errno.EWOULDBLOCK, errno.EACCES)


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Write `folder` inside. Parts of files that a killed writer left there are removed.

    Raises CheckpointError where another process, or another part of this one, writes it. On a
    file system without locks there is none.
    """
    with (folder / LOCK).open("a") as file:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if not _taken(error):
                    break
                if time.monotonic() > until:
                    raise CheckpointError(
                        f"{folder}: another process is writing this run; do: wait for it, or end it"
                    ) from error
                time.sleep(0.05)
        for left in folder.glob(".*.part"):
            left.unlink(missing_ok=True)
        yield


def is_held(folder: Path) -> bool:
    """Whether some process writes `folder` now."""
    try:
        with (folder / LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except OSError as error:
        return _taken(error) and not isinstance(error, PermissionError)
