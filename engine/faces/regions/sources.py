"""Where a photo's names are read from: a sidecar that tells of regions, else the photo itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from engine.faces.photo.stored import StoredPhoto, read_stored
from engine.faces.regions.region_list import RegionList, read_regions
from engine.faces.regions.xmp import LARGEST_PACKET
from engine.storage.untrusted_files import read_bytes


@dataclass(frozen=True)
class Told:
    """What a photo or its sidecar tells of who is on it."""

    photo: StoredPhoto
    lists: tuple[RegionList, ...] = ()
    problems: tuple[str, ...] = ()
    """What can't be read, each in words."""


def read_told(folder: Path, name: str, sidecars: Sequence[str]) -> Told:
    """Reads a photo's header, and the regions of the first of its sidecars that has any, else its own.

    Args:
        folder: the library's folder.
        name: the photo's, relative to it.
        sidecars: those of the photo, relative to it, the one that counts most first.

    Raises:
        BrokenImage: the photo can't be used. What is wrong with its XMP or a sidecar is one of the ``problems``.
    """
    photo = read_stored(folder / name)
    problems = []
    for each in sidecars:
        try:
            lists = read_regions(read_bytes(folder / each, LARGEST_PACKET, follow=False), photo.size)
        except (OSError, ValueError) as error:
            problems.append(f"{PurePosixPath(each).name} is passed over: {_words(error)}")
            continue
        if lists:
            return Told(photo, tuple(lists), tuple(problems))
    try:
        if photo.problem:
            raise ValueError(photo.problem)
        lists = [each for packet in photo.packets for each in read_regions(packet, photo.size)]
    except ValueError as error:
        problems.append(f"names in it can't be read: {_words(error)}")
        lists = []
    return Told(photo, tuple(lists), tuple(problems))


def _words(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    return str(error)
