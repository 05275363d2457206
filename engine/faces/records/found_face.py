"""A face as a scan found it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.faces.photo.geometry import Box


@dataclass(frozen=True)
class FoundFace:
    """A face as a scan found it. ``path`` was really opened, unless there is a ``problem``."""

    marker_uid: str
    person_uid: str
    person: str
    photo_uid: str
    file_uid: str
    file_root: str
    file_name: str
    path: Path | None
    box: Box
    image_width: int | None
    image_height: int | None
    face_px: int | None
    """The face's larger side in real pixels of the upright picture."""
    taken_at: str | None
    """``2019-06-02 15:58:24``, in the photo's own time."""
    confirmed: bool
    problem: str | None = None
    """Why this face can't be used."""
    warning: str | None = None
    """What makes this face doubtful."""
    file_hash: str = ""
    """SHA-1 of the file's bytes as the library indexed them; empty: not known."""
