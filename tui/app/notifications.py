"""Telling somebody who looks elsewhere that a run has ended: the bell, and the terminal's title.

The title is pushed on the terminal's own stack before it is changed, and taken back in the end
(XTWINOPS 22 and 23, https://invisible-island.net/xterm/ctlseqs/ctlseqs.html). Inside tmux it is the pane's, and tmux
marks the window that rang. Whether the window is looked at is known where the terminal reports its focus; where it
does not, a run's end is always told.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from engine.events import JobState
from tui.text.run_summary import how_it_ended
from tui.text.sanitize import sanitize
from tui.textual_internals import driver_of

if TYPE_CHECKING:
    from engine.training.runs.run_status import RunStatus
    from tui.app.context import Context

PUSH, POP, BELL = "\x1b[22;2t", "\x1b[23;2t", "\a"

WITHOUT_TITLE = ("linux", "dumb", "")
"""``TERM`` of terminals that have no title and may print what they don't know."""

LONGEST = 80


class Notifications:
    """What is done to be noticed, as far as the user's settings let it."""

    def __init__(self, app: Context, environment: Mapping[str, str] = os.environ) -> None:
        self._app = app
        self._has_title = environment.get("TERM", "") not in WITHOUT_TITLE
        self._pushed = False
        self._title = ""
        self._away: bool | None = None
        """Whether the window is not looked at; None: the terminal never said."""

    def begin(self) -> None:
        """Writes the title."""
        self._entitle(self._usual())

    def window_left(self) -> None:
        """The window is not looked at any more."""
        self._away = True

    def window_entered(self) -> None:
        """The window is looked at again: the title has done its work."""
        self._away = False
        self.noticed()

    def noticed(self) -> None:
        """Somebody is there: the title is the usual one again."""
        if self._title and self._title != self._usual():
            self._entitle(self._usual())

    def run_seen(self, before: RunStatus | None, after: RunStatus | None) -> None:
        """Compares where the newest run stands with where it stood; tells where it has ended since."""
        if before is None or after is None or before.id != after.id or not before.live or after.live:
            return
        mark, how = how_it_ended(after)
        failed = after.state is JobState.FAILED
        why = f": {after.error.message if after.error else after.reason or 'see its log'}" if failed else ""
        # What was promised a moment ago ("It stops after this step") is over with the run.
        self._app.clear_notifications()
        self._app.notify(
            f"{after.id}{why}",
            title=f"The run {how}",
            severity="error" if failed else "information",
            timeout=10,
            markup=False,
        )
        if self._away is False:
            return
        self._entitle(f"{mark} {after.id} {how}")
        if self._app.user_settings.bell:
            self._write(BELL)

    def end(self) -> None:
        """Gives the terminal its own title back; called when the app has let go of the terminal."""
        if self._pushed:
            self._pushed = False
            with suppress(OSError, ValueError):
                sys.__stderr__.write(POP)  # type: ignore[union-attr]
                sys.__stderr__.flush()  # type: ignore[union-attr]

    def _usual(self) -> str:
        return f"limner {self._app.folder.name}".strip()

    def _entitle(self, title: str) -> None:
        if not (self._has_title and self._app.user_settings.title) or title == self._title:
            return
        self._title = title
        push = "" if self._pushed else PUSH
        if self._write(f"{push}\x1b]2;{sanitize(title)[:LONGEST]}{BELL}"):
            self._pushed = True

    def _write(self, text: str) -> bool:
        """Writes to the terminal between two frames; whether there is one."""
        driver = driver_of(self._app)
        if driver is None or driver.is_headless:
            return False
        driver.write(text)
        driver.flush()
        return True
