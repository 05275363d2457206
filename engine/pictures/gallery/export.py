"""Copies chosen pictures to another folder, with or without metadata. Nothing is overwritten."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image

from engine.errors import PictureError
from engine.faces.photo.loading import open_header, upright_srgb
from engine.pictures.gallery.import_external import PASSED_OVER
from engine.pictures.gallery.rows import Shown
from engine.pictures.orders.commit import give_name
from engine.project import Project
from engine.storage.own_files import open_own
from engine.storage.project_paths import expand_home

FAVOURITES = "is:favourite"
"""What is exported unless a filter says otherwise."""


@dataclass(frozen=True)
class Exported:
    """What became of the pictures."""

    written: tuple[Path, ...]
    there: tuple[Path, ...]
    """Copies that an export before had written."""
    failed: tuple[tuple[Path, str], ...]
    """Pictures that could not be read, and why."""


def export_pictures(
    project: Project,
    pictures: Sequence[Shown],
    folder: Path,
    metadata: bool = True,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> Exported:
    """Copies painted pictures under their own names; one whose name is taken by another picture gets the next free one.

    Args:
        project: the project.
        pictures: what to copy; what was never painted or is gone is told as failed.
        folder: where to; made where it is not there.
        metadata: False: the picture alone, as PNG, without parameters, EXIF, colour profile or time.
        tell: gets how many are done, and of how many.

    Raises:
        PictureError: the folder can't be made or written, or its pictures would come back as new ones.
    """
    folder = expand_home(folder).resolve()
    _refuse_inside(project, folder)
    written: list[Path] = []
    there: list[Path] = []
    failed: list[tuple[Path, str]] = []
    for number, picture in enumerate(pictures, start=1):
        try:
            name, data = _copy(picture.file) if metadata else _bare(picture.file)
        except (OSError, ValueError, SyntaxError) as error:
            failed.append((picture.file, getattr(error, "strerror", None) or "it is not a readable picture"))
            continue
        path, new = _write(folder / name, data)
        (written if new else there).append(path)
        tell(number, len(pictures))
    return Exported(tuple(written), tuple(there), tuple(failed))


def _refuse_inside(project: Project, folder: Path) -> None:
    pictures = project.pictures.resolve()
    if folder.is_relative_to(pictures) and folder.relative_to(pictures).parts[:1] not in {
        (name,) for name in PASSED_OVER
    }:
        raise PictureError(f"copies in {folder} would be found as new pictures", f"take {pictures / 'favourites'}, say")


def _copy(file: Path) -> tuple[str, bytes]:
    return file.name, file.read_bytes()


def _bare(file: Path) -> tuple[str, bytes]:
    """The pixels alone, turned as the EXIF says."""
    with open_header(file) as image:
        pixels = upright_srgb(image)
    # A new picture: nothing that the old one carried with it is written.
    bare = Image.frombytes(pixels.mode, pixels.size, pixels.tobytes())
    coded = BytesIO()
    bare.save(coded, "PNG")
    return f"{file.stem}.png", coded.getvalue()


def _write(path: Path, data: bytes) -> tuple[Path, bool]:
    """Writes whole, under the first name that is free; or finds the very same there. Whether it was written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            taken = path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
            if not taken.exists():
                break
            if taken.is_file() and taken.stat().st_size == len(data) and taken.read_bytes() == data:
                return taken, False
            number += 1
        return _put(path, data), True
    except OSError as error:
        raise PictureError(f"{path.parent} can't be written ({error.strerror})", "choose another folder") from error


def _put(path: Path, data: bytes) -> Path:
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with os.fdopen(open_own(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        return give_name(beside, path)
    finally:
        beside.unlink(missing_ok=True)
