"""The dataset's own memory: which image is which face, and what was written about faces that were taken out again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from engine.errors import DatasetError
from engine.storage.atomic_files import write_text

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

    @property
    def source_px(self) -> int:
        """The crop's side in real pixels of the photo."""
        return self.crop[2]

    def captioned(self, text: str) -> Entry:
        """The same with the caption that the template wrote now."""
        return replace(self, template=text)

    def same_cut(self, other: Entry) -> bool:
        """Whether both would give the same image."""
        mine, theirs = (self.crop, self.source, self.stamp), (other.crop, other.source, other.stamp)
        return mine == theirs


@dataclass(frozen=True)
class Manifest:
    """All images, and what was set aside."""

    folder: str = ""
    """The image folder's name when it was built: ``10_jx265 man``."""
    trigger: str = ""
    class_word: str = ""
    entries: tuple[Entry, ...] = ()
    aside: tuple[tuple[str, int, str], ...] = ()
    """Marker, number and caption of faces that are no longer kept, should they come back."""

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

    def without(self, number: int, caption: str) -> Manifest:
        """With an image taken out and its caption set aside."""
        gone = next(entry for entry in self.entries if entry.number == number)
        kept = tuple(entry for entry in self.entries if entry.number != number)
        aside = tuple(each for each in self.aside if each[0] != gone.marker)
        # Only what somebody wrote needs to be remembered; the template can write its own again.
        own = "" if caption == gone.template else caption
        return replace(self, entries=kept, aside=(*aside, (gone.marker, number, own)))

    def take_back(self, marker: str) -> tuple[Manifest, int | None, str]:
        """The number and the caption that a face had before, no longer set aside; None and nothing for a new one."""
        for each in self.aside:
            if each[0] == marker:
                return replace(self, aside=tuple(one for one in self.aside if one is not each)), each[1], each[2]
        return self, None, ""

    def next_number(self) -> int:
        """A number that no face ever had."""
        used = [entry.number for entry in self.entries] + [number for _, number, _ in self.aside]
        return max(used, default=0) + 1


def read_manifest(dataset: Path) -> Manifest:
    """The manifest of a dataset folder; an empty one where there is none.

    Raises:
        DatasetError: it is damaged.
    """
    path = dataset / NAME
    try:
        record = json.loads(path.read_text("utf-8"))
        return Manifest(
            folder=record["folder"],
            trigger=record["trigger"],
            class_word=record["class_word"],
            entries=tuple(_entry(each) for each in record["images"]),
            aside=tuple((each["marker"], each["number"], each["caption"]) for each in record["set_aside"]),
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
        "set_aside": [
            {"marker": marker, "number": number, "caption": caption} for marker, number, caption in manifest.aside
        ],
    }
    write_text(dataset / NAME, json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def _entry(record: dict[str, Any]) -> Entry:
    left, top, side = record["crop"]
    known = {name: record[name] for name in Entry.__dataclass_fields__}
    return Entry(**{**known, "crop": (int(left), int(top), int(side))})
