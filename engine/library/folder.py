"""A plain folder of photos as a library: what was found in it lies in the project, the folder is never written to.

A job (``engine.faces.folder_index``) looks at the photos and puts what it finds through ``FolderIndex`` into the
project's database; ``FolderLibrary`` reads it from there, and answers as a PhotoPrism library does.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from engine.errors import LibraryError
from engine.library.address import LibraryAddress
from engine.library.embeddings import Embedding
from engine.library.library import Description
from engine.library.people import Person, find_person
from engine.library.roots import Roots
from engine.library.rows import FOLDER_ROOT, LibraryFace, Marker
from engine.library.walk import FolderPhoto, walk
from engine.store import Store

DATABASE = "limner.db"

_FACES = """
SELECT f.uid, f.x, f.y, f.w, f.h, f.space, f.embedding, f.person_uid, s.name AS person,
       p.id AS photo_id, p.name, p.width, p.height, p.taken_at,
       (SELECT count(*) FROM folder_faces o WHERE o.photo_id = p.id) - 1 AS neighbours
FROM folder_faces f JOIN folder_photos p ON p.id = f.photo_id JOIN folder_people s ON s.uid = f.person_uid
WHERE p.gone = 0 AND p.folder = ?
"""


@dataclass(frozen=True)
class SeenFace:
    """A face that was found on a photo of a folder."""

    uid: str
    box: tuple[float, float, float, float]
    """x, y, w, h in fractions of the upright photo."""
    score: float
    """How sure the detector is, 0 to 1."""
    space: str | None = None
    embedding: bytes | None = None
    """Unit length, float16, little-endian; None: too small or too blurred to say who it is."""


@dataclass(frozen=True)
class SeenPhoto:
    """A photo of a folder that was looked at; ``problem`` says why it can't be used."""

    photo: FolderPhoto
    size: tuple[int, int] | None
    taken_at: str | None
    faces: tuple[SeenFace, ...] = ()
    problem: str | None = None


