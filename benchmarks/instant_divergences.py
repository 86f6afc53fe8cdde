"""What a divergence does to a distribution of objects: eight prompts, one training for each method.

python benchmarks/instant_divergences.py --out outputs/divergences [--steps 8000] [--only vsd ...]

All methods have the same steps, seed, sds phase and everything else. A training that was stopped
goes on where it was; one that is whole is only judged. Each is compared with true objects of the
prompts: MMD^2, 1-NNA (one half is right), coverage and entropy over the truth's (1 is right), with
intervals from prompts drawn again and halves of the z; and the row "truth" is true objects against
other true objects. Figures: DIR/METHOD/six.png (six z a prompt) and DIR/histograms.png.
"""

import argparse
import colorsys
import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from uni3d.cameras import Cameras
from uni3d.cli import main as uni3d
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


def train(name: str, folder: Path, prompts: Path, steps: int, extra: list[str]) -> int:
    """Train to the end, or go on from where it was stopped; the exit code."""
    kept = folder / "checkpoint.safetensors"
    if kept.exists() and checkpoint.load(kept)[1]["step"] >= steps:
        return 0
    words = ["instant", "train", "--out", str(folder), "--teacher", "toybox"]
    words += ["--prompts", str(prompts), "--steps", str(steps), *METHODS[name], *extra]
    return uni3d([*words, *(["--resume"] if kept.exists() else [])])


def measure(made: Tensor, truth: Tensor) -> dict[str, float]:
    """made, truth: features `[z, numbers]` of one prompt."""
    nna, coverage = nearest_neighbours(made, truth)
    return {
        "mmd2": mmd2(made, truth),
        "nna": nna,
        "coverage": coverage,
        "entropy": relative_entropy(made, truth),
    }


def intervals(made: Tensor, truth: Tensor) -> dict[str, list[float]]:
    """Mean, 2.5 and 97.5 percent points over draws, of features `[prompts, z, numbers]`.

    A draw has prompts with replacement, and half of the z without: the same object twice would be
    a neighbour of itself.
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
    return {
        name: [float(np.mean(values)), *np.percentile(values, [2.5, 97.5]).tolist()]
        for name, values in draws.items()
    }


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
    parser.add_argument("--only", nargs="+", choices=tuple(METHODS), default=list(METHODS))
    args, extra = parser.parse_known_args()
    args.out.mkdir(parents=True, exist_ok=True)
    prompts = args.out / "prompts.txt"
    prompts.write_text("\n".join(SMALL_WORLD) + "\n")
    for name in args.only:
        if code := train(name, args.out / name, prompts, args.steps, extra):
            sys.exit(code)
    net, teacher = load_recogniser(), TeacherConfig()
    worlds = [read(prompt).description for prompt in SMALL_WORLD]
    truth = torch.stack([true_views(what, 2 * args.noises, CAMERAS) for what in worlds if what])
    features = torch.stack([describe(net, views) for views in truth])
    true, other = features[:, : args.noises], features[:, args.noises :]
    table = {"truth": intervals(other, true)}
    shapes = {"truth": parameters(truth.flatten(0, 1))}
    for name in args.only:
        network = load_weights(args.out / name / "checkpoint.safetensors")
        made = torch.stack(
            [
                made_views(
                    [make_scene(network, p, k, teacher) for k in range(args.noises)], CAMERAS
                )
                for p in SMALL_WORLD
            ]
        )
        table[name] = intervals(torch.stack([describe(net, views) for views in made]), true)
        shapes[name] = parameters(made.flatten(0, 1))
        rows = {p: pictures.as_uint8(v[:6, 0]) for p, v in zip(SMALL_WORLD, made, strict=True)}
        pictures.write_sheet(rows, args.out / name / "six.png")
    histograms(shapes, args.out / "histograms.png")
    (args.out / "table.json").write_text(json.dumps(table, indent=1) + "\n")
    print("| method | MMD^2 | 1-NNA | coverage | entropy over the truth's |\n|---|---|---|---|---|")
    for name, row in table.items():
        cells = [f"{mean:.3f} ({low:.3f} to {high:.3f})" for mean, low, high in row.values()]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
