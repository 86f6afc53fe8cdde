"""The toybox world: which toys there are, how a description becomes one, and what is held out."""

import dataclasses
import functools
import importlib.resources
from collections.abc import Callable

import numpy as np

from uni3d.toybox.actions import ACTIONS, RELATIONS, act, can_hold, can_sit, relate
from uni3d.toybox.garments import GARMENTS
from uni3d.toybox.kinds.animals import ANIMALS
from uni3d.toybox.kinds.birds import BIRDS
from uni3d.toybox.kinds.buildings import BUILDINGS
from uni3d.toybox.kinds.characters import CHARACTERS
from uni3d.toybox.kinds.climbers import CLIMBERS
from uni3d.toybox.kinds.clothes import CLOTHES
from uni3d.toybox.kinds.desk import DESK
from uni3d.toybox.kinds.food import FOOD
from uni3d.toybox.kinds.furniture import FURNITURE
from uni3d.toybox.kinds.home import HOME
from uni3d.toybox.kinds.household import HOUSEHOLD
from uni3d.toybox.kinds.insects import INSECTS
from uni3d.toybox.kinds.kind import Kind
from uni3d.toybox.kinds.kitchen import KITCHEN
from uni3d.toybox.kinds.mammals import MAMMALS
from uni3d.toybox.kinds.music import MUSIC
from uni3d.toybox.kinds.nature import NATURE
from uni3d.toybox.kinds.people import PEOPLE
from uni3d.toybox.kinds.places import PLACES
from uni3d.toybox.kinds.plants import PLANTS
from uni3d.toybox.kinds.playthings import PLAYTHINGS
from uni3d.toybox.kinds.reptiles import REPTILES
from uni3d.toybox.kinds.sea import SEA
from uni3d.toybox.kinds.snacks import SNACKS
from uni3d.toybox.kinds.storage import STORAGE
from uni3d.toybox.kinds.tools import TOOLS
from uni3d.toybox.kinds.transport import TRANSPORT
from uni3d.toybox.kinds.vehicles import VEHICLES
from uni3d.toybox.materials import MATERIALS, make_of, suits
from uni3d.toybox.roles import ACCESSORIES, ROLES, Role
from uni3d.toybox.shapes import COLORS, PATTERNS, Builder, Toy
from uni3d.toybox.stands import STANDS, stand_on

__all__ = [
    "ACTIONS",
    "KINDS",
    "MATERIALS",
    "RELATIONS",
    "STANDS",
    "WEARABLES",
    "Description",
    "actions_of",
    "build_toy",
    "held_out",
    "relations_of",
    "sample",
    "suits",
]

# Families are added at the end: weights and held-out pairs go by a kind's place in this order.
_ALL = (
    *ANIMALS,
    *CHARACTERS,
    *VEHICLES,
    *FURNITURE,
    *FOOD,
    *PLANTS,
    *HOUSEHOLD,
    *BUILDINGS,
    *CLOTHES,
    *DESK,
    *KITCHEN,
    *HOME,
    *STORAGE,
    *MUSIC,
    *TOOLS,
    *PEOPLE,
    *MAMMALS,
    *CLIMBERS,
    *BIRDS,
    *REPTILES,
    *SEA,
    *INSECTS,
    *TRANSPORT,
    *SNACKS,
    *NATURE,
    *PLACES,
    *PLAYTHINGS,
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in _ALL}
# New ones come last: weights know them by number.
WEARABLES: dict[str, Role] = {**ROLES, **ACCESSORIES, **GARMENTS}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Description:
    """What a prompt of the grammar asks for. Names are keys of KINDS, COLORS, MATERIALS,
    WEARABLES, STANDS, or of ACTIONS ("sitting", "holding sword", "riding bicycle") and RELATIONS
    ("next to ball", "on plate", "in basket"): a preposition and a thing.
    """

    kind: str
    color: str | None = None
    pattern: str = "plain"
    material: str | None = None
    wears: str | None = None
    action: str | None = None
    relation: str | None = None
    stand: str | None = None


