"""The benchmark on real images that a laptop's CPU can do: Fashion-MNIST at 32 x 32 or 16 x 16.

A small EDM teacher (class-conditional, unless `Budget.without_classes`), then one-step students of
it at equal cost, and a table of Frechet distances on EfficientNet-Lite0 features (never FID:
another network sees the images).
Every part leaves a file; the same command goes on where an earlier one was stopped.
"""

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from image_distill import edm
from image_distill.assess import NUMBERS, Reality, interval, overlap
from image_distill.budgets import Budget
from image_distill.compare import draw_costs
from image_distill.data import ImageDataset
from image_distill.denoisers import Denoiser
from image_distill.edm import TeacherRecipe
from image_distill.metrics import Detector, compute_features
from image_distill.prepare import prepare
from image_distill.recipe import Recipe
from image_distill.runfolder import CHECKPOINT, grid
from image_distill.sample import Heun, OneStep, generate
from image_distill.score import STAND_IN, image_batches, network_batches, open_detector
from image_distill.teachers import load_denoiser, save_denoiser
from image_distill.train import train
from uni3d.errors import CheckpointError, MissingExtraError
from uni3d.storage.lock import held
from uni3d.storage.whole import new_folder, replace_all

__all__ = ["keep", "run"]

RESULTS = "results.json"
SETS = 3  # of seeds per network and sampler
WIDTH = 64  # of an image in samples.png, pixels
FLOOR = "real test images"


def _to_go(kimg: float, seconds: float, recipe: TeacherRecipe | Recipe) -> str:
    """Time to the end of this training, at the pace of the last tick."""
    left = seconds / recipe.tick * (recipe.duration * 1000 - kimg)
    return f", {left / 60:.0f} min to go" if left >= 1 else ""


def _teacher_label(sampler: Heun) -> str:
    how = "Heun" if sampler.corrected else "Euler"
    number = sampler.evaluations
    return f"teacher, {number} evaluation{'s' if number > 1 else ''} ({how})"


class OutOfTime(Exception):
    """The minutes are over; what was done is on the disk."""


