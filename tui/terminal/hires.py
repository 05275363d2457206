"""A picture made ready for a terminal that can do better than half-blocks. For threads: it scales and codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.terminal.half_blocks import fit_cells
from tui.terminal.kitty import MARKS, coded
from tui.terminal.protocol import Protocol
from tui.terminal.sixel import sixels

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_BYTES = 160_000
"""No picture costs a line more than this: a second on 10 Mbit/s with all that is around it."""

LONGEST = 1024
"""Pixels of the longer side at most."""

COLOURS = 128
"""Half of what a palette holds: hardly to be told from it in a photo, and a third fewer bytes."""

SMALLER = 0.7
"""What the sides are shrunk by as long as it is too many bytes."""

Way = tuple[Protocol, tuple[int, int]]
"""The protocol, and a cell's width and height in pixels."""


@dataclass(frozen=True)
class Sharp:
    """A coded picture: for Kitty a PNG, for sixel the sequence itself."""

    protocol: Protocol
    data: bytes
    columns: int
    rows: int


def sharpen(picture: Image, columns: int, rows: int, way: Way, most: int = MOST_BYTES) -> Sharp:
    """Codes a picture as large as it fits into ``columns`` × ``rows`` cells, in at most ``most`` bytes."""
    protocol, (cell_width, cell_height) = way
    across, down = fit_cells(*picture.size, min(columns, len(MARKS)), min(rows, len(MARKS)), way[1])
    width, height = across * cell_width, down * cell_height
    # Kitty's terminals scale what they get, as they should: fewer pixels are sent than there are on the screen.
    share = 1.0
    if protocol is Protocol.KITTY:
        share = min(1.0, LONGEST / max(width, height), max(picture.width / width, picture.height / height))
    colours = COLOURS
    while True:
        small = picture.convert("RGB").resize((_side(width, share), _side(height, share)), reducing_gap=2.0)
        data = coded(small, colours) if protocol is Protocol.KITTY else sixels(small, colours).encode("ascii")
        if len(data) <= most:
            return Sharp(protocol, data, across, down)
        # A sixel is drawn dot by dot, so that it must fill its cells; with two colours even a large one is small.
        if protocol is Protocol.KITTY:
            share *= SMALLER
        elif colours > 2:
            colours //= 2
        else:
            width, height, across, down = width // 2, height // 2, max(1, across // 2), max(1, down // 2)


def _side(pixels: int, share: float) -> int:
    return max(1, round(pixels * share))
