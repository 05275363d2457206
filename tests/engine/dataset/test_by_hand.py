"""What somebody changed in the dataset's folder stays, is told, and goes only when that is asked for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from engine import events
from engine.dataset.build import BuildReport, build
from engine.dataset.captions.journal import CaptionJournal
from engine.dataset.files.layout import DatasetFolder
from engine.faces.photo.geometry import Framing
from engine.faces.records.decisions import Decision, Ledger
from engine.faces.records.measurement_store import MeasuredFaces, stamp_of
from engine.faces.records.measurements import FaceQuality
from engine.project import Project
from tests.support.astronaut import astronaut
from tests.support.rows import usual


def image(project: Project, name: str = "0001") -> Path:
    return DatasetFolder(project).path / f"{name}.png"


def told(project: Project, framing: Framing | None = Framing.CLOSE, overwrite: bool = False) -> tuple[BuildReport, str]:
    heard: list[events.Event] = []
    report = build(project, framing, heard.append, overwrite)
    return report, "\n".join(each.message for each in heard if isinstance(each, events.Warning))


def retouched(path: Path) -> bytes:
    with Image.open(path) as opened:
        opened.load()
        ImageOps.grayscale(opened).convert("RGB").save(path)
    return path.read_bytes()


def cropped(path: Path) -> bytes:
    with Image.open(path) as opened:
        opened.crop((100, 100, 900, 900)).save(path)
    return path.read_bytes()


def saved_anew(path: Path) -> bytes:
    with Image.open(path) as opened:
        opened.load()
        opened.save(path, compress_level=9)
    return path.read_bytes()


@pytest.mark.parametrize("change", usual([retouched, cropped, saved_anew], 1))
@pytest.mark.parametrize("framing", usual([Framing.CLOSE, Framing.HALF], 1))
def test_an_image_changed_by_hand_stays_until_it_is_overwritten(
    built: Project, change: Callable[[Path], bytes], framing: Framing
) -> None:
    original, own = image(built).read_bytes(), change(image(built))
    for _ in range(2):
        report, words = told(built, framing)
        assert image(built).read_bytes() == own
        assert report.by_hand == ("0001.png",)
        assert "changed by hand, left unchanged: 0001.png; limner dataset build --overwrite replaces them" in words
    report, words = told(built, Framing.CLOSE, overwrite=True)
    assert image(built).read_bytes() == original
    assert (report.by_hand, words) == ((), "")
    assert told(built)[0].cut == 0, "and what was written is known"


def test_a_damaged_image_is_nobodys_work_and_is_cut_again(built: Project) -> None:
    original = image(built).read_bytes()
    image(built).write_bytes(original[:4000])
    assert told(built)[0].by_hand == ()
    assert image(built).read_bytes() == original


def test_a_retouched_image_comes_back_with_its_face(built: Project) -> None:
    own = retouched(image(built))
    with built.store() as store:
        Ledger(store).decide([1], Decision.REJECT)
    assert told(built)[0].removed == 1
    assert not image(built).exists()
    assert (built.dataset / "set aside/0001.png").read_bytes() == own
    assert DatasetFolder(built).path == image(built).parent
    with built.store() as store:
        Ledger(store).undo()
    assert told(built)[0].by_hand == ("0001.png",)
    assert image(built).read_bytes() == own
    assert not (built.dataset / "set aside/0001.png").exists()


def as_before_hashes(project: Project) -> None:
    """The manifest as a Limner left it that remembered no hashes."""
    path = project.dataset / "manifest.json"
    record = json.loads(path.read_text())
    for each in record["images"]:
        for name in ("content", "image_hash", "caption_hash"):
            del each[name]
    path.write_text(json.dumps(record))


def test_images_of_an_older_limner_are_cut_anew_only_if_they_are_its_own(built: Project) -> None:
    as_before_hashes(built)
    own = retouched(image(built, "0002"))
    assert told(built)[0].cut == 0
    as_before_hashes(built)
    report, _ = told(built, Framing.HALF)
    assert (report.cut, report.by_hand) == (2, ("0002.png",))
    assert image(built, "0002").read_bytes() == own


def test_a_moved_photo_is_not_cut_again(built: Project, tmp_path: Path) -> None:
    shutil.copy(tmp_path / "photos/a.jpg", tmp_path / "elsewhere.jpg")
    with built.store() as store:
        faces = [replace(face, path=tmp_path / "elsewhere.jpg") for face in Ledger(store).faces()]
        Ledger(store).record("js1", faces)
    (tmp_path / "photos/a.jpg").unlink()
    assert told(built)[0].cut == 0


def test_captions_edited_elsewhere_stay_and_overwriting_can_be_taken_back(built: Project) -> None:
    caption = image(built).with_suffix(".txt")
    template = caption.read_bytes()
    with built.store() as store:
        CaptionJournal(store, DatasetFolder(built)).write({"0002.png": "jx265, man, in Limner"}, "edit")
    caption.write_bytes(b"jx265, man, elsewhere\nsecond\n")
    with built.store() as store:
        # What Limner changed and took back is as little its own.
        journal = CaptionJournal(store, DatasetFolder(built))
        journal.write({"0001.png": "jx265, man, both"}, "edit")
        journal.undo()
    report, words = told(built)
    assert report.by_hand == ("0001.txt",)
    assert "0001.txt" in words
    report, _ = told(built, overwrite=True)
    assert report.by_hand == ()
    assert caption.read_bytes() == template + b"second\n"
    assert image(built, "0002").with_suffix(".txt").read_bytes() == b"jx265, man, in Limner\n"
    with built.store() as store:
        CaptionJournal(store, DatasetFolder(built)).undo()
    assert caption.read_bytes() == b"jx265, man, elsewhere\nsecond\n"


@pytest.fixture
def turned(built: Project, tmp_path: Path) -> Project:
    """The photo of all three faces was turned by 180° in its place after it was indexed; the images are to be cut."""
    with built.store() as store:
        faces = [replace(face, file_hash="0" * 40) for face in Ledger(store).faces()]
        Ledger(store).record("js1", faces)
    astronaut().rotate(180).save(tmp_path / "photos/a.jpg")
    return built


def look(project: Project, yaw: float | None) -> None:
    """As our own detector sees the faces' boxes, or not."""
    with project.store() as store:
        faces = Ledger(store).faces()
        sights = [
            (f.marker_uid, stamp_of(f.path, f.box), FaceQuality(50, 90, 45, 0, 0, 1, 1, yaw)) for f in faces if f.path
        ]
        MeasuredFaces(store).save(sights)


def test_a_photo_turned_after_it_was_indexed_is_not_cut_silently(turned: Project) -> None:
    before = image(turned).read_bytes()
    look(turned, None)
    report, words = told(turned)
    assert report.cut == 0
    assert {reason for _, reason in report.skipped} == {
        "its photo was changed after it was indexed, and no face is where the index says: index it again"
    }
    assert "face 1 is skipped" in words
    assert image(turned).read_bytes() == before
    look(turned, 3.0)
    report, words = told(turned)
    assert (report.cut, report.skipped, words) == (3, (), ""), "a face is there: the photo was edited, not turned"


def test_a_changed_photo_that_nobody_looked_at_is_told(turned: Project) -> None:
    report, words = told(turned)
    assert report.cut == 3
    assert "face 1: its photo was changed after it was indexed, its box may be wrong" in words
