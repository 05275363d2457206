"""Small pictures of faces for the screen, kept in the project's cache. For threads: they open photos."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import FaceError
from engine.faces.photo.geometry import Cut, Framing
from engine.faces.records.decisions import Face
from tui.widgets.thumbnails.cache import ThumbnailCache, stamp_of

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 384
"""Pixels a side: enough for half-blocks that fill a large terminal."""

SMALL = 96
"""Pixels a side of a thumbnail in the grid: three times what half-blocks show of it."""

LARGE = 1024
"""Pixels a side for terminals that draw pictures themselves."""

WHOLE = 1280
"""Pixels of a whole photo's longer side, at least: a crop out of it still fills the screen."""

FACE_COLOUR = (224, 166, 78)
CROP_COLOUR = (86, 182, 164)
"""What the face's box and the crop's edge are drawn with."""


def face_picture(cache: Path, face: Face, framing: Framing | Cut, side: int = SIDE) -> Image:
    """A square of ``side`` pixels around a face, from the cache where it is there and the photo has not changed.

    Raises:
        FaceError: the face has a problem, or its photo can't be opened.
    """
    from engine.faces.crop import preview

    if face.path is None:
        return preview(face, framing, side)
    told = f"{face.path}|{stamp_of(face.path)}|{face.box}|{framing}|{side}"
    return ThumbnailCache(cache).picture(told, lambda: preview(face, framing, side))


def whole_picture(face: Face, cut: Cut) -> Image:
    """The whole photo, the face's box and the crop drawn on it.

    Raises:
        FaceError: the photo can't be opened.
    """
    from PIL import ImageDraw

    from engine.faces.photo.geometry import crop_square

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
    return _open(face.path, stamp_of(face.path))


@lru_cache(maxsize=6)
def _open(path: Path, stamp: int) -> Image:  # noqa: ARG001 – a photo that changed is another one
    from engine.faces.photo.loading import open_upright

    return open_upright(path, at_least=WHOLE)
