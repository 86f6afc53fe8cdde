"""The words that the reader knows: nouns of the world and their synonyms, materials, colours.

Tables that are long are files in `words/`: a language is added by one of them.
"""

import dataclasses
import functools
from pathlib import Path

from uni3d.teacher.hub import WIDE
from uni3d.toybox.grammar import OUTFITS, SYNONYMS
from uni3d.toybox.known import shipped_known
from uni3d.toybox.letters import singular
from uni3d.toybox.phrase import DETERMINERS, EDGES, Nouns, is_adjective
from uni3d.toybox.shapes import COLORS
from uni3d.toybox.stands import STANDS
from uni3d.toybox.world import KINDS, WEARABLES

__all__ = [
    "COLOR_OF",
    "DOING",
    "FAMILY_OF",
    "FILLERS",
    "FINISHES",
    "MATERIAL_OF",
    "NOT_WHOLE",
    "PATTERN_OF",
    "RELATED",
    "SILENT",
    "STAND_OF",
    "THING_OF",
    "YOUNG",
    "Entry",
    "brands",
    "implied",
    "lexicon",
    "nearest_kinds",
    "not_typos",
    "nouns",
    "people",
    "stand_ins",
    "strangers",
    "table_lines",
    "vocabulary",
    "wearables",
]

