"""Building the dataset: kept faces become 1024 × 1024 images, upright, without metadata, each with a caption."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from engine import events
from engine.dataset.captions import caption
from engine.dataset.folder import SIDE, DatasetFolder, TrainingImage, read_caption, write_caption
from engine.dataset.manifest import Entry, Manifest
from engine.dataset.whose import faces_of
from engine.errors import DatasetError, LimnerError
from engine.faces.crop import crop_of, cut
from engine.faces.framing import cut_of
from engine.faces.geometry import Cut, Framing
from engine.faces.ledger import Decision, Face, Ledger
from engine.faces.upright import open_header
from engine.jobs.turns import one_at_a_time
from engine.project import Project

Tell = Callable[[events.Event], None]


@dataclass(frozen=True)
class BuildReport:
    """What a build made of the kept faces."""

    folder: Path
    images: tuple[TrainingImage, ...]
    cut: int
    """How many were cut anew; the others were there already."""
    removed: int
    """How many went, their faces being no longer kept."""
    skipped: tuple[tuple[Face, str], ...]
    """Kept faces that could not be used, and why."""
    gone: int = 0
    """Images that stay though their faces are gone from the library: they are kept faces still."""

    @property
    def upscaled(self) -> int:
        """How many images have more pixels than their photo gave."""
        return sum(image.upscaled for image in self.images)


@dataclass(frozen=True)
class _Cutting:
    """One image to make."""

    face: Face
    how: Cut
    entry: Entry
    caption: str
    """What was written about this face before; empty: the template's words."""


def build(project: Project, framing: Framing | None = None, tell: Tell | None = None) -> BuildReport:
    """Brings the dataset in line with the kept faces.

    Every face keeps its number, so that captions edited by hand stay with their image. Images of faces no longer
    kept are taken out and their captions remembered; images that somebody added are left alone. A kept face whose
    photo can't be opened is skipped, and an image made of it earlier stays; so does one whose face is gone from the
    library. It can be killed at any instant and run again.

    Args:
        project: the project.
        framing: how much of the person all images show; left out: each face as it was chosen or cropped by hand, else
            as its photo gives it best.
        tell: gets ``phase`` events named ``images`` and a ``warning`` for every face skipped.

    Raises:
        DatasetError: no face is kept, or the folder can't be written.
    """
    tell = tell or (lambda _event: None)
    settings = project.settings
    with project.store() as store:
        faces = Ledger(store).faces(settings.person.uid, gone=True)
        markers = Ledger(store).markers()
    kept = [face for face in faces if face.decision is Decision.KEEP]
    if not kept:
        fix = "keep some with: limner faces pick --count 24, or: limner faces keep ID…"
        raise DatasetError("no face is kept", fix if faces else "scan first: limner faces scan --person NAME")
    folder = DatasetFolder(project)
    try:
        folder.root.mkdir(parents=True, exist_ok=True)
        # Two apps take turns: the second finds the first one's images and makes what is left.
        with one_at_a_time(folder.root):
            manifest = _settle_folder(project, folder)
            manifest = _with_faces(manifest, faces, markers)
            manifest, removed = _take_out(folder, manifest, {face.marker_uid for face in kept})
            manifest, cuttings, skipped = _plan(folder, manifest, sorted(kept, key=lambda face: face.id), framing)
            folder.save_manifest(manifest)
            manifest, failed, made = _cut_all(folder, manifest, cuttings, tell)
            folder.save_manifest(manifest)
            caption(project)
    except OSError as error:
        raise DatasetError(
            f"the dataset can't be written ({error.strerror or error})", f"check {folder.root} and the disk's space"
        ) from error
    skipped += failed
    for face, reason in skipped:
        tell(events.Warning(f"face {face.id} is skipped: {reason}", subject=str(face.path or face.file_name)))
    left = sum(face.gone and manifest.of(face.marker_uid) is not None for face in kept)
    if left:
        are = "1 image stays though its face is" if left == 1 else f"{left} images stay though their faces are"
        tell(events.Warning(f"{are} gone from the library: see limner faces list is:gone, reject what is to go"))
    return BuildReport(folder.path, tuple(folder.images()), made, removed, tuple(skipped), left)


def _settle_folder(project: Project, folder: DatasetFolder) -> Manifest:
    """Makes the image folder, or renames it where repeats or words have changed; captions follow the trigger word."""
    person = project.settings.person
    manifest = folder.manifest()
    wanted, there = folder.root / folder.wanted_name, folder.path
    if there != wanted and there.is_dir():
        there.rename(wanted)
    wanted.mkdir(parents=True, exist_ok=True)
    for left_by_a_kill in wanted.glob(".*.part"):
        left_by_a_kill.unlink()
    old = (manifest.trigger, manifest.class_word)
    if manifest.trigger and old != (person.trigger, person.class_word):
        for image in folder.image_paths():
            before = read_caption(image)
            line = _reworded(before, old, (person.trigger, person.class_word))
            if line != before:
                write_caption(image, line)
        entries = tuple(
            entry.captioned(_reworded(entry.template, old, (person.trigger, person.class_word)))
            for entry in manifest.entries
        )
        manifest = replace(manifest, entries=entries)
    manifest = replace(manifest, folder=wanted.name, trigger=person.trigger, class_word=person.class_word)
    folder.save_manifest(manifest)
    return manifest


def _reworded(caption: str, old: tuple[str, str], new: tuple[str, str]) -> str:
    """The caption with the old trigger and class words at its beginning replaced by the new ones."""
    parts = [part.strip() for part in caption.split(",")]
    for place, (before, after) in enumerate(zip(old, new, strict=True)):
        if len(parts) > place and parts[place] == before:
            parts[place] = after
    return ", ".join(parts)


