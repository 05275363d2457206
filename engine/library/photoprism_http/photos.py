"""Originals of a PhotoPrism that is elsewhere, asked for by their checksum and a token for downloads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from engine.errors import LibraryError
from engine.library.paths import NoPhotosNow
from engine.library.photoprism_http.session import Session
from engine.library.web.messages import kind_of, quoted
from engine.library.web.originals import MOST_WORDS, RemoteFile, RemoteOriginals, refuse_pages
from engine.network.bounded_http import Answer


@dataclass(frozen=True, eq=False)
class RemotePhotos(RemoteOriginals):
    """PhotoPrism's originals and sidecar files."""

    session: Session | None = None

    title = "PhotoPrism"
    again = "index it again there"

    @contextmanager
    def request(self, told: RemoteFile, headers: Mapping[str, str]) -> Iterator[Answer]:
        """Asks for a file's bytes, with a token that may have run out meanwhile."""
        assert self.session is not None
        refused = None
        for _ in range(3):
            token = self.session.download_token(but=refused)
            path = f"/api/v1/dl/{told.hash}?t={quoted(token)}"
            with self.session.answer(path, headers, fine=(200, 206, 403, 404)) as response:
                if response.status != 403:
                    _refuse_no_photo(response)
                    yield response
                    return
                response.read(MOST_WORDS)
                refused = token
        raise NoPhotosNow(
            f"{self.session.address.where} lets this user view photos, not download them",
            "let it download in PhotoPrism, or give an app password that may",
        )


def _refuse_no_photo(response: Answer) -> None:
    """PhotoPrism draws its errors, some with status 200 (``internal/api/svg.go``)."""
    if response.status == 404:
        response.read(MOST_WORDS)
        raise LibraryError("the file is missing on the server", "index its folder again in PhotoPrism")
    if kind_of(response) == "image/svg+xml":
        response.read(MOST_WORDS)
        raise LibraryError("PhotoPrism sent a placeholder instead of the file", "look at the photo there")
    refuse_pages(response)
