"""What a person did, as actions that can be undone and redone, also after a restart: a journal in a project's database.

A journal has two tables: its actions (``id``, ``t``, ``label``, ``state``) and their changes (``action_id`` and columns
of its own, for what was before and what came after). An action is done, undone, or dropped: undone, and then
something else was done.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from enum import StrEnum


class Turn(StrEnum):
    """Taking an action back, or doing it again; the value is the column of changes that holds what then is."""

    UNDO = "before"
    REDO = "after"


@dataclass(frozen=True)
class Turned:
    """An action that was undone or redone."""

    id: int
    label: str
    changes: list[sqlite3.Row]
    """In their order."""


@dataclass(frozen=True)
class UndoJournal:
    """The tables of one journal. Each method takes a change to the database that is under way."""

    actions: str
    changes: str

    def begin(self, change: sqlite3.Connection, label: str) -> int:
        """Opens an action and returns its number; what was undone can no longer be redone."""
        change.execute(f"UPDATE {self.actions} SET state = 'dropped' WHERE state = 'undone'")
        made = change.execute(f"INSERT INTO {self.actions} (t, label) VALUES (?, ?)", (time.time(), label)).lastrowid
        assert made is not None
        return made

    def turn(self, change: sqlite3.Connection, turn: Turn) -> Turned | None:
        """Marks the last action that was done as undone, or the last undone one as done; None where there is none.

        An action that changed nothing is none, as of a job that was stopped at once.
        """
        state, becomes, order = ("done", "undone", "DESC") if turn is Turn.UNDO else ("undone", "done", "ASC")
        action = change.execute(
            f"SELECT id, label FROM {self.actions} WHERE state = ?"
            f" AND EXISTS (SELECT 1 FROM {self.changes} WHERE action_id = {self.actions}.id)"
            f" ORDER BY id {order} LIMIT 1",
            (state,),
        ).fetchone()
        if action is None:
            return None
        change.execute(f"UPDATE {self.actions} SET state = ? WHERE id = ?", (becomes, action["id"]))
        rows = change.execute(f"SELECT * FROM {self.changes} WHERE action_id = ? ORDER BY id", (action["id"],))
        return Turned(action["id"], action["label"], rows.fetchall())
