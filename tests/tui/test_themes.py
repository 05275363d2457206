"""Themes: Limner's own and the user's, one TOML file each."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.color import ColorType
from textual.color import Color

from tests.tui.test_journeys import press, shown, type_text, until
from tui.app.app import LimnerApp
from tui.places import config_folder, shipped_themes_folder, user_themes_folder
from tui.theming.theme_file import read_theme
from tui.theming.themes import DEFAULT_THEME, SIXTEEN_THEME, load_themes
from tui.widgets.ink import Ink, styles_of


def written(text: str) -> Path:
    folder = user_themes_folder()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mine.toml").write_text(text)
    return folder / "mine.toml"


def configured(text: str) -> Path:
    config_folder().mkdir(parents=True, exist_ok=True)
    (config_folder() / "config.toml").write_text(text)
    return config_folder() / "config.toml"


MINIMAL = '[colors]\nprimary = "#ff8800"\nforeground = "white"\nbackground = "#101010"\n'


def test_the_shipped_themes_are_all_whole() -> None:
    themes, problems = load_themes([shipped_themes_folder()])
    assert problems == []
    assert {DEFAULT_THEME, SIXTEEN_THEME, "limner-light", "limner-contrast"} < themes.keys()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name = 3", "name"),
        ('name = "x"\n[colors]\nprimary = "#f00"\nbackground = "#000"\n', "colors.foreground"),
        ('name = "x"\n' + MINIMAL + 'accent = "nocolour"\n', "nocolour"),
        ('name = "x"\n' + MINIMAL + '[ink]\nloud = "#fff"\n', "ink.loud"),
        ("name = ", "Invalid"),
    ],
)
def test_a_broken_theme_is_told_and_the_others_work(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "broken.toml").write_text(text)
    (tmp_path / "fine.toml").write_text('name = "fine"\n' + MINIMAL)
    themes, problems = load_themes([tmp_path])
    assert set(themes) == {"fine"}
    assert [problem.path.name for problem in problems] == ["broken.toml"]
    assert why in problems[0].why
    assert "\n" not in problems[0].why


def test_a_theme_without_inks_gets_them_from_its_colours(tmp_path: Path) -> None:
    (tmp_path / "fine.toml").write_text('name = "fine"\n' + MINIMAL)
    variables = read_theme(tmp_path / "fine.toml").variables
    assert variables["ink-active"] == "#FF8800"
    assert set(variables) >= {"ink-muted", "ink-faint", "ink-good", "ink-bad", "ink-attention", "ink-strong"}


async def test_the_users_own_theme_can_be_chosen(app_folder: Path) -> None:
    folder = user_themes_folder()
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text('name = "mine"\n' + MINIMAL)
    app = LimnerApp(app_folder, None)
    async with app.run_test() as pilot:
        await pilot.pause()
        app.theme = "mine"
        await pilot.pause()
        assert app.theme_variables["ink-active"] == "#FF8800"


@pytest.fixture
def app_folder(tmp_path: Path) -> Path:
    return tmp_path


class TestAThemeOfTheUsersOwn:
    async def test_is_applied_while_its_file_is_edited(self, app_folder: Path) -> None:
        mine = written('name = "mine"\n' + MINIMAL)
        configured('theme = "mine"\n')
        app = LimnerApp(app_folder, None)
        async with app.run_test() as pilot:
            await until(pilot, lambda: app.theme_variables["ink-active"] == "#FF8800")
            mine.write_text('name = "mine"\n' + MINIMAL.replace("#ff8800", "#0088ff"))
            await until(pilot, lambda: app.theme_variables["ink-active"] == "#0088FF")
            assert styles_of(app)[Ink.ACTIVE].color == Color.parse("#0088ff").rich_color

    async def test_appears_in_the_choice_when_it_is_made(self, app_folder: Path) -> None:
        app = LimnerApp(app_folder, None)
        async with app.run_test() as pilot:
            await pilot.pause()
            written('name = "mine"\n' + MINIMAL)
            await until(pilot, lambda: "mine" in app.own_themes)

    async def test_is_told_when_it_breaks_and_stays_as_it_was(self, app_folder: Path) -> None:
        mine = written('name = "mine"\n' + MINIMAL)
        configured('theme = "mine"\n')
        app = LimnerApp(app_folder, None)
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await pilot.pause()
            mine.write_text('name = "mine"\n' + MINIMAL.replace("#ff8800", "#nothing"))
            await until(pilot, lambda: "colors.primary" in shown(pilot))
            assert app.theme == "mine"
            assert app.theme_variables["ink-active"] == "#FF8800"


async def test_the_choice_of_a_theme_is_remembered_and_comments_stay(app_folder: Path) -> None:
    path = configured('# mine\n[keys]\n"faces.keep" = "a"  # easier\n')
    app = LimnerApp(app_folder, None)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "colon")
        await type_text(pilot, "choose a theme")
        await press(pilot, "enter")
        await type_text(pilot, "fjord")
        await until(pilot, lambda: "limner-fjord" in shown(pilot))
        await press(pilot, "enter")
        await until(pilot, lambda: app.theme == "limner-fjord")
    assert 'theme = "limner-fjord"' in path.read_text()
    assert path.read_text().startswith("# mine\n")
    assert '"faces.keep" = "a"  # easier\n' in path.read_text()
    assert LimnerApp(app_folder, None).theme == "limner-fjord"


async def test_a_theme_that_is_not_there_is_told(app_folder: Path) -> None:
    configured('theme = "limner-drak"\n')
    async with LimnerApp(app_folder, None).run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: "limner-drak" in shown(pilot))
        assert pilot.app.theme == DEFAULT_THEME


@pytest.mark.parametrize(
    ("environment", "theme"),
    [
        ({"TERM": "linux"}, SIXTEEN_THEME),
        ({"TERM": "screen"}, SIXTEEN_THEME),
        ({"TERM": "screen-256color"}, DEFAULT_THEME),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, DEFAULT_THEME),
        ({"TERM": "xterm-kitty"}, DEFAULT_THEME),
    ],
)
def test_a_terminal_of_16_colours_gets_their_theme(
    app_folder: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], theme: str
) -> None:
    monkeypatch.delenv("COLORTERM")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert LimnerApp(app_folder, None).theme == theme


async def test_the_theme_of_16_colours_writes_with_no_other(app_folder: Path) -> None:
    app = LimnerApp(app_folder, None)
    app.theme = SIXTEEN_THEME
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "question_mark")
        strips = app.screen._compositor.render_strips()
        styles = [segment.style for strip in strips for segment in strip if segment.style is not None]
        colours = {colour for style in styles for colour in (style.color, style.bgcolor) if colour is not None}
        assert len(colours) > 2
        assert {colour.type for colour in colours} <= {ColorType.STANDARD, ColorType.DEFAULT}


@pytest.mark.parametrize("path", sorted(shipped_themes_folder().glob("*.toml")), ids=lambda path: path.stem)
def test_what_a_theme_writes_can_be_read(path: Path) -> None:
    theme = read_theme(path)
    if theme.ansi:
        return
    papers = [Color.parse(str(paper)) for paper in (theme.background, theme.surface, theme.panel)]
    for ink, at_least in {"strong": 7, "muted": 3, "active": 3, "good": 3, "bad": 3, "attention": 3}.items():
        colour = Color.parse(theme.variables[f"ink-{ink}"])
        assert min(contrast(colour, paper) for paper in papers) >= at_least, ink


def contrast(one: Color, other: Color) -> float:
    """WCAG's contrast ratio, 1 to 21 (https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio)."""

    def luminance(color: Color) -> float:
        parts = [each / 255 for each in color.rgb]
        red, green, blue = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
