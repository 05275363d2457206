"""The painter's queue: pictures to paint and painted, durable in the project's database.

A picture is held by one painter at a time: taking it marks it, in one transaction, with the painter's claim, and only
that claim can end it. How a finished file gets its name is told in ``engine.pictures.orders.commit``.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from enum import StrEnum
from pathlib import Path

from engine.errors import PictureError
from engine.pictures.orders.picture import Picture, PictureOrder, PictureState, order_from_record
from engine.storage.database import Store
from engine.storage.project_paths import ProjectPaths
from engine.storage.untrusted_files import parse_json

__all__ = ["MOST_STARS", "MOST_TRIES", "Move", "Picture", "PictureOrder", "PictureState", "Queue"]

MOST_STARS = 5

MOST_TRIES = 3
"""A picture that was being painted when so many painters died is not tried again by itself."""

_ORDER = "priority DESC, place, id"


class Move(StrEnum):
    """Where a waiting picture can be moved."""

    TOP = "top"
    UP = "up"
    DOWN = "down"
    BOTTOM = "bottom"


class Queue:
    """The queue of one project."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._paths = store.paths

    def add(self, orders: Iterable[PictureOrder]) -> list[Picture]:
        """Queues pictures, to be painted in this order among those of their priority."""
        with_keys = [(order, order.key(self._paths)) for order in orders]
        with self._store.change() as change:
            numbers = [_insert(change, order, key, self._paths) for order, key in with_keys]
        return [self.picture(number) for number in numbers]

    def add_missing(self, orders: Iterable[PictureOrder]) -> list[Picture]:
        """Queues those that are neither painted (their file still there), nor being painted, nor waiting.

        Returns:
            For each order the picture that it is, an old one or a new one; equal orders are one picture.
        """
        with_keys = [(order, order.key(self._paths)) for order in orders]
        numbers: list[int] = []
        with self._store.change() as change:
            for order, key in with_keys:
                rows = change.execute(
                    "SELECT id, state, path FROM pictures WHERE key = ? AND state IN ('queued', 'painting', 'done')"
                    " ORDER BY state = 'done' DESC, id",
                    (key,),
                ).fetchall()
                there = next(
                    (row["id"] for row in rows if row["state"] != "done" or self._paths.path(row["path"]).exists()),
                    None,
                )
                numbers.append(_insert(change, order, key, self._paths) if there is None else there)
        return [self.picture(number) for number in numbers]

    def pictures(self) -> list[Picture]:
        """All that were ever queued, newest first; not those made elsewhere."""
        return [
            _picture(row, self._paths)
            for row in self._store.rows("SELECT * FROM pictures WHERE NOT outside ORDER BY id DESC")
        ]

    def waiting_pictures(self) -> list[Picture]:
        """Those being painted and those that wait, in the order in which they are painted."""
        query = f"SELECT * FROM pictures WHERE state IN ('painting', 'queued') ORDER BY state = 'queued', {_ORDER}"
        return [_picture(row, self._paths) for row in self._store.rows(query)]

    def picture(self, number: int) -> Picture:
        """One picture by its number; KeyError where there is none."""
        rows = self._store.rows("SELECT * FROM pictures WHERE id = ?", number)
        if not rows:
            raise KeyError(number)
        return _picture(rows[0], self._paths)

    def state(self, number: int) -> PictureState:
        """Where a picture stands, quickly; KeyError where there is none."""
        rows = self._store.rows("SELECT state FROM pictures WHERE id = ?", number)
        if not rows:
            raise KeyError(number)
        return PictureState(rows[0][0])

    def waiting(self) -> int:
        """How many are not painted yet."""
        query = "SELECT count(*) FROM pictures WHERE state IN ('queued', 'painting')"
        return int(self._store.rows(query)[0][0])

    def take(self, claim: str = "") -> Picture | None:
        """The next picture to paint, now marked as being painted; None when nothing waits."""
        taken = self.take_together(claim)
        return taken[0] if taken else None

    def take_together(
        self,
        claim: str = "",
        most: Callable[[Picture], int] = lambda _first: 1,
        alike: Callable[[Picture, Picture], bool] = lambda _first, _next: False,
    ) -> list[Picture]:
        """The next picture, and those right behind it that can be painted together with it.

        Args:
            claim: the painter's own word, which ends them later.
            most: how many can be painted together with a picture, itself included.
            alike: whether a picture can be painted together with the first.
        """
        taken: list[Picture] = []
        with self._store.change() as change:
            for row in change.execute(f"SELECT * FROM pictures WHERE state = 'queued' ORDER BY {_ORDER}"):
                picture = _picture(row, self._paths)
                if taken and (len(taken) >= most(taken[0]) or not alike(taken[0], picture)):
                    break
                taken.append(picture)
            marks = [(claim, each.id) for each in taken]
            query = "UPDATE pictures SET state = 'painting', claim = ?, tries = tries + 1, staged = NULL WHERE id = ?"
            change.executemany(query, marks)
        return [self.picture(each.id) for each in taken]

    def finish(self, number: int, path: Path, seconds: float, claim: str | None = None) -> bool:
        """The picture is on disk, whole, at ``path``.

        Returns:
            False where it was cancelled or taken from this claim meanwhile, and nothing was changed.
        """
        mine, values = _held_by(claim)
        query = f"UPDATE pictures SET state = 'done', path = ?, seconds = ?, staged = NULL WHERE id = ?{mine}"
        return self._change(query, self._paths.kept(path), seconds, number, *values) > 0

    def fail(self, number: int, reason: str, claim: str | None = None) -> None:
        """The picture could not be painted; nothing, where it was cancelled meanwhile."""
        mine, values = _held_by(claim)
        self._change(f"UPDATE pictures SET state = 'failed', reason = ? WHERE id = ?{mine}", reason, number, *values)

    def cancel(self, number: int) -> bool:
        """Takes a picture off the queue, the one that is being painted too. Whether there was one to take."""
        query = "UPDATE pictures SET state = 'cancelled' WHERE id = ? AND state IN ('queued', 'painting')"
        return self._change(query, number) > 0

    def cancel_all(self) -> int:
        """Takes off everything that waits or is being painted. Returns how many."""
        return self._change("UPDATE pictures SET state = 'cancelled' WHERE state IN ('queued', 'painting')")

    def retry(self, number: int) -> bool:
        """Queues a failed or cancelled picture again, last of its priority. Whether it was one."""
        return (
            self._change(
                "UPDATE pictures SET state = 'queued', reason = NULL, claim = NULL, tries = 0,"
                " place = (SELECT max(place) + 1 FROM pictures) WHERE id = ? AND state IN ('failed', 'cancelled')",
                number,
            )
            > 0
        )

    def move(self, number: int, where: Move) -> bool:
        """Moves a waiting picture. Whether it moved; one that is first can't go up.

        It takes on the priority of the picture whose place it gets; the others keep theirs.
        """
        with self._store.change() as change:
            rows = change.execute(
                f"SELECT id, priority, place FROM pictures WHERE state = 'queued' ORDER BY {_ORDER}"
            ).fetchall()
            at = next((at for at, row in enumerate(rows) if row["id"] == number), None)
            if at is None:
                return False
            to = {Move.TOP: 0, Move.UP: at - 1, Move.DOWN: at + 1, Move.BOTTOM: len(rows) - 1}[where]
            if to == at or not 0 <= to < len(rows):
                return False
            priority = rows[to]["priority"]
            change.execute("UPDATE pictures SET priority = ? WHERE id = ?", (priority, number))
            order = [row["id"] for row in rows]
            order.insert(to, order.pop(at))
            places = sorted(row["place"] for row in rows)
            change.executemany("UPDATE pictures SET place = ? WHERE id = ?", list(zip(places, order, strict=True)))
        return True

    def rate(self, number: int, stars: int) -> Picture:
        """Gives a painted picture 1 to 5 stars; 0 takes them back. The stars of its prompt follow.

        Raises:
            PictureError: that is no number of stars, or no painted picture.
        """
        if not 0 <= stars <= MOST_STARS:
            raise PictureError(f"{stars} is not a valid rating", f"rate from 0 (none) to {MOST_STARS} stars")
        # NULL, not 0: a picture that nobody rated does not count in the mean of its prompt.
        query = "UPDATE pictures SET rating = ? WHERE id = ? AND state = 'done'"
        if not self._change(query, stars or None, number):
            raise PictureError(f"picture {number} is not painted", "rate it when it is painted")
        return self.picture(number)

    def keep_likeness(self, number: int, likeness: float | None) -> None:
        """Keeps how like the person a painted picture is, 0 to 100; None: not scorable."""
        self._change("UPDATE pictures SET likeness = ? WHERE id = ?", likeness, number)

    def put_back(self, numbers: Sequence[int] | None = None) -> int:
        """Queues again what is being painted, at its old place: what a painter gives back unpainted. Returns how many.

        What is staged is painted, and waits for whoever ends it.

        Args:
            numbers: those pictures; None: all of them, which only a painter that knows itself alone may say.
        """
        some = "" if numbers is None else f" AND id IN ({', '.join('?' * len(numbers))})"
        return self._change(
            f"UPDATE pictures SET state = 'queued', claim = NULL, tries = tries - 1 WHERE state = 'painting'"
            f" AND staged IS NULL{some}",
            *(numbers or ()),
        )

    def put_back_after_death(self) -> list[Picture]:
        """Queues again what a killed painter left half done; what killed painter after painter is given up.

        Returns:
            Those given up.
        """
        reason = f"{MOST_TRIES} painters died on it: is there enough memory? try again with: limner queue retry"
        with self._store.change() as change:
            rows = change.execute("SELECT id FROM pictures WHERE state = 'painting' AND tries >= ?", (MOST_TRIES,))
            given_up = [row["id"] for row in rows.fetchall()]
            change.executemany(
                "UPDATE pictures SET state = 'failed', reason = ? WHERE id = ?", [(reason, each) for each in given_up]
            )
            change.execute("UPDATE pictures SET state = 'queued', claim = NULL WHERE state = 'painting'")
        return [self.picture(number) for number in given_up]

    def stage(self, number: int, staged: Path, path: Path, claim: str) -> bool:
        """Says that the picture is whole under another name, on its way to ``path``. False: it is not held any more."""
        mine, values = _held_by(claim)
        query = f"UPDATE pictures SET staged = ?, path = ? WHERE id = ?{mine}"
        kept = self._paths.kept
        return self._change(query, kept(staged), kept(path), number, *values) > 0

    def staged(self) -> list[tuple[Picture, Path]]:
        """Pictures that were on their way to their names when their painter died, and where they lie."""
        rows = self._store.rows("SELECT * FROM pictures WHERE state = 'painting' AND staged IS NOT NULL")
        return [(_picture(row, self._paths), self._paths.path(row["staged"])) for row in rows]

    def _change(self, query: str, *values: object) -> int:
        with self._store.change() as change:
            return change.execute(query, values).rowcount


