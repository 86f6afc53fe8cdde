"""Where in a sentence the thing is that is asked for: the first noun phrase, and the rest.

English by tables and word endings, no tagger: prompts are short, and what a table does not know is
named to the person who wrote it.
"""

import dataclasses

from uni3d.toybox.letters import is_foreign, singular

__all__ = ["EDGES", "NUMBERS", "Nouns", "Parts", "is_adjective", "split"]


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


DETERMINERS = _set("a an the this that these those some his her its their my your our one another")
NUMBERS = _set("two three four five six seven eight nine ten dozen many several few 2 3 4 5 6")
PREPOSITIONS = _set(
    "on in at with without over under beside near next inside behind above below by from for "
    "to through against around across along between among like as atop onto into off up down "
    "during within underneath alongside toward towards about beneath upon out amid amidst "
    "beyond using"
)
EDGES = PREPOSITIONS | _set(
    "is are was were be being has have had not no who which that whose where while when and "
    "or but , . ; : ( ) doing"
)
VERBS = _set(  # third person or past, where they end a noun phrase
    "sits stands lies rests leans hangs burns trains touches touch mingles gleams glows "
    "shines casts shares floats flies runs plays waits holds wears rides eats drinks reads "
    "jumps climbs sleeps looks peeks swims walks dances flips cut lie rest sit stand float "
    "hang lean play stares catches blooms spins carries reflects emits turns overlooks towers "
    "accompanies adorns covers complements highlights points shows brings leaves spills "
    "drapes nestles perches curls bubbles ticks simmers steams cools wilts snuggles gathers "
    "slices cuts tells keeps lays sprawled dressed made carved built covered filled shaped "
    "stitched perched sculpted cocooned forgotten wearing holding riding sitting standing "
    "flying playing eating taking driving wielding putting"
)
# They end a noun phrase where nothing follows but an edge: "a cat asleep in a basket".
PARTICIPLES = _set(
    "asleep strung alone hung stuck frozen lit adrift bent bound woven hewn cast awake afloat"
)
BARE = _set("stand rest float play lie")  # of one thing they are nouns: "a hot dog stand"
WITH_OBJECT = _set("wearing wielding")  # never adjectives, as in "riding boots"
SIZES = _set(  # adjectives that endings do not give away; nobody's name
    "small big large tall old new young tiny huge giant little long short thin thick fat baby red "
    "green blue black white pink brown gray grey purple violet orange yellow gold silver wooden "
    "dark light bright hot cold fresh ripe cute nice toy human wild grand antique modern classic "
    "plush stone steel metal iron plain vibrant vintage brave chibi kawaii medieval steampunk "
    "armored elegant clear round square cozy half open closed broken worn rough smooth sleek "
    "solid simple soft hard deep tan teal turquoise neon velvet porcelain marble wet crisp warm "
    "cool lone lush pale slim sharp bold calm dry fine fierce odd proud quiet rare sad shy slow "
    "strong strange sweet swift wide wise great epic retro bare dull dim mini chic futuristic"
)
ADJECTIVE_ENDINGS = ("ed", "ous", "ful", "ical", "ish", "less", "ive", "ly", "est", "some", "ary")
NOT_ADJECTIVES = _set(
    "bed seed weed steed sled family lily jelly butterfly dragonfly fly bully forest guest priest "
    "vest test harvest contest crest quest library dictionary missionary radish dish"
)
ING_NOUNS = _set(
    "ring king wing string building painting earring thing pudding swing carving stocking sibling "
    "duckling clothing ceiling railing"
)
MEALS = ("sandwich", "pizza", "burger", "cake", "pie", "salad", "soup", "omelette")
# Behind a noun and before another these make one name: "rock climbing shoes".
COMPOUNDING = _set(
    "baking boxing breathing camping catching chasing climbing cutting dancing dining drawing "
    "drinking eating fishing flying folding gaming gardening hiking hunting knitting laying "
    "loving making measuring mixing nesting painting playing racing reading riding rocking "
    "rolling rowing running sailing serving sewing skating sleeping spinning swimming training "
    "walking washing watching wishing working wrestling writing reclining"
)
# Nouns by their ending, and what somebody does: "a cat painting a fence".
CRAFTS = ("painting", "building", "carving")
STUFFS = _set(  # no beings, though they may be no nouns that are known: "a brown hiking boot"
    "rock bread wood leather brown oak wishing fire wind sun star cheese paper stone nesting"
)
# What one does with a living thing, and what is for it: "a horse riding helmet".
OUTINGS = _set("riding racing hunting watching cleaning grooming scratching training feeding")
GEAR = _set(
    "helmet helmets boots boot gloves glove rifle rifles gun binoculars knife machine post track "
    "brush kit cap hat suit shoes bowl"
)
# Adjectives by their look that a list of them may have: "an intricate, ornate clock".
LISTED_ENDINGS = (*ADJECTIVE_ENDINGS, "ate", "ic", "al", "ant", "ent", "ing", "ar", "en", "able")
# "a pair of X", "a statue of X": the thing is X.
OF_WORDS = _set(
    "pair bunch family school swarm pack litter trio group team tangle array wedge set pile stack "
    "plush toy bust sculpture statue figure figurine model slice piece bouquet flock herd "
    "collection row couple handful tray miniature mini replica statuette effigy carving kind type "
    "portrait lot head origami minifigure minifig plushie bobblehead mascot version army crowd "
    "line circle cluster heap pride gaggle pod fleet convoy colony hive murder gang band choir "
    "parade squad clutch deck top front back side inside body interior tip bundle hundreds "
    "thousands dozens lots bit sort face keychain puppet pop example"
)
TRAILING = _set("too full high left overgrown up down flat away")


