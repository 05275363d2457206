"""A PhotoPrism library over HTTP: the same people and faces as its index has, where only its web interface is seen.

``GET /subjects`` lists people, ``GET /photos`` the photos of one, ``GET /photos/:uid`` each with its files and their
face markers (PhotoPrism's ``internal/api/subjects_search.go``, ``photos_search.go``, ``photos.go``). Embeddings are
not told: who is somebody else, Limner sees itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

from engine.library.address import LibraryAddress
from engine.library.base import Description
from engine.library.faces import LibraryFace, Marker
from engine.library.people import Person
from engine.library.photo_words import PhotoWords
from engine.library.photoprism_http.photos import RemotePhotos
from engine.library.photoprism_http.records import RemotePhoto, listed, person_of, photo_of
from engine.library.photoprism_http.session import Session
from engine.library.values import json_number, json_text
from engine.library.web.library import WebLibrary
from engine.library.web.messages import quoted
from engine.library.web.originals import RemoteFile
from engine.library.web.session import AT_ONCE, Refused

AHEAD = 4 * AT_ONCE
"""Photos that are asked about at a time."""

PAGE = 500
"""People or photos an answer."""

MOST_ROWS = 1_000_000
"""People, photos of one person, or files that are taken of a library."""

MOST_KEPT = 200_000_000
"""Bytes of photos that are kept while the library is open, some 80,000; what comes after is asked for each time."""


class HttpLibrary(WebLibrary):
    """An open library. Use it in a ``with``; every method raises LibraryError where the server can't be asked.

    Args:
        address: PhotoPrism's.
        secret: a user's password or an app password; None: the library is open to all.
        cache: the project's cache, where photos are fetched to; None: there is no project.
        private: whether private photos count.
    """

    def __init__(self, address: LibraryAddress, secret: str | None, cache: Path | None, private: bool) -> None:
        self._session = Session(address, secret)
        self._private = private
        self._photos: dict[str, RemotePhoto | None] = {}
        self._kept = 0
        self._files: dict[tuple[str, str], RemoteFile] = {}
        super().__init__(address, self._session, RemotePhotos(session=self._session, cache=cache, known=self._files))
        try:
            self._config = self._session.ask("config")
        except Refused as error:
            raise self._session.not_ours() if error.status == 404 else error from error
        if not isinstance(self._config, dict) or "version" not in self._config:
            raise self._session.not_ours()

    def describe(self) -> Description:
        """PhotoPrism's version, and its counts of photos and of people's faces."""
        count = self._config.get("count")
        photos = json_number(count, "all") if isinstance(count, dict) else 0
        faces = sum(person.faces for person in self.people())
        return Description(self.server, self._version(), photos, faces, notes=self.cautions())

    def people(self) -> list[Person]:
        """Everyone with a face, most faces first; how many are confirmed is not told."""
        found = [person_of(each) for each in self._pages("subjects", type="person", files=1)]
        people = [person for person in found if person is not None]
        return sorted(people, key=lambda person: (-person.faces, person.name.casefold(), person.id))

    def faces_of(self, uid: str) -> Iterator[LibraryFace]:
        """The faces of a person, oldest first."""
        return (face for photo in self._photos_of(uid) for face in photo.faces_of(uid))

    def markers_of(self, uid: str) -> Iterator[Marker]:
        """All faces, also nameless ones, of every file that holds a face of a person."""
        return (marker for photo in self._photos_of(uid) for marker in photo.markers_beside(uid))

    def words(self, photos: Collection[str]) -> Iterator[PhotoWords]:
        """Labels and places of photos; those that are gone are left out."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for photo in pool.map(self._photo, sorted(set(photos))):
                if photo is not None:
                    yield photo.words

    def _photos_of(self, uid: str) -> Iterator[RemotePhoto]:
        """Every photo that a person is on, oldest first: some are asked for at a time, for some callers stop early."""
        public = {} if self._private else {"public": "true"}
        rows = self._pages("photos", q=f"subject:{uid}", primary="true", order="oldest", **public)
        uids = iter(dict.fromkeys(found for row in rows if (found := json_text(row, "UID"))))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while some := list(islice(uids, AHEAD)):
                for photo in pool.map(self._photo, some):
                    if photo is not None and photo.usable(self._private):
                        told = {(file.root, file.name): RemoteFile(file.hash, file.size) for file in photo.files}
                        self._files.update(told)
                        if len(self._files) > MOST_ROWS:
                            raise self._session.endless()
                        yield photo

    def _photo(self, uid: str) -> RemotePhoto | None:
        """One photo with its files and markers, asked for once while the library is open; None where it went away
        since it was listed."""
        if uid in self._photos:
            return self._photos[uid]
        try:
            photo = photo_of(self._session.ask(f"photos/{quoted(uid)}"))
        except Refused as error:
            if error.status != 404:
                raise
            photo = None
        self._kept += photo.weight if photo is not None else 100
        if self._kept < MOST_KEPT:
            self._photos[uid] = photo
        return photo

    def _pages(self, path: str, **query: object) -> Iterator[dict[str, Any]]:
        """All rows of a list, page by page."""
        offset, before = 0, ""
        while True:
            rows = listed(self._session.ask(path, **query, count=PAGE, offset=offset), self.address.where)
            yield from rows
            if len(rows) < PAGE:
                return
            offset += len(rows)
            first = json_text(rows[0], "UID")
            if offset > MOST_ROWS or first == before:
                raise self._session.endless()
            before = first

    def _version(self) -> str:
        """``241213`` of ``241213-382ffa899-Linux-AMD64``."""
        return json_text(self._config, "version").partition("-")[0]
