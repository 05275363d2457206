"""Scanning: every face of a person in the library becomes a row of the project, its photo really opened."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from engine import events
from engine.errors import HostUnreachable, JobError, LibraryError
from engine.faces.photo.geometry import Box
from engine.faces.photo.loading import BrokenImage, proven_size, read_header
from engine.faces.records.decisions import Ledger
from engine.faces.records.found_face import FoundFace
from engine.faces.records.measurement_store import MeasuredFaces, Seen
from engine.faces.records.record_scan import Around, Recorded
from engine.jobs.folder import JobFolder, JobKind
from engine.jobs.follow import state
from engine.jobs.start import start
from engine.library.base import Library
from engine.library.faces import LibraryFace, Marker
from engine.library.password import for_a_job
from engine.library.paths import NoPhotosNow, Roots
from engine.library.people import Person, find_person
from engine.library.registry import connect
from engine.project import Project

LEAVING_SECONDS = 5.0
"""How long a process that has told its end may take to be gone."""

COMES_BACK_SECONDS = 120.0
"""How long a library that went away in mid-scan is waited for."""

RETRY_SECONDS, LONGEST_PAUSE = 0.5, 10.0
"""The pause before it is asked again, doubled each time."""

LOOK_SECONDS = 0.1
"""How often a pause looks whether the scan is to stop."""

STEP = 25
"""Photos between two events about how far the scan is."""

UNPROVEN = "the library edited its copy of the photo, and no face was found in the box: it may be wrong"

SAME_SHAPE = 0.03
"""By how much, as a share, the ratio of a picture's sides and of its copy's may differ: copies have whole pixels."""

Proof = Callable[[LibraryFace, Path], Box | None]
"""Says where a face is on its photo; None: nowhere in its box. ``engine.faces.proof.BoxProof.box_of`` is one."""

Tell = Callable[[events.Event], None]


@dataclass(frozen=True)
class ScanReport:
    """What a scan found."""

    person: Person
    faces: int
    usable: int
    stopped: bool = False
    """Whether it was asked to stop; then nothing was recorded."""
    moved: int = 0
    """Faces that something was said about and that have other ids in the library now: it went with them."""
    gone: int = 0
    """Faces that something was said about and that the library has no more: it is kept."""


@dataclass(frozen=True)
class Photo:
    """A row's file as it was found here: where, its upright size in pixels, or what is wrong with it."""

    path: Path | None
    size: tuple[int, int] | None
    problem: str | None = None
    bytes: int = 0
    """How many the file has."""
    caution: str | None = None
    """What of the picture can't be relied on."""


@dataclass(frozen=True)
class _Told:
    """What the library says of a person."""

    person: Person
    rows: tuple[LibraryFace, ...]
    roots: Roots
    seen: tuple[Seen, ...]
    around: Around


def scan(
    project: Project,
    person: str,
    password: str | None = None,
    tell: Tell | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    proof: Proof | None = None,
) -> ScanReport:
    """Takes all faces of a person into the project, and remembers in the settings whom it is about.

    Decisions made before stay. A photo that can't be used puts a problem on its faces and the scan goes on.

    Args:
        project: the project, its library set.
        person: a name, upper and lower case alike, or an id.
        password: the library's, where it needs one.
        tell: gets ``phase`` events named ``faces`` and a ``warning`` for every face that can't be used.
        should_stop: asked now and then; when true the scan ends and nothing is recorded.
        proof: asked about boxes that the library may have measured on an edited copy; without it they get a warning.

    Raises:
        LibraryError: the library can't be opened, or knows nobody or more than one of that name; or photos that are
            fetched can't be had any more. Then nothing is recorded, and finished downloads are kept.
    """
    tell = tell or (lambda _event: None)
    told = _told_by_library(project, person, password, tell, should_stop)
    found_person, rows, roots, seen = told.person, told.rows, told.roots, told.seen
    tell(events.Phase("faces", 0, len(rows)))
    found: list[FoundFace] = []
    for row, photo in _with_photos(rows, roots):
        face = _found(row, photo, proof)
        found.append(face)
        if face.problem:
            tell(events.Warning(face.problem, subject=str(face.path or face.file_name)))
        elif photo.caution:
            # About one photo, which can be used all the same.
            tell(events.Warning(f"{face.file_name}: {photo.caution}"))
        if len(found) % STEP == 0 or len(found) == len(rows):
            tell(events.Phase("faces", len(found), len(rows)))
            if should_stop():
                return ScanReport(found_person, len(rows), 0, stopped=True)
    with project.store() as store:
        recorded = Ledger(store).record(found_person.id, found, told.around)
        MeasuredFaces(store).take_in(seen)
    for words in _about(recorded):
        tell(events.Warning(words))
    now = project.settings.person
    if (now.name, now.uid) != (found_person.name, found_person.id):
        project.change({"person.name": found_person.name, "person.uid": found_person.id})
    usable = sum(face.problem is None for face in found)
    return ScanReport(found_person, len(found), usable, moved=recorded.moved, gone=recorded.gone)


