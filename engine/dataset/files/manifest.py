"""The dataset's own memory: which image is which face, and what was written about faces that were taken out again."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from engine.errors import DatasetError
from engine.storage.atomic_files import write_text
from engine.storage.untrusted_files import read_json

NAME = "manifest.json"
VERSION = 1


@dataclass(frozen=True)
class Entry:
    """One image of the dataset."""

    number: int
    """Names the files: ``0001.png``, ``0001.txt``. A face keeps its number for good."""
    face: int
    """The face's number in the project."""
    marker: str
    """The face's id in the library."""
    framing: str
    crop: tuple[int, int, int]
    """Left, top and side in pixels of the upright photo."""
    face_share: float
    """The face's height as a share of the crop's side."""
    source: str
    """The photo's path when it was cut."""
    stamp: str
    """The photo's size and time of change when it was cut."""
    template: str = ""
    """The caption that the template wrote; another one in the file is somebody's own."""

    content: str = ""
    """SHA-1 of the photo's bytes when it was cut; empty: not known."""
    image_hash: str = ""
    """SHA-256 of the image that Limner wrote: another file is somebody's work. Empty: an older Limner wrote it."""
    caption_hash: str = ""
    """SHA-256 of the caption's file that Limner wrote last when it built; empty: it wrote none."""

    @property
    def source_px(self) -> int:
        """The crop's side in real pixels of the photo."""
        return self.crop[2]

    def captioned(self, text: str) -> Entry:
        """The same with the caption that the template wrote now."""
        return replace(self, template=text)

    def same_cut(self, other: Entry) -> bool:
        """Whether both would give the same image; not, where this one was begun and never done."""
        if self.content and other.content:
            return bool(self.stamp) and (self.crop, self.content) == (other.crop, other.content)
        mine, theirs = (self.crop, self.source, self.stamp), (other.crop, other.source, other.stamp)
        return mine == theirs


@dataclass(frozen=True)
class Aside:
    """What is remembered of a face that is no longer kept, should it come back."""

    marker: str
    number: int
    caption: str
    """What somebody wrote; empty: the template can write its own again."""
    file: bytes | None = None
    """The caption's whole file, where it is more than that line."""


@dataclass(frozen=True)
class Manifest:
    """All images, and what was set aside."""

    folder: str = ""
    """The image folder's name when it was built: ``10_jx265 man``."""
    trigger: str = ""
    class_word: str = ""
    entries: tuple[Entry, ...] = ()
    aside: tuple[Aside, ...] = ()
    """Faces that are no longer kept."""

    @staticmethod
    def file_name(number: int) -> str:
        """``0001.png``. No underscores: kohya's trainer gives them a meaning."""
        return f"{number:04d}.png"

    def of(self, marker: str) -> Entry | None:
        """The image of a face."""
        return next((entry for entry in self.entries if entry.marker == marker), None)

    def with_entry(self, entry: Entry) -> Manifest:
        """With an image added, or replaced by number."""
        others = (each for each in self.entries if each.number != entry.number)
        return replace(self, entries=tuple(sorted((*others, entry), key=lambda each: each.number)))

    def without(self, number: int, caption: str, file: bytes | None = None) -> Manifest:
        """With an image taken out and its caption set aside.

        Args:
            number: the image's.
            caption: what stands beside it.
            file: the whole file that the caption stands in.
        """
        gone = next(entry for entry in self.entries if entry.number == number)
        kept = tuple(entry for entry in self.entries if entry.number != number)
        others = tuple(each for each in self.aside if each.marker != gone.marker)
        if file == (caption + "\n").encode():
            file = None
        # Only what somebody wrote needs to be remembered; the template can write its own again.
        own = "" if caption == gone.template and file is None else caption
        return replace(self, entries=kept, aside=(*others, Aside(gone.marker, number, own, file)))

    def take_back(self, marker: str) -> tuple[Manifest, Aside | None]:
        """What was set aside of a face, and the manifest without it; None for a new one."""
        found = next((each for each in self.aside if each.marker == marker), None)
        return replace(self, aside=tuple(each for each in self.aside if each is not found)), found

    def next_number(self) -> int:
        """A number that no face ever had."""
        used = [entry.number for entry in self.entries] + [each.number for each in self.aside]
        return max(used, default=0) + 1


def read_manifest(dataset: Path) -> Manifest:
    """The manifest of a dataset folder; an empty one where there is none.

    Raises:
        DatasetError: it is damaged.
    """
    path = dataset / NAME
    try:
        record = read_json(path)
        return Manifest(
            folder=record["folder"],
            trigger=record["trigger"],
            class_word=record["class_word"],
            entries=tuple(_entry(each) for each in record["images"]),
            aside=tuple(_aside(each) for each in record["set_aside"]),
        )
    except FileNotFoundError:
        return Manifest()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{path} is damaged ({error})", "restore it, or move the dataset folder away and build again"
        ) from error


def write_manifest(dataset: Path, manifest: Manifest) -> None:
    """Writes the manifest whole."""
    record = {
        "v": VERSION,
        "folder": manifest.folder,
        "trigger": manifest.trigger,
        "class_word": manifest.class_word,
        "images": [{**asdict(entry), "source_px": entry.source_px} for entry in manifest.entries],
        "set_aside": [_aside_record(each) for each in manifest.aside],
    }
    write_text(dataset / NAME, json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def _entry(record: dict[str, Any]) -> Entry:
    left, top, side = record["crop"]
    newer = {"content", "image_hash", "caption_hash"}
    known = {name: record[name] for name in Entry.__dataclass_fields__ if name not in newer or name in record}
    return Entry(**{**known, "crop": (int(left), int(top), int(side))})


def _aside(record: dict[str, Any]) -> Aside:
    file = base64.b64decode(record["file"]) if "file" in record else None
    return Aside(record["marker"], record["number"], record["caption"], file)


def _aside_record(each: Aside) -> dict[str, Any]:
    record: dict[str, Any] = {"marker": each.marker, "number": each.number, "caption": each.caption}
    return record if each.file is None else {**record, "file": base64.b64encode(each.file).decode()}
