"""How the app looks to this user and what keys it has: read from their files, also while they are edited."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tui.places import config_folder, user_themes_folder
from tui.textual_internals import theme_changed
from tui.theming.appearance_cache import Stamp, read_looks, stamp_of
from tui.theming.keymap import keymap_of
from tui.theming.themes import DEFAULT_THEME, SIXTEEN_THEME
from tui.theming.user_config import save_theme
from tui.theming.user_settings import UserSettings

if TYPE_CHECKING:
    from tui.app.context import Context

LOOK_SECONDS = 1.0
"""How often the user's files are looked at: two or three calls of ``stat``, and nothing is read unless one changed."""

MOST_TOLD = 3
"""How many problems are told one by one."""


class Appearance:
    """The user's themes and keys, taken up at the start and again whenever one of their files changed."""

    def __init__(self, app: Context) -> None:
        self._app = app
        self._stamp: Stamp = ()
        self._told: set[str] = set()
        self._watching = False
        self._untold: list[str] = []
        self.themes: tuple[str, ...] = ()
        self.settings = UserSettings()

    def take_up(self) -> None:
        """Reads all of it."""
        self._stamp = self._stamp_now()
        app = self._app
        told = read_looks()
        themes, config = told.themes, told.config
        changed = [name for name, theme in themes.items() if app.available_themes.get(name) != theme]
        for name in changed:
            app.register_theme(themes[name])
        self.themes = tuple(themes)
        before, self.settings = self.settings.theme, config.settings
        keymap = keymap_of(config)
        app.use_keys(keymap)
        problems = [f"{each.path}: {each.why}" for each in told.broken] + [each.one_line() for each in keymap.problems]
        wanted = self.settings.theme
        if wanted is not None and wanted not in themes:
            line = config.line_of("theme")
            problems.insert(0, f"{config.path}:{line}: there is no theme called {wanted}")
            wanted = None
        if not self._watching:
            wanted = wanted or _first_theme()
        elif wanted == before:
            wanted = None
        if wanted in themes and wanted != app.theme:
            app.theme = wanted
        elif app.theme in changed:
            theme_changed(app)
        self._tell(problems)

    def watch(self) -> None:
        """Looks at the files from now on, and tells what was wrong at the start."""
        self._app.set_interval(LOOK_SECONDS, self._look)
        self._watching = True
        self._tell(self._untold)

    def choose(self, name: str) -> None:
        """Puts a theme on, and writes the choice into the user's file."""
        self._app.theme = name
        try:
            save_theme(config_folder(), name)
        except (OSError, ValueError) as error:
            self._app.notify(str(error), title="The choice can't be saved", severity="warning", markup=False)

    def _look(self) -> None:
        if self._stamp_now() != self._stamp:
            self.take_up()

    def _tell(self, problems: Iterable[str]) -> None:
        """Tells what is new among the problems; what was mended may be told again when it is back."""
        problems = list(problems)
        if not self._watching:
            self._untold = problems
            return
        new = [problem for problem in problems if problem not in self._told]
        self._told = set(problems)
        for problem in new[:MOST_TOLD]:
            self._app.notify(problem, title="Left out, or not as you may think", severity="warning", markup=False)
        if len(new) > MOST_TOLD:
            self._app.notify(f"and {len(new) - MOST_TOLD} more: limner keys", severity="warning", markup=False)

    def _stamp_now(self) -> Stamp:
        return stamp_of(config_folder(), user_themes_folder())


def _first_theme() -> str:
    """The theme to begin with where the user chose none."""
    return SIXTEEN_THEME if has_sixteen_colours() else DEFAULT_THEME


def has_sixteen_colours() -> bool:
    """Whether the terminal says that it has no more than 16 colours, by the variables that terminals set.

    As Rich judges, which writes the colours.
    """
    told = os.environ.get("TEXTUAL_COLOR_SYSTEM", "auto")
    if told != "auto":
        return told == "standard"
    if os.environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return False
    return os.environ.get("TERM", "").rpartition("-")[2] not in ("256color", "kitty", "direct")
