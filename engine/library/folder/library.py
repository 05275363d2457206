"""A plain folder of photos as a library: what was found in it lies in the project, the folder is never written to.

A job (``engine.faces.folder_scan``) looks at the photos and puts what it finds through ``FolderIndex`` into the
project's database; ``FolderLibrary`` reads it from there, and answers as a PhotoPrism library does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType

from engine.errors import LibraryError
from engine.library.address import LibraryAddress
from engine.library.base import Description
from engine.library.faces import FOLDER_ROOT, Embedding, LibraryFace, Marker
from engine.library.folder.photos import (
    KnownPhoto,
    SeenPhoto,
    digest_of,
    pairs_of,
    still_there,
    told_apart,
    uid_of,
)
from engine.library.folder.walk import FolderPhoto, not_read, walk
from engine.library.paths import Roots
from engine.library.people import Person, find_person
from engine.library.photo_words import PhotoWords
from engine.library.spelling import folded
from engine.storage.database import Store

DATABASE = "limner.db"

_FACES = """
SELECT f.uid, f.x, f.y, f.w, f.h, f.space, f.embedding, f.person_uid, s.name AS person,
       p.id AS photo_id, p.hash, p.name, p.width, p.height, p.taken_at,
       (SELECT count(*) FROM folder_faces o WHERE o.photo_id = p.id) - 1 AS neighbours
