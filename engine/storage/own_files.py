"""Opening files that Limner writes or locks: never through a link, never what is no plain file.

A project may come from somebody else. A link in it, ``events.jsonl -> ~/.bashrc``, would have Limner write where its
maker likes.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from engine.errors import ProjectError

NO_LINKS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""For every such ``os.open``; the last, so that a pipe doesn't hold whoever opens it."""

DATABASE_FILES = ("limner.db", "limner.db-wal", "limner.db-shm", "limner.db-journal")
"""What SQLite opens by itself in a project's folder, and follows links to."""

WRITTEN_BELOW = {"cache": 1, "dataset": 3, "jobs": 3, "pictures": 3, "runs": 3}
"""Folders of a project in which Limner writes, and how deep they are looked through: ``runs/RUN/checkpoints`` is 2. The
cache holds a hundred thousand thumbnails, whose folder alone counts."""


class NotOurs(ProjectError):
    """A link, a pipe or somebody else's folder where Limner would write."""


def open_own(path: Path, flags: int, mode: int = 0o666) -> int:
    """Opens a file for writing or locking; returns its descriptor.

    Args:
        path: the file; the folder that it lies in is a project's, or another of Limner's.
        flags: as of ``os.open``.
        mode: of a new file, less the umask.

    Raises:
        NotOurs: a link, a file with a second name, or no plain file lies there.
        OSError: it can't be opened.
    """
    if path.parent.is_symlink():
        raise _refused(path.parent, "a link")
    try:
        # Emptied only once it is known to be ours.
        handle = os.open(path, flags & ~os.O_TRUNC | NO_LINKS, mode)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _refused(path, "a link") from error
        if error.errno == errno.ENXIO:
            raise _refused(path, "a pipe or a device") from error
        raise
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        os.close(handle)
        raise _refused(path, "a file with a second name elsewhere" if stat.S_ISREG(found.st_mode) else "no plain file")
    os.set_blocking(handle, True)
    if flags & os.O_TRUNC:
        os.ftruncate(handle, 0)
    return handle


def check_folders(root: Path) -> None:
    """Looks at the folders of a project in which Limner writes, before anything is written.

    Raises:
        NotOurs: one of them, or the database, is a link or belongs to another user.
        OSError: one can't be read.
    """
    for name in DATABASE_FILES:
        if (root / name).is_symlink():
            raise _refused(root / name, "a link")
    for name, deep in WRITTEN_BELOW.items():
        _check_folder(root / name, os.lstat(root).st_uid, deep)


def _check_folder(folder: Path, owner: int, deep: int) -> None:
    if folder.is_symlink():
        raise _refused(folder, "a link")
    try:
        found = folder.stat()
        entries = list(os.scandir(folder)) if deep and stat.S_ISDIR(found.st_mode) else []
    except FileNotFoundError:
        return
    if found.st_uid not in (owner, 0, os.geteuid()):
        raise NotOurs(
            f"{folder} belongs to another user: Limner does not write there", "take the folder over, or move it"
        )
    for entry in entries:
        if entry.is_dir():
            _check_folder(Path(entry.path), owner, deep - 1)


def _refused(path: Path, what: str) -> NotOurs:
    return NotOurs(
        f"{path} is {what}; Limner writes through none, since a project may come from somebody else",
        "put the file or folder itself there, or move the whole project to its new place",
    )


def set_aside(path: Path) -> None:
    """Renames a damaged file before a new one takes its place: somebody may mend it. An earlier one stays.

    Raises:
        OSError: it can't be renamed.
    """
    damaged = path.with_name(f"{path.name}.damaged")
    if os.path.lexists(path) and not os.path.lexists(damaged):
        os.replace(path, damaged)
