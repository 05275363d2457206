"""What lies behind the drawn people: plain walls, a room, hills, a beach."""

from __future__ import annotations

import math

from PIL import Image

from engine.demo.pen import Pen
from engine.demo.people import Colour

WALLS: dict[str, Colour] = {
    "blue": (96, 152, 224),
    "green": (122, 190, 132),
    "white": (242, 242, 240),
    "pink": (246, 172, 188),
    "yellow": (250, 212, 96),
    "grey": (124, 128, 138),
}
PLACES = ("hills", "beach", "room")
BACKGROUNDS = (*WALLS, *PLACES)


def _gradient(size: tuple[int, int], top: Colour, bottom: Colour) -> Image.Image:
    strip = Image.new("RGB", (1, 2))
    strip.putpixel((0, 0), top)
    strip.putpixel((0, 1), bottom)
    return strip.resize(size, Image.Resampling.BILINEAR)


def draw_background(name: str, size: tuple[int, int], horizon: float, phase: float, scale: float) -> Image.Image:
    """A picture of `size` pixels of the background `name`.

    `horizon` is the height of the horizon or the floor as a fraction from the top, `phase` (0 to 1) shifts the scenery
    sideways, and a feature such as a hill or a window is about `scale` pixels large.
    """
    if name in WALLS:
        wall = WALLS[name]
        r, g, b = (round(c * 0.86) for c in wall)
        return _gradient(size, wall, (r, g, b))
    sky = (232, 214, 190) if name == "room" else (126, 190, 240)
    low = (216, 192, 164) if name == "room" else (224, 240, 250)
    image = _gradient(size, sky, low)
    pen = Pen(image, (0, horizon * size[1]), scale)
    width, depth = size[0] / scale, (1 - horizon) * size[1] / scale
    {"hills": _draw_hills, "beach": _draw_beach, "room": _draw_room}[name](pen, width, depth, phase)
    return image


def _draw_hills(pen: Pen, width: float, depth: float, phase: float) -> None:
    pen.oval((0.2 + phase * 0.6) * width, -0.42, 0.1, 0.1, (255, 236, 150))
    for row, colour in enumerate(((150, 196, 148), (108, 172, 110), (76, 146, 84))):
        steps = [i * 0.02 * width for i in range(51)]
        ridge = [
            (x, row * 0.16 - 0.1 + 0.09 * math.sin(4.2 * x + 7 * phase + 2.1 * row) + 0.03 * math.sin(9 * x + row))
            for x in steps
        ]
        pen.shape([*ridge, (width, depth + 1), (0, depth + 1)], colour)


def _draw_beach(pen: Pen, width: float, depth: float, phase: float) -> None:
    pen.oval((0.15 + phase * 0.7) * width, -0.4, 0.1, 0.1, (255, 240, 170))
    pen.block(0, 0, width, depth + 0.1, (44, 142, 190))
    pen.block(0, 0.13, width, depth + 0.1, (72, 178, 206))
    steps = [i * 0.02 * width for i in range(51)]
    foam = [(x, 0.24 + 0.02 * math.sin(8 * x + 9 * phase)) for x in steps]
    pen.shape([*foam, (width, depth + 1), (0, depth + 1)], (250, 250, 244))
    pen.shape([*((x, y + 0.03) for x, y in foam), (width, depth + 1), (0, depth + 1)], (240, 214, 156))


def _draw_room(pen: Pen, width: float, depth: float, phase: float) -> None:
    for i in range(-1, int(width / 0.9) + 2):
        left = (i + phase) * 0.9
        pen.block(left, -0.78, left + 0.5, -0.3, (252, 250, 244))
        pen.block(left + 0.04, -0.74, left + 0.46, -0.34, (156, 204, 238))
        pen.block(left + 0.235, -0.76, left + 0.265, -0.32, (252, 250, 244))
        pen.oval(left + 0.7, -0.17, 0.1, 0.15, (86, 150, 92))
        pen.block(left + 0.63, -0.09, left + 0.77, 0.02, (196, 98, 66), 0.02)
    pen.block(0, 0, width, depth + 0.1, (164, 112, 72))
    pen.block(0, 0, width, 0.03, (132, 88, 56))
