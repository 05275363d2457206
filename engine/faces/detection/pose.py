"""How a head is held, told from five points of its face."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

NOSE = 0.43
"""How far the tip of the nose stands before the eyes, in distances between the eyes.

The generic head that pose estimation is usually done with has the outer corners of its eyes 450 units apart and 135
behind the tip of the nose; its pupils are 315 apart. (S. Mallick, "Head Pose Estimation using OpenCV and Dlib", 2016.)
"""


@dataclass(frozen=True)
class Points:
    """Five points of a face, in any one unit; left and right are the picture's."""

    left_eye: tuple[float, float]
    right_eye: tuple[float, float]
    nose: tuple[float, float]
    mouth_left: tuple[float, float]
    mouth_right: tuple[float, float]

    @property
    def each(self) -> tuple[tuple[float, float], ...]:
        """All five, in this order."""
        return self.left_eye, self.right_eye, self.nose, self.mouth_left, self.mouth_right

    @classmethod
    def of(cls, points: Sequence[Sequence[float]]) -> Points:
        """From five pairs in the order of ``each``. Raises ValueError for another number."""
        first, second, third, fourth, fifth = ((float(x), float(y)) for x, y in points)
        return cls(first, second, third, fourth, fifth)

    def scaled(self, across: float, down: float) -> Points:
        """The points in another unit: a width and a height make pixels of fractions."""
        return Points.of([(x * across, y * down) for x, y in self.each])


def yaw_of(points: Points) -> float | None:
    """Degrees that a head is turned to the side, −90 to 90, positive towards the picture's right.

    Turned by an angle, eyes that were 1 apart are cos apart and the nose has moved by ``NOSE`` · sin from their middle,
    so nose over eyes is ``NOSE`` · tan. Measured along the line of the eyes, so that a head may be tilted.

    Args:
        points: in pixels, or in any unit that is the same across and down.

    Returns:
        None where the eyes lie at one point: then nothing can be said.
    """
    (left_x, left_y), (right_x, right_y) = points.left_eye, points.right_eye
    across, down = right_x - left_x, right_y - left_y
    apart = math.hypot(across, down)
    if apart <= 0:
        return None
    off_x = points.nose[0] - (left_x + right_x) / 2
    off_y = points.nose[1] - (left_y + right_y) / 2
    aside = (off_x * across + off_y * down) / apart
    return math.degrees(math.atan2(aside, apart * NOSE))