class FolderIndex:
    """What was found in one folder, in the project's database."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = str(folder)

    def stamps(self) -> dict[str, str]:
        """The photos that were looked at: name and stamp."""
        query = "SELECT name, stamp FROM folder_photos WHERE folder = ?"
        return {row["name"]: row["stamp"] for row in self._store.rows(query, self._folder)}

    def show_only(self, names: Collection[str]) -> None:
        """Says which photos are there now; what was found on the others is kept, should they come back."""
        known = self._store.rows("SELECT id, name FROM folder_photos WHERE folder = ?", self._folder)
        there = set(names)
        with self._store.change() as change:
            rows = [(row["name"] not in there, row["id"]) for row in known]
            change.executemany("UPDATE folder_photos SET gone = ? WHERE id = ?", rows)

    def save(self, seen: Iterable[SeenPhoto]) -> None:
        """Keeps what was found on photos, all of it or nothing; what was known of them before goes, but a face that is
        still there stays whose it was."""
        with self._store.change() as change:
            for each in seen:
                self._save_photo(change, each)

    def faces(self) -> list[tuple[str, str, bytes, str | None]]:
        """Face, space, embedding and person of every face that can be compared, in the order of the photos' names."""
        rows = self._store.rows(
            "SELECT f.uid, f.space, f.embedding, f.person_uid FROM folder_faces f JOIN folder_photos p"
            " ON p.id = f.photo_id WHERE p.folder = ? AND f.embedding IS NOT NULL ORDER BY p.name, f.uid",
            self._folder,
        )
        return [(row["uid"], row["space"], row["embedding"], row["person_uid"]) for row in rows]

    def add_people(self, groups: Iterable[tuple[str, Collection[str]]]) -> None:
        """Makes a person of each group of faces (the first face's uid names it), called ``person 1`` and so on."""
        with self._store.change() as change:
            query = "SELECT count(*) FROM folder_people WHERE folder = ?"
            number = int(change.execute(query, (self._folder,)).fetchone()[0])
            for first, members in groups:
                number += 1
                uid = f"fs{_digest(self._folder, first)}"
                values = (uid, self._folder, f"person {number}")
                change.execute("INSERT OR IGNORE INTO folder_people (uid, folder, name) VALUES (?, ?, ?)", values)
                _assign(change, dict.fromkeys(members, uid))

    def assign(self, whose: Mapping[str, str]) -> None:
        """Says whose some faces are: face to person."""
        with self._store.change() as change:
            _assign(change, whose)

    def rename(self, person: Person, name: str) -> None:
        """Gives a person a name. Raises LibraryError where it is empty or somebody else has it."""
        name = " ".join(name.split())
        if not name:
            raise LibraryError("a person's name can't be empty", "give a name")
        query = "SELECT uid FROM folder_people WHERE folder = ? AND merged_into IS NULL AND lower(name) = lower(?)"
        if any(row["uid"] != person.id for row in self._store.rows(query, self._folder, name)):
            fix = f'if they are one person: limner people merge "{name}" "{person.name}"'
            raise LibraryError(f"somebody is called {name} already", fix)
        with self._store.change() as change:
            change.execute("UPDATE folder_people SET name = ? WHERE uid = ?", (name, person.id))
            change.execute("UPDATE faces SET person = ? WHERE person_uid = ?", (name, person.id))

    def merge(self, into: Person, others: Collection[Person]) -> None:
        """Makes one person of several: all faces are the first one's from now on, also in this project."""
        with self._store.change() as change:
            for other in others:
                change.execute("UPDATE folder_faces SET person_uid = ? WHERE person_uid = ?", (into.id, other.id))
                change.execute("UPDATE folder_people SET merged_into = ? WHERE uid = ?", (into.id, other.id))
                values = (into.id, into.name, other.id)
                change.execute("UPDATE faces SET person_uid = ?, person = ? WHERE person_uid = ?", values)

    def _save_photo(self, change: sqlite3.Connection, seen: SeenPhoto) -> None:
        width, height = seen.size or (None, None)
        change.execute(
            "INSERT INTO folder_photos (folder, name, stamp, width, height, taken_at, problem)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (folder, name) DO UPDATE SET stamp = excluded.stamp,"
            " width = excluded.width, height = excluded.height, taken_at = excluded.taken_at,"
            " problem = excluded.problem, gone = 0",
            (self._folder, seen.photo.name, seen.photo.stamp, width, height, seen.taken_at, seen.problem),
        )
        where = "SELECT id FROM folder_photos WHERE folder = ? AND name = ?"
        photo_id = change.execute(where, (self._folder, seen.photo.name)).fetchone()[0]
        known = change.execute("SELECT uid, person_uid FROM folder_faces WHERE photo_id = ?", (photo_id,)).fetchall()
        whose = {row["uid"]: row["person_uid"] for row in known}
        change.execute("DELETE FROM folder_faces WHERE photo_id = ?", (photo_id,))
        change.executemany(
            "INSERT INTO folder_faces (uid, photo_id, x, y, w, h, score, space, embedding, person_uid)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (face.uid, photo_id, *face.box, face.score, face.space, face.embedding, whose.get(face.uid))
                for face in _told_apart(seen.faces)
            ],
        )


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
        return Description("a plain folder", "", len(photos), faces, kind="", unseen=unseen)

    def people(self) -> list[Person]:
        """The groups of faces that are one person each, most faces first."""
        query = (
            "SELECT s.uid, s.name, count(*) AS faces, min(substr(p.taken_at, 1, 4)) AS first,"
            " max(substr(p.taken_at, 1, 4)) AS last FROM folder_people s JOIN folder_faces f ON f.person_uid = s.uid"
            " JOIN folder_photos p ON p.id = f.photo_id WHERE s.folder = ? AND p.gone = 0 GROUP BY s.uid"
        )
        found = [
            Person(row["uid"], row["name"], row["faces"], 0, _number(row["first"]), _number(row["last"]))
            for row in self._rows(query)
        ]
        return sorted(found, key=lambda each: (-each.faces, _naturally(each.name), each.id))

    def faces(self, person: Person | str) -> Iterator[LibraryFace]:
        """The faces of a person (or of a person's id), oldest first, those without a date last."""
        uid = person if isinstance(person, str) else person.id
        order = " AND f.person_uid = ? ORDER BY p.taken_at IS NULL, p.taken_at, p.name, f.uid"
        for row in self._rows(_FACES + order, uid):
            photo = _photo_uid(self.folder, row["name"])
            yield LibraryFace(
                marker_uid=row["uid"],
                person_uid=row["person_uid"],
                person=row["person"],
                box=(row["x"], row["y"], row["w"], row["h"]),
                confirmed=False,
                file_uid=photo,
                file_root=FOLDER_ROOT,
                file_name=row["name"],
                file_width=row["width"],
                file_height=row["height"],
                photo_uid=photo,
                taken_at=row["taken_at"],
                neighbours=row["neighbours"],
            )

    def markers_beside(self, person: Person | str) -> Iterator[Marker]:
        """All faces of every photo that holds a face of a person."""
        uid = person if isinstance(person, str) else person.id
        query = (
            "SELECT f.uid, f.x, f.y, f.w, f.h, p.name FROM folder_faces f JOIN folder_photos p ON p.id = f.photo_id"
            " WHERE p.folder = ? AND p.gone = 0"
            " AND p.id IN (SELECT photo_id FROM folder_faces WHERE person_uid = ?) ORDER BY p.name, f.uid"
        )
        for row in self._rows(query, uid):
            yield Marker(row["uid"], _photo_uid(self.folder, row["name"]), (row["x"], row["y"], row["w"], row["h"]))

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
            LibraryError: nobody is called so, or the name won't do.
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
            raise LibraryError("one person is named twice", "name each once")
        self._index().merge(into, rest)
        return into, rest

    def _index(self) -> FolderIndex:
        if self._store is None:
            raise LibraryError("what is in a folder is kept in a project", "make one with: limner new DIR")
        return FolderIndex(self._store, self.folder)

    def _rows(self, query: str, *more: object) -> list[sqlite3.Row]:
        return self._store.rows(query, str(self.folder), *more) if self._store is not None else []


