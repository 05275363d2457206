"""Pictures of the library's other people, to see that a portrait is nobody else. No torch."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from engine.errors import LimnerError
from engine.faces.crop import cut_from
from engine.faces.photo.geometry import Box, Framing
from engine.faces.photo.loading import open_upright
from engine.library.base import Library
from engine.library.faces import LibraryFace
from engine.library.registry import connect
from engine.project import Project
from engine.storage.atomic_files import whole_file

MOST_FACES = 8
"""Faces a person."""

MOST_PEOPLE = 24
"""People, those with the most faces first."""

SIDE = 512
"""Pixels a side at most: faces are compared at less."""


def prepare_references(project: Project, password: str | None = None) -> dict[str, list[Path]]:
    """Close crops of the library's other people, confirmed faces only, in ``cache/people/``.

    Args:
        project: the project; whom it is about is left out.
        password: the library's, where it needs one.

    Returns:
        Names to pictures; empty where the project has no library or it knows nobody else.

    Raises:
        LibraryError: the library can't be opened.
    """
    settings = project.settings
    if not settings.library.url:
        return {}
    found: dict[str, list[Path]] = {}
    with connect(settings.library, password, project.root) as library:
        others = [person for person in library.people() if person.id != settings.person.uid]
        for person in [each for each in others if each.confirmed != 0][:MOST_PEOPLE]:
            folder = project.cache / "people" / _folder_name(person.name, person.id)
            if crops := list(_crops(library, person.id, folder)):
                found[person.name if person.name not in found else f"{person.name} ({person.id})"] = crops
    return found


def kept_references(project: Project) -> dict[str, list[Path]]:
    """What ``prepare_references`` cut before, for where the library is not to be asked. Names are the folders'."""
    uid = project.settings.person.uid
    folders = sorted(each for each in (project.cache / "people").glob("*") if each.is_dir())
    others = [each for each in folders if not (uid and each.name.endswith(f"-{uid}"))]
    return {
        each.name.rpartition("-")[0] or each.name: crops for each in others if (crops := sorted(each.glob("*.png")))
    }


def _crops(library: Library, person_id: str, folder: Path) -> Iterator[Path]:
    count = 0
    for row in library.faces(person_id):
        if count == MOST_FACES:
            return
        if row.confirmed and (path := _crop(library, row, folder)):
            count += 1
            yield path


def _crop(library: Library, row: LibraryFace, folder: Path) -> Path | None:
    """The face's close crop; None where its photo can't be used, which a scan would tell."""
    marker = f"{row.marker_uid}/{row.file_root}/{row.file_name}/{row.box}"
    path = folder / f"{hashlib.sha256(marker.encode()).hexdigest()[:16]}.png"
    if path.exists():
        return path
    try:
        photo = open_upright(library.roots.path(row.file_root, row.file_name))
        crop, _ = cut_from(photo, Box(*row.box), Framing.CLOSE)
    except (LimnerError, OSError):
        return None
    crop.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(path, durable=False) as file:
        crop.save(file, "PNG")
    return path


def _folder_name(name: str, person_id: str) -> str:
    """A name as a folder's; with the id, since two people may share one."""
    return re.sub(r"[^\w-]+", "_", f"{name}-{person_id}")
