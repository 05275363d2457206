"""Values of an axis in A1111's short forms: ``1-5``, ``1-10 (+2)``, ``10-5 (-3)``, ``0.6-1.0 (+0.2)``, ``1-10 [5]``.

Words stand between commas; ``"in quotes"`` a comma is a letter and ``""`` a quote, as in CSV. Source: A1111's wiki,
"X/Y/Z plot", and ``scripts/xyz_grid.py``. Where A1111 does what nobody means, this differs: a step never runs past the
end (``0-1 (+0.3)`` ends at 0.9), ``10-5`` counts down, and a range that holds nothing is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from engine.errors import PictureError

MOST_VALUES = 1000
"""An axis has no more."""

DIGITS = 10
"""After the point, of a number between two others."""

_NUMBER = r"[+-]?\s*(?:\d+\.?\d*|\.\d+)"
_RANGE = re.compile(
    rf"(?P<first>{_NUMBER})\s*-\s*(?P<last>{_NUMBER})\s*"
    rf"(?:\(\s*(?P<step>{_NUMBER})\s*\)|\[\s*(?P<count>\d+)\s*\])?"
)


class GridError(PictureError):
    """A word that is not understood, and where it stands in the text: from ``start`` to before ``end``."""

    def __init__(self, what: str, fix: str, start: int = 0, end: int = 0) -> None:
        super().__init__(what, fix)
        self.start = start
        self.end = end
        self.text = ""
        """What was typed, where that is known."""

    @property
    def marked(self) -> str:
        """What was typed with the word set off: ``strength=0.6,»much«``; empty where it is not known."""
        if not self.text or self.end <= self.start:
            return ""
        return f"{self.text[: self.start]}»{self.text[self.start : self.end]}«{self.text[self.end :]}"


@dataclass(frozen=True)
class Word:
    """A value as it was written, and where."""

    text: str
    start: int = 0
    end: int = 0
    quoted: bool = False

    def error(self, what: str, fix: str) -> GridError:
        """An error that points at the word."""
        return GridError(what, fix, self.start, self.end)


def split_words(text: str, offset: int = 0) -> list[Word]:
    """The words between commas, without the spaces around them; empty ones are left out unless they are quoted.

    Args:
        text: as it was typed.
        offset: where it begins in what the user sees.

    Raises:
        GridError: a quote is not closed, or something stands behind a closed one.
    """
    return [word for word in _words(text, offset) if word.text or word.quoted]


def read_numbers(words: Sequence[Word], *, whole: bool = False) -> list[tuple[Decimal, Word]]:
    """The numbers that words say, each with the word that it came from.

    Args:
        words: numbers and ranges.
        whole: whether only whole numbers will do; those between ``[5]`` are then cut, as A1111 cuts them.

    Raises:
        GridError: a word is neither, or says too much or nothing.
    """
    found: list[tuple[Decimal, Word]] = []
    for word in words:
        numbers = _numbers(word, whole)
        if whole and any(number != number.to_integral_value() for number in numbers):
            raise word.error(f"{word.text!r} is not a whole number", "write 20, 1-5 or 1-10 (+2)")
        found += [(number, word) for number in numbers]
        if len(found) > MOST_VALUES:
            raise word.error(f"{word.text!r} makes more than {MOST_VALUES} values", "use a larger step")
    return found


def number_text(number: Decimal) -> str:
    """A number as short as it can be written: ``0.8``, ``1``."""
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


_SPACES = re.compile(r"\s*")

_UP_TO_A_QUOTE = re.compile(r'[^"]*')


def _words(text: str, offset: int) -> Iterator[Word]:
    at = 0
    while at <= len(text):
        begin = _end_of(_SPACES, text, at)
        if text.startswith('"', begin):
            content, behind = _quoted(text, begin, offset)
            end = text.find(",", behind)
            end = len(text) if end < 0 else end
            if rest := text[behind:end].strip():
                raise GridError(
                    f"{rest!r} follows a closing quote", "put a comma between them", offset + behind, offset + end
                )
            yield Word(content.strip(), offset + begin, offset + behind, quoted=True)
        else:
            end = text.find(",", at)
            end = len(text) if end < 0 else end
            word = text[at:end].strip()
            yield Word(word, offset + begin, offset + begin + len(word))
        at = end + 1


def _quoted(text: str, begin: int, offset: int) -> tuple[str, int]:
    """What stands in the quotes that open at ``begin``, and the place behind them; two quotes stand for one."""
    parts: list[str] = []
    at = begin + 1
    while (end := _end_of(_UP_TO_A_QUOTE, text, at)) < len(text):
        parts.append(text[at:end])
        if not text.startswith('"', end + 1):
            return "".join(parts), end + 1
        parts.append('"')
        at = end + 2
    raise GridError("a quote is not closed", 'close it with "', offset + begin, offset + len(text))


def _end_of(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Where what matches at a place ends; a pattern that matches everywhere."""
    match = pattern.match(text, at)
    return match.end() if match is not None else at


def _numbers(word: Word, whole: bool) -> list[Decimal]:
    if re.fullmatch(_NUMBER, word.text):
        return [_decimal(word.text)]
    m = _RANGE.fullmatch(word.text)
    if m is None:
        raise word.error(f"{word.text!r} is not a number", "write 0.8, 1-5, 0.6-1.0 (+0.2) or 1-10 [5]")
    first, last = _decimal(m["first"]), _decimal(m["last"])
    if m["count"] is not None:
        return _spaced(word, first, last, int(m["count"]), whole)
    if m["step"] is not None:
        return _stepped(word, first, last, _decimal(m["step"]))
    numbers = _stepped(word, first, last, Decimal(1 if first <= last else -1))
    if numbers[-1] != last:
        raise word.error(f"{word.text!r} never gets there in steps of 1", f"give the step: {word.text} (+0.2)")
    return numbers


def _stepped(word: Word, first: Decimal, last: Decimal, step: Decimal) -> list[Decimal]:
    if first == last:
        return [first]
    if step == 0 or (step > 0) != (last > first):
        raise word.error(
            f"{word.text!r} never gets from {number_text(first)} to {number_text(last)}",
            "change the step's sign" if step else "use a step above 0",
        )
    count = int((last - first) // step) + 1
    if count > MOST_VALUES:
        raise word.error(f"{word.text!r} makes {count:,} values", f"take at most {MOST_VALUES}")
    return [first + step * number for number in range(count)]


def _spaced(word: Word, first: Decimal, last: Decimal, count: int, whole: bool) -> list[Decimal]:
    """``count`` values at equal distances, both ends among them."""
    if not 1 <= count <= MOST_VALUES:
        raise word.error(f"{word.text!r} makes {count:,} values", f"take 1 to {MOST_VALUES}")
    distance = Fraction(last - first) / max(1, count - 1)
    exact = [Fraction(first) + distance * number for number in range(count)]
    if whole:
        return [Decimal(int(number)) for number in exact]
    return [round(Decimal(number.numerator) / Decimal(number.denominator), DIGITS) for number in exact]


def _decimal(text: str) -> Decimal:
    return Decimal(re.sub(r"\s", "", text))
