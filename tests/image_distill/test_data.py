"""The reader against archives made with zipfile and PIL alone."""

import io
import json
import multiprocessing
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from image_distill.data import DataError, ImageDataset, to_uint8

COUNT = 12


def arrays(size=8, channels=3):
    random = np.random.default_rng(0)
    shape = (COUNT, size, size, channels) if channels > 1 else (COUNT, size, size)
    return random.integers(0, 256, shape, dtype=np.uint8)


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="png", compress_level=0)
    return buffer.getvalue()


def names():
    return [f"00000/img{i:08d}.png" for i in range(COUNT)]


def write_zip(path, images, labels):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        # Against the order of names: the reader must sort.
        for name, image in reversed(list(zip(names(), images, strict=True))):
            archive.writestr(name, png(image))
        if labels != "absent":
            archive.writestr("dataset.json", json.dumps({"labels": labels}))
    return path


def integer_labels():
    return [[name, (7 * i) % 5] for i, name in enumerate(names())]


def write_folder(path, images, labels):
    (path / "00000").mkdir(parents=True)
    for name, image in zip(names(), images, strict=True):
        (path / name).write_bytes(png(image))
    (path / "dataset.json").write_text(json.dumps({"labels": labels}))
    return path


@pytest.mark.parametrize("write", [write_zip, write_folder])
def test_pixels_and_one_hot_labels(tmp_path, write):
    images = arrays()
    path = write(tmp_path / ("a.zip" if write is write_zip else "a"), images, integer_labels())
    data = ImageDataset(path)
    assert (len(data), data.resolution, data.channels, data.label_dim) == (COUNT, 8, 3, 5)
    for i in range(COUNT):
        image, label = data[i]
        assert image.dtype == label.dtype == torch.float32
        expected = images[i].astype(np.float64).transpose(2, 0, 1) / 127.5 - 1
        assert np.abs(image.numpy() - expected).max() < 1e-6
        assert label.tolist() == [float(k == (7 * i) % 5) for k in range(5)]


def test_quantising_an_image_gives_its_bytes_back():
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(every.float() / 127.5 - 1), every)
    assert to_uint8(torch.tensor([-3.0, 3.0])).tolist() == [0, 255]


def test_vectors_of_floats_are_labels_as_they_are(tmp_path):
    vectors = np.random.default_rng(1).normal(size=(COUNT, 3))
    labels = [[n, v.tolist()] for n, v in zip(names(), vectors, strict=True)]
    data = ImageDataset(write_zip(tmp_path / "a.zip", arrays(), labels))
    assert data.label_dim == 3
    got = np.stack([data[i][1].numpy() for i in range(COUNT)])
    assert np.array_equal(got, vectors.astype(np.float32))


@pytest.mark.parametrize("labels", [None, "absent"])
def test_without_labels(tmp_path, labels):
    path = write_zip(tmp_path / "a.zip", arrays(channels=1), labels)
    data = ImageDataset(path, use_labels=False)
    assert (data.channels, data.label_dim, data[3][1].numel()) == (1, 0, 0)
    assert np.array_equal(data.pixels(3)[0], arrays(channels=1)[3])
    with pytest.raises(DataError, match=r"wanted dataset.json with labels"):
        ImageDataset(path)


def test_fewer_images_keep_the_label_dimension(tmp_path):
    data = ImageDataset(write_zip(tmp_path / "a.zip", arrays(), integer_labels()), max_size=2)
    assert len(data) == 2 and data.label_dim == 5 and len(data[0][1]) == 5


def _read_many(data, start, queue):
    queue.put([int(data.pixels((start + i) % COUNT).sum()) for i in range(60)])


def test_forked_processes_read_one_open_zip_at_once(tmp_path):
    # 64 px: each read moves the file's offset far, so a shared one would be noticed.
    images = arrays(size=64)
    data = ImageDataset(write_zip(tmp_path / "a.zip", images, integer_labels()))
    data.pixels(0)
    parent = data.store._zip
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    workers = [context.Process(target=_read_many, args=(data, 0, queue)) for _ in range(3)]
    for worker in workers:
        worker.start()
    expected = [int(images[i % COUNT].sum()) for i in range(60)]
    assert [queue.get(timeout=30) for _ in workers] == [expected] * 3
    for worker in workers:
        worker.join()
    assert data.store._zip is parent and data.store._process == os.getpid()


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on one core
def test_loader_workers_and_pickling(tmp_path):
    images = arrays()
    data = ImageDataset(write_zip(tmp_path / "a.zip", images, integer_labels()))
    copy = pickle.loads(pickle.dumps(data))
    assert np.array_equal(copy.pixels(5), images[5].transpose(2, 0, 1))
    batches = [x for x, _ in DataLoader(data, batch_size=4, num_workers=2)]
    assert np.array_equal(to_uint8(torch.cat(batches)).numpy(), images.transpose(0, 3, 1, 2))


def test_errors_name_file_and_remedy(tmp_path):
    with pytest.raises(DataError, match="no such file or folder"):
        ImageDataset(tmp_path / "none.zip")
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK not a zip")
    with pytest.raises(DataError, match=r"broken.zip: got no readable zip"):
        ImageDataset(broken)
    with pytest.raises(DataError, match="got images of 6x6"):
        ImageDataset(write_zip(tmp_path / "six.zip", arrays(size=6), integer_labels()))
    with pytest.raises(DataError, match=r"no label for 00000/img00000003.png \(9 missing\)"):
        ImageDataset(write_zip(tmp_path / "few.zip", arrays(), integer_labels()[:3]))
    negative = [[name, -1] for name in names()]
    with pytest.raises(DataError, match="one integer from 0"):
        ImageDataset(write_zip(tmp_path / "minus.zip", arrays(), negative))


def test_an_image_of_another_size_is_named(tmp_path):
    path = write_zip(tmp_path / "a.zip", arrays(), integer_labels())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("00000/img00000099.png", png(arrays(size=16)[0]))
    data = ImageDataset(path, use_labels=False)
    with pytest.raises(DataError, match=r"got 00000/img00000099.png of shape"):
        data[COUNT]
