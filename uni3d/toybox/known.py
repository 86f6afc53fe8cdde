"""What the shipped teachers were trained on: the world grows before they do.

`world.json` beside the weights lists the names of kinds, colours, ... that it has seen.
"""

import dataclasses
import functools
import json
from pathlib import Path

from uni3d.storage.whole import replace_all
from uni3d.teacher.hub import BUILT_IN, SHIPPED
from uni3d.toybox import world
from uni3d.toybox.shapes import COLORS, PATTERNS
from uni3d.toybox.world import Description

FILE = "world.json"  # beside the weights
__all__ = ["Known", "read_known", "shipped_known", "today", "write_known"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Known:
    """Names of each table of the world."""

    kinds: tuple[str, ...]
    colors: tuple[str, ...]
    patterns: tuple[str, ...]
    materials: tuple[str, ...]
    wears: tuple[str, ...]
    actions: tuple[str, ...]
    relations: tuple[str, ...]
    stands: tuple[str, ...]

    def missing(self, what: Description) -> list[str]:
        """The names in a description that are not known, kind first."""
        pairs = (
            (what.kind, self.kinds),
            (what.color, self.colors),
            (what.pattern, self.patterns),
            (what.material, self.materials),
            (what.wears, self.wears),
            (what.action, self.actions),
            (what.relation, self.relations),
            (what.stand, self.stands),
        )
        return [name for name, names in pairs if name is not None and name not in names]

    def covers(self, what: Description) -> bool:
        return not self.missing(what)


def today() -> Known:
    """All that the world has: what a teacher trained now gets to see."""
    return Known(
        kinds=tuple(world.KINDS),
        colors=tuple(COLORS),
        patterns=PATTERNS,
        materials=tuple(world.MATERIALS),
        wears=tuple(world.WEARABLES),
        actions=world.ACTIONS,
        relations=world.RELATIONS,
        stands=tuple(world.STANDS),
    )


def write_known(known: Known, path: Path) -> None:
    replace_all({path: (json.dumps(dataclasses.asdict(known), indent=1) + "\n").encode()})


def read_known(path: Path) -> Known:
    names = json.loads(path.read_text())
    return Known(**{key: tuple(known) for key, known in names.items()})


@functools.cache
def shipped_known(name: str = BUILT_IN) -> Known:
    """What a teacher in the package knows."""
    return read_known(SHIPPED[name] / FILE)
