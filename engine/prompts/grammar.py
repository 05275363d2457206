r"""Templates of prompts: ``{a|b|c}`` is one of a, b and c.

Choices nest, and an option may be empty: ``{smiling, |}``. ``{3::a|b}`` takes a three times as often, ``{2$$a|b|c}``
two of them, ``{1-2$$ and $$a|b|c}`` one or two with a word between, ``__place__`` a line of a list. ``{trigger}`` and
``{class}`` stand for the person's words. ``\{``, ``\|``, ``\}`` and ``\\`` are those characters themselves; every other
backslash, and A1111's ``(a:1.2)``, ``[a|b]``, ``[a:b:0.5]`` and ``<lora:…>``, pass through untouched. It is what the
dynamicprompts library speaks.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from itertools import islice

from engine.errors import PromptError
from engine.prompts.attention import Remark
from engine.prompts.dynamicprompts_guard import combined, drawn, first_combined, guarded
from engine.settings import PersonSettings

MOST_IN_VAIN = (500, 3000)
"""How many prompts in a row may say what another said already: of those drawn by chance, of the combinations."""

MOST_COMBINED = 10_000
"""How many combinations are looked through for those that chance did not draw."""

_LONE = re.compile(r"\{([^{}|$]*)\}")

SLOTS = {"{trigger}": "trigger", "{class}": "class_word"}
"""What stands for the person's words, and the setting that it stands for."""


DRAWN_TO_TELL = 8
"""Prompts drawn by chance to see whether a template says more than one."""


def variations(template: str, count: int, seed: int) -> list[str]:
    """Different prompts from a template, in an order that the seed gives: all there are, or ``count`` of them.

    The same template, count and seed give the same prompts on every machine; asking for more keeps those that
    came before.

    Raises:
        PromptError: the template can't be read, or gives only empty prompts.
    """
    found: dict[str, None] = {}
    for prompts, most_in_vain in zip(_ways(template, seed), MOST_IN_VAIN, strict=False):
        if len(found) >= count > 0:
            # The first combination alone costs the square of the options.
            break
        in_vain = 0
        for prompt in prompts:
            if len(found) >= count or in_vain > most_in_vain:
                break
            says = bool(tidy(prompt))
            in_vain = in_vain + 1 if prompt in found or not says else 0
            if says:
                found[prompt] = None
    if count and not found:
        raise PromptError("the prompt is empty", "write what the picture should show")
    return list(found)


def plain(template: str) -> str:
    """The template with every first option taken. Raises PromptError."""
    return _mended(next(first_combined(template, 1), "")) if _may_choose(template) else _unescaped(template).strip()


def has_choices(template: str) -> bool:
    """Whether a template says more than one prompt. Raises PromptError."""
    if not _may_choose(template):
        return False
    # By chance first: it takes no time, and nearly always tells.
    by_chance = {tidy(each) for each in islice(drawn(template, 0), DRAWN_TO_TELL)}
    return len(by_chance) > 1 or len({tidy(each) for each in first_combined(template, 50)}) > 1


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
        # What was written, or pasted, stays as it is.
        yield iter([_unescaped(template).strip()])
        return
    yield map(_mended, drawn(template, seed))
    yield map(_mended, combined(template, MOST_COMBINED))


def _mended(prompt: str) -> str:
    """A prompt that choices were made in, tidy line by line: a comment holds to the end of its own line."""
    lines = (line.partition("#") for line in prompt.strip().split("\n"))
    return "\n".join(f"{_tidy_line(text)}{mark}{comment}".rstrip() for text, mark, comment in lines)


def _tidy_line(text: str) -> str:
    """A line's text, tidy, with the space before its comment and the comma that the next line goes on after."""
    end = text[len(text.rstrip()) :]
    comma = "," if text.rstrip().endswith(",") and tidy(text) else ""
    return f"{tidy(text)}{comma}{end}"


def chosen(template: str, person: PersonSettings, seed: int) -> str:
    """The prompt that is painted: the person's words filled in, of choices those that the seed takes.

    What has no choices is left as it was written: line by line, with its comments, commas and spaces.

    Raises:
        PromptError: the template can't be read, or says nothing.
    """
    return variations(fill(template, person), 1, seed)[0]


def lone_braces(template: str) -> list[Remark]:
    """Braces around something that is no choice: a slot that was misspelt, or another program's emphasis."""
    found = []
    for lone in _LONE.finditer(re.sub(r"\\.", "..", template)):
        name = lone[1].strip()
        if lone[0] in SLOTS or "__" in name:
            continue
        near = difflib.get_close_matches(f"{{{name}}}", SLOTS, 1, 0.6)
        fix = f"did you mean {near[0]}?" if near else r"write \{ and \} for the braces themselves"
        painted = f"painted as {name}" if name else "left out"
        found.append(Remark(lone.start(), f"{lone[0]} is not a choice and is {painted}: {fix}"))
    return found


def _may_choose(template: str) -> bool:
    safe = guarded(template)
    return "{" in safe or "__" in safe


def _unescaped(template: str) -> str:
    return re.sub(r"\\([{|}\\])", r"\1", template)
