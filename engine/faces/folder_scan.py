"""Looking for faces in a plain folder, and for the names that other programs wrote into its photos. A job's work."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from engine import events
from engine.errors import LibraryError
from engine.faces.detection.detector import SURE, DetectedFace, Detector
from engine.faces.detection.embedding import SPACE, Identity
from engine.faces.detection.embedding_pool import Embedders, embedders
from engine.faces.folder_names import Tell, group_people, read_names, with_names
from engine.faces.measurement.quality import look
from engine.faces.photo.loading import BrokenImage, open_upright, read_taken, upright_size
from engine.faces.records.measurements import BLURRED, SCORABLE_PX
from engine.library.address import ServerKind, parse_address
from engine.library.file_hash import content_of
from engine.library.folder.index import FolderIndex
from engine.library.folder.photos import SeenFace, SeenPhoto, face_uid
from engine.library.folder.walk import FolderPhoto, walk
from engine.project import Project

LONGEST = 2048
"""Pixels of the longer side that a photo is decoded with at least: enough to tell who a face is that the detector,
which looks at half of that, can find."""

SAVE_EVERY = 20
"""Photos between two writes: what a kill can lose."""


@dataclass(frozen=True)
class IndexReport:
    """What looking through a folder did."""

    photos: int
    seen: int
    """How many photos were looked at now; the others were known."""
    people: int
    """How many new people were found."""
    stopped: bool = False


def index(project: Project, tell: Tell | None = None, should_stop: Callable[[], bool] = lambda: False) -> IndexReport:
    """Looks at every photo of the project's folder that is new or changed, and groups the faces by person.

    Whom a photo or its sidecar names is that person; of known photos whose sidecar changed the names alone are read
    again. It can be killed at any instant: what was seen by then is kept, and the next time goes on from there. Who has
    been grouped or merged stays so; only faces that belong to nobody yet find their person, or make a new one. Nothing
    is written to the folder.

    Args:
        project: the project, its library a ``folder://`` address.
        tell: gets ``phase`` events named ``photos``, ``names`` where some are read again, and ``people``, and a
            ``warning`` for a photo or for names that can't be used.
        should_stop: asked after every photo.

    Raises:
        LibraryError: the project's library is no folder, or the folder can't be read.
        FaceError: the packages that bring the networks are not whole.
    """
    tell = tell or (lambda _event: None)
    folder = _folder_of(project)
    photos = list(walk(folder))
    with project.store() as store:
        kept = FolderIndex(store, folder)
        new = _unknown(kept, folder, photos)
        kept.show_only([photo.name for photo in photos])
        tell(events.Phase("photos", 0, len(new)))
        unsaved: list[SeenPhoto] = []
        for done, seen in enumerate(_seen(folder, new), start=1):
            unsaved.append(seen)
            for words in (*((seen.problem,) if seen.problem else ()), *seen.warnings):
                tell(events.Warning(words, subject=str(folder / seen.photo.name)))
            stop = should_stop()
            if stop or done == len(new) or len(unsaved) >= SAVE_EVERY:
                kept.save(unsaved)
                unsaved = []
            tell(events.Phase("photos", done, len(new)))
            if stop:
                return IndexReport(len(photos), done, 0, stopped=True)
        known = {photo.name for photo in new}
        if not read_names(kept, folder, [photo for photo in photos if photo.name not in known], tell, should_stop):
            return IndexReport(len(photos), len(new), 0, stopped=True)
        tell(events.Phase("people", 0, 1))
        _follow(project, kept.settle(), kept)
        people = group_people(kept)
        tell(events.Phase("people", 1, 1))
    return IndexReport(len(photos), len(new), people)


def _unknown(kept: FolderIndex, folder: Path, photos: Sequence[FolderPhoto]) -> list[FolderPhoto]:
    """The photos that nobody has looked at yet. Those that were renamed or moved are known, by their content."""
    known, unhashed = kept.stamps(), kept.without_hash()
    changed = [photo for photo in photos if known.get(photo.name) != photo.stamp]
    kept.save_hashes(_hashes(folder, [photo.name for photo in photos if unhashed.get(photo.name) == photo.stamp]))
    loose = kept.loose(changed, {photo.name for photo in photos})
    if not loose or not changed:
        return changed
    again = kept.find_again(changed, loose, _hashes(folder, [photo.name for photo in changed]))
    return [photo for photo in changed if photo.name not in again]


def _hashes(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """The contents of photos by name; those that can't be read are left out."""
    with ThreadPoolExecutor(max_workers=4) as threads:
        found = zip(names, threads.map(lambda name: content_of(folder / name), names), strict=True)
        return {name: content for name, content in found if content}


