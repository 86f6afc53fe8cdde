"""Data sets in EDM's layout: PNGs and `dataset.json` in a zip (not compressed) or in a folder.

`dataset.json` is `{"labels": [[name, label], ...]}` or `{"labels": null}`; labels are integers, or
vectors of floats. Images are taken in the order of their names; square, a power of two, one size.
"""

import io
import json
import os
import warnings
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from uni3d.errors import Uni3DError
from uni3d.storage.below import files_below

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"})


class DataError(Uni3DError):
    """A data set, or a file that should become one, that is missing, damaged or of wrong form."""


def foreign(name: str) -> bool:
    """Whether a file is what macOS adds to archives: no image, whatever its suffix."""
    parts = name.split("/")
    return "__MACOSX" in parts or parts[-1].startswith("._")


def eight_bits(image: Any, name: str) -> Any:
    """A Pillow image as L or RGB. 16-bit grey is scaled; what is transparent shows white.

    Raises:
        DataError: grey values that have no known white.
    """
    from PIL import Image

    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.min(initial=0) < 0 or values.max(initial=0) > 65535:
            raise DataError(
                f"{name}: got grey values of {values.min()} to {values.max()}; wanted 8 or 16 "
                "bits; do: convert it"
            )
        return Image.fromarray(np.rint(values / 257).astype(np.uint8))
    if image.mode == "F":
        raise DataError(f"{name}: got grey values with fractions; wanted 8 or 16 bits; do: convert")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def decode(data: bytes, name: str) -> np.ndarray:
    """The bytes of a picture file as uint8 [height, width], or [height, width, 3], upright.

    Raises:
        DataError: not a picture, damaged, too large, several in one file, or of a kind that has
            no 8-bit form.
    """
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data))
            if (frames := getattr(image, "n_frames", 1)) > 1:
                raise DataError(
                    f"{name}: got {frames} pictures in one file; wanted one; do: split them"
                )
            return np.array(eight_bits(ImageOps.exif_transpose(image), name))
    except DataError:
        raise
    except Exception as error:  # Pillow raises whatever its parsers happen to raise
        raise DataError(
            f"{name}: got an unreadable image ({error}); wanted a PNG or JPEG of a usual size; "
            "do: remove it, or make the data set again"
        ) from error


