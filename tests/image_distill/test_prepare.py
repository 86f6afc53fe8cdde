"""Archives made here byte by byte, read back with zipfile and PIL alone."""

import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from image_distill.data import DataError, ImageDataset, ImageStore
from image_distill.prepare import prepare


def read_back(path):
    """(images in name order, labels or None)."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        names = sorted(e.filename for e in entries if e.filename.endswith(".png"))
        images = [np.array(Image.open(io.BytesIO(archive.read(n)))) for n in names]
        labels = json.loads(archive.read("dataset.json"))["labels"]
    assert all(e.compress_type == zipfile.ZIP_STORED for e in entries)
    assert names == [f"{i // 1000:05d}/img{i:08d}.png" for i in range(len(names))]
    return images, None if labels is None else [dict(labels)[n] for n in names]


def add(archive, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def encoded(pixels, kind="png"):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=kind)
    return buffer.getvalue()


def cifar_archive(path, batches, name="data_batch_{}.bin"):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (2 * batches, 32, 32, 3), dtype=np.uint8)
    labels = random.integers(0, 10, 2 * batches).tolist()
    with tarfile.open(path, "w:gz") as archive:
        for batch in reversed(range(batches)):  # order of names, not of the archive
            data = b""
            for i in (2 * batch, 2 * batch + 1):
                planes = b"".join(images[i, :, :, c].tobytes() for c in range(3))
                data += bytes([labels[i]]) + planes
            add(archive, f"cifar-10-batches-bin/{name.format(batch + 1)}", data)
        add(archive, "cifar-10-batches-bin/test_batch.bin", bytes(3073))
    return images, labels


def test_pictures_in_linked_folders_count(tmp_path):
    """A class folder may lie on another disk; a link to the folder that it is in ends."""
    source, elsewhere = tmp_path / "pictures", tmp_path / "elsewhere"
    for folder, shade in ((source / "cat", 10), (elsewhere, 200)):
        folder.mkdir(parents=True)
        (folder / "a.png").write_bytes(encoded(np.full((8, 8), shade, np.uint8)))
    (source / "dog").symlink_to(elsewhere, target_is_directory=True)
    (elsewhere / "loop").symlink_to(source, target_is_directory=True)
    assert ImageDataset(str(source), use_labels=False).resolution == 8
    assert len(ImageStore(source).images) == 2
    assert prepare("folder", source, tmp_path / "out.zip") == 2
    images, _ = read_back(tmp_path / "out.zip")
    assert sorted(int(image.max()) for image in images) == [10, 200]


def test_cifar10(tmp_path):
    images, labels = cifar_archive(tmp_path / "c.tar.gz", 5)
    assert prepare("cifar10", tmp_path / "c.tar.gz", tmp_path / "out.zip") == 10
    got, got_labels = read_back(tmp_path / "out.zip")
    assert np.array_equal(np.stack(got), images) and got_labels == labels
    with tarfile.open(tmp_path / "c.tar.gz") as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    prepare("cifar10", tmp_path / "unpacked", tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == (tmp_path / "out.zip").read_bytes()


class Hostile:
    def __reduce__(self):
        return (pytest.fail, ("the pickle was executed",))


def test_cifar10_in_its_python_form_is_refused_unread(tmp_path):
    with tarfile.open(tmp_path / "p.tar.gz", "w:gz") as archive:
        add(archive, "cifar-10-batches-py/data_batch_1", pickle.dumps(Hostile()))
    with pytest.raises(DataError, match=r"python form of CIFAR-10.*binary form"):
        prepare("cifar10", tmp_path / "p.tar.gz", tmp_path / "out.zip")
    cifar_archive(tmp_path / "four.tar.gz", 4)
    with pytest.raises(DataError, match=r"got no data_batch_5.bin"):
        prepare("cifar10", tmp_path / "four.tar.gz", tmp_path / "out.zip")
    assert not list(tmp_path.glob("out.zip*"))


def lanczos(pixels, size):
    image = Image.fromarray(pixels)
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    image = image.crop((left, top, left + side, top + side))
    return np.array(image.resize((size, size), Image.Resampling.LANCZOS))


def photographs():
    random = np.random.default_rng(2)
    sizes = [(90, 121), (130, 70), (64, 64), (200, 99)]
    return [random.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


SYNSETS = ["n02000000", "n01000000", "n02000000", "n01000000"]


def test_imagenet64_from_folders_tars_and_split_archives_agree(tmp_path):
    pictures = photographs()
    split, nested = tmp_path / "split", tmp_path / "train.tar"
    split.mkdir()
    for half in range(2):  # flat archives, the synset in the file's name
        with tarfile.open(split / f"train_{half}.tar.gz", "w:gz") as archive:
            for i in (2 * half, 2 * half + 1):
                add(archive, f"img_{i}_{SYNSETS[i]}.JPEG", encoded(pictures[i]))
    with tarfile.open(nested, "w") as outer:  # a tar of one tar per class
        for synset in sorted(set(SYNSETS)):
            inner = io.BytesIO()
            with tarfile.open(fileobj=inner, mode="w") as archive:
                for i in range(4):
                    if SYNSETS[i] == synset:
                        add(archive, f"{i}.JPEG", encoded(pictures[i]))
            add(outer, f"{synset}.tar", inner.getvalue())
    for i, synset in enumerate(SYNSETS):  # a folder per class
        (tmp_path / "folders" / synset).mkdir(parents=True, exist_ok=True)
        (tmp_path / "folders" / synset / f"{i}.JPEG").write_bytes(encoded(pictures[i]))

    by_class = [1, 3, 0, 2]
    for source, order in ((split, range(4)), (nested, by_class), (tmp_path / "folders", by_class)):
        assert prepare("imagenet64", source, tmp_path / "out.zip") == 4
        images, labels = read_back(tmp_path / "out.zip")
        assert labels == [int(SYNSETS[i] == "n02000000") for i in order]
        for image, i in zip(images, order, strict=True):
            assert np.array_equal(image, lanczos(pictures[i], 64))


def test_imagenet64_needs_synsets(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "ILSVRC2012_val_00000001.png").write_bytes(encoded(photographs()[0]))
    with pytest.raises(DataError, match="without a synset"):
        prepare("imagenet64", tmp_path / "x", tmp_path / "out.zip")


def idx(array):
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


@pytest.mark.parametrize("suffix", [".gz", ""])
def test_fashion_mnist_is_padded(tmp_path, suffix):
    random = np.random.default_rng(3)
    images = random.integers(0, 256, (6, 28, 28), dtype=np.uint8)
    labels = np.array([9, 0, 3, 3, 1, 7], dtype=np.uint8)
    pack = gzip.compress if suffix else bytes
    for name, array in (("images-idx3", images), ("labels-idx1", labels)):
        (tmp_path / f"train-{name}-ubyte{suffix}").write_bytes(pack(idx(array)))
    assert prepare("fashion-mnist", tmp_path, tmp_path / "out.zip") == 6
    got, got_labels = read_back(tmp_path / "out.zip")
    expected = np.zeros((6, 32, 32), np.uint8)
    expected[:, 2:30, 2:30] = images
    assert np.array_equal(np.stack(got), expected) and got_labels == labels.tolist()

    prepare("fashion-mnist", tmp_path, tmp_path / "small.zip", resolution=16)
    got, got_labels = read_back(tmp_path / "small.zip")
    assert got_labels == labels.tolist() and got[0].shape == (16, 16)
    boxes = [Image.fromarray(e).resize((16, 16), Image.Resampling.BOX) for e in expected]
    assert np.abs(np.stack(got).astype(int) - np.stack([np.array(b) for b in boxes])).max() <= 1
    corner = expected[2, 4:6, 8:10].astype(float).mean()
    assert abs(float(got[2][2, 4]) - corner) <= 0.5
    with pytest.raises(DataError, match="wanted 32, 16 or 8"):
        prepare("fashion-mnist", tmp_path, tmp_path / "odd.zip", resolution=14)

    (tmp_path / f"train-labels-idx1-ubyte{suffix}").write_bytes(pack(idx(labels)[:-1]))
    with pytest.raises(DataError, match="no complete idx file"):
        prepare("fashion-mnist", tmp_path, tmp_path / "bad.zip")


def test_folder_keeps_labels_and_pixels_or_scales(tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    random = np.random.default_rng(4)
    images = random.integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    for name, image in zip("cab", images, strict=True):
        (source / f"{name}.png").write_bytes(encoded(image))
    prepare("folder", source, tmp_path / "out.zip")
    got, labels = read_back(tmp_path / "out.zip")
    assert labels is None and np.array_equal(np.stack(got), images[[1, 2, 0]])

    text = {"labels": [["a.png", [0.5, 1]], ["b.png", [2, 3]], ["c.png", [4, 5]]]}
    (source / "dataset.json").write_text(json.dumps(text))
    prepare("folder", source, tmp_path / "out.zip", resolution=8)
    got, labels = read_back(tmp_path / "out.zip")
    assert labels == [[0.5, 1], [2, 3], [4, 5]]
    assert np.array_equal(np.stack(got), np.stack([lanczos(images[i], 8) for i in (1, 2, 0)]))


def test_wrong_sources(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(DataError, match="got no images to write"):
        prepare("folder", tmp_path / "x", tmp_path / "out.zip")
    (tmp_path / "x" / "a.png").write_bytes(encoded(photographs()[0]))
    with pytest.raises(DataError, match=r"got 121x90 pixels; wanted a square.*resolution"):
        prepare("folder", tmp_path / "x", tmp_path / "out.zip")
    with pytest.raises(DataError, match="wanted one of cifar10"):
        prepare("mnist", tmp_path, tmp_path / "out.zip")
    with pytest.raises(DataError, match=r"wanted NAME.zip"):
        prepare("folder", tmp_path / "x", tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x"]
