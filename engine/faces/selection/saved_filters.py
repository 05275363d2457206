"""Filter lines that were saved under a name."""

from __future__ import annotations

import re

from engine.errors import FaceError
from engine.faces.selection.filter import read_filter
from engine.storage.database import Store

_NAME = re.compile(r"^[\w-]+$")


class SavedFilters:
    """The saved filter lines of a project; ``@name`` stands for one in another line."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> dict[str, str]:
        """Every line by its name, in the names' order."""
        return {row["name"]: row["line"] for row in self._store.rows("SELECT name, line FROM filters ORDER BY name")}

    def save(self, name: str, line: str) -> None:
        """Saves a line; one of that name is replaced.

        Raises:
            FaceError: the name is invalid, or the line is not understood.
        """
        if not _NAME.match(name):
            raise FaceError(f"“{name}” is not a valid filter name", "use letters, digits, - and _")
        read_filter(line, {other: each for other, each in self.all().items() if other != name})
        with self._store.change() as change:
            change.execute("INSERT OR REPLACE INTO filters (name, line) VALUES (?, ?)", (name, line.strip()))

    def forget(self, name: str) -> None:
        """Takes a saved line away.

        Raises:
            FaceError: there is none of that name.
        """
        with self._store.change() as change:
            if not change.execute("DELETE FROM filters WHERE name = ?", (name,)).rowcount:
                known = ", ".join(self.all()) or "none is saved"
                raise FaceError(f"there is no filter called {name}", f"there are: {known}")
