"""A picture: half-blocks at once, what the terminal itself can draw a moment later; moving on never waits for it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from engine.errors import LimnerError
from tui.terminal.protocol import Protocol
from tui.widgets.ink import Ink, Line, strip_of, styles_of

if TYPE_CHECKING:
    from PIL.Image import Image

    from tui.terminal.hires import Sharp, Way
    from tui.terminal.image_registry import ImageRegistry

KEPT = 400
"""How many drawn pictures stay in memory."""

SHARP_KEPT = 24
"""How many coded pictures stay in memory."""

REST = 0.15
"""Seconds that a picture must be looked at before the terminal is sent a sharper one."""

CELL = (1, 2)
"""A cell's width and height where nobody knows better."""


@dataclass(frozen=True)
class Subject:
    """A picture to show: what tells it from others, and how to get it (called in a thread).

    Args:
        key: two pictures of one key look the same.
        load: gets it, large enough for half-blocks.
        load_large: gets it larger, for terminals that draw pictures themselves; left out: ``load`` is large enough.
    """

    key: Hashable
    load: Callable[[], Image]
    load_large: Callable[[], Image] | None = None


Cell = tuple[Hashable, int, int]


class Portrait(Widget):
    """Shows one picture at a time, as large as it fits, and draws its neighbours ahead."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    Portrait { width: 1fr; height: 1fr; }
    """

    @dataclass
    class Drawn(Message, bubble=False):
        """A picture was drawn, or why it could not be."""

        cell: Cell
        drawn: list[Strip] | str

    @dataclass
    class Sharpened(Message, bubble=False):
        """A picture was coded for the terminal; None: it can't be, and the half-blocks stay."""

        cell: Cell
        way: Way
        sharp: Sharp | None

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._subject: Subject | None = None
        self._words: Line = []
        self._neighbours: Sequence[Subject] = ()
        self._drawn: OrderedDict[Cell, list[Strip] | str] = OrderedDict()
        self._waiting: dict[Cell, Future[None]] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._sharp: OrderedDict[Hashable, Sharp] = OrderedDict()
        self._sharpening: Future[None] | None = None
        self._resting: Timer | None = None
        self._sent: set[Hashable] = set()

    def show(self, subject: Subject | None, neighbours: Sequence[Subject] = (), words: Line | None = None) -> None:
        """Shows a picture, or words where there is none; neighbours are drawn ahead of being asked for."""
        self._subject = subject
        self._neighbours = neighbours
        self._words = words or []
        self._order()
        self._rest()
        self.refresh()

    def draw_again(self) -> None:
        """Pictures are drawn another way from now on, or another screen is above."""
        self._drawn.clear()
        self._order()
        self._rest()
        self.refresh()

    @property
    def ready(self) -> bool:
        """Whether nothing is being drawn."""
        return not self._waiting

    def render_line(self, y: int) -> Strip:
        """One line: the picture's, centred, or the words instead of it."""
        width, height = self.size
        paper = self.rich_style
        drawn = self._to_show()
        if isinstance(drawn, list):
            top = (height - len(drawn)) // 2
            if not top <= y < top + len(drawn):
                return Strip.blank(width, paper)
            strip = drawn[y - top]
            left = (width - strip.cell_length) // 2
            right = width - left - strip.cell_length
            return Strip([Segment(" " * left, paper), *strip, Segment(" " * right, paper)], width)
        words = [(drawn, Ink.MUTED)] if isinstance(drawn, str) else self._words or [("…", Ink.FAINT)]
        if y != height // 2 or (self._subject is None and not self._words):
            return Strip.blank(width, paper)
        left = max(0, (width - sum(len(text) for text, _ in words)) // 2)
        return strip_of([(" " * left, Ink.PLAIN), *words], width, styles_of(self.app), paper)

    def render_lines(self, crop: Region) -> list[Strip]:
        """What is painted anew covers a sixel, which is then drawn again."""
        if self._way is not None and self._way[0] is Protocol.SIXEL:
            self._rest()
        return super().render_lines(crop)

    def on_resize(self) -> None:
        """Another size is another drawing."""
        self._order()
        self._rest()

    def on_unmount(self) -> None:
        """Nobody waits any more."""
        if self._gallery is not None:
            self._gallery.give_up(lambda key: key not in self._sent)
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def on_portrait_drawn(self, message: Drawn) -> None:
        """Keeps what was drawn, and shows it if it is still wanted."""
        self._waiting.pop(message.cell, None)
        self._drawn[message.cell] = message.drawn
        while len(self._drawn) > KEPT:
            self._drawn.popitem(last=False)
        if self._subject is not None and message.cell == self._cell(self._subject):
            self.refresh()

    def on_portrait_sharpened(self, message: Sharpened) -> None:
        """Sends what was coded, if it is still wanted."""
        self._sharpening = None
        if message.sharp is None:
            return
        self._sharp[message.cell, message.way] = message.sharp
        while len(self._sharp) > SHARP_KEPT:
            self._sharp.popitem(last=False)
        self._send_sharp()

    @property
    def _gallery(self) -> ImageRegistry | None:
        return getattr(self.app, "images", None)

    @property
    def _way(self) -> Way | None:
        """How the terminal draws pictures itself; None where it does not, or where another screen dims this one."""
        images = self._gallery
        return images.way if images is not None and self.screen.is_active else None

    @property
    def _key(self) -> Hashable | None:
        """What the terminal knows the picture by."""
        way = self._way
        return (self._cell(self._subject), way) if self._subject is not None and way is not None else None

    def _cell(self, subject: Subject) -> Cell:
        return (subject.key, *self.size)

    def _to_show(self) -> list[Strip] | str | None:
        if self._subject is None:
            return None
        way, images = self._way, self._gallery
        if way is not None and images is not None and way[0] is Protocol.KITTY:
            strips = images.strips(self._key)
            if strips is not None:
                return strips
        return self._drawn.get(self._cell(self._subject))

    def _order(self) -> None:
        """Drops what is no longer wanted from the waiting line, and puts in what is."""
        if self._subject is None or not self.size.area:
            return
        wanted = {self._cell(subject): subject for subject in (self._subject, *self._neighbours)}
        for cell, future in list(self._waiting.items()):
            if cell not in wanted and future.cancel():
                del self._waiting[cell]
        way = self._way
        for cell, subject in wanted.items():
            if cell not in self._drawn and cell not in self._waiting:
                self._waiting[cell] = self._in_thread(partial(self._draw, cell, subject, way[1] if way else CELL))

    def _rest(self) -> None:
        """Begins to wait for the eye to rest; what is on its way and not looked at any more is given up."""
        images = self._gallery
        if images is None or images.way is None:
            return
        key = self._key
        images.give_up(lambda other: other not in self._sent or other == key)
        if self._resting is not None:
            self._resting.stop()
        self._resting = self.set_timer(REST, self._sharpen) if key is not None else None

    def _sharpen(self) -> None:
        """Codes the picture that is looked at, unless that was done before."""
        self._resting = None
        subject, way, key = self._subject, self._way, self._key
        if subject is None or way is None or not self.size.area:
            return
        if key in self._sharp:
            self._send_sharp()
        elif self._sharpening is None:
            self._sharpening = self._in_thread(partial(self._code, self._cell(subject), subject, way))
        else:
            # The last one is still being coded; this one's turn comes after it.
            self._resting = self.set_timer(REST, self._sharpen)

    def _send_sharp(self) -> None:
        key, images = self._key, self._gallery
        if key is None or images is None or key not in self._sharp or images.strips(key) is not None:
            return
        sharp = self._sharp[key]
        if key not in self._sent or not images.has_waiting(key):
            self._sent.add(key)
            images.send(key, sharp, partial(self._place, key, sharp), partial(self._arrived, sharp))

    def _arrived(self, sharp: Sharp) -> None:
        """The terminal has it. A sixel lies over the half-blocks already: painting those once more would cover it."""
        if sharp.protocol is Protocol.KITTY:
            self.refresh()

    def _place(self, key: Hashable, sharp: Sharp) -> tuple[int, int] | None:
        """Where the picture's upper left cell is on the screen; None where it is not to be seen whole."""
        region = self.content_region
        if key != self._key or not self.screen.region.contains_region(region):
            return None
        return region.x + (region.width - sharp.columns) // 2, region.y + (region.height - sharp.rows) // 2

    def _in_thread(self, work: Callable[[], None]) -> Future[None]:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, "limner-portrait")
        return self._pool.submit(work)

    def _draw(self, cell: Cell, subject: Subject, pixels: tuple[int, int]) -> None:
        """In the thread: loads, scales and draws."""
        from tui.terminal.half_blocks import half_blocks

        try:
            drawn: list[Strip] | str = half_blocks(subject.load(), cell[1], cell[2], pixels)
        except LimnerError as error:
            drawn = error.what
        except Exception as error:
            drawn = f"can't be shown: {error}"
        self.post_message(self.Drawn(cell, drawn))

    def _code(self, cell: Cell, subject: Subject, way: Way) -> None:
        """In the thread: loads and codes for the terminal."""
        from tui.terminal.hires import sharpen

        sharp: Sharp | None = None
        try:
            sharp = sharpen((subject.load_large or subject.load)(), cell[1], cell[2], way)
        except Exception as error:
            self.log.warning(f"a picture can't be coded: {error}")
        self.post_message(self.Sharpened(cell, way, sharp))
