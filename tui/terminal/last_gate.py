"""The last gate before the terminal: whatever widget drew it, no text steers the terminal."""

from __future__ import annotations

import re

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_STEERS = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class LastGate(LineFilter):
    """Takes out what steers; a width is never changed, for such characters have none.

    Lines that are put together by ``tui.widgets.ink`` show a sign in its place (``tui.terminal.harmless``); this is for
    text that came another way: a field that is typed into, a title, a message.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments, which nearly always are what they were."""
        if _STEERS.search("".join(segment.text for segment in segments)) is None:
            return segments
        return [
            Segment(_STEERS.sub("", segment.text), segment.style, segment.control) if not segment.control else segment
            for segment in segments
        ]
