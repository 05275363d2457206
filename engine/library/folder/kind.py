"""A folder of photos as a kind of library."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from engine.library.address import LibraryAddress, ServerKind
from engine.library.kind import LibraryField, LibraryKind
from engine.settings import LibrarySettings

if TYPE_CHECKING:
    from engine.library.folder.library import FolderLibrary


def _open(
    address: LibraryAddress, _settings: LibrarySettings, _password: str | None, base: Path | None
) -> FolderLibrary:
    from engine.library.folder.library import DATABASE, FolderLibrary

    return FolderLibrary(address, base / DATABASE if base else None)


def _with_scheme(path: str) -> str:
    return path if "://" in path else f"folder://{quote(path)}"


def _without_scheme(url: str) -> str:
    return unquote(url.removeprefix("folder://"))


KIND = LibraryKind(
    "folder",
    (ServerKind.FOLDER,),
    _open,
    "a plain folder",
    finds_faces=True,
    nobody="No faces were found in the folder yet. Look for them with: limner connect",
    choice="a folder of photos",
    spelled=_with_scheme,
    shown=_without_scheme,
    about="Limner finds faces and reads names",
    fields=(LibraryField("address", "/home/me/photos", label="folder", is_path=True),),
)
