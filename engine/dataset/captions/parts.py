"""A caption's parts: what stands between its commas. The trigger word comes first, the class word second, once each."""

from __future__ import annotations

import re
from collections.abc import Iterable

from engine.settings import PersonSettings

SITTERS = frozenset(
    {"man", "woman", "boy", "girl", "person", "male", "female", "guy", "lady", "gentleman", "1boy", "1girl"}
)
"""Words for the one who is shown; alone they say no more than the class word."""

_SHOWS = (
    r"(?:(?:this|the) (?:image|photo|picture) (?:shows|features|depicts|is) )?"
    r"(?:(?:a|an|the) )?(?:(?P<close>close[- ]?up)(?: (?:photo|picture|shot|portrait|image))?|(?:(?:[\w-]+ )?"
    r"(?:photo|photograph|picture|image|portrait|selfie|arafed|view|shot)))(?: view| shot)? of "
)
_WHO = r"(?:there is |arafed )?(?:(?:a|an|the|one|his|her) )?(?:(?!of\b|with\b|on\b|in\b|and\b)[\w-]+ ){0,3}?"
_IS = r"(?: (?:who|that))?(?: (?:is|are|was|has been|appears to be|seems to be))?\b"


def parts_of(caption: str) -> list[str]:
    """The parts between commas, without the empty ones."""
    return [part for part in (each.strip() for each in caption.split(",")) if part]


def joined(parts: Iterable[str]) -> str:
    """The parts as a caption."""
    return ", ".join(parts)


def led(person: PersonSettings, parts: Iterable[str]) -> str:
    """A caption that begins with the trigger word and the class word; wherever else they stood, they are taken out."""
    trigger, class_word = person.trigger, person.class_word
    alone = {each.casefold() for each in (trigger, class_word, f"{trigger} {class_word}")} | SITTERS
    both = re.compile(rf"(?<!\w){re.escape(trigger)}(?!\w)(?:\s+{re.escape(class_word)}\b)?", re.IGNORECASE)
    kept: dict[str, str] = {}
    for part in parts:
        if part.casefold() in alone:
            continue
        bare = " ".join(both.sub(" ", part).split())
        if bare:
            kept.setdefault(bare.casefold(), bare)
    return joined([trigger, class_word, *kept.values()])


def leads(person: PersonSettings, caption: str) -> int:
    """How many parts at a caption's beginning are the trigger and the class word: 0, 1 or 2."""
    parts = [part.casefold() for part in parts_of(caption)[:2]]
    trigger, class_word = person.trigger.casefold(), person.class_word.casefold()
    if not parts or parts[0] not in (trigger, f"{trigger} {class_word}"):
        return 0
    return 2 if parts[1:] == [class_word] and parts[0] == trigger else 1


def parts_of_prose(text: str, person: PersonSettings) -> list[str]:
    """What a model wrote in sentences, as parts: ``A man is standing on a beach. He wears a hat.`` becomes ``standing
    on a beach`` and ``wears a hat``. The one who is shown is left out, since the trigger word says it."""
    sitter = "|".join(sorted({re.escape(person.class_word), *SITTERS - {"1boy", "1girl"}, "he", "she", "they"}))
    shows = re.compile(_SHOWS, re.IGNORECASE)
    subject = re.compile(rf"(?:{_WHO}\b(?:{sitter})\b|(?:he|she|they|it)\b){_IS}", re.IGNORECASE)
    inside = re.compile(rf"\b(?:a|an|the|this)\s+(?:[\w-]+\s+)?{re.escape(person.class_word)}\b", re.IGNORECASE)
    found: list[str] = []
    for sentence in re.split(r"(?<=[.!?;])\s+|\n+", text.strip()):
        rest = sentence.strip(" .!?;\"'")
        if match := shows.match(rest):
            rest = rest[match.end() :]
            if match["close"]:
                found.append("close-up")
        if match := subject.match(rest):
            rest = rest[match.end() :]
        rest = inside.sub("somebody", rest)
        found += [part.strip(" .") for part in parts_of(rest)]
    return [re.sub(r"^(?:and|while|is|are)\s+", "", part, flags=re.IGNORECASE) for part in found if part.strip(" .")]
