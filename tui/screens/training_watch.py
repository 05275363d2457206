"""A run as it goes, or as it went: its loss, its figures, its checkpoints."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from engine.errors import LimnerError
from engine.events import JobState
from engine.training.runs import RunStatus
from tui.run_watch import Seen
from tui.widgets.ink import Ink, Line, spread, width_of
from tui.widgets.loss_chart import LossChart
from tui.widgets.meter import bar, clock
from tui.widgets.rows import Rows
from tui.widgets.sheet import Sheet

STATES: dict[JobState, Ink] = {
    JobState.DONE: Ink.GOOD,
    JobState.FAILED: Ink.BAD,
    JobState.STOPPING: Ink.ATTENTION,
    JobState.PAUSED: Ink.ATTENTION,
}


def now_lines(status: RunStatus, width: int) -> list[Line]:
    """The run's figures, one a line, right-aligned with their units."""
    ended = status.state.ended
    rows: list[tuple[str, str, Ink]] = [
        ("state", status.state.value, STATES.get(status.state, Ink.ACTIVE)),
        ("epoch", f"{status.epoch} of {status.epochs}" if status.epochs else "–", Ink.PLAIN),
        ("step", f"{status.step:,} of {status.steps:,}" if status.steps else "–", Ink.PLAIN),
        ("loss", _figure(status.loss, "{:.4f}"), Ink.MUTED),
        ("average", _figure(status.average_loss, "{:.4f}"), Ink.STRONG),
        ("images/s", _figure(status.images_per_s, "{:.1f}"), Ink.PLAIN),
        ("memory", _figure(status.memory_gb, "{:.1f} GB"), Ink.PLAIN),
    ]
    if status.cost:
        rows.append(("cost", f"{status.cost:.2f}", Ink.PLAIN))
    if ended and status.started_at and status.ended_at:
        rows.append(("took", clock(status.ended_at - status.started_at), Ink.PLAIN))
    return [spread([(name, Ink.MUTED)], [(value, ink)], width) for name, value, ink in rows]


def bar_line(name: str, share: float, left: str, width: int) -> Line:
    """``epoch ███████─────  41 %   0:07 left``."""
    tail: Line = [(f" {share:>4.0%}", Ink.STRONG), (f"{left:>16}", Ink.MUTED)]
    return [(f"{name:<6}", Ink.MUTED), *bar(share, max(4, width - 6 - width_of(tail))), *tail]


def trouble(status: RunStatus) -> Line:
    """What went wrong, or what the run is preparing; empty while it simply learns."""
    if status.error is not None:
        return [("✗ ", Ink.BAD), (LimnerError(status.error.message, status.error.fix).one_line(), Ink.PLAIN)]
    if status.state is JobState.FAILED:
        return [("✗ ", Ink.BAD), (status.reason or "the run failed", Ink.PLAIN)]
    if status.live and not status.step and status.phase is not None:
        phase = status.phase
        count = f" {phase.done:,} of {phase.total:,}" if phase.total else ""
        return [("· ", Ink.ATTENTION), (f"{phase.name}{count}", Ink.PLAIN)]
    if status.live and not status.step:
        return [("· ", Ink.ATTENTION), ("getting ready", Ink.PLAIN)]
    if status.warnings:
        return [("! ", Ink.ATTENTION), (status.warnings[-1], Ink.PLAIN)]
    if status.reason:
        return [("· ", Ink.MUTED), (status.reason, Ink.MUTED)]
    return []


def checkpoint_line(entry: tuple[int, Path], width: int) -> Line:
    """A checkpoint's row: which epoch, its name, its size."""
    number, path = entry
    try:
        size = f"{path.stat().st_size / 1e6:,.1f} MB"
    except OSError:
        size = "gone"
    return spread([(f"{number:>3}  ", Ink.MUTED), (path.stem, Ink.PLAIN)], [(f"{size} ", Ink.MUTED)], width)


def _figure(value: float | None, shape: str) -> str:
    return "–" if value is None else shape.format(value)


class RunView(Vertical):
    """One run: chart and figures, bars, checkpoints."""

    def compose(self) -> Iterable[Widget]:
        """Its panes."""
        with Horizontal(id="live"):
            with Vertical(id="chart-pane", classes="pane"):
                yield LossChart(id="chart")
            with Vertical(id="now-pane", classes="pane") as pane:
                pane.border_title = "now"
                yield Sheet(id="now")
        yield Sheet(id="bars")
        with Vertical(id="checkpoints-pane", classes="pane") as pane:
            pane.border_title = "checkpoints"
            yield Rows[Any](checkpoint_line, id="checkpoints")

    def show(self, run: RunStatus, seen: Seen) -> None:
        """Shows where the run stands now."""
        plan = run.plan
        self.query_one("#chart", LossChart).show(seen.curve, run.steps, plan.steps_per_epoch if plan else 0)
        pane = self.query_one("#chart-pane")
        number = seen.ids.index(run.id) + 1 if run.id in seen.ids else 1
        pane.border_title = f"loss · average · {run.id}"
        pane.border_subtitle = f"run {number} of {len(seen.ids)}" if len(seen.ids) > 1 else ""
        self.query_one("#now", Sheet).draw(lambda width: now_lines(run, width))
        epoch_left = f"{clock(run.epoch_remaining_seconds)} left" if run.live else ""
        run_left = f"{clock(run.remaining_seconds)} left" if run.live else ""
        self.query_one("#bars", Sheet).draw(
            lambda width: [
                bar_line("epoch", run.epoch_share, epoch_left, width),
                bar_line("run", run.share, run_left, width),
                trouble(run),
            ]
        )
        rows: Rows[Any] = self.query_one("#checkpoints", Rows)
        entries = list(enumerate(run.checkpoints, start=1))[::-1]
        if entries != rows.items:
            rows.show(entries)
