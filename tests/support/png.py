"""What a PNG says about how it was made."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from engine.pictures.orders.png_parameters import CHUNK, Parameters


def read_parameters(path: Path) -> Parameters | None:
    """Its parameters; None where it says nothing."""
    with Image.open(path) as image:
        text = image.info.get(CHUNK)
    return Parameters.from_text(text) if isinstance(text, str) else None
