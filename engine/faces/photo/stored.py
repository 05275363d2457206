"""How a photo lies in its file: which way up its pixels are stored, and the XMP that other programs wrote into it."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from engine.faces.photo.loading import ORIENTATION, TURNS, open_photo, orientation_of, size_upright

LARGEST_XMP = 16_000_000
"""Bytes of a photo's XMP."""

MOST_CHUNKS = 200_000
"""Chunks of a PNG that are passed over in search of its XMP: one of a gigabyte has them of 8 kB."""

XMP_TAG = 700
"""Of TIFF (ISO 16684-3)."""

EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"
"""What the parts of a JPEG's further XMP begin with: then come 32 digits that name it, its length, and where the part
lies in it, four bytes each (ISO 16684-3, 1.1.3)."""

PNG_KEYWORD = b"XML:com.adobe.xmp\0"


@dataclass(frozen=True)
class StoredPhoto:
    """What a photo's header says."""

    upright: tuple[int, int]
    """Width and height in pixels once it is turned."""
    orientation: int
    """What makes the stored pixels upright: EXIF's 1 to 8."""
    packets: tuple[bytes, ...] = ()
    """Its XMP; a JPEG may have a second packet for what the first has no room for."""
    problem: str = ""
    """Why its XMP can't be read."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the stored picture, in pixels."""
        return self.upright[::-1] if self.orientation >= 5 else self.upright


def read_stored(path: Path) -> StoredPhoto:
    """Reads a photo's header and its XMP; no pixel is decoded.

    Raises:
        BrokenImage: as for ``open_upright``.
    """
    with open_photo(path) as image:
        upright, orientation = size_upright(image), _stored_orientation(image)
        try:
            packets = tuple(_packets(image, path))
            if sum(map(len, packets)) > LARGEST_XMP:
                raise ValueError(f"it has more than {LARGEST_XMP / 1e6:g} MB")
        except (OSError, ValueError, zlib.error) as error:
            return StoredPhoto(upright, orientation, problem=str(error))
        return StoredPhoto(upright, orientation, packets)


def _stored_orientation(image: Image.Image) -> int:
    """Pillow turns TIFF and HEIF itself, and then says that nothing is to be turned."""
    told: object = 1
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        told = image.tag_v2.get(ORIENTATION)
    elif image.format == "HEIF":
        told = image.info.get("original_orientation")
    else:
        return orientation_of(image)
    return told if isinstance(told, int) and told in TURNS else 1


def _packets(image: Image.Image, path: Path) -> Iterator[bytes]:
    """Raises OSError, ValueError or zlib.error where there is XMP that can't be read."""
    if isinstance(image, PngImagePlugin.PngImageFile):
        yield from _of_png(path)
        return
    found = image.tag_v2.get(XMP_TAG) if isinstance(image, TiffImagePlugin.TiffImageFile) else image.info.get("xmp")
    if isinstance(found, tuple):
        found = found[0] if len(found) == 1 and isinstance(found[0], bytes) else _as_bytes(found)
    main = found.encode() if isinstance(found, str) else bytes(found or b"")
    if main:
        yield main
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        parts = [data for name, data in image.applist if name == "APP1" and data.startswith(EXTENDED)]
        if parts and (further := _joined(parts, main)):
            yield further


def _as_bytes(numbers: tuple[object, ...]) -> bytes:
    """A tag that was written as numbers."""
    if not all(isinstance(each, int) and 0 <= each < 256 for each in numbers):
        raise ValueError("it is no text")
    return bytes(each for each in numbers if isinstance(each, int))


def _joined(parts: list[bytes], main: bytes) -> bytes:
    """A JPEG's further packet, of the parts that the main one names; empty where it names none."""
    start = len(EXTENDED)
    named = [part for part in parts if len(part) > start + 40 and part[start : start + 32] in main]
    if not named:
        return b""
    length = int.from_bytes(named[0][start + 32 : start + 36], "big")
    found: dict[int, bytes] = {}
    for part in named:
        found[int.from_bytes(part[start + 36 : start + 40], "big")] = part[start + 40 :]
    packet = b"".join(found[place] for place in sorted(found))
    if len(packet) != length:
        raise ValueError("a part of it is missing")
    return packet


def _of_png(path: Path) -> Iterator[bytes]:
    """A PNG's XMP, wherever it stands (PNG 3rd edition, 11.3.3.4: keyword, zero, compressed or not, method, language,
    zero, translated keyword, zero, text)."""
    with path.open("rb") as handle:
        handle.seek(8)
        for _ in range(MOST_CHUNKS):
            head = handle.read(8)
            if len(head) < 8:
                return
            length = int.from_bytes(head[:4], "big")
            if head[4:] != b"iTXt":
                handle.seek(length + 4, os.SEEK_CUR)
                continue
            begin = handle.read(min(length, len(PNG_KEYWORD)))
            if begin != PNG_KEYWORD:
                handle.seek(length - len(begin) + 4, os.SEEK_CUR)
                continue
            rest = length - len(begin)
            if rest > LARGEST_XMP:
                raise ValueError(f"it has more than {LARGEST_XMP / 1e6:g} MB")
            data = handle.read(rest)
            _language, _, text = data[2:].partition(b"\0")
            text = text.partition(b"\0")[2]
            yield _unpacked(text) if data[:1] == b"\1" else text
            return


def _unpacked(packed: bytes) -> bytes:
    inflate = zlib.decompressobj()
    text = inflate.decompress(packed, LARGEST_XMP + 1)
    if len(text) > LARGEST_XMP:
        raise ValueError(f"unpacked it has more than {LARGEST_XMP / 1e6:g} MB")
    return text
