"""What was found in a plain folder, as the project's database keeps it: photos, faces, and whose they are."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from engine.errors import LibraryError
from engine.library.folder import people
from engine.library.folder.photos import (
    Box,
    KnownPhoto,
    ReadNames,
    SeenFace,
    SeenPhoto,
    pairs_of,
    still_there,
    told_apart,
    uid_of,
)
from engine.library.folder.walk import FolderPhoto
from engine.library.people import Person
from engine.storage.database import Store


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
        known = self._store.rows("SELECT id, name, gone FROM folder_photos WHERE folder = ?", self._folder)
        there = set(names)
        rows = [(not row["gone"], row["id"]) for row in known if (row["name"] in there) == bool(row["gone"])]
        with self._store.change() as change:
            change.executemany("UPDATE folder_photos SET gone = ? WHERE id = ?", rows)

    def save(self, seen: Iterable[SeenPhoto]) -> None:
        """Keeps what was found on photos, all of it or nothing; what was known of them before goes, but a face that is
        still there stays whose it was."""
        with self._store.change() as change:
            for each in seen:
                self._save_photo(change, each)

    def names_stamps(self) -> dict[str, str]:
        """The photos whose names were read: name, and the stamp of the sidecars as they were then."""
        query = "SELECT name, names_stamp FROM folder_photos WHERE folder = ? AND names_stamp IS NOT NULL"
        return {row["name"]: row["names_stamp"] for row in self._store.rows(query, self._folder)}

    def found_faces(self, names: Collection[str]) -> dict[str, tuple[str, tuple[SeenFace, ...]]]:
        """Of some known photos the content (its SHA-1, or empty) and the faces that were found, without what regions
        alone tell of; photos that can't be used are left out."""
        marks = ", ".join("?" * len(names))
        photos = self._store.rows(
            f"SELECT id, name, hash FROM folder_photos WHERE folder = ? AND problem IS NULL AND name IN ({marks})",
            self._folder,
            *names,
        )
        found: dict[int, list[SeenFace]] = {row["id"]: [] for row in photos}
        query = f"SELECT * FROM folder_faces WHERE NOT drawn AND photo_id IN ({', '.join('?' * len(found))})"
        for row in self._store.rows(f"{query} ORDER BY uid", *found):
            face = SeenFace(row["uid"], _box(row), row["score"], row["space"], row["embedding"])
            found[row["photo_id"]].append(face)
        return {row["name"]: (row["hash"] or "", tuple(found[row["id"]])) for row in photos}

    def save_names(self, read: Iterable[ReadNames]) -> None:
        """Keeps whom photos name, all of it or nothing."""
        with self._store.change() as change:
            for each in read:
                values = (self._folder, each.photo.name)
                photo = change.execute("SELECT id FROM folder_photos WHERE folder = ? AND name = ?", values).fetchone()
                known = _faces_of(change, photo["id"])
                drawn = [(row["uid"], _box(row)) for row in known if row["drawn"]]
                faces = [face for face in each.faces if not face.drawn]
                faces += still_there(drawn, told_apart([face for face in each.faces if face.drawn]))
                self._save_faces(change, each.photo.name, photo["id"], known, faces)
                values_now = (each.photo.sidecar_stamp, photo["id"])
                change.execute("UPDATE folder_photos SET names_stamp = ? WHERE id = ?", values_now)

    def settle(self) -> dict[str, str]:
        """Gives the faces that photos name to whom they name; returns the people who became another: id to id."""
        with self._store.change() as change:
            return people.settle(change)

    def name_of(self, uid: str) -> str:
        """What a person is called."""
        return str(self._store.rows("SELECT name FROM folder_people WHERE uid = ?", uid)[0]["name"])

    def faces(self) -> list[tuple[str, str, bytes, str | None]]:
        """Face, space, embedding and person of every face that can be compared, in the order of the photos' names."""
        rows = self._store.rows(
            "SELECT f.uid, f.space, f.embedding, f.person_uid FROM folder_faces f JOIN folder_photos p ON"
            " p.id = f.photo_id WHERE p.folder = ? AND f.embedding IS NOT NULL AND NOT f.pet ORDER BY p.name, f.uid",
            self._folder,
        )
        return [(row["uid"], row["space"], row["embedding"], row["person_uid"]) for row in rows]

    def has_loose(self, space: str) -> bool:
        """Whether a face that can be compared in a space belongs to nobody yet."""
        query = (
            "SELECT EXISTS (SELECT 1 FROM folder_faces f JOIN folder_photos p ON p.id = f.photo_id WHERE p.folder = ?"
            " AND f.person_uid IS NULL AND f.embedding IS NOT NULL AND NOT f.pet AND f.space = ?) AS loose"
        )
        return bool(self._store.rows(query, self._folder, space)[0]["loose"])

    def add_people(self, groups: Iterable[tuple[str, Collection[str]]]) -> None:
        """Makes a person of each group of faces (the first face's uid names it), called ``person 1`` and so on."""
        with self._store.change() as change:
            query = "SELECT count(*) FROM folder_people WHERE named_by != 'photo'"
            number = int(change.execute(query).fetchone()[0])
            for first, members in groups:
                number += 1
                uid = people.add_numbered(change, self._folder, first, number)
                people.assign(change, dict.fromkeys(members, uid))

    def assign(self, whose: Mapping[str, str]) -> None:
        """Says whose some faces are: face to person."""
        with self._store.change() as change:
            people.assign(change, whose)

    def rename(self, person: Person, name: str) -> None:
        """Gives a person a name. Raises LibraryError where it is empty or somebody else has it."""
        name = " ".join(name.split())
        if not name:
            raise LibraryError("a person's name can't be empty", "give a name")
        with self._store.change() as change:
            people.rename(change, person, name)

    def merge(self, into: Person, others: Collection[Person]) -> None:
        """Makes one person of several: all faces are the first one's from now on, also in this project."""
        with self._store.change() as change:
            people.merge(change, into.id, [each.id for each in others])

    def _save_photo(self, change: sqlite3.Connection, seen: SeenPhoto) -> None:
        width, height = seen.size or (None, None)
        values = (self._folder, seen.photo.name)
        before = change.execute("SELECT * FROM folder_photos WHERE folder = ? AND name = ?", values).fetchone()
        change.execute(
            "INSERT INTO folder_photos (folder, name, stamp, width, height, taken_at, problem, hash, names_stamp)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (folder, name) DO UPDATE SET stamp = excluded.stamp,"
            " width = excluded.width, height = excluded.height, taken_at = excluded.taken_at,"
            " problem = excluded.problem, hash = excluded.hash, names_stamp = excluded.names_stamp, gone = 0",
            (
                *(*values, seen.photo.stamp, width, height, seen.taken_at, seen.problem, seen.hash or None),
                seen.photo.sidecar_stamp,
            ),
        )
        photo_id = change.execute("SELECT id FROM folder_photos WHERE folder = ? AND name = ?", values).fetchone()[0]
        known = _faces_of(change, photo_id)
        faces = told_apart(seen.faces)
        if before is not None and _edited(before, seen):
            faces = still_there([(row["uid"], _box(row)) for row in known], faces)
        self._save_faces(change, seen.photo.name, photo_id, known, faces)

    def _save_faces(
        self,
        change: sqlite3.Connection,
        photo: str,
        photo_id: int,
        known: Sequence[sqlite3.Row],
        faces: Sequence[SeenFace],
    ) -> None:
        """Keeps the faces of a photo in place of those that were known; one that is still there stays whose it was."""
        before = {row["uid"]: row for row in known}
        change.execute("DELETE FROM folder_faces WHERE photo_id = ?", (photo_id,))
        for face in faces:
            uid = _own_uid(change, face.uid, photo)
            named = people.person_named(change, self._folder, face.name) if face.name else None
            change.execute(
                "INSERT INTO folder_faces (uid, photo_id, x, y, w, h, score, space, embedding, person_uid, named_uid,"
                " drawn, pet, caution) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(uid, photo_id, *face.box, face.score, face.space, face.embedding),
                    _whose(before.get(uid), face, named),
                    *(named, face.drawn, face.pet, face.caution or None),
                ),
            )


def _faces_of(change: sqlite3.Connection, photo_id: int) -> list[sqlite3.Row]:
    rows: list[sqlite3.Row] = change.execute("SELECT * FROM folder_faces WHERE photo_id = ?", (photo_id,)).fetchall()
    return rows


def _box(row: sqlite3.Row) -> Box:
    return row["x"], row["y"], row["w"], row["h"]


def _whose(before: sqlite3.Row | None, face: SeenFace, named: str | None) -> str | None:
    """Whose a face stays; nobody's where a photo named it and does not any more, or names it otherwise: who it is then
    is found anew."""
    if before is None or face.pet or before["named_uid"] not in (None, named):
        return None
    person: str | None = before["person_uid"]
    return person


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
