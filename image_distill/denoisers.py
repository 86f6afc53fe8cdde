"""Networks with their preconditioning: `(x, sigma, class_labels, augment_labels) -> x0`."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from image_distill.edm2 import EDM2UNet
from image_distill.networks import DhariwalUNet, SongUNet, UNet
from uni3d.errors import CheckpointError

__all__ = ["NETWORKS", "PRECONDITIONINGS", "Denoiser", "EDMPrecond", "VPPrecond", "build"]

Labels = Tensor | None


class Denoiser(nn.Module):
    """A `UNet` as a denoiser of the core's contract; the weights are under `model.`.

    A subclass says how the raw network becomes an estimate of the clean image. The network runs in
    the dtype of its parameters, the preconditioning and the result are in float32.
    """

    def __init__(self, model: UNet) -> None:
        super().__init__()
        self.model = model

    def scaled(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """`x` [b, c, h, w], `sigma` [b] -> what the network is given: `c_in x`, `c_noise` [b]."""
        raise NotImplementedError

    def combine(self, x: Tensor, sigma: Tensor, raw: Tensor) -> Tensor:
        """`c_skip x + c_out raw`, shape of `x`."""
        raise NotImplementedError

    def forward(
        self, x: Tensor, sigma: Tensor, class_labels: Labels = None, augment_labels: Labels = None
    ) -> Tensor:
        """The mean of the clean image given the noisy `x`.

        Args:
            x: [b, c, h, w], variance exploding, clean images in [-1, 1].
            sigma: noise level, [b] or one number for all.
            class_labels: one-hot [b, label_dim] or [1, label_dim]; none given means zeros;
                ignored by an unconditional network.
            augment_labels: [b, augment_dim]; none given means zeros.
        """
        return self.with_features(x, sigma, class_labels, augment_labels)[0]

    def with_features(
        self, x: Tensor, sigma: Tensor, class_labels: Labels = None, augment_labels: Labels = None
    ) -> tuple[Tensor, Tensor]:
        """`forward` and `features` from one pass through the encoder."""
        sigma, embedding, scaled = self._start(x, sigma, class_labels, augment_labels)
        skips = self.model.encode(scaled, embedding)
        raw = self.model.decode(skips, embedding).float()
        return self.combine(x.float(), sigma, raw), skips[-1].float()

    def features(
        self, x: Tensor, sigma: Tensor, class_labels: Labels = None, augment_labels: Labels = None
    ) -> Tensor:
        """The encoder's last output [b, model.feature_channels, h', w'], for a discriminator."""
        _, embedding, scaled = self._start(x, sigma, class_labels, augment_labels)
        return self.model.encode(scaled, embedding)[-1].float()

    def _start(
        self, x: Tensor, sigma: Tensor, labels: Tensor | None, augment: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        sigma = torch.as_tensor(sigma, dtype=torch.float32, device=x.device).reshape(-1)
        sigma = sigma.expand(len(x))
        scaled, noise = self.scaled(x.float(), sigma)
        dtype = next(self.model.parameters()).dtype
        if not self.model.label_dim:
            labels = None
        elif labels is None:
            labels = torch.zeros(len(x), self.model.label_dim, dtype=dtype, device=x.device)
        else:
            labels = labels.to(dtype).reshape(-1, self.model.label_dim)
        augment = None if augment is None else augment.to(dtype)
        return sigma, self.model.embed(noise, labels, augment), scaled.to(dtype)


def _like_images(sigma: Tensor) -> Tensor:
    return sigma[:, None, None, None]


class EDMPrecond(Denoiser):
    """2206.00364, table 1, column "Ours"."""

    def __init__(self, model: UNet, sigma_data: float = 0.5) -> None:
        super().__init__(model)
        self.sigma_data = sigma_data

    def scaled(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """See the base; `c_noise = ln(sigma) / 4`."""
        return x * (_like_images(sigma) ** 2 + self.sigma_data**2).rsqrt(), sigma.log() / 4

    def combine(self, x: Tensor, sigma: Tensor, raw: Tensor) -> Tensor:
        """See the base; `c_skip = d^2 / (s^2 + d^2)`, `c_out = s d / sqrt(s^2 + d^2)`."""
        level, data = _like_images(sigma), self.sigma_data
        total = level**2 + data**2
        return data**2 / total * x + level * data * total.rsqrt() * raw


class VPPrecond(Denoiser):
    """2206.00364, table 1, column "VP": the network predicts the noise."""

    def __init__(
        self, model: UNet, beta_d: float = 19.9, beta_min: float = 0.1, M: int = 1000
    ) -> None:
        super().__init__(model)
        self.beta_d, self.beta_min, self.M = beta_d, beta_min, M

    def scaled(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """See the base; `c_noise = (M - 1) t`, `ln(1 + sigma^2) = beta_d t^2 / 2 + beta_min t`."""
        log = (1 + sigma**2).log()
        time = ((self.beta_min**2 + 2 * self.beta_d * log).sqrt() - self.beta_min) / self.beta_d
        return x * (_like_images(sigma) ** 2 + 1).rsqrt(), (self.M - 1) * time

    def combine(self, x: Tensor, sigma: Tensor, raw: Tensor) -> Tensor:
        """See the base; `c_skip = 1`, `c_out = -sigma`."""
        return x - _like_images(sigma) * raw


NETWORKS: dict[str, type[UNet]] = {
    "SongUNet": SongUNet,
    "DhariwalUNet": DhariwalUNet,
    "EDM2UNet": EDM2UNet,
}
PRECONDITIONINGS: dict[str, type[Denoiser]] = {"EDMPrecond": EDMPrecond, "VPPrecond": VPPrecond}

# Options of the reference's constructors of which only one value is built here. They are the
# variants of other papers' checkpoints (ncsnpp: "fourier", "residual", a [1, 3, 3, 1] filter).
_ONLY: dict[str, Any] = {
    "embedding_type": "positional",
    "channel_mult_noise": 1,
    "encoder_type": "standard",
    "decoder_type": "standard",
    "resample_filter": [1, 1],
    "channels_per_head": 64,  # this one and those below: EDM2
    "res_balance": 0.3,
    "attn_balance": 0.3,
    "clip_act": 256,
}


def network_arguments(network: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Keeps what the constructor of `network` takes; raises on what it cannot honour."""
    if network not in NETWORKS:
        raise CheckpointError(
            f"network class {network[:80]!r} is not known; wanted {' or '.join(NETWORKS)}; "
            "do: use an EDM, EDM2, SiD, SiDA or Uni-Instruct checkpoint of those"
        )
    known, kept = inspect.signature(NETWORKS[network]).parameters, {}
    for name, value in arguments.items():
        if isinstance(value, tuple):
            value = list(value)
        if name in known:
            kept[name] = value
        elif name not in _ONLY or value != _ONLY[name]:
            wanted = f"wanted {_ONLY[name]!r}" if name in _ONLY else "no such option here"
            raise CheckpointError(
                f"{network} with {str(name)[:40]}={repr(value)[:60]} is not supported; {wanted}; "
                "do: use a ddpmpp, adm or EDM2 checkpoint"
            )
    return kept


def build(
    network: str,
    arguments: Mapping[str, Any],
    preconditioning: str = "EDMPrecond",
    options: Mapping[str, Any] | None = None,
    device: str | torch.device = "cpu",
) -> Denoiser:
    """A denoiser with fresh weights; on "meta" it has only shapes.

    Args:
        network: a name in `NETWORKS`; `arguments` are those of its constructor.
        preconditioning: a name in `PRECONDITIONINGS`; `options` are `sigma_data`, or `beta_d`...

    Raises:
        CheckpointError: a name or an argument that is not supported.
    """
    kept = network_arguments(network, arguments)
    if preconditioning not in PRECONDITIONINGS:
        raise CheckpointError(
            f"preconditioning {preconditioning[:80]!r} is not known; "
            f"wanted {' or '.join(PRECONDITIONINGS)}; do: use an EDM or VP checkpoint"
        )
    try:
        with torch.device(device):
            model = NETWORKS[network](**kept)
            return PRECONDITIONINGS[preconditioning](model, **dict(options or {}))
    except (TypeError, ValueError, RuntimeError, AttributeError, ArithmeticError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise CheckpointError(
            f"{network} cannot be built from its arguments: {reason}; do: check the file"
        ) from error
