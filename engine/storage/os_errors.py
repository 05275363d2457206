"""What the operating system or SQLite refused, in a user's words: what happened, and what to do.

A full disk, a quota and a limit on a file's size are one thing to whoever meets them: there is no room.
"""

from __future__ import annotations

import errno
import os
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import DiskFull, LimnerError, ProjectError

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""The disk is full, a quota is used up, a file would get larger than the process may make it."""

LITTLE_BYTES = 1 << 20
"""SQLite says of some writings only that they failed; with less room than this, that is why."""

MAKE_ROOM = "make room on the disk, then do it again: all that was saved is whole"

_UNCLEAR = ("SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_SHMOPEN", "SQLITE_CANTOPEN")
"""SQLite's names for failures that a full disk has, too: https://www.sqlite.org/rescode.html."""


def is_no_room(error: BaseException) -> bool:
    """Whether an error of the operating system says that there is no room."""
    return isinstance(error, OSError) and error.errno in NO_ROOM


def explain(error: Exception, path: Path | None = None) -> LimnerError | None:
    """An error of the operating system or of SQLite as one that a person can act on; None for any other error.

    Args:
        error: what was raised.
        path: what was being written, where the error does not name it.
    """
    if isinstance(error, LimnerError):
        return error
    if isinstance(error, sqlite3.Error):
        return _database(error, path)
    if isinstance(error, OSError):
        where = error.filename if isinstance(error.filename, (str, Path)) else path
        if is_no_room(error):
            return DiskFull(f"there is no room to write {where or 'a file'} ({error.strerror})", MAKE_ROOM)
        return LimnerError(f"{where or 'a file'}: {error.strerror or error}", "make it readable and writable")
    if isinstance(error, UnicodeEncodeError) and error.encoding.lower().startswith("utf"):
        return _no_utf8(error)
    return None


def _no_utf8(error: UnicodeEncodeError) -> LimnerError:
    """Bytes that are no UTF-8 in a name or an argument: Python passes them on as halves of letters."""
    near = error.object[max(0, error.start - 40) : error.end + 40]
    shown = near.encode("utf-8", "replace").decode("utf-8")
    return LimnerError(f"“{shown}” holds bytes that are not UTF-8", "rename the file or folder, or type it again")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Errors of the operating system and of SQLite inside become LimnerErrors about ``path``."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        told = explain(error, path)
        assert told is not None
        raise told from error


def _database(error: sqlite3.Error, path: Path | None) -> LimnerError:
    name = getattr(error, "sqlite_errorname", "")
    where = path or "the project's database"
    if name == "SQLITE_FULL" or (name in _UNCLEAR and path is not None and _no_room_in(path.parent)):
        return DiskFull(f"there is no room to write {where} ({error})", MAKE_ROOM)
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return ProjectError(f"{where} is held by another program ({error})", "wait for it or close it, then try again")
    if name.startswith("SQLITE_READONLY"):
        return ProjectError(f"{where} can't be written ({error})", "fix the permissions of the project's folder")
    if name in _UNCLEAR:
        return ProjectError(f"{where} can't be written ({error})", "check that the disk, or your quota, has room")
    return ProjectError(
        f"{where} can't be used ({error})", "close other programs that use it, or restore a copy beside it"
    )


def _no_room_in(folder: Path) -> bool:
    """Whether the folder's disk is nearly full, or this process may write files of a certain size only."""
    if resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY:
        return True
    try:
        status = os.statvfs(folder)
    except OSError:
        return False
    return status.f_bavail * status.f_frsize < LITTLE_BYTES or status.f_favail == 0 < status.f_files
