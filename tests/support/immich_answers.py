"""What Immich's own API answers, in each version, about an ``Immich``: as far as a client asks that only reads."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from PIL import Image, ImageOps

from tests.support.immich_data import Asset, Face, Immich, Person
from tests.support.immich_questions import UUID4, Refused, Wrong, whole_number, yes_or_no
from tests.support.immich_search import Search

VERSIONS = ("1.132.3", "1.135.3", "2.7.5", "3.0.1", "3.3.5")
API_KEY = "immich-key-of-james-0123456789abcdefghijkl"
READING = frozenset({"person.read", "person.statistics", "face.read", "asset.read", "asset.download"})
"""The permissions of a key that Limner asks for."""
JSON = {"Content-Type": "application/json; charset=utf-8"}
WEB_APP = b"<!DOCTYPE html><html><head><title>Immich</title></head><body></body></html>"


@dataclass
class Answer:
    """What goes back."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Api:
    """A server's version and the one key that it knows; all of it may be changed while it runs."""

    immich: Immich
    version: str = VERSIONS[-1]
    key: str = API_KEY
    permissions: frozenset[str] = READING
    past_the_end: int = 416
    """What is answered to a range that begins behind a file's last byte."""
    _kept: dict[str, bytes] = field(default_factory=dict)

    @property
    def v(self) -> tuple[int, ...]:
        return numbers_of(self.version)

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        """Answers a question; ``headers`` have names in small letters."""
        parts = urlsplit(target)
        path = unquote(parts.path)
        try:
            told = self._open_to_all(path) if method == "GET" else None
            if told is not None:
                return self._json(told)
            if not re.match(r"/api(/|$)", path):
                return Answer(200, WEB_APP, {"Content-Type": "text/html; charset=utf-8"})
            for asked, pattern, permission, answering in self._routes():
                if asked == method and (found := pattern.fullmatch(path)):
                    self._let_in(headers, permission)
                    query = {name: values[-1] for name, values in parse_qs(parts.query, True).items()}
                    return answering(*found.groups(), Question(query, headers, body))
            raise Refused(404, f"Cannot {method} {path}", "Not Found")
        except Refused as refused:
            return self._refusal(refused)

    def _routes(self) -> list[tuple[str, re.Pattern[str], str, Callable[..., Answer]]]:
        return [
            ("GET", FACES, "face.read", self._faces),
            ("GET", ORIGINAL, "asset.download", self._original),
            ("POST", SEARCH, "asset.read", self._search),
            ("GET", PEOPLE, "person.read", self._people),
            ("GET", STATISTICS, "person.statistics", self._statistics),
            ("GET", PERSON, "person.read", self._person),
            ("GET", ASSET, "asset.read", self._asset),
            ("GET", THUMBNAIL, "asset.view", self._thumbnail),
        ]

    def _open_to_all(self, path: str) -> object:
        if path == "/api/server/ping":
            return {"res": "pong"}
        if path == "/api/server/version":
            told: dict[str, int | None] = dict(zip(("major", "minor", "patch"), self.v, strict=True))
            return {**told, "prerelease": None} if self.v >= (3,) else told
        return {"api": {"endpoint": "/api"}} if path == "/.well-known/immich" else None

    def _let_in(self, headers: dict[str, str], permission: str) -> None:
        if "x-api-key" not in headers:
            raise Refused(401, "Authentication required", "Unauthorized")
        if headers["x-api-key"] != self.key:
            raise Refused(401, "Invalid API key", "Unauthorized")
        if permission not in self.permissions:
            raise Refused(403, f"Missing required permission: {permission}", "Forbidden")

    def _refusal(self, refused: Refused) -> Answer:
        if self.v >= (3,):
            told: dict[str, object] = {"message": refused.message}
            if refused.wrong:
                errors = [{"code": each.code, "path": each.path, "message": each.now} for each in refused.wrong]
                told = {"message": "Validation failed", "errors": errors}
            return self._json(told, refused.status, {"X-Correlation-ID": "c1"})
        told = {"message": [each.before for each in refused.wrong] or refused.message}
        told |= {"error": refused.error} if refused.error else {}
        return self._json({**told, "statusCode": refused.status, "correlationId": "c1"}, refused.status)

    def _json(self, told: object, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
        return Answer(status, json.dumps(told, separators=(",", ":")).encode(), {**JSON, **(headers or {})})

    def _people(self, question: Question) -> Answer:
        query, wrong = question.query, list[Wrong]()
        page = whole_number("page", query.get("page", "1"), 1, None, wrong, as_text=True)
        size = whole_number("size", query.get("size", "500"), 1, 1000, wrong, as_text=True)
        hidden = yes_or_no("withHidden", query.get("withHidden", "false"), wrong, as_text=True)
        if wrong:
            raise Refused(400, "", "Bad Request", wrong)
        counts = self._counts()
        known = [each for each in self.immich.people if each.mine and counts.get(each.id)]
        listed = [each for each in known if each.name or counts[each.id] >= self.immich.min_faces]
        listed = [each for each in listed if hidden or not each.hidden]
        listed.sort(key=lambda p: (p.hidden, not p.favourite, not p.name, -counts[p.id], p.name))
        told = {"total": len(known), "hidden": sum(each.hidden for each in known)}
        shown = listed[(page - 1) * size : page * size]
        more = {"hasNextPage": len(listed) > page * size, "people": [self.person(each) for each in shown]}
        return self._json({**told, **more})

    def _counts(self) -> dict[str, int]:
        """How many faces people have in the timeline, by their ids."""
        counts: dict[str, int] = {}
        for asset in self.immich.assets.values():
            if asset.visibility == "timeline" and not asset.trashed:
                for face in asset.faces:
                    if face.person and not face.deleted:
                        counts[face.person.id] = counts.get(face.person.id, 0) + 1
        return counts

    def _person(self, person_id: str, question: Question) -> Answer:
        return self._json(self.person(self._of_person(person_id)))

    def _statistics(self, person_id: str, question: Question) -> Answer:
        person, count = self._of_person(person_id), 0
        for asset in self.immich.assets.values():
            there = any(face.person is person and not face.deleted for face in asset.faces)
            count += there and asset.visibility == "timeline" and not asset.trashed
        return self._json({"assets": count})

    def _of_person(self, person_id: str) -> Person:
        self._is_id(person_id)
        found = next((each for each in self.immich.people if each.id == person_id and each.mine), None)
        if found is None:
            raise Refused(400, "Not found or no person.read access", "Bad Request")
        return found

    def _of_asset(self, asset_id: str, permission: str) -> Asset:
        self._is_id(asset_id)
        found = self.immich.assets.get(asset_id)
        if found is None or found.visibility == "locked":
            raise Refused(400, f"Not found or no {permission} access", "Bad Request")
        return found

    def _is_id(self, told: str) -> None:
        if not UUID4.fullmatch(told):
            raise Refused(
                400, "", "Bad Request", [Wrong("invalid_format", ["id"], "Invalid UUID", "id must be a UUID")]
            )

    def _search(self, question: Question) -> Answer:
        is_json = question.headers.get("content-type", "").startswith("application/json")
        try:
            body = json.loads(question.body) if is_json else None
        except ValueError:
            raise Refused(400, "Unexpected token in JSON", "Bad Request") from None
        kept = self._kept.get(text := self.version + json.dumps(body)) if self.immich.still else None
        if kept is None:
            found = Search(self.immich, self.v, body).found()
            items = [self.asset(each, found.exif, found.people) for each in found.assets]
            assets = {"total": len(items), "count": len(items), "items": items, "facets": []}
            assets["nextPage"] = found.next_page
            if self.v >= (3, 2):
                assets["nextCursor"] = found.next_cursor
            kept = self._json({"albums": {"total": 0, "count": 0, "items": [], "facets": []}, "assets": assets}).body
            if self.immich.still:
                self._kept[text] = kept
        return Answer(200, kept, JSON)

    def _faces(self, question: Question) -> Answer:
        asset = self._of_asset(question.query.get("id", ""), "asset.read")
        faces = sorted((each for each in asset.faces if not each.deleted), key=lambda each: each.box[0])
        told = []
        for each in faces:
            mine = each.person is not None and each.person.mine
            told.append({**self.face(each), "person": self.person(each.person) if mine and each.person else None})
        return self._json(told)

    def _asset(self, asset_id: str, question: Question) -> Answer:
        asset = self._of_asset(asset_id, "asset.read")
        user = {"id": self.immich.owner, "name": "James", "email": "james@example.com", "profileImagePath": ""}
        user |= {"avatarColor": "primary", "profileChangedAt": "2024-01-01T00:00:00.000Z"}
        return self._json({**self.asset(asset, True, True), "owner": user, "tags": [], "stack": None})

    def _original(self, asset_id: str, question: Question) -> Answer:
        asset = self._of_asset(asset_id, "asset.download")
        edited = question.query.get("edited") == "true" and self.v >= (2, 5) and asset.edited is not None
        path = asset.edited if edited and asset.edited else asset.path
        try:
            data, changed = path.read_bytes(), int(path.stat().st_mtime)
        except OSError:
            if self.v >= (3,):
                raise Refused(404, "Not Found", "Not Found") from None
            raise Refused(500, "Internal server error") from None
        data += b"" if edited else asset.tail
        headers = {
            "Content-Type": "image/jpeg" if edited else asset.mime,
            "Content-Disposition": f"inline; filename*=UTF-8''{quote(asset.name, safe='')}",
            "Cache-Control": "private, max-age=86400, no-transform",
            "Accept-Ranges": "bytes",
            "ETag": f'W/"{len(data):x}-{changed:x}"',
        }
        return self._ranged(data, headers, question.headers)

    def _ranged(self, data: bytes, headers: dict[str, str], asked: dict[str, str]) -> Answer:
        if asked.get("if-none-match") == headers["ETag"]:
            return Answer(304, b"", headers)
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", asked.get("range", ""))
        same = asked.get("if-range", headers["ETag"]) == headers["ETag"]
        if wanted is None or wanted[0] == "bytes=-" or not same:
            return Answer(200, data, headers)
        end = len(data)
        start = int(wanted[1]) if wanted[1] else max(0, end - int(wanted[2]))
        if wanted[1] and wanted[2]:
            end = min(end, int(wanted[2]) + 1)
        if start >= end:
            if self.past_the_end == 500:
                raise Refused(500, "Internal server error")
            return Answer(self.past_the_end, b"", {**headers, "Content-Range": f"bytes */{len(data)}"})
        told = {**headers, "Content-Range": f"bytes {start}-{end - 1}/{len(data)}"}
        return Answer(206, data[start:end], told)

    def _thumbnail(self, asset_id: str, question: Question) -> Answer:
        asset = self._of_asset(asset_id, "asset.view")
        file = BytesIO()
        with Image.open(asset.edited or asset.path) as image:
            ImageOps.exif_transpose(image).convert("RGB").resize(asset.preview).save(file, "JPEG")
        return Answer(200, file.getvalue(), {"Content-Type": "image/jpeg"})

    def person(self, person: Person) -> dict[str, Any]:
        """A person as any answer tells one."""
        told = {"id": person.id, "name": person.name, "birthDate": None, "isHidden": person.hidden}
        told |= {"thumbnailPath": f"/data/thumbs/{person.id}.jpeg", "isFavorite": person.favourite}
        told["updatedAt"] = "2024-01-01T00:00:00.000Z"
        return {**told, "otherPeople": [], "sharedBy": [], "sharedWith": []} if self.v >= (3, 3) else told

    def face(self, face: Face) -> dict[str, Any]:
        """A face as any answer tells one, without its person."""
        told: dict[str, Any] = {"id": face.id, "imageHeight": face.size[1], "imageWidth": face.size[0]}
        for name, value in zip(("X1", "Y1", "X2", "Y2"), face.box, strict=True):
            told[f"boundingBox{name}"] = int(value) if value == int(value) else value
        return {**told, "sourceType": face.source}

    def asset(self, asset: Asset, exif: bool, people: bool) -> dict[str, Any]:
        """An asset as this version tells one."""
        still = asset.kind == "IMAGE"
        told: dict[str, Any] = {"id": asset.id, "ownerId": self.immich.owner, "libraryId": None, "type": asset.kind}
        told |= {"originalPath": f"/data/{asset.path.name}", "originalFileName": asset.name}
        told |= {"originalMimeType": asset.mime, "thumbhash": "2fcZFIB3iId/h3iJh4aIYJ2V8g==", "duplicateId": None}
        told |= dict.fromkeys(("fileCreatedAt", "fileModifiedAt", "localDateTime"), asset.taken)
        told |= {"updatedAt": "2024-01-01T00:00:00.000Z", "isFavorite": False, "isOffline": False}
        told |= {"isArchived": asset.visibility == "archive", "isTrashed": asset.trashed, "hasMetadata": True}
        told |= {"livePhotoVideoId": asset.live_video, "checksum": asset.checksum, "resized": True}
        if self.v >= (1, 133):
            told["visibility"] = asset.visibility
        if self.v >= (2, 5):
            told |= {"width": asset.size[0], "height": asset.size[1], "isEdited": asset.edited is not None}
            told["createdAt"] = "2024-01-01T00:00:00.000Z"
        if self.v >= (3,):
            told["duration"] = None if still else 4500
        else:
            told |= {"duration": "0:00:00.00000" if still else "0:00:04.50000"}
            told |= {"deviceAssetId": asset.name, "deviceId": "Library Import"}
        if exif:
            told["exifInfo"] = self._exif(asset)
        return {**told, **self._people_of(asset, people)}

    def _exif(self, asset: Asset) -> dict[str, Any]:
        told: dict[str, Any] = {"exifImageWidth": asset.stored[0], "exifImageHeight": asset.stored[1]}
        told |= {"orientation": str(asset.orientation), "fileSizeInByte": asset.length, "city": asset.city}
        told |= {"dateTimeOriginal": asset.taken.replace(".000Z", "+00:00"), "state": None, "country": asset.country}
        told |= dict.fromkeys(("make", "model", "lensModel", "latitude", "longitude", "projectionType", "rating"))
        return {**told, "description": "", "timeZone": "UTC"}

    def _people_of(self, asset: Asset, asked: bool) -> dict[str, Any]:
        if not asked:
            return {"people": []}
        seen = [each for each in asset.faces if not each.deleted]
        people = list(dict.fromkeys(each.person for each in seen if each.person))
        if self.v >= (3,):
            return {"people": [self.person(each) for each in people]}
        told = [
            {**self.person(person), "faces": [self.face(each) for each in seen if each.person is person]}
            for person in people
        ]
        return {"people": told, "unassignedFaces": [self.face(each) for each in seen if each.person is None]}


@dataclass
class Question:
    """What was asked, without its path."""

    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


FACES = re.compile("/api/faces")
SEARCH = re.compile("/api/search/metadata")
PEOPLE = re.compile("/api/people")
PERSON = re.compile("/api/people/([^/]+)")
STATISTICS = re.compile("/api/people/([^/]+)/statistics")
ASSET = re.compile("/api/assets/([^/]+)")
ORIGINAL = re.compile("/api/assets/([^/]+)/original")
THUMBNAIL = re.compile("/api/assets/([^/]+)/thumbnail")


@cache
def numbers_of(version: str) -> tuple[int, ...]:
    """A version, to compare."""
    return tuple(int(each) for each in version.split("."))


def reason(status: int) -> str:
    """The words of a status."""
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Unknown"
