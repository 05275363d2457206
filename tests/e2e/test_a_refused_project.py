"""A project that can't be worked with is refused by the app in one line, and left as it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from engine.project import Project
from tests.tui.pseudo_terminal import PseudoTerminal


def test_of_a_newer_limner_the_app_says_so_and_touches_nothing(project: Project) -> None:
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


def test_of_settings_that_will_not_do_the_app_names_the_line_and_leaves(project: Project) -> None:
    project.settings_path.write_text('[person]\ntrigger = "jx265"\n\n[training]\nepochs = "many"\n')
    with PseudoTerminal("-C", str(project.root)) as terminal:
        assert terminal.wait_until_ended() == 1
        assert terminal.as_it_was
        told = terminal.output.decode()
    assert f"limner: {project.settings_path}:5: training.epochs = 'many' is invalid" in " ".join(told.split())
    assert told.count("limner: ") == 1
