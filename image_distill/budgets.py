"""Sizes of the Fashion-MNIST benchmark: what is trained, for how long, and how it is measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from image_distill.edm import TeacherRecipe
from image_distill.recipe import Recipe
from image_distill.sample import Heun
from uni3d.errors import ConfigError
from uni3d.instruct.names import DIVERGENCE_NAMES

__all__ = ["Budget"]

# At 16 x 16: every divergence and the older methods, each with the adversarial term and without
# ("-alone"), and the term without a divergence. All have the discriminator: equal cost.
_RECIPES16: dict[str, dict[str, object]] = {
    **{name: {"divergence": name} for name in DIVERGENCE_NAMES},
    **{
        name: {"method": name, "divergence": None}
        for name in ("diff-instruct", "sid", "f-distill-jensen-shannon")
    },
    "reverse-then-forward": {"divergence": "reverse-kl", "then": "forward-kl", "then_at": 0.01},
}
_RECIPES16 |= {f"{name}-alone": row | {"lsg_gan": 0.0} for name, row in _RECIPES16.items()}
_RECIPES16["adversarial-alone"] = {"lsg": 0.0}
_WARM_UPS = ("warmup_fake", "warmup_sim")
# The last two get the time to pass the teacher: a student, and the same one trained on at lower
# rates. `sid_model` names the student that one starts from.
_STUDENTS16: Mapping[str, Mapping[str, object]] = {
    **{name: row | {"duration": 0.02, "metrics": "none"} for name, row in _RECIPES16.items()},
    "reverse-kl-long": {},
    "reverse-kl-cooled": {
        "sid_model": "reverse-kl-long",
        "lr": 5e-4,
        "glr": 2e-4,
        "lsg_gan": 10.0,
        "warmup_fake": 4.0,
        "warmup_sim": 4.0,
        "duration": 0.08029,
    },
}
# At 32 x 32: four recipes at equal cost, and the first one trained on.
_STUDENTS32: Mapping[str, Mapping[str, object]] = {
    "reverse-kl": {},
    "forward-kl": {"divergence": "forward-kl"},
    "diff-instruct": {"method": "diff-instruct", "divergence": None},
    "f-distill-js": {"method": "f-distill-jensen-shannon", "divergence": None},
    "reverse-kl-cooled": {
        "sid_model": "reverse-kl",
        "lr": 4e-4,
        "glr": 2e-4,
        "lsd": 10.0,
        "lsg_gan": 1.0,
        "cooldown": 0.45,
        "ema": 0.02,
        "warmup_fake": 3.0,
        "warmup_sim": 3.0,
        "duration": 0.064,
    },
}
# With half of that network: one student by its teacher alone, and that one trained on against real
# pictures, which is what passes the teacher.
_STUDENTS_CHEAPER: Mapping[str, Mapping[str, object]] = {
    "diff-instruct-alone": {
        "method": "diff-instruct",
        "divergence": None,
        "use_gan": False,
        "lr": 6e-4,
        "duration": 0.09,
        "cooldown": 0.35,
    },
    "reverse-kl-cooled": {
        "sid_model": "diff-instruct-alone",
        "lr": 5e-4,
        "lsd": 10.0,
        "lsg_gan": 10.0,
        "warmup_fake": 3.0,
        "warmup_sim": 3.0,
        "duration": 0.1,
        "cooldown": 0.4,
    },
}

_TEACHER = TeacherRecipe(
    data="",
    cond=True,
    model_channels=16,
    attn_resolutions=(),
    batch=64,
    lr=1e-3,
    warmup=10.0,
    duration=0.25,
    ema=0.05,
    tick=5.0,
    dump=2,
)


# Critics alone, then SIM, then the divergence; one discriminator in all three.
_STUDENT = Recipe(
    cond=True,
    method="uni-instruct",
    divergence="reverse-kl",
    batch=32,
    lr=1e-3,
    glr=5e-4,
    lsd=10.0,
    lsg_gan=1.0,
    ema=0.02,
    warmup_fake=1.28,
    warmup_sim=2.56,
    duration=0.24,
    tick=2.0,
    snap=20,
    dump=1,
    karras_share=0.3,
    metrics="frechet-efficientnet",
    metric_images=2_000,
    data_stat="set when it is known",
)

# The rates of the student at 16 x 16 end in one image per class at 32 x 32.
_STUDENT32 = replace(
    _STUDENT,
    lr=2e-4,
    glr=2e-4,
    lsd=1.0,
    lsg_gan=0.01,
    ema=0.01,
    warmup_fake=1.6,
    warmup_sim=6.4,
    duration=0.03,
    tick=1.0,
    snap=10,
    dump=4,
    metrics="none",
)


def _euler(steps: int) -> Heun:
    return Heun(steps=steps, corrected=False)


def _both(heun: int, euler: int) -> tuple[Heun, Heun]:
    return Heun(steps=heun), _euler(euler)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The recipes of teacher and students, without their paths, and what is measured."""

    resolution: int
    teacher: TeacherRecipe
    student: Recipe
    students: Mapping[str, Mapping[str, object]]  # name -> changes of `student`
    usual: tuple[str, ...]  # the students that are trained where none is named
    images: int  # per distance
    samplers: tuple[tuple[Heun, ...], ...]  # of the teacher, by cost; the first is the reference

    @classmethod
    def full(cls) -> "Budget":
        """32 x 32 on two CPU cores; docs/image_distill.md has the measured cost of a step."""
        teacher = replace(_TEACHER, channel_mult=(1, 2, 3), num_blocks=2, attn_resolutions=(8,))
        return cls(
            resolution=32,
            teacher=teacher,
            student=_STUDENT32,
            students=_STUDENTS32,
            usual=("reverse-kl", "reverse-kl-cooled"),
            images=3_000,
            samplers=(_both(18, 35), _both(3, 5), _both(2, 3)),
        )

    @classmethod
    def cheaper(cls) -> "Budget":
        """32 x 32 by half of that network: 0.48 million weights, 0.57 of the time of a step."""
        full = cls.full()
        teacher = replace(full.teacher, num_blocks=1, attn_resolutions=(), duration=0.13)
        return replace(
            full,
            teacher=teacher,
            student=replace(full.student, warmup_fake=1.28, warmup_sim=1.28, ema=0.02),
            students=_STUDENTS_CHEAPER,
            usual=tuple(_STUDENTS_CHEAPER),
        )

    @classmethod
    def small(cls) -> "Budget":
        """16 x 16 on one CPU core: 0.25 million weights, so that a student sees many images.

        The design and the students' rates, batch and weights are the best of those tried in
        minutes (docs/image_distill.md).
        """
        # Its rate stays, so that it may be trained on; its average is what is used.
        teacher = replace(_TEACHER, channel_mult=(1, 2), num_blocks=2, decay=False, duration=0.21)
        return cls(
            resolution=16,
            teacher=teacher,
            student=_STUDENT,
            students=_STUDENTS16,
            usual=("reverse-kl-long", "reverse-kl-cooled"),
            images=3_000,
            samplers=(_both(18, 35), _both(9, 18), _both(3, 5), _both(2, 3), (_euler(1),)),
        )

    def chosen(self, names: Sequence[str]) -> "Budget":
        """With the students of these names alone. Raises ConfigError for one that is not known."""
        for name in names:
            if name not in self.students:
                raise ConfigError(
                    f"students: got {name[:80]!r}; wanted some of {', '.join(self.students)}; "
                    "do: choose among these"
                )
        return replace(self, students={name: self.students[name] for name in names})

    def without_classes(self) -> "Budget":
        """Teacher and students that are told no class."""
        return replace(
            self,
            teacher=replace(self.teacher, cond=False),
            student=replace(self.student, cond=False),
        )

    def smoke(self) -> "Budget":
        """Seconds of a tiny network: whether everything runs."""
        teacher = replace(
            self.teacher,
            model_channels=16,
            channel_mult=(1,),
            num_blocks=1,
            attn_resolutions=(),
            batch=8,
            duration=80e-6,
            tick=0.04,
            dump=1,
            warmup=0.04,
        )
        student = replace(
            self.student,
            batch=4,
            duration=40e-6,
            tick=0.02,
            dump=1,
            warmup_fake=0.008,
            warmup_sim=0.016,
            metric_images=16,
        )
        students = {
            name: {key: value for key, value in row.items() if key not in ("duration", *_WARM_UPS)}
            for name, row in self.students.items()
        }
        return replace(
            self,
            teacher=teacher,
            student=student,
            students=students,
            images=32,
            samplers=self.samplers[1:],
        )
