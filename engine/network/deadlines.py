"""How long is waited for what somebody else answers, and how those who wait are told that nobody wants it any more.

A socket's own timeout counts from byte to byte: one byte a second never meets it, nor do a handshake, headers or
comments without end. A ``Line`` has a time for all of it, and is cut from outside: by one thread for all lines, and by
``leave`` when ctrl+c is pressed or the app is left. Whoever reads from it gets the end of it at once.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

LOOK_SECONDS = 0.1
"""How often the lines are looked at."""


class TooSlow(TimeoutError):
    """Something came again and again, and not all of it in its time."""


class Left(ConnectionError):
    """Nobody wants the answer any more: the app was left, or ctrl+c was pressed."""


_left = threading.Event()
_lines: set[Line] = set()
_lock = threading.RLock()
_watcher: threading.Thread | None = None


def left() -> threading.Event:
    """What is set once what begins now is wanted no more."""
    return _left


def leave() -> None:
    """Ends all waiting that is under way, in every thread, and nothing that begins later. A signal's handler may call
    it."""
    global _left
    ended, _left = _left, threading.Event()
    ended.set()
    for line in list(_lines):
        line.cut()


def rest(seconds: float, gone: threading.Event) -> None:
    """Waits. Raises Left where ``gone``, which is ``left()`` of some time ago, is set."""
    if gone.wait(seconds):
        raise Left("it was left")


class Line:
    """The socket of one connection, which is cut when its time is over."""

    def __init__(self) -> None:
        self._gone = left()
        self._end: socket.socket | None = None
        self._until: float | None = None
        self.over = False
        """Whether it was cut since its time was over."""

    def hold(self, sock: socket.socket) -> None:
        """Cuts that socket when the time comes. What wraps it later, TLS, is cut with it."""
        self.release()
        self._end = socket.socket(fileno=os.dup(sock.fileno()))

    def release(self) -> None:
        """Lets go of the socket, which is cut no more."""
        end, self._end = self._end, None
        if end is not None:
            end.close()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """What is inside has so much time, and ``more`` of it as something comes.

        Raises:
            TooSlow: the time was over.
            Left: nobody wants it any more.
        """
        self.begin(seconds)
        try:
            yield
        except OSError as error:
            raise self.why() or error from error
        finally:
            self.rest()

    def begin(self, seconds: float) -> None:
        """From now on it has so much time. Raises Left."""
        if self._gone.is_set():
            raise Left("it was left")
        self.over = False
        self._until = time.monotonic() + seconds
        with _lock:
            _lines.add(self)
            _watch()

    def more(self, seconds: float) -> None:
        """Something of use came."""
        if self._until is not None:
            self._until += seconds

    def anew(self, seconds: float) -> None:
        """Something of use came, and what follows has so much time."""
        if self._until is not None:
            self._until = time.monotonic() + seconds

    def on(self, seconds: float) -> None:
        """Between ``begin`` and ``rest``: something is waited for again, for so long."""
        self._until = time.monotonic() + seconds

    def off(self) -> None:
        """Between ``begin`` and ``rest``: nothing is waited for now."""
        self._until = None

    def rest(self) -> None:
        """Nothing is waited for. Takes no lock: a connection's ``__del__`` may come here, where the thread that looks
        at the lines has ended with the lock in its hands."""
        self._until = None
        _lines.discard(self)

    def why(self) -> OSError | None:
        """Why it was cut; None where it was not."""
        if self.over:
            return TooSlow("it took too long")
        return Left("it was left") if self._gone.is_set() else None

    def cut(self) -> None:
        """Ends it: who reads from it now gets the end of it."""
        end = self._end
        if end is not None:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def look(self, now: float) -> None:
        """Cuts it where its time is over."""
        if self._until is not None and now > self._until:
            self.over = True
            self.cut()


def _watch() -> None:
    """Starts the thread that looks at the lines, where there is none."""
    global _watcher
    if _watcher is None:
        _watcher = threading.Thread(target=_look, name="limner-patience", daemon=True)
        _watcher.start()


def _look() -> None:
    global _watcher
    while True:
        with _lock:
            lines = list(_lines)
            if not lines:
                _watcher = None
                return
        now = time.monotonic()
        for line in lines:
            line.look(now)
        threading.Event().wait(LOOK_SECONDS)


class Unbounded(OSError):
    """An answer is larger than any honest one."""
