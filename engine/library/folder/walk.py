"""The photos of a plain folder, and the XMP beside them. Only names and times are read, nothing is opened, and no link
is followed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from engine.errors import LibraryError
from engine.library.photo_suffixes import OTHER_PICTURES, PHOTOS, RAWS
from engine.storage.project_paths import SETTINGS_NAME

SIDECAR = ".xmp"
"""What the names of sidecars end in: after the photo's whole name (digiKam), or in place of its ending (Lightroom)."""

NOT_THE_USERS = frozenset(
    (
        # A NAS's and a desktop's: thumbnails and bins.
        *("@eadir", "@__thumb", ".@__thumb", "@recycle", "@recently-snapshot", "#recycle", "#snapshot"),
        *("$recycle.bin", "__macosx", "lost+found", "system volume information"),
        # Previews and converted copies of galleries: PhotoPrism, Immich, Lychee, Piwigo, digiKam, Capture One.
        *("thumb", "thumbs", "_thumb", "_thumbs", "thumbnail", "thumbnails", "sidecar", "encoded-video", "captureone"),
    )
)
"""Folders that a NAS, a desktop or another program keeps among photos, lower case."""

NOT_THE_USERS_ENDS = (".lrdata", ".lrcat-data", ".cosessiondb")
"""How such folders' names end: Lightroom's previews, Capture One's."""

IN_A_PHOTOS_LIBRARY = frozenset({"resources", "database", "private", "scopes", "external", "internal"})
"""What Apple's Photos keeps in a ``.photoslibrary`` besides the photos, which lie in ``originals`` or ``Masters``."""

NOT_PHOTOS_OF_A_PROJECT = frozenset({"dataset", "cache", "runs", "pictures", "jobs", "reg"})
"""Folders of a project of Limner's that lies in the photos' own folder."""


@dataclass(frozen=True)
class FolderPhoto:
    """A file that should be a photo."""

    name: str
    """Relative to the folder, with ``/``."""
    stamp: str
    """Its size and time: another one is another file."""
    sidecars: tuple[str, ...] = ()
    """Files beside it that other programs keep its XMP in, as ``name``: ``IMG_1.jpg.xmp`` before ``IMG_1.xmp``."""
    sidecar_stamp: str = ""
    """Which of the two there are, their sizes and times; empty where there is none."""


def walk(folder: Path) -> Iterator[FolderPhoto]:
    """The photos of a folder and those below it, in the order of their names.

    Hidden files and folders are left out, projects of Limner's below (of one in the folder itself what is its own),
    what other programs keep there, and what stands beside a photo as its converted copy (``IMG_1.heic.jpg`` beside
    ``IMG_1.heic``). Links are not followed: one that stays inside would give a photo twice, one that leaves the folder
    is none of its photos. A folder below that can't be read is left out.

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


def other_files(folder: Path) -> Counter[str]:
    """How many files lie in a folder and below it that are no photos, by what their names end in."""
    found: Counter[str] = Counter()
    for _, folders, names in os.walk(folder):
        folders[:] = [each for each in folders if each[0] != "." and not _is_kept_by_others(each, "")]
        found.update(PurePosixPath(name).suffix.lower() for name in names if name[0] != ".")
    return Counter({suffix: count for suffix, count in found.items() if suffix and suffix not in PHOTOS})


def not_read(folder: Path) -> str | None:
    """What of a folder's pictures is of kinds that Limner does not read, in words; None where nothing is."""
    found = [
        (suffix, count) for suffix, count in other_files(folder).most_common() if suffix in (*RAWS, *OTHER_PICTURES)
    ]
    if not found:
        return None
    return f"Limner does not read {', '.join(f'{count:,} {suffix}' for suffix, count in found)} of the folder"


def no_photos(folder: Path | str) -> LibraryError:
    """What to say of a folder without photos: what lies there instead."""
    others = other_files(Path(folder))
    raws = sum(count for suffix, count in others.items() if suffix in RAWS)
    if raws:
        return LibraryError(
            f"{raws:,} raw file{'s' if raws > 1 else ''} in {folder}, and no photos that Limner reads",
            "convert them to JPEG with a raw converter, and give that folder",
        )
    if others:
        kinds = ", ".join(f"{count:,} {suffix}" for suffix, count in others.most_common(3))
        what = f"there are no photos in {folder} that Limner reads, but {kinds}"
        return LibraryError(what, f"give a folder with {', '.join(PHOTOS)} files")
    return LibraryError(f"there are no photos in {folder}", "give the folder that holds them, or its parent")


def _below(folder: Path, place: str) -> Iterator[FolderPhoto]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda each: each.name)
    except OSError:
        return
    names = {each.name.lower() for each in entries}
    beside = {each.name.lower(): each for each in reversed(entries) if each.name.lower().endswith(SIDECAR)}
    is_project = SETTINGS_NAME in names
    if is_project and place:
        # A project of Limner's: its crops and pictures are no photos.
        return
    for entry in entries:
        try:
            if entry.name.startswith((".", "._")) or entry.is_symlink() or not _is_text(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                own = is_project and entry.name.lower() in NOT_PHOTOS_OF_A_PROJECT
                if not own and not _is_kept_by_others(entry.name, folder.name):
                    yield from _below(folder / entry.name, f"{place}{entry.name}/")
            elif entry.is_file(follow_symlinks=False) and _is_photo(entry.name.lower(), names):
                status = entry.stat(follow_symlinks=False)
                sidecars, stamps = _sidecars(entry.name.lower(), beside) if beside else ((), "")
                there = tuple(place + each for each in sidecars)
                yield FolderPhoto(place + entry.name, _stamp(status), there, stamps)
        except OSError:
            # Gone since the folder was listed.
            continue


def _sidecars(name: str, beside: dict[str, os.DirEntry[str]]) -> tuple[tuple[str, ...], str]:
    """The plain files among some that hold a photo's XMP, the one that counts most first, and their stamp.

    Args:
        name: the photo's, lower case.
        beside: the sidecars of its folder by their names in lower case.
    """
    stem, dot, kind = name.rpartition(".")
    called = {f"{dot}{kind}{SIDECAR}": name + SIDECAR, SIDECAR: stem + SIDECAR}
    names, stamps = [], []
    for ending, each in called.items():
        entry = beside.get(each)
        if entry is not None and entry.is_file(follow_symlinks=False) and _is_text(entry.name):
            names.append(entry.name)
            stamps.append(f"{ending} {_stamp(entry.stat(follow_symlinks=False))}")
    return tuple(names), "; ".join(stamps)


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_size} {status.st_mtime_ns}"


def _is_kept_by_others(name: str, parent: str) -> bool:
    """Whether a folder is another program's and no user's."""
    name = name.lower()
    if name in NOT_THE_USERS or name.endswith(NOT_THE_USERS_ENDS) or name.startswith("appdata_"):
        return True
    return parent.lower().endswith(".photoslibrary") and name in IN_A_PHOTOS_LIBRARY


def _is_photo(name: str, names: set[str]) -> bool:
    # ``pathlib`` would take half of the time that a folder takes.
    stem, _, ending = name.rpartition(".")
    converted = stem in names and f".{stem.rpartition('.')[2]}" in PHOTOS
    return f".{ending}" in PHOTOS and not converted


def _is_text(name: str) -> bool:
    """A name whose bytes are no UTF-8 can't be kept as text."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
