"""What a file is by its bytes: as PhotoPrism's index names them (``files.file_hash``; ``pkg/fs/hash.go``)."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha1_of(path: Path) -> str:
    """The SHA-1 of a file's bytes in hex; it tells files apart and guards nothing. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.sha1(usedforsecurity=False)).hexdigest()


def content_of(path: Path) -> str:
    """As ``sha1_of``; empty where the file can't be read."""
    try:
        return sha1_of(path)
    except OSError:
        return ""
