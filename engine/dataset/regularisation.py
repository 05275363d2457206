"""Regularisation images: pictures of others of the same class, so that the class word does not come to mean the person.

They lie in a folder of their own, ``reg/1_man/`` in the project, as kohya's trainers read them (sd-scripts
``docs/train_README-en.md``, "regularization images"); without one nothing is regularised. They are never mixed with the
person's images.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from engine.dataset.files.file_roles import caption_path, images_of, is_mask
from engine.dataset.files.layout import read_caption, write_caption
from engine.errors import DatasetError, LimnerError
from engine.faces.photo.loading import open_upright
from engine.library.photo_suffixes import PHOTOS
from engine.project import Project

NAME = "reg"
"""The folder in the project."""

_KOHYA = re.compile(r"(\d+)_(.+)")


@dataclass(frozen=True)
class RegularisationFolder:
    """One folder of regularisation images."""

    path: Path
    repeats: int
    class_words: str
    images: tuple[Path, ...]


def regularisation_folders(project: Project) -> list[RegularisationFolder]:
    """The folders that are there, those without images left out."""
    parent = project.root / NAME
    if not parent.is_dir():
        return []
    found: list[RegularisationFolder] = []
    for folder in sorted(parent.iterdir()):
        match = _KOHYA.fullmatch(folder.name) if folder.is_dir() else None
        images = tuple(images_of(folder)) if match else ()
        # 0 repeats: nobody is to see them, as in kohya's trainer.
        if match and images and int(match[1]):
            found.append(RegularisationFolder(folder, int(match[1]), match[2], images))
    return found


def add_regularisation(project: Project, source: Path, repeats: int = 1) -> tuple[Path, int]:
    """Copies the images of a folder and those below it in, upright and without metadata, with their captions where they
    have any.

    Args:
        project: the project.
        source: the folder.
        repeats: how often each is seen in an epoch, at most; names the folder.

    Returns:
        The folder they lie in now, and how many were copied.

    Raises:
        DatasetError: there are no images in the source, one can't be opened, or the folder can't be written.
    """
    images = [each for each in _files(source) if each.suffix.lower() in PHOTOS and not is_mask(each)]
    if not images:
        raise DatasetError(f"there are no images in {source}", f"give a folder with {', '.join(PHOTOS)} files")
    class_word = project.settings.person.class_word.replace("/", "-").replace("\0", "")
    folder = project.root / NAME / f"{repeats}_{class_word}"
    if source.resolve() == folder.resolve():
        raise DatasetError(f"{source} is the folder itself", "give the folder that the images come from")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        number = 1 + max((int(path.stem) for path in images_of(folder) if path.stem.isdecimal()), default=0)
        for image in images:
            _copy(image, folder / f"{number:04d}.png")
            number += 1
    except OSError as error:
        raise DatasetError(
            f"{folder} can't be written ({error.strerror or error})", "check the disk's space"
        ) from error
    return folder, len(images)


def _copy(image: Path, at: Path) -> None:
    try:
        picture = open_upright(image)
    except LimnerError as error:
        raise DatasetError(error.what, "take it out of the folder") from error
    if caption := read_caption(image):
        write_caption(at, caption)
    beside = at.with_name(f".{at.name}.{os.getpid()}.part")
    try:
        picture.save(beside, format="PNG", compress_level=3)
        os.replace(beside, at)
    finally:
        beside.unlink(missing_ok=True)


def passed_over(source: Path) -> list[str]:
    """The files of a folder, and below it, that ``add_regularisation`` does not use, by their names: no images that can
    be read, and no captions of any."""
    files = _files(source)
    used = {each for each in files if each.suffix.lower() in PHOTOS}
    captions = {caption_path(each) for each in used}
    return [str(each.relative_to(source)) for each in files if each not in used and each not in captions]


def _files(source: Path) -> list[Path]:
    """All files of a folder and of those below it; hidden ones are left out, and links to folders."""
    found = []
    for place, folders, names in os.walk(source):
        folders[:] = sorted(each for each in folders if each[0] != ".")
        found += [Path(place) / name for name in sorted(names) if name[0] != "."]
    return found
