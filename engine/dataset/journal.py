"""What was changed in captions, as a journal that can be undone across restarts.

The captions themselves lie in files, which other tools may change. So an action is on disk in the database first, then
the files are written, then that is noted; what a kill left unwritten is written when the journal is next opened. A file
is only ever changed from what the journal knows it to be: what somebody wrote since stays.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.dataset.folder import DatasetFolder, read_caption, write_caption
from engine.errors import DatasetError, LimnerError
from engine.store import Store


@dataclass(frozen=True)
class Change:
    """One thing that was done to captions."""

    label: str
    images: tuple[str, ...]
    """The files' names whose captions changed."""
    left: tuple[str, ...] = ()
    """Those that were left alone: changed by somebody else since, or gone."""


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
        wanted = {name: _line(name, text) for name, text in captions.items()}
        before = {name: read_caption(self._image(name)) for name in wanted}
        changed = {name: text for name, text in wanted.items() if text != before[name]}
        if not changed:
            return Change(label, ())
        action = self.begin(label)
        with self._store.change() as change:
            _note(change, action, before, changed)
        self._settle()
        return Change(label, tuple(changed))

    def begin(self, label: str) -> int:
        """Opens an action that captions are added to one by one, as a job does. What was undone can no longer be
        redone from here on."""
        with self._store.change() as change:
            change.execute("UPDATE caption_actions SET state = 'dropped' WHERE state = 'undone'")
            values = (time.time(), label)
            made = change.execute("INSERT INTO caption_actions (t, label) VALUES (?, ?)", values).lastrowid
        assert made is not None
        return made

    def add(self, action: int, name: str, text: str) -> bool:
        """Writes one caption as part of an action; whether that changed anything. Raises DatasetError as ``write``."""
        line, before = _line(name, text), read_caption(self._image(name))
        if line == before:
            return False
        with self._store.change() as change:
            _note(change, action, {name: before}, {name: line})
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
        line, now = _line(name, text), read_caption(self._image(name))
        rows = self._store.rows(
            "SELECT caption_changes.id, before FROM caption_changes"
            " JOIN caption_actions ON caption_actions.id = action_id"
            " WHERE action_id = ? AND image = ? AND state = 'done'",
            action,
            name,
        )
        if not rows:
            if line == now:
                return action if action is not None else self.begin(f"edit {name}")
            action = self.begin(f"edit {name}")
            with self._store.change() as change:
                _note(change, action, {name: now}, {name: line})
        else:
            self._amend(rows[0], name, now, line)
        self._settle()
        assert action is not None
        return action

    def undo(self) -> Change | None:
        """Takes the last action back, also one of an earlier day; None where nothing is left to undo."""
        return self._turn("done", "undone", "before", "DESC")

    def redo(self) -> Change | None:
        """Does the last undone action again; None where nothing is left to redo."""
        return self._turn("undone", "done", "after", "ASC")

    def _amend(self, row: sqlite3.Row, name: str, now: str, line: str) -> None:
        """Brings a change and its file from ``now`` to ``line``, both or neither: where one of them were ahead of the
        other, an undo would take the caption for somebody else's and leave it."""
        try:
            with self._store.change() as change:
                if line == row["before"]:
                    # All of it was taken back by hand: nothing is left to undo.
                    change.execute("DELETE FROM caption_changes WHERE id = ?", (row["id"],))
                else:
                    change.execute("UPDATE caption_changes SET after = ? WHERE id = ?", (line, row["id"]))
                write_caption(self._image(name), line)
        except LimnerError:
            if self._now(name) == line:
                with suppress(LimnerError):
                    self._put(self._folder.path / name, now)
            raise

    def _turn(self, state: str, to_state: str, column: str, order: str) -> Change | None:
        with self._store.change() as change:
            # An action that changed nothing is none: a job that was told to stop at once, say.
            row = change.execute(
                "SELECT id, label FROM caption_actions WHERE state = ?"
                " AND EXISTS (SELECT 1 FROM caption_changes WHERE action_id = caption_actions.id)"
                f" ORDER BY id {order} LIMIT 1",
                (state,),
            ).fetchone()
            if row is None:
                return None
            change.execute("UPDATE caption_actions SET state = ? WHERE id = ?", (to_state, row["id"]))
            change.execute("UPDATE caption_changes SET written = 0 WHERE action_id = ?", (row["id"],))
        self._settle()
        changes = self._store.rows(
            f"SELECT image, {column} AS wanted FROM caption_changes WHERE action_id = ? ORDER BY id", row["id"]
        )
        there = {each["image"]: self._now(each["image"]) == each["wanted"] for each in changes}
        changed = tuple(name for name, done in there.items() if done)
        return Change(row["label"], changed, tuple(name for name, done in there.items() if not done))

    def _settle(self) -> None:
        """Writes what the database says is not written yet. Safe to do twice, and by two processes."""
        waiting = self._store.rows(
            "SELECT caption_changes.id, image, before, after, state FROM caption_changes"
            " JOIN caption_actions ON caption_actions.id = action_id WHERE written = 0 ORDER BY caption_changes.id"
        )
        done: list[tuple[int]] = []
        for row in waiting:
            undone = row["state"] == "undone"
            was, wanted = (row["after"], row["before"]) if undone else (row["before"], row["after"])
            if self._now(row["image"]) == was:
                self._put(self._folder.path / row["image"], wanted)
            done.append((row["id"],))
        if done:
            with self._store.change() as change:
                change.executemany("UPDATE caption_changes SET written = 1 WHERE id = ?", done)

    def _now(self, name: str) -> str | None:
        """What stands beside an image now; None where there is no such image."""
        image = self._folder.path / name
        return read_caption(image) if image.is_file() else None

    def _put(self, image: Path, text: str) -> None:
        if text:
            write_caption(image, text)
            return
        try:
            image.with_suffix(".txt").unlink(missing_ok=True)
        except OSError as error:
            raise DatasetError(f"the caption of {image.name} can't be taken out ({error.strerror})") from error

    def _image(self, name: str) -> Path:
        image = self._folder.path / name
        if Path(name).name != name or not image.is_file():
            raise DatasetError(f"there is no image {name}", "list them with: limner dataset list")
        return image


def _line(name: str, text: str) -> str:
    line = " ".join(text.split())
    if not line:
        raise DatasetError(f"the caption of {name} is empty", "write at least the trigger word")
    return line


def _note(change: sqlite3.Connection, action: int, before: Mapping[str, str], after: Mapping[str, str]) -> None:
    change.executemany(
        "INSERT INTO caption_changes (action_id, image, before, after) VALUES (?, ?, ?, ?)",
        [(action, name, before[name], text) for name, text in after.items()],
    )
