"""Opening an index so that nothing can be written to it."""

from __future__ import annotations

import sqlite3
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pymysql
from pymysql.constants.CR import CR_SSL_CONNECTION_ERROR
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool

from engine.errors import NotALibrary
from engine.library.address import LibraryAddress, Tls
from engine.library.connection.errors import CONNECT_SECONDS
from engine.library.connection.tls import database_context
from engine.library.connection.tls_pins import check_tls_was_never_seen, remember_tls
from engine.library.photoprism_sql.bounded_mysql import ANSWER_SECONDS, BoundedConnection
from engine.library.photoprism_sql.logging_in import PLUGINS, ChallengedConnection
from engine.library.photoprism_sql.sqlite_snapshot import without_touching
from engine.secrets import register_secret
from engine.storage.guarded_sqlite import Guarded

READ_SECONDS = 60
"""How long a server may take over one answer."""

LONGEST_VALUE = 500_000
"""Bytes of a value or row of an SQLite index; an embedding has ten thousand."""


def open_engine(address: LibraryAddress, password: str | None) -> Engine:
    """An engine whose connections can only read. Nothing is connected yet.

    Raises:
        NotALibrary: an SQLite index that is not there.
    """
    register_secret(password)
    if address.path is not None:
        path = address.path
        if not path.is_file():
            raise NotALibrary(f"there is no index at {path}", "give the index.db in PhotoPrism's storage folder")
        return create_engine("sqlite://", creator=lambda: _open_sqlite(path), poolclass=NullPool)
    return create_engine("mysql+pymysql://", creator=lambda: _open_mysql(address, password), poolclass=NullPool)


def encrypted(connection: Connection) -> bool:
    """Whether a MariaDB or MySQL connection is."""
    return isinstance(getattr(connection.connection.driver_connection, "_sock", None), ssl.SSLSocket)


def _open_mysql(address: LibraryAddress, password: str | None) -> pymysql.connections.Connection[Any]:
    """Encrypted and verified where the server offers it; in the clear to one that has no TLS at all, unless the
    address says that it must or it had TLS before. Nothing is sent before: a server says what it can before it is told
    who asks."""
    context = database_context(address)
    secure: dict[str, Any] = {"ssl": context} if context is not None else {}
    if address.tls is Tls.OFF:
        secure = {"ssl_disabled": True}
    try:
        connection = _mysql(address, password, secure)
        if context is not None:
            remember_tls(address)
        return connection
    except pymysql.err.OperationalError as error:
        if error.args[0] != CR_SSL_CONNECTION_ERROR or address.tls is not Tls.AUTO or address.ca is not None:
            raise
    check_tls_was_never_seen(address)
    return _mysql(address, password, {"ssl_disabled": True})


def _may_hand_over(address: LibraryAddress, secure: dict[str, Any]) -> bool:
    """Whether the server may get the password itself.

    It may where it is verified, where the address says ``ssl=unverified`` or names a socket, and on this machine where
    the address says ``ssl=off``.
    """
    if address.socket is not None or address.tls is Tls.UNVERIFIED:
        return True
    return "ssl" in secure or (address.local and address.tls is Tls.OFF)


def _mysql(
    address: LibraryAddress, password: str | None, secure: dict[str, Any]
) -> pymysql.connections.Connection[Any]:
    # As it stands where there is nothing to hand over.
    open_ = BoundedConnection if not password or _may_hand_over(address, secure) else _challenged
    connection = open_(
        host=address.host,
        port=address.port,
        unix_socket=str(address.socket) if address.socket else None,
        user=address.user,
        password=(password or "").encode("utf-8"),
        database=address.database,
        charset="utf8mb4",
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        init_command="SET SESSION TRANSACTION READ ONLY",
        **secure,
    )
    # So that the server doesn't work on what nobody waits for: MariaDB's name (seconds), and MySQL's (milliseconds).
    for limit in (f"max_statement_time={ANSWER_SECONDS:.0f}", f"max_execution_time={1000 * ANSWER_SECONDS:.0f}"):
        with suppress(pymysql.err.OperationalError, pymysql.err.InternalError, pymysql.err.ProgrammingError):
            with connection.cursor() as cursor:
                cursor.execute(f"SET SESSION {limit}")
            break
    return connection


def _challenged(**options: Any) -> pymysql.connections.Connection[Any]:
    return ChallengedConnection(auth_plugin_map=PLUGINS, **options)


def _open_sqlite(path: Path) -> sqlite3.Connection:
    """Read-only by URI (https://www.sqlite.org/uri.html).

    Reading a write-ahead database makes ``-wal`` and ``-shm`` files beside it. Where they are not there, nobody
    has it open, and ``immutable`` keeps the library's folder untouched; where only the first is, a copy is read.
    """
    path = without_touching(path)
    quiet = _write_ahead(path) and not path.with_name(path.name + "-wal").exists()
    uri = f"file:{quote(str(path))}?mode=ro{'&immutable=1' if quiet else ''}"
    connection = sqlite3.connect(uri, uri=True, timeout=10, check_same_thread=False, factory=Guarded)
    connection.holds_to(LONGEST_VALUE)
    # One name that is no UTF-8 must not end the reading of all others.
    connection.text_factory = lambda text: text.decode("utf-8", "replace")
    return connection


def _write_ahead(path: Path) -> bool:
    """Bytes 18 and 19 of the header are 2 in write-ahead mode (https://www.sqlite.org/fileformat.html)."""
    with path.open("rb") as handle:
        return handle.read(20)[18:20] == b"\x02\x02"
