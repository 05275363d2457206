"""People of a plain folder: groups of faces that Limner numbered, or that photos or a user named.

A name in a photo makes a person whose id is made of the name, so that it is the same person whenever a photo says it,
whatever the user calls it by then and whoever it was merged into.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import StrEnum

from engine.errors import LibraryError
from engine.library.folder.photos import digest_of
from engine.library.people import Person
from engine.library.spelling import folded

MOST_STEPS = 1000
"""Merges that are followed from one person to the next; more is a circle, which somebody wrote into the database."""


class NamedBy(StrEnum):
    """Who gave a person its name."""

    NUMBER = "number"
    """Limner itself: ``person 7``."""
    PHOTO = "photo"
    USER = "user"


def person_named(change: sqlite3.Connection, folder: str, name: str) -> str:
    """The id of the person whom photos call so; a new one where there is none. It may be merged into another.

    Upper and lower case are alike. Somebody whom the user called so already is who is meant.

    Args:
        change: a transaction.
        folder: where the photos lie.
        name: as ``engine.faces.regions.region_list.clean_name`` makes it.
    """
    key = folded(name)
    uid = f"fs{digest_of('named', key)}"
    known = change.execute("SELECT name, named_by FROM folder_people WHERE uid = ?", (uid,)).fetchone()
    if known is not None:
        if known["named_by"] == NamedBy.PHOTO and _plainer(name, known["name"]):
            change.execute("UPDATE folder_people SET name = ? WHERE uid = ?", (name, uid))
        return uid
    rows = change.execute(
        "SELECT uid, name FROM folder_people WHERE merged_into IS NULL AND named_by != 'number' ORDER BY uid"
    )
    same = next((row["uid"] for row in rows if folded(row["name"]) == key), None)
    values = (uid, folder, name, same, NamedBy.PHOTO)
    change.execute(
        "INSERT INTO folder_people (uid, folder, name, merged_into, named_by) VALUES (?, ?, ?, ?, ?)", values
    )
    return uid


def add_numbered(change: sqlite3.Connection, folder: str, first: str, number: int) -> str:
    """Makes the person of a new group, of which ``first`` is a face, within a transaction; returns the id."""
    uid = f"fs{digest_of(folder, first)}"
    while change.execute("SELECT 1 FROM folder_people WHERE uid = ? AND merged_into NOTNULL", (uid,)).fetchone():
        uid = f"fs{digest_of(uid)}"
    change.execute(
        "INSERT OR IGNORE INTO folder_people (uid, folder, name, named_by) VALUES (?, ?, ?, ?)",
        (uid, folder, f"person {number}", NamedBy.NUMBER),
    )
    return uid


def rename(change: sqlite3.Connection, person: Person, name: str) -> None:
    """Gives a person a name, within a transaction.

    Raises:
        LibraryError: somebody else with faces has it.
    """
    rows = change.execute(
        "SELECT uid, name, EXISTS (SELECT 1 FROM folder_faces f WHERE f.person_uid = s.uid) AS seen"
        " FROM folder_people s WHERE merged_into IS NULL"
    ).fetchall()
    same = [row for row in rows if row["uid"] != person.id and folded(row["name"]) == folded(name)]
    if any(row["seen"] for row in same):
        fix = f'if they are one person: limner people merge "{name}" "{person.name}"'
        raise LibraryError(f"another person is already called {name}", fix)
    # Somebody whom photos named once, and no face is left of: whoever is called so from now on is meant.
    for row in same:
        change.execute("UPDATE folder_people SET merged_into = ? WHERE uid = ?", (person.id, row["uid"]))
    values = (name, NamedBy.USER, person.id)
    change.execute("UPDATE folder_people SET name = ?, named_by = ? WHERE uid = ?", values)
    change.execute("UPDATE faces SET person = ? WHERE person_uid = ?", (name, person.id))


def merge(change: sqlite3.Connection, into: str, others: Iterable[str]) -> None:
    """Makes one person of several, within a transaction: all faces are the first one's from now on, also in the
    project. Ids, not names."""
    name = change.execute("SELECT name FROM folder_people WHERE uid = ?", (into,)).fetchone()["name"]
    for other in others:
        change.execute("UPDATE folder_faces SET person_uid = ? WHERE person_uid = ?", (into, other))
        change.execute("UPDATE folder_people SET merged_into = ? WHERE uid = ?", (into, other))
        change.execute("UPDATE faces SET person_uid = ?, person = ? WHERE person_uid = ?", (into, name, other))


def settle(change: sqlite3.Connection) -> dict[str, str]:
    """Gives every face that a photo names to whom it names, within a transaction.

    A group that Limner numbered, and of whose faces the named ones all say one name, becomes that person.

    Returns:
        The people who became another: id to id.
    """
    pairs = change.execute(
        "SELECT DISTINCT f.person_uid, f.named_uid, s.named_by FROM folder_faces f"
        " LEFT JOIN folder_people s ON s.uid = f.person_uid WHERE f.named_uid IS NOT NULL"
    ).fetchall()
    people = {row["uid"]: row["merged_into"] for row in change.execute("SELECT uid, merged_into FROM folder_people")}
    named = {uid: _end_of(uid, people) for uid in {row["named_uid"] for row in pairs}}
    said: dict[str, set[str]] = defaultdict(set)
    for row in pairs:
        if row["named_by"] == NamedBy.NUMBER:
            said[row["person_uid"]].add(named[row["named_uid"]])
    became = {uid: next(iter(ends)) for uid, ends in said.items() if len(ends) == 1 and uid not in ends}
    for uid, end in became.items():
        merge(change, end, [uid])
    for row in pairs:
        end = named[row["named_uid"]]
        if row["person_uid"] != end and row["person_uid"] not in became:
            _give(change, row["person_uid"], row["named_uid"], end)
    return became


def _give(change: sqlite3.Connection, before: str | None, named: str, end: str) -> None:
    """Gives the faces of one person that are named as another to that one, also in the project."""
    which = "FROM folder_faces WHERE person_uid IS ? AND named_uid = ?"
    change.execute(
        "UPDATE faces SET person_uid = ?, person = (SELECT name FROM folder_people WHERE uid = ?)"
        f" WHERE marker_uid IN (SELECT uid {which})",
        (end, end, before, named),
    )
    change.execute(
        "UPDATE folder_faces SET person_uid = ? WHERE person_uid IS ? AND named_uid = ?", (end, before, named)
    )


def _end_of(uid: str, people: Mapping[str, str | None]) -> str:
    """Who a person is after all merges."""
    for _ in range(MOST_STEPS):
        into = people.get(uid)
        if into is None:
            return uid
        uid = into
    return uid


def _plainer(name: str, known: str) -> bool:
    """Which of two spellings is shown, in whatever order photos are read: ``Anna`` rather than ``ANNA`` or ``anna``."""

    def rank(text: str) -> tuple[bool, str]:
        return text.isupper() or text.islower(), text

    return rank(name) < rank(known)


def assign(change: sqlite3.Connection, whose: Mapping[str, str]) -> None:
    """Says whose some faces are, within a transaction: face to person."""
    rows = [(person, face) for face, person in whose.items()]
    change.executemany("UPDATE folder_faces SET person_uid = ? WHERE uid = ?", rows)
