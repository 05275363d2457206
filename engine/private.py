"""What Limner writes is its user's alone: photos of people, who they are, where the library lies; and its secrets."""

from __future__ import annotations

import json
import os
import re
import threading
import traceback
from urllib.parse import quote

from engine.errors import LimnerError

OTHERS = 0o077
"""What nobody but the owner may do with a new file (umask)."""


HIDDEN = "•••"
"""Stands where a secret stood."""

SHORTEST = 4
"""A shorter word is part of too many others: with it hidden, a log tells nothing any more."""

_LOGIN = re.compile(r"(://[^/\s:@]*):[^\s@]+@")
"""A password in an address, whoever wrote it there."""

_secrets: set[str] = set()
_learning = threading.Lock()


def never_tell(secret: str | None) -> None:
    """From here on ``without_secrets`` hides this password, key or token."""
    if secret and len(secret) >= SHORTEST:
        with _learning:
            _secrets.update({secret, quote(secret, safe=""), repr(secret)[1:-1], json.dumps(secret)[1:-1]})


def without_secrets(text: str) -> str:
    """A text that goes into a log, without the secrets that this process was given; libraries quote what failed."""
    with _learning:
        known = sorted(_secrets, key=len, reverse=True)
    for secret in known:
        text = text.replace(secret, HIDDEN)
    return _LOGIN.sub(rf"\1:{HIDDEN}@", text)


def story_of(error: BaseException | None) -> str:
    """The whole story of a mistake of ours, for a log."""
    return without_secrets("".join(traceback.format_exception(error)))


def keep_private() -> None:
    """From here on every file that this process or its children make is 0600 and every folder 0700, whatever the user's
    umask says. That holds for what libraries write, too: SQLite's journals, thumbnails, caches."""
    os.umask(OTHERS)


def for_a_header(secret: str | None, what: str, refused: type[LimnerError]) -> str | None:
    """A secret as a header of HTTP can carry it: without the blanks and line ends that copying brings along.

    Python's ``http.client`` quotes a header that it can't send in its error, which then stands in logs.

    Args:
        secret: a token, a key; None: there is none.
        what: its name for people.
        refused: the error that is raised.

    Raises:
        LimnerError: as ``refused``; it never quotes the secret.
    """
    kept = (secret or "").strip()
    if not (kept.isascii() and kept.isprintable()):
        raise refused(f"{what} holds a character that can't be sent", "copy it again, on one line")
    return kept or None
