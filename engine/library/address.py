"""A library's address: what a user types or the settings hold, told apart once. Never holds a password."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from engine.errors import LibraryError
from engine.library.spelling import as_on_disk
from engine.plugins import plugin_names
from engine.security.secret_check import LONGEST, holds_secret, is_host
from engine.storage.project_paths import expand_home

DEFAULT_PORT = 3306
DEFAULT_NAME = "photoprism"
"""The database and the user in PhotoPrism's example compose file."""

GROUP = "limner.libraries"
"""The entry points of other packages' kinds of libraries, each named after its scheme."""

EXAMPLES = (
    "give mysql://user@host:3306/photoprism, sqlite:///…/index.db, https://host of PhotoPrism or Immich, or folder:///…"
)

_GO_DSN = re.compile(r"^(?P<user>[^:@/]*)(?::(?P<password>.*))?@(?P<net>tcp|unix)\((?P<at>[^)]*)\)/(?P<name>[^?]*)")

_PAGES = {
    "photoprism": re.compile(r"/(library|api)(/.*)?$"),
    "immich": re.compile(
        r"/(api|photos|people|explore|albums|map|sharing|shared-links|search|favorites|archive|trash|partners|tags|folders"
        r"|utilities|places|memory|user-settings|auth|admin)(/.*)?$"
    ),
}
"""What a server itself puts behind its address: its pages, and what they ask."""


class ServerKind(StrEnum):
    """What a library is kept in or asked by: PhotoPrism's databases, a web interface, or a plain folder."""

    MYSQL = "mysql"
    SQLITE = "sqlite"
    FOLDER = "folder"
    """No database: a folder of photos that nobody indexed."""
    HTTP = "https"
    """PhotoPrism's own web interface, for a machine that sees neither its database nor its photos."""
    IMMICH = "immich"
    """Immich's web interface."""


class Tls(StrEnum):
    """How a connection is kept from others' eyes, ``?ssl=`` in an address."""

    AUTO = "auto"
    """Encrypted and the server verified where it offers it; to this machine itself nothing is verified."""
    REQUIRED = "on"
    """Encrypted and verified, or not at all."""
    UNVERIFIED = "unverified"
    """Encrypted; who answers is not asked."""
    OFF = "off"
    """In the clear."""


@dataclass(frozen=True)
class LibraryAddress:
    """A library's address. For a file or a folder ``path`` alone is set; for a server the rest is."""

    kind: str
    """A ``ServerKind``, or the scheme of another package's kind of library."""
    path: Path | None = None
    """The SQLite index, or the folder, absolute."""
    user: str = ""
    host: str = ""
    port: int = DEFAULT_PORT
    socket: Path | None = None
    """A Unix socket, used instead of host and port."""
    database: str = ""
    site: str = ""
    """A web address, ``https://photos.example.com:8443/prism``, without a slash at its end."""
    tls: Tls = Tls.AUTO
    ca: Path | None = None
    """A file of certificates to verify the server by, instead of this machine's own."""

    @property
    def is_server(self) -> bool:
        """Whether a server is asked: its address has to be confirmed, and it may want a password."""
        return self.path is None

    @property
    def local(self) -> bool:
        """Whether the connection stays on this machine."""
        return self.path is not None or self.socket is not None or is_loopback(self.host)

    @property
    def url(self) -> str:
        """The address as the settings keep it; ``parse_address`` reads it back to an equal one."""
        if self.path is not None:
            return f"{self.kind}://{quote(os.fsencode(self.path))}"
        asked = {"unix_socket": self.socket, "ssl": self.tls if self.tls is not Tls.AUTO else None, "ssl_ca": self.ca}
        query = "&".join(f"{name}={quote(str(value))}" for name, value in asked.items() if value)
        tail = f"?{query}" if query else ""
        if self.site:
            scheme, _, rest = self.site.partition("://")
            if self.kind == ServerKind.IMMICH:
                scheme = f"immich+{scheme}"
            return f"{scheme}://{quote(self.user, safe='')}{'@' if self.user else ''}{rest}{tail}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"mysql://{quote(self.user, safe='')}@{host}:{self.port}/{quote(self.database, safe='')}{tail}"

    @property
    def where(self) -> str:
        """The address in words for a message: a path, a socket, or host and port."""
        if self.path is not None:
            return str(self.path)
        if self.socket is not None:
            return str(self.socket)
        if self.site:
            return self.site
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, base: Path | None = None) -> LibraryAddress:
    """Reads an address.

    Args:
        text: ``mysql://user@host:port/db`` (or ``mariadb://``; IPv6 in brackets; ``?unix_socket=/path``),
            ``sqlite:///path/index.db``, a plain path to an ``index.db`` or to the folder that holds it, or the Go
            form of ``PHOTOPRISM_DATABASE_DSN`` without its password: ``user@tcp(host:port)/db``,
            ``user@unix(/socket)/db``; ``https://host`` or ``https://user@host`` for PhotoPrism's web interface,
            ``immich+https://host`` for Immich's; or ``folder:///path`` for photos without an index. A server's may end
            in ``?ssl=on``, ``?ssl=unverified``, ``?ssl=off`` or ``?ssl_ca=/path/ca.pem``.
        base: what a relative path is relative to; the working folder where left out.

    Raises:
        LibraryError: it is of another kind, malformed, or holds a password.
    """
    text = text.strip()
    if len(text) > LONGEST or "\0" in text:
        # Also since patterns take the square of its length.
        raise LibraryError("the library's address is invalid (too long, or holds a NUL)", EXAMPLES)
    try:
        base = (base or Path()).resolve()
        if holds_secret(text) and not _is_a_file(text, base):
            raise _holds_password()
        return _parsed(text, base)
    except OSError as error:
        raise LibraryError(f"the library's address names no file ({error.strerror})", EXAMPLES) from error


