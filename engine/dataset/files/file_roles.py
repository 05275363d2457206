"""Which files of a folder of training images are what: images, masks, captions, and what nobody uses, with the reason.

The formats are sd-scripts' (``library/train_util.py``, ``IMAGE_EXTENSIONS``); a mask beside an image is OneTrainer's
``NAME-masklabel.png``, white where the loss counts.
"""

from __future__ import annotations

from pathlib import Path

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".avif")
"""What images are called."""

CAPTIONS = (".txt", ".caption")
"""What captions are called, the one first that is read where both are there: kohya's trainers look for either."""

MASK = "-masklabel"
"""What the name of a mask ends in."""

_OURS = {"manifest.json"}


def images_of(folder: Path) -> list[Path]:
    """The images of a folder by name, unopened; masks of others and hidden files are none."""
    return [each for each in sorted(folder.iterdir()) if _is_image(each) and not is_mask(each)]


def is_mask(path: Path) -> bool:
    """Whether a file is the mask of an image beside it."""
    stem = path.stem.removesuffix(MASK)
    return stem != path.stem and any(path.with_name(stem + suffix).is_file() for suffix in SUFFIXES)


def mask_of_image(image: Path) -> Path | None:
    """The mask that lies beside an image; None where there is none."""
    mask = image.with_name(f"{image.stem}{MASK}.png")
    return mask if mask.is_file() else None


def caption_path(image: Path) -> Path:
    """Where the caption of an image stands, or will: beside it, ``.txt`` unless there is a ``.caption`` alone."""
    first, second = (image.with_suffix(suffix) for suffix in CAPTIONS)
    return second if second.is_file() and not first.exists() else first


def unused_in(folder: Path) -> list[tuple[str, str]]:
    """What lies in a folder of training images and is not used: each file's name and why. Hidden files are nobody's."""
    if not folder.is_dir():
        return []
    images = images_of(folder)
    captions = {caption_path(image) for image in images}
    stems = {image.stem for image in images}
    found: list[tuple[str, str]] = []
    for each in sorted(folder.iterdir()):
        if each.name[0] == "." or each in captions or each in images or is_mask(each) or each.name in _OURS:
            continue
        if each.is_dir():
            found.append((f"{each.name}/", "a folder inside"))
        elif each.suffix.lower() in CAPTIONS:
            why = f"{each.stem}{CAPTIONS[0]} is read" if each.stem in stems else "no image of that name"
            found.append((each.name, why))
        else:
            found.append((each.name, "not a format that trainers read"))
    return found


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.name[0] != "." and path.is_file()
