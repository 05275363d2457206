"""Which images a build cuts, and which it leaves as they are."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.dataset.files.caption_file import put_bytes
from engine.dataset.files.hand_edits import SIDE, SOMEBODYS, file_stamp, image_is_ours, image_is_somebodys, place_aside
from engine.dataset.files.layout import DatasetFolder, write_caption
from engine.dataset.files.manifest import Aside, Entry, Manifest
from engine.faces.crop import crop_of
from engine.faces.framing import cut_of
from engine.faces.photo.geometry import Cut, Framing
from engine.faces.photo.loading import BrokenImage, open_header, read_header
from engine.faces.records.decisions import Face
from engine.faces.records.measurement_store import MeasuredFaces, stamp_of
from engine.library.file_hash import content_of
from engine.project import Project


@dataclass(frozen=True)
class Cutting:
    """One image to make."""

    face: Face
    how: Cut
    entry: Entry
    before: Aside | None
    """What was written about this face before."""


def doubts_of(project: Project) -> Callable[[Face], bool | None]:
    """Whether our own detector saw a face in a face's box on its photo as it is now; None where nobody looked."""
    with project.store() as store:
        stamps = MeasuredFaces(store).stamps()

    def seen(face: Face) -> bool | None:
        quality = face.measures.quality
        if quality is None or face.path is None or stamps.get(face.marker_uid) != stamp_of(face.path, face.box):
            return None
        return quality.yaw is not None

    return seen


@dataclass
class Plan:
    """Which images are to be cut. The manifest names them all before the first is written."""

    folder: DatasetFolder
    manifest: Manifest
    seen: Callable[[Face], bool | None]
    framing: Framing | None
    overwrite: bool
    cuttings: list[Cutting] = field(default_factory=list)
    skipped: list[tuple[Face, str]] = field(default_factory=list)
    by_hand: tuple[str, ...] = ()
    told: list[str] = field(default_factory=list)

    def add(self, face: Face) -> None:
        """Takes in a kept face."""
        before = self.manifest.of(face.marker_uid)
        if face.gone:
            if before is None:
                self.skipped.append((face, "it is gone from the library"))
            return
        how = Cut(self.framing) if self.framing else cut_of(face)
        crop = crop_of(face, how)
        if crop is None or face.path is None or not face.image_height:
            self.skipped.append((face, face.problem or "its box has no area inside the picture"))
            return
        entry = Entry(
            number=before.number if before else 0,
            face=face.id,
            marker=face.marker_uid,
            framing=how.framing.value,
            crop=(crop.left, crop.top, crop.side),
            face_share=round(face.box.clamped().h * face.image_height / crop.side, 4),
            source=str(face.path),
            stamp=file_stamp(face.path),
            template=before.template if before else "",
            content=content_of(face.path),
            image_hash=before.image_hash if before else "",
            caption_hash=before.caption_hash if before else "",
        )
        if before is not None and before.content and not entry.content:
            # The photo is not there: its image stays.
            entry = replace(entry, content=before.content)
        if self._keep(before, entry) or not self._still_right(face, entry):
            return
        aside = None
        if before is None:
            self.manifest, aside = self.manifest.take_back(face.marker_uid)
            entry = replace(entry, number=aside.number if aside else _free_number(self.folder, self.manifest))
            if aside is not None and self._back(entry, aside):
                return
        if caution := _caution(face.path):
            self.told.append(f"face {face.id}: {caution}")
        self.cuttings.append(Cutting(face, how, entry, aside))
        # Without a stamp it is cut again, should this build be killed before it is done.
        self.manifest = self.manifest.with_entry(replace(before or entry, stamp=""))

    def _keep(self, before: Entry | None, entry: Entry) -> bool:
        """Whether an image that is there stays: it is what would be cut, or somebody changed it."""
        if before is None:
            return False
        image = self.folder.path / self.manifest.file_name(before.number)
        same = before.same_cut(entry)
        if same and not before.image_hash and _sound(image) and not self.overwrite:
            # An older Limner cut it; what it lacks is known from now on.
            self.manifest = self.manifest.with_entry(entry)
            return True
        if not self.overwrite and image_is_somebodys(image, before):
            self.by_hand += (image.name,)
            return True
        if same and image_is_ours(image, before):
            # The photo may lie elsewhere now.
            self.manifest = self.manifest.with_entry(entry)
            return True
        return False

    def _still_right(self, face: Face, entry: Entry) -> bool:
        """Whether the photo is the one that the library knows, or a face is where the library says."""
        if not face.file_hash or entry.content in ("", face.file_hash):
            return True
        seen = self.seen(face)
        if seen is False:
            reason = "its photo was changed after it was indexed, and no face is where the index says: index it again"
            self.skipped.append((face, reason))
            return False
        if seen is None:
            self.told.append(
                f"face {face.id}: its photo was changed after it was indexed, its box may be wrong:"
                " check the image, or run limner faces measure"
            )
        return True

    def _back(self, entry: Entry, aside: Aside) -> bool:
        """Brings a retouched image back whose face is kept again; whether there was one."""
        image = self.folder.path / self.manifest.file_name(entry.number)
        if not place_aside(image).is_file():
            return False
        os.replace(place_aside(image), image)
        put_caption(image, aside)
        self.manifest = self.manifest.with_entry(replace(entry, image_hash=SOMEBODYS))
        self.by_hand += (image.name,)
        return True


def put_caption(image: Path, aside: Aside | None) -> None:
    """What was written about a face before stands beside its image again."""
    if aside is not None and aside.file is not None:
        put_bytes(image, aside.file)
    elif aside is not None and aside.caption:
        write_caption(image, aside.caption)


def _caution(photo: Path) -> str | None:
    try:
        return read_header(photo).caution
    except BrokenImage:
        # Told when it is cut.
        return None


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
