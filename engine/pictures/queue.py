"""The painter's queue: pictures to paint and painted, durable in the project's database."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from engine.errors import PictureError
from engine.settings import Sampler
from engine.store import Store

MOST_STARS = 5


class PictureState(StrEnum):
    """Where a picture stands."""

    QUEUED = "queued"
    PAINTING = "painting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class PictureOrder:
    """All that makes a picture. The same order gives the same picture."""

    prompt: str
    path: Path
    """Where it is to be written; never over something that is there."""
    seed: int
    steps: int
    guidance: float
    sampler: Sampler
    negative: str = ""
    lora: Path | None = None
    strength: float | None = None
    width: int | None = None
    """Pixels; None: what the base model was made for."""
    height: int | None = None
    prompt_id: int | None = None


@dataclass(frozen=True)
class Picture(PictureOrder):
    """An order with its number and how it went."""

    id: int = 0
    state: PictureState = PictureState.QUEUED
    seconds: float | None = None
    """How long painting took."""
    reason: str | None = None
    """Why it failed."""
    rating: int = 0
    """1 to 5 stars; 0: not rated."""


class Queue:
    """The queue of one project."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, orders: Iterable[PictureOrder]) -> list[Picture]:
        """Queues pictures, to be painted in this order."""
        numbers: list[int] = []
        with self._store.change() as change:
            for order in orders:
                cursor = change.execute(
                    "INSERT INTO pictures (t, prompt, negative, lora, strength, seed, steps, guidance, sampler,"
                    " width, height, path, prompt_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    _values(order),
                )
                numbers.append(int(cursor.lastrowid or 0))
        return [self.picture(number) for number in numbers]

    def pictures(self) -> list[Picture]:
        """All of them, newest first."""
        return [_picture(row) for row in self._store.rows("SELECT * FROM pictures ORDER BY id DESC")]

    def picture(self, number: int) -> Picture:
        """One picture by its number; KeyError where there is none."""
        rows = self._store.rows("SELECT * FROM pictures WHERE id = ?", number)
        if not rows:
            raise KeyError(number)
        return _picture(rows[0])

    def waiting(self) -> int:
        """How many are not painted yet."""
        query = "SELECT count(*) FROM pictures WHERE state IN ('queued', 'painting')"
        return int(self._store.rows(query)[0][0])

    def take(self) -> Picture | None:
        """The next picture to paint, now marked as being painted; None when nothing waits."""
        with self._store.change() as change:
            row = change.execute(
                "SELECT * FROM pictures WHERE state = 'queued' ORDER BY priority DESC, id LIMIT 1"
            ).fetchone()
            if row is None:
                return None
            change.execute("UPDATE pictures SET state = 'painting' WHERE id = ?", (row["id"],))
        return self.picture(row["id"])

    def finish(self, number: int, path: Path, seconds: float) -> None:
        """The picture is on disk, whole, at ``path``."""
        self._set(number, "state = 'done', path = ?, seconds = ?", str(path), seconds)

    def fail(self, number: int, reason: str) -> None:
        """The picture could not be painted."""
        self._set(number, "state = 'failed', reason = ?", reason)

    def cancel(self, number: int) -> None:
        """Takes a picture off the queue that is not painted yet."""
        with self._store.change() as change:
            change.execute("UPDATE pictures SET state = 'cancelled' WHERE id = ? AND state = 'queued'", (number,))

    def rate(self, number: int, stars: int) -> Picture:
        """Gives a painted picture 1 to 5 stars; 0 takes them back. The stars of its prompt follow.

        Raises:
            PictureError: that is no number of stars, or no painted picture.
        """
        if not 0 <= stars <= MOST_STARS:
            raise PictureError(f"{stars} is no rating", f"rate from 0 (none) to {MOST_STARS} stars")
        with self._store.change() as change:
            # NULL, not 0: a picture that nobody rated does not count in the mean of its prompt.
            rated = change.execute(
                "UPDATE pictures SET rating = ? WHERE id = ? AND state = 'done'", (stars or None, number)
            ).rowcount
        if not rated:
            raise PictureError(f"picture {number} is not painted", "rate it when it is")
        return self.picture(number)

    def put_back(self) -> int:
        """Queues again what a killed painter left half done. Returns how many."""
        with self._store.change() as change:
            return change.execute("UPDATE pictures SET state = 'queued' WHERE state = 'painting'").rowcount

    def _set(self, number: int, what: str, *values: object) -> None:
        with self._store.change() as change:
            change.execute(f"UPDATE pictures SET {what} WHERE id = ?", (*values, number))


def _values(order: PictureOrder) -> tuple[object, ...]:
    return (
        *(time.time(), order.prompt, order.negative, str(order.lora) if order.lora else None, order.strength),
        *(order.seed, order.steps, order.guidance, order.sampler.value, order.width, order.height),
        *(str(order.path), order.prompt_id),
    )


def _picture(row: sqlite3.Row) -> Picture:
    return Picture(
        id=row["id"],
        state=PictureState(row["state"]),
        prompt=row["prompt"],
        negative=row["negative"],
        lora=Path(row["lora"]) if row["lora"] else None,
        strength=row["strength"],
        seed=row["seed"],
        steps=row["steps"],
        guidance=row["guidance"],
        sampler=Sampler(row["sampler"]),
        width=row["width"],
        height=row["height"],
        path=Path(row["path"]),
        prompt_id=row["prompt_id"],
        seconds=row["seconds"],
        reason=row["reason"],
        rating=row["rating"] or 0,
    )
