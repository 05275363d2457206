"""Comparing a person's faces with each other: the same picture twice, bursts, and who is somebody else."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from engine.faces.photo.geometry import Box
from engine.faces.records.decisions import Face
from engine.faces.records.measurements import BLURRED, SCORABLE_PX, SOFT, FaceRelations, Light
from engine.library.faces import GROUPED_ROOTS

Floats = NDArray[np.float32]
Words = NDArray[np.uint64]

COPY_BITS = 10
"""Bits of a photo's dHash, out of 256, in which a resized or recompressed copy may differ."""

COPY_OFF = 0.2
"""How far a copy's face may lie off, and differ in size, as a share of its size: it was detected anew."""

COPY_DISTANCE = 0.4
"""How far the embeddings of a copy may lie apart."""

BURST_SECONDS = 10.0
"""Photos of one burst follow each other within this time."""

BURST_DISTANCE = 0.6
BURST_BITS = 16
"""How far two faces of a burst may lie apart: in their embeddings, or where there are none in their hashes' bits."""

MATCHED_COVERED = 0.95
"""The share of the faces matched by the library that must have its embedding, for it to be the one that is used."""

LEAST_CONFIRMED = 5
"""Confirmed faces under which nobody can be told from the person."""

SPREADS = 5.0
LEAST_MARGIN = 0.2
"""How far beyond the confirmed faces' usual distance another person begins: in robust standard deviations (1.4826
times the median absolute deviation), and at least."""

ROWS_AT_ONCE = 512


def compare(faces: Sequence[Face], embeddings: Mapping[str, tuple[str, bytes]]) -> dict[str, FaceRelations]:
    """Finds copies, bursts and wrong persons among the faces of one person.

    Args:
        faces: all of them, with what was measured on their pixels.
        embeddings: space and unit vector (float16) by marker, for those that have one.

    Returns:
        What was found, by marker, for every face that was measured.
    """
    looked = [face for face in faces if face.measures.quality is not None]
    space, vectors = best_space(looked, embeddings), one_space(looked, embeddings)
    copies, bursts = find_copies(looked, vectors), find_bursts(looked, vectors)
    distances, limit = distances_from_person(looked, vectors)
    found: dict[str, FaceRelations] = {}
    for face in looked:
        burst = bursts.get(face.id)
        distance = distances.get(face.id)
        copy = copies.get(face.id)
        found[face.marker_uid] = FaceRelations(
            burst=burst[0].id if burst else None,
            burst_size=len(burst) if burst else 1,
            burst_best=burst is None or max(burst, key=quality_key).id == face.id,
            copy_of=copy.better if copy else None,
            distance=round(distance, 4) if distance is not None else None,
            wrong=_is_wrong(face, distance, limit),
            space=space if distance is not None else None,
            mirrored=copy is not None and copy.mirrored,
        )
    return found


def quality_key(face: Face) -> tuple[float, ...]:
    """What makes one of several alike faces the best, most important first: sharp, well lit, confirmed, large."""
    measures = face.measures
    sharp = measures.sharp or 0.0
    return (
        float(sharp >= BLURRED) + float(sharp >= SOFT),
        float(measures.light is Light.GOOD),
        float(face.confirmed),
        float(face.face_px or 0),
        sharp,
        -float(face.id),
    )


def library_tells_enough(faces: Sequence[Face], embeddings: Mapping[str, tuple[str, bytes]]) -> bool:
    """Whether a library's own embeddings, of one space, can say as much as ours could of who is somebody else: they
    cover enough of the confirmed faces, and nearly all of those that a machine matched. Where they don't, our own
    network is asked about all."""
    space = best_space(faces, embeddings)
    has = [embeddings.get(face.marker_uid, ("",))[0] == space for face in faces]
    confirmed = sum(face.confirmed for face, one in zip(faces, has, strict=True) if one)
    matched = [one for face, one in zip(faces, has, strict=True) if not face.confirmed]
    if not matched:
        return True
    enough = min(LEAST_CONFIRMED, sum(face.confirmed for face in faces))
    return space is not None and confirmed >= enough and sum(matched) >= MATCHED_COVERED * len(matched)


