"""The filter line over faces: ``px>512 sharp>40 year:2015..2023 framing:close -is:duplicate sort:sharp``.

Words stand beside each other and all must hold; a leading ``-`` turns one round. What a word can say is in
``engine.faces.selection.filter_fields``; ``@name`` is a line that was saved under a name; anything else is looked for
in the file's name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

import numpy as np

from engine.faces.records.decisions import Face
from engine.faces.selection.face_table import FaceColumns, Flags, Rows
from engine.faces.selection.filter_fields import (
    CHOICE_ABOUT,
    CHOICES,
    COMPUTED_NUMBERS,
    COMPUTED_STATES,
    GROUPS,
    HIDDEN,
    NUMBERS,
    SORTS,
    STATES,
)
from engine.filter_line import (
    FilterError,
    clause_of,
    completions_of,
    found_as_typed,
    not_understood,
    number_test,
    one_of,
    words_of,
)
from engine.library.spelling import folded

Predicate = Callable[[FaceColumns], Flags]

NUMBER_NAMES: dict[str, str] = {**{name: each.about for name, each in NUMBERS.items()}, **COMPUTED_NUMBERS}
STATE_NAMES: dict[str, str] = {**{name: each.about for name, each in STATES.items()}, **COMPUTED_STATES}


@dataclass(frozen=True)
class Filter:
    """A filter line that was understood."""

    predicates: tuple[Predicate, ...] = ()
    sort: str | None = None
    backwards: bool = False
    group: str | None = None
    hidden: bool = False
    """Whether faces are shown, too, that are gone from the library: the line names them."""

    def __call__(self, columns: FaceColumns) -> Selection:
        """The faces that fit, in the order asked for, else in the order given."""
        fits = np.ones(len(columns), bool) if self.hidden else ~columns.states[HIDDEN]
        for holds in self.predicates:
            fits &= holds(columns)
        if self.sort is None:
            rows = np.flatnonzero(fits)
        else:
            order = columns.order(self.sort)
            rows = order[fits[order]]
            rows = rows[::-1] if self.backwards else rows
        if self.group is None:
            return Selection(columns, rows)
        rows, heads = _grouped(columns, rows, self.group)
        return Selection(columns, rows, heads)


@dataclass(frozen=True, eq=False)
class Selection(Sequence[Face]):
    """Some of the faces, looked up when they are asked for: a hundred thousand cost nothing."""

    columns: FaceColumns
    rows: Rows
    heads: Mapping[int, str] = field(default_factory=dict)
    """Where the list is grouped: the label of each group, by its first face's number."""

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Face: ...
    @overload
    def __getitem__(self, index: slice) -> list[Face]: ...
    def __getitem__(self, index: int | slice) -> Face | list[Face]:
        faces = self.columns.faces
        return [faces[row] for row in self.rows[index]] if isinstance(index, slice) else faces[int(self.rows[index])]

    def place(self, face_id: int) -> int | None:
        """Where a face stands in this selection; None where it is not in it."""
        row = self.columns.row(face_id)
        if row is None:
            return None
        found = np.flatnonzero(self.rows == row)
        return int(found[0]) if found.size else None


def select(faces: Iterable[Face], line: str, saved: Mapping[str, str] | None = None) -> list[Face]:
    """The faces that a filter line selects. Raises FilterError, naming the word that is not understood."""
    understood = read_filter(line, saved)
    return list(understood(FaceColumns(list(faces))))


def read_filter(line: str, saved: Mapping[str, str] | None = None) -> Filter:
    """Understands a filter line; an empty one lets everything through but what is gone from the library.

    Args:
        line: what was typed.
        saved: lines by the names they were saved under, for ``@name``.

    Raises:
        FilterError: names the word, where it stands, and what it could be instead.
    """
    predicates: list[Predicate] = []
    sort, backwards, group, hidden = None, False, None, False
    for word in words_of(line):
        bare = word.bare
        try:
            if bare.lower().startswith("sort:"):
                sort, backwards = one_of(SORTS, bare[5:].lower(), bare), word.negated
                continue
            if bare.lower().startswith("group:"):
                group = one_of(GROUPS, bare[6:].lower(), bare)
                continue
            if bare.startswith("@"):
                inner = _saved(bare, saved or {})
                predicate, hidden = _all_of(inner), hidden or inner.hidden
            else:
                predicate, hidden = _predicate(bare), hidden or bare.lower() == f"is:{HIDDEN}"
        except FilterError as error:
            raise FilterError(error.what, error.fix, word.start, word.end) from error
        predicates.append(_not(predicate) if word.negated else predicate)
    return Filter(tuple(predicates), sort, backwards, group, hidden)


