"""What a library says of a photo in words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PhotoWords:
    """What the library says of one photo."""

    photo_uid: str
    labels: tuple[str, ...] = ()
    """The surest first, ``Beach``."""
    place: str = ""
    """The town, or what else the library calls the place; empty: not known."""
