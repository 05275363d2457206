"""What is known of each training image without looking at it: measured on its face, told by the library."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from engine.dataset.files.image_faces import faces_of_images
from engine.dataset.files.manifest import Manifest
from engine.faces.photo.geometry import CLOSE_SHARE, HALF_SHARE
from engine.faces.records.decisions import Face
from engine.faces.records.measurements import Light, View
from engine.library.photo_words import PhotoWords
from engine.project import Project
from engine.settings import Told
from engine.storage.database import Store
from engine.storage.untrusted_files import parse_json

MOST_LABELS = 4
"""More than this of a photo's labels say hardly more of the crop."""

LIGHTS = {Light.DARK: "low light", Light.BRIGHT: "bright light", Light.FLAT: "flat light"}
"""Good light needs no word."""

VIEWS = {View.TURNED: "three-quarter view", View.PROFILE: "profile"}
"""Nor does a face that looks at the camera."""


@dataclass(frozen=True)
class Known:
    """What is known of one image; None and nothing always mean "not known", and then it is not said."""

    face_share: float | None = None
    """The face's height as a share of the image's."""
    view: View | None = None
    light: Light | None = None
    labels: tuple[str, ...] = ()
    place: str = ""
    year: str = ""

    def words(self, told: Iterable[Told]) -> list[str]:
        """What is to be told of it, as parts of a caption."""
        found: list[str] = []
        for each in told:
            match each:
                case Told.FRAMING:
                    found += [framing_words(self.face_share)] if self.face_share is not None else []
                case Told.VIEW:
                    found += [VIEWS[self.view]] if self.view in VIEWS else []
                case Told.LIGHT:
                    found += [LIGHTS[self.light]] if self.light in LIGHTS else []
                case Told.LABELS:
                    found += [label.lower() for label in self.labels]
                case Told.PLACE:
                    found += [self.place.replace(",", " ")] if self.place else []
                case Told.YEAR:
                    found += [self.year] if self.year else []
        return found


def framing_words(face_share: float) -> str:
    """What a crop shows, by the face's height as a share of its side. A crop that the photo's edges kept small is
    named for what it shows, not for what was asked for."""
    if face_share >= CLOSE_SHARE:
        return "close-up"
    return "half body" if face_share >= HALF_SHARE else "full body"


def known_images(project: Project, manifest: Manifest) -> dict[str, Known]:
    """What is known of each image that was cut from a photo, by its file's name."""
    with project.store() as store:
        faces = faces_of_images(store, manifest)
        words = photo_words(store)
    return {
        manifest.file_name(entry.number): _known(entry.face_share, faces.get(entry.number), words)
        for entry in manifest.entries
    }


def photo_words(store: Store) -> dict[str, PhotoWords]:
    """What the library told of photos, as it was last read."""
    rows = store.rows("SELECT photo_uid, labels, place FROM photo_words")
    return {
        row["photo_uid"]: PhotoWords(row["photo_uid"], tuple(parse_json(row["labels"])), row["place"]) for row in rows
    }


def keep_photo_words(store: Store, words: Iterable[PhotoWords]) -> None:
    """Keeps what the library tells of photos, in place of what it told before."""
    rows = [(each.photo_uid, json.dumps(each.labels, ensure_ascii=False), each.place) for each in words]
    with store.change() as change:
        change.executemany("INSERT OR REPLACE INTO photo_words (photo_uid, labels, place) VALUES (?, ?, ?)", rows)


def _known(face_share: float, face: Face | None, words: dict[str, PhotoWords]) -> Known:
    if face is None:
        return Known(face_share)
    told = words.get(face.photo_uid, PhotoWords(face.photo_uid))
    year = (face.taken_at or "")[:4]
    return Known(face_share, face.measures.view, face.measures.light, told.labels[:MOST_LABELS], told.place, year)
