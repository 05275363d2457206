r"""A1111's attention: which parts of a prompt weigh more or less.

``(a)`` weighs 1.1 times, ``[a]`` 1/1.1 times, ``(a:1.3)`` 1.3 times; they nest and multiply. ``\(``, ``\)``, ``\[``,
``\]`` and ``\\`` are the characters themselves, and any other backslash is dropped. A bracket that is never closed
holds to the end, one that was never opened is text. The word ``BREAK`` ends a chunk of tokens.

The meaning is that of A1111's ``modules/prompt_parser.py`` (``parse_prompt_attention``), with three differences, each
of them told: a weight that is no number (``(a:1.2.3)``) is text, where A1111 stops with an error; ``BREAK`` inside
brackets is a BREAK, where A1111 multiplies its mark away and reads a word; and weights have a largest size.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

ROUND = 1.1
"""What a pair of round brackets without a number multiplies by."""

SQUARE = 1 / 1.1
"""What a pair of square brackets multiplies by."""

SENSIBLE = (0.0, 2.0)
"""Weights outside of this are hardly ever meant: ``(time 12:30)`` weighs 30 times."""

LARGEST = 1e6
"""No weight is larger; far less than that already leaves nothing but noise."""

DEEPEST = 50
"""How deep brackets nest; those further in weigh nothing. Each multiplies all that is in it."""

_MARKS = re.compile(
    r"""
    (?P<escape> \\[()\[\]\\] | \\ )
    | (?P<open> [(\[] )
    | :\s*(?P<number> [+-]?[.\d]+ )\s*\)
    | (?P<close> [)\]] )
    | (?P<text> [^\\()\[\]:]+ | : )
    """,
    re.VERBOSE,
)
_BREAK = re.compile(r"(?<!\s)\s*\bBREAK\b\s*")


@dataclass(frozen=True)
class Piece:
    """Text of one weight; or a BREAK, whose text is ``BREAK`` and whose weight is -1 as in A1111."""

    text: str
    weight: float = 1.0
    is_break: bool = False


@dataclass(frozen=True)
class Remark:
    """A likely mistake in a prompt."""

    at: int
    """The place: the first character is 0."""
    text: str
    """What it is and what to do."""
    fatal: bool = False
    """Whether nothing can be painted from it."""

    def __str__(self) -> str:
        return f"character {self.at + 1}: {self.text}"


def parse_attention(text: str) -> tuple[list[Piece], list[Remark]]:
    """Reads a prompt's attention. No text is refused.

    Returns:
        At least one piece, neighbours of the same weight joined; and what is odd about the text.
    """
    reader = _Reader()
    for mark in _MARKS.finditer(text):
        reader.take(mark)
    reader.end()
    return reader.joined(), reader.remarks


class _Reader:
    """The pieces read so far, and where the brackets that are still open began."""

    def __init__(self) -> None:
        self.remarks: list[Remark] = []
        self._texts: list[str] = []
        self._weights: list[float] = []
        self._breaks: set[int] = set()
        self._open: dict[str, list[tuple[int | None, int]]] = {"(": [], "[": []}
        """Each open bracket: its first piece (None: it is too deep), and its place in the text."""
        self._too_deep = False

    def take(self, mark: re.Match[str]) -> None:
        """Takes one mark or run of text."""
        if mark["escape"]:
            self._add(mark["escape"][1:])
        elif mark["open"]:
            self._begin(mark)
        elif mark["number"] and self._open["("]:
            self._weigh(mark)
        elif mark["close"] == ")" and self._open["("]:
            self._multiply(self._open["("].pop()[0], ROUND)
        elif mark["close"] == "]" and self._open["["]:
            self._multiply(self._open["["].pop()[0], SQUARE)
        else:
            self._read(mark[0])

    def _begin(self, mark: re.Match[str]) -> None:
        """Opens a bracket; one that is too deep has its end, and no weight."""
        depth = sum(map(len, self._open.values()))
        if depth == DEEPEST and not self._too_deep:
            self._too_deep = True
            self.remarks.append(
                Remark(mark.start(), f"more than {DEEPEST} brackets are open: the inner ones do nothing")
            )
        first = len(self._texts) if depth < DEEPEST else None
        self._open[mark["open"]].append((first, mark.start()))

    def end(self) -> None:
        """What is still open holds to the end."""
        for bracket, by in (("(", ROUND), ("[", SQUARE)):
            for first, at in self._open[bracket]:
                if first is None:
                    continue
                self._multiply(first, by)
                fix = rf"write \{bracket} for the character itself"
                self.remarks.append(Remark(at, f"{bracket} is never closed, so it applies to the end: {fix}"))

    def joined(self) -> list[Piece]:
        """The pieces, neighbours of the same weight as one."""
        found: list[tuple[list[str], float, bool]] = []
        for number, (text, weight) in enumerate(zip(self._texts, self._weights, strict=True)):
            if number in self._breaks:
                found.append((["BREAK"], -1.0, True))
            elif found and not found[-1][2] and found[-1][1] == weight:
                found[-1][0].append(text)
            else:
                found.append(([text], weight, False))
        return [Piece("".join(texts), weight, is_break) for texts, weight, is_break in found] or [Piece("")]

    def _weigh(self, mark: re.Match[str]) -> None:
        first, _ = self._open["("].pop()
        said = mark["number"]
        try:
            weight = float(said)
        except ValueError:
            self._add(mark[0][:-1])
            self._multiply(first, ROUND)
            self.remarks.append(
                Remark(mark.start(), f"{said} is not a number, so it is text: write one number, as in (a:1.2)")
            )
            return
        if not SENSIBLE[0] <= weight <= SENSIBLE[1]:
            fix = r"write 0.5 to 1.5, or \( and \) for brackets that are text"
            self.remarks.append(Remark(mark.start(), f"a weight of {_short(said)} is probably a mistake: {fix}"))
        self._multiply(first, max(-LARGEST, min(LARGEST, weight)))

    def _multiply(self, first: int | None, by: float) -> None:
        if first is None:
            return
        for number in range(first, len(self._weights)):
            if number not in self._breaks:
                self._weights[number] = _bounded(self._weights[number] * by)

    def _read(self, text: str) -> None:
        for number, part in enumerate(_BREAK.split(text)):
            if number:
                self._breaks.add(len(self._texts))
                self._add("BREAK", -1.0)
            self._add(part)

    def _add(self, text: str, weight: float = 1.0) -> None:
        self._texts.append(text)
        self._weights.append(weight)


def _bounded(weight: float) -> float:
    return math.copysign(min(abs(weight), LARGEST), weight)


def _short(number: str) -> str:
    return number if len(number) <= 12 else f"{number[:12]}…"
