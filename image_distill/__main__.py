"""The command line of image_distill: a thin shell; it holds no algorithm."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from image_distill import commands
from uni3d import config_io
from uni3d.errors import Uni3DError, escape_missing_letters


class _Parser(argparse.ArgumentParser):
    """Recipe flags are added only when their command is used: that needs torch. An error is one
    line, as everywhere."""

    def error(self, message: str) -> NoReturn:
        message = " ".join(message.split())
        self.exit(2, f"image-distill: error: {message}; do: {self.prog} --help\n")

    def __init__(self, *arguments: Any, recipe: str = "", **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._recipe = recipe

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        for word in args or ():
            if word.startswith("--") and word.endswith("=--"):  # argparse makes a list of it
                self.error(f"argument {word[:-3]}: got '--'")
        if self._recipe:
            from image_distill.flags import add_flags

            if self._recipe == "teacher":
                from image_distill.edm import TeacherRecipe as Kind
            else:
                from image_distill.recipe import Recipe as Kind
            add_flags(self, Kind)
            self._recipe = ""
        return super().parse_known_args(args, namespace)


KINDS = ["cifar10", "imagenet64", "fashion-mnist", "fashion-mnist-test", "folder"]


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="image-distill", description="One-step image generators from published checkpoints"
    )
    subparsers = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)

    def command(
        name: str, run: Callable[[argparse.Namespace], None], text: str, recipe: str = ""
    ) -> argparse.ArgumentParser:
        sub = subparsers.add_parser(name, help=text, description=text, recipe=recipe)
        sub.set_defaults(run=run)
        return sub

    sub = command(
        "import",
        commands.import_network,
        "a published .pkl (or training-state .pt) to safetensors and JSON; runs nothing in it",
    )
    sub.add_argument("file", help="path or http(s) address of a .pkl; or a training-state .pt")
    sub.add_argument("out", type=Path, help="folder to write")
    _add_overwrite(sub)
    sub.add_argument("--sha256", metavar="HEX", help="refuse the file if its checksum differs")
    sub.add_argument(
        "--like", type=Path, metavar="DIR", help="for a .pt: an imported network of that kind"
    )

    sub = command("prepare", commands.prepare_data, "a public archive to a zip in EDM's layout")
    sub.add_argument("kind", choices=KINDS)
    sub.add_argument("source", type=Path)
    sub.add_argument("out", type=Path, help="NAME.zip")
    _add_overwrite(sub)
    sub.add_argument(
        "--resolution",
        type=config_io.count,
        help="folder: crop and scale; fashion-mnist: 32, 16 or 8",
    )

    sub = command("train", commands.train_generator, "distil a teacher into one step", "generator")
    sub.add_argument("--dry-run", action="store_true", help="print recipe and missing files only")
    command("train-teacher", commands.train_teacher, "train a small EDM teacher", "teacher")

    sub = command("generate", commands.generate_images, "images, in one step or by Heun's method")
    sub.add_argument("network", type=Path, help="folder of a network")
    sub.add_argument("out", type=Path, help="folder for PNGs, or NAME.npz")
    _add_overwrite(sub)
    sub.add_argument("--seeds", default="0-63", help="such as 0-49999")
    sub.add_argument("--class", dest="chosen", type=int, metavar="N", help="one class for all")
    _add_sampler(sub)

    sub = command("statistics", commands.make_statistics, "mu and sigma of a set of images")
    sub.add_argument("source", type=Path, help="zip or folder of images")
    sub.add_argument("out", type=Path, help="NAME.npz")
    _add_overwrite(sub)
    _add_detector(sub)

    sub = command("fid", commands.measure_distance, "Frechet distance of a network or of images")
    sub.add_argument("source", type=Path, help="folder of a network; or zip, folder of images")
    sub.add_argument("reference", type=Path, help="npz with mu and sigma; or images")
    sub.add_argument(
        "--trials", type=config_io.count, default=3, help="sets of seeds, for a network"
    )
    _add_detector(sub)
    _add_sampler(sub)

    for name, text in (
        ("kid", "kernel distance of two sets of images"),
        ("precision-recall", "improved precision and recall of two sets of images, k = 3"),
    ):
        sub = command(name, commands.measure_features, text)
        sub.add_argument("source", type=Path, help="generated images: zip or folder")
        sub.add_argument("reference", type=Path, help="real images: zip or folder")
        _add_detector(sub)

    sub = command("inception-score", commands.measure_inception_score, "of a set of images")
    sub.add_argument("source", type=Path, help="zip or folder of images")
    _add_detector(sub)

    sub = command("compare", commands.compare_runs, "the learning curves of several runs")
    sub.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folder of a training run")
    sub.add_argument("--out", type=Path, default=Path("compare.png"), help="PNG of the curves")
    _add_overwrite(sub)

    sub = command("export", commands.export_student, "a student as a pipeline of diffusers")
    sub.add_argument("run_folder", type=Path, metavar="RUN", help="a run, or a network's folder")
    sub.add_argument("out", type=Path, help="folder to write")
    _add_overwrite(sub)
    sub.add_argument("--init-sigma", type=config_io.number, help="unless it is that of the run")

    sub = command("toy2d", commands.toy, "eight Gaussians in the plane: every divergence measured")
    sub.add_argument("divergence", nargs="*", default=["all"])
    sub.add_argument("--form", default="paper", choices=["paper", "exact", "integral"])
    sub.add_argument("--seeds", type=config_io.count, default=1)
    sub.add_argument("--steps", type=config_io.count, default=4000)
    sub.add_argument("--figure", type=Path, metavar="PNG")
    _add_overwrite(sub)

    sub = command("fashion-mnist", commands.fashion, "teacher, students and their table")
    sub.add_argument("out", type=Path, help="folder; an interrupted run in it is continued")
    sub.add_argument("--source", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    sub.add_argument(
        "--minutes", type=config_io.number, help="stop after this long; the same command goes on"
    )
    sub.add_argument("--resolution", type=int, choices=[32, 16], default=32)
    sub.add_argument(
        "--cheaper", action="store_true", help="at 32 by 32, networks of half the weights"
    )
    sub.add_argument("--unconditional", action="store_true", help="networks that know no classes")
    sub.add_argument(
        "--students", nargs="+", metavar="NAME", help="all, or some by name (not given: two)"
    )
    sub.add_argument("--smoke", action="store_true", help="a few steps of a tiny network")
    sub.add_argument(
        "--networks",
        type=Path,
        metavar="FOLDER",
        help="measure the networks of this earlier run; train nothing",
    )
    sub.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="copy the trained networks there in half precision, and do nothing else",
    )
    return parser


def _add_sampler(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--init-sigma", type=config_io.number, default=2.5, help="one step from this level"
    )
    sub.add_argument("--steps", type=config_io.count, help="Heun's method instead of one step")
    sub.add_argument("--churn", type=config_io.number, default=0.0, help="0: deterministic")
    sub.add_argument("--churn-min", type=config_io.number, default=0.0)
    sub.add_argument("--churn-max", type=float, default=float("inf"))
    sub.add_argument("--churn-noise", type=config_io.number, default=1.0)
    sub.add_argument("--batch", type=config_io.count, default=64)


def _add_overwrite(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--overwrite", action="store_true", help="replace what is there")


def _add_detector(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--detector",
        default="models/inception-2015-12-05.pt",
        help="the published TorchScript Inception; or efficientnet, a stand-in: then it is no FID",
    )
    sub.add_argument("--num", type=config_io.count, help="images (a network: 50000 unless given)")


def main(argv: list[str] | None = None) -> int:
    """Runs one command; an error that the user can mend is one line, and 2."""
    escape_missing_letters()
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except Uni3DError as error:
        sys.stderr.write(f"image-distill: error: {' '.join(str(error).split())}\n")
        return 2
    except OSError as error:
        where, why = error.filename or "a file", error.strerror or error
        sys.stderr.write(f"image-distill: error: {where}: {why}; do: check the path and rights\n")
        return 2
    except MemoryError:
        sys.stderr.write("image-distill: error: not enough memory; do: a smaller --batch\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("image-distill: interrupted\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
