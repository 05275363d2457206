"""Cropping faces out of 12-megapixel JPEGs, against one ImageMagick process a photo, on the same cores."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

from engine.faces.crop import crop_of, cut
from engine.faces.photo.geometry import Box, Framing
from engine.faces.records.found_face import FoundFace
from tests.bench.result import Result

PHOTOS = 24
SIZE = (4000, 3000)
QUALITY = 92


def results() -> Iterator[Result]:
    """Photos a second: ours, ImageMagick's, and bare decoding, which is the limit."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        faces = [_photo(folder, number) for number in range(PHOTOS)]
        ours = _pace(lambda: _ours(faces, folder))
        decoding = _pace(lambda: _decoded(faces))
        program = _imagemagick()
        theirs = _pace(lambda: _theirs(program, faces, folder)) if program else None
    yield Result(
        "crops of 12-megapixel JPEGs",
        ours,
        "photos/s",
        f"ImageMagick's convert -crop a photo: {theirs:.1f}/s" if theirs else "ImageMagick's convert -crop",
        ours / theirs if theirs else None,
        "" if theirs else "ImageMagick is not installed: apt-get install imagemagick",
    )
    yield Result(
        "crops: share of the limit", ours / decoding, "of bare decoding", f"decoding whole photos: {decoding:.1f}/s"
    )


def _imagemagick() -> str | None:
    """The first program on the path that says it is ImageMagick: others carry that name, too."""
    for name in ("magick", "convert"):
        for folder in os.get_exec_path():
            program = shutil.which(name, path=folder)
            if program is None:
                continue
            said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stdout
            if said.startswith("Version: ImageMagick"):
                return program
    return None


def _photo(folder: Path, number: int) -> FoundFace:
    """A photo with the detail and the noise of a camera's; a third of them turned by EXIF."""
    chance = np.random.default_rng(number)
    picture = Image.fromarray(skimage.data.astronaut()).resize(SIZE, Image.Resampling.BICUBIC)
    pixels = np.asarray(picture, np.float32) + chance.normal(0, 5, (SIZE[1], SIZE[0], 1))
    stored = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    exif = Image.Exif()
    if number % 3 == 0:
        exif[274] = 6
        stored = stored.transpose(Image.Transpose.ROTATE_90)
    path = folder / f"photo{number}.jpg"
    stored.save(path, quality=QUALITY, exif=exif)
    box = Box(
        0.25 + 0.02 * (number % 8), 0.06 + 0.05 * (number % 8), 0.09 + 0.008 * (number % 9), 0.13 + 0.01 * (number % 9)
    )
    height = round(box.h * SIZE[1])
    ids = (f"m{number}", "j", "James", f"p{number}", f"f{number}", "/", path.name)
    return FoundFace(*ids, path, box, *SIZE, height, None, True)


def _ours(faces: list[FoundFace], folder: Path) -> None:
    def one(face: FoundFace) -> None:
        cut(face, Framing.CLOSE).save(folder / f"ours-{face.marker_uid}.jpg", quality=QUALITY)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, faces))


def _theirs(program: str, faces: list[FoundFace], folder: Path) -> None:
    """As a shell script does it: one process a photo, one after the other; it uses the cores as it likes."""
    for face in faces:
        crop = crop_of(face, Framing.CLOSE)
        assert crop is not None
        assert face.path is not None
        area = f"{crop.side}x{crop.side}+{crop.left}+{crop.top}"
        out = folder / f"theirs-{face.marker_uid}.jpg"
        command: list[str | Path] = [
            program,
            face.path,
            "-auto-orient",
            "-crop",
            area,
            "+repage",
            "-quality",
            str(QUALITY),
            out,
        ]
        subprocess.run(command, check=True)


def _decoded(faces: list[FoundFace]) -> None:
    def one(face: FoundFace) -> None:
        assert face.path is not None
        with Image.open(face.path) as photo:
            photo.load()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, faces))


def _pace(work: Callable[[], None]) -> float:
    """Photos a second, the better of two times."""
    taken = []
    for _ in range(2):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return PHOTOS / min(taken)
