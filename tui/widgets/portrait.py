"""A picture in half-blocks, decoded and drawn in a thread; moving on never waits for it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from engine.errors import LimnerError
from tui.widgets.ink import Ink, Line, strip_of, styles_of

if TYPE_CHECKING:
    from PIL.Image import Image

KEPT = 400
"""How many drawn pictures stay in memory."""


@dataclass(frozen=True)
class Subject:
    """A picture to show: what tells it from others, and how to get it (called in a thread)."""

    key: Hashable
    load: Callable[[], Image]


Cell = tuple[Hashable, int, int]


class Portrait(Widget):
    """Shows one picture at a time, as large as it fits, and draws its neighbours ahead."""

    DEFAULT_CSS = """
    Portrait { width: 1fr; height: 1fr; }
    """

    @dataclass
    class Drawn(Message, bubble=False):
        """A picture was drawn, or why it could not be."""

        cell: Cell
        drawn: list[Strip] | str

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._subject: Subject | None = None
        self._words: Line = []
        self._neighbours: Sequence[Subject] = ()
        self._drawn: OrderedDict[Cell, list[Strip] | str] = OrderedDict()
        self._waiting: dict[Cell, Future[None]] = {}
        self._pool: ThreadPoolExecutor | None = None

    def show(self, subject: Subject | None, neighbours: Sequence[Subject] = (), words: Line | None = None) -> None:
        """Shows a picture, or words where there is none; neighbours are drawn ahead of being asked for."""
        self._subject = subject
        self._neighbours = neighbours
        self._words = words or []
        self._order()
        self.refresh()

    @property
    def ready(self) -> bool:
        """Whether nothing is being drawn."""
        return not self._waiting

    def render_line(self, y: int) -> Strip:
        """One line: the picture's, centred, or the words instead of it."""
        width, height = self.size
        paper = self.rich_style
        drawn = self._drawn.get(self._cell(self._subject)) if self._subject else None
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

    def on_resize(self) -> None:
        """Another size is another drawing."""
        self._order()

    def on_unmount(self) -> None:
        """Nobody waits any more."""
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

    def _cell(self, subject: Subject) -> Cell:
        return (subject.key, *self.size)

    def _order(self) -> None:
        """Drops what is no longer wanted from the waiting line, and puts in what is."""
        if self._subject is None or not self.size.area:
            return
        wanted = {self._cell(subject): subject for subject in (self._subject, *self._neighbours)}
        for cell, future in list(self._waiting.items()):
            if cell not in wanted and future.cancel():
                del self._waiting[cell]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, "limner-portrait")
        for cell, subject in wanted.items():
            if cell not in self._drawn and cell not in self._waiting:
                self._waiting[cell] = self._pool.submit(partial(self._draw, cell, subject))

    def _draw(self, cell: Cell, subject: Subject) -> None:
        """In the thread: loads, scales and draws."""
        from tui.terminal.pictures import half_blocks

        try:
            drawn: list[Strip] | str = half_blocks(subject.load(), cell[1], cell[2])
        except LimnerError as error:
            drawn = error.what
        except Exception as error:
            drawn = f"can't be shown: {error}"
        self.post_message(self.Drawn(cell, drawn))
