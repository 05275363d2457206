"""Colour profiles as cameras, telephones and print houses embed them, and what their colours are in sRGB."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyvips

SRGB = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)
"""sRGB's primaries as XYZ under D50 (ICC's profile of it)."""


@dataclass(frozen=True)
class Profile:
    """A profile of three primaries, or of grey, with one gamma."""

    name: str
    primaries: tuple[tuple[float, float, float], ...]
    """XYZ under D50 of red, green and blue; none: grey."""
    gamma: float

    @cached_property
    def data(self) -> bytes:
        """The profile as an ICC version 2 file (ICC.1:2001-04)."""
        curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(self.gamma * 256)) + bytes(2)
        text = self.name.encode()
        desc = b"desc" + bytes(4) + struct.pack(">I", len(text) + 1) + text + bytes(1 + 4 + 4 + 2 + 1 + 67)
        tags = {b"desc": desc, b"cprt": b"text" + bytes(4) + b"none\0", b"wtpt": _xyz((0.9642, 1.0, 0.8249))}
        if self.primaries:
            tags |= {name: _xyz(each) for name, each in zip((b"rXYZ", b"gXYZ", b"bXYZ"), self.primaries, strict=True)}
            tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
        else:
            tags[b"kTRC"] = curve
        at, table, body = 128 + 4 + 12 * len(tags), b"", b""
        for name, value in tags.items():
            value += bytes(-len(value) % 4)
            table += name + struct.pack(">II", at + len(body), len(value))
            body += value
        space = b"RGB " if self.primaries else b"GRAY"
        head = struct.pack(">I4sI4s4s4s", at + len(body), bytes(4), 0x02400000, b"mntr", space, b"XYZ ")
        head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
        return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body

    def in_srgb(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels of the profile, 0 to 255, as sRGB's, by the formulas."""
        light = (np.asarray(pixels, float) / 255) ** self.gamma
        if self.primaries:
            light = np.clip(light @ np.array(self.primaries) @ np.linalg.inv(SRGB).T, 0, 1)
        else:
            light = np.repeat(light[..., None], 3, axis=-1)
        coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
        return coded * 255


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))


DISPLAY_P3 = Profile(
    "Display P3", ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407)), 2.2
)
"""As Apple's, with a plain gamma in place of its curve, which is sRGB's."""
ADOBE_RGB = Profile(
    "Adobe RGB", ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)), 563 / 256
)
PROPHOTO = Profile("ProPhoto", ((0.79767, 0.28804, 0.0), (0.13519, 0.71187, 0.0), (0.03134, 0.00009, 0.82491)), 1.8)
GREY = Profile("grey gamma 1.8", (), 1.8)

PROFILES = (DISPLAY_P3, ADOBE_RGB, PROPHOTO)


def built_in(name: str) -> bytes:
    """A profile that libvips brings along: ``p3``, ``cmyk``."""
    return bytes(pyvips.Image.profile_load(name)) if hasattr(pyvips.Image, "profile_load") else _loaded(name)


def _loaded(name: str) -> bytes:
    return bytes(pyvips.Operation.call("profile_load", name))
