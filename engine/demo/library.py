"""Draw a photo library as PhotoPrism keeps one: originals, sidecar files and an index of the faces.

It holds what real libraries hold: photos turned by EXIF, people matched wrongly, a rejected marker, faces cut by the
edge, blurred ones, bursts, copies, archived, private, missing, broken and foreign files.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageFilter

from engine.demo.drawing import DrawnPhoto, Sitter, crop_portrait, draw_photo, random_scene, seat
from engine.demo.identity import DIMENSIONS, DrawnIdentity, Floats
from engine.demo.index import create_index, date_text, insert, new_uid, thumb_name
from engine.demo.people import CAST
from engine.demo.shots import Shot, plan_shots
from engine.errors import LibraryError

EMBEDDING = 512
"""The length of PhotoPrism's FaceNet embeddings."""
HEIC_HEADER = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"
TURN_BACK: Mapping[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""What turns an upright picture into the stored pixels of each EXIF orientation."""

Box = tuple[float, float, float, float]


SEED = 2019
"""Of the library that the demo draws."""


@dataclass(frozen=True)
class DrawnLibrary:
    """Where the drawn library lies; `url` is what Limner connects to."""

    index: Path
    originals: Path
    sidecar: Path
    url: str

    @classmethod
    def below(cls, folder: Path) -> DrawnLibrary:
        """The library that was, or will be, drawn into a folder."""
        index = folder / "index.db"
        return cls(index, folder / "originals", folder / "sidecar", f"sqlite:///{index.absolute()}")


@dataclass(frozen=True)
class Face:
    """A face on a drawn photo: whose it is ("" for a stranger), its box, and its embedding [512]."""

    name: str
    box: Box
    embedding: Floats


@dataclass(frozen=True)
class StoredPhoto:
    """A shot that lies on the disk. `file` is relative to the folder that `root` names; `size` is upright."""

    shot: Shot
    root: str
    file: str
    content: bytes
    size: tuple[int, int]
    faces: tuple[Face, ...]


def draw_library(folder: Path, *, seed: int = SEED, progress: Callable[[int, int], None] | None = None) -> DrawnLibrary:
    """Draw the demo library into `folder`; the same seed draws the same library.

    `progress` is told the photos drawn so far, and how many there will be.
    """
    library = DrawnLibrary.below(folder)
    if library.index.exists():
        raise LibraryError(f"{folder} holds a library already", "choose an empty folder")
    library.originals.mkdir(parents=True, exist_ok=True)
    library.sidecar.mkdir(parents=True, exist_ok=True)
    shots = plan_shots(seed)
    photos = []
    for done, shot in enumerate(shots, start=1):
        photos.append(_store(shot, library))
        if progress:
            progress(done, len(shots))
    connection = create_index(library.index)
    with connection:
        IndexWriter(connection, Random(f"{seed} uids")).write(photos)
    connection.close()
    return library


# --- pictures --------------------------------------------------------------------------------------------------------


def _store(shot: Shot, library: DrawnLibrary) -> StoredPhoto:
    """Draw a shot and write its file, with the damage that it is to have."""
    drawn = _draw(shot)
    faces = _faces(shot, drawn)
    content = _jpeg(drawn.image, shot.orientation, quality=60 if shot.copy else 90)
    if shot.not_a_picture:
        content = b"This was a photo once. The disk had other plans.\n" * 40
    elif shot.truncated:
        content = content[: len(content) // 3]
    root, file = "/", shot.path.as_posix()
    if shot.heic:
        _write(library.originals / shot.path, HEIC_HEADER)
        root, file = "sidecar", f"{file}.jpg"
    if not shot.missing:
        _write((library.sidecar if shot.heic else library.originals) / file, content)
    return StoredPhoto(shot, root, file, content, drawn.image.size, faces)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _draw(shot: Shot) -> DrawnPhoto:
    rng = Random(shot.seed)
    width, height = shot.size
    scene = random_scene(rng)
    sitters = seat(shot.people, rng, width, height, shot.face)
    if shot.burst:  # the same moment, a little later
        sitters = tuple(replace(sitter, x=sitter.x + 0.004 * shot.burst) for sitter in sitters)
    if shot.cut_off:
        sitters = tuple(_at_the_edge(sitter, width) for sitter in sitters)
    drawn = draw_photo(sitters, scene, width, height)
    if shot.blurred:
        drawn = replace(drawn, image=drawn.image.filter(ImageFilter.GaussianBlur(9 * height / 1200)))
    if shot.copy:
        drawn = replace(drawn, image=drawn.image.reduce(2))
    return drawn


def _at_the_edge(sitter: Sitter, width: int) -> Sitter:
    return replace(sitter, x=1 - 0.18 * sitter.face / width)


def _jpeg(image: Image.Image, orientation: int, quality: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    if orientation in TURN_BACK:
        image = image.transpose(TURN_BACK[orientation])
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, exif=exif)
    return buffer.getvalue()


def _faces(shot: Shot, drawn: DrawnPhoto) -> tuple[Face, ...]:
    """The faces as a detector finds them: a few per cent off, each number of the box clipped on its own."""
    rng = Random(f"{shot.seed} faces")
    faces = []
    for name, x, y, w, h in drawn.faces:
        grown = rng.uniform(0.96, 1.05)
        shift_x, shift_y = rng.uniform(-0.02, 0.02) * w, rng.uniform(-0.02, 0.02) * h
        left, top = x + w * (1 - grown) / 2 + shift_x, y + h * (1 - grown) / 2 + shift_y
        seen = _embedding(drawn.image, (left, top, w * grown, h * grown))
        tall = 1.25 if shot.drawn_by_hand else 1.0
        clipped = [min(1.0, max(0.0, part)) for part in (left, top, w * grown, h * grown * tall)]
        faces.append(Face(name, (clipped[0], clipped[1], clipped[2], clipped[3]), seen))
    return tuple(faces)


def _embedding(image: Image.Image, box: Box) -> Floats:
    """A unit vector [512] that is as close to others as the drawn faces are alike."""
    seen = DrawnIdentity.load().embed([crop_portrait(image, box)])[0]
    return np.asarray(_embedding_axes() @ seen, np.float32)


@cache
def _embedding_axes() -> Floats:
    """Where the dimensions of a drawn identity lie in PhotoPrism's space, [512, 24]."""
    axes, _ = np.linalg.qr(np.random.default_rng(EMBEDDING).normal(size=(EMBEDDING, DIMENSIONS)))
    return np.asarray(axes, np.float32)


# --- the index -------------------------------------------------------------------------------------------------------


class IndexWriter:
    """Writes people, photos, files and markers into a new index."""

    def __init__(self, connection: sqlite3.Connection, rng: Random) -> None:
        self.connection = connection
        self.rng = rng
        self.subjects = {person.name: new_uid("j", rng) for person in CAST}
        self.clusters: dict[str, tuple[str, Floats]] = {}

    def write(self, photos: Sequence[StoredPhoto]) -> None:
        """Fill the index."""
        self._write_people(photos)
        for photo in photos:
            self._write_photo(photo)

    def _write_people(self, photos: Sequence[StoredPhoto]) -> None:
        seen: dict[str, list[Floats]] = defaultdict(list)
        for photo in photos:
            for face in photo.faces:
                seen[face.name].append(face.embedding)
        for name, uid in self.subjects.items():
            centre = np.asarray(np.mean(seen[name], axis=0), np.float32)
            listed = _as_json(centre)
            cluster = base64.b32encode(hashlib.sha1(listed.encode()).digest()).decode()
            radius = max(float(np.linalg.norm(embedding - centre)) for embedding in seen[name])
            self.clusters[name] = (cluster, centre)
            row = {"id": cluster, "face_src": "", "subj_uid": uid, "samples": len(seen[name])}
            insert(self.connection, "faces", {**row, "sample_radius": radius, "embedding_json": listed})
            subject = {
                "subj_uid": uid, "subj_type": "person", "subj_src": "marker", "subj_slug": name.lower(),
                "subj_name": name, "file_count": len(seen[name]), "photo_count": len(seen[name]),
            }  # fmt: skip
            insert(self.connection, "subjects", {**subject, **_dates(photos[0].shot.taken_at)})

    def _write_photo(self, photo: StoredPhoto) -> None:
        shot = photo.shot
        dates = _dates(shot.taken_at)
        uid, file_uid = new_uid("p", self.rng), new_uid("f", self.rng)
        row = {
            "photo_uid": uid, "taken_at": date_text(shot.taken_at), "photo_type": "image", "photo_title": "",
            "photo_path": shot.path.parent.as_posix(), "photo_name": shot.path.stem, "photo_favorite": 0,
            "photo_private": int(shot.private), "photo_quality": 3, "photo_faces": len(photo.faces),
            "deleted_at": dates["updated_at"] if shot.archived else None,
        }  # fmt: skip
        photo_id = insert(self.connection, "photos", {**row, **dates})
        of_photo = {"photo_id": photo_id, "photo_uid": uid, **dates}
        digest = hashlib.sha1(photo.content).hexdigest()
        primary = _file_row(photo.file, photo.root, digest, len(photo.content), photo.size, "jpg", "image/jpeg")
        extra = {"file_orientation": shot.orientation, "file_missing": int(shot.missing), "file_primary": 1}
        insert(self.connection, "files", {**primary, **extra, **of_photo, "file_uid": file_uid})
        if shot.heic:
            raw = hashlib.sha1(HEIC_HEADER).hexdigest()
            original = _file_row(shot.path.as_posix(), "/", raw, len(HEIC_HEADER), photo.size, "heic", "image/heic")
            insert(self.connection, "files", {**original, **of_photo, "file_uid": new_uid("f", self.rng)})
        for face in photo.faces:
            self._write_marker(photo, face, file_uid, digest)
        if shot.rejected_marker:
            self._write_rejected(photo, file_uid, digest)

    def _write_marker(self, photo: StoredPhoto, face: Face, file_uid: str, digest: str) -> None:
        shot = photo.shot
        name = shot.mistaken_for.name if shot.mistaken_for else face.name
        matched: dict[str, object] = {"marker_name": "", "subj_uid": "", "subj_src": "", "face_dist": -1.0}
        if name:
            cluster, centre = self.clusters[name]
            distance = float(np.linalg.norm(face.embedding - centre))
            confirmed = {"marker_name": name, "subj_src": "manual"} if shot.confirmed else {}
            matched |= {"subj_uid": self.subjects[name], "face_id": cluster, "face_dist": distance, **confirmed}
        by_hand = shot.drawn_by_hand
        quality = _quality(photo, face.box)
        source = {"marker_src": "manual" if by_hand else "image", "marker_invalid": 0}
        found = {"embeddings_json": "" if by_hand else f"[{_as_json(face.embedding)}]", **quality}
        if by_hand:
            found.update(score=100, marker_review=0)
        row = _marker_row(new_uid("m", self.rng), file_uid, digest, face.box, shot.taken_at)
        insert(self.connection, "markers", {**row, **source, **matched, **found})

    def _write_rejected(self, photo: StoredPhoto, file_uid: str, digest: str) -> None:
        """A piece of the background that the detector took for the person, and the user rejected."""
        width, height = photo.size
        box = (0.02, 0.8, 0.1, 0.1 * width / height)
        row = _marker_row(new_uid("m", self.rng), file_uid, digest, box, photo.shot.taken_at)
        wrong = {"marker_src": "image", "marker_invalid": 1, "subj_uid": self.subjects["James"], "subj_src": ""}
        insert(self.connection, "markers", {**row, **wrong, **_quality(photo, box)})


def _dates(taken_at: datetime) -> dict[str, str]:
    later = date_text(taken_at + timedelta(days=2))
    return {"created_at": later, "updated_at": later}


def _as_json(vector: Floats) -> str:
    return json.dumps([round(float(value), 6) for value in vector], separators=(",", ":"))


def _file_row(
    name: str, root: str, digest: str, length: int, size: tuple[int, int], kind: str, mime: str
) -> dict[str, object]:
    return {
        "file_name": name, "file_root": root, "file_hash": digest, "file_size": length, "file_type": kind,
        "media_type": "image", "file_mime": mime, "file_primary": 0, "file_sidecar": int(root == "sidecar"),
        "file_missing": 0, "file_portrait": int(size[1] > size[0]), "file_video": 0, "file_width": size[0],
        "file_height": size[1], "file_orientation": 1, "file_error": "",
    }  # fmt: skip


def _marker_row(uid: str, file_uid: str, digest: str, box: Box, taken_at: datetime) -> dict[str, object]:
    x, y, w, h = box
    return {
        "marker_uid": uid, "file_uid": file_uid, "marker_type": "face", "x": x, "y": y, "w": w, "h": h,
        "thumb": thumb_name(digest, box), "matched_at": date_text(taken_at + timedelta(days=2)), **_dates(taken_at),
    }  # fmt: skip


def _quality(photo: StoredPhoto, box: Box) -> dict[str, object]:
    """How the detector saw the face on its small copy of the photo, 720 pixels high."""
    size = round(box[3] * 720)
    score = min(120, max(12, size // 2)) // (4 if photo.shot.blurred else 1)
    return {"size": size, "score": score, "q": round(size * score / 10), "marker_review": int(score < 30)}
