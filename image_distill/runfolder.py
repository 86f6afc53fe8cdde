"""The folder of one training run: recipe, log, sample grids, snapshots of the generator.

recipe.yaml  log.jsonl  checkpoint.safetensors  samples.png (of the last tick)  fakes000000.png
network-snapshot-000123/ (or best/ and last/)  teacher/ (where a pickle was imported)
"""

import contextlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from image_distill.data import to_uint8
from image_distill.denoisers import Denoiser
from image_distill.teachers import save_denoiser
from uni3d.errors import ConfigError, MissingExtraError, NonFiniteError
from uni3d.storage.checkpoint import finite
from uni3d.storage.lock import held
from uni3d.storage.whole import replace_all

__all__ = ["CHECKPOINT", "LOG", "RECIPE", "RunFolder", "check_outdir", "grid", "resumed_folder"]

CHECKPOINT, RECIPE, LOG = "checkpoint.safetensors", "recipe.yaml", "log.jsonl"


def grid(images: Tensor, columns: int | None = None) -> np.ndarray:
    """Images [n, 1 or 3, h, w] in [-1, 1] side by side: uint8 [rows h, columns w, 3]."""
    pixels = to_uint8(images).expand(-1, 3, -1, -1).cpu().numpy()
    columns = columns or math.ceil(math.sqrt(len(pixels)))
    rows = -(-len(pixels) // columns)
    height, width = pixels.shape[2:]
    sheet = np.zeros((rows * height, columns * width, 3), np.uint8)
    for i, image in enumerate(pixels):
        top, left = i // columns * height, i % columns * width
        sheet[top : top + height, left : left + width] = image.transpose(1, 2, 0)
    return sheet


def resumed_folder(text: str) -> Path:
    """What --resume means: the folder of a run, also given by a file in it; or a reference's .pt.

    Raises:
        ConfigError: there is none.
    """
    path = Path(text).expanduser()
    if text.strip() and path.is_file():
        if path.suffix == ".pt":
            return path
        path = path.parent
    if not text.strip() or not any((path / name).is_file() for name in (RECIPE, CHECKPOINT)):
        raise ConfigError(
            f"resume: got {text!r}, where no run is; wanted a folder with {RECIPE}, or a "
            "training-state-NNNNNN.pt; do: check the path"
        )
    return path


def check_outdir(outdir: str | Path, resume: str | None) -> None:
    """Raise ConfigError where a run that does not go on in its own folder would replace things."""
    path = Path(outdir)
    if not str(outdir).strip() or (path.exists() and not path.is_dir()):
        raise ConfigError(f"outdir: got {str(outdir)!r}; wanted a folder; do: another name")
    if not path.is_dir() or (resume and Path(resume).exists() and path.samefile(resume)):
        return
    # What a run leaves that was stopped while it began: imported networks, its lock.
    own = ("teacher", "sid_model", ".lock")
    inside = [p.name for p in path.iterdir() if p.name not in own and p.suffix != ".part"]
    if inside:
        what = "a run" if LOG in inside else f"something else ({min(inside)})"
        raise ConfigError(
            f"outdir: got {path}, which holds {what}; wanted a new folder; do: choose another"
            + (f", or go on with: image-distill train --resume {path}" if LOG in inside else "")
        )


class RunFolder:
    """Writes what the first process of a run has to say. No other process may meanwhile."""

    def __init__(
        self, path: str | Path, recipe: str, *, resumed_at: int | None, board: bool
    ) -> None:
        """
        Args:
            recipe: the resolved recipe as YAML.
            resumed_at: images at which this run goes on; later records of the log are dropped.
            board: write TensorBoard's files too.

        Raises:
            ConfigError: a new run in the folder of an old one.
        """
        self.path = Path(path)
        if resumed_at is None and (self.path / LOG).exists():
            raise ConfigError(
                f"outdir: got {path}, which holds a run; wanted a new folder; "
                f"do: choose another, or go on with: image-distill train --resume {path}"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        self._held = contextlib.ExitStack()  # let go of with this object, or by a kill
        self._held.enter_context(held(self.path))
        replace_all({self.path / RECIPE: recipe.encode()})
        kept: list[str] = []
        if resumed_at is not None and (self.path / LOG).exists():
            # A line that a kill cut short is one of those after the checkpoint.
            kept = [
                line
                for line, record in self._records()
                if record["kimg"] * 1000 <= resumed_at + 0.5
            ]
        replace_all({self.path / LOG: "".join(line + "\n" for line in kept).encode()})
        self._board = self._open_board() if board else None

    def _open_board(self) -> Any:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError("tensorboard", "image") from error
        return SummaryWriter(str(self.path))

    def record(self, record: Mapping[str, Any]) -> None:
        """One line of the log, in the file before this returns."""
        with (self.path / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps(dict(record)) + "\n")
        if self._board is not None:
            for name, value in record.items():
                if isinstance(value, int | float):
                    self._board.add_scalar(name, value, round(record["kimg"] * 1000))
            self._board.flush()

    def _records(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The lines of the log and what they say; lines that are damaged are left out."""
        for line in (self.path / LOG).read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                record = json.loads(line)
                float(record["kimg"])
            except (ValueError, TypeError, KeyError, RecursionError):
                continue
            yield line, record

    def best_score(self, name: str) -> float:
        """The lowest value of the metric `name` in the log; infinity before the first."""
        found = [record.get(name, math.inf) for _, record in self._records()]
        return min(found, default=math.inf)

    def picture(self, name: str, images: Tensor) -> None:
        """A grid of `images` [n, c, h, w] in [-1, 1] as NAME.png."""
        from PIL import Image

        Image.fromarray(grid(images)).save(self.path / f"{name}.png")

    def snapshot(self, name: str, network: Denoiser, like: Path, kimg: float) -> None:
        """The network in the folder NAME, as `load_denoiser` reads it.

        Raises:
            NonFiniteError: it holds NaN or infinity; what was there stays.
        """
        if not finite(network.state_dict()):
            raise NonFiniteError(
                f"{self.path}: the network at {kimg:g} kimg is not finite and is not saved; "
                "do: resume, which goes on from the checkpoint before it, with a lower lr and glr"
            )
        save_denoiser(self.path / name, network, like, {"source": f"image-distill, {kimg:g} kimg"})
