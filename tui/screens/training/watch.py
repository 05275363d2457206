"""A run as it goes, or as it went: curves, figures, checkpoints, samples, events and log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from textual import on
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from engine import events
from engine.training.runs.run_status import RunStatus
from tui.app.background.run_watcher import Seen
from tui.screens.dataset.text import open_picture, picture_key
from tui.text.charts.view import Measure, View, trace_of
from tui.text.lines import Ink, Line, cut
from tui.text.run_summary import (
    Kept,
    bar_lines,
    figure_lines,
    happened_line,
    happened_lines,
    kept_line,
    kept_of,
    trouble_lines,
)
from tui.widgets.ink import title_of
from tui.widgets.loss_chart import LossChart
from tui.widgets.portrait import Portrait, Subject
from tui.widgets.rows import Rows
from tui.widgets.sheet import Sheet


class Below(StrEnum):
    """What the list under the bars shows; each is the id of its list."""

    CHECKPOINTS = "checkpoints"
    HAPPENED = "happened"
    PRINTED = "printed"


TITLES = {Below.CHECKPOINTS: "checkpoints", Below.HAPPENED: "events", Below.PRINTED: "log"}

NEXT_BELOW = {
    Below.CHECKPOINTS: Below.HAPPENED,
    Below.HAPPENED: Below.PRINTED,
    Below.PRINTED: Below.CHECKPOINTS,
}


def printed_line(text: str, width: int) -> Line:
    """A line that the process printed, as a row."""
    return cut([(f" {text}", Ink.MUTED)], width)


def chart_title(run: RunStatus, seen: Seen, view: View, width: int = 80) -> str:
    """``loss · average · ◆ validation · log``, or what is compared; the run's name where ``width`` has room for it."""
    parts: list[str] = [view.measure.value]
    if len(seen.compared) > 1:
        parts = [f"{view.measure.value} of {len(seen.compared)} runs" + (", averaged" if _loss(view) else "")]
    elif _loss(view):
        parts += ["average", *(["◆ validation"] if seen.curves.validations else [])]
    parts += [view.words] if view.words else []
    named = [*parts, run.id]
    # Half a name says less than none, and the checkpoints below have it.
    return " · ".join(parts if len(seen.compared) > 1 or len(" · ".join(named)) > width else named)


def _loss(view: View) -> bool:
    return view.measure is Measure.LOSS


