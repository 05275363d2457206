"""The training images and their captions: what the dataset folder holds, every image with a caption. No torch.

The built folder, any other ``N_name`` folder beside it, and ``N_name`` in the regularisation folder: kohya's layout
(sd-scripts ``library/config_util.py``, ``extract_dreambooth_params``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.dataset.files.file_roles import images_of
from engine.dataset.files.image_faces import faces_of_images
from engine.dataset.files.layout import SIDE, DatasetFolder, read_caption
from engine.dataset.files.manifest import read_manifest
from engine.dataset.regularisation import NAME as REGULARISATION
from engine.dataset.regularisation import regularisation_folders
from engine.errors import DatasetError
from engine.faces.photo.geometry import Box
from engine.faces.photo.loading import BrokenImage, upright_size
from engine.project import Project

_FOLDER = re.compile(r"(\d+)_(.+)")
"""kohya's way to name a folder of images: uses of each image per epoch, and what they show."""


@dataclass(frozen=True)
class Example:
    """One training image and what its caption says."""

    image: Path
    caption: str
    repeats: int | None = None
    """How often an epoch sees it, as its folder's name says; None: as ``training.repeats`` says."""
    regularisation: bool = False
    """Whether it shows the class of the person and not the person."""
    face: Box | None = None
    """Where the face is in the image, in fractions of it; None where unknown."""

    def size(self) -> tuple[int, int]:
        """The upright image's width and height. Raises DatasetError."""
        try:
            return upright_size(self.image)
        except BrokenImage as error:
            raise DatasetError(f"{self.image} is not an image", "take it out, or build the dataset again") from error


def read_examples(project: Project) -> list[Example]:
    """All training images by folder and name, each with its caption, those for regularisation last.

    Raises:
        DatasetError: no images of the person, an unreadable one, or one without a caption.
    """
    built = DatasetFolder(project)
    ours = built.path.name in (built.wanted_name, read_manifest(built.root).folder)
    faces = _faces(project)
    found = [
        Example(each.path, each.caption, face=faces.get(each.path.name)) for each in (built.images() if ours else [])
    ]
    others = [folder for folder in _numbered(built.root) if not ours or folder != built.path]
    found += [example for folder in others if _repeats(folder) for example in _read(folder)]
    if not found:
        passed_over = folders_passed_over(project)
        if passed_over:
            raise DatasetError(f"there are no training images: {passed_over[0]}", "name it 1_… or more")
        raise DatasetError("there are no training images", "make them with: limner dataset build")
    if bare := [each.image.name for each in found if not each.caption]:
        more = f" and {len(bare) - 1} more" if len(bare) > 1 else ""
        raise DatasetError(f"{bare[0]}{more} has no caption", "write captions with: limner caption")
    return found + [
        Example(path, read_caption(path) or folder.class_words, folder.repeats, regularisation=True)
        for folder in regularisation_folders(project)
        for path in folder.images
    ]


def _numbered(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    return sorted(each for each in parent.iterdir() if each.is_dir() and _FOLDER.fullmatch(each.name))


def _repeats(folder: Path) -> int:
    match = _FOLDER.fullmatch(folder.name)
    return int(match[1]) if match else 1


def folders_passed_over(project: Project) -> list[str]:
    """What is said of folders whose names say 0 repeats: no epoch sees them, as in kohya's trainer."""
    built = DatasetFolder(project)
    ours = built.path.name in (built.wanted_name, read_manifest(built.root).folder)
    folders = [each for each in _numbered(built.root) if not ours or each != built.path]
    folders += _numbered(project.root / REGULARISATION)
    empty = [(each, sum(1 for _ in images_of(each))) for each in folders if _repeats(each) == 0]
    return [
        f"{folder.name} says 0 repeats and is passed over with its {count} image{'' if count == 1 else 's'}"
        for folder, count in empty
        if count
    ]


def _read(folder: Path) -> Iterator[Example]:
    """A folder's images; those without a caption get the words of the folder's name, as in kohya's trainer."""
    words = folder.name.partition("_")[2]
    for path in images_of(folder):
        yield Example(path, read_caption(path) or words, _repeats(folder))


def _faces(project: Project) -> dict[str, Box]:
    """Where the face is in each image that was cut from a photo, by the image's name."""
    manifest = read_manifest(project.dataset)
    if not manifest.entries:
        return {}
    with project.store() as store:
        whose = faces_of_images(store, manifest)
    found: dict[str, Box] = {}
    for entry in manifest.entries:
        face = whose.get(entry.number)
        if face is None or not face.image_width or not face.image_height:
            continue
        try:
            if upright_size(project.dataset / manifest.folder / manifest.file_name(entry.number)) != (SIDE, SIDE):
                # Cropped by hand: the face is elsewhere on it.
                continue
        except BrokenImage:
            continue
        left, top, side = entry.crop
        x0, y0, x1, y1 = face.box.pixels(face.image_width, face.image_height)
        box = Box((x0 - left) / side, (y0 - top) / side, (x1 - x0) / side, (y1 - y0) / side).clamped()
        if box.w and box.h:
            found[manifest.file_name(entry.number)] = box
    return found
