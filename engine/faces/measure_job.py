"""Measuring: every face is looked at once, on every core, and then all are compared with each other. A job's work."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from engine import events
from engine.errors import LimnerError
from engine.faces.detection.box_matching import find_in_box, others_of
from engine.faces.detection.detector import DetectedFace, Detector
from engine.faces.detection.embedding import SPACE, Identity
from engine.faces.detection.embedding_pool import Embedders, embedders
from engine.faces.detection.pose import yaw_of
from engine.faces.measurement.duplicates import compare, library_tells_enough
from engine.faces.measurement.quality import PHOTO_HASH, dhash_both, look, needed_side
from engine.faces.photo.loading import open_upright
from engine.faces.records.decisions import Face, Ledger
from engine.faces.records.measurement_store import MeasuredFaces, stamp_of
from engine.faces.records.measurements import SCORABLE_PX, FaceQuality
from engine.jobs.worker import Context
from engine.project import Project

SAVE_EVERY = 50
"""Photos between two writes: what a kill can lose."""

Tell = Callable[[events.Event], None]


@dataclass(frozen=True)
class MeasureReport:
    """What measuring did."""

    faces: int
    """How many faces can be measured at all."""
    measured: int
    """How many were measured now; the others were known."""
    stopped: bool = False


@dataclass(frozen=True)
class _Wanted:
    """A face that is to be looked at, and what for."""

    face: Face
    stamp: str
    """What it is looked at on."""
    measured: bool
    """Whether its measures are wanted."""
    embedded: bool
    """Whether an embedding of our own is wanted."""


@dataclass(frozen=True)
class _Photo:
    """One photo with the faces to be looked at on it."""

    path: Path
    faces: tuple[_Wanted, ...]


@dataclass(frozen=True)
class _Looked:
    """What looking at a photo gave."""

    sights: tuple[tuple[str, str, FaceQuality], ...] = ()
    """Marker, stamp, measures."""
    identities: tuple[tuple[str, str, str, bytes | None], ...] = ()
    """Marker, stamp, space, embedding."""


def measure(
    project: Project,
    again: bool = False,
    tell: Tell | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> MeasureReport:
    """Measures every face of the project's person that is new or whose photo or box changed, then compares them all.

    It can be killed at any instant: what was measured by then is kept, and the next time goes on from there. Where the
    library's own embeddings can't say who is somebody else, each face gets one of ours.

    Args:
        project: the project, its faces scanned.
        again: measure also what is known.
        tell: gets ``phase`` events named ``measures`` and then ``comparing``, and a ``warning`` for a photo that
            can't be opened any more.
        should_stop: asked after every photo.

    Raises:
        ProjectError: the project's database can't be opened.
        FaceError: the packages that bring the networks are not whole.
    """
    tell = tell or (lambda _event: None)
    with project.store() as store:
        measured = MeasuredFaces(store)
        if again:
            measured.forget()
        faces = [face for face in Ledger(store).faces(project.settings.person.uid) if not face.problem]
        told = measured.embeddings([face.marker_uid for face in faces])
        own = not library_tells_enough(faces, told)
        photos = _photos(faces, measured, own)
        total = sum(len(photo.faces) for photo in photos)
        tell(events.Phase("measures", 0, total))
        done, unsaved = 0, list[_Looked]()
        for photo, found in _looked_at(photos):
            if isinstance(found, LimnerError):
                tell(events.Warning(found.what, subject=str(photo.path)))
            else:
                unsaved.append(found)
            done += len(photo.faces)
            stop = should_stop()
            if stop or done == total or len(unsaved) >= SAVE_EVERY:
                measured.save(each for looked in unsaved for each in looked.sights)
                measured.save_identities(each for looked in unsaved for each in looked.identities)
                unsaved = []
            tell(events.Phase("measures", done, total))
            if stop:
                return MeasureReport(len(faces), done, stopped=True)
        tell(events.Phase("comparing", 0, 1))
        known = [face for face in Ledger(store).faces(project.settings.person.uid) if not face.problem]
        if own:
            told = {uid: (space, vector) for uid, (_, space, vector) in measured.identities().items() if vector}
        measured.save_kin(compare(known, told))
        tell(events.Phase("comparing", 1, 1))
    return MeasureReport(len(faces), total)


def work(context: Context) -> None:
    """The job: measures, all anew where the order says so."""
    measure(Project(context.project), bool(context.args.get("again")), context.emit, context.should_stop)


def _photos(faces: list[Face], measured: MeasuredFaces, own: bool) -> list[_Photo]:
    """What is to be looked at, by photo: each is decoded once."""
    stamps: Mapping[str, str] = measured.stamps()
    embedded = {uid: stamp for uid, (stamp, space, _) in measured.identities().items() if space == SPACE}
    by_path: dict[Path, list[_Wanted]] = defaultdict(list)
    for face in faces:
        if face.path is None:
            continue
        stamp = stamp_of(face.path, face.box)
        unmeasured = stamps.get(face.marker_uid) != stamp
        scorable = (face.face_px or 0) >= SCORABLE_PX
        unknown = own and scorable and embedded.get(face.marker_uid) != stamp
        if unmeasured or unknown:
            by_path[face.path].append(_Wanted(face, stamp, unmeasured, unknown))
    return [_Photo(path, tuple(some)) for path, some in by_path.items()]


def _looked_at(photos: Sequence[_Photo]) -> Iterator[tuple[_Photo, _Looked | LimnerError]]:
    """Looks at photos on every core (decoding and detecting work outside Python's lock), never far ahead of who takes
    them."""
    if not photos:
        return
    cores = os.cpu_count() or 1
    rest = iter(photos)
    with embedders() as pool, ThreadPoolExecutor(max_workers=cores) as threads:
        eyes = _Eyes(pool)
        waiting: dict[Future[_Looked], _Photo] = {}
        try:
            while True:
                for photo in islice(rest, 2 * cores - len(waiting)):
                    waiting[threads.submit(eyes.look_at, photo)] = photo
                if not waiting:
                    return
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    photo = waiting.pop(future)
                    error = future.exception()
                    if error is not None and not isinstance(error, LimnerError):
                        raise error
                    yield photo, error if isinstance(error, LimnerError) else future.result()
        finally:
            threads.shutdown(wait=True, cancel_futures=True)


class _Eyes:
    """What photos are looked at with."""

    def __init__(self, pool: Embedders) -> None:
        self._detector = Detector.load()
        self._identity = Identity()
        self._pool = pool

    def look_at(self, photo: _Photo) -> _Looked:
        """Decodes a photo once and looks at its faces."""
        faces = [each.face for each in photo.faces]
        smallest = min(face.face_px or 1 for face in faces)
        longest = max(faces[0].image_width or 0, faces[0].image_height or 0)
        picture = open_upright(photo.path, needed_side(smallest, longest))
        whole, mirrored = dhash_both(picture, PHOTO_HASH)
        detected = self._detector.find(picture)
        sights, identities = [], []
        for each in photo.faces:
            box = each.face.box
            seen = find_in_box(self._detector, picture, box, detected)
            if each.measured:
                try:
                    quality = look(picture, box, whole, mirrored)
                except ValueError:
                    # The photo was replaced since the scan and this box lies outside it: not measured.
                    continue
                yaw = yaw_of(seen.points.scaled(*picture.size)) if seen else None
                others = others_of(box, detected)
                yaw = round(yaw, 1) if yaw is not None else None
                sights.append((each.face.marker_uid, each.stamp, replace(quality, yaw=yaw, others=others)))
            if each.embedded:
                vector = self._embed(picture, seen) if seen else None
                identities.append((each.face.marker_uid, each.stamp, SPACE, vector))
        return _Looked(tuple(sights), tuple(identities))

    def _embed(self, picture: Image.Image, seen: DetectedFace) -> bytes:
        return self._pool.embed(self._identity.chip(picture, seen)).astype(np.float16).tobytes()
