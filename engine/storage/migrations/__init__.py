"""What brings a project's database from one version to the next: numbered files of SQL, and functions.

A file that was released never changes; what is new gets the next number.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

from engine.storage.moved_projects import make_paths_relative

Migration = str | Callable[[sqlite3.Connection, Path], None]
"""A file here; or a function that gets the database and the project's folder."""

MIGRATIONS: tuple[Migration, ...] = (
    "001_faces.sql",
    "002_measures_and_filters.sql",
    "003_prompts.sql",
    "004_captions.sql",
    "005_pictures.sql",
    "006_own_faces_and_folders.sql",
    "007_ratings.sql",
    "008_grids.sql",
    "009_contents.sql",
    make_paths_relative,
    "011_caption_bytes.sql",
    "012_names_in_photos.sql",
)
"""In their order; ``user_version`` counts how many were applied."""


def apply(migration: Migration, connection: sqlite3.Connection, root: Path) -> None:
    """Applies one migration within the transaction that is open.

    Args:
        migration: one of ``MIGRATIONS``.
        connection: the project's database.
        root: the project's folder.
    """
    if not isinstance(migration, str):
        migration(connection, root)
        return
    for statement in _statements((files(__package__) / migration).read_text("utf-8")):
        connection.execute(statement)


def _statements(script: str) -> Iterator[str]:
    """Each statement of a script; ``executescript`` would commit the transaction first."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
