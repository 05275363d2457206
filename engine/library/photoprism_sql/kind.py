"""PhotoPrism's database as a kind of library."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.library.address import LibraryAddress, ServerKind
from engine.library.kind import LibraryField, LibraryKind
from engine.library.photoprism_terms import NO_NAMES, TITLE
from engine.settings import LibrarySettings

if TYPE_CHECKING:
    from engine.library.photoprism_sql.library import PhotoPrismLibrary


def _open(
    address: LibraryAddress, settings: LibrarySettings, password: str | None, base: Path | None
) -> PhotoPrismLibrary:
    from sqlalchemy.exc import SQLAlchemyError

    from engine.library.paths import Roots
    from engine.library.photoprism_sql.error_messages import ODD, explain
    from engine.library.photoprism_sql.library import PhotoPrismLibrary
    from engine.library.photoprism_sql.opening import open_engine
    from engine.library.photoprism_sql.schema import read_schema

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


KIND = LibraryKind(
    "photoprism-sql",
    (ServerKind.MYSQL, ServerKind.SQLITE),
    _open,
    TITLE,
    nobody=NO_NAMES,
    choice="PhotoPrism, by its database",
    may_be_open=False,
    about="and its folders, seen from here",
    fields=(
        LibraryField("address", "mysql://host:3306/photoprism, or the path of index.db", is_path=True),
        LibraryField("user", "photoprism"),
        LibraryField("password", "from the keyring, or LIMNER_DB_PASSWORD"),
        LibraryField("originals", "PhotoPrism's originals folder, as seen from this machine", is_path=True),
        LibraryField("sidecar", "PhotoPrism's sidecar folder, where converted files are", is_path=True),
    ),
)