@functools.cache
def held_out() -> frozenset[tuple[str, str]]:
    """The (kind, colour, wearable or material) pairs that never appear in training."""
    text = importlib.resources.files("uni3d.toybox").joinpath("held_out.txt").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return frozenset((line.split()[0], line.split()[1]) for line in lines)


def is_held_out(what: Description) -> bool:
    asked = (what.color, what.wears, what.material)
    return any((what.kind, thing) in held_out() for thing in asked if thing)


@functools.cache
def actions_of(name: str) -> tuple[str, ...]:
    """Those of ACTIONS that a kind's body can take."""
    kind = KINDS[name]
    able = {"sitting": can_sit(kind), "riding": can_sit(kind), "holding": can_hold(kind)}
    return tuple(action for action in ACTIONS if able[action.split(" ")[0]])


def relations_of(name: str) -> tuple[str, ...]:
    """Those of RELATIONS that make sense: nothing as large as a house is in a bowl."""
    large = KINDS[name].category in ("building", "vehicle", "furniture")
    return tuple(r for r in RELATIONS if not (large and r.startswith(("on", "in"))))


def _choice(rng: np.random.Generator, options):
    return options[rng.integers(len(options))]


def sample(
    rng: np.random.Generator,
    held: bool = False,
    allowed: Callable[[Description], bool] | None = None,
) -> Description:
    """A random description: of the training part of the world, or of the held-out compositions.

    Drawn again until it is `allowed` (say: known to the teacher).
    Kinds that can be composed in more ways come more often: twice as often where they wear
    things.
    """
    while True:
        what = _draw(rng)
        if is_held_out(what) == held and (allowed is None or allowed(what)):
            return what


@functools.cache
def _weights() -> tuple[list[str], np.ndarray]:
    weights = np.array([2.0 if kind.wears else 1.0 for kind in KINDS.values()])
    return list(KINDS), np.cumsum(weights / weights.sum())


def _draw(rng: np.random.Generator) -> Description:
    names, cumulative = _weights()
    kind = KINDS[names[min(int(np.searchsorted(cumulative, rng.random())), len(names) - 1)]]
    color = wears = material = action = relation = stand = None
    pattern = "plain"
    actions = actions_of(kind.name)
    if actions and rng.random() < 0.22:
        often = "sitting" in actions and rng.random() < 0.2
        action = "sitting" if often else _choice(rng, actions)
    if suits(kind) and rng.random() < (0.06 if action else 0.2):
        material = _choice(rng, suits(kind))
    busy = action or material
    if kind.wears and rng.random() < (0.15 if busy else 0.5):
        pool = _choice(rng, (ROLES, ROLES, ACCESSORIES, GARMENTS, GARMENTS))
        wears = _choice(rng, list(pool))
    tinted = material is None or MATERIALS[material].tint
    if kind.colorable and tinted and rng.random() < (0.2 if wears or busy else 0.5):
        color = _choice(rng, list(COLORS))
    if kind.patterned and not (wears or busy) and rng.random() < 0.15:
        pattern = _choice(rng, PATTERNS[1:])
    if action is None and rng.random() < 0.09:
        relation = _choice(rng, relations_of(kind.name))
    elif action is None and rng.random() < 0.09:
        stand = _choice(rng, tuple(STANDS))
    return Description(
        kind=kind.name,
        color=color,
        pattern=pattern,
        material=material,
        wears=wears,
        action=action,
        relation=relation,
        stand=stand,
    )


def build_toy(what: Description, rng: np.random.Generator) -> Toy:
    """One object of the distribution that a description names."""
    kind = KINDS[what.kind]
    builder = Builder(rng, what.color or kind.color, what.pattern)
    kind.build(builder)
    if what.wears:
        WEARABLES[what.wears].apply(builder)
    if what.material:
        make_of(builder, what.material, colored=what.color is not None)
    if what.action and what.action in actions_of(what.kind):  # not all bodies can
        act(builder, what.action)
    if what.relation:
        relate(builder, what.relation)
    if what.stand:
        stand_on(builder, what.stand)
    return builder.finish()
