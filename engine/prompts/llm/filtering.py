"""What of a language model's prompts is kept, after being mended, and why the rest is not."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from engine.prompts.axis_variation import Size, parts_of
from engine.prompts.breakdown import take_apart
from engine.prompts.grammar import distance, tidy
from engine.prompts.llm.answers import QUOTES
from engine.prompts.llm.request import SUBJECT, VariationRequest, hidden

LONGEST = 4_000
"""Letters of a model's prompt; one of 60 words has a few hundred."""

TOO_MANY_WORDS = 60
"""A prompt of more words does not fit into one chunk of tokens."""

ALIKE = 0.6
"""Two prompts of which so large a share of the new words is the same (Jaccard) are copies of each other."""

REACH = {Size.SMALL: (0.0, 0.55), Size.MEDIUM: (0.0, 0.85), Size.BOLD: (0.2, 1.0)}
"""How far a variation may be from its parent to be called so."""

IDENTITY = re.compile(
    r"\b(?:blonde?|brunette|redhead(?:ed)?|bald(?:ing)?|bearded|freckled|wrinkled|chubby|muscular"
    r"|(?:blue|green|brown|hazel|gr[ae]y|dark|piercing)[- ]eye[sd]?"
    r"|(?:long|short|curly|wavy|straight|dark|black|brown|red|gr[ae]y|silver|white)[- ](?:hair|beard)(?:ed)?"
    r"|(?:pale|dark|olive|tanned|fair)[- ]skin(?:ned)?"
    r"|asian|african|caucasian|european|latina?o?|hispanic|indian|arab"
    r"|young|elderly|middle-aged|teenage|\d+[- ]years?[- ]old"
    r"|beards?|mou?staches?|freckles|wrinkles|scars?|tattoos?)\b",
    re.IGNORECASE,
)
"""Words that fight with what the LoRA knows about the person."""

OTHERS = re.compile(
    r"\b(?:couple|friends?|family|wife|husband|girlfriend|boyfriend|child(?:ren)?|kids?|baby|group of|people"
    r"|m[ae]n|wom[ae]n|girls?|boys?|guys?|lad(?:y|ies)|gentlem[ae]n|twins?|someone|strangers?)\b",
    re.IGNORECASE,
)
"""Words that bring other people onto the picture."""

NEGATIVE = re.compile(r"\b(?:no|not|without|never|don['’]t|avoid|except)\b", re.IGNORECASE)
"""An image model paints what is named, also after a no."""

TALK = re.compile(
    r"\b(?:variations?|versions?|prompts?|the (?:person|character|subject|image|picture))\b", re.IGNORECASE
)
"""Words about the task, not about a picture."""

_WORD = re.compile(r"[\w'-]+")


BANS = (
    (IDENTITY, "about the person's looks"),
    (OTHERS, "other people"),
    (NEGATIVE, "says no"),
    (TALK, "talks about the task"),
)


@dataclass(frozen=True)
class Dropped:
    """A prompt that was not kept."""

    text: str
    why: str


class VariationFilter:
    """Mends prompts and keeps those that will do, each once.

    Args:
        wish: what was wanted.
    """

    def __init__(self, wish: VariationRequest) -> None:
        self._wish = wish
        self._parent = tidy(wish.parent)
        self._new: list[frozenset[str]] = []
        self._seen = {_key(each) for each in (self._parent, *wish.stored)}
        self._own = _words(self._parent)
        for each in wish.stored:
            self._remember(each)

    def sift(self, said: str) -> str | Dropped:
        """A prompt of a model as it is kept, with the person's words in it exactly once; or why it is not."""
        if len(said) > LONGEST:
            return Dropped(said[:200], "too long")
        text = self._mended(said)
        why = self._fault(text)
        if why:
            return Dropped(" ".join(said.split())[:200], why)
        self._seen.add(_key(text))
        self._remember(text)
        return text

    def _mended(self, said: str) -> str:
        person = self._wish.person
        text = hidden(" ".join(said.split()).strip(QUOTES), person)
        text = re.sub(r"<[^>]*>|[{}|#\\]|__+", " ", text)
        text = re.sub(r"\bAND\b", "and", text)
        text = re.sub(r"\b(?:BREAK)\b", ",", text)
        if any(not remark.text.startswith("no LoRA") for remark in take_apart(text, 1).remarks):
            text = re.sub(r":\s*[-+.\d]+\s*\)|[()\[\]]", "", text)
        text = re.sub(rf"\b(?:the\s+)?{SUBJECT}\b['’]s", SUBJECT, text, flags=re.IGNORECASE)
        text = re.sub(rf"\b{SUBJECT}\b", SUBJECT, text, flags=re.IGNORECASE)
        first, found, rest = text.partition(SUBJECT)
        rest = re.sub(rf"\s*\b{SUBJECT}\b", "", rest)
        parts = parts_of(tidy(first + found + rest if found else f"photo of {SUBJECT}, {text}"))
        for locked in self._wish.locked:
            part = hidden(tidy(locked), person)
            if SUBJECT not in part and part not in parts:
                parts.insert(1, part)
        whole = ", ".join(parts).rstrip(".")
        own = f"{person.trigger} {person.class_word}"
        whole = re.sub(rf"{SUBJECT}(?:\s+{re.escape(person.class_word)}\b)?", lambda _: own, whole)
        return _shortened(whole)

    def _fault(self, text: str) -> str:
        wish = self._wish
        new = _words(text) - self._own
        own = f"{wish.person.trigger} {wish.person.class_word}"
        rest = text.replace(own, " ")
        if len(_words(rest)) < 3:
            return "too short"
        for pattern, why in BANS:
            # What the user wrote is the user's to write.
            banned = [each[0] for each in pattern.finditer(rest) if each[0].casefold() not in wish.parent.casefold()]
            if banned:
                return f"{why} ({banned[0]})"
        if _key(text) in self._seen or not new:
            return "a copy"
        if any(_alike(new, other) for other in self._new):
            return "too similar to another"
        low, high = REACH[wish.size]
        far = distance(self._parent, text)
        if not low <= far <= high:
            return f"too {'small' if far < low else 'large'} a change ({far:.2f})"
        return ""

    def _remember(self, text: str) -> None:
        new = _words(text) - self._own
        if new:
            self._new.append(frozenset(new))


def counted(dropped: Iterable[Dropped]) -> list[tuple[str, int]]:
    """The reasons and how often each was given, the most frequent first; ``other people (wife)`` is other people."""
    reasons: dict[str, int] = {}
    for each in dropped:
        reason = each.why.partition(" (")[0]
        reasons[reason] = reasons.get(reason, 0) + 1
    return sorted(reasons.items(), key=lambda pair: -pair[1])


def _alike(one: Collection[str], other: Collection[str]) -> bool:
    return len(set(one) & set(other)) >= ALIKE * len(set(one) | set(other))


def _shortened(text: str) -> str:
    parts: Sequence[str] = parts_of(text)
    while len(parts) > 1 and len(_WORD.findall(", ".join(parts))) > TOO_MANY_WORDS:
        parts = parts[:-1]
    return ", ".join(parts)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))


def _key(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))