FROM folder_faces f JOIN folder_photos p ON p.id = f.photo_id JOIN folder_people s ON s.uid = f.person_uid
WHERE p.gone = 0 AND p.folder = ?
"""


class FolderIndex:
    """What was found in one folder, in the project's database. A photo is known by its content: renamed, moved, or in a
    folder that is mounted elsewhere now, it is the same one, with the same faces."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = str(folder)

    def stamps(self) -> dict[str, str]:
        """The photos that were looked at: name and stamp."""
        query = "SELECT name, stamp FROM folder_photos WHERE folder = ?"
        return {row["name"]: row["stamp"] for row in self._store.rows(query, self._folder)}

    def without_hash(self) -> dict[str, str]:
        """Names and stamps of the photos whose content is not known: an older Limner looked at them."""
        query = "SELECT name, stamp FROM folder_photos WHERE folder = ? AND hash IS NULL"
        return {row["name"]: row["stamp"] for row in self._store.rows(query, self._folder)}

    def save_hashes(self, hashes: Mapping[str, str]) -> None:
        """Keeps the contents of photos: name to SHA-1."""
        with self._store.change() as change:
            rows = [(content, self._folder, name) for name, content in hashes.items()]
            change.executemany("UPDATE folder_photos SET hash = ? WHERE folder = ? AND name = ?", rows)

    def loose(self, changed: Iterable[FolderPhoto], there: Collection[str]) -> list[KnownPhoto]:
        """Known photos that may be one of some that are new or changed: not there under their name, in another folder,
        or something else stands under their name now."""
        names = {photo.name for photo in changed}
        rows = self._store.rows("SELECT id, folder, name, stamp, hash FROM folder_photos ORDER BY id")
        known = [KnownPhoto(row["id"], row["folder"], row["name"], row["stamp"], row["hash"] or "") for row in rows]
        return [each for each in known if each.folder != self._folder or each.name not in there or each.name in names]

    def find_again(
        self, changed: Collection[FolderPhoto], loose: Collection[KnownPhoto], hashes: Mapping[str, str]
    ) -> set[str]:
        """Says where photos are now that are known under another name or in another folder.

        Args:
            changed: photos of this folder that are new or whose file changed.
            loose: as ``loose`` gives them.
            hashes: the SHA-1 of each of ``changed``, by name; those that can't be read are left out.

        Returns:
            The names of those that were found again, and need not be looked at.
        """
        found, left = pairs_of(changed, loose, hashes, self._folder)
        stamps = {photo.name: photo.stamp for photo in changed}
        taken = [each.id for each in left if each.folder == self._folder and each.name in found]
        with self._store.change() as change:
            # Out of each other's way first: two photos may have exchanged their names.
            away = [(each.id,) for each in found.values()] + [(number,) for number in taken]
            change.executemany("UPDATE folder_photos SET name = '/' || id || '/' || name WHERE id = ?", away)
            change.executemany("UPDATE folder_photos SET gone = 1 WHERE id = ?", [(number,) for number in taken])
            change.executemany(
                "UPDATE folder_photos SET folder = ?, name = ?, stamp = ?, hash = ?, gone = 0 WHERE id = ?",
                [(self._folder, name, stamps[name], hashes[name], each.id) for name, each in found.items()],
            )
        return set(found)

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
            number = int(change.execute("SELECT count(*) FROM folder_people").fetchone()[0])
            for first, members in groups:
                number += 1
                uid = f"fs{digest_of(self._folder, first)}"
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
        rows = self._store.rows("SELECT uid, name FROM folder_people WHERE merged_into IS NULL")
        if any(row["uid"] != person.id and folded(row["name"]) == folded(name) for row in rows):
            fix = f'if they are one person: limner people merge "{name}" "{person.name}"'
            raise LibraryError(f"another person is already called {name}", fix)
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
        values = (self._folder, seen.photo.name)
        before = change.execute("SELECT * FROM folder_photos WHERE folder = ? AND name = ?", values).fetchone()
        change.execute(
            "INSERT INTO folder_photos (folder, name, stamp, width, height, taken_at, problem, hash)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (folder, name) DO UPDATE SET stamp = excluded.stamp,"
            " width = excluded.width, height = excluded.height, taken_at = excluded.taken_at,"
            " problem = excluded.problem, hash = excluded.hash, gone = 0",
            (*values, seen.photo.stamp, width, height, seen.taken_at, seen.problem, seen.hash or None),
        )
        photo_id = change.execute("SELECT id FROM folder_photos WHERE folder = ? AND name = ?", values).fetchone()[0]
        known = change.execute("SELECT * FROM folder_faces WHERE photo_id = ?", (photo_id,)).fetchall()
        change.execute("DELETE FROM folder_faces WHERE photo_id = ?", (photo_id,))
        faces = told_apart(seen.faces)
        if before is not None and _edited(before, seen):
            faces = still_there([(row["uid"], (row["x"], row["y"], row["w"], row["h"])) for row in known], faces)
        whose = {row["uid"]: row["person_uid"] for row in known}
        for face in faces:
            uid = _own_uid(change, face.uid, seen.photo.name)
            change.execute(
                "INSERT INTO folder_faces (uid, photo_id, x, y, w, h, score, space, embedding, person_uid)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (uid, photo_id, *face.box, face.score, face.space, face.embedding, whose.get(uid)),
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
        left = not_read(self.folder)
        notes = (left,) if left else ()
        return Description("a plain folder", "", len(photos), faces, kind="", unseen=unseen, notes=notes)

    def people(self) -> list[Person]:
        """The groups of faces that are one person each, most faces first."""
        query = (
            "SELECT s.uid, s.name, count(*) AS faces, min(substr(p.taken_at, 1, 4)) AS first,"
            " max(substr(p.taken_at, 1, 4)) AS last FROM folder_people s JOIN folder_faces f ON f.person_uid = s.uid"
            " JOIN folder_photos p ON p.id = f.photo_id WHERE p.folder = ? AND p.gone = 0 GROUP BY s.uid"
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
            photo = _photo_uid(row["photo_id"])
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
                file_hash=row["hash"] or "",
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


def _edited(before: sqlite3.Row, seen: SeenPhoto) -> bool:
    """Whether what stands under a photo's name is that photo, perhaps edited, and no other one."""
    width, height = seen.size or (None, None)
    moment = (before["taken_at"], before["width"], before["height"])
    return before["hash"] in (None, seen.hash) or moment == (seen.taken_at, width, height)


def _own_uid(change: sqlite3.Connection, uid: str, name: str) -> str:
    """A uid that no face of another photo has: copies have one content."""
    while change.execute("SELECT 1 FROM folder_faces WHERE uid = ?", (uid,)).fetchone():
        uid = uid_of(uid, name)
    return uid


def _photo_uid(photo_id: int) -> str:
    return f"fp{photo_id:08}"


def _assign(change: sqlite3.Connection, whose: Mapping[str, str]) -> None:
    rows = [(person, face) for face, person in whose.items()]
    change.executemany("UPDATE folder_faces SET person_uid = ? WHERE uid = ?", rows)


def _number(year: str | None) -> int | None:
    return int(year) if year else None


def _naturally(name: str) -> tuple[str, int]:
    """``person 9`` before ``person 10``."""
    stem, _, number = name.rpartition(" ")
    return (stem.casefold(), int(number)) if number.isdecimal() else (name.casefold(), 0)