def _parsed(text: str, base: Path) -> LibraryAddress:
    if go := _GO_DSN.match(text):
        return _from_go(go)
    if "://" not in text:
        if not text:
            raise LibraryError("the library's address is empty", EXAMPLES)
        return LibraryAddress(ServerKind.SQLITE, path=_index_in(_plain_path(text, base)))
    if text[:9].lower() == "folder://":
        return _folder(text[9:], base)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        # What the parser says of it may hold a part of a password.
        raise LibraryError("the library's address is malformed", EXAMPLES) from error
    scheme, _, beneath = parts.scheme.lower().partition("+")
    if scheme == "sqlite":
        return LibraryAddress(ServerKind.SQLITE, path=_index_in(_sqlite_path(parts, base)))
    if scheme in {"mysql", "mariadb"}:
        return _from_mysql(parts, port)
    if scheme in {"https", "http"}:
        return _from_http(parts, port, scheme, ServerKind.HTTP)
    if scheme in {"photoprism", "immich"}:
        if beneath not in {"https", "http"}:
            raise LibraryError(f"{parts.scheme}:// does not say how it is asked", f"write {scheme}+https://host")
        return _from_http(parts, port, beneath, ServerKind.IMMICH if scheme == "immich" else ServerKind.HTTP)
    if scheme in plugin_names(GROUP):
        return _from_plugin(scheme, parts, port, base)
    raise LibraryError(f"libraries at {scheme}:// addresses can't be read", EXAMPLES)


def _from_plugin(scheme: str, parts: SplitResult, port: int | None, base: Path) -> LibraryAddress:
    """An address of another package's kind: ``scheme:///path`` for files, ``scheme://[user@]host[:port]/…`` for a
    server."""
    _refuse_password(parts)
    if not parts.netloc:
        path = unquote(parts.path, errors="surrogateescape")
        return LibraryAddress(scheme, path=as_on_disk(base / expand_home(path)).resolve())
    if not is_host(parts.hostname or ""):
        raise LibraryError("the library's address names no host", EXAMPLES)
    name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return LibraryAddress(
        scheme,
        user=unquote(parts.username or ""),
        host=parts.hostname or "",
        port=port or 0,
        site=f"{scheme}://{name}{f':{port}' if port else ''}{parts.path.rstrip('/')}",
    )


def _is_a_file(text: str, base: Path) -> bool:
    """Whether what looks like a login is the name of something that is there."""
    return "://" not in text and os.path.lexists(base / expand_home(text))


def _refuse_password(parts: SplitResult) -> None:
    """Raises LibraryError where an address holds one, also with its colon written ``%3A``."""
    if parts.password or ":" in unquote(parts.username or ""):
        raise _holds_password()


def _from_mysql(parts: SplitResult, port: int | None) -> LibraryAddress:
    _refuse_password(parts)
    query = parse_qs(parts.query)
    socket = query.get("unix_socket", query.get("socket", [""]))[0]
    host = unquote(parts.hostname or "")
    if host and not is_host(host):
        raise LibraryError("the library's address names no host", EXAMPLES)
    if not host and not socket:
        raise LibraryError("the library's address names no host", EXAMPLES)
    return LibraryAddress(
        ServerKind.MYSQL,
        user=unquote(parts.username or "") or DEFAULT_NAME,
        host=host or "localhost",
        port=port or DEFAULT_PORT,
        socket=Path(socket) if socket else None,
        database=unquote(parts.path.strip("/")) or DEFAULT_NAME,
        tls=_tls(query),
        ca=_ca(query),
    )