class Benchmark:
    """One folder: data.zip, teacher/, NAME/ per student, results.json, samples.png.

    With `networks`, another such folder, its networks are measured and none is trained.
    """

    def __init__(
        self, out: Path, budget: Budget, minutes: float | None, networks: Path | None = None
    ) -> None:
        self.out, self.budget, self.networks = out, budget, networks or out
        self.end = float("inf") if minutes is None else time.monotonic() + 60 * minutes
        self.data = out / f"fashion-mnist{budget.resolution}.zip"
        self.held_out = out / f"fashion-mnist{budget.resolution}-test.zip"
        self.results_file = out / RESULTS
        if not (self.data.exists() or self.held_out.exists()):
            new_folder(out, "another folder")
        self.results: dict[str, Any] = _results(self.results_file)
        if networks:
            for name in ("teacher", *self.budget.students):
                self._network(name)  # its one line where it is not there
            kept = _results(networks / RESULTS)
            if "seconds" in kept:
                self.results["seconds"] = kept["seconds"]

    def _network(self, name: str) -> Denoiser:
        return load_denoiser(self.networks / name / ("network" if name == "teacher" else "last"))

    def _keep(self, name: str, value: Any) -> None:
        self.results[name] = value
        text = json.dumps(self.results, indent=2) + "\n"
        replace_all({self.results_file: text.encode()})

    def _in_time(self) -> None:
        if time.monotonic() > self.end:
            raise OutOfTime

    def prepare(self, source: Path) -> None:
        """The data set, once."""
        self.out.mkdir(parents=True, exist_ok=True)
        if not self.data.exists():
            prepare("fashion-mnist", source, self.data, resolution=self.budget.resolution)
        if not self.held_out.exists():
            prepare("fashion-mnist-test", source, self.held_out, resolution=self.budget.resolution)

    def train_teacher(self) -> Iterator[str]:
        """From its last checkpoint on."""
        folder = self.out / "teacher"
        done = self.results.get("seconds", {}).get("teacher", 0.0)
        recipe = replace(
            self.budget.teacher,
            data=str(self.data),
            outdir=str(folder),
            resume=(folder / CHECKPOINT).exists(),
        )
        for progress in edm.train(recipe):
            done += progress.seconds
            self._spent("teacher", done)
            left = _to_go(progress.kimg, progress.seconds, recipe)
            yield f"teacher {progress.kimg:.0f} kimg  loss {progress.loss:.4f}  {done:.0f} s{left}"
            self._in_time()

    def train_student(self, name: str) -> Iterator[str]:
        """From its last checkpoint on."""
        folder = self.out / name
        done = self.results.get("seconds", {}).get(name, 0.0)
        changes = dict(self.budget.students[name])
        if "sid_model" in changes:
            changes["sid_model"] = str(self.out / str(changes["sid_model"]) / "last")
        recipe = replace(
            self.budget.student,
            **changes,
            edm_model=str(self.out / "teacher" / "network"),
            data=str(self.data),
            outdir=str(folder),
            data_stat="" if self.budget.student.metrics == "none" else str(self.statistics()),
            resume=str(folder) if (folder / CHECKPOINT).exists() else None,
        )
        if not recipe.resume:
            shutil.rmtree(folder, ignore_errors=True)  # stopped before its first checkpoint
        for progress in train(recipe):
            done += progress.seconds
            self._spent(name, done)
            values = "  ".join(f"{key} {value:.3g}" for key, value in progress.values.items())
            left = _to_go(progress.kimg, progress.seconds, recipe)
            yield f"{name} {progress.kimg:.1f} kimg  {progress.stage}  {done:.0f} s{left}  {values}"
            self._in_time()

    def _spent(self, name: str, seconds: float) -> None:
        self._keep("seconds", self.results.get("seconds", {}) | {name: round(seconds, 1)})

    def _reality(self, detector: Detector) -> Reality:
        """The real images as the detector sees them, once."""
        limit = None if self.budget.images >= 2_000 else 10 * self.budget.images
        return Reality.open(self.out / "real.npy", image_batches(self.data, 100, limit), detector)

    def statistics(self) -> Path:
        """The file with mean and covariance of the real images, for the metric while training."""
        path = self.out / "statistics.npz"
        if not path.exists():
            self._reality(open_detector(STAND_IN)).statistics.save(path)
        return path

    def measure(self) -> Iterator[str]:
        """Every number that is not yet known, set of seeds by set of seeds."""
        detector = open_detector(STAND_IN)
        reality = self._reality(detector)
        number = self.budget.images
        if FLOOR not in self.results.get("measured", {}):
            held = compute_features(image_batches(self.held_out, 100, SETS * number), detector)
            blocks = [block for block in held.split(number) if len(block) == number]
            self._measured(FLOOR, [asdict(reality.judge(block)) for block in blocks])
        yield f"{FLOOR}: {self._line(FLOOR)}"
        for label, name, sampler in self._rows():
            network = self._network(name)
            for trial in range(SETS):
                found = self.results.get("measured", {}).get(label, [])
                if len(found) <= trial:
                    seeds = range(trial * number, (trial + 1) * number)
                    made = network_batches(network, seeds, sampler, 100)
                    judged = reality.judge(compute_features(made, detector))
                    self._measured(label, [*found, asdict(judged)])
                self._in_time()
            yield f"{label}: {self._line(label)}"

    def _measured(self, label: str, values: list[dict[str, float]]) -> None:
        self._keep("measured", self.results.get("measured", {}) | {label: values})

    def _line(self, label: str) -> str:
        mean, half = interval(self._values(label, "frechet"))
        return f"Frechet distance {mean:.2f} +- {half:.2f}"

    def _values(self, label: str, name: str) -> list[float]:
        return [one[name] for one in self.results["measured"][label]]

    def _rows(self) -> list[tuple[str, str, OneStep | Heun]]:
        """Label, folder of the network, sampler: of all that is measured."""
        rows: list[tuple[str, str, OneStep | Heun]] = [
            (_teacher_label(one), "teacher", one) for group in self.budget.samplers for one in group
        ]
        one_step = OneStep(init_sigma=self.budget.student.init_sigma)
        return rows + [(f"{name}, 1 evaluation", name, one_step) for name in self.budget.students]

    def _best(self) -> list[str]:
        """The labels of the table: of the teacher's samplers of equal cost the better one."""
        groups = [[_teacher_label(one) for one in group] for group in self.budget.samplers]
        best = [min(g, key=lambda label: interval(self._values(label, "frechet"))) for g in groups]
        return [*best, *(f"{name}, 1 evaluation" for name in self.budget.students)]

    def table(self) -> str:
        """Markdown, means and 95 % intervals; the ratio is to the teacher with most evaluations."""
        labels = self._best()
        reference = interval(self._values(labels[0], "frechet"))[0]
        lines = [
            "| network | Frechet distance (EfficientNet-Lite0) | ratio to teacher | "
            "kernel MMD^2, thousandths | precision | recall | s to train |",
            "|---|---|---|---|---|---|---|",
        ]
        for label in [FLOOR, *labels]:
            frechet, mmd, precision, recall = (
                interval(self._values(label, name)) for name in NUMBERS
            )
            seconds = self.results.get("seconds", {}).get(label.partition(",")[0])
            lines.append(
                f"| {label} | {frechet[0]:.2f} ± {frechet[1]:.2f} | {frechet[0] / reference:.2f} | "
                f"{1e3 * mmd[0]:.3f} ± {1e3 * mmd[1]:.3f} | {precision[0]:.3f} | {recall[0]:.3f} | "
                f"{'-' if seconds is None else f'{seconds:.0f}'} |"
            )
        return "\n".join([*lines, "", self.verdict()])

    def verdict(self) -> str:
        """Whether the best student is below its teacher, by both distances."""
        teacher, *others = self._best()
        students = others[-len(self.budget.students) :]
        best = min(students, key=lambda label: interval(self._values(label, "frechet")))
        said = []
        for name in ("frechet", "mmd"):
            own, its = self._values(best, name), self._values(teacher, name)
            below = interval(own)[0] < interval(its)[0]
            apart = "overlap" if overlap(own, its) else "are apart"
            said.append(f"{name} {'below' if below else 'above'}, 95 % intervals {apart}")
        return f"{best} against {teacher}: {'; '.join(said)}"

    def costs(self) -> None:
        """Distance against evaluations per image, as `costs.png`: the teacher, and the students."""
        labels = self._best()
        count = {_teacher_label(s): s.evaluations for group in self.budget.samplers for s in group}
        points: dict[str, list[tuple[int, float, float]]] = {}
        for label in labels:
            name = label.partition(",")[0]
            found = interval(self._values(label, "frechet"))
            points.setdefault(name, []).append((count.get(label, 1), *found))
        points = {name: sorted(row) for name, row in points.items()}
        floor = interval(self._values(FLOOR, "frechet"))[0]
        draw_costs(points, floor, self.out / "costs.png")

    def picture(self) -> None:
        """One row of ten classes per network, from the same seeds; the first row is real images.
        A network without classes makes of each seed what it may."""
        from PIL import Image

        dataset = ImageDataset(self.data)
        assert dataset.labels is not None
        rows = [
            torch.cat([dataset[int((dataset.labels == c).argmax())][0][None] for c in range(10)])
        ]
        teacher = self._network("teacher")
        pairs: list[tuple[Denoiser, OneStep | Heun]] = [
            (teacher, one) for group in self.budget.samplers for one in group
        ]
        one_step = OneStep(init_sigma=self.budget.student.init_sigma)
        pairs += [(self._network(name), one_step) for name in self.budget.students]
        for network, sampler in pairs:
            told = range(10) if network.model.label_dim else [None] * 10
            made = (
                next(generate(network, [seed], sampler, chosen=label)).images
                for seed, label in enumerate(told)
            )
            rows.append(torch.cat(list(made)))
        sheet, size = Image.fromarray(grid(torch.cat(rows), 10)), WIDTH // self.budget.resolution
        larger = sheet.resize((size * sheet.width, size * sheet.height), Image.Resampling.NEAREST)
        larger.save(self.out / "samples.png")


