"""Inked lines: what is drawn before it has any colour. No Textual, so that commands draw with the same code.

A line is a list of (text, ink). Drawing functions return lines, so that they can be tested as text; whoever shows them
gives each ink its colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from textwrap import wrap

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
    """A key and what it does, as empty states rate them."""
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


def giving_way(left: Line, told: Sequence[Line], width: int, least: int | None = None) -> Line:
    """``left`` at the left end and what else is told at the right; of that the last gives way first where it is tight.

    Args:
        least: how many cells are enough for ``left``; None: all that it has.
    """
    kept, wanted = list(told), width_of(left) if least is None else min(least, width_of(left))
    while kept and wanted + sum(map(width_of, kept)) >= width:
        kept.pop()
    return spread(left, [piece for each in kept for piece in each], width)


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


def end_of(text: str, width: int) -> str:
    """The end of a path in at most ``width`` cells: as many whole names as fit, after an ellipsis: ``…/lake/1.jpg``."""
    if cell_len(text) <= width:
        return text
    while text and cell_len(text) > max(0, width - 1):
        text = text[1:]
    at = text.find("/")
    return f"…{text[at:] if at >= 0 else text}"[: max(0, width)]


def hanging(first: Line, text: str, ink: Ink, width: int) -> list[Line]:
    """Words wrapped beside what they begin with. A word is never broken, so that a command can be copied."""
    indent = width_of(first)
    rows = wrap(text, max(12, width - indent), break_long_words=False, break_on_hyphens=False) or [""]
    return [[*(first if not number else [(" " * indent, Ink.PLAIN)]), (row, ink)] for number, row in enumerate(rows)]


def joined(line: Line) -> Line:
    """Neighbours of one ink as one piece: fewer bytes to the terminal."""
    pieces: Line = []
    for text, ink in line:
        if pieces and pieces[-1][1] is ink:
            pieces[-1] = (pieces[-1][0] + text, ink)
        else:
            pieces.append((text, ink))
    return pieces
