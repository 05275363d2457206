"""PhotoPrism's tables as they are here: columns differ by release, so they are asked for, never assumed.

Names: PhotoPrism's ``internal/entity`` (``marker.go``, ``subject.go``, ``file.go``, ``photo.go``).
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    column,
    func,
    inspect,
    literal_column,
    null,
    or_,
    select,
    table,
)
from sqlalchemy.sql.selectable import TableClause

from engine.errors import NotALibrary
from engine.storage.guarded_sqlite import brought_along

NEEDED: dict[str, frozenset[str]] = {
    "markers": frozenset({"marker_uid", "file_uid", "marker_type", "subj_uid", "subj_src", "x", "y", "w", "h"}),
    "subjects": frozenset({"subj_uid", "subj_type", "subj_name"}),
    "files": frozenset({"id", "photo_id", "file_uid", "file_name", "file_root", "file_width", "file_height"}),
    "photos": frozenset({"id", "photo_uid", "taken_at"}),
}
"""What can't be done without; every other column is left out where a release lacks it."""


@dataclass(frozen=True)
class Schema:
    """The four tables with the columns that are really there."""

    markers: TableClause
    subjects: TableClause
    files: TableClause
    photos: TableClause
    tables: frozenset[str]
    """The names of all tables of the database."""

    def has(self, source: TableClause, name: str) -> bool:
        """Whether a table has a column."""
        return name in source.c

    def value(self, source: TableClause, name: str) -> ColumnElement[Any]:
        """A column under its own name, or NULL under that name where this release has none."""
        return source.c[name] if name in source.c else null().label(name)

    def joined(self) -> FromClause:
        """Markers with their person, file and photo: PhotoPrism's own join for a person's cover."""
        m, s, f, p = self.markers, self.subjects, self.files, self.photos
        return (
            m.join(s, and_(s.c.subj_uid == m.c.subj_uid, *self._alive(s)))
            .join(f, and_(f.c.file_uid == m.c.file_uid, *self._alive(f), *self._usable_file()))
            .join(p, and_(p.c.id == f.c.photo_id, *self._alive(p), *self._least(p, "photo_quality", 0)))
        )

    def faces_of_people(self, query: Select[Any], private: bool) -> Select[Any]:
        """The query over ``joined``, of valid faces of visible people; private photos only where asked for."""
        m, s, p = self.markers, self.subjects, self.photos
        conditions = [m.c.marker_type == "face", m.c.w > 0, m.c.h > 0, s.c.subj_type == "person"]
        conditions += [*self._zero(m, "marker_invalid"), *self._zero(s, "subj_hidden")]
        if not private:
            conditions += self._zero(p, "photo_private")
        return query.select_from(self.joined()).where(*conditions)

    def _usable_file(self) -> list[ColumnElement[bool]]:
        f = self.files
        errors = [or_(f.c.file_error.is_(None), f.c.file_error == "")] if "file_error" in f.c else []
        return [*self._zero(f, "file_missing"), *errors]

    def _alive(self, source: TableClause) -> list[ColumnElement[bool]]:
        return [source.c.deleted_at.is_(None)] if "deleted_at" in source.c else []

    def _zero(self, source: TableClause, name: str) -> list[ColumnElement[bool]]:
        return [source.c[name] == 0] if name in source.c else []

    def _least(self, source: TableClause, name: str, least: int) -> list[ColumnElement[bool]]:
        return [source.c[name] >= least] if name in source.c else []


def read_schema(connection: Connection, where: str) -> Schema:
    """Asks the database which of PhotoPrism's tables and columns it has.

    Raises:
        NotALibrary: a table or a needed column is missing.
    """
    inspector = inspect(connection)
    _nothing_brought_along(connection, where)
    tables = {name.lower(): name for name in inspector.get_table_names()}
    missing = [name for name in NEEDED if name not in tables]
    if missing:
        raise NotALibrary(
            f"{where} is not PhotoPrism's index: it has no table {', '.join(missing)}",
            "check the database's name and that its user may read all tables",
        )
    found: dict[str, TableClause] = {}
    for name, needed in NEEDED.items():
        # No rows, only their names: the one question that both databases answer alike.
        nothing: Select[Any] = select(literal_column("*")).select_from(table(tables[name])).limit(0)
        answer = connection.execute(nothing)
        names = {str(each).lower() for each in tuple(answer.keys())}
        if lacking := sorted(needed - names):
            raise NotALibrary(
                f"{where} is not PhotoPrism's index: its table {name} has no {', '.join(lacking)}",
                "check the database's name, or update PhotoPrism",
            )
        found[name] = table(tables[name], *(column(each) for each in sorted(names)))
    return Schema(**found, tables=frozenset(tables))


def _nothing_brought_along(connection: Connection, where: str) -> None:
    """Raises NotALibrary where a table of an SQLite index is none that only holds rows."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        return
    try:
        brought = brought_along(driver, frozenset({*NEEDED, "versions"}))
    except sqlite3.Error as error:
        raise NotALibrary(f"{where} is not an SQLite database", "give PhotoPrism's index.db") from error
    if brought:
        raise NotALibrary(
            f"{where} is not PhotoPrism's index: it holds {brought}, which PhotoPrism never creates",
            "give the index.db in PhotoPrism's storage folder",
        )


def count_of(source: TableClause, *conditions: ColumnElement[bool]) -> Select[Any]:
    """A query for how many rows of a table fit."""
    return select(func.count()).select_from(source).where(*conditions)
