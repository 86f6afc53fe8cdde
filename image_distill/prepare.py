"""Public archives -> zips in EDM's layout (data.py). Nothing in an archive is ever unpickled.

`prepare(kind, source, out)`, kind one of KINDS. Images are written uncompressed, as
`00000/img00000000.png`; the zip appears under its name only when it is complete.
"""

import gzip
import io
import json
import os
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import numpy as np

from image_distill.data import IMAGE_SUFFIXES, DataError, ImageStore, decode, foreign
from uni3d.errors import Uni3DError
from uni3d.storage.below import files_below

_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".zip")
_SYNSET = re.compile(r"n\d{8}")
Label = int | str | list[float]


class EDMWriter:
    """Writes images one by one; used with `with`. Labels: all images or none.

    Text labels become the index in their sorted set when the zip is closed.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.suffix != ".zip":
            raise DataError(f"{path}: got this name; wanted NAME.zip; do: add .zip")
        self._partial = self.path.with_name(self.path.name + ".partial")
        self.labels: list[tuple[str, Label | None]] = []
        self._shape: tuple[int, ...] | None = None

    def __enter__(self) -> "EDMWriter":
        if self.path.is_dir():
            raise DataError(f"{self.path}: got a folder; wanted NAME.zip; do: another name")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._zip = zipfile.ZipFile(self._partial, "w", zipfile.ZIP_STORED)
        return self

    def add(self, pixels: np.ndarray, label: Label | None = None) -> None:
        """One uint8 image [size, size] or [size, size, 3], all of one shape."""
        from PIL import Image

        size = pixels.shape[0]
        if pixels.shape[1] != size or size & (size - 1):
            raise DataError(
                f"image {len(self.labels)}: got {pixels.shape[1]}x{size} pixels; wanted a square "
                "of a power of two; do: give a resolution to crop and scale to"
            )
        self._shape = self._shape or pixels.shape
        if pixels.shape != self._shape:
            raise DataError(
                f"image {len(self.labels)}: got shape {pixels.shape}; wanted {self._shape}, that "
                "of the first; do: give a resolution, or convert all to RGB"
            )
        number = f"{len(self.labels):08d}"
        name = f"{number[:5]}/img{number}.png"
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, format="png", compress_level=0)
        # A fixed time: the same source gives the same bytes.
        self._zip.writestr(zipfile.ZipInfo(name), buffer.getvalue())
        self.labels.append((name, label))

    def _dataset_json(self) -> str:
        values = [label for _, label in self.labels]
        if all(value is None for value in values):
            return json.dumps({"labels": None})
        if any(value is None for value in values):
            raise DataError(
                f"labels: got {values.count(None)} images without one; wanted one for every image "
                "or none; do: complete the labels"
            )
        if any(isinstance(value, str) for value in values):
            index = {name: i for i, name in enumerate(sorted({str(v) for v in values}))}
            values = [index[str(value)] for value in values]
        names = (name for name, _ in self.labels)
        return json.dumps({"labels": [list(pair) for pair in zip(names, values, strict=True)]})

    def __exit__(self, kind: type | None, *_: Any) -> None:
        complete = False
        try:
            if kind is None:
                if not self.labels:
                    raise DataError(
                        f"{self.path}: got no images to write; wanted at least one; "
                        "do: check the source"
                    )
                self._zip.writestr(zipfile.ZipInfo("dataset.json"), self._dataset_json())
                complete = True
        finally:
            self._zip.close()
            if complete:
                os.replace(self._partial, self.path)
            else:
                self._partial.unlink(missing_ok=True)


def centre_crop(pixels: np.ndarray, size: int) -> np.ndarray:
    """The largest centred square of uint8 [h, w, 3] or [h, w], Lanczos-scaled to `size`."""
    from PIL import Image

    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = Image.fromarray(pixels[top : top + side, left : left + side])
    return np.array(square.resize((size, size), Image.Resampling.LANCZOS))


def _is_archive(name: str) -> bool:
    return name.lower().endswith(_ARCHIVES)


def _archive_files(file: IO[bytes], where: str) -> Iterator[tuple[str, IO[bytes]]]:
    """(path inside, open file) of a tar (plain or gz) or zip, archives within it included."""
    try:
        if where.lower().endswith(".zip"):
            with zipfile.ZipFile(file) as archive:
                for name in archive.namelist():
                    if not name.endswith("/"):
                        with archive.open(name) as member:
                            yield from _descend(member, f"{where}/{name}")
            return
        with tarfile.open(fileobj=file, mode="r:*") as archive:
            for info in archive:
                member = archive.extractfile(info) if info.isfile() else None
                if member is not None:
                    yield from _descend(member, f"{where}/{info.name}")
    except Uni3DError:
        raise
    except Exception as error:  # tarfile, zipfile and their decompressors: much beside OSError
        raise DataError(
            f"{where}: got a damaged archive ({error}); wanted a tar or zip; do: download it again"
        ) from error


def _descend(file: IO[bytes], name: str) -> Iterator[tuple[str, IO[bytes]]]:
    if _is_archive(name):
        yield from _archive_files(file, name)
    else:
        yield name, file


def _files(source: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """(path, open file) of everything in a folder or archive; archives in it are looked into.

    A data set that was split into several archives is therefore given as the folder they are in.
    """
    if source.is_dir():
        paths = files_below(source)
    elif source.is_file() and _is_archive(source.name):
        paths = [source]
    else:
        raise DataError(
            f"{source}: got no folder and no {', '.join(_ARCHIVES)}; wanted one of them; "
            "do: check the path"
        )
    for path in paths:
        with path.open("rb") as file:
            name = source.name if path == source else path.relative_to(source).as_posix()
            yield from _descend(file, name)


def cifar10(source: Path, writer: EDMWriter) -> None:
    """The 50,000 training images of `cifar-10-binary.tar.gz`, or of the folder it unpacks to.

    A record is one byte of label and 3 x 32 x 32 bytes of pixels, channels first.
    """
    batches: dict[str, bytes] = {}
    for name, file in _files(source):
        base = name.rpartition("/")[2]
        if re.fullmatch(r"data_batch_[1-5]\.bin", base):
            batches[base] = file.read()
        elif re.fullmatch(r"data_batch_[1-5]", base):
            raise DataError(
                f"{source}: got the python form of CIFAR-10, whose batches are pickles; wanted "
                "its binary form; do: download cifar-10-binary.tar.gz"
            )
    missing = [n for i in range(1, 6) if (n := f"data_batch_{i}.bin") not in batches]
    if missing:
        raise DataError(
            f"{source}: got no {', '.join(missing)}; wanted the binary archive of CIFAR-10; "
            "do: download cifar-10-binary.tar.gz"
        )
    for name in sorted(batches):
        data = batches[name]
        if len(data) % 3073:
            raise DataError(
                f"{source}: got {len(data)} bytes in {name}; wanted a multiple of 3073; "
                "do: download it again"
            )
        records = np.frombuffer(data, np.uint8).reshape(-1, 3073)
        for record in records:
            pixels = record[1:].reshape(3, 32, 32).transpose(1, 2, 0)
            writer.add(np.ascontiguousarray(pixels), int(record[0]))


def _in_colour(pixels: np.ndarray) -> np.ndarray:
    return pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=-1)


def imagenet64(source: Path, writer: EDMWriter) -> None:
    """Centre crop and Lanczos to 64 x 64; the class is the synset (n01440764) in the path.

    Takes a folder per class, an archive per class, the archive of those, or several archives of
    images named by synset. The class index is that of the sorted synsets.
    """
    for name, file in _files(source):
        if Path(name).suffix.lower() not in IMAGE_SUFFIXES or foreign(name):
            continue
        synsets = _SYNSET.findall(name)
        if not synsets:
            raise DataError(
                f"{source}: got {name} without a synset like n01440764 in its path; wanted the "
                "training images; do: give the folder with one folder or archive per class"
            )
        writer.add(centre_crop(_in_colour(decode(file.read(), name)), 64), synsets[-1])


def _read_idx(data: bytes, name: str, dimensions: int) -> np.ndarray:
    """uint8 array of an idx file: 0, 0, 8 (unsigned byte), rank, then big-endian sizes."""
    start = 4 + 4 * dimensions
    if len(data) >= start and data[:4] == bytes([0, 0, 8, dimensions]):
        shape = np.frombuffer(data, ">u4", dimensions, 4).astype(np.int64)
        if len(data) == start + int(shape.prod()):
            return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
    raise DataError(
        f"{name}: got no complete idx file of {dimensions} dimensions; wanted one of unsigned "
        "bytes; do: download it again"
    )


def fashion_mnist(
    source: Path, writer: EDMWriter, resolution: int | None = None, part: str = "train"
) -> None:
    """The 60,000 training images as grey 32 x 32: two pixels of zeros on each side of 28 x 28.

    With `resolution` 16 (or less) each pixel is the mean of a square of those, rounded.
    `source` is a folder with `train-{images-idx3,labels-idx1}-ubyte`, with or without `.gz`; the
    part "t10k" are the 10,000 test images.
    """
    arrays = {}
    for what, dimensions in (("images", 3), ("labels", 1)):
        wanted = f"{part}-{what}-idx{dimensions}-ubyte"
        there = files_below(source)
        found = [p for name in (wanted + ".gz", wanted) for p in there if p.name == name]
        if not found:
            raise DataError(
                f"{source}: got no {wanted}.gz; wanted the folder with the training files; "
                "do: check the path (on Debian: apt-get install dataset-fashion-mnist)"
            )
        try:
            data = found[0].read_bytes()
            data = gzip.decompress(data) if found[0].suffix == ".gz" else data
        except (OSError, EOFError) as error:
            raise DataError(
                f"{found[0]}: got a damaged gzip ({error}); wanted {wanted}.gz; "
                "do: download it again"
            ) from error
        arrays[what] = _read_idx(data, str(found[0]), dimensions)
    images, labels = arrays["images"], arrays["labels"]
    if images.shape[1:] != (28, 28) or len(images) != len(labels):
        raise DataError(
            f"{source}: got images {images.shape} and {len(labels)} labels; wanted one label per "
            "28x28 image; do: download both files again"
        )
    size = resolution or 32
    for pixels, label in zip(images, labels, strict=True):
        squares = np.pad(pixels, 2).reshape(size, 32 // size, size, 32 // size)
        writer.add(np.rint(squares.mean((1, 3))).astype(np.uint8), int(label))


def folder(source: Path, writer: EDMWriter, resolution: int | None = None) -> None:
    """Any folder or zip of images, in name order, with the labels of its `dataset.json` if any.

    Grey images among others are made RGB. With `resolution` each image is
    centre-cropped and Lanczos-scaled to it.
    """
    store = ImageStore(source)
    labels = store.read_labels()
    colour = not all(store.is_grey(name) for name in store.images)
    for index, name in enumerate(store.images):
        image = store.read_image(name)
        pixels = image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0))
        pixels = _in_colour(pixels) if colour else pixels
        if resolution is not None:
            pixels = centre_crop(pixels, resolution)
        writer.add(pixels, None if labels is None else labels[index].tolist())
    store.close()


KINDS: Mapping[str, Callable[..., None]] = MappingProxyType(
    {
        "cifar10": cifar10,
        "imagenet64": imagenet64,
        "fashion-mnist": fashion_mnist,
        "fashion-mnist-test": partial(fashion_mnist, part="t10k"),
        "folder": folder,
    }
)


def prepare(
    kind: str, source: str | Path, out: str | Path, *, resolution: int | None = None
) -> int:
    """Write the data set `kind` found at `source` to `out` (.zip); the number of images written.

    Raises:
        DataError: an unknown kind, a source that is missing or damaged; nothing is left at `out`.
    """
    if kind not in KINDS:
        raise DataError(f"prepare: got {kind!r}; wanted one of {', '.join(KINDS)}; do: choose one")
    fashion = kind.startswith("fashion")
    if resolution is not None and kind != "folder" and not fashion:
        raise DataError(
            f"resolution: got {resolution} with {kind}; wanted none, {kind} has its own; "
            "do: leave it out, or use folder"
        )
    if fashion and resolution not in (None, 32, 16, 8):
        raise DataError(
            f"resolution: got {resolution} with {kind}; wanted 32, 16 or 8, which divide its "
            "padded pictures; do: choose one"
        )
    if not Path(source).exists():
        raise DataError(f"{source}: got no such file or folder; wanted it; do: check the path")
    if Path(out).exists() and Path(out).samefile(source):
        raise DataError(f"{out}: got the source itself; wanted a new NAME.zip; do: another name")
    with EDMWriter(out) as writer:
        options = {"resolution": resolution} if kind == "folder" or fashion else {}
        KINDS[kind](Path(source), writer, **options)
        return len(writer.labels)
