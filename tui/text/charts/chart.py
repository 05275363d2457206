"""Runs as curves of braille dots: what each step said dimly, the average brightly, epochs as marks.

Pure Python and quick: every column of dots needs only the lowest and the highest value of its steps, so no spike is
lost and 20,000 steps take a few milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tui.text.charts.dots import Dots
from tui.text.charts.view import Across, Measure, Trace, View, place_of, value_at
from tui.text.charts.y_axis import Upwards, label, span
from tui.text.lines import Ink, Line, cut, joined
from tui.text.meter import clock

GUTTER = 7
"""Cells for the labels at the left."""

FEW = 4
"""Up to how many steps a column of dots may show one by one."""

SPARSE = 5
"""The fewest cells between two epoch marks."""

MARK = "◆"
"""What was measured on held-out images after an epoch."""

PATTERNS = ("#", "####   ", "#  ", "#####  #  ", "##    ", "#### # #  ")
"""How the lines of runs that are compared differ besides their colour: whole, dashed, dotted and so on."""

INKS = (Ink.ACTIVE, Ink.ATTENTION, Ink.STRONG, Ink.GOOD, Ink.BAD, Ink.PLAIN)

LETTERS = "ABCDEF"
"""The names that compared runs have on the chart; more than these are not drawn."""

RAMP = "▁▂▃▄▅▆▇█"

TALL, TALLER = 9, 14
"""From so many lines on the learning rate has one of its own under the loss; from more on the likeness, too."""


Over = dict[tuple[int, int], tuple[str, Ink]]
"""Letters that stand over the dots, by row and column of cells."""


@dataclass(frozen=True)
class Drawing:
    """Dots of one ink."""

    dots: Dots
    ink: Ink


def draw_chart(traces: Sequence[Trace], view: View, width: int, height: int) -> list[Line]:
    """The chart as ``height`` lines of ``width`` cells; the last tells what lies across.

    Args:
        traces: one run, or several to compare; without any step the lines are empty.
        view: what of them is drawn, and how.
        width: cells, at least 12.
        height: cells, at least 3.
    """
    traces = [each for each in traces if each.places(view)][: len(LETTERS)]
    if not traces or width < GUTTER + 5 or height < 3:
        return [[] for _ in range(height)]
    several, cells = len(traces) > 1, width - GUTTER
    strips = [] if several else _strips(traces[0], view, height)
    rows = height - 1 - len(strips) - (1 if several else 0)
    across = _across(traces, view, cells * 2)
    low, high = _span(traces, view, several)
    upwards = Upwards(low, high, view.logarithmic and low > 0, rows * 4)
    over: Over = {}
    if several:
        drawings = _compared(traces, view, across, upwards, over)
    else:
        drawings = _one(traces[0], view, across, upwards, over)
    marks = [] if several else epoch_marks(traces[0], view, across)
    lines = _grid(drawings, over, {column for column, _ in marks}, upwards, cells, rows)
    lines += [_strip(name, measure, traces[0], view, across, cells) for name, measure in strips]
    lines.append(_foot(marks, view, across, cells, several))
    return [_legend(traces, width), *lines] if several else lines


def epoch_marks(trace: Trace, view: View, across: Across) -> list[tuple[int, int]]:
    """The cell at which an epoch ends and its number, thinned so that they stay apart."""
    if view.by_time:
        return [(across.column(place_of(each, view)) // 2, round(each.value)) for each in trace.curves.epoch_ends]
    if trace.steps_per_epoch <= 0:
        return []
    epochs = max(1, round(trace.last_step / trace.steps_per_epoch))
    every = max(1, math.ceil(epochs * SPARSE * 2 / across.dots))
    ends = range(every, epochs + 1, every)
    return [(across.column(epoch * trace.steps_per_epoch) // 2, epoch) for epoch in ends]


def _across(traces: Sequence[Trace], view: View, dots: int) -> Across:
    if view.by_time:
        return Across(0.0, max(max(each.last_seconds, each.curves.seconds[-1]) for each in traces), dots)
    return Across(1.0, float(max(each.last_step for each in traces)), dots)


def _span(traces: Sequence[Trace], view: View, several: bool) -> tuple[float, float]:
    raw: list[float] = []
    smooth: list[float] = []
    for trace in traces:
        if view.measure is Measure.LOSS and not several:
            raw += trace.curves.losses
        smooth += trace.series(view)
        smooth += [value for _, value in trace.points(view)]
    return span(raw, smooth, view.logarithmic)


def _one(trace: Trace, view: View, across: Across, upwards: Upwards, over: Over) -> list[Drawing]:
    """A run alone: every step dimly, the line brightly, what epochs measured as marks."""
    line, raw = Dots(), Dots()
    line.line(_line_points(trace, view, across, upwards))
    if view.measure is Measure.LOSS:
        _scatter(raw, trace, view, across, upwards)
    for place, value in trace.points(view):
        over[upwards.row(value) // 4, across.column(place) // 2] = (MARK, Ink.ATTENTION)
    if view.measure is Measure.LIKENESS:
        line.line([(across.column(place), upwards.row(value)) for place, value in trace.points(view)])
    return [Drawing(line, Ink.ACTIVE), Drawing(raw, Ink.MUTED)]


def _compared(
    traces: Sequence[Trace],
    view: View,
    across: Across,
    upwards: Upwards,
    over: Over,
) -> list[Drawing]:
    """Several runs: each its own pattern and colour, its letter where it ends."""
    drawings = []
    for trace, pattern, ink, letter in zip(traces, PATTERNS, INKS, LETTERS, strict=False):
        points = _line_points(trace, view, across, upwards)
        if view.measure is Measure.LIKENESS:
            points = [(across.column(place), upwards.row(value)) for place, value in trace.points(view)]
        dots = Dots()
        dots.line(points, pattern)
        drawings.append(Drawing(dots, ink))
        if points:
            x, y = points[-1]
            row, column = y // 4, min(x // 2 + 1, across.dots // 2 - 1)
            while (row, column) in over and column:
                column -= 1
            over[row, column] = (letter, ink)
    return drawings


def _line_points(trace: Trace, view: View, across: Across, upwards: Upwards) -> list[tuple[int, int]]:
    """The last value of each column of dots."""
    values = trace.series(view)
    if not values:
        return []
    return [(column, upwards.row(values[end - 1])) for column, _, end in across.slices(trace.places(view))]


def _scatter(dots: Dots, trace: Trace, view: View, across: Across, upwards: Upwards) -> None:
    """Every loss while they are few, else each column's lowest and highest."""
    losses, places = trace.curves.losses, trace.places(view)
    if len(losses) <= FEW * across.dots:
        for place, loss in zip(places, losses, strict=True):
            dots.set(across.column(place), upwards.row(loss))
        return
    for column, begin, end in across.slices(places):
        part = losses[begin:end]
        # A whole column of dots would be a wall: its two ends tell as much.
        dots.set(column, upwards.row(min(part)))
        dots.set(column, upwards.row(max(part)))


