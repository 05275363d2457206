"""Cutting faces out of upright photos."""

from __future__ import annotations

from PIL import Image

from engine.errors import FaceError
from engine.faces.photo.geometry import Box, Crop, Cut, Framing, crop_square
from engine.faces.photo.jpeg_region import open_part
from engine.faces.photo.loading import open_upright
from engine.faces.records.found_face import FoundFace


def cut(face: FoundFace, framing: Framing | Cut) -> Image.Image:
    """The square around a face, in the photo's own pixels, RGB, upright.

    Raises:
        FaceError: the face has a problem, or its photo can't be opened any more.
    """
    crop = crop_of(face, framing)
    if crop is not None and face.path and face.image_width and face.image_height:
        part = open_part(face.path, (face.image_width, face.image_height), crop)
        if part is not None:
            return part
    return cut_from(_photo(face), face.box, framing)[0]


def cut_from(photo: Image.Image, box: Box, framing: Framing | Cut) -> tuple[Image.Image, Crop]:
    """The square around a box of an upright photo that is open already, and where it was cut.

    Raises:
        FaceError: the box has no area inside the photo.
    """
    try:
        crop = crop_square(box, photo.width, photo.height, framing)
    except ValueError as error:
        raise FaceError(str(error), "correct the face in the library and scan again") from error
    return photo.crop(crop.corners), crop


def crop_of(face: FoundFace, framing: Framing | Cut) -> Crop | None:
    """Where ``cut`` would cut, in pixels, without opening the photo; None where the face can't be used."""
    if face.problem or not face.image_width or not face.image_height:
        return None
    try:
        return crop_square(face.box, face.image_width, face.image_height, framing)
    except ValueError:
        return None


def preview(face: FoundFace, framing: Framing | Cut, side: int) -> Image.Image:
    """A small square around a face for the screen, ``side`` × ``side`` pixels, several times quicker than ``cut``.

    Raises:
        FaceError: as ``cut``.
    """
    crop = crop_of(face, framing)
    if crop is None or not face.image_width or not face.image_height:
        photo = _photo(face)
    else:
        needed = max(face.image_width, face.image_height) * side / crop.side
        photo = _photo(face, at_least=int(needed) + 1)
    return cut_from(photo, face.box, framing)[0].resize((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)


def _photo(face: FoundFace, at_least: int | None = None) -> Image.Image:
    if face.problem or face.path is None:
        raise FaceError(
            f"the face in {face.file_name} can't be used ({face.problem})", "fix that, then: limner faces scan"
        )
    return open_upright(face.path, at_least)
