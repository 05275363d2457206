"""Faces as PhotoPrism's index holds them, with what the drivers return made plain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, func, select

from engine.library.faces import LibraryFace, Marker
from engine.library.photoprism_sql.schema import Schema
from engine.library.photoprism_terms import CONFIRMED
from engine.library.values import box_of, date_of, text_of

AT_ONCE = 1000
"""Rows that are held at a time while a query is read: a library may have millions."""


def read_markers(connection: Connection, schema: Schema, person_uid: str) -> Iterator[Marker]:
    """All valid faces of every file that holds one of a person."""
    m = schema.markers
    own = m.alias("own")
    files = select(own.c.file_uid).where(own.c.subj_uid == person_uid, own.c.marker_type == "face")
    valid = [m.c.marker_invalid == 0] if schema.has(m, "marker_invalid") else []
    query = select(m.c.marker_uid, m.c.file_uid, m.c.x, m.c.y, m.c.w, m.c.h)
    query = query.where(m.c.file_uid.in_(files), m.c.marker_type == "face", m.c.w > 0, m.c.h > 0, *valid)
    for row in connection.execute(query, execution_options={"yield_per": AT_ONCE}):
        yield Marker(text_of(row.marker_uid), text_of(row.file_uid), box_of(row))


def read_faces(connection: Connection, schema: Schema, person_uid: str, private: bool) -> Iterator[LibraryFace]:
    """The faces of a person, oldest first: the same query for MariaDB and SQLite. A marker without an id can't be told
    from others and is left out."""
    m, s, f, p = schema.markers, schema.subjects, schema.files, schema.photos
    other = m.alias("other")
    valid = [other.c.marker_invalid == 0] if schema.has(m, "marker_invalid") else []
    neighbours = (
        select(func.count())
        .select_from(other)
        .where(other.c.file_uid == m.c.file_uid, other.c.marker_type == "face", *valid)
        .where(other.c.marker_uid != m.c.marker_uid)
        .scalar_subquery()
    )
    columns = (
        *(m.c.marker_uid, m.c.subj_src, m.c.x, m.c.y, m.c.w, m.c.h),
        *(s.c.subj_uid, s.c.subj_name, f.c.file_uid, f.c.file_root, f.c.file_name, f.c.file_width, f.c.file_height),
        *(schema.value(f, "file_hash"), schema.value(f, "file_size")),
        *(p.c.photo_uid, p.c.taken_at, schema.value(p, "taken_at_local"), neighbours.label("neighbours")),
    )
    query = schema.faces_of_people(select(*columns), private).where(s.c.subj_uid == person_uid)
    query = query.order_by(p.c.taken_at, m.c.marker_uid)
    for row in connection.execute(query, execution_options={"yield_per": AT_ONCE}):
        if row.marker_uid:
            yield _face(row)


def _pixels(value: object) -> int | None:
    """A width or height; None for none, and for what is no number of pixels."""
    pixels = _whole(value)
    return pixels if pixels and pixels < 2**31 else None


def _whole(value: object) -> int | None:
    """A number above 0; None for what is none."""
    try:
        number = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number > 0 else None


def _face(row: Row[Any]) -> LibraryFace:
    return LibraryFace(
        marker_uid=text_of(row.marker_uid),
        person_uid=text_of(row.subj_uid),
        person=text_of(row.subj_name),
        box=box_of(row),
        confirmed=text_of(row.subj_src) in CONFIRMED,
        file_uid=text_of(row.file_uid),
        file_root=text_of(row.file_root),
        file_name=text_of(row.file_name),
        file_width=_pixels(row.file_width),
        file_height=_pixels(row.file_height),
        photo_uid=text_of(row.photo_uid),
        taken_at=date_of(row.taken_at_local) or date_of(row.taken_at),
        neighbours=int(row.neighbours),
        file_hash=text_of(row.file_hash).lower(),
        file_size=_whole(row.file_size),
    )
