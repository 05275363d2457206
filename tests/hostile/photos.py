"""Photos nobody should trust: each a file of its own, with what is to be seen of it or the reason why nothing is."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, TiffImagePlugin

from tests.hostile.heic_grid import grid

HEIC = Path(__file__).parent / "heic"
"""Drawn pictures of 64 × 48 pixels, and a tile of 512 × 512, coded outside the project: what decodes them can't make
them."""

SIZE = (64, 48)
RED, BLUE = (200, 40, 40), (40, 90, 160)
TOLERANCE = 12


@dataclass(frozen=True)
class Trap:
    """One file. Either it is opened, of ``size`` with ``colour`` near its top left, or refused with ``reason``."""

    name: str
    data: bytes
    size: tuple[int, int] | None = None
    colour: tuple[int, int, int] = RED
    reason: str = ""
    """A part of the reason."""

    def write(self, folder: Path) -> Path:
        path = folder / self.name
        path.write_bytes(self.data)
        return path


def drawn() -> Image.Image:
    """A red corner on blue, and an ellipse."""
    picture = Image.new("RGB", SIZE, BLUE)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, 31, 23), fill=RED)
    pen.ellipse((34, 10, 60, 42), fill=(230, 200, 170))
    return picture


def coded(kind: str, picture: Image.Image | None = None, **how: Any) -> bytes:
    """A picture as a file's bytes."""
    out = BytesIO()
    (picture or drawn()).save(out, kind, **how)
    return out.getvalue()


def corpus() -> list[Trap]:
    """All of them."""
    return [*_wrong_everywhere(), *_pixels(), *_frames(), *_names(), *_exif(), *_bombs(), *_heic(), *_pieces()]


CODERS: dict[str, Callable[[], bytes]] = {
    "jpg": lambda: coded("JPEG", quality=95, subsampling=0),
    "png": lambda: coded("PNG"),
    "webp": lambda: coded("WEBP", lossless=True),
    "tif": lambda: coded("TIFF"),
    "heic": lambda: (HEIC / "plain.heic").read_bytes(),
}


