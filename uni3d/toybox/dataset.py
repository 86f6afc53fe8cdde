"""Rendered pictures of the world, kept on disk in shards; every picture follows from its index."""

import dataclasses
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from uni3d.cameras import Cameras
from uni3d.toybox.raytrace import render_toy
from uni3d.toybox.world import Description, build_toy, sample

__all__ = ["SHARD", "VIEWS_PER_TOY", "Pictures", "prepare", "random_cameras"]

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


def _render_shard(seed: int, shard: int, held: bool, path: Path) -> None:
    pictures = np.empty((SHARD, 4, 64, 64), np.uint8)
    angles = np.empty((SHARD, 3), np.float32)
    described = []
    for toy_index in range(SHARD // VIEWS_PER_TOY):
        rng = np.random.default_rng((seed, shard, toy_index))
        what = sample(rng, held)
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


def prepare(folder: Path, shards: int, seed: int = 0, held: bool = False, workers: int = 1) -> None:
    """Render the missing ones of the first `shards` shards (about 20 s a shard and core)."""
    folder.mkdir(parents=True, exist_ok=True)
    todo = [
        (seed, i, held, shard_path(folder, seed, i, held))
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
        with ProcessPoolExecutor(workers) as pool:
            for _ in pool.map(_render_shard, *zip(*todo, strict=True)):
                bar.update()


class Pictures:
    """Random access to prepared shards: premultiplied uint8 rgba, angles and descriptions."""

    def __init__(self, folder: Path, shards: int, seed: int = 0, held: bool = False) -> None:
        paths = [shard_path(folder, seed, i, held) for i in range(shards)]
        self.rgba = [np.load(p, mmap_mode="r") for p in paths]
        self.angles = [np.load(p.with_suffix(".angles.npy")) for p in paths]
        self.what = [
            [Description(**d) for d in json.loads(p.with_suffix(".json").read_text())]
            for p in paths
        ]

    def wearing(self, limit: int) -> np.ndarray:
        """Which of the first `limit` pictures show a toy with a role or an accessory."""
        worn = [what.wears is not None for shard in self.what for what in shard]
        return np.flatnonzero(np.repeat(worn, VIEWS_PER_TOY)[:limit])

    def __len__(self) -> int:
        return SHARD * len(self.rgba)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, Description]:
        shard, i = divmod(int(index), SHARD)
        return self.rgba[shard][i], self.angles[shard][i], self.what[shard][i // VIEWS_PER_TOY]
