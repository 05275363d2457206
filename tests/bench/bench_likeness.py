"""Likeness on real photographs: how far apart the same and different people lie, and how long a look takes.

The same person: scikit-image's portrait of the astronaut Eileen Collins (NASA, public domain) as phones and messengers
pass it on. Another: Grace Hopper (U.S. Navy, public domain), which textual-image brings. Many: the faces of
scikit-image's extract of Labeled Faces in the Wild, 25 × 25 pixels each, enlarged: what they are too small for is
said, not scored, so their distances are measured past that.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import numpy as np

from engine.pictures.likeness.photographs import Photographs
from engine.pictures.likeness.scale import IdentityScale
from tests.bench.result import Result
from tests.support.real_faces import far_apart, hopper, small_faces, variants


def results() -> Iterator[Result]:
    """The figures."""
    people = Photographs.load()
    began = time.perf_counter()
    looks = {name: people.look(picture) for name, picture in variants().items()}
    seconds = (time.perf_counter() - began) / len(looks)
    vectors = np.stack([each.vector for each in looks.values() if each.vector is not None])
    same = far_apart(vectors, vectors)
    other = people.look(hopper()).vector
    assert other is not None
    crowd = small_faces()
    yield Result("likeness: variants of one portrait that can be scored", len(vectors), f"of {len(looks)}")
    yield Result("likeness: the same person, median distance", statistics.median(same), "0 to 2")
    yield Result("likeness: the same person, largest distance", max(same), "0 to 2")
    yield Result("likeness: Grace Hopper, nearest distance", min(far_apart(vectors, other[None])), "0 to 2")
    yield Result("likeness: small faces of others, nearest distance", min(far_apart(vectors, crowd)), "0 to 2")
    yield Result("likeness: small faces of others, median distance", statistics.median(far_apart(vectors, crowd)), "")
    scale = IdentityScale(vectors, {"Grace Hopper": other[None]}, people.general)
    left_out = [IdentityScale(np.delete(vectors, at, 0), {"x": other[None]}, people.general).likeness(each)
                for at, each in enumerate(vectors)]  # fmt: skip
    yield Result("likeness: one of the variants, by the others", statistics.median(left_out), "of 100")
    yield Result("likeness: the least of them", min(left_out), "of 100")
    yield Result("likeness: small faces of others", statistics.median(map(scale.likeness, crowd)), "of 100")
    yield Result("likeness: a look at a photo", seconds * 1000, "ms")
