"""Pictures as half-blocks: ``▀`` whose foreground is the upper pixel and whose background is the lower one.

Works in any terminal with colours and asks the terminal nothing. Importing this module imports neither Pillow nor
anything that talks to the terminal; the work belongs in a thread.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

if TYPE_CHECKING:
    from PIL.Image import Image

UPPER_HALF = "▀"


def fit(width: int, height: int, columns: int, rows: int) -> tuple[int, int]:
    """The cells that a picture of ``width`` × ``height`` pixels takes inside ``columns`` × ``rows``, its ratio kept.

    A cell is one pixel wide and two pixels high. Both results are at least 1.
    """
    scale = min(columns / width, rows * 2 / height)
    return max(1, min(columns, round(width * scale))), max(1, min(rows, round(height * scale / 2)))


def fit_cells(width: int, height: int, columns: int, rows: int, cell: tuple[int, int]) -> tuple[int, int]:
    """As ``fit``, for cells of these pixels instead of 1 × 2."""
    return fit(width * cell[1], height * cell[0] * 2, columns, rows)


def half_blocks(picture: Image, columns: int, rows: int, cell: tuple[int, int] = (1, 2)) -> list[Strip]:
    """Draws a picture, as large as it fits into ``columns`` × ``rows`` cells; one strip a row.

    Args:
        picture: what to draw.
        columns: cells across at most.
        rows: cells down at most.
        cell: a cell's width and height in any unit, where they are known: only their ratio counts.
    """
    import PIL.Image

    across, down = fit_cells(*picture.size, columns, rows, cell)
    small = picture.convert("RGB").resize((across, down * 2), PIL.Image.Resampling.LANCZOS, reducing_gap=2.0)
    return strips_of(small.tobytes(), across, down)


def strips_of(rgb: bytes, columns: int, rows: int) -> list[Strip]:
    """Strips from raw RGB of ``columns`` × ``2 * rows`` pixels; neighbours of one colour share a segment."""
    stride = columns * 3
    strips = []
    for row in range(rows):
        upper = rgb[row * 2 * stride : (row * 2 + 1) * stride]
        lower = rgb[(row * 2 + 1) * stride : (row * 2 + 2) * stride]
        segments: list[Segment] = []
        pair, run = b"", 0
        for at in range(0, stride, 3):
            here = upper[at : at + 3] + lower[at : at + 3]
            if here != pair and run:
                segments.append(Segment(UPPER_HALF * run, _style(pair)))
                run = 0
            pair, run = here, run + 1
        segments.append(Segment(UPPER_HALF * run, _style(pair)))
        strips.append(Strip(segments, columns))
    return strips


@lru_cache(maxsize=65536)
def _style(pair: bytes) -> Style:
    """The style for an upper and a lower pixel, given as six bytes."""
    return Style(color=Color.from_rgb(*pair[:3]), bgcolor=Color.from_rgb(*pair[3:]))
