"""An Immich library: its people and their faces, photos fetched as they are needed.

``GET /people`` lists people, ``POST /search/metadata`` the photos of one, ``GET /faces`` the faces of each. Embeddings
are not told: who is somebody else, Limner sees itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from engine.counting import many
from engine.errors import WrongPassword
from engine.library.address import LibraryAddress
from engine.library.base import Description
from engine.library.faces import IMMICH_ROOT, LibraryFace, Marker
from engine.library.immich.permissions import GIVE_ALL, Permission
from engine.library.immich.photos import ImmichPhotos
from engine.library.immich.records import (
    Asset,
    Face,
    ImmichPerson,
    asset_of,
    faces_of,
    library_faces,
    markers,
    person_of,
)
from engine.library.immich.search import photos_of
from engine.library.immich.session import ImmichSession
from engine.library.people import MOST_PEOPLE, Person
from engine.library.photo_words import PhotoWords
from engine.library.values import json_number
from engine.library.web.library import WebLibrary
from engine.library.web.messages import quoted
from engine.library.web.originals import RemoteFile
from engine.library.web.session import AT_ONCE, Refused

AHEAD = 4 * AT_ONCE
"""Photos that are asked about at a time."""

PAGE = 500
"""People an answer."""

MOST_KEPT = 200_000_000
"""Bytes of faces that are kept while the library is open; what comes after is asked for each time."""


class ImmichLibrary(WebLibrary):
    """An open library. Use it in a ``with``; every method raises LibraryError where the server can't be asked.

    Args:
        address: Immich's.
        key: an API key.
        cache: the project's cache, where photos are fetched to; None: there is no project.
        private: whether archived photos and hidden people count.
    """

    def __init__(self, address: LibraryAddress, key: str | None, cache: Path | None, private: bool) -> None:
        self._session = ImmichSession(address, key)
        self._private = private
        self._people: list[ImmichPerson] | None = None
        self._named: list[Person] | None = None
        self._photos: dict[str, list[Asset]] = {}
        self._faces: dict[str, tuple[Face, ...]] = {}
        self._kept = 0
        self._without_a_face = 0
        self._files: dict[tuple[str, str], RemoteFile] = {}
        super().__init__(address, self._session, ImmichPhotos(session=self._session, cache=cache, known=self._files))
        self._version = self._session.version()

    def cautions(self) -> tuple[str, ...]:
        """What a person should know of the connection; once faces were read, what of them could not be had."""
        told = super().cautions()
        if not self._without_a_face:
            return told
        verb = "was" if self._without_a_face == 1 else "were"
        photos = many(self._without_a_face, "photo")
        return (*told, f"{photos} {verb} found for this person without a face of theirs: left out")

    def describe(self) -> Description:
        """Immich's version, the people and their photos, and what the key may.

        Raises:
            WrongPassword: the key lacks one of the five permissions; all that it lacks are named.
        """
        with ThreadPoolExecutor(AT_ONCE) as pool:
            allowed = list(pool.map(self._session.may, Permission))
        lacking = [permission for permission, may in zip(Permission, allowed, strict=True) if not may]
        if lacking:
            what = f"the API key lacks {'the permission ' if len(lacking) == 1 else ''}{', '.join(lacking)}"
            raise WrongPassword(what, GIVE_ALL)
        faces = sum(person.faces for person in self.people())
        may = f"the key may read {', '.join(each.allows for each in Permission)}"
        notes = (*self.cautions(), *self._about_names())
        return Description(self.server, str(self._version), None, faces, kind="Immich", notes=notes, may=may)

    def people(self) -> list[Person]:
        """Everyone with a name, most photos first. Which faces somebody confirmed is not told, and ``faces`` counts the
        photos and videos in the timeline, as Immich does."""
        if self._named is None:
            named = [each for each in self._everyone() if each.name]
            with ThreadPoolExecutor(AT_ONCE) as pool:
                people = list(pool.map(self._counted, named))
            self._named = sorted(people, key=lambda person: (-person.faces, person.name.casefold(), person.id))
        return list(self._named)

    def faces_of(self, uid: str) -> Iterator[LibraryFace]:
        """The faces of a person, oldest first."""
        return (face for asset, faces in self._with_faces(uid) for face in library_faces(asset, faces, uid))

    def markers_of(self, uid: str) -> Iterator[Marker]:
        """All faces, also nameless ones, of every photo that holds a face of a person."""
        return (marker for asset, faces in self._with_faces(uid) for marker in markers(asset, faces))

    def words(self, photos: Collection[str]) -> Iterator[PhotoWords]:
        """The user's tags and the towns of photos; those that are gone are left out."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for asset in pool.map(self._asset, sorted(set(photos))):
                if asset is not None:
                    yield asset.words

    def _everyone(self) -> list[ImmichPerson]:
        """All people that count, named or not, asked for once while the library is open."""
        if self._people is None:
            found: dict[str, ImmichPerson] = {}
            room = MOST_KEPT
            hidden = "true" if self._private else "false"
            page = 1
            while True:
                answer = self._session.ask("people", page=page, size=PAGE, withHidden=hidden)
                records = answer.get("people") if isinstance(answer, dict) else None
                if not isinstance(records, list):
                    raise self._session.not_ours()
                before = len(found)
                for person in map(person_of, records):
                    if person is not None and person.id not in found:
                        found[person.id] = person
                        room -= person.weight
                if len(found) > MOST_PEOPLE or room < 0:
                    raise self._session.endless()
                if not answer.get("hasNextPage"):
                    break
                if len(found) == before:
                    raise self._session.endless()
                page += 1
            self._people = [each for each in found.values() if self._private or not each.hidden]
        return self._people

    def _counted(self, person: ImmichPerson) -> Person:
        try:
            told = self._session.ask(f"people/{quoted(person.id)}/statistics")
        except Refused as error:
            if not self._session.is_gone(error):
                raise
            told = {}
        count = max(0, json_number(told, "assets")) if isinstance(told, dict) else 0
        return Person(person.id, person.name, count, None, None, None)

    def _about_names(self) -> Iterator[str]:
        nameless = sum(not each.name for each in self._everyone())
        if nameless:
            verb = "has" if nameless == 1 else "have"
            yield f"{many(nameless, 'person', 'people')} {verb} no name yet and can't be scanned: name them in Immich"

    def _with_faces(self, uid: str) -> Iterator[tuple[Asset, tuple[Face, ...]]]:
        """Every photo that shows a person, oldest first, with all its faces: some are asked for at a time, for some
        callers stop early."""
        if uid not in self._photos:
            self._photos = {uid: photos_of(self._session, self._version, uid, self._private)}
        assets = iter(self._photos[uid])
        missing = 0
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while some := list(islice(assets, AHEAD)):
                for asset, faces in zip(some, pool.map(self._faces_on, some), strict=True):
                    if any(face.person == uid for face in faces):
                        self._files[IMMICH_ROOT, asset.file_name] = RemoteFile(
                            asset.hash, asset.size, asset.id, asset.proven
                        )
                        yield asset, faces
                    else:
                        missing += 1
        self._without_a_face = missing

    def _faces_on(self, asset: Asset) -> tuple[Face, ...]:
        """The faces of one photo; none where it went away since it was listed."""
        if asset.id in self._faces:
            return self._faces[asset.id]
        try:
            faces = faces_of(self._session.ask("faces", id=asset.id))
        except Refused as error:
            if not self._session.is_gone(error):
                raise
            faces = ()
        self._kept += 100 + sum(face.weight for face in faces)
        if self._kept < MOST_KEPT:
            self._faces[asset.id] = faces
        return faces

    def _asset(self, uid: str) -> Asset | None:
        try:
            return asset_of(self._session.ask(f"assets/{quoted(uid)}"))
        except Refused as error:
            if not self._session.is_gone(error):
                raise
            return None
