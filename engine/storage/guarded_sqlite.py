"""SQLite files that may come from anybody: no question takes endless time or memory, and ctrl+c ends each.

What a file's schema brings along is run by whoever reads it: views, triggers, virtual tables, generated columns. None
is needed here, so files with any are refused (https://www.sqlite.org/security.html). Rows without end are left to
whoever counts them.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import Any

from engine.network.deadlines import left

SILENT_SECONDS = 300.0
"""How long a question may take until its next row."""

LEAVE_SECONDS = 0.5
"""How long reading that is under way may take once nobody waits for it. A change is never given up for that."""

EVERY = 50_000
"""Instructions of SQLite's machine between two looks at the time, about a millisecond."""

ROWS_AT_ONCE = 100

_MADE_BY = re.compile(r"CREATE (TABLE|(UNIQUE )?INDEX)\s", re.IGNORECASE)
_VIRTUAL = re.compile(r"CREATE VIRTUAL\s", re.IGNORECASE)
_AS = re.compile(r"\bAS\b", re.IGNORECASE)
"""A generated column needs it."""

_SIGN = re.compile(r"[^\w\s,]")
"""What an index of more than columns has beside names and commas."""

_COMPUTED = (2, 3)
"""What ``table_xinfo`` says of a generated column."""

_AN_EXPRESSION = -2
"""What ``index_xinfo`` says of a part of an index that is no column."""


class Guarded(sqlite3.Connection):
    """A connection whose questions have an end. Use it as the ``factory`` of ``sqlite3.connect``."""

    def __init__(self, *words: Any, **more: Any) -> None:
        super().__init__(*words, **more)
        self._gone = left()
        self._since = time.monotonic()
        self._why = ""
        self.set_progress_handler(self._look, EVERY)
        super().execute("PRAGMA trusted_schema=OFF").close()
        super().execute("PRAGMA cell_size_check=ON").close()

    def holds_to(self, longest_value: int) -> None:
        """No text, blob or row may have more bytes."""
        self.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, longest_value)

    def cursor(self, factory: Any = None) -> Any:
        """A cursor that is guarded."""
        return super().cursor(factory or GuardedCursor)

    def execute(self, *words: Any) -> Any:
        """As ``sqlite3`` has it, which makes cursors of its own kind here."""
        return self.cursor().execute(*words)

    def executemany(self, *words: Any) -> Any:
        """As ``execute``."""
        return self.cursor().executemany(*words)

    def begin(self) -> None:
        """A question is asked, or its next row."""
        self._since, self._why = time.monotonic(), ""

    def told(self, error: sqlite3.OperationalError) -> BaseException:
        """What it means that a question was ended: KeyboardInterrupt where it was ctrl+c, whose exception SQLite
        swallows."""
        if getattr(error, "sqlite_errorname", "") != "SQLITE_INTERRUPT":
            return error
        return sqlite3.OperationalError(self._why) if self._why else KeyboardInterrupt()

    def _look(self) -> int:
        """Asked by SQLite: anything but 0 ends the question. Python hears an interrupt when it begins."""
        took = time.monotonic() - self._since
        if took > SILENT_SECONDS:
            self._why = f"a query took longer than {SILENT_SECONDS:g} s"
        elif took > LEAVE_SECONDS and self._gone.is_set() and not self.in_transaction:
            self._why = "it was left"
        return 1 if self._why else 0


class GuardedCursor(sqlite3.Cursor):
    """A cursor of a ``Guarded`` connection."""

    connection: Guarded

    def execute(self, *words: Any) -> Any:
        """As ``sqlite3`` has it."""
        return self._timed(super().execute, *words)

    def executemany(self, *words: Any) -> Any:
        """As ``sqlite3`` has it."""
        return self._timed(super().executemany, *words)

    def fetchone(self) -> Any:
        """As ``sqlite3`` has it."""
        return self._timed(super().fetchone)

    def fetchmany(self, size: int | None = None) -> Any:
        """At most ``ROWS_AT_ONCE`` rows; none where there are no more."""
        return self._timed(super().fetchmany, min(size or self.arraysize, ROWS_AT_ONCE))

    def fetchall(self) -> Any:
        """As ``sqlite3`` has it."""
        return self._timed(super().fetchall)

    def _timed(self, ask: Callable[..., Any], *words: Any) -> Any:
        """Asks; raises KeyboardInterrupt where ctrl+c ended the question, OperationalError where its time was over."""
        self.connection.begin()
        try:
            return ask(*words)
        except sqlite3.OperationalError as error:
            raise self.connection.told(error) from None

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        while rows := self.fetchmany(ROWS_AT_ONCE):
            yield from rows


def brought_along(connection: sqlite3.Connection, tables: frozenset[str] | None = None) -> str | None:
    """What of a schema would be run or computed by who reads it, in words: ``the view faces``; None where nothing is.

    Args:
        connection: the database.
        tables: names (in lower case) that are looked at; None: everything is.
    """
    # A row's type is what its maker wrote; the statement is what SQLite follows.
    made = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
    some = [row for row in made if tables is None or str(row[1]).lower() in tables or str(row[2]).lower() in tables]
    for kind, name, _, statement in some:
        if statement is not None and not (isinstance(statement, str) and _MADE_BY.match(statement)):
            kind = "virtual table" if _VIRTUAL.match(str(statement)) else kind if kind in ("view", "trigger") else "odd"
            return f"the {kind} {str(name)[:60]!r}"
    # Asking for columns one table at a time takes longer than all else; most statements can't hold such a one.
    for _, name, _, statement in some:
        if statement is None or not may_compute(statement):
            continue
        for column, hidden in connection.execute("SELECT name, hidden FROM pragma_table_xinfo(?)", (name,)).fetchall():
            if hidden in _COMPUTED:
                return f"the computed column {str(column)[:60]!r}"
        for (column,) in connection.execute("SELECT cid FROM pragma_index_xinfo(?)", (name,)).fetchall():
            if column == _AN_EXPRESSION:
                return f"the computed index {str(name)[:60]!r}"
    return None


def may_compute(statement: str) -> bool:
    """Whether a table or an index may hold more than columns; most can be told by their statement alone."""
    if _AS.search(statement):
        return True
    made_by, sign = _MADE_BY.match(statement), _SIGN.search(statement.partition("(")[2])
    is_a_table = made_by is not None and made_by[1].upper() == "TABLE"
    return not is_a_table and (sign is None or sign[0] != ")")
