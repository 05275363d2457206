"""The top line, the same on every screen: the screens by number, and the live run at the right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widgets import Static

from engine.events import JobState
from tui.actions import SCREENS, Scope
from tui.text.meter import clock
from tui.widgets.ink import Ink, Line, content_of, spread, width_of

if TYPE_CHECKING:
    from engine.training.runs.run_status import RunStatus


BADGES: dict[JobState, tuple[str, Ink, str]] = {
    JobState.PAUSED: ("‖ ", Ink.BAD, "paused"),
    JobState.STOPPING: ("◔ ", Ink.ATTENTION, "stopping"),
}
"""Mark, ink and word of a live run that does not simply train. A paused one holds the card, which costs: it is red."""


def run_line(status: RunStatus | None) -> Line:
    """The live run in few cells: ``● 3/10 41% 1:24``: the epoch, the share of the run, the time left; or
    what it does instead of training, ``‖ 3/10 41% paused``."""
    if status is None:
        return [("no run", Ink.MUTED)]
    if status.live:
        epoch = f"{status.epoch or 1}/{status.epochs}" if status.epochs else ""
        mark, ink, word = BADGES.get(status.state, ("● ", Ink.GOOD, ""))
        if status.loading:
            mark, ink, word = "◌ ", Ink.ACTIVE, "loading"
        left = "" if word or status.remaining_seconds is None else clock(status.remaining_seconds)
        told = " ".join(filter(None, (epoch, f"{status.share:.0%}", word or left)))
        return [(mark, ink), (told, Ink.STRONG)]
    if status.silent_seconds is not None:
        return [("? ", Ink.ATTENTION), ("run silent", Ink.MUTED)]
    if status.state.value == "failed":
        return [("✗ ", Ink.BAD), ("run failed", Ink.BAD)]
    if status.stopped:
        return [("– ", Ink.ATTENTION), ("run stopped", Ink.MUTED)]
    return [("✓ ", Ink.GOOD), ("run done", Ink.MUTED)]


def top_line(current: Scope, status: RunStatus | None, width: int) -> Line:
    """The whole top line; on narrow terminals the numbers of the other screens stay and their names are cut."""
    run = run_line(status)
    for gap, named in ((" ", True), ("", True), ("", False)):
        screens: Line = []
        for number, screen in enumerate(SCREENS, start=1):
            if screen is current:
                screens += [(f" {number} ", Ink.ACTIVE), (screen.title, Ink.STRONG), (gap, Ink.PLAIN)]
            else:
                screens.append((f" {number} {screen.title if named else ''}".rstrip() + gap, Ink.MUTED))
        if width_of(screens) + width_of(run) + 1 <= width:
            break
    return spread(screens, run, width)


class TopBar(Static):
    """The top line of a screen."""

    DEFAULT_CSS = """
    TopBar { dock: top; height: 1; padding: 0 1 0 0; background: $surface; }
    """

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self._scope = scope
        self._drawn: Line = []

    def on_resize(self) -> None:
        """Names come and go with the width."""
        self.draw()

    def draw(self) -> None:
        """Writes the line, and nothing where it says what it said."""
        line = top_line(self._scope, getattr(self.app, "live_run", None), self.size.width)
        if line != self._drawn:
            self._drawn = line
            self.update(content_of(line), layout=False)
