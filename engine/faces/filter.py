"""The filter line over faces: ``px>512 year:2015..2023 -is:broken lake sort:px``.

Words stand beside each other and all must hold; a leading ``-`` turns one round. What a word can say is in
``FIELDS`` (numbers), ``STATES`` (``is:``) and ``SORTS`` (``sort:``); anything else is looked for in the file's name.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from engine.errors import FaceError
from engine.faces.crop import crop_of
from engine.faces.geometry import Framing
from engine.faces.ledger import Decision, Face

Predicate = Callable[[Face], bool]


def is_wide(face: Face) -> bool:
    """Whether the photo has room for a half-body crop that is not cut short by its edges."""
    close, half = crop_of(face, Framing.CLOSE), crop_of(face, Framing.HALF)
    return close is not None and half is not None and half.side >= 2 * close.side


STATES: dict[str, Predicate] = {
    "keep": lambda face: face.decision is Decision.KEEP,
    "reject": lambda face: face.decision is Decision.REJECT,
    "undecided": lambda face: face.decision is Decision.UNDECIDED,
    "confirmed": lambda face: face.confirmed,
    "matched": lambda face: not face.confirmed,
    "broken": lambda face: face.problem is not None,
    "doubtful": lambda face: face.warning is not None,
    "wide": is_wide,
}
"""What may stand after ``is:``."""

FIELDS: dict[str, Callable[[Face], int | None]] = {
    "px": lambda face: face.face_px,
    "year": lambda face: int(face.taken_at[:4]) if face.taken_at else None,
    "id": lambda face: face.id,
}
"""Numbers that can be compared: ``px>512``, ``year:2015..2023``. A face without that number never fits."""

SORTS: dict[str, Callable[[Face], tuple[object, ...]]] = {
    "date": lambda face: (face.taken_at is None, face.taken_at or "", face.id),
    "px": lambda face: (face.face_px is None, -(face.face_px or 0), face.id),
    "name": lambda face: (face.file_name.casefold(), face.id),
}
"""What may stand after ``sort:``: oldest first, largest first, by name."""

_WORD = re.compile(r"^(?P<name>[A-Za-z]+)(?P<sign>:|>=|<=|>|<|=)(?P<value>.*)$")
_RANGE = re.compile(r"^(?P<low>\d*)\.\.(?P<high>\d*)$")


@dataclass(frozen=True)
class Filter:
    """A filter line that was understood."""

    predicates: tuple[Predicate, ...] = ()
    sort: str | None = None
    backwards: bool = False

    def __call__(self, faces: Iterable[Face]) -> list[Face]:
        """The faces that fit, in the order asked for, else in the order given."""
        fitting = [face for face in faces if all(holds(face) for holds in self.predicates)]
        if self.sort is not None:
            fitting.sort(key=SORTS[self.sort], reverse=self.backwards)
        return fitting


def select(faces: Iterable[Face], line: str) -> list[Face]:
    """The faces that a filter line selects. Raises FaceError, naming the word that can't be understood."""
    return read_filter(line)(faces)


def read_filter(line: str) -> Filter:
    """Understands a filter line; an empty one lets everything through.

    Raises:
        FaceError: names the word and what it could be instead.
    """
    predicates: list[Predicate] = []
    sort, backwards = None, False
    for word in _words(line):
        negated = word.startswith("-") and len(word) > 1
        bare = word[1:] if negated else word
        if bare.lower().startswith("sort:"):
            sort, backwards = _one_of(SORTS, bare[5:].lower(), bare), negated
            continue
        predicate = _predicate(bare)
        predicates.append(_not(predicate) if negated else predicate)
    return Filter(tuple(predicates), sort, backwards)


def _words(line: str) -> list[str]:
    """Words at spaces; quotes hold one together. An open quote is still being typed, and is no error."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters, lexer.escape, lexer.quotes = True, "", "", '"'
    try:
        return list(lexer)
    except ValueError:
        return line.replace('"', " ").split()


def _predicate(word: str) -> Predicate:
    parts = _WORD.match(word)
    if parts is None:
        return _name_holds(word)
    name, sign, value = parts["name"].lower(), parts["sign"], parts["value"].lower()
    if name == "is" and sign == ":":
        return STATES[_one_of(STATES, value, word)]
    if name in FIELDS:
        return _compares(FIELDS[name], sign, value, word)
    raise _not_understood(word, [f"{each}:" for each in ("is", "sort", *FIELDS)], f"{name}:")


def _compares(number: Callable[[Face], int | None], sign: str, value: str, word: str) -> Predicate:
    span = _RANGE.match(value)
    if sign in {":", "="} and span is not None and (span["low"] or span["high"]):
        low, high = int(span["low"] or 0), int(span["high"] or 10**12)
    elif value.isdigit():
        exact = int(value)
        low = {">": exact + 1, ">=": exact, "<": 0, "<=": 0}.get(sign, exact)
        high = {">": 10**12, ">=": 10**12, "<": exact - 1, "<=": exact}.get(sign, exact)
    else:
        name = word.rstrip(value).rstrip(":<>=") or word
        raise FaceError(f"“{word}” can't be understood", f"write a number: {name}>512 or {name}:10..20")

    def holds(face: Face) -> bool:
        found = number(face)
        return found is not None and low <= found <= high

    return holds


def _name_holds(word: str) -> Predicate:
    wanted = word.casefold()
    return lambda face: wanted in face.file_name.casefold()


def _not(predicate: Predicate) -> Predicate:
    return lambda face: not predicate(face)


def _one_of(known: Iterable[str], value: str, word: str) -> str:
    names = list(known)
    if value in names:
        return value
    raise _not_understood(word, names, value)


def _not_understood(word: str, known: list[str], value: str) -> FaceError:
    near = difflib.get_close_matches(value, known, n=1)
    fix = f"did you mean {near[0]}?" if near else f"it may be {', '.join(known)}"
    return FaceError(f"“{word}” can't be understood", fix)
