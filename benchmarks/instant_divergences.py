"""What a divergence does to a distribution of objects: eight prompts, one training for each method.

python benchmarks/instant_divergences.py --out outputs/divergences [--steps 8000] [--only vsd ...]

All methods have the same steps, seed, sds phase and everything else (--from FILE: the same network
to begin with; --set anchors=1600: the same anchors, drawn once). A training that was stopped goes
on where it was; one that is whole is only judged. Each is compared with true objects of the
prompts: MMD^2, 1-NNA (one half is right), coverage and entropy over the truth's (1 is right), with
intervals from prompts drawn again and halves of the z; MMD^2 less that of sds, drawn in pairs; and
how many prompts have at least half of the truth's entropy over all z. The row "truth" is true
objects against other true objects, "start" the network of --from. Figures: DIR/METHOD/six.png (six
z a prompt) and DIR/histograms.png.
"""

import argparse
import colorsys
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from uni3d.cameras import Cameras
from uni3d.cli import main as uni3d
from uni3d.instant.commands import ANCHORS
from uni3d.instant.generator import Generator
from uni3d.instant.weights import load_weights, make_scene
from uni3d.mesh import pictures
from uni3d.storage import checkpoint
from uni3d.teacher.model import TeacherConfig
from uni3d.toybox.instant_bars import SMALL_WORLD, made_views, true_views
from uni3d.toybox.reading import read
from uni3d.toybox.recogniser import load_recogniser
from uni3d.toybox.variety import describe, mmd2, nearest_neighbours, relative_entropy

FREE = ("reverse-kl", "forward-kl", "jeffrey-kl", "jensen-shannon", "chi-square", "hellinger")
METHODS: dict[str, list[str]] = {
    "sds": ["--method", "sds"],
    "vsd": ["--method", "vsd"],
    **{name: ["--method", "uni-instruct", "--divergence", name] for name in FREE},
}
CAMERAS = Cameras.orbit([20.0, 140.0], 15.0)
MEASURES = ("mmd2", "nna", "coverage", "entropy")
DRAWS = 400


def train(name: str, args: argparse.Namespace, prompts: Path, extra: list[str]) -> int:
    """Train to the end, or go on from where it was stopped; the exit code."""
    folder = args.out / name
    kept, anchors = folder / "checkpoint.safetensors", args.out / ANCHORS
    if kept.exists() and checkpoint.load(kept)[1]["step"] >= args.steps:
        return 0
    if anchors.exists() and not (folder / ANCHORS).exists():  # they do not depend on the method
        folder.mkdir(exist_ok=True)
        shutil.copy(anchors, folder)
    words = ["instant", "train", "--out", str(folder), "--teacher", "toybox"]
    words += ["--prompts", str(prompts), "--steps", str(args.steps), *METHODS[name], *extra]
    begin = ["--from", str(args.start)] if args.start else []
    code = uni3d([*words, *(["--resume"] if kept.exists() else begin)])
    if (folder / ANCHORS).exists() and not anchors.exists():
        shutil.copy(folder / ANCHORS, anchors)
    return code


def made_of(network: Generator, noises: int) -> Tensor:
    """Pictures `[prompts, noises, views, 3, 64, 64]` of the small world's objects."""
    teacher = TeacherConfig()
    rows = []
    for prompt in SMALL_WORLD:
        scenes = [make_scene(network, prompt, k, teacher) for k in range(noises)]
        rows.append(made_views(scenes, CAMERAS))
    return torch.stack(rows)


def measure(made: Tensor, truth: Tensor) -> dict[str, float]:
    """made, truth: features `[z, numbers]` of one prompt."""
    nna, coverage = nearest_neighbours(made, truth)
    return {
        "mmd2": mmd2(made, truth),
        "nna": nna,
        "coverage": coverage,
        "entropy": relative_entropy(made, truth),
    }


