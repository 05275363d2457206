"""Regions are drawn on the picture as it is stored; faces are found on the upright one."""

from __future__ import annotations

from dataclasses import dataclass

from engine.faces.photo.geometry import Box
from engine.faces.photo.stored import StoredPhoto
from engine.faces.regions.region_list import RegionList, Size

SHAPES_DIFFER = 0.02
"""How much two shapes may differ and be one: a photo that was made smaller has whole pixels again."""


@dataclass(frozen=True)
class Basis:
    """Which picture the regions of a list are of."""

    orientation: int
    """The EXIF orientation that makes them upright; 1: they are of the upright picture already."""
    others: tuple[int, ...] = ()
    """What may hold in its place where faces prove it."""
    doubted: bool = False
    """Whether they were drawn on a picture of another shape: cropped or turned since."""


def upright_box(box: Box, orientation: int) -> Box:
    """A box of the stored picture on the upright one.

    Args:
        box: in fractions of the stored picture.
        orientation: EXIF's, 1 to 8.
    """
    right, down = 1 - box.x - box.w, 1 - box.y - box.h
    x, y, w, h = {
        1: (box.x, box.y, box.w, box.h),
        2: (right, box.y, box.w, box.h),
        3: (right, down, box.w, box.h),
        4: (box.x, down, box.w, box.h),
        5: (box.y, box.x, box.h, box.w),
        6: (down, box.x, box.h, box.w),
        7: (down, right, box.h, box.w),
        8: (box.y, right, box.h, box.w),
    }[orientation]
    return Box(x, y, w, h).clamped()


def basis_of(listed: RegionList, photo: StoredPhoto) -> Basis:
    """Which picture a list's regions are of, by the shape of the one that they say they were drawn on.

    Of the stored one, as the standard has it; some programs turn them and write the upright picture's size with them.
    """
    turn = photo.orientation
    size = listed.applied_to
    others: tuple[int, ...] = (1,) if turn != 1 else ()
    if size is None or _same_shape(size, photo.size):
        return Basis(turn, others)
    if _same_shape(size, photo.upright):
        return Basis(1, (turn,))
    if _same_shape(size, photo.size[::-1]):
        # Turned by a program that left the regions as they were.
        others += (6, 8)
    return Basis(turn, others, doubted=True)


def _same_shape(one: Size, other: Size) -> bool:
    return abs(one[0] * other[1] - one[1] * other[0]) <= SHAPES_DIFFER * one[1] * other[0]
