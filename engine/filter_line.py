"""Filter lines such as ``px>512 -is:blurred sort:sharp``: what those over faces and over pictures have in common.

Words stand beside each other, quotes keep spaces in one, and a leading ``-`` turns it round. What a word may say stands
where its subject is: ``engine.faces.selection.filter_fields``, ``engine.pictures.gallery.filter_fields``.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from engine.errors import LimnerError

_Found = TypeVar("_Found", bound=Sequence[Any])

_TOKEN = re.compile(r'(?:[^\s"]|"[^"]*"?)+')
_CLAUSE = re.compile(r"^(?P<name>[A-Za-z]+)(?P<sign>:?(?:>=|<=|>|<|=)|:)(?P<value>.*)$", re.DOTALL)
_DIGITS = r"-?(?:\d+(?:\.\d+)?|\.\d+)"
_NUMBER = re.compile(rf"^{_DIGITS}$", re.ASCII)
_RANGE = re.compile(rf"^(?P<low>{_DIGITS})?\.\.(?P<high>{_DIGITS})?$", re.ASCII)

COMPARES: dict[str, Callable[[Any, Any], Any]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ":": operator.eq,
}


class FilterError(LimnerError):
    """A word that is not understood, and where it stands: from ``start`` to before ``end``."""

    def __init__(self, what: str, fix: str, start: int = 0, end: int = 0) -> None:
        super().__init__(what, fix)
        self.start = start
        self.end = end


@dataclass(frozen=True)
class Word:
    """One word of a line, without its quotes."""

    text: str
    start: int
    end: int

    @property
    def negated(self) -> bool:
        """Whether it is turned round."""
        return self.text.startswith("-") and len(self.text) > 1

    @property
    def bare(self) -> str:
        """What is turned round or not."""
        return self.text[1:] if self.negated else self.text


@dataclass(frozen=True)
class Clause:
    """A word that says something of a name: ``px>512``."""

    name: str
    """In small letters."""
    sign: str
    """One of ``COMPARES``; ``:>=`` is ``>=``."""
    value: str


def words_of(line: str) -> Iterator[Word]:
    """The words of a line, and where each stands. An open quote is still being typed, and is no error."""
    for found in _TOKEN.finditer(line):
        if text := found.group().replace('"', ""):
            yield Word(text, found.start(), found.end())


def clause_of(word: str) -> Clause | None:
    """What a word says of a name; None where it is just a word."""
    found = _CLAUSE.match(word)
    if found is None:
        return None
    return Clause(found["name"].lower(), found["sign"].lstrip(":") or ":", found["value"])


def number_test(clause: Clause, word: str, example: str) -> Callable[[Any], Any]:
    """What a clause asks of a number, or of each number of an array.

    Raises:
        FilterError: it names no number and no range, which the example shows.
    """
    span = _RANGE.match(clause.value)
    if clause.sign in ":=" and span is not None and (span["low"] or span["high"]):
        low, high = float(span["low"] or "-inf"), float(span["high"] or "inf")
        return lambda number: (number >= low) & (number <= high)
    if not _NUMBER.match(clause.value):
        raise FilterError(f"“{word}” is not understood", f"write a number: {example}")
    exact, compare = float(clause.value), COMPARES[clause.sign]
    return lambda number: compare(number, exact)


def one_of(known: Iterable[str], value: str, word: str) -> str:
    """The value, which must be one of those known. Raises FilterError, naming the nearest."""
    names = list(known)
    if value in names:
        return value
    raise not_understood(word, names, value)


def not_understood(word: str, known: Sequence[str], value: str) -> FilterError:
    """The error for a word whose value is none of those known: names what it may have been meant for."""
    begun = [name for name in known if value.strip(":") and name.startswith(value.strip(":"))]
    near = begun or difflib.get_close_matches(value, known, n=1)
    others = f"it may be {', '.join(known)}" if known else "none is saved"
    return FilterError(f"“{word}” is not understood", f"did you mean {' or '.join(near)}?" if near else others)


def completions_of(line: str, could_become: Callable[[str], Iterable[str]]) -> list[str]:
    """What the last word of a line could become, best first; nothing after a space or where it is whole.

    Args:
        line: what was typed.
        could_become: the same for a word in small letters without its ``-``.
    """
    last = next(reversed([*_TOKEN.finditer(line)]), None)
    if last is None or last.end() != len(line):
        return []
    word = last.group()
    sign = "-" if word.startswith("-") else ""
    bare = word[len(sign) :].lower()
    return [sign + each for each in could_become(bare) if each.lower() != bare]


def found_as_typed(line: str, hints: list[str], found: Callable[[str], _Found]) -> tuple[_Found, list[str]]:
    """Filters by a line that is still being typed: a last word that is only begun does not count yet.

    Args:
        line: what was typed.
        hints: what its last word could become.
        found: what a line selects.

    Returns:
        What is selected, and the hints.

    Raises:
        FilterError: a word is not understood, and is not the beginning of one that can.
    """
    try:
        some = found(line)
        if len(some) or not hints:
            return some, hints
    except FilterError as error:
        if not hints or error.end != len(line):
            raise
    *_, last = _TOKEN.finditer(line)
    return found(line[: last.start()]), hints
