"""From one sentence to what the teacher reads at each camera: view words, negatives, perp-neg.

View-dependent prompting (DreamFusion) with embeddings interpolated by azimuth (stable-dreamfusion)
and the Perp-Neg negatives of the other views (arXiv 2304.04968), for every method alike.
"""

import dataclasses
import hashlib
import math
import re
import unicodedata
from collections.abc import Callable

import torch
from torch import Tensor

from uni3d.cameras import Cameras
from uni3d.config_io import within
from uni3d.errors import ConfigError, PromptError

__all__ = ["PromptConfig", "PromptSet", "ViewConditioning", "check_prompt", "slug"]

LONGEST = 1000  # characters
VIEWS = ("front view", "side view", "back view", "overhead view")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PromptConfig:
    """How a prompt is read. `view_prompts` are overrides: four full texts (front, side, back,
    overhead), of which an empty one leaves the usual text; or none."""

    negative_prompt: str = ""  # what the unconditional branch of guidance reads
    view_words: bool = True  # add "front view" and the like, by camera
    view_prompts: tuple[str, ...] = ()  # four full texts: front, side, back, overhead; or none
    perp_neg: float = 0.0  # strength of the negatives of the other views; 0 is off; 0..100

    def __post_init__(self) -> None:
        within(self, "prompts", perp_neg=(0, 100))
        if len(self.view_prompts) not in (0, 4):
            raise ConfigError(
                f"prompts.view_prompts: got {len(self.view_prompts)} texts; want 4 (front, side, "
                "back, overhead) or none; do: change it"
            )


@dataclasses.dataclass(frozen=True)
class ViewConditioning:
    """What the teacher is given for a batch of views.

    positive, unconditional: token features `[batch, tokens, width]`; negatives
    `[batch, n, tokens, width]` with weights `[batch, n]` (n may be 0).
    """

    positive: Tensor
    unconditional: Tensor
    negatives: Tensor
    weights: Tensor


def check_prompt(prompt: str) -> str:
    """The prompt with white space folded; raises PromptError when empty or absurdly long."""
    if not isinstance(prompt, str):
        raise PromptError(f"prompt: got {type(prompt).__name__}; wanted a text; do: quote it")
    text = " ".join(prompt.split())
    if not text.isprintable() and not text.encode("utf-8", "ignore").decode() == text:
        raise PromptError("the prompt has bytes that are no UTF-8; do: type it again")
    if not any(c.isalnum() or unicodedata.category(c) == "So" for c in text):
        raise PromptError(
            'the prompt is empty; wanted a sentence such as "a corgi astronaut"; do: give one'
        )
    if len(text) > LONGEST:
        raise PromptError(
            f"the prompt has {len(text)} characters; wanted at most {LONGEST}; do: shorten it"
        )
    return text


def slug(prompt: str) -> str:
    """A short name that is safe as a path on any system; never the prompt itself."""
    words = re.sub(r"[^a-z0-9]+", "-", prompt.lower()).strip("-")
    words = words[:40].strip("-")
    if words and prompt.isascii():
        return words
    # Letters that a name cannot have: without the hash all such prompts would share one name.
    digest = hashlib.sha256(prompt.encode("utf-8", "replace")).hexdigest()[:6]
    return f"{words or 'prompt'}-{digest}"


class PromptSet:
    """The encoded texts of a prompt: plain, four views, and the negative; encoded once.

    `encode(list of n texts) -> [n, tokens, width]` is the teacher's text encoder.
    """

    def __init__(self, prompt: str, config: PromptConfig, encode: Callable[[list[str]], Tensor]):
        views = [f"{prompt}, {v}" for v in VIEWS] if config.view_words else [prompt] * 4
        if config.view_prompts:
            views = [own or usual for own, usual in zip(config.view_prompts, views, strict=True)]
        self.config = config
        with torch.no_grad():
            encoded = encode([*views, config.negative_prompt])  # [5, tokens, width]
        self.views, self.negative = encoded[:4], encoded[4]

    def at(self, cameras: Cameras) -> ViewConditioning:
        """Features for each camera: front-side-back by azimuth, blending to overhead above 50."""
        mix = view_mix(cameras)  # [batch, 4]
        batch = len(cameras)
        positive = torch.einsum("bv,vtw->btw", mix, self.views)
        unconditional = self.negative.expand(batch, -1, -1)
        if self.config.perp_neg == 0:
            none = positive.new_zeros(batch, 0, *positive.shape[1:])
            return ViewConditioning(positive, unconditional, none, positive.new_zeros(batch, 0))
        weights = self.config.perp_neg * perp_neg_weights(cameras)
        negatives = self.views[:3].expand(batch, -1, -1, -1)
        return ViewConditioning(positive, unconditional, negatives, weights)


def view_mix(cameras: Cameras) -> Tensor:
    """Shares of (front, side, back, overhead) for each camera, `[batch, 4]`, rows sum to 1."""
    turn = ((cameras.azimuth_deg + 180) % 360 - 180).abs()  # 0 front .. 180 back
    side = 1 - (turn - 90).abs() / 90
    front, back = (1 - turn / 90).clamp(min=0), (turn / 90 - 1).clamp(min=0)
    above = ((cameras.elevation_deg - 50) / 20).clamp(0, 1)
    around = torch.stack([front, side, back], dim=1) * (1 - above)[:, None]
    return torch.cat([around, above[:, None]], dim=1)


def perp_neg_weights(cameras: Cameras) -> Tensor:
    """Weights of the front, side and back prompts as negatives, `[batch, 3]`, each in [0, 1].

    Perp-Neg's decay a exp(-b r): a view prompt is pushed away from where it does not hold, most
    strongly a quarter turn off, least where it is the positive.
    """
    turn = ((cameras.azimuth_deg + 180) % 360 - 180).abs() / 180  # 0 front .. 1 back
    front = torch.where(turn > 0.25, torch.exp(-2.0 * (1 - turn).clamp(min=0)), torch.zeros(()))
    side = torch.exp(-math.pi * (1 - (turn - 0.5).abs() * 2).clamp(min=0))
    back = torch.where(turn < 0.75, torch.exp(-2.0 * turn), torch.zeros(()))
    low = 1 - ((cameras.elevation_deg - 50) / 20).clamp(0, 1)
    return torch.stack([front, side, back], dim=1) * low[:, None]
