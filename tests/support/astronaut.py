"""scikit-image's public-domain portrait, saved the ways that cameras and phones save photos."""

from __future__ import annotations

from pathlib import Path

import skimage.data
from PIL import Image

FACE = (182 / 512, 63 / 512, 86 / 512, 111 / 512)
"""Where the face is: x, y, w, h in fractions."""

TURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How the sensor holds an upright picture of each EXIF orientation."""


def astronaut(width: int = 512, height: int = 512) -> Image.Image:
    """The upright portrait, or its left and top part where it is asked for narrower or lower."""
    return Image.fromarray(skimage.data.astronaut()).crop((0, 0, width, height))


def save(path: Path, picture: Image.Image | None = None, orientation: int = 1) -> Path:
    """Saves a picture as a camera held that way does: pixels turned, the tag saying so."""
    picture = picture or astronaut()
    exif = Image.Exif()
    exif[274] = orientation
    turned = picture.transpose(TURNED[orientation]) if orientation in TURNED else picture
    path.parent.mkdir(parents=True, exist_ok=True)
    lossless = {"lossless": True} if path.suffix == ".webp" else {}
    turned.save(path, exif=exif, quality=100, subsampling=0, **lossless)
    return path