def best_space(faces: Sequence[Face], embeddings: Mapping[str, tuple[str, bytes]]) -> str | None:
    """The space that has the most confirmed faces; None where no face has an embedding."""
    votes: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for face in faces:
        if face.marker_uid in embeddings:
            space = embeddings[face.marker_uid][0]
            confirmed, all_ = votes[space]
            votes[space] = (confirmed + face.confirmed, all_ + 1)
    return max(sorted(votes), key=lambda space: votes[space]) if votes else None


def one_space(faces: Sequence[Face], embeddings: Mapping[str, tuple[str, bytes]]) -> dict[int, Floats]:
    """Unit vectors by face, of the one space that has the most confirmed faces: spaces are never mixed."""
    chosen = best_space(faces, embeddings)
    return {
        face.id: np.frombuffer(embeddings[face.marker_uid][1], np.float16).astype(np.float32)
        for face in faces
        if face.marker_uid in embeddings and embeddings[face.marker_uid][0] == chosen
    }


@dataclass(frozen=True)
class Copy:
    """That a face's photo shows the same as a better one's."""

    better: int
    """The better face's number."""
    mirrored: bool = False


def find_copies(faces: Sequence[Face], vectors: Mapping[int, Floats]) -> dict[int, Copy]:
    """For each face whose photo shows the same as a better one, or the same mirrored: which."""
    ranked = sorted(faces, key=quality_key, reverse=True)
    sights = [face.measures.quality for face in ranked if face.measures.quality]
    words = _words([quality.photo_hash for quality in sights])
    # Where the mirrored picture was not hashed its place is taken by what can't lie near: the hash turned round.
    everywhere = (1 << 256) - 1
    mirrored = _words([_or(quality.photo_hash_mirrored, quality.photo_hash ^ everywhere) for quality in sights])
    copies: dict[int, Copy] = {}
    for turned, hashes in ((False, words), (True, mirrored)):
        for copy, better in _alike(ranked, words, hashes):
            if copy.id in copies or not _same_face(copy, better, vectors, turned):
                continue
            copies[copy.id] = Copy(better.id, turned)
    return {copy: _first(copy, copies) for copy in copies}


def _first(copy: int, copies: Mapping[int, Copy]) -> Copy:
    """The one that a copy shows, where that one turned out to be a copy itself."""
    found = copies[copy]
    while found.better in copies:
        further = copies[found.better]
        found = Copy(further.better, found.mirrored ^ further.mirrored)
    return found


def _alike(ranked: Sequence[Face], words: Words, hashes: Words) -> Iterator[tuple[Face, Face]]:
    """Pairs of a face and a better one whose hashes, of the one in ``words`` and of the other in ``hashes``, are nearly
    the same; the better ones first."""
    for start in range(0, len(ranked), ROWS_AT_ONCE):
        end = min(start + ROWS_AT_ONCE, len(ranked))
        # A quarter of the bits, from all over the picture, rules nearly every pair out.
        alike = np.bitwise_count(words[start:end, None, 0] ^ hashes[None, :end, 0]) <= COPY_BITS
        later, earlier = np.nonzero(alike)
        later = later + start
        later, earlier = later[earlier < later], earlier[earlier < later]
        bits = np.bitwise_count(words[later] ^ hashes[earlier]).sum(axis=1)
        for one, other in zip(later[bits <= COPY_BITS], earlier[bits <= COPY_BITS], strict=True):
            yield ranked[int(one)], ranked[int(other)]


def find_bursts(faces: Sequence[Face], vectors: Mapping[int, Floats]) -> dict[int, list[Face]]:
    """For each face that is one of several taken within seconds: all of them, in the order of time."""
    timed = sorted((_seconds(face), face.id, face) for face in faces if face.taken_at)
    bursts: dict[int, list[Face]] = {}
    run: list[Face] = []
    last = -math.inf
    for seconds, _, face in timed:
        if not run or seconds - last > BURST_SECONDS or not _same_moment(run[-1], face, vectors):
            run = []
        run.append(face)
        last = seconds
        if len(run) > 1:
            for member in run:
                bursts[member.id] = run
    return bursts


