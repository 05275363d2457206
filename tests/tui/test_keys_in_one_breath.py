"""Keys that come at once, as over a slow line, do what they would have done one after the other."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot

from engine.faces.records.decisions import Decision, Ledger
from engine.pictures.gallery.rows import Gallery
from engine.project import Project
from tests.support.pictures import settle
from tests.tui.test_journeys import decided, press, shown, until
from tui.actions import Scope
from tui.app.app import LimnerApp
from tui.screens.doctor.screen import DoctorScreen
from tui.widgets.text_line import TextLine

NAMED = {"\r": "enter", "\x1b": "escape"}


def breathe(pilot: Pilot[None], text: str) -> None:
    """All of it lies before the app at once, as a terminal brings it."""
    for character in text:
        key = NAMED.get(character) or _character_to_key(character)
        pilot.app.post_message(events.Key(key, character if character.isprintable() else None))


def field(pilot: Pilot[None], name: str) -> str:
    return pilot.app.screen.query_one(name, TextLine).value


def stars_of(project: Project, picture: int) -> int:
    with project.store() as store:
        return Gallery(store).picture(picture).rating


@pytest.fixture
def app(whole_story: Project) -> LimnerApp:
    return LimnerApp(whole_story.root, whole_story)


@pytest.mark.long
async def test_what_is_typed_after_the_palette_s_key_is_only_searched(app: LimnerApp, whole_story: Project) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "2", "G")
        before = decided(whole_story)
        breathe(pilot, ":doctor\r")
        await until(pilot, lambda: isinstance(app.screen, DoctorScreen))
        assert decided(whole_story) == before


@pytest.mark.long
async def test_the_palette_starts_no_run_that_nobody_asked_for(app: LimnerApp, whole_story: Project) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "4", "p")
        breathe(pilot, ":doctor\r")
        await until(pilot, lambda: isinstance(app.screen, DoctorScreen))
    assert len(whole_story.run_folders()) == 1


async def test_decisions_before_a_slash_are_made_and_what_follows_is_the_filter(
    app: LimnerApp, whole_story: Project
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "2", "g", "g")
        breathe(pilot, "xxy/px>500 xy")
        await until(pilot, lambda: field(pilot, "#filter") == "px>500 xy")
        ids = (1, 2, 3)
        assert [decided(whole_story)[each] for each in ids] == [Decision.REJECT, Decision.REJECT, Decision.KEEP]


@pytest.mark.parametrize(
    ("number", "mode", "line"),
    [("2", Scope.FACES, "#filter"), ("3", Scope.DATASET, "#find"), ("6", Scope.PICTURES, "#filter")],
)
@pytest.mark.long
async def test_a_slash_right_after_a_screens_number_is_that_screens(
    app: LimnerApp, whole_story: Project, number: str, mode: Scope, line: str
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "4")
        before = decided(whole_story)
        breathe(pilot, f"{number}/xy")
        await until(pilot, lambda: app.current_mode == mode and field(pilot, line) == "xy")
        # What was read meanwhile takes the line from nobody.
        await settle(pilot)
        assert app.focused is app.screen.query_one(line)
        assert decided(whole_story) == before


@pytest.mark.long
async def test_from_the_help_to_another_screens_filter(app: LimnerApp, whole_story: Project) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "4", "question_mark")
        before = decided(whole_story)
        breathe(pilot, "q2gg/is:keep z")
        await until(pilot, lambda: app.current_mode == Scope.FACES and field(pilot, "#filter") == "is:keep z")
        assert decided(whole_story) == before


@pytest.mark.long
async def test_numbers_go_on_leading_to_their_screens_after_a_slash(app: LimnerApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "3")
        breathe(pilot, "2/")
        await press(pilot, "escape")
        breathe(pilot, "6")
        await until(pilot, lambda: app.current_mode == Scope.PICTURES)


async def test_what_follows_the_key_that_opens_a_caption_is_written_into_it(app: LimnerApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "3", "j")
        breathe(pilot, "iXYZ")
        await until(pilot, lambda: "close-upXYZ" in shown(pilot))


@pytest.mark.long
async def test_the_stars_that_follow_the_key_that_asks_for_them_are_given(app: LimnerApp, whole_story: Project) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "6", "l", "l", "l")
        breathe(pilot, "r2")
        await until(pilot, lambda: stars_of(whole_story, 4) == 2)


@pytest.mark.long
async def test_keys_that_close_what_they_went_to_do_not_hold_up_the_next(
    app: LimnerApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.app.key_queue.MOST_LOOKS", 1_000_000)  # Nothing is let through for the time it took.
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "2")
        breathe(pilot, "?qvqzq?q,q6")
        await until(pilot, lambda: app.current_mode == Scope.PICTURES)


async def test_the_first_keys_of_all_are_not_lost(tmp_path: Path, whole_story: Project) -> None:
    app = LimnerApp(whole_story.root, whole_story)
    async with app.run_test(size=(80, 24)) as pilot:
        breathe(pilot, "2/wide")
        await until(pilot, lambda: app.current_mode == Scope.FACES and field(pilot, "#filter") == "wide")
    with whole_story.store() as store:
        assert Ledger(store).any()


async def test_what_is_typed_behind_enter_goes_into_the_next_field(project: Project) -> None:
    app = LimnerApp(project.root, project)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "i", "enter")
        breathe(pilot, "/a/index.db\r\r\r/o\r/s")
        await until(pilot, lambda: field(pilot, "#sidecar") == "/s")
        assert (field(pilot, "#address"), field(pilot, "#originals")) == ("/a/index.db", "/o")
