"""The main path: a sentence to an optimised scene, step after step, resumable at any moment.

`uni3d.run.step` is the algorithm; export of what a run leaves is `uni3d.run.finish`.
"""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from torch import Tensor

from uni3d.cameras import Cameras
from uni3d.errors import ConfigError, NonFiniteError, Uni3DError
from uni3d.instant.files import find_weights
from uni3d.instant.objects import PREFIX, InstantScene
from uni3d.instant.start import fit_scene
from uni3d.instant.weights import load_weights, make_scene
from uni3d.mesh.pictures import as_uint8, write_png
from uni3d.run.folder import (
    CHECKPOINT,
    CONFIG,
    MetricsLog,
    forget_replaced,
    put_back,
    read_config,
    read_report,
    set_aside,
    write_config,
    write_report,
)
from uni3d.run.real_samples import draw_real_samples
from uni3d.run.saved import fitting, id_of, read_checkpoint
from uni3d.run.settings import RunConfig
from uni3d.run.step import Parts, take_step
from uni3d.scene.backends import SceneBackend, choose_backend
from uni3d.scene.scene import Scene
from uni3d.storage import checkpoint
from uni3d.storage.cache import remembered
from uni3d.teacher.codecs import VaeCodec
from uni3d.teacher.fake_score import FakeScore
from uni3d.teacher.memory import (
    Profile,
    choose_profile,
    free_bytes,
    largest_picture,
    out_of_memory_explained,
)
from uni3d.teacher.model import Teacher, load_teacher
from uni3d.teacher.own import OwnTeacher
from uni3d.teacher.prompts import PromptSet, check_prompt

__all__ = ["JUDGED", "Progress", "Run", "prepare_parts", "preview", "restore_scene", "state"]

JUDGED = ("evaluation", "recogniser")  # what report.json says of a mesh: it goes with the mesh
_Good = tuple[int, dict[str, Tensor]] | None  # (step, state) that was finite
FROM_OBJECT = "begins with the instant network's object, not from scratch"
SMALLER = "--set memory=6GB, a smaller --set views=2, or --teacher toybox"


@dataclasses.dataclass(frozen=True)
class Progress:
    """What happened up to `step` of `steps`; `note` is for the reader."""

    stage: str
    step: int
    steps: int
    seconds: float
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    note: str = ""


