"""Inked lines: what is drawn before it has any colour. No Textual, so that commands draw with the same code.

A line is a list of (text, ink). Drawing functions return lines, so that they can be tested as text; whoever shows them
gives each ink its colour.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from rich.cells import cell_len, set_cell_size


class Ink(StrEnum):
    """What a piece of text is, which decides its colour."""

    PLAIN = "plain"
    STRONG = "strong"
    MUTED = "muted"
    FAINT = "faint"
    ACTIVE = "active"
    GOOD = "good"
    BAD = "bad"
    ATTENTION = "attention"


Piece = tuple[str, Ink]
Line = list[Piece]


def key_line(key: str, words: str) -> Line:
    """A key and what it does, as empty states say it."""
    return [(f"{key:<6}", Ink.ACTIVE), (words, Ink.PLAIN)]


def width_of(line: Iterable[Piece]) -> int:
    """The cells that a line takes."""
    return sum(cell_len(text) for text, _ in line)


def text_of(line: Iterable[Piece]) -> str:
    """A line without its inks."""
    return "".join(text for text, _ in line)


def spread(left: Line, right: Line, width: int) -> Line:
    """Two lines at the ends of ``width`` cells, at least one space between; the left one gives way."""
    gap = width - width_of(left) - width_of(right)
    if gap >= 1:
        return [*left, (" " * gap, Ink.PLAIN), *right]
    return [*cut(left, width - width_of(right) - 1), (" ", Ink.PLAIN), *right]


def cut(line: Line, width: int) -> Line:
    """A line of at most ``width`` cells, with an ellipsis where something is missing."""
    if width_of(line) <= width:
        return line
    kept: Line = []
    left = max(0, width - 1)
    for text, ink in line:
        if cell_len(text) >= left:
            return [*kept, (set_cell_size(text, left).rstrip(), ink), ("…", Ink.MUTED)]
        kept.append((text, ink))
        left -= cell_len(text)
    return kept


def joined(line: Line) -> Line:
    """Neighbours of one ink as one piece: fewer bytes to the terminal."""
    pieces: Line = []
    for text, ink in line:
        if pieces and pieces[-1][1] is ink:
            pieces[-1] = (pieces[-1][0] + text, ink)
        else:
            pieces.append((text, ink))
    return pieces
