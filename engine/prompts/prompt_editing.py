r"""A1111's schedules: a prompt that changes while it is painted.

``[from:to:when]`` is ``from`` up to step ``when`` and ``to`` after it; ``[to:when]`` begins late, ``[from::when]``
ends early. ``[a|b|c]`` takes another one each step. ``when`` with a point is a share of the steps, without one it is
a step. They nest.

The meaning is that of A1111's grammar in ``modules/prompt_parser.py``: what is inside such a bracket must be balanced,
with at most one colon in round brackets; a bracket that does not fit is text. A ``|`` anywhere else, or a backslash
before nothing, makes the whole prompt one text without a schedule, which is told here.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from engine.prompts.attention import Remark

_MARKS = re.compile(r"\\.|[^\\()\[\]:|]+|[()\[\]:|]|\\")
_WHEN = re.compile(r"\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*")
_CLOSES = {")": "(", "]": "["}


@dataclass(frozen=True)
class Stretch:
    """A text, and the last step that it holds for; the first step is 1."""

    until: int
    text: str


@dataclass(frozen=True)
class _Switch:
    before: list[_Part]
    after: list[_Part]
    when: str


@dataclass(frozen=True)
class _Turns:
    options: list[list[_Part]]


@dataclass(frozen=True)
class _Bracket:
    """A whole bracket that is text. What is in it stays in it: nested ones would be copied again and again."""

    parts: list[_Part]


_Part = str | _Switch | _Turns | _Bracket


@dataclass
class _Open:
    """A bracket that is not closed yet: what it is, where it is, and its parts between colons and bars."""

    bracket: str
    at: int
    parts: list[list[_Part]] = field(default_factory=lambda: [[]])
    between: list[str] = field(default_factory=list)

    def flat(self) -> list[_Part]:
        """All of it as it was written, without the closing bracket."""
        written: list[_Part] = [self.bracket, *self.parts[0]]
        for mark, part in zip(self.between, self.parts[1:], strict=True):
            written += [mark, *part]
        return written


def parse_schedule(text: str, steps: int, passed: int | None = None) -> tuple[list[Stretch], list[Remark]]:
    """Reads which text holds when. No text is refused.

    Args:
        text: the prompt, without extra networks.
        steps: how many steps are painted.
        passed: for a second pass: the steps of the first. Steps are then counted on from the first pass, and shares
            between 1 and 2 are those of this one.

    Returns:
        The stretches, at least one, the last until ``steps``; and what is odd about the text.
    """
    parts, bar = _read(text)
    if parts is None:
        remarks = [Remark(bar, "| outside of [a|b] turns off every schedule of this prompt, as in A1111")]
        if text[bar] == "\\":
            remarks = [Remark(bar, "a backslash at the end of a line turns off every schedule, as in A1111")]
        return [Stretch(steps, text)], remarks if "[" in text else []
    ends = {steps}
    _collect(parts, steps, passed, ends)
    return [Stretch(end, _said(parts, end, steps, passed)) for end in sorted(ends)], []


def _read(text: str) -> tuple[list[_Part] | None, int]:
    """The parts of a prompt; None, and the place, where A1111's grammar can't read it."""
    top: list[_Part] = []
    opened: list[_Open] = []
    bars: list[int] = []

    def fall_back() -> None:
        # Whatever is around something that does not fit does not fit either: all of it is text.
        for each in opened:
            top.extend(each.flat())
        opened.clear()

    for mark in _MARKS.finditer(text):
        said = mark[0]
        if said == "\\":
            return None, mark.start()
        if said in ("(", "["):
            opened.append(_Open(said, mark.start()))
        elif said in (":", "|") and opened:
            opened[-1].between.append(said)
            opened[-1].parts.append([])
            if said == "|":
                bars.append(mark.start())
        elif said == "|":
            return None, mark.start()
        elif said in _CLOSES and opened:
            node = _closed(opened[-1], said) if opened[-1].bracket == _CLOSES[said] else None
            if node is None:
                fall_back()
                top.append(said)
                continue
            here = opened.pop()
            while bars and bars[-1] > here.at:
                bars.pop()
            (opened[-1].parts[-1] if opened else top).extend(node)
        else:
            (opened[-1].parts[-1] if opened else top).append(said)
    fall_back()
    # A bar that belongs to no [a|b] is not part of A1111's language.
    return (None, bars[0]) if bars else (top, 0)


def _closed(opened: _Open, close: str) -> list[_Part] | None:
    """What a whole bracket is; None where it is nothing that A1111's grammar knows."""
    colons, bars = opened.between.count(":"), opened.between.count("|")
    if close == ")":
        return [_Bracket([*opened.flat(), ")"])] if not bars and colons <= 1 else None
    if not opened.between:
        return [_Bracket([*opened.flat(), "]"])]
    if bars:
        return None if colons else [_Turns(opened.parts)]
    *texts, last = opened.parts
    when = _WHEN.fullmatch("".join(part for part in last if isinstance(part, str)))
    if when is None or len(texts) > 2 or not all(isinstance(part, str) for part in last):
        return None
    before, after = texts if len(texts) == 2 else ([], texts[0])
    return [_Switch(before, after, when[1])]


def _step(when: str, steps: int, passed: int | None) -> int:
    """The last step of what stands before, from a number as it was written."""
    number = float(when)
    if "." in when:
        number = (number - (1.0 if passed is not None else 0.0)) * steps
    else:
        number -= passed or 0
    return steps if number >= steps else math.trunc(max(number, -1.0))


def _collect(parts: list[_Part], steps: int, passed: int | None, ends: set[int]) -> None:
    """Adds the last step of every stretch."""
    waiting = list(parts)
    while waiting:
        part = waiting.pop()
        if isinstance(part, _Switch):
            end = _step(part.when, steps, passed)
            if end >= 1:
                ends.add(end)
            waiting += [*part.before, *part.after]
        elif isinstance(part, _Turns):
            ends.update(range(1, steps + 1))
            waiting += [each for option in part.options for each in option]
        elif isinstance(part, _Bracket):
            waiting += part.parts


def _said(parts: list[_Part], step: int, steps: int, passed: int | None) -> str:
    """The text at a step."""
    said: list[str] = []
    waiting = list(reversed(parts))
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            said.append(part)
        elif isinstance(part, _Switch):
            chosen = part.before if step <= _step(part.when, steps, passed) else part.after
            waiting += reversed(chosen)
        elif isinstance(part, _Bracket):
            waiting += reversed(part.parts)
        else:
            waiting += reversed(part.options[(step - 1) % len(part.options)])
    return "".join(said)
