"""What Limner writes is its user's alone: photos of people, who they are, where the library lies."""

from __future__ import annotations

import os
import traceback

from engine.errors import LimnerError
from engine.secrets import without_secrets

OTHERS = 0o077
"""What nobody but the owner may do with a new file (umask)."""


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
