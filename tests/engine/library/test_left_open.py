"""An index that was left open is read whole, and nothing appears or changes in its folder."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from engine.library.address import parse_address
from engine.library.photoprism_sql.opening import open_engine
from engine.library.photoprism_sql.sqlite_snapshot import without_touching


def left_open(folder: Path, name: str = "anna") -> Path:
    """An index as a program leaves it that is killed: its last row is in the ``-wal`` alone."""
    folder.mkdir(exist_ok=True)
    other = folder.with_name("alive")
    other.mkdir(exist_ok=True)
    alive = sqlite3.connect(other / "index.db")
    alive.execute("PRAGMA journal_mode=WAL")
    alive.execute("CREATE TABLE IF NOT EXISTS subjects (name TEXT)")
    alive.execute("INSERT INTO subjects VALUES (?)", (name,))
    alive.commit()
    for each in ("index.db", "index.db-wal"):
        shutil.copy(other / each, folder / each)
    alive.close()
    return folder / "index.db"


def folder_of(path: Path) -> dict[str, bytes]:
    """What is in the index's folder."""
    return {each.name: each.read_bytes() for each in path.parent.iterdir()}


def names(path: Path) -> list[str]:
    """What the index says, read as Limner reads it."""
    engine = open_engine(parse_address(str(path)), None)
    with engine.connect() as connection:
        return [str(row[0]) for row in connection.execute(text("SELECT name FROM subjects"))]


def test_an_index_left_open_is_read_to_its_last_row_and_stays_as_it_was(tmp_path: Path) -> None:
    path = left_open(tmp_path / "storage")
    before = folder_of(path)
    assert names(path) == ["anna"]
    assert folder_of(path) == before
    # The check can fail: read in place, a file appears.
    sqlite3.connect(f"file:{path}?mode=ro", uri=True).execute("SELECT * FROM subjects").fetchall()
    assert set(folder_of(path)) > set(before)


def test_the_copy_is_private_made_once_and_anew_when_the_index_changes(tmp_path: Path) -> None:
    path = left_open(tmp_path / "storage")
    first = without_touching(path)
    assert first != path
    assert first.parent.stat().st_mode & 0o077 == 0
    assert without_touching(path) == first
    left_open(tmp_path / "storage", "bert")
    second = without_touching(path)
    assert second != first
    assert not first.exists()
    assert names(path) == ["anna", "bert"]


@pytest.mark.parametrize("beside", [(), ("-wal", "-shm")])
def test_an_index_that_is_closed_or_open_now_is_read_where_it_is(tmp_path: Path, beside: tuple[str, ...]) -> None:
    path = tmp_path / "index.db"
    for part in ("", *beside):
        path.with_name(path.name + part).touch()
    assert without_touching(path) == path
