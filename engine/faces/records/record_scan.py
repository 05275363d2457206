"""Taking a scan into the project: new faces come in, known ones stay known whatever the library calls them now."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.faces.photo.geometry import Box
from engine.faces.records.moved_faces import Place, same_faces
from engine.storage.undo_journal import UndoJournal

if TYPE_CHECKING:
    from engine.faces.records.found_face import FoundFace

JOURNAL = UndoJournal("actions", "decisions")
"""What was decided about faces, and which of them moved to another id."""

FIELDS = (
    "marker_uid, person_uid, person, photo_uid, file_uid, file_root, file_name, path, x, y, w, h,"
    " image_width, image_height, face_px, taken_at, confirmed, problem, warning, file_hash"
)
"""The columns of a face that a scan fills."""

ABOUT_MARKERS = ("seen", "measures", "kin", "identities")
"""Tables that know a face by its marker."""

BLANK = (
    "decision = 'undecided' AND cut IS NULL AND NOT EXISTS (SELECT 1 FROM decisions WHERE decisions.face_id = faces.id)"
)
"""A face that nobody ever said anything about: nothing is lost with its row."""


@dataclass(frozen=True)
class Around:
    """What the library says around a person's faces."""

    people: frozenset[str] | None = None
    """The ids of everybody whom it knows; None: not asked."""
    markers: frozenset[str] = frozenset()
    """All faces, whoever they are, on the photos of the person."""
    beside: Mapping[str, Sequence[Box]] = field(default_factory=dict)
    """The other faces on the photo of a face, by its marker."""


@dataclass(frozen=True)
class Recorded:
    """What a scan changed about faces that were known."""

    moved: int = 0
    """Faces that something was said about and that have other ids in the library now."""
    gone: int = 0
    """Faces of the person that something was said about and that the library has no more."""


def record(
    change: sqlite3.Connection, person_uid: str, found: Iterable[FoundFace], around: Around | None = None
) -> Recorded:
    """Takes in a whole scan of a person, within a transaction.

    Decisions and crops stay with their faces. A face whose marker the library has no more and that is known by its
    file's content takes over the new marker; where something was said about it, that is an action of the journal. What
    is not found at all is marked as gone.

    Args:
        change: the transaction.
        person_uid: the person's id now.
        found: all faces of the person.
        around: what the library says besides.
    """
    found, around = list(found), around or Around()
    vanished = _vanished(change, around.people)
    moved = _move(change, found, {person_uid, *vanished}, around)
    person = found[0].person if found else ""
    for uid in vanished:
        # Somebody of that name has another id now: what is gone of theirs is shown with the rest.
        values = (person_uid, uid, person)
        change.execute("UPDATE faces SET person_uid = ? WHERE person_uid = ? AND person = ? COLLATE NOCASE", values)
    change.execute("UPDATE faces SET gone = 1 WHERE person_uid = ?", (person_uid,))
    names = FIELDS.split(", ")
    update = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
    change.executemany(
        f"INSERT INTO faces ({FIELDS}) VALUES ({', '.join('?' * len(names))})"
        f" ON CONFLICT (marker_uid) DO UPDATE SET gone = 0, {update}",
        (_values(face) for face in found),
    )
    query = "SELECT count(*) FROM faces WHERE person_uid = ? AND gone = 1 AND (decision != 'undecided' OR cut NOTNULL)"
    return Recorded(moved, int(change.execute(query, (person_uid,)).fetchone()[0]))


def rename(change: sqlite3.Connection, face_id: int, marker: str) -> None:
    """Gives a face another marker, within a transaction; what the library has under its old one becomes a face of its
    own. Where somebody said something about the one that has the marker already, both stay as they are."""
    face = change.execute("SELECT marker_uid, gone FROM faces WHERE id = ?", (face_id,)).fetchone()
    other = change.execute(f"SELECT id, gone, {BLANK} AS blank FROM faces WHERE marker_uid = ?", (marker,)).fetchone()
    if face is None or face["marker_uid"] == marker or (other is not None and not other["blank"]):
        return
    if other is not None:
        change.execute("DELETE FROM faces WHERE id = ?", (other["id"],))
    gone = other["gone"] if other is not None else 1
    change.execute("UPDATE faces SET marker_uid = ?, gone = ? WHERE id = ?", (marker, gone, face_id))
    if not face["gone"]:
        rest = FIELDS.partition(", ")[2]
        change.execute(
            f"INSERT INTO faces ({FIELDS}) SELECT ?, {rest} FROM faces WHERE id = ?", (face["marker_uid"], face_id)
        )


def _vanished(change: sqlite3.Connection, people: Collection[str] | None) -> set[str]:
    """People of the project whom the library does not know any more."""
    if people is None:
        return set()
    rows = change.execute("SELECT DISTINCT person_uid FROM faces").fetchall()
    return {row["person_uid"] for row in rows} - set(people)


