"""What a bench will do: suites, methods and prompts, and the plan that its folder keeps.

The plan is made once. It holds everything that the runs follow from, so that they can be done in
any order, by several processes, on any day.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uni3d import config_io
from uni3d.errors import CheckpointError, ConfigError
from uni3d.instruct.names import DIVERGENCE_NAMES
from uni3d.run.presets import PRESETS
from uni3d.run.settings import RunConfig
from uni3d.storage.whole import replace_all
from uni3d.teacher.prompts import slug
from uni3d.toybox.reading import read

__all__ = [
    "BASELINE",
    "METHODS",
    "SUITES",
    "TUNING_PROMPTS",
    "Plan",
    "Suite",
    "config_of",
    "make_plan",
    "read_plan",
    "write_plan",
]

FILE = "plan.json"
TRUTHS = 256
DAY = 86_400.0
BASELINE = "sds"  # what the others are compared with

# Name in the tables -> differences from the configuration that all share.
METHODS: dict[str, dict[str, Any]] = {
    **{name: {"method": name} for name in ("sds", "vsd", "sim", "sid")},
    **{name: {"method": "uni-instruct", "divergence": name} for name in DIVERGENCE_NAMES},
}

# Settings are chosen on these; the table is made on others.
TUNING_PROMPTS = ("a red car", "a corgi astronaut", "a chair", "a penguin wearing a scarf")
PROMPTS = (
    "a cat wizard",
    "a blue teapot",
    "a mushroom",
    "a bear knight",
    "a yellow truck",
    "a rabbit wearing a top hat",
    "a lighthouse",
    "a green robot",
)


@dataclasses.dataclass(frozen=True)
class Suite:
    """prompts x seeds x methods, each at `budget` seconds of one thread."""

    prompts: tuple[str, ...]
    seeds: int
    methods: tuple[str, ...]
    budget: float
    truths: int = TRUTHS


SUITES = {
    "smoke": Suite(TUNING_PROMPTS[:1], 2, ("sds", "vsd"), 8.0, truths=32),
    "tuning": Suite(TUNING_PROMPTS[:2], 2, ("sds", "vsd", "sim", "forward-kl"), 60.0),
    "standard": Suite(PROMPTS[:6], 8, tuple(METHODS), 60.0),
    "full": Suite(PROMPTS, 16, tuple(METHODS), 60.0),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """base, methods: differences from RunConfig's defaults, of all and of each. steps: per method;
    cost: what they were found from, in seconds of one thread. Keys of JSON, in and out."""

    prompts: list[str]
    seeds: int
    budget: float
    truths: int
    base: dict[str, Any]
    methods: dict[str, dict[str, Any]]
    steps: dict[str, int]
    cost: dict[str, dict[str, float]]
    versions: dict[str, str]

    @property
    def cells(self) -> list[tuple[str, int, str]]:
        """(prompt, seed, method) of every run, in the order in which they are done: seeds by twos,
        so that a bench that is stopped has prompts which can be compared."""
        return [
            (prompt, seed, method)
            for first in range(0, self.seeds, 2)
            for prompt in self.prompts
            for seed in range(first, min(first + 2, self.seeds))
            for method in self.methods
        ]


def config_of(plan: Plan, prompt: str, seed: int, method: str) -> RunConfig:
    """The run of one cell. Paired: field, cameras and noise follow from the seed alone."""
    mapping = config_io.merge(plan.base, plan.methods[method])
    own = {"prompt": prompt, "seed": seed, "steps": plan.steps[method]}
    own |= {"caption": read(prompt).caption, "checkpoint_every": 200, "picture_every": 10**6}
    return config_io.load(RunConfig, config_io.merge(mapping, own))


def folder_of(prompt: str, seed: int, method: str) -> Path:
    """Of one cell, below the bench's folder."""
    return Path("runs") / slug(prompt) / f"{method}-{seed}"


def read_variants(path: Path) -> dict[str, dict[str, Any]]:
    """Methods of one's own: a YAML file of names, each with its differences from the defaults.

    One that has `steps` takes as many, whatever the budget would buy.
    """
    found = config_io.read_yaml(path)
    for name, mapping in found.items():
        if not isinstance(mapping, Mapping) or "/" in str(name):
            raise ConfigError(
                f"{path}: got {name}: {mapping!r}; want a name (no /) and a group of keys of a run"
            )
    return {str(name): dict(mapping) for name, mapping in found.items()}


def make_plan(
    suite: Suite,
    methods: Mapping[str, dict[str, Any]],
    preset: str,
    overrides: list[str],
    versions: dict[str, str],
) -> Plan:
    """A plan without steps; every configuration is built once, so that faults show at the start."""
    # What is compared is what the methods make of nothing.
    scratch = config_io.merge(PRESETS[preset], {"instant": {"use": False, "only": False}})
    base = config_io.apply_overrides(scratch, overrides)
    plan = Plan(
        prompts=list(suite.prompts),
        seeds=suite.seeds,
        budget=suite.budget,
        truths=suite.truths,
        base=json.loads(json.dumps(base)),
        methods=json.loads(json.dumps(dict(methods))),
        steps={name: mapping.get("steps", 1) for name, mapping in methods.items()},
        cost={},
        versions=versions,
    )
    if suite.seeds < 2 or not 0 < suite.budget <= DAY:
        raise ConfigError(
            f"bench: got {suite.seeds} seeds, {suite.budget:g} seconds; wanted 2 seeds or more and "
            "up to a day a run; do: change it"
        )
    for prompt in plan.prompts:
        reading = read(prompt)
        if reading.description is None or not reading.drawable:
            raise ConfigError(
                f"bench: {prompt!r}: {reading.note}; want a thing the teacher knows; do: another"
            )
    if len({slug(prompt) for prompt in plan.prompts}) < len(plan.prompts):
        raise ConfigError(
            f"bench: got {', '.join(plan.prompts)}; want prompts whose folders have "
            "different names (two of these share one)"
        )
    for method in plan.methods:
        config_of(plan, plan.prompts[0], 0, method)
    return plan


def write_plan(plan: Plan, folder: Path) -> None:
    replace_all({folder / FILE: (json.dumps(dataclasses.asdict(plan), indent=1) + "\n").encode()})


def read_plan(folder: Path) -> Plan | None:
    """The plan of a bench folder; None where there is none yet."""
    if not (folder / FILE).is_file():
        return None
    try:
        return Plan(**json.loads((folder / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{folder / FILE}: not a plan of a bench ({error})") from error
