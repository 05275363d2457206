"""Whose the faces of a plain folder are: by the names in its photos, and by how they look. Part of a job's work."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine import events
from engine.faces.detection.detector import SURE
from engine.faces.detection.embedding import GROUP, SPACE
from engine.faces.measurement.clustering import group
from engine.faces.photo.geometry import Box
from engine.faces.photo.loading import BrokenImage
from engine.faces.regions.matching import name_faces
from engine.faces.regions.sources import read_told
from engine.library.folder.index import FolderIndex
from engine.library.folder.photos import ReadNames, SeenFace, drawn_uid
from engine.library.folder.walk import FolderPhoto

SAVE_EVERY = 200
"""Photos between two writes while names alone are read, which takes a few milliseconds each."""

Tell = Callable[[events.Event], None]


def with_names(
    folder: Path, photo: FolderPhoto, content: str, found: Sequence[SeenFace]
) -> tuple[tuple[SeenFace, ...], tuple[str, ...]]:
    """The faces of a photo with the names that it or its sidecar gives them.

    Args:
        folder: where the photos lie.
        photo: the photo.
        content: its SHA-1; empty where that is not known.
        found: the faces that were found on it. What the detector is less than ``SURE`` of counts where it is named.

    Returns:
        The faces, those behind the found ones that regions alone tell of; and what of the names can't be read.

    Raises:
        BrokenImage: the photo can't be used.
    """
    told = read_told(folder, photo.name, photo.sidecars)
    named = name_faces(told.lists, told.photo, [Box(*face.box) for face in found])
    faces = [
        replace(face, name=named.names.get(place, ""), pet=place in named.pets)
        for place, face in enumerate(found)
        if face.score >= SURE or place in named.names
    ]
    for each in named.drawn:
        box = (each.box.x, each.box.y, each.box.w, each.box.h)
        uid = drawn_uid(content or photo.name, box)
        faces.append(SeenFace(uid, box, 0.0, name=each.name, drawn=True, caution=each.caution))
    return tuple(faces), told.problems


def read_names(
    kept: FolderIndex, folder: Path, photos: Sequence[FolderPhoto], tell: Tell, should_stop: Callable[[], bool]
) -> bool:
    """Reads the names of known photos whose sidecars changed, or whose names were never read. No face is looked for.

    Args:
        kept: what is known of the folder.
        folder: where the photos lie.
        photos: those of the folder that were looked at before and did not change.
        tell: gets ``phase`` events named ``names``, where there is something to read, and warnings.
        should_stop: asked between two writes.

    Returns:
        False where it was asked to stop.
    """
    known = kept.names_stamps()
    changed = [photo for photo in photos if known.get(photo.name) != photo.sidecar_stamp]
    if not changed:
        return True
    tell(events.Phase("names", 0, len(changed)))
    done = 0
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as threads:
        for start in range(0, len(changed), SAVE_EVERY):
            some = changed[start : start + SAVE_EVERY]
            found = kept.found_faces([photo.name for photo in some])
            waiting = [threads.submit(_read, folder, photo, found.get(photo.name)) for photo in some]
            read = [each for future in waiting if (each := future.result())]
            kept.save_names(read)
            for each in read:
                for words in each.warnings:
                    tell(events.Warning(words, subject=str(folder / each.photo.name)))
            done += len(some)
            tell(events.Phase("names", done, len(changed)))
            if should_stop():
                return False
    return True


def _read(folder: Path, photo: FolderPhoto, known: tuple[str, tuple[SeenFace, ...]] | None) -> ReadNames | None:
    """The names of a photo; None where it can't be read just now, and is asked again the next time."""
    if known is None:
        # It can't be used, which was told when it was looked at.
        return ReadNames(photo, ())
    content, found = known
    try:
        return ReadNames(photo, *with_names(folder, photo, content, found))
    except BrokenImage:
        return None


def group_people(kept: FolderIndex) -> int:
    """Finds a person for every face that has none. Returns how many new people there are."""
    if not kept.has_loose(SPACE):
        return 0
    faces = [face for face in kept.faces() if face[1] == SPACE]
    vectors = np.stack([np.frombuffer(values, np.float16).astype(np.float32) for _, _, values, _ in faces])
    numbers: dict[str, int] = {}
    known = [None if person is None else numbers.setdefault(person, len(numbers)) for *_, person in faces]
    people = list(numbers)
    new: dict[int, list[str]] = defaultdict(list)
    joined: dict[str, str] = {}
    for (uid, _, _, person), label in zip(faces, group(vectors, GROUP, known), strict=True):
        if label >= len(people):
            new[label].append(uid)
        elif person is None:
            joined[uid] = people[label]
    kept.assign(joined)
    # Most faces first; of as many the one whose first photo comes first.
    order = sorted(new.values(), key=len, reverse=True)
    kept.add_people((members[0], members) for members in order)
    return len(order)
