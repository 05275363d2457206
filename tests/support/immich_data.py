"""A library as Immich holds it: people, assets and faces in memory, files on disk, and what its owner does to it."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

from PIL import Image

PREVIEW = 1440
"""Pixels of a preview's shorter side, unless the picture is smaller."""
MIME = {
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".heic": "image/heic",
    ".dng": "image/dng",
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
}
GRACE_FACE = (0.346, 0.189, 0.346, 0.373)
"""Where Grace Hopper's face is on her photo: x, y, w, h in fractions."""
OTHERS_FACE = (0.22, 0.17, 0.45, 0.58)
"""The same of somebody's on ``_portrait``."""
CROP = (101, 30, 401, 331)
"""What is left of the edited photo: left, upper, right, lower."""

Box = tuple[float, float, float, float]


@dataclass(eq=False)
class Person:
    """One that the server keeps; without a name it is a group of faces."""

    id: str
    name: str = ""
    hidden: bool = False
    favourite: bool = False
    mine: bool = True
    """Whether the key's user has this person; otherwise another user of the server does."""


@dataclass(eq=False)
class Face:
    """One on an asset."""

    id: str
    box: Box
    """x1, y1, x2, y2 in pixels of ``size``."""
    size: tuple[int, int]
    person: Person | None = None
    source: str = "machine-learning"
    deleted: bool = False


@dataclass(eq=False)
class Asset:
    """A photo or a video."""

    id: str
    path: Path
    """The original on the server's disk; it may be missing."""
    name: str
    checksum: str
    """SHA-1 in base64, of what the original was."""
    length: int
    stored: tuple[int, int]
    """Width and height in the file, before EXIF turns them."""
    orientation: int = 1
    kind: str = "IMAGE"
    taken: str = "2019-06-02T15:58:24.000Z"
    visibility: str = "timeline"
    trashed: bool = False
    live_video: str | None = None
    """The id of the video that belongs to a live photo."""
    edited: Path | None = None
    edited_size: tuple[int, int] | None = None
    city: str | None = "Berlin"
    country: str | None = "Germany"
    tail: bytes = b""
    """What follows the file's bytes, so that many assets share a file and are not the same."""
    faces: list[Face] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright picture, after edits."""
        wide, high = self.stored
        return self.edited_size or ((high, wide) if self.orientation > 4 else (wide, high))

    @property
    def preview(self) -> tuple[int, int]:
        """Width and height of what the server looks for faces on."""
        wide, high = self.size
        scale = min(1.0, PREVIEW / min(wide, high))
        return round(wide * scale), round(high * scale)

    @property
    def mime(self) -> str:
        return MIME[self.path.suffix.lower()]

    @cached_property
    def sha1(self) -> str:
        """The checksum, in the letters that most programs write."""
        return base64.b64decode(self.checksum).hex()


@dataclass
class Immich:
    """A user's library; what its methods return may be changed, and is what is served from then on.

    ``copy.deepcopy`` makes another one on the same files.
    """

    folder: Path
    people: list[Person] = field(default_factory=list)
    assets: dict[str, Asset] = field(default_factory=dict)
    min_faces: int = 3
    """Nameless people with fewer faces are not listed."""
    still: bool = False
    """Whether nothing will change any more, so that answers may be kept."""
    kept: dict[str, list[Asset]] = field(default_factory=dict)
    """What was found by earlier questions, where it is still."""
    _chance: Random = field(default_factory=lambda: Random(7))

    def __post_init__(self) -> None:
        self.owner, self.other_owner = self.new_id(), self.new_id()

    def new_id(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))

    def person(self, name: str = "", **more: Any) -> Person:
        """Adds a person."""
        self.people.append(Person(self.new_id(), name, **more))
        return self.people[-1]

    def photo(self, name: str, picture: Image.Image, orientation: int = 1, **more: Any) -> Asset:
        """Adds a photo, stored turned so that the orientation sets the picture upright."""
        from tests.support.astronaut import save

        path = self.folder / "library" / name
        if path.suffix == ".dng":
            # As cameras write them: what a reader finds first is a small picture.
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.resize((64, 64)).save(path, "TIFF", save_all=True, append_images=[picture])
            stored = picture.size
        else:
            with Image.open(save(path, picture, orientation)) as written:
                stored = written.size
        return self.add(path, path.read_bytes(), stored, orientation=orientation, **more)

    def video(self, name: str, size: tuple[int, int], **more: Any) -> Asset:
        """Adds a video that no player plays."""
        path = self.folder / "library" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\0\0\0\x18ftypmp42" + name.encode() * 100)
        return self.add(path, path.read_bytes(), size, kind="VIDEO", **more)

    def add(self, path: Path, content: bytes, stored: tuple[int, int], **more: Any) -> Asset:
        """Adds an asset whose file is there, with its bytes."""
        checksum = base64.b64encode(hashlib.sha1(content).digest()).decode()
        name = more.pop("name", path.name)
        asset = Asset(self.new_id(), path, name, checksum, len(content), stored, **more)
        self.assets[asset.id] = asset
        return asset

    def face(self, asset: Asset, person: Person | None, box: Box, source: str = "machine-learning") -> Face:
        """Adds a face in a box of x, y, w, h, fractions of the upright picture."""
        # The server keeps whole pixels: of the preview, or of the picture whose own metadata tell the box.
        wide, high = size = asset.size if source == "exif" else asset.preview
        x, y, w, h = box
        pixels = (int(x * wide), int(y * high), int((x + w) * wide), int((y + h) * high))
        asset.faces.append(Face(self.new_id(), pixels, size, person, source))
        return asset.faces[-1]

    def find_person(self, name: str) -> Person:
        """The first of a name."""
        return next(each for each in self.people if each.name == name)

    def find_asset(self, name: str) -> Asset:
        """The one of a file name."""
        return next(each for each in self.assets.values() if each.name == name)

    def faces_of(self, person: Person) -> list[Face]:
        """A person's faces on any asset."""
        return [face for asset in self.assets.values() for face in asset.faces if face.person is person]

    def merge(self, kept: Person, gone: Person) -> None:
        """Says that two people are one."""
        for face in self.faces_of(gone):
            face.person = kept
        self.people.remove(gone)

    def reassign(self, face: Face, person: Person | None) -> None:
        """Says that a face is somebody else's, or nobody's."""
        face.person = person

    def rename(self, person: Person, name: str) -> None:
        person.name = name

    def archive(self, asset: Asset) -> None:
        asset.visibility = "archive"

    def trash(self, asset: Asset) -> None:
        asset.trashed = True

    def delete(self, asset: Asset) -> None:
        """Removes an asset for good; its file stays."""
        del self.assets[asset.id]