def _held_by(claim: str | None) -> tuple[str, tuple[str, ...]]:
    return ("", ()) if claim is None else (" AND state = 'painting' AND claim = ?", (claim,))


def _insert(change: sqlite3.Connection, order: PictureOrder, key: str, paths: ProjectPaths) -> int:
    # What is looked for by SQL has columns of its own; the whole order is in ``details``.
    row = {name: getattr(order, name) for name in _PLAIN}
    record = order.to_record(paths)
    row |= {"lora": record["lora"], "path": record["path"], "sampler": order.sampler.value}
    row |= {"t": time.time(), "key": key, "details": json.dumps(record, ensure_ascii=False)}
    cursor = change.execute(
        f"INSERT INTO pictures ({', '.join(row)}, place)"
        f" VALUES ({', '.join('?' * len(row))}, (SELECT coalesce(max(place), 0) + 1 FROM pictures))",
        tuple(row.values()),
    )
    return int(cursor.lastrowid or 0)


def _picture(row: sqlite3.Row, paths: ProjectPaths) -> Picture:
    record = parse_json(row["details"]) if row["details"] else {}
    # Columns are newer than the order where somebody moved the picture or it was written under another name.
    columns = {name: row[name] for name in row.keys() if name in _COLUMNS}  # noqa: SIM118
    order = order_from_record({**record, **columns}, paths)
    return Picture(
        **{each.name: getattr(order, each.name) for each in fields(PictureOrder)},
        id=row["id"],
        state=PictureState(row["state"]),
        seconds=row["seconds"],
        reason=row["reason"],
        rating=row["rating"] or 0,
        t=row["t"],
    )


_PLAIN = ("prompt", "negative", "strength", "seed", "steps", "guidance", "width", "height", "prompt_id", "priority")

_COLUMNS = (*_PLAIN, "lora", "path", "sampler")
