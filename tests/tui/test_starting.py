"""How the app begins: the first frame before anything else, and screens that are made once."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from rich.console import RenderableType
from textual.css.stylesheet import Stylesheet
from textual.drivers.headless_driver import HeadlessDriver
from textual.screen import Screen

import tui.app.background.idle_gc
import tui.app.preload
from engine.project import Project, create_project
from tests.support.pictures import settle
from tests.support.story import story_project
from tests.tui.test_journeys import cursor, press, shown, until
from tui.app.app import LimnerApp
from tui.app.session_state import NAME
from tui.screens.shared.help import HelpScreen


async def test_a_screen_opened_for_the_first_time_parses_stylesheets_once(
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


@pytest.mark.parametrize(
    ("first", "told"), [("FacesScreen", "30 of 30"), ("ConnectScreen", "trigger jx265, class person")]
)
async def test_settings_are_read_once_the_first_frame_stands(
    tmp_path: Path, first: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = (story_project if first == "FacesScreen" else create_project)(tmp_path / "p")
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
    app = LimnerApp(opened.root, opened)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await until(pilot, lambda: told in shown(pilot))
    assert read_after
    assert min(read_after) > 0
    assert frames[0] == first


@pytest.mark.long
async def test_screens_preloaded_while_nobody_types_look_and_act_the_same(whole_story: Project) -> None:
    looks = []
    for ahead in (False, True):
        (whole_story.cache / NAME).unlink(missing_ok=True)
        app = LimnerApp(whole_story.root, whole_story)
        async with app.run_test(size=(100, 30)) as pilot:
            await settle(pilot)
            while ahead and await app.ready.make_one():
                await settle(pilot)
            assert app.ready.is_made("plot") == ahead
            seen = []
            for key in "123456":
                await press(pilot, key, "j")
                focused = app.focused
                seen.append((shown(pilot), focused.id if focused else None))
        looks.append(seen)
    assert looks[0] == looks[1]


@pytest.mark.long
async def test_a_screen_preloaded_and_never_opened_keeps_its_last_state(story: Project) -> None:
    for ahead in (False, True):
        app = LimnerApp(story.root, story)
        async with app.run_test(size=(100, 30)) as pilot:
            await settle(pilot)
            if ahead:
                while await app.ready.make_one():
                    await settle(pilot)
            else:
                await press(pilot, "2", "j", "j", "j", "5")
            app.exit()
    app = LimnerApp(story.root, story)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await press(pilot, "2")
        assert cursor(pilot).id == 4


class CalmDriver(HeadlessDriver):
    """Nobody ever types into it."""

    calm_seconds = 3600.0


@pytest.mark.long
async def test_garbage_is_collected_while_nobody_types_and_never_in_a_key(
    story: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    gc.unfreeze()
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    monkeypatch.setattr(tui.app.background.idle_gc, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(tui.app.preload, "CALM_SECONDS", 0.01)
    app = LimnerApp(story.root, story)
    monkeypatch.setattr("textual.drivers.headless_driver.HeadlessDriver", CalmDriver)
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            assert gc.get_threshold() == (*before[:2], tui.app.background.idle_gc.SELDOM)
            await until(pilot, lambda: app.ready.is_made("plot"))
            await until(pilot, lambda: gc.get_freeze_count() > frozen)
            await until(pilot, lambda: app.stylesheet.has_source(str(tui.app.preload.SCREENS_FOLDER / "help.tcss")))
            parsed = app.stylesheet.reparse
            monkeypatch.setattr(app.stylesheet, "reparse", lambda: pytest.fail("read again"))
            await pilot.press("question_mark")
            await settle(pilot)
            assert isinstance(app.screen, HelpScreen)
            monkeypatch.setattr(app.stylesheet, "reparse", parsed)
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


async def test_an_app_that_is_leaving_makes_no_screen_any_more(story: Project) -> None:
    """Textual goes through its screens while it closes them: one that came meanwhile ended it with a traceback."""
    app = LimnerApp(story.root, story)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        there, shown_mode = set(app._screen_stacks), app.current_mode
        app.exit()
        app.switch_mode("pictures")
        await app.ready._make_next()
        assert (set(app._screen_stacks), app.current_mode) == (there, shown_mode)
