"""Text from outside, made harmless: file names, captions, what a model or a server said.

What steers a terminal (control characters, C1 too) or turns text round (Unicode's bidirectional controls, which can
make ``gpj.exe`` of a name) becomes a sign that can be seen; https://www.unicode.org/reports/tr36/ tells why.
"""

from __future__ import annotations

import re

_HARM = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufff9-\ufffb]"
)


def sanitize(text: str) -> str:
    """The text with every such character as one that takes a cell; a line break or tab is a space.

    The same object comes back where nothing had to be changed, which is nearly always.
    """
    return _HARM.sub(_sign, text) if _HARM.search(text) else text


def _sign(found: re.Match[str]) -> str:
    letter = found.group()
    if letter in "\t\n\r\x0b\x0c\x85\u2028\u2029":
        return " "
    if letter < "\x20":
        return chr(0x2400 + ord(letter))
    return "\u2421" if letter == "\x7f" else "\ufffd"
