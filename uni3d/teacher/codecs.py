"""Between pictures and what a teacher diffuses: its codec, read from the teacher's folder.

`vae/` is Stable Diffusion's autoencoder, `codec/` a linear one (toybox), neither is pixel space.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle
from torch.utils.checkpoint import checkpoint

from uni3d.errors import TeacherError

__all__ = ["Codec", "Pixels", "SpaceToDepth", "VaeCodec", "read_space_to_depth"]


class Codec(Protocol):
    """Between images `[batch, 3, h, w]` in [0, 1] and latents; differentiable."""

    @property
    def image_size(self) -> int: ...

    def encode(self, images: Tensor) -> Tensor: ...

    def decode(self, latents: Tensor) -> Tensor: ...


@dataclasses.dataclass(frozen=True)
class Pixels:
    """Pixel space: images are only scaled to [-1, 1]."""

    image_size: int

    def encode(self, images: Tensor) -> Tensor:
        return images * 2 - 1

    def decode(self, latents: Tensor) -> Tensor:
        return (latents + 1) / 2


@dataclasses.dataclass(frozen=True)
class SpaceToDepth:
    """Blocks of `factor` x `factor` pixels become channels; images are scaled to [-1, 1]."""

    factor: int
    image_size: int

    def encode(self, images: Tensor) -> Tensor:
        return pixel_unshuffle(images * 2 - 1, self.factor)

    def decode(self, latents: Tensor) -> Tensor:
        return (pixel_shuffle(latents, self.factor) + 1) / 2


def read_space_to_depth(path: Path) -> SpaceToDepth:
    """From `codec/config.json`; TeacherError when it is not one."""
    try:
        described = json.loads(path.read_text())
        if described["type"] != "space_to_depth":
            raise ValueError(f"type {described['type']!r}, wanted 'space_to_depth'")
        return SpaceToDepth(int(described["factor"]), int(described["image_size"]))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise TeacherError(f"{path}: not a codec ({error!r})") from error


@dataclasses.dataclass(frozen=True)
class VaeCodec:
    """An AutoencoderKL: the mode of its posterior, shifted and scaled as its config says.

    sliced: one picture at a time, its activations computed again in the backward pass, so that
    memory does not grow with the batch; the numbers are the same but for rounding.
    """

    vae: Any
    image_size: int
    sliced: bool = False

    def _encode(self, images: Tensor) -> Tensor:
        return self.vae.encode(images * 2 - 1).latent_dist.mode()

    def encode(self, images: Tensor) -> Tensor:
        inner = images.to(self.vae.dtype)
        if self.sliced:
            pieces = [checkpoint(self._encode, p, use_reentrant=False) for p in inner.split(1)]
            latents = torch.cat([piece for piece in pieces if piece is not None])
        else:
            latents = self._encode(inner)
        config = self.vae.config
        return (latents.to(images.dtype) - (config.shift_factor or 0)) * config.scaling_factor

    def decode(self, latents: Tensor) -> Tensor:
        config = self.vae.config
        inner = latents / config.scaling_factor + (config.shift_factor or 0)
        pieces = inner.to(self.vae.dtype).split(1 if self.sliced else len(inner))
        images = torch.cat([self.vae.decode(piece).sample for piece in pieces])
        return (images.to(latents.dtype) + 1) / 2
