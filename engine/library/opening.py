"""Opening an index so that nothing can be written to it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.pool import NullPool

from engine.errors import NotALibrary
from engine.library.address import LibraryAddress
from engine.library.failures import CONNECT_SECONDS

READ_SECONDS = 60
"""How long a server may take over one answer."""


def open_engine(address: LibraryAddress, password: str | None) -> Engine:
    """An engine whose connections can only read. Nothing is connected yet.

    Raises:
        NotALibrary: an SQLite index that is not there.
    """
    if address.path is not None:
        path = address.path
        if not path.is_file():
            raise NotALibrary(f"there is no index at {path}", "give the index.db in PhotoPrism's storage folder")
        return create_engine("sqlite://", creator=lambda: _open_sqlite(path), poolclass=NullPool)
    url = URL.create(
        "mysql+pymysql",
        username=address.user,
        password=password or None,
        host=address.host,
        port=address.port,
        database=address.database,
        query={"charset": "utf8mb4", **({"unix_socket": str(address.socket)} if address.socket else {})},
    )
    return create_engine(
        url,
        poolclass=NullPool,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
            "init_command": "SET SESSION TRANSACTION READ ONLY",
        },
    )


def _open_sqlite(path: Path) -> sqlite3.Connection:
    """Read-only by URI (https://www.sqlite.org/uri.html).

    Reading a write-ahead database makes ``-wal`` and ``-shm`` files beside it. Where they are not there, nobody
    has it open, and ``immutable`` keeps the library's folder untouched.
    """
    quiet = _write_ahead(path) and not path.with_name(path.name + "-wal").exists()
    uri = f"file:{quote(str(path))}?mode=ro{'&immutable=1' if quiet else ''}"
    connection = sqlite3.connect(uri, uri=True, timeout=10, check_same_thread=False)
    # One name that is no UTF-8 must not end the reading of all others.
    connection.text_factory = lambda text: text.decode("utf-8", "replace")
    return connection


def _write_ahead(path: Path) -> bool:
    """Bytes 18 and 19 of the header are 2 in write-ahead mode (https://www.sqlite.org/fileformat.html)."""
    with path.open("rb") as handle:
        return handle.read(20)[18:20] == b"\x02\x02"
