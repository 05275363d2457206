"""Inked lines on their way to the screen: the theme gives each ink its colour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.content import Content
from textual.strip import Strip

from tui.text.lines import (
    Ink,
    Line,
    Piece,
    cut,
    end_of,
    giving_way,
    hanging,
    joined,
    key_line,
    spread,
    text_of,
    width_of,
)
from tui.text.sanitize import sanitize

if TYPE_CHECKING:
    from textual.app import App


__all__ = [
    "DEFAULT_INKS",
    "Ink",
    "Line",
    "Piece",
    "content_of",
    "cut",
    "end_of",
    "giving_way",
    "hanging",
    "joined",
    "key_line",
    "spread",
    "strip_of",
    "styles_of",
    "text_of",
    "title_of",
    "width_of",
]

DEFAULT_INKS = {
    "ink-strong": "#f4f4f2",
    "ink-muted": "#8a909b",
    "ink-faint": "#4a505b",
    "ink-active": "#56b6a4",
    "ink-good": "#7fb87a",
    "ink-bad": "#e0705f",
    "ink-attention": "#e0a64e",
}
"""What a theme that is not ours writes with."""


def styles_of(app: App[object]) -> dict[Ink, Style]:
    """The theme's style for each ink, without a background."""
    variables = app.theme_variables
    styles: dict[Ink, Style] = {
        ink: Style.from_color(Color.parse(variables.get(f"ink-{ink}", "#808080")).rich_color) for ink in Ink
    }
    styles[Ink.STRONG] += Style(bold=True)
    styles[Ink.PLAIN] = Style.null()
    return styles


def strip_of(line: Line, width: int, styles: Mapping[Ink, Style], paper: Style) -> Strip:
    """A line as a strip of exactly ``width`` cells on ``paper``, cut with an ellipsis where it is longer."""
    segments: list[Segment] = []
    line = [(sanitize(text), ink) for text, ink in line]
    left = width
    too_long = width_of(line) > width
    for text, ink in line:
        room = left - 1 if too_long else left
        if cell_len(text) > room:
            text = set_cell_size(text, max(0, room))
        segments.append(Segment(text, paper + styles[ink]))
        left -= cell_len(text)
        if too_long and left <= 1:
            segments.append(Segment("…"[:left], paper + styles[Ink.MUTED]))
            left = 0
            break
    if left:
        segments.append(Segment(" " * left, paper))
    return Strip(segments, width)


def content_of(*lines: Line) -> Content:
    """Lines as the content of a ``Static``."""
    parts: list[tuple[str, str] | str] = []
    for number, line in enumerate(lines):
        if number:
            parts.append("\n")
        for text, ink in line:
            bold = "bold " if ink is Ink.STRONG else ""
            text = sanitize(text)
            parts.append(text if ink is Ink.PLAIN else (text, f"{bold}$ink-{ink}"))
    return Content.assemble(*parts)


def title_of(text: str) -> Content:
    """Text from outside as a pane's title: nothing in it is markup, nothing steers the terminal."""
    return Content(sanitize(text))
