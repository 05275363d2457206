"""A library's address: what a user types or the settings hold, told apart once. Never holds a password."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from engine.errors import LibraryError

DEFAULT_PORT = 3306
DEFAULT_NAME = "photoprism"
"""The database and the user in PhotoPrism's example compose file."""

EXAMPLES = "give mysql://user@host:3306/photoprism, sqlite:///…/index.db or folder:///…"

_GO_DSN = re.compile(r"^(?P<user>[^:@/]*)(?::(?P<password>.*))?@(?P<net>tcp|unix)\((?P<at>[^)]*)\)/(?P<name>[^?]*)")


class ServerKind(StrEnum):
    """What a library is kept in: the databases that PhotoPrism has its index in, or a plain folder."""

    MYSQL = "mysql"
    SQLITE = "sqlite"
    FOLDER = "folder"
    """No database: a folder of photos that nobody indexed."""


@dataclass(frozen=True)
class LibraryAddress:
    """An index's address. For SQLite and a folder ``path`` alone is set; for MariaDB and MySQL the rest is."""

    kind: ServerKind
    path: Path | None = None
    """The SQLite index, or the folder, absolute."""
    user: str = ""
    host: str = ""
    port: int = DEFAULT_PORT
    socket: Path | None = None
    """A Unix socket, used instead of host and port."""
    database: str = ""

    @property
    def url(self) -> str:
        """The address as the settings keep it; ``parse_address`` reads it back to an equal one."""
        if self.path is not None:
            return f"{self.kind}://{quote(str(self.path))}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        tail = f"?unix_socket={quote(str(self.socket))}" if self.socket else ""
        return f"mysql://{quote(self.user, safe='')}@{host}:{self.port}/{quote(self.database, safe='')}{tail}"

    @property
    def where(self) -> str:
        """The address in words for a message: a path, a socket, or host and port."""
        if self.path is not None:
            return str(self.path)
        if self.socket is not None:
            return str(self.socket)
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, base: Path | None = None) -> LibraryAddress:
    """Reads an address.

    Args:
        text: ``mysql://user@host:port/db`` (or ``mariadb://``; IPv6 in brackets; ``?unix_socket=/path``),
            ``sqlite:///path/index.db``, a plain path to an ``index.db`` or to the folder that holds it, or the Go
            form of ``PHOTOPRISM_DATABASE_DSN`` without its password: ``user@tcp(host:port)/db``,
            ``user@unix(/socket)/db``; or ``folder:///path`` for photos without an index.
        base: what a relative path is relative to; the working folder where left out.

    Raises:
        LibraryError: it is of another kind, malformed, or holds a password.
    """
    text = text.strip()
    base = (base or Path()).resolve()
    if go := _GO_DSN.match(text):
        return _from_go(go)
    if "://" not in text:
        if not text:
            raise LibraryError("the library's address is empty", EXAMPLES)
        return LibraryAddress(ServerKind.SQLITE, path=_index_in((base / Path(text).expanduser()).resolve()))
    if text[:9].lower() == "folder://":
        return _folder(text[9:], base)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise LibraryError(f"the library's address is malformed ({error})", EXAMPLES) from error
    scheme = parts.scheme.lower().split("+")[0]
    if scheme == "sqlite":
        return LibraryAddress(ServerKind.SQLITE, path=_index_in(_sqlite_path(parts, base)))
    if scheme in {"mysql", "mariadb"}:
        return _from_mysql(parts, port)
    raise LibraryError(f"libraries at {scheme}:// addresses can't be read", EXAMPLES)


def _from_mysql(parts: SplitResult, port: int | None) -> LibraryAddress:
    if parts.password:
        raise _holds_password()
    query = parse_qs(parts.query)
    socket = query.get("unix_socket", query.get("socket", [""]))[0]
    host = unquote(parts.hostname or "")
    if not host and not socket:
        raise LibraryError("the library's address names no host", EXAMPLES)
    return LibraryAddress(
        ServerKind.MYSQL,
        user=unquote(parts.username or "") or DEFAULT_NAME,
        host=host or "localhost",
        port=port or DEFAULT_PORT,
        socket=Path(socket) if socket else None,
        database=unquote(parts.path.strip("/")) or DEFAULT_NAME,
    )


def _from_go(go: re.Match[str]) -> LibraryAddress:
    """The form of https://github.com/go-sql-driver/mysql#dsn-data-source-name that PhotoPrism takes."""
    if go["password"]:
        raise _holds_password()
    user, name = go["user"] or DEFAULT_NAME, go["name"] or DEFAULT_NAME
    if go["net"] == "unix":
        return LibraryAddress(ServerKind.MYSQL, user=user, host="localhost", socket=Path(go["at"]), database=name)
    return _from_mysql(urlsplit(f"mysql://{quote(user)}@{go['at']}/{name}"), urlsplit(f"//{go['at']}").port)


def _sqlite_path(parts: SplitResult, base: Path) -> Path:
    """``sqlite:///a/index.db`` is written for ``/a/index.db`` and, SQLAlchemy's way, for ``a/index.db``: the one
    that exists is meant, else the absolute one."""
    if parts.netloc not in {"", "localhost"}:
        raise LibraryError(f"sqlite://{parts.netloc} has too few slashes", "write sqlite:///…/index.db")
    path = unquote(parts.path)
    absolute = Path("/" + path.lstrip("/"))
    relative = base / path.lstrip("/")
    if not path.startswith("//") and not absolute.exists() and relative.exists():
        return relative.resolve()
    return absolute


def _folder(rest: str, base: Path) -> LibraryAddress:
    """``folder:///a`` is ``/a``; ``folder://~/a`` and ``folder://a`` are the home's and the working folder's."""
    if not rest:
        raise LibraryError("the address names no folder", "write folder:///home/me/photos")
    path = (base / Path(unquote(rest)).expanduser()).resolve()
    if not path.is_dir():
        raise LibraryError(f"there is no folder {path}", "give the folder that holds the photos")
    return LibraryAddress(ServerKind.FOLDER, path=path)


def _index_in(path: Path) -> Path:
    return path / "index.db" if path.is_dir() else path


def _holds_password() -> LibraryError:
    return LibraryError(
        "the address holds a password, which other users of this machine could see",
        "take it out and set LIMNER_DB_PASSWORD, or leave it to the keyring or the prompt",
    )
