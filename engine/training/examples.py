"""The training images and their captions: what the dataset folder holds, every image with a caption. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.dataset.folder import DatasetFolder
from engine.errors import DatasetError
from engine.project import Project


@dataclass(frozen=True)
class Example:
    """One training image and what its caption says."""

    image: Path
    caption: str


def read_examples(project: Project) -> list[Example]:
    """The project's training images in the order of their names, each with its caption.

    How often each is seen comes from the settings (``training.repeats``), not from the folder's name.

    Raises:
        DatasetError: no images, an unreadable one, or one without a caption.
    """
    images = DatasetFolder(project).images()
    if not images:
        raise DatasetError("there are no training images", "make them with: limner dataset build")
    if bare := [each.path.name for each in images if not each.caption]:
        more = f" and {len(bare) - 1} more" if len(bare) > 1 else ""
        raise DatasetError(f"{bare[0]}{more} has no caption", "write captions with: limner caption")
    return [Example(each.path, each.caption) for each in images]
