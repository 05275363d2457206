"""What our own detector sees of a face whose box somebody else drew. Job processes only."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from engine.faces.detection.detector import SURE, DetectedFace, Detector
from engine.faces.detection.pose import Points
from engine.faces.photo.geometry import Box, Framing, crop_square

CLOSER = 320
"""Pixels a side at which the surroundings of a box are looked at again where the whole photo, looked at small, showed
no face there: in a close crop a face has some 130 of them."""


def find_in_box(
    detector: Detector, picture: Image.Image, box: Box, detected: Sequence[DetectedFace]
) -> DetectedFace | None:
    """The detected face that a box is around; looked for once more, close up, where there is none.

    Args:
        detector: who looks again.
        picture: the upright RGB photo.
        box: in fractions of it.
        detected: the faces that were detected on the whole of it.

    Returns:
        In fractions of the whole photo; None where no face is seen in the box.
    """
    box = box.clamped()
    if found := _best(box, detected):
        return found
    try:
        square = crop_square(box, picture.width, picture.height, Framing.CLOSE)
    except ValueError:
        return None
    side = min(CLOSER, square.side)
    part = picture.resize((side, side), Image.Resampling.BILINEAR, box=square.corners, reducing_gap=2.0)
    across, down = square.side / picture.width, square.side / picture.height
    left, top = square.left / picture.width, square.top / picture.height

    def whole(face: DetectedFace) -> DetectedFace:
        inner = face.box
        outer = Box(left + inner.x * across, top + inner.y * down, inner.w * across, inner.h * down)
        points = Points.of([(left + x * across, top + y * down) for x, y in face.points.each])
        return DetectedFace(outer, face.score, points)

    return _best(box, [whole(face) for face in detector.find(part)])


def others_of(box: Box, detected: Sequence[DetectedFace]) -> tuple[Box, ...]:
    """The faces, surely faces, that were detected beside the one of a box."""
    own = _best(box.clamped(), detected)
    return tuple(face.box for face in detected if face is not own and face.score >= SURE)


def _best(box: Box, faces: Sequence[DetectedFace]) -> DetectedFace | None:
    """Of the faces that the box may be around the one with the best score."""
    fitting = [face for face in faces if box.same_face(face.box)]
    return max(fitting, key=lambda face: (face.score, -face.box.x), default=None)