Entry = tuple[str, dict[str, str]]  # a kind, and what else a word says
TABLES = Path(__file__).parent / "words"
FILLERS = frozenset("cute small nice toy beautiful little very really just".split())
SILENT = EDGES | DETERMINERS | frozenset("it of there top made dressed wearing pair".split())
MATERIAL_WORDS = {
    "wooden": "wooden wood oak mahogany timber walnut teak bamboo rattan",
    "golden": "golden gold gilded",
    "silver": (
        "silver chrome chrome-plated metal metallic steel iron aluminum tin cast-iron iron-cast "
        "wrought-iron"
    ),
    "stone": "stone marble granite",
    "glass": "glass crystal diamond",
    "leather": "leather leather-bound",
    "knitted": "knitted woolen wool yarn crochet crocheted amigurumi",
    "origami": "origami paper",
    "brick": "brick bricks",
    "rusty": "rusty rusted",
    "porcelain": "porcelain ceramic china",
    "bronze": "bronze brass copper",
    "chocolate": "chocolate",
    "clay": "clay terracotta earthenware",
    "plush": "plush plushie velvet stuffed felt",
    "cheese": "cheese",
    "shiny": "shiny gleaming glossy polished sleek sparkling glittery glittering shimmering",
    "old": (
        "old antique vintage worn-out worn weather-beaten weathered abandoned dusty ancient "
        "tattered frayed well-worn well-used tarnished chipped dented crumpled ruined ramshackle "
        "rugged timeworn battered worn-in well-loved well-read faded"
    ),
}
FINISHES = ("shiny", "old")  # they give way to what a thing is made of
COLOR_WORDS = {
    "red": "crimson scarlet maroon ruby",
    "blue": "navy azure turquoise teal cyan sapphire",
    "green": "emerald olive lime",
    "yellow": "golden-yellow",
    "purple": "violet lavender magenta",
    "brown": "tan beige chestnut",
    "gray": "grey silver-gray",
    "white": "ivory snow-white",
    "pink": "rosy fuchsia",
    "black": "jet-black ebony",
    "orange": "amber",
}
PATTERN_WORDS = {
    "striped": "striped stripes stripy stripe",
    "spotted": "spotted spots dots polka-dotted dotted",
}
STAND_WORDS = {  # other names of what toys stand on; they are said to be replaced
    "table": "desk counter countertop tabletop workbench nightstand tablecloth",
    "rock": "boulder stone cliff peak ledge",
    "pedestal": "podium plinth",
    "grass": "field meadow pasture garden lawn park yard hill",
    "sand": "beach desert shore dune",
    "water": "pond lake sea ocean river pool puddle stream",
    "snow": "ice",
    "road": "street sidewalk highway runway track pavement trail",
    "rug": "carpet mat",
    "log": "trunk branch stump",
    "floor": "porch deck stage",
    "chair": "stool bench armchair",
    "sofa": "couch",
}
THING_WORDS = {  # other names of what is held, ridden, or stood beside
    "violin": "cello fiddle viola",
    "trumpet": "saxophone tuba trombone horn",
    "guitar": "banjo bass ukulele lute",
    "drum": "drums",
    "cup": "mug teacup coffee tea beer boba wine soda milkshake latte cocktail juice",
    "camera": "selfie photo photograph picture dslr",
    "book": "newspaper magazine novel paperback journal notebook diary",
    "donut": "doughnut bagel",
    "flower": "rose tulip bouquet sunflower",
    "sword": "katana lightsaber saber",
    "bicycle": "bike cycle",
    "motorcycle": "motorbike scooter moped",
    "horse": "pony",
    "box": "crate chest shoebox carton",
    "pillow": "cushion",
    "plate": "platter saucer dish",
}
DOING = {  # verbs of the hand: of holding, and what they can be done with
    "holding": "",
    "carrying": "",
    "holds": "",
    "wielding": "sword hammer",
    "waving": "flag",
    "playing": "violin trumpet guitar drum",
    "plays": "violin trumpet guitar drum",
    "drinking": "cup",
    "sipping": "cup",
    "drinks": "cup",
    "eating": "donut",
    "eats": "donut",
    "reading": "book",
    "reads": "book",
    "taking": "camera",
}
WEAR_WORDS = {  # other names of things worn, in the singular
    "hat": "top_hat",
    "sunglass": "sunglasses",
    "shades": "sunglasses",
    "cloak": "cape",
    "rucksack": "backpack",
    "muffler": "scarf",
    "space suit": "astronaut",
    "spacesuit": "astronaut",
    "armor": "knight",
    "samurai armor": "knight",
    "chef hat": "chef",
    "wizard hat": "wizard",
    "wizard robe": "wizard",
    "pirate hat": "pirate",
    "sorcerer": "wizard",
    "mage": "wizard",
    "tiara": "crown",
    "suit": "tuxedo",
    "eyeglass": "glasses",
    "spectacle": "glasses",
    "spectacles": "glasses",
    "bowtie": "bow_tie",
    "jumper": "sweater",
    "cardigan": "sweater",
    "hoodie": "sweater",
    "gown": "dress",
    "tutu": "dress",
    "skirt": "dress",
    "tutu skirt": "dress",
    "sneaker": "boots",
    "shoe": "boots",
}
FAMILIES = {  # of nouns that the world does not hold
    "animal": (
        "armadillo hedgehog platypus porcupine sloth skunk lemming weasel bat moose deer hare "
        "hyena meerkat ostrich emu seahorse starfish hybrid animal creature beast pet ant "
        "mantis"
    ),
    "vehicle": (
        "vehicle aircraft canoe kayak ferry trolley segway unicycle sled sleigh snowmobile "
        "zeppelin blimp raft gondola ambulance forklift"
    ),
    "building": (
        "building temple pagoda shrine school hospital factory hotel shop store stadium city "
        "village ruin gazebo garage"
    ),
    "food": (
        "food fruit vegetable corn soup steak noodle rice pasta cookie muffin pretzel potato "
        "onion broccoli grape cherry pear mango avocado popcorn waffle chocolate candy "
        "sausage meat"
    ),
    "plant": ("vegetation grass vine weed moss reed bamboo clover seaweed wreath"),
    "household": (
        "sponge broom bucket ladder soap comb mop vacuum iron fan tap faucet kettle tool "
        "wrench drill saw nail rope yarn paddle mixer blender record flute accordion "
        "instrument"
    ),
    "furniture": ("furniture bench swing rack ottoman bathtub shower curtain"),
    "character": (
        "figure statuette mummy mermaid fairy angel wizardess clown puppet mascot knight"
    ),
}
NOT_WHOLE = frozenset(
    "sculpture piece head face ornament hybrid toy figure figurine statue bust slice plushie "
    "minifigure minifig bobblehead couple duo family squad model render portrait photo picture "
    "illustration sticker logo icon drawing painting sketch shot "
    "art design pack set bundle diorama emoji".split()
)
YOUNG = frozenset("cub pup calf foal chick kit joey whelp baby hatchling fawn".split())
RELATED = {
    "person": "character",
    "clothing": "household",
    "kitchen": "household",
    "tool": "household",
    "desk": "household",
    "home": "household",
    "storage": "furniture",
    "music": "household",
    "instrument": "household",
    "nature": "plant",
    "street": "building",
    "toy": "character",
}


@functools.cache
def lexicon() -> dict[str, Entry]:
    """Noun phrases in the singular -> (kind, what else they say), synonyms of the world's words."""
    found: dict[str, Entry] = {}
    for kind in KINDS.values():
        for word in kind.words:
            found[word] = (kind.name, {})
            found.setdefault(
                " ".join((*word.split()[:-1], singular(word.split()[-1]))), (kind.name, {})
            )
    for table in ("synonyms.tsv", "stand_ins.tsv"):
        for line in table_lines(table):
            word, kind, *more = line.split("\t")
            extra = dict(pair.split("=") for pair in (more[0].split() if more else ()))
            found.setdefault(word, (kind, extra))
    for name, role in WEARABLES.items():  # a role alone is a person in that role
        for word in role.words:
            if name in OUTFITS:
                found.setdefault(word, ("person", {"wears": name}))
    return {word: (kind, {}) for word, kind in people().items()} | found


