"""Numbers of a bench: every method against the truths, with floors beside them and intervals.

Compared are the (prompt, seed) pairs that every method has finished. Kernels are means of Gaussians
whose widths are multiples of the truths' median distance: what is far from all truths is then still
told from what is farther. There is one for each view, and their mean is taken: so the teacher's
pictures, whose views are not of one object, are judged on the same scale.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from uni3d.bench import statistics
from uni3d.bench.features import GREY, VIEWS, Objects, features_of, matted, psnr, sharpness, stacked
from uni3d.bench.plan import BASELINE, Plan, folder_of
from uni3d.bench.truth import floor, teacher_pictures, truths
from uni3d.bench.work import OBJECTS_FILE, finished, read_objects
from uni3d.errors import CheckpointError
from uni3d.toybox.reading import read
from uni3d.toybox.recogniser import labels, load_recogniser

__all__ = ["Scores", "Value", "scores_of"]

SPACES = ("look", "shape", "colour")
DRAWS = 1000
WIDTHS = (1, 2, 4, 8)  # times the median distance
FLOOR_NAME, TEACHER, MATTED = "truth", "teacher 2-D", "truth, matted"


@dataclasses.dataclass(frozen=True)
class Value:
    """A number and its 95 % interval; p, adjusted, where it is a difference."""

    mean: float
    low: float
    high: float
    p: float | None = None


@dataclasses.dataclass(frozen=True)
class Scores:
    """rows: name -> score -> Value; the methods of the plan first, then the floors."""

    rows: dict[str, dict[str, Value]]
    pairs: list[tuple[str, int]]  # (prompt, seed) compared
    metrics: dict[str, dict[str, float]]  # what the runs logged, mean over steps and runs


class Against:
    """One prompt's truths, ready to be compared with."""

    def __init__(self, prompt: str, truth: Objects) -> None:
        self.truth, self.rows = truth, features_of(truth)
        self.what = read(prompt).description
        self.sharp = sharpness(truth).mean()
        self.widths: dict[str, list[float]] = {}
        self.within: dict[str, NDArray[np.float64]] = {}
        for space, rows in self.rows.items():
            squared = [statistics.squared_distances(v, v) for v in rows.swapaxes(0, 1)]
            self.widths[space] = [statistics.bandwidth(s) for s in squared]
            self.within[space] = self.kernel(space, rows, rows)

    def kernel(self, space: str, a: NDArray, b: NDArray) -> NDArray[np.float64]:
        """Mean over the views of the kernels of rows `[n, views, d]` and `[m, views, d]`."""
        views = zip(a.swapaxes(0, 1), b.swapaxes(0, 1), self.widths[space], strict=True)
        kernels = []
        for x, y, width in views:
            squared = statistics.squared_distances(x, y)
            kernels += [statistics.gaussian_kernel(squared, width * k) for k in WIDTHS]
        return np.mean(kernels, axis=0)


class Sample:
    """Objects of one method and prompt, compared with the truths: kernels, and numbers of each."""

    def __init__(self, against: Against, objects: Objects, rows: Mapping[str, NDArray]) -> None:
        """rows: `features_of(objects)`."""
        self.count, self.against, self.kernels = len(objects), against, {}
        for space in rows:
            own = against.kernel(space, rows[space], rows[space])
            self.kernels[space] = (own, against.kernel(space, rows[space], against.rows[space]))
        self.single = {
            **_verdicts(against, objects),
            "sharpness": sharpness(objects) / against.sharp,
            "psnr": psnr(objects, against.truth),
        }

    def mmd2(self, space: str, weights: NDArray | None = None) -> float:
        own, between = self.kernels[space]
        return statistics.mmd2(own, between, self.against.within[space], weights)

    def _distances(self) -> list[NDArray[np.float64]]:
        """Those of the kernel's own space: |f(x) - f(y)|^2 = 2 - 2 k."""
        own, between = self.kernels["look"]
        matrices = (own, between, self.against.within["look"])
        return [np.sqrt((2 - 2 * k).clip(min=0)) for k in matrices]

    def accuracy(self) -> float:
        return statistics.nearest_neighbour_accuracy(*self._distances())

    def coverage(self) -> float:
        _, between, within = self._distances()
        return statistics.coverage(between, within)

    def entropy(self) -> float:
        return statistics.renyi_entropy(self.kernels["look"][0])


