"""Immich as a kind of library."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.library.address import LibraryAddress, ServerKind
from engine.library.kind import LibraryField, LibraryKind
from engine.secrets import IMMICH_KEY_VARIABLE
from engine.settings import LibrarySettings

if TYPE_CHECKING:
    from engine.library.immich.library import ImmichLibrary


def _open(address: LibraryAddress, settings: LibrarySettings, key: str | None, base: Path | None) -> ImmichLibrary:
    from engine.library.immich.library import ImmichLibrary
    from engine.library.web.originals import CACHE

    return ImmichLibrary(address, key, base / CACHE if base else None, settings.private)


def _with_scheme(text: str) -> str:
    """``immich+https://…`` of what was typed: a browser's address, or a host alone."""
    if text.startswith(("https://", "http://")):
        return f"immich+{text}"
    return text if "://" in text else f"immich+https://{text}"


def _without_scheme(url: str) -> str:
    return url.removeprefix("immich+")


KIND = LibraryKind(
    "immich",
    (ServerKind.IMMICH,),
    _open,
    "Immich",
    nobody="Immich has no named people yet: name some under People there.",
    may_be_open=False,
    about="photos are fetched as needed",
    spelled=_with_scheme,
    shown=_without_scheme,
    fields=(
        LibraryField("address", "https://photos.example.org"),
        LibraryField("password", f"from the keyring, or {IMMICH_KEY_VARIABLE}", label="API key"),
    ),
    secret_variable=IMMICH_KEY_VARIABLE,
    secret_name="API key",
)
