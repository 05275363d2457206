"""The chart of runs as a widget."""

from __future__ import annotations

from collections.abc import Sequence

from textual.strip import Strip
from textual.widget import Widget

from tui.text.charts.chart import draw_chart
from tui.text.charts.view import Trace, View
from tui.widgets.ink import Ink, Line, strip_of, styles_of


class LossChart(Widget):
    """Shows runs' curves; drawn anew only when one, the view or the size changed."""

    DEFAULT_CSS = """
    LossChart { height: 1fr; width: 1fr; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._traces: tuple[Trace, ...] = ()
        self._view = View()
        self._lines: list[Line] = []
        self._drawn_at = (0, 0)

    def show(self, traces: Sequence[Trace], view: View) -> None:
        """Shows one run, or several to compare."""
        if (tuple(traces), view) == (self._traces, self._view):
            return
        self._traces, self._view = tuple(traces), view
        self._drawn_at = (0, 0)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of the chart."""
        width, height = self.size
        if self._drawn_at != (width, height):
            self._lines = draw_chart(self._traces, self._view, width, height)
            if height and not any(self._lines):
                has_steps = any(trace.curves.steps for trace in self._traces)
                what = "needs more space" if has_steps else "appears with the first steps"
                words = f"the {self._view.measure.value} {what}"
                self._lines[height // 2] = [(words.center(width), Ink.MUTED)]
            self._drawn_at = (width, height)
        line = self._lines[y] if y < len(self._lines) else []
        return strip_of(line, width, styles_of(self.app), self.rich_style)
