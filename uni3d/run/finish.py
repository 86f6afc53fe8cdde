"""What a run leaves behind: mesh files, turntable, sheet and report, from its checkpoint."""

import dataclasses
import resource
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from uni3d.cameras import Cameras
from uni3d.errors import ConfigError
from uni3d.mesh import files, pictures
from uni3d.mesh.rasterize import normals, shade
from uni3d.mesh.surface import extract_mesh
from uni3d.run.folder import write_report
from uni3d.run.run import Progress, restore_scene
from uni3d.run.settings import RunConfig
from uni3d.teacher.abilities import abilities_of

__all__ = [
    "FORMATS",
    "check_formats",
    "export_run",
    "sheet_cameras",
]

WRITERS = {"glb": files.write_glb, "obj": files.write_obj, "ply": files.write_ply}
FORMATS = tuple(WRITERS)
TURNTABLE_FRAMES, TURNTABLE_SIZE = 72, 256
SHEET_SIZE = 192


def sheet_cameras() -> Cameras:
    """Eight views around the object, a little from above; every other one higher."""
    return Cameras.orbit(torch.arange(8) * 45.0, torch.tensor([12.0, 25.0]).repeat(4))


def check_formats(formats: Sequence[str]) -> tuple[str, ...]:
    unknown = [f for f in formats if f not in WRITERS]
    if unknown or not formats:
        raise ConfigError(f"formats: got {','.join(formats)!r}; want some of {', '.join(FORMATS)}")
    return tuple(formats)


def export_run(
    config: RunConfig, run: Path, formats: Sequence[str] = FORMATS
) -> Iterator[Progress]:
    """Write the mesh files, turntable.mp4, sheet.png and report.json of a run's checkpoint.

    Files are replaced whole or not at all. Raises ExportError for an empty scene or a full disk.
    """
    check_formats(formats)
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
    checks = {}
    for name in formats:
        path = run / f"mesh.{name}"
        WRITERS[name](mesh, path)
        checks[path.name] = files.reopen_and_check(path)
    yield tell("picturing")
    cameras = sheet_cameras()
    rows = {
        "colour": pictures.as_uint8(shade(mesh, cameras, SHEET_SIZE, SHEET_SIZE)),
        "normal": pictures.as_uint8(normals(mesh, cameras, SHEET_SIZE, SHEET_SIZE)),
        "opacity": pictures.as_uint8(scene.picture(cameras, SHEET_SIZE).opacity.repeat(1, 3, 1, 1)),
    }
    pictures.write_sheet(rows, run / "sheet.png", [f"{int(a)} deg" for a in cameras.azimuth_deg])
    turn = Cameras.orbit(torch.arange(TURNTABLE_FRAMES) * (360 / TURNTABLE_FRAMES), 15.0)
    frames = pictures.as_uint8(shade(mesh, turn, TURNTABLE_SIZE, TURNTABLE_SIZE))
    _, notice = pictures.write_turntable(frames, run / "turntable.mp4")
    report = {
        "prompt": config.prompt,
        "steps_done": step,
        "seconds_export": time.monotonic() - started,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "mesh": dataclasses.asdict(mesh_report),
        "files": checks,
        "silhouette_iou": mesh_report.silhouette_iou,
    }
    able = abilities_of(config.teacher.name)
    if able and (seen := able.judge(config.prompt, shade(mesh, cameras, 64, 64))):
        report["recogniser"] = seen
    write_report(run, report)
    yield tell("done", notice)
