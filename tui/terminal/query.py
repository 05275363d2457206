"""Asks the terminal what it can show: one write before the app is imported, the answers read as they come.

The terminal is silenced (no echo, bytes at once) from the question until the app's driver takes over, so that an
answer is never printed; what is typed meanwhile is kept for the app. Nothing ever waits for a terminal that says
nothing: by the time that the app is imported the answers are there, or they are late, and the driver takes them in.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import sys
import termios
import time
from collections.abc import Iterator, Mapping, MutableMapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any

from tui.terminal.multiplexer import Tmux, ask_tmux
from tui.terminal.protocol import VARIABLE
from tui.terminal.responses import CELL_QUERY, DEVICE_QUERY, KITTY_QUERY, NAME_QUERY, Answers

PATIENCE = 0.15
"""Seconds from the question after which nobody waits any more."""

SILENT = ("linux", "dumb", "")
"""``TERM`` of terminals that print what they don't understand."""

TRUE_COLOURS = ("kitty", "ghostty", "wezterm", "foot", "konsole", "contour", "rio", "alacritty")
"""Terminals that have them, by what they call themselves."""

_READ_BYTES = 4096


class Asked:
    """A question under way: the answers so far, what was typed meanwhile, and the terminal's modes as they were."""

    def __init__(
        self, reads: int | None = None, modes: list[Any] | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self.answers = Answers()
        self.modes = modes
        """What ``termios.tcgetattr`` said before the question; None where nothing was asked."""
        self.tmux: Tmux | None = None
        """What tmux said, once ``collect`` was called."""
        self.typed = b""
        """What was typed meanwhile, for the app."""
        self._tmux: Future[Tmux | None] | None = None
        if environment is not None and environment.get("TMUX"):
            self._tmux = Future()
            Thread(target=self._ask_tmux, args=(environment,), name="limner-tmux", daemon=True).start()
        self._reads = reads
        self._at = time.monotonic()

    def collect(self, patience: float = PATIENCE) -> None:
        """Takes in what has come, waiting until ``patience`` seconds after the question at most."""
        while self._reads is not None and not self.answers.done:
            left = max(0.0, self._at + patience - time.monotonic())
            if not select.select([self._reads], [], [], left)[0]:
                break
            try:
                data = os.read(self._reads, _READ_BYTES)
            except OSError:
                break
            if not data:
                break
            self.typed += self.answers.take(data)
        if self._tmux is not None:
            with suppress(TimeoutError):
                self.tmux = self._tmux.result(max(0.0, self._at + patience - time.monotonic()))

    def _ask_tmux(self, environment: Mapping[str, str]) -> None:
        if self._tmux is not None:
            self._tmux.set_result(ask_tmux(environment))


def question(environment: Mapping[str, str]) -> str:
    """What is asked here: nothing of a terminal that would print it, and in tmux nothing that tmux takes amiss."""
    if environment.get("TERM", "") in SILENT or environment.get("STY") or environment.get(VARIABLE) == "half-blocks":
        return ""
    if environment.get("TMUX"):
        # tmux takes Kitty's query for a pane's title; what is behind tmux, tmux itself tells.
        return CELL_QUERY + DEVICE_QUERY
    kitty = "" if environment.get("TERM_PROGRAM") == "Apple_Terminal" else KITTY_QUERY
    return kitty + NAME_QUERY + CELL_QUERY + DEVICE_QUERY


@contextmanager
def asked_terminal(environment: Mapping[str, str] = os.environ) -> Iterator[Asked]:
    """Asks, and puts the terminal's modes back in the end, whoever changed them meanwhile."""
    text = question(environment)
    try:
        reads, writes = sys.__stdin__.fileno(), sys.__stderr__.fileno()  # type: ignore[union-attr]
        modes = termios.tcgetattr(reads)
    except (AttributeError, OSError, ValueError, termios.error):
        yield Asked(environment=environment)
        return
    if not (text and os.isatty(reads) and os.isatty(writes)):
        yield Asked(environment=environment)
        return
    silenced: list[Any] = [part.copy() if isinstance(part, list) else part for part in modes]
    silenced[3] &= ~(termios.ICANON | termios.ECHO)
    silenced[6][termios.VMIN], silenced[6][termios.VTIME] = 1, 0
    try:
        termios.tcsetattr(reads, termios.TCSANOW, silenced)
        os.write(writes, text.encode("ascii"))
        yield Asked(reads, modes, environment)
    finally:
        with suppress(termios.error):
            termios.tcsetattr(reads, termios.TCSANOW, modes)


def suit_colours(asked: Asked, environment: MutableMapping[str, str] = os.environ) -> None:
    """Says that there are true colours where the terminal told so: SSH does not bring ``COLORTERM`` along."""
    behind_tmux = asked.tmux is not None and asked.tmux.colours
    if behind_tmux or (asked.tmux is None and asked.answers.brand in TRUE_COLOURS):
        environment.setdefault("COLORTERM", "truecolor")


def cell_pixels(answers: Answers, handle: int) -> tuple[int, int]:
    """A cell's width and height in pixels: as answered, as the kernel knows, or what most terminals have."""
    if answers.cell is not None:
        return answers.cell
    try:
        rows, columns, width, height = struct.unpack("HHHH", fcntl.ioctl(handle, termios.TIOCGWINSZ, bytes(8)))
    except OSError:
        rows = columns = width = height = 0
    if rows and columns and width >= 2 * columns and height >= 2 * rows:
        return width // columns, height // rows
    return 10, 20
