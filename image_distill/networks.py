"""The two published denoiser networks, "ddpmpp" (SongUNet) and "adm" (DhariwalUNet).

Key names, shapes and arithmetic equal those of the EDM checkpoints (2206.00364, appendix F.1; the
networks of 2011.13456 and 2105.05233), so that their weights load as they are. Everything is
[batch, channels, height, width]. `denoisers.py` adds the preconditioning; the core calls that.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["DhariwalUNet", "SongUNet", "UNet", "placed"]

Module = TypeVar("Module", bound=nn.Module)


def placed(network: Module, device: torch.device | str) -> Module:
    """`network`, moved to `device` in the memory format in which convolutions are fastest."""
    anything: Any = network  # torch's annotation of `to` lacks memory_format
    return anything.to(device, memory_format=torch.channels_last)


class Conv(nn.Module):
    """An optional 2x resampling with a box filter, then an optional convolution (`kernel` 0: none).

    The box filter is average pooling (down) or nearest neighbour (up); its `resample_filter` is
    kept only because the published files have that key.
    """

    def __init__(self, inside: int, outside: int, kernel: int, resample: str = "") -> None:
        super().__init__()
        self.resample = resample
        self.weight: nn.Parameter | None = None
        self.bias: nn.Parameter | None = None
        if kernel:
            self.weight = nn.Parameter(torch.empty(outside, inside, kernel, kernel))
            self.bias = nn.Parameter(torch.empty(outside))
            bound = 1 / math.sqrt(inside * kernel**2)
            nn.init.uniform_(self.weight, -bound, bound)
            nn.init.uniform_(self.bias, -bound, bound)
        if resample:
            self.register_buffer("resample_filter", torch.full((1, 1, 2, 2), 0.25))

    def forward(self, x: Tensor) -> Tensor:
        """[b, inside, h, w] -> [b, outside, h', w'], h' = h, h / 2 (down) or 2 h (up)."""
        if self.resample == "up":
            x = functional.interpolate(x, scale_factor=2, mode="nearest")
        elif self.resample == "down":
            x = functional.avg_pool2d(x, 2)
        if self.weight is None:
            return x
        return functional.conv2d(x, self.weight, self.bias, padding=self.weight.shape[-1] // 2)


def group_norm(channels: int, eps: float) -> nn.GroupNorm:
    """At most 32 groups, at least 4 channels in each."""
    return nn.GroupNorm(min(32, channels // 4), channels, eps=eps)


def attend(qkv: Tensor, heads: int) -> Tensor:
    """Self-attention over pixels: [b, 3 c, h, w] -> [b, c, h, w]; the softmax is in float32.

    In the channels the order is (head, channel of the head, q/k/v), the fastest last.
    """
    batch, tripled, height, width = qkv.shape
    q, k, v = qkv.reshape(batch * heads, tripled // (3 * heads), 3, height * width).unbind(2)
    scores = torch.bmm((q / math.sqrt(q.shape[1])).transpose(1, 2), k)
    weights = scores.float().softmax(dim=2).to(v.dtype)
    return torch.bmm(v, weights.transpose(1, 2)).reshape(batch, -1, height, width)


@dataclass(frozen=True)
class BlockStyle:
    """What differs between the blocks of the two networks."""

    embedding: int
    eps: float
    skip_scale: float
    adaptive_scale: bool
    skip_kernel: int  # of a resampling skip that keeps its channels
    head_channels: int  # 0: one head
    dropout: float


class Block(nn.Module):
    """Residual block with a noise embedding and, where `attention`, self-attention."""

    def __init__(
        self, inside: int, outside: int, style: BlockStyle, attention: bool, resample: str = ""
    ) -> None:
        super().__init__()
        self.style = style
        self.norm0 = group_norm(inside, style.eps)
        self.conv0 = Conv(inside, outside, 3, resample)
        self.affine = nn.Linear(style.embedding, outside * (2 if style.adaptive_scale else 1))
        self.norm1 = group_norm(outside, style.eps)
        self.conv1 = Conv(outside, outside, 3)
        self.skip: Conv | None = None
        if inside != outside or resample:
            kernel = 1 if inside != outside else style.skip_kernel
            self.skip = Conv(inside, outside, kernel, resample)
        self.heads = 0
        if attention:
            self.heads = outside // style.head_channels if style.head_channels else 1
            self.norm2 = group_norm(outside, style.eps)
            self.qkv = Conv(outside, 3 * outside, 1)
            self.proj = Conv(outside, outside, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """`x` [b, inside, h, w], `embedding` [b, e] -> [b, outside, h', w']."""
        style = self.style
        hidden = self.conv0(functional.silu(self.norm0(x)))
        shift = self.affine(embedding)[:, :, None, None]
        if style.adaptive_scale:
            scale, shift = shift.chunk(2, dim=1)
            hidden = torch.addcmul(shift, self.norm1(hidden), scale + 1)
        else:
            hidden = self.norm1(hidden + shift)
        hidden = functional.dropout(functional.silu(hidden), style.dropout, self.training)
        skip = x if self.skip is None else self.skip(x)
        x = (self.conv1(hidden) + skip) * style.skip_scale
        if self.heads:
            x = (self.proj(attend(self.qkv(self.norm2(x)), self.heads)) + x) * style.skip_scale
        return x


def fourier_angles(noise: Tensor, channels: int, endpoint: bool) -> Tensor:
    """`noise` [b] -> angles [b, channels / 2] with wavelengths 2 pi to 2 pi 10000."""
    half = channels // 2
    steps = torch.arange(half, dtype=torch.float32, device=noise.device)
    frequencies = 1e-4 ** (steps / (half - (1 if endpoint else 0)))
    return torch.outer(noise.float(), frequencies)


class UNet(nn.Module):
    """What the two share: their arguments, encoder, and decoder with skips."""

    attention_in_decoder = "all"
    # What an argument is where none is given, and checkpoints leave out what is usual.
    usual_channels: int
    usual_mult: tuple[int, ...]
    usual_blocks: int
    usual_attention: tuple[int, ...]

    def __init__(
        self,
        img_resolution: int,
        in_channels: int,
        out_channels: int,
        label_dim: int = 0,
        augment_dim: int = 0,
        model_channels: int | None = None,
        channel_mult: Sequence[int] | None = None,
        channel_mult_emb: int = 4,
        num_blocks: int | None = None,
        attn_resolutions: Sequence[int] | None = None,
        dropout: float = 0.10,
        label_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.img_resolution, self.in_channels = img_resolution, in_channels
        self.out_channels = out_channels
        self.label_dim, self.label_dropout = label_dim, label_dropout
        given = self.usual_attention if attn_resolutions is None else attn_resolutions
        self.attn_resolutions = tuple(given)
        channels = self.usual_channels if model_channels is None else model_channels
        factors = self.usual_mult if channel_mult is None else channel_mult
        self.noise_channels = channels
        self._layers(
            augment_dim,
            [channels * factor for factor in factors],
            channels * channel_mult_emb,
            self.usual_blocks if num_blocks is None else num_blocks,
            dropout,
        )

    def _layers(
        self, augment_dim: int, widths: Sequence[int], wide: int, blocks: int, dropout: float
    ) -> None:
        """Makes the layers and their first weights; `wide` channels hold the embedding."""
        raise NotImplementedError

    def _build(self, first: int, widths: Sequence[int], blocks: int, style: BlockStyle) -> int:
        """Makes `enc` and `dec`; returns the channels that leave the decoder."""
        sizes = [self.img_resolution >> level for level in range(len(widths))]
        self.enc, self.dec = nn.ModuleDict(), nn.ModuleDict()
        channels, skips = first, [first]
        for level, (size, width) in enumerate(zip(sizes, widths, strict=True)):
            name, attention = f"{size}x{size}", size in self.attn_resolutions
            if level == 0:
                self.enc[f"{name}_conv"] = Conv(self.in_channels, first, 3)
            else:
                self.enc[f"{name}_down"] = Block(channels, channels, style, False, "down")
                skips.append(channels)
            for index in range(blocks):
                self.enc[f"{name}_block{index}"] = Block(channels, width, style, attention)
                channels = width
                skips.append(channels)
        self.feature_channels = channels
        for level in reversed(range(len(widths))):
            size, width = sizes[level], widths[level]
            name, attention = f"{size}x{size}", size in self.attn_resolutions
            if level == len(widths) - 1:
                self.dec[f"{name}_in0"] = Block(channels, channels, style, True)
                self.dec[f"{name}_in1"] = Block(channels, channels, style, False)
            else:
                self.dec[f"{name}_up"] = Block(channels, channels, style, False, "up")
            for index in range(blocks + 1):
                here = attention and (self.attention_in_decoder == "all" or index == blocks)
                self.dec[f"{name}_block{index}"] = Block(channels + skips.pop(), width, style, here)
                channels = width
        return channels

    def embed(self, noise: Tensor, labels: Tensor | None, augment: Tensor | None) -> Tensor:
        """The embedding of the noise level, the class and the augmentation."""
        raise NotImplementedError

    def finish(self, x: Tensor) -> Tensor:
        """Decoder features to the raw image."""
        raise NotImplementedError

    def _drop_labels(self, labels: Tensor) -> Tensor:
        if not (self.training and self.label_dropout):
            return labels
        kept = torch.rand(len(labels), 1, device=labels.device) >= self.label_dropout
        return labels * kept.to(labels.dtype)

    def encode(self, x: Tensor, embedding: Tensor) -> list[Tensor]:
        """Every encoder output, the last (lowest resolution) at the end: they are the skips."""
        outputs: list[Tensor] = []
        for module in self.enc.values():
            x = module(x, embedding) if isinstance(module, Block) else module(x)
            outputs.append(x)
        return outputs

    def decode(self, skips: Sequence[Tensor], embedding: Tensor) -> Tensor:
        """The raw output [b, out_channels, h, w] from what `encode` gave."""
        waiting, x = list(skips), skips[-1]
        for name, module in self.dec.items():
            if not isinstance(module, Block):
                continue  # aux_norm and aux_conv belong to `finish`
            x = module(torch.cat([x, waiting.pop()], 1) if "_block" in name else x, embedding)
        return self.finish(x)


def _near_zero(module: Any, gain: float) -> None:
    nn.init.xavier_uniform_(module.weight, gain)
    nn.init.zeros_(module.bias)


class SongUNet(UNet):
    """The "ddpmpp" network: positional embedding, box filter, additive noise embedding."""

    attention_in_decoder = "last"
    usual_channels, usual_mult, usual_blocks, usual_attention = 128, (1, 2, 2, 2), 4, (16,)

    def _layers(
        self, augment_dim: int, widths: Sequence[int], wide: int, blocks: int, dropout: float
    ) -> None:
        channels = self.noise_channels
        self.map_label = nn.Linear(self.label_dim, channels) if self.label_dim else None
        self.map_augment = nn.Linear(augment_dim, channels, bias=False) if augment_dim else None
        self.map_layer0 = nn.Linear(channels, wide)
        self.map_layer1 = nn.Linear(wide, wide)
        style = BlockStyle(wide, 1e-6, math.sqrt(0.5), False, 1, 0, dropout)
        left = self._build(channels, widths, blocks, style)
        self.last = f"{self.img_resolution}x{self.img_resolution}_aux"
        self.dec[f"{self.last}_norm"] = group_norm(left, 1e-6)
        self.dec[f"{self.last}_conv"] = Conv(left, self.out_channels, 3)
        self._initialise()

    def _initialise(self) -> None:
        """Glorot; the end of every residual branch starts near zero (2011.13456)."""
        for module in self.modules():
            if isinstance(module, nn.Linear | Conv) and isinstance(module.weight, Tensor):
                nn.init.xavier_uniform_(module.weight)
                if isinstance(module.bias, Tensor):
                    nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, Block):
                _near_zero(module.conv1, 1e-5)
                if module.heads:
                    _near_zero(module.qkv, math.sqrt(0.2))
                    _near_zero(module.proj, 1e-5)
        _near_zero(self.dec[f"{self.last}_conv"], 1e-5)

    def embed(self, noise: Tensor, labels: Tensor | None, augment: Tensor | None) -> Tensor:
        """`noise` [b], `labels` [b, label_dim], `augment` [b, augment_dim] -> [b, 4 c]."""
        angles = fourier_angles(noise, self.noise_channels, endpoint=True)
        x = torch.cat([angles.sin(), angles.cos()], 1).to(self.map_layer0.weight.dtype)
        if self.map_label is not None and labels is not None:
            x = x + self.map_label(self._drop_labels(labels) * math.sqrt(self.label_dim))
        if self.map_augment is not None and augment is not None:
            x = x + self.map_augment(augment)
        return functional.silu(self.map_layer1(functional.silu(self.map_layer0(x))))

    def finish(self, x: Tensor) -> Tensor:
        """Decoder features [b, c, h, w] to the raw image."""
        return self.dec[f"{self.last}_conv"](functional.silu(self.dec[f"{self.last}_norm"](x)))


class DhariwalUNet(UNet):
    """The "adm" network: attention in every block of its resolutions, scale and shift."""

    usual_channels, usual_mult, usual_blocks, usual_attention = 192, (1, 2, 3, 4), 3, (32, 16, 8)

    def _layers(
        self, augment_dim: int, widths: Sequence[int], wide: int, blocks: int, dropout: float
    ) -> None:
        channels = self.noise_channels
        self.map_augment = nn.Linear(augment_dim, channels, bias=False) if augment_dim else None
        self.map_layer0 = nn.Linear(channels, wide)
        self.map_layer1 = nn.Linear(wide, wide)
        self.map_label = nn.Linear(self.label_dim, wide, bias=False) if self.label_dim else None
        style = BlockStyle(wide, 1e-5, 1.0, True, 0, 64, dropout)
        left = self._build(widths[0], widths, blocks, style)
        self.out_norm = group_norm(left, 1e-5)
        self.out_conv = Conv(left, self.out_channels, 3)
        self._initialise()

    def _initialise(self) -> None:
        """Uniform by fan-in (set where made); the end of every residual branch starts at zero."""
        if self.map_label is not None:
            nn.init.normal_(self.map_label.weight)
        _near_zero(self.out_conv, 0.0)
        for module in self.modules():
            if isinstance(module, Block):
                _near_zero(module.conv1, 0.0)
                if module.heads:
                    _near_zero(module.proj, 0.0)

    def embed(self, noise: Tensor, labels: Tensor | None, augment: Tensor | None) -> Tensor:
        """`noise` [b], `labels` [b, label_dim], `augment` [b, augment_dim] -> [b, 4 c]."""
        angles = fourier_angles(noise, self.noise_channels, endpoint=False)
        x = torch.cat([angles.cos(), angles.sin()], 1).to(self.map_layer0.weight.dtype)
        if self.map_augment is not None and augment is not None:
            x = x + self.map_augment(augment)
        x = self.map_layer1(functional.silu(self.map_layer0(x)))
        if self.map_label is not None and labels is not None:
            x = x + self.map_label(self._drop_labels(labels))
        return functional.silu(x)

    def finish(self, x: Tensor) -> Tensor:
        """Decoder features [b, c, h, w] to the raw image."""
        return self.out_conv(functional.silu(self.out_norm(x)))
