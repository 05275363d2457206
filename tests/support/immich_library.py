"""Immich as Limner opens it, from the server that stands in for it."""

from __future__ import annotations

from pathlib import Path

from engine.library.faces import LibraryFace
from engine.library.immich.library import ImmichLibrary
from engine.library.people import find_person
from engine.library.registry import connect
from engine.project import Project
from engine.settings import LibrarySettings
from tests.support.immich_server import API_KEY, Server


def opened(
    server: Server | str, base: Path | None = None, key: str | None = API_KEY, **settings: object
) -> ImmichLibrary:
    """The library of a server, or of its address; ``base`` is the project that photos are fetched into."""
    url = server if isinstance(server, str) else server.url
    library = connect(LibrarySettings(url=f"immich+{url}", **settings), key, base, typed=True)  # type: ignore[arg-type]
    assert isinstance(library, ImmichLibrary)
    return library


def connected(project: Project, server: Server | str) -> Project:
    """The project, its library set."""
    url = server if isinstance(server, str) else server.url
    project.change({"library.url": f"immich+{url}"})
    return project


def faces_of(library: ImmichLibrary, person: str) -> dict[str, LibraryFace]:
    """A person's faces by the names of their files."""
    found = library.faces(find_person(library.people(), person))
    return {face.file_name.rpartition("/")[2]: face for face in found}


def fetch(library: ImmichLibrary, face: LibraryFace) -> Path:
    """Where a face's photo lies now."""
    return library.roots.path(face.file_root, face.file_name)