class Run:
    """A run in progress: `prepare()`, then `steps()`; `save()` keeps what exists at any time.

    `config` is what is really done, once prepared: the teacher that was found, the picture sizes
    that fit. The folder's config.yaml says the same. Same config and seed give the same scene; a
    run killed at any step and resumed does too. Export is separate (`uni3d.run.finish`).

    A new run has an id, that of its settings, which its checkpoint and report carry: nothing of
    one run is taken for another's. What an earlier run left in the folder is kept until there is a
    first checkpoint, and is back where this run fails before that.
    """

    def __init__(
        self,
        config: RunConfig,
        run: Path,
        *,
        resume: bool = False,
        teacher: Teacher | None = None,
    ) -> None:
        """teacher: one that was made already, in the place of the configuration's."""
        run_id = config.run_id if resume else id_of(config)
        if resume and not run_id and (run / CONFIG).is_file():  # settings that the caller wrote
            run_id = read_config(run).run_id
        config = dataclasses.replace(config, run_id=run_id)
        self.config, self.folder, self.resume = config, run, resume
        self._seconds_before = 0.0  # of optimisation, in the sessions before this one
        self._teacher = teacher
        self.parts: Parts | None = None
        self.step = 0

    def prepare(self) -> Progress:
        """Load the teacher, make the scene, restore a resumed run; where it stands.

        Where the instant network's object is all that is wanted, it is made and kept, `parts` stays
        None, and there are no steps to do.
        """
        self._started = time.monotonic()
        if self.resume:
            put_back(self.folder, unless_begun=True)
            before = read_report(self.folder).get("seconds_optimise")
            self._seconds_before = before if isinstance(before, (int, float)) else 0.0
        restored = self.resume and (self.folder / CHECKPOINT).exists()
        lacking = "" if restored else self._find_instant()
        if self.config.instant.only and not (restored or lacking):
            return self._one_pass()
        with out_of_memory_explained("loading the teacher", f"close other programs, {SMALLER}"):
            self.parts = parts = _built(self.config, self._teacher)
        # A short name may mean another model tomorrow, and there may be more memory free: the run
        # remembers which ones it had. Only now: the folder may hold another run, and no teacher.
        with self._earlier_kept():
            if not self.resume:
                set_aside(self.folder)
            self._adopt(parts.config)
            self.step = _restore(parts, self.folder) if restored else _begin(parts)
        begun = "" if restored or not self.config.instant.weights else FROM_OBJECT
        return self._record(note="; ".join(filter(None, (lacking, begun, parts.notice))))

    def _find_instant(self) -> str:
        """Put the instant network that there is into the configuration; a line where one lacks."""
        config, teacher, weights = self.config, self.config.teacher, None
        if config.instant.use or config.instant.only:
            named = (config.instant.weights, teacher.name, teacher.revision, teacher.variant)
            weights = find_weights(*named)
        found = dataclasses.replace(
            config.instant, weights=str(weights.resolve() if weights else "")
        )
        self.config = dataclasses.replace(config, instant=found)
        if weights is None and config.instant.only:
            return f"{config.teacher.name}: it has no instant network; from scratch"
        return ""

    def _one_pass(self) -> Progress:
        """Make the instant network's object and keep it as the run's checkpoint."""
        prompt, config = check_prompt(self.config.teacher_prompt), self.config
        network = load_weights(Path(config.instant.weights), config.teacher.name)
        scene = make_scene(network, prompt, config.seed, config.teacher, self._teacher)
        with self._earlier_kept():
            set_aside(self.folder)
            write_config(config, self.folder)
            self._write(checkpoint.with_prefix(PREFIX, scene.state()))
        return self._record(note=f"instant: made in one pass{config.idle_in_one_pass}")

    @property
    def whole(self) -> bool:
        """Whether a prepared run has nothing left to optimise."""
        return self.parts is None or self.step >= self.config.steps

    def steps(self) -> Iterator[Progress]:
        """`optimise()` for whoever keeps the metrics and the report: a record a step."""
        return self.optimise(report=False)

    def optimise(
        self, stop: Callable[[], bool] = lambda: False, report: bool = True
    ) -> Iterator[Progress]:
        """Optimise the prepared scene, a record a step, leaving checkpoints and pictures.

        Each step is also a line of metrics.jsonl, until `stop()` says so after one of them; then
        the last whole step is saved, and in both cases the report is begun.
        """
        if self.parts is None:
            assert self.config.instant.only, "optimise: do prepare() first"
        interrupted = False
        good = (self.step, state(self.parts)) if self.step and self.parts else None
        lines = MetricsLog(self.folder, self.step) if report else contextlib.nullcontext()
        with self._earlier_kept(), lines as log:
            while self.parts and self.step < self.config.steps and not interrupted:
                note = self._check_room(self.parts.scene.backend)
                with out_of_memory_explained(
                    f"in step {self.step + 1}",
                    f"set memory: 6GB in {self.folder / 'config.yaml'}, then: uni3d resume "
                    f"{self.folder}; or {SMALLER}",
                ):
                    metrics = take_step(self.parts, self.step)
                self.step += 1
                good, back = self._keep(self.parts, good)
                if log:
                    log.write(self.step, metrics)
                yield self._record(metrics, back or note)
                if stop():
                    try:
                        self.save()
                    except NonFiniteError as error:
                        yield self._record(note=str(error))
                    interrupted = True
        if report:
            entries = {"seconds_optimise": self._seconds(), "interrupted": interrupted}
            write_report(self.folder, entries, forget=JUDGED)

    def _keep(self, parts: Parts, good: _Good) -> tuple[_Good, str]:
        """Write the checkpoint and the picture that are due, or go back to the `good` state where
        this one is not finite. Returns what is good now, and a line for the reader."""
        config, note = self.config, ""
        if self.step % config.checkpoint_every == 0 or self.step == config.steps:
            now = state(parts)
            if checkpoint.finite(now):
                good = (self.step, now)
                self._write(now)
            elif good is None:
                raise NonFiniteError(
                    f"the scene is not finite after {self.step} steps; do: another seed, or a "
                    "lower --guidance-scale"
                )
            else:
                note = f"not finite at step {self.step}: back to the scene of step {good[0]}"
                _load(parts, good[1])
        if self.step % config.picture_every == 0:
            preview(parts.scene, self.folder / f"progress-{self.step:05d}.png")
        return good, note

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._started

    @contextlib.contextmanager
    def _earlier_kept(self) -> Iterator[None]:
        """An earlier run of this folder comes back where an error comes before a checkpoint."""
        try:
            yield
        except Exception as error:
            if put_back(self.folder) and isinstance(error, Uni3DError):
                line = f"{error}; what {self.folder} held before is there again"
                raise type(error)(line) from error
            raise

    def _record(self, metrics: dict[str, float] | None = None, note: str = "") -> Progress:
        seconds = time.monotonic() - self._started
        return Progress("optimising", self.step, self.config.steps, seconds, metrics or {}, note)

    def _adopt(self, config: RunConfig) -> None:
        assert self.parts is not None
        self.config, self.parts = config, dataclasses.replace(self.parts, config=config)
        write_config(config, self.folder)

    def _check_room(self, backend: SceneBackend) -> str:
        """Where pictures are about to grow: cut them to what fits now. A line for the reader."""
        if self.step == 0:  # they were cut before it
            return ""
        config = self.config
        size, before = (config.size_at((self.step - k) / config.steps) for k in (0, 1))
        if size <= before:
            return ""
        room = max(before, largest_picture(config.views, free_bytes(backend.device)))
        if size <= room:
            return ""
        sizes = tuple((start, min(side, room)) for start, side in config.resolutions)
        self._adopt(dataclasses.replace(config, resolutions=sizes))
        return f"pictures of {room} instead of {size} pixels from here on, for lack of memory"

    def save(self) -> None:
        """Write the checkpoint of the last whole step.

        Raises NonFiniteError where the state holds a NaN; the checkpoint before it stays.
        """
        assert self.parts is not None, "save: there is nothing before prepare()"
        tensors = state(self.parts)
        with self._earlier_kept():
            if not checkpoint.finite(tensors):
                raise NonFiniteError(
                    f"step {self.step}: the state is not finite and is not saved; "
                    f"do: uni3d resume {self.folder}, which goes on from the checkpoint before it"
                )
            self._write(tensors)

    def _write(self, tensors: dict[str, Tensor]) -> None:
        described = {key: getattr(self.config, key) for key in ("run_id", "prompt", "seed")}
        described |= {"step": self.step}
        checkpoint.save(self.folder / CHECKPOINT, tensors, described)
        forget_replaced(self.folder)
        # Not in the checkpoint: the same seed gives the same bytes.
        write_report(self.folder, {"seconds_optimise": self._seconds()}, forget=JUDGED)


