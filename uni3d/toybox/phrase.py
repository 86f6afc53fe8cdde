"""Where in a sentence the thing is that is asked for: words, the first noun phrase, and the rest.

English by tables and word endings, no tagger: prompts are short, and what a table does not know is
named to the person who wrote it.
"""

import dataclasses
import re
import unicodedata

__all__ = ["EDGES", "NUMBERS", "Parts", "singular", "split", "words_of"]


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
WITH_OBJECT = _set("wearing wielding")  # never adjectives, as in "riding boots"
SIZES = _set(  # adjectives that endings do not give away; nobody's name
    "small big large tall old new young tiny huge giant little long short thin thick fat baby "
    "red green blue black white pink brown gray grey purple violet orange yellow gold silver "
    "wooden dark light bright hot cold fresh ripe cute nice toy human wild grand antique "
    "modern classic plush stone steel metal iron plain vibrant elegant clear round square "
    "cozy half open closed broken worn rough smooth sleek solid simple soft hard deep tan teal "
    "turquoise neon velvet porcelain marble"
)
ADJECTIVE_ENDINGS = ("ed", "ous", "ful", "ical", "ish", "less", "ive", "ly", "est", "some", "ary")
NOT_ADJECTIVES = _set("bed seed weed steed sled family lily jelly butterfly dragonfly fly bully")
ING_NOUNS = _set("ring king wing string building painting earring thing pudding swing")
PREFIX = re.compile(
    r"^(?:(?:a|an|the)\s+)?(?:(?:very|extremely|zoomed[\s-]out|wide[\s-]angle|close[\s-]?up|top[\s-]down|"
    r"high[\s-]quality|high[\s-]resolution|highly[\s-]detailed|detailed|blurry|dslr|raw|macro|3d|"
    r"low[\s-]poly|realistic|photorealistic|professional|studio|colou?r|digital|aerial|beautiful|"
    r"product|stock|amateur|candid|cinematic|polaroid|nature|full[\s-]body|portrait|stunning|"
    r"hyperrealistic|stylized|front|side|oil|watercolou?r|4k|8k|hd|game|"
    r"michelangelo[\s-]style|voxel)[\s,]+)*"
    r"(?:photo|photograph|picture|image|render|rendering|model|shot|view|drawing|illustration|asset|"
    r"sketch|painting)"
    r"\s+of\s+"
)
COMMAND = re.compile(
    r"^(?:please\s+)?(?:(?:can|could|would) you\s+)?(?:please\s+)?"
    r"(?:turn (?:him|her|it|them|this) into|make(?: me| it)?|create|generate|draw(?: me)?|render|"
    r"give me|show me|i want|i need|i'd like|i would like)\s+"
)
STYLE = re.compile(  # says how a picture looks, not what is in it
    r"\b(?:highly detailed(?: skin)?|high detail|intricate details?|highly realistic|"
    r"ultra realistic|hyper realistic|photo ?realistic|realistic|realism|best quality|"
    r"(?:very )?high quality|"
    r"high resolution|studio lighting|soft lighting|product photography|full body|low poly|"
    r"animated movie character|3d models?|3d render(?:ing)?|3d asset|8k(?: uhd)?|4k|uhd|hd|hdr|"
    r"dslr|film grain|raw photo|fujifilm \w+|octane render|unreal engine(?: \d)?|blender|"
    r"trending on \w+|artstation|masterpiece|sharp focus|detailed photo|detailed|plain background|"
    r"on a plain background|white background|front view|side view|back view|overhead view|"
    r"aerial view|low-?poly|stylized|game asset|isometric|hand-?painted|watercolou?r|"
    r"super detailed|hyper-?realistic|pbr textures?|studio light|\d+(?:\.\d+)? ?uhd)\b"
)
# "a pair of X", "a statue of X": the thing is X.
OF_WORDS = _set(
    "pair bunch family school swarm pack litter trio group team tangle array wedge set pile stack "
    "plush toy bust sculpture statue "
    "figure figurine model slice piece bouquet flock herd collection row couple handful tray "
    "miniature mini replica statuette effigy carving kind type portrait lot head origami "
    "minifigure minifig plushie bobblehead mascot"
)
TRAILING = _set("too full high left overgrown up down flat away")
IRREGULAR = {
    "mice": "mouse",
    "geese": "goose",
    "men": "man",
    "women": "woman",
    "children": "child",
    "feet": "foot",
    "leaves": "leaf",
    "wolves": "wolf",
    "knives": "knife",
    "loaves": "loaf",
    "shelves": "shelf",
    "scarves": "scarf",
    "dwarves": "dwarf",
    "elves": "elf",
    "dice": "dice",
    "glasses": "glasses",
    "sunglasses": "sunglasses",
    "jeans": "jeans",
    "scissors": "scissors",
    "binoculars": "binoculars",
    "headphones": "headphones",
    "pancakes": "pancakes",
    "bus": "bus",
    "cactus": "cactus",
    "octopus": "octopus",
    "walrus": "walrus",
    "hippopotamus": "hippopotamus",
    "cacti": "cactus",
    "calves": "calf",
    "oxen": "ox",
    "potatoes": "potato",
    "goggles": "goggles",
    "tomatoes": "tomato",
    "spectacles": "spectacles",
    "sushi": "sushi",
    "people": "people",
}
JOBS = {  # what a person is whose emoji is joined to this one
    "rocket": "astronaut",
    "cooking": "chef",
    "fire engine": "firefighter",
    "artist palette": "painter",
    "microphone": "singer",
    "airplane": "pilot",
    "ear of rice": "farmer",
    "graduation cap": "student",
    "microscope": "scientist",
    "staff of aesculapius": "doctor",
    "school": "teacher",
}
# Vowel signs and accents, of scripts up to Vedic Sanskrit; no variation selectors.
MARKS = "".join(
    chr(code) for code in range(0x300, 0x1D00) if unicodedata.category(chr(code)) in ("Mn", "Mc")
)
LETTERS = rf"[^\W_](?:[^\W_]|[{MARKS}])*"
WORD = re.compile(rf"{LETTERS}(?:['-]{LETTERS})*|[,.;:()]")
BRITISH = {"grey": "gray", "coloured": "colored", "armour": "armor", "jewellery": "jewelry"}


