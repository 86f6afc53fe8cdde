"""The published network of EDM2 (2312.02696, figure 21): every operation keeps magnitudes.

Weights are normalised where they are used, so that only their directions count; activations are
normalised pixel by pixel in the encoder; sums and concatenations are scaled to unit variance. Key
names and shapes equal those of the published files, under `model.` here and `unet.` there.
Weights are not normalised in place while training (equation 66): a distilled copy has only the
normalisation in its forward pass.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from image_distill.networks import UNet

__all__ = ["EDM2Block", "EDM2UNet"]

_EPSILON = 1e-4
_CLIP = 256.0  # of a block's output
_BALANCE = 0.3  # share of a residual branch, and of attention
_HEAD_CHANNELS = 64


def unit_magnitude(x: Tensor, dims: Sequence[int]) -> Tensor:
    """`x` over its root mean square along `dims` (plus a little), which then is about 1."""
    count = math.prod(x.shape[d] for d in dims)
    norm = torch.linalg.vector_norm(x, dim=list(dims), keepdim=True, dtype=torch.float32)
    return x / (_EPSILON + norm / math.sqrt(count)).to(x.dtype)


def activate(x: Tensor) -> Tensor:
    """Equation 81: SiLU over its root mean square at a normal input."""
    return functional.silu(x) / 0.596


def blend(a: Tensor, b: Tensor, share: float) -> Tensor:
    """Equation 88: the weighted sum of two independent unit-variance maps, of unit variance."""
    return torch.lerp(a, b, share) / math.hypot(1 - share, share)


def join(a: Tensor, b: Tensor, share: float) -> Tensor:
    """Equation 103: concatenation in which `a` and `b` count by `share`, not by their channels."""
    n, m = a.shape[1], b.shape[1]
    scale = math.sqrt(n + m) / math.hypot(1 - share, share)
    parts = [a * (scale * (1 - share) / math.sqrt(n)), b * (scale * share / math.sqrt(m))]
    return torch.cat(parts, 1)


class Weight(nn.Module):
    """Equation 47: a linear map (`kernel` 0) or a convolution, of unit-norm weights, no bias."""

    def __init__(self, inside: int, outside: int, kernel: int = 0) -> None:
        super().__init__()
        shape = (outside, inside, kernel, kernel) if kernel else (outside, inside)
        self.weight = nn.Parameter(torch.randn(shape))

    def forward(self, x: Tensor, gain: Tensor | float = 1.0) -> Tensor:
        """[b, inside] -> [b, outside], or the same of maps [b, channels, h, w]."""
        dims = range(1, self.weight.ndim)
        weight = unit_magnitude(self.weight.float(), dims)
        weight = (weight * (gain / math.sqrt(self.weight[0].numel()))).to(x.dtype)
        if weight.ndim == 2:
            return functional.linear(x, weight)
        return functional.conv2d(x, weight, padding=weight.shape[-1] // 2)


class Fourier(nn.Module):
    """Equation 75: `sqrt(2) cos(2 pi (f x + p))`; frequencies and phases are drawn once."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.freqs: Tensor
        self.phases: Tensor
        self.register_buffer("freqs", 2 * math.pi * torch.randn(channels))
        self.register_buffer("phases", 2 * math.pi * torch.rand(channels))

    def forward(self, x: Tensor) -> Tensor:
        """[b] -> [b, channels]."""
        angles = torch.outer(x.float(), self.freqs.float()) + self.phases.float()
        return angles.cos() * math.sqrt(2)


