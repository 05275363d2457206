"""What was changed in captions, as a journal that can be undone across restarts.

The captions themselves lie in files, which other tools may change. So an action is on disk in the database first, then
the files are written, then that is noted; what a kill left unwritten is written when the journal is next opened. The
journal keeps the files' bytes, so that an undo brings each back as it was. A file is only ever changed from what the
journal knows it to be: what somebody wrote since stays.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.dataset.files.caption_file import caption_path, one_line, parse_caption, put_bytes, read_bytes, with_caption
from engine.dataset.files.layout import DatasetFolder, read_caption, write_caption
from engine.errors import DatasetError, LimnerError
from engine.storage.database import Store
from engine.storage.undo_journal import Turn, UndoJournal

JOURNAL = UndoJournal("caption_actions", "caption_changes")


@dataclass(frozen=True)
class Change:
    """One thing that was done to captions."""

    label: str
    images: tuple[str, ...]
    """The files' names whose captions changed."""
    left: tuple[str, ...] = ()
    """Those that were left alone: changed by somebody else since, or gone."""


BYTES = {"before": "was", "after": "becomes"}
"""The column that holds a whole file, beside the one that holds its caption."""


@dataclass(frozen=True)
class _Step:
    """What becomes of one caption's file."""

    image: str
    before: str
    """The caption."""
    line: str
    """The caption that it gets."""
    was: bytes | None
    """The whole file; None: there is none."""
    becomes: bytes


