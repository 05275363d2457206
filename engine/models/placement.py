"""How an image came into the size it is trained in. No torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Placement:
    """How an image came into its bucket, in pixels; each is height and width, or top and left."""

    original: tuple[int, int]
    """What it was before it was scaled up; the target's where it was not."""
    crop: tuple[int, int]
    """What was cut off at the top and the left."""
    target: tuple[int, int]
    """The bucket's size."""
