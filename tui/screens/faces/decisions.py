"""Decisions on faces as the Faces screen makes them: saved before a method returns, then shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from engine.errors import LimnerError
from engine.faces.photo.geometry import Cut
from engine.faces.records.decisions import Decision, Face, Ledger
from engine.storage.database import Store
from tui.screens.faces.view import FacesPanes


class FaceDecisions:
    """Decides on faces, and keeps the panes up to date.

    Args:
        panes: where the faces are shown.
    """

    def __init__(self, panes: FacesPanes) -> None:
        self._panes = panes
        self._store: Store | None = None

    @property
    def store(self) -> Store:
        """The database of the app's own thread; opened once, for a decision must cost no more than its write."""
        if self._store is None:
            self._store = Store(self._panes.project.root / "limner.db")
        return self._store

    @property
    def ledger(self) -> Ledger:
        """Faces and decisions."""
        return Ledger(self.store)

    def close(self) -> None:
        """Closes the database."""
        if self._store is not None:
            self._store.close()

    def decide(self, face: Face, decision: Decision) -> bool:
        """Decides on one face; whether it could be decided."""
        panes = self._panes
        if face.problem and decision is Decision.KEEP:
            panes.notify(f"{face.problem}: it can't become a training image", severity="warning", markup=False)
            return False
        if panes.try_show(lambda: self.ledger.decide([face.id], decision)) is None:
            return False
        self.show([face.id])
        return True

    def cut_as(self, face: Face, cut: Cut) -> None:
        """Saves how a face is to be cut."""
        if self._panes.try_show(lambda: self.ledger.cut(face.id, cut)) is not None:
            self.show([face.id])
            self._panes.show_picture()

    def undo(self) -> None:
        """Undoes the last decision."""
        self.turn(True)

    def redo(self) -> None:
        """Does the last undone decision again."""
        self.turn(False)

    def turn(self, undo: bool) -> None:
        """Undoes the last decision, or does the last undone one again."""
        panes = self._panes
        try:
            ledger = self.ledger
            action = ledger.undo() if undo else ledger.redo()
        except LimnerError as error:
            panes.show_error(error)
            return
        word = "undo" if undo else "redo"
        if action is None:
            panes.say(f"There is nothing to {word}.")
            return
        self.show(action.faces)
        place = panes.place_of(action.faces[0]) if action.faces else None
        if place is not None:
            panes.rows.cursor = place
        panes.say(f"{'Undid' if undo else 'Redid'}: {action.label}")

    def show(self, ids: Sequence[int]) -> None:
        """Takes the decisions and cuts of some faces from the database into what is shown."""
        panes, ledger = self._panes, self.ledger
        columns = panes.columns
        if columns is None:
            return
        others = False
        for face_id in ids:
            row = columns.row(face_id)
            if row is not None:
                now = ledger.face(face_id)
                others |= columns.update(replace(columns.faces[row], decision=now.decision, cut=now.cut))
        if len(ids) == 1 and not others and (place := panes.place_of(ids[0])) is not None:
            panes.rows.redraw(place)
        else:
            panes.rows.show(panes.rows.items)
        panes.show_facts()
        panes.show_meter()
        panes.ask()