class CaptionJournal:
    """The captions of one project's dataset, and what was done to them."""

    def __init__(self, store: Store, folder: DatasetFolder) -> None:
        self._store = store
        self._folder = folder
        self._settle()

    def write(self, captions: Mapping[str, str], label: str) -> Change:
        """Writes captions as one action, which one undo takes back.

        Args:
            captions: the images' file names to what is to stand beside each.
            label: what the action is called: ``rename smile``.

        Raises:
            DatasetError: a caption is empty, an image is not there, or a file can't be written.
        """
        steps = [step for step in (self._step(name, text) for name, text in captions.items()) if step is not None]
        if not steps:
            return Change(label, ())
        action = self.begin(label)
        with self._store.change() as change:
            _note(change, action, steps)
        self._settle()
        return Change(label, tuple(step.image for step in steps))

    def begin(self, label: str) -> int:
        """Opens an action that captions are added to one by one, as a job does. What was undone can no longer be
        redone from here on."""
        with self._store.change() as change:
            return JOURNAL.begin(change, label)

    def add(self, action: int, name: str, text: str) -> bool:
        """Writes one caption as part of an action; whether that changed anything. Raises DatasetError as ``write``."""
        step = self._step(name, text)
        if step is None:
            return False
        with self._store.change() as change:
            _note(change, action, [step])
        self._settle()
        return True

    def amend(self, action: int | None, name: str, text: str) -> int:
        """Writes one caption as it is being typed: all of the typing becomes one action, which one undo takes back.

        Args:
            action: what the last call returned; None: the typing begins.
            name: the image's file name.
            text: the caption so far.

        Returns:
            The action that the next call goes on with; another one where this one was undone meanwhile.

        Raises:
            DatasetError: it is empty, or can't be written; then the file stays as it was.
        """
        step = self._step(name, text)
        rows = self._store.rows(
            "SELECT caption_changes.id, was FROM caption_changes"
            " JOIN caption_actions ON caption_actions.id = action_id"
            " WHERE action_id = ? AND image = ? AND state = 'done' AND whole",
            action,
            name,
        )
        if not rows:
            if step is None:
                return action if action is not None else self.begin(f"edit {name}")
            action = self.begin(f"edit {name}")
            with self._store.change() as change:
                _note(change, action, [step])
        elif step is not None:
            self._amend(rows[0], step)
        self._settle()
        assert action is not None
        return action

    def undo(self) -> Change | None:
        """Takes the last action back, also one of an earlier day; None where nothing is left to undo."""
        return self._turn(Turn.UNDO)

    def redo(self) -> Change | None:
        """Does the last undone action again; None where nothing is left to redo."""
        return self._turn(Turn.REDO)

    def _amend(self, row: sqlite3.Row, step: _Step) -> None:
        """Brings a change and its file to what is written now, both or neither: where one of them were ahead of the
        other, an undo would take the caption for somebody else's and leave it."""
        image = self._folder.path / step.image
        try:
            with self._store.change() as change:
                if step.becomes == row["was"]:
                    # All of it was taken back by hand: nothing is left to undo.
                    change.execute("DELETE FROM caption_changes WHERE id = ?", (row["id"],))
                else:
                    values = (step.line, step.becomes, row["id"])
                    change.execute("UPDATE caption_changes SET after = ?, becomes = ? WHERE id = ?", values)
                put_bytes(image, step.becomes)
        except LimnerError:
            with suppress(LimnerError):
                if read_bytes(image) == step.becomes:
                    put_bytes(image, step.was)
            raise

    def _turn(self, turn: Turn) -> Change | None:
        with self._store.change() as change:
            turned = JOURNAL.turn(change, turn)
            if turned is None:
                return None
            change.execute("UPDATE caption_changes SET written = 0 WHERE action_id = ?", (turned.id,))
        self._settle()
        there = {each["image"]: self._holds(each, turn) for each in turned.changes}
        changed = tuple(name for name, done in there.items() if done)
        return Change(turned.label, changed, tuple(name for name, done in there.items() if not done))

    def _settle(self) -> None:
        """Writes what the database says is not written yet. Safe to do twice, and by two processes."""
        waiting = self._store.rows(
            "SELECT caption_changes.*, state FROM caption_changes"
            " JOIN caption_actions ON caption_actions.id = action_id WHERE written = 0 ORDER BY caption_changes.id"
        )
        done: list[tuple[int]] = []
        for row in waiting:
            was, wanted = ("after", "before") if row["state"] == "undone" else ("before", "after")
            if self._holds(row, was):
                self._put(row, wanted)
            done.append((row["id"],))
        if done:
            with self._store.change() as change:
                change.executemany("UPDATE caption_changes SET written = 1 WHERE id = ?", done)

    def _holds(self, row: sqlite3.Row, side: str) -> bool:
        """Whether the file is what a change has on a side, ``before`` or ``after``, to the byte. A change that an older
        Limner made knows the caption alone."""
        image = self._folder.path / row["image"]
        if not image.is_file():
            return False
        if row["whole"]:
            return bool(read_bytes(image) == row[BYTES[side]])
        try:
            return bool(read_caption(image) == row[side])
        except DatasetError:
            return False

    def _put(self, row: sqlite3.Row, side: str) -> None:
        image = self._folder.path / row["image"]
        if row["whole"]:
            put_bytes(image, row[BYTES[side]])
        elif row[side]:
            write_caption(image, row[side])
        else:
            put_bytes(image, None)

    def _step(self, name: str, text: str) -> _Step | None:
        """What a caption's file becomes; None where it says that already."""
        line, was = one_line(text, name), read_bytes(image := self._image(name))
        file = caption_path(image).name
        before = "" if was is None else parse_caption(was, file).caption
        return None if line == before else _Step(name, before, line, was, with_caption(was, line, file))

    def _image(self, name: str) -> Path:
        image = self._folder.path / name
        if Path(name).name != name or not image.is_file():
            raise DatasetError(f"there is no image {name}", "list them with: limner dataset list")
        return image


def _note(change: sqlite3.Connection, action: int, steps: Sequence[_Step]) -> None:
    change.executemany(
        "INSERT INTO caption_changes (action_id, image, before, after, was, becomes, whole)"
        " VALUES (?, ?, ?, ?, ?, ?, 1)",
        [(action, step.image, step.before, step.line, step.was, step.becomes) for step in steps],
    )