def face_uid(folder: Path, name: str, box: tuple[float, float, float, float]) -> str:
    """Names a face by its photo and its place there; the same one when it is found again."""
    return f"fm{_digest(str(folder), name, *(f'{each:.2f}' for each in box))}"


def _told_apart(faces: Collection[SeenFace]) -> list[SeenFace]:
    """Two faces whose boxes round to the same get a uid each: the first by its exact box keeps the uid that it would
    have alone, so that what was decided on it stays; the others' are made from it, the same ones each time."""
    alike: dict[str, list[SeenFace]] = {}
    for face in faces:
        alike.setdefault(face.uid, []).append(face)
    found = []
    for uid, several in alike.items():
        first, *rest = sorted(several, key=lambda face: face.box)
        found += [first, *(replace(face, uid=f"fm{_digest(uid, str(n))}") for n, face in enumerate(rest, 2))]
    return found


def _photo_uid(folder: Path, name: str) -> str:
    return f"fp{_digest(str(folder), name)}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _assign(change: sqlite3.Connection, whose: Mapping[str, str]) -> None:
    rows = [(person, face) for face, person in whose.items()]
    change.executemany("UPDATE folder_faces SET person_uid = ? WHERE uid = ?", rows)


def _number(year: str | None) -> int | None:
    return int(year) if year else None


def _naturally(name: str) -> tuple[str, int]:
    """``person 9`` before ``person 10``."""
    stem, _, number = name.rpartition(" ")
    return (stem.casefold(), int(number)) if number.isdecimal() else (name.casefold(), 0)
