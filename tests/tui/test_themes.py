"""Themes: Limner's own and the user's, one TOML file each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.limner import LimnerApp
from tui.places import shipped_themes_folder, user_themes_folder
from tui.themes import DEFAULT_THEME, load_themes, read_theme

MINIMAL = '[colors]\nprimary = "#ff8800"\nforeground = "white"\nbackground = "#101010"\n'


def test_the_shipped_themes_are_all_whole() -> None:
    themes, problems = load_themes([shipped_themes_folder()])
    assert problems == []
    assert {DEFAULT_THEME, "limner-light", "limner-contrast"} <= themes.keys()


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