@functools.cache
def people() -> dict[str, str]:
    """Nouns of roles and work -> person, woman or man, who is shown for all of them."""
    rows = [line.split("\t") for line in table_lines("people.tsv")]
    return {word: kind for kind, words in rows for word in words.split()}


@functools.cache
def stand_ins() -> frozenset[str]:
    """Nouns that the world does not hold and shows as something near: "llama" as a sheep."""
    own = frozenset(line.split("\t")[0] for line in table_lines("stand_ins.tsv"))
    return own | frozenset(people())


@functools.cache
def strangers() -> frozenset[str]:
    """Things that are not what their last words name: a fish tank."""
    return frozenset(table_lines("strangers.txt"))


@functools.cache
def brands() -> frozenset[str]:
    """Makers whose name is that of one kind of thing: what follows is the model."""
    return frozenset(table_lines("brands.txt"))


@functools.cache
def not_typos() -> frozenset[str]:
    """English words that look like a known noun misspelt: "station" is no stallion."""
    return frozenset(table_lines("not_typos.txt"))


def table_lines(table: str) -> list[str]:
    lines = (TABLES / table).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@functools.cache
def nouns() -> frozenset[str]:
    """Last words of all that the lexicon holds, whole phrases, and those of strangers."""
    last = frozenset(phrase.split()[-1] for phrase in lexicon())
    return last | frozenset(lexicon()) | strangers()


@functools.cache
def vocabulary() -> Nouns:
    """All nouns that the reader can tell from adjectives and verbs."""
    beings = ("animal", "character", "person")
    living = frozenset(w for w, (kind, _) in lexicon().items() if KINDS[kind].category in beings)
    known = Nouns(known=nouns(), living=living, others=frozenset())
    named = (*_near(), *FAMILY_OF)
    others = frozenset(w for w in named if w not in nouns() and not is_adjective(w, known))
    alive = {word for word in others if _is_alive(word)}
    return dataclasses.replace(known, others=others, beings=frozenset(alive))


def _is_alive(noun: str) -> bool:
    """Whether a noun that the world does not hold is of an animal or a person, by what is near."""
    near = [KINDS[kind].category for kind in _near().get(noun, [])[:1]]
    return bool({*near, FAMILY_OF.get(noun, "")} & {"animal", "character", "person"})


@functools.cache
def wearables() -> dict[str, str]:
    """Phrases for things worn -> their names."""
    found = dict(WEAR_WORDS)
    for name, role in WEARABLES.items():
        for word in (*role.words, name.replace("_", " ")):
            found[word.removeprefix("pair of ")] = name
    return found


def _inverted(table: dict[str, str]) -> dict[str, str]:
    return {word: name for name, words in table.items() for word in words.split()}


COLOR_OF = {**{c: c for c in COLORS}, **{w: c for c, ws in SYNONYMS.items() for w in ws}}
COLOR_OF |= _inverted(COLOR_WORDS)
MATERIAL_OF, PATTERN_OF = _inverted(MATERIAL_WORDS), _inverted(PATTERN_WORDS)
FAMILY_OF = _inverted(FAMILIES)
STAND_OF = {**{name: name for name in STANDS}, **_inverted(STAND_WORDS)}
THING_OF = _inverted(THING_WORDS)


@functools.cache
def implied() -> dict[str, frozenset[str]]:
    """What a name of the world has said already: golden -> shiny; `any`: what says nothing."""
    rows = [line.split("\t") for line in table_lines("implied.tsv")]
    return {name: frozenset(words.split()) for name, words in rows}


@functools.cache
def _near() -> dict[str, list[str]]:
    """Nouns that the world does not hold -> the three kinds nearest in meaning."""
    rows = [line.split("\t") for line in table_lines("near.tsv")]
    return {word: kinds.split() for kinds, words in rows for word in words.split()}


def nearest_kinds(kind: str | None, subject: str, count: int = 3) -> list[str]:
    """Kinds that a built-in teacher knows, nearest in meaning to a kind or subject it does not;
    [] where nothing is known to be near."""
    known = shipped_known(WIDE).kinds
    noun = singular(subject.split(" ")[-1])
    family = FAMILY_OF.get(noun, "")
    if kind is not None:
        family = KINDS[kind].category
    family = RELATED.get(family, family)
    near = [] if kind is not None else [k for k in _near().get(noun, []) if k in known]
    near += [k for k in KINDS if k in known and KINDS[k].category == family and k not in near]
    return [KINDS[k].words[0] for k in near[:count]]