def _verdicts(against: Against, objects: Objects) -> dict[str, NDArray[np.float64]]:
    """Shares of each object's views that show the right kind, colour and thing worn; NaN where the
    prompt does not ask."""
    net = load_recogniser()
    pictures = torch.from_numpy(objects.pictures[:, :, :3]).flatten(0, 1).float() / 255
    with torch.no_grad():
        found = {name: logits.argmax(1) for name, logits in net(pictures).items()}
    assert against.what is not None
    wanted = labels([against.what], net.names)
    result = {}
    for name in ("kind", "color", "worn"):
        right = (found[name] == wanted[name]).double().reshape(len(objects), VIEWS).mean(1).numpy()
        asked = name == "kind" or getattr(against.what, {"color": "color", "worn": "wears"}[name])
        result[name] = right if asked else np.full(len(objects), np.nan)
    return result


def _pairs(plan: Plan, rows: Mapping) -> list[tuple[str, int]]:
    """(prompt, seed) that all methods have; of prompts with two or more."""
    full = [
        (prompt, seed)
        for prompt in plan.prompts
        for seed in range(plan.seeds)
        if all((prompt, seed, method) in rows for method in plan.methods)
    ]
    names = [prompt for prompt, _ in full]
    return [pair for pair in full if names.count(pair[0]) >= 2]


def _groups(sample: Objects, size: int) -> Iterator[Objects]:
    for start in range(0, len(sample) - size + 1, size):
        yield sample[slice(start, start + size)]


def _over_grounds(objects: Objects) -> Objects:
    """The same objects over random solid colours, cut out as the teacher's pictures are."""
    rng = np.random.default_rng(0)
    rgba = objects.pictures / 255.0
    own = rgba[:, :, :3] - (1 - rgba[:, :, 3:]) * GREY
    shown = own + (1 - rgba[:, :, 3:]) * rng.random((len(objects), VIEWS, 3, 1, 1))
    pictures = torch.from_numpy(shown).float().flatten(0, 1)
    return Objects(matted(pictures).reshape(objects.pictures.shape), None)


def scores_of(plan: Plan, folder: Path, tell: Callable[[str], None] = lambda _: None) -> Scores:
    """Everything, from the finished runs of the folder."""
    rows = finished(plan, folder)
    pairs = _pairs(plan, rows)
    if not pairs:
        raise CheckpointError(
            f"{folder}: no prompt has two seeds that all of {', '.join(plan.methods)} finished; "
            "do: let the bench run on"
        )
    prompts = list(dict.fromkeys(prompt for prompt, _ in pairs))
    seeds = [[seed for p, seed in pairs if p == prompt] for prompt in prompts]
    samples: dict[str, list[Sample]] = {method: [] for method in plan.methods}
    floors: dict[str, list[list[Sample]]] = {FLOOR_NAME: [], MATTED: []}
    samples[TEACHER] = []
    for prompt, numbers in zip(prompts, seeds, strict=True):
        tell(f"comparing {prompt}")
        against = Against(prompt, truths(plan, folder, prompt))
        for method in plan.methods:
            found = [folder / folder_of(prompt, seed, method) / OBJECTS_FILE for seed in numbers]
            samples[method].append(
                _sample(against, stacked([read_objects(path) for path in found]))
            )
        samples[TEACHER].append(_sample(against, teacher_pictures(plan, folder, prompt)))
        more = floor(folder, prompt)
        for name, objects in ((FLOOR_NAME, more), (MATTED, _over_grounds(more))):
            floors[name].append([_sample(against, part) for part in _groups(objects, len(numbers))])
    counts = [len(numbers) for numbers in seeds]
    table = {m: _scores(samples[m], floors[FLOOR_NAME], counts) for m in plan.methods}
    for method in plan.methods:
        own = [rows[prompt, seed, method] for prompt, seed in pairs]
        for name in ("seconds", "unet_pictures", "peak_memory_mb", "steps"):
            values = [row[name] for row in own]
            table[method][name] = Value(float(np.mean(values)), min(values), max(values))
    _add_differences(table, samples, plan, counts)
    table[FLOOR_NAME] = _floor_scores(floors[FLOOR_NAME])
    table[TEACHER] = _scores(samples[TEACHER], None, [s.count for s in samples[TEACHER]])
    table[MATTED] = _floor_scores(floors[MATTED], alone=True)
    return Scores(table, pairs, _logged(plan, rows, pairs))


def _sample(against: Against, objects: Objects) -> Sample:
    return Sample(against, objects, features_of(objects))


