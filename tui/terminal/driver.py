"""Textual's Linux driver with five repairs; each has a test in a real pseudo-terminal.

- Bytes that are not UTF-8 no longer kill the input thread. After a reattach a terminal may send mouse reports in the
  legacy X10 encoding, whose coordinates beyond column 95 are bytes above 127
  (https://github.com/Textualize/textual/issues/6668).
- Mouse reporting is asked for again after a resume, a resize or a regained focus, so that a reattached terminal
  goes back to the SGR encoding.
- SIGTERM and SIGHUP leave the terminal as it was found.
- A terminal whose locale is not UTF-8 gets ASCII shapes instead of an encoding error.
- A terminal that went away ends the app; writing to what is gone neither raises nor blocks.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import selectors
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from textual import events
from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from tui.terminal.letters import make_tolerant

READ_BYTES = 4096
"""How much input is taken at a time."""

SELECT_SECONDS = 0.1
"""How long a wait for input lasts before the parser may decide that a lone Esc was Esc."""


class TerminalFile:
    """The terminal as a file that swallows what can't be written because nobody is there any more."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.gone = False

    def write(self, text: str) -> None:
        """Writes, or does nothing once the terminal is gone."""
        if not self.gone:
            try:
                self._file.write(text)
            except OSError:
                self.gone = True

    def flush(self) -> None:
        """Flushes, or does nothing once the terminal is gone."""
        if not self.gone:
            try:
                self._file.flush()
            except OSError:
                self.gone = True

    def fileno(self) -> int:
        """The terminal's file number."""
        return int(self._file.fileno())


class LimnerDriver(LinuxDriver):
    """What the app draws to and is typed into."""

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        make_tolerant(self._file)
        self._file = TerminalFile(self._file)  # type: ignore[assignment]
        self._ours: asyncio.AbstractEventLoop | None = None

    def start_application_mode(self) -> None:
        """Takes the terminal over."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self._wrap_resize()
        self._ours = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            self._ours.add_signal_handler(number, self._leave, number)

    def run_input_thread(self) -> None:
        """Reads, decodes leniently and parses what is typed, until the app ends."""
        parser = XTermParser(self._debug)
        decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        selector = selectors.SelectSelector()
        selector.register(self.fileno, selectors.EVENT_READ)
        try:
            while not self.exit_event.is_set():
                self._take_input(selector, parser, decode)
            self._take_input(selector, parser, decode)
        finally:
            selector.close()
            try:
                for _ in parser.feed(""):
                    break
            except (EOFError, ParseError):
                self.exit_event.set()

    def process_message(self, message: Message) -> None:
        """Passes a message on; a regained focus may mean another terminal, so the mouse is asked for again."""
        if isinstance(message, events.AppFocus):
            self._enable_mouse_support()
        super().process_message(message)

    def _take_input(
        self, selector: selectors.BaseSelector, parser: XTermParser, decode: Callable[[bytes], str]
    ) -> None:
        if selector.select(SELECT_SECONDS):
            data = self._read()
            if data:
                for message in parser.feed(decode(data)):
                    self.process_message(message)
        for message in parser.tick():
            self.process_message(message)

    def _read(self) -> bytes:
        """What was typed; empty where the terminal is gone, which ends the app."""
        try:
            data = os.read(self.fileno, READ_BYTES)
        except OSError:
            data = b""
        if not data:
            if self._ours is not None and not self.exit_event.is_set():
                self._ours.call_soon_threadsafe(self._leave, signal.SIGHUP)
            self.exit_event.wait(SELECT_SECONDS)
        return data

    def _wrap_resize(self) -> None:
        """A changed size may come from a reattach: ask for the mouse again, then do what Textual does."""
        before = signal.getsignal(signal.SIGWINCH)

        def resized(number: int, frame: FrameType | None) -> None:
            if callable(before):
                before(number, frame)
            self._enable_mouse_support()

        signal.signal(signal.SIGWINCH, resized)

    def _leave(self, number: int) -> None:
        """Ends the app as a shell expects of a process that a signal ended."""
        self._app.exit(return_code=128 + number)
