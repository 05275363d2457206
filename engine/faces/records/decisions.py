"""The project's faces and what was decided about them, as a journal that can be undone across restarts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from engine.errors import FaceError
from engine.faces.photo.geometry import Box, Cut
from engine.faces.records.found_face import FoundFace
from engine.faces.records.measurement_store import TABLES, measures_of
from engine.faces.records.measurements import NOT_MEASURED, Measures
from engine.faces.records.record_scan import JOURNAL, Around, Recorded, record, rename
from engine.storage.database import Store
from engine.storage.undo_journal import Turn


class Decision(StrEnum):
    """What a person said about a face."""

    KEEP = "keep"
    REJECT = "reject"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Face(FoundFace):
    """A face of the project, with its number, the decision about it, and all that is known of it."""

    id: int = 0
    decision: Decision = Decision.UNDECIDED
    cut: Cut | None = None
    """How it is to be cut, where a person or the pick said so."""
    measures: Measures = NOT_MEASURED
    gone: bool = False
    """Whether the library has it no more. What was decided about it stays."""
    twice: bool = False
    """Whether the person is on its photo a second time, and neither face is decided on: one is somebody else, a mirror
    or a picture on a wall."""


@dataclass(frozen=True)
class Action:
    """One thing that a person did: a label such as ``keep 12``, and the faces that changed."""

    label: str
    faces: tuple[int, ...]


class Ledger:
    """Faces and decisions of one project, in its database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def record(self, person_uid: str, found: Iterable[FoundFace], around: Around | None = None) -> Recorded:
        """Takes in a whole scan of a person, as ``engine.faces.records.record_scan`` says: what was decided stays with
        its face, whatever the library calls it now, and what the library no longer has is marked as gone."""
        with self._store.change() as change:
            return record(change, person_uid, found, around)

    def faces(self, person_uid: str | None = None, gone: bool = False) -> list[Face]:
        """All faces (of a person), oldest photo first, those without a date last.

        Args:
            person_uid: whose; None: everybody's.
            gone: also those that something was said about and that the library has no more.
        """
        there = "(gone = 0 OR decision != 'undecided' OR cut IS NOT NULL)" if gone else "gone = 0"
        where = there + (" AND person_uid = ?" if person_uid else "")
        values = (person_uid,) if person_uid else ()
        query = f"SELECT * FROM {TABLES} WHERE {where} ORDER BY taken_at IS NULL, taken_at, faces.id"
        return seen_twice([_face(row) for row in self._store.rows(query, *values)])

    def markers(self) -> dict[str, set[int]]:
        """Every marker that faces ever had, with their numbers."""
        found: dict[str, set[int]] = {}
        for row in self._store.rows("SELECT id, marker_uid FROM faces"):
            found[row["marker_uid"]] = {row["id"]}
        for row in self._store.rows("SELECT face_id, before, after FROM decisions WHERE field = 'marker'"):
            for marker in (row["before"], row["after"]):
                found.setdefault(marker, set()).add(row["face_id"])
        return found

    def moves(self) -> set[int]:
        """The numbers of all moves of a face to another id, also of those that were taken back."""
        return {row["id"] for row in self._store.rows("SELECT id FROM decisions WHERE field = 'marker'")}

    def any(self) -> bool:
        """Whether any face was ever scanned."""
        return bool(self._store.rows("SELECT 1 FROM faces LIMIT 1"))

    def version(self) -> int:
        """A number that grows whenever something else changed the project's database."""
        return self._store.version()

    def face(self, face_id: int) -> Face:
        """One face. Raises FaceError where there is none of that number."""
        rows = self._store.rows(f"SELECT * FROM {TABLES} WHERE faces.id = ?", face_id)
        if not rows:
            raise _unknown(face_id)
        return _face(rows[0])

    def decide(
        self, face_ids: Iterable[int], decision: Decision, cuts: Mapping[int, Cut] | None = None, word: str = ""
    ) -> Action:
        """Decides on some faces as one action, which one undo takes back.

        Args:
            face_ids: the faces' numbers.
            decision: what is decided about each.
            cuts: how some of them are to be cut from now on; part of the same action.
            word: what the action is called; left out: by the decision.

        Raises:
            FaceError: a number is not a face of the project; then nothing is decided.
        """
        word = word or ("clear" if decision is Decision.UNDECIDED else decision.value)
        wanted = [(face_id, "decision", decision.value) for face_id in dict.fromkeys(face_ids)]
        wanted += [(face_id, "cut", cut.text()) for face_id, cut in (cuts or {}).items()]
        return self._change(word, wanted)

    def cut(self, face_id: int, cut: Cut | None) -> Action:
        """Says how a face is to be cut; None: as its photo suggests. One undo undoes it.

        Raises:
            FaceError: there is no face of that number.
        """
        return self._change("crop", [(face_id, "cut", cut.text() if cut else "")])

    def undo(self) -> Action | None:
        """Takes the last action back, also one of an earlier day; None where nothing is left to undo."""
        return self._turn(Turn.UNDO)

    def redo(self) -> Action | None:
        """Does the last undone action again; None where nothing is left to redo."""
        return self._turn(Turn.REDO)

    def _turn(self, turn: Turn) -> Action | None:
        with self._store.change() as change:
            turned = JOURNAL.turn(change, turn)
            if turned is None:
                return None
            _apply(change, [(row["face_id"], row["field"], row[turn]) for row in turned.changes])
        return Action(turned.label, tuple(dict.fromkeys(row["face_id"] for row in turned.changes)))

    def _change(self, word: str, wanted: list[tuple[int, str, str]]) -> Action:
        """Sets fields of faces as one action: (number, ``decision`` or ``cut``, value; no cut is empty text)."""
        with self._store.change() as change:
            steps: list[tuple[int, str, str, str]] = []
            for face_id, field, after in wanted:
                row = change.execute(f"SELECT {field} FROM faces WHERE id = ?", (face_id,)).fetchone()
                if row is None:
                    raise _unknown(face_id)
                before = row[field] or ""
                if before != after:
                    steps.append((face_id, field, before, after))
            changed = tuple(dict.fromkeys(step[0] for step in steps))
            label = f"{word} {changed[0]}" if len(changed) == 1 else f"{word} {len(changed)} faces"
            if steps:
                action_id = JOURNAL.begin(change, label)
                change.executemany(
                    "INSERT INTO decisions (action_id, face_id, field, before, after) VALUES (?, ?, ?, ?, ?)",
                    [(action_id, *step) for step in steps],
                )
                _apply(change, [(face_id, field, after) for face_id, field, _, after in steps])
        return Action(label, changed)