def _about(recorded: Recorded) -> Iterator[str]:
    """What is to be told of faces that were known."""
    if recorded.moved:
        yield (
            f"{recorded.moved:,} {'face has' if recorded.moved == 1 else 'faces have'} other ids in the library now:"
            " decisions, crops, images and captions moved over"
        )
    if recorded.gone:
        yield (
            f"{recorded.gone:,} decided {'face is' if recorded.gone == 1 else 'faces are'} gone from the library:"
            " their decisions are kept"
        )


def _told_by_library(
    project: Project, person: str, password: str | None, tell: Tell, should_stop: Callable[[], bool]
) -> _Told:
    """All that the library says of a person. Where it goes away in between it is waited for, and asked again.

    Raises:
        LibraryError: as ``scan``; HostUnreachable where it was not there to begin with, or does not come back.
    """
    deadline: float | None = None
    told: tuple[str, ...] = ()
    pause = RETRY_SECONDS
    while True:
        try:
            with connect(project.settings.library, password, project.root) as library:
                if deadline is None:
                    told = library.cautions()
                    for caution in told:
                        tell(events.Warning(caution))
                deadline = time.monotonic() + COMES_BACK_SECONDS
                people = library.people()
                found = _person(people, person, project)
                rows = tuple(library.faces(found))
                beside = tuple(library.markers_beside(found))
                seen = tuple(_seen(library, beside, rows, _known(project)))
                around = Around(
                    frozenset(each.id for each in people),
                    frozenset(marker.marker_uid for marker in beside),
                    {each.marker_uid: each.neighbours for each in seen},
                )
                for caution in library.cautions():
                    if caution not in told:
                        tell(events.Warning(caution))
                return _Told(found, rows, library.roots, seen, around)
        except HostUnreachable as error:
            # A server that never answered is a wrong address; one that did is being restarted.
            if deadline is None or time.monotonic() > deadline or should_stop():
                raise
            patience = deadline - time.monotonic()
            tell(events.Warning(f"{error.what}: the scan waits for it, {patience:.0f} s at most"))
        until = time.monotonic() + min(pause, patience)
        while time.monotonic() < until and not should_stop():
            time.sleep(LOOK_SECONDS)
        pause = min(2 * pause, LONGEST_PAUSE)


def _person(people: Sequence[Person], wanted: str, project: Project) -> Person:
    """The person that is wanted. The project's own is also found by name: a library that was set up anew gives people
    other ids."""
    own = project.settings.person
    if wanted == own.uid and own.name and all(each.id != wanted for each in people):
        return find_person(people, own.name)
    return find_person(people, wanted)


def start_scan(project: Project, person: str, password: str | None = None) -> JobFolder:
    """Starts a scan as a job of its own and returns at once.

    Args:
        project: the project.
        person: a name or an id.
        password: one that was typed; the job's process gets it in its environment, and no file holds it. Left out,
            the job looks in its environment and the keyring itself.

    Raises:
        JobError: it can't be started.
    """
    secrets = for_a_job(project.settings.library.url, project.root, password)
    return start(project.new_job_folder("scan"), JobKind.SCAN, project.root, {"person": person}, secrets)


def start_index(project: Project) -> JobFolder:
    """Starts to look for faces in a library that is a plain folder, as a job of its own, and returns at once; the one
    that is under way already is returned.

    Raises:
        JobError: it can't be started.
    """
    folder = index_folder(project)
    deadline = time.monotonic() + LEAVING_SECONDS
    while folder.alive() and state(folder).state.ended and time.monotonic() < deadline:
        time.sleep(0.02)
    if folder.alive():
        return folder
    try:
        return start(folder.path, JobKind.SCAN, project.root, {"person": None}, anew=True)
    except JobError:
        if folder.alive():
            # Another app was quicker.
            return folder
        raise


def index_folder(project: Project) -> JobFolder:
    """The folder of that job: a project has one, so that no photo is looked at twice at once."""
    return JobFolder(project.jobs / "index")


def _known(project: Project) -> frozenset[str]:
    with project.store() as store:
        return MeasuredFaces(store).with_embedding()


