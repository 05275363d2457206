"""A square out of a JPEG without decoding what lies below it.

Nearly all of the time that a crop takes is JPEG decoding. libvips decodes line by line and stops below the crop; it
uses the same decoder as Pillow (libjpeg-turbo), and gives the same pixels.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from engine.faces.photo.colour_profiles import in_srgb
from engine.faces.photo.geometry import Crop
from engine.faces.photo.loading import TURNS, read_header


def open_part(path: Path, size: tuple[int, int], crop: Crop) -> Image.Image | None:
    """The pixels of a crop, upright, as RGB in sRGB's colours.

    Args:
        path: the photo.
        size: width and height of the upright photo that the crop was worked out for.
        crop: where, in the upright photo.

    Returns:
        The crop; None where this way can't be gone: no JPEG, not RGB, another size, a damaged file. Then
        ``engine.faces.photo.loading.open_upright`` opens it or says why not.

    Raises:
        BrokenImage: missing, not an image, not readable.
    """
    header = read_header(path)
    turned = header.orientation >= 5
    if header.format not in {"JPEG", "MPO"} or header.mode != "RGB":
        return None
    if size != ((header.height, header.width) if turned else (header.width, header.height)):
        return None
    left, top = _stored(crop, header.width, header.height, header.orientation)
    vips = _vips()
    if vips is None:
        return None
    try:
        photo = vips.Image.new_from_file(str(path), access="sequential", fail_on="truncated")
        if photo.bands != 3 or photo.format != "uchar":
            return None
        pixels = photo.crop(left, top, crop.side, crop.side).write_to_memory()
    except vips.Error:
        return None
    picture = Image.frombytes("RGB", (crop.side, crop.side), pixels)
    if header.profile:
        # After cutting, for a crop has fewer pixels; by what the other way uses, for both are to give the same.
        picture.info["icc_profile"] = header.profile
        picture = in_srgb(picture)
        picture.info.clear()
    turn = TURNS.get(header.orientation)
    return picture.transpose(turn) if turn is not None else picture


def _stored(crop: Crop, width: int, height: int, orientation: int) -> tuple[int, int]:
    """Left and top of an upright crop among the stored pixels, ``width`` × ``height``, of an EXIF orientation."""
    near_x, near_y = (crop.top, crop.left) if orientation >= 5 else (crop.left, crop.top)
    far_x, far_y = width - near_x - crop.side, height - near_y - crop.side
    return (far_x if orientation in {2, 3, 7, 8} else near_x), (far_y if orientation in {3, 4, 6, 7} else near_y)


@cache
def _vips() -> Any:
    """libvips' binding; None where this machine has no build of it.

    One thread a picture, for several pictures are cut at once; and no cache, for a photo may change under its name.
    """
    os.environ.setdefault("VIPS_CONCURRENCY", "1")
    try:
        import pyvips
    except (ImportError, OSError):
        return None
    pyvips.cache_set_max(0)
    return pyvips