def distances_from_person(faces: Sequence[Face], vectors: Mapping[int, Floats]) -> tuple[dict[int, float], float]:
    """How far each scorable face lies from the middle of the confirmed ones, and beyond what another person begins.

    A confirmed face is compared with the middle of the others, so that it does not count for itself. A quarter of the
    confirmed ones, the farthest, don't make the middle: a person can err, too. Where too few are confirmed in a library
    that hardly tells of it, a plain folder or Immich, all that were grouped as this person make it.

    Returns:
        Distances by face, empty where too few are confirmed; and the limit.
    """
    scorable = [face for face in faces if face.id in vectors and _scorable(face)]
    sure = [face for face in scorable if face.confirmed]
    if len(sure) < LEAST_CONFIRMED:
        sure = [face for face in scorable if face.confirmed or face.file_root in GROUPED_ROOTS]
    if len(sure) < LEAST_CONFIRMED:
        return {}, math.inf
    confirmed = np.stack([vectors[face.id] for face in sure])
    rough = _unit(confirmed.mean(axis=0))
    off = np.linalg.norm(confirmed - rough, axis=1)
    core = off <= np.quantile(off, 0.75)
    total, count = confirmed[core].sum(axis=0), int(core.sum())
    centre = _unit(total)
    own = {face.id: bool(inside) for face, inside in zip(sure, core, strict=True)}
    distances: dict[int, float] = {}
    for face in scorable:
        vector = vectors[face.id]
        middle = _unit(total - vector) if own.get(face.id) and count > 1 else centre
        distances[face.id] = float(np.linalg.norm(vector - middle))
    usual = np.array([distances[face.id] for face in sure])
    median = float(np.median(usual))
    spread = 1.4826 * float(np.median(np.abs(usual - median)))
    return distances, median + max(SPREADS * spread, LEAST_MARGIN)


def _is_wrong(face: Face, distance: float | None, limit: float) -> bool | None:
    if distance is None:
        return None
    return not face.confirmed and distance > limit


def _scorable(face: Face) -> bool:
    """A blurred or tiny face lies anywhere in the space, and says nothing."""
    return not face.measures.blurred and (face.face_px or 0) >= SCORABLE_PX


def _same_moment(one: Face, other: Face, vectors: Mapping[int, Floats]) -> bool:
    if one.photo_uid == other.photo_uid:
        return False
    if one.id in vectors and other.id in vectors:
        return float(np.linalg.norm(vectors[one.id] - vectors[other.id])) <= BURST_DISTANCE
    first, second = one.measures.quality, other.measures.quality
    return first is not None and second is not None and (first.face_hash ^ second.face_hash).bit_count() <= BURST_BITS


def _seconds(face: Face) -> float:
    try:
        return (datetime.fromisoformat(face.taken_at or "") - datetime(1970, 1, 1)).total_seconds()
    except ValueError:
        return 0.0


def _same_face(one: Face, other: Face, vectors: Mapping[int, Floats], mirrored: bool) -> bool:
    """Whether two faces of photos that look the same (mirrored) lie at the same place of them, and look the same."""
    if one.photo_uid == other.photo_uid:
        return False
    if one.id in vectors and other.id in vectors:
        apart = float(np.linalg.norm(vectors[one.id] - vectors[other.id]))
        if apart > COPY_DISTANCE:
            return False
    a, b = one.box, other.box
    if mirrored:
        b = Box(1 - b.x - b.w, b.y, b.w, b.h)
    off = max(abs(a.x + a.w / 2 - b.x - b.w / 2) / b.w, abs(a.y + a.h / 2 - b.y - b.h / 2) / b.h)
    larger = max(abs(a.w / b.w - 1), abs(a.h / b.h - 1))
    return max(off, larger) <= COPY_OFF


def _or(value: int | None, other: int) -> int:
    return other if value is None else value


def _words(hashes: Sequence[int]) -> Words:
    """256-bit hashes as [n, 4] words, each of every fourth row of the picture."""
    rows = np.frombuffer(b"".join(value.to_bytes(32, "big") for value in hashes), np.uint8).reshape(-1, 16, 2)
    words = [np.ascontiguousarray(rows[:, part::4]).reshape(-1, 8).view(np.uint64)[:, 0] for part in range(4)]
    return np.stack(words, axis=1) if hashes else np.zeros((0, 4), np.uint64)


def _unit(vector: Floats) -> Floats:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9), np.float32)
