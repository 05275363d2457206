"""What somebody changed in the dataset's folder by hand: retouched images, captions that were edited elsewhere.

The manifest and the journal know what Limner wrote. What is otherwise now is somebody's work: it stays until that
person says that it is to go.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from engine.dataset.files.caption_file import read_bytes, read_caption_file
from engine.dataset.files.manifest import Entry
from engine.errors import LimnerError
from engine.faces.photo.geometry import Crop
from engine.faces.photo.jpeg_region import open_part
from engine.faces.photo.loading import open_upright, upright_size
from engine.storage.database import Store

SIDE = 1024
"""Pixels a side of a training image: what SDXL was made for."""

SET_ASIDE = "set aside"
"""The folder beside the images that retouched ones go to when their faces are no longer kept. No trainer reads it: its
name has no number."""

SOMEBODYS = "by hand"
"""Stands for the hash of an image that Limner never wrote."""


def hash_of(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def image_is_somebodys(image: Path, entry: Entry) -> bool:
    """Whether an image is not what Limner wrote: retouched, cropped, replaced. A damaged file is nobody's work.

    Args:
        image: the file.
        entry: what the manifest says of it. Without a stamp it was being written when a build was killed. Without a
            hash an older Limner wrote it: then it is compared with what that cut.
    """
    if not entry.stamp or image_is_ours(image, entry):
        return False
    try:
        found = open_upright(image)
        return bool(entry.image_hash) or found.size != (SIDE, SIDE) or not _is_cut(found, entry)
    except LimnerError:
        return False


def image_is_ours(image: Path, entry: Entry) -> bool:
    """Whether an image is to the byte what Limner wrote; an older one's is not known to the byte."""
    try:
        return bool(entry.image_hash) and entry.image_hash == hash_of(image.read_bytes())
    except OSError:
        return False


def captions_of_limner(store: Store) -> dict[str, set[bytes]]:
    """All that Limner ever wrote beside each image, as the journal knows it."""
    found: dict[str, set[bytes]] = {}
    for row in store.rows("SELECT image, after, becomes, whole FROM caption_changes"):
        found.setdefault(row["image"], set()).add(row["becomes"] if row["whole"] else (row["after"] + "\n").encode())
    return found


def caption_is_somebodys(image: Path, entry: Entry, known: Iterable[bytes]) -> bool:
    """Whether a caption's file is neither what Limner wrote when it built nor what it wrote since."""
    data = read_bytes(image)
    if data is None or hash_of(data) == entry.caption_hash or data in known:
        return False
    file = read_caption_file(image)
    return file is not None and (file.caption != entry.template or bool(file.more))


def put_aside(image: Path) -> None:
    """Takes a retouched image out of the training images, and keeps it."""
    target = place_aside(image)
    target.parent.mkdir(exist_ok=True)
    os.replace(image, target)


def place_aside(image: Path) -> Path:
    """Where a retouched image lies while its face is not kept."""
    return image.parent.parent / SET_ASIDE / image.name


def file_stamp(path: Path) -> str:
    """Changes when a file does; empty while it can't be looked at."""
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"


def _is_cut(image: Image.Image, entry: Entry) -> bool:
    """Whether an image has the pixels that its crop gives."""
    crop, source = Crop(*entry.crop), Path(entry.source)
    if file_stamp(source) != entry.stamp:
        # Nothing can be said any more.
        return True
    square = open_part(source, upright_size(source), crop) or open_upright(source).crop(crop.corners)
    made = square.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return made.tobytes() == image.tobytes()
