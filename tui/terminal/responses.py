"""What a terminal says when it is asked what it is, sorted out from what is typed meanwhile.

Sources: Kitty's graphics protocol (https://sw.kovidgoyal.net/kitty/graphics-protocol/), xterm's control sequences
(DA1, XTVERSION, ``CSI 16 t``; https://invisible-island.net/xterm/ctlseqs/ctlseqs.html).
"""

from __future__ import annotations

import re

KITTY_QUERY = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
NAME_QUERY = "\x1b[>0q"
CELL_QUERY = "\x1b[16t"
DEVICE_QUERY = "\x1b[c"
"""Asked last: every terminal answers it, so after it nothing more is to come."""

MOST_HELD = 4096
"""Bytes of an answer that has not ended; one that is longer is none."""

_ANSWER = re.compile(
    rb"\x1b\[\?(?P<device>[\d;]*)c|\x1bP>\|(?P<name>[^\x1b]*)\x1b\\|\x1b_G(?P<kitty>[^\x1b]*)\x1b\\"
    rb"|\x1b\[6;(?P<height>\d*);(?P<width>\d*)t"
)
_BEGUN = re.compile(rb"\x1b(?:\[\?[\d;]*|\[6?|\[6;[\d;]*|P>?|P>\|[^\x1b]*\x1b?|_G?|_G[^\x1b]*\x1b?)\Z")


class Answers:
    """What was said so far. ``take`` is fed all input and returns what of it was typed."""

    def __init__(self) -> None:
        self.done = False
        """Whether the last answer came."""
        self.kitty = False
        """Whether Kitty's graphics query was answered with OK."""
        self.sixel = False
        self.name = ""
        """What the terminal calls itself: ``kitty(0.35.2)``, ``foot(1.16.2)``, ``tmux 3.3a``."""
        self.cell: tuple[int, int] | None = None
        """A cell's width and height in pixels."""
        self._held = b""

    @property
    def brand(self) -> str:
        """The name's first word, in small letters."""
        found = re.match(r"[a-z0-9_-]+", self.name.lower())
        return found.group() if found else ""

    @property
    def waiting(self) -> bool:
        """Whether the beginning of an answer is held back."""
        return bool(self._held)

    def take(self, data: bytes) -> bytes:
        """Takes input in, wherever it was cut; returns what is no answer, in order."""
        data = self._held + data
        self._held = b""
        typed = _ANSWER.sub(self._note, data)
        begun = _BEGUN.search(typed)
        if begun is None or len(begun.group()) == 1:
            return typed
        if len(begun.group()) <= MOST_HELD:
            self._held = begun.group()
        return typed[: begun.start()]

    def release(self) -> bytes:
        """What was held back and is no answer after all: nothing followed."""
        held, self._held = self._held, b""
        # The beginning of a string that only a terminal sends was certainly not typed.
        return b"" if held[:3] in (b"\x1b_G", b"\x1bP>") or held[:4].startswith(b"\x1b[?") else held

    def _note(self, found: re.Match[bytes]) -> bytes:
        if found["device"] is not None:
            self.done = True
            self.sixel = b"4" in found["device"].split(b";")[1:]
        elif found["name"] is not None:
            self.name = "".join(letter for letter in found["name"].decode("ascii", "ignore") if letter.isprintable())
        elif found["kitty"] is not None:
            self.kitty = found["kitty"].startswith(b"i=31") and found["kitty"].endswith(b";OK")
        else:
            width, height = int(found["width"] or 0), int(found["height"] or 0)
            self.cell = (width, height) if 2 <= width <= 200 and 2 <= height <= 400 else None
        return b""
