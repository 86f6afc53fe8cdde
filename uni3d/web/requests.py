"""What a person may ask for: names, ranges, and one clear line for whatever is outside them.

Importing this is free: the page must be up before torch is.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from uni3d.errors import ConfigError
from uni3d.instruct.names import DIVERGENCE_NAMES, FREE_METHODS, METHOD_NAMES
from uni3d.mesh.formats import FORMATS, MORE_FORMATS, check_formats
from uni3d.run.presets import PRESETS, with_preset

__all__ = [
    "LIMITS",
    "LONGEST",
    "RunRequest",
    "parse_formats",
    "parse_request",
    "to_config",
    "whole",
]

KNOWN = (*FORMATS, *MORE_FORMATS)
LONGEST = 1000  # characters of a prompt
LIMITS = {
    "steps": (1, 3000),
    "views": (1, 8),
    "guidance_scale": (0.0, 30.0),
    "seed": (0, 2**31 - 1),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunRequest:
    """A checked request. 0 steps or views, "" method: those of the preset; "" divergence: the
    method's."""

    prompt: str
    teacher: str = "toybox"
    preset: str = "default"
    method: str = ""
    divergence: str = ""
    seed: int = 0
    negative_prompt: str = ""
    guidance_scale: float = 5.0
    steps: int = 0
    views: int = 0
    anyway: bool = False  # go on with a subject that the teacher does not know
    from_scratch: bool = False  # not from the instant network's object


def _wrong(name: str, value: Any, wanted: str) -> ConfigError:
    """Text of a stranger is described, never repeated: the line may end up anywhere."""
    if isinstance(value, bool) or value is None:
        got = str(value).lower()
    elif isinstance(value, (int, float)):
        got = f"{value:g}"
    elif isinstance(value, str):
        got = f"a text of {len(value)} characters"
    else:
        got = f"a {type(value).__name__}"
    return ConfigError(f"{name}: got {got}; wanted {wanted}; do: change it")


def number(name: str, value: Any) -> float:
    """A finite number within the limits of `name`."""
    low, high = LIMITS[name]
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not good or not math.isfinite(value) or not low <= value <= high:
        raise _wrong(name, value, f"a number from {low:g} to {high:g}")
    return float(value)


def whole(name: str, value: Any) -> int:
    """A whole number within the limits of `name`; JSON may write 6 as 6.0."""
    low, high = LIMITS[name]
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not good or not low <= value <= high or value != int(value):
        raise _wrong(name, value, f"a whole number from {low} to {high}")
    return int(value)


def _choice(name: str, value: Any, known: Any) -> str:
    if not isinstance(value, str) or value not in known:
        raise _wrong(name, value, "one of " + ", ".join(k or '""' for k in known))
    return value


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(name, value, "true or false")
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST:
        raise _wrong(name, value, f"a text of at most {LONGEST} characters")
    return " ".join(value.split())


def parse_request(values: Mapping[str, Any], teachers: Mapping[str, str]) -> RunRequest:
    """A request from what came over the wire. `teachers`: the names offered, to their folders.

    Raises ConfigError or PromptError, one line that does not repeat text it was sent.
    """
    known = [field.name for field in dataclasses.fields(RunRequest)]
    if set(values) - set(known):
        raise ConfigError(
            f"request: got an unknown key; wanted some of {', '.join(known)}; do: these"
        )
    full = {f.name: f.default for f in dataclasses.fields(RunRequest)} | dict(values)
    prompt = _text("prompt", full["prompt"] if "prompt" in values else None)
    if prompt.strip():
        from uni3d.teacher.prompts import check_prompt

        prompt = check_prompt(prompt)
    else:
        raise _wrong("prompt", prompt, 'a sentence such as "a corgi astronaut"')
    method = _choice("method", full["method"], ("", *METHOD_NAMES))
    divergence = _choice("divergence", full["divergence"], ("", *DIVERGENCE_NAMES))
    if divergence and method and method not in FREE_METHODS:
        raise ConfigError(
            f"divergence: got {divergence} with method {method}, which fixes its own; wanted none; "
            "do: leave it empty, or use uni-instruct"
        )
    return RunRequest(
        prompt=prompt,
        teacher=_choice("teacher", full["teacher"], tuple(teachers)),
        preset=_choice("preset", full["preset"], tuple(PRESETS)),
        method=method,
        divergence=divergence,
        seed=whole("seed", full["seed"]),
        negative_prompt=_text("negative_prompt", full["negative_prompt"]),
        guidance_scale=number("guidance_scale", full["guidance_scale"]),
        steps=0 if _is_zero(full["steps"]) else whole("steps", full["steps"]),
        views=0 if _is_zero(full["views"]) else whole("views", full["views"]),
        anyway=_flag("anyway", full["anyway"]),
        from_scratch=_flag("from_scratch", full["from_scratch"]),
    )


def _is_zero(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == 0


def parse_formats(value: Any) -> tuple[str, ...]:
    """A non-empty choice of mesh formats, in their fixed order. MissingExtraError for one whose
    package is not installed."""
    good = isinstance(value, (list, tuple)) and value and all(v in KNOWN for v in value)
    if not good:
        raise ConfigError(f"formats: wanted some of {', '.join(KNOWN)}; do: choose at least one")
    return check_formats([f for f in KNOWN if f in value])


def to_config(request: RunRequest, base: Mapping[str, Any], teachers: Mapping[str, str]):
    """The RunConfig of a request: preset, then the server's own `base`, then what was asked."""
    from uni3d import config_io
    from uni3d.run.settings import RunConfig

    asked: dict[str, Any] = {
        "prompt": request.prompt,
        "teacher": {"name": teachers[request.teacher]},
        "divergence": request.divergence,
        "seed": request.seed,
        "guidance": {"scale": request.guidance_scale},
        "prompts": {"negative_prompt": request.negative_prompt},
    }
    for name in ("steps", "views", "method"):
        if getattr(request, name):
            asked[name] = getattr(request, name)
    if request.from_scratch:
        asked["instant"] = {"use": False, "only": False}
    mapping = with_preset(request.preset, config_io.merge(RunConfig.upgraded(base), asked))
    steps = mapping.get("steps", RunConfig.steps)
    # A page may be closed and a server killed at any time: lose a minute at most.
    mapping.setdefault("checkpoint_every", max(1, min(25, steps // 4)))
    return config_io.load(RunConfig, mapping)
