"""Locks that tell who lives. Whoever looks at one holds it for a moment, and is not to be taken for its holder."""

from __future__ import annotations

import errno
import fcntl
import time
from pathlib import Path

from engine.errors import ProjectError

LOOK_SECONDS = 0.1
"""A look is over long before; who still has the lock then is its holder."""

AGAIN_SECONDS = 0.002

NO_LOCKS = frozenset({errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS, errno.EINVAL})
"""What ``flock`` says on file systems that have none: some NFS, FUSE and SMB mounts."""


class NoLocks(ProjectError):
    """The file system keeps no locks, without which two processes could write the same files."""


def flock(handle: int, how: int, path: Path) -> None:
    """Locks an open file as ``fcntl.flock`` does.

    Args:
        handle: the open file's descriptor.
        how: ``LOCK_EX``, ``LOCK_SH``, with ``LOCK_NB`` to wait for nobody.
        path: its path, for the message.

    Raises:
        NoLocks: the file system has no locks.
        BlockingIOError: somebody holds it, and ``how`` says not to wait.
    """
    try:
        fcntl.flock(handle, how)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        folder = path if path.is_dir() else path.parent
        raise NoLocks(
            f"the file system that {folder} is on keeps no locks ({error.strerror})",
            "put the project on a local disk, or mount that one with locks (NFS: local_lock=flock; see docs/remote.md)",
        ) from error


def take(handle: int, path: Path) -> bool:
    """Takes the lock of an open file alone. Returns False where somebody holds it, and does not only look.

    Raises:
        NoLocks: the file system has no locks.
    """
    until = time.monotonic() + LOOK_SECONDS
    while True:
        try:
            flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, path)
            return True
        except BlockingIOError:
            if time.monotonic() > until:
                return False
        time.sleep(AGAIN_SECONDS)


def is_held_alone(handle: int) -> bool:
    """Whether somebody holds the lock alone; at once, and any number may look. Without locks nobody does."""
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    return False
