"""A frozen diffusers model as the denoiser D(x, sigma, cond) -> x0, with its codec and its text.

Any folder in diffusers layout is read the same way. Where Stable Diffusion has a `vae/`, toybox
has a `codec/`: space-to-depth, linear and lossless. Nothing above this module knows which it is.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pixel_shuffle, pixel_unshuffle

from uni3d.cameras import Cameras
from uni3d.errors import MissingExtraError, TeacherError
from uni3d.instruct import (
    EpsDenoiser,
    VDenoiser,
    VPSchedule,
    classifier_free_guidance,
    perp_neg,
)
from uni3d.instruct.noise import expand_like
from uni3d.prompts import ViewConditioning
from uni3d.sampling import euler

__all__ = ["TOYBOX", "Codec", "Condition", "Teacher", "load_teacher"]

TOYBOX = Path(__file__).parent / "toybox" / "weights" / "teacher"


@dataclasses.dataclass(frozen=True)
class Condition:
    """What the U-Net is told: token features `[batch, tokens, width]` and, for a teacher that
    knows cameras, their embeddings `[batch, 4]`."""

    context: Tensor
    camera: Tensor | None


class Codec(Protocol):
    """Between images `[batch, 3, h, w]` in [0, 1] and latents; differentiable."""

    image_size: int

    def encode(self, images: Tensor) -> Tensor: ...

    def decode(self, latents: Tensor) -> Tensor: ...


@dataclasses.dataclass(frozen=True)
class SpaceToDepth:
    """Blocks of `factor` x `factor` pixels become channels; images are scaled to [-1, 1]."""

    factor: int
    image_size: int

    def encode(self, images: Tensor) -> Tensor:
        return pixel_unshuffle(images * 2 - 1, self.factor)

    def decode(self, latents: Tensor) -> Tensor:
        return (pixel_shuffle(latents, self.factor) + 1) / 2


@dataclasses.dataclass(frozen=True)
class VaeCodec:
    """Stable Diffusion's autoencoder: the mode of its posterior, times its scaling factor."""

    vae: Any
    image_size: int

    def encode(self, images: Tensor) -> Tensor:
        latents = self.vae.encode(images * 2 - 1).latent_dist.mode()
        return latents * self.vae.config.scaling_factor

    def decode(self, latents: Tensor) -> Tensor:
        return (self.vae.decode(latents / self.vae.config.scaling_factor).sample + 1) / 2


@dataclasses.dataclass(frozen=True)
class SampleDenoiser:
    """A network `(x_vp, t_index, cond) -> x0` (diffusers' prediction type "sample")."""

    network: Any
    schedule: VPSchedule

    def __call__(self, x: Tensor, sigma: Tensor, cond: Any = None) -> Tensor:
        level = expand_like(sigma, x)
        return self.network(x / (1 + level**2).sqrt(), self.schedule.t_of(sigma), cond)


DENOISERS = {"epsilon": EpsDenoiser, "v_prediction": VDenoiser, "sample": SampleDenoiser}


