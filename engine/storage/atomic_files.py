"""Writing a file whole: a reader sees the old one or the new one, and a kill or a full disk leaves no half of it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

LONGEST_NAME = 100
"""Letters of a file's name that its unfinished one repeats: names have 255 bytes at most."""


@contextmanager
def whole_file(path: Path, durable: bool = True) -> Iterator[BinaryIO]:
    """A new file, open for writing; at the end of the ``with`` it takes the place of ``path``.

    A link at ``path`` is replaced, never written through.

    Args:
        path: the file; its folder is there.
        durable: whether its bytes are on the disk, not only on their way, when it appears under its name: needed for
            what can't be made again.

    Raises:
        OSError: it can't be written; then nothing of it stays.
    """
    beside = path.with_name(f".{path.name[:LONGEST_NAME]}.{os.getpid()}-{secrets.token_hex(4)}.part")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str, durable: bool = True) -> None:
    """Writes a UTF-8 text file whole. Raises OSError; then the old one stays."""
    with whole_file(path, durable) as file:
        file.write(text.encode("utf-8"))


def write_bytes(path: Path, data: bytes, durable: bool = True) -> None:
    """Writes a file whole. Raises OSError; then the old one stays."""
    with whole_file(path, durable) as file:
        file.write(data)


def sync_folder(folder: Path) -> None:
    """Waits until the names in a folder are on the disk, so that a power cut loses no file that was written before."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
