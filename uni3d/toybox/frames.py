"""What is said round a thing, which the reader sees past: requests, pictures of it, styles."""

import re
import unicodedata

from uni3d.toybox.phrase import DETERMINERS, EDGES

__all__ = ["normal", "without_style"]

LABELS = re.compile(
    r"^(?:(?:/imagine\s+)?(?:prompt|asset|name|object|title|subject|item|description|request|"
    r"(?:\w+ )?character)\s*[:-]\s+"
    r"|/imagine\s+|for (?:my|our|the|a) [\w' ]{1,20}:\s*|\d{1,2}[.)]\s+|no \w+,\s*)+"
)
POLITE = r"(?:(?:hey|hi|hello|please|pls|plz|so|okay|ok|just)\b[\s,!]*)*"
ASKED = r"(?:(?:can|could|would|will|may) (?:you|u|i|we)\s+)?(?:please\s+)?(?:help me\s+)?"
COMMAND = re.compile(
    rf"^{POLITE}{ASKED}(?:"
    r"(?:turn (?:him|her|it|them|this) into|(?:let'?s )?(?:make|see)(?: me| us| it)?|create|"
    r"generate|"
    r"draw(?: me)?|dibuja|hazme|haz|crea|genera|quiero|render|give me|show me|"
    r"(?:i|we) (?:want|need)|i'd (?:like|love)|"
    r"i would (?:like|love)|i wanna)(?:(?: to)? (?:see|have|make))?(?!\s+of\b)"
    # These may be nouns: only before an article are they requests.
    r"|(?:model|design|build(?: me)?|sculpt|get|have|see|imagine|think of|picture|"
    r"how about|what about|(?:is|was) (?:this|that|it)|(?:this|that|there|here|it) is|(?:it|there|"
    r"here|that)'s|the object is)(?=\s+(?:an?|the|some|my|our|your|one|two|three)\b)"
    r")\s*:?\s+(?:a scene (?:of|with)\s+)?"
)
ASKS_LOOKS = re.compile(r"^what (?:does|do|would|did) (.+?) look like\b.*$")
PICTURES = frozenset(
    "photo photograph picture image render rendering shot view drawing illustration sketch "
    "painting artwork art snapshot selfie photography closeup close-up scan print cartoon icon "
    "sticker logo design concept character depiction portrayal doodle sprite photos pictures "
    "images renders views polaroid".split()
)
SHEETS = ("character", "turnaround", "reference", "sprite", "model", "concept")
PRINTED = ("paw", "foot", "hand", "finger", "thumb", "shirt")  # no pictures
STRIKING = frozenset(  # they say what a picture is like; with another -ing somebody does something
    "painting drawing rendering stunning charming amazing breathtaking interesting striking".split()
)
ARTICLES = (["a"], ["an"], ["the"])
# Materials in front of a picture are said of what it shows: "a gold logo of a lion".
MADE_OF = frozenset(
    "wooden marble bronze golden gold silver stone glass leather porcelain clay iron metal".split()
)
MODEL = re.compile(  # as a picture is; "a wooden model of a ship" is a ship of wood
    r"^(?:(?:a|an|the)\s+)?(?:(?:very|highly[\s-]detailed|detailed|3d|low[\s-]poly|realistic|"
    r"photorealistic|digital|beautiful|stylized|game|voxel)[\s,]+)*(?:model|asset)\s+of\s+"
)
STYLE = re.compile(  # says how a picture looks, not what is in it
    r"\b(?:highly detailed(?: skin)?|high detail|intricate details?|highly realistic|"
    r"ultra realistic|hyper realistic|photo ?realistic|realistic|realism|best quality|"
    r"(?:very )?high quality|"
    r"high resolution|studio lighting|soft lighting|product photography|full body|low poly|"
    r"animated movie character|3d models?|3d render(?:ing)?|3d asset|8k(?: uhd)?|4k|uhd|hd|hdr|"
    r"dslr|film grain|raw photo|fujifilm \w+|octane render|unreal engine(?: \d)?|"
    r"(?:in|made in) blender|"
    r"trending on \w+|artstation|masterpiece|sharp focus|detailed photo|detailed|plain background|"
    r"on a plain background|(?:white|black|dark|gr[ae]y|transparent|no) background|front view|"
    r"side view|back view|overhead view|"
    r"aerial view|low-?poly|stylized|game (?:asset|prop|icon|character)s?|game[ -]ready|isometric|"
    r"hand-?painted|watercolou?r|(?:cinematic|dramatic) lighting|for 3d printing|"
    r"3d[ -]print(?:ed|able)|"
    r"assets?|super detailed|hyper-?realistic|pbr(?: (?:texture|material)s?)?|studio light|"
    r"\d+(?:\.\d+)? ?uhd)\b"
)
OPENED = re.compile(r"\(([^():]+):\d+(?:\.\d+)?\)|<[^>]*>")  # "(fox:1.3)", "<lora:cute:0.8>"
WEIGHT = re.compile(
    r":\s*\d+(?:\.\d+)?(?=\s*[),]|\s*$)|\s--no\s+\w+|\s--\w+(?:\s+[\d:.]+)?"
)  # "(fox:1.3) --ar 1:1"


def normal(prompt: str) -> str:
    """Small letters, in the composed form of Unicode."""
    return unicodedata.normalize("NFKC", prompt.replace("№", " # ")).lower().replace("’", "'")


def without_style(prompt: str) -> str:
    """The prompt less what only says how a picture looks ("a DSLR photo of", "8k")."""
    text = OPENED.sub(lambda found: found[1] or "", " ".join(normal(prompt).split()))
    text = re.sub(r"\s[-–—•·]\s|\s*\|\s*", ", ", WEIGHT.sub("", text)).strip()
    text = LABELS.sub("", COMMAND.sub("", LABELS.sub("", text)))
    text = ASKS_LOOKS.sub(r"\1", text)
    for _ in range(2):
        text = MODEL.sub("", _pictured(text))
    text = re.sub(r", blender(?=,|$)", "", text)
    text = re.sub(r",? please\b| for (?:me|us)\b", "", text).replace("upside down", "upside-down")
    kept = STYLE.sub(" ", text)
    return kept if re.search(r"\w", kept) else text


def _pictured(text: str) -> str:
    """X of "a very old photo of X"; the text where it does not begin with a picture."""
    words = text.split()
    for place, word in enumerate(words[:-2]):
        bare, before = word.strip(",.;:'\""), (words[place - 1] if place else "")
        close = (bare == "up" and before == "close") or (bare == "sheet" and before in SHEETS)
        if (bare in PICTURES or close) and words[place + 1] == "of":
            if bare == "print" and before in PRINTED:
                return text
            stuff = [before for before in words[:place] if before in MADE_OF]
            shown = words[place + 2 :]
            return " ".join((*stuff, *shown[bool(stuff) and shown[:1] in ARTICLES :]))
        inside = bare in DETERMINERS and place  # "holding a photo of"
        does = bare not in STRIKING or words[place + 1] in PICTURES  # "painting pictures of"
        inside = inside or (bare.endswith("ing") and does)  # "taking photos of"
        if inside or (bare in EDGES and bare not in ("and", "up", "out", "down", "")):
            return text
    return text
