"""Small pictures kept in the project's cache folder: bounded, the longest unused go first. For threads."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from engine.storage.atomic_files import write_bytes

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_BYTES = 400_000_000
"""What the folder may hold: some eighty thousand thumbnails, or ten thousand larger pictures."""

SWEPT_TO = 0.9
"""The share of that which is left after a sweep, so that the next is not due at once."""

USED_SECONDS = 86_400.0
"""How old the note of the last use may be before it is written anew: reading must not mean writing."""

QUALITY = 88


class ThumbnailCache:
    """The folder ``cache/thumbnails`` of a project. Safe to delete at any time."""

    def __init__(self, cache: Path, most_bytes: int = MOST_BYTES) -> None:
        self.folder = cache / "thumbnails"
        self._most = most_bytes

    def picture(self, told: str, make: Callable[[], Image]) -> Image:
        """A picture from the folder, or made and kept.

        Args:
            told: all that decides how it looks: the source's path and time, the crop, the size.
            make: makes it where it is not there.
        """
        from engine.faces.photo.loading import open_header

        at = self.folder / f"{hashlib.sha256(told.encode()).hexdigest()[:24]}.jpg"
        if at.exists():
            try:
                with open_header(at) as kept:
                    picture = kept.convert("RGB")
                self._note_use(at)
                return picture
            except OSError:
                # Torn, or swept a moment ago: it is made again.
                with suppress(OSError):
                    at.unlink(missing_ok=True)
        coded = BytesIO()
        make().save(coded, "JPEG", quality=QUALITY)
        self._keep(coded.getvalue(), at)
        # What is shown first is what the cache will show later, to the pixel.
        with open_header(coded) as made:
            return made.convert("RGB")

    def sweep(self) -> int:
        """Deletes what was not used for longest, if the folder holds more than it may; returns how many files."""
        files: list[tuple[float, int, str]] = []
        with suppress(FileNotFoundError), os.scandir(self.folder) as entries:
            for entry in entries:
                with suppress(OSError):
                    stat = entry.stat(follow_symlinks=False)
                    files.append((stat.st_mtime, stat.st_size, entry.path))
        held = sum(size for _, size, _ in files)
        if held <= self._most:
            return 0
        swept = 0
        for _, size, path in sorted(files):
            if held <= self._most * SWEPT_TO:
                break
            with suppress(OSError):
                os.unlink(path)  # noqa: PTH108 – thousands of them
                swept += 1
            held -= size
        return swept

    def _note_use(self, at: Path) -> None:
        """The time of change is the time of the last use: many disks don't note the latter."""
        with suppress(OSError):
            if time.time() - at.stat().st_mtime > USED_SECONDS:
                os.utime(at)

    def _keep(self, coded: bytes, at: Path) -> None:
        """Writes the picture whole; a full disk costs time later, nothing else."""
        with suppress(OSError):
            # Not its parents, too: a project that was moved away is not made anew in its old place.
            self.folder.parent.mkdir(exist_ok=True)
            self.folder.mkdir(exist_ok=True)
            write_bytes(at, coded, durable=False)


def stamp_of(path: Path) -> int:
    """A file's time of change, in nanoseconds; 0 where there is none: a picture that changed is another one."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
