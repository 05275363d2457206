"""The dataset's folder as trainers see it: ``dataset/10_jx265 man/0001.png`` with ``0001.txt`` beside it.

The folder's number says how often each image is repeated in an epoch (kohya sd-scripts, ``library/config_util.py``,
``extract_dreambooth_params``); the rest of its name is the caption for images that have none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from engine.dataset.files.caption_file import (
    caption_path,
    one_line,
    put_bytes,
    read_bytes,
    read_caption_file,
    with_caption,
)
from engine.dataset.files.file_roles import SUFFIXES as SUFFIXES
from engine.dataset.files.file_roles import images_of, unused_in
from engine.dataset.files.hand_edits import SIDE as SIDE
from engine.dataset.files.manifest import Manifest, read_manifest, write_manifest
from engine.errors import DatasetError
from engine.faces.photo.loading import open_header
from engine.project import Project
from engine.settings import Settings

_KOHYA_FOLDER = re.compile(r"^\d+_.")


@dataclass(frozen=True)
class TrainingImage:
    """One image of the dataset, with its caption."""

    path: Path
    caption_path: Path
    caption: str
    """One line; empty where there is none yet."""
    width: int
    height: int
    face_id: int | None
    """The face's number in the project; None for an image that somebody added by hand."""
    source_px: int | None
    """The crop's side in real pixels of the photo; None where unknown."""
    more_lines: int = 0
    """Further lines that the caption's file has, which are no part of the caption."""

    @property
    def upscaled(self) -> bool:
        """Whether the photo had fewer pixels than the image has."""
        return self.source_px is not None and self.source_px < self.width


class DatasetFolder:
    """The dataset of a project. Everything is read from disk each time: other tools may change it."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.root = project.dataset

    @property
    def wanted_name(self) -> str:
        """What the settings call the image folder: ``10_jx265 man``."""
        return folder_name(self._project.settings)

    @property
    def path(self) -> Path:
        """The image folder: the one that is there, else the one that will be made."""
        wanted = self.root / self.wanted_name
        if wanted.is_dir():
            return wanted
        built = read_manifest(self.root).folder
        if built and (self.root / built).is_dir():
            return self.root / built
        others = sorted(each for each in self.root.glob("*_*") if each.is_dir() and _KOHYA_FOLDER.match(each.name))
        return others[0] if others else wanted

    def image_paths(self) -> list[Path]:
        """The images' files by name, unopened; none where nothing was built yet."""
        folder = self.path
        if not folder.is_dir():
            return []
        return images_of(folder)

    def images(self) -> list[TrainingImage]:
        """All images by name; none where nothing was built yet.

        Raises:
            DatasetError: an image or the manifest can't be read.
        """
        manifest = read_manifest(self.root)
        numbered = {manifest.file_name(entry.number): entry for entry in manifest.entries}
        found: list[TrainingImage] = []
        for path in self.image_paths():
            entry = numbered.get(path.name)
            width, height = _size(path)
            face_id, source_px = (entry.face, entry.source_px) if entry else (None, None)
            file = read_caption_file(path)
            caption, more = (file.caption, file.more) if file else ("", 0)
            found.append(TrainingImage(path, caption_path(path), caption, width, height, face_id, source_px, more))
        return found

    def checks(self) -> list[str]:
        """What holds of the whole set, a few words each: ``24 images``, ``24 captioned``, ``1 upscaled``,
        ``trigger ok``. Raises DatasetError as ``images``."""
        images = self.images()
        trigger = self._project.settings.person.trigger
        captioned = sum(bool(image.caption) for image in images)
        upscaled = sum(image.upscaled for image in images)
        words = {image.path.stem: image.caption.replace(",", " ").split() for image in images}
        without = [name for name, parts in words.items() if trigger not in parts]
        late = [name for name, parts in words.items() if trigger in parts and parts[0] != trigger]
        twice = [name for name, parts in words.items() if parts.count(trigger) > 1]
        found = [_count(len(images), "image"), f"{captioned} captioned", f"{upscaled} upscaled"]
        if without:
            found.append(f"trigger missing in {_some(without)}")
        if late:
            found.append(f"trigger not first in {_some(late)}")
        if twice:
            found.append(f"trigger twice in {_some(twice)}")
        if images and not (without or late or twice):
            found.append("trigger ok")
        if several := [image.path.stem for image in images if image.more_lines]:
            found.append(f"only the first line is read of {_some(several)}")
        if unused := [f"{name} ({why})" for name, why in unused_in(self.path)]:
            found.append(f"not used: {_some(unused)}")
        return found

    def manifest(self) -> Manifest:
        """What the images were made from. Raises DatasetError."""
        return read_manifest(self.root)

    def save_manifest(self, manifest: Manifest) -> None:
        """Writes the manifest whole; makes the dataset's folder where it is missing."""
        self.root.mkdir(parents=True, exist_ok=True)
        write_manifest(self.root, manifest)


def folder_name(settings: Settings) -> str:
    """``10_jx265 man``: repeats, trigger word, class word."""
    words = f"{settings.person.trigger} {settings.person.class_word}".replace("/", "-").replace("\0", "")
    return f"{settings.training.repeats}_{words}"


def write_caption(image: TrainingImage | Path, text: str) -> str:
    """Writes the caption beside an image, whole, as the one line that trainers read. What else stands in a file that is
    there already stays: its encoding, its further lines.

    Args:
        image: the image or its path.
        text: line breaks and runs of spaces become one space.

    Returns:
        The line as it was written.

    Raises:
        DatasetError: nothing is left of it, which trainers fail on; or the file can't be written.
    """
    path = image if isinstance(image, Path) else image.path
    line = one_line(text, path.name)
    put_bytes(path, with_caption(read_bytes(path), line, caption_path(path).name))
    return line


def read_caption(image: Path) -> str:
    """The caption beside an image: its first line that isn't empty, for kohya's trainer reads one alone.

    Raises:
        DatasetError: it is there and can't be read, or its encoding can't be told.
    """
    found = read_caption_file(image)
    return found.caption if found else ""


def _size(path: Path) -> tuple[int, int]:
    try:
        with open_header(path) as image:
            return image.width, image.height
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} is not an image", "take it out, or build the dataset again") from error


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
