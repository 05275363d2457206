"""The tables of what is known of faces: what the library told, what was measured, what comparing found."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.faces.photo.geometry import Box
from engine.faces.records.measurements import NOT_MEASURED, FaceQuality, FaceRelations, Measures
from engine.storage.database import Store
from engine.storage.untrusted_files import parse_json

VERSION = "2"
"""Grows whenever measuring changes its meaning; what an older one measured is measured again."""

TABLES = "faces" + "".join(f" LEFT JOIN {name} USING (marker_uid)" for name in ("seen", "measures", "kin"))
"""The faces with all that is known of each."""

MEASURES = (
    "marker_uid, stamp, sharp, light, contrast, clipped, crushed, photo_hash, face_hash, yaw, mirrored_hash, others"
)
KIN = "marker_uid, burst, burst_size, burst_best, copy_of, distance, wrong, kin_space, mirrored"
"""The columns of these tables."""


@dataclass(frozen=True)
class Seen:
    """What the library knows of a face besides its box."""

    marker_uid: str
    neighbours: tuple[Box, ...] = ()
    """The other faces in the same photo."""
    space: str | None = None
    """Names what the embedding can be compared with; None: there is none."""
    embedding: bytes | None = None
    """Unit length, float16, little-endian."""


class MeasuredFaces:
    """What was measured of a project's faces, in its database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def take_in(self, seen: Iterable[Seen]) -> None:
        """Keeps what the library told. An embedding that is there stays where the library gives none now."""
        rows = [(each.marker_uid, _boxes(each.neighbours), each.space, each.embedding) for each in seen]
        with self._store.change() as change:
            change.executemany(
                "INSERT INTO seen (marker_uid, neighbours, space, embedding) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (marker_uid) DO UPDATE SET neighbours = excluded.neighbours,"
                " space = coalesce(excluded.space, space), embedding = coalesce(excluded.embedding, embedding)",
                rows,
            )

    def with_embedding(self) -> frozenset[str]:
        """The markers whose embedding is there already."""
        rows = self._store.rows("SELECT marker_uid FROM seen WHERE embedding IS NOT NULL")
        return frozenset(row["marker_uid"] for row in rows)

    def embeddings(self, markers: Sequence[str]) -> dict[str, tuple[str, bytes]]:
        """Space and embedding of those of the markers that have one."""
        wanted = set(markers)
        rows = self._store.rows("SELECT marker_uid, space, embedding FROM seen WHERE embedding IS NOT NULL")
        return {row["marker_uid"]: (row["space"], row["embedding"]) for row in rows if row["marker_uid"] in wanted}

    def stamps(self) -> dict[str, str]:
        """What each face was measured on: another stamp is to be measured anew."""
        return {row["marker_uid"]: row["stamp"] for row in self._store.rows("SELECT marker_uid, stamp FROM measures")}

    def save(self, measured: Iterable[tuple[str, str, FaceQuality]]) -> None:
        """Keeps what was measured: marker, stamp, measures."""
        rows = [(marker, stamp, *_values(quality)) for marker, stamp, quality in measured]
        with self._store.change() as change:
            change.executemany(
                f"INSERT OR REPLACE INTO measures ({MEASURES}) VALUES ({', '.join('?' * 12)})",
                rows,
            )

    def save_kin(self, relations: Mapping[str, FaceRelations]) -> None:
        """Keeps what comparing found; replaces what was known of these faces."""
        rows = [
            (
                *(marker, each.burst, each.burst_size, each.burst_best, each.copy_of),
                *(each.distance, each.wrong, each.space, each.mirrored),
            )
            for marker, each in relations.items()
        ]
        with self._store.change() as change:
            change.executemany(f"INSERT OR REPLACE INTO kin ({KIN}) VALUES ({', '.join('?' * 9)})", rows)

    def identities(self) -> dict[str, tuple[str, str, bytes | None]]:
        """What our own network said of faces, by marker: the stamp of what it looked at, its space, and the embedding;
        None where it found no face in the box."""
        rows = self._store.rows("SELECT marker_uid, stamp, space, embedding FROM identities")
        return {row["marker_uid"]: (row["stamp"], row["space"], row["embedding"]) for row in rows}

    def save_identities(self, found: Iterable[tuple[str, str, str, bytes | None]]) -> None:
        """Keeps what our own network said: marker, stamp, space, embedding."""
        with self._store.change() as change:
            change.executemany("INSERT OR REPLACE INTO identities VALUES (?, ?, ?, ?)", list(found))

    def forget(self) -> None:
        """Lets everything be measured again."""
        with self._store.change() as change:
            change.execute("DELETE FROM measures")
            change.execute("DELETE FROM kin")
            change.execute("DELETE FROM identities")


