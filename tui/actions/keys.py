"""Keys by their names: which there are, which never arrive, how people write them."""

from __future__ import annotations

import difflib
import unicodedata

NAMED = frozenset(
    {
        *("enter", "escape", "space", "tab", "backspace", "delete", "insert"),
        *("up", "down", "left", "right", "home", "end", "pageup", "pagedown"),
        *(f"f{number}" for number in range(1, 21)),
    }
)
"""Keys with a name, as Textual calls them."""

_SPELLED = {
    "esc": "escape",
    "return": "enter",
    "pgup": "pageup",
    "pgdn": "pagedown",
    "page_up": "pageup",
    "page_down": "pagedown",
    "del": "delete",
    "ins": "insert",
    "↑": "up",
    "↓": "down",
    "←": "left",
    "→": "right",
    " ": "space",
}
"""What people write instead; also how Limner itself shows some keys."""

_SHORT = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}
"""Unicode's names that Textual shortens."""

_CONTROL = {
    "a": "tmux and screen often take it as their prefix",
    "b": "tmux takes it as its prefix",
    "h": "it arrives as backspace",
    "i": "it arrives as tab",
    "j": "it arrives as a new line",
    "k": "zellij and readline take it",
    "l": "terminals clear themselves with it",
    "m": "it arrives as enter",
    "o": "zellij and some terminals take it",
    "q": "flow control swallows it, and VS Code's terminal",
    "s": "flow control stops the terminal with it",
    "z": "it suspends programs",
    "left_square_bracket": "it arrives as escape",
    "enter": "only terminals with Kitty's keyboard protocol send it, and no tmux does",
}
"""Why a key with ctrl doesn't arrive everywhere."""


def key_named(text: str) -> str:
    """Textual's name of a key that a person wrote: ``?`` is ``question_mark``, ``Ctrl+P`` is ``ctrl+p``.

    Raises:
        ValueError: there is no such key; the message says what is near.
    """
    if "+" in text[:-1]:
        *modifiers, last = text.split("+") if not text.endswith("++") else [*text[:-2].split("+"), "+"]
    else:
        modifiers, last = [], text
    modifiers = sorted({each.strip().lower() for each in modifiers})
    unknown = [each for each in modifiers if each not in ("ctrl", "shift", "alt")]
    key = _plain(last if len(last) == 1 else last.strip())
    if unknown or key is None:
        near = difflib.get_close_matches(text.lower(), [*NAMED, *_SPELLED], n=1)
        raise ValueError(f"there is no key {text!r}" + (f"; did you mean {near[0]}?" if near else ""))
    if "ctrl" in modifiers and len(key) == 1:
        key = key.lower()
    if modifiers == ["shift"] and len(key) == 1:
        return key.upper()
    return "+".join([*modifiers, key])


def swallowed(key: str) -> str:
    """Why a key doesn't arrive in every terminal; empty where it does."""
    if key.startswith("alt+"):
        return "it arrives as escape and a letter"
    if key.startswith("ctrl+shift+"):
        return "only terminals with Kitty's keyboard protocol send it, and no tmux does"
    if key.startswith("ctrl+"):
        return _CONTROL.get(key.removeprefix("ctrl+"), "")
    return ""


def is_text(key: str) -> bool:
    """Whether the key writes a character into a field."""
    return len(key) == 1 or (key == "space") or ("+" not in key and key not in NAMED)


def _plain(text: str) -> str | None:
    """A key without modifiers; None where there is none of that name."""
    text = _SPELLED.get(text.lower(), text)
    if len(text) == 1:
        return _of_character(text)
    name = text.lower().replace("-", "_").replace(" ", "_")
    if name in NAMED:
        return name
    return name if name in _CHARACTERS else None


def _of_character(character: str) -> str | None:
    if character.isalnum():
        return character
    if not character.isprintable():
        return None
    name = unicodedata.name(character, "").lower().replace("-", "_").replace(" ", "_")
    return _SHORT.get(name, name) or None


_CHARACTERS = {_of_character(chr(code)) for code in range(0x21, 0x7F) if not chr(code).isalnum()}
"""The names of ASCII's signs."""
