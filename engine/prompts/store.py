"""The shelf of prompts: those of one project, each with its parent, what was said about it, and its stars."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from engine.errors import PromptError
from engine.storage.database import Store
from engine.storage.untrusted_files import parse_json

RATINGS = range(-1, 6)
"""-1 is dropped, 0 is not rated, 1 to 5 are stars."""


class Mark(StrEnum):
    """What was said about a variation."""

    NONE = ""
    KEPT = "kept"
    DROPPED = "dropped"


@dataclass(frozen=True)
class Prompt:
    """A prompt on the shelf."""

    id: int
    text: str
    negative: str
    parent_id: int | None
    rating: int
    """-1 to 5, given to the prompt itself."""
    name: str = ""
    tags: tuple[str, ...] = ()
    mark: Mark = Mark.NONE
    made_by: Mapping[str, Any] = field(default_factory=dict)
    """What made it: engine, model, seed, axes, distance, the prompt as written; empty where a person wrote it."""
    pictures: int = 0
    """How many pictures were rated that it made."""
    picture_stars: float | None = None
    """The mean of their stars, 0 to 5."""

    @property
    def stars(self) -> float:
        """What was given to the prompt, else what its pictures got, else 0."""
        return float(self.rating) if self.rating > 0 else self.picture_stars or 0.0


_QUERY = (
    "SELECT prompts.*, count(pictures.rating) AS rated, avg(pictures.rating) AS mean FROM prompts"
    " LEFT JOIN pictures ON pictures.prompt_id = prompts.id {where} GROUP BY prompts.id"
)


class PromptStore:
    """The prompts of one project, in its database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(
        self,
        text: str,
        negative: str = "",
        parent_id: int | None = None,
        *,
        name: str = "",
        tags: Iterable[str] = (),
        made_by: Mapping[str, Any] | None = None,
    ) -> Prompt:
        """Puts a prompt on the shelf. One that is there already keeps all that it has.

        Raises:
            PromptError: it is empty, or its parent is not on the shelf.
        """
        text, negative = _one_line(text), _one_line(negative)
        if not text and not negative:
            raise PromptError("the prompt is empty", "write what the picture should show")
        if parent_id is not None:
            self.prompt(parent_id)
        with self._store.change() as change:
            change.execute(
                "INSERT INTO prompts (t, text, negative, parent_id, name, tags, made_by)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (time.time(), text, negative, parent_id, name, json.dumps(list(tags)), json.dumps(dict(made_by or {}))),
            )
        row = self._store.rows("SELECT id FROM prompts WHERE text = ? AND negative = ?", text, negative)[0]
        return self.prompt(row["id"])

    def add_variations(self, parent: Prompt, found: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Prompt]:
        """Puts variations of a prompt on the shelf, all or none: texts, and what made each."""
        texts: list[str] = []
        with self._store.change() as change:
            for text, made_by in found:
                texts.append(_one_line(text))
                change.execute(
                    "INSERT INTO prompts (t, text, negative, parent_id, made_by) VALUES (?, ?, ?, ?, ?)"
                    " ON CONFLICT DO NOTHING",
                    (time.time(), texts[-1], parent.negative, parent.id, json.dumps(dict(made_by))),
                )
        return [prompt for text in texts for prompt in self.find(text, parent.negative)]

    def prompts(self) -> list[Prompt]:
        """What a person wrote or kept, or pictures were made of; the best first, then the newest."""
        where = (
            "WHERE prompts.rating >= 0 AND mark != 'dropped' AND"
            " (parent_id IS NULL OR mark = 'kept' OR prompts.rating > 0 OR pictures.id IS NOT NULL)"
        )
        found = [_prompt(row) for row in self._store.rows(_QUERY.format(where=where))]
        return sorted(found, key=lambda prompt: (-prompt.stars, -prompt.id))

    def prompt(self, number: int) -> Prompt:
        """One prompt. Raises PromptError where there is none of that number."""
        rows = self._store.rows(_QUERY.format(where="WHERE prompts.id = ?"), number)
        if not rows:
            raise PromptError(f"there is no prompt {number}", "list them with: limner prompt list")
        return _prompt(rows[0])

    def find(self, text: str, negative: str = "") -> list[Prompt]:
        """The prompt of these words; empty where there is none."""
        texts = (_one_line(text), _one_line(negative))
        where = "WHERE prompts.text = ? AND prompts.negative = ?"
        return [_prompt(row) for row in self._store.rows(_QUERY.format(where=where), *texts)]

    def children(self, number: int) -> list[Prompt]:
        """What was made from a prompt, oldest first."""
        where = "WHERE parent_id = ?"
        return sorted(
            (_prompt(row) for row in self._store.rows(_QUERY.format(where=where), number)), key=lambda each: each.id
        )

    def ancestors(self, number: int) -> list[Prompt]:
        """Where a prompt came from: its parent first, the one that a person wrote last."""
        found: list[Prompt] = []
        parent = self.prompt(number).parent_id
        while parent is not None and parent not in [each.id for each in found]:
            found.append(self.prompt(parent))
            parent = found[-1].parent_id
        return found

    def latest_variation(self) -> Prompt | None:
        """The newest prompt that was made from another; None where none was."""
        rows = self._store.rows("SELECT id FROM prompts WHERE parent_id IS NOT NULL ORDER BY id DESC LIMIT 1")
        return self.prompt(rows[0]["id"]) if rows else None

    def families(self) -> list[tuple[int, Prompt]]:
        """The prompts that were varied, or came of it, as a tree: each with its depth, parents before children."""
        every = [_prompt(row) for row in self._store.rows(_QUERY.format(where=""))]
        below: dict[int | None, list[Prompt]] = {}
        for each in sorted(every, key=lambda prompt: prompt.id):
            below.setdefault(each.parent_id, []).append(each)
        found: list[tuple[int, Prompt]] = []
        waiting = [(0, each) for each in below.get(None, []) if each.id in below]
        while waiting:
            depth, prompt = waiting.pop(0)
            found.append((depth, prompt))
            waiting = [(depth + 1, each) for each in below.get(prompt.id, [])] + waiting
        return found

    def best(self, most: int = 6, stars: float = 4) -> list[str]:
        """The texts of the best-rated prompts."""
        return [each.text for each in self.prompts() if each.stars >= stars and each.text][:most]

    def texts(self) -> list[str]:
        """Every text on the shelf, the dropped ones too: what a variation must not repeat."""
        return [row["text"] for row in self._store.rows("SELECT text FROM prompts WHERE text != ''")]

    def rate(self, number: int, rating: int) -> Prompt:
        """Rates a prompt: -1 drops it from the list, 0 takes the rating back, 1 to 5 are stars.

        Raises:
            PromptError: no such prompt or rating.
        """
        if rating not in RATINGS:
            raise PromptError(f"{rating} is not a valid rating", "rate from -1 (dropped) to 5")
        self.prompt(number)
        with self._store.change() as change:
            change.execute("UPDATE prompts SET rating = ? WHERE id = ?", (rating, number))
        return self.prompt(number)

    def mark(self, number: int, mark: Mark) -> Prompt:
        """Says something about a variation. Raises PromptError."""
        self.prompt(number)
        with self._store.change() as change:
            change.execute("UPDATE prompts SET mark = ? WHERE id = ?", (mark.value, number))
        return self.prompt(number)


def _prompt(row: sqlite3.Row) -> Prompt:
    return Prompt(
        id=row["id"],
        text=row["text"],
        negative=row["negative"],
        parent_id=row["parent_id"],
        rating=row["rating"],
        name=row["name"],
        tags=tuple(parse_json(row["tags"])),
        mark=Mark(row["mark"]),
        made_by=parse_json(row["made_by"]),
        pictures=row["rated"],
        picture_stars=row["mean"],
    )


def _one_line(text: str) -> str:
    """A text without the white space that the model never sees; a comment ends with its line, so those stay."""
    return " ".join(text.split()) if "#" not in text else text.strip()
