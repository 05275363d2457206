"""Opening photos the way they are looked at: turned by their EXIF orientation, as sRGB, or with the reason why not."""

from __future__ import annotations

import os
import stat
import struct
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
    features,
)

from engine.errors import FaceError
from engine.faces.photo.colour_profiles import in_srgb, profile_problem
from engine.faces.photo.named_profiles import untold_profile

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "HEIF", "AVIF")
"""What is opened; Pillow's other readers can start programs or are no photos."""

LATER = ("HEIF", "AVIF")
"""Read once one is met, and where this machine's Pillow can."""

NOT_READ: tuple[tuple[bytes, int, str], ...] = (
    (b"\0\0\0\x0cjP  \r\n\x87\n", 0, "JPEG 2000"),
    (b"\xff\x4f\xff\x51", 0, "JPEG 2000"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", 0, "JPEG XL"),
    (b"\xff\x0a", 0, "JPEG XL"),
    (b"8BPS", 0, "a Photoshop file"),
    (b"FUJIFILMCCD-RAW", 0, "a camera's raw file"),
    (b"CR", 8, "a camera's raw file"),
    (b"crx ", 8, "a camera's raw file"),
)
"""What pictures begin with that are pictures and are not read: bytes, where they stand, and what it is."""

LARGEST = 250_000_000
"""Pixels; a larger picture would need gigabytes to open."""

LARGE = 40_000_000
"""Pixels; pictures that are larger are decoded one at a time, so that many threads never hold many of them. A header
that lies costs as much memory as a picture of that size."""

LONGEST_REASON = 160
"""Letters of what a decoder says about a damaged file."""

ORIENTATION = 274
"""EXIF 2.32, tag 0x0112."""

LARGEST_EXIF = 1 << 20
"""Bytes; what a PNG claims beyond that is not read."""

EXIF_PART, TAKEN, CHANGED = 0x8769, 0x9003, 0x0132
"""EXIF 2.32: where the camera's own tags are, DateTimeOriginal among them, and DateTime."""

TURNS: dict[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture of an EXIF orientation upright; 1 needs nothing."""

Image.MAX_IMAGE_PIXELS = LARGEST
# Between once and twice the limit Pillow only warns; ``open_photo`` refuses there already.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
# Said of many phones' photos, and of no use to anybody who looks at them.
warnings.filterwarnings("ignore", message="Corrupt EXIF", category=UserWarning)

# Named here so that they are loaded once, and not by whichever of several threads opens the first photo.
_READERS = (BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin)


class BrokenImage(FaceError):
    """A photo that can't be used. ``reason`` says why without naming the file."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


def open_upright(path: Path, at_least: int | None = None) -> Image.Image:
    """The whole picture, upright, as RGB in sRGB's colours; transparency lies on white.

    Args:
        path: a JPEG, PNG, WebP, HEIC or another of ``FORMATS``.
        at_least: for previews: the picture may come smaller, its longer side no less than this many pixels. Only
            JPEG is quicker for it.

    Raises:
        BrokenImage: missing, truncated, not an image, not readable, or too large.
    """
    with open_photo(path) as image:
        try:
            orientation = orientation_of(image)
            if at_least is not None:
                longest = max(image.size)
                share = min(1.0, at_least / longest)
                image.draft("RGB", (max(1, int(image.width * share)), max(1, int(image.height * share))))
            with _decoding(image):
                image.load()
                return _turned(_rgb(image), orientation)
        except Exception as error:
            # Also what a kind of pixels raises that can't be turned into RGB.
            raise _broken(path, error) from error


def upright_size(path: Path) -> tuple[int, int]:
    """Width and height of the upright picture, in pixels, from the file's header alone.

    Raises:
        BrokenImage: as for ``open_upright``.
    """
    with open_photo(path) as image:
        return size_upright(image)


def read_taken(path: Path) -> str | None:
    """When a photo was taken, by its camera's clock: ``2019-06-02 15:58:24``. None where its EXIF does not say: a
    file's own time says when it was copied, and is never taken for it.

    Raises:
        BrokenImage: as for ``open_upright``.
    """
    with open_photo(path) as image:
        try:
            exif = _exif(image)
            told = exif.get_ifd(EXIF_PART).get(TAKEN) or exif.get(CHANGED) or ""
            day, _, clock = str(told).strip("\0 ").partition(" ")
            moment = datetime.fromisoformat(f"{day.replace(':', '-')} {clock[:8]}")
        except Exception:
            # Missing, damaged, or the zeros that a camera writes whose clock was never set.
            return None
    return moment.isoformat(sep=" ") if moment.year > 1900 else None


@dataclass(frozen=True)
class Header:
    """What a file's header says of the pixels as they are stored."""

    format: str
    mode: str
    width: int
    height: int
    orientation: int
    """EXIF's, 1 to 8; 1 also where it is missing or damaged."""
    profile: bytes | None = None
    """Its colour profile (ICC)."""

    @property
    def caution(self) -> str | None:
        """What can't be relied on though the picture can be opened: its colours."""
        problem = profile_problem(self.profile, self.mode)
        return f"{problem}: its colours are treated as sRGB" if problem else None


def read_header(path: Path) -> Header:
    """Reads a photo's header.

    Raises:
        BrokenImage: as for ``open_upright``.
    """
    with open_photo(path) as image:
        profile = image.info.get("icc_profile") or None
        return Header(image.format or "", image.mode, image.width, image.height, orientation_of(image), profile)


def proven_size(path: Path) -> tuple[int, int]:
    """``upright_size`` of a file that is also seen to be whole.

    Decoding a photo takes a tenth of a second, its last bytes none: a JPEG ends with its end-of-image marker, a PNG
    with IEND, a WebP has the length that its header names. What doesn't is decoded, for some cameras write more after
    the end.

    Raises:
        BrokenImage: as for ``open_upright``.
    """
    with open_photo(path) as image:
        size = size_upright(image)
        if not _ends_well(path, image.format or ""):
            image.draft("RGB", (1, 1))
            try:
                with _decoding(image):
                    image.load()
            except Exception as error:
                raise _broken(path, error) from error
        return size


_LARGE_ONE = threading.Lock()


@contextmanager
def _decoding(image: Image.Image) -> Iterator[None]:
    """While a picture is decoded and used: it is gone afterwards, before the next large one is begun."""
    with _LARGE_ONE if image.width * image.height > LARGE else nullcontext():
        try:
            yield
        except Exception as error:
            # The frames of what failed hold the decoder, and that the pixels, for as long as somebody has the error.
            traceback.clear_frames(error.__traceback__)
            raise
        finally:
            image.close()


def open_header(source: Path | str | IO[bytes]) -> Image.Image:
    """A picture's header, read by ``FORMATS`` alone; every picture is opened by this.

    Raises:
        TooLarge: it has more than ``LARGEST`` pixels.
        Exception: whatever else Pillow or the system raises; ``OSError`` and ``ValueError`` mostly.
    """
    try:
        image = Image.open(source, formats=[each for each in FORMATS if each not in LATER or each in Image.OPEN])
    except Image.DecompressionBombError as error:
        raise TooLarge("the picture is too large") from error
    # Pillow itself refuses from twice as many on.
    if image.width * image.height > LARGEST:
        image.close()
        raise TooLarge(f"the picture is too large ({image.width} × {image.height})")
    if profile := untold_profile(image):
        image.info["icc_profile"] = profile
    return image


class TooLarge(ValueError):
    """Unpacked, the picture would take the memory that everything else needs."""


def open_photo(path: Path) -> Image.Image:
    """Opens a photo's header. Anything that Pillow or the system raises becomes a reason in words.

    Raises:
        BrokenImage: as for ``open_upright``.
    """
    try:
        # Not blocking: whoever opens a pipe for reading otherwise waits until somebody writes.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as handle:
            status = os.fstat(handle.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BrokenImage(path, "it is not a plain file")
            head, length = handle.read(32), status.st_size
        if not head:
            raise BrokenImage(path, "the file is empty")
        if head[:4] == b"RIFF" and length < int.from_bytes(head[4:8], "little") + 8:
            raise BrokenImage(path, "the file is truncated")
        if kind := next((kind for mark, at, kind in NOT_READ if head[at : at + len(mark)] == mark), None):
            raise BrokenImage(path, f"Limner does not read {kind}: convert it to JPEG or PNG")
        if head[4:8] == b"ftyp":
            _register_heif()
            if head[8:12] in (b"avif", b"avis") and not features.check("avif"):
                raise BrokenImage(
                    path, "this machine's Pillow does not read AVIF: update Pillow, or convert it to JPEG"
                )
        image = open_header(path)
    except BrokenImage:
        raise
    except Exception as error:
        raise _broken(path, error) from error
    return image


def _broken(path: Path, error: Exception) -> BrokenImage:
    text = " ".join(str(error).split())[:LONGEST_REASON]
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return BrokenImage(path, "the file is missing")
    if isinstance(error, UnidentifiedImageError):
        return BrokenImage(path, "the file is not an image")
    if isinstance(error, TooLarge):
        return BrokenImage(path, str(error))
    if isinstance(error, OSError) and error.errno is not None:
        return BrokenImage(path, f"the file can't be read ({os.strerror(error.errno)})")
    if "truncated" in text.lower() or isinstance(error, (EOFError, struct.error)):
        return BrokenImage(path, "the file is truncated")
    return BrokenImage(path, f"the file is damaged ({text or type(error).__name__})")


def _register_heif() -> None:
    """HEIC and HEIF, only once one is met: the decoder's library takes a while to load."""
    if "HEIF" not in Image.OPEN:
        import pi_heif
        from PIL import AvifImagePlugin  # noqa: F401

        pi_heif.register_heif_opener()


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation of the pixels that Pillow gives, 1 to 8."""
    if image.format == "TIFF":
        # Pillow turns these itself, and tells the size of the upright picture.
        return 1
    try:
        told = int(_exif(image).get(ORIENTATION, 1))
    except Exception:
        # Damaged EXIF is frequent and says nothing about the pixels: such a picture counts as upright.
        return 1
    return told if told in TURNS else 1


def _exif(image: Image.Image) -> Image.Exif:
    """What the header holds. Pillow decodes a PNG for it, since its EXIF may stand behind the pixels."""
    if not isinstance(image, PngImagePlugin.PngImageFile):
        return image.getexif()
    if "exif" not in image.info and (behind := _png_exif(Path(os.fsdecode(image.filename)))):
        image.info["exif"] = b"Exif\0\0" + behind
    return Image.Image.getexif(image)


def _png_exif(path: Path) -> bytes:
    """A PNG's eXIf chunk, wherever it stands; empty where there is none (PNG 3rd edition, 5.3 and 11.3.3.2)."""
    with path.open("rb") as handle:
        handle.seek(8)
        while len(head := handle.read(8)) == 8:
            length = int.from_bytes(head[:4], "big")
            if head[4:] == b"eXIf":
                return handle.read(min(length, LARGEST_EXIF))
            handle.seek(length + 4, os.SEEK_CUR)
    return b""


def size_upright(image: Image.Image) -> tuple[int, int]:
    """Width and height of an open picture once it is turned, in pixels."""
    turned = orientation_of(image) >= 5
    return (image.height, image.width) if turned else (image.width, image.height)


def upright_srgb(image: Image.Image) -> Image.Image:
    """An open picture upright and in sRGB's colours, RGB or, where it has transparency, RGBA."""
    upright = in_srgb(_eight_bits(ImageOps.exif_transpose(image)))
    return upright.convert("RGBA" if upright.has_transparency_data else "RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey as 8 bits: Pillow's own conversion would clip it. Other modes as they are."""
    if not image.mode.startswith("I"):
        return image
    grey = image.convert("I").point(lambda value: value / 256).convert("L")
    grey.info |= {name: value for name, value in image.info.items() if name == "icc_profile"}
    return grey


def _rgb(image: Image.Image) -> Image.Image:
    """RGB at 8 bits a channel, in sRGB's colours; the same object where it is that already."""
    image = in_srgb(_eight_bits(image))
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        image = Image.new("RGB", seen.size, "white")
        image.paste(seen, mask=seen)
    return image.convert("RGB") if image.mode != "RGB" else image


def _turned(picture: Image.Image, orientation: int) -> Image.Image:
    """A copy without metadata, made upright; never more than two pictures at once."""
    turn = TURNS.get(orientation)
    upright = picture.transpose(turn) if turn is not None else picture.copy()
    upright.info.clear()
    return upright


def _ends_well(path: Path, kind: str) -> bool:
    with path.open("rb") as handle:
        handle.seek(max(0, os.fstat(handle.fileno()).st_size - 12))
        tail = handle.read()
    if kind in {"JPEG", "MPO"}:
        return tail.endswith(b"\xff\xd9")
    # A WebP's length was compared with its header when it was opened.
    return kind == "WEBP" or (kind == "PNG" and b"IEND" in tail)