def stamp_of(path: Path, box: Box) -> str:
    """Changes when the photo's file or the face's box does."""
    try:
        status = path.stat()
        file = f"{status.st_size} {status.st_mtime_ns}"
    except OSError:
        file = "gone"
    return f"{VERSION} {file} {box.x:.5f} {box.y:.5f} {box.w:.5f} {box.h:.5f}"


def measures_of(row: sqlite3.Row) -> Measures:
    """The measures of a row of ``TABLES``."""
    if row["stamp"] is None and row["neighbours"] is None:
        return NOT_MEASURED
    quality = _quality(row) if row["stamp"] is not None else None
    told = _read_boxes(row["neighbours"])
    return Measures(
        quality=quality,
        neighbours=_together(told, quality.others if quality else None),
        relations=_relations(row) if row["burst_size"] is not None else None,
    )


def _together(told: tuple[Box, ...] | None, detected: tuple[Box, ...] | None) -> tuple[Box, ...] | None:
    """Other faces that the library told or that were detected, each once; None where nobody looked."""
    if told is None or detected is None:
        return told if detected is None else detected
    return (*told, *(box for box in detected if not any(box.same_face(other) for other in told)))


def _boxes(boxes: Iterable[Box]) -> str:
    return json.dumps([[box.x, box.y, box.w, box.h] for box in boxes])


def _read_boxes(text: str | None) -> tuple[Box, ...] | None:
    return None if text is None else tuple(Box(*box) for box in parse_json(text))


def _values(quality: FaceQuality) -> tuple[object, ...]:
    """In the order of the table's columns; hashes as text, for SQLite's integers have a sign."""
    numbers = (quality.sharp, quality.light, quality.contrast, quality.clipped, quality.crushed)
    mirrored = None if quality.photo_hash_mirrored is None else f"{quality.photo_hash_mirrored:064x}"
    others = None if quality.others is None else _boxes(quality.others)
    return (*numbers, f"{quality.photo_hash:064x}", f"{quality.face_hash:016x}", quality.yaw, mirrored, others)


def _quality(row: sqlite3.Row) -> FaceQuality:
    return FaceQuality(
        sharp=row["sharp"],
        light=row["light"],
        contrast=row["contrast"],
        clipped=row["clipped"],
        crushed=row["crushed"],
        photo_hash=int(row["photo_hash"], 16),
        face_hash=int(row["face_hash"], 16),
        yaw=row["yaw"],
        photo_hash_mirrored=int(row["mirrored_hash"], 16) if row["mirrored_hash"] else None,
        others=_read_boxes(row["others"]),
    )


def _relations(row: sqlite3.Row) -> FaceRelations:
    return FaceRelations(
        burst=row["burst"],
        burst_size=row["burst_size"],
        burst_best=bool(row["burst_best"]),
        copy_of=row["copy_of"],
        distance=row["distance"],
        wrong=None if row["wrong"] is None else bool(row["wrong"]),
        space=row["kin_space"],
        mirrored=bool(row["mirrored"]),
    )
