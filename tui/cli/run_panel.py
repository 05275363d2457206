"""A run in a terminal without the app: chart, bars and figures, drawn over themselves twice a second."""

from __future__ import annotations

import os
import shutil
import sys
import time

from engine.training.runs.curves import Curves
from engine.training.runs.run_status import RunFollower, RunStatus
from tui.text.charts.chart import draw_chart
from tui.text.charts.view import View, trace_of
from tui.text.lines import Ink, Line, spread
from tui.text.run_summary import bar_lines, figures, state_of, trouble_lines
from tui.text.sanitize import sanitize

REDRAW_SECONDS = 0.5

LEAST_COLUMNS, LEAST_ROWS = 24, 8
"""In less a line tells more than a chart."""

WIDE, WIDEST = 66, 120
"""From so many columns on figures stand three abreast, and wider than that nothing is drawn."""

CODES = {
    Ink.PLAIN: "",
    Ink.STRONG: "1",
    Ink.MUTED: "2",
    Ink.FAINT: "2",
    Ink.ACTIVE: "36",
    Ink.GOOD: "32",
    Ink.BAD: "31",
    Ink.ATTENTION: "33",
}
"""Each ink by the terminal's own colours (SGR)."""


def can_draw() -> bool:
    """Whether standard error is a terminal that lets lines be drawn over, and large enough."""
    if not sys.stderr.isatty() or os.environ.get("TERM", "") in ("", "dumb"):
        return False
    columns, rows = _room()
    return columns >= LEAST_COLUMNS and rows >= LEAST_ROWS


class RunPanel:
    """Draws one run; the last state stays on the terminal."""

    def __init__(self, by_powers: bool = False, by_time: bool = False) -> None:
        self._view = View(logarithmic=by_powers, by_time=by_time)
        self._drawn = 0
        self._before: tuple[RunStatus, tuple[int, int]] | None = None

    def follow(self, follower: RunFollower) -> RunStatus:
        """Draws until the run has ended, or seems to have."""
        from tui.text.run_summary import over

        while True:
            status = follower.poll()
            if (now := (status, _room())) != self._before:
                self._before = now
                self._put(panel_lines(status, follower.curves, self._view, *_room()))
            if over(status):
                return status
            time.sleep(REDRAW_SECONDS)

    def _put(self, lines: list[Line]) -> None:
        """Draws the lines over those before; a line's rest is cleared after it, so that nothing flickers."""
        up = f"\x1b[{self._drawn}F" if self._drawn else ""
        text = "".join(f"{coloured(line)}\x1b[K\n" for line in lines)
        sys.stderr.write(f"{up}{text}\x1b[J")
        sys.stderr.flush()
        self._drawn = len(lines)


def panel_lines(status: RunStatus, curves: Curves, view: View, columns: int, rows: int) -> list[Line]:
    """The whole of it in at most ``columns`` by ``rows`` cells, one row left for the cursor."""
    width = min(columns - 1, WIDEST)
    word, ink = state_of(status)
    below = [*bar_lines(status, width), *_figure_rows(status, width)]
    below += [line for line in trouble_lines(status, width) if line]
    head = spread([(status.id, Ink.STRONG)], [(view.words + "  " if view.words else "", Ink.MUTED), (word, ink)], width)
    room = rows - 2 - len(below)
    chart = draw_chart([trace_of(status, curves)], view, width, min(room, 14)) if room >= 4 and curves.steps else []
    return [head, *chart, *below][: rows - 1]


def _figure_rows(status: RunStatus, width: int) -> list[Line]:
    """The figures that the bars don't say, as many abreast as fit."""
    shown = [each for each in figures(status) if each[0] not in ("state", "epoch", "loss") and each[1] != "–"]
    shown.insert(0, ("epoch", f"{status.epoch} of {status.epochs}", Ink.PLAIN))
    abreast = 3 if width >= WIDE else 2 if width >= 52 else 1
    cells = (width - 3 * (abreast - 1)) // abreast
    lines: list[Line] = []
    for at in range(0, len(shown), abreast):
        line: Line = []
        for name, value, ink in shown[at : at + abreast]:
            line += [("   " if line else "", Ink.PLAIN), *spread([(name, Ink.MUTED)], [(value, ink)], cells)]
        lines.append(line)
    return lines


def coloured(line: Line) -> str:
    """A line with the terminal's codes, or plain where colours are not wanted."""
    if "NO_COLOR" in os.environ:
        return "".join(sanitize(text) for text, _ in line)
    pieces = ((sanitize(text), CODES[ink]) for text, ink in line)
    return "".join(f"\x1b[{code}m{text}\x1b[0m" if code and text.strip() else text for text, code in pieces)


def _room() -> tuple[int, int]:
    """Columns and rows of the terminal that standard error is."""
    try:
        size = os.get_terminal_size(sys.stderr.fileno())
    except OSError:
        size = shutil.get_terminal_size()
    return size.columns or 80, size.lines or 24
