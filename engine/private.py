"""What Limner writes is its user's alone: photos of people, who they are, where the library lies."""

from __future__ import annotations

import os

OTHERS = 0o077
"""What nobody but the owner may do with a new file (umask)."""


def keep_private() -> None:
    """From here on every file that this process or its children make is 0600 and every folder 0700, whatever the user's
    umask says. That holds for what libraries write, too: SQLite's journals, thumbnails, caches."""
    os.umask(OTHERS)
