"""Shapes for terminals that are not UTF-8: each of our signs has one ASCII character."""

from __future__ import annotations

import codecs
from typing import Any
from unicodedata import combining, east_asian_width, normalize

_PLAIN = {
    **dict.fromkeys("─━╌┄═╴╶▔▁⎯", "-"),
    **dict.fromkeys("│┃╎┆║▏▕▎▍▌▐", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯┏┓┗┛", "+"),
    **dict.fromkeys("█▉▊▋▓▇▆▅", "#"),
    **dict.fromkeys("▀▄▒░▃▂", ":"),
    **dict.fromkeys("●•◉", "*"),
    **dict.fromkeys("○◌·", "."),
    **dict.fromkeys("▸›→▶", ">"),
    **dict.fromkeys("◂‹←", "<"),
    **dict.fromkeys("↑", "^"),
    **dict.fromkeys("↓", "v"),
    **dict.fromkeys("“”„«»", '"'),
    **dict.fromkeys("‘’", "'"),
    "‖": "|",
    "◔": "o",
    "★": "*",
    "☆": ".",
    "♥": "&",
    "◆": "o",
    "▲": "^",
    "▼": "v",
    "−": "-",
    "✓": "v",
    "✗": "x",
    "×": "x",
    "…": ".",
    "–": "-",
    "—": "-",
    "≈": "~",
    "±": "~",
    "°": "o",
    "⚠": "!",
    "≥": ">",
}


def plain(error: UnicodeError) -> tuple[str, int]:
    """Codec error handler: ASCII in as many cells as what the terminal can't have."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_plain_letter(letter) for letter in error.object[error.start : error.end]), error.end


def _plain_letter(letter: str) -> str:
    if "⠀" <= letter <= "⣿":
        return " " if letter == "⠀" else "."
    # Of a letter with an accent the letter is left, of ² the 2.
    bare = normalize("NFKD", letter).encode("ascii", "ignore").decode("ascii")
    if combining(letter):
        return ""
    return _PLAIN.get(letter) or (bare if len(bare) == 1 else "?" * _cells(letter))


def _cells(letter: str) -> int:
    return 2 if east_asian_width(letter) in ("W", "F") else 1


def make_tolerant(stream: Any) -> None:
    """Lets a text stream write any character: what its encoding lacks becomes ASCII of the same width."""
    codecs.register_error("limner", plain)
    if stream is not None and hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="limner")
