"""The project's own SQLite: one file, write-ahead log, every change durable before the call returns.

This module knows tables and transactions only. What the rows mean lives with each feature: faces and decisions in
``engine.faces.records.decisions``, prompts in ``engine.prompts.store``, the painter's queue in
``engine.pictures.orders.queue``.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from engine.errors import ProjectError
from engine.storage.backups import keep_copy
from engine.storage.guarded_sqlite import Guarded, brought_along
from engine.storage.migrations import MIGRATIONS, apply
from engine.storage.os_errors import explained
from engine.storage.project_paths import ProjectPaths

WAIT_SECONDS = 30.0
"""How long another process may hold the database."""

LONGEST_VALUE = 32_000_000
"""Bytes of a value; the largest of ours is a grid's plan."""


class Store:
    """An open project database. One object belongs to one thread.

    A database of an older version is brought up to date after a copy was put beside it.

    Raises:
        ProjectError: the file is not a database, or a newer Limner made it; then it is left as it is.
        DiskFull: there is no room for what opening writes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.paths = ProjectPaths(path.resolve().parent)
        """How paths are kept in it."""
        with explained(path):
            self.connection = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None, factory=Guarded)
            try:
                self.connection.holds_to(LONGEST_VALUE)
                self.connection.row_factory = sqlite3.Row
                if brought := brought_along(self.connection):
                    raise _somebody_elses(path, brought)
                if (applied := self._applied()) > len(MIGRATIONS):
                    self._leave_untouched()
                    raise _newer(path, applied)
                self._write_ahead()
                for pragma in ("synchronous=FULL", "foreign_keys=ON"):
                    self.connection.execute(f"PRAGMA {pragma}")
                if self._applied() != len(MIGRATIONS):
                    self._migrate()
            except BaseException:
                self.connection.close()
                raise

    def close(self) -> None:
        """Closes the database; everything was saved already."""
        self.connection.close()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it is on disk when the ``with`` ends, or none of it is.

        Raises:
            DiskFull: there is no room for it.
            ProjectError: another program holds the database.
        """
        with explained(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                # A full disk may have ended it already, and a COMMIT that failed has not.
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """The rows of a query."""
        rows: list[sqlite3.Row] = self.connection.execute(query, values).fetchall()
        return rows

    def version(self) -> int:
        """A number that grows whenever another connection changed the database (SQLite's data_version)."""
        return int(self.connection.execute("PRAGMA data_version").fetchone()[0])

    def _write_ahead(self) -> None:
        """Switches a new database over. Where two do that at once SQLite refuses one without waiting."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                self.connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _applied(self) -> int:
        return int(self.connection.execute("PRAGMA user_version").fetchone()[0])

    def _leave_untouched(self) -> None:
        """Closes without the checkpoint that the last one to close would make: a reader outlives us.

        The file is never opened by other means than SQLite's: closing such a handle would drop all locks that this
        process has on it (https://www.sqlite.org/howtocorrupt.html, 2.2).
        """
        with closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)) as reader:
            reader.execute("PRAGMA user_version").fetchone()
            self.connection.close()

    def _migrate(self) -> None:
        with self.change() as connection:
            # Asked again: another process may have done it while this one waited.
            applied = self._applied()
            if applied > len(MIGRATIONS):
                raise _newer(self.path, applied)
            if 0 < applied < len(MIGRATIONS):
                keep_copy(self.path, applied)
            for migration in MIGRATIONS[applied:]:
                apply(migration, connection, self.paths.root)
            connection.execute(f"PRAGMA user_version={len(MIGRATIONS)}")


def _somebody_elses(path: Path, brought: str) -> ProjectError:
    return ProjectError(
        f"{path} holds {brought[:100]}, which Limner never creates and which could run forever",
        "don't trust its sender; restore a copy of your own",
    )


def _newer(path: Path, applied: int) -> ProjectError:
    return ProjectError(
        f"{path} was made by a newer Limner (its version is {applied}, this one knows {len(MIGRATIONS)})",
        "update Limner; the project was left as it is",
    )
