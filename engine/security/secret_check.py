"""One look at whatever names a place: a server, a model, a file. None of them may hold a secret.

A project's settings are copied into orders, bundles and PNGs, and a command line is seen by every user of the machine.
So an address that holds a password, a token or a key is refused wherever one can be written: in every field of
``limner.toml`` that is not plain words (``engine.settings.section``), and where it is typed.
"""

from __future__ import annotations

import os
import re
from urllib.parse import unquote

LONGEST = 4_096
"""Letters of an address or a path; the longest path that Linux opens has as many bytes."""

_LOGIN = re.compile(r"^\s*(?:[a-z0-9+.-]+:/{1,2}|//)[^:@/]*:(?![0-9]*[/?#][^@]*=)[^@]*@", re.IGNORECASE)
"""A password before the host, also one with ``#``, ``/`` or ``?`` in it, which end the host for a parser. A port
is none where an ``@`` comes later only in an option's value, ``?ssl_ca=/home/me@nas/ca.pem``."""

_BARE_LOGIN = re.compile(r"^\s*[^:@/\\]*:(?!//)[^@]+@[^@]")
"""``user:password@host``, typed without a scheme."""

_OPTION = re.compile(
    r"[?&;#][\w.-]{0,40}?(?:passw|pwd|secret|token|api[-_.]?key|access[-_.]?key|auth|credential|signature)[\w.-]{0,40}="
    r"[^&;#\s]",
    re.IGNORECASE,
)
"""A secret among an address's options: ``?token=…``."""


def holds_secret(text: str, bare: bool = True) -> bool:
    """Whether an address, a path or a hub name holds a password, a token or a key, however its colon is written.

    Args:
        text: as it was typed.
        bare: whether ``user:password@host`` without a scheme is a login; a server's name of a model is none.
    """
    text = text[:LONGEST]
    for each in {text, unquote(text)}:
        if _LOGIN.match(each) or _OPTION.search(each) or (bare and _BARE_LOGIN.match(each)):
            return not _is_there(text)
    return False


def is_host(name: str) -> bool:
    """Whether a name can be asked for: none of its parts empty, longer than 63 letters, or half a letter (RFC 1035,
    RFC 3490). An IPv6 address is one."""
    try:
        return ":" in name or bool(name.encode("idna"))
    except UnicodeError:
        return False


def _is_there(text: str) -> bool:
    """Whether it is a file's or a folder's name after all."""
    if "//" in text:
        return False
    try:
        return os.path.lexists(os.path.expanduser(text))  # noqa: PTH111 - as it was typed: a Path would shorten //
    except (OSError, ValueError):
        return False
