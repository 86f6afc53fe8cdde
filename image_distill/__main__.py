"""The command line of image_distill: a thin shell; it holds no algorithm."""

import argparse
import sys
from pathlib import Path

from uni3d.errors import Uni3DError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="image-distill", description="One-step image generators from published checkpoints"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    sub = commands.add_parser(
        "import",
        help="a published .pkl (or training-state .pt) to safetensors and JSON",
        description="Reads a checkpoint without running anything that it contains.",
    )
    sub.add_argument("file", help="path or http(s) address of a .pkl; or a training-state .pt")
    sub.add_argument("out", type=Path, help="folder to write")
    sub.add_argument("--sha256", metavar="HEX", help="refuse the file if its checksum differs")
    sub.add_argument(
        "--like", type=Path, metavar="DIR", help="for a .pt: an imported network of that kind"
    )
    sub.set_defaults(run=_import)
    return parser


def _import(arguments: argparse.Namespace) -> None:
    from image_distill.teachers import import_pickle, import_training_state

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


def main(argv: list[str] | None = None) -> int:
    """Runs one command; an error that the user can mend is one line, and 2."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except Uni3DError as error:
        sys.stderr.write(f"image-distill: error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
