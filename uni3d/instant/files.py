"""Where a teacher's instant network lies; free of torch, as the page asks before it is loaded."""

from pathlib import Path

from uni3d.errors import ConfigError, TeacherError
from uni3d.teacher.hub import find_folder

__all__ = ["FILE", "find_weights", "varies"]

FILE = "instant.safetensors"  # in a teacher's folder
APART = 0.01  # mean difference of pixels in 0..1; of two true toys of a sentence 0.04


def find_weights(weights: str, teacher: str, revision: str = "", variant: str = "") -> Path | None:
    """The file that is named, else the one in the teacher's folder; None where there is none.

    Nothing is downloaded. ConfigError for a named file that is not there.
    """
    if weights:
        path = Path(weights)
        if not path.is_file():
            raise ConfigError(
                f"instant weights: got {weights}; wanted a file of uni3d instant; "
                "do: check the path"
            )
        return path
    try:
        path = find_folder(teacher, revision, variant, download=False).folder / FILE
    except TeacherError:
        return None
    return path if path.is_file() else None


def varies(weights: Path) -> bool:
    """Whether two seeds make two objects: pictures of them differ by APART or more on average.

    A file that does not say so is taken to vary. CheckpointError for a file of something else.
    """
    from uni3d.storage.checkpoint import described

    apart = described(weights).get("apart")
    return not isinstance(apart, float) or apart >= APART
