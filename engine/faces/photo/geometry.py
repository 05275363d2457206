"""Boxes and crops. Everything is upright (after EXIF), origin top left."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


@dataclass(frozen=True)
class Box:
    """A rectangle in fractions (0 to 1) of the upright picture's width and height."""

    x: float
    y: float
    w: float
    h: float

    def clamped(self) -> Box:
        """The part of the box inside the picture. PhotoPrism clips x, y, w, h on their own, so x + w can pass 1."""
        left, top = _unit(self.x), _unit(self.y)
        return Box(left, top, _unit(self.x + self.w) - left, _unit(self.y + self.h) - top)

    def same_face(self, other: Box) -> bool:
        """Whether two boxes, drawn by different detectors, may be of one face: each holds the other's middle, and
        neither has more than three times the other's area."""
        if not (self.holds_middle_of(other) and other.holds_middle_of(self)):
            return False
        one, two = self.w * self.h, other.w * other.h
        return max(one, two) <= 3 * min(one, two)

    def overlap(self, other: Box) -> float:
        """How much of what two boxes cover together both cover, 0 to 1."""
        across = min(self.x + self.w, other.x + other.w) - max(self.x, other.x)
        down = min(self.y + self.h, other.y + other.h) - max(self.y, other.y)
        both = max(0.0, across) * max(0.0, down)
        either = self.w * self.h + other.w * other.h - both
        return both / either if either > 0 else 0.0

    def holds_middle_of(self, other: Box) -> bool:
        """Whether the middle of another box lies in this one."""
        x, y = other.x + other.w / 2, other.y + other.h / 2
        return self.x <= x <= self.x + self.w and self.y <= y <= self.y + self.h

    def pixels(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Left, top, right, bottom in pixels of a picture of that size."""
        return self.x * width, self.y * height, (self.x + self.w) * width, (self.y + self.h) * height


class Framing(StrEnum):
    """How much of the person a crop shows."""

    BOX = "box"
    CLOSE = "close"
    HALF = "half"
    FULL = "full"


FACE_SHARE: dict[Framing, float] = {
    Framing.BOX: 1.0,
    Framing.CLOSE: 0.42,
    Framing.HALF: 0.20,
    Framing.FULL: 0.09,
}
"""The face's height as a share of the crop's side."""

EYES_DOWN: dict[Framing, float] = {
    Framing.BOX: 0.5,
    Framing.CLOSE: 0.47,
    Framing.HALF: 0.33,
    Framing.FULL: 0.16,
}
"""How far down the crop the middle of the face box lies, as a share of the side.

A face box runs from hairline to chin, its eyes a little above its middle: 0.47 puts them at about 40 % of a close-up.
"""

CLOSE_SHARE = 0.30
HALF_SHARE = 0.12
"""From how large a share of the crop's side a face makes a close-up, and a half body."""

WIDEST_ZOOM = 0.25
NARROWEST_ZOOM = 4.0


@dataclass(frozen=True)
class Crop:
    """A square cut: left, top and side in whole pixels of the upright picture, all inside it."""

    left: int
    top: int
    side: int

    @property
    def corners(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom, as Pillow's ``crop`` takes them."""
        return self.left, self.top, self.left + self.side, self.top + self.side

    def share_of(self, box: Box, width: int, height: int) -> float:
        """How much (0 to 1) of a box of a ``width`` × ``height`` picture lies inside the crop."""
        left, top, right, bottom = box.clamped().pixels(width, height)
        area = (right - left) * (bottom - top)
        across = min(right, self.left + self.side) - max(left, self.left)
        down = min(bottom, self.top + self.side) - max(top, self.top)
        return max(0.0, across) * max(0.0, down) / area if area > 0 else 0.0


@dataclass(frozen=True)
class Cut:
    """How a face is to be cut: a framing, nudged and resized by hand. The photo itself is never touched.

    ``right`` and ``down`` are shares of the crop's side; ``zoom`` above 1 shows less of the picture.
    """

    framing: Framing
    right: float = 0.0
    down: float = 0.0
    zoom: float = 1.0

    @property
    def by_hand(self) -> bool:
        """Whether somebody nudged or resized it."""
        return (self.right, self.down, self.zoom) != (0.0, 0.0, 1.0)

    def moved(self, right: float, down: float) -> Cut:
        """Nudged by shares of the side."""
        return replace(self, right=round(self.right + right, 4), down=round(self.down + down, 4))

    def resized(self, factor: float) -> Cut:
        """Made tighter (above 1) or wider (below 1)."""
        return replace(self, zoom=round(min(NARROWEST_ZOOM, max(WIDEST_ZOOM, self.zoom * factor)), 4))

    def text(self) -> str:
        """As the project keeps it: ``half 0.02 -0.05 1.1``."""
        return f"{self.framing} {self.right:g} {self.down:g} {self.zoom:g}"

    @classmethod
    def read(cls, text: str) -> Cut:
        """What ``text`` wrote. Raises ValueError for anything else."""
        framing, right, down, zoom = text.split()
        return cls(Framing(framing), float(right), float(down), float(zoom))


def crop_square(box: Box, width: int, height: int, framing: Framing | Cut) -> Crop:
    """The square around a face for a framing, in a picture of ``width`` × ``height`` pixels.

    Where it would run over an edge it is shifted first, and shrunk only when it is larger than the picture:
    nothing is ever padded.

    Raises:
        ValueError: the box has no area inside the picture.
    """
    how = framing if isinstance(framing, Cut) else Cut(framing)
    left, top, right, bottom = box.clamped().pixels(width, height)
    if right - left < 1 or bottom - top < 1:
        raise ValueError("the face box has no area inside the picture")
    face = max(right - left, bottom - top)
    side = max(1, min(round(face / FACE_SHARE[how.framing] / how.zoom), width, height))
    x = round((left + right) / 2 - side * (0.5 - how.right))
    y = round((top + bottom) / 2 - side * (EYES_DOWN[how.framing] - how.down))
    return Crop(_between(x, 0, width - side), _between(y, 0, height - side), side)


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))


def _between(value: int, low: int, high: int) -> int:
    return min(high, max(low, value))
