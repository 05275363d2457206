"""The last gate before the terminal: whatever widget drew it, no text steers the terminal, and no secret is shown."""

from __future__ import annotations

import re

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from engine.secrets import secrets_in

_STEERS = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class OutputFilter(LineFilter):
    """Takes out what steers, and hides secrets; a width is never changed.

    Lines that are put together by ``tui.widgets.ink`` show a sign in its place (``tui.text.sanitize``); this is for
    text that came another way: a field that is typed into, a title, a message.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments, which nearly always are what they were."""
        line = "".join(segment.text for segment in segments)
        if places := secrets_in(line):
            segments = _hidden(segments, places)
        if _STEERS.search(line) is None:
            return segments
        return [
            Segment(_STEERS.sub("", segment.text), segment.style, segment.control) if not segment.control else segment
            for segment in segments
        ]


def _hidden(segments: list[Segment], places: list[tuple[int, int]]) -> list[Segment]:
    """The segments with dots over some places of their text, as many as it takes cells."""
    found: list[Segment] = []
    at = 0
    for segment in segments:
        letters = [
            "•" * cell_len(letter) if any(begin <= at + i < end for begin, end in places) else letter
            for i, letter in enumerate(segment.text)
        ]
        at += len(segment.text)
        found.append(Segment("".join(letters), segment.style, segment.control))
    return found
