"""Measuring: every face is looked at once, on every core, and then all are compared with each other."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from engine import events
from engine.errors import LimnerError
from engine.faces.kin import compare
from engine.faces.ledger import Face, Ledger
from engine.faces.measured import MeasuredFaces
from engine.faces.measures import Sight
from engine.faces.sight import PHOTO_HASH, dhash, look, needed_side
from engine.faces.upright import open_upright
from engine.jobs.folder import JobFolder, JobKind
from engine.jobs.follow import state
from engine.jobs.start import start
from engine.jobs.worker import Context
from engine.project import Project

VERSION = "1"
"""Grows whenever measuring changes its meaning; what an older one measured is measured again."""

SAVE_EVERY = 50
"""Photos between two writes: what a kill can lose."""

LEAVING_SECONDS = 5.0
"""How long a process that has told its end may take to be gone."""

Tell = Callable[[events.Event], None]
Measured = list[tuple[str, str, Sight]]


@dataclass(frozen=True)
class MeasureReport:
    """What measuring did."""

    faces: int
    """How many faces can be measured at all."""
    measured: int
    """How many were measured now; the others were known."""
    stopped: bool = False


@dataclass(frozen=True)
class _Photo:
    """One photo with the faces to be measured on it."""

    path: Path
    faces: tuple[tuple[Face, str], ...]
    """Each with the stamp of what it is measured on."""


def measure(
    project: Project,
    again: bool = False,
    tell: Tell | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> MeasureReport:
    """Measures every face of the project's person that is new or whose photo or box changed, then compares them all.

    It can be killed at any instant: what was measured by then is kept, and the next time goes on from there.

    Args:
        project: the project, its faces scanned.
        again: measure also what is known.
        tell: gets ``phase`` events named ``measures`` and then ``comparing``, and a ``warning`` for a photo that
            can't be opened any more.
        should_stop: asked after every photo.

    Raises:
        ProjectError: the project's database can't be opened.
    """
    tell = tell or (lambda _event: None)
    with project.store() as store:
        measured = MeasuredFaces(store)
        if again:
            measured.forget()
        faces = [face for face in Ledger(store).faces(project.settings.person.uid) if not face.problem]
        photos = _photos(faces, measured.stamps())
        total = sum(len(photo.faces) for photo in photos)
        tell(events.Phase("measures", 0, total))
        done, unsaved = 0, Measured()
        for photo, found in _looked_at(photos):
            if isinstance(found, LimnerError):
                tell(events.Warning(found.what, subject=str(photo.path)))
            else:
                unsaved += found
            done += len(photo.faces)
            stop = should_stop()
            if stop or done == total or len(unsaved) >= SAVE_EVERY:
                measured.save(unsaved)
                unsaved = []
            tell(events.Phase("measures", done, total))
            if stop:
                return MeasureReport(len(faces), done, stopped=True)
        tell(events.Phase("comparing", 0, 1))
        known = [face for face in Ledger(store).faces(project.settings.person.uid) if not face.problem]
        measured.save_kin(compare(known, measured.embeddings([face.marker_uid for face in known])))
        tell(events.Phase("comparing", 1, 1))
    return MeasureReport(len(faces), total)


def work(context: Context) -> None:
    """The job: measures, all anew where the order says so."""
    measure(Project(context.project), bool(context.args.get("again")), context.emit, context.should_stop)


def start_measure(project: Project, again: bool = False) -> JobFolder:
    """Starts measuring as a job of its own and returns at once.

    Raises:
        JobError: it can't be started, or is under way already.
    """
    folder = measure_folder(project)
    deadline = time.monotonic() + LEAVING_SECONDS
    while folder.alive() and state(folder).state.ended and time.monotonic() < deadline:
        time.sleep(0.02)
    if not folder.alive():
        # What the last time told is of no interest to whoever follows this time.
        folder.events_path.unlink(missing_ok=True)
    return start(folder.path, JobKind.MEASURE, project.root, {"again": again})


def measure_folder(project: Project) -> JobFolder:
    """The job's folder: a project has one, so that it is never measured twice at once."""
    return JobFolder(project.jobs / "measure")


def unmeasured(faces: list[Face]) -> int:
    """How many faces could be measured and are not, or were never compared with the others."""
    return sum(not face.problem and (face.measures.sight is None or face.measures.kin is None) for face in faces)


def _photos(faces: list[Face], stamps: Mapping[str, str]) -> list[_Photo]:
    """What is to be measured, by photo: each is decoded once."""
    by_path: dict[Path, list[tuple[Face, str]]] = defaultdict(list)
    for face in faces:
        if face.path is None:
            continue
        stamp = _stamp(face, face.path)
        if stamps.get(face.marker_uid) != stamp:
            by_path[face.path].append((face, stamp))
    return [_Photo(path, tuple(some)) for path, some in by_path.items()]


def _stamp(face: Face, path: Path) -> str:
    """Changes when the photo's file or the face's box does."""
    try:
        status = path.stat()
        file = f"{status.st_size} {status.st_mtime_ns}"
    except OSError:
        file = "gone"
    box = face.box
    return f"{VERSION} {file} {box.x:.5f} {box.y:.5f} {box.w:.5f} {box.h:.5f}"


def _looked_at(photos: list[_Photo]) -> Iterator[tuple[_Photo, Measured | LimnerError]]:
    """Looks at photos on every core (decoding works outside Python's lock), never far ahead of who takes them."""
    cores = os.cpu_count() or 1
    rest = iter(photos)
    with ThreadPoolExecutor(max_workers=cores) as pool:
        waiting: dict[Future[Measured], _Photo] = {}
        try:
            while True:
                for photo in islice(rest, 2 * cores - len(waiting)):
                    waiting[pool.submit(_look_at, photo)] = photo
                if not waiting:
                    return
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    photo = waiting.pop(future)
                    error = future.exception()
                    if error is not None and not isinstance(error, LimnerError):
                        raise error
                    yield photo, error if isinstance(error, LimnerError) else future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _look_at(photo: _Photo) -> Measured:
    smallest = min((face.face_px or 1 for face, _ in photo.faces), default=1)
    first = photo.faces[0][0]
    picture = open_upright(photo.path, needed_side(smallest, max(first.image_width or 0, first.image_height or 0)))
    whole = dhash(picture, PHOTO_HASH)
    found: Measured = []
    for face, stamp in photo.faces:
        try:
            found.append((face.marker_uid, stamp, look(picture, face.box, whole)))
        except ValueError:
            # The photo was replaced since the scan and this box lies outside it: not measured.
            continue
    return found
