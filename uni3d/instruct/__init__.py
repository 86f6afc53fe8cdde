"""The Uni-Instruct core: losses, divergences, density ratio, noise, denoisers. Torch alone.

What is named here is imported when it is first asked for, so that `uni3d.instruct.names` is free.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uni3d.instruct.denoiser import (
        Denoiser,
        EDMDenoiser,
        EpsDenoiser,
        VDenoiser,
        classifier_free_guidance,
        perp_neg,
        score_from_x0,
    )
    from uni3d.instruct.density_ratio import (
        RatioNormaliser,
        RunningMean,
        discriminator_loss,
        generator_adversarial_loss,
        ratio_is_clipped,
        ratio_is_steep,
    )
    from uni3d.instruct.divergences import (
        DIVERGENCES,
        METHODS,
        FDivergence,
        Method,
        jeffrey,
        resolve_method,
    )
    from uni3d.instruct.loss import (
        LossTerms,
        denoising_score_matching,
        guidance_pull,
        uni_instruct_loss,
    )
    from uni3d.instruct.noise import (
        VPSchedule,
        add_noise,
        karras_sigmas,
        sample_karras_sigma,
        sample_lognormal_sigma,
    )

__all__ = [
    "DIVERGENCES",
    "METHODS",
    "Denoiser",
    "EDMDenoiser",
    "EpsDenoiser",
    "FDivergence",
    "LossTerms",
    "Method",
    "RatioNormaliser",
    "RunningMean",
    "VDenoiser",
    "VPSchedule",
    "add_noise",
    "classifier_free_guidance",
    "denoising_score_matching",
    "discriminator_loss",
    "generator_adversarial_loss",
    "guidance_pull",
    "jeffrey",
    "karras_sigmas",
    "perp_neg",
    "ratio_is_clipped",
    "ratio_is_steep",
    "resolve_method",
    "sample_karras_sigma",
    "sample_lognormal_sigma",
    "score_from_x0",
    "uni_instruct_loss",
]

_MODULES = ("divergences", "noise", "denoiser", "density_ratio", "loss")


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in _MODULES:
            home = importlib.import_module(f"uni3d.instruct.{module}")
            if hasattr(home, name):
                return getattr(home, name)
    raise AttributeError(f"module 'uni3d.instruct' has no attribute {name!r}")