def _move(change: sqlite3.Connection, found: Sequence[FoundFace], people: Collection[str], around: Around) -> int:
    """Gives the faces that are known by their content the markers that they have now. How many of them something was
    said about."""
    now = {face.marker_uid: _place(face) for face in found}
    marks = ", ".join("?" * len(people))
    known = change.execute(
        f"SELECT id, marker_uid, file_hash, file_root, file_name, x, y, w, h, taken_at, image_width, image_height,"
        f" {BLANK} AS blank FROM faces WHERE person_uid IN ({marks})",
        list(people),
    ).fetchall()
    lost = {
        row["marker_uid"]: row
        for row in known
        if row["marker_uid"] not in now and row["marker_uid"] not in around.markers
    }
    if not lost:
        return 0
    said = _said_about(change, now)
    free = [place for marker, place in now.items() if marker not in said]
    pairs = same_faces([_row_place(row) for row in lost.values()], free, around.beside)
    refused = _taken_back(change)
    pairs = {old: new for old, new in pairs.items() if (lost[old]["id"], old, new) not in refused}
    # What is gone may come back under its old marker: a face that nobody spoke about is moved without a word.
    told = [(lost[old]["id"], old, new) for old, new in pairs.items() if not lost[old]["blank"]]
    change.executemany(f"DELETE FROM faces WHERE marker_uid = ? AND {BLANK}", [(new,) for new in pairs.values()])
    change.executemany(
        "UPDATE faces SET marker_uid = ? WHERE id = ?", [(new, lost[old]["id"]) for old, new in pairs.items()]
    )
    _copy_what_is_known(change, pairs)
    _copy_words(change, [(lost[old]["id"], new) for old, new in pairs.items()], found)
    if told:
        label = f"move {len(told)} faces" if len(told) > 1 else f"move {told[0][0]}"
        action = JOURNAL.begin(change, label)
        change.executemany(
            "INSERT INTO decisions (action_id, face_id, field, before, after) VALUES (?, ?, 'marker', ?, ?)",
            [(action, *each) for each in told],
        )
    return len(told)


def _said_about(change: sqlite3.Connection, now: Mapping[str, Place]) -> set[str]:
    """The markers of faces that somebody said something about: they are what they are."""
    rows = change.execute(f"SELECT marker_uid FROM faces WHERE NOT ({BLANK})").fetchall()
    return {row["marker_uid"] for row in rows if row["marker_uid"] in now}


def _taken_back(change: sqlite3.Connection) -> set[tuple[int, str, str]]:
    """Moves that somebody took back: they are not made again."""
    rows = change.execute(
        "SELECT face_id, before, after FROM decisions JOIN actions ON actions.id = action_id"
        " WHERE field = 'marker' AND state != 'done'"
    )
    return {(row["face_id"], row["before"], row["after"]) for row in rows}


def _copy_what_is_known(change: sqlite3.Connection, pairs: Mapping[str, str]) -> None:
    """What was measured under the old marker holds under the new one; it is measured anew where the box differs."""
    for table in ABOUT_MARKERS:
        columns = [row["name"] for row in change.execute(f"PRAGMA table_info({table})")]
        rest = ", ".join(name for name in columns if name != "marker_uid")
        change.executemany(
            f"INSERT OR IGNORE INTO {table} (marker_uid, {rest}) SELECT ?, {rest} FROM {table} WHERE marker_uid = ?",
            [(new, old) for old, new in pairs.items()],
        )


def _copy_words(change: sqlite3.Connection, moved: Iterable[tuple[int, str]], found: Iterable[FoundFace]) -> None:
    """Labels and place of a photo hold under its new id."""
    photo = {face.marker_uid: face.photo_uid for face in found}
    change.executemany(
        "INSERT OR IGNORE INTO photo_words (photo_uid, labels, place) SELECT ?, labels, place FROM photo_words"
        " WHERE photo_uid = (SELECT photo_uid FROM faces WHERE id = ?)",
        [(photo[new], face_id) for face_id, new in moved],
    )


def _place(face: FoundFace) -> Place:
    moment = (face.taken_at, face.image_width, face.image_height)
    return Place(face.marker_uid, face.file_hash, (face.file_root, face.file_name), face.box, moment)


def _row_place(row: sqlite3.Row) -> Place:
    box, moment = (
        Box(row["x"], row["y"], row["w"], row["h"]),
        (row["taken_at"], row["image_width"], row["image_height"]),
    )
    return Place(row["marker_uid"], row["file_hash"] or "", (row["file_root"], row["file_name"]), box, moment)


def _values(face: FoundFace) -> tuple[object, ...]:
    box = face.box
    return (
        *(face.marker_uid, face.person_uid, face.person, face.photo_uid, face.file_uid),
        *(face.file_root, face.file_name, str(face.path) if face.path else None),
        *(box.x, box.y, box.w, box.h, face.image_width, face.image_height, face.face_px),
        *(face.taken_at, int(face.confirmed), face.problem, face.warning, face.file_hash or None),
    )