def _logged(plan: Plan, rows: Mapping, pairs: Sequence) -> dict[str, dict[str, float]]:
    found = {}
    for method in plan.methods:
        own = [rows[prompt, seed, method]["metrics"] for prompt, seed in pairs]
        found[method] = {name: float(np.mean([m[name] for m in own])) for name in own[0]}
    return found


def _bootstrap(
    statistic: Callable[[int, NDArray[np.intp]], float], counts: list[int]
) -> NDArray[np.float64]:
    """The same draws for every statistic: so differences of values are paired."""
    return statistics.resampled(statistic, counts, DRAWS, np.random.default_rng(0))


def _scores(
    samples: list[Sample], floors: list[list[Sample]] | None, counts: list[int]
) -> dict[str, Value]:
    """floors: of the truth at the same n, for what is relative to it; without them only what needs
    no object whose views belong together."""
    found = {}
    for space in SPACES:
        if all(space in sample.kernels for sample in samples):
            values = _bootstrap(lambda p, w, s=space: samples[p].mmd2(s, w), counts)
            mean = float(np.mean([sample.mmd2(space) for sample in samples]))
            found[f"mmd2 {space}"] = Value(mean, *statistics.interval(values))
    for name in samples[0].single:
        asked = [p for p, s in enumerate(samples) if not np.isnan(s.single[name]).any()]
        if not asked:
            continue
        values = _bootstrap(
            lambda p, w, n=name, a=asked: float(np.average(samples[a[p]].single[n], weights=w)),
            [counts[p] for p in asked],
        )
        mean = float(np.mean([samples[p].single[name].mean() for p in asked]))
        found[name] = Value(mean, *statistics.interval(values))
    if floors is not None:
        of_truth = [np.mean([one.entropy() for one in group]) for group in floors]
        for name, each in (
            ("1-NN accuracy", [sample.accuracy() for sample in samples]),
            ("coverage", [sample.coverage() for sample in samples]),
            ("diversity", [s.entropy() / t for s, t in zip(samples, of_truth, strict=True)]),
        ):
            # Repeated draws of an object would be its own neighbours: over prompts alone.
            values = _bootstrap(lambda p, w, e=each: float(e[p]), counts)
            found[name] = Value(float(np.mean(each)), *statistics.interval(values))
    return found


def _floor_scores(groups: list[list[Sample]], alone: bool = False) -> dict[str, Value]:
    """Means over all groups of truths; the range of what one group a prompt gives. alone: what
    needs no object whose views belong together, as of the teacher's pictures."""
    number = min(len(group) for group in groups)
    found: dict[str, NDArray[np.float64]] = {}
    for space in SPACES:
        if space in groups[0][0].kernels:
            each = [[one.mmd2(space) for one in group[:number]] for group in groups]
            found[f"mmd2 {space}"] = np.mean(each, axis=0)
    for name in groups[0][0].single:
        each = np.array([[one.single[name].mean() for one in g[:number]] for g in groups])
        kept = each[~np.isnan(each).any(1)]
        if len(kept):
            found[name] = kept.mean(0)
    if not alone:
        entropy = np.array([[one.entropy() for one in g[:number]] for g in groups])
        found["diversity"] = (entropy / entropy.mean(1, keepdims=True)).mean(0)
        found["1-NN accuracy"] = np.mean([[o.accuracy() for o in g[:number]] for g in groups], 0)
        found["coverage"] = np.mean([[one.coverage() for one in g[:number]] for g in groups], 0)
    return {
        name: Value(float(values.mean()), *statistics.interval(values))
        for name, values in found.items()
    }


def _add_differences(
    table: dict[str, dict[str, Value]],
    samples: dict[str, list[Sample]],
    plan: Plan,
    counts: list[int],
) -> None:
    """mmd2 of look minus that of the baseline, paired; p adjusted over all methods (Holm)."""
    if BASELINE not in plan.methods:
        return
    others = [method for method in plan.methods if method != BASELINE]
    base = samples[BASELINE]
    drawn = {
        method: _bootstrap(
            lambda p, w, own=samples[method]: own[p].mmd2("look", w) - base[p].mmd2("look", w),
            counts,
        )
        for method in others
    }
    adjusted = statistics.holm([statistics.p_value(drawn[method]) for method in others])
    for method, p in zip(others, adjusted, strict=True):
        mean = table[method]["mmd2 look"].mean - table[BASELINE]["mmd2 look"].mean
        low, high = statistics.interval(drawn[method])
        table[method][f"minus {BASELINE}"] = Value(mean, low, high, p)
