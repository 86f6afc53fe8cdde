"""The network of an exported student; `export` copies this file beside the weights."""

from typing import Any

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor

from image_distill.edm2 import EDM2UNet
from image_distill.networks import DhariwalUNet, SongUNet

_NETWORKS = {kind.__name__: kind for kind in (SongUNet, DhariwalUNet, EDM2UNet)}


class OneStepUNet(ModelMixin, ConfigMixin):
    """`D(x, sigma, labels)`: a denoiser that was distilled to be called once, at `init_sigma`."""

    @register_to_config
    def __init__(
        self,
        network: str,
        arguments: dict[str, Any],
        preconditioning: str = "EDMPrecond",
        options: dict[str, Any] | None = None,
        init_sigma: float = 2.5,
    ) -> None:
        super().__init__()
        self.model = _NETWORKS[network](**arguments)

    def forward(self, x: Tensor, sigma: Tensor, class_labels: Tensor | None = None) -> Tensor:
        """`x` [b, c, h, w], noisy; `sigma` [b]; `class_labels` [b, label_dim], one-hot or none."""
        config: Any = self.config
        level, options = sigma[:, None, None, None], config.options or {}
        if config.preconditioning == "VPPrecond":  # 2206.00364, table 1
            beta_d, beta_min = options.get("beta_d", 19.9), options.get("beta_min", 0.1)
            log = (1 + sigma**2).log()
            time = ((beta_min**2 + 2 * beta_d * log).sqrt() - beta_min) / beta_d
            c_in, c_noise = (level**2 + 1).rsqrt(), (options.get("M", 1000) - 1) * time
            c_skip, c_out = torch.ones_like(level), -level
        else:
            data = options.get("sigma_data", 0.5)
            c_in, c_noise = (level**2 + data**2).rsqrt(), sigma.log() / 4
            c_skip, c_out = (data * c_in) ** 2, level * data * c_in
        dtype = next(self.parameters()).dtype
        if class_labels is None:
            class_labels = x.new_zeros(len(x), self.model.label_dim)
        labels = class_labels.to(dtype) if self.model.label_dim else None
        embedding = self.model.embed(c_noise, labels, None)
        raw = self.model.decode(self.model.encode((c_in * x).to(dtype), embedding), embedding)
        return c_skip * x + c_out * raw.to(x.dtype)
