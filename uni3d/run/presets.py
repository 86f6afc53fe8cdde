"""The presets, and the two defaults that the page shows beside them; free of torch."""

from collections.abc import Mapping
from typing import Any

from uni3d import config_io

__all__ = ["PRESETS", "STEPS", "VIEWS", "with_preset"]

STEPS, VIEWS = 700, 4  # of a run, where a preset says nothing

DRAFT: dict[str, Any] = {
    "steps": 220,
    "resolutions": [[0.0, 32], [0.6, 64]],
    "mesh": {"resolution": 72, "target_faces": 8000, "texture_size": 512},
}
# Differences from RunConfig's defaults; the times they aim at are in the README.
PRESETS: dict[str, dict[str, Any]] = {
    # One pass of the teacher's instant network; without one, and when it is refined, a draft.
    "instant": {**DRAFT, "instant": {"only": True}},
    "draft": DRAFT,
    "default": {},
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
    mapping = config_io.merge(PRESETS[name], differences)
    if differences.get("divergence") and not differences.get("method"):
        mapping["method"] = "uni-instruct"
    return mapping
