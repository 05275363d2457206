"""Originals of an Immich that is elsewhere, asked for by their photo's id and proven by their checksum."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from engine.errors import LibraryError
from engine.library.immich.session import ImmichSession
from engine.library.photo_suffixes import RAWS
from engine.library.web.messages import quoted
from engine.library.web.originals import MOST_WORDS, RemoteFile, RemoteOriginals, refuse_pages
from engine.library.web.session import Refused
from engine.network.bounded_http import Answer

MISSING = (404, 500)
"""A file that is missing on the server's disk: 500 in versions 1 and 2, 404 since 3.0."""


@dataclass(frozen=True, eq=False)
class ImmichPhotos(RemoteOriginals):
    """Immich's originals."""

    session: ImmichSession | None = None

    title = "Immich"
    again = "refresh its metadata there, or upload it again"

    def path(self, file_root: str, file_name: str) -> Path:
        """As ``RemoteOriginals.path``; what is not read anyway is not fetched."""
        if PurePosixPath(file_name).suffix.lower() in RAWS:
            raise LibraryError("a camera's raw file, which Limner does not read", "add a JPEG of it to Immich")
        return super().path(file_root, file_name)

    @contextmanager
    def request(self, told: RemoteFile, headers: Mapping[str, str]) -> Iterator[Answer]:
        """Asks for a file's bytes. An internal error is asked about twice: it may pass."""
        assert self.session is not None
        path = f"/api/assets/{quoted(told.id)}/original"
        for again in (False, True):
            with self.session.answer(path, headers, fine=(200, 206, 400, *MISSING)) as response:
                if response.status in (200, 206):
                    refuse_pages(response)
                    yield response
                    return
                response.read(MOST_WORDS)
                if response.status == 400:
                    raise LibraryError("the photo is not in Immich any more, or is another user's", "scan again")
                if response.status == 500 and "Range" in headers and again:
                    # Versions 1 and 2 answer so, too, where nothing comes behind what is there.
                    raise Refused(416, "the file is not as long as what is there of it")
                if response.status == 404 or again:
                    raise LibraryError("the file is missing on Immich's disk", "see Immich's log about it")
            self.session.pause(0)
