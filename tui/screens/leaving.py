"""Leaving while a run is alive: it goes on, it stops after this epoch, or it stops now."""

from __future__ import annotations

from enum import StrEnum

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from engine.training.runs import RunStatus
from tui.widgets.ink import Ink, Line, content_of
from tui.widgets.meter import clock
from tui.widgets.rows import Rows


class Leave(StrEnum):
    """What becomes of the run."""

    RUNNING = "r"
    AFTER_EPOCH = "e"
    NOW = "s"


WORDS: dict[Leave, tuple[str, str]] = {
    Leave.RUNNING: ("leave it running", "nothing is lost; limner watch follows it"),
    Leave.AFTER_EPOCH: ("stop after this epoch", "with its checkpoint; limner resume goes on"),
    Leave.NOW: ("stop now", "limner resume goes on with it"),
}


class Leaving(ModalScreen[Leave | None]):
    """Asks; Enter takes the row under the cursor, which is to leave it running."""

    CSS_PATH = "leaving.tcss"
    BINDINGS = [
        ("enter", "take", "Take it"),
        *((leave.value, f"answer('{leave.value}')", WORDS[leave][0]) for leave in Leave),
        ("q,escape,n,backspace", "stay", "Stay"),
    ]

    def __init__(self, run: RunStatus) -> None:
        super().__init__()
        self._run = run

    def compose(self) -> ComposeResult:
        """The run, the ways, the keys."""
        with Vertical() as box:
            box.border_title = "A run is alive"
            box.border_subtitle = "enter leaves · q stays"
            yield Static(content_of(_run_line(self._run), []))
            yield Rows[Leave](_leave_line)

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

    def action_answer(self, key: str) -> None:
        """Takes the one of that key."""
        self.dismiss(Leave(key))

    def action_stay(self) -> None:
        """Leaves nothing."""
        self.dismiss(None)


def _run_line(run: RunStatus) -> Line:
    left = f", {clock(run.remaining_seconds)} left" if run.remaining_seconds is not None else ""
    epoch = f"epoch {run.epoch or 1} of {run.epochs}, {run.share:.0%}{left}" if run.epochs else run.state.value
    return [(f"{run.id}  ", Ink.STRONG), (epoch, Ink.MUTED)]


def _leave_line(leave: Leave, width: int) -> Line:  # noqa: ARG001
    what, means = WORDS[leave]
    return [(f" {leave.value}  ", Ink.ACTIVE), (f"{what:<23}", Ink.PLAIN), (means, Ink.MUTED)]
