"""Twelve prompts end to end: a table and one picture of all sheets.

python benchmarks/twelve.py --out outputs/twelve [--only 0 3 7] [--preset default] [--method ...]
python benchmarks/twelve.py --list t3bench --out outputs/t3bench --preset draft

`--list t3bench`: the first twelve of T3Bench's single objects that are fully understood
(`uni3d toybox read`). Most are drawn by toybox-wide, whose recogniser is right for 84 % of views.

What is in the folder is not made again: it goes on where it was stopped, and two of them, each with
its own --only, may share the cores.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from uni3d.cli import main as uni3d
from uni3d.toybox.instant_bars import TWELVE

T3BENCH = (
    "A cactus with pink flowers",
    "A bright red fire hydrant",
    "A gleaming silver saxophone",
    "A vibrant sunflower with green leaves",
    "A castle-shaped sandcastle",
    "A chameleon perched on a tree branch",
    "A vintage iron-cast typewriter",
    "A shiny emerald green beetle",
    "A shimmering emerald pendant necklace",
    "A pristine white wedding gown",
    "A sleek, black top hat",
    "An intricately-carved wooden chess set",
)
LISTS = {"toybox": TWELVE, "t3bench": T3BENCH}


def run(prompt: str, folder: Path, extra: list[str]) -> dict:
    done = folder / "row.json"
    if done.exists():
        return json.loads(done.read_text())
    started = time.time()
    code = uni3d([prompt, "--out", str(folder), "--formats", "glb", *extra])
    seconds = time.time() - started
    if code == 0:
        code = uni3d(["evaluate", str(folder)])
    report = json.loads((folder / "report.json").read_text()) if code == 0 else {}
    row = {"prompt": prompt, "code": code, "seconds": seconds, **report.get("evaluation", {})}
    if code == 0:
        done.write_text(json.dumps(row, indent=2) + "\n")
    return row


def stack(runs: list[Path], path: Path, part: float = 1.0) -> None:
    """One picture of the sheets of the runs, one below the other; of each the top `part`."""
    sheets = [r / "sheet.png" for r in runs]
    images = [Image.open(p).convert("RGB") for p in sheets if p.exists()]
    if not images:
        return
    images = [i.crop((0, 0, i.width, round(i.height * part))) for i in images]
    page = Image.new("RGB", (max(i.width for i in images), sum(i.height for i in images)), "white")
    top = 0
    for image in images:
        page.paste(image, (0, top))
        top += image.height
    page.save(path)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path("outputs/twelve"))
    parser.add_argument("--list", choices=LISTS, default="toybox")
    parser.add_argument("--only", type=int, nargs="+", choices=range(len(TWELVE)))
    args, extra = parser.parse_known_args()
    prompts = LISTS[args.list]
    chosen = range(len(prompts)) if args.only is None else args.only
    rows = [run(prompts[i], args.out / f"{i:02d}", extra) for i in chosen]
    print("| prompt | seconds | right views of 8 | best IoU | aligned |")
    print("|---|---|---|---|---|")
    for r in rows:
        placed, aligned = r.get("best_iou", float("nan")), r.get("best_iou_aligned", float("nan"))
        views = r.get("right_views", "-")
        print(f"| {r['prompt']} | {r['seconds']:.0f} | {views} | {placed:.2f} | {aligned:.2f} |")
    seen = [r["right_views"] >= 6 for r in rows if "right_views" in r]
    mean = np.mean([r.get("best_iou", 0.0) for r in rows])
    print(f"\nright kind from at least 6 of 8 views: {sum(seen)} of {len(seen)} judged")
    print(f"mean IoU of all: {mean:.3f}")
    if args.only is not None:
        sys.exit(any(r["code"] for r in rows))
    folders = [args.out / f"{i:02d}" for i in chosen]
    stack(folders, args.out / "sheets.png")
    stack(folders, args.out / "colours.png", part=1 / 3)
    (args.out / "table.json").write_text(json.dumps(rows, indent=2) + "\n")
    sys.exit(any(r["code"] for r in rows))


if __name__ == "__main__":
    main()
