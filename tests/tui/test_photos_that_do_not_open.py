"""A scan is not begun where the photos can't be opened, and a tick is for success."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import tui.screens.connect.screen
from engine.errors import RootsDoNotFit
from engine.project import Project, create_project
from tests.support.story import checked
from tests.tui.test_journeys import press, shown, until
from tui.app.app import LimnerApp
from tui.screens.connect.fields import Checked, Entered


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Its library answers; its originals are nowhere until somebody says where."""
    project = create_project(tmp_path / "p", trigger="jx265", class_word="man")
    (tmp_path / "index.db").touch()
    project.change({"library.url": f"sqlite://{tmp_path}/index.db"})

    def look(entered: Entered, private: bool, base: Path | None) -> Checked:
        found = checked(entered.settings(private, base))
        if entered.originals:
            return found
        wrong = RootsDoNotFit("the originals folder is not set", "say where it is")
        return replace(found, photos=wrong, roots=((False, wrong.one_line()),))

    monkeypatch.setattr(tui.screens.connect.screen, "look", look)
    return project


async def test_enter_on_a_person_stops_at_the_field_that_is_wrong(project: Project) -> None:
    async with LimnerApp(project.root, project).run_test(size=(100, 30), notifications=True) as pilot:
        await until(pilot, lambda: "✗ the originals folder is not set" in shown(pilot))
        pilot.app.screen.query_one("#people").focus()
        await press(pilot, "enter")
        await until(pilot, lambda: "The originals folder is not set" in shown(pilot))
        assert pilot.app.focused is pilot.app.screen.query_one("#originals")
        assert not project.jobs.exists(), "nothing was begun"
        assert project.settings.library.originals is None