def _seen(
    library: Library, markers: Sequence[Marker], rows: Sequence[LibraryFace], known: frozenset[str]
) -> Iterator[Seen]:
    """Neighbours and embeddings of the faces; embeddings that are known already are not asked for again."""
    beside: dict[str, list[Marker]] = {}
    for marker in markers:
        beside.setdefault(marker.file_uid, []).append(marker)
    wanted = [row.marker_uid for row in rows if row.marker_uid not in known]
    embeddings = {each.marker_uid: each for each in library.embeddings(wanted)}
    for row in rows:
        others = (each for each in beside.get(row.file_uid, []) if each.marker_uid != row.marker_uid)
        neighbours = tuple(Box(*each.box) for each in others)
        found = embeddings.get(row.marker_uid)
        space, values = (found.space, found.values) if found else (None, None)
        yield Seen(row.marker_uid, neighbours, space, values)


def _with_photos(rows: Sequence[LibraryFace], roots: Roots) -> Iterator[tuple[LibraryFace, Photo]]:
    """Every row with its file, each file looked at once, several at a time (waiting for disks, mostly)."""
    keys = list(dict.fromkeys((row.file_root, row.file_name) for row in rows))
    with ThreadPoolExecutor(max_workers=min(16, 4 * (os.cpu_count() or 1))) as pool:
        photos = {key: pool.submit(_look, roots, *key) for key in keys}
        try:
            for row in rows:
                yield row, photos[row.file_root, row.file_name].result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            roots.done()


def _look(roots: Roots, file_root: str, file_name: str) -> Photo:
    try:
        path = roots.path(file_root, file_name)
    except NoPhotosNow:
        raise
    except (LibraryError, OSError, ValueError) as error:
        return Photo(None, None, error.what if isinstance(error, LibraryError) else str(error))
    try:
        return Photo(path, proven_size(path), bytes=path.stat().st_size, caution=read_header(path).caution)
    except BrokenImage as error:
        return Photo(path, None, error.reason)
    except OSError as error:
        return Photo(path, None, f"the file can't be read ({error.strerror or error})")


def _found(row: LibraryFace, photo: Photo, proof: Proof | None) -> FoundFace:
    box, unproven = Box(*row.box), None
    if photo.path is not None and photo.size is not None and _in_doubt(row, photo.size):
        proven = proof(row, photo.path) if proof else None
        box, unproven = (proven, None) if proven else (box, UNPROVEN)
    width, height = photo.size or (None, None)
    problem, pixels = photo.problem, None
    if photo.size is not None:
        left, top, right, bottom = box.clamped().pixels(*photo.size)
        pixels = round(max(right - left, bottom - top))
        if right - left < 1 or bottom - top < 1:
            problem = "the face box has no area inside the picture"
    return FoundFace(
        marker_uid=row.marker_uid,
        person_uid=row.person_uid,
        person=row.person,
        photo_uid=row.photo_uid,
        file_uid=row.file_uid,
        file_root=row.file_root,
        file_name=row.file_name,
        path=photo.path,
        box=box,
        image_width=width,
        image_height=height,
        face_px=pixels,
        taken_at=row.taken_at,
        confirmed=row.confirmed,
        problem=problem,
        warning="; ".join(filter(None, (_doubt(row, photo), unproven, row.caution))) or None,
        file_hash=row.file_hash,
    )


def _doubt(row: LibraryFace, photo: Photo) -> str | None:
    """A picture of another size than the library indexed was turned or edited since: its boxes may be stale. One that
    was turned upside down or mirrored has the same size, but not the same bytes."""
    if photo.size is None or photo.path is None:
        return None
    if row.file_width and row.file_height and photo.size != (row.file_width, row.file_height):
        width, height = photo.size
        return (
            f"the picture is {width} × {height}, the index says {row.file_width} × {row.file_height}:"
            " turned or edited since, the box may be wrong"
        )
    if row.file_size and photo.bytes and photo.bytes != row.file_size:
        return (
            f"the file has {photo.bytes:,} bytes, the index says {row.file_size:,}: turned or edited since, the box may"
            " be off"
        )
    return None


def _in_doubt(row: LibraryFace, size: tuple[int, int]) -> bool:
    """Whether a box has to be proven: it may be of an edited copy, or was measured on a picture of another shape."""
    if row.measured_on is None:
        return row.to_prove
    width, height = row.measured_on
    return row.to_prove or abs(math.log(width / height) - math.log(size[0] / size[1])) > SAME_SHAPE
