"""How the app begins: the first frame before anything else, and screens that are made once."""

from __future__ import annotations

import pytest
from rich.console import RenderableType
from textual.css.stylesheet import Stylesheet
from textual.screen import Screen

from engine.project import Project
from tui.limner import LimnerApp


async def test_a_screen_that_is_gone_to_for_the_first_time_has_the_stylesheets_parsed_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Textual does it twice more for each new screen (8.2); where it does no longer, the line in WorkScreen may go.
    times = 0
    parse = Stylesheet.reparse

    def counted(self: Stylesheet) -> None:
        nonlocal times
        times += 1
        parse(self)

    app = LimnerApp(project.root, project)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        monkeypatch.setattr(Stylesheet, "reparse", counted)
        await pilot.press("4")
        await pilot.pause()
        assert app.screen.query("*")
    assert times == 1


async def test_settings_are_read_once_the_first_frame_stands(story: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    frames: list[str] = []
    read_after: list[int] = []
    read = Project.settings.fget
    assert read is not None

    display = LimnerApp._display

    def displayed(self: LimnerApp, screen: Screen[object], renderable: RenderableType | None) -> None:
        display(self, screen, renderable)
        frames.append(type(screen).__name__)

    def watched(self: Project) -> object:
        read_after.append(len(frames))
        return read(self)

    monkeypatch.setattr(Project, "settings", property(watched))
    monkeypatch.setattr(LimnerApp, "_display", displayed)
    app = LimnerApp(story.root, story)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await app.workers.wait_for_complete()
    assert read_after
    assert min(read_after) > 0
    assert frames[0] == "FacesScreen"
