"""What a library says of a photo in words."""

from __future__ import annotations

from dataclasses import dataclass

LEAST_SURE = 40
"""PhotoPrism's uncertainty, in percent, up to which a label is taken; 0 is what a person said."""

UNKNOWN_PLACE = ("", "zz", "Unknown")
"""What PhotoPrism calls places that it does not know."""


@dataclass(frozen=True)
class PhotoWords:
    """What the library says of one photo."""

    photo_uid: str
    labels: tuple[str, ...] = ()
    """The surest first, as PhotoPrism writes them: ``Beach``."""
    place: str = ""
    """The town, or what else PhotoPrism calls the place; empty: not known."""