def _from_http(parts: SplitResult, port: int | None, scheme: str, kind: ServerKind) -> LibraryAddress:
    """A server's web address, also as it is copied from a browser that shows one of its pages."""
    _refuse_password(parts)
    if not parts.hostname or not is_host(parts.hostname):
        raise LibraryError("the library's address names no host", EXAMPLES)
    query = parse_qs(parts.query)
    tls = _tls(query)
    if scheme == "http" and (tls in (Tls.REQUIRED, Tls.UNVERIFIED) or "ssl_ca" in query):
        raise LibraryError("an http:// address is never encrypted, whatever ssl= or ssl_ca= says", "write https://")
    if tls is Tls.OFF and scheme == "https":
        raise LibraryError("ssl=off contradicts an https:// address", "leave it out, or write http://")
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = 443 if scheme == "https" else 80
    path = _PAGES["immich" if kind is ServerKind.IMMICH else "photoprism"].sub("", parts.path).rstrip("/")
    return LibraryAddress(
        kind,
        user="" if kind is ServerKind.IMMICH else unquote(parts.username or ""),
        host=parts.hostname,
        port=port or default,
        site=f"{scheme}://{name}{f':{port}' if port and port != default else ''}{path}",
        tls=tls,
        ca=_ca(query),
    )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself, told by its name alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost" or host.lower().endswith(".localhost")


def _tls(query: dict[str, list[str]]) -> Tls:
    word = query.get("ssl", [Tls.AUTO.value])[0].lower()
    try:
        return Tls({"true": "on", "1": "on", "required": "on", "false": "off", "0": "off"}.get(word, word))
    except ValueError as error:
        raise LibraryError(f"ssl={word} is not known", "write ssl=on, ssl=unverified or ssl=off") from error


def _ca(query: dict[str, list[str]]) -> Path | None:
    if "ssl_ca" not in query:
        return None
    path = expand_home(query["ssl_ca"][0]).resolve()
    if not path.is_file():
        raise LibraryError(f"there is no file {path}", "give the certificates' file with ?ssl_ca=/path/ca.pem")
    return path


def _from_go(go: re.Match[str]) -> LibraryAddress:
    """The form of https://github.com/go-sql-driver/mysql#dsn-data-source-name that PhotoPrism takes."""
    if go["password"]:
        raise _holds_password()
    user, name = go["user"] or DEFAULT_NAME, go["name"] or DEFAULT_NAME
    if go["net"] == "unix":
        return LibraryAddress(ServerKind.MYSQL, user=user, host="localhost", socket=Path(go["at"]), database=name)
    return _from_mysql(urlsplit(f"mysql://{quote(user)}@{go['at']}/{name}"), urlsplit(f"//{go['at']}").port)


def _plain_path(text: str, base: Path) -> Path:
    """A path as it was typed. What looks like a server's login is one, unless such a file is there."""
    path = as_on_disk(base / expand_home(text))
    if "@" in text.partition("/")[0] and not os.path.exists(path):  # noqa: PTH110 - too long a name is no error here
        raise LibraryError("the library's address does not say what kind it is", EXAMPLES)
    return path.resolve()


def _sqlite_path(parts: SplitResult, base: Path) -> Path:
    """``sqlite:///a/index.db`` is written for ``/a/index.db`` and, SQLAlchemy's way, for ``a/index.db``: the one
    that exists is meant, else the absolute one."""
    if parts.netloc not in {"", "localhost"}:
        raise LibraryError(f"sqlite://{parts.netloc} has too few slashes", "write sqlite:///…/index.db")
    path = unquote(parts.path, errors="surrogateescape")
    absolute = as_on_disk(Path("/" + path.lstrip("/")))
    relative = as_on_disk(base / path.lstrip("/"))
    if not path.startswith("//") and not absolute.exists() and relative.exists():
        return relative.resolve()
    return absolute


def _folder(rest: str, base: Path) -> LibraryAddress:
    """``folder:///a`` is ``/a``; ``folder://~/a`` and ``folder://a`` are the home's and the working folder's."""
    if not rest:
        raise LibraryError("the address names no folder", "write folder:///home/me/photos")
    path = as_on_disk(base / expand_home(unquote(rest, errors="surrogateescape"))).resolve()
    if not path.is_dir():
        raise LibraryError(f"there is no folder {path}", "give the folder that holds the photos")
    return LibraryAddress(ServerKind.FOLDER, path=path)


def _index_in(path: Path) -> Path:
    return path / "index.db" if path.is_dir() else path


def _holds_password() -> LibraryError:
    return LibraryError(
        "the address holds a password, which other users of this machine could see",
        "remove it and set LIMNER_DB_PASSWORD, or leave it to the keyring or the prompt",
    )
