"""Textual's Linux driver with repairs; each has a test in a real pseudo-terminal.

- Bytes that are not UTF-8 no longer kill the input thread. After a reattach a terminal may send mouse reports in the
  legacy X10 encoding, whose coordinates beyond column 95 are bytes above 127
  (https://github.com/Textualize/textual/issues/6668).
- Mouse reporting is asked for again after a resume, a resize or a regained focus, so that a reattached terminal
  goes back to the SGR encoding.
- After a stop by SIGTSTP the whole screen is drawn, not only what changed meanwhile.
- SIGTERM and SIGHUP leave the terminal as it was found.
- A terminal whose locale is not UTF-8 gets ASCII shapes instead of an encoding error.
- A terminal that went away ends the app; writing to what is gone neither raises nor blocks.
- A terminal that takes nothing more (a full pipe, a stopped screen) can't keep a signal from ending the app.
- What the terminal answers to the question that was put to it before the app (``tui.terminal.query``) never arrives as
  keys, however late; what was typed meanwhile does.
- Pictures that the terminal keeps for us are taken out of it in the end.
- The screen is empty when it is left: tmux would leave parts of it on the shell after the window has grown.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import selectors
import signal
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Timer
from types import FrameType
from typing import Any

from textual import events
from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from tui.terminal.ascii_fallback import make_tolerant
from tui.terminal.query import Asked

READ_BYTES = 4096
"""How much input is taken at a time."""

SELECT_SECONDS = 0.1
"""How long a wait for input lasts before the parser may decide that a lone Esc was Esc."""

LEAVE_SECONDS = 3.0
"""How long after a signal the app may take to end by itself."""

RESTORE = "\x1b[2J\x1b[<u\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[?7h\x1b[?25h\x1b[?1049l"
"""What undoes the app's modes, for when nothing else can any more."""


class TerminalFile:
    """The terminal as a file that swallows what can't be written because nobody is there any more."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.gone = False
        self.busy = False
        """Whether something is being written at this moment."""

    def write(self, text: str) -> None:
        """Writes, or does nothing once the terminal is gone."""
        self._do(lambda: self._file.write(text))

    def flush(self) -> None:
        """Flushes, or does nothing once the terminal is gone."""
        self._do(self._file.flush)

    def _do(self, work: Callable[[], object]) -> None:
        if not self.gone:
            self.busy = True
            try:
                work()
            except OSError:
                self.gone = True
            self.busy = False

    def fileno(self) -> int:
        """The terminal's file number."""
        return int(self._file.fileno())


class LimnerDriver(LinuxDriver):
    """What the app draws to and is typed into."""

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        make_tolerant(self._file)
        self._terminal = TerminalFile(self._file)
        self._file = self._terminal  # type: ignore[assignment]
        self._ours: asyncio.AbstractEventLoop | None = None
        self._asked: Asked = getattr(app, "asked", None) or Asked()
        self._typed_at = 0.0

    @property
    def calm_seconds(self) -> float:
        """For how long nothing was typed."""
        return time.monotonic() - self._typed_at

    @property
    def writing(self) -> bool:
        """Whether anything still waits to be written."""
        thread = self._writer_thread
        return self._terminal.busy or (thread is not None and not thread._queue.empty())

    def start_application_mode(self) -> None:
        """Takes the terminal over; after a stop (SIGTSTP, then ``fg``) everything is drawn anew."""
        resumed = self._must_signal_resume
        super().start_application_mode()  # type: ignore[no-untyped-call]
        if self._asked.modes is not None:
            # The question had silenced the terminal already: what it was before that is put back in the end.
            self.attrs_before = self._asked.modes
        self._wrap_resize()
        self._ours = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._signalled)
        if resumed:
            self._ours.call_soon(self._draw_anew)

    def stop_application_mode(self) -> None:
        """Gives the terminal back as it was, without our pictures."""
        deletes_all = getattr(getattr(self._app, "images", None), "deletes_all", None)
        if deletes_all is not None and self._writer_thread is not None and self._writer_thread.is_alive():
            self.write(deletes_all())
        # tmux (3.3a) puts rows of this screen that are as wide as the window into the shell's when both have grown
        # meanwhile; of an empty one nothing is left. "less" ends with such rows nowhere.
        self.write("\x1b[2J")
        super().stop_application_mode()

    def _draw_anew(self) -> None:
        """Draws the whole screen and sends its pictures: Textual would draw what changed since on an empty one."""
        forget = getattr(getattr(self._app, "images", None), "forget_all", None)
        if forget is not None:
            forget()
        self._app.refresh(layout=True)

    def run_input_thread(self) -> None:
        """Reads, decodes leniently and parses what is typed, until the app ends."""
        parser = XTermParser(self._debug)
        decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        selector = selectors.SelectSelector()
        selector.register(self.fileno, selectors.EVENT_READ)
        typed, self._asked.typed = self._asked.typed, b""
        try:
            for message in parser.feed(text) if (text := decode(typed)) else ():
                self.process_message(message)
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
            data = self._strained(self._read())
        else:
            data = self._asked.answers.release()
        if data:
            self._typed_at = time.monotonic()
            # A letter that is not whole yet is no text, and an empty one would mean the end to the parser.
            for message in parser.feed(text) if (text := decode(data)) else ():
                self.process_message(message)
        for message in parser.tick():
            self.process_message(message)

    def _strained(self, data: bytes) -> bytes:
        """What was typed, without late answers to our question; those may change how pictures are drawn."""
        answers = self._asked.answers
        if self._asked.modes is None or (answers.done and b"\x1b" not in data):
            return data
        typed = answers.take(data)
        if len(typed) != len(data) and self._ours is not None and not self.exit_event.is_set():
            self._ours.call_soon_threadsafe(getattr(self._app, "terminal_answered", lambda: None))
        return typed

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

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        """A signal asks the app to end; where it can't, because the terminal takes nothing, it is ended."""
        timer = Timer(LEAVE_SECONDS, self._end_hard, (number,))
        timer.daemon = True
        timer.start()
        if self._ours is not None:
            self._ours.call_soon_threadsafe(self._leave, number)

    def _leave(self, number: int) -> None:
        """Ends the app as a shell expects of a process that a signal ended."""
        self._app.exit(return_code=128 + number)

    def _end_hard(self, number: int) -> None:
        """Puts the terminal's modes back and ends the process. All that was decided is on disk since it was."""
        with suppress(OSError, termios.error):
            if self.attrs_before is not None:
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
            # What waits to be shown is of no use any more; without it there is room for what restores.
            termios.tcflush(self.fileno, termios.TCOFLUSH)
            os.set_blocking(self._terminal.fileno(), False)
            os.write(self._terminal.fileno(), RESTORE.encode("ascii"))
        os._exit(128 + number)
