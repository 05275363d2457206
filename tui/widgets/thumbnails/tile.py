"""A thumbnail's tile, a line of it at a time: an edge, the picture's cells, an edge; the caption stands below."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.text.sanitize import sanitize
from tui.widgets.ink import Ink, Line, Piece, strip_of

if TYPE_CHECKING:
    from PIL.Image import Image

CURSOR, EDGE = "▸", "┃"

Picture = list[Strip] | str
"""A thumbnail as cells, or why there is none."""


@dataclass(frozen=True)
class Thumbnail:
    """What a tile shows of an item.

    Args:
        key: two pictures of one key look the same.
        load: gets the picture, some hundred pixels a side (called in a thread); None: there is none.
        mark: the decision or the state, told by its shape and its colour.
        caption: what else stands under the picture.
        words: what stands in its place where there is no picture.
    """

    key: Hashable
    load: Callable[[], Image] | None
    mark: Piece = ("", Ink.PLAIN)
    caption: Line = field(default_factory=list)
    words: str = ""


@dataclass(frozen=True)
class Look:
    """How a tile is drawn.

    Args:
        size: columns and rows of its picture.
        styles: of the inks.
        paper: what it is drawn on.
        here: whether the cursor is on it.
        focused: whether the grid has the focus.
    """

    size: tuple[int, int]
    styles: Mapping[Ink, Style]
    paper: Style
    here: bool = False
    focused: bool = False


def tile_line(told: Thumbnail, drawn: Picture | None, line: int, look: Look) -> list[Segment]:
    """One line of a tile, two cells wider than its picture.

    Args:
        told: what it shows.
        drawn: its picture; None: that is still being drawn.
        line: from 0; the caption is the one after the picture's rows.
        look: how.
    """
    (columns, rows), paper = look.size, look.paper
    ink = Ink.ACTIVE if look.focused else Ink.MUTED
    if line == rows:
        caption: Line = [
            (CURSOR if look.here else " ", ink),
            (f"{told.mark[0]} ", told.mark[1]),
            *told.caption,
        ]
        return list(strip_of(caption, columns + 2, look.styles, paper))
    edge = Segment(EDGE if look.here else " ", paper + look.styles[ink])
    if told.load is None:
        drawn = told.words or "no picture"
    if isinstance(drawn, list):
        top = (rows - len(drawn)) // 2
        inside = _centred(drawn[line - top] if top <= line < top + len(drawn) else None, columns, paper)
    else:
        inside = _words(drawn, line, look)
    return [edge, *inside, edge]


def _words(said: str | None, line: int, look: Look) -> list[Segment]:
    columns, rows = look.size
    words = wrap(sanitize(said), columns - 2, max_lines=rows, placeholder=" …") if said is not None else ["·"]
    at = line - (rows - len(words)) // 2
    ink = Ink.FAINT if said is None else Ink.MUTED
    text: Line = [(words[at].center(columns), ink)] if 0 <= at < len(words) else []
    return list(strip_of(text, columns, look.styles, look.paper))


def _centred(strip: Strip | None, columns: int, paper: Style) -> list[Segment]:
    if strip is None:
        return [Segment(" " * columns, paper)]
    left = (columns - strip.cell_length) // 2
    right = columns - left - strip.cell_length
    sides = [Segment(" " * left, paper)] if left else [], [Segment(" " * right, paper)] if right else []
    return [*sides[0], *strip, *sides[1]]
