"""Leaving while a run is alive: it goes on, it stops after this epoch, or it stops now."""

from __future__ import annotations

from enum import StrEnum

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from engine.jobs.folder import Request
from engine.training.runs.run_status import RunStatus
from tui.actions import Scope
from tui.app.background.run_watcher import Seen
from tui.screens.shared.overlay import Overlay, overlay_bindings
from tui.text.meter import clock
from tui.text.run_summary import how_it_ended, state_of
from tui.theming.keymap import key_of
from tui.widgets.ink import Ink, Line, content_of
from tui.widgets.rows import Rows


class Leave(StrEnum):
    """What becomes of the run."""

    RUNNING = "running"
    AFTER_EPOCH = "after_epoch"
    NOW = "now"


WORDS: dict[Leave, tuple[str, str]] = {
    Leave.RUNNING: ("leave it running", "follow it with limner watch"),
    Leave.AFTER_EPOCH: ("stop after this epoch", "resume it with limner resume"),
    Leave.NOW: ("stop now", "resume it with limner resume"),
}


OVER = "leave", "there is nothing left to decide"

REQUESTS: dict[Leave, Request] = {Leave.AFTER_EPOCH: Request.STOP_AFTER_EPOCH, Leave.NOW: Request.STOP}
"""What the run is asked for; nothing where it is left running."""


class Leaving(Overlay[Leave | None]):
    """Asks; Enter takes the row under the cursor, which is to leave it running."""

    CSS_PATH = "quit_dialog.tcss"
    SCOPES = (Scope.LEAVING,)
    BINDINGS = overlay_bindings(Scope.LEAVING)

    def __init__(self, run: RunStatus) -> None:
        super().__init__()
        self._run = run

    def compose(self) -> ComposeResult:
        """The run, the ways, the keys."""
        with Vertical() as box:
            box.border_subtitle = self.keyed("{leaving.take} confirm · {leaving.stay} cancel")
            yield Static()
            yield Rows[Leave](self._line)

    def on_mount(self) -> None:
        """The cursor is on what loses nothing."""
        self.query_one(Rows).focus()
        self._tell()

    def runs_seen(self, seen: Seen) -> None:
        """The run goes on, or ends, while the question stands there."""
        if seen.newest is not None and seen.newest.id == self._run.id:
            self._run = seen.newest
            self._tell()

    def _tell(self) -> None:
        live = self._run.live
        self.query_one(Vertical).border_title = (
            "A run is still going" if live else f"The run {how_it_ended(self._run)[1]}"
        )
        self.query_one(Static).update(content_of(_run_line(self._run), []), layout=False)
        ways, rows = list(Leave) if live else [Leave.RUNNING], self.query_one(Rows)
        if list(rows.items) != ways:
            rows.show(ways)

    def action_take(self) -> None:
        """Takes the row under the cursor."""
        self.dismiss(self.query_one(Rows).item)

    @on(Rows.Chosen)
    def _clicked(self) -> None:
        self.action_take()

    def action_running(self) -> None:
        """Resumed."""
        self.dismiss(Leave.RUNNING)

    def action_after_epoch(self) -> None:
        """It stops after this epoch."""
        self.dismiss(Leave.AFTER_EPOCH)

    def action_now(self) -> None:
        """It stops now."""
        self.dismiss(Leave.NOW)

    def action_stay(self) -> None:
        """Leaves nothing."""
        self.dismiss(None)

    def _line(self, leave: Leave, width: int) -> Line:
        what, means = WORDS[leave] if self._run.live else OVER
        key = key_of(f"leaving.{leave}", self.keymap) or ""
        return [(f" {key}  ", Ink.ACTIVE), (f"{what:<23}", Ink.PLAIN), (means, Ink.MUTED)]


def _run_line(run: RunStatus) -> Line:
    left = f", {clock(run.remaining_seconds)} left" if run.remaining_seconds is not None else ""
    left = left if run.live else ""
    state, ink = state_of(run)
    if not run.epochs:
        return [(f"{run.id}  ", Ink.STRONG), (state, ink)]
    return [(f"{run.id}  ", Ink.STRONG), (f"epoch {run.epoch or 1} of {run.epochs}, {run.share:.0%}{left}", Ink.MUTED)]