def _apply(change: sqlite3.Connection, steps: list[tuple[int, str, str]]) -> None:
    for face_id, field, marker in steps:
        if field == "marker":
            rename(change, face_id, marker)
    for field in ("decision", "cut"):
        values = [(value or None, face_id) for face_id, of, value in steps if of == field]
        change.executemany(f"UPDATE faces SET {field} = ? WHERE id = ?", values)


def _unknown(face_id: int) -> FaceError:
    return FaceError(f"there is no face {face_id}", "list them with: limner faces list")


def seen_twice(faces: list[Face]) -> list[Face]:
    """The same faces; those say so that stand on one photo with another one of the same person, none decided on."""
    photos: dict[tuple[str, str], list[int]] = {}
    for place, face in enumerate(faces):
        if not face.gone:
            photos.setdefault((face.file_uid, face.person_uid), []).append(place)
    for places in photos.values():
        if len(places) > 1:
            open_ = all(faces[place].decision is Decision.UNDECIDED for place in places)
            for place in places:
                if faces[place].twice is not open_:
                    faces[place] = replace(faces[place], twice=open_)
    return faces


def _face(row: sqlite3.Row) -> Face:
    return Face(
        id=row["id"],
        marker_uid=row["marker_uid"],
        person_uid=row["person_uid"],
        person=row["person"],
        photo_uid=row["photo_uid"],
        file_uid=row["file_uid"],
        file_root=row["file_root"],
        file_name=row["file_name"],
        path=Path(row["path"]) if row["path"] else None,
        box=Box(row["x"], row["y"], row["w"], row["h"]),
        image_width=row["image_width"],
        image_height=row["image_height"],
        face_px=row["face_px"],
        taken_at=row["taken_at"],
        confirmed=bool(row["confirmed"]),
        problem=row["problem"],
        warning=row["warning"],
        decision=Decision(row["decision"]),
        cut=Cut.read(row["cut"]) if row["cut"] else None,
        measures=measures_of(row),
        file_hash=row["file_hash"] or "",
        gone=bool(row["gone"]),
    )
