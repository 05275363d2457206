"""Faces found and told apart by our own means: milliseconds a face on one core, faces a second on all; and how a
folder of 12-megapixel photos is looked through."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

from engine.faces.detection.detector import SURE, Detector
from engine.faces.detection.embedding import Identity
from engine.faces.detection.embedding_pool import Embedders
from engine.faces.folder_scan import index
from engine.project import create_project
from tests.bench.result import Result, median_seconds
from tests.support.astronaut import astronaut

MANY = 24
"""Faces that all cores share, and photos of the folder."""


def results() -> Iterator[Result]:
    """One core, all cores, a whole folder; and what dlib's older detector does on the same pictures."""
    import dlib

    detector, identity, cores = Detector.load(), Identity.load(), os.cpu_count() or 1
    large = astronaut().resize((1024, 1024))
    older, pixels = dlib.get_frontal_face_detector(), np.asarray(large)
    ours, theirs = median_seconds(lambda: detector.find(large)), median_seconds(lambda: older(pixels, 1), 3)
    yield Result(
        "faces found on a picture of 1024 px", ours * 1e3, "ms", f"dlib's HOG: {theirs * 1e3:.0f} ms", theirs / ours
    )
    face = detector.find(astronaut())[0]
    chip = identity.chip(astronaut(), face)
    one = median_seconds(lambda: identity.embed_chip(chip))
    yield Result("a face laid straight", median_seconds(lambda: identity.chip(astronaut(), face)) * 1e3, "ms")
    yield Result("a face embedded, one core", one * 1e3, "ms")
    pool = Embedders(cores)
    with ThreadPoolExecutor(cores) as threads:
        each = median_seconds(lambda: list(threads.map(lambda _: pool.embed(chip), range(MANY))), 3) / MANY
    pool.close()
    yield Result(f"faces embedded, {cores} cores", 1 / each, "faces/s", "one core", one / each)
    found = [_finds(detector, levels) for levels in skimage.data.lfw_subset()]
    yield Result("faces of 25 px found", sum(found[:100]), "of 100")
    yield Result("faces found where there are none", sum(found[100:]), "of 100")
    yield _folder()


def _finds(detector: Detector, levels: np.ndarray) -> bool:
    scene = Image.new("RGB", (200, 200), (128, 128, 128))
    scene.paste(Image.fromarray((levels * 255).astype(np.uint8)).convert("RGB").resize((120, 120)), (40, 40))
    return any(face.score > SURE for face in detector.find(scene))


def _folder() -> Result:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "photos").mkdir()
        for number in range(MANY):
            photo = Image.new("RGB", (4000, 3000), (90, 110 + number, 90))
            photo.paste(astronaut().resize((1200, 1200)), (100 * number, 600))
            photo.save(folder / f"photos/{number}.jpg", quality=92)
        project = create_project(folder / "james", trigger="jx265", class_word="woman")
        project.change({"library.url": f"folder://{folder}/photos"})
        # Once: nothing is looked at twice.
        began = time.perf_counter()
        index(project)
        seconds = time.perf_counter() - began
    return Result("a folder looked through, photos of 12 megapixels", MANY / seconds, "photos/s")
