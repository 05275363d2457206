"""The app: six screens, one top line, one footer, and a watch over the training runs."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rich.console import RenderableType
from textual import events, on
from textual.command import CommandPalette
from textual.driver import Driver
from textual.message import Message
from textual.screen import Screen
from textual.widget import AwaitMount

from engine.errors import LimnerError
from engine.network.deadlines import leave
from engine.project import Project
from engine.training.runs.run_status import RunStatus
from tui.actions import Scope
from tui.app.appearance import Appearance
from tui.app.background.idle_gc import IdleGc
from tui.app.background.run_watcher import RunWatcher, Seen
from tui.app.context import Context
from tui.app.first_screen import first_screen
from tui.app.key_queue import KeyQueue, Passed
from tui.app.notifications import Notifications
from tui.app.palette import ActionCommands, Palette, ThemeCommands
from tui.app.preload import MODES, Preloader, lazy_screen
from tui.app.quit import Quit
from tui.app.session_state import Left, SessionState
from tui.screens.shared.base import LOW_ROWS, SLIM_COLUMNS, WIDE_COLUMNS, WorkScreen
from tui.screens.shared.overlay import Overlay
from tui.terminal.driver import LimnerDriver
from tui.terminal.query import Asked
from tui.text.sanitize import sanitize
from tui.textual_internals import close_now, draw_at_once, error_of, is_exiting, screens_by_mode
from tui.theming.bindings import bindings_for
from tui.theming.keymap import AS_THEY_COME, Keymap
from tui.theming.user_settings import UserSettings
from tui.widgets.ink import DEFAULT_INKS

POLL_SECONDS = 0.5
"""How often the runs' logs are looked at."""

MASK_SECONDS = 0.01
"""How long nothing is drawn while screens change places, so that none is seen half made."""

WIDEN_CELLS = 4
"""How much wider or narrower a pane gets at a time."""


