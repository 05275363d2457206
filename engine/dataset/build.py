"""Building the dataset: kept faces become 1024 × 1024 images, upright, without metadata, each with a caption."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from engine import events
from engine.dataset.build_plan import Cutting, Plan, doubts_of, put_caption
from engine.dataset.captions.journal import CaptionJournal
from engine.dataset.captions.template import caption, overwrite_captions, written_elsewhere
from engine.dataset.files.caption_file import caption_path, read_bytes
from engine.dataset.files.hand_edits import SIDE, hash_of, image_is_somebodys, put_aside
from engine.dataset.files.image_faces import faces_of
from engine.dataset.files.layout import DatasetFolder, TrainingImage, read_caption
from engine.dataset.files.manifest import Manifest
from engine.errors import DatasetError, LimnerError
from engine.faces.crop import cut
from engine.faces.photo.geometry import Framing
from engine.faces.records.decisions import Decision, Face, Ledger
from engine.project import Project
from engine.storage.file_locks import file_lock

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
    by_hand: tuple[str, ...] = ()
    """Images and captions that somebody changed by hand and that stay, by their files' names."""
    gone: int = 0
    """Images that stay though their faces are gone from the library: they are kept faces still."""

    @property
    def upscaled(self) -> int:
        """How many images have more pixels than their photo gave."""
        return sum(image.upscaled for image in self.images)


def build(
    project: Project, framing: Framing | None = None, tell: Tell | None = None, overwrite: bool = False
) -> BuildReport:
    """Brings the dataset in line with the kept faces.

    Every face keeps its number, so that captions edited by hand stay with their image. What somebody changed in the
    folder stays, a retouched image too. Images of faces no longer
    kept are taken out and their captions remembered; images that somebody added are left alone. A kept face whose
    photo can't be opened is skipped, and an image made of it earlier stays; so does one whose face is gone from the
    library. It can be killed at any instant and run again.

    Args:
        project: the project.
        framing: how much of the person all images show; left out: each face as it was chosen or cropped by hand, else
            as its photo gives it best.
        tell: gets ``phase`` events named ``images`` and a ``warning`` for every face skipped, and for what was changed
            by hand.
        overwrite: replace also images and captions that somebody changed by hand; the captions can be taken back.

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
        with file_lock(folder.root):
            manifest = _settle_folder(project, folder)
            manifest = _with_faces(manifest, faces, markers)
            manifest, removed = _take_out(folder, manifest, {face.marker_uid for face in kept})
            plan = Plan(folder, manifest, doubts_of(project), framing, overwrite)
            for face in sorted(kept, key=lambda face: face.id):
                plan.add(face)
            folder.save_manifest(plan.manifest)
            manifest, failed, made = _cut_all(folder, plan.manifest, plan.cuttings, tell)
            folder.save_manifest(manifest)
            caption(project)
            by_hand = plan.by_hand + _hand_written(project, overwrite)
    except OSError as error:
        raise DatasetError(
            f"the dataset can't be written ({error.strerror or error})", f"check {folder.root} and the disk's space"
        ) from error
    skipped = plan.skipped + failed
    for words in plan.told:
        tell(events.Warning(words))
    if by_hand:
        names = ", ".join(by_hand)
        tell(
            events.Warning(f"changed by hand, left unchanged: {names}; limner dataset build --overwrite replaces them")
        )
    for face, reason in skipped:
        tell(events.Warning(f"face {face.id} is skipped: {reason}", subject=str(face.path or face.file_name)))
    left = sum(face.gone and manifest.of(face.marker_uid) is not None for face in kept)
    if left:
        are = "1 image stays though its face is" if left == 1 else f"{left} images stay though their faces are"
        tell(
            events.Warning(
                f"{are} gone from the library: see limner faces list is:gone, reject those that you don't want"
            )
        )
    images = tuple(folder.images())
    return BuildReport(folder.path, images, made, removed, tuple(skipped), by_hand=by_hand, gone=left)


def _hand_written(project: Project, overwrite: bool) -> tuple[str, ...]:
    """The files of captions that were written by other means than Limner, and that stay."""
    found = written_elsewhere(project)
    if overwrite:
        overwrite_captions(project, found)
        return ()
    return tuple(caption_path(Path(name)).name for name in found)


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
        new = (person.trigger, person.class_word)
        captions = {image.name: _reworded(read_caption(image), old, new) for image in folder.image_paths()}
        with project.store() as store:
            journal = CaptionJournal(store, folder)
            label = f"{' '.join(old)} to {' '.join(new)}"
            journal.write({name: line for name, line in captions.items() if line}, label)
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
    aside = tuple(replace(each, marker=now(each.marker)) for each in manifest.aside)
    return replace(manifest, entries=entries, aside=aside)


def _take_out(folder: DatasetFolder, manifest: Manifest, kept: set[str]) -> tuple[Manifest, int]:
    """Removes the images of faces that are not kept; their captions are saved before anything is deleted."""
    gone = [entry for entry in manifest.entries if entry.marker not in kept]
    for entry in gone:
        image = folder.path / manifest.file_name(entry.number)
        if image_is_somebodys(image, entry):
            put_aside(image)
        manifest = manifest.without(entry.number, read_caption(image), read_bytes(image))
    folder.save_manifest(manifest)
    # Numbers are never used twice, so all that lies under one set aside is ours, also what a killed build left.
    for each in manifest.aside:
        path = folder.path / manifest.file_name(each.number)
        path.unlink(missing_ok=True)
        caption_path(path).unlink(missing_ok=True)
    return manifest, len(gone)


def _cut_all(
    folder: DatasetFolder, manifest: Manifest, cuttings: list[Cutting], tell: Tell
) -> tuple[Manifest, list[tuple[Face, str]], int]:
    """Cuts the images, a few at a time (Pillow works outside Python's lock), and brings own captions back."""
    failed: list[tuple[Face, str]] = []
    tell(events.Phase("images", 0, len(cuttings)))
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        jobs = [pool.submit(_cut_one, cutting, folder.path) for cutting in cuttings]
        for done, (cutting, job) in enumerate(zip(cuttings, jobs, strict=True), start=1):
            path = folder.path / manifest.file_name(cutting.entry.number)
            try:
                written = job.result()
            except LimnerError as error:
                failed.append((cutting.face, error.one_line()))
                if not path.exists():
                    aside = cutting.before
                    manifest = manifest.without(cutting.entry.number, aside.caption if aside else "")
                    if aside is not None:
                        others = (each for each in manifest.aside if each.marker != aside.marker)
                        manifest = replace(manifest, aside=(*others, aside))
            else:
                put_caption(path, cutting.before)
                manifest = manifest.with_entry(replace(cutting.entry, image_hash=written))
            tell(events.Phase("images", done, len(cuttings)))
    return manifest, failed, len(cuttings) - len(failed)


def _cut_one(cutting: Cutting, folder: Path) -> str:
    """One image: cut, brought to size (Lanczos), written beside its place and then moved there. Its hash."""
    square = cut(cutting.face, cutting.how)
    image = square.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    image.info.clear()
    path = folder / Manifest.file_name(cutting.entry.number)
    beside = path.with_name(f".{path.stem}.{os.getpid()}.part")
    try:
        image.save(beside, format="PNG", compress_level=3)
        written = hash_of(beside.read_bytes())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return written
