"""What a run leaves behind: mesh files, turntable, sheet and report, from its checkpoint."""

import dataclasses
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from uni3d.cameras import Cameras
from uni3d.errors import CheckpointError, ExportError
from uni3d.mesh import files, pictures, solid, usd
from uni3d.mesh.formats import FORMATS, MORE_FORMATS, check_formats
from uni3d.mesh.rasterize import normals, shade
from uni3d.mesh.surface import extract_mesh
from uni3d.mesh.types import FileOptions, Mesh
from uni3d.run.folder import CHECKPOINT, digest_of, read_report, write_report
from uni3d.run.run import JUDGED, Progress, restore_scene
from uni3d.run.settings import RunConfig
from uni3d.storage import checkpoint
from uni3d.teacher.abilities import abilities_of
from uni3d.teacher.memory import out_of_memory_explained

__all__ = [
    "check_mesh",
    "export_run",
    "read_mesh",
    "sheet_cameras",
    "write_and_check",
]

TURNTABLE_FRAMES, TURNTABLE_SIZE = 72, 256
SHEET_SIZE = 192


def sheet_cameras() -> Cameras:
    """Eight views around the object, a little from above; every other one higher."""
    return Cameras.orbit(torch.arange(8) * 45.0, torch.tensor([12.0, 25.0]).repeat(4))


def read_mesh(run: Path) -> Mesh:
    """The run's GLB with its colours, back in world axes. CheckpointError without one."""
    path = run / "mesh.glb"
    if not path.is_file():
        raise CheckpointError(f"{path}: no mesh there; do: uni3d export {run}")
    try:
        return files.read_glb(path)
    except ExportError as error:
        raise CheckpointError(f"{error}; do: uni3d export {run}") from error


def check_mesh(config: RunConfig, run: Path) -> None:
    """Raise CheckpointError unless mesh.glb is of this run, and of the step of its checkpoint.

    Runs of before there were ids are not checked.
    """
    if not config.run_id or not (run / "mesh.glb").is_file():
        return
    report = read_report(run)
    entry = _files_of(report).get("mesh.glb")
    mark = entry.get("sha256") if isinstance(entry, dict) else None
    if report.get("run_id") != config.run_id or mark != digest_of(run / "mesh.glb"):
        raise CheckpointError(
            f"{run}/mesh.glb: is not what this run exported last (report.json knows another); "
            f"do: uni3d export {run}"
        )
    if (run / CHECKPOINT).is_file():
        step = checkpoint.described(run / CHECKPOINT).get("step")
        if step != report.get("steps_done"):
            raise CheckpointError(
                f"{run}/mesh.glb: is of step {report.get('steps_done')}, the checkpoint of step "
                f"{step}; do: uni3d export {run}"
            )


def _files_of(report: dict[str, Any]) -> dict[str, Any]:
    files = report.get("files")
    return files if isinstance(files, dict) else {}


def _drop_others(run: Path, formats: Sequence[str]) -> None:
    """Remove mesh files of another scene than the one that was just written in `formats`."""
    for name in (*FORMATS, *MORE_FORMATS):
        beside = ("mesh.mtl", "mesh.png", "mesh-obj.zip") if name == "obj" else ()
        for file in (f"mesh.{name}", *beside) if name not in formats else ():
            (run / file).unlink(missing_ok=True)


