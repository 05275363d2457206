"""What a person says of pictures: stars, favourite, rejected, votes; as a journal that can be undone across restarts.

A rejected picture stays on the disk; lists leave it out unless they are asked for it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from engine.errors import PictureError
from engine.pictures.orders.picture import PictureState
from engine.pictures.orders.queue import MOST_STARS
from engine.storage.database import Store
from engine.storage.undo_journal import Turn, UndoJournal

JOURNAL = UndoJournal("verdict_actions", "verdict_changes")


class Verdict(StrEnum):
    """What can be said; the name of its column, a vote's in a table of its own."""

    RATING = "rating"
    FAVOURITE = "favourite"
    REJECTED = "rejected"
    VOTE = "vote"

    @property
    def value_of(self) -> str:
        """What reads it from a row of ``pictures``."""
        if self is Verdict.VOTE:
            return "coalesce((SELECT vote FROM votes WHERE picture_id = pictures.id), 0)"
        return f"coalesce({self.value}, 0)"


@dataclass(frozen=True)
class Action:
    """One thing that a person did: a label such as ``4 stars for 12``, and the pictures that changed."""

    label: str
    pictures: tuple[int, ...]


class Ratings:
    """The journal of one project's pictures, in its database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def rate(self, numbers: Iterable[int], stars: int) -> Action:
        """Gives painted pictures 1 to 5 stars; 0 takes them back. The stars of their prompts follow.

        Raises:
            PictureError: that is no number of stars, or one is no painted picture; then nothing is changed.
        """
        if not 0 <= stars <= MOST_STARS:
            raise PictureError(f"{stars} is not a valid rating", f"rate from 0 (none) to {MOST_STARS} stars")
        word = f"{stars} {'star' if stars == 1 else 'stars'} for" if stars else "no stars for"
        return self._say(Verdict.RATING, word, numbers, lambda _: stars)

    def rate_by(self, numbers: Iterable[int], by: int) -> Action:
        """Gives stars more, or fewer, counted from what is saved.

        Raises:
            PictureError: one is no painted picture; then nothing is changed.
        """
        word = "a star more for" if by > 0 else "a star fewer for"
        return self._say(Verdict.RATING, word, numbers, lambda before: min(MOST_STARS, max(0, before + by)))

    def favourite(self, numbers: Iterable[int], yes: bool = True) -> Action:
        """Makes pictures favourites, or removes the mark. Raises PictureError: one is no painted picture."""
        return self._say(Verdict.FAVOURITE, "favourite" if yes else "no favourite", numbers, lambda _: int(yes))

    def reject(self, numbers: Iterable[int], yes: bool = True) -> Action:
        """Rejects pictures, or takes that back. Raises PictureError: one waits or is being painted."""
        return self._say(Verdict.REJECTED, "reject" if yes else "take back", numbers, lambda _: int(yes))

    def vote(self, number: int, vote: int) -> Action:
        """Votes for a painted picture (1), against it (-1), or takes the vote back (0).

        Raises:
            PictureError: that is not a valid vote, or no painted picture.
        """
        if vote not in (-1, 0, 1):
            raise PictureError(f"{vote} is not a valid vote", "vote 1, -1, or 0 to take it back")
        word = {1: "a vote for", -1: "a vote against", 0: "no vote for"}[vote]
        return self._say(Verdict.VOTE, word, [number], lambda _: vote)

    def undo(self) -> Action | None:
        """Takes the last action back, also one of an earlier day; None where nothing is left to undo."""
        return self._turn(Turn.UNDO)

    def redo(self) -> Action | None:
        """Does the last undone action again; None where nothing is left to redo."""
        return self._turn(Turn.REDO)

    def _say(self, verdict: Verdict, word: str, numbers: Iterable[int], becomes: Callable[[int], int]) -> Action:
        steps: list[tuple[int, int, int]] = []
        with self._store.change() as change:
            for number in dict.fromkeys(numbers):
                row = change.execute(
                    f"SELECT state, {verdict.value_of} AS value FROM pictures WHERE id = ?", (number,)
                ).fetchone()
                _refuse(number, row, verdict)
                after = becomes(row["value"])
                if after != row["value"]:
                    steps.append((number, row["value"], after))
            changed = tuple(step[0] for step in steps)
            label = f"{word} {changed[0]}" if len(changed) == 1 else f"{word} {len(changed)} pictures"
            if steps:
                action = JOURNAL.begin(change, label)
                change.executemany(
                    "INSERT INTO verdict_changes (action_id, picture_id, field, before, after) VALUES (?, ?, ?, ?, ?)",
                    [(action, number, verdict.value, before, after) for number, before, after in steps],
                )
                _apply(change, [(number, verdict.value, after) for number, _, after in steps])
        return Action(label, changed)

    def _turn(self, turn: Turn) -> Action | None:
        with self._store.change() as change:
            turned = JOURNAL.turn(change, turn)
            if turned is None:
                return None
            _apply(change, [(row["picture_id"], row["field"], row[turn]) for row in turned.changes])
        return Action(turned.label, tuple(dict.fromkeys(row["picture_id"] for row in turned.changes)))


def _refuse(number: int, row: sqlite3.Row | None, verdict: Verdict) -> None:
    if verdict is Verdict.VOTE and (row is None or row["state"] != PictureState.DONE):
        raise PictureError(f"picture {number} is not painted", "vote when it is painted")
    if row is None:
        raise PictureError(f"there is no picture {number}", "list them with: limner pictures list")
    if row["state"] in (PictureState.QUEUED, PictureState.PAINTING):
        raise PictureError(
            f"picture {number} is not painted yet", "rate it when it is painted, or: limner queue cancel"
        )
    if verdict is not Verdict.REJECTED and row["state"] != PictureState.DONE:
        raise PictureError(f"picture {number} was not painted", "only a painted picture can be rated")


def _apply(change: sqlite3.Connection, steps: Sequence[tuple[int, str, int]]) -> None:
    for number, after in [(number, value) for number, field, value in steps if field == Verdict.VOTE]:
        change.execute("DELETE FROM votes WHERE picture_id = ?", (number,))
        if after:
            change.execute("INSERT INTO votes (picture_id, t, vote) VALUES (?, ?, ?)", (number, time.time(), after))
    for verdict in (Verdict.RATING, Verdict.FAVOURITE, Verdict.REJECTED):
        # NULL, not 0: a picture that nobody rated does not count in the mean of its prompt.
        keep = (lambda value: value or None) if verdict is Verdict.RATING else int
        values = [(keep(value), number) for number, field, value in steps if field == verdict.value]
        change.executemany(f"UPDATE pictures SET {verdict.value} = ? WHERE id = ?", values)
