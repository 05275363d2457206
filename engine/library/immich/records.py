"""What Immich answers, as people, photos and faces. Anything may be missing or of another kind.

Names: the ``…ResponseDto`` of Immich's API, 1.132 to 3.3 (https://api.immich.app).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from engine.library.faces import IMMICH_ROOT, LibraryFace, Marker
from engine.library.photo_words import PhotoWords
from engine.library.values import LARGEST, NOWHERE, date_of, json_number, json_text

MOST_FACES = 1000
"""Faces and tags of a photo that are taken."""

SHORT_ID = 13
"""Letters of a photo's id that its file is named after: thousands of files are called ``image.jpg``."""

DRAWN = ("manual", "exif")
"""Values of ``sourceType`` that say a person drew the face or named it in the file; the rest were found by the machine,
and nothing says whether anybody looked at them."""


@dataclass(frozen=True)
class ImmichPerson:
    """A person as Immich lists them."""

    id: str
    name: str
    """Empty: nobody named them yet."""
    hidden: bool

    @property
    def weight(self) -> int:
        """Bytes that they take in memory, about."""
        return 300 + 2 * (len(self.id) + len(self.name))


@dataclass(frozen=True)
class Asset:
    """A photo."""

    id: str
    name: str
    """As the file was called on the phone or camera."""
    hash: str
    """What tells the original's bytes from others, 40 digits: their SHA-1, or ``_state_of`` the file; empty where
    neither is told."""
    proven: bool
    """Whether ``hash`` is the SHA-1 of its bytes."""
    size: int
    """Bytes of the original; 0: not told."""
    taken_at: str | None
    edited: bool
    """Whether it was cropped or turned in Immich: boxes are of the edited picture then, the file is the original."""
    shown: bool
    """Whether it is an image in the timeline: no video, not archived, not in the trash, not the moving half of a live
    photo."""
    archived: bool
    words: PhotoWords

    @property
    def weight(self) -> int:
        """Bytes that it takes in memory, about."""
        return 800 + 2 * len(self.name) + sum(60 + len(each) for each in self.words.labels) + len(self.words.place)

    @property
    def file_name(self) -> str:
        """A name for its file that no other photo has, and that says which it is."""
        name = PurePosixPath(self.name).name
        return f"{self.id[:SHORT_ID]}/{'photo' if name in ('', '..') else name}"


@dataclass(frozen=True)
class Face:
    """A face on a photo."""

    id: str
    person: str
    """Empty: nobody's, or of another user's person."""
    name: str
    box: tuple[float, float, float, float]
    """x, y, w, h in fractions of the upright picture that it was found on."""
    measured_on: tuple[int, int] | None
    """Width and height of that picture."""
    drawn: bool

    @property
    def weight(self) -> int:
        """Bytes that it takes in memory, about."""
        return 600 + len(self.name)


def person_of(record: object) -> ImmichPerson | None:
    """A person; None for what is none."""
    if not isinstance(record, dict) or not json_text(record, "id"):
        return None
    name = " ".join(json_text(record, "name").split())
    return ImmichPerson(json_text(record, "id"), name, record.get("isHidden") is True)


def asset_of(record: object) -> Asset | None:
    """A photo; None for what is none."""
    if not isinstance(record, dict) or not json_text(record, "id"):
        return None
    seen_as = json_text(record, "visibility") or ("archive" if record.get("isArchived") is True else "timeline")
    archived = seen_as == "archive" or record.get("isArchived") is True
    gone = record.get("isTrashed") is True or record.get("isOffline") is True
    exif = record.get("exifInfo")
    exif = exif if isinstance(exif, dict) else {}
    uid = json_text(record, "id")
    size = max(0, json_number(exif, "fileSizeInByte"))
    told = _sha1(json_text(record, "checksum"))
    proven = not json_text(record, "libraryId") and told != _sha1_of(f"path:{json_text(record, 'originalPath')}")
    return Asset(
        id=uid,
        name=json_text(record, "originalFileName"),
        hash=told if proven or not told else _state_of(record, size),
        proven=proven,
        size=size,
        taken_at=date_of(json_text(record, "localDateTime")) or date_of(json_text(record, "fileCreatedAt")),
        edited=record.get("isEdited") is True,
        shown=json_text(record, "type") == "IMAGE" and not gone and seen_as in ("timeline", "archive"),
        archived=archived,
        words=PhotoWords(uid, tuple(_tags(record)), json_text(exif, "city").strip()),
    )


