"""An SQLite index that a program left open when it ended: read from a copy of our own, so that nothing is made there.

Reading the ``-wal`` of a write-ahead database needs a ``-shm`` beside it, and SQLite makes one even for who only reads
(https://www.sqlite.org/wal.html, "Read-Only Databases"). Whoever has the index open has made it already.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import platformdirs

PARTS = ("", "-wal")
"""What holds an index's rows: the file, and what was not yet written into it."""


def without_touching(path: Path) -> Path:
    """The index to read instead of that one: itself, or a private copy where reading would leave a file beside it.

    A copy is kept in the user's cache until the index changes. Raises OSError.
    """
    if not _beside(path, "-wal").exists() or _beside(path, "-shm").exists():
        return path
    place = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]
    copies = Path(platformdirs.user_cache_dir("limner", appauthor=False)) / "indexes"
    folder = copies / f"{place}-{_state(path)}"
    if not folder.is_dir():
        _copy(path, folder)
        for other in copies.glob(f"{place}-*"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
    # Whoever opened it meanwhile may have changed it between the copies of its two parts.
    return path if _beside(path, "-shm").exists() else folder / path.name


def _copy(path: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Made under another name, in a folder that only its owner can enter: half a copy is never taken for one.
    made = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        for part in PARTS:
            shutil.copyfile(_beside(path, part), made / f"{path.name}{part}")
        made.rename(folder)
    except OSError:
        shutil.rmtree(made, ignore_errors=True)
        if not folder.is_dir():
            raise


def _beside(path: Path, part: str) -> Path:
    return path.with_name(path.name + part)


def _state(path: Path) -> str:
    """Another one whenever the index is another."""
    told = [(each.st_size, each.st_mtime_ns, each.st_ino) for each in (_beside(path, part).stat() for part in PARTS)]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]
