"""Training images as ``--json`` reports them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engine.dataset.files.layout import TrainingImage


def image_records(images: Iterable[TrainingImage]) -> list[dict[str, Any]]:
    """One object an image."""
    return [
        {
            "path": str(image.path),
            "caption": image.caption,
            "width": image.width,
            "height": image.height,
            "face": image.face_id,
            "source_px": image.source_px,
            "upscaled": image.upscaled,
        }
        for image in images
    ]
