"""Quitting: while a run is going, asks what to do with it, and says so on the terminal afterwards."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from engine.jobs.folder import Request
from engine.training.runs.run_status import RunStatus
from tui.app.exit_message import leave_run

if TYPE_CHECKING:
    from tui.app.context import Context

TWICE_SECONDS = 2.0
"""How soon the second ctrl+c must follow."""


class Quit:
    """Leaves the app, as asked by ``q`` or by ctrl+c pressed twice."""

    def __init__(self, app: Context) -> None:
        self._app = app
        self._interrupted_at = -TWICE_SECONDS

    def ask(self) -> None:
        """Leaves; while a run is going, asks what to do with it."""
        run = self._app.seen.newest
        if run is None or not run.live:
            self._app.exit()
            return
        from tui.screens.shared.quit_dialog import REQUESTS, Leave, Leaving

        def answered(leave: Leave | None) -> None:
            if leave is not None:
                self._leave(self._as_it_is_now(run), REQUESTS.get(leave))

        self._app.push_screen(Leaving(run), answered)

    def interrupted(self) -> None:
        """Leaves when it comes twice within two seconds; a run goes on."""
        now = time.monotonic()
        if now - self._interrupted_at > TWICE_SECONDS:
            self._interrupted_at = now
            self._app.notify("Press again to quit; running jobs continue.", timeout=TWICE_SECONDS)
            return
        run = self._app.seen.newest
        if run is not None and run.live:
            self._leave(run, None)
        self._app.exit()

    def _as_it_is_now(self, run: RunStatus) -> RunStatus:
        """It may have ended while the question stood there."""
        newest = self._app.seen.newest
        return newest if newest is not None and newest.id == run.id else run

    def _leave(self, run: RunStatus, request: Request | None) -> None:
        """Leaves, after asking the run for something; the last line on the terminal says what becomes of it."""
        try:
            self._app.exit_message = leave_run(run, request)
        except OSError as error:
            told = f"{run.id} can't be reached ({error.strerror}); it continues"
            self._app.notify(told, severity="error", markup=False)
            return
        self._app.exit()