def small_library(folder: Path) -> Immich:
    """Photos of real people with everything that Immich has: edited, turned, archived, shared, missing and more."""
    from tests.support.astronaut import FACE, astronaut
    from tests.support.real_faces import hopper, variants

    immich, eileens, grace_there = Immich(folder), variants(), hopper()
    eileen, grace = immich.person("Eileen"), immich.person("Grace")
    anna, other_anna = immich.person("Anna"), immich.person("Anna")
    harry = immich.person("Harry", hidden=True)
    often, once = immich.person(), immich.person()
    stranger = immich.person("Stranger", mine=False)

    immich.face(immich.photo("plain.jpg", astronaut().resize((1600, 1600))), eileen, FACE)
    wide = 512 / 400
    narrow = (FACE[0] * wide, FACE[1], FACE[2] * wide, FACE[3])
    immich.face(immich.photo("turned.jpg", astronaut(width=400), 6), eileen, narrow)
    _edited(immich, eileen)
    edge = immich.photo("edge.jpg", astronaut().crop((200, 0, 512, 512)))
    immich.face(edge, eileen, FACE).box = (-18.0, 63.5, 68.25, 174.0)
    for name, look in (("archived.jpg", "darker"), ("trashed.jpg", "brighter"), ("missing.jpg", "flat")):
        immich.face(immich.photo(name, eileens[look]), eileen, FACE)
    immich.archive(immich.find_asset("archived.jpg"))
    immich.trash(immich.find_asset("trashed.jpg"))
    immich.find_asset("missing.jpg").path.unlink()
    immich.face(immich.video("clip.mp4", (512, 512)), eileen, FACE)
    part = immich.video("live.mov", (512, 512), visibility="hidden")
    immich.face(immich.photo("live.jpg", eileens["a little soft"], live_video=part.id), eileen, FACE)
    immich.face(immich.photo("raw.dng", eileens["grey"]), eileen, FACE)

    immich.face(immich.photo("grace.jpg", grace_there), grace, GRACE_FACE)
    mirrored = immich.photo("mirrored.jpg", grace_there.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    immich.face(mirrored, grace, (1 - GRACE_FACE[0] - GRACE_FACE[2], *GRACE_FACE[1:]), "manual")

    # Each in a square of its own, one beside the other.
    three = [(astronaut(), FACE, eileen), (grace_there, GRACE_FACE, grace), (_portrait(0), OTHERS_FACE, harry)]
    _side_by_side(immich, "together.jpg", three)
    _side_by_side(immich, "visitors.jpg", [(_portrait(n), OTHERS_FACE, who) for n, who in ((1, anna), (2, stranger))])
    immich.face(immich.photo("tagged.jpg", _portrait(3)), other_anna, OTHERS_FACE, "exif")
    beside: list[tuple[int, Person | None]] = [(0, harry), (4, None), (5, once)]
    for number, other in enumerate(beside, 1):
        seen = [(_portrait(n), OTHERS_FACE, who) for n, who in ((6, often), other)]
        _side_by_side(immich, f"crowd-{number}.jpg", seen)
    for day, asset in enumerate(immich.assets.values(), 1):
        asset.taken = f"2019-06-{day:02d}T10:00:00.000Z"
    return immich


def many_assets(folder: Path, people: int = 3, faces: int = 2000) -> Immich:
    """Photos of one face each, of one person after the other, a minute apart; they share three small files."""
    immich = Immich(folder, still=True)
    who = [immich.person(f"Person {number}") for number in range(1, people + 1)]
    (folder / "library").mkdir(parents=True, exist_ok=True)
    files = []
    for number in range(3):
        path = folder / "library" / f"{number}.jpg"
        Image.new("RGB", (96, 64), (40 * number, 90, 120)).save(path)
        files.append((path, path.read_bytes()))
    for number in range(faces):
        path, content = files[number % len(files)]
        tail = number.to_bytes(8, "big")
        asset = immich.add(path, content + tail, (96, 64), name=f"IMG_{number:05d}.jpg", tail=tail)
        day, minute = divmod(number, 24 * 60)
        year, day = divmod(day, 28 * 12)
        month, day = divmod(day, 28)
        hour, minute = divmod(minute, 60)
        asset.taken = f"{2000 + year}-{month + 1:02d}-{day + 1:02d}T{hour:02d}:{minute:02d}:00.000Z"
        immich.face(asset, who[number % people], (0.25, 0.25, 0.25, 0.5))
    return immich


def _edited(immich: Immich, person: Person) -> None:
    """A photo that was cropped in the app: the box fits what is left, in fractions of pixels."""
    from tests.support.astronaut import FACE, astronaut, save

    asset = immich.photo("cropped.jpg", astronaut())
    asset.edited = save(immich.folder / "edited" / f"{asset.id}.jpg", astronaut().crop(CROP))
    asset.edited_size = (CROP[2] - CROP[0], CROP[3] - CROP[1])
    face = immich.face(asset, person, FACE)
    left, upper = 182.25 - CROP[0], 63.5 - CROP[1]
    face.box, face.size = (left, upper, left + 86.125, upper + 111), asset.edited_size


def _portrait(number: int) -> Image.Image:
    """Somebody else, in 25 × 25 grey pixels that were enlarged."""
    import numpy as np
    import skimage.data

    face = np.clip(skimage.data.lfw_subset()[number] * 255, 0, 255).astype(np.uint8)
    picture = Image.new("RGB", (512, 512), (120, 120, 120))
    enlarged = Image.fromarray(face).resize((300, 300), Image.Resampling.BICUBIC)
    picture.paste(enlarged.convert("RGB"), (100, 100))
    return picture


def _side_by_side(immich: Immich, name: str, those: Sequence[tuple[Image.Image, Box, Person | None]]) -> Asset:
    """A photo of several people, each 512 pixels high."""
    shown = [picture.resize((round(512 * picture.width / picture.height), 512)) for picture, _, _ in those]
    whole = Image.new("RGB", (sum(each.width for each in shown), 512))
    starts = [sum(each.width for each in shown[:number]) for number in range(len(shown))]
    for picture, start in zip(shown, starts, strict=True):
        whole.paste(picture, (start, 0))
    asset = immich.photo(name, whole)
    for picture, start, (_, (x, y, w, h), person) in zip(shown, starts, those, strict=True):
        share = picture.width / whole.width
        immich.face(asset, person, (start / whole.width + x * share, y, w * share, h))
    return asset
