"""What every library can be asked, whatever keeps it: who is in it, and where their faces are."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from engine.counting import many
from engine.library.address import LibraryAddress
from engine.library.faces import Embedding, LibraryFace, Marker
from engine.library.paths import Roots
from engine.library.people import Person
from engine.library.photo_words import PhotoWords


@dataclass(frozen=True)
class Description:
    """What a library is, and how much is in it."""

    server: str
    """``MariaDB 10.11.6``, ``SQLite 3.40.1`` or ``a plain folder``."""
    version: str
    """The keeper's own version, as far as it tells; may be empty."""
    photos: int | None
    """None: the library does not tell."""
    faces: int
    kind: str = "PhotoPrism"
    """Who keeps the index; empty for a plain folder."""
    unseen: int = 0
    """Photos that nobody has looked for faces on yet."""
    notes: tuple[str, ...] = ()
    """What a person should know of the connection, such as that it is not encrypted."""
    may: str = ""
    """What a key lets Limner read, where the library tells."""

    @property
    def about(self) -> str:
        """``MariaDB 10.11.6 · PhotoPrism 2024-12 · read-only``."""
        kept_by = f"{self.kind} {self.version}".strip()
        return " · ".join(filter(None, (self.server, kept_by, "read-only")))

    @property
    def line(self) -> str:
        """``MariaDB 10.11.6 · PhotoPrism 2024-12 · read-only · 61,204 photos · 38,911 faces``."""
        return " · ".join([self.about, self.counts])

    @property
    def counts(self) -> str:
        """``61,204 photos · 38,911 faces``, as far as they are known."""
        photos = [many(self.photos, "photo")] if self.photos is not None else []
        return " · ".join([*photos, many(self.faces, "face")])


class Library(Protocol):
    """An open library. Use it in a ``with``; every method raises LibraryError where it can't be read any more."""

    address: LibraryAddress
    roots: Roots

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    def close(self) -> None:
        """Ends the connection."""

    def cautions(self) -> tuple[str, ...]:
        """What a person should know of the connection, such as that it is not encrypted."""

    def describe(self) -> Description:
        """What it is, and the counts of photos and faces."""

    def people(self) -> list[Person]:
        """Everyone with a face, most faces first."""

    def faces(self, person: Person | str) -> Iterator[LibraryFace]:
        """The faces of a person (or of a person's id), oldest first."""

    def markers_beside(self, person: Person | str) -> Iterator[Marker]:
        """All faces, also nameless ones, of every file that holds a face of a person."""

    def embeddings(self, markers: Collection[str]) -> Iterator[Embedding]:
        """The embeddings of some markers; those that have none are left out."""

    def words(self, photos: Collection[str]) -> Iterator[PhotoWords]:
        """Labels and places of photos, by their ids; of a library that keeps none, nothing."""

    def files(self) -> Iterator[tuple[str, str]]:
        """Root and name of every file that holds a named face."""
