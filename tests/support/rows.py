"""Tables of tests: a row of each kind is run each time, the others by ``make test-long``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

import pytest
from _pytest.mark.structures import ParameterSet

Value = TypeVar("Value")


def usual(
    values: Iterable[Value], each_time: int | Collection[Value], name: Callable[[Value], str] | None = None
) -> list[ParameterSet]:
    """Rows for ``pytest.mark.parametrize``.

    Args:
        values: all rows, of one value each.
        each_time: those that ``make test`` runs, or how many from the first on.
        name: what a row is called; left out: pytest's own.
    """
    rows = list(values)
    chosen = rows[:each_time] if isinstance(each_time, int) else each_time
    return [
        pytest.param(
            value,
            marks=() if value in chosen else pytest.mark.long,
            **({} if name is None else {"id": name(value)}),
        )
        for value in rows
    ]
