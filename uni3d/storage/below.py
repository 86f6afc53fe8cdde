"""The files of a folder of somebody else's: a model, a data set."""

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["files_below"]


def files_below(folder: Path) -> list[Path]:
    """All files at any depth, sorted. Raises OSError for a folder that cannot be read.

    Links to folders are followed: models and data sets are put together of them, and `Path.rglob`
    passes them by without a word.
    """
    return sorted(_below(folder, frozenset()))


def _below(folder: Path, way: frozenset[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in way:  # a link to a folder that it lies in
        return
    for path in folder.iterdir():
        if path.is_dir():
            yield from _below(path, way | {real})
        elif path.is_file():
            yield path
