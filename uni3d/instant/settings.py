"""Settings of a training of the instant network."""

import dataclasses

from uni3d.cameras import CameraConfig
from uni3d.config_io import within
from uni3d.errors import ConfigError
from uni3d.instant.generator import GeneratorConfig
from uni3d.instruct import Method, resolve_method
from uni3d.teacher.fake_score import FakeScoreConfig
from uni3d.teacher.model import TeacherConfig

__all__ = ["InstantConfig"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class InstantConfig:
    """A training. Shares are of `steps`, over which the schedules run."""

    steps: int = 20_000
    seed: int = 0
    teacher: TeacherConfig = TeacherConfig()
    method: str = "vsd"  # after the sds phase
    divergence: str = ""
    form: str = ""
    sentences: int = 4  # in a step
    worn_share: float = 0.0  # of toybox's, those drawn from the ones that wear something
    noises: int = 1  # z of each sentence in a step; with anchors each z has its own sentence
    views: int = 2  # pictures of each object in a step
    sizes: tuple[tuple[float, int], ...] = ((0.0, 24), (0.3, 32), (0.75, 48))  # (share, pixels)
    render_step: float = 2.4  # scene units, over the pixels of a side
    camera: CameraConfig = CameraConfig()
    sds_share: float = 0.5
    fake_share: float = 0.45  # from here on the fake score is fitted
    # Guidance; 1 is none. Without it a large world stays blobs for a long time. With it z is pushed
    # away: where the noise is red, the teacher without text answers red more readily than the one
    # with it, and is then subtracted.
    sds_scale: float = 5.0
    scale: float = 4.0
    t_min: float = 0.02
    t_max: float = 0.98
    t_max_end: float = 0.58
    anneal_end: float = 0.7
    # Samples of the teacher that are drawn beforehand (8 a second on one core) and say what z
    # means; 0: none, and every z gives the same object.
    anchors: int = 0
    anchor_weight: float = 0.1  # of the difference of the traits
    picture_weight: float = 0.0  # of the difference of the blurred pictures, over their scatter
    anchor_scale: float = 2.0  # guidance of the samples
    anchor_steps: int = 10
    learning_rate: float = 2e-3
    warm_up: int = 100  # steps
    decay_start: float = 0.5
    decay_to: float = 0.1
    average: float = 0.995
    real_every: int = 8  # steps between teacher samples, where the ratio is needed
    sheet_every: int = 250
    checkpoint_every: int = 250
    fake_score: FakeScoreConfig = FakeScoreConfig(learning_rate=5e-4, warm_up=0.0)
    generator: GeneratorConfig = GeneratorConfig()

    def __post_init__(self) -> None:
        counts = (self.steps, self.sentences, self.noises, self.views)
        if min(counts) < 1 or not 0 <= self.sds_share <= 1:
            raise ConfigError(
                f"instant: got steps, sentences, noises, views = {counts}, "
                f"sds_share={self.sds_share}; want counts of at least 1 and a share in 0..1; "
                "do: change it"
            )
        shares = dict.fromkeys(("fake_share", "anneal_end", "decay_start", "average"), (0.0, 1.0))
        scales = dict.fromkeys(
            ("sds_scale", "scale", "anchor_weight", "anchor_scale", "picture_weight"), (0.0, 1000.0)
        )
        every = ("real_every", "sheet_every", "checkpoint_every")
        within(
            self,
            "instant",
            **shares,
            **scales,
            worn_share=(0, 1),
            anchors=(0, 4000),  # whose pairs are all compared
            anchor_steps=(1, 1000),
            **dict.fromkeys(every, (1, 10**9)),
            seed=(0, 2**42),
            render_step=(1e-3, 100),
            learning_rate=(0, 1),
            decay_to=(0, 1),
            warm_up=(0, 10**9),
        )
        if not 0 <= self.t_min < self.t_max_end <= self.t_max <= 1:
            raise ConfigError(
                f"instant: got t_min={self.t_min}, t_max_end={self.t_max_end}, "
                f"t_max={self.t_max}; want 0 <= t_min < t_max_end <= t_max <= 1; do: change it"
            )
        starts = [start for start, _ in self.sizes]
        if (
            starts[:1] != [0]
            or starts != sorted(starts)
            or not all(1 <= size <= 8192 for _, size in self.sizes)
        ):
            raise ConfigError(
                f"instant.sizes: got {self.sizes}; want (share, pixels) pairs that start at 0 "
                "and rise, of 1 to 8192 pixels; do: change it"
            )
        self.resolved_method()

    def resolved_method(self) -> Method:
        """The loss after the sds phase; ConfigError for an impossible combination."""
        try:
            return resolve_method(self.method, self.divergence or None, self.form or None)
        except ValueError as error:
            raise ConfigError(str(error)) from error

    def size_at(self, share: float) -> int:
        return [size for start, size in self.sizes if start <= share][-1]

    def rate_at(self, step: int) -> float:
        done = (step / self.steps - self.decay_start) / max(1 - self.decay_start, 1e-9)
        falling = self.decay_to ** min(max(done, 0.0), 1.0)
        return self.learning_rate * falling * min(1.0, (step + 1) / max(self.warm_up, 1))
