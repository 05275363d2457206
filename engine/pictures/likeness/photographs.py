"""Who is on a photograph: dlib's embedding of the face that MTCNN found. Job processes only."""

from __future__ import annotations

from PIL import Image

from engine.faces.detection.box_matching import find_in_box
from engine.faces.detection.detector import SURE, DetectedFace, Detector
from engine.faces.detection.embedding import SAME
from engine.faces.detection.embedding import Identity as Embedder
from engine.faces.detection.pose import yaw_of
from engine.faces.measurement.quality import look as measure
from engine.faces.photo.geometry import Box
from engine.faces.records.measurements import BLURRED, PROFILE, SCORABLE_PX
from engine.pictures.likeness.identity import General, Looked, Unscorable, plainly_largest


class Photographs:
    """Tells people on photographs apart, and on pictures painted like photographs."""

    name = "photographs"
    general = General(typical=0.3, other=SAME)
    """Of one person's pictures each lay 0.19 to 0.33 from the middle of them all (measured on six); ``SAME`` is what
    the network's authors measured."""

    def __init__(self, detector: Detector, embedder: Embedder) -> None:
        self._detector, self._embedder = detector, embedder

    @classmethod
    def load(cls) -> Photographs:
        """Loads the networks: 34 MB, a few tenths of a second. Raises FaceError where their packages are missing."""
        return cls(Detector.load(), Embedder.load())

    def find(self, picture: Image.Image) -> tuple[tuple[Box, float], ...]:
        """See ``Identity.find``."""
        return tuple((each.box, each.score) for each in self._detector.find(picture.convert("RGB")))

    def look(self, picture: Image.Image, box: Box | None = None) -> Looked:
        """See ``Identity.look``."""
        picture = picture.convert("RGB")
        detected = self._detector.find(picture)
        if box is not None:
            face = find_in_box(self._detector, picture, box, detected)
        else:
            sure = [each for each in detected if each.score >= SURE]
            if sure and not plainly_largest([each.box.h for each in sure]):
                return Looked(None, Unscorable.SEVERAL, sure[0].box)
            face = sure[0] if sure else None
        if face is None:
            return Looked(None, Unscorable.NO_FACE)
        problem = _problem(picture, face)
        return Looked(None if problem else self._embedder.embed(picture, face), problem, face.box)


def _problem(picture: Image.Image, face: DetectedFace) -> Unscorable | None:
    """Why a face can't be compared: each of these moves its embedding by more than two people may lie apart."""
    if min(face.box.w * picture.width * 1.25, face.box.h * picture.height) < SCORABLE_PX:
        return Unscorable.TINY
    yaw = yaw_of(face.points.scaled(picture.width, picture.height))
    if yaw is None or abs(yaw) >= PROFILE:
        return Unscorable.TURNED
    if measure(picture, face.box, 0).sharp < BLURRED:
        return Unscorable.BLURRED
    return None
