"""The app opened again: everything is as it was left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual import events

from engine.project import Project
from tests.support.pictures import settle
from tests.support.rows import usual
from tests.support.story import alive, story_project, with_dataset, with_run
from tests.tui.test_journeys import press, shown, type_text, until
from tui.app.app import LimnerApp
from tui.screens.faces.screen import FacesScreen
from tui.screens.prompts.screen import PromptsScreen
from tui.widgets.rows import Rows
from tui.widgets.text_line import TextLine


@pytest.fixture
def story(tmp_path: Path) -> Project:
    return story_project(tmp_path / "james", faces=8)


async def test_the_filter_the_cursor_and_the_last_screen_come_back(story: Project) -> None:
    app = LimnerApp(story.root, story)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "slash")
        await type_text(pilot, "px>400")
        await press(pilot, "enter", "j", "j", "j")
        rows = app.screen.query_one("#faces", Rows)
        face, count = rows.item, len(rows.items)
        await press(pilot, "3", "2", "q")
    again = LimnerApp(story.root, story)
    async with again.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert isinstance(again.screen, FacesScreen)
        assert again.screen.query_one("#filter", TextLine).value == "px>400"
        rows = again.screen.query_one("#faces", Rows)
        assert len(rows.items) == count
        assert rows.item is not None
        assert face is not None
        assert rows.item.id == face.id
        await press(pilot, "3", "q")
    third = LimnerApp(story.root, story)
    async with third.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert third.current_mode == "dataset"
        await press(pilot, "2")
        assert third.screen.query_one("#filter", TextLine).value == "px>400"


@pytest.mark.long
async def test_what_prompts_vary_in_comes_back(story: Project) -> None:
    app = LimnerApp(story.root, story)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "5", "P", "E", "z", "K", "space", "q")
        assert isinstance(app.screen, PromptsScreen)
        left = app.screen.choice
        await press(pilot, "q")
    again = LimnerApp(story.root, story)
    async with again.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert isinstance(again.screen, PromptsScreen)
        assert again.screen.choice == left
        assert left.axes == {"light", "clothes", "expression"}


@pytest.mark.parametrize("size", [pytest.param((80, 24), marks=pytest.mark.long), (120, 40)])
@pytest.mark.long
async def test_panes_are_made_wider_and_come_back_so(story: Project, size: tuple[int, int]) -> None:
    app = LimnerApp(story.root, story)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        pane = app.screen.query_one("#picture-pane")
        before = pane.outer_size.width
        await press(pilot, "less_than_sign", "less_than_sign")
        assert pane.outer_size.width == before + 8
        await press(pilot, *["greater_than_sign"] * 30)
        assert pane.outer_size.width == 20
        for _ in range(40):
            pilot.app.post_message(events.Key("less_than_sign", "<"))  # In one breath, as a key that is held down.
        await settle(pilot)
        assert pane.outer_size.width == size[0] - 20
        await press(pilot, "greater_than_sign", "q")
    again = LimnerApp(story.root, story)
    async with again.run_test(size=size) as pilot:
        await settle(pilot)
        assert again.screen.query_one("#picture-pane").outer_size.width == size[0] - 24
        await pilot.resize_terminal(*((120, 40) if size[0] == 80 else (80, 24)))
        await settle(pilot)
        assert again.screen.query_one("#picture-pane").outer_size.width == (60 if size[0] == 80 else 34)


@pytest.mark.parametrize(
    "text", usual(['{"v": 1, "screens": {"faces": {"lists": 3, "fields": [1]}}}', "", "{", "[]", '{"v": 9}'], 2)
)
async def test_a_broken_memory_is_no_memory(story: Project, text: str) -> None:
    story.cache.mkdir(exist_ok=True)
    (story.cache / "screens.json").write_text(text)
    async with LimnerApp(story.root, story).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "Which faces are good?" in shown(pilot)


async def test_the_cache_can_be_read_only(story: Project) -> None:
    story.cache.mkdir(exist_ok=True)
    (story.cache / "screens.json").mkdir()
    app = LimnerApp(story.root, story)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "3", "q")
        assert not app.return_code


async def test_the_screen_is_written_down_when_another_is_gone_to(story: Project) -> None:
    async with LimnerApp(story.root, story).run_test(size=(80, 24)) as pilot:
        await press(pilot, "3")
        path = story.cache / "screens.json"
        await until(pilot, path.exists)
        assert "faces" in json.loads(path.read_text())["screens"]


async def test_with_a_live_run_and_no_memory_the_app_opens_on_it(story: Project) -> None:
    with alive(with_run(story)):
        async with LimnerApp(story.root, story).run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            assert "Progress" in shown(pilot)


@pytest.mark.parametrize(
    ("number", "purpose"), [("2", "the faces that are good enough"), ("3", "training images"), ("6", "newest first")]
)
async def test_without_a_project_each_screen_says_what_it_is_for(tmp_path: Path, number: str, purpose: str) -> None:
    async with LimnerApp(tmp_path, None).run_test(size=(80, 24)) as pilot:
        await press(pilot, number)
        assert purpose in shown(pilot)
        assert "goes to Connect, where N makes one" in shown(pilot)


@pytest.mark.long
async def test_thumbnails_and_the_face_under_the_cursor_come_back(story: Project) -> None:
    app = LimnerApp(story.root, story)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "2", "t", "l", "l", "q")
    again = LimnerApp(story.root, story)
    async with again.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert isinstance(again.screen, FacesScreen)
        assert again.screen.in_grid
        assert again.screen.focused is again.screen.rows
        assert again.screen.rows.item is not None
        assert again.screen.rows.item.id == 3


@pytest.mark.long
async def test_the_tag_that_images_are_shown_of_comes_back(story: Project) -> None:
    with_dataset(story)
    app = LimnerApp(story.root, story)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "3", "t", "j", "f")
        assert "1 with ginger beard" in shown(pilot)
        await press(pilot, "q")
    again = LimnerApp(story.root, story)
    async with again.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "1 with ginger beard" in shown(pilot))


@pytest.mark.long
async def test_the_run_that_was_looked_at_and_how_come_back(story: Project) -> None:
    with_run(story, done=True)
    app = LimnerApp(story.root, story)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "4", "tab", "y", "L")
        assert "events" in shown(pilot)
        await press(pilot, "q")
    again = LimnerApp(story.root, story)
    async with again.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "Plan a run" not in shown(pilot) and "events" in shown(pilot))
        assert "log" in shown(pilot)
        await press(pilot, "p", "q")
    third = LimnerApp(story.root, story)
    async with third.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert "Plan a run" in shown(pilot)