def draws_of(made: Tensor, truth: Tensor) -> dict[str, list[float]]:
    """Means over prompts, of features `[prompts, z, numbers]`, for each of DRAWS draws.

    A draw has prompts with replacement, and half of the z without: the same object twice would be
    a neighbour of itself. The draws are the same for every method.
    """
    rng, (prompts, count) = np.random.default_rng(0), made.shape[:2]
    draws: dict[str, list[float]] = {name: [] for name in MEASURES}
    for _ in range(DRAWS):
        rows = []
        for i in rng.integers(prompts, size=prompts):
            one, two = (rng.permutation(count)[: count // 2] for _ in range(2))
            rows.append(measure(made[i][one], truth[i][two]))
        for name in MEASURES:
            draws[name].append(float(np.mean([row[name] for row in rows])))
    return draws


def interval(values: list[float]) -> list[float]:
    """Mean, 2.5 and 97.5 percent points."""
    return [float(np.mean(values)), *np.percentile(values, [2.5, 97.5]).tolist()]


def varied(made: Tensor, truth: Tensor) -> int:
    """Of features `[prompts, z, numbers]`: prompts with at least half of the truth's entropy."""
    return sum(relative_entropy(m, t) >= 0.5 for m, t in zip(made, truth, strict=True))


def parameters(views: Tensor) -> dict[str, list[float]]:
    """Of pictures over white `[objects, views, 3, h, w]`: width over height of the outline in the
    first view, the share of it that is filled, and the hue of the mean colour."""
    found: dict[str, list[float]] = {"aspect": [], "area": [], "hue": []}
    for picture in views[:, 0].permute(0, 2, 3, 1).numpy():
        inside = (1 - picture).max(2) > 0.25
        if not inside.any():
            continue
        up, across = np.nonzero(inside)
        found["aspect"].append(float((np.ptp(across) + 1) / (np.ptp(up) + 1)))
        found["area"].append(float(inside.mean()))
        found["hue"].append(colorsys.rgb_to_hsv(*picture[inside].mean(0))[0])
    return found


def histograms(values: dict[str, dict[str, list[float]]], path: Path) -> None:
    """A row for each parameter, a column for each method and the truth; bins are shared."""
    from PIL import Image, ImageDraw

    names, rows = list(values), list(next(iter(values.values())))
    page = Image.new("RGB", (130 * len(names) + 60, 110 * len(rows) + 20), "white")
    draw = ImageDraw.Draw(page)
    for j, row in enumerate(rows):
        joined = np.concatenate([values[name][row] for name in names])
        edges = np.linspace(joined.min(), joined.max() + 1e-9, 21)
        draw.text((4, 70 + 110 * j), row, "black")
        for i, name in enumerate(names):
            counts = np.histogram(values[name][row], edges)[0]
            for k, count in enumerate(counts):
                left, floor = 60 + 130 * i + 6 * k, 115 + 110 * j
                height = 90 * count / max(counts.max(), 1)
                draw.rectangle((left, floor - height, left + 4, floor), fill="steelblue")
            if j == 0:
                draw.text((60 + 130 * i, 4), name, "black")
    page.save(path)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path("outputs/divergences"))
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--noises", type=int, default=16)
    parser.add_argument("--from", type=Path, dest="start", help="the network that all begin with")
    parser.add_argument("--only", nargs="+", choices=tuple(METHODS), default=list(METHODS))
    args, extra = parser.parse_known_args()
    args.out.mkdir(parents=True, exist_ok=True)
    prompts = args.out / "prompts.txt"
    prompts.write_text("\n".join(SMALL_WORLD) + "\n")
    for name in args.only:
        if code := train(name, args, prompts, extra):
            sys.exit(code)
    judge(args)


def judge(args: argparse.Namespace) -> None:
    """Compare the networks with the truth: table.json, pictures, and the table on stdout."""
    net = load_recogniser()
    worlds = [read(prompt).description for prompt in SMALL_WORLD]
    truth = torch.stack([true_views(what, 2 * args.noises, CAMERAS) for what in worlds if what])
    features = torch.stack([describe(net, views) for views in truth])
    true, other = features[:, : args.noises], features[:, args.noises :]
    draws, shapes = {"truth": draws_of(other, true)}, {"truth": parameters(truth.flatten(0, 1))}
    many = {"truth": varied(other, true)}
    files = {"start": args.start} if args.start else {}
    files |= {name: args.out / name / "checkpoint.safetensors" for name in args.only}
    for name, file in files.items():
        made = made_of(load_weights(file), args.noises)
        own = torch.stack([describe(net, views) for views in made])
        draws[name], many[name] = draws_of(own, true), varied(own, true)
        shapes[name] = parameters(made.flatten(0, 1))
        rows = {p: pictures.as_uint8(v[:6, 0]) for p, v in zip(SMALL_WORLD, made, strict=True)}
        (args.out / name).mkdir(exist_ok=True)
        pictures.write_sheet(rows, args.out / name / "six.png")
    histograms(shapes, args.out / "histograms.png")
    table = {name: {m: interval(v) for m, v in row.items()} for name, row in draws.items()}
    for name, row in table.items():
        row["varied"] = [float(many[name])]
        if "sds" in draws and name != "sds":
            less = np.subtract(draws[name]["mmd2"], draws["sds"]["mmd2"])
            row["less"] = interval(less.tolist())
    (args.out / "table.json").write_text(json.dumps(table, indent=1) + "\n")
    heads = ("MMD^2", "1-NNA", "coverage", "entropy over the truth's", "prompts above half of it")
    heads += ("MMD^2 less that of sds",)
    print(f"| method | {' | '.join(heads)} |\n|{'---|' * (len(heads) + 1)}")
    for name, row in table.items():
        shown = [row[m] for m in MEASURES] + ([row["less"]] if "less" in row else [])
        cells = [f"{mean:.3f} ({low:.3f} to {high:.3f})" for mean, low, high in shown]
        cells.insert(len(MEASURES), f"{many[name]} of {len(SMALL_WORLD)}")
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