def _built(config: RunConfig, teacher: Teacher | None) -> Parts:
    """The parts, or one line for numbers that passed one by one and do not make a scene."""
    try:
        return prepare_parts(config, teacher)
    except (ValueError, TypeError, IndexError, OverflowError, ZeroDivisionError) as error:
        raise ConfigError(
            f"the settings do not make a run ({error}); do: nearer to the defaults"
        ) from error


def prepare_parts(config: RunConfig, teacher: Teacher | None = None) -> Parts:
    """Everything a step works with; the teacher is loaded unless given."""
    prompt = check_prompt(config.teacher_prompt)
    teacher = teacher or load_teacher(config.teacher)
    own = isinstance(teacher, OwnTeacher)
    if own and config.resolved_method().learned_fake_score:
        raise ConfigError(
            f"method: got {config.method} with the teacher {teacher.name!r}, which has no U-Net "
            "for an adapter to learn on; do: use method sds"
        )
    found = dataclasses.replace(config.teacher, name=teacher.name, revision=teacher.revision)
    instant = dataclasses.replace(config.instant, only=False)  # it is optimised now
    config = dataclasses.replace(config, teacher=found, instant=instant)

    def encode(texts: list[str]) -> Tensor:
        if own:  # nothing tells one from another tomorrow
            return teacher.encode_text(texts)
        key = {"teacher": teacher.fingerprint, "texts": texts}
        return remembered("texts", key, lambda: teacher.encode_text(texts))

    prompts = PromptSet(prompt, config.prompts, encode)
    teacher.encode_text.free()
    backend, notice = choose_backend(config.scene.backend, teacher.device)
    config, profile = _fit_memory(config, teacher, backend)
    # Real samples are drawn before there is an adapter: they are the teacher's alone.
    real = draw_real_samples(config, teacher, prompts) if config.needs_ratio else None
    scene = Scene(config.scene, config.seed, backend)
    fake = None
    if config.resolved_method().learned_fake_score:
        fake = FakeScore(teacher, config.fake_score, config.seed, config.needs_ratio)
        if profile.checkpoint_networks:
            fake.checkpoint_network()
    return Parts(config, teacher, prompts, scene, fake, real, notice)


