"""The loss as braille dots: what each step said dimly, the average brightly, the epochs as marks.

Pure Python and quick: 20,000 points take a few milliseconds, for every column of dots needs only the lowest and the
highest loss of its steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from textual.strip import Strip
from textual.widget import Widget

from tui.run_watch import Curve
from tui.widgets.ink import Ink, Line, strip_of, styles_of

GUTTER = 7
"""Cells for the labels at the left."""

BRAILLE = 0x2800
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot of a braille cell, by row and column (Unicode, Braille Patterns)."""

SPIKES = 0.02
"""The share of the highest losses that may stick out of the chart, so that one spike does not flatten the rest."""

FEW = 4
"""Up to how many losses a column of dots may show one by one."""

SPARSE = 5
"""The fewest cells between two epoch marks."""


@dataclass(frozen=True)
class Scale:
    """From steps and losses to dots; ``low`` is the loss at the bottom."""

    low: float
    high: float
    last_step: int
    across: int
    """Dots in a row."""
    down: int
    """Dots in a column."""

    def x(self, step: float) -> int:
        """The column of a step, counted from 1."""
        return min(self.across - 1, max(0, int((step - 1) / max(1, self.last_step - 1) * (self.across - 1))))

    def y(self, loss: float) -> int:
        """The row of a loss, from the top; what is outside sticks to the edge."""
        share = (self.high - loss) / (self.high - self.low)
        return min(self.down - 1, max(0, round(share * (self.down - 1))))


def span(curve: Curve) -> tuple[float, float]:
    """The losses at the bottom and the top, on round numbers."""
    ranked = sorted(curve.losses)
    low, high = ranked[0], ranked[min(len(ranked) - 1, int(len(ranked) * (1 - SPIKES)))]
    low, high = min(low, *curve.averages), max(high, *curve.averages)
    if high - low < 1e-9:
        low, high = low - max(1e-3, abs(low) * 0.1), high + max(1e-3, abs(high) * 0.1)
    unit = 10 ** math.floor(math.log10((high - low) / 2))
    return math.floor(low / unit) * unit, math.ceil(high / unit) * unit


def label(value: float, high: float) -> str:
    """A loss for the axis, with as many digits as the size of the highest one asks for."""
    digits = max(0, min(5, 2 - math.floor(math.log10(high)))) if high > 0 else 3
    return f"{value:.{digits}f}"[: GUTTER - 1].rjust(GUTTER - 1) + " "


