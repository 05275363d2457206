"""What a kind of photo library is: its addresses, what has to be known to open it, and what it can do."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from engine.library.address import LibraryAddress
from engine.library.base import Library
from engine.library.people import Person
from engine.secrets import PASSWORD_VARIABLE
from engine.settings import LibrarySettings


@dataclass(frozen=True)
class LibraryField:
    """Something that has to be known to open a library."""

    name: str
    """``address``, ``user``, ``password``, ``originals`` or ``sidecar``."""
    hint: str
    """An example, or where it is taken from when it is left empty."""
    label: str = ""
    """What it is called where the name does not fit: ``key``."""
    is_path: bool = False
    """Whether it is completed from this machine's folders."""

    @property
    def title(self) -> str:
        """What stands beside it."""
        return self.label or self.name


ADDRESS = LibraryField("address", "")


@dataclass(frozen=True)
class LibraryKind:
    """A kind of photo library.

    Another package's kind is named after its one scheme, and the entry point is too: ``lychee`` opens ``lychee://…``.
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
    choice: str = ""
    """As the list of kinds calls it; the title where left out."""
    about: str = ""
    """What of it has to be within reach, in a few words for that list."""
    spelled: Callable[[str], str] = str
    """The address of what was typed for it: a folder's path, or a host, without its scheme."""
    shown: Callable[[str], str] = str
    """The other way: what a user would have typed for an address."""
    fields: tuple[LibraryField, ...] = (ADDRESS,)
    """What has to be known to open it, in the order in which it is asked for."""
    secret_variable: str = PASSWORD_VARIABLE
    """The environment's variable with its password or key."""
    secret_name: str = "password"
    """What its secret is called: ``API key``."""

    may_be_open: bool = True
    """Whether there are some that ask for no password at all."""
    other_secret: str = ""
    """What is asked for where the address names no user: ``app password``; the secret's name where left out."""

    @property
    def asks_for(self) -> str:
        """What is asked for where the address names no user."""
        return self.other_secret or self.secret_name

    @property
    def chosen_by(self) -> str:
        """Its line in the list of kinds."""
        return self.choice or self.title


@runtime_checkable
class EditablePeople(Protocol):
    """A library whose people are named and merged in Limner; what is changed lies in the project."""

    def rename(self, wanted: str, name: str) -> tuple[Person, str]:
        """Names a person; returns who it was, and the name. Raises LibraryError."""

    def merge(self, wanted: str, others: Collection[str]) -> tuple[Person, tuple[Person, ...]]:
        """Gives a person the faces of others; returns the person and those merged. Raises LibraryError."""
