"""HTTP answers that have an end: a time for all of one, and no more said around it than an honest server says.

``http.client`` reads ``100 Continue`` and the trailers of chunks as long as they come, and each read of it as long as
there is one byte in time.
"""

from __future__ import annotations

import http.client
import socket
from typing import Any

from engine.network.deadlines import Line, TooSlow
from engine.network.resolving import open_connection

LEAST_RATE = 10_000
"""Bytes a second that an answer comes with, once its first time is over."""

MOST_CONTINUES = 20

GONE = (OSError, http.client.HTTPException)
"""What a connection raises that broke off."""


class Answer(http.client.HTTPResponse):
    """An answer whose line gets more time with each byte of its body."""

    line: Line
    _continues = 0

    def begin(self) -> None:
        """Reads the status and headers. Raises TooSlow and Left beside ``http.client``'s own."""
        try:
            super().begin()
        except GONE as error:
            raise self.line.why() or error from error

    def read(self, amt: int | None = None) -> bytes:
        """Some of the body, or the rest of it. Raises TooSlow and Left beside ``http.client``'s own."""
        try:
            data = super().read(amt)
        except GONE as error:
            raise self.line.why() or error from error
        if (amt is None or len(data) < amt) and (cut := self.line.why()):
            # A body without a length ends where its line does.
            raise cut
        self.line.more(len(data) / LEAST_RATE)
        return data

    def _read_status(self) -> Any:
        self._continues += 1
        if self._continues > MOST_CONTINUES:
            raise TooSlow("it sends 100 Continue forever")
        return super()._read_status()  # type: ignore[misc]


class _Timed:
    """What both kinds of connections have."""

    line: Line
    sock: Any

    def _with_a_line(self: Any) -> None:
        self.line = Line()

        def opened(*words: Any, **more: Any) -> socket.socket:
            sock = open_connection(*words, **more)
            self.line.hold(sock)
            return sock

        def answer(*words: Any, **more: Any) -> Answer:
            found = Answer(*words, **more)
            found.line = self.line
            return found

        self._create_connection = opened
        self.__dict__["response_class"] = answer

    def ask(self: Any, seconds: float, silent: float, *words: Any) -> Answer:
        """Asks a question, and returns its answer, whose body is to be read yet; ``rest`` or ``end`` follows.

        Args:
            seconds: how long it may take until it begins, and as much for the first of its body.
            silent: how long there may be nothing.
            words: as of ``HTTPConnection.request``.

        Raises:
            TooSlow: its time was over.
            Left: nobody wants it any more.
            OSError, HTTPException: it broke off.
        """
        self.line.begin(seconds)
        try:
            if not self.sock:
                self.connect()
                self.sock.settimeout(silent)
            self.request(*words)
            found: Answer = self.getresponse()
        except GONE as error:
            raise self.line.why() or error from error
        return found

    def rest(self: Any) -> None:
        """The answer was read."""
        self.line.rest()
        if self.sock is None:
            self.line.release()

    def end(self: Any) -> None:
        """Ends the connection."""
        self.close()
        self.rest()


class Plain(_Timed, http.client.HTTPConnection):
    """A connection in the clear, with its line."""

    def __init__(self, *words: Any, **more: Any) -> None:
        super().__init__(*words, **more)
        self._with_a_line()


class Encrypted(_Timed, http.client.HTTPSConnection):
    """A connection over TLS, with its line."""

    def __init__(self, *words: Any, **more: Any) -> None:
        super().__init__(*words, **more)
        self._with_a_line()


Connection = Plain | Encrypted
