"""A plain folder of photos as a library: what was found in it lies in the project, the folder is never written to.

A job (``engine.faces.folder_scan``) looks at the photos and puts what it finds through ``FolderIndex`` into the
project's database; ``FolderLibrary`` reads it from there, and answers as the others do.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType

from engine.errors import LibraryError
from engine.library.address import LibraryAddress
from engine.library.base import Description
from engine.library.faces import FOLDER_ROOT, Embedding, LibraryFace, Marker
from engine.library.folder.index import FolderIndex
from engine.library.folder.walk import not_read, walk
from engine.library.paths import Roots
from engine.library.people import Person, find_person
from engine.library.photo_words import PhotoWords
from engine.storage.database import Store

DATABASE = "limner.db"

_FACES = """
SELECT f.uid, f.x, f.y, f.w, f.h, f.space, f.embedding, f.person_uid, s.name AS person,
       f.named_uid IS NOT NULL AS confirmed, f.caution,
       p.id AS photo_id, p.hash, p.name, p.width, p.height, p.taken_at,
       (SELECT count(*) FROM folder_faces o WHERE o.photo_id = p.id) - 1 AS neighbours
FROM folder_faces f JOIN folder_photos p ON p.id = f.photo_id JOIN folder_people s ON s.uid = f.person_uid
WHERE p.gone = 0 AND p.folder = ?
"""


class FolderLibrary:
    """An open folder. Use it in a ``with``."""

    def __init__(self, address: LibraryAddress, database: Path | None) -> None:
        assert address.path is not None
        self.address = address
        self.folder = address.path
        self.roots = Roots(plain=address.path)
        self._store = Store(database) if database is not None and database.is_file() else None

    def __enter__(self) -> FolderLibrary:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes the project's database."""
        if self._store is not None:
            self._store.close()

    def cautions(self) -> tuple[str, ...]:
        """Nothing: it lies on this machine."""
        return ()

    def describe(self) -> Description:
        """How many photos lie in the folder, how many of them nobody has looked at yet, and how many faces are known.

        Raises:
            LibraryError: the folder can't be read.
        """
        photos = list(walk(self.folder))
        known = self._index().stamps() if self._store else {}
        unseen = sum(known.get(photo.name) != photo.stamp for photo in photos)
        count = (
            "SELECT count(*) AS n FROM folder_faces f JOIN folder_photos p ON p.id = f.photo_id"
            " WHERE p.folder = ? AND p.gone = 0"
        )
        faces = int(next(iter(self._rows(count)))["n"]) if self._store else 0
        left = not_read(self.folder)
        notes = (left,) if left else ()
        return Description("a plain folder", "", len(photos), faces, kind="", unseen=unseen, notes=notes)

    def people(self) -> list[Person]:
        """Who photos name, and the other groups of faces that are one person each, most faces first. Faces that a
        photo names count as confirmed."""
        query = (
            "SELECT s.uid, s.name, count(*) AS faces, count(f.named_uid) AS confirmed,"
            " min(substr(p.taken_at, 1, 4)) AS first, max(substr(p.taken_at, 1, 4)) AS last"
            " FROM folder_people s JOIN folder_faces f ON f.person_uid = s.uid"
            " JOIN folder_photos p ON p.id = f.photo_id WHERE p.folder = ? AND p.gone = 0 GROUP BY s.uid"
        )
        found = [
            Person(
                *(row["uid"], row["name"], row["faces"], row["confirmed"]),
                *(_number(row["first"]), _number(row["last"])),
            )
            for row in self._rows(query)
        ]
        return sorted(found, key=lambda each: (-each.faces, _naturally(each.name), each.id))

    def faces(self, person: Person | str) -> Iterator[LibraryFace]:
        """The faces of a person (or of a person's id), oldest first, those without a date last."""
        uid = person if isinstance(person, str) else person.id
        order = " AND f.person_uid = ? ORDER BY p.taken_at IS NULL, p.taken_at, p.name, f.uid"
        for row in self._rows(_FACES + order, uid):
            photo = _photo_uid(row["photo_id"])
            yield LibraryFace(
                marker_uid=row["uid"],
                person_uid=row["person_uid"],
                person=row["person"],
                box=(row["x"], row["y"], row["w"], row["h"]),
                confirmed=bool(row["confirmed"]),
                file_uid=photo,
                file_root=FOLDER_ROOT,
                file_name=row["name"],
                file_width=row["width"],
                file_height=row["height"],
                photo_uid=photo,
                taken_at=row["taken_at"],
                neighbours=row["neighbours"],
                file_hash=row["hash"] or "",
                caution=row["caution"] or "",
            )

    def markers_beside(self, person: Person | str) -> Iterator[Marker]:
        """All faces of every photo that holds a face of a person."""
        uid = person if isinstance(person, str) else person.id
        query = (
            "SELECT f.uid, f.x, f.y, f.w, f.h, p.id AS photo_id FROM folder_faces f"
            " JOIN folder_photos p ON p.id = f.photo_id WHERE p.folder = ? AND p.gone = 0"
            " AND p.id IN (SELECT photo_id FROM folder_faces WHERE person_uid = ?) ORDER BY p.name, f.uid"
        )
        for row in self._rows(query, uid):
            yield Marker(row["uid"], _photo_uid(row["photo_id"]), (row["x"], row["y"], row["w"], row["h"]))

    def words(self, photos: Collection[str]) -> Iterator[PhotoWords]:
        """Nothing: a folder says nothing of its photos."""
        return iter(())

    def embeddings(self, markers: Collection[str]) -> Iterator[Embedding]:
        """The embeddings of some faces; those that have none are left out."""
        wanted = set(markers)
        for row in self._rows(_FACES + " AND f.embedding IS NOT NULL"):
            if row["uid"] in wanted:
                yield Embedding(row["uid"], row["space"], row["embedding"])

    def files(self) -> Iterator[tuple[str, str]]:
        """Root and name of every photo that holds a person's face."""
        query = (
            "SELECT DISTINCT p.name FROM folder_photos p JOIN folder_faces f ON f.photo_id = p.id"
            " WHERE p.folder = ? AND p.gone = 0 AND f.person_uid IS NOT NULL ORDER BY p.name"
        )
        for row in self._rows(query):
            yield FOLDER_ROOT, row["name"]

    def rename(self, wanted: str, name: str) -> tuple[Person, str]:
        """Gives a person, found by name or id, a name; returns who it was, and the name as it is kept.

        Raises:
            LibraryError: nobody is called so, or the name is invalid.
        """
        person = find_person(self.people(), wanted)
        self._index().rename(person, name)
        return person, " ".join(name.split())

    def merge(self, wanted: str, others: Collection[str]) -> tuple[Person, tuple[Person, ...]]:
        """Makes one person of several, the first, found by names or ids; returns the first and the others.

        Raises:
            LibraryError: nobody is called so, or one is named twice.
        """
        people = self.people()
        into, rest = find_person(people, wanted), tuple(find_person(people, each) for each in others)
        if len({into.id, *(each.id for each in rest)}) != 1 + len(rest):
            raise LibraryError("one person is given twice", "give each once")
        self._index().merge(into, rest)
        return into, rest

    def _index(self) -> FolderIndex:
        if self._store is None:
            raise LibraryError("a folder's people are kept in a project", "make one with: limner new DIR")
        return FolderIndex(self._store, self.folder)

    def _rows(self, query: str, *more: object) -> list[sqlite3.Row]:
        return self._store.rows(query, str(self.folder), *more) if self._store is not None else []


def _photo_uid(photo_id: int) -> str:
    return f"fp{photo_id:08}"


def _number(year: str | None) -> int | None:
    return int(year) if year else None


def _naturally(name: str) -> tuple[str, int]:
    """``person 9`` before ``person 10``."""
    stem, _, number = name.rpartition(" ")
    return (stem.casefold(), int(number)) if number.isdecimal() else (name.casefold(), 0)
