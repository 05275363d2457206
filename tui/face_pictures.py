"""Small pictures of faces for the screen, kept in the project's cache. For threads: they open photos."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import FaceError
from engine.faces.geometry import Cut, Framing
from engine.faces.ledger import Face

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 384
"""Pixels a side: enough for half-blocks that fill a large terminal."""

WHOLE = 1280
"""Pixels of a whole photo's longer side, at least: a crop out of it still fills the screen."""

FACE_COLOUR = (224, 166, 78)
CROP_COLOUR = (86, 182, 164)
"""What the face's box and the crop's edge are drawn with."""


def face_picture(cache: Path, face: Face, framing: Framing | Cut) -> Image:
    """A square of ``SIDE`` pixels around a face, from the cache where it is there and the photo has not changed.

    Raises:
        FaceError: the face has a problem, or its photo can't be opened.
    """
    import PIL.Image

    from engine.faces.crop import preview

    kept = _kept_at(cache, face, framing)
    if kept is not None and kept.exists():
        try:
            with PIL.Image.open(kept) as small:
                return small.convert("RGB")
        except OSError:
            # A torn file in the cache is made again.
            kept.unlink(missing_ok=True)
    coded = BytesIO()
    preview(face, framing, SIDE).save(coded, "JPEG", quality=88)
    if kept is not None:
        _keep(coded.getvalue(), kept)
    # What is shown first is what the cache will show later, to the pixel.
    with PIL.Image.open(coded) as small:
        return small.convert("RGB")


def whole_picture(face: Face, cut: Cut) -> Image:
    """The whole photo, the face's box and the crop drawn on it.

    Raises:
        FaceError: the photo can't be opened.
    """
    from PIL import ImageDraw

    from engine.faces.geometry import crop_square

    photo = _whole(face).copy()
    pen = ImageDraw.Draw(photo)
    thick = max(3, max(photo.size) // 70)
    left, top, right, bottom = face.box.clamped().pixels(*photo.size)
    pen.rectangle((left, top, right, bottom), outline=FACE_COLOUR, width=thick)
    pen.rectangle(crop_square(face.box, *photo.size, cut).corners, outline=CROP_COLOUR, width=thick)
    return photo


def crop_picture(face: Face, cut: Cut) -> Image:
    """The crop as it would be cut, out of a photo that stays in memory while it is nudged.

    Raises:
        FaceError: the photo can't be opened.
    """
    from engine.faces.crop import cut_from

    return cut_from(_whole(face), face.box, cut)[0]


def _whole(face: Face) -> Image:
    if face.path is None or face.problem:
        raise FaceError(f"the face in {face.file_name} can't be used ({face.problem})")
    return _open(face.path, face.path.stat().st_mtime_ns if face.path.exists() else 0)


@lru_cache(maxsize=6)
def _open(path: Path, stamp: int) -> Image:  # noqa: ARG001 – a photo that changed is another one
    from engine.faces.upright import open_upright

    return open_upright(path, at_least=WHOLE)


def _kept_at(cache: Path, face: Face, framing: Framing | Cut) -> Path | None:
    """Where the small picture lies; named by all that decides how it looks."""
    if face.path is None:
        return None
    try:
        stamp = face.path.stat().st_mtime_ns
    except OSError:
        return None
    told = f"{face.path}|{stamp}|{face.box}|{framing}|{SIDE}"
    return cache / "thumbnails" / f"{hashlib.sha256(told.encode()).hexdigest()[:24]}.jpg"


def _keep(coded: bytes, at: Path) -> None:
    """Writes the small picture whole; a full disk costs time later, nothing else."""
    beside = at.with_name(f".{at.name}.{os.getpid()}")
    try:
        at.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(coded)
        beside.replace(at)
    except OSError:
        beside.unlink(missing_ok=True)