def faces_of(answer: object) -> tuple[Face, ...]:
    """The faces of a photo, as ``GET /faces`` lists them."""
    if not isinstance(answer, list):
        return ()
    found = (_face(each) for each in answer[:MOST_FACES] if isinstance(each, dict))
    return tuple(face for face in found if face is not None)


def library_faces(asset: Asset, faces: tuple[Face, ...], person: str) -> Iterator[LibraryFace]:
    """A person's faces on a photo."""
    for face in faces:
        if face.person == person:
            yield LibraryFace(
                marker_uid=face.id,
                person_uid=face.person,
                person=face.name,
                box=face.box,
                confirmed=face.drawn,
                file_uid=asset.id,
                file_root=IMMICH_ROOT,
                file_name=asset.file_name,
                file_width=None,
                file_height=None,
                photo_uid=asset.id,
                taken_at=asset.taken_at,
                neighbours=len(faces) - 1,
                file_hash=asset.hash,
                file_size=asset.size or None,
                measured_on=face.measured_on,
                to_prove=asset.edited,
            )


def markers(asset: Asset, faces: tuple[Face, ...]) -> Iterator[Marker]:
    """All faces on a photo."""
    return (Marker(face.id, asset.id, face.box) for face in faces)


def _face(record: dict[str, Any]) -> Face | None:
    uid = json_text(record, "id")
    if not uid:
        return None
    person = record.get("person")
    person = person if isinstance(person, dict) else {}
    width, height = json_number(record, "imageWidth"), json_number(record, "imageHeight")
    size = (width, height) if width > 0 and height > 0 else None
    return Face(
        id=uid,
        person=json_text(person, "id"),
        name=" ".join(json_text(person, "name").split()),
        box=_box(record, size),
        measured_on=size,
        drawn=json_text(record, "sourceType") in DRAWN,
    )


def _box(record: Mapping[str, Any], size: tuple[int, int] | None) -> tuple[float, float, float, float]:
    """Corners in pixels of a smaller picture, negative or fractions of a pixel now and then; a box without area, which
    no face can be cut from, where they are none."""
    corners = [record.get(f"boundingBox{corner}") for corner in ("X1", "Y1", "X2", "Y2")]
    if size is None or not all(isinstance(each, (int, float)) and abs(each) < LARGEST for each in corners):
        return NOWHERE
    sides = (*size, *size)
    left, top, right, bottom = (
        min(1.0, max(0.0, float(each or 0) / side)) for each, side in zip(corners, sides, strict=True)
    )
    box = (left, top, max(0.0, right - left), max(0.0, bottom - top))
    return box if all(map(math.isfinite, box)) else NOWHERE


def _sha1(checksum: str) -> str:
    """Immich has it in base64."""
    try:
        told = base64.b64decode(checksum, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return told.hex() if len(told) == 20 else ""


def _state_of(record: dict[str, Any], size: int) -> str:
    """A photo of an external library has the checksum of its path, ``path:/photos/a.jpg``, and none of its bytes
    (``processEntity`` in ``server/src/services/library.service.ts``). With its length and the time when it was changed
    that tells one state of the file from another."""
    changed = date_of(json_text(record, "fileModifiedAt")) or ""
    return _sha1_of(f"{json_text(record, 'checksum')} {size} {changed}")


def _sha1_of(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _tags(record: dict[str, Any]) -> Iterator[str]:
    """The user's own tags, by the last part of their names: ``Beach`` of ``Places/Beach``."""
    tags = record.get("tags")
    for each in tags[:MOST_FACES] if isinstance(tags, list) else ():
        name = json_text(each, "name") or json_text(each, "value") if isinstance(each, dict) else ""
        if name := name.rpartition("/")[2].strip():
            yield name
