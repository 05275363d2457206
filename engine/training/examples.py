"""The training images and their captions, read from a dataset folder in kohya's layout. No torch, no pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.errors import DatasetError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
"""What is taken for an image."""


@dataclass(frozen=True)
class Example:
    """One training image and what its caption says."""

    image: Path
    caption: str


def read_examples(dataset: Path) -> list[Example]:
    """The images of ``dataset/10_jx265 man/`` and the like, in the order of their names, each with its caption.

    How often each is seen comes from the settings (``training.repeats``), not from the folder's name.

    Raises:
        DatasetError: no images, or one without a caption.
    """
    images = sorted(each for each in dataset.glob("*/*") if each.suffix.lower() in IMAGE_SUFFIXES)
    if not images:
        raise DatasetError(f"there are no training images in {dataset}", "make them with: limner dataset build")
    return [Example(image, _caption(image)) for image in images]


def _caption(image: Path) -> str:
    try:
        caption = image.with_suffix(".txt").read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{image.name} has no readable caption", "write captions with: limner caption") from error
    if not caption:
        raise DatasetError(f"the caption of {image.name} is empty", "write captions with: limner caption")
    return " ".join(caption.split())
