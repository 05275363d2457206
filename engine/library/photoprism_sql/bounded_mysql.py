"""A connection to a MariaDB or MySQL that may be anybody's: its answers have a time, a size and an end.

PyMySQL's own times count from byte to byte, and it joins packets as long as they come.
"""

from __future__ import annotations

import socket
import time
from typing import Any

from pymysql.connections import Connection
from pymysql.constants.CR import CR_CONN_HOST_ERROR, CR_SERVER_LOST
from pymysql.cursors import SSCursor
from pymysql.err import OperationalError
from pymysql.protocol import MysqlPacket

from engine.network.bounded_http import LEAST_RATE
from engine.network.deadlines import Left, Line, Unbounded
from engine.network.resolving import open_connection

LOGIN_SECONDS = 30.0
"""How long logging in may take in all."""

ANSWER_SECONDS = 300.0
"""How long the rows of a question may be waited for, and as much more as their bytes take at ``LEAST_RATE``."""

LONGEST_ROW = 500_000
"""Bytes of a packet, which holds a row; an embedding has ten thousand."""

MOST_MEMORY = 256_000_000
"""Bytes that the rows of an answer that is read as one may take."""

A_ROW = 200
"""Bytes that a row takes in memory beside what it holds."""

ROWS_AT_ONCE = 100


class BoundedConnection(Connection):
    """A connection whose answers are bounded."""

    line: Line
    _until_done = LOGIN_SECONDS
    _packet = 0
    _room: float = MOST_MEMORY
    _whole = True

    def connect(self, sock: Any = None) -> None:
        """As PyMySQL has it. Raises OperationalError where it takes too long."""
        self.line = Line()
        self._until_done, self._room = LOGIN_SECONDS, MOST_MEMORY
        super().connect(sock if sock is not None or self.unix_socket else self._opened())

    def _opened(self) -> socket.socket:
        """The connection's socket, as PyMySQL opens it."""
        try:
            sock = open_connection((self.host, self.port), self.connect_timeout)
        except OSError as error:
            failed = OperationalError(CR_CONN_HOST_ERROR, f"Can't connect to MySQL server on {self.host!r} ({error})")
            failed.original_exception = error  # type: ignore[attr-defined]
            raise failed from error
        self.host_info = f"socket {self.host}:{self.port}"
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return sock

    def cursor(self, cursor: Any = None) -> Any:
        """As PyMySQL has it; rows that stream come a few at a time."""
        return super().cursor(_FewRows if cursor is SSCursor else cursor)

    def close(self) -> None:
        """Ends the connection."""
        try:
            super().close()
        finally:
            self._let_go()

    def _force_close(self) -> None:
        super()._force_close()  # type: ignore[misc]
        self._let_go()

    def __del__(self) -> None:
        """Ends what was forgotten. PyMySQL's cursor, forgotten with it, would read the rest of its rows first."""
        if (result := getattr(self, "_result", None)) is not None:
            result.unbuffered_active = False
        if hasattr(self, "line"):
            self._force_close()

    def _let_go(self) -> None:
        self.line.rest()
        self.line.release()

    def _get_server_information(self) -> None:
        self.line.hold(self._sock)  # type: ignore[attr-defined]
        try:
            self.line.begin(LOGIN_SECONDS)
        except Left as error:
            raise self._cut(error) from error
        super()._get_server_information()  # type: ignore[misc]

    def _execute_command(self, command: Any, sql: Any) -> None:
        self._until_done, self._room, self._whole = ANSWER_SECONDS, MOST_MEMORY, True
        super()._execute_command(command, sql)  # type: ignore[misc]

    def _read_query_result(self, unbuffered: bool = False) -> Any:
        self._whole = not unbuffered
        return super()._read_query_result(unbuffered)  # type: ignore[misc]

    def _read_packet(self, packet_type: Any = MysqlPacket) -> Any:
        self._packet = 0
        begun = time.monotonic()
        self.line.on(self._until_done)
        try:
            return super()._read_packet(packet_type)  # type: ignore[no-untyped-call]
        except OperationalError as error:
            if hasattr(error, "original_exception"):
                raise
            if cut := self.line.why():
                raise self._cut(cut) from error
            raise
        finally:
            self.line.off()
            self._until_done += self._packet / LEAST_RATE - (time.monotonic() - begun)
            if self._whole:
                self._room -= A_ROW + self._packet

    def _read_bytes(self, num_bytes: int) -> Any:
        self._packet += num_bytes
        if self._packet > LONGEST_ROW or self._room < 0:
            self._force_close()
            raise self._cut(Unbounded("more than PhotoPrism's tables ever hold"))
        return super()._read_bytes(num_bytes)  # type: ignore[misc]

    def _cut(self, why: OSError) -> OperationalError:
        error = OperationalError(CR_SERVER_LOST, str(why))
        error.original_exception = why  # type: ignore[attr-defined]
        return error


class _FewRows(SSCursor):
    """Rows may be large: a few of them are held at a time, however many are asked for."""

    def fetchmany(self, size: int | None = None) -> Any:
        """Some rows; none where there are no more."""
        return super().fetchmany(min(size or ROWS_AT_ONCE, ROWS_AT_ONCE))

    def close(self) -> None:
        """Reads what is left of the rows, where the connection still stands."""
        if self.connection is not None and not self.connection.open:
            self.connection = None  # type: ignore[assignment]
        super().close()

    __del__ = close
