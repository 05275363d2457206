"""Secrets that this process was given, and hiding them in whatever leaves it: errors, logs, events, output, clipboard.

Drivers and servers quote what they were given. So errors are hidden when they are made (``engine.errors``), events when
they are written, and the command line, the app's screen and the clipboard have one gate each.
"""

from __future__ import annotations

import html
import json
import re
import threading
from collections.abc import Callable
from typing import TextIO
from urllib.parse import quote, quote_plus

PASSWORD_VARIABLE = "LIMNER_DB_PASSWORD"
"""The environment's variable that holds the library's password."""

IMMICH_KEY_VARIABLE = "LIMNER_IMMICH_KEY"
"""The environment's variable that holds an API key of Immich's."""

RENT_KEY_VARIABLES = {
    "runpod": ("LIMNER_RUNPOD_KEY", "RUNPOD_API_KEY"),
    "vast": ("LIMNER_VAST_KEY", "VAST_API_KEY"),
}
"""By provider of rented machines: the environment's variables that hold its API key, the first that is set counts."""

HIDDEN = "•••"
"""Stands where a secret stood."""

SHORTEST = 4
"""A shorter word is part of too many others: with it hidden, a log tells nothing any more."""

LONGEST_LOGIN = 256
"""Letters of a user or a password in an address. Bounded, or else the search takes quadratic time."""

_LOGIN = re.compile(rf"(//[^/\s:@]{{0,{LONGEST_LOGIN}}}(?::|%3[Aa]))[^\s@]{{1,{LONGEST_LOGIN}}}@")
"""A password in an address, whoever wrote it there."""

_OPTION = re.compile(
    r"([?&][\w.-]{0,40}(?:passw|pwd|secret|token|api[-_.]?key|access[-_.]?key|signature)[\w.-]{0,40}=)"
    rf"[^&;#\s\"']{{1,{LONGEST_LOGIN}}}",
    re.IGNORECASE,
)
"""A secret among an address's options."""

_SPELLINGS: tuple[Callable[[str], str], ...] = (
    str,
    lambda secret: quote(secret, safe=""),
    quote,
    quote_plus,
    html.escape,
    lambda secret: repr(secret)[1:-1],
    lambda secret: json.dumps(secret)[1:-1],
    lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
)
"""How libraries and servers write a text that they quote."""

_secrets: tuple[str, ...] = ()
"""The longest first, for it may hold a shorter one. Replaced as a whole, so that other threads see all of them."""
_learning = threading.Lock()


def register_secret(secret: str | None) -> None:
    """From here on ``without_secrets`` hides this password, key or token."""
    global _secrets
    if not secret:
        return
    told = {spelling(each) for each in {secret, secret.strip()} if len(each) >= SHORTEST for spelling in _SPELLINGS}
    with _learning:
        _secrets = tuple(sorted({*_secrets, *told}, key=len, reverse=True))


def without_secrets(text: str) -> str:
    """A text that leaves this process, without the secrets that it was given, and without passwords in addresses."""
    for secret in _secrets:
        if secret in text:
            text = text.replace(secret, HIDDEN)
    if "//" in text:
        text = _LOGIN.sub(rf"\1{HIDDEN}@", text)
    return _OPTION.sub(rf"\1{HIDDEN}", text) if "=" in text and ("?" in text or "&" in text) else text


def secrets_in(text: str) -> list[tuple[int, int]]:
    """Where known secrets stand in a text, as beginnings and ends, from left to right; they may overlap."""
    found = []
    for secret in _secrets:
        at = text.find(secret)
        while at >= 0:
            found.append((at, at + len(secret)))
            at = text.find(secret, at + len(secret))
    return sorted(found)


class HidingStream:
    """A text stream that secrets don't get through; for what libraries print. All else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes the text without secrets."""
        self._stream.write(without_secrets(text))
        return len(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)
