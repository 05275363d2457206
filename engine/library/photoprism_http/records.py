"""What PhotoPrism answers over HTTP, as people, photos and faces. Anything may be missing or of another kind.

Names: PhotoPrism's ``internal/entity/photo.go``, ``file_json.go``, ``marker_json.go``, and
``internal/entity/search/subjects_results.go``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import NotALibrary
from engine.library.faces import LibraryFace, Marker
from engine.library.people import Person
from engine.library.photo_words import PhotoWords
from engine.library.photoprism_terms import CONFIRMED, LEAST_SURE, UNKNOWN_PLACE
from engine.library.values import LARGEST, date_of, json_number, json_text

MOST = 1000
"""Files of a photo, faces of a file and labels of a photo that are taken."""


@dataclass(frozen=True)
class RemoteMarker:
    """A valid face on a file."""

    uid: str
    subject: str
    name: str
    confirmed: bool
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class RemotePhotoFile:
    """A file of a photo that is there, with the valid faces on it."""

    uid: str
    root: str
    name: str
    hash: str
    size: int
    width: int
    height: int
    markers: tuple[RemoteMarker, ...]


@dataclass(frozen=True)
class RemotePhoto:
    """A photo with its files."""

    uid: str
    taken_at: str | None
    private: bool
    hidden: bool
    """Archived, or of a quality that PhotoPrism shows nobody."""
    files: tuple[RemotePhotoFile, ...]
    words: PhotoWords

    @property
    def weight(self) -> int:
        """Bytes that it takes in memory, about."""
        markers = (m for file in self.files for m in file.markers)
        letters = sum(len(file.name) + len(file.root) + len(file.uid) + len(file.hash) for file in self.files)
        of_markers = sum(500 + len(m.uid) + len(m.subject) + len(m.name) for m in markers)
        labels = sum(60 + len(label) for label in self.words.labels)
        return 500 + 600 * len(self.files) + letters + of_markers + labels + len(self.words.place)

    def usable(self, private: bool) -> bool:
        """Whether it counts, by the rules that hold for an index."""
        return not self.hidden and (private or not self.private)

    def faces_of(self, person: str) -> Iterator[LibraryFace]:
        """The faces of a person on it."""
        for file in self.files:
            for marker in file.markers:
                if marker.subject == person:
                    yield LibraryFace(
                        marker_uid=marker.uid,
                        person_uid=marker.subject,
                        person=marker.name,
                        box=marker.box,
                        confirmed=marker.confirmed,
                        file_uid=file.uid,
                        file_root=file.root,
                        file_name=file.name,
                        file_width=file.width or None,
                        file_height=file.height or None,
                        photo_uid=self.uid,
                        taken_at=self.taken_at,
                        neighbours=len(file.markers) - 1,
                        file_hash=file.hash,
                        file_size=file.size or None,
                    )

    def markers_beside(self, person: str) -> Iterator[Marker]:
        """All faces of the files that hold one of a person."""
        for file in self.files:
            if any(marker.subject == person for marker in file.markers):
                yield from (Marker(marker.uid, file.uid, marker.box) for marker in file.markers)


def person_of(record: Mapping[str, Any]) -> Person | None:
    """A person with faces; None for what is none, or is hidden."""
    uid, name, faces = json_text(record, "UID"), json_text(record, "Name"), json_number(record, "FileCount")
    if not uid or faces < 1 or record.get("Hidden") or json_text(record, "Type") not in ("", "person"):
        return None
    return Person(uid, name, faces, None, None, None)


def photo_of(record: object) -> RemotePhoto | None:
    """A photo; None where the answer is of none."""
    if not isinstance(record, dict) or not json_text(record, "UID"):
        return None
    files = record.get("Files")
    found = (_file(each) for each in files[:MOST] if isinstance(each, dict)) if isinstance(files, list) else ()
    return RemotePhoto(
        uid=json_text(record, "UID"),
        taken_at=date_of(json_text(record, "TakenAtLocal")) or date_of(json_text(record, "TakenAt")),
        private=bool(record.get("Private")),
        hidden=bool(record.get("DeletedAt")) or json_number(record, "Quality") < 0,
        files=tuple(file for file in found if file is not None),
        words=PhotoWords(json_text(record, "UID"), tuple(_labels(record)), _place(record)),
    )


def listed(answer: object, where: str) -> list[dict[str, Any]]:
    """A list of records. Raises NotALibrary where the answer is none."""
    if not isinstance(answer, list):
        raise NotALibrary(f"{where} does not answer as PhotoPrism does", "update PhotoPrism, or check the address")
    return [each for each in answer if isinstance(each, dict)]


def _file(record: dict[str, Any]) -> RemotePhotoFile | None:
    if record.get("Missing") or record.get("DeletedAt") or record.get("Error") or not json_text(record, "UID"):
        return None
    markers = record.get("Markers")
    found = (_marker(each) for each in markers[:MOST] if isinstance(each, dict)) if isinstance(markers, list) else ()
    return RemotePhotoFile(
        uid=json_text(record, "UID"),
        root=json_text(record, "Root"),
        name=json_text(record, "Name"),
        hash=json_text(record, "Hash").lower(),
        size=max(0, json_number(record, "Size")),
        width=json_number(record, "Width"),
        height=json_number(record, "Height"),
        markers=tuple(marker for marker in found if marker is not None),
    )


def _marker(record: dict[str, Any]) -> RemoteMarker | None:
    """A face; None for other markers, rejected ones and boxes without an area."""
    if json_text(record, "Type") != "face" or record.get("Invalid") or not json_text(record, "UID"):
        return None
    sides = [record.get(key, 0) for key in "XYWH"]
    if not all(isinstance(each, (int, float)) and abs(each) < LARGEST for each in sides):
        return None
    x, y, w, h = (float(each) for each in sides)
    if w <= 0 or h <= 0:
        return None
    confirmed = json_text(record, "SubjSrc") in CONFIRMED
    return RemoteMarker(
        json_text(record, "UID"), json_text(record, "SubjUID"), json_text(record, "Name"), confirmed, (x, y, w, h)
    )


def _labels(record: dict[str, Any]) -> Iterator[str]:
    """The surest first, as the index has them."""
    labels = record.get("Labels")
    sure: list[tuple[int, str]] = []
    for each in labels[:MOST] if isinstance(labels, list) else ():
        label = each.get("Label") if isinstance(each, dict) else None
        if isinstance(label, dict) and json_text(label, "Name") and json_number(each, "Uncertainty") <= LEAST_SURE:
            sure.append((json_number(each, "Uncertainty"), json_text(label, "Name")))
    yield from (name for _, name in sorted(sure))


def _place(record: dict[str, Any]) -> str:
    place = record.get("Place")
    if not isinstance(place, dict):
        return ""
    names = (json_text(place, "City"), json_text(place, "Label").partition(",")[0])
    return next((name.strip() for name in names if name.strip() not in UNKNOWN_PLACE), "")
