"""Bringing over a project whose database held absolute paths: they become relative, also where it was moved before.

Needed once for each database, in its migration. Where a project was moved or copied while its paths were absolute, what
lay in its old place is looked for here, and pictures that were then taken for ones from elsewhere are joined with what
is known of them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.storage.project_paths import INSIDE, ProjectPaths
from engine.storage.untrusted_files import LARGEST_BYTES, parse_json, read_bytes

FOLDERS = ("pictures", "runs", "dataset", "cache", "jobs")
"""Folders of a project that its database names files of."""

SETTINGS_NAME = "limner.toml"


def make_paths_relative(connection: sqlite3.Connection, root: Path) -> None:
    """Rewrites all paths of a project's database. Raises sqlite3.Error; the caller's transaction holds all or nothing.

    Args:
        connection: the database, in a transaction.
        root: the project's folder, absolute and without links.
    """
    brought_over = _BroughtOver(root)
    for number, path, staged, lora, details in connection.execute(
        "SELECT id, path, staged, lora, details FROM pictures"
    ).fetchall():
        columns = [each and brought_over(each) for each in (path, staged, lora)]
        connection.execute(
            "UPDATE pictures SET path = ?, staged = ?, lora = ?, details = ? WHERE id = ?",
            (*columns, _rewritten(details, lambda record: _order(record, brought_over)), number),
        )
    for number, plan in connection.execute("SELECT id, plan FROM grids").fetchall():
        connection.execute(
            "UPDATE grids SET plan = ? WHERE id = ?", (_rewritten(plan, lambda r: _plan(r, brought_over)), number)
        )
    _join(connection)


class _BroughtOver:
    """What is kept of an absolute path, with what was found out about the places where the project lay."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._paths = ProjectPaths(root)
        self._was_here: dict[str, bool] = {}

    def __call__(self, path: str) -> str:
        kept = self._paths.kept(path)
        if kept.startswith(INSIDE) or not path.startswith("/"):
            return kept
        return self._moved(path) or kept

    def _moved(self, path: str) -> str | None:
        """A path in the place where the project lay before, as it is here; None for any other."""
        for folder in FOLDERS:
            before, found, rest = path.rpartition(f"/{folder}/")
            while found:
                if self._lay_in(before) and (self._root / folder / rest).exists():
                    return f"{INSIDE}{folder}/{rest}"
                before, found, more = before.rpartition(f"/{folder}/")
                rest = f"{more}/{folder}/{rest}"
        return None

    def _lay_in(self, place: str) -> bool:
        """Whether the project lay there: no project is there now, or it is the one that this is a copy of."""
        if place not in self._was_here:
            there = Path(place)
            try:
                settings = read_bytes(there / SETTINGS_NAME, LARGEST_BYTES)
                self._was_here[place] = settings == read_bytes(self._root / SETTINGS_NAME, LARGEST_BYTES)
            except (OSError, ValueError):
                self._was_here[place] = True
        return self._was_here[place]


def _rewritten(text: str | None, rewrite: Callable[[dict[str, Any]], None]) -> str | None:
    """JSON with its paths rewritten; what is none stays as it is, for whoever reads it to tell."""
    try:
        record = parse_json(text) if text else None
        if not isinstance(record, dict):
            return text
        rewrite(record)
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return text
    return json.dumps(record, ensure_ascii=False)


def _order(record: dict[str, Any], brought_over: _BroughtOver) -> None:
    for name in ("path", "lora", "source", "base"):
        if isinstance(record.get(name), str):
            record[name] = brought_over(record[name])
    for worn in record.get("others") or ():
        worn["file"] = brought_over(worn["file"])


def _plan(record: dict[str, Any], brought_over: _BroughtOver) -> None:
    _order(record["common"], brought_over)


def _join(connection: sqlite3.Connection) -> None:
    """Joins a picture that was found in the folder, and taken for one from elsewhere, with the painted one it is."""
    twice = connection.execute(
        "SELECT painted.id, found.id FROM pictures painted JOIN pictures found ON found.path = painted.path"
        " WHERE painted.state = 'done' AND NOT painted.outside AND found.state = 'done' AND found.outside"
    ).fetchall()
    for painted, found in twice:
        connection.execute(
            "UPDATE pictures SET gone = 0, rating = coalesce(rating, (SELECT rating FROM pictures WHERE id = :found)),"
            " favourite = max(favourite, (SELECT favourite FROM pictures WHERE id = :found)),"
            " rejected = max(rejected, (SELECT rejected FROM pictures WHERE id = :found)),"
            " likeness = coalesce(likeness, (SELECT likeness FROM pictures WHERE id = :found)) WHERE id = :painted",
            {"painted": painted, "found": found},
        )
        connection.execute("UPDATE OR IGNORE votes SET picture_id = ? WHERE picture_id = ?", (painted, found))
        connection.execute("UPDATE verdict_changes SET picture_id = ? WHERE picture_id = ?", (painted, found))
        connection.execute("DELETE FROM pictures WHERE id = ?", (found,))