class LimnerApp(Context, inherit_bindings=False):
    """Limner in a terminal.

    Args:
        folder: the folder that the app was opened on.
        project: the project there; None: the app offers to make one.
        asked: the question that was put to the terminal; None: pictures are half-blocks.
    """

    TITLE = "Limner"
    SCOPE = Scope.APP
    BINDINGS = bindings_for(Scope.APP)
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {scope.value: lazy_screen(scope) for scope in MODES}
    COMMANDS = {ActionCommands}
    CSS_PATH = "../screens/shared/common.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (SLIM_COLUMNS, "-narrow"), (WIDE_COLUMNS, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (LOW_ROWS, "-tall")]
    PAUSE_GC_ON_SCROLL = True

    @dataclass
    class RunsSeen(Message):
        """The runs' logs were looked at and said something new."""

        seen: Seen

    def __init__(self, folder: Path, project: Project | None, asked: Asked | None = None) -> None:
        super().__init__(asked, driver_class=LimnerDriver)
        self.folder = folder
        self.project = project
        self.watch_over_runs = RunWatcher(project) if project else None
        self.remembered = SessionState(project) if project else None
        self.seen = Seen()
        self.exit_message = ""
        self.drawn = False
        """Whether the first frame stands."""
        self._is_whole = False
        self._looking = False
        self.keeping = ThreadPoolExecutor(1, "keeping")
        """Where what keys asked for is carried out, one after the other. Python waits for it at the end."""
        self._before_grid = Scope.PICTURES.value
        if "SSH_CONNECTION" in os.environ:
            self.animation_level = "none"
        self.looks = Appearance(self)
        self.keys = AS_THEY_COME
        self.attention = Notifications(self)
        self.ready = Preloader(self)
        self.idle_gc = IdleGc(self)
        self.quitting = Quit(self)
        self.key_queue = KeyQueue(self, super().on_event)
        self.looks.take_up()
        self.images.prefer(self.looks.settings.pictures)

    async def on_event(self, event: events.Event) -> None:
        """Keys and what is pasted take turns; everything else is handled at once."""
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            await self.key_queue.take(event)
        else:
            await super().on_event(event)

    @on(Passed)
    async def _passed(self, message: Passed) -> None:
        await self.key_queue.passed(message)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """What a theme that is not ours writes with."""
        return DEFAULT_INKS

    def on_mount(self) -> None:
        """Shows the first screen and begins to watch."""
        self.switch_mode(first_screen(self.project, self.remembered, self.MODES).value)
        self.set_interval(POLL_SECONDS, self._look_at_runs)
        self.looks.watch()
        self.attention.begin()
        self.call_after_refresh(self._first_frame_stands)

    @property
    def live_run(self) -> RunStatus | None:
        """What the top line tells: the newest run, if there is one."""
        return self.seen.newest

    def use_project(self, project: Project) -> None:
        """Takes up a project that was just made."""
        self.project = project
        self.watch_over_runs = RunWatcher(project)
        self.remembered = SessionState(project)

    def left(self, scope: Scope) -> Left:
        """How a screen was left the last time."""
        return self.remembered.of(scope.value) if self.remembered is not None else {}

    def remember(self, *screens: WorkScreen, at_once: bool = False) -> None:
        """Writes down how screens are left, the last one as the screen to come back to; what can't be is no matter."""
        if self.remembered is None:
            return
        for screen in screens:
            self.remembered.keep(screen.SCOPE.value, screen.save_state())
        if self.current_mode in self.MODES:
            self.remembered.went_to(self.current_mode)
        if at_once:
            self._save_remembered()
        else:
            self.run_worker(self._save_remembered, thread=True, group="remember", exit_on_error=False)

    def exit(self, result: None = None, return_code: int = 0, message: RenderableType | None = None) -> None:
        """Leaves, and remembers how everything is left."""
        stacks = screens_by_mode(self).values() if self.is_running else ()
        screens = [screen for stack in stacks for screen in stack if isinstance(screen, WorkScreen)]
        self.remember(*(screen for screen in screens if screen.is_mounted), at_once=True)
        # Python would wait for every thread that waits for a server or a database.
        leave()
        super().exit(result, return_code, message)

    @property
    def user_settings(self) -> UserSettings:
        """The user's own settings of the app."""
        return self.looks.settings

    @property
    def leaving(self) -> bool:
        """Whether the app is ending: a screen that is made now would come in the way of those that are closed."""
        return is_exiting(self) or (self.drawn and not self.is_running)

    @property
    def own_themes(self) -> tuple[str, ...]:
        """Limner's themes and the user's, by name."""
        return self.looks.themes

    def choose_theme(self, name: str) -> None:
        """Puts a theme on, and remembers it."""
        self.looks.choose(name)

    def use_keys(self, keymap: Keymap) -> None:
        """Takes up the user's keys; what shows keys shows them."""
        self.keys = keymap
        self.set_keymap(keymap.for_textual())
        for screen in self.screen_stack if self.is_running else ():
            if isinstance(screen, WorkScreen):
                screen.keys_changed()

    def switch_mode(self, mode: str) -> AwaitMount:
        """Goes to a screen. One that is made already is drawn at once; none is gone to by an app that is leaving."""
        if self.leaving:
            return AwaitMount(self.screen, [])
        self._is_whole = made = self.ready.is_made(mode)
        try:
            shown = super().switch_mode(mode)
        finally:
            self._is_whole = False
        if made:
            draw_at_once(self.screen)
        return shown

    def delay_update(self, delay: float = MASK_SECONDS) -> None:
        """Holds drawing back while a screen is made in another's place. Textual's own 50 ms, and drawing for nothing
        while they last, were most of what somebody who goes to a screen waited for."""
        if not self._is_whole:
            super().delay_update(min(delay, MASK_SECONDS))

    def look_now(self) -> None:
        """Looks at the runs without waiting for the next time."""
        self._look_at_runs()

    @on(Context.Refused)
    def _refused(self, message: Context.Refused) -> None:
        """Leaves a project that can't be worked with, with one line."""
        self.exit_message = f"limner: {sanitize(message.error.one_line())}"
        self.exit(return_code=1)

    def on_limner_app_runs_seen(self, message: RunsSeen) -> None:
        """Tells the screen shown what is new, and what lies over it."""
        self.attention.run_seen(self.seen.newest, message.seen.newest)
        self.seen = message.seen
        for screen in self.screen_stack:
            if isinstance(screen, WorkScreen | Overlay):
                screen.runs_seen(message.seen)

    def action_connect(self) -> None:
        """Screen 1."""
        self.switch_mode(Scope.CONNECT.value)

    def action_faces(self) -> None:
        """Screen 2."""
        self.switch_mode(Scope.FACES.value)

    def action_dataset(self) -> None:
        """Screen 3."""
        self.switch_mode(Scope.DATASET.value)

    def action_training(self) -> None:
        """Screen 4."""
        self.switch_mode(Scope.TRAINING.value)

    def action_prompts(self) -> None:
        """Screen 5."""
        self.switch_mode(Scope.PROMPTS.value)

    def action_pictures(self) -> None:
        """Screen 6."""
        self.switch_mode(Scope.PICTURES.value)

    async def action_grid(self) -> None:
        """The grid (X/Y plot)."""
        if self.current_mode != Scope.PLOT.value:
            self._before_grid = self.current_mode
            await self.switch_mode(Scope.PLOT.value)

    async def show_grid(self, run: str | None = None) -> None:
        """The usual grid of a run, painted if it is new."""
        from tui.screens.grid.screen import GridScreen

        await self.action_grid()
        if isinstance(self.screen, GridScreen):
            self.screen.show_usual(run)

    def leave_grid(self) -> None:
        """Back to where the grid was gone to from."""
        self.switch_mode(self._before_grid)

    def action_help(self) -> None:
        """What the keys do for what has the focus."""
        from tui.screens.shared.help import HelpScreen

        focused = getattr(self.screen.focused, "SCOPE", None)
        if isinstance(self.screen, Overlay):
            over = dict.fromkeys([*self.screen.SCOPES, *([focused] if focused is not None else [])])
            self.push_screen(HelpScreen(tuple(over), self.keys))
            return
        first: tuple[Scope | None, ...] = (focused, getattr(self.screen, "SCOPE", None))
        # How a list is moved in is known soon; a field or settings have keys that the screen's give way to.
        ordered = first[::-1] if focused in (Scope.LIST, Scope.GRID) else first
        scopes = [scope for scope in (*ordered, Scope.APP) if scope is not None]
        self.push_screen(HelpScreen(tuple(dict.fromkeys(scopes)), self.keys))

    def action_command_palette(self) -> None:
        """Finds any action by its name."""
        if not isinstance(self.screen, CommandPalette):
            self.push_screen(Palette(id="--command-palette"))

    def action_themes(self) -> None:
        """Chooses another theme."""
        self.push_screen(Palette(providers=[ThemeCommands], placeholder="Search for themes…"))

    def action_wider(self) -> None:
        """Widen the pane beside the list."""
        self._widen(WIDEN_CELLS)

    def action_narrower(self) -> None:
        """Widen the list."""
        self._widen(-WIDEN_CELLS)

    def action_doctor(self) -> None:
        """What is as it should be here, and what is not."""
        from tui.screens.doctor.screen import DoctorScreen

        if not isinstance(self.screen, DoctorScreen):
            self.push_screen(DoctorScreen(self.folder))

    def action_settings(self) -> None:
        """Every setting of the project, as a form."""
        from tui.screens.settings.screen import SettingsScreen

        if self.project is None:
            self.notify("There is no project here yet.", severity="warning")
        elif not isinstance(self.screen, SettingsScreen):
            self.push_screen(SettingsScreen(self.project))

    def action_screenshot(self, filename: str | None = None, path: str | None = None) -> None:
        """Saves the screen as an SVG where the app was started."""
        self.deliver_screenshot(filename, path or str(Path.cwd()))

    async def action_quit(self) -> None:
        """Leaves; while a run is going, asks what to do with it."""
        self.quitting.ask()

    async def action_interrupt(self) -> None:
        """Quits when pressed twice within two seconds."""
        self.quitting.interrupted()

    def on_app_blur(self) -> None:
        """The window is not looked at."""
        self.attention.window_left()

    def on_app_focus(self) -> None:
        """It is looked at again."""
        self.attention.window_entered()

    def on_key(self) -> None:
        """Somebody is there."""
        self.attention.noticed()

    def get_driver_class(self) -> type[Driver]:
        """Textual's choice is replaced by ours on construction; tests get the headless one."""
        return LimnerDriver

    def _first_frame_stands(self) -> None:
        """From now on there is time for what would have kept the first frame waiting."""
        self.drawn = True
        self.ready.begin()
        self.idle_gc.begin()

    def _save_remembered(self) -> None:
        try:
            if self.remembered is not None:
                self.remembered.save()
        except OSError as error:
            logging.getLogger("limner").warning("the screens' state can't be saved: %s", error)

    def _widen(self, cells: int) -> None:
        if isinstance(self.screen, WorkScreen):
            self.screen.widen(cells)

    def _look_at_runs(self) -> None:
        if self.watch_over_runs is not None and not self._looking:
            self._looking = True
            self.run_worker(self._look, thread=True, group="runs", exit_on_error=False)

    def _look(self) -> None:
        """In a thread: reads the logs, and tells only what is new."""
        watch = self.watch_over_runs
        try:
            seen = watch.look() if watch is not None else Seen()
            if seen != self.seen:
                self.post_message(self.RunsSeen(seen))
        except (LimnerError, OSError) as error:
            logging.getLogger("limner").warning("the runs could not be read: %s", error)
        finally:
            self._looking = False

    def _fatal_error(self) -> None:
        """A mistake of ours ends the app with a line about it."""
        from tui.app.exit_message import mishap

        self.exit_message = mishap(error_of(self))
        close_now(self)
