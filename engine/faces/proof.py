"""Whether a face is where its library says, by our own detector: libraries measure boxes on copies, and copies are
edited. Job processes only."""

from __future__ import annotations

from pathlib import Path

from engine.faces.detection.box_matching import find_in_box
from engine.faces.detection.detector import SURE, Detector
from engine.faces.photo.geometry import Box
from engine.faces.photo.loading import BrokenImage, open_upright
from engine.library.faces import LibraryFace

LONGEST = 2048
"""Pixels of the longer side that a photo is decoded with at least."""


SAME = 0.5
"""How much of what both cover a library's box and ours have to share: another face may lie near the box, which a crop
cut away."""


class BoxProof:
    """Looks at photos whose boxes are in doubt; the detector is loaded with the first of them."""

    def __init__(self) -> None:
        self._detector: Detector | None = None

    def box_of(self, row: LibraryFace, path: Path) -> Box | None:
        """Where a face is on its photo: in the box, where ours is much the same; or, where photo and library both have
        one face, wherever that is. None: nothing says where.

        Args:
            row: the face as the library has it.
            path: its photo.
        """
        self._detector = self._detector or Detector.load()
        try:
            picture = open_upright(path, LONGEST)
        except BrokenImage:
            return None
        detected = self._detector.find(picture)
        box = Box(*row.box).clamped()
        found = find_in_box(self._detector, picture, box, detected) if box.w > 0 and box.h > 0 else None
        if found and found.box.overlap(box) >= SAME:
            return Box(*row.box)
        sure = [face for face in detected if face.score >= SURE]
        return sure[0].box if len(sure) == 1 and not row.neighbours else None
