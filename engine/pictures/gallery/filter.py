"""The filter line over pictures: ``rating:>=4 lora:jx265-000008 -is:rejected sort:likeness oil``.

Words stand beside each other and all must hold; a leading ``-`` turns one round; any other word is looked for in the
prompt and in the file's name. What a word can say is in ``engine.pictures.gallery.filter_fields``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from engine.filter_line import (
    COMPARES,
    Clause,
    FilterError,
    clause_of,
    completions_of,
    found_as_typed,
    not_understood,
    number_test,
    one_of,
    words_of,
)
from engine.pictures.gallery.filter_fields import EVERYTHING, NUMBERS, SORTS, STATES, SYNONYMS, TEXTS
from engine.pictures.gallery.rows import Shown

Predicate = Callable[[Shown], bool]

_DAY = re.compile(r"^\d{4}(?:-\d{2}(?:-\d{2})?)?$", re.ASCII)

DIGITS = 6
"""After the point, to which numbers are compared."""

DAY_SECONDS = 86_400


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
        FilterError: names the word, where it stands, and what it could be instead.
    """
    predicates: list[Predicate] = []
    named: set[str] = set()
    sort, backwards = "newest", False
    for word in words_of(line):
        bare = word.bare
        try:
            if bare.lower().startswith("sort:"):
                sort, backwards = one_of(SORTS, bare[5:].lower(), bare), word.negated
                continue
            if bare.lower().startswith("is:"):
                state = one_of([*STATES, EVERYTHING], bare[3:].lower(), bare)
                named.add(state)
                predicate = STATES[state].of if state in STATES else _always
            else:
                predicate = _predicate(bare)
        except FilterError as error:
            raise FilterError(error.what, error.fix, word.start, word.end) from error
        predicates.append(_not(predicate) if word.negated and predicate is not _always else predicate)
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
        FilterError: a word is not understood, and is not the beginning of one that can.
    """
    hints = picture_completions(line, known)
    return found_as_typed(line, hints, lambda typed: read_picture_filter(typed)(pictures))


def picture_completions(line: str, known: Iterable[str] = ()) -> list[str]:
    """What the last word of a line could become, best first; nothing after a space or where it is whole."""

    def could_become(word: str) -> Iterator[str]:
        name, colon, typed = word.partition(":")
        if colon:
            values: Iterable[str] = {"is": [*STATES, EVERYTHING], "sort": SORTS, "date": ("today", "yesterday")}.get(
                name, ("base", *sorted(known)) if SYNONYMS.get(name, name) == "lora" else ()
            )
            yield from (f"{name}:{value}" for value in values if value.lower().startswith(typed))
        elif word:
            starts = ["is:", "sort:", *(f"{each}:" for each in TEXTS), *(f"{each}:>=" for each in NUMBERS)]
            yield from (each for each in starts if each.startswith(word))

    return completions_of(line, could_become)


def explain_picture_words() -> list[tuple[str, str]]:
    """Every word of the filter line with what it means, as a help shows them."""
    return [
        *((f"{name}:>=…", each.about) for name, each in NUMBERS.items()),
        *((f"{name}:…", each.about) for name, each in TEXTS.items()),
        *(
            (f"is:{name}", each.about + (" (normally left out)" if each.hidden else ""))
            for name, each in STATES.items()
        ),
        (f"is:{EVERYTHING}", "also what is normally left out"),
        *((f"sort:{name}", about) for name, about in SORTS.items()),
    ]


def _predicate(word: str) -> Predicate:
    clause = clause_of(word)
    if clause is None:
        return _holds_anywhere(word)
    name = SYNONYMS.get(clause.name, clause.name)
    if name in NUMBERS:
        return _compared(name, clause, word)
    if name == "date":
        return _dated(clause, word)
    if name in TEXTS and clause.sign in ":=":
        return _text(name, clause, word)
    known = ["is:", "sort:", *(f"{each}:" for each in (*NUMBERS, *TEXTS, *SYNONYMS))]
    raise not_understood(word, known, f"{clause.name}:")


def _compared(name: str, clause: Clause, word: str) -> Predicate:
    of, holds = NUMBERS[name].of, number_test(clause, word, f"{name}:>=4 or {name}:2..5")
    # A strength that was counted up to, 0.1 + 0.7, is meant by 0.8, too.
    return lambda picture: (number := of(picture)) is not None and bool(holds(round(number, DIGITS)))


def _dated(clause: Clause, word: str) -> Predicate:
    of, now = TEXTS["date"].of, time.time()
    days = {"today": now, "yesterday": now - DAY_SECONDS}
    value, compare = clause.value, COMPARES[clause.sign]
    wanted = time.strftime("%Y-%m-%d", time.localtime(days[value])) if value in days else value
    if not _DAY.match(wanted):
        raise FilterError(f"“{word}” is not understood", "write date:2026-11-21, date:2026-11 or date:today")
    return lambda picture: bool(compare(of(picture)[: len(wanted)], wanted))


def _text(name: str, clause: Clause, word: str) -> Predicate:
    if not clause.value:
        raise FilterError(f"“{word}” is not understood", f'write what to search for: {name}:oil or {name}:"a b"')
    of, wanted = TEXTS[name].of, clause.value.casefold()
    if clause.sign == "=":
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
