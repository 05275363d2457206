"""The kinds of photo libraries there are, and opening the one that a project names. To add one: a folder beside these,
and an entry here, or a package with an entry point."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from engine.errors import LibraryError
from engine.library.address import GROUP, LibraryAddress, ServerKind, parse_address
from engine.library.base import Library
from engine.library.folder.library import DATABASE, FolderLibrary
from engine.library.kind import LibraryKind
from engine.library.password import check_library
from engine.library.paths import Roots
from engine.library.photoprism_http.library import HttpLibrary
from engine.library.photoprism_sql.error_messages import ODD, explain
from engine.library.photoprism_sql.library import PhotoPrismLibrary
from engine.library.photoprism_sql.opening import open_engine
from engine.library.photoprism_sql.schema import read_schema
from engine.plugins import plugins
from engine.settings import LibrarySettings

CACHE = "cache"
"""The folder of a project that photos are fetched into."""

NO_NAMES = "PhotoPrism has no named faces yet: name some under People there."


def connect(
    settings: LibrarySettings, password: str | None = None, base: Path | None = None, typed: bool = False
) -> Library:
    """Opens the library that the settings name, able to read only: PhotoPrism's index, PhotoPrism itself over HTTP, or
    a plain folder.

    Args:
        settings: the address, the folders, and whether private photos count.
        password: for MariaDB and over HTTP; ``engine.library.password.find_password`` knows where to look.
        base: what relative paths of the settings are relative to, the project's folder; what is known of a plain folder
            lies in that project.
        typed: whether the user typed the address just now; else it has to be confirmed for the project in ``base``.

    Raises:
        NotConfirmed: nobody confirmed the server's address on this machine; nothing was sent.
        WrongPassword: the server refused the user or the password.
        HostUnreachable: nothing answered there.
        NotALibrary: no such database, file or folder, or it is not PhotoPrism's.
        LibraryError: no address, a malformed one, or anything else that the server said.
    """
    if not settings.url:
        raise LibraryError("this project has no library yet", "set it with: limner connect URL --originals DIR")
    address = parse_address(settings.url, base)
    check_library(None if typed else base, address)
    return kind_of(address).open(address, settings, password, base)


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


def _open_index(
    address: LibraryAddress, settings: LibrarySettings, password: str | None, base: Path | None
) -> PhotoPrismLibrary:
    engine = open_engine(address, password)
    try:
        connection = engine.connect()
        try:
            schema = read_schema(connection, address.database or str(address.path))
        except BaseException:
            connection.close()
            raise
    except (SQLAlchemyError, OSError, RuntimeError, *ODD) as error:
        raise explain(error, address, with_password=bool(password)) from error
    return PhotoPrismLibrary(address, Roots.of(settings, base), connection, schema, settings.private)


def _open_http(
    address: LibraryAddress, settings: LibrarySettings, password: str | None, base: Path | None
) -> HttpLibrary:
    return HttpLibrary(address, password, base / CACHE if base else None, settings.private)


def _open_folder(
    address: LibraryAddress, _settings: LibrarySettings, _password: str | None, base: Path | None
) -> FolderLibrary:
    return FolderLibrary(address, base / DATABASE if base else None)


KINDS = (
    LibraryKind("photoprism-sql", (ServerKind.MYSQL, ServerKind.SQLITE), _open_index, "PhotoPrism", nobody=NO_NAMES),
    LibraryKind("photoprism-http", (ServerKind.HTTP,), _open_http, "PhotoPrism", nobody=NO_NAMES),
    LibraryKind(
        "folder",
        (ServerKind.FOLDER,),
        _open_folder,
        "a plain folder",
        finds_faces=True,
        nobody="No faces were found in the folder yet. Look for them with: limner connect",
    ),
)
"""Limner's own."""
