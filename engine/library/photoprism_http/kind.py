"""PhotoPrism over HTTP as a kind of library."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.library.address import LibraryAddress, ServerKind
from engine.library.kind import LibraryField, LibraryKind
from engine.library.photoprism_terms import NO_NAMES, TITLE
from engine.settings import LibrarySettings

if TYPE_CHECKING:
    from engine.library.photoprism_http.library import HttpLibrary


def _open(address: LibraryAddress, settings: LibrarySettings, password: str | None, base: Path | None) -> HttpLibrary:
    from engine.library.photoprism_http.library import HttpLibrary
    from engine.library.web.originals import CACHE

    return HttpLibrary(address, password, base / CACHE if base else None, settings.private)


def _with_scheme(text: str) -> str:
    return text if "://" in text else f"https://{text}"


KIND = LibraryKind(
    "photoprism-http",
    (ServerKind.HTTP,),
    _open,
    TITLE,
    nobody=NO_NAMES,
    choice="PhotoPrism, over HTTPS",
    spelled=_with_scheme,
    other_secret="app password",
    about="photos are fetched as needed",
    fields=(
        LibraryField("address", "https://photos.example.org"),
        LibraryField("user", "leave empty with an app password"),
        LibraryField("password", "or an app password; from the keyring, or LIMNER_DB_PASSWORD"),
    ),
)
