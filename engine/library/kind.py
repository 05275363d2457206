"""What a kind of photo library is: its addresses, how it is opened, and what it can do."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from engine.library.address import LibraryAddress
from engine.library.base import Library
from engine.library.people import Person
from engine.settings import LibrarySettings


@dataclass(frozen=True)
class LibraryKind:
    """A kind of photo library.

    Another package's kind is named after its one scheme, and the entry point is too: ``immich`` opens ``immich://…``.
    """

    name: str
    schemes: tuple[str, ...]
    """What its addresses begin with, in lower case, without ``://``."""
    open: Callable[[LibraryAddress, LibrarySettings, str | None, Path | None], Library]
    """Opens it, able to read only. Gets the address, the settings, the password or None, and the project's folder or
    None; raises LibraryError."""
    title: str
    """As messages call it: ``PhotoPrism``."""
    finds_faces: bool = False
    """Limner looks for the faces itself, when the library is connected; otherwise the library knows them."""
    nobody: str = ""
    """What to do where it has no people, one sentence."""


@runtime_checkable
class EditablePeople(Protocol):
    """A library whose people are named and merged in Limner; what is changed lies in the project."""

    def rename(self, wanted: str, name: str) -> tuple[Person, str]:
        """Names a person; returns who it was, and the name. Raises LibraryError."""

    def merge(self, wanted: str, others: Collection[str]) -> tuple[Person, tuple[Person, ...]]:
        """Gives a person the faces of others; returns the person and those merged. Raises LibraryError."""
