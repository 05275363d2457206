"""Small pictures of faces for the screen, kept in the project's cache. For threads: they open photos."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from engine.faces.geometry import Framing
from engine.faces.ledger import Face

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 384
"""Pixels a side: enough for half-blocks that fill a large terminal."""


def face_picture(cache: Path, face: Face, framing: Framing) -> Image:
    """A square of ``SIDE`` pixels around a face, from the cache where it is there and the photo has not changed.

    Raises:
        FaceError: the face has a problem, or its photo can't be opened.
    """
    import PIL.Image

    from engine.faces.crop import preview

    kept = _kept_at(cache, face, framing)
    if kept is not None and kept.exists():
        try:
            with PIL.Image.open(kept) as small:
                return small.convert("RGB")
        except OSError:
            # A torn file in the cache is made again.
            kept.unlink(missing_ok=True)
    picture = preview(face, framing, SIDE)
    if kept is not None:
        _keep(picture, kept)
    return picture


def _kept_at(cache: Path, face: Face, framing: Framing) -> Path | None:
    """Where the small picture lies; named by all that decides how it looks."""
    if face.path is None:
        return None
    try:
        stamp = face.path.stat().st_mtime_ns
    except OSError:
        return None
    told = f"{face.path}|{stamp}|{face.box}|{framing}|{SIDE}"
    return cache / "thumbnails" / f"{hashlib.sha256(told.encode()).hexdigest()[:24]}.jpg"


def _keep(picture: Image, at: Path) -> None:
    """Writes the small picture whole; a full disk costs time later, nothing else."""
    beside = at.with_name(f".{at.name}.{os.getpid()}")
    try:
        at.parent.mkdir(parents=True, exist_ok=True)
        picture.save(beside, "JPEG", quality=88)
        beside.replace(at)
    except OSError:
        beside.unlink(missing_ok=True)
