"""The regions that a packet of XMP tells of, in either of the two ways that programs write them.

``mwg-rs`` is the Metadata Working Group's (Guidelines for Handling Image Metadata 2.0, section 5.9): an area by its
middle, its type, and the size of the picture that it was drawn on. ``MP`` is Microsoft's (MicrosoftPhoto 1.2): a
rectangle by its top left corner, ``x, y, w, h`` in that order, as digiKam and Windows Photo Gallery write it. Both are
of the picture as it is stored, before it is turned by its EXIF orientation.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from engine.faces.photo.geometry import Box
from engine.faces.regions.xmp import MP_REGIONS, MWG, MWG_REGIONS, Node, XmpError, regions_in, value_of

AREA = "http://ns.adobe.com/xmp/sType/Area#"
SIZE = "http://ns.adobe.com/xap/1.0/sType/Dimensions#"
MPRI = "http://ns.microsoft.com/photo/1.2/t/RegionInfo#"
MPREG = "http://ns.microsoft.com/photo/1.2/t/Region#"

MOST_REGIONS = 1000
"""Of one packet; no photo has that many people on it whom somebody named."""

LONGEST_NAME = 200
"""Letters of a name."""

LONGEST_NUMBER = 40
"""Letters of a number."""

JOINERS = "\u200c\u200d"
"""Invisible characters that names are written with, in Persian for one."""

Size = tuple[float, float]


class Kind(StrEnum):
    """What a region is around; others, such as what was focused on, are left out."""

    FACE = "face"
    PET = "pet"


@dataclass(frozen=True)
class Region:
    """A part of a photo that somebody drew and perhaps named."""

    box: Box
    """In fractions of the picture that it was drawn on, inside it."""
    name: str
    """Composed, spaces collapsed, no control characters; empty: nobody was named."""
    kind: Kind = Kind.FACE


@dataclass(frozen=True)
class RegionList:
    """What one packet tells in one of the two ways."""

    regions: tuple[Region, ...]
    applied_to: Size | None = None
    """Width and height of the picture that they were drawn on, in pixels; None: it is not told."""


def read_regions(packet: bytes, stored: Size) -> list[RegionList]:
    """The lists of regions of a packet: faces and pets that have an area; those of ``mwg-rs`` come first.

    Args:
        packet: XMP as it lies in a photo or a sidecar.
        stored: width and height of the picture as it is stored, in pixels: what areas in pixels are of where the
            packet does not say.

    Raises:
        XmpError: as ``regions_in``, or there are more than ``MOST_REGIONS``.
    """
    found = regions_in(packet)
    lists = [_mwg(node, stored) for node in found if node.name == MWG_REGIONS]
    applied_to = next((each.applied_to for each in lists if each.applied_to), None)
    # Who writes both writes both of one picture.
    lists += [RegionList(_mp(node), applied_to) for node in found if node.name == MP_REGIONS]
    if sum(len(each.regions) for each in lists) > MOST_REGIONS:
        raise XmpError(f"it tells of more than {MOST_REGIONS:,} regions")
    return [each for each in lists if each.regions]


def clean_name(text: str) -> str:
    """A name as people are called by it: composed (NFC), spaces collapsed, no control characters, of at most
    ``LONGEST_NAME`` letters."""
    kept = (" " if unicodedata.category(each) in ("Cc", "Zl", "Zp") else each for each in text if _is_letter(each))
    return " ".join(unicodedata.normalize("NFC", "".join(kept)).split())[:LONGEST_NAME].strip()


def _is_letter(character: str) -> bool:
    return character in JOINERS or unicodedata.category(character) not in ("Cf", "Cs", "Co", "Cn")


def _mwg(node: Node, stored: Size) -> RegionList:
    fields = node.fields()
    size = _size(fields.get(f"{MWG} AppliedToDimensions"))
    listed = fields.get(f"{MWG} RegionList")
    items = listed.items() if isinstance(listed, Node) else iter(())
    return RegionList(tuple(_mwg_regions(items, size or stored)), size)


def _mwg_regions(items: Iterator[Node], size: Size) -> Iterator[Region]:
    for item in items:
        fields = item.fields()
        kind = value_of(fields.get(f"{MWG} Type")).lower() or Kind.FACE
        area = fields.get(f"{MWG} Area")
        box = _area(area, size) if isinstance(area, Node) else None
        if kind in (Kind.FACE, Kind.PET) and box is not None:
            yield Region(box, clean_name(value_of(fields.get(f"{MWG} Name"))), Kind(kind))


def _area(node: Node, size: Size) -> Box | None:
    """An area's box; None where it has none: a point, or no numbers. A circle's diameter is taken in fractions of the
    picture's shorter side."""
    fields = node.fields()

    def number(name: str) -> float | None:
        return _number(value_of(fields.get(f"{AREA} {name}")))

    x, y, w, h, d = (number(name) for name in "xywhd")
    in_pixels = value_of(fields.get(f"{AREA} unit")).lower() == "pixel"
    if (w is None or h is None) and d is not None:
        across = d if in_pixels else d * min(size)
        w, h = (across, across) if in_pixels else (across / size[0], across / size[1])
    if x is None or y is None or w is None or h is None:
        return None
    if in_pixels:
        x, y, w, h = x / size[0], y / size[1], w / size[0], h / size[1]
    return _inside(x - w / 2, y - h / 2, w, h)


def _size(found: str | Node | None) -> Size | None:
    if not isinstance(found, Node):
        return None
    fields = found.fields()
    w, h = (_number(value_of(fields.get(f"{SIZE} {name}"))) for name in "wh")
    return (w, h) if w and h and w >= 1 and h >= 1 else None


def _mp(node: Node) -> tuple[Region, ...]:
    listed = node.fields().get(f"{MPRI} Regions")
    found = []
    for item in listed.items() if isinstance(listed, Node) else ():
        fields = item.fields()
        numbers = [_number(each) for each in value_of(fields.get(f"{MPREG} Rectangle")).split(",")]
        x, y, w, h = numbers if len(numbers) == 4 else (None,) * 4
        if x is None or y is None or w is None or h is None or (box := _inside(x, y, w, h)) is None:
            continue
        found.append(Region(box, clean_name(value_of(fields.get(f"{MPREG} PersonDisplayName")))))
    return tuple(found)


def _inside(x: float, y: float, w: float, h: float) -> Box | None:
    """The box as far as it is inside the picture; None where it is larger than it or has no area in it."""
    if not (0 < w <= 1.01 and 0 < h <= 1.01):
        return None
    box = Box(x, y, w, h).clamped()
    return box if box.w > 0 and box.h > 0 else None


def _number(text: str) -> float | None:
    """A finite number; XMP writes some as fractions (``1/3``), which no area is written with."""
    try:
        number = float(text[:LONGEST_NUMBER])
    except ValueError:
        return None
    return number if math.isfinite(number) else None
