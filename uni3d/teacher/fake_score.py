"""The fake score: a LoRA adapter on the teacher's own U-Net, and a discriminator on its encoder.

Adapter off is the teacher, bit for bit; adapter on is the score of what the scene renders now.
"""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as compute_again

from uni3d.config_io import within
from uni3d.errors import ConfigError, MissingExtraError
from uni3d.instruct import (
    RatioNormaliser,
    RunningMean,
    VDenoiser,
    add_noise,
    denoising_score_matching,
    discriminator_loss,
    ratio_is_clipped,
)
from uni3d.instruct.density_ratio import mean_logit
from uni3d.storage import checkpoint
from uni3d.teacher.model import Condition, Teacher

__all__ = ["FakeScore", "FakeScoreConfig"]

# Attention, feed-forward and convolutions of every block: with attention alone the adapter of a
# small U-Net cannot follow the scene. A large one can, with a tenth of the numbers.
TARGETS = {
    "all": (
        r".*\.(to_q|to_k|to_v|to_out\.0|proj_in|proj_out|ff\.net\.0\.proj|ff\.net\.2"
        r"|conv1|conv2|conv_shortcut|time_emb_proj)"
    ),
    "attention": r".*\.(to_q|to_k|to_v|to_out\.0)",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class FakeScoreConfig:
    """LoRA and its training. Warm-up is a fraction of the run."""

    rank: int = 16  # of the adapter; at least 1
    alpha: float = 0.0  # the adapter is scaled by alpha / rank; 0 means alpha = rank
    # layers with an adapter: attention alone is enough for a large U-Net, at a tenth of the numbers
    targets: Literal["all", "attention"] = "all"
    # "v": what the adapted network says is read as v, whatever the teacher predicts
    # (ProlificDreamer's choice). On an eps teacher it must unlearn first, and is steadier then.
    prediction: Literal["teacher", "v"] = "teacher"
    camera: bool = True  # tell it the cameras where the teacher does not know them
    learning_rate: float = 1e-3  # Adam's, of the adapter; above 0
    warm_up: float = 0.03  # fraction of the run, 0..1, in which that rate rises from 0
    steps_per_step: int = 1  # its own steps after each of the scene's; at least 1
    start: float = 0.0  # fraction of the run, 0..1, before which sds stands in, without it
    every: int = 1  # steps of the scene between its own; at least 1
    # it learns from the pass that the loss asks it for, at the same noise: one pass less
    shared: bool = False
    discriminator_learning_rate: float = 1e-3  # Adam's, of the discriminator; above 0

    def __post_init__(self) -> None:
        within(
            self,
            "fake_score",
            rank=(1, 4096),
            alpha=(0, 1e6),
            learning_rate=(1e-12, 10),
            warm_up=(0, 1),
            steps_per_step=(1, 1000),
            every=(1, 10**9),
            discriminator_learning_rate=(1e-12, 10),
        )
        if not 0 <= self.start < 1:
            raise ConfigError(
                f"fake_score: got start={self.start}; want 0 to below 1; do: change it"
            )
        if self.shared and self.steps_per_step > 1:
            raise ConfigError(
                "fake_score: got shared with more than one steps_per_step; want 1 with it; "
                "do: leave one out"
            )


@dataclasses.dataclass(frozen=True)
class Learned:
    """What one pass taught: fit's loss, its gradient by parameter, the features of the pass."""

    loss: Tensor
    slopes: tuple[Tensor | None, ...]
    features: Tensor | None


MEMORY = 40  # samples of a noise level's bin (the ratio and h change as the scene does)


class FakeScore:
    """The learned score of the current renders; shares the teacher's network."""

    def __init__(self, teacher: Teacher, config: FakeScoreConfig, seed: int, ratio: bool) -> None:
        try:
            from peft import LoraConfig
            from peft.tuners.tuners_utils import BaseTunerLayer
        except ImportError as error:
            raise MissingExtraError("peft") from error
        self.teacher, self.config = teacher, config
        unet = teacher.unet
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            alpha, targets = config.alpha or config.rank, TARGETS[config.targets]
            lora = LoraConfig(r=config.rank, lora_alpha=alpha, target_modules=targets)  # type: ignore[arg-type]
            unet.add_adapter(lora, adapter_name="fake")
            width = unet.config.block_out_channels[-1]
            # Linear over channels at each place: 1x1 convolutions of this shape crash in the
            # backward pass of torch 2.13's CPU build.
            self.head = nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, 32), nn.SiLU(), nn.Linear(32, 1)
            ).to(teacher.device)
            self.camera_net, self._hooks = None, []
            if config.camera and not teacher.knows_cameras:
                self.camera_net = _camera_net(unet).to(teacher.device)
                self._hooks.append(unet.time_embedding.register_forward_hook(self._add_camera))
        self.parameters = {n: p for n, p in unet.named_parameters() if ".fake." in n}
        for parameter in self.parameters.values():
            parameter.data = parameter.data.float()  # also where the teacher is of half precision
        if self.camera_net is not None:
            self.parameters |= {f"camera.{n}": p for n, p in self.camera_net.named_parameters()}
        self._camera: Tensor | None = None
        self._denoise = teacher.denoise
        if config.prediction == "v":
            self._denoise = VDenoiser(teacher.network, teacher.schedule)
        self.optimizer = torch.optim.Adam(
            list(self.parameters.values()), lr=config.learning_rate, betas=(0.9, 0.99)
        )
        self.ratio = RatioNormaliser(horizon=MEMORY).to(teacher.device) if ratio else None
        self.mean_h = RunningMean(horizon=MEMORY).to(teacher.device) if ratio else None
        self.head_optimizer = torch.optim.Adam(
            self.head.parameters(), lr=config.discriminator_learning_rate, betas=(0.5, 0.99)
        )
        self._layers = [m for m in unet.modules() if isinstance(m, BaseTunerLayer)]
        self._mode = (False, False)  # adapter on, trainable
        self._switch(False, False)

    def _add_camera(self, _module, _inputs, output: Tensor) -> Tensor | None:
        if self._camera is None or self.camera_net is None:
            return None
        return output + self.camera_net(self._camera.to(self.teacher.device)).to(output.dtype)

    def _switch(self, on: bool, trainable: bool) -> None:
        for layer in self._layers:
            layer.enable_adapters(on)
        for parameter in self.parameters.values():
            parameter.requires_grad_(trainable)
        self._mode = (on, trainable)

    @contextmanager
    def adapter(self, trainable: bool, on: bool = True) -> Iterator[None]:
        """The network is the fake score inside, the teacher outside.

        Unless `trainable`, no time is spent on the adapter's gradient.
        """
        before = self._mode
        self._switch(on, trainable)
        try:
            yield
        finally:
            self._switch(*before)

    def checkpoint_network(self) -> None:
        """From now on blocks of the U-Net are computed again in a backward pass, to save memory.

        The backward pass of a scene's loss comes when the adapter is off again: each block is
        computed again with the adapter as it was, or the gradient would be the teacher's.
        """

        def run(block: Any, *inputs: Any) -> Any:
            on, trainable = self._mode
            return compute_again(
                block,
                *inputs,
                use_reentrant=False,
                preserve_rng_state=False,
                context_fn=lambda: (nullcontext(), self.adapter(trainable, on)),
            )

        self.teacher.unet.enable_gradient_checkpointing(run)

    def release(self) -> None:
        """Take adapter and hooks off the teacher: it is as it was, and may serve another run."""
        for hook in self._hooks:
            hook.remove()
        unet = self.teacher.unet
        if unet.is_gradient_checkpointing:
            unet.disable_gradient_checkpointing()
        unet.delete_adapters("fake")

    def _ask(self, x: Tensor, sigma: Tensor, cond: Condition) -> tuple[Tensor, Tensor | None]:
        """x0 with the adapter as it is switched, and the middle of the U-Net for the
        discriminator: detached `[batch, h, w, channels]`, or None where no ratio is wanted."""
        kept: list[Tensor] = []

        def keep(_module: Any, _inputs: Any, output: Tensor) -> None:
            kept.append(output.detach().float().permute(0, 2, 3, 1).contiguous())

        hook = None
        if self.ratio is not None:
            hook = self.teacher.unet.mid_block.register_forward_hook(keep)
        self._camera = cond.camera
        try:
            x0 = self._denoise(x, sigma, cond)
        finally:
            self._camera = None
            if hook is not None:
                hook.remove()
        return x0, kept[0] if kept else None

    def predict(self, x: Tensor, sigma: Tensor, cond: Condition) -> tuple[Tensor, Tensor | None]:
        """x0 as the fake score sees it, differentiable in `x`, not in the adapter; and detached
        features `[batch, h, w, channels]` for `log_ratio`, None without a ratio."""
        with self.adapter(trainable=False):
            return self._ask(x, sigma, cond)

    def log_ratio(self, features: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """(log r, where it was clipped) `[batch]` from the features of `predict`; detached."""
        assert self.ratio is not None, "the fake score was made without a ratio"
        with torch.no_grad():
            logits = self.head(features)
        return self.ratio(logits, sigma), ratio_is_clipped(logits)

    def fit(
        self,
        x0: Tensor,
        sigma: Tensor,
        eps: Tensor,
        cond: Condition,
        fraction: float,
        real: Tensor | None = None,
        real_cond: Condition | None = None,
    ) -> dict[str, Tensor]:
        """One step of denoising score matching on rendered latents; the mean losses by name.

        With `real` latents, a logistic step of the discriminator's head too, on the features of
        the same pass: real and fake share noise level and noise; `real_cond` tells the cameras of
        the real ones, where they are not those of `cond`. `fraction` of the run sets the
        warm-up of the learning rate.
        """
        with self.adapter(trainable=True):
            real_features = self._features_of(real, sigma, eps, real_cond or cond)
            self.optimizer.zero_grad(set_to_none=True)
            predicted, fake_features = self._ask(add_noise(x0, sigma, eps), sigma, cond)
            loss = denoising_score_matching(predicted, x0, sigma, weight="uniform-v").mean()
            # Inside: leaving takes the adapter's requires_grad away, and with it the gradient.
            loss.backward()
        self._step(fraction)
        losses = {"fake": loss.detach()}
        if real is not None:
            losses |= self._fit_head(real_features, fake_features)
        return losses

    def _features_of(
        self, real: Tensor | None, sigma: Tensor, eps: Tensor, cond: Condition
    ) -> Tensor | None:
        if real is None:
            return None
        with torch.no_grad():
            return self._ask(add_noise(real, sigma, eps), sigma, cond)[1]

    def _step(self, fraction: float) -> None:
        """One step of the adapter on the gradients it has; `fraction` sets the warm-up."""
        warm = min(1.0, (fraction + 1e-6) / max(self.config.warm_up, 1e-6))
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * warm
        nn.utils.clip_grad_norm_(list(self.parameters.values()), 1.0)
        self.optimizer.step()

    def predict_and_learn(
        self, x: Tensor, sigma: Tensor, cond: Condition, x0: Tensor
    ) -> tuple[Tensor, Tensor | None, "Learned"]:
        """`predict`, and from the same pass what `fit_learned` needs: the gradient of `fit`'s loss
        for `x0`, of which `x` is the noisy version."""
        differentiable = torch.is_grad_enabled()
        with torch.enable_grad(), self.adapter(trainable=True):
            predicted, features = self._ask(x, sigma, cond)
            loss = denoising_score_matching(predicted, x0, sigma, weight="uniform-v").mean()
            parameters = list(self.parameters.values())
            slopes = torch.autograd.grad(
                loss, parameters, retain_graph=differentiable, allow_unused=True
            )
        predicted = predicted if differentiable else predicted.detach()
        return predicted, features, Learned(loss.detach(), slopes, features)

    def fit_learned(
        self,
        learned: "Learned",
        sigma: Tensor,
        eps: Tensor,
        fraction: float,
        real: Tensor | None = None,
        real_cond: Condition | None = None,
    ) -> dict[str, Tensor]:
        """The step of `fit` on what `predict_and_learn` kept, at its `sigma` and `eps`. After the
        backward pass of the loss: it changes the adapter."""
        real_features = None
        if real is not None and real_cond is not None:
            with self.adapter(trainable=False):
                real_features = self._features_of(real, sigma, eps, real_cond)
        for parameter, slope in zip(self.parameters.values(), learned.slopes, strict=True):
            parameter.grad = slope
        self._step(fraction)
        losses = {"fake": learned.loss}
        if real_features is not None:
            losses |= self._fit_head(real_features, learned.features)
        return losses

    def _fit_head(self, real: Tensor | None, fake: Tensor | None) -> dict[str, Tensor]:
        """One logistic step of the head on features `[batch, h, w, channels]`; the mean loss, and
        how often the head was right before it: 1/2 is chance."""
        assert real is not None and fake is not None, "the fake score was made without a ratio"
        said = self.head(real), self.head(fake)
        loss = discriminator_loss(*said).mean()
        self.head_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.head_optimizer.step()
        right = torch.cat([mean_logit(said[0]) > 0, mean_logit(said[1]) < 0])
        return {"discriminator": loss.detach(), "accuracy": right.float().mean()}

    def state(self) -> dict[str, Tensor]:
        """Adapter, head, both optimisers and the ratio's running means, as flat tensors."""
        parts = {
            "adapter": self.parameters,
            "head": self.head.state_dict(),
            "optimizer": checkpoint.optimizer_state(self.optimizer),
            "head_optimizer": checkpoint.optimizer_state(self.head_optimizer),
            "ratio": self.ratio.state_dict() if self.ratio is not None else {},
            "mean_h": self.mean_h.state_dict() if self.mean_h is not None else {},
        }
        flat: dict[str, Tensor] = {}
        for name, part in parts.items():
            flat |= checkpoint.with_prefix(name, part)
        return flat

    def restore(self, tensors: dict[str, Tensor]) -> None:
        adapter = checkpoint.without_prefix("adapter", tensors)
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(adapter[name])
        self.head.load_state_dict(checkpoint.without_prefix("head", tensors))
        checkpoint.restore_optimizer(
            self.optimizer, checkpoint.without_prefix("optimizer", tensors)
        )
        checkpoint.restore_optimizer(
            self.head_optimizer, checkpoint.without_prefix("head_optimizer", tensors)
        )
        if self.ratio is not None:
            self.ratio.load_state_dict(checkpoint.without_prefix("ratio", tensors))
        if self.mean_h is not None and (mean_h := checkpoint.without_prefix("mean_h", tensors)):
            self.mean_h.load_state_dict(mean_h)  # older checkpoints have none: it begins anew


def _camera_net(unet: Any) -> nn.Module:
    """Cameras `[batch, 4]` to what is added to the time embedding; nothing at first."""
    last = nn.Linear(64, unet.time_embedding.linear_2.out_features)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(4, 64), nn.SiLU(), last)
