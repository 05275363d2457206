"""A scale for one person's likeness: from their own photos at 100 to the nearest other person at 0. No torch.

The likeness of a picture is

    100 · (other − d) / (other − typical), not below 0 and not above 100

where d is the distance of its face from the middle of the person's photos (Euclidean, between unit vectors: 0 to 2).
The middle is a trimmed mean: the tenth of the photos that lies farthest off does not count. ``typical`` is the median
distance of one of their photos from the middle of the others (leave one out), so a picture at 100 is as like them as
their photos are. ``other`` is the distance of the nearest other person of the library: for each the median over their
faces. An absolute threshold would not do: embeddings lie closer for some people than for others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.pictures.likeness.identity import General, Vectors, unit

TRIMMED = 0.1
"""The share of a person's photos that is left out of their middle, those farthest off."""

FEWEST = 3
"""Photos of a person from which their own spread is known."""


NEAR_COPY = 0.8
"""Nearer to one photo than this share of what usually lies between a photo and the next is too near. Usually: the
median, so that a burst among the photos does not hide copies. With 12 drawn photos it told 8 of 12 enlarged and
brightened copies and none of 60 new drawings; 1 would tell 11, and 3 of the new ones."""


@dataclass(frozen=True)
class Scale:
    """What a person's likeness is measured on. All distances are 0 to 2."""

    typical: float
    """The distance that is likeness 100."""
    spread: float
    """Between the first and the third quartile of the photos' distances."""
    other: float
    """The distance that is likeness 0."""
    other_name: str | None
    """Who that is; None: nobody, ``other`` is what holds for people in general."""
    photos: int
    """How many of the person's photos could be used."""
    own: bool
    """Whether ``typical`` was measured on them; else it holds for people in general."""

    def likeness(self, distance: float) -> float:
        """0 to 100."""
        return float(np.clip(100 * (self.other - distance) / (self.other - self.typical), 0, 100))


class IdentityScale:
    """Everybody's real faces.

    Args:
        real: unit vectors [n, d] of the person's photos, n at least 1.
        others: for each other person theirs.
        general: what holds for people in general.
    """

    def __init__(self, real: Vectors, others: Mapping[str, Vectors], general: General) -> None:
        self.middle = trimmed_middle(real)
        self._real = real
        known = {name: faces for name, faces in others.items() if len(faces)}
        own = len(real) >= FEWEST
        distances = _left_out(real) if own else np.zeros(0)
        typical = float(np.median(distances)) if own else general.typical
        spread = float(np.subtract(*np.quantile(distances, (0.75, 0.25)))) if own else 0.0
        to_others = {name: float(np.median(_distances(faces, self.middle))) for name, faces in known.items()}
        self.doubles = sorted(name for name, distance in to_others.items() if distance <= typical + spread)
        """Others who lie as near as the person's own photos: the same person under another name, most likely."""
        self.others = {name: trimmed_middle(faces) for name, faces in known.items() if name not in self.doubles}
        nearest = min(self.others, key=lambda name: to_others[name], default=None)
        other = to_others[nearest] if nearest else max(general.other, typical + general.other - general.typical)
        self.scale = Scale(typical, spread, other, nearest, len(real), own)
        # With fewer photos nothing can be told.
        self._too_near = NEAR_COPY * float(np.median(_to_nearest(real))) if own else 0.0

    def cosine(self, vector: Vectors) -> float:
        """A face's product with the middle: 1 is the person."""
        return float(vector @ self.middle)

    def likeness(self, vector: Vectors) -> float:
        """0 to 100."""
        return self.scale.likeness(_distance(vector, self.middle))

    def nearest(self, vector: Vectors) -> str | None:
        """Whom of all people a face is nearest to; the empty name is the person. None: nobody else is known."""
        if not self.others:
            return None
        everybody = {"": self.middle, **self.others}
        return max(everybody, key=lambda name: float(everybody[name] @ vector))

    def nearest_other(self, vectors: Vectors) -> tuple[str | None, float | None]:
        """The other person whom faces [n, d] are most like in the median, and that product."""
        if not self.others or not len(vectors):
            return None, None
        medians = {name: float(np.median(vectors @ middle)) for name, middle in self.others.items()}
        best = max(medians, key=lambda name: medians[name])
        return best, medians[best]

    def real_cosine(self) -> float:
        """The median product of each photo with the middle of all the others."""
        return float(np.median(1 - _left_out(self._real) ** 2 / 2)) if len(self._real) > 1 else 1.0

    def too_near(self, vector: Vectors) -> tuple[int, ...]:
        """Which photos a face lies nearer to than a photo usually lies to the next."""
        return tuple(int(each) for each in np.flatnonzero(_distances(self._real, vector) < self._too_near))


def trimmed_middle(vectors: Vectors) -> Vectors:
    """The middle [d] of vectors [n, d], the farthest tenth left out."""
    left_out = int(len(vectors) * TRIMMED)
    if left_out:
        distances = _distances(vectors, unit(vectors.mean(axis=0)))
        vectors = vectors[np.argsort(distances, kind="stable")[:-left_out]]
    return unit(vectors.mean(axis=0))


def _left_out(vectors: Vectors) -> np.ndarray[Any, Any]:
    """The distance of each from the middle of the others."""
    without = (np.delete(vectors, at, axis=0) for at in range(len(vectors)))
    return np.array([_distance(each, trimmed_middle(rest)) for each, rest in zip(vectors, without, strict=True)])


def _to_nearest(vectors: Vectors) -> np.ndarray[Any, Any]:
    """The distance of each to the nearest of the others."""
    apart = np.sqrt(np.maximum(2 - 2 * vectors @ vectors.T, 0))
    np.fill_diagonal(apart, np.inf)
    return np.asarray(apart.min(axis=1))


def _distances(vectors: Vectors, middle: Vectors) -> Vectors:
    return np.asarray(np.linalg.norm(vectors - middle, axis=1))


def _distance(one: Vectors, other: Vectors) -> float:
    return float(np.linalg.norm(one - other))
