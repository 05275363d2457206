"""Sizes by name: the ones that SDXL was trained in and people ask for.

Source: the SDXL report's table of aspect ratios (https://arxiv.org/abs/2307.01952, appendix I).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

USUAL_SIDE = 1024
"""Pixels a side of the base model that the sizes are told for; another gets a like share."""


class SizeName(StrEnum):
    """A shape of picture."""

    SQUARE = "square"
    PORTRAIT = "portrait"
    """3:4 or so: head and shoulders."""
    TALL = "tall"
    """2:3: from the knees up."""
    PHONE = "phone"
    """9:16 or so: the whole body."""
    LANDSCAPE = "landscape"
    WIDE = "wide"
    CINEMA = "cinema"


PIXELS: Mapping[SizeName, tuple[int, int]] = {
    SizeName.SQUARE: (1024, 1024),
    SizeName.PORTRAIT: (896, 1152),
    SizeName.TALL: (832, 1216),
    SizeName.PHONE: (768, 1344),
    SizeName.LANDSCAPE: (1152, 896),
    SizeName.WIDE: (1216, 832),
    SizeName.CINEMA: (1344, 768),
}
"""Width and height for a base model of ``USUAL_SIDE``."""


def size_of(name: SizeName, native: int = USUAL_SIDE) -> tuple[int, int]:
    """Width and height in pixels.

    Args:
        name: the shape.
        native: pixels a side that the base model was made for, a multiple of 64.
    """
    width, height = PIXELS[name]
    return width * native // USUAL_SIDE, height * native // USUAL_SIDE