def _wrong_everywhere() -> list[Trap]:
    """What can happen to a file of any format."""
    found: list[Trap] = []
    for suffix, code in CODERS.items():
        whole = code()
        found += [
            Trap(f"whole.{suffix}", whole, SIZE),
            Trap(f"empty.{suffix}", b"", reason="the file is empty"),
            Trap(f"one-byte.{suffix}", whole[:1], reason="not an image"),
            Trap(f"half.{suffix}", whole[: len(whole) // 2], reason=_cut_short(suffix)),
            Trap(f"head.{suffix}", whole[:40], reason=""),
            Trap(f"zeros.{suffix}", bytes(2000), reason="not an image"),
            Trap(f"noise.{suffix}", np.random.default_rng(1).bytes(5000), reason="not an image"),
            Trap(f"page.{suffix}", b"<!DOCTYPE html><title>404</title>" * 20, reason="not an image"),
            Trap(f"drawing.{suffix}", b'<svg xmlns="http://www.w3.org/2000/svg"/>', reason="not an image"),
        ]
    return found


def _cut_short(suffix: str) -> str:
    return {"tif": "", "heic": ""}.get(suffix, "truncated")


def _pixels() -> list[Trap]:
    """Kinds of pixels that are no 8-bit RGB."""
    grey = np.full((SIZE[1], SIZE[0]), 0x8000, np.uint16)
    half_seen = drawn().convert("RGBA")
    half_seen.putalpha(128)
    on_white = (228, 148, 148)
    middle = (128, 128, 128)
    return [
        Trap("cmyk.jpg", coded("JPEG", Image.new("CMYK", SIZE, (0, 255, 255, 0)), quality=95), SIZE, (255, 0, 0)),
        Trap("cmyk.tif", coded("TIFF", Image.new("CMYK", SIZE, (0, 255, 255, 0))), SIZE, (255, 0, 0)),
        Trap("sixteen.png", coded("PNG", Image.fromarray(grey)), SIZE, middle),
        Trap("sixteen.tif", coded("TIFF", Image.fromarray(grey)), SIZE, middle),
        Trap("sixteen-rgb.png", _sixteen_rgb(), SIZE),
        Trap("palette.png", coded("PNG", drawn().quantize(16)), SIZE),
        Trap("palette.gif", coded("GIF", drawn().quantize(16)), SIZE),
        Trap("palette-seen-through.png", coded("PNG", drawn().quantize(4), transparency=b"\0" * 4), SIZE, (255,) * 3),
        Trap("alpha.png", coded("PNG", half_seen), SIZE, on_white),
        Trap("alpha.webp", coded("WEBP", half_seen, lossless=True), SIZE, on_white),
        Trap("alpha.tif", coded("TIFF", half_seen), SIZE, on_white),
        Trap("lab.tif", coded("TIFF", Image.new("LAB", SIZE, (128, 128, 128))), SIZE, (119, 119, 119)),
        Trap("float.tif", coded("TIFF", Image.new("F", SIZE, 128.0)), SIZE, middle),
        Trap("bits.tif", coded("TIFF", Image.new("1", SIZE, 1)), SIZE, (255, 255, 255)),
        Trap("one-pixel.png", coded("PNG", Image.new("RGB", (1, 1), RED)), (1, 1)),
        Trap("thin.png", coded("PNG", Image.new("RGB", (4000, 1), RED)), (4000, 1)),
    ]


def _sixteen_rgb() -> bytes:
    """Pillow writes none: three samples of 16 bits a pixel."""
    rows = b"".join(b"\0" + b"".join(struct.pack(">3H", *(257 * c for c in RED)) for _ in range(64)) for _ in range(48))
    return png(_chunk(b"IHDR", struct.pack(">IIBBBBB", *SIZE, 16, 2, 0, 0, 0)), _chunk(b"IDAT", zlib.compress(rows)))


def _frames() -> list[Trap]:
    """Files of several pictures: the first one counts."""
    rest = [Image.new("RGB", SIZE, (0, 255, 0))] * 3
    more = {"save_all": True, "append_images": rest}
    return [
        Trap("animated.gif", coded("GIF", **more), SIZE),
        Trap("animated.png", coded("PNG", **more), SIZE),
        Trap("animated.webp", coded("WEBP", lossless=True, **more), SIZE),
        Trap("pages.tif", coded("TIFF", **more), SIZE),
        Trap("several.jpg", coded("MPO", quality=95, subsampling=0, **more), SIZE),
    ]


def _names() -> list[Trap]:
    """Names that lie about what is inside, and names that are trouble themselves."""
    jpeg, png_, webp = CODERS["jpg"](), CODERS["png"](), CODERS["webp"]()
    return [
        Trap("really-png.jpg", png_, SIZE),
        Trap("really-jpeg.png", jpeg, SIZE),
        Trap("really-webp.heic", webp, SIZE),
        Trap("really-heic.jpg", CODERS["heic"](), SIZE),
        Trap("no-suffix", jpeg, SIZE),
        Trap('quote\'s "and" [red]markup $(id) `id`.jpg', jpeg, SIZE),
        Trap("escape\x1b[31m\nline.png", png_, SIZE),
        Trap("-n.jpg", jpeg, SIZE),
        Trap("[0].jpg", jpeg, SIZE),
        Trap("a[page=3].jpg", jpeg, SIZE),
        Trap("program.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", reason="not an image"),
        Trap("document.jpg", b"%PDF-1.7\n" + bytes(100), reason="not an image"),
    ]


def _exif() -> list[Trap]:
    """Metadata that is odd: it says nothing about the pixels."""
    found = []
    for value in (0, 9, 700, 65535):
        exif = Image.Exif()
        exif[274] = value
        found += [
            Trap(f"orientation-{value}.jpg", coded("JPEG", quality=95, subsampling=0, exif=exif), SIZE),
            Trap(f"orientation-{value}.png", coded("PNG", exif=exif), SIZE),
        ]
    turned = Image.Exif()
    turned[274] = 6
    round_ = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x08\0\0\0\x08"
    odd = {
        "words": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x04six\0\0\0\0\0",
        "garbage": b"Exif\0\0MM\0*\xff\xff\xff\xff" + b"\xff" * 30,
        "runs-in-circles": round_,
        "many-tags": b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12" * 5000,
        "huge-count": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\xff\xff\xff\xff\0\0\0\x20",
    }
    how = {"quality": 95, "subsampling": 0}
    found += [Trap(f"exif-{name}.jpg", coded("JPEG", exif=exif, **how), SIZE) for name, exif in odd.items()]
    found.append(Trap("exif-turned.tif", coded("TIFF", exif=turned), SIZE[::-1], BLUE))
    return found


def _bombs() -> list[Trap]:
    """Files that would grow."""
    rows = zlib.compress(bytes(3 * 64 + 1) * 48)
    words = _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(80_000_000), 9))
    return [
        Trap("wide.png", png(_header(200_000, 200_000), _chunk(b"IDAT", rows)), reason="too large"),
        Trap("overflow.png", png(_header(2**31 - 1, 2**31 - 1), _chunk(b"IDAT", rows)), reason="too large"),
        Trap("nothing.png", png(_header(0, 0), _chunk(b"IDAT", rows)), reason=""),
        Trap("words.png", png(_header(*SIZE), words, _chunk(b"IDAT", rows)), reason="damaged"),
        Trap("wide.tif", _tiff(60_000, 60_000), reason="too large"),
        Trap("wide.jpg", _patched_jpeg(65_500, 65_500), reason="too large"),
        Trap("wide.gif", _patched_gif(65_000, 65_000), reason="too large"),
        Trap("lying.png", lying_png(), reason="truncated"),
    ]


