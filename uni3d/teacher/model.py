"""A frozen diffusers model as the denoiser D(x, sigma, cond) -> x0, with its codec and its text.

Any folder in diffusers layout is read the same way; what differs between them (prediction type,
schedule, text encoders, a pooled text vector, learned variance, the codec) is read from its files.
Nothing above this module knows which it is.
"""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from uni3d.cameras import Cameras
from uni3d.errors import MissingExtraError, TeacherError
from uni3d.instruct import (
    Denoiser,
    EpsDenoiser,
    VDenoiser,
    VPSchedule,
    classifier_free_guidance,
    perp_neg,
)
from uni3d.instruct.noise import expand_like
from uni3d.storage.below import files_below
from uni3d.teacher.codecs import Codec, Pixels, VaeCodec, read_space_to_depth
from uni3d.teacher.hub import SHIPPED, Found, find_folder, read_index
from uni3d.teacher.prompts import ViewConditioning
from uni3d.teacher.sampler import euler
from uni3d.teacher.texts import TextEncoder, load_network, load_part, text_reader

__all__ = [
    "Condition",
    "Teacher",
    "TeacherConfig",
    "fingerprint",
    "load_teacher",
    "place",
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TeacherConfig:
    """Which teacher, and how it is loaded.

    name: "toybox", a folder, a hub id or a short name (`hub.CHAINS`). `revision` and `variant` are
    the hub's (variant: "fp16").
    """

    # toybox, toybox-wide, sd, sdxl, if, a folder in diffusers layout, or a hub id
    name: str = "toybox"
    revision: str = ""  # branch, tag or commit of a hub id; empty: the newest
    variant: str = ""  # of the weight files, such as fp16
    device: Literal["auto", "cpu", "cuda"] = "auto"  # auto: cuda where there is one, but for toybox
    # auto: float32 on a CPU; on a GPU bfloat16 where it is native, else float16
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"


@dataclasses.dataclass(frozen=True)
class Condition:
    """The inputs of the U-Net besides the picture: text features `[batch, tokens, width]` as the
    teacher's own text encoder makes them, and the cameras'
    embeddings `[batch, 4]`, which only some teachers use."""

    context: Tensor
    camera: Tensor | None


@dataclasses.dataclass(frozen=True)
class SampleDenoiser:
    """A network `(x_vp, t_index, cond) -> x0` (diffusers' prediction type "sample")."""

    network: Any
    schedule: VPSchedule

    def __call__(self, x: Tensor, sigma: Tensor, cond: Any = None) -> Tensor:
        level = expand_like(sigma, x)
        return self.network(x / (1 + level**2).sqrt(), self.schedule.t_of(sigma), cond)


FLOAT16_SCALE = 1024.0  # keeps small gradients of activations in float16's range; a power of two
DENOISERS = {"epsilon": EpsDenoiser, "v_prediction": VDenoiser, "sample": SampleDenoiser}


class Teacher:
    """The frozen model: a denoiser, an image codec and a text encoder.

    `unet` may carry an adapter; calling the teacher always leaves it out (`adapter` is switched
    by FakeScore, which shares the network). What it is given may lie on any device and be of any
    float type; what it returns has the type of `x` and lies on `device`.
    """

    # Evaluate the branches of guidance one after another: slower, a third of the memory or less.
    one_by_one = False

    def __init__(
        self,
        unet: Any,
        encode_text: TextEncoder,
        scheduler: Any,
        codec: Codec,
        name: str,
        *,
        fingerprint: str = "",
        revision: str = "",
        origin: str = "",
    ) -> None:
        """fingerprint: changes with the files. revision, origin: `hub.Found`'s."""
        self.unet, self.codec, self.name = unet, codec, name
        self.encode_text: TextEncoder = encode_text
        self.fingerprint, self.revision, self.origin = fingerprint, revision, origin
        self.dtype: torch.dtype = unet.dtype
        self.device = torch.device(unet.device)
        try:
            self.schedule = VPSchedule.from_alphas_cumprod(scheduler.alphas_cumprod)
        except ValueError as error:
            raise TeacherError(
                f"{name}: its scheduler's betas are no noise schedule ({error}); "
                "do: fetch scheduler/scheduler_config.json again"
            ) from error
        kind = scheduler.config.prediction_type
        if kind not in DENOISERS:
            raise TeacherError(
                f"{name}: its prediction type is {kind!r}; wanted one of {', '.join(DENOISERS)}"
            )
        self.denoise: Denoiser = DENOISERS[kind](self.network, self.schedule)
        self.knows_cameras = unet.config.class_embed_type == "projection"
        self._pooled, self._time_ids = _pooled_text(unet.config, codec.image_size, name)

    def network(self, x: Tensor, t: Tensor, cond: Condition) -> Tensor:
        """What the U-Net itself predicts, of the shape of the variance-preserving `x`."""
        context, extra = cond.context.to(self.device, self.dtype), {}
        if self.knows_cameras:
            assert cond.camera is not None, f"{self.name} wants cameras"
            extra["class_labels"] = cond.camera.to(self.device, self.dtype)
        if self._pooled:
            pooled, context = context[:, -1, : self._pooled], context[:, :-1]
            times = torch.tensor([self._time_ids], device=self.device).expand(len(x), -1)
            extra["added_cond_kwargs"] = {"text_embeds": pooled, "time_ids": times}
        out = self.unet(x.to(self.device, self.dtype), t.to(self.device), context, **extra).sample
        return out[:, : x.shape[1]].to(x.dtype)  # channels beyond are a learned variance

    def to(self, device: torch.device, dtype: torch.dtype) -> "Teacher":
        """Moved there, U-Net and autoencoder alike. Returns itself."""
        self.unet.to(device, dtype)
        vae = getattr(self.codec, "vae", None)
        if vae is not None:
            # Some autoencoders overflow float16, which their config says.
            upcast = dtype == torch.float16 and vae.config.force_upcast
            vae.to(device, torch.float32 if upcast else dtype)
        self.device, self.dtype = device, dtype
        return self

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        side = self.unet.config.sample_size
        return (self.unet.config.in_channels, side, side)

    def encode(self, images: Tensor) -> Tensor:
        """Latents of images `[batch, 3, h, w]` in [0, 1], resized to the teacher's own size."""
        images, size = images.to(self.device), self.codec.image_size
        if images.shape[-1] != size:
            images = interpolate(images, (size, size), mode="bilinear", align_corners=False)
        return self.codec.encode(images)

    def backward(self, loss: Tensor, leaves: Sequence[Tensor], only: bool = False) -> None:
        """Add the gradient of a scalar `loss` to the `.grad` of `leaves`; with `only`, to no other.

        Of networks in float16 small gradients would become 0 on their way: it goes scaled.
        """
        scale = FLOAT16_SCALE if self.dtype == torch.float16 else 1.0
        (loss * scale).backward(inputs=leaves if only else None)
        if scale != 1.0:
            for leaf in leaves:
                if leaf.grad is not None:
                    leaf.grad /= scale

    def camera(self, cameras: Cameras) -> Tensor:
        """What a Condition says of cameras, `[batch, 4]`."""
        return cameras.embedding

    def guided(
        self,
        x: Tensor,
        sigma: Tensor,
        views: ViewConditioning,
        camera: Tensor | None,
        scale: float,
        rescale: float = 0.0,
    ) -> Tensor:
        """x0 under classifier-free guidance, with Perp-Neg when `views` has negatives.

        All branches run as one batch, unless `one_by_one`. Unconditional means the negative prompt,
        same camera. rescale: see `classifier_free_guidance`.
        """
        texts = [views.unconditional, views.positive, *views.negatives.unbind(dim=1)]
        return _combined(self._branches(x, sigma, texts, camera), views, scale, rescale)

    def _branches(
        self, x: Tensor, sigma: Tensor, texts: list[Tensor], camera: Tensor | None
    ) -> list[Tensor]:
        """x0 under each of the embedded `texts`."""
        if self.one_by_one:
            return [self.denoise(x, sigma, Condition(text, camera)) for text in texts]
        copies = len(texts)
        cond = Condition(torch.cat(texts), None if camera is None else camera.repeat(copies, 1))
        x0 = self.denoise(x.repeat(copies, 1, 1, 1), sigma.repeat(copies), cond)
        return list(x0.chunk(copies))

    def apart(
        self,
        x: Tensor,
        sigma: Tensor,
        views: ViewConditioning,
        camera: Tensor | None,
        **guidance: float,
    ) -> tuple[Tensor, Tensor]:
        """The conditional x0, differentiable in `x`, and what `guided` would add to it, detached.

        No gradient goes through the other branches, so they cost no backward pass. guidance: scale
        and rescale, as of `guided`.
        """
        positive = self.denoise(x, sigma, Condition(views.positive, camera))
        with torch.no_grad():
            texts = [views.unconditional, *views.negatives.unbind(dim=1)]
            uncond, *negatives = self._branches(x.detach(), sigma, texts, camera)
            pieces = [uncond, positive.detach(), *negatives]
            pull = _combined(pieces, views, **guidance) - positive.detach()
        return positive, pull

    @torch.no_grad()
    def sample(
        self,
        views: ViewConditioning,
        camera: Tensor | None,
        *,
        scale: float,
        steps: int,
        generator: torch.Generator,
        rescale: float = 0.0,
    ) -> Tensor:
        """Latents drawn from the guided teacher, one for each view."""
        batch = views.positive.shape[0]
        noise = torch.randn(batch, *self.latent_shape, generator=generator).to(self.device)
        last = len(self.schedule.log_sigmas) - 1
        sigmas = self.schedule.sigma_of(torch.linspace(last, last * 0.015, steps)).to(self.device)
        return euler(lambda x, s: self.guided(x, s, views, camera, scale, rescale), noise, sigmas)


def _combined(
    pieces: list[Tensor], views: ViewConditioning, scale: float, rescale: float = 0.0
) -> Tensor:
    """The guided x0 from those of (unconditional, positive, *negatives)."""
    uncond, positive, *negatives = pieces
    if not negatives:
        return classifier_free_guidance(uncond, positive, scale, rescale)
    weights = list(views.weights.unbind(dim=1))
    return perp_neg(uncond, positive, negatives, weights, scale, rescale)


def _pooled_text(config: Any, image_size: int, name: str) -> tuple[int, list[float]]:
    """Width of the pooled text vector the U-Net takes (0: none) and the time ids beside it.

    The ids (SDXL) are the size of the training picture, the corner of its crop and the size wanted:
    a whole picture of the teacher's own size.
    """
    kind = config.addition_embed_type
    # "text" (of toybox, of pixel-space DeepFloyd) is made from the tokens by the U-Net itself.
    if kind in (None, "text"):
        return 0, []
    if kind != "text_time":
        raise TeacherError(f"{name}: its U-Net wants {kind!r} beside the text; wanted text_time")
    ids = [image_size, image_size, 0, 0, image_size, image_size]
    width = config.projection_class_embeddings_input_dim
    return width - len(ids) * config.addition_time_embed_dim, [float(i) for i in ids]


def fingerprint(found: Found, variant: str) -> str:
    """Changes when the files of the teacher do, or when others of them are read (`variant`)."""
    digest = hashlib.sha256(f"{found.revision} {variant} ".encode())
    for path in files_below(found.folder):
        status = path.stat()
        # ctime: unpacked archives and images of containers give all files one mtime.
        times = f"{status.st_mtime_ns} {status.st_ctime_ns}".encode()
        mark = path.read_bytes() if path.suffix == ".json" else times
        digest.update(f"{path.relative_to(found.folder)} {status.st_size} ".encode() + mark)
    return digest.hexdigest()


def place(config: TeacherConfig) -> tuple[torch.device, torch.dtype]:
    """Where the teacher will run, and in what precision."""
    kind = config.device
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() and config.name not in SHIPPED else "cpu"
    if kind == "cuda" and not torch.cuda.is_available():
        raise TeacherError("device: got cuda, and torch sees no CUDA device; do: --device cpu")
    precision = config.precision
    if precision == "auto":
        precision = "float32"
        if kind == "cuda":  # emulated bfloat16 is slow
            native = torch.cuda.is_bf16_supported(including_emulation=False)
            precision = "bfloat16" if native else "float16"
    return torch.device(kind), getattr(torch, precision)


def _read_codec(folder: Path, unet: Any, diffusers: Any, options: dict[str, Any]) -> Codec:
    if (folder / "codec").is_dir():
        return read_space_to_depth(folder / "codec" / "config.json")
    if not (read_index(folder).get("vae") or [None])[0]:
        return Pixels(unet.config.sample_size)
    vae = load_network(folder, "vae", diffusers.AutoencoderKL, **options)
    blocks = len(vae.config.block_out_channels) - 1
    return VaeCodec(vae, unet.config.sample_size * 2**blocks)


def load_teacher(which: TeacherConfig | str) -> Teacher:
    """The teacher of a configuration, or of a name with everything else at its default.

    Raises TeacherError for an unknown name or a damaged folder, and MissingExtraError where
    diffusers is not installed.
    """
    try:
        import diffusers
        from diffusers.utils import logging
    except ImportError as error:
        raise MissingExtraError("diffusers") from error
    config = TeacherConfig(name=which) if isinstance(which, str) else which
    device, dtype = place(config)
    # Its notes on unknown keys are about other classes, and what it calls an error is raised too.
    logging.set_verbosity(logging.CRITICAL)
    found = find_folder(config.name, config.revision, config.variant)
    folder = found.folder
    options: dict[str, Any] = {"torch_dtype": dtype}
    if config.variant and found.name not in SHIPPED:
        options["variant"] = config.variant
    texts = text_reader(folder, options.get("variant", ""))
    unet = load_network(folder, "unet", diffusers.UNet2DConditionModel, **options)
    unet = unet.to(memory_format=torch.channels_last)
    # Whatever sampler a folder names, its betas are what is read, and this class knows them all.
    scheduler = load_part(folder, "scheduler", diffusers.DDPMScheduler)
    codec = _read_codec(folder, unet, diffusers, options)
    teacher = Teacher(
        unet,
        texts,
        scheduler,
        codec,
        found.name,
        fingerprint=fingerprint(found, config.variant),
        revision=found.revision,
        origin=found.how,
    )
    return teacher.to(device, dtype)
