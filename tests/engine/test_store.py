"""The project's database."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import ProjectError
from engine.store import MIGRATIONS, Store


def test_a_change_is_whole_or_not_at_all(tmp_path: Path) -> None:
    store = Store(tmp_path / "limner.db")

    def half_a_change() -> None:
        with store.change() as change:
            change.execute("INSERT INTO prompts (t, text) VALUES (0, 'a')")
            raise RuntimeError("killed half way")

    with pytest.raises(RuntimeError):
        half_a_change()
    assert store.rows("SELECT * FROM prompts") == []


def test_what_another_process_wrote_is_noticed(tmp_path: Path) -> None:
    ours, theirs = Store(tmp_path / "limner.db"), Store(tmp_path / "limner.db")
    before = ours.version()
    with theirs.change() as change:
        change.execute("INSERT INTO prompts (t, text) VALUES (0, 'a')")
    assert ours.version() != before
    assert len(ours.rows("SELECT * FROM prompts")) == 1


def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "limner.db").write_text("not a database, whatever its name says\n" * 50)
    with pytest.raises(ProjectError, match=r"limner\.db"):
        Store(tmp_path / "limner.db")


def test_a_database_of_a_newer_limner_is_left_alone(tmp_path: Path) -> None:
    store = Store(tmp_path / "limner.db")
    store.connection.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    store.close()
    with pytest.raises(ProjectError, match="newer Limner"):
        Store(tmp_path / "limner.db")
