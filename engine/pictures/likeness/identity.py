"""What tells people apart, whatever it knows: photographs, or the demo's drawings. No torch.

Both answer one question about a picture: where in a space of faces does its face lie, or why can't that be said?
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.errors import PictureError
from engine.faces.photo.geometry import Box
from engine.pictures.likeness.scores import IDENTITIES

Vectors = NDArray[np.float32]

PLAINLY_LARGEST = 0.6
"""Of several faces the largest is the portrait's where every other is below this share of its height."""


class Unscorable(StrEnum):
    """Why nothing can be said about who a picture shows."""

    NO_FACE = "no face"
    SEVERAL = "several faces"
    TINY = "tiny face"
    BLURRED = "blurred face"
    TURNED = "turned face"


@dataclass(frozen=True)
class Looked:
    """What was seen of a picture's face."""

    vector: Vectors | None
    """[d], unit length; None: not scorable."""
    problem: Unscorable | None = None
    box: Box | None = None
    """Where the face is; known of a face that can't be scored, too."""


@dataclass(frozen=True)
class General:
    """What is known of people in general, for where a person's own library does not tell. Distances, 0 to 2."""

    typical: float
    """From a real picture to the middle of the person's others."""
    other: float
    """From which on two are different people."""


class Identity(Protocol):
    """Tells people apart."""

    name: str
    general: General

    def find(self, picture: Image.Image) -> tuple[tuple[Box, float], ...]:
        """Every face on a picture, and its score from 0 to 1."""

    def look(self, picture: Image.Image, box: Box | None = None) -> Looked:
        """Whose face an upright picture shows.

        Args:
            picture: any size and mode.
            box: where the face is, if that is known; of several faces it is then clear which is meant.
        """


def load_identity(name: str) -> Identity:
    """What compares, by its name in ``IDENTITIES``. Raises PictureError for an unknown name."""
    if name not in IDENTITIES:
        raise PictureError(f"there is no identity model called {name}", f"there is: {', '.join(IDENTITIES)}")
    module, found = IDENTITIES[name].split(":")
    return cast(Identity, getattr(importlib.import_module(module), found).load())


def unit(vector: NDArray[np.floating]) -> Vectors:
    """A vector [d] brought to length 1."""
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9), np.float32)


def plainly_largest(heights: list[float]) -> bool:
    """Whether the first of some faces, the largest, is the one that a portrait is of."""
    return all(each < PLAINLY_LARGEST * heights[0] for each in heights[1:])
