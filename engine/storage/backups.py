"""The copies of a project's database that are made before it is brought to a newer version."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

KEPT_COPIES = 3
"""How many stay beside the database."""


def copies(path: Path) -> list[Path]:
    """The copies that migrations left beside a database, oldest version first: ``limner.db.v5.bak``, ``….v5-2.bak``."""
    return [each for _, each in _numbered_copies(path)]


def keep_copy(path: Path, version: int) -> Path:
    """Puts a whole copy of a database beside it, under a name that no copy has yet; the oldest ones go.

    The copy is what was last committed, also where a write-ahead log still holds it.

    Raises:
        sqlite3.Error, OSError: it can't be written; then nothing of it stays.
    """
    number = 1 + max((last for (of, last), _ in _numbered_copies(path) if of == version), default=0)
    kept = path.with_name(f"{path.name}.v{version}{f'-{number}' if number > 1 else ''}.bak")
    beside = path.with_name(f".{kept.name}.{os.getpid()}.part")
    beside.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(beside)) as target:
            source.backup(target)
            # A file of its own, whole without any other.
            target.execute("PRAGMA journal_mode=DELETE")
        os.replace(beside, kept)
    finally:
        for each in (beside, *(beside.with_name(beside.name + end) for end in ("-journal", "-wal", "-shm"))):
            each.unlink(missing_ok=True)
    # Never the one just made, whose version may be lower than that of others that lie there.
    for old in [each for each in copies(path) if each != kept][: 1 - KEPT_COPIES]:
        old.unlink(missing_ok=True)
    return kept


def _numbered_copies(path: Path) -> list[tuple[tuple[int, int], Path]]:
    """Version and number of each copy beside a database, in order."""
    pattern = re.compile(re.escape(path.name) + r"\.v(\d+)(?:-(\d+))?\.bak")
    found = [(pattern.fullmatch(each.name), each) for each in path.parent.iterdir()]
    return sorted(((int(match[1]), int(match[2] or 1)), each) for match, each in found if match)