class EDM2Block(nn.Module):
    """A residual block; in the encoder its input is normalised and changes channels first."""

    def __init__(
        self,
        inside: int,
        outside: int,
        embedding: int,
        *,
        encoder: bool,
        attention: bool = False,
        resample: str = "",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder, self.resample, self.dropout = encoder, resample, dropout
        self.heads = outside // _HEAD_CHANNELS if attention else 0
        self.emb_gain = nn.Parameter(torch.zeros(()))
        self.conv_res0 = Weight(outside if encoder else inside, outside, 3)
        self.emb_linear = Weight(embedding, outside)
        self.conv_res1 = Weight(outside, outside, 3)
        self.conv_skip = Weight(inside, outside, 1) if inside != outside else None
        self.attn_qkv = Weight(outside, 3 * outside, 1) if self.heads else None
        self.attn_proj = Weight(outside, outside, 1) if self.heads else None

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """`x` [b, inside, h, w], `embedding` [b, e] -> [b, outside, h', w']."""
        if self.resample == "down":
            x = functional.avg_pool2d(x, 2)
        elif self.resample == "up":
            x = functional.interpolate(x, scale_factor=2, mode="nearest")
        if self.encoder:
            x = x if self.conv_skip is None else self.conv_skip(x)
            x = unit_magnitude(x, (1,))
        branch = self.conv_res0(activate(x))
        scale = self.emb_linear(embedding, self.emb_gain) + 1
        branch = activate(branch * scale[:, :, None, None].to(branch.dtype))
        branch = self.conv_res1(functional.dropout(branch, self.dropout, self.training))
        if not self.encoder and self.conv_skip is not None:
            x = self.conv_skip(x)
        x = blend(x, branch, _BALANCE)
        if self.attn_qkv is not None and self.attn_proj is not None:
            x = blend(x, self.attn_proj(self._attend(self.attn_qkv(x))), _BALANCE)
        return x.clamp(-_CLIP, _CLIP)

    def _attend(self, qkv: Tensor) -> Tensor:
        """Cosine attention: [b, 3 c, h, w] -> [b, c, h, w]; channel order (head, channel, qkv)."""
        batch, _, height, width = qkv.shape
        split = qkv.reshape(batch, self.heads, -1, 3, height * width)
        q, k, v = unit_magnitude(split, (2,)).unbind(3)  # [b, heads, channels, pixels]
        weights = (q.transpose(2, 3) @ (k / math.sqrt(q.shape[2]))).softmax(3)
        return (v @ weights.transpose(2, 3)).reshape(batch, -1, height, width)


class EDM2UNet(UNet):
    """The network of EDM2; arguments and their defaults are those of its files."""

    def __init__(
        self,
        img_resolution: int,
        img_channels: int,
        label_dim: int = 0,
        model_channels: int = 192,
        channel_mult: Sequence[int] = (1, 2, 3, 4),
        channel_mult_noise: int | None = None,
        channel_mult_emb: int | None = None,
        num_blocks: int = 3,
        attn_resolutions: Sequence[int] = (16, 8),
        label_balance: float = 0.5,
        concat_balance: float = 0.5,
        dropout: float = 0.0,
    ) -> None:
        nn.Module.__init__(self)  # it shares its callers with the older two, not their layers
        self.img_resolution, self.label_dim, self.label_dropout = img_resolution, label_dim, 0.0
        self.in_channels = self.out_channels = img_channels
        self.attn_resolutions = tuple(attn_resolutions)
        self.label_balance, self.concat_balance = label_balance, concat_balance
        self.dropout = dropout
        widths = [model_channels * factor for factor in channel_mult]
        noise = model_channels * channel_mult_noise if channel_mult_noise else widths[0]
        wide = model_channels * channel_mult_emb if channel_mult_emb else max(widths)
        self.out_gain = nn.Parameter(torch.zeros(()))
        self.emb_fourier = Fourier(noise)
        self.emb_noise = Weight(noise, wide)
        self.emb_label = Weight(label_dim, wide) if label_dim else None
        channels = self._levels(widths, wide, num_blocks)
        self.out_conv = Weight(channels, img_channels, 3)

    def _levels(self, widths: Sequence[int], wide: int, blocks: int) -> int:
        """Makes `enc` and `dec`; returns the channels that leave the decoder."""
        self.enc, self.dec = nn.ModuleDict(), nn.ModuleDict()

        def block(inside: int, outside: int, **options: Any) -> EDM2Block:
            return EDM2Block(inside, outside, wide, dropout=self.dropout, **options)

        channels, skips = widths[0], [widths[0]]
        for level, width in enumerate(widths):
            size = self.img_resolution >> level
            if level == 0:  # one more channel than the image has, of ones: it stands for biases
                self.enc[f"{size}x{size}_conv"] = Weight(self.in_channels + 1, width, 3)
            else:
                down = block(channels, channels, encoder=True, resample="down")
                self.enc[f"{size}x{size}_down"] = down
                skips.append(channels)
            attention = size in self.attn_resolutions
            for index in range(blocks):
                made = block(channels, width, encoder=True, attention=attention)
                self.enc[f"{size}x{size}_block{index}"] = made
                channels = width
                skips.append(channels)
        self.feature_channels = channels
        for level in reversed(range(len(widths))):
            size, width = self.img_resolution >> level, widths[level]
            if level == len(widths) - 1:
                within = block(channels, channels, encoder=False, attention=True)
                self.dec[f"{size}x{size}_in0"] = within
                self.dec[f"{size}x{size}_in1"] = block(channels, channels, encoder=False)
            else:
                up = block(channels, channels, encoder=False, resample="up")
                self.dec[f"{size}x{size}_up"] = up
            attention = size in self.attn_resolutions
            for index in range(blocks + 1):
                inside = channels + skips.pop()
                made = block(inside, width, encoder=False, attention=attention)
                self.dec[f"{size}x{size}_block{index}"] = made
                channels = width
        return channels

    def embed(self, noise: Tensor, labels: Tensor | None, augment: Tensor | None) -> Tensor:
        """`noise` [b], `labels` [b, label_dim] -> [b, e]; it has no input for augmentation."""
        dtype = self.emb_noise.weight.dtype
        x = self.emb_noise(self.emb_fourier(noise).to(dtype))
        if self.emb_label is not None and labels is not None:
            label = self.emb_label(labels.to(dtype) * math.sqrt(self.label_dim))
            x = blend(x, label.expand_as(x), self.label_balance)
        return activate(x)

    def encode(self, x: Tensor, embedding: Tensor) -> list[Tensor]:
        """See the base."""
        outputs = [torch.cat([x, torch.ones_like(x[:, :1])], 1)]
        for module in self.enc.values():
            arguments = (embedding,) if isinstance(module, EDM2Block) else ()
            outputs.append(module(outputs[-1], *arguments))
        return outputs[1:]

    def decode(self, skips: Sequence[Tensor], embedding: Tensor) -> Tensor:
        """See the base."""
        waiting, x = list(skips), skips[-1]
        for name, module in self.dec.items():
            if "_block" in name:
                x = join(x, waiting.pop(), self.concat_balance)
            x = module(x, embedding)
        return self.out_conv(x, self.out_gain)
