"""Taking turns: one process at a time does something, the others wait."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.storage.liveness_locks import flock
from engine.storage.own_files import open_own


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Holds a lock for the length of a ``with``; a process that is killed lets go of it. Not to be nested.

    Args:
        path: what is locked: a folder that is there, or a file that is made where it is missing.

    Raises:
        NoLocks: the file system has no locks.
        NotOurs: a link lies where the file would.
    """
    if path.is_dir():
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    else:
        handle = open_own(path, os.O_RDWR | os.O_CREAT)
    try:
        flock(handle, fcntl.LOCK_EX, path)
        yield
    finally:
        os.close(handle)
