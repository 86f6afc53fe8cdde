"""uni3d from Python: a sentence to a mesh, step by step where wanted, and what a run left.

    result = uni3d.generate("a corgi astronaut", preset="draft", out="outputs/corgi")
    result.mesh.export("corgi.stl")

The names here are exported by `uni3d` itself, which loads this module when one is first used.
"""

import dataclasses
import functools
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uni3d import config_io
from uni3d.cameras import Cameras
from uni3d.errors import ConfigError
from uni3d.instant.objects import InstantScene
from uni3d.mesh.files import as_trimesh
from uni3d.mesh.formats import FORMATS, check_formats
from uni3d.run.finish import check_mesh, export_run, read_mesh
from uni3d.run.folder import (
    chosen_folder,
    fresh_folder,
    given_folder,
    read_config,
    read_report,
)
from uni3d.run.presets import PRESETS, with_preset
from uni3d.run.prompt import read_prompt
from uni3d.run.run import Progress, Run, restore_scene
from uni3d.run.settings import RunConfig
from uni3d.run.variations import prepare_refined, refined_config
from uni3d.scene.render import Rendered
from uni3d.scene.scene import Scene
from uni3d.storage.lock import held
from uni3d.teacher.model import Teacher
from uni3d.teacher.prompts import check_prompt, slug

if TYPE_CHECKING:
    import trimesh

LARGEST_VIEW = 4096  # pixels a side, of `render`

__all__ = ["Result", "configure", "generate", "load_run", "refine", "render", "start"]


@dataclasses.dataclass(frozen=True)
class Result:
    """A run that was made: its folder, and what is in it, read when asked for."""

    folder: Path
    config: RunConfig

    @functools.cached_property
    def report(self) -> dict[str, Any]:
        """report.json: seconds, faces, silhouette IoU, checks of the files; {} before export,
        and where it is damaged."""
        return read_report(self.folder)

    @functools.cached_property
    def mesh(self) -> "trimesh.Trimesh":
        """The mesh of mesh.glb with its texture: scene units (unit-ball radii), z up, x front.

        Raises CheckpointError where the folder holds no mesh.glb, or another run's.
        """
        check_mesh(self.config, self.folder)
        return as_trimesh(read_mesh(self.folder))

    @functools.cached_property
    def scene(self) -> Scene | InstantScene:
        """The scene of the checkpoint, on the CPU. CheckpointError without one."""
        return restore_scene(self.config, self.folder)[0]


def configure(
    prompt: str, *, preset: str = "default", seed: int = 0, **overrides: Any
) -> RunConfig:
    """The configuration of a run: defaults, then the preset, then `overrides`.

    overrides: keys of docs/configuration.md; a group is a mapping (`mesh={"resolution": 64}`), and
    `teacher="sd"` is short for `teacher={"name": "sd"}`.
    Raises ConfigError for an unknown preset, key or value, PromptError for an empty prompt.
    """
    _check_preset(preset)
    mapping = with_preset(preset, RunConfig.upgraded(overrides))
    own = {"prompt": check_prompt(prompt), "seed": seed}
    return config_io.load(RunConfig, mapping | own)


def start(
    prompt: str,
    *,
    preset: str = "default",
    seed: int = 0,
    out: str | Path | None = None,
    formats: Sequence[str] = FORMATS,
    teacher: str | dict[str, Any] | Teacher | None = None,
    strict: bool = False,
    anyway: bool = False,
    overwrite: bool = False,
    **overrides: Any,
) -> Generator[Progress, None, Result]:
    """Make a mesh, a record at a time: one when all is loaded, one a step, one a stage of export.

    A record has `stage` ("optimising", then "meshing" and so on), `step` of `steps`, `seconds`,
    `metrics` and a `note`. Leaving the loop early leaves the last checkpoint, which
    `uni3d resume FOLDER` continues. The generator's return value is the Result.

    preset: instant, draft, default or high. out: the run folder, made where it is missing (default
    outputs/PROMPT-SEED, or PROMPT-SEED-2, ...). overwrite: replace the run in that folder; else
    that is an error for `out`, as is a folder that holds anything else. formats: of glb, obj, ply,
    stl, 3mf, usdz. teacher: a name, a folder or hub id, a mapping of its keys, or an `OwnTeacher`.
    strict: a word that the teacher does not know is an error; anyway: not even an unknown subject
    is. overrides: see `configure`. What is wrong with the arguments is raised by this call, before
    any work.
    """
    loaded = teacher if isinstance(teacher, Teacher) else None
    if loaded is not None:
        overrides["teacher"] = {"name": loaded.name}
    elif teacher is not None:
        overrides["teacher"] = teacher
    config = configure(prompt, preset=preset, seed=seed, **overrides)
    config, note = read_prompt(config, strict=strict, anyway=anyway)
    chosen = check_formats(formats)
    folder = _place(Path("outputs") / f"{slug(prompt)}-{seed}", out, overwrite)

    def make() -> Run:
        if out is not None or overwrite:
            _place(folder, folder, overwrite)  # another may have ended here meanwhile
        return Run(config, folder, teacher=loaded)

    return _records(make, folder, chosen, note)


