"""Rendered pictures of the world, kept on disk in shards; every picture follows from its index."""

import dataclasses
import json
import multiprocessing
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from uni3d.cameras import Cameras
from uni3d.toybox.raytrace import render_toy
from uni3d.toybox.world import Description, build_toy, sample

__all__ = ["SHARD", "VIEWS_PER_TOY", "Pictures", "Window", "prepare", "random_cameras"]

# A fork of a process whose libraries hold threads can hang.
SPAWN = multiprocessing.get_context("spawn")
SHARD = 4000  # pictures in a shard
VIEWS_PER_TOY = 4


def random_cameras(rng: np.random.Generator, count: int) -> Cameras:
    """The cameras of the training pictures: all azimuths, mostly near the horizon."""
    low = rng.random(count) < 0.8
    elevation = np.where(low, rng.uniform(-12, 45, count), rng.uniform(45, 85, count))
    azimuth = (rng.uniform(0, 360) + np.arange(count) * 360 / count) + rng.uniform(0, 90, count)
    distance = rng.uniform(3.0, 3.3, count)
    return Cameras(
        torch.tensor(azimuth % 360, dtype=torch.float32),
        torch.tensor(elevation, dtype=torch.float32),
        torch.tensor(distance, dtype=torch.float32),
        torch.full((count,), 40.0),
    )


def _render_shard(
    seed: int,
    shard: int,
    held: bool,
    path: Path,
    size: int,
    allowed: Callable[[Description], bool] | None = None,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = np.empty((size, 4, 64, 64), np.uint8)
    angles = np.empty((size, 3), np.float32)
    described = []
    for toy_index in range(size // VIEWS_PER_TOY):
        rng = np.random.default_rng((seed, shard, toy_index))
        what = sample(rng, held, allowed)
        cameras = random_cameras(rng, VIEWS_PER_TOY)
        rgba = render_toy(build_toy(what, rng), cameras, 64)
        part = slice(toy_index * VIEWS_PER_TOY, (toy_index + 1) * VIEWS_PER_TOY)
        pictures[part] = np.round(rgba * 255)
        angles[part] = torch.stack(
            [cameras.azimuth_deg, cameras.elevation_deg, cameras.distance], 1
        )
        described.append(dataclasses.asdict(what))
    np.save(path.with_suffix(".angles.npy"), angles)
    path.with_suffix(".json").write_text(json.dumps(described))
    temporary = path.with_suffix(".tmp.npy")
    np.save(temporary, pictures)
    temporary.replace(path)


def shard_path(folder: Path, seed: int, shard: int, held: bool) -> Path:
    return folder / f"{'held' if held else 'train'}-{seed}-{shard:04d}.npy"


def prepare(
    folder: Path,
    shards: int,
    seed: int = 0,
    held: bool = False,
    workers: int = 1,
    size: int | None = None,
    allowed: Callable[[Description], bool] | None = None,
) -> None:
    """Render the missing ones of the first `shards` shards (about 20 s a shard and core).

    `size`: pictures in a shard, where it is not SHARD; `allowed`: what they may show. With either
    of them the seed must be one of its own.
    """
    todo = [
        (seed, i, held, shard_path(folder, seed, i, held), size or SHARD, allowed)
        for i in range(shards)
        if not shard_path(folder, seed, i, held).exists()
    ]
    if not todo:
        return
    with tqdm(total=len(todo), desc="rendering", unit="shard", leave=False) as bar:
        if workers <= 1:
            for job in todo:
                _render_shard(*job)
                bar.update()
            return
        with ProcessPoolExecutor(workers, mp_context=SPAWN) as pool:
            for _ in pool.map(_render_shard, *zip(*todo, strict=True)):
                bar.update()


class Pictures:
    """Random access to prepared shards: premultiplied uint8 rgba, angles and descriptions."""

    def __init__(
        self, folder: Path, shards: int, seed: int = 0, held: bool = False, first: int = 0
    ) -> None:
        """Shards `first` to `first + shards - 1`."""
        paths = [shard_path(folder, seed, first + i, held) for i in range(shards)]
        self.rgba = [np.load(p, mmap_mode="r") for p in paths]
        self.angles = [np.load(p.with_suffix(".angles.npy")) for p in paths]
        self.what = [
            [Description(**d) for d in json.loads(p.with_suffix(".json").read_text())]
            for p in paths
        ]

    def composed(self) -> np.ndarray:
        """Which pictures show more than a kind and its colour: worn, of a material, doing."""
        composed = [
            bool(what.wears or what.material or what.action or what.relation)
            for shard in self.what
            for what in shard
        ]
        return np.flatnonzero(np.repeat(composed, VIEWS_PER_TOY))

    def __len__(self) -> int:
        return SHARD * len(self.rgba)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, Description]:
        shard, i = divmod(int(index), SHARD)
        return self.rgba[shard][i], self.angles[shard][i], self.what[shard][i // VIEWS_PER_TOY]


class Window:
    """The shards that each step of a training draws from, rendered by other processes meanwhile.

    `shards` of them at a time, and a new one for the oldest every `renew` steps (0: always the
    same). Which ones they are follows from the step, so that a resumed run sees the same pictures.
    """

    def __init__(self, folder: Path, shards: int, seed: int, renew: int, workers: int = 1) -> None:
        self.folder, self.shards, self.seed, self.renew = folder, shards, seed, renew
        self.ahead = workers
        self.pool = ProcessPoolExecutor(workers, mp_context=SPAWN) if renew else None
        self.waiting: dict[int, Future[None]] = {}
        self.first, self.pictures = -1, None

    def __enter__(self) -> "Window":
        return self

    def __exit__(self, *_: object) -> None:
        if self.pool is not None:
            self.pool.shutdown(wait=False, cancel_futures=True)

    def at(self, step: int) -> Pictures:
        """The pictures of this step; waits for those that are not rendered yet."""
        first = step // self.renew if self.renew else 0
        if first == self.first and self.pictures is not None:
            return self.pictures
        if self.pool is None:
            prepare(self.folder, self.shards, self.seed)
        else:
            self._render(first)
        self.first = first
        self.pictures = Pictures(self.folder, self.shards, self.seed, first=first)
        return self.pictures

    def _render(self, first: int) -> None:
        """Wait for the shards from `first` on, begin those after them, drop those before."""
        assert self.pool is not None
        for shard in range(first, first + self.shards + self.ahead):
            path = shard_path(self.folder, self.seed, shard, False)
            if not path.exists() and shard not in self.waiting:
                job = (self.seed, shard, False, path, SHARD)
                self.waiting[shard] = self.pool.submit(_render_shard, *job)
        for shard in range(first, first + self.shards):
            if shard in self.waiting:
                self.waiting.pop(shard).result()
        for shard in range(first):
            path = shard_path(self.folder, self.seed, shard, False)
            for old in (path, path.with_suffix(".angles.npy"), path.with_suffix(".json")):
                old.unlink(missing_ok=True)