@dataclasses.dataclass(frozen=True)
class Nouns:
    """Nouns in the singular. known: of the world, and phrases of them; living: those of them that
    are alive; others: nouns that the world does not hold, and of these the beings."""

    known: frozenset[str]
    living: frozenset[str]
    others: frozenset[str]
    beings: frozenset[str] = frozenset()  # of the others those that are alive


@dataclasses.dataclass(frozen=True)
class Parts:
    """The words of the first noun phrase, its head last, and the words after it.

    whole: the words of what the phrase is a part or a copy of ("a marble bust of").
    """

    phrase: tuple[str, ...]
    rest: tuple[str, ...]
    whole: tuple[str, ...] = ()


def is_adjective(word: str, nouns: Nouns) -> bool:
    if word.replace("-", " ") in nouns.known:
        return False
    if word in SIZES or "-" in word:
        return True
    if word in NOT_ADJECTIVES:
        return False
    return word.endswith(ADJECTIVE_ENDINGS) or (word.endswith("y") and len(word) > 4)


def split(words: list[str], nouns: Nouns) -> Parts:
    """The first noun phrase and what follows."""
    start = 0
    while start < len(words) and (words[start] in DETERMINERS or words[start] in ",.;:("):
        start += 1
    phrase: list[str] = []
    whole: list[str] = []
    place = start
    while place < len(words):
        word = words[place]
        behind = words[place + 1 : place + 4]
        following = behind[0] if behind else "."
        only_adjectives = all(is_adjective(w, nouns) or w in NUMBERS for w in phrase)
        if is_foreign(word) and phrase:
            break
        if word == "of":
            head = singular(phrase[-1]) if phrase else ""
            if head in OF_WORDS and following not in ("liberty", "england"):
                whole, phrase = [*whole, *phrase], []  # what is of it is the thing
            else:
                break
        elif word in DETERMINERS and not phrase:
            pass
        elif word in (",", "and") and _lists_on(phrase, [word, *behind], nouns):
            pass  # "a thick, green-spined book", "a black and white cat"
        elif word in EDGES or (word in DETERMINERS and phrase):
            break
        elif phrase and _is_measure(word, phrase[-1], nouns):
            break
        elif phrase and word in WITH_OBJECT and not _compound(phrase[-1], behind, nouns):
            break
        elif phrase and not only_adjectives and _is_verb(word, behind, phrase[-1], nouns):
            break
        else:
            phrase.append(word)
        place += 1
    after = words[place:]
    # "a cup full of pens", but "a bee hive"
    while (
        len(phrase) > 1 and " ".join(phrase[-2:]) not in nouns.known and _trails(phrase[-1], nouns)
    ):
        after.insert(0, phrase.pop())
    return Parts(tuple(phrase), tuple(after), tuple(whole))