class RunView(Vertical):
    """One run: chart and figures, bars, then a list and the newest sample."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = View()
        self.below = Below.CHECKPOINTS
        self._run: RunStatus | None = None
        self._seen = Seen()

    def compose(self) -> Iterable[Widget]:
        """Its panes."""
        with Horizontal(id="live"):
            with Vertical(id="chart-pane", classes="pane"):
                yield LossChart(id="chart")
            with Vertical(id="now-pane", classes="pane") as pane:
                pane.border_title = "now"
                yield Sheet(id="now")
        yield Sheet(id="bars")
        with Horizontal(id="below"):
            with Vertical(id="below-pane", classes="pane"):
                yield Rows[Any](kept_line, id=Below.CHECKPOINTS.value)
                yield Rows[Any](happened_line, id=Below.HAPPENED.value)
                yield Rows[Any](printed_line, id=Below.PRINTED.value)
            with Vertical(id="sample-pane", classes="pane"):
                yield Portrait(id="sample")

    def on_mount(self) -> None:
        """One list is shown at a time."""
        self.go_below(self.below)

    @property
    def list(self) -> Rows[Any]:
        """The list that is shown."""
        return self.query_one(f"#{self.below.value}", Rows)

    def go_below(self, below: Below) -> None:
        """Shows another list."""
        self.below = below
        for each in Below:
            self.query_one(f"#{each.value}").display = each is below
        self.query_one("#below-pane").border_title = TITLES[below]

    def next_measure(self) -> None:
        """The loss, the learning rate, the pace, and the likeness where there is one."""
        measures = [each for each in Measure if each is not Measure.LIKENESS or self._seen.curves.likenesses]
        at = measures.index(self.view.measure) if self.view.measure in measures else -1
        self.look(replace(self.view, measure=measures[(at + 1) % len(measures)]))

    def look(self, view: View) -> None:
        """Looks at the chart another way."""
        self.view = view
        if self._run is not None:
            self.show(self._run, self._seen)

    def show(self, run: RunStatus, seen: Seen) -> None:
        """Shows where the run stands now."""
        self._run, self._seen = run, seen
        self._show_chart(run, seen)
        self.query_one("#now", Sheet).draw(lambda width: figure_lines(run, width))
        self.query_one("#bars", Sheet).draw(lambda width: [*bar_lines(run, width), *trouble_lines(run, width)])
        self._fill(Below.CHECKPOINTS, kept_of(run, seen.curves))
        self._fill(Below.HAPPENED, happened_lines(run.happened))
        self._fill(Below.PRINTED, seen.printed or (f"{run.folder.name}/worker.log is empty",))
        self._show_sample()

    def samples(self) -> Sequence[events.Sample]:
        """The run's samples."""
        return self._run.samples if self._run is not None else ()

    def sample_shown(self) -> events.Sample | None:
        """The newest sample, or the one of the epoch whose checkpoint is under the cursor."""
        samples = self.samples()
        rows = self.query_one(f"#{Below.CHECKPOINTS.value}", Rows)
        kept = rows.item
        if isinstance(kept, Kept) and rows.cursor > 0 and self.below is Below.CHECKPOINTS:
            samples = [each for each in samples if each.epoch == kept.epoch] or samples
        return samples[-1] if samples else None

    def checkpoint(self) -> Path | None:
        """The file of the checkpoint under the cursor, or of the run's newest; None where there is none."""
        if self._run is None:
            return None
        kept = self.query_one(f"#{Below.CHECKPOINTS.value}", Rows).item
        there = [each for each in self._run.checkpoints if each.exists()]
        if self.below is Below.CHECKPOINTS and isinstance(kept, Kept):
            there = [each for each in there if each.name == Path(kept.path).name] or there
        return there[-1] if there else None

    def subject_of(self, sample: events.Sample) -> Subject:
        """A sample as a picture."""
        path = (self._run.folder if self._run is not None else Path()) / sample.path
        return Subject(picture_key(path), partial(open_picture, path))

    @on(Rows.Moved)
    def _moved(self) -> None:
        self._show_sample()

    def _show_chart(self, run: RunStatus, seen: Seen) -> None:
        several = len(seen.compared) > 1
        drawn = [(each.status, each.curves) for each in seen.compared] if several else [(run, seen.curves)]
        self.query_one(LossChart).show([trace_of(*each) for each in drawn], self.view)
        pane = self.query_one("#chart-pane")
        pane.border_title = title_of(chart_title(run, seen, self.view, pane.size.width - 2))
        number = seen.ids.index(run.id) + 1 if run.id in seen.ids else 1
        marked = " · marked" if run.id in seen.marked else ""
        pane.border_subtitle = f"run {number} of {len(seen.ids)}{marked}" if len(seen.ids) > 1 else ""

    def _fill(self, below: Below, items: Sequence[Any]) -> None:
        """Shows other rows where there are; at the end of a log the cursor goes along with it."""
        rows: Rows[Any] = self.query_one(f"#{below.value}", Rows)
        if list(items) == list(rows.items):
            return
        at_end = below is not Below.CHECKPOINTS and rows.cursor >= len(rows.items) - 1
        rows.show(items, len(items) - 1 if at_end else None)

    def _show_sample(self) -> None:
        sample = self.sample_shown()
        pane, portrait = self.query_one("#sample-pane"), self.query_one("#sample", Portrait)
        if sample is None:
            pane.border_title = "sample"
            portrait.show(None, words=[("none yet", Ink.MUTED)])
            return
        pane.border_title = title_of(sample_words(sample, pane.size.width - 4))
        portrait.show(self.subject_of(sample))


def sample_words(sample: events.Sample, width: int = 80) -> str:
    """``epoch 2 · seed 7 · likeness 63``, or as much of it as fits into ``width`` cells; the first part always."""
    parts = [f"epoch {sample.epoch}" if sample.epoch else "sample", f"seed {sample.seed}"]
    if sample.likeness is not None:
        parts.append(f"likeness {sample.likeness:.0f}")
    while len(parts) > 1 and len(" · ".join(parts)) > width:
        parts.pop()
    return " · ".join(parts)
