"""Pictures by Kitty's graphics protocol with Unicode placeholders: text that the terminal shows a picture in place of.

The picture is sent once, under a number. Where it is to be seen stand ordinary cells, each a placeholder character with
two marks for its row and column, in the colour that is the picture's number: so it scrolls, is covered and goes away
as text does (https://sw.kovidgoyal.net/kitty/graphics-protocol/#unicode-placeholders).
"""

from __future__ import annotations

import base64
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

if TYPE_CHECKING:
    from PIL.Image import Image

PLACEHOLDER = "\U0010eeee"

CHUNK = 4096
"""Bytes of base64 in one sequence; more are not allowed."""

NUMBERS = 1 << 24
"""A picture's number must fit into a colour."""

_MARKS = """
305 30d-30e 310 312 33d-33f 346 34a-34c 350-352 357 35b 363-36f 483-487 592-595 597-599 59c-5a1 5a8-5a9 5ab-5ac 5af 5c4
610-617 657-65b 65d-65e 6d6-6dc 6df-6e2 6e4 6e7-6e8 6eb-6ec 730 732-733 735-736 73a 73d 73f-741 743 745 747 749-74a
7eb-7f1 7f3 816-819 81b-823 825-827 829-82d 951 953-954 f82-f83 f86-f87 135d-135f 17dd 193a 1a17 1a75-1a7c 1b6b
1b6d-1b73 1cd0-1cd2 1cda-1cdb 1ce0 1dc0-1dc1 1dc3-1dc9 1dcb-1dcc 1dd1-1de6 1dfe 20d0-20d1 20d4-20d7 20db-20dc 20e1 20e7
20e9 20f0 2cef-2cf1 2de0-2dff a66f a67c-a67d a6f0-a6f1 a8e0-a8f1 aab0 aab2-aab3 aab7-aab8 aabe-aabf aac1 fe20-fe26
10a0f 10a38 1d185-1d189 1d1aa-1d1ad 1d242-1d244
"""
"""The marks that count rows and columns, in the protocol's order."""


def _read_marks() -> tuple[str, ...]:
    marks: list[str] = []
    for span in _MARKS.split():
        first, _, last = span.partition("-")
        marks += map(chr, range(int(first, 16), int(last or first, 16) + 1))
    return tuple(marks)


MARKS = _read_marks()


def coded(picture: Image, colours: int = 256) -> bytes:
    """The picture as a small PNG: a palette costs little to look at and a seventh of the bytes."""
    import PIL.Image

    out = BytesIO()
    picture.convert("RGB").quantize(colours, PIL.Image.Quantize.FASTOCTREE).save(out, "PNG", compress_level=6)
    return out.getvalue()


def sending(png: bytes, number: int, columns: int, rows: int) -> list[str]:
    """The sequences that send a picture to be shown in ``columns`` × ``rows`` cells; the terminal answers nothing."""
    text = base64.standard_b64encode(png).decode("ascii")
    parts = [text[at : at + CHUNK] for at in range(0, len(text), CHUNK)]
    head = f"a=T,U=1,q=2,f=100,t=d,i={number},c={columns},r={rows}"
    return [
        f"\x1b_G{f'{head},' if at == 0 else 'q=2,'}m={int(at < len(parts) - 1)};{part}\x1b\\"
        for at, part in enumerate(parts)
    ]


def forgetting(number: int) -> str:
    """The sequence that takes a picture out of the terminal's memory; one that is half sent is given up."""
    return f"\x1b_Ga=d,d=I,i={number},q=2\x1b\\"


def through_tmux(sequence: str) -> str:
    """A sequence wrapped so that tmux hands it on to the terminal behind it."""
    return f"\x1bPtmux;{sequence.replace(chr(27), chr(27) * 2)}\x1b\\"


@lru_cache(maxsize=512)
def placeholders(number: int, columns: int, rows: int) -> list[Strip]:
    """The cells in whose place the terminal shows the picture; at most as many as there are marks, each way."""
    style = Style(color=Color.from_rgb(number >> 16 & 255, number >> 8 & 255, number & 255))
    columns, rows = min(columns, len(MARKS)), min(rows, len(MARKS))
    return [
        Strip([Segment("".join(PLACEHOLDER + MARKS[row] + MARKS[column] for column in range(columns)), style)], columns)
        for row in range(rows)
    ]
