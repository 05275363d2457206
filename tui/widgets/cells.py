"""The cells of a grid as thumbnails: columns and rows with their values beside them, any number of each.

Thumbnails flow; cells stand still: a cell's column and row are what it is. So headings stay in sight, the cursor stops
at the edges, and what does not fit is reached by moving on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import wrap

from rich.cells import cell_len
from textual import events
from textual.geometry import Region, Size
from textual.strip import Strip

from engine.pictures.grid.store import Cell
from tui.widgets.ink import Ink, Line, cut, strip_of, styles_of, width_of
from tui.widgets.thumbnails.grid import HUGE_TILE, LARGE_TILE, SMALL_TILE, Thumbnails
from tui.widgets.thumbnails.tile import Thumbnail

TILES = (HUGE_TILE, LARGE_TILE, SMALL_TILE)
"""The largest with which everything fits is taken, else the smallest."""

WIDEST_LABEL = 14
"""Cells of a row's label."""

HEAD_LINES = 2
"""At most, above a column."""


class Cells(Thumbnails[Cell]):
    """A page of a grid; ``items`` are its cells, row by row.

    Args:
        tell: a cell's thumbnail.
    """

    DEFAULT_CSS = """
    Cells { height: 1fr; background: transparent; overflow: hidden; }
    """

    def __init__(self, tell: Callable[[Cell], Thumbnail], *, id: str | None = None) -> None:
        super().__init__(tell, id=id)
        self._heads: Sequence[str] = ("",)
        self._labels: Sequence[str] = ("",)
        self._left = 0
        self._top = 0
        self._fitted: dict[tuple[int, int], tuple[int, int]] = {}
        self._measured: dict[int, int] = {}

    def lay(self, heads: Sequence[str], labels: Sequence[str], cells: Sequence[Cell], cursor: int = 0) -> None:
        """Shows a page.

        Args:
            heads: the columns' values.
            labels: the rows' values.
            cells: row by row.
            cursor: the cell under the cursor.
        """
        self._heads, self._labels = heads or ("",), labels or ("",)
        self._fitted.clear()
        self._measured.clear()
        self.show(cells, cursor)

    def take(self, cells: Sequence[Cell]) -> None:
        """The same page with cells that stand otherwise now; what did not change is not drawn anew."""
        before, self.items = self.items, cells
        if len(before) != len(cells):
            self.show(cells)
            return
        for index, (one, two) in enumerate(zip(before, cells, strict=True)):
            if one != two:
                self._forget(index)
                self._refresh_tile(index)
        self._want()
        if 0 <= self.cursor < len(cells) and before[self.cursor] != cells[self.cursor]:
            self.post_message(self.Moved(self, self.item))

    @property
    def across(self) -> int:
        """How many columns there are."""
        return len(self._heads)

    @property
    def tile(self) -> tuple[int, int]:
        """Columns and rows of a cell's picture: the largest with which all of them fit."""
        size = self.size.width, self.size.height
        if size not in self._fitted:
            self._fitted[size] = self._fit(*size)
        return self._fitted[size]

    def render_line(self, y: int) -> Strip:
        """A heading's line, or one of the cells in sight."""
        width = self.size.width
        if not self._styles:
            self._styles, self._paper = styles_of(self.app), self.rich_style
        head, tall = self._head_height(self.tile[0]), self.tile[1] + 1
        if y < head:
            return strip_of(self._head_line(y, head), width, self._styles, self._paper)
        row, line = divmod(y - head, tall)
        row += self._top
        if row >= len(self._labels) or not self.items:
            return Strip.blank(width, self._paper)
        segments = list(strip_of(self._label_line(row, line), self._gutter, self._styles, self._paper))
        for column in self._columns_in_sight():
            segments += self._line_of(row * self.across + column, line)
        return Strip(segments).adjust_cell_length(width, self._paper)

    def action_right(self) -> None:
        """A column on, as far as there are any."""
        self._go(self.counted(1), 0)

    def action_left(self) -> None:
        """A column back."""
        self._go(-self.counted(1), 0)

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor; a click on the cursor's cell chooses it."""
        columns, rows = self.tile
        across, down = event.x - self._gutter, event.y - self._head_height(columns)
        column, row = self._left + across // (columns + 2), self._top + down // (rows + 1)
        if across < 0 or down < 0 or column >= self.across or row >= len(self._labels):
            return
        index = row * self.across + column
        if index == self.cursor:
            self.post_message(self.Chosen(self))
        else:
            self.cursor = index

    def watch_cursor(self, before: int, after: int) -> None:
        """The headings of the cursor's column and row are set off, so all is drawn again."""
        super().watch_cursor(before, after)
        if before != after:
            self.refresh()

    @property
    def _gutter(self) -> int:
        if 0 not in self._measured:
            longest = max(map(cell_len, self._labels))
            self._measured[0] = min(longest, WIDEST_LABEL) + 1 if longest else 0
        return self._measured[0]

    def _head_height(self, columns: int) -> int:
        """How many lines the headings take over columns of that width; asked for each line that is drawn."""
        if columns not in self._measured:
            lines = max(len(wrap(head, columns)) for head in self._heads)
            self._measured[columns] = min(HEAD_LINES, lines)
        return self._measured[columns]

    def _fit(self, width: int, height: int) -> tuple[int, int]:
        for columns, rows in TILES:
            fits_across = (columns + 2) * len(self._heads) <= width - self._gutter
            if fits_across and (rows + 1) * len(self._labels) <= height - self._head_height(columns):
                return columns, rows
        return SMALL_TILE

    def _head_line(self, y: int, height: int) -> Line:
        columns = self.tile[0]
        here = self.cursor % self.across
        first = "‹" if self._left else " "
        line: Line = [(first.rjust(self._gutter), Ink.MUTED)] if self._gutter else []
        for column in self._columns_in_sight():
            words = wrap(self._heads[column], columns)
            if len(words) > height:
                words = [*words[: height - 1], " ".join(words[height - 1 :])]
            at = y - (height - len(words))
            text = cut([(words[at] if at >= 0 else "", Ink.PLAIN)], columns)
            room = columns + 2 - width_of(text)
            ink = Ink.ACTIVE if column == here else Ink.MUTED
            line += [(" " * (room // 2), ink), *((piece, ink) for piece, _ in text), (" " * (room - room // 2), ink)]
        return [*line, ("›", Ink.MUTED)] if self._columns_in_sight()[-1] < self.across - 1 else line

    def _label_line(self, row: int, line: int) -> Line:
        words = wrap(self._labels[row], max(1, self._gutter - 1))[: self.tile[1]]
        at = line - (self.tile[1] - len(words)) // 2
        text = words[at] if 0 <= at < len(words) else ""
        return [(text.rjust(self._gutter - 1), Ink.ACTIVE if row == self.cursor // self.across else Ink.MUTED)]

    def _columns_in_sight(self) -> range:
        fitting = max(1, (self.size.width - self._gutter) // (self.tile[0] + 2))
        return range(self._left, min(self.across, self._left + fitting))

    def _rows_in_sight(self) -> int:
        return max(1, (self.size.height - self._head_height(self.tile[0])) // (self.tile[1] + 1))

    def _in_sight(self, margin: int = 0) -> Sequence[int]:
        columns, rows = self._columns_in_sight(), self._rows_in_sight()
        more = margin * len(columns), margin * rows
        across = range(max(0, columns.start - more[0]), min(self.across, columns.stop + more[0]))
        # A row that is in sight in part is, too.
        down = range(max(0, self._top - more[1]), min(len(self._labels), self._top + rows + 1 + more[1]))
        found = [row * self.across + column for row in down for column in across]
        return [index for index in found if index < len(self.items)]

    def _go(self, across: int, down: int) -> None:
        row, column = divmod(self.cursor, self.across)
        row = max(0, min(len(self._labels) - 1, row + down))
        self.cursor = row * self.across + max(0, min(self.across - 1, column + across))

    def _lay_out(self) -> None:
        self.virtual_size = Size(0, 0)
        self._keep_in_sight()
        self._want()

    def _keep_in_sight(self) -> None:
        if not self.size.area:
            return
        row, column = divmod(self.cursor, self.across)
        fitting = max(1, (self.size.width - self._gutter) // (self.tile[0] + 2))
        before = self._left, self._top
        self._left = _follow(self._left, column, fitting, self.across)
        self._top = _follow(self._top, row, self._rows_in_sight(), len(self._labels))
        if before != (self._left, self._top):
            self._want()
            self.refresh()

    def _refresh_tile(self, index: int) -> None:
        if not self.size.area:
            return
        columns, rows = self.tile
        row, column = divmod(index, self.across)
        if column in self._columns_in_sight() and row >= self._top:
            x = self._gutter + (column - self._left) * (columns + 2)
            y = self._head_height(columns) + (row - self._top) * (rows + 1)
            self.refresh(Region(x, y, columns + 2, rows + 1))


def _follow(first: int, wanted: int, fitting: int, count: int) -> int:
    """The first that is in sight, moved as little as it must be so that ``wanted`` is."""
    first = min(first, wanted, max(0, count - fitting))
    return max(first, wanted - fitting + 1)
