"""The commands of the command line: each takes its parsed arguments and prints what came out."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uni3d import config_io
from uni3d.errors import ConfigError, Uni3DError
from uni3d.storage.whole import new_target

if TYPE_CHECKING:
    from image_distill.gang import Gang


def say(text: str) -> None:
    """One line for the user, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def import_network(arguments: argparse.Namespace) -> None:
    """`import`."""
    from image_distill.teachers import import_pickle, import_training_state

    new_target(arguments.out, arguments.overwrite)
    if arguments.file.endswith(".pt"):
        if arguments.like is None:
            raise Uni3DError(
                f"{arguments.file} has weights but no architecture; do: import a .pkl of the same "
                "network first and give its folder with --like"
            )
        import_training_state(arguments.file, arguments.out, arguments.like, arguments.sha256)
    else:
        import_pickle(arguments.file, arguments.out, arguments.sha256)
    sys.stderr.write(f"wrote {arguments.out}\n")


def prepare_data(arguments: argparse.Namespace) -> None:
    """`prepare`."""
    from image_distill.data import ImageStore
    from image_distill.prepare import prepare

    new_target(arguments.out, arguments.overwrite)
    if arguments.kind == "folder" and (left := ImageStore(arguments.source).left_out):
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        sys.stderr.write(f"left out, no images of a known kind: {', '.join(left[:3])}{more}\n")
    number = prepare(
        arguments.kind, arguments.source, arguments.out, resolution=arguments.resolution
    )
    say(f"wrote {number} images to {arguments.out}")


def train_generator(arguments: argparse.Namespace) -> None:
    """`train`; with --dry-run only says what would be done and what is missing."""
    from image_distill.flags import gives, read_flags
    from image_distill.gang import assemble
    from image_distill.recipe import Recipe, missing_files
    from image_distill.runfolder import RECIPE, resumed_folder
    from image_distill.train import train

    base, resume = None, arguments.recipe_resume
    if resume is not None and not (arguments.dry_run and not Path(resume).exists()):
        resume = arguments.recipe_resume = str(resumed_folder(resume))
    if resume and arguments.config is None and (Path(resume) / RECIPE).is_file():
        base = config_io.read_yaml(Path(resume) / RECIPE)
    recipe = read_flags(arguments, Recipe, base)
    if recipe.resume and Path(recipe.resume).is_dir() and not gives(arguments, "outdir"):
        recipe = dataclasses.replace(recipe, outdir=recipe.resume)  # not where it once was
    if arguments.dry_run:
        say(config_io.dump(recipe).rstrip())
        say(f"# {recipe.steps} steps of {recipe.batch} images; log in {recipe.outdir}/log.jsonl")
        missing = missing_files(recipe)
        say(f"# missing: {len(missing)}")
        for entry in missing:
            say(f"# {entry}")
        return
    with assemble() as gang:
        bar = _Bar(recipe.total_images, gang)
        for progress in train(recipe, gang):
            bar.metric(progress.values, f"{recipe.outdir}/samples.png")
            values = "  ".join(f"{k} {v:.4g}" for k, v in progress.values.items())
            head = f"{progress.kimg:.6g} kimg  {progress.stage}  {progress.seconds:.1f} s"
            bar.say(progress.kimg, f"{head}  {values}")
        bar.end(f"image-distill train --resume {recipe.outdir}")


def train_teacher(arguments: argparse.Namespace) -> None:
    """`train-teacher`."""
    from image_distill.edm import TeacherRecipe, train
    from image_distill.flags import read_flags
    from image_distill.gang import assemble

    recipe = read_flags(arguments, TeacherRecipe)
    with assemble() as gang:
        bar = _Bar(recipe.steps * recipe.batch, gang)
        for progress in train(recipe, gang):
            line = f"{progress.kimg:.6g} kimg  loss {progress.loss:.5f}  {progress.seconds:.1f} s"
            bar.say(progress.kimg, line)
        bar.end("the same command with --resume 1")


def against_teacher(values: dict[str, float]) -> str:
    """ "fid 3.41 +- 0.10 = 1.45 x teacher's 2.35", of what the log has; "" without a metric."""
    from image_distill.compare import metric_of

    if (name := metric_of(values)) is None:
        return ""
    text = f"{name} {values[name]:.4g}"
    if (half := values.get(f"{name}_interval")) is not None:
        text += f" +- {half:.2g}"
    if (teacher := values.get(f"{name}_teacher")) is not None:
        text += f" = {values[name] / teacher:.3g} x teacher's {teacher:.4g}"
    return text


