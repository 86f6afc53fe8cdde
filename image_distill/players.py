"""The networks of a distillation with their optimisers: all that changes while it trains."""

import copy
import dataclasses

import torch
from torch import Tensor

from image_distill import state
from image_distill.denoisers import Denoiser
from image_distill.edm2 import EDM2Block
from image_distill.gang import Gang
from image_distill.networks import Block, placed
from image_distill.recipe import Recipe
from uni3d.instruct import RatioNormaliser

__all__ = ["Players"]


class Players:
    """The networks, their optimisers, and the two running means of the density ratio."""

    def __init__(self, teacher: Denoiser, generator: Denoiser, recipe: Recipe, gang: Gang) -> None:
        self.teacher = placed(teacher, gang.device)
        self.average = placed(copy.deepcopy(generator), gang.device)
        self.generator = _trainable(generator, recipe.dropout, gang.device)
        self.fake = _trainable(teacher, recipe.dropout, gang.device)
        self.ratio = RatioNormaliser().to(gang.device)
        self.h_mean = torch.ones((), dtype=torch.float64)
        self.h_steps = torch.zeros((), dtype=torch.int64)
        epsilon = 1e-6 if recipe.fp16 else 1e-8
        self.fake_optimiser, self.generator_optimiser = (
            torch.optim.Adam(network.parameters(), rate, (0.0, 0.999), epsilon, fused=True)
            for network, rate in ((self.fake, recipe.lr), (self.generator, recipe.glr))
        )

    def set_rates(self, recipe: Recipe, step: int) -> None:
        """The learning rates of generator step `step`."""
        factor = recipe.rate_factor(step)
        pairs = ((self.fake_optimiser, recipe.lr), (self.generator_optimiser, recipe.glr))
        for optimiser, rate in pairs:
            for group in optimiser.param_groups:
                group["lr"] = rate * factor

    def parts(self) -> dict[str, dict[str, Tensor]]:
        """All that changes while training, as tensors."""
        return {
            "generator": self.generator.state_dict(),
            "average": self.average.state_dict(),
            "fake": self.fake.state_dict(),
            "ratio": self.ratio.state_dict(),
            "h": {"mean": self.h_mean, "steps": self.h_steps},
            "fake_optimiser": state.adam_state(self.fake_optimiser),
            "generator_optimiser": state.adam_state(self.generator_optimiser),
        }

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """The inverse of `parts`."""
        for name in ("generator", "average", "fake", "ratio"):
            getattr(self, name).load_state_dict(state.under(name, tensors))
        self.h_mean, self.h_steps = tensors["h/mean"], tensors["h/steps"]
        state.restore_adam(self.fake_optimiser, state.under("fake_optimiser", tensors))
        state.restore_adam(self.generator_optimiser, state.under("generator_optimiser", tensors))


def _trainable(network: Denoiser, dropout: float, device: torch.device) -> Denoiser:
    network = placed(copy.deepcopy(network), device)
    network.model.label_dropout = 0.0  # the student always knows its class
    for module in network.modules():
        if isinstance(module, Block):
            module.style = dataclasses.replace(module.style, dropout=dropout)
        elif isinstance(module, EDM2Block):
            module.dropout = dropout
    return network.train().requires_grad_(True)
