"""Pictures as sixels: bands of six rows, a pass a colour (https://vt100.net/docs/vt3xx-gp/chapter14.html).

textual-image codes them. Its ``renderable`` and ``widget`` packages ask the terminal what it can as they are imported,
which takes keys away and waits where nobody answers; so only its coder is imported, and the protocol is our choice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

COLOURS = 128
"""Half of what most terminals have, and nearly as good to look at."""


def sixels(picture: Image, colours: int = COLOURS) -> str:
    """One device control string that draws the picture at the cursor, a dot a pixel."""
    from textual_image._sixel import SixelOptions, image_to_sixels

    coded: str = image_to_sixels(picture.convert("RGB"), SixelOptions(colors=colours))
    return coded