class _Bar:
    """Lines on stdout above a bar with the time to go on stderr, of the first process alone."""

    def __init__(self, images: int, gang: "Gang") -> None:
        self.total, self.gang = images / 1000, gang
        self.bar: Any = None
        self.live = ""

    def metric(self, values: dict[str, float], grid: str) -> None:
        """What stands behind the bar: the last metric against the teacher's, and the grid."""
        live = against_teacher(values)
        self.live = f"{live}  {grid}" if live else self.live or grid

    def say(self, kimg: float, line: str) -> None:
        from tqdm import tqdm

        if self.gang.rank:
            return
        if self.bar is None:  # from here on: what an earlier run did has cost no time in this one
            self.bar = tqdm(total=self.total, initial=kimg, unit="kimg", disable=None)
        self.bar.set_postfix_str(self.live, refresh=False)
        self.bar.update(kimg - self.bar.n)
        self.bar.write(line)

    def end(self, go_on: str) -> None:
        """Close the bar; after Ctrl-C say how to go on, and end as interrupted."""
        if self.bar is not None:
            self.bar.close()
        if self.gang.asked.is_set():
            say(f"what exists is kept; go on with: {go_on}")
            raise KeyboardInterrupt


def _sampler(arguments: argparse.Namespace) -> Any:
    from image_distill.sample import Heun, OneStep

    if arguments.steps is None:
        return OneStep(init_sigma=arguments.init_sigma)
    return Heun(
        steps=arguments.steps,
        churn=arguments.churn,
        churn_min=arguments.churn_min,
        churn_max=arguments.churn_max,
        churn_noise=arguments.churn_noise,
    )


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def generate_images(arguments: argparse.Namespace) -> None:
    """`generate`."""
    from image_distill.sample import generate, parse_seeds, write_images
    from image_distill.teachers import load_denoiser

    new_target(arguments.out, arguments.overwrite)
    network = load_denoiser(arguments.network, _device())
    sampler = _sampler(arguments)
    batches = generate(
        network,
        parse_seeds(arguments.seeds),
        sampler,
        chosen=arguments.chosen,
        batch=arguments.batch,
    )
    number = write_images(batches, arguments.out)
    say(f"wrote {number} images of {sampler.evaluations} evaluations each to {arguments.out}")


def make_statistics(arguments: argparse.Namespace) -> None:
    """`statistics`."""
    from image_distill.score import open_detector, open_statistics

    new_target(arguments.out, arguments.overwrite)
    detector = open_detector(arguments.detector, _device())
    open_statistics(arguments.source, detector, arguments.num).save(arguments.out)
    say(f"wrote {arguments.out}")


def measure_distance(arguments: argparse.Namespace) -> None:
    """`fid`: of a network, three sets of seeds; of images, once."""
    from image_distill.metrics import compute_statistics, frechet_distance
    from image_distill.score import (
        distance_name,
        network_batches,
        open_detector,
        open_statistics,
    )
    from image_distill.teachers import DESCRIPTION, load_denoiser

    detector = open_detector(arguments.detector, _device())
    name = distance_name(arguments.detector)
    reference = open_statistics(arguments.reference, detector)
    if not (Path(arguments.source) / DESCRIPTION).is_file():
        own = open_statistics(arguments.source, detector, arguments.num)
        say(json.dumps({name: frechet_distance(own, reference)}))
        return
    network, number = load_denoiser(arguments.source, _device()), arguments.num or 50_000
    found = []
    for trial in range(arguments.trials):
        seeds = range(trial * number, (trial + 1) * number)
        batches = network_batches(network, seeds, _sampler(arguments), arguments.batch)
        found.append(frechet_distance(compute_statistics(batches, detector), reference))
        say(json.dumps({"seeds": f"{seeds[0]}-{seeds[-1]}", name: found[-1]}))
    say(json.dumps({f"{name}_minimum": min(found), "sets": len(found)}))


def measure_features(arguments: argparse.Namespace) -> None:
    """`kid` and `precision-recall`: of two sets of images."""
    from image_distill.metrics import compute_features, kernel_distance, precision_recall
    from image_distill.score import STAND_IN, image_batches, open_detector

    detector = open_detector(arguments.detector, _device())
    suffix = "_efficientnet_lite0" if arguments.detector == STAND_IN else ""
    fake, real = (
        compute_features(image_batches(path, limit=arguments.num), detector)
        for path in (arguments.source, arguments.reference)
    )
    if arguments.command == "kid":
        mean, deviation = kernel_distance(real, fake)
        found = {f"kid{suffix}": mean, "std_over_subsets": deviation}
    else:
        precision, recall = precision_recall(real, fake)
        found = {f"precision{suffix}": precision, f"recall{suffix}": recall}
    say(json.dumps(found))


