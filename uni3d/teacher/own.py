"""A teacher of one's own: any denoiser of pictures, without files and without a U-Net."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from uni3d.instruct import VPSchedule
from uni3d.teacher.codecs import Codec, Pixels
from uni3d.teacher.model import Condition, Teacher

__all__ = ["OwnTeacher"]


class _Texts:
    """The text encoder that was given, in the place of a folder's."""

    def __init__(self, encode: Callable[[list[str]], Tensor]) -> None:
        self.encode = encode

    def __call__(self, prompts: list[str]) -> Tensor:
        return self.encode(prompts)

    def free(self) -> None:
        """There is nothing to give back."""


def _no_text(prompts: list[str]) -> Tensor:
    return torch.zeros(len(prompts), 1, 1)


class OwnTeacher(Teacher):
    """A teacher made from a function `denoise(x, sigma, condition) -> x0`.

    x: noisy latents `[batch, channels, side, side]` = x0 + sigma eps; sigma `[batch]` > 0, in the
    units of the latents. condition: `.context [batch, rows, width]`, as `encode_text` made it, and
    `.camera [batch, 4]`: sine and cosine of azimuth, then of elevation. Returns the mean of x0
    given x, of x's shape, and differentiable in x unless the method is sds or vsd.

    Such a teacher has no U-Net that an adapter could learn on: use `method="sds"`, or the like
    without a learned fake score.
    """

    def __init__(
        self,
        denoise: Callable[[Tensor, Tensor, Condition], Tensor],
        name: str = "own",
        *,
        picture_size: int = 32,
        codec: Codec | None = None,
        encode_text: Callable[[list[str]], Tensor] = _no_text,
        schedule: VPSchedule | None = None,
    ) -> None:
        """picture_size: pixels a side that `denoise` works on, in [-1, 1] unless there is a codec.

        encode_text: texts to features `[n, rows, width]`. schedule: the noise levels asked for;
        Stable Diffusion's (sigma from 0.03 to 15) unless given.
        """
        betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2

        def ask(x: Tensor, sigma: Tensor, cond: Any = None) -> Tensor:
            return denoise(x, sigma, cond)

        self.denoise = ask
        self.name, self.origin = name, name
        self.fingerprint, self.revision = "", ""
        self.codec = codec or Pixels(picture_size)
        self.encode_text = _Texts(encode_text)
        self.schedule = schedule or VPSchedule.from_alphas_cumprod((1 - betas).cumprod(0).float())
        self.unet = nn.Module()  # of no weights: what the memory profile counts
        self.device, self.dtype = torch.device("cpu"), torch.float32
        self.knows_cameras = True

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        size = self.codec.image_size
        _, channels, height, width = self.codec.encode(torch.zeros(1, 3, size, size)).shape
        return channels, height, width