class ImageStore:
    """Named files of a folder or a zip, sorted by name.

    A zip is opened again in every process that reads it: workers that shared the file's offset
    would get each other's bytes.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._zip: zipfile.ZipFile | None = None
        self._process = -1
        if self.path.is_dir():
            names = [p.relative_to(self.path).as_posix() for p in files_below(self.path)]
        elif self.path.is_file():
            names = [name for name in self._archive().namelist() if not name.endswith("/")]
        else:
            raise DataError(
                f"{path}: got no such file or folder; wanted an EDM zip or a folder of images; "
                "do: check the path, or make it with: image-distill prepare"
            )
        self.names = sorted(name for name in names if not foreign(name))
        self.images = [n for n in self.names if Path(n).suffix.lower() in IMAGE_SUFFIXES]
        known = {*self.images, "dataset.json"}
        self.left_out = [
            n for n in self.names if n not in known and (Path(n).name or ".")[0] != "."
        ]

    def _archive(self) -> zipfile.ZipFile:
        if self._zip is None or self._process != os.getpid():
            try:
                self._zip = zipfile.ZipFile(self.path)
            except Exception as error:  # zipfile raises what its parser happens to raise
                raise DataError(
                    f"{self.path}: got no readable zip ({error}); wanted an EDM zip; "
                    "do: make or download it again"
                ) from error
            self._process = os.getpid()
        return self._zip

    def open(self, name: str) -> IO[bytes]:
        """The file `name`, open for reading."""
        if self.path.is_dir():
            return (self.path / name).open("rb")
        return self._archive().open(name)

    def read_image(self, name: str) -> np.ndarray:
        """uint8 [channels, height, width]: three channels, or one where the file is grey."""
        pixels = decode(self._read(name), f"{self.path}: {name}")
        return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)

    def _read(self, name: str) -> bytes:
        try:
            with self.open(name) as file:
                return file.read()
        except Exception as error:  # zipfile: RuntimeError, NotImplementedError, zlib.error, ...
            raise DataError(
                f"{self.path}: {name}: got a file that cannot be read ({error}); wanted a zip "
                "that is whole, without password, stored or deflated; do: make it again"
            ) from error

    def is_grey(self, name: str) -> bool:
        """Whether `read_image` gives one channel; only the start of the file is looked at."""
        from PIL import Image

        try:
            image = Image.open(io.BytesIO(self._read(name)))
        except Exception:  # read_image says what is wrong
            return True
        return image.mode[:1] in "LI" and image.mode != "LA" and "transparency" not in image.info

    def read_labels(self) -> np.ndarray | None:
        """Labels in the order of `images`: int64 [n], or float32 [n, d]; None where there are none.

        Raises:
            DataError: an image without a label, or labels that are neither.
        """
        if "dataset.json" not in self.names:
            return None
        try:
            pairs = json.loads(self._read("dataset.json")).get("labels")
            by_name = None if pairs is None else dict(pairs)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise self._bad_labels(f"a malformed file ({error})") from error
        if by_name is None:
            return None
        missing = [name for name in self.images if name not in by_name]
        if missing:
            raise self._bad_labels(f"no label for {missing[0]} ({len(missing)} missing)")
        try:
            labels = np.array([by_name[name] for name in self.images])
        except (ValueError, OverflowError) as error:
            raise self._bad_labels("vectors of different lengths") from error
        if labels.ndim == 1 and labels.dtype.kind in "iu" and labels.min(initial=0) >= 0:
            return labels.astype(np.int64)
        if labels.ndim == 2 and labels.dtype.kind in "iuf":
            return labels.astype(np.float32)
        raise self._bad_labels(f"labels of shape {labels.shape} and type {labels.dtype}")

    def _bad_labels(self, got: str) -> DataError:
        return DataError(
            f"{self.path}: dataset.json: got {got}; wanted one integer from 0, or one vector of "
            "the same length, per image; do: correct dataset.json"
        )

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_zip": None, "_process": -1}

    def close(self) -> None:
        if self._zip is not None and self._process == os.getpid():
            self._zip.close()
        self._zip = None


class ImageDataset(Dataset[tuple[Tensor, Tensor]]):
    """Items are `(image, label)`: float32 [channels, size, size] in [-1, 1], float32 [label_dim].

    Integer labels become one-hot with `label_dim = max + 1`; without labels label_dim is 0.
    """

    def __init__(
        self, path: str | Path, *, use_labels: bool = True, max_size: int | None = None
    ) -> None:
        self.store = ImageStore(path)
        if not self.store.images:
            raise DataError(f"{path}: got no images; wanted at least one PNG; do: check the path")
        channels, height, width = self.store.read_image(self.store.images[0]).shape
        if height != width or height & (height - 1):
            raise DataError(
                f"{path}: got images of {width}x{height}; wanted squares of a power of two; "
                "do: make them so with: image-distill prepare folder"
            )
        self.channels, self.resolution = channels, height
        labels = self.store.read_labels() if use_labels else None
        if use_labels and labels is None:
            raise DataError(
                f"{path}: got no labels; wanted dataset.json with labels; "
                "do: train without classes, or prepare the data set with them"
            )
        self.labels = labels
        self.label_dim = 0
        if labels is not None:
            # Of all images, also where max_size leaves some out: it is the network's input.
            self.label_dim = int(labels.max()) + 1 if labels.ndim == 1 else labels.shape[1]
        self.names = self.store.images[:max_size]

    def __len__(self) -> int:
        return len(self.names)

    def pixels(self, index: int) -> np.ndarray:
        """Image `index` as uint8 [channels, size, size]."""
        image = self.store.read_image(self.names[index])
        wanted = (self.channels, self.resolution, self.resolution)
        if image.shape != wanted:
            raise DataError(
                f"{self.store.path}: got {self.names[index]} of shape {image.shape}; wanted "
                f"{wanted}, that of the first; do: make the data set again"
            )
        return image

    def label(self, index: int) -> np.ndarray:
        """Label `index` as float32 [label_dim]."""
        if self.labels is None:
            return np.zeros(0, dtype=np.float32)
        if self.labels.ndim == 2:
            return self.labels[index].copy()
        one_hot = np.zeros(self.label_dim, dtype=np.float32)
        one_hot[self.labels[index]] = 1
        return one_hot

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = torch.from_numpy(np.ascontiguousarray(self.pixels(index))).float() / 127.5 - 1
        return image, torch.from_numpy(self.label(index))


def to_uint8(images: Tensor) -> Tensor:
    """Images in [-1, 1] -> uint8, as published samples were quantised: x * 127.5 + 128, clipped."""
    return (images * 127.5 + 128).clamp(0, 255).to(torch.uint8)
