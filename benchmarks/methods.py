"""One prompt by every method and divergence: a table and one picture of all sheets.

python benchmarks/methods.py --out outputs/methods [--prompt "a corgi astronaut"] [--preset draft]

One seed of one prompt tells methods that work from those that do not, not which is best. What is in
the folder is not made again.
"""

import argparse
import sys
from pathlib import Path

from twelve import run, stack

from uni3d.instruct import DIVERGENCES

ROWS = [("sds", ""), ("vsd", ""), ("sim", ""), ("sid", "")]
ROWS += [("uni-instruct", divergence) for divergence in DIVERGENCES]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path("outputs/methods"))
    parser.add_argument("--prompt", default="a corgi astronaut")
    parser.add_argument("--preset", default="draft")
    args, extra = parser.parse_known_args()
    rows, folders = [], []
    for method, divergence in ROWS:
        chosen = ["--method", method, *(["--divergence", divergence] if divergence else [])]
        folders.append(args.out / "-".join(filter(None, (method, divergence))))
        shared = ["--preset", args.preset, "--from-scratch"]
        rows.append(run(args.prompt, folders[-1], [*shared, *chosen, *extra]))
    print("| method | seconds | right views of 8 | best IoU |")
    print("|---|---|---|---|")
    for folder, r in zip(folders, rows, strict=True):
        views, overlap = r.get("right_views", "-"), r.get("best_iou", float("nan"))
        print(f"| {folder.name} | {r['seconds']:.0f} | {views} | {overlap:.2f} |")
    stack(folders, args.out / "sheets.png")
    stack(folders, args.out / "colours.png", part=1 / 3)
    sys.exit(any(r["code"] for r in rows))


if __name__ == "__main__":
    main()
