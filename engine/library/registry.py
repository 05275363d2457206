"""The kinds of photo libraries there are, and opening the one that a project names. To add one: a folder beside these
with a ``kind.py``, and its line here; or a package with an entry point."""

from __future__ import annotations

from pathlib import Path

from engine.errors import LibraryError
from engine.library.address import GROUP, LibraryAddress, parse_address
from engine.library.base import Library
from engine.library.folder import kind as folder
from engine.library.immich import kind as immich
from engine.library.kind import LibraryKind
from engine.library.photoprism_http import kind as photoprism_http
from engine.library.photoprism_sql import kind as photoprism_sql
from engine.plugins import plugins
from engine.security.trust import check_confirmed
from engine.settings import LibrarySettings

KINDS = (photoprism_sql.KIND, photoprism_http.KIND, immich.KIND, folder.KIND)
"""Limner's own, in the order in which they are offered."""


def connect(
    settings: LibrarySettings, password: str | None = None, base: Path | None = None, typed: bool = False
) -> Library:
    """Opens the library that the settings name, able to read only.

    Args:
        settings: the address, the folders, and whether private photos count.
        password: or an app password or key; ``engine.library.password.find_password`` knows where to look.
        base: what relative paths of the settings are relative to, the project's folder; what is known of a plain folder
            lies in that project.
        typed: whether the user typed the address just now; else it has to be confirmed for the project in ``base``.

    Raises:
        NotConfirmed: nobody confirmed the server's address on this machine; nothing was sent.
        WrongPassword: the server refused the user, the password or the key.
        HostUnreachable: nothing answered there.
        NotALibrary: no such database, file or folder, or it is no library's of that kind.
        LibraryError: no address, a malformed one, or anything else that the server said.
    """
    if not settings.url:
        raise LibraryError("this project has no library yet", "set it with: limner connect URL --originals DIR")
    address = parse_address(settings.url, base)
    check_library(None if typed else base, address)
    return kind_of(address).open(address, settings, password, base)


def check_library(root: Path | None, address: LibraryAddress) -> None:
    """Raises NotConfirmed where the project in ``root`` may not ask this server."""
    if root is not None and address.is_server:
        check_confirmed(root, address.url, "library")


def kinds() -> tuple[LibraryKind, ...]:
    """All kinds: Limner's own, then other packages'."""
    return (*KINDS, *plugins(GROUP, LibraryKind))


def kind_of(address: LibraryAddress) -> LibraryKind:
    """What kind of library is at an address.

    Raises:
        LibraryError: no kind has such addresses.
        LimnerError: a package's kind of library can't be loaded.
    """
    for kind in KINDS:
        if address.kind in kind.schemes:
            return kind
    for kind in plugins(GROUP, LibraryKind):
        if address.kind in kind.schemes:
            return kind
    raise LibraryError(f"libraries at {address.kind}:// addresses can't be read", "install the package that reads them")