def _check_preset(preset: Any) -> None:
    if not isinstance(preset, str) or preset not in PRESETS:
        raise ConfigError(
            f"preset: got {preset!r:.200}; wanted one of {', '.join(PRESETS)}; do: one of these"
        )


def _place(usual: Path, out: str | Path | None, overwrite: bool) -> Path:
    if not isinstance(out, (str, Path, type(None))):
        raise ConfigError(
            f"out: got {type(out).__name__}; wanted the path of a folder; do: a text or a Path"
        )
    try:
        if out is None and not overwrite:
            return fresh_folder(usual)
        return chosen_folder(str(usual if out is None else out), overwrite)
    except OSError as error:
        raise ConfigError(
            f"{error.filename}: cannot be written ({error.strerror}); do: another `out`"
        ) from error


def _records(
    make: Callable[[], Run], folder: Path, formats: tuple[str, ...], note: str
) -> Generator[Progress, None, Result]:
    """Run and export what `make` prepares, which is called when nobody else writes the folder."""
    with held(folder):
        run = make()
        first = run.prepare()
        try:
            yield dataclasses.replace(first, note="; ".join(filter(None, (note, first.note))))
            yield from run.optimise()
        finally:
            if run.parts is not None and run.parts.fake:
                run.parts.fake.release()  # a teacher that was given may serve another run
        yield from export_run(run.config, run.folder, formats)
    return Result(run.folder, run.config)


def generate(
    prompt: str,
    *,
    preset: str = "default",
    seed: int = 0,
    out: str | Path | None = None,
    progress: Callable[[Progress], object] | None = None,
    **options: Any,
) -> Result:
    """A sentence to a textured mesh; the same seed gives the same mesh on the same machine.

    progress: called with every record of `start`. options, and the rest: the arguments of `start`.

    Raises a `uni3d.errors.Uni3DError`: ConfigError, PromptError, TeacherError, OutOfMemoryError,
    NonFiniteError (the optimisation broke down), ExportError (an empty scene or a full disk).
    """
    records = start(prompt, preset=preset, seed=seed, out=out, **options)
    return _followed(records, progress)


def refine(
    source: "Result | str | Path",
    *,
    preset: str = "default",
    out: str | Path | None = None,
    progress: Callable[[Progress], object] | None = None,
    formats: Sequence[str] = FORMATS,
    overwrite: bool = False,
) -> Result:
    """Optimise an object of preset "instant" further, as a new run; `source` stays as it is.

    preset: draft, default or high; the other arguments are `generate`'s. CheckpointError where
    `source` is no such object.
    """
    _check_preset(preset)
    if not isinstance(source, (Result, str, Path)):
        raise ConfigError(
            f"source: got {type(source).__name__}; wanted a Result or a run folder; do: one"
        )
    folder = source.folder if isinstance(source, Result) else Path(source)
    config, chosen = refined_config(folder, preset), check_formats(formats)
    usual = Path("outputs") / f"{slug(config.prompt)}-{config.seed}-refined"
    place = _place(usual, out, overwrite)

    def make() -> Run:
        return Run(prepare_refined(folder, preset, place), place, resume=True)

    return _followed(_records(make, place, chosen, ""), progress)


def _followed(
    records: Generator[Progress, None, Result], progress: Callable[[Progress], object] | None
) -> Result:
    while True:
        try:
            record = next(records)
        except StopIteration as end:
            return end.value
        if progress is not None:
            progress(record)


def load_run(folder: str | Path) -> Result:
    """The result in a run folder. CheckpointError where there is no run."""
    run = given_folder(str(folder))
    return Result(run, read_config(run))


def render(result: Result, cameras: Cameras, size: int) -> Rendered:
    """Pictures of the optimised scene (not of its mesh), over white, without gradients.

    cameras: `uni3d.Cameras.orbit([0, 90], 15)` and the like, n of them. size: pixels a side.
    Gives rgb `[n, 3, size, size]` and opacity `[n, 1, size, size]`, both in [0, 1], and depth
    `[n, 1, size, size]` in scene units along the ray, 0 where nothing was hit. ConfigError for
    something else.
    """
    if not isinstance(result, Result) or not isinstance(cameras, Cameras) or not len(cameras):
        raise ConfigError(
            "render: got something else; wanted a Result, and one camera or more; do: load_run"
        )
    if type(size) is not int or not 1 <= size <= LARGEST_VIEW:
        raise ConfigError(f"size: got {size!r:.100}; wanted 1 to {LARGEST_VIEW} pixels a side")
    return result.scene.picture(cameras, size)
