"""From rows to objects: each with a whole configuration that was checked before any work."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from uni3d import config_io
from uni3d.batch.rows import BadRow, Row
from uni3d.errors import ConfigError, Uni3DError
from uni3d.run.prompt import read_prompt
from uni3d.run.settings import RunConfig
from uni3d.teacher.prompts import slug

__all__ = ["Job", "Shard", "name_of", "plan"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """One object: the name of its folder, the line it comes from, its configuration, and what is
    left out of its prompt ("" for nothing)."""

    name: str
    line: int
    config: RunConfig
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Shard:
    """The part `index` of `count` of a list. `parse` reads "0/4"."""

    index: int = 0
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        index, _, count = text.partition("/")
        if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
            raise ConfigError(
                f"--shard: got {text!r}; want i/n with i from 0 to n - 1, such as 0/4"
            )
        return cls(int(index), int(count))


def name_of(config: RunConfig) -> str:
    """`a-blue-car-3-1f2e3d4c5b6a`: prompt, seed, and a hash of the whole configuration."""
    settings = json.dumps(config_io.to_dict(config), sort_keys=True)
    return (
        f"{slug(config.prompt)}-{config.seed}-{hashlib.sha256(settings.encode()).hexdigest()[:12]}"
    )


def plan(
    rows: Iterable[Row | BadRow],
    base: Mapping[str, Any],
    *,
    seeds: int = 1,
    shard: Shard = Shard(),
    whole_rows: bool = False,
    strict: bool = False,
    anyway: bool = False,
) -> tuple[list[Job], list[BadRow]]:
    """The objects of this shard, and its rows that cannot be made.

    base: what every row starts from; a row's own keys win. seeds: so many objects a row, from its
    seed on. Objects are dealt to the shards one by one, or row by row with `whole_rows`.
    """
    jobs: dict[str, Job] = {}
    bad: list[BadRow] = []
    first_lines: dict[str, int] = {}
    for number, row in enumerate(rows):
        numbers = [number if whole_rows else number * seeds + k for k in range(seeds)]
        mine = [k for k, place in enumerate(numbers) if place % shard.count == shard.index]
        if isinstance(row, BadRow):
            bad += [row] if mine else []
            continue
        # By its words: the rows of other shards are not looked at any closer.
        content = json.dumps([row.prompt, row.settings], sort_keys=True, default=str)
        before = first_lines.setdefault(content, row.line)
        if not mine:
            continue
        try:
            if before != row.line:
                raise ConfigError(f"is the same as line {before}")
            made = _jobs_of(row, base, mine, strict=strict, anyway=anyway)
            twin = next((jobs[job.name] for job in made if job.name in jobs), None)
            if twin:
                raise ConfigError(f"is the same as line {twin.line}, seed {twin.config.seed}")
        except Uni3DError as error:
            bad.append(BadRow(row.line, " ".join(str(error).split())))
            continue
        jobs |= {job.name: job for job in made}
    return list(jobs.values()), bad


def _jobs_of(
    row: Row, base: Mapping[str, Any], places: list[int], *, strict: bool, anyway: bool
) -> list[Job]:
    """The row's objects. Raises a Uni3DError for what it cannot say."""
    own = RunConfig.upgraded(row.settings)
    mapping = config_io.merge(base, own) | {"prompt": row.prompt}
    config = config_io.load(RunConfig, mapping)
    config, note = read_prompt(config, strict=strict, anyway=anyway)
    made = []
    for place in places:
        one = dataclasses.replace(config, seed=config.seed + place)
        made.append(Job(name=name_of(one), line=row.line, config=one, note=note))
    return made
