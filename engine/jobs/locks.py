"""Locks that tell who lives. Whoever looks at one holds it for a moment, and is not to be taken for its holder."""

from __future__ import annotations

import fcntl
import time

LOOK_SECONDS = 0.1
"""A look is over long before; who still has the lock then is its holder."""

AGAIN_SECONDS = 0.002


def take(handle: int) -> bool:
    """Takes the lock of an open file alone. Returns False where somebody holds it, and does not only look."""
    until = time.monotonic() + LOOK_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > until:
                return False
        time.sleep(AGAIN_SECONDS)


def is_held_alone(handle: int) -> bool:
    """Whether somebody holds the lock alone; at once, and any number may look."""
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
