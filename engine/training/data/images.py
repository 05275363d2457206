"""Bringing a training image to its bucket's size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from engine.dataset.files.file_roles import mask_of_image
from engine.errors import DatasetError
from engine.faces.photo.geometry import Box
from engine.faces.photo.loading import open_header, upright_srgb
from engine.models.placement import Placement
from engine.training.data.buckets import Size


@dataclass(frozen=True)
class Fitted:
    """An image in its bucket's size."""

    picture: Image.Image
    """RGB"""
    alpha: Image.Image | None
    """Its alpha channel, L, where it has one that hides something; else the mask that lies beside it."""
    placement: Placement
    """How it came to that size: some families tell their denoiser."""
    cut: tuple[float, float, float, float]
    """What of the upright image is seen: left, top, right, bottom in fractions of it."""

    def inside(self, box: Box) -> Box:
        """A box of the whole image in fractions of what is seen; it may reach beyond."""
        left, top, right, bottom = self.cut
        width, height = right - left, bottom - top
        return Box((box.x - left) / width, (box.y - top) / height, box.w / width, box.h / height)


def _mask_beside(path: Path, size: Size) -> Image.Image | None:
    """The mask that lies beside an image, L, brought to the image's size; None where there is none."""
    mask = mask_of_image(path)
    if mask is None:
        return None
    with open_header(mask) as opened:
        return upright_srgb(opened).convert("L").resize(size, Image.Resampling.BOX)


def fit(path: Path, size: Size) -> Fitted:
    """Scales an image until it covers its bucket, and cuts what is over evenly from both ends.

    The original size is told only where it is smaller than the target: pictures that were scaled up look so, and the
    model is to know why.

    Raises:
        DatasetError: the image can't be read.
    """
    try:
        with open_header(path) as opened:
            upright = upright_srgb(opened)
            alpha = upright.getchannel("A") if upright.mode == "RGBA" else _mask_beside(path, upright.size)
            picture = upright.convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise DatasetError(f"the training image {path} can't be read", "take it out or build it again") from error
    width, height = size
    scale = max(width / picture.width, height / picture.height)
    left, top = (picture.width - width / scale) / 2, (picture.height - height / scale) / 2
    box = (max(0.0, left), max(0.0, top), picture.width - max(0.0, left), picture.height - max(0.0, top))
    seen_height, seen_width = (round(height / scale), round(width / scale)) if scale > 1 else (height, width)
    return Fitted(
        picture.resize(size, Image.Resampling.LANCZOS, box),
        alpha.resize(size, Image.Resampling.BOX, box) if alpha and alpha.getextrema()[0] != 255 else None,
        Placement((seen_height, seen_width), (round(box[1] * scale), round(box[0] * scale)), (height, width)),
        (box[0] / picture.width, box[1] / picture.height, box[2] / picture.width, box[3] / picture.height),
    )
