"""The settings as a form: every one of them told, edited by keys, checked while it is typed, comments kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.project import Project
from engine.settings import Settings, with_changes
from engine.settings.form import Entry, entries
from tests.tui.test_journeys import press, shown, type_text, until
from tui.app.app import LimnerApp
from tui.screens.settings.screen import SettingsScreen


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.key)
def test_a_setting_says_what_it_means_and_its_text_is_read_back(entry: Entry) -> None:
    settings = Settings()
    assert entry.meaning
    assert entry.text(settings) == entry.default
    if entry.default:
        section, _, name = entry.key.partition(".")
        read = with_changes(settings, {entry.key: entry.read(entry.default)})
        assert getattr(getattr(read, section), name) == getattr(getattr(settings, section), name)
    for choice in entry.choices:
        with_changes(settings, {entry.key: entry.read(choice)})


def test_the_form_has_every_setting_of_the_file() -> None:
    known = {f"{section}.{name}" for section, table in Settings().model_dump().items() for name in table}
    assert {entry.key for entry in entries()} == known


def test_bounds_and_choices_are_told_in_words() -> None:
    form = {entry.key: entry for entry in entries()}
    assert form["training.epochs"].kind == "a whole number, 1 to 1,000"
    assert form["training.alpha"].kind == "a number, more than 0, at most 1,000,000"
    assert form["training.optimizer"].choices == ("adamw", "adamw8bit", "adafactor", "prodigy")


async def test_a_setting_is_found_edited_checked_and_put_back_by_keys_alone(story: Project) -> None:
    path = story.settings_path
    path.write_text("# my own words\n" + path.read_text())
    app = LimnerApp(story.root, story)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "comma")
        assert isinstance(app.screen, SettingsScreen)
        assert str(path)[:40] in shown(pilot)
        await press(pilot, "slash")
        await type_text(pilot, "training epochs")
        await press(pilot, "enter", "g", "g")
        app.screen.rows.cursor = [entry.key for entry in app.screen.rows.items].index("training.epochs")
        await press(pilot, "enter")
        assert "Passes over images" in shown(pilot)
        await press(pilot, "backspace", "backspace")
        await type_text(pilot, "0")
        assert "greater than or equal to 1" in shown(pilot), "told while it is typed"
        await press(pilot, "enter")
        assert story.settings.training.epochs == 10, "what is invalid is not written"
        assert "greater than or equal to 1" in shown(pilot), "and it is still told why"
        await press(pilot, "backspace")
        await type_text(pilot, "12")
        assert "greater than" not in shown(pilot)
        await press(pilot, "enter")
        assert story.settings.training.epochs == 12
        assert "# my own words" in path.read_text()
        assert "default: 10" in shown(pilot)
        await press(pilot, "x")
        assert story.settings.training.epochs == 10
        assert "epochs" not in path.read_text()


async def test_choices_go_round_and_sections_are_jumped_to(story: Project) -> None:
    app = LimnerApp(story.root, story)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "comma", "tab")
        assert isinstance(app.screen, SettingsScreen)
        assert app.screen.rows.item is not None
        assert app.screen.rows.item.key == "library.url"
        await press(pilot, "shift+tab", "shift+tab", "slash")
        await type_text(pilot, "detailed florence")
        await press(pilot, "enter", "l")
        assert story.settings.captions.florence_task.value == "more"
        await press(pilot, "h", "h")
        assert story.settings.captions.florence_task.value == "short"
        await press(pilot, "escape")
        assert not isinstance(app.screen, SettingsScreen)


async def test_a_file_that_is_broken_is_told_instead_of_a_form(story: Project) -> None:
    app = LimnerApp(story.root, story)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await press(pilot, "2")
        story.settings_path.write_text("[training\n")
        await press(pilot, "comma")
        assert not isinstance(app.screen, SettingsScreen)
        await until(pilot, lambda: "not valid TOML" in shown(pilot))


async def test_without_a_project_there_is_nothing_to_set(tmp_path: Path) -> None:
    app = LimnerApp(tmp_path, None)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await press(pilot, "comma")
        assert any("There is no project here yet" in each.message for each in app._notifications)


async def test_a_setting_that_means_nothing_for_the_base_says_so(story: Project) -> None:
    story.change({"base.model": "demo-flux2-klein"})
    app = LimnerApp(story.root, story)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "comma")
        screen = app.screen
        assert isinstance(screen, SettingsScreen)
        screen.rows.cursor = [entry.key for entry in screen.rows.items].index("training.min_snr_gamma")
        await until(pilot, lambda: "! no effect here: FLUX.2 klein follows a rectified flow" in shown(pilot))
        screen.rows.cursor -= 1
        await until(pilot, lambda: "no effect here" not in shown(pilot))
