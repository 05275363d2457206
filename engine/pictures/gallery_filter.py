"""The filter line over pictures: ``rating:>=4 lora:jx265-000008 -is:rejected sort:likeness oil``.

Words stand beside each other and all must hold; a leading ``-`` turns one round; any other word is looked for in the
prompt and in the file's name. What a word can say is in ``engine.pictures.gallery_words``.
"""

from __future__ import annotations

import difflib
import operator
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import PictureError
from engine.pictures.gallery import Shown
from engine.pictures.gallery_words import EVERYTHING, NUMBERS, SORTS, STATES, SYNONYMS, TEXTS

Predicate = Callable[[Shown], bool]

_TOKEN = re.compile(r'(?:[^\s"]|"[^"]*"?)+')
_WORD = re.compile(r"^(?P<name>[A-Za-z]+)(?P<sign>:?(?:>=|<=|>|<|=)|:)(?P<value>.*)$", re.DOTALL)
_NUMBER = re.compile(r"^-?\d+(?:\.\d+)?$", re.ASCII)
_RANGE = re.compile(r"^(?P<low>-?\d+(?:\.\d+)?)?\.\.(?P<high>-?\d+(?:\.\d+)?)?$", re.ASCII)
_DAY = re.compile(r"^\d{4}(?:-\d{2}(?:-\d{2})?)?$", re.ASCII)

_COMPARES: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
}

DIGITS = 6
"""After the point, to which numbers are compared."""

DAY_SECONDS = 86_400


class PictureFilterError(PictureError):
    """A word that can't be understood, and where it stands: from ``start`` to before ``end``."""

    def __init__(self, what: str, fix: str, start: int = 0, end: int = 0) -> None:
        super().__init__(what, fix)
        self.start = start
        self.end = end


@dataclass(frozen=True)
class PictureFilter:
    """A filter line that was understood."""

    predicates: tuple[Predicate, ...] = ()
    sort: str = "newest"
    backwards: bool = False

    def __call__(self, pictures: Iterable[Shown]) -> list[Shown]:
        """The pictures that fit, in the order asked for. Those without what is sorted by come last."""
        holds = self.predicates
        found = [picture for picture in pictures if all(each(picture) for each in holds)]
        found.sort(key=lambda picture: (-picture.t, -picture.id))
        return _sorted(found, self.sort, self.backwards)


def read_picture_filter(line: str) -> PictureFilter:
    """Understands a filter line; an empty one lets all through but what is rejected, cancelled or gone.

    Raises:
        PictureFilterError: names the word, where it stands, and what it could be instead.
    """
    predicates: list[Predicate] = []
    named: set[str] = set()
    sort, backwards = "newest", False
    for word, start, end in words_of(line):
        negated = word.startswith("-") and len(word) > 1
        bare = word[1:] if negated else word
        try:
            if bare.lower().startswith("sort:"):
                sort, backwards = _one_of(SORTS, bare[5:].lower(), bare), negated
                continue
            if bare.lower().startswith("is:"):
                state = _one_of([*STATES, EVERYTHING], bare[3:].lower(), bare)
                named.add(state)
                predicate = STATES[state].of if state in STATES else _always
            else:
                predicate = _predicate(bare)
        except PictureFilterError as error:
            raise PictureFilterError(error.what, error.fix, start, end) from error
        predicates.append(_not(predicate) if negated and predicate is not _always else predicate)
    if EVERYTHING not in named:
        # First, for they leave most out.
        predicates = [_not(each.of) for name, each in STATES.items() if each.hidden and name not in named] + predicates
    return PictureFilter(tuple(predicates), sort, backwards)


def filter_pictures(line: str, pictures: Sequence[Shown], known: Iterable[str] = ()) -> tuple[list[Shown], list[str]]:
    """Filters by a line that is still being typed: a last word that is only begun does not count yet.

    Args:
        line: what was typed.
        pictures: all of them.
        known: names of checkpoints, to complete ``lora:`` with.

    Returns:
        The pictures, and what the last word could become.

    Raises:
        PictureFilterError: a word can't be understood, and is not the beginning of one that can.
    """
    hints = picture_completions(line, known)
    try:
        found = read_picture_filter(line)(pictures)
        if found or not hints:
            return found, hints
    except PictureFilterError as error:
        if not hints or error.end != len(line):
            raise
    *_, last = _TOKEN.finditer(line)
    return read_picture_filter(line[: last.start()])(pictures), hints


def words_of(line: str) -> Iterator[tuple[str, int, int]]:
    """The words of a line, without their quotes, and where each stands. An open quote is still being typed."""
    for found in _TOKEN.finditer(line):
        word = found.group().replace('"', "")
        if word:
            yield word, found.start(), found.end()


def picture_completions(line: str, known: Iterable[str] = ()) -> list[str]:
    """What the last word of a line could become, best first; nothing after a space or where it is whole."""
    last = next(reversed([*_TOKEN.finditer(line)]), None)
    if last is None or last.end() != len(line):
        return []
    word = last.group()
    sign = "-" if word.startswith("-") else ""
    bare = word[len(sign) :].lower()
    name, colon, typed = bare.partition(":")
    if colon:
        values: Iterable[str] = {"is": [*STATES, EVERYTHING], "sort": SORTS, "date": ("today", "yesterday")}.get(
            name, ("base", *sorted(known)) if SYNONYMS.get(name, name) == "lora" else ()
        )
        found = [f"{name}:{value}" for value in values if value.lower().startswith(typed)]
    else:
        starts = ["is:", "sort:", *(f"{each}:" for each in TEXTS), *(f"{each}:>=" for each in NUMBERS)]
        found = [each for each in starts if bare and each.startswith(bare)]
    return [sign + each for each in found if each.lower() != bare]


