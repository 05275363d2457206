"""Photographs of real people that installed packages bring, all free to use, and what messengers make of them."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path

import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from engine.faces.detection.embedding import CHIP, Identity
from tests.support.astronaut import astronaut

Vectors = NDArray[np.float32]


def variants() -> dict[str, Image.Image]:
    """One person, as cameras, phones and messengers pass her portrait on."""
    plain = astronaut()
    return {
        "as it is": plain,
        "JPEG 40": _jpeg(plain, 40),
        "JPEG 15": _jpeg(plain, 15),
        "half as large, and back": plain.resize((400, 400)).resize((512, 512), Image.Resampling.BICUBIC),
        "twice as large": plain.resize((1024, 1024), Image.Resampling.BICUBIC),
        "brighter": ImageEnhance.Brightness(plain).enhance(1.3),
        "darker": ImageEnhance.Brightness(plain).enhance(0.65),
        "flat": ImageEnhance.Contrast(plain).enhance(0.7),
        "grey": plain.convert("L").convert("RGB"),
        "a little soft": plain.filter(ImageFilter.GaussianBlur(0.6)),
        "tilted": plain.rotate(12, Image.Resampling.BICUBIC),
        "mirrored": plain.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        "closer": plain.crop((110, 10, 350, 250)),
    }


def hopper() -> Image.Image:
    """Grace Hopper; the package is not imported, since it asks the terminal when it is."""
    found = importlib.util.find_spec("textual_image")
    assert found is not None
    assert found.origin is not None
    with Image.open(Path(found.origin).with_name("gracehopper.jpg")) as image:
        return image.convert("RGB")


def small_faces(count: int = 100) -> Vectors:
    """Other people's faces [count, 128], of 25 × 25 grey pixels each, enlarged to what the network looks at."""
    identity = Identity.load()
    faces = np.clip(skimage.data.lfw_subset()[:count] * 255, 0, 255).astype(np.uint8)
    enlarged = [Image.fromarray(face).resize((CHIP, CHIP), Image.Resampling.BICUBIC).convert("RGB") for face in faces]
    return np.stack([identity.embed_chip(np.ascontiguousarray(each)) for each in enlarged])


def far_apart(some: Vectors, others: Vectors) -> list[float]:
    """The distances of each to each, a face to itself left out."""
    apart = np.linalg.norm(some[:, None] - others[None], axis=2)
    return [float(each) for each in apart.reshape(-1) if each > 0]


def _jpeg(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")