def draw_chart(curve: Curve, last_step: int, steps_per_epoch: int, width: int, height: int) -> list[Line]:
    """The chart as ``height`` lines of ``width`` cells; the last line numbers the epochs.

    Args:
        curve: at least one point, else the lines are empty.
        last_step: the step at the right edge: the run's last, so that the curve fills the chart as the run goes on.
        steps_per_epoch: where the epochs end; 0: not known, and then not marked.
        width: cells, at least 12.
        height: cells, at least 3.
    """
    if not curve.steps or width < GUTTER + 5 or height < 3:
        return [[] for _ in range(height)]
    cells, rows = width - GUTTER, height - 1
    low, high = span(curve)
    scale = Scale(low, high, max(last_step, curve.steps[-1]), cells * 2, rows * 4)
    raw, average = _raw_dots(curve, scale), _average_dots(curve, scale)
    marks = epoch_marks(steps_per_epoch, scale)
    columns = {column for column, _ in marks}
    labelled = {0: high, rows - 1: low}
    if rows > 4:
        labelled[rows // 2] = high - (high - low) * (rows // 2) / (rows - 1)
    lines: list[Line] = []
    for row in range(rows):
        gutter = label(labelled[row], high) if row in labelled else " " * GUTTER
        line: Line = [(gutter, Ink.MUTED)]
        for cell in range(cells):
            if bits := average.get((row, cell)):
                line.append((chr(BRAILLE | bits), Ink.ACTIVE))
            elif bits := raw.get((row, cell)):
                line.append((chr(BRAILLE | bits), Ink.MUTED))
            else:
                line.append(("╎", Ink.FAINT) if cell in columns else (" ", Ink.PLAIN))
        lines.append(_joined(line))
    return [*lines, _epoch_labels(marks, cells)]


def epoch_marks(steps_per_epoch: int, scale: Scale) -> list[tuple[int, int]]:
    """The cell at which an epoch ends and its number, thinned so that they stay apart."""
    if steps_per_epoch <= 0:
        return []
    epochs = max(1, round(scale.last_step / steps_per_epoch))
    every = max(1, math.ceil(epochs * SPARSE * 2 / scale.across))
    return [(scale.x(epoch * steps_per_epoch) // 2, epoch) for epoch in range(every, epochs + 1, every)]


def _raw_dots(curve: Curve, scale: Scale) -> dict[tuple[int, int], int]:
    """Every loss while they are few, else each column's lowest and highest."""
    cells: dict[tuple[int, int], int] = {}
    if len(curve.steps) <= FEW * scale.across:
        for step, loss in zip(curve.steps, curve.losses, strict=True):
            _set(cells, scale.x(step), scale.y(loss))
        return cells
    lows: dict[int, float] = {}
    highs: dict[int, float] = {}
    for step, loss in zip(curve.steps, curve.losses, strict=True):
        x = scale.x(step)
        if loss < lows.get(x, math.inf):
            lows[x] = loss
        if loss > highs.get(x, -math.inf):
            highs[x] = loss
    for x, lowest in lows.items():
        top, bottom = scale.y(highs[x]), scale.y(lowest)
        # A whole column of dots would be a wall: its two ends tell as much.
        for y in {top, bottom}:
            _set(cells, x, y)
    return cells


def _average_dots(curve: Curve, scale: Scale) -> dict[tuple[int, int], int]:
    """The average as a line without gaps."""
    cells: dict[tuple[int, int], int] = {}
    last: tuple[int, int] | None = None
    at: dict[int, float] = {scale.x(step): value for step, value in zip(curve.steps, curve.averages, strict=True)}
    for x, value in at.items():
        y = scale.y(value)
        if last is not None:
            right, down = x - last[0], y - last[1]
            count = max(right, abs(down))
            for part in range(1, count):
                _set(cells, last[0] + round(right * part / count), last[1] + round(down * part / count))
        _set(cells, x, y)
        last = (x, y)
    return cells


def _set(cells: dict[tuple[int, int], int], x: int, y: int) -> None:
    key = (y // 4, x // 2)
    cells[key] = cells.get(key, 0) | DOTS[y % 4][x % 2]


def _epoch_labels(marks: list[tuple[int, int]], cells: int) -> Line:
    """The epochs' numbers, each ending under its mark."""
    text = [" "] * cells
    for column, epoch in marks:
        number = str(epoch)
        start = min(cells, column + 1) - len(number)
        if start >= 0 and all(letter == " " for letter in text[max(0, start - 1) : start + len(number)]):
            text[start : start + len(number)] = number
    return [("epoch".rjust(GUTTER - 1) + " ", Ink.FAINT), ("".join(text), Ink.MUTED)]


def _joined(line: Line) -> Line:
    """Neighbours of one ink as one piece: fewer bytes to the terminal."""
    joined: Line = []
    for text, ink in line:
        if joined and joined[-1][1] is ink:
            joined[-1] = (joined[-1][0] + text, ink)
        else:
            joined.append((text, ink))
    return joined


class LossChart(Widget):
    """Shows a run's loss; drawn anew only when the curve or the size changed."""

    DEFAULT_CSS = """
    LossChart { height: 1fr; width: 1fr; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._curve = Curve()
        self._last_step = 0
        self._per_epoch = 0
        self._lines: list[Line] = []
        self._drawn_at = (0, 0)

    def show(self, curve: Curve, last_step: int, steps_per_epoch: int) -> None:
        """Shows a curve in the frame of its run."""
        if (curve, last_step, steps_per_epoch) == (self._curve, self._last_step, self._per_epoch):
            return
        self._curve, self._last_step, self._per_epoch = curve, last_step, steps_per_epoch
        self._drawn_at = (0, 0)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of the chart."""
        width, height = self.size
        if self._drawn_at != (width, height):
            self._lines = draw_chart(self._curve, self._last_step, self._per_epoch, width, height)
            if not self._curve.steps and height:
                words = "the loss appears with the first steps"
                self._lines[height // 2] = [(words.center(width), Ink.MUTED)]
            self._drawn_at = (width, height)
        line = self._lines[y] if y < len(self._lines) else []
        return strip_of(line, width, styles_of(self.app), self.rich_style)
