"""Pictures as sixels: bands of six rows, a pass a colour (https://vt100.net/docs/vt3xx-gp/chapter14.html)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

COLOURS = 128
"""Half of what most terminals have, and nearly as good to look at."""

_RUN = re.compile(rb"(.)\1{3,}", re.DOTALL)


def sixels(picture: Image, colours: int = COLOURS) -> str:
    """One device control string that draws the picture at the cursor, a dot a pixel."""
    import numpy as np
    import PIL.Image

    small = picture.convert("RGB").quantize(colours, PIL.Image.Quantize.FASTOCTREE)
    palette = small.getpalette() or []
    dots = np.asarray(small, np.uint8)
    height, width = dots.shape
    dots = np.pad(dots, ((0, -height % 6), (0, 0)), mode="edge")
    weights = (1 << np.arange(6, dtype=np.uint8))[:, None]
    parts = [f'\x1bP0;1q"1;1;{width};{height}'.encode()]
    for number in np.unique(dots).tolist():
        red, green, blue = (round(value * 100 / 255) for value in palette[number * 3 : number * 3 + 3])
        parts.append(b"#%d;2;%d;%d;%d" % (number, red, green, blue))
    for top in range(0, len(dots), 6):
        band = dots[top : top + 6]
        passes = []
        for number in np.unique(band).tolist():
            row = ((band == number) * weights).sum(axis=0).astype(np.uint8) + 63
            passes.append(b"#%d%s" % (number, _RUN.sub(_shorter, row.tobytes().rstrip(b"?"))))
        parts.append(b"$".join(passes) + b"-")
    return b"".join([*parts, b"\x1b\\"]).decode("ascii")


def _shorter(run: re.Match[bytes]) -> bytes:
    return b"!%d%s" % (len(run.group()), run.group(1))
