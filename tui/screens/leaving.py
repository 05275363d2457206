"""Leaving while a run is alive: it goes on, it stops after this epoch, or it stops now."""

from __future__ import annotations

from enum import StrEnum

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from engine.training.runs import RunStatus
from tui.actions import Scope
from tui.keymap import key_of
from tui.screens.overlay import Overlay, overlay_bindings
from tui.widgets.ink import Ink, Line, content_of
from tui.widgets.meter import clock
from tui.widgets.rows import Rows


class Leave(StrEnum):
    """What becomes of the run."""

    RUNNING = "running"
    AFTER_EPOCH = "after_epoch"
    NOW = "now"


WORDS: dict[Leave, tuple[str, str]] = {
    Leave.RUNNING: ("leave it running", "nothing is lost; limner watch follows it"),
    Leave.AFTER_EPOCH: ("stop after this epoch", "with its checkpoint; limner resume goes on"),
    Leave.NOW: ("stop now", "limner resume goes on with it"),
}


class Leaving(Overlay[Leave | None]):
    """Asks; Enter takes the row under the cursor, which is to leave it running."""

    CSS_PATH = "leaving.tcss"
    SCOPES = (Scope.LEAVING,)
    BINDINGS = overlay_bindings(Scope.LEAVING)

    def __init__(self, run: RunStatus) -> None:
        super().__init__()
        self._run = run

    def compose(self) -> ComposeResult:
        """The run, the ways, the keys."""
        with Vertical() as box:
            box.border_title = "A run is alive"
            box.border_subtitle = self.keyed("{leaving.take} leaves · {leaving.stay} stays")
            yield Static(content_of(_run_line(self._run), []))
            yield Rows[Leave](self._line)

    def on_mount(self) -> None:
        """The cursor is on what loses nothing."""
        rows = self.query_one(Rows)
        rows.show(list(Leave))
        rows.focus()

    def action_take(self) -> None:
        """Takes the row under the cursor."""
        self.dismiss(self.query_one(Rows).item)

    @on(Rows.Chosen)
    def _clicked(self) -> None:
        self.action_take()

    def action_running(self) -> None:
        """It goes on."""
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
        what, means = WORDS[leave]
        key = key_of(f"leaving.{leave}", self.keymap) or ""
        return [(f" {key}  ", Ink.ACTIVE), (f"{what:<23}", Ink.PLAIN), (means, Ink.MUTED)]


def _run_line(run: RunStatus) -> Line:
    left = f", {clock(run.remaining_seconds)} left" if run.remaining_seconds is not None else ""
    epoch = f"epoch {run.epoch or 1} of {run.epochs}, {run.share:.0%}{left}" if run.epochs else run.state.value
    return [(f"{run.id}  ", Ink.STRONG), (epoch, Ink.MUTED)]
