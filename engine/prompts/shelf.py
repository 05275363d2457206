"""The shelf of prompts: those that were written or chosen, each with its parent and a rating."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

from engine.errors import PromptError
from engine.store import Store

RATINGS = range(-1, 6)
"""-1 is dropped, 0 is not rated, 1 to 5 are stars."""


@dataclass(frozen=True)
class Prompt:
    """A prompt on the shelf."""

    id: int
    text: str
    negative: str
    parent_id: int | None
    rating: int


class Shelf:
    """The prompts of one project, in its database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, text: str, negative: str = "", parent_id: int | None = None) -> Prompt:
        """Puts a prompt on the shelf. One that is there already keeps its parent and rating.

        Raises:
            PromptError: it is empty, or its parent is not on the shelf.
        """
        text, negative = " ".join(text.split()), " ".join(negative.split())
        if not text:
            raise PromptError("the prompt is empty", "write what the picture is to show")
        if parent_id is not None:
            self.prompt(parent_id)
        with self._store.change() as change:
            change.execute(
                "INSERT INTO prompts (t, text, negative, parent_id) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (time.time(), text, negative, parent_id),
            )
        row = self._store.rows("SELECT id FROM prompts WHERE text = ? AND negative = ?", text, negative)[0]
        return self.prompt(row["id"])

    def prompts(self) -> list[Prompt]:
        """All of them but the dropped ones, the best rated first, then the newest."""
        query = "SELECT * FROM prompts WHERE rating >= 0 ORDER BY rating DESC, id DESC"
        return [Prompt(*_values(row)) for row in self._store.rows(query)]

    def prompt(self, number: int) -> Prompt:
        """One prompt. Raises PromptError where there is none of that number."""
        rows = self._store.rows("SELECT * FROM prompts WHERE id = ?", number)
        if not rows:
            raise PromptError(f"there is no prompt {number}", "look at the list of prompts")
        return Prompt(*_values(rows[0]))

    def rate(self, number: int, rating: int) -> Prompt:
        """Rates a prompt: -1 drops it from the list, 0 takes the rating back, 1 to 5 are stars.

        Raises:
            PromptError: no such prompt or rating.
        """
        if rating not in RATINGS:
            raise PromptError(f"{rating} is no rating", "rate from -1 (dropped) to 5")
        self.prompt(number)
        with self._store.change() as change:
            change.execute("UPDATE prompts SET rating = ? WHERE id = ?", (rating, number))
        return self.prompt(number)


def _values(row: sqlite3.Row) -> tuple[int, str, str, int | None, int]:
    return row["id"], row["text"], row["negative"], row["parent_id"], row["rating"]