def _heic() -> list[Trap]:
    """HEIC, whole and with broken boxes (ISO 14496-12: length, kind, content)."""
    plain, tile = ((HEIC / f"{name}.heic").read_bytes() for name in ("plain", "tile"))
    brand = plain[: int.from_bytes(plain[:4], "big")]
    wide = re.sub(rb"(?s)(ispe.{4}).{8}", lambda at: at[1] + struct.pack(">II", 2**30, 2**30), plain)
    return [
        Trap("alpha.heic", (HEIC / "alpha.heic").read_bytes(), SIZE, (249, 231, 231)),
        Trap("several.heic", (HEIC / "several.heic").read_bytes(), SIZE),
        Trap("ten-bit.heic", (HEIC / "ten-bit.heic").read_bytes(), SIZE),
        Trap("turned.heic", (HEIC / "turned.heic").read_bytes(), SIZE[::-1], BLUE),
        Trap("brand-only.heic", brand, reason=""),
        Trap("endless-box.heic", brand + b"\xff\xff\xff\xffmeta" + bytes(60), reason=""),
        Trap("box-of-nothing.heic", brand + b"\0\0\0\x01meta" + b"\xff" * 12, reason=""),
        Trap("nested.heic", brand + b"".join(struct.pack(">I", 4000) + b"meta" for _ in range(500)), reason=""),
        Trap("wide.heic", wide, reason=""),
        Trap("grid.heic", grid(tile, 3, 2), (1536, 1024), (200, 60, 60)),
        Trap("wide-grid.heic", grid(tile, 31, 31), reason="too large"),
        Trap("grid-of-many.heic", grid(tile, 256, 200), reason="not an image"),
        Trap("film.heic", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(200), reason=""),
    ]


def _pieces() -> list[Trap]:
    """Whole at both ends, damaged between."""
    found = []
    for suffix in ("jpg", "png", "webp"):
        data = bytearray(CODERS[suffix]())
        start = data.index(b"IDAT") + 8 if suffix == "png" else len(data) // 2
        data[start : start + 40] = bytes(range(40))
        # Of a JPEG the rest is grey or wrong, as every viewer shows it; its size is known.
        found.append(Trap(f"damaged.{suffix}", bytes(data), SIZE if suffix == "jpg" else None, reason="damaged"))
    return found


def lying_png(width: int = 15_700, height: int = 15_700) -> bytes:
    """A header just below the limit, and next to nothing behind it."""
    return png(_header(width, height), _chunk(b"IDAT", zlib.compress(bytes(1000))))[:-12]


def png(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + _chunk(b"IEND", b"")


def _header(width: int, height: int) -> bytes:
    return _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _tiff(width: int, height: int) -> bytes:
    """A header that claims one strip of all rows."""
    ifd = TiffImagePlugin.ImageFileDirectory_v2()
    values = {256: width, 257: height, 258: (8, 8, 8), 259: 1, 262: 2, 273: 8, 277: 3, 278: height, 279: 3}
    for tag, value in values.items():
        ifd[tag] = value
    return b"II*\0\x08\0\0\0" + ifd.tobytes(8)


def _patched_jpeg(width: int, height: int) -> bytes:
    """A JPEG whose start-of-frame segment (SOF0: length, precision, height, width) lies."""
    data = bytearray(CODERS["jpg"]())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def _patched_gif(width: int, height: int) -> bytes:
    """A GIF whose logical screen (bytes 6 to 9) lies."""
    data = coded("GIF")
    return data[:6] + struct.pack("<HH", width, height) + data[10:]
