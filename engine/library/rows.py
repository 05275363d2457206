"""Faces as PhotoPrism's index holds them, with what the drivers return made plain."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, func, select

from engine.errors import LibraryError
from engine.library.schema import CONFIRMED, Schema

AT_ONCE = 1000
"""Rows that are held at a time while a query is read: a library may have millions."""

LONGEST_TEXT = 5000
"""Letters that are taken of a name or path; no system has paths of more."""

MOST_MEMORY = 1_000_000_000
"""Bytes that the faces of one person may take: some 800,000 of them."""

A_ROW = 1000
"""Bytes that a face takes beside its longer texts."""

_DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)

FOLDER_ROOT = "folder"
"""The ``file_root`` of a photo in a plain folder that has no index."""


@dataclass(frozen=True)
class LibraryFace:
    """One face marker of a person, with its file and photo."""

    marker_uid: str
    person_uid: str
    person: str
    box: tuple[float, float, float, float]
    """x, y, w, h in fractions of the upright picture, origin top left; x + w may pass 1."""
    confirmed: bool
    """Whether a person said so; else PhotoPrism matched it."""
    file_uid: str
    file_root: str
    """``/`` originals, ``sidecar``, ``import``, ``examples``; ``FOLDER_ROOT`` in a plain folder."""
    file_name: str
    """Relative to its root."""
    file_width: int | None
    """Pixels of the upright picture, as indexed; None where the index has none."""
    file_height: int | None
    photo_uid: str
    taken_at: str | None
    """``2019-06-02 15:58:24``, in the photo's own time where the index has it."""
    neighbours: int
    """Other faces in the same picture."""
    file_hash: str = ""
    """SHA-1 of the file's bytes in hex, as indexed; empty where the library has none."""
    file_size: int | None = None
    """Bytes of the file, as indexed."""


@dataclass(frozen=True)
class Marker:
    """A face on a file, whoever it is."""

    marker_uid: str
    file_uid: str
    box: tuple[float, float, float, float]


_Row = TypeVar("_Row", LibraryFace, Marker)


def bounded(rows: Iterator[_Row]) -> Iterator[_Row]:
    """The same rows. Raises LibraryError once they would take more memory than any person's faces do."""
    room = MOST_MEMORY
    for row in rows:
        room -= A_ROW + len(row.marker_uid) + len(row.file_uid)
        if isinstance(row, LibraryFace):
            room -= len(row.person_uid) + len(row.person) + len(row.file_root) + len(row.file_name)
            room -= len(row.photo_uid) + len(row.file_hash)
        if room < 0:
            raise LibraryError(
                "the library tells of more faces of one person than fit into the memory", "give PhotoPrism's own index"
            )
        yield row


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


def text_of(value: object) -> str:
    """A text column's value: PyMySQL returns bytes for VARBINARY, and SQLite's numeric affinity for that type
    turns ``2019`` into an integer. No more than ``LONGEST_TEXT`` of it is taken."""
    some = value[: 4 * LONGEST_TEXT] if isinstance(value, (bytes, bytearray, memoryview)) else value
    return whole_text(some)[:LONGEST_TEXT]


def whole_text(value: object) -> str:
    """The same, however long it is."""
    if value is None:
        return ""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "replace")
    return str(value)


def well_formed(text: str) -> str:
    """A text without halves of characters (lone surrogates), which JSON can hold and neither a database nor a terminal
    can be given."""
    return text.encode("utf-8", "replace").decode()


def date_of(value: object) -> str | None:
    """A date column's value as ``YYYY-MM-DD HH:MM:SS``; None for none and for the zero dates of both databases."""
    if isinstance(value, datetime):
        text = value.isoformat(sep=" ")
    elif isinstance(value, date):
        text = f"{value.isoformat()} 00:00:00"
    else:
        text = text_of(value).replace("T", " ")
    text = text[:19]
    if len(text) == 10:
        text += " 00:00:00"
    return text if _DATE.fullmatch(text) and text > "0002" else None


def box_of(row: Any) -> tuple[float, float, float, float]:
    """A marker's x, y, w, h. Where one of them is no number it is a box without area, which no face can be cut from."""
    try:
        x, y, w, h = (float(each) for each in (row.x, row.y, row.w, row.h))
    except (TypeError, ValueError):
        return NOWHERE
    return (x, y, w, h) if all(map(math.isfinite, (x, y, w, h))) else NOWHERE


NOWHERE = (0.0, 0.0, 0.0, 0.0)


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
