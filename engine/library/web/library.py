"""What libraries that are asked over HTTP answer in the same way, whatever their server calls things."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from types import TracebackType
from typing import Self

from engine.library.address import LibraryAddress
from engine.library.connection.tls import told_of
from engine.library.faces import Embedding, LibraryFace, Marker, bounded
from engine.library.paths import Roots
from engine.library.people import Person
from engine.library.web.session import WebSession


class WebLibrary(ABC):
    """An open library. Use it in a ``with``; every method raises LibraryError where the server can't be asked.

    Args:
        address: the server's.
        session: to it.
        roots: where photos are fetched to.
    """

    def __init__(self, address: LibraryAddress, session: WebSession, roots: Roots) -> None:
        self.address, self.roots = address, roots
        self._web = session

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connections. Photos can still be fetched."""
        self._web.close()

    def cautions(self) -> tuple[str, ...]:
        """What a person should know of the connection, such as that it is not encrypted."""
        return told_of(self.address, self.encrypted)

    @property
    def encrypted(self) -> bool:
        """Whether nobody on the way can read along."""
        return self.address.site.startswith("https://")

    @property
    def server(self) -> str:
        """How it is asked, for its description."""
        return "over HTTPS" if self.encrypted else "over HTTP"

    @abstractmethod
    def people(self) -> list[Person]:
        """Everyone with a face, most faces first."""

    @abstractmethod
    def faces_of(self, uid: str) -> Iterator[LibraryFace]:
        """The faces of a person, oldest first."""

    @abstractmethod
    def markers_of(self, uid: str) -> Iterator[Marker]:
        """All faces of every file that holds a face of a person."""

    def faces(self, person: Person | str) -> Iterator[LibraryFace]:
        """The faces of a person (or of a person's id), oldest first."""
        yield from bounded(self.faces_of(person if isinstance(person, str) else person.id))

    def markers_beside(self, person: Person | str) -> Iterator[Marker]:
        """All faces, also nameless ones, of every file that holds a face of a person."""
        yield from bounded(self.markers_of(person if isinstance(person, str) else person.id))

    def embeddings(self, markers: Collection[str]) -> Iterator[Embedding]:
        """None: neither PhotoPrism nor Immich tells them over HTTP."""
        yield from ()

    def files(self) -> Iterator[tuple[str, str]]:
        """Root and name of every file that holds a named face: all people are asked about, photo by photo."""
        seen: set[tuple[str, str]] = set()
        for person in self.people():
            for face in self.faces(person):
                if (key := (face.file_root, face.file_name)) not in seen:
                    seen.add(key)
                    yield key