def keep(out: Path, folder: Path, students: Sequence[str]) -> None:
    """Copies the networks of the benchmark `out` to `folder`, in half precision and with the
    seconds of their trainings: small enough to be committed, measured by `networks`.

    Other students that `folder` has already stay.

    Raises:
        CheckpointError: a network is not there.
    """
    places = {"teacher": Path("teacher/network"), **{s: Path(s) / "last" for s in students}}
    found = {place: load_denoiser(out / place) for place in places.values()}
    told, kept = _results(out / RESULTS), _results(folder / RESULTS)
    for place, network in found.items():
        save_denoiser(folder / place, network, out / place, half=True)
    spent = {name: s for name, s in told.get("seconds", {}).items() if name in places}
    seconds = {"seconds": kept.get("seconds", {}) | spent}
    replace_all({folder / RESULTS: (json.dumps(seconds, indent=2) + "\n").encode()})


def _results(path: Path) -> dict[str, Any]:
    """What an earlier run measured; {} before the first. CheckpointError for a damaged file."""
    if not path.exists():
        return {}
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if not all(isinstance(told.get(key, {}), dict) for key in ("seconds", "measured")):
            raise ValueError("its parts are no mappings")
        return told
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error}); do: remove it") from error


def run(
    out: str | Path,
    source: str | Path,
    budget: Budget,
    *,
    minutes: float | None = None,
    networks: str | Path | None = None,
) -> Iterator[str]:
    """The whole benchmark, as lines of progress; the last is the table.

    Args:
        out: folder of the benchmark; what is in it is not done again.
        source: folder with Fashion-MNIST's four files.
        minutes: stop at the first record after this long; call again to go on.
        networks: folder of an earlier run, whose networks are measured; nothing is trained.
    """
    benchmark = Benchmark(Path(out), budget, minutes, Path(networks) if networks else None)
    Path(out).mkdir(parents=True, exist_ok=True)
    with held(Path(out)):
        yield from _followed(benchmark, Path(source), train=not networks)


def _followed(benchmark: "Benchmark", source: Path, *, train: bool) -> Iterator[str]:
    try:
        benchmark.prepare(source)
        if train:
            yield from benchmark.train_teacher()
            for name in benchmark.budget.students:
                yield from benchmark.train_student(name)
        yield from benchmark.measure()
    except OutOfTime:
        yield "the minutes are over; the same command goes on from the last checkpoint"
        return
    benchmark.picture()
    try:
        benchmark.costs()
    except MissingExtraError as error:
        yield f"no costs.png: {error}"
    yield benchmark.table()