def filter_as_typed(
    line: str, columns: FaceColumns, saved: Mapping[str, str] | None = None
) -> tuple[Selection, list[str]]:
    """Filters by a line that is still being typed: a last word that is only begun does not count yet.

    Returns:
        The faces, and what the last word could become.

    Raises:
        FilterError: a word is not understood, and is not the beginning of one that can.
    """
    return found_as_typed(line, completions(line, saved or ()), lambda typed: read_filter(typed, saved)(columns))


def completions(line: str, saved: Iterable[str] = ()) -> list[str]:
    """What the last word of a line could become, best first; nothing after a space or where it is whole."""

    def could_become(word: str) -> Iterator[str]:
        name, colon, typed = word.partition(":")
        if colon:
            values: Iterable[str] = {"is": STATE_NAMES, "sort": SORTS, "group": GROUPS, **CHOICES}.get(name, ())
            yield from (f"{name}:{value}" for value in values if value.startswith(typed))
        elif word.startswith("@"):
            yield from (f"@{each}" for each in saved if each.lower().startswith(word[1:]))
        elif word:
            names = [f"{each}:" for each in ("is", "sort", "group", *CHOICES)]
            yield from (each for each in [*names, *(f"{each}>" for each in NUMBER_NAMES)] if each.startswith(word))

    return completions_of(line, could_become)


def explain() -> list[tuple[str, str]]:
    """Every word of the filter line with what it means, as a help shows them."""
    return [
        *((f"{name}>…", about) for name, about in NUMBER_NAMES.items()),
        *((f"is:{name}", about) for name, about in STATE_NAMES.items()),
        *((f"{name}:{value}", CHOICE_ABOUT[name]) for name, values in CHOICES.items() for value in values),
        *((f"sort:{name}", about) for name, about in SORTS.items()),
        *((f"group:{name}", about) for name, about in GROUPS.items()),
    ]


def _predicate(word: str) -> Predicate:
    clause = clause_of(word)
    if clause is None:
        return _name_holds(word)
    name, sign, value = clause.name, clause.sign, clause.value.lower()
    if name == "is" and sign == ":":
        state = one_of(STATE_NAMES, value, word)
        return lambda columns: columns.states[state]
    if name == "light" and sign == ":" and value in CHOICES["lit"]:
        name = "lit"
    if name in CHOICES and sign in ":=":
        choice = one_of(CHOICES[name], value, word)
        return lambda columns: columns.choice(name, choice)
    if name in NUMBER_NAMES:
        holds = number_test(clause, word, f"{name}>512 or {name}:10..20")
        return lambda columns: np.asarray(holds(columns.numbers[name]), bool)
    known = [f"{each}:" for each in ("is", "sort", "group", *CHOICES, *NUMBER_NAMES)]
    raise not_understood(word, known, f"{name}:")


def _saved(word: str, saved: Mapping[str, str]) -> Filter:
    line = saved[one_of(saved, word[1:], word)]
    return read_filter(line, {name: each for name, each in saved.items() if name != word[1:]})


def _all_of(inner: Filter) -> Predicate:
    def holds(columns: FaceColumns) -> Flags:
        fits = np.ones(len(columns), bool)
        for predicate in inner.predicates:
            fits &= predicate(columns)
        return fits

    return holds


def _name_holds(word: str) -> Predicate:
    wanted = folded(word)
    return lambda columns: np.array([wanted in name for name in columns.names], bool)


def _not(predicate: Predicate) -> Predicate:
    return lambda columns: ~predicate(columns)


def _grouped(columns: FaceColumns, rows: Rows, name: str) -> tuple[Rows, dict[int, str]]:
    """The rows brought together by group, groups in the order in which they first come; and a label for each."""
    keys = columns.group(name)[rows]
    _, first, which, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(first[which], kind="stable")
    starts = np.flatnonzero(np.diff(first[which][order], prepend=-1))
    rows, which = rows[order], which[order]
    heads: dict[int, str] = {}
    for start in starts:
        face, count = columns.faces[rows[start]], int(counts[which[start]])
        heads[face.id] = f"{_group_label(columns, face, name)} · {count:,}"
    return rows, heads


def _group_label(columns: FaceColumns, face: Face, name: str) -> str:
    if name == "burst":
        return "burst" if face.measures.relations and face.measures.relations.burst else "no burst"
    if name == "framing":
        place = columns.choices["framing"][columns.row(face.id) or 0]
        return CHOICES["framing"][place] if place >= 0 else "can't be used"
    return ((face.taken_at or "")[: 10 if name == "day" else 4]) or "no date"