def _with_faces(manifest: Manifest, faces: Sequence[Face], markers: Mapping[str, set[int]]) -> Manifest:
    """The manifest with the ids that the library gives its faces now."""
    whose = faces_of(manifest.entries, faces, markers)
    by_id, there = {face.id: face.marker_uid for face in faces}, {face.marker_uid for face in faces}

    def now(marker: str) -> str:
        moved = [by_id[number] for number in markers.get(marker, ()) if number in by_id]
        return marker if marker in there or not moved else moved[0]

    entries = tuple(
        replace(entry, face=face.id, marker=face.marker_uid) if (face := whose.get(entry.number)) else entry
        for entry in manifest.entries
    )
    aside = tuple((now(marker), number, words) for marker, number, words in manifest.aside)
    return replace(manifest, entries=entries, aside=aside)


def _take_out(folder: DatasetFolder, manifest: Manifest, kept: set[str]) -> tuple[Manifest, int]:
    """Removes the images of faces that are not kept; their captions are saved before anything is deleted."""
    gone = [entry for entry in manifest.entries if entry.marker not in kept]
    for entry in gone:
        words = read_caption(folder.path / manifest.file_name(entry.number))
        manifest = manifest.without(entry.number, words)
    folder.save_manifest(manifest)
    # Numbers are never used twice, so all that lies under one set aside is ours, also what a killed build left.
    for _, number, _ in manifest.aside:
        path = folder.path / manifest.file_name(number)
        path.unlink(missing_ok=True)
        path.with_suffix(".txt").unlink(missing_ok=True)
    return manifest, len(gone)


def _plan(
    folder: DatasetFolder, manifest: Manifest, kept: list[Face], framing: Framing | None
) -> tuple[Manifest, list[_Cutting], list[tuple[Face, str]]]:
    """Which images are to be cut. The manifest names them all before the first is written."""
    cuttings: list[_Cutting] = []
    skipped: list[tuple[Face, str]] = []
    for face in kept:
        if face.gone:
            if manifest.of(face.marker_uid) is None:
                skipped.append((face, "it is gone from the library"))
            continue
        how = Cut(framing) if framing else cut_of(face)
        crop = crop_of(face, how)
        if crop is None or face.path is None or not face.image_height:
            skipped.append((face, face.problem or "its box has no area inside the picture"))
            continue
        before, words = manifest.of(face.marker_uid), ""
        number = before.number if before else None
        if before is None:
            manifest, number, words = manifest.take_back(face.marker_uid)
        if number is None:
            number = _free_number(folder, manifest)
        entry = Entry(
            number=number,
            face=face.id,
            marker=face.marker_uid,
            framing=how.framing.value,
            crop=(crop.left, crop.top, crop.side),
            face_share=round(face.box.clamped().h * face.image_height / crop.side, 4),
            source=str(face.path),
            stamp=_stamp(face.path),
            template=before.template if before else "",
        )
        image = folder.path / manifest.file_name(number)
        if before is None or not before.same_cut(entry) or not _sound(image):
            cuttings.append(_Cutting(face, how, entry, words))
            # Without a stamp it is cut again, should this build be killed before it is done.
            manifest = manifest.with_entry(replace(before or entry, stamp=""))
    return manifest, cuttings, skipped


def _sound(image: Path) -> bool:
    """Whether an image that was made before is there and of the right size."""
    try:
        with open_header(image) as found:
            return found.size == (SIDE, SIDE)
    except (OSError, ValueError):
        return False


def _free_number(folder: DatasetFolder, manifest: Manifest) -> int:
    """The next number; one whose file is there already belongs to somebody who put it there."""
    number = manifest.next_number()
    while (folder.path / manifest.file_name(number)).exists():
        number += 1
    return number


def _cut_all(
    folder: DatasetFolder, manifest: Manifest, cuttings: list[_Cutting], tell: Tell
) -> tuple[Manifest, list[tuple[Face, str]], int]:
    """Cuts the images, a few at a time (Pillow works outside Python's lock), and brings own captions back."""
    failed: list[tuple[Face, str]] = []
    tell(events.Phase("images", 0, len(cuttings)))
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        jobs = [pool.submit(_cut_one, cutting, folder.path) for cutting in cuttings]
        for done, (cutting, job) in enumerate(zip(cuttings, jobs, strict=True), start=1):
            path = folder.path / manifest.file_name(cutting.entry.number)
            try:
                job.result()
            except LimnerError as error:
                failed.append((cutting.face, error.one_line()))
                if not path.exists():
                    manifest = manifest.without(cutting.entry.number, cutting.caption)
            else:
                if cutting.caption:
                    write_caption(path, cutting.caption)
                manifest = manifest.with_entry(cutting.entry)
            tell(events.Phase("images", done, len(cuttings)))
    return manifest, failed, len(cuttings) - len(failed)


def _cut_one(cutting: _Cutting, folder: Path) -> None:
    """One image: cut, brought to size (Lanczos), written beside its place and then moved there."""
    square = cut(cutting.face, cutting.how)
    image = square.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    image.info.clear()
    path = folder / Manifest.file_name(cutting.entry.number)
    beside = path.with_name(f".{path.stem}.{os.getpid()}.part")
    try:
        image.save(beside, format="PNG", compress_level=3)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _stamp(path: Path) -> str:
    """Changes when the photo's file does; empty while it can't be looked at."""
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"