def measure_inception_score(arguments: argparse.Namespace) -> None:
    """`inception-score`: needs the published Inception, whose classes it uses."""
    from image_distill.metrics import compute_features, inception_score
    from image_distill.score import image_batches, load_probabilities

    detector = load_probabilities(arguments.detector, _device())
    found = compute_features(image_batches(arguments.source, limit=arguments.num), detector)
    mean, deviation = inception_score(found.clamp(min=1e-30).log())
    say(json.dumps({"inception_score": mean, "std_over_splits": deviation}))


def export_student(arguments: argparse.Namespace) -> None:
    """`export`."""
    from image_distill.export import export

    new_target(arguments.out, arguments.overwrite)
    folder = export(arguments.run_folder, arguments.out, arguments.init_sigma)
    say(
        f"wrote {folder} to {arguments.out}; use: diffusers.DiffusionPipeline.from_pretrained("
        f'"{arguments.out}", trust_remote_code=True)(seeds=range(16)).images'
    )


def compare_runs(arguments: argparse.Namespace) -> None:
    """`compare`."""
    from image_distill.compare import draw, read_curve, table

    new_target(arguments.out, arguments.overwrite)
    curves = [read_curve(run) for run in arguments.runs]
    say(table(curves))
    draw(curves, arguments.out)
    sys.stderr.write(f"wrote {arguments.out}\n")


def toy(arguments: argparse.Namespace) -> None:
    """`toy2d`: one line per run, then a table, and a figure with --figure."""
    from image_distill.toy2d import figure, run
    from uni3d.instruct import DIVERGENCES

    if arguments.figure:
        new_target(arguments.figure, arguments.overwrite)
    names = list(DIVERGENCES) if arguments.divergence == ["all"] else arguments.divergence
    results = []
    for name in names:
        for seed in range(arguments.seeds):
            r = run(name, arguments.form, seed, arguments.steps)
            results.append(r)
            say(
                f"{r.divergence} {r.form} seed {seed}: modes {r.modes_covered}/{r.modes}  "
                f"on modes {r.on_modes:.3f}  KL(teacher||student) {r.forward_kl:.4f}  "
                f"KL(student||teacher) {r.reverse_kl:.4f}  {r.seconds:.0f} s"
            )
    say("\n| divergence | modes of 8, per seed | on modes | KL(q‖p) | KL(p‖q) |")
    say("|---|---|---|---|---|")
    for name in dict.fromkeys(r.divergence for r in results):
        own = [r for r in results if r.divergence == name]
        modes = " ".join(str(r.modes_covered) for r in own)
        on, forward, reverse = (
            sum(values) / len(own)
            for values in zip(*((r.on_modes, r.forward_kl, r.reverse_kl) for r in own), strict=True)
        )
        say(f"| {name} | {modes} | {on:.3f} | {forward:.4f} | {reverse:.4f} |")
    if arguments.figure:
        figure(results, arguments.figure)


def fashion(arguments: argparse.Namespace) -> None:
    """`fashion-mnist`: the whole benchmark, going on where it was interrupted."""
    from image_distill.budgets import Budget
    from image_distill.fashion import keep, run

    if arguments.minutes is not None and arguments.minutes <= 0:
        raise ConfigError(f"minutes: got {arguments.minutes}; wanted more than 0; do: change it")
    if arguments.cheaper and arguments.resolution != 32:
        raise ConfigError("cheaper: got it with --resolution 16; wanted 32; do: leave one out")
    full = Budget.cheaper if arguments.cheaper else Budget.full
    budget = full() if arguments.resolution == 32 else Budget.small()
    asked = arguments.students or budget.usual
    names = budget.students if asked == ["all"] else asked
    budget = budget.chosen(list(names))
    budget = budget.without_classes() if arguments.unconditional else budget
    if arguments.keep:
        keep(arguments.out, arguments.keep, list(names))
        say(f"kept: {arguments.keep}")
        return
    budget = budget.smoke() if arguments.smoke else budget
    for line in run(
        arguments.out,
        arguments.source,
        budget,
        minutes=arguments.minutes,
        networks=arguments.networks,
    ):
        say(line)
