"""Measuring a face on the pixels of its photo."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.faces.photo.geometry import Box, Framing, crop_square
from engine.faces.records.measurements import FaceQuality

Grey = NDArray[np.float32]

SIDE = 256
"""Pixels a side that every face is brought to before its sharpness is measured, so that sizes can be compared."""

PHOTO_HASH = 16
FACE_HASH = 8
"""A dHash of side 8 compares neighbours in 8 rows of 9 grey pixels: 64 bits; one of side 16 has 256."""

FACE_SURROUND = Framing.CLOSE
"""What is hashed of a face: a close crop holds hair and shoulders, too."""


def needed_side(face_px: int, longest: int) -> int:
    """How many pixels the photo's longer side must be decoded with so that the face keeps twice ``SIDE``."""
    return round(longest * min(1.0, 2 * SIDE / max(1, face_px))) + 1


def look(photo: Image.Image, box: Box, photo_hash: int, mirrored: int | None = None) -> FaceQuality:
    """Measures one face of an upright RGB photo.

    Args:
        photo: the photo, perhaps decoded smaller.
        box: the face's.
        photo_hash: ``dhash`` of the whole photo with ``PHOTO_HASH``, which all its faces share.
        mirrored: the same of the photo mirrored.

    Raises:
        ValueError: the box has no area inside the photo.
    """
    square = crop_square(box, photo.width, photo.height, Framing.BOX)
    face = photo.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=square.corners, reducing_gap=3.0).convert("L")
    grey = np.asarray(face, np.float32)
    around = crop_square(box, photo.width, photo.height, FACE_SURROUND)
    return FaceQuality(
        sharp=round(sharpness(grey), 2),
        light=round(float(grey.mean()), 2),
        contrast=round(float(grey.std()), 2),
        clipped=round(float((grey >= 250).mean()), 4),
        crushed=round(float((grey <= 5).mean()), 4),
        photo_hash=photo_hash,
        face_hash=dhash(photo, FACE_HASH, around.corners),
        photo_hash_mirrored=mirrored,
    )


def sharpness(grey: Grey) -> float:
    """Variance of the Laplacian (four neighbours) of a grey picture; Pech-Pacheco et al., ICPR 2000."""
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    return float(laplacian.var())


def dhash(photo: Image.Image, side: int, corners: tuple[int, int, int, int] | None = None) -> int:
    """``side`` × ``side`` bits that stay nearly the same when a picture is shrunk, recompressed or made a little
    brighter: whether each pixel of a small grey copy is brighter than its left neighbour (N. Krawetz, "Kind of Like
    That", 2013). Rows from the top, the most significant bit first."""
    return _bits(_small(photo, side, corners))


def dhash_both(photo: Image.Image, side: int) -> tuple[int, int]:
    """``dhash`` of a picture, and of the picture mirrored: 26 to 34 of 64 bits lie between the two, as many as between
    two different pictures, so a mirrored copy is found by neither alone."""
    small = _small(photo, side, None)
    return _bits(small), _bits(small[:, ::-1])


def _small(photo: Image.Image, side: int, corners: tuple[int, int, int, int] | None) -> NDArray[Any]:
    small = photo.resize((side + 1, side), Image.Resampling.BOX, box=corners, reducing_gap=None).convert("L")
    return np.asarray(small, np.int16)


def _bits(grey: NDArray[Any]) -> int:
    return int.from_bytes(np.packbits((grey[:, 1:] > grey[:, :-1]).reshape(-1)).tobytes(), "big")
