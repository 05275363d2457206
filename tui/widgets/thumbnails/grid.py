"""A grid of pictures of any number: one widget that draws the lines in sight, so 100,000 are as quick as ten.

It has what ``Rows`` has (``items``, ``item``, ``cursor``, ``show``, ``redraw``, ``Moved``, ``Chosen``), so a screen
can put one in the other's place.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from engine.errors import LimnerError
from tui.actions import Scope
from tui.theming.bindings import bindings_for
from tui.widgets.ink import Ink, styles_of
from tui.widgets.thumbnails.hires_tiles import SharpTiles
from tui.widgets.thumbnails.loading import Loader, Work
from tui.widgets.thumbnails.tile import Look, Picture, Thumbnail, tile_line
from tui.widgets.vim_counts import Counts

if TYPE_CHECKING:
    from PIL.Image import Image

Item = TypeVar("Item")

SMALL_TILE, LARGE_TILE, HUGE_TILE = (12, 6), (16, 8), (24, 12)
"""Columns and rows of a thumbnail; half-blocks have as many pixels across as down in them."""

ROOMY, VAST = (60, 16), (130, 40)
"""From how many cells of width and height on the thumbnails are large, or huge."""

KEPT = 3000
"""How many drawn thumbnails stay in memory."""

MOST_LINES = 20_000
"""How many lines of tiles stay in memory: some twenty pages."""


class Thumbnails(Counts, ScrollView, Generic[Item], can_focus=True):
    """Thumbnails with a cursor that moves in two dimensions.

    Args:
        tell: an item's thumbnail; called for what is in sight, and around it.
    """

    SCOPE = Scope.GRID
    BINDINGS = bindings_for(Scope.GRID)
    COMPONENT_CLASSES = {"thumbnails--cursor", "thumbnails--cursor-blurred"}
    ALLOW_SELECT = False
    DEFAULT_CSS = """
    Thumbnails {
        height: 1fr;
        background: transparent;
        scrollbar-size-vertical: 1;
        overflow-x: hidden;
        & > .thumbnails--cursor { background: $panel; }
        & > .thumbnails--cursor-blurred { background: $surface; }
    }
    """

    cursor: reactive[int] = reactive(0)
    """The item under the cursor; 0 also where there are none."""

    @dataclass
    class Moved(Message):
        """Another item came under the cursor."""

        grid: Thumbnails[Any]
        item: object | None

        @property
        def control(self) -> Thumbnails[Any]:
            """The grid."""
            return self.grid

        def can_replace(self, message: Message) -> bool:
            """Only where the cursor came to rest matters."""
            return isinstance(message, Thumbnails.Moved) and message.grid is self.grid

    @dataclass
    class Chosen(Message):
        """The item under the cursor was clicked again."""

        grid: Thumbnails[Any]

        @property
        def control(self) -> Thumbnails[Any]:
            """The grid."""
            return self.grid

    class Loaded(Message, bubble=False):
        """Thumbnails were drawn; they wait in the grid."""

        def can_replace(self, message: Message) -> bool:
            """One message for many of them."""
            return isinstance(message, Thumbnails.Loaded)

    def __init__(self, tell: Callable[[Item], Thumbnail], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._tell_of = tell
        self.items: Sequence[Item] = ()
        self._drawn: OrderedDict[Hashable, Picture] = OrderedDict()
        self._arrived: deque[tuple[Hashable, Picture]] = deque()
        self._loader = Loader("limner-thumbnails")
        self._sharp = SharpTiles(self, self._sharpened)
        self._styles: dict[Ink, Style] = {}
        self._paper = Style.null()
        self._lines: dict[tuple[int, int, bool, bool], list[Segment]] = {}

    @property
    def item(self) -> Item | None:
        """What is under the cursor; None in an empty grid."""
        return self.items[self.cursor] if 0 <= self.cursor < len(self.items) else None

    @property
    def ready(self) -> bool:
        """Whether nothing is being drawn."""
        return self._loader.idle and self._sharp.idle and not self._arrived

    @property
    def tile(self) -> tuple[int, int]:
        """Columns and rows of a thumbnail's picture."""
        width, height = self.size
        if width >= VAST[0] and height >= VAST[1]:
            return HUGE_TILE
        return LARGE_TILE if width >= ROOMY[0] and height >= ROOMY[1] else SMALL_TILE

    @property
    def across(self) -> int:
        """How many stand beside each other."""
        return max(1, self.scrollable_content_region.width // (self.tile[0] + 2))

    def show(self, items: Sequence[Item], cursor: int | None = None) -> None:
        """Shows other items; the cursor stays at its place unless another is given."""
        self.items = items
        self._lines.clear()
        wanted = self.cursor if cursor is None else cursor
        self.set_reactive(Thumbnails.cursor, self.validate_cursor(wanted))
        self._lay_out()
        self.refresh()
        self.post_message(self.Moved(self, self.item))

    def redraw(self, index: int) -> None:
        """Draws one item's tile anew because the item changed."""
        self._forget(index)
        self._refresh_tile(index)
        self._want()

    def validate_cursor(self, cursor: int) -> int:
        """The cursor stays inside the grid."""
        return max(0, min(cursor, len(self.items) - 1))

    def watch_cursor(self, before: int, after: int) -> None:
        """Redraws the two tiles and tells."""
        if before != after:
            self._refresh_tile(before)
            self._refresh_tile(after)
            self._keep_in_sight()
            self.post_message(self.Moved(self, self.item))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Other tiles came into sight: those first, from now on."""
        super().watch_scroll_y(old_value, new_value)
        self._want()

    def render_line(self, y: int) -> Strip:
        """One line of the tiles in sight."""
        width, (columns, rows) = self.scrollable_content_region.width, self.tile
        row, line = divmod(y + self.scroll_offset.y, rows + 1)
        first = row * self.across
        segments: list[Segment] = []
        across = self.across
        for index in range(first, min(first + across, len(self.items))):
            segments += self._line_of(index, line)
        used = max(0, min(across, len(self.items) - first)) * (columns + 2)
        segments.append(Segment(" " * (width - used), self._paper))
        return Strip(segments, width)

    def notify_style_update(self) -> None:
        """Another theme: the inks have other colours."""
        super().notify_style_update()
        self._styles = {}
        self._lines.clear()

    def on_focus(self) -> None:
        """The cursor's tile looks different with the focus."""
        self._refresh_tile(self.cursor)

    def on_blur(self) -> None:
        """And without it."""
        self._refresh_tile(self.cursor)

    def on_resize(self) -> None:
        """More or fewer stand beside each other."""
        self._lines.clear()
        self._lay_out()
        # How far it can be scrolled is known only once the new size was laid out.
        self.call_after_refresh(self._keep_in_sight)

    def on_unmount(self) -> None:
        """Nobody waits any more."""
        self._loader.close()
        self._sharp.close()

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor; a click on the cursor's tile chooses it."""
        columns, rows = self.tile
        place = event.x // (columns + 2)
        index = (event.y + self.scroll_offset.y) // (rows + 1) * self.across + place
        if place >= self.across or index >= len(self.items):
            return
        if index == self.cursor:
            self.post_message(self.Chosen(self))
        else:
            self.cursor = index

    def on_thumbnails_loaded(self) -> None:
        """Takes in what was drawn, and shows what of it is in sight."""
        came = set()
        while self._arrived:
            key, drawn = self._arrived.popleft()
            self._drawn[key] = drawn
            came.add(key)
        while len(self._drawn) > KEPT:
            self._drawn.popitem(last=False)
        for index in self._in_sight():
            if self._key(index) in came:
                self._refresh_tile(index)

    def on_sharp_tiles_coded(self, message: SharpTiles.Coded) -> None:
        """A thumbnail is ready for the terminal."""
        self._sharp.take_in(message)

    def draw_again(self) -> None:
        """Pictures are drawn another way from now on, or another screen is above."""
        self._lines.clear()
        self.refresh()
        self._want()

    def action_right(self) -> None:
        """An item on, into the next row after the last."""
        self.cursor += self.counted(1)

    def action_left(self) -> None:
        """An item back."""
        self.cursor -= self.counted(1)

    def action_down(self) -> None:
        """A row down, in the same column."""
        self._by_rows(self.counted(1))

    def action_up(self) -> None:
        """A row up."""
        self._by_rows(-self.counted(1))

    def action_top(self) -> None:
        """To the first item, or to the one counted."""
        self.cursor = self.counted(1) - 1

    def action_bottom(self) -> None:
        """To the last item, or to the one counted."""
        self.cursor = self.counted(len(self.items)) - 1

    def action_page_down(self) -> None:
        """As many rows down as are in sight."""
        self._by_rows(self.counted(1) * self._rows_in_sight())

    def action_page_up(self) -> None:
        """As many rows up."""
        self._by_rows(-self.counted(1) * self._rows_in_sight())

    def _sharpened(self, key: Hashable) -> None:
        for index in self._in_sight():
            if self._tell_of(self.items[index]).key == key:
                self._forget(index)
                self._refresh_tile(index)

    def _by_rows(self, rows: int) -> None:
        """Moves by rows as far as there are any, in the cursor's column where the row has it."""
        last = max(0, len(self.items) - 1)
        row = max(0, min(self.cursor // self.across + rows, last // self.across))
        self.cursor = min(row * self.across + self.cursor % self.across, last)

    def _rows_in_sight(self) -> int:
        return max(1, self.scrollable_content_region.height // (self.tile[1] + 1))

    def _lay_out(self) -> None:
        self.virtual_size = Size(0, -(-len(self.items) // self.across) * (self.tile[1] + 1))
        self._keep_in_sight()
        self._want()

    def _in_sight(self, margin: int = 0) -> Sequence[int]:
        """The items whose tiles are in sight, and ``margin`` pages more at either end."""
        height, tall = self.scrollable_content_region.height, self.tile[1] + 1
        top = round(self.scroll_target_y) - margin * height
        first, last = max(0, top // tall), -(-(top + (1 + 2 * margin) * height) // tall)
        return range(first * self.across, min(len(self.items), last * self.across))

    def _key(self, index: int) -> Hashable:
        return (self._tell_of(self.items[index]).key, self.tile)

    def _want(self) -> None:
        """Has drawn what is in sight first, then the pages around it; what is neither any more is dropped."""
        if not self.size.area:
            return
        quality = self._in_sight()
        around = [index for index in self._in_sight(1) if index not in quality]
        work: list[Work] = []
        seen = {}
        for index in (*quality, *around):
            told = self._tell_of(self.items[index])
            key = (told.key, self.tile)
            if key in self._drawn:
                self._drawn.move_to_end(key)
            elif told.load is not None:
                work.append((key, partial(self._load, key, told.load, self.tile)))
            if told.load is not None and index in quality:
                seen[told.key] = told.load
        self._loader.want(work)
        self._sharp.look_at(seen, self.tile)

    def _load(self, key: Hashable, load: Callable[[], Image], tile: tuple[int, int]) -> None:
        """In a thread: loads and draws."""
        from tui.terminal.half_blocks import half_blocks

        try:
            drawn: Picture = half_blocks(load(), *tile)
        except LimnerError as error:
            drawn = error.what
        except Exception as error:
            drawn = f"can't be shown: {error}"
        self._arrived.append((key, drawn))
        self.post_message(self.Loaded())

    def _line_of(self, index: int, line: int) -> list[Segment]:
        """One line of an item's tile; of one that is drawn it is kept."""
        if not self._styles:
            self._styles, self._paper = styles_of(self.app), self.rich_style
        here = index == self.cursor
        key = (index, line, here, here and self.has_focus)
        if key in self._lines:
            return self._lines[key]
        told = self._tell_of(self.items[index])
        sharp, drawn = self._sharp.strips(told.key, self.tile), self._drawn.get((told.key, self.tile))
        segments = tile_line(told, sharp or drawn, line, self._look(here))
        # The terminal may be rid of a sharp one at any time.
        if sharp is None and (told.load is None or drawn is not None):
            if len(self._lines) > MOST_LINES:
                self._lines.clear()
            self._lines[key] = segments
        return segments

    def _look(self, here: bool) -> Look:
        paper = self._paper
        if here:
            name = "thumbnails--cursor" if self.has_focus else "thumbnails--cursor-blurred"
            paper = paper + self.get_component_rich_style(name, partial=True)
        return Look(self.tile, self._styles, paper, here, self.has_focus)

    def _forget(self, index: int) -> None:
        """What was drawn of a tile is no longer true."""
        for line in range(self.tile[1] + 1):
            for here, focused in ((False, False), (True, False), (True, True)):
                self._lines.pop((index, line, here, focused), None)

    def _refresh_tile(self, index: int) -> None:
        columns, rows = self.tile
        row, place = divmod(index, self.across)
        top = row * (rows + 1) - self.scroll_offset.y
        self.refresh(Region(place * (columns + 2), top, columns + 2, rows + 1))

    def _keep_in_sight(self) -> None:
        height, tall = self.scrollable_content_region.height, self.tile[1] + 1
        if height <= 0:
            return
        row, top = self.cursor // self.across * tall, round(self.scroll_target_y)
        if row < top:
            self.scroll_to(y=row, animate=False, immediate=True)
        elif row + tall > top + height:
            self.scroll_to(y=row + tall - height, animate=False, immediate=True)
