"""What one distillation is made of; the keys have the names of the reference's flags.

`Recipe` is read from YAML and flags by `uni3d.config_io`; `missing_files` says what a run would
lack.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from image_distill.teachers import DESCRIPTION
from uni3d import config_io
from uni3d.errors import ConfigError
from uni3d.instruct import Method, resolve_method

__all__ = [
    "PUBLISHED",
    "MissingFile",
    "Recipe",
    "Stage",
    "missing_files",
    "resolved",
    "teacher_folder",
]

_CDN = "https://nvlabs-fi-cdn.nvidia.com"
# The names that --edm_model takes: where the weights are published (CC BY-NC-SA 4.0).
PUBLISHED = {
    "cifar10-uncond": f"{_CDN}/edm/pretrained/edm-cifar10-32x32-uncond-vp.pkl",
    "cifar10-cond": f"{_CDN}/edm/pretrained/edm-cifar10-32x32-cond-vp.pkl",
    "ffhq64": f"{_CDN}/edm/pretrained/edm-ffhq-64x64-uncond-vp.pkl",
    "afhq64-v2": f"{_CDN}/edm/pretrained/edm-afhqv2-64x64-uncond-vp.pkl",
    "imagenet64-cond": f"{_CDN}/edm/pretrained/edm-imagenet-64x64-cond-adm.pkl",
}
_REFERENCES = {
    "cifar10-32x32.npz": f"{_CDN}/edm/fid-refs/cifar10-32x32.npz",
    "imagenet-64x64.npz": f"{_CDN}/edm/fid-refs/imagenet-64x64.npz",
}
_DETECTOR = f"{_CDN}/stylegan2-ada-pytorch/pretrained/metrics/inception-2015-12-05.pt"
MODELS = Path("models")  # where an --edm_model given by name is expected

# Of the keys that the two recipes share: the least and the most.
LIMITS: dict[str, tuple[float, float]] = {
    "batch": (1, 2**20),
    "batch_gpu": (1, 2**20),
    "lr": (1e-30, 10),
    "dropout": (0, 0.999),
    "augment": (0, 1),
    "ema": (0, 1e6),
    "duration": (1e-9, 1e6),
    "tick": (1e-9, 1e9),
    "dump": (0, 1e9),
    "seed": (0, 2**63 - 1),
    "workers": (0, 256),
}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What the generator does at one moment: None waits; `name` goes into the log."""

    name: str
    method: Method | None
    adversarial: bool


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One run. Mimg: million images, kimg: thousand; images are counted by generator batch."""

    # What is distilled, into what.
    edm_model: str = ""  # folder, published name, .pkl or address
    data: str = ""  # EDM zip or folder; only the discriminator needs it
    outdir: str = "image-runs/run"
    arch: Literal["auto", "ddpmpp", "adm", "edm2"] = "auto"
    cond: bool = False
    sid_model: str | None = None  # a generator to start from: folder, .pkl or address
    resume: str | None = None  # run folder, or the reference's training-state-NNNNNN.pt

    # The loss.
    method: str = "uni-instruct"
    divergence: str | None = None
    form: str | None = None
    then: str | None = None  # a second divergence, from `then_at` on
    then_at: float = 150.0  # Mimg
    use_gan: bool = True
    variance_reduction: bool = True  # divide by the running mean of h
    ls: float = 1.0  # weight of fake-score matching
    lsd: float = 1.0  # of the discriminator
    lsg: float = 100.0  # of the divergence
    lsg_gan: float = 0.01  # of the adversarial term, times the pixels of an image
    init_sigma: float = 2.5
    tmax: float = 800.0  # the generator's noise levels: Karras time up to tmax / 1000
    karras_share: float = 0.0  # share of the critics' noise levels taken as the generator's are

    # Optimisation.
    batch: int = 256
    batch_gpu: int | None = None  # images at a time on one device; the rest is accumulated
    critic_steps: int = 1  # of fake score and discriminator to one of the generator (2405.14867)
    lr: float = 1e-5  # fake score and discriminator
    glr: float = 1e-5  # generator
    cooldown: float = 0.0  # share of the run, at its end, over which both rates fall to a tenth
    fp16: bool = False
    bf16: bool = False
    dropout: float = 0.0
    augment: float = 0.0  # probability of each transformation (augment.py); 0: none
    ema: float = 0.5  # half-life, Mimg; at most 5 % of the images seen
    warmup_fake: float = 100.0  # kimg in which only fake score and discriminator learn
    warmup_sim: float = 200.0  # kimg until which the generator learns by plain SIM
    duration: float = 300.0  # Mimg
    seed: int = 0

    # What is written.
    tick: float = 10.0  # kimg between log records
    snap: int = 50  # ticks between snapshots of the generator; 0: never
    dump: int = 200  # ticks between checkpoints; 0: at the end alone
    save_best_and_last: bool = True
    metrics: Literal["none", "fid", "frechet-efficientnet"] = "none"
    metric_images: int = 50_000
    metric_sets: int = 1  # sets of seeds; from 2 on the log has a 95 % interval
    teacher_steps: int = 18  # of Heun for the teacher's own metric, once; 0: it is not measured
    detector_url: str = "models/inception-2015-12-05.pt"
    data_stat: str = ""  # npz with mu and sigma of the data under the metric's detector
    tensorboard: bool = False
    workers: int = 0  # processes that read images

    def __post_init__(self) -> None:
        config_io.within(
            self,
            "",
            **LIMITS,
            then_at=(0, 1e6),
            ls=(0, 1e6),
            lsd=(0, 1e6),
            lsg=(0, 1e6),
            lsg_gan=(0, 1e6),
            init_sigma=(1e-6, 1e4),
            tmax=(1e-6, 1000),
            karras_share=(0, 1),
            critic_steps=(1, 1000),
            cooldown=(0, 1),
            glr=(1e-30, 10),
            warmup_fake=(0, 1e9),
            warmup_sim=(0, 1e9),
            snap=(0, 1e9),
            metric_images=(2, 1e8),
            metric_sets=(1, 1000),
            teacher_steps=(0, 10_000),
        )
        if self.fp16 and self.bf16:
            raise ValueError("fp16: got fp16 and bf16; wanted one of them; do: use bf16")
        if self.metrics != "none" and not self.data_stat:
            raise ValueError(
                f"data_stat: got none with metrics {self.metrics}; wanted an npz with mu and "
                "sigma; do: image-distill statistics DATA out.npz"
            )
        self.methods()

    def methods(self) -> tuple[Method, Method | None]:
        """The rows of the core for `divergence` and for `then`. Raises ValueError (core)."""
        first = resolve_method(
            self.method, self.divergence, self.form, ratio_available=self.use_gan
        )
        if self.then is None:
            return first, None
        second = resolve_method(self.method, self.then, self.form, ratio_available=self.use_gan)
        return first, second

    def stage(self, images: int) -> Stage:
        """What the generator does after `images` images."""
        first, second = self.methods()
        if images < self.warmup_fake * 1000:
            return Stage(name="critics", method=None, adversarial=False)
        if images < self.warmup_sim * 1000:
            # The discriminator is not to be believed yet: its ratio and its gradient stay out.
            plain = first
            if first.divergence != "reverse-kl":
                plain = resolve_method("diff-instruct" if first.form == "integral" else "sim")
            return Stage(name="warm-up", method=plain, adversarial=False)
        if second is not None and images >= self.then_at * 1e6:
            return Stage(name=f"then {second.divergence}", method=second, adversarial=self.use_gan)
        return Stage(name=str(first.divergence), method=first, adversarial=self.use_gan)

    @property
    def steps(self) -> int:
        """Generator batches in `duration`."""
        return max(1, round(self.duration * 1e6 / self.batch))

    def rate_factor(self, step: int) -> float:
        """What both learning rates are multiplied with in generator step `step`, from 0."""
        left = 1 - step / self.steps
        return 1.0 if left >= self.cooldown else 0.1 ** (1 - left / self.cooldown)

    @property
    def total_images(self) -> int:
        return self.steps * self.batch

    @property
    def ticks(self) -> float:
        """Images between two log records."""
        return self.tick * 1000


@dataclass(frozen=True)
class MissingFile:
    """One file a run needs and does not find, and how to get or make it."""

    key: str
    path: str
    advice: str

    def __str__(self) -> str:
        return f"{self.key}: {self.path} is missing; do: {self.advice}"


def _is_address(name: str) -> bool:
    return name.startswith(("http://", "https://"))


def teacher_folder(name: str) -> Path:
    """The folder an --edm_model by published name or folder stands for."""
    return MODELS / name if name in PUBLISHED else Path(name)


def resolved(recipe: Recipe) -> Recipe:
    """`recipe` with absolute paths of what exists: a resumed run may start in another folder."""
    paths = {}
    for key in ("edm_model", "sid_model", "data", "data_stat", "detector_url"):
        value = getattr(recipe, key)
        path = teacher_folder(value) if value and key.endswith("model") else Path(value or "")
        if value and path.expanduser().exists():
            paths[key] = str(path.expanduser().resolve())
    return dataclasses.replace(recipe, **paths)


def _missing_network(key: str, name: str) -> MissingFile | None:
    if _is_address(name):
        return None  # it is downloaded when the run starts
    path = teacher_folder(name)
    if path.suffix == ".pkl":
        return None if path.is_file() else MissingFile(key, name, "check the path")
    if (path / DESCRIPTION).is_file():
        return None
    if name in PUBLISHED:
        return MissingFile(key, str(path), f"image-distill import {PUBLISHED[name]} {path}")
    return MissingFile(
        key,
        f"{path}/{DESCRIPTION}",
        f"image-distill import FILE.pkl {path} (published names: {', '.join(PUBLISHED)}), or "
        "image-distill train-teacher",
    )


def _data_advice(path: str) -> str:
    if "cifar" in path:
        return (
            "download https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz, then: "
            f"image-distill prepare cifar10 cifar-10-binary.tar.gz {path}"
        )
    if "imagenet" in path:
        return (
            "get the training images of ILSVRC 2012 from https://image-net.org, then: "
            f"image-distill prepare imagenet64 ILSVRC/Data/CLS-LOC/train {path}"
        )
    if "fashion" in path:
        return (
            "apt-get install dataset-fashion-mnist, then: image-distill prepare fashion-mnist "
            f"/usr/share/datasets/fashion-mnist {path}"
        )
    return f"image-distill prepare folder IMAGES {path}"


def missing_files(recipe: Recipe) -> list[MissingFile]:
    """What the run needs and does not find; empty when it can start.

    Raises:
        ConfigError: no teacher was named, or no data where the discriminator needs some.
    """
    if not recipe.edm_model:
        raise ConfigError(
            f"edm_model: got none; wanted a folder, .pkl, address or {', '.join(PUBLISHED)}; "
            "do: give --edm_model"
        )
    if recipe.use_gan and not recipe.data:
        raise ConfigError(
            "data: got none with use_gan; wanted real images for the discriminator; "
            "do: give --data, or --use_gan 0 (reverse-kl alone)"
        )
    found = [_missing_network("edm_model", recipe.edm_model)]
    if recipe.sid_model:
        found.append(_missing_network("sid_model", recipe.sid_model))
    if recipe.use_gan and not Path(recipe.data).exists():
        found.append(MissingFile("data", recipe.data, _data_advice(recipe.data)))
    if recipe.resume and not Path(recipe.resume).exists():
        found.append(MissingFile("resume", recipe.resume, "check the path"))
    if recipe.metrics != "none" and not Path(recipe.data_stat).is_file():
        address = _REFERENCES.get(Path(recipe.data_stat).name)
        make = f"image-distill statistics {recipe.data or 'DATA'} {recipe.data_stat}"
        found.append(
            MissingFile("data_stat", recipe.data_stat, f"download {address}" if address else make)
        )
    if recipe.metrics == "fid" and not Path(recipe.detector_url).is_file():
        found.append(MissingFile("detector_url", recipe.detector_url, f"download {_DETECTOR}"))
    return [entry for entry in found if entry is not None]