def _grid(
    drawings: Sequence[Drawing],
    over: Over,
    marked: set[int],
    upwards: Upwards,
    cells: int,
    rows: int,
) -> list[Line]:
    labelled = {0, rows - 1} | ({rows // 2} if rows > 4 else set())
    lines: list[Line] = []
    for row in range(rows):
        share = 1 - row / max(1, rows - 1)
        gutter = label(upwards.value(share), upwards.high, GUTTER - 1) + " " if row in labelled else " " * GUTTER
        line: Line = [(gutter, Ink.MUTED)]
        for column in range(cells):
            if (row, column) in over:
                line.append(over[row, column])
                continue
            found = next(((each.dots.letter(row, column), each.ink) for each in drawings
                          if (row, column) in each.dots.cells), None)  # fmt: skip
            line.append(found or (("╎", Ink.FAINT) if column in marked else (" ", Ink.PLAIN)))
        lines.append(joined(line))
    return lines


def _strips(trace: Trace, view: View, height: int) -> list[tuple[str, Measure]]:
    """What has a line of its own under the loss."""
    if view.measure is not Measure.LOSS or height < TALL:
        return []
    alike = [("like.", Measure.LIKENESS)] if trace.curves.likenesses and height >= TALLER else []
    return [("lr", Measure.RATE), *alike]


def _strip(name: str, measure: Measure, trace: Trace, view: View, across: Across, cells: int) -> Line:
    """One line of bars, a bar a cell, each as high as what was true at the end of its time."""
    asked = View(measure, view.by_time)
    places, values = trace.places(view), trace.series(asked)
    if not values:
        points = trace.points(asked)
        places, values = [place for place, _ in points], [value for _, value in points]
    end = trace.places(view)[-1]
    top = max(values, default=0.0) or 1.0
    text = ""
    for cell in range(cells):
        begins, ends = (across.first + (across.last - across.first) * each / cells for each in (cell, cell + 1))
        value = None if begins > end else value_at(places, values, ends)
        text += " " if value is None else RAMP[min(7, max(0, round(value / top * 7)))]
    return [(name[: GUTTER - 1].rjust(GUTTER - 1) + " ", Ink.MUTED), (text, Ink.FAINT)]


def _foot(marks: list[tuple[int, int]], view: View, across: Across, cells: int, several: bool) -> Line:
    """What lies across: the epochs' numbers, each ending under its mark, or steps or times at even distances."""
    text = [" "] * cells
    if several or view.by_time:
        parts = max(1, min(5, cells // 12))
        places = [across.first + (across.last - across.first) * part / parts for part in range(1, parts + 1)]
        words = [clock(place) if view.by_time else f"{round(place):,}" for place in places]
        ends = [(min(cells - 1, across.column(place) // 2), word) for place, word in zip(places, words, strict=True)]
    else:
        ends = [(column, str(epoch)) for column, epoch in marks]
    for column, word in ends:
        start = min(cells, column + 1) - len(word)
        if start >= 0 and all(letter == " " for letter in text[max(0, start - 1) : start + len(word)]):
            text[start : start + len(word)] = word
    name = "time" if view.by_time else "step" if several else "epoch"
    return [(name.rjust(GUTTER - 1) + " ", Ink.MUTED), ("".join(text), Ink.MUTED)]


def _legend(traces: Sequence[Trace], width: int) -> Line:
    """Each run's letter, its line, and its name."""
    line: Line = []
    for trace, pattern, ink, letter in zip(traces, PATTERNS, INKS, LETTERS, strict=False):
        dots = Dots()
        dots.line([(0, 1), (7, 1)], pattern)
        sample = "".join(dots.letter(0, cell) or " " for cell in range(4))
        line += [(f"{letter} ", ink), (sample, ink), (f" {trace.name}   ", Ink.MUTED)]
    return cut(line, width)
