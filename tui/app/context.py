"""What screens and the app's parts know of the app. The app itself is imported by its launcher alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.message import Message

from engine.errors import ProjectError
from engine.project import Project
from tui.actions import Scope
from tui.app.background.idle_gc import IdleGc
from tui.app.background.run_watcher import RunWatcher, Seen
from tui.app.picture_app import PictureApp
from tui.app.session_state import Left
from tui.theming.keymap import Keymap
from tui.theming.user_settings import UserSettings


class Context(PictureApp, inherit_bindings=False):
    """The app, as its screens and parts see it."""

    @dataclass
    class Refused(Message):
        """The project's settings are broken."""

        error: ProjectError

    folder: Path
    """The folder that the app was opened on."""
    project: Project | None
    """None: there is none yet."""
    watch_over_runs: RunWatcher | None
    seen: Seen
    """What the runs' logs said last."""
    exit_message: str
    """The line that stands on the terminal once the app is left."""
    drawn: bool
    """Whether the first frame stands."""
    keys: Keymap
    keeping: ThreadPoolExecutor
    """Where what keys asked for is carried out, one after the other."""
    idle_gc: IdleGc

    @property
    def user_settings(self) -> UserSettings:
        """The user's own settings of the app."""
        raise NotImplementedError

    @property
    def own_themes(self) -> tuple[str, ...]:
        """The names of Limner's and the user's themes."""
        raise NotImplementedError

    @property
    def leaving(self) -> bool:
        """Whether the app is being left."""
        raise NotImplementedError

    def use_project(self, project: Project) -> None:
        """Opens a project that was just made."""
        raise NotImplementedError

    def use_keys(self, keymap: Keymap) -> None:
        """Takes up the user's keys."""
        raise NotImplementedError

    def choose_theme(self, name: str) -> None:
        """Puts a theme on and remembers it."""
        raise NotImplementedError

    def left(self, scope: Scope) -> Left:
        """How a screen was left the last time."""
        raise NotImplementedError

    def remember(self, *screens: Any, at_once: bool = False) -> None:
        """Remembers how screens are left."""
        raise NotImplementedError

    def look_now(self) -> None:
        """Looks at the runs' logs at once."""
        raise NotImplementedError

    async def show_grid(self, run: str | None = None) -> None:
        """Shows the grids, those of a run first."""
        raise NotImplementedError

    def leave_grid(self) -> None:
        """Goes back to where the grid was opened."""
        raise NotImplementedError