def _folder_of(project: Project) -> Path:
    url = project.settings.library.url
    address = parse_address(url, project.root) if url else None
    if address is None or address.kind != ServerKind.FOLDER or address.path is None:
        raise LibraryError("this project's library is not a plain folder", "limner connect folder:///…")
    return address.path


def _follow(project: Project, became: Mapping[str, str], kept: FolderIndex) -> None:
    """The project is about whoever its person became."""
    uid = became.get(project.settings.person.uid or "")
    if uid:
        project.change({"person.uid": uid, "person.name": kept.name_of(uid)})


def _seen(folder: Path, photos: Sequence[FolderPhoto]) -> Iterator[SeenPhoto]:
    """Looks at photos on every core, never far ahead of who takes them."""
    if not photos:
        return
    cores = os.cpu_count() or 1
    rest = iter(photos)
    with embedders() as pool, ThreadPoolExecutor(max_workers=cores) as threads:
        eyes = _Eyes(folder, pool)
        waiting: set[Future[SeenPhoto]] = set()
        try:
            while True:
                waiting |= {threads.submit(eyes.look_at, each) for each in islice(rest, 2 * cores - len(waiting))}
                if not waiting:
                    return
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            threads.shutdown(wait=True, cancel_futures=True)


class _Eyes:
    """What photos are looked at with."""

    def __init__(self, folder: Path, pool: Embedders) -> None:
        self._folder = folder
        self._detector = Detector.load()
        self._identity = Identity()
        self._pool = pool

    def look_at(self, photo: FolderPhoto) -> SeenPhoto:
        """Decodes a photo once and finds its faces."""
        path = self._folder / photo.name
        try:
            size, taken = upright_size(path), read_taken(path)
            picture = open_upright(path, LONGEST)
        except BrokenImage as error:
            return SeenPhoto(photo, None, None, problem=error.reason, hash=content_of(path))
        content = content_of(path)
        known = [self._known(content or photo.name, picture, size, face) for face in self._detector.find(picture)]
        try:
            named, warnings = with_names(self._folder, photo, content, known)
        except BrokenImage as error:
            # It went away since it was decoded.
            return SeenPhoto(photo, None, None, problem=error.reason)
        return SeenPhoto(photo, size, taken, named, hash=content, warnings=warnings)

    def _known(self, content: str, picture: Image.Image, size: tuple[int, int], face: DetectedFace) -> SeenFace:
        box = (face.box.x, face.box.y, face.box.w, face.box.h)
        embedding = None
        large = max(face.box.w * size[0], face.box.h * size[1]) >= SCORABLE_PX
        if face.score >= SURE and large and _sharp(picture, face):
            chip = self._identity.chip(picture, face)
            embedding = self._pool.embed(chip).astype(np.float16).tobytes()
        uid = face_uid(content, box)
        return SeenFace(uid, box, round(face.score, 4), SPACE if embedding else None, embedding)


def _sharp(picture: Image.Image, face: DetectedFace) -> bool:
    """A blurred face lies anywhere in the space, and would join whom it is not."""
    try:
        return look(picture, face.box, 0).sharp >= BLURRED
    except ValueError:
        return False