def _fit_memory(
    config: RunConfig, teacher: Teacher, backend: SceneBackend
) -> tuple[RunConfig, Profile]:
    """The profile for this machine, its switches set on the teacher, and `config` with both it and
    picture sizes that will fit: found before the first step, not at the jump to a larger one."""
    size = sum(parameter.numel() for parameter in teacher.unet.parameters())
    name, profile = choose_profile(config.memory, size, teacher.device, teacher.dtype)
    teacher.one_by_one = profile.one_by_one
    if isinstance(teacher.codec, VaeCodec):
        teacher.codec = dataclasses.replace(teacher.codec, sliced=profile.slice_vae)
    largest = min(profile.max_picture, largest_picture(config.views, free_bytes(backend.device)))
    sizes = tuple((start, min(size, largest)) for start, size in config.resolutions)
    return dataclasses.replace(config, memory=name, resolutions=sizes), profile


def state(parts: Parts) -> dict[str, Tensor]:
    tensors = checkpoint.with_prefix("scene", parts.scene.state())
    if parts.fake:
        tensors |= checkpoint.with_prefix("fake", parts.fake.state())
    return {k: v.detach().clone() for k, v in tensors.items()}


def _load(parts: Parts, tensors: dict[str, Tensor]) -> None:
    parts.scene.restore(checkpoint.without_prefix("scene", tensors))
    if parts.fake:
        parts.fake.restore(checkpoint.without_prefix("fake", tensors))


def _restore(parts: Parts, run: Path) -> int:
    """Continue from the run's checkpoint; of an instant object, optimise it from now on."""
    tensors, described = read_checkpoint(run, parts.config)
    with fitting(run):
        if made := checkpoint.without_prefix(PREFIX, tensors):
            return _begin_with(parts, InstantScene.of_state(made))
        _load(parts, tensors)
    return described["step"]


def _begin(parts: Parts) -> int:
    """The step to begin with: 0 from scratch, a later one where there is an instant object."""
    config = parts.config
    if not config.instant.weights:
        return 0
    network = load_weights(Path(config.instant.weights), config.teacher.name)
    wanted = make_scene(network, config.teacher_prompt, config.seed, config.teacher, parts.teacher)
    return _begin_with(parts, wanted)


def _begin_with(parts: Parts, wanted: InstantScene) -> int:
    fit_scene(parts.scene, wanted, parts.config.seed)
    return round(parts.config.instant.begin * parts.config.steps)


def restore_scene(config: RunConfig, run: Path) -> tuple[Scene | InstantScene, int]:
    """The scene of a run's checkpoint and its step; no teacher is loaded."""
    put_back(run, unless_begun=True)
    tensors, described = read_checkpoint(run, config)
    with fitting(run):
        if made := checkpoint.without_prefix(PREFIX, tensors):
            return InstantScene.of_state(made), described["step"]
        scene = Scene(config.scene, config.seed)
        scene.restore(checkpoint.without_prefix("scene", tensors))
    return scene, described["step"]


def preview(scene: Scene, path: Path, size: int = 96) -> None:
    """A picture of four views of the scene as it is."""
    views = scene.picture(Cameras.orbit([0, 90, 180, 270], 15.0), size)
    write_png(np.concatenate(list(as_uint8(views.rgb)), axis=1), path)
