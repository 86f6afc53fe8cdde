"""The presets, and the two defaults that the page shows beside them; free of torch."""

from collections.abc import Mapping
from typing import Any

__all__ = ["PRESETS", "STEPS", "VIEWS", "with_preset"]

STEPS, VIEWS = 700, 4  # of a run, where a preset says nothing

COARSE: dict[str, Any] = {
    "resolutions": [[0.0, 32], [0.6, 64]],
    "mesh": {"resolution": 72, "target_faces": 8000, "texture_size": 512},
}
# Few views a step and high rates: at equal seconds sharper than four views (docs/methods.md).
# And from the instant network's object on, where the teacher has one: half of the steps.
BRISK: dict[str, Any] = {
    "instant": {"use": True},
    "views": 2,
    "scene": {"grid_learning_rate": 0.03, "network_learning_rate": 0.003},
}
# Differences from RunConfig's defaults; the times they take are in the README.
PRESETS: dict[str, dict[str, Any]] = {
    # One pass of the teacher's instant network; from scratch where there is none.
    "instant": {**COARSE, "steps": 220, "instant": {"only": True}},
    # sds alone: what a fake score adds comes later than a draft ends.
    "draft": {**COARSE, **BRISK, "steps": 300, "method": "sds"},
    # sds first, and the divergence for the last part, where its detail is made.
    "default": {**BRISK, "fake_score": {"start": 0.7}},
    "high": {
        "steps": 1200,
        "views": 6,
        "mesh": {"resolution": 128, "target_faces": 40000, "texture_size": 2048},
    },
}


def with_preset(name: str, differences: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping of preset `name` with `differences` over it.

    A divergence that is asked for is uni-instruct's, where no method is asked for with it: the
    preset's own may fix another.
    """
    from uni3d import config_io  # the page imports this table before anything large

    mapping = config_io.merge(PRESETS[name], differences)
    if differences.get("divergence") and not differences.get("method"):
        mapping["method"] = "uni-instruct"
    return mapping