class Teacher:
    """The frozen model: a denoiser, an image codec and a text encoder.

    `unet` may carry an adapter; calling the teacher always leaves it out (`adapter` is switched
    by FakeScore, which shares the network).
    """

    def __init__(
        self, unet: Any, text: tuple[Any, Any], scheduler: Any, codec: Codec, name: str
    ) -> None:
        self.unet, self.codec, self.name = unet, codec, name
        self._tokenizer, self._text_encoder = text
        self.schedule = VPSchedule.from_alphas_cumprod(scheduler.alphas_cumprod)
        kind = scheduler.config.prediction_type
        if kind not in DENOISERS:
            raise TeacherError(
                f"{name}: its prediction type is {kind!r}; wanted one of {', '.join(DENOISERS)}"
            )
        self.denoise = DENOISERS[kind](self._network, self.schedule)
        self.knows_cameras = unet.config.class_embed_type == "projection"
        for module in (unet, self._text_encoder):
            module.requires_grad_(False).eval()
            for parameter in module.parameters():
                # Tensors read from a file may lie at any address, and sums can depend on that.
                parameter.data = parameter.data.clone()

    def _network(self, x: Tensor, t: Tensor, cond: Condition) -> Tensor:
        extra = {"class_labels": cond.camera} if self.knows_cameras else {}
        return self.unet(x, t, cond.context, **extra).sample

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        side = self.unet.config.sample_size
        return (self.unet.config.in_channels, side, side)

    def encode_text(self, prompts: list[str]) -> Tensor:
        """Token features `[n, tokens, width]`."""
        length = self._tokenizer.model_max_length
        ids = self._tokenizer(
            prompts, padding="max_length", truncation=True, max_length=length, return_tensors="pt"
        ).input_ids
        with torch.no_grad():
            return self._text_encoder(ids).last_hidden_state

    def encode(self, images: Tensor) -> Tensor:
        """Latents of images `[batch, 3, h, w]` in [0, 1], resized to the teacher's own size."""
        size = self.codec.image_size
        if images.shape[-1] != size:
            images = interpolate(images, (size, size), mode="bilinear", align_corners=False)
        return self.codec.encode(images)

    def camera(self, cameras: Cameras) -> Tensor | None:
        return cameras.embedding if self.knows_cameras else None

    def guided(
        self, x: Tensor, sigma: Tensor, views: ViewConditioning, camera: Tensor | None, scale: float
    ) -> Tensor:
        """x0 under classifier-free guidance, with Perp-Neg when `views` has negatives.

        All branches run as one batch. Unconditional means the negative prompt, same camera.
        """
        count = views.negatives.shape[1]
        contexts = torch.cat(
            [views.unconditional, views.positive, *views.negatives.unbind(dim=1)], dim=0
        )
        copies = 2 + count
        cond = Condition(contexts, None if camera is None else camera.repeat(copies, 1))
        x0 = self.denoise(x.repeat(copies, 1, 1, 1), sigma.repeat(copies), cond)
        uncond, positive, *negatives = x0.chunk(copies)
        if count == 0:
            return classifier_free_guidance(uncond, positive, scale)
        return perp_neg(uncond, positive, negatives, list(views.weights.unbind(dim=1)), scale)

    @torch.no_grad()
    def sample(
        self,
        views: ViewConditioning,
        camera: Tensor | None,
        *,
        scale: float,
        steps: int,
        generator: torch.Generator,
    ) -> Tensor:
        """Latents drawn from the guided teacher, one for each view."""
        batch = views.positive.shape[0]
        noise = torch.randn(batch, *self.latent_shape, generator=generator)
        last = len(self.schedule.log_sigmas) - 1
        sigmas = self.schedule.sigma_of(torch.linspace(last, last * 0.015, steps))
        return euler(lambda x, s: self.guided(x, s, views, camera, scale), noise, sigmas)


def _component(folder: Path, name: str, loader: Any) -> Any:
    try:
        return loader.from_pretrained(folder / name, local_files_only=True)
    except Exception as error:  # the libraries raise whatever their parsers happen to raise
        line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise TeacherError(f"{folder / name}: cannot be loaded ({line})") from error


def _space_to_depth(path: Path) -> SpaceToDepth:
    try:
        described = json.loads(path.read_text())
        if described["type"] != "space_to_depth":
            raise ValueError(f"type {described['type']!r}, wanted 'space_to_depth'")
        return SpaceToDepth(int(described["factor"]), int(described["image_size"]))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise TeacherError(f"{path}: not a codec ({error!r})") from error


def load_teacher(name: str) -> Teacher:
    """`toybox`, or a local folder in diffusers layout.

    Raises TeacherError for an unknown name or a damaged folder, and MissingExtraError where
    diffusers is not installed.
    """
    try:
        import diffusers
        import transformers
    except ImportError as error:
        raise MissingExtraError("diffusers", "diffusers") from error
    folder = TOYBOX if name == "toybox" else Path(name)
    if not (folder / "model_index.json").is_file():
        raise TeacherError(
            f"teacher {name!r} is not known; wanted toybox or a folder in diffusers layout "
            "(with model_index.json); do: --teacher toybox"
        )
    unet = _component(folder, "unet", diffusers.UNet2DConditionModel).float()
    unet = unet.to(memory_format=torch.channels_last)
    text_encoder = _component(folder, "text_encoder", transformers.CLIPTextModel).float()
    tokenizer = _component(folder, "tokenizer", transformers.CLIPTokenizer)
    scheduler = _component(folder, "scheduler", diffusers.DDPMScheduler)
    if (folder / "codec").is_dir():
        codec: Codec = _space_to_depth(folder / "codec" / "config.json")
    else:
        vae = _component(folder, "vae", diffusers.AutoencoderKL).float()
        vae.requires_grad_(False).eval()
        blocks = len(vae.config.block_out_channels) - 1
        codec = VaeCodec(vae, unet.config.sample_size * 2**blocks)
    return Teacher(unet, (tokenizer, text_encoder), scheduler, codec, name)
