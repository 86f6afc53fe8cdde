"""The whole configuration of a run, composed once from its components, and the presets."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal

from uni3d.cameras import CameraConfig
from uni3d.config_io import within
from uni3d.errors import ConfigError
from uni3d.instruct import DIVERGENCES, METHODS, Method, resolve_method
from uni3d.mesh.types import MeshConfig
from uni3d.run.presets import PRESETS, STEPS, VIEWS
from uni3d.scene.regularizers import RegularizerConfig
from uni3d.scene.scene import SceneConfig
from uni3d.teacher.fake_score import FakeScoreConfig
from uni3d.teacher.model import TeacherConfig
from uni3d.teacher.prompts import PromptConfig

__all__ = ["GuidanceConfig", "InstantStart", "RunConfig"]

LARGEST_PICTURE, MOST = 8192, 10**9
LARGEST_SEED = 2**42  # times a million, and a step: what a generator takes


@dataclasses.dataclass(frozen=True, kw_only=True)
class GuidanceConfig:
    """How the teacher is asked. Times are fractions of the teacher's schedule."""

    scale: float = 5.0  # of classifier-free guidance; 1 is none; 0..1000
    # inside: the divergence is to the guided teacher; apart: to the conditional one, which a scene
    # can reach, and guidance pulls on its own, with the same weight (docs/methods.md)
    mode: Literal["inside", "apart"] = "inside"
    rescale: float = 0.0  # 0..1: bring the spread back to the conditional's (2305.08891)
    t_min: float = 0.02  # least noise: fraction of the teacher's schedule, 0..1, below t_max_end
    t_max: float = 0.98  # most noise at the start of the run: fraction of the schedule, 0..1
    t_max_end: float = 0.5  # most noise from anneal_end on; t_max falls to it linearly; 0..1
    anneal_end: float = 0.66  # fraction of the run, 0..1, at which t_max_end is reached
    # teacher samples per 45 degrees of azimuth, where the ratio is needed; at least 1
    real_samples_per_view: int = 4
    ratio_warm_up: float = 0.1  # fraction of the run, 0..1, in which reverse-kl stands in
    # No gradient through the U-Nets, for memory. Biased: of a sim term h u.v only -h u.x0 is left,
    # the gradient of the integral form (VSD's for h = 1) in place of Uni-Instruct's.
    detach_networks: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.t_min < self.t_max_end <= self.t_max <= 1:
            raise ConfigError(
                f"guidance: got t_min={self.t_min}, t_max_end={self.t_max_end}, "
                f"t_max={self.t_max}; want 0 <= t_min < t_max_end <= t_max <= 1; do: change it"
            )
        within(
            self,
            "guidance",
            scale=(0, 1000),
            rescale=(0, 1),
            anneal_end=(0, 1),
            real_samples_per_view=(1, 4096),
            ratio_warm_up=(0, 1),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class InstantStart:
    """What a run takes from the teacher's instant network (uni3d.instant), where it has one."""

    use: bool = False  # start from its object and optimise it; false: from scratch
    only: bool = False  # nothing is optimised: its object is the result, and seed is its z
    weights: str = ""  # its file; empty: instant.safetensors in the teacher's folder, if any
    begin: float = 0.5  # fraction of the run, 0..1, from which on its object is optimised

    def __post_init__(self) -> None:
        if not 0 <= self.begin < 1:
            raise ConfigError(
                f"instant.begin: got {self.begin}; want 0 or more, below 1; do: change it"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfig:
    """A run, from sentence to mesh. `resolutions`: (fraction of the run, picture size) pairs."""

    prompt: str = ""  # the sentence; at most 1,000 characters
    caption: str = ""  # what the teacher gets in place of the prompt; empty: the prompt
    teacher: TeacherConfig = TeacherConfig()
    # how a large teacher is used; auto: by free memory (uni3d.teacher.memory.PROFILES)
    memory: Literal["auto", "full", "24GB", "12GB", "6GB"] = "auto"
    method: str = "uni-instruct"  # a row of METHODS (uni3d.instruct.loss)
    divergence: str = ""  # empty: what the method fixes, else forward-kl
    form: str = ""  # paper, exact or integral; empty: what the method fixes, else paper
    # sid's a; None: 1.2 as published, or 1 where guidance is inside the divergence. There
    # |D_q - D_p| never closes, and a > 1 rewards it: the scene fills up. a = 1 is sim.
    sid_alpha: float | None = None
    steps: int = STEPS  # of optimisation; at least 1
    views: int = VIEWS  # cameras a step; at least 1
    seed: int = 0  # everything random follows from it and the step
    # (fraction of the run, pixels a side) from there on; the first fraction is 0, and they rise
    resolutions: tuple[tuple[float, int], ...] = ((0.0, 32), (0.35, 64))
    checkpoint_every: int = 100  # steps; at least 1
    picture_every: int = 100  # steps between progress pictures; at least 1
    instant: InstantStart = InstantStart()
    camera: CameraConfig = CameraConfig()
    prompts: PromptConfig = PromptConfig()
    guidance: GuidanceConfig = GuidanceConfig()
    scene: SceneConfig = SceneConfig()
    fake_score: FakeScoreConfig = FakeScoreConfig()
    regularizers: RegularizerConfig = RegularizerConfig()
    mesh: MeshConfig = MeshConfig()
    run_id: str = ""  # given when a run begins; its checkpoint and its report carry it

    def __post_init__(self) -> None:
        for name in ("steps", "views", "checkpoint_every", "picture_every"):
            if not 1 <= getattr(self, name) <= MOST:
                raise ConfigError(
                    f"{name}: got {getattr(self, name)}; want 1 to {MOST}; do: change it"
                )
        if self.sid_alpha is not None and abs(self.sid_alpha) > 100:
            raise ConfigError(f"sid_alpha: got {self.sid_alpha}; want -100 to 100; do: use 1.2")
        if abs(self.seed) > LARGEST_SEED:
            raise ConfigError(
                f"seed: got {self.seed}; want -{LARGEST_SEED} to {LARGEST_SEED}; do: a smaller one"
            )
        starts = [start for start, _ in self.resolutions]
        if any(not 1 <= size <= LARGEST_PICTURE for _, size in self.resolutions):
            raise ConfigError(
                f"resolutions: got {self.resolutions}; want sizes of 1 to {LARGEST_PICTURE}; "
                "do: change it"
            )
        if not starts or starts[0] != 0 or starts != sorted(starts) or starts[-1] > 1:
            raise ConfigError(
                f"resolutions: got {self.resolutions}; want (fraction, size) pairs that start at "
                "fraction 0 and rise, to 1 at most; do: change it"
            )
        self.resolved_method()

    @staticmethod
    def upgraded(mapping: Mapping[str, Any]) -> dict[str, Any]:
        """Keys of older files as they are now: `teacher: NAME` and `loading:` are one group."""
        result = dict(mapping)
        if isinstance(result.get("teacher"), str):
            result["teacher"] = {"name": result["teacher"]}
        if isinstance(result.get("loading"), Mapping):
            teacher = result.get("teacher", {})
            if isinstance(teacher, Mapping):  # else the fault is named when it is read
                result["teacher"] = {**result.pop("loading"), **teacher}
        return result

    def resolved_method(self) -> Method:
        """The loss as a row; ConfigError for an impossible combination."""
        divergence = self.divergence or None
        known = METHODS.get(self.method)
        if divergence is None and known is not None and known.divergence is None:
            divergence = "forward-kl"
        sid_alpha = self.sid_alpha
        guided = self.guidance.scale != 1 and self.guidance.mode == "inside"
        if sid_alpha is None and known is not None and known.sid_alpha is not None and guided:
            sid_alpha = 1.0
        try:
            return resolve_method(self.method, divergence, self.form or None, sid_alpha=sid_alpha)
        except ValueError as error:
            raise ConfigError(str(error)) from error

    def method_at(self, fraction: float) -> Method:
        """The loss after `fraction` of the run: sds until the fake score starts."""
        if fraction < self.fake_score.start:
            return resolve_method("sds")
        return self.resolved_method()

    def fake_score_age(self, fraction: float) -> float:
        """What part of the run the fake score has learned for, after `fraction` of it; below 0
        before. A run that begins with an object cannot have taught one before."""
        return fraction - max(self.fake_score.start, self.begin)

    @property
    def needs_ratio(self) -> bool:
        return DIVERGENCES[str(self.resolved_method().divergence)].needs_ratio

    @property
    def begin(self) -> float:
        """The fraction of the run, 0..1, at which a prepared run begins."""
        return self.instant.begin if self.instant.weights else 0.0

    @property
    def note(self) -> str:
        """A line for the reader where the divergence that was chosen can hardly matter."""
        if not self.divergence or not self.needs_ratio or self.guidance.scale == 1:
            return ""
        return (
            f"divergence {self.divergence}: of a guided teacher log r moves by more than a nat "
            "within the noise, so h' and h'' count for no sample and a noisy weight is all that "
            "tells it from reverse-kl, which costs less (docs/methods.md)"
        )

    @property
    def idle_in_one_pass(self) -> str:
        """The rest of the line "made in one pass": what was chosen and had no part in it."""
        usual = RunConfig(steps=PRESETS["instant"]["steps"])
        names = ("steps", "views", "method", "divergence", "guidance")
        idle = [name for name in names if getattr(self, name) != getattr(usual, name)]
        return f"; {', '.join(idle)}: not used" if idle else ""

    @property
    def teacher_prompt(self) -> str:
        """The sentence that the teacher is given: the caption, or the prompt where none is."""
        return self.caption or self.prompt

    def size_at(self, fraction: float) -> int:
        """Picture size after `fraction` of the run."""
        return [size for start, size in self.resolutions if start <= fraction][-1]

    @property
    def pixel(self) -> float:
        """Scene units from pixel to pixel of the largest pictures, in the middle of the scene."""
        distance, size = sum(self.camera.distance) / 2, max(size for _, size in self.resolutions)
        return 2 * distance * math.tan(math.radians(self.camera.fovy_deg) / 2) / size

    def t_max_at(self, fraction: float) -> float:
        guidance = self.guidance
        done = min(1.0, fraction / max(guidance.anneal_end, 1e-9))
        return guidance.t_max + (guidance.t_max_end - guidance.t_max) * done
