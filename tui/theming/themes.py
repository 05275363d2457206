"""Themes: one TOML file each, Limner's own and the user's. A broken file is told, and never fatal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from textual.theme import Theme

DEFAULT_THEME = "limner-dark"
"""The theme that the app starts with."""

SIXTEEN_THEME = "limner-16"
"""The theme that it starts with where the terminal has 16 colours."""


@dataclass(frozen=True)
class ThemeProblem:
    """A theme's file that was left out, and why, in one line."""

    path: Path
    why: str


def load_themes(folders: Iterable[Path]) -> tuple[dict[str, Theme], list[ThemeProblem]]:
    """All themes of some folders by name, later folders winning, and the files that were left out."""
    # What checks them takes a while to import, and the app seldom needs it: tui.theming.appearance_cache tells when.
    from tui.theming.theme_file import read_theme

    themes: dict[str, Theme] = {}
    problems: list[ThemeProblem] = []
    for folder in folders:
        for path in sorted(folder.glob("*.toml")) if folder.is_dir() else ():
            try:
                theme = read_theme(path)
            except ValueError as error:
                problems.append(ThemeProblem(path, str(error)))
            else:
                themes[theme.name] = theme
    return themes, problems