def explain_picture_words() -> list[tuple[str, str]]:
    """Every word of the filter line with what it means, as a help shows them."""
    return [
        *((f"{name}:>=…", each.about) for name, each in NUMBERS.items()),
        *((f"{name}:…", each.about) for name, each in TEXTS.items()),
        *(
            (f"is:{name}", each.about + (" (left out otherwise)" if each.hidden else ""))
            for name, each in STATES.items()
        ),
        (f"is:{EVERYTHING}", "what is left out otherwise, too"),
        *((f"sort:{name}", about) for name, about in SORTS.items()),
    ]


def _predicate(word: str) -> Predicate:
    parts = _WORD.match(word)
    if parts is None:
        return _holds_anywhere(word)
    typed, sign, value = parts["name"].lower(), parts["sign"], parts["value"]
    name = SYNONYMS.get(typed, typed)
    if name in NUMBERS:
        return _compares(name, sign, value, word)
    if name == "date":
        return _dated(sign, value, word)
    if name in TEXTS and sign in (":", "=", ":="):
        return _text(name, sign, value, word)
    known = ["is:", "sort:", *(f"{each}:" for each in (*NUMBERS, *TEXTS, *SYNONYMS))]
    raise _not_understood(word, known, f"{typed}:")


def _compares(name: str, sign: str, value: str, word: str) -> Predicate:
    of = NUMBERS[name].of
    span = _RANGE.match(value)
    if sign in (":", "=") and span is not None and (span["low"] or span["high"]):
        low = float(span["low"]) if span["low"] else float("-inf")
        high = float(span["high"]) if span["high"] else float("inf")
        return lambda picture: (number := of(picture)) is not None and low <= number <= high
    if not _NUMBER.match(value):
        raise PictureFilterError(f"“{word}” can't be understood", f"write a number: {name}:>=4 or {name}:2..5")
    exact, compare = float(value), _COMPARES[sign.lstrip(":") or "="]
    # A strength that was counted up to, 0.1 + 0.7, is meant by 0.8, too.
    return lambda picture: (number := of(picture)) is not None and compare(round(number, DIGITS), exact)


def _dated(sign: str, value: str, word: str) -> Predicate:
    of, now = TEXTS["date"].of, time.time()
    days = {"today": now, "yesterday": now - DAY_SECONDS}
    wanted = time.strftime("%Y-%m-%d", time.localtime(days[value])) if value in days else value
    if not _DAY.match(wanted):
        raise PictureFilterError(f"“{word}” can't be understood", "write date:2026-11-21, date:2026-11 or date:today")
    compare = _COMPARES[sign.lstrip(":") or "="]
    return lambda picture: compare(of(picture)[: len(wanted)], wanted)


def _text(name: str, sign: str, value: str, word: str) -> Predicate:
    if not value:
        raise PictureFilterError(f"“{word}” can't be understood", f'write what to look for: {name}:oil or {name}:"a b"')
    of, wanted = TEXTS[name].of, value.casefold()
    if sign != ":":
        return lambda picture: of(picture).casefold() == wanted
    return lambda picture: wanted in of(picture).casefold()


def _holds_anywhere(word: str) -> Predicate:
    wanted = word.casefold()
    return lambda picture: wanted in picture.prompt.casefold() or wanted in picture.name.casefold()


def _always(_picture: Shown) -> bool:
    return True


def _not(predicate: Predicate) -> Predicate:
    return lambda picture: not predicate(picture)


_KEYS: dict[str, Callable[[Shown], tuple[object, ...] | None]] = {
    "oldest": lambda picture: (picture.t, picture.id),
    "rating": lambda picture: (-picture.rating,),
    "likeness": lambda picture: None if picture.likeness is None else (-picture.likeness,),
    "seed": lambda picture: None if picture.seed is None else (picture.seed,),
    "lora": lambda picture: (picture.lora_name, picture.strength or 0.0),
    "prompt": lambda picture: (picture.prompt.casefold(),),
}


def _sorted(newest: list[Shown], sort: str, backwards: bool) -> list[Shown]:
    of = _KEYS.get(sort)
    if of is None:
        return newest[::-1] if backwards else newest
    with_keys = [(key, picture) for picture in newest if (key := of(picture)) is not None]
    without = [picture for picture in newest if of(picture) is None] if len(with_keys) < len(newest) else []
    with_keys.sort(key=lambda pair: pair[0], reverse=backwards)
    return [picture for _, picture in with_keys] + without


def _one_of(known: Iterable[str], value: str, word: str) -> str:
    names = list(known)
    if value in names:
        return value
    raise _not_understood(word, names, value)


def _not_understood(word: str, known: list[str], value: str) -> PictureFilterError:
    begun = [name for name in known if value.strip(":") and name.startswith(value.strip(":"))]
    near = begun or difflib.get_close_matches(value, known, n=1)
    fix = f"did you mean {' or '.join(near)}?" if near else f"it may be {', '.join(known)}"
    return PictureFilterError(f"“{word}” can't be understood", fix)
