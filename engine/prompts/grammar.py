r"""A small grammar for variations of a prompt.

``{a|b|c}`` is one of a, b and c; choices nest, and an option may be empty: ``{smiling, |}``. ``{trigger}`` and
``{class}`` stand for the person's words. ``\{``, ``\|``, ``\}`` and ``\\`` are those characters themselves; every
other backslash, and A1111's ``(a:1.2)``, ``[a|b]``, ``[a:b:0.5]`` and ``<lora:…>``, pass through untouched: a
``|`` divides options only directly inside ``{…}``.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from engine.errors import PromptError
from engine.settings import PersonSettings

ESCAPED = frozenset("{|}\\")
"""What a backslash makes plain."""

MOST_IN_VAIN = 10_000
"""How many ways in a row may say what another said already, before no more are looked for."""

SLOTS = {"{trigger}": "trigger", "{class}": "class_word"}
"""What stands for the person's words, and the setting that it stands for."""


@dataclass(frozen=True)
class Choice:
    """One of several sequences."""

    options: tuple[Sequence, ...]

    def count(self) -> int:
        """How many ways there are to choose."""
        return sum(option.count() for option in self.options)

    def text(self, number: int) -> str:
        """The way of that number, from 0."""
        for option in self.options:
            if number < option.count():
                return option.text(number)
            number -= option.count()
        raise IndexError(number)


@dataclass(frozen=True)
class Sequence:
    """Text and choices, one after the other."""

    parts: tuple[str | Choice, ...]

    def count(self) -> int:
        """How many ways there are to choose."""
        return math.prod(part.count() for part in self.parts if isinstance(part, Choice))

    def text(self, number: int) -> str:
        """The way of that number, from 0; the first takes every first option."""
        said: list[str] = []
        for part in reversed(self.parts):
            if isinstance(part, Choice):
                number, digit = divmod(number, part.count())
                said.append(part.text(digit))
            else:
                said.append(part)
        return "".join(reversed(said))


def parse(template: str) -> Sequence:
    """Reads a template.

    Raises:
        PromptError: a brace without its other half; names the place.
    """
    parser = _Parser(template)
    sequence = parser.sequence(inside=False)
    if parser.at < len(template):
        raise _unbalanced(template, parser.at, "closes nothing", r"write \} for the character itself")
    return sequence


def variations(template: str, count: int, seed: int) -> list[str]:
    """Different prompts from a template, in an order that the seed gives: all there are, or ``count`` of them.

    The same template, count and seed give the same prompts on every machine; asking for more keeps those that
    came before.

    Raises:
        PromptError: the template is not balanced, or gives only empty prompts.
    """
    tree = parse(template)
    found: dict[str, None] = {}
    in_vain = 0
    for number in _shuffled(tree.count(), random.Random(seed)):
        if len(found) >= count or in_vain > MOST_IN_VAIN:
            break
        prompt = tidy(tree.text(number))
        in_vain = in_vain + 1 if prompt in found else 0
        if prompt:
            found[prompt] = None
    if count and not found:
        raise PromptError("the prompt is empty", "write what the picture is to show")
    return list(found)


def plain(template: str) -> str:
    """The template with every first option taken. Raises PromptError."""
    return tidy(parse(template).text(0))


def has_choices(template: str) -> bool:
    """Whether a template says more than one prompt. Raises PromptError."""
    return parse(template).count() > 1


def fill(template: str, person: PersonSettings) -> str:
    """The template with ``{trigger}`` and ``{class}`` replaced by the person's words."""
    for slot, name in SLOTS.items():
        template = template.replace(slot, _escape(str(getattr(person, name))))
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


class _Parser:
    """Reads a template from left to right."""

    def __init__(self, template: str) -> None:
        self.template = template
        self.at = 0

    def sequence(self, inside: bool) -> Sequence:
        """What stands up to the next ``|`` or ``}`` of the choice that it is inside of, or to the end."""
        parts: list[str | Choice] = []
        depth = 0
        while self.at < len(self.template):
            character = self.template[self.at]
            if character == "}" or (character == "|" and inside and depth == 0):
                break
            if character == "{":
                parts.append(self._choice())
                continue
            if character == "\\" and self.template[self.at + 1 : self.at + 2] in ESCAPED - {""}:
                self.at += 1
                character = self.template[self.at]
            elif character in "[]":
                # A1111's [a|b] alternates between steps; its bar is none of ours.
                depth = max(0, depth + (1 if character == "[" else -1))
            parts.append(character)
            self.at += 1
        return Sequence(tuple(_joined(parts)))

    def _choice(self) -> Choice:
        opened = self.at
        options: list[Sequence] = []
        while True:
            self.at += 1
            options.append(self.sequence(inside=True))
            if self.at >= len(self.template):
                raise _unbalanced(self.template, opened, "is never closed", r"add }, or write \{ for the character")
            if self.template[self.at] == "}":
                self.at += 1
                return Choice(tuple(dict.fromkeys(options)))


def _joined(parts: list[str | Choice]) -> Iterator[str | Choice]:
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        if text:
            yield text
        text = ""
        yield part
    if text:
        yield text


def _shuffled(count: int, chance: random.Random) -> Iterator[int]:
    """The numbers below ``count`` in a random order, without ever listing them all."""
    moved: dict[int, int] = {}
    for left in range(count, 0, -1):
        drawn = chance.randrange(left)
        yield moved.get(drawn, drawn)
        # Fisher and Yates's shuffle, with only the numbers that moved written down.
        moved[drawn] = moved.pop(left - 1, left - 1)


def _escape(text: str) -> str:
    return re.sub(r"([{|}\\])", r"\\\1", text)


def _unbalanced(template: str, at: int, what: str, fix: str) -> PromptError:
    near = template[max(0, at - 12) : at + 12].replace("\n", " ")
    return PromptError(f"the brace at character {at + 1} {what} (…{near}…)", fix)
