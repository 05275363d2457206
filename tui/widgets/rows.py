"""A list of any length: only the rows in sight are drawn, so 100,000 rows are as quick as ten."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.actions import Scope
from tui.theming.bindings import bindings_for
from tui.widgets.ink import Ink, Line, strip_of, styles_of, text_of
from tui.widgets.vim_counts import Counts

Item = TypeVar("Item")

CURSOR = "▸"

WIDEST = 10_000
"""Cells in which no row is cut."""


class Rows(Counts, ScrollView, Generic[Item], can_focus=True):
    """Rows with a cursor, moved by vim's keys or the arrows.

    Args:
        draw: a row as a line, for an item and a width in cells; the cursor's column is not part of it.
        nothing: what stands there while there are no rows.
    """

    SCOPE = Scope.LIST
    BINDINGS = bindings_for(Scope.LIST)
    COMPONENT_CLASSES = {"rows--cursor", "rows--cursor-blurred"}
    DEFAULT_CSS = """
    Rows {
        height: 1fr;
        background: transparent;
        scrollbar-size-vertical: 1;
        overflow-x: hidden;
        & > .rows--cursor { background: $panel; }
        & > .rows--cursor-blurred { background: $surface; }
        /* The 16 colours have none between the paper and the ink. */
        &:ansi > .rows--cursor { text-style: bold; }
    }
    """

    cursor: reactive[int] = reactive(0)
    """The row under the cursor; 0 also where there are no rows."""

    @dataclass
    class Moved(Message):
        """Another row came under the cursor, or another item under a cursor that stayed."""

        rows: Rows[Any]
        item: object | None

        @property
        def control(self) -> Rows[Any]:
            """The list."""
            return self.rows

        def can_replace(self, message: Message) -> bool:
            """Only where the cursor came to rest matters."""
            return isinstance(message, Rows.Moved) and message.rows is self.rows

    @dataclass
    class Chosen(Message):
        """The row under the cursor was clicked again."""

        rows: Rows[Any]

        @property
        def control(self) -> Rows[Any]:
            """The list."""
            return self.rows

    def __init__(
        self, draw: Callable[[Item, int], Line], *, nothing: Sequence[Line] = (), id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self._draw = draw
        self._nothing = nothing
        self.items: Sequence[Item] = ()
        self._left_at: tuple[int, object] | None = None
        self._cache: dict[tuple[int, int, bool, bool], Strip] = {}
        self._styles: dict[Ink, Style] = {}

    @property
    def item(self) -> Item | None:
        """What is under the cursor; None in an empty list."""
        return self.items[self.cursor] if 0 <= self.cursor < len(self.items) else None

    @property
    def left_at(self) -> tuple[int, object]:
        """Where the cursor is: its row, and the item's id where items have one."""
        return self._left_at or (self.cursor, getattr(self.item, "id", None))

    def come_back_to(self, row: int, item_id: object) -> None:
        """Puts the cursor where it was as soon as there are rows: on the item of that id, else on that row."""
        self._left_at = (row, item_id)

    def show(self, items: Sequence[Item], cursor: int | None = None) -> None:
        """Shows other rows; the cursor stays at its row unless another is given."""
        self.items = items
        self.virtual_size = Size(0, len(items))
        self._cache.clear()
        wanted = self.cursor if cursor is None else cursor
        if self._left_at is not None and len(items):
            wanted, self._left_at = self._place_of(*self._left_at), None
        self.set_reactive(Rows.cursor, self.validate_cursor(wanted))
        self._keep_in_sight()
        self.refresh()
        self._tell()

    def find(self, words: str, at: int, by: int = 1) -> int | None:
        """The row next to ``at`` that says the words, in either case; going round, ``at`` itself comes last.

        Args:
            words: what a row's line must hold, however narrow it is shown.
            at: where to begin; −1 to begin with the first row.
            by: 1 for the next row, −1 for the one before.

        Returns:
            None: no row says them.
        """
        wanted, count = words.casefold(), len(self.items)
        for step in range(1, count + 1):
            row = (at + by * step) % count
            if wanted in text_of(self._draw(self.items[row], WIDEST)).casefold():
                return row
        return None

    def say_nothing(self, lines: Sequence[Line]) -> None:
        """Says something else where there are no rows."""
        if list(lines) != list(self._nothing):
            self._nothing = tuple(lines)
            self.refresh()

    def redraw(self, index: int) -> None:
        """Draws one row anew because its item changed."""
        for key in [key for key in self._cache if key[0] == index]:
            del self._cache[key]
        self.refresh_line(index)

    def validate_cursor(self, cursor: int) -> int:
        """The cursor stays inside the list."""
        return max(0, min(cursor, len(self.items) - 1))

    def watch_cursor(self, before: int, after: int) -> None:
        """Redraws the two rows and tells."""
        if before != after:
            self.refresh_line(before)
            self.refresh_line(after)
            self._keep_in_sight()
            self._tell()

    def render_line(self, y: int) -> Strip:
        """One line of what is in sight."""
        index = y + self.scroll_offset.y
        width = self.scrollable_content_region.width
        if not self.items and y < len(self._nothing):
            self._styles = self._styles or styles_of(self.app)
            return strip_of(self._nothing[y], width, self._styles, self.rich_style)
        if not 0 <= index < len(self.items):
            return Strip.blank(width, self.rich_style)
        here = index == self.cursor
        key = (index, width, here, here and self.has_focus)
        if key not in self._cache:
            if len(self._cache) > 2000:
                self._cache.clear()
            self._cache[key] = self._strip(index, width, here)
        return self._cache[key]

    def notify_style_update(self) -> None:
        """Another theme or state: nothing drawn before is true any more."""
        super().notify_style_update()
        self._cache.clear()
        self._styles = {}

    def on_focus(self) -> None:
        """The cursor's row looks different with the focus."""
        self.refresh_line(self.cursor)

    def on_blur(self) -> None:
        """And without it."""
        self.refresh_line(self.cursor)

    def on_resize(self) -> None:
        """The cursor stays in sight when there is less room."""
        self._cache.clear()
        self._keep_in_sight()

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor; a click on the cursor's row chooses it."""
        index = event.y + self.scroll_offset.y
        if index == self.cursor and self.items:
            self.post_message(self.Chosen(self))
        elif index < len(self.items):
            self.cursor = index

    def action_down(self) -> None:
        """A row down, or as many as were counted."""
        self.cursor += self.counted(1)

    def action_up(self) -> None:
        """A row up, or as many as were counted."""
        self.cursor -= self.counted(1)

    def action_top(self) -> None:
        """First row, or to the one counted."""
        self.cursor = self.counted(1) - 1

    def action_bottom(self) -> None:
        """Last row, or to the one counted."""
        self.cursor = self.counted(len(self.items)) - 1

    def action_half_down(self) -> None:
        """Half of what is in sight down."""
        self.cursor += self.counted(1) * max(1, self.size.height // 2)

    def action_half_up(self) -> None:
        """Half of what is in sight up."""
        self.cursor -= self.counted(1) * max(1, self.size.height // 2)

    def _strip(self, index: int, width: int, here: bool) -> Strip:
        self._styles = self._styles or styles_of(self.app)
        paper = self.rich_style
        if here:
            name = "rows--cursor" if self.has_focus else "rows--cursor-blurred"
            paper = paper + self.get_component_rich_style(name, partial=True)
        mark = (CURSOR if here else " ", Ink.ACTIVE if self.has_focus else Ink.MUTED)
        return strip_of([mark, *self._draw(self.items[index], width - 1)], width, self._styles, paper)

    def _place_of(self, row: int, item_id: object) -> int:
        """The row of an item, most likely the one it was on."""
        there = self.items[row] if 0 <= row < len(self.items) else None
        if item_id is None or getattr(there, "id", None) == item_id:
            return row
        return next((at for at, item in enumerate(self.items) if getattr(item, "id", None) == item_id), row)

    def _keep_in_sight(self) -> None:
        height = self.scrollable_content_region.height
        if height <= 0:
            return
        top = round(self.scroll_target_y)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, immediate=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, immediate=True)

    def _tell(self) -> None:
        self.post_message(self.Moved(self, self.item))
