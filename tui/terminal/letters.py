"""Shapes for terminals that are not UTF-8: each of our signs has one ASCII character."""

from __future__ import annotations

import codecs
from typing import Any

_PLAIN = {
    **dict.fromkeys("─━╌┄═╴╶▔▁⎯", "-"),
    **dict.fromkeys("│┃╎┆║▏▕▎▍▌▐", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯┏┓┗┛", "+"),
    **dict.fromkeys("█▓▇▆▅", "#"),
    **dict.fromkeys("▀▄▒░▃▂", ":"),
    **dict.fromkeys("●•◉", "*"),
    **dict.fromkeys("○◌·", "."),
    **dict.fromkeys("▸›→▶", ">"),
    **dict.fromkeys("◂‹←", "<"),
    **dict.fromkeys("↑", "^"),
    **dict.fromkeys("↓", "v"),
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
    """Codec error handler: one ASCII character for each one that the terminal can't have."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_plain_letter(letter) for letter in error.object[error.start : error.end]), error.end


def _plain_letter(letter: str) -> str:
    if "⠀" <= letter <= "⣿":
        return " " if letter == "⠀" else "."
    return _PLAIN.get(letter, "?")


def make_tolerant(stream: Any) -> None:
    """Lets a text stream write any character: what its encoding lacks becomes ASCII of the same width."""
    codecs.register_error("limner", plain)
    if stream is not None and hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="limner")
