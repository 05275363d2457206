"""A pen that draws smooth shapes in units of its own, on a Pillow picture."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from PIL import Image, ImageDraw

Point = tuple[float, float]
Fill = tuple[int, int, int] | tuple[int, int, int, int]


def arc(x: float, y: float, rx: float, ry: float, start: float, end: float, power: float = 2.0) -> list[Point]:
    """Points along an ellipse, in degrees clockwise from the right; `power` above 2 makes it squarer."""
    count = max(8, int(abs(end - start) / 6))
    points = []
    for i in range(count + 1):
        angle = math.radians(start + (end - start) * i / count)
        c, s = math.cos(angle), math.sin(angle)
        points.append(
            (
                x + rx * math.copysign(abs(c) ** (2 / power), c),
                y + ry * math.copysign(abs(s) ** (2 / power), s),
            )
        )
    return points


def curve(start: Point, control: Point, end: Point, count: int = 12) -> list[Point]:
    """Points along a quadratic Bézier curve."""
    points = []
    for i in range(count + 1):
        t = i / count
        a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t**2
        points.append((a * start[0] + b * control[0] + c * end[0], a * start[1] + b * control[1] + c * end[1]))
    return points


class Pen:
    """Draws on `image`; (0, 0) lies at the pixel `origin`, y runs down, and 1 is `unit` pixels long.

    A fill with a fourth number lets that much through: 0 is clear, 255 covers.
    """

    def __init__(self, image: Image.Image, origin: Point, unit: float) -> None:
        self.origin = origin
        self.unit = unit
        self._draw = ImageDraw.Draw(image, "RGBA")

    def _pixels(self, points: Iterable[Point]) -> list[Point]:
        left, top = self.origin
        return [(left + x * self.unit, top + y * self.unit) for x, y in points]

    def shape(self, points: Iterable[Point], fill: Fill) -> None:
        """A filled outline."""
        self._draw.polygon(self._pixels(points), fill=fill)

    def oval(self, x: float, y: float, rx: float, ry: float, fill: Fill) -> None:
        """An ellipse around (x, y)."""
        self._draw.ellipse(self._pixels([(x - rx, y - ry), (x + rx, y + ry)]), fill=fill)

    def ring(self, x: float, y: float, rx: float, ry: float, width: float, fill: Fill) -> None:
        """The outline of an ellipse, `width` thick inwards."""
        box = self._pixels([(x - rx, y - ry), (x + rx, y + ry)])
        self._draw.ellipse(box, outline=fill, width=max(1, round(width * self.unit)))

    def block(self, left: float, top: float, right: float, bottom: float, fill: Fill, radius: float = 0) -> None:
        """A rectangle with round corners."""
        box = self._pixels([(left, top), (right, bottom)])
        self._draw.rounded_rectangle(box, radius * self.unit, fill=fill)

    def line(self, points: Sequence[Point], width: float, fill: Fill) -> None:
        """A line with round ends."""
        self._draw.line(self._pixels(points), fill=fill, width=max(1, round(width * self.unit)), joint="curve")
        for x, y in (points[0], points[-1]):
            self.oval(x, y, width / 2, width / 2, fill)
