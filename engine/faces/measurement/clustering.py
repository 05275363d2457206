"""Which faces are one person's, when nobody has named them.

Chinese Whispers (C. Biemann, 2006, https://dl.acm.org/doi/10.5555/1654758.1654774), which dlib's authors use for faces,
too: every face begins as a group of its own, and again and again joins the group that its near neighbours favour. A
chain of faces of which each resembles the next does not become one person, as it would by joining all that touch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

MOST_NEIGHBOURS = 64
"""Neighbours of a face that are listened to, nearest first: what bounds the memory."""

ROUNDS = 50
"""Rounds after which it ends where faces still change groups."""

JOINED = 2 / 3
"""How near the middles of two groups of one person lie, as a share of the distance of two faces: a face lies 0.19 to
0.33 from the middle of its own person's others, and 0.67 or more from that of somebody else."""

ROWS_AT_ONCE = 512


def group(vectors: Floats, near: float, known: Sequence[int | None] = ()) -> list[int]:
    """Puts faces into groups.

    The same faces in the same order give the same groups.

    Args:
        vectors: [n, d], unit length.
        near: the distance under which two faces may be one person.
        known: the group that each face is in already, and stays in; None: not known.

    Returns:
        The group of each face: a known one's number, or a new number that is none of those.
    """
    count = len(vectors)
    known = list(known) or [None] * count
    fresh = max((each for each in known if each is not None), default=-1) + 1
    groups = [fresh + place if label is None else label for place, label in enumerate(known)]
    neighbours = _neighbours(np.asarray(vectors, np.float32), near)
    # In an order that has nothing to do with that of the photos, always the same.
    open_ = [int(each) for each in np.random.default_rng(0).permutation(count) if known[each] is None]
    for _ in range(ROUNDS):
        changed = False
        for place in open_:
            votes: dict[int, float] = defaultdict(float)
            for other, weight in neighbours[place]:
                votes[groups[other]] += weight
            if not votes:
                continue
            favoured = max(votes, key=lambda label: (votes[label], -label))
            if favoured != groups[place]:
                groups[place], changed = favoured, True
        if not changed:
            break
    return _joined(vectors, groups, near * JOINED, fresh)


def _joined(vectors: Floats, groups: list[int], near: float, fresh: int) -> list[int]:
    """New groups whose middles lie near that of another one, joined to it: many new faces of somebody known may have
    listened to each other alone."""
    members: dict[int, list[int]] = defaultdict(list)
    for place, label in enumerate(groups):
        members[label].append(place)
    # Known ones first, then the largest: a group joins one before it.
    order = sorted(members, key=lambda label: (label >= fresh, -len(members[label]), label))
    kept: list[int] = []
    middles = np.zeros((len(order), vectors.shape[1] if len(order) else 0), np.float32)
    result = list(groups)
    for label in order:
        middle = vectors[members[label]].mean(axis=0)
        middle = middle / max(float(np.linalg.norm(middle)), 1e-9)
        if label >= fresh and kept:
            distances = np.linalg.norm(middles[: len(kept)] - middle, axis=1)
            best = int(distances.argmin())
            if distances[best] < near:
                for place in members[label]:
                    result[place] = kept[best]
                continue
        middles[len(kept)] = middle
        kept.append(label)
    return result


def _neighbours(vectors: Floats, near: float) -> list[list[tuple[int, float]]]:
    """For each face those nearer than ``near``, the nearest ones, each with a weight from 0 (just as near) to 1."""
    found: list[list[tuple[int, float]]] = []
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        rows = vectors[start : start + ROWS_AT_ONCE]
        distances = np.sqrt(np.maximum(2 - 2 * rows @ vectors.T, 0))
        for row, line in enumerate(distances):
            line[start + row] = np.inf
            places = np.flatnonzero(line < near)
            nearest = places[np.argsort(line[places], kind="stable")][:MOST_NEIGHBOURS]
            found.append([(int(each), 1 - float(line[each]) / near) for each in nearest])
    return found
