r"""The dynamicprompts library behind a guard for its faults.

What it would stumble over is hidden from it behind characters of Unicode's private planes and put back afterwards:
``%``, ``#``, ``/``, a lone ``$``, a lone ``__``, the escapes ``\{ \| \} \\``, and the bars of A1111's ``[a|b]``. Braces
without their other half, and wildcards without a list, are told with their place before it sees them. (Left to itself
it raises for the first, and for the second repeats one prompt for ever.)
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any

from engine.errors import PromptError
from engine.prompts.axes import check_list, wildcard_folders, wildcard_names

HIDDEN = 0xF0000
"""What is added to a character's number to hide it: Unicode's private use area A begins here."""

ESCAPED = "{|}\\"
"""What a backslash makes plain."""

BATCH = 64
"""Prompts drawn at once; fewer where each has many choices."""

MOST_CHOICES = 100
"""Choices and lists in a template: the library takes the square of their number, and ends at some hundreds."""

MOST_OPTIONS = 5_000
"""Options of all choices together."""

_WILDCARD = re.compile(r"__([\w\-/*]+?)__")
_AMOUNT = re.compile(r"\s*(?:\d+-\d+|\d+-?|-\d+)\$\$(?:[^${}|]+\$\$)?")
_PLAIN_CHOICE = re.compile(r"\{([^{}$]*)\}")
_SHOWN = {HIDDEN + number: chr(number) for number in range(128)}


def guarded(template: str) -> str:
    """The template as the library may see it.

    Raises:
        PromptError: a brace without its other half, or a wildcard without a list; names the place.
    """
    seen: list[str] = []
    braces: list[int] = []
    squares = 0
    names = wildcard_names() if "__" in template else ()
    choices = options = 0
    at = 0
    while at < len(template):
        letter = template[at]
        if letter == "\\" and template[at + 1 : at + 2] and template[at + 1] in ESCAPED:
            at += 1
            seen.append(_hide(template[at]))
        elif letter == "{":
            braces.append(at)
            choices += 1
            seen.append("{")
            if amount := _AMOUNT.match(template, at + 1):
                seen.append(amount[0])
                at = amount.end() - 1
        elif letter == "}":
            if not braces:
                raise _unbalanced(template, at, "closes nothing", r"write \} for the character itself")
            braces.pop()
            seen.append("}")
        elif letter == "|":
            seen.append("|" if braces and not squares else _hide("|"))
            options += bool(braces)
        elif letter == "_" and (wildcard := _WILDCARD.match(template, at)):
            _check(wildcard, names)
            seen.append(wildcard[0])
            choices += 1
            at = wildcard.end() - 1
        else:
            # A1111's [a|b] takes turns between steps; its bar is none of ours.
            squares = max(0, squares + {"[": 1, "]": -1}.get(letter, 0)) if braces else 0
            seen.append(_hide(letter) if letter in "\\%#/$_~!@" else letter)
        at += 1
    if braces:
        raise _unbalanced(template, braces[-1], "is never closed", r"add }, or write \{ for the character")
    if choices > MOST_CHOICES or options > MOST_OPTIONS:
        what = f"{choices:,} choices with {options:,} options"
        raise PromptError(
            f"the prompt has {what}, more than {MOST_CHOICES} with {MOST_OPTIONS:,}",
            r"put options into a list of your own, or write \{ and \} for braces that are text",
        )
    return "".join(seen)


def drawn(template: str, seed: int) -> Iterator[str]:
    """Prompts drawn by chance, weights obeyed, without an end; the same seed gives the same ones."""
    from dynamicprompts.generators import RandomPromptGenerator

    generator = RandomPromptGenerator(wildcard_manager=_manager(), seed=seed)
    safe = guarded(template)
    count = max(1, min(BATCH, 10 * BATCH // (1 + safe.count("{") + safe.count("__"))))
    while True:
        yield from _made(generator, template, safe, count)


FIRST_OPTIONS = 16
"""Options of a choice that ``combined`` looks at where only the first combinations are wanted."""


def first_combined(template: str, most: int) -> Iterator[str]:
    """The first combinations, as ``combined`` has them, in time that grows with the template's length alone.

    Of each choice only the first options are looked at, ``FIRST_OPTIONS`` of them.
    """
    from dynamicprompts.generators import CombinatorialPromptGenerator

    short = _with_first_options(guarded(template))
    yield from _made(CombinatorialPromptGenerator(wildcard_manager=_manager()), template, short, most)


def _with_first_options(safe: str) -> str:
    """A guarded template without the options that stand behind the first ones of their choice."""
    kept: list[str] = []
    bars: list[int] = []
    """Of each choice that is open, how many options have begun."""
    beyond = 0
    """How many of them are past their first options."""
    for letter in safe:
        if letter == "{":
            bars.append(1)
        elif letter == "|" and bars:
            bars[-1] += 1
            beyond += bars[-1] == FIRST_OPTIONS + 1
        elif letter == "}" and bars:
            beyond -= bars.pop() > FIRST_OPTIONS
        if not beyond:
            kept.append(letter)
    return "".join(kept)


def combined(template: str, most: int) -> Iterator[str]:
    """The combinations of a template in order, at most so many; the first takes every first option."""
    from dynamicprompts.generators import CombinatorialPromptGenerator

    # Only when it is asked for: the first one costs the square of the options. Equal ones say nothing new.
    safe = _PLAIN_CHOICE.sub(lambda choice: f"{{{'|'.join(dict.fromkeys(choice[1].split('|')))}}}", guarded(template))
    yield from _made(CombinatorialPromptGenerator(wildcard_manager=_manager()), template, safe, most)


def _made(generator: Any, template: str, safe: str, count: int) -> Iterator[str]:
    try:
        made = generator.generate(_parsed(safe), count)
    except Exception as error:
        # The library raises its parser's errors, ValueError and KeyError; what they have in common is the template.
        raise PromptError(f"the choices in {template[:60]!r} can't be read", "see: limner vary --help") from error
    return (each.translate(_SHOWN) for each in made)


@lru_cache(maxsize=64)
def _parsed(safe: str) -> Any:
    """A template as the library reads it: once, not for every batch, which took most of the time."""
    from dynamicprompts.parser.parse import parse

    return parse(safe)


def _manager() -> Any:
    from dynamicprompts.wildcards import WildcardManager

    return WildcardManager(root_map={"": list(wildcard_folders())})


def _check(wildcard: re.Match[str], names: Collection[str]) -> None:
    fitting = [name for name in names if name == wildcard[1] or ("*" in wildcard[1] and _fits(name, wildcard[1]))]
    for name in fitting:
        check_list(name)
    if not fitting:
        raise PromptError(
            f"there is no list for {wildcard[0]} at character {wildcard.start() + 1}", f"there are {', '.join(names)}"
        )


def _fits(name: str, pattern: str) -> bool:
    """Whether a list's name fits a pattern, in which ``*`` stands for anything but ``/``, and ``**`` for anything.

    All places are followed at once: a pattern of many stars takes no longer than its length times the name's.
    """
    at = {0}
    for mark in re.findall(r"\*\*|\*|[^*]", pattern):
        if not at:
            return False
        if not mark.startswith("*"):
            at = {each + 1 for each in at if name[each : each + 1] == mark}
            continue
        for place in range(min(at, default=len(name)), len(name)):
            if place in at and (mark == "**" or name[place] != "/"):
                at.add(place + 1)
    return len(name) in at


def _hide(letter: str) -> str:
    return chr(HIDDEN + ord(letter))


def _unbalanced(template: str, at: int, what: str, fix: str) -> PromptError:
    near = template[max(0, at - 12) : at + 12].replace("\n", " ")
    return PromptError(f"the brace at character {at + 1} {what} (…{near}…)", fix)
