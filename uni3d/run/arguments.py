"""Command-line arguments that a RunConfig and its mesh files are made from, for every command."""

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uni3d import config_io
from uni3d.mesh.formats import check_formats
from uni3d.run.presets import PRESETS, with_preset

if TYPE_CHECKING:
    from uni3d.mesh.types import FileOptions

__all__ = [
    "add_file_arguments",
    "add_run_arguments",
    "configured",
    "file_options",
    "run_mapping",
    "with_mesh",
]


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """What a RunConfig is made from, besides the prompt."""
    parser.add_argument(
        "--teacher",
        help="toybox, toybox-wide, sd, sdxl, if, a hub id, a folder in diffusers layout",
    )
    parser.add_argument("--revision", help="branch, tag or commit of a hub id")
    parser.add_argument("--variant", help="of the weight files, such as fp16")
    parser.add_argument("--method", help="uni-instruct, sds, vsd, sim, sid, diff-instruct, ...")
    parser.add_argument("--divergence", help="forward-kl, reverse-kl, jeffrey-kl, chi-square, ...")
    parser.add_argument("--form", help="paper, exact or integral")
    parser.add_argument("--preset", default="default", choices=tuple(PRESETS))
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument(
        "--instant-weights", metavar="FILE", help="of uni3d instant train or export; start from it"
    )
    start = parser.add_mutually_exclusive_group()
    start.add_argument(
        "--from-instant",
        action="store_true",
        help="begin with the instant network's object, as presets draft and default do",
    )
    start.add_argument("--from-scratch", action="store_true", help="not with such an object")
    parser.add_argument("--guidance-scale", type=float)
    parser.add_argument("--negative-prompt")
    parser.add_argument("--config", type=Path, help="YAML file of differences from the defaults")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")


def add_file_arguments(parser: argparse.ArgumentParser) -> None:
    """What the mesh files are like; see docs/formats.md."""
    parser.add_argument("--formats", default="glb,obj,ply", help="also: stl, 3mf, usdz")
    parser.add_argument(
        "--size-mm", type=float, default=80.0, help="longest side in stl, 3mf, usdz"
    )
    parser.add_argument("--faces", type=int, help="triangles at most (mesh.target_faces)")
    parser.add_argument("--texture-size", type=int, help="texels along a side (mesh.texture_size)")
    parser.add_argument("--unlit", action="store_true", help="glb, usdz: colours as they are")


def run_mapping(args: argparse.Namespace) -> dict[str, Any]:
    """What preset, file, flags and overrides say, later ones winning; no prompt, not checked."""
    from uni3d.run.settings import RunConfig

    mapping: dict[str, Any] = {}
    if args.config:
        mapping = RunConfig.upgraded(config_io.read_yaml(args.config))
    for name in ("method", "divergence", "form", "steps", "seed"):
        if getattr(args, name) is not None:
            mapping[name] = getattr(args, name)
    if args.guidance_scale is not None:
        mapping = config_io.merge(mapping, {"guidance": {"scale": args.guidance_scale}})
    if args.instant_weights is not None:
        named = {"weights": args.instant_weights, "use": True}
        mapping = config_io.merge(mapping, {"instant": named})
    if args.from_instant:
        mapping = config_io.merge(mapping, {"instant": {"use": True}})
    if args.from_scratch:
        mapping = config_io.merge(mapping, {"instant": {"use": False, "only": False}})
    teacher = {"name": args.teacher, "revision": args.revision, "variant": args.variant}
    teacher = {name: value for name, value in teacher.items() if value is not None}
    mapping = config_io.merge(mapping, {"teacher": teacher})
    if args.negative_prompt is not None:
        mapping = config_io.merge(mapping, {"prompts": {"negative_prompt": args.negative_prompt}})
    return with_preset(args.preset, config_io.apply_overrides(mapping, args.overrides))


def configured(args: argparse.Namespace):
    """The RunConfig of `args`, whose `prompt` wins."""
    from uni3d.run.settings import RunConfig

    return config_io.load(RunConfig, run_mapping(args) | {"prompt": args.prompt})


def with_mesh(config, args: argparse.Namespace):
    """The RunConfig with --faces and --texture-size in its mesh part."""
    asked = {"target_faces": args.faces, "texture_size": args.texture_size}
    given = {name: value for name, value in asked.items() if value is not None}
    return dataclasses.replace(config, mesh=dataclasses.replace(config.mesh, **given))


def file_options(args: argparse.Namespace) -> tuple[tuple[str, ...], "FileOptions"]:
    """(formats, FileOptions), checked before any work."""
    from uni3d.mesh.types import FileOptions

    options = FileOptions(size_mm=args.size_mm, unlit=args.unlit)
    return check_formats(args.formats.split(",")), options
