"""Where the loss counts: the face, or what an image's alpha channel leaves. Needs torch."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageDraw

from engine.faces.photo.geometry import Box
from engine.training.data.images import Fitted

GROWN = (1.5, 1.8)
"""A detector's box holds the face from chin to brow; so much wider and higher, hair and neck are in the ellipse."""

FINE = 8
"""The ellipse is drawn so many times finer than the latent, so that its rim is soft."""


def mask_of(fitted: Fitted, face: Box | None, size: tuple[int, int], outside: float) -> torch.Tensor:
    """How much each place of a latent counts.

    Args:
        fitted: the image as it is trained on.
        face: where the face is, in fractions of the whole image.
        size: the latent's height and width.
        outside: what counts outside of the mask, where inside is 1.

    Returns:
        [1, h, w], from ``outside`` to 1; all 1 where neither an alpha channel nor a face says where to look.
    """
    height, width = size
    if fitted.alpha is not None:
        inside = fitted.alpha.resize((width, height), Image.Resampling.BOX)
    elif face is not None:
        inside = _ellipse(fitted.inside(face), width, height)
    else:
        return torch.ones(1, height, width)
    values = torch.from_numpy(np.array(inside, dtype=np.float32) / 255)
    return (outside + (1 - outside) * values)[None]


def _ellipse(face: Box, width: int, height: int) -> Image.Image:
    drawn = Image.new("L", (width * FINE, height * FINE), 0)
    x, y = (face.x + face.w / 2) * drawn.width, (face.y + face.h / 2) * drawn.height
    across, down = face.w * drawn.width * GROWN[0] / 2, face.h * drawn.height * GROWN[1] / 2
    ImageDraw.Draw(drawn).ellipse((x - across, y - down, x + across, y + down), fill=255)
    return drawn.resize((width, height), Image.Resampling.BOX)
