"""What is known of a face beyond its box: measured on its pixels, told by the library, found by comparing.

None always means "not measured": nothing is ever guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.faces.photo.geometry import Box

BLURRED = 12.0
SOFT = 40.0
"""Sharpness below which a face is blurred, and soft: the variance of the Laplacian of the face at 256 × 256."""

DARK = 60.0
BRIGHT = 200.0
"""Mean luma (0 to 255) of a face between which it is well lit."""

CLIPPED = 0.05
"""The share of a face's pixels that may be burnt out, or crushed to black."""

FLAT = 20.0
"""Standard deviation of luma under which a face has too little contrast."""

SCORABLE_PX = 64
"""Pixels of a face under which nothing can be said about who it is."""

TURNED = 30.0
PROFILE = 50.0
"""Degrees of yaw (``engine.faces.detection.pose.yaw_of``) from which a face is seen in three-quarter view, and in
profile: the nose stands off the middle of the eyes by a quarter, and by half, of their distance."""


class Light(StrEnum):
    """How a face is lit."""

    GOOD = "good"
    DARK = "dark"
    BRIGHT = "bright"
    FLAT = "flat"


class View(StrEnum):
    """How far a face is turned away."""

    FRONT = "front"
    TURNED = "three-quarter"
    PROFILE = "profile"


@dataclass(frozen=True)
class FaceQuality:
    """Measured on the pixels of one face."""

    sharp: float
    """Variance of the Laplacian on the face brought to 256 × 256 pixels; ``BLURRED`` and ``SOFT`` say what it means."""
    light: float
    """Mean luma of the face, 0 to 255."""
    contrast: float
    """Standard deviation of the luma."""
    clipped: float
    """Share of pixels at 250 or more."""
    crushed: float
    """Share of pixels at 5 or less."""
    photo_hash: int
    """dHash of the whole photo, 256 bits."""
    face_hash: int
    """dHash of the face and a little around it, 64 bits."""
    yaw: float | None = None
    """Degrees to the side, signed, positive towards the picture's right; None: no face was detected in the box, so that
    it could not be measured."""
    photo_hash_mirrored: int | None = None
    """dHash of the whole photo mirrored, 256 bits."""
    others: tuple[Box, ...] | None = None
    """The other faces that were detected in the photo; None: not looked for."""


@dataclass(frozen=True)
class FaceRelations:
    """Found by comparing the faces of a person with each other."""

    burst: int | None = None
    """Names the burst: the number of its first face; None: in none."""
    burst_size: int = 1
    burst_best: bool = True
    """Whether it is the best of its burst; true also where it is alone."""
    copy_of: int | None = None
    """The number of the better face that this one shows again."""
    distance: float | None = None
    """Euclidean distance (0 to 2) of its embedding from the middle of the confirmed ones."""
    wrong: bool | None = None
    """Whether it lies too far away to be the person; never of a face that a person confirmed."""
    space: str | None = None
    """Names the space that the distance was measured in."""
    mirrored: bool = False
    """Whether it shows the better face mirrored, where it is a copy."""


@dataclass(frozen=True)
class Measures:
    """All that is known of a face beyond its box."""

    quality: FaceQuality | None = None
    neighbours: tuple[Box, ...] | None = None
    """The other faces in its photo, told by the library or detected."""
    relations: FaceRelations | None = None

    @property
    def sharp(self) -> float | None:
        """Sharpness on the face."""
        return self.quality.sharp if self.quality else None

    @property
    def blurred(self) -> bool | None:
        """Whether too little detail is left to learn a face from."""
        return None if self.quality is None else self.quality.sharp < BLURRED

    @property
    def light(self) -> Light | None:
        """How the face is lit."""
        quality = self.quality
        if quality is None:
            return None
        if quality.light < DARK or quality.crushed > CLIPPED * 4:
            return Light.DARK
        if quality.light > BRIGHT or quality.clipped > CLIPPED * 4:
            return Light.BRIGHT
        return Light.FLAT if quality.contrast < FLAT else Light.GOOD

    @property
    def view(self) -> View | None:
        """How far the face is turned."""
        if self.quality is None or self.quality.yaw is None:
            return None
        yaw = abs(self.quality.yaw)
        return View.PROFILE if yaw >= PROFILE else View.TURNED if yaw >= TURNED else View.FRONT


NOT_MEASURED = Measures()