def _lists_on(phrase: list[str], behind: list[str], nouns: Nouns) -> bool:
    """Whether a comma or "and" (the first of `behind`) goes on with what is said of one thing."""
    joint, following, then = (*behind, ".", ".")[:3]
    if phrase and following in ("and", "but"):  # "a red, green, and blue parrot"
        following = then
    if following in EDGES | DETERMINERS:
        return False
    if not phrase:
        return True
    if joint == "and" and then in MEALS and following not in nouns.living:
        return True  # "a cheese and tomato pizza"
    stuff = ("orange", "stone") if len(phrase) > 1 else ("orange",)  # "an old, stone, tall tower"
    if any(singular(w) in nouns.known for w in phrase if w not in stuff):
        return False
    last = phrase[-1]
    if joint == "and" and singular(then) in nouns.known and singular(last) in nouns.others:
        # "a peanut butter and jelly sandwich", but "a hedgehog and a fox cub"
        return not (is_adjective(following, nouns) or following in nouns.living)
    listed = is_adjective(last, nouns) or last.endswith(LISTED_ENDINGS) or last in NUMBERS
    return (listed or last in stuff) and singular(last) not in nouns.others


def _is_measure(word: str, before: str, nouns: Nouns) -> bool:
    """Whether a number follows a known noun: "a chair 45 cm tall", "a BMW M3"."""
    named = singular(before) in nouns.known and f"{before} {word}" not in nouns.known
    return named and any(c.isdigit() for c in word)


def _compound(before: str, behind: list[str], nouns: Nouns) -> bool:
    """Whether noun, -ing and noun are one name: "a hat wearing cat", no "cat wearing hats"."""
    following = next(iter(behind), ".")
    one = singular(following) == following and before == singular(before)
    return (
        one
        and following in nouns.known
        and before not in nouns.living
        and following in nouns.living
    )


def _trails(word: str, nouns: Nouns) -> bool:
    """Whether a word at the end of a noun phrase is no noun."""
    if singular(word) in nouns.known:
        return False
    if word in TRAILING or word in NUMBERS or word.isdigit() or len(word) == 1:
        return True
    return is_adjective(word, nouns) and not word.endswith("y")


def _is_verb(word: str, behind: list[str], before: str, nouns: Nouns) -> bool:
    """Whether a word after a possible noun starts what that noun does."""
    following = next(iter(behind), ".")
    named = singular(before) in nouns.known
    if f"{word} {singular(following)}" in nouns.known:  # "a stone rocking horse"
        return False
    if f"{before} {word}" in nouns.known:  # "an umbrella stand"
        return False
    ends = following in EDGES or following in DETERMINERS
    if word in PARTICIPLES:
        return ends
    if word in BARE and singular(before) == before:
        return False
    if word.endswith("ed") and word not in NOT_ADJECTIVES and (named or word in VERBS):
        return ends or following.endswith("ly")  # "a snow covered house"
    several = singular(following) != following
    if word in CRAFTS and singular(before) in nouns.living:
        if following in DETERMINERS or several:
            return True
    thing = singular(following) in nouns.known or singular(following) in nouns.others
    does = singular(before) in nouns.living | nouns.beings or not (
        named or singular(before) in nouns.others or before in STUFFS
    )
    if word in COMPOUNDING and thing and not does:
        return False
    if word in OUTINGS and following in GEAR:
        return False
    compounds = word in COMPOUNDING or word in WITH_OBJECT
    if compounds and _compound(before, behind, nouns):  # "a honey loving bear"
        return False
    if word in VERBS and singular(word) not in nouns.known:
        return True
    if singular(word) in nouns.known and not (word in VERBS and ends):
        return False
    if word.endswith("ing") and word not in ING_NOUNS:
        return named or ends or singular(following) not in nouns.known
    if word.endswith("ed") and word not in NOT_ADJECTIVES:
        return ends
    return named and (word in VERBS or (ends and following != "." and word.endswith("s")))
