"""The photos of a plain folder. Only names and times are read, nothing is opened, and no link is followed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from engine.errors import LibraryError
from engine.project import SETTINGS_NAME

PHOTOS = (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".heic", ".heif", ".tif", ".tiff", ".bmp")
"""What the names of photos end in."""

NOT_THE_USERS = {"@eadir", "#recycle", "#snapshot", "$recycle.bin", "__macosx", "lost+found", "thumbnails", "sidecar"}
"""Folders that a NAS, a desktop or another program keeps among photos: thumbnails, bins, converted copies."""


@dataclass(frozen=True)
class FolderPhoto:
    """A file that should be a photo."""

    name: str
    """Relative to the folder, with ``/``."""
    stamp: str
    """Its size and time: another one is another file."""


def walk(folder: Path) -> Iterator[FolderPhoto]:
    """The photos of a folder and those below it, in the order of their names.

    Hidden files and folders are left out, projects of Limner's, what other programs keep there, and what stands beside
    a photo as its converted copy (``IMG_1.heic.jpg`` beside ``IMG_1.heic``). Links are not followed: one that stays
    inside would give a photo twice, one that leaves the folder is none of its photos. A folder below that can't be read
    is left out.

    Raises:
        LibraryError: the folder itself is not there or can't be read.
    """
    try:
        os.scandir(folder).close()
    except FileNotFoundError as error:
        raise LibraryError(f"there is no folder {folder}", "give the folder that holds the photos") from error
    except OSError as error:
        raise LibraryError(f"{folder} can't be read ({error.strerror})", "give a folder that you may read") from error
    yield from _below(folder, "")


def _below(folder: Path, place: str) -> Iterator[FolderPhoto]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda each: each.name)
    except OSError:
        return
    names = {each.name.lower() for each in entries}
    if SETTINGS_NAME in names:
        # A project of Limner's: its crops and pictures are no photos.
        return
    for entry in entries:
        try:
            if entry.name.startswith((".", "._")) or entry.is_symlink() or not _is_text(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                if entry.name.lower() not in NOT_THE_USERS:
                    yield from _below(folder / entry.name, f"{place}{entry.name}/")
            elif entry.is_file(follow_symlinks=False) and _is_photo(entry.name.lower(), names):
                status = entry.stat(follow_symlinks=False)
                yield FolderPhoto(place + entry.name, f"{status.st_size} {status.st_mtime_ns}")
        except OSError:
            # Gone since the folder was listed.
            continue


def _is_photo(name: str, names: set[str]) -> bool:
    path = PurePosixPath(name)
    converted = PurePosixPath(path.stem).suffix in PHOTOS and path.stem in names
    return path.suffix in PHOTOS and not converted


def _is_text(name: str) -> bool:
    """A name whose bytes are no UTF-8 can't be kept as text."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
