"""Colour profiles of pictures that name their colours without bringing a profile along.

Cameras that are set to Adobe RGB write ``R03`` into their EXIF (DCF 2.0, Exif 2.32: InteroperabilityIndex) and often no
profile; HEIF can name its primaries by a number (``nclx``; ITU-T H.273, table 2). The profiles are made here, after
ICC.1:2001-04: three primaries as XYZ under D50, and a curve.
"""

from __future__ import annotations

import struct
from functools import cache

from PIL import Image

ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
"""Adobe RGB (1998), 4.3.8: red, green and blue as XYZ under D50."""

DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))

ADOBE_GAMMA = 563 / 256
"""Adobe RGB (1998), 4.3.1.2: 2.19921875."""

P3_PRIMARIES = 12
"""H.273's number for SMPTE EG 432-1."""

_EXIF, _INTEROP, _INDEX = 0x8769, 0xA005, 1


def untold_profile(image: Image.Image) -> bytes | None:
    """The profile of an open picture's colours, where it names them and brings none; None for sRGB and unknown ones."""
    if image.info.get("icc_profile"):
        return None
    nclx = image.info.get("nclx_profile")
    if isinstance(nclx, dict) and nclx.get("color_primaries") == P3_PRIMARIES:
        return made_profile("Display P3", DISPLAY_P3, None)
    if b"R03\0" in (image.info.get("exif") or b"") and _index(image) == "R03":
        return made_profile("Adobe RGB", ADOBE_RGB, ADOBE_GAMMA)
    return None


@cache
def made_profile(name: str, primaries: tuple[tuple[float, float, float], ...], gamma: float | None) -> bytes:
    """An ICC profile of three primaries.

    Args:
        name: what it is called.
        primaries: XYZ under D50 of red, green and blue.
        gamma: of all three; None: sRGB's curve (IEC 61966-2-1).
    """
    values = [round(gamma * 256)] if gamma else [round(65535 * _linear(step / 1023)) for step in range(1024)]
    curve = b"curv" + bytes(4) + struct.pack(f">I{len(values)}H", len(values), *values)
    text = name.encode("ascii")
    about = b"desc" + bytes(4) + struct.pack(">I", len(text) + 1) + text + bytes(79)
    tags = {b"desc": about, b"cprt": b"text" + bytes(4) + b"none\0", b"wtpt": _xyz((0.9642, 1.0, 0.8249))}
    tags |= {tag: _xyz(each) for tag, each in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    first, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for tag, value in tags.items():
        table += tag + struct.pack(">II", first + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    head = struct.pack(">I4xI4s4s4s", first + len(body), 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _index(image: Image.Image) -> str:
    try:
        told = image.getexif().get_ifd(_EXIF).get(_INTEROP)
        interop = told if isinstance(told, dict) else image.getexif().get_ifd(_INTEROP)
        return str(interop.get(_INDEX, "")).strip("\0 ")
    except Exception:
        # Damaged EXIF says nothing about the colours.
        return ""


def _linear(coded: float) -> float:
    return coded / 12.92 if coded <= 0.04045 else float(((coded + 0.055) / 1.055) ** 2.4)


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))
