"""What the runs are compared with: fresh toys of a prompt, and the teacher's own pictures of it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from uni3d.bench.features import VIEWS, Objects, cameras, matted, objects_of_toy, stacked
from uni3d.bench.plan import BASELINE, Plan, config_of
from uni3d.bench.work import read_objects, write_objects
from uni3d.teacher.model import load_teacher
from uni3d.teacher.prompts import PromptSet, slug
from uni3d.toybox.reading import read
from uni3d.toybox.world import build_toy

__all__ = ["FLOOR", "drawn", "floor", "teacher_pictures", "truths"]

FLOOR = 64  # more truths, in the place of runs: what a perfect method would get
TRUTH_SEED, FLOOR_SEED = 7000, 7001  # no training and no other evaluation has these
SAMPLER_STEPS = 25


def drawn(prompt: str, count: int, seed: int) -> Objects:
    """Toys number 0 to count - 1 of a prompt."""
    what = read(prompt).description
    assert what is not None, f"{prompt!r} names nothing; the plan should have said so"
    return stacked(
        [objects_of_toy(build_toy(what, np.random.default_rng((seed, k)))) for k in range(count)]
    )


def _kept(path: Path, make: Callable[[], Objects]) -> Objects:
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_objects(make(), path)
    return read_objects(path)


def truths(plan: Plan, folder: Path, prompt: str) -> Objects:
    path = folder / "truth" / f"{slug(prompt)}-{plan.truths}.npz"
    return _kept(path, lambda: drawn(prompt, plan.truths, TRUTH_SEED))


def floor(folder: Path, prompt: str) -> Objects:
    path = folder / "truth" / f"{slug(prompt)}-floor.npz"
    return _kept(path, lambda: drawn(prompt, FLOOR, FLOOR_SEED))


def teacher_pictures(plan: Plan, folder: Path, prompt: str) -> Objects:
    """As many rows of 2-D samples as runs, guided as in a run, each picture on its own."""
    config = config_of(
        plan, prompt, 0, BASELINE if BASELINE in plan.methods else next(iter(plan.methods))
    )

    def make() -> Objects:
        teacher = load_teacher(config.teacher)
        views = PromptSet(config.teacher_prompt, config.prompts, teacher.encode_text).at(cameras())
        rows = []
        for seed in range(plan.seeds):
            latents = teacher.sample(
                views,
                teacher.camera(cameras()),
                scale=config.guidance.scale,
                rescale=config.guidance.rescale,
                steps=SAMPLER_STEPS,
                generator=torch.Generator().manual_seed(seed),
            )
            rows.append(matted(teacher.codec.decode(latents)))
        return Objects(np.stack(rows), None)

    objects = _kept(folder / "teacher" / f"{slug(prompt)}.npz", make)
    assert objects.pictures.shape[1] == VIEWS
    return objects
