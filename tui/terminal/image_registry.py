"""The pictures that the terminal itself draws: which way, what it has been sent, and what is still to be sent.

All of it goes out through the app's driver, a little at a time, and only while the line is free and nobody types: the
half-blocks are there at once, so a picture that comes late is worth less than a key that waits.
"""

from __future__ import annotations

import fcntl
import os
import termios
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tui.terminal.hires import Sharp, Way
from tui.terminal.kitty import NUMBERS, forgetting, placeholders, sending, through_tmux
from tui.terminal.multiplexer import ask_tmux
from tui.terminal.protocol import Choice, Protocol, choose
from tui.terminal.query import Asked, cell_pixels
from tui.textual_internals import driver_of

if TYPE_CHECKING:
    from textual.app import App
    from textual.strip import Strip

TICK = 0.05
"""Seconds between two portions."""

PORTION = 24_000
"""Bytes of a portion; a sixel can't be divided and goes as one."""

KEPT_CELLS = 200_000
"""How many cells of pictures the terminal is asked to remember: on cells of 10 × 20 pixels half of the 320 MB that
Kitty gives to all."""

CALM = 0.15
"""Seconds without a key before anything is sent."""


@dataclass
class _Waiting:
    key: Hashable
    sharp: Sharp
    number: int
    parts: list[str]
    place: Callable[[], tuple[int, int] | None]
    done: Callable[[], None]


