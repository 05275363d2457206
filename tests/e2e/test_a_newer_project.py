"""A project that a newer Limner made is refused by the app in one line, and left as it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from engine.project import Project
from tests.tui.pseudo_terminal import PseudoTerminal


def test_the_app_says_so_and_touches_nothing(project: Project) -> None:
    database = project.root / "limner.db"
    with closing(sqlite3.connect(database)) as newer:
        newer.execute("PRAGMA user_version=999")
    before = database.read_bytes()
    with PseudoTerminal("-C", str(project.root)) as terminal:
        assert terminal.wait_until_ended() == 1
        told = terminal.output.decode()
    assert "was made by a newer Limner" in told
    assert "update Limner" in told
    assert told.count("limner: ") == 1
    assert database.read_bytes() == before
