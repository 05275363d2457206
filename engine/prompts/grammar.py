r"""Templates of prompts: ``{a|b|c}`` is one of a, b and c.

Choices nest, and an option may be empty: ``{smiling, |}``. ``{3::a|b}`` takes a three times as often, ``{2$$a|b|c}``
two of them, ``{1-2$$ and $$a|b|c}`` one or two with a word between, ``__place__`` a line of a list. ``{trigger}`` and
``{class}`` stand for the person's words. ``\{``, ``\|``, ``\}`` and ``\\`` are those characters themselves; every other
backslash, and A1111's ``(a:1.2)``, ``[a|b]``, ``[a:b:0.5]`` and ``<lora:…>``, pass through untouched. It is what the
dynamicprompts library speaks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.errors import PromptError
from engine.prompts.guard import combined, drawn, guarded
from engine.settings import PersonSettings

MOST_IN_VAIN = (500, 3000)
"""How many prompts in a row may say what another said already: of those drawn by chance, of the combinations."""

MOST_COMBINED = 10_000
"""How many combinations are looked through for those that chance did not draw."""

SLOTS = {"{trigger}": "trigger", "{class}": "class_word"}
"""What stands for the person's words, and the setting that it stands for."""


def variations(template: str, count: int, seed: int) -> list[str]:
    """Different prompts from a template, in an order that the seed gives: all there are, or ``count`` of them.

    The same template, count and seed give the same prompts on every machine; asking for more keeps those that
    came before.

    Raises:
        PromptError: the template can't be read, or gives only empty prompts.
    """
    found: dict[str, None] = {}
    for prompts, most_in_vain in zip(_ways(template, seed), MOST_IN_VAIN, strict=False):
        in_vain = 0
        for prompt in map(tidy, prompts):
            if len(found) >= count or in_vain > most_in_vain:
                break
            in_vain = in_vain + 1 if prompt in found or not prompt else 0
            if prompt:
                found[prompt] = None
    if count and not found:
        raise PromptError("the prompt is empty", "write what the picture is to show")
    return list(found)


def plain(template: str) -> str:
    """The template with every first option taken. Raises PromptError."""
    return tidy(next(combined(template, 1), "")) if _may_choose(template) else tidy(_unescaped(template))


def has_choices(template: str) -> bool:
    """Whether a template says more than one prompt. Raises PromptError."""
    return _may_choose(template) and len({tidy(each) for each in combined(template, 50)}) > 1


def is_balanced(template: str) -> bool:
    """Whether a text can be read as a template."""
    try:
        guarded(template)
    except PromptError:
        return False
    return True


def fill(template: str, person: PersonSettings) -> str:
    """The template with ``{trigger}`` and ``{class}`` replaced by the person's words.

    Raises:
        PromptError: the template can't be read; the place told is the one in what was written.
    """
    guarded(template)
    for slot, name in SLOTS.items():
        template = template.replace(slot, escape(str(getattr(person, name))))
    return template


def tidy(prompt: str) -> str:
    """A prompt without what empty options leave behind: doubled spaces and commas."""
    pieces = (" ".join(piece.split()) for piece in prompt.split(","))
    return ", ".join(piece for piece in pieces if piece)


def distance(one: str, other: str) -> float:
    """How far two prompts are apart, 0 to 1: the share of their different words that only one of them has.

    This is Jaccard's distance, 1 - |A ∩ B| / |A ∪ B|.
    """
    words, others = (set(re.findall(r"[\w'-]+", text.casefold())) for text in (one, other))
    union = words | others
    return 1 - len(words & others) / len(union) if union else 0.0


def escape(text: str) -> str:
    """A text as a template that says just that."""
    return re.sub(r"([{|}\\])", r"\\\1", text)


def _ways(template: str, seed: int) -> Iterator[Iterator[str]]:
    """First by chance, then whatever combination chance did not come upon."""
    if not _may_choose(template):
        yield iter([_unescaped(template)])
        return
    yield drawn(template, seed)
    yield combined(template, MOST_COMBINED)


def _may_choose(template: str) -> bool:
    safe = guarded(template)
    return "{" in safe or "__" in safe


def _unescaped(template: str) -> str:
    return re.sub(r"\\([{|}\\])", r"\1", template)
