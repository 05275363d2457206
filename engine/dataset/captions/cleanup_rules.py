"""Clean-up rules for captions of a real person, and why: a LoRA learns whatever is constant and not described.

The words are those of WD14's vocabulary (Danbooru's tags). Each rule has an id, says in words what it does, and can be
switched in ``limner.toml`` (``captions.rules_off``, ``captions.rules_on``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from engine.settings import CaptionsSettings, CleanUp

_COLOURS = (
    "aqua|amber|black|blonde|blond|blue|brown|dark|light|ginger|gold|golden|green|grey|gray|hazel|lavender|orange|pink|"
    "platinum|purple|red|silver|white|yellow|multicolored|gradient|two-tone|streaked|rainbow|salt and pepper"
)
_SIZES = "absurdly long|very long|very short|long|short|medium|shoulder-length|thick|thin|thinning|receding"
_SHAPES = "curly|wavy|straight|spiked|big|bright|deep|piercing|striking|large|small|almond-shaped"

KEPT = re.compile(
    r"(closed|half-closed|narrowed|rolling|crossed|empty|crazy|wide) eyes|one eye closed|covering (own|one) eyes?|"
    r"hair over (one eye|eyes)|hair between eyes|hair ornament.*|hair (bow|ribbon|flower|tie|bun cover|tucking)|"
    r"(wet|messy|floating|tied) hair|v-shaped eyebrows|raised eyebrows?|clenched teeth|parted lips|pursed lips|"
    r"licking lips|biting own lip|hand (on|over) own .*"
)
"""Expressions, gestures and things that only look like hair, eyes and face: they change from picture to picture."""


@dataclass(frozen=True)
class Rule:
    """One rule of cleaning."""

    id: CleanUp
    words: str
    drop: str = ""
    """A tag that matches as a whole is dropped."""
    phrase: str = ""
    """What matches inside a sentence is dropped."""
    swap: tuple[tuple[str, str], ...] = ()
    """A tag that matches the first as a whole becomes the second, ``\\1`` being a group of it."""
    default: bool = True

    def record(self, on: bool) -> dict[str, object]:
        """As ``--json`` reports it."""
        return {"id": self.id.value, "words": self.words, "on": on, "default": self.default}


# Bounded: from each word of a long row of them the whole row would be read again.
_MANY = rf"(?:(?:{_COLOURS}|{_SIZES}|{_SHAPES})(?:,? and |, | )){{0,5}}"
_OWNER = r"(?:\b(?:with|and|has|having)\s+)?(?:\b(?:his|her|their|a|an|the)\s+)?"

RULES: tuple[Rule, ...] = (
    Rule(
        CleanUp.EYES,
        "eye colour",
        drop=rf"({_COLOURS}|light .*|dark .*) eyes|heterochromia|eyelashes|(long|thick) eyelashes",
        phrase=rf"{_OWNER}{_MANY}(?:{_COLOURS}|{_SHAPES}|bright)\s+eyes\b",
    ),
    Rule(
        CleanUp.HAIR,
        "hair colour, length and type",
        drop=rf"({_COLOURS}|{_SIZES}|{_SHAPES}|colored inner|split-color) hair|hair|bald|balding|bald (man|girl|male)",
        phrase=rf"{_OWNER}(?:{_MANY}(?:{_COLOURS}|{_SIZES}|{_SHAPES})\s+hair\b|\bbald head\b)",
    ),
    Rule(
        CleanUp.SKIN,
        "skin, freckles, moles, scars",
        drop=r".*\bskin\b.*|.*-skinned .*|tan|tanlines?|freckles|body freckles|mole( .*)?|scar( .*)?|wrinkles",
        phrase=rf"{_OWNER}(?:(?:{_COLOURS}|pale|fair|tanned|tan|olive|smooth)\s+){{1,5}}(?:skin|complexion)\b",
    ),
    Rule(
        CleanUp.FACE,
        "facial features",
        drop=r"lips|(thick|full|red|pink) lips|teeth|nose|(big|long|pointy) nose|forehead|(thick|bushy) eyebrows|"
        r"eyebrows|facial mark|forehead mark|dimples|double chin|cheekbones|ears|face|chin|jawline",
    ),
    Rule(
        CleanUp.BODY,
        "the body's build",
        drop=r".*\bbreasts\b.*|flat chest|collarbone|navel|muscular( (male|female))?|abs|pectorals|biceps|fat( man)?|"
        r"plump|chubby|curvy|(thick )?thighs|wide hips|toned( (male|female))?|petite|veins",
    ),
    Rule(
        CleanUp.AGE,
        "age and sex",
        drop=r"mature (male|female)|old( (man|woman))?|young( (man|woman))?|aged (up|down)|child|teenage|genderswap.*|"
        r"androgynous|adult|elderly|middle-aged",
    ),
    Rule(
        CleanUp.PEOPLE,
        "mentions of one person: the class word says it",
        drop=r"solo|solo focus|(male|female|other) focus|1other|people|person|portrait photography|human|group",
        swap=((r"1girl", "woman"), (r"1boy", "man")),
    ),
    Rule(
        CleanUp.CAMERA,
        "tags that taggers give every photo",
        drop=r"real life insert|bokeh|blurry( (background|foreground))?|depth of field|star \(symbol\)|"
        r"photo background|chromatic aberration|photography|photograph",
    ),
    Rule(
        CleanUp.BACKGROUND,
        "plain backgrounds",
        drop=rf"simple background|({_COLOURS}|plain) background",
    ),
    Rule(
        CleanUp.FRAMING,
        "framing",
        drop=r"portrait|close-?up|upper body|cowboy shot|full body|lower body|head out of frame|face focus|wide shot",
    ),
    Rule(CleanUp.PHOTO, "realistic becomes photo", swap=((r"(photo)?realistic", "photo"),)),
    Rule(
        CleanUp.BRACKETS,
        "brackets after a tag: x (object) becomes x",
        swap=((r"(.+?) \((?:object|medium|place|clothing|food|animal|weapon|vehicle|company)\)", r"\1"),),
    ),
    Rule(
        CleanUp.HAIRSTYLE,
        "how the hair is worn: bangs, ponytail, braid, bun",
        drop=r".*\bbangs|.*ponytail|twintails|.*\bbraids?|.*\bhair bun|bob cut|sidelocks|ahoge|undercut|side part.*|"
        r"mohawk|afro|dreadlocks|buzz cut|topknot|hair (up|down|pulled back|slicked back)",
        default=False,
    ),
    Rule(
        CleanUp.BEARD,
        "beard and moustache",
        drop=r"(.* )?(beard|mustache|moustache|goatee|stubble|sideburns)|facial hair",
        phrase=rf"{_OWNER}{_MANY}(?:full )?(?:beard|mustache|moustache|goatee|stubble)\b",
        default=False,
    ),
    Rule(
        CleanUp.GLASSES,
        "glasses",
        drop=r"(.*-(rimmed|framed) |round |opaque )?(glasses|eyewear)|eyewear",
        phrase=rf"{_OWNER}(?:\bwearing\s+)?{_MANY}(?:\bround\s+)?\bglasses\b",
        default=False,
    ),
    Rule(
        CleanUp.MAKEUP,
        "make-up",
        drop=r"makeup|lipstick|.*eyeshadow|eyeliner|mascara|(.* )?nail polish|blush stickers",
        default=False,
    ),
)
"""All rules, in the order in which they are shown."""

DOUBTFUL = re.compile(
    r"[2-6]\+?(girls|boys)|multiple (girls|boys|others)|monochrome|greyscale|motion blur|watermark|"
    r"sunglasses|(mouth |surgical )?mask|covered face|(hand over|covering) own (face|mouth)|hair over eyes|closed eyes|"
    r"from behind|head out of frame"
)
"""Tags that say an image may be no good to learn a face from."""


def is_on(rule: Rule, settings: CaptionsSettings) -> bool:
    """Whether a rule holds here."""
    return rule.id in settings.rules_on or (rule.default and rule.id not in settings.rules_off)


class Cleaner:
    """The rules as the settings have them."""

    def __init__(self, settings: CaptionsSettings) -> None:
        self._settings = settings
        on = [rule for rule in RULES if is_on(rule, settings)]
        self._drop = [(rule.id.value, re.compile(rule.drop)) for rule in on if rule.drop]
        self._swap = [(re.compile(one), other) for rule in on for one, other in rule.swap]
        self._phrases = [re.compile(rule.phrase, re.IGNORECASE) for rule in on if rule.phrase]
        self._own = {key.casefold(): value for key, value in settings.replace.items()}

    def tag(self, tag: str) -> str:
        """What is written for a tag; empty: nothing."""
        low = tag.casefold()
        if low in self._own:
            return self._own[low].strip()
        if self.why_dropped(tag):
            return ""
        for pattern, other in self._swap:
            if pattern.fullmatch(low):
                return pattern.sub(other, low)
        return tag

    def why_dropped(self, tag: str) -> str:
        """The id of the rule that drops a tag, ``drop`` for the user's own; empty where none does."""
        low = tag.casefold()
        if _any(low, self._settings.keep):
            return ""
        if _any(low, self._settings.drop):
            return "drop"
        if KEPT.fullmatch(low):
            return ""
        return next((name for name, pattern in self._drop if pattern.fullmatch(low)), "")

    def sentence(self, text: str) -> str:
        """A sentence without what the rules take out of it."""
        for pattern in self._phrases:
            text = pattern.sub(" ", text)
        return " ".join(text.split())

    def parts(self, parts: Iterable[str]) -> list[str]:
        """The parts of a caption, cleaned, none of them twice."""
        found: dict[str, str] = {}
        for part in parts:
            kept = self.tag(self.sentence(part) if " " in part and not KEPT.fullmatch(part.casefold()) else part)
            if kept:
                found.setdefault(kept.casefold(), kept)
        return list(found.values())


def _any(text: str, patterns: Iterable[str]) -> bool:
    # Brackets are letters here, not fnmatch's sets.
    return any(fnmatchcase(text, pattern.casefold().replace("[", "[[]")) for pattern in patterns)
