"""What a folder holds and what a command said, for tests of what may not be lost or repeated."""

from pathlib import Path

__all__ = ["contents", "one_line"]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below it but locks, by its path."""
    files = (p for p in folder.rglob("*") if p.is_file() and p.name != ".lock")
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def one_line(capsys) -> str:
    """The one line of an error that was printed."""
    lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith("uni3d: error: ")]
    assert len(lines) == 1, lines
    return lines[0]