@dataclasses.dataclass(frozen=True)
class Parts:
    """The words of the first noun phrase, its head last, and the words after it.

    whole: the words of what the phrase is a part or a copy of ("a marble bust of").
    """

    phrase: tuple[str, ...]
    rest: tuple[str, ...]
    whole: tuple[str, ...] = ()


def singular(word: str) -> str:
    """The singular of an English noun, or the word itself."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    if len(word) < 4 or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("men") and word not in ("specimen", "regimen", "abdomen"):
        return word[:-2] + "an"
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes", "zes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") else word


def _is_emoji(char: str) -> bool:
    return unicodedata.category(char) == "So" and char >= "\u2190"


def _emoji_name(sequence: str) -> str:
    """What an emoji is called in words: "dog" for the dog's face, "astronaut" for a woman joined
    to a rocket. Of others that are joined, the first."""
    names = [unicodedata.name(c, "emoji").lower() for c in sequence if _is_emoji(c)]
    if names[0] in ("man", "woman", "adult") and names[-1] in JOBS:
        return JOBS[names[-1]]
    if names[0].startswith("regional indicator"):
        return "flag"
    # "heavy black heart": how the sign is printed, not what it shows.
    words = [w for w in names[0].split() if w not in ("face", "with", "heavy", "black", "white")]
    return " ".join(words) or names[0]


def _emoji_length(text: str) -> int:
    """Characters of the emoji that `text` begins with: joined ones, skin and variation are its."""
    size = 1
    while size < len(text) and (
        text[size] in "\u200d\ufe0f\u20e3"
        or unicodedata.category(text[size]) == "Sk"
        or (text[size - 1] == "\u200d" and _is_emoji(text[size]))
    ):
        size += 1
    return size


def words_of(prompt: str, nouns: frozenset[str] = frozenset()) -> list[str]:
    """Lower-case words and punctuation of a prompt, of any script; accents of Latin ones stay.

    Emoji are read by their names. One behind a noun of `nouns` is another thing: a comma.
    """
    text = _normal(prompt).replace("’", "'")
    found: list[str] = []
    place, written = 0, ""
    while place < len(text):
        char = text[place]
        if _is_emoji(char):
            size = _emoji_length(text[place:])
            found += WORD.findall(written)
            written = ""
            if found and singular(found[-1]) in nouns:
                found.append(",")
            found += WORD.findall(_emoji_name(text[place : place + size]))
            place += size
            continue
        if char.isspace() or unicodedata.category(char) not in ("Cf", "Cc"):
            # Marks belong to the letters of most scripts; in Latin they are decoration.
            mark = char in MARKS
            latin = mark and "LATIN" in unicodedata.name(written.rstrip(MARKS)[-1:] or "a", "")
            written += "" if latin else char
        place += 1
    found += WORD.findall(written)
    plain = [w.removesuffix("'s") for w in found]
    return [BRITISH.get(w, w) for w in plain]


def _normal(prompt: str) -> str:
    return unicodedata.normalize("NFKC", prompt.replace("№", " # ")).lower()


def is_foreign(word: str) -> bool:
    """Whether a word is written in another script than the Latin one."""
    return any(c.isalpha() and "LATIN" not in unicodedata.name(c, "LATIN") for c in word)


def without_style(prompt: str) -> str:
    """The prompt less what only says how a picture looks ("a DSLR photo of", "8k")."""
    text = " ".join(_normal(prompt).split())
    text = COMMAND.sub("", text)
    for _ in range(2):
        text = PREFIX.sub("", text)
    text = re.sub(r",? please\b", "", text).replace("upside down", "upside-down")
    kept = STYLE.sub(" ", text)
    return kept if re.search(r"\w", kept) else text


def is_adjective(word: str, nouns: frozenset[str]) -> bool:
    if word.replace("-", " ") in nouns:
        return False
    if word in SIZES or "-" in word:
        return True
    if word in NOT_ADJECTIVES:
        return False
    return word.endswith(ADJECTIVE_ENDINGS) or (word.endswith("y") and len(word) > 4)


def split(words: list[str], nouns: frozenset[str]) -> Parts:
    """The first noun phrase and what follows; `nouns` are the known ones, in the singular."""
    start = 0
    while start < len(words) and (words[start] in DETERMINERS or words[start] in ",.;:("):
        start += 1
    phrase: list[str] = []
    whole: list[str] = []
    place = start
    while place < len(words):
        word = words[place]
        following = words[place + 1] if place + 1 < len(words) else "."
        # "an orange and white cat" is no orange
        named = any(singular(w) in nouns for w in phrase if w != "orange")
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
        elif word in (",", "and") and not named and following not in EDGES | DETERMINERS:
            pass  # "a thick, green-spined book", "a black and white cat"
        elif word in EDGES or (word in DETERMINERS and phrase):
            break
        elif phrase and word in WITH_OBJECT:
            break
        elif phrase and not only_adjectives and _is_verb(word, following, phrase[-1], nouns):
            break
        else:
            phrase.append(word)
        place += 1
    after = words[place:]
    # "a cup full of pens", but "a bee hive"
    while len(phrase) > 1 and " ".join(phrase[-2:]) not in nouns and _trails(phrase[-1], nouns):
        after.insert(0, phrase.pop())
    return Parts(tuple(phrase), tuple(after), tuple(whole))


def _trails(word: str, nouns: frozenset[str]) -> bool:
    """Whether a word at the end of a noun phrase is no noun."""
    if singular(word) in nouns:
        return False
    if word in TRAILING or word in NUMBERS or word.isdigit() or len(word) == 1:
        return True
    return is_adjective(word, nouns) and not word.endswith("y")


def _is_verb(word: str, following: str, before: str, nouns: frozenset[str]) -> bool:
    """Whether a word after a possible noun starts what that noun does."""
    named = singular(before) in nouns
    if f"{word} {singular(following)}" in nouns:  # "a stone rocking horse"
        return False
    if f"{before} {word}" in nouns:  # "an umbrella stand"
        return False
    ends = following in EDGES or following in DETERMINERS
    if word in VERBS and singular(word) not in nouns:
        return not (word.endswith("ed") and singular(following) in nouns)  # "a snow covered house"
    if singular(word) in nouns and not (word in VERBS and ends):
        return False
    if word.endswith("ing") and word not in ING_NOUNS:
        return named or ends or following not in nouns
    if word.endswith("ed") and word not in NOT_ADJECTIVES:
        return ends
    return named and (word in VERBS or (ends and following != "." and word.endswith("s")))