class ImageRegistry:
    """What the terminal can show, and what it shows.

    Args:
        app: whose driver everything goes through.
        asked: the question that was put to the terminal; its answers may still come.
    """

    def __init__(self, app: App[Any], asked: Asked | None = None) -> None:
        self._app = app
        self._asked = asked
        self._wanted = "auto"
        self._shown: OrderedDict[Hashable, tuple[int, Sharp]] = OrderedDict()
        self._waiting: list[_Waiting] = []
        self._number = os.getpid() * 997 % (NUMBERS - 1_000_000) + 256
        self._pumping = False
        self._plain = False
        self.choice = Choice(Protocol.HALF_BLOCKS, "the terminal was not queried")
        self.choose()

    def choose(self) -> None:
        """Decides anew, from what is known by now."""
        if self._asked is None:
            return
        colours = self._app.console.color_system == "truecolor" and not self._app.no_color
        self.choice = choose(self._asked.answers, self._asked.tmux, os.environ, self._wanted, colours)

    def prefer(self, wanted: str) -> None:
        """Takes the user's setting: ``auto`` or a protocol's name."""
        self._wanted = wanted
        self.choose()

    def answered(self) -> bool:
        """An answer came late. Returns whether pictures are drawn another way from now on."""
        before = self.choice.protocol
        self.choose()
        return self.choice.protocol is not before

    def another_terminal(self) -> bool:
        """Asks tmux again, for somebody may have attached from elsewhere; blocks, so it is for a thread.

        Returns whether pictures are drawn another way from now on.
        """
        if self._asked is None or not os.environ.get("TMUX"):
            return False
        self._asked.tmux = ask_tmux(os.environ)
        return self.answered()

    def toggle(self) -> Protocol:
        """Half-blocks instead of the terminal's own pictures, or back; returns what is in use now."""
        self._plain = not self._plain
        return self.protocol

    @property
    def protocol(self) -> Protocol:
        """How pictures are drawn now."""
        return Protocol.HALF_BLOCKS if self._plain else self.choice.protocol

    @property
    def way(self) -> Way | None:
        """The protocol and the cell's pixels; None where half-blocks are all."""
        if self.protocol is Protocol.HALF_BLOCKS or self._asked is None:
            return None
        return self.protocol, cell_pixels(self._asked.answers, getattr(driver_of(self._app), "fileno", -1))

    def strips(self, key: Hashable) -> list[Strip] | None:
        """The cells that show a picture which the terminal has; None where it has not got it."""
        if key not in self._shown:
            return None
        self._shown.move_to_end(key)
        number, sharp = self._shown[key]
        return placeholders(number, sharp.columns, sharp.rows)

    def send(
        self, key: Hashable, sharp: Sharp, place: Callable[[], tuple[int, int] | None], done: Callable[[], None]
    ) -> None:
        """Sends a picture, portion by portion.

        Args:
            key: what tells it from others.
            sharp: the coded picture.
            place: for sixel: the column and row (from 0) of its upper left cell by the time that it is sent; None
                where it is no longer to be seen.
            done: called once the terminal has it.
        """
        if sharp.protocol is Protocol.KITTY:
            self._number += 1
            parts = sending(sharp.data, self._number, sharp.columns, sharp.rows)
        else:
            parts = [sharp.data.decode("ascii")]
        self._waiting.append(_Waiting(key, sharp, self._number, [self._wrapped(part) for part in parts], place, done))
        self._pump_soon()

    def has_waiting(self, key: Hashable) -> bool:
        """Whether a picture is on its way."""
        return any(each.key == key for each in self._waiting)

    def give_up(self, wanted: Callable[[Hashable], bool]) -> None:
        """Sends nothing more of pictures that are no longer wanted."""
        for waiting in [each for each in self._waiting if not wanted(each.key)]:
            self._waiting.remove(waiting)
            if waiting.sharp.protocol is Protocol.KITTY:
                self._write(self._wrapped(forgetting(waiting.number)))

    def forget_all(self) -> None:
        """The terminal is another one, or was reset: nothing that was sent is there."""
        self._waiting.clear()
        self._write(self.deletes_all())
        self._shown.clear()

    def deletes_all(self) -> str:
        """What takes every picture of ours out of the terminal."""
        numbers = [number for number, sharp in self._shown.values() if sharp.protocol is Protocol.KITTY]
        numbers += [each.number for each in self._waiting if each.sharp.protocol is Protocol.KITTY]
        return "".join(self._wrapped(forgetting(number)) for number in numbers)

    def _pump_soon(self) -> None:
        if not self._pumping and self._waiting:
            self._pumping = True
            self._app.set_timer(TICK, self._pump)

    def _pump(self) -> None:
        self._pumping = False
        if self._waiting and self._line_is_free():
            first = self._waiting[0]
            if first.sharp.protocol is Protocol.SIXEL:
                self._draw_sixel(first)
            else:
                self._send_portion(first)
        self._pump_soon()

    def _send_portion(self, first: _Waiting) -> None:
        portion = ""
        while first.parts and len(portion) < PORTION:
            portion += first.parts.pop(0)
        self._write(portion)
        if not first.parts:
            self._waiting.remove(first)
            self._shown[first.key] = first.number, first.sharp
            while (
                len(self._shown) > 1 and sum(each.columns * each.rows for _, each in self._shown.values()) > KEPT_CELLS
            ):
                _, (number, _) = self._shown.popitem(last=False)
                self._write(self._wrapped(forgetting(number)))
            first.done()

    def _draw_sixel(self, first: _Waiting) -> None:
        self._waiting.remove(first)
        place = first.place()
        if place is not None:
            column, row = place
            # Where the cursor was is kept, for the app's next frame counts on nothing but its own movements.
            self._write(f"\x1b7\x1b[{row + 1};{column + 1}H{first.parts[0]}\x1b8")
            first.done()

    def _line_is_free(self) -> bool:
        """Whether what was written before has left, and nobody is typing."""
        driver = driver_of(self._app)
        if getattr(driver, "calm_seconds", CALM) < CALM or getattr(driver, "writing", False):
            return False
        try:
            left = fcntl.ioctl(getattr(driver, "fileno", -1), termios.TIOCOUTQ, bytes(4))
        except (OSError, ValueError):
            return True
        return int.from_bytes(left, "little") == 0

    def _wrapped(self, sequence: str) -> str:
        kitty = sequence.startswith("\x1b_G")
        return through_tmux(sequence) if kitty and self.choice.through_tmux else sequence

    def _write(self, text: str) -> None:
        if text and (driver := driver_of(self._app)) is not None:
            driver.write(text)
