"""Thumbnails as sharp as the terminal can: once the eye rests on a page of them, a few kilobytes for each in sight.

Kitty's placeholders only. A sixel is dots on the screen, which scrolling would have to paint anew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from tui.terminal.protocol import Protocol
from tui.widgets.thumbnails.loading import Loader

if TYPE_CHECKING:
    from PIL.Image import Image

    from tui.app.picture_app import PictureApp
    from tui.terminal.hires import Sharp, Way

MOST_BYTES = 24_000
"""Of one thumbnail; a page of two dozen is half a second on 10 Mbit/s, and no key waits for it."""

CODED = 200
"""How many coded thumbnails stay in memory."""

REST = 0.2
"""Seconds that a page must be looked at before the terminal is sent anything."""

Load = Callable[[], "Image"]


class SharpTiles:
    """The sharp thumbnails of one grid.

    Args:
        grid: where they are shown; it hands ``Coded`` on to ``take_in``.
        changed: called with a thumbnail's key once the terminal has it.
    """

    @dataclass
    class Coded(Message, bubble=False):
        """A thumbnail was coded for the terminal."""

        key: Hashable
        sharp: Sharp

    def __init__(self, grid: Widget, changed: Callable[[Hashable], None]) -> None:
        self._grid = grid
        self._changed = changed
        self._loader = Loader("limner-sharp-thumbnails")
        self._coded: OrderedDict[Hashable, Sharp] = OrderedDict()
        self._wanted: dict[Hashable, Load] = {}
        self._sent: set[Hashable] = set()
        self._resting: Timer | None = None

    @property
    def way(self) -> Way | None:
        """How the terminal draws them; None where it does not, or where another screen dims the grid."""
        way = self._app.images.way if hasattr(self._grid.app, "images") and self._grid.screen.is_active else None
        return way if way is not None and way[0] is Protocol.KITTY else None

    @property
    def idle(self) -> bool:
        """Whether nothing is being coded."""
        return self._loader.idle

    def strips(self, key: Hashable, tile: tuple[int, int]) -> list[Strip] | None:
        """A thumbnail's cells; None where the terminal has not got it."""
        way = self.way
        return self._app.images.strips(_known_by(key, tile, way)) if way is not None else None

    def look_at(self, tiles: Mapping[Hashable, Load], tile: tuple[int, int]) -> None:
        """These are in sight from now on; what else was on its way is given up."""
        way = self.way
        self._wanted = {_known_by(key, tile, way): load for key, load in tiles.items()} if way is not None else {}
        if self._sent:
            self._app.images.give_up(lambda key: key not in self._sent or key in self._wanted)
        if self._resting is not None:
            self._resting.stop()
        self._resting = self._grid.set_timer(REST, self._sharpen) if self._wanted else None

    def take_in(self, message: Coded) -> None:
        """Keeps what was coded, and sends it if it is still in sight."""
        self._coded[message.key] = message.sharp
        while len(self._coded) > CODED:
            self._coded.popitem(last=False)
        if message.key in self._wanted:
            self._send(message.key, message.sharp)

    def close(self) -> None:
        """Nobody waits any more."""
        self._loader.close()
        if self._sent:
            self._app.images.give_up(lambda key: key not in self._sent)

    @property
    def _app(self) -> PictureApp:
        return cast("PictureApp", self._grid.app)

    def _sharpen(self) -> None:
        self._resting = None
        images, way, work = self._app.images, self.way, []
        if way is None:
            return
        for key, load in self._wanted.items():
            if images.strips(key) is None and not images.has_waiting(key):
                if key in self._coded:
                    self._send(key, self._coded[key])
                else:
                    work.append((key, partial(self._code, key, load, way)))
        self._loader.want(work)

    def _send(self, key: Hashable, sharp: Sharp) -> None:
        images = self._app.images
        if images.strips(key) is None and not images.has_waiting(key):
            self._sent.add(key)
            images.send(key, sharp, lambda: None, partial(self._changed, _parts(key)[1]))

    def _code(self, key: Hashable, load: Load, way: Way) -> None:
        """In a thread: loads and codes. What can't be is told by the half-blocks' own loading."""
        from tui.terminal.hires import sharpen

        columns, rows = _parts(key)[2]
        try:
            sharp = sharpen(load(), columns, rows, way, MOST_BYTES)
        except Exception as error:
            self._grid.log.warning(f"a thumbnail can't be coded: {error}")
            return
        self._grid.post_message(self.Coded(key, sharp))


def _parts(key: Hashable) -> tuple[str, Hashable, tuple[int, int], Way]:
    return cast("tuple[str, Hashable, tuple[int, int], Way]", key)


def _known_by(key: Hashable, tile: tuple[int, int], way: Way) -> Hashable:
    return ("thumbnail", key, tile, way)