def peak_memory_mb() -> float:
    """The most memory this process has had, in MiB; macOS counts bytes, Linux KiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def write_and_check(
    name: str, mesh: Mesh, path: Path, options: FileOptions
) -> tuple[dict[str, Any], str]:
    """Write one format, read it back; what was found in the file, and what to tell ("" = none)."""
    if name == "glb":
        files.write_glb(mesh, path, unlit=options.unlit)
    elif name == "obj":
        files.write_obj(mesh, path)
    elif name == "ply":
        files.write_ply(mesh, path)
    elif name == "usdz":
        usd.write_usdz(mesh, path, options.size_mm, unlit=options.unlit)
        return usd.reopen_usdz(path), ""
    else:
        write = {"stl": solid.write_stl, "3mf": solid.write_3mf}[name]
        made = write(mesh, path, options.size_mm)
        found = files.reopen_and_check(path)
        size = " x ".join(f"{side:.1f}" for side in np.ptp(found["bounds"], axis=0))
        closed = "watertight" if made.watertight else "NOT watertight: repair it in the slicer"
        return found, f"{path.name}: {size} mm, {closed}"
    return files.reopen_and_check(path), ""


def export_run(
    config: RunConfig,
    run: Path,
    formats: Sequence[str] = FORMATS,
    options: FileOptions = FileOptions(),  # noqa: B008 - frozen
) -> Iterator[Progress]:
    """Write the mesh files, turntable.mp4, sheet.png and report.json of a run's checkpoint.

    Files are replaced whole or not at all. Of other formats, those of the same scene stay; those
    of an earlier one go. Raises ExportError for an empty scene or a full disk, OutOfMemoryError.
    """
    advice = (
        f"uni3d export {run} --texture-size 512, or smaller mesh.texture_size and mesh.resolution "
        f"in {run}/config.yaml"
    )
    with out_of_memory_explained("in the export; what was saved is kept", advice):
        yield from _exported(config, run, check_formats(formats), options)


def _exported(
    config: RunConfig, run: Path, formats: tuple[str, ...], options: FileOptions
) -> Iterator[Progress]:
    started = time.monotonic()

    def tell(stage: str, note: str = "") -> Progress:
        return Progress(stage, step, config.steps, time.monotonic() - started, {}, note)

    scene, step = restore_scene(config, run)
    yield tell("meshing")
    outline_cameras = Cameras.orbit(torch.arange(12) * 30.0, torch.tensor([0.0, 20.0, 40.0] * 4))
    opacity = scene.picture(outline_cameras, 128).opacity[:, 0]
    mesh, mesh_report = extract_mesh(
        scene.field.density, scene.field, outline_cameras, opacity, config.pixel, config.mesh
    )
    yield tell("writing")
    old = read_report(run)
    same = (old.get("run_id", ""), old.get("steps_done")) == (config.run_id, step)
    checks = {name: e for name, e in _files_of(old).items() if same and (run / name).is_file()}
    for name in formats:
        path = run / f"mesh.{name}"
        checks[path.name], note = write_and_check(name, mesh, path, options)
        checks[path.name] |= {"sha256": digest_of(path)}
        if note:
            yield tell("wrote", note)
    if not same:
        _drop_others(run, formats)
    yield tell("picturing")
    cameras = sheet_cameras()
    rows = {
        "colour": pictures.as_uint8(shade(mesh, cameras, SHEET_SIZE, SHEET_SIZE)),
        "normal": pictures.as_uint8(normals(mesh, cameras, SHEET_SIZE, SHEET_SIZE)),
        "opacity": pictures.as_uint8(scene.picture(cameras, SHEET_SIZE).opacity.repeat(1, 3, 1, 1)),
    }
    pictures.write_sheet(
        rows, run / "sheet.png", [f"{int(angle)} deg" for angle in cameras.azimuth_deg]
    )
    turn = Cameras.orbit(torch.arange(TURNTABLE_FRAMES) * (360 / TURNTABLE_FRAMES), 15.0)
    frames = pictures.as_uint8(shade(mesh, turn, TURNTABLE_SIZE, TURNTABLE_SIZE))
    _, notice = pictures.write_turntable(frames, run / "turntable.mp4")
    report = {
        "prompt": config.prompt,
        "caption": config.teacher_prompt,
        "run_id": config.run_id,
        "steps_done": step,
        "seconds_export": time.monotonic() - started,
        "peak_memory_mb": peak_memory_mb(),
        "mesh": dataclasses.asdict(mesh_report),
        "files": checks,
        "silhouette_iou": mesh_report.silhouette_iou,
    }
    able = abilities_of(config.teacher.name)
    if able and (verdict := able.judge(config.prompt, shade(mesh, cameras, 64, 64))):
        report["recogniser"] = verdict
    write_report(run, report, forget=JUDGED)  # of the mesh before
    yield tell("done", notice)
