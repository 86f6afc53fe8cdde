"""Where a teacher's instant network lies; free of torch, as the page asks before it is loaded."""

from pathlib import Path

from uni3d.errors import ConfigError, TeacherError
from uni3d.teacher.hub import find_folder

__all__ = ["FILE", "find_weights"]

FILE = "instant.safetensors"  # in a teacher's folder


def find_weights(weights: str, teacher: str, revision: str = "", variant: str = "") -> Path | None:
    """The file that is named, else the one in the teacher's folder; None where there is none.

    Nothing is downloaded. ConfigError for a named file that is not there.
    """
    if weights:
        path = Path(weights)
        if not path.is_file():
            raise ConfigError(f"instant weights: got {weights}; wanted a file of uni3d instant")
        return path
    try:
        path = find_folder(teacher, revision, variant, download=False).folder / FILE
    except TeacherError:
        return None
    return path if path.is_file() else None
