"""A small CNN that names what a picture shows, by kind and by composition; for evaluation only.

It has its own seed and its own pictures, and is never used in an optimisation. Unlike the teacher
it sees the held-out compositions: an instrument that never saw a yellow corgi calls it something
else, and would blame the teacher for that.
"""

import dataclasses
import functools
import json
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from uni3d.teacher.hub import BUILT_IN, SHIPPED, WIDE
from uni3d.toybox import dataset
from uni3d.toybox.shapes import COLORS
from uni3d.toybox.world import ACTIONS, KINDS, MATERIALS, RELATIONS, WEARABLES, Description

__all__ = ["Recogniser", "Verdict", "labels", "load_recogniser", "pictures_of"]

# That of each built-in teacher.
WEIGHTS = {
    BUILT_IN: SHIPPED[BUILT_IN].parent / "recogniser.safetensors",
    WIDE: SHIPPED[WIDE] / "recogniser.safetensors",
}
NOTHING = "nothing"
UNNAMED = -2
WIDTHS = (32, 64, 128, 256)  # channels: of the stem and of the three blocks
HIDDEN = 256  # numbers of the last layer
# What each head tells apart, in the order of its rows.
NAMES: dict[str, tuple[str, ...]] = {
    "kind": tuple(KINDS),
    "color": tuple(COLORS),
    "worn": (NOTHING, *WEARABLES),
    "material": (NOTHING, *MATERIALS),
    "doing": (NOTHING, *ACTIONS, *RELATIONS),  # an action, or where there is none a relation
}


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Names and probabilities for a batch of pictures."""

    kinds: list[str]
    kind_probability: Tensor  # [batch, len(KINDS)]; 0 for kinds newer than the weights
    colors: list[str]
    worn: list[str]
    materials: list[str]  # "nothing" for all, where the weights are older than the head
    doing: list[str]


class Recogniser(nn.Module):
    """Images `[batch, 3, 64, 64]` in [0, 1] to logits of each head of `names`."""

    def __init__(
        self,
        names: dict[str, tuple[str, ...]] | None = None,
        widths: tuple[int, ...] = WIDTHS,
        hidden: int = HIDDEN,
    ) -> None:
        """`names`: what the rows of each head stand for; all of today's world when new."""
        super().__init__()
        self.names = NAMES if names is None else names
        stem, first, second, third = widths
        # Stem at half resolution: cheap, and supersampled pictures lose little.
        self.body = nn.Sequential(
            nn.Conv2d(3, stem, 5, stride=2, padding=2),
            nn.ReLU(),
            _block(stem, first),
            _block(first, second),
            _block(second, third),
        )  # 4x4 of the last width
        self.hidden = nn.Sequential(
            nn.Flatten(), nn.Dropout(0.2), nn.Linear(16 * third, hidden), nn.ReLU()
        )
        self.heads = nn.ModuleDict(
            {name: nn.Linear(hidden, len(rows)) for name, rows in self.names.items()}
        )

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = self.hidden(self.body(images * 2 - 1))
        return {name: head(features) for name, head in self.heads.items()}

    @torch.no_grad()
    def judge(self, images: Tensor) -> Verdict:
        self.eval()
        logits = self(images)
        said = {name: [NOTHING] * len(images) for name in NAMES}
        for name, rows in self.names.items():
            said[name] = [rows[i] for i in logits[name].argmax(1)]
        known = list(KINDS)
        probability = images.new_zeros(len(images), len(known))
        probability[:, [known.index(k) for k in self.names["kind"]]] = logits["kind"].softmax(1)
        return Verdict(
            said["kind"],
            probability,
            said["color"],
            said["worn"],
            said["material"],
            said["doing"],
        )


def labels(what: list[Description], names: dict[str, tuple[str, ...]]) -> dict[str, Tensor]:
    """Rows of `names` that are right, `[batch]`, for each of its heads.

    Colour is -1 (not asked) where the prompt names none; a name that has no row is UNNAMED, which
    is never right.
    """
    asked = {
        "kind": [w.kind for w in what],
        "color": [w.color for w in what],
        "worn": [w.wears or NOTHING for w in what],
        "material": [w.material or NOTHING for w in what],
        "doing": [w.action or w.relation or NOTHING for w in what],
    }
    targets = {}
    for name, labels in names.items():
        place = {label: i for i, label in enumerate(labels)} | {None: -1}
        targets[name] = torch.tensor([place.get(label, UNNAMED) for label in asked[name]])
    return targets


def pictures_of(pictures: dataset.Pictures, indices, rng: np.random.Generator):
    """Pictures over random solid backgrounds `[b, 3, 64, 64]`, and their descriptions."""
    images, what = [], []
    for index in indices:
        rgba, _, described = pictures[index]
        rgba = rgba.astype(np.float32) / 255
        images.append(rgba[:3] + (1 - rgba[3:]) * rng.random((3, 1, 1), dtype=np.float32))
        what.append(described)
    return torch.from_numpy(np.stack(images)), what


@functools.cache
def load_recogniser(path: Path = WEIGHTS[BUILT_IN]) -> Recogniser:
    """A shipped recogniser, in evaluation mode; it knows the names its file holds."""
    tensors = load_file(path)
    with safe_open(path, "pt") as file:
        text = (file.metadata() or {}).get("names")
    if text:
        names = {head: tuple(rows) for head, rows in json.loads(text).items()}
    else:  # files of the first world: its names are the first of today's, as new ones come last
        names = {
            head: rows[: len(tensors[f"heads.{head}.weight"])]
            for head, rows in NAMES.items()
            if f"heads.{head}.weight" in tensors
        }
    sizes = [tensors[f"body.{i}.weight"] for i in (0, *(f"{k}.0" for k in (2, 3, 4)))]
    widths, hidden = tuple(len(t) for t in sizes), len(tensors["hidden.2.weight"])
    net = Recogniser(names, widths, hidden)
    net.load_state_dict({k: v.float() if v.dtype == torch.half else v for k, v in tensors.items()})
    return net.eval()
