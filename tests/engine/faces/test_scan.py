"""A scan takes every face in, with the photo really opened, and one bad file never ends it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine import events
from engine.errors import JobError, LibraryError
from engine.faces.crop import cut, preview
from engine.faces.photo.geometry import Framing
from engine.faces.records.decisions import Decision, Face, Ledger
from engine.faces.scan import scan, start_scan
from engine.jobs.follow import follow, wait
from engine.library.photoprism_sql.library import PhotoPrismLibrary
from engine.project import Project
from tests.support.astronaut import FACE, astronaut, save
from tests.support.photoprism import Index


@dataclass
class Photos:
    """A library on disk: originals, sidecar, and the index over them."""

    folder: Path
    project: Project
    index: Index = field(default_factory=Index)

    def connect(self) -> None:
        url = self.index.to_sqlite(self.folder / "index.db")
        folders = {"library.originals": self.folder / "originals", "library.sidecar": self.folder / "sidecar"}
        self.project.change({"library.url": url, **folders})

    def faces(self) -> dict[str, Face]:
        with self.project.store() as store:
            return {f"{face.file_root} {face.file_name}": face for face in Ledger(store).faces()}


@pytest.fixture
def photos(tmp_path: Path, project: Project) -> Photos:
    (tmp_path / "library/sidecar").mkdir(parents=True)
    return Photos(tmp_path / "library", project)


def test_every_kind_of_file_becomes_a_face_with_its_reason(photos: Photos) -> None:
    originals, index = photos.folder / "originals", photos.index
    james = index.person("James")
    portrait = astronaut(width=400)
    save(originals / "a/IMG_1.jpg", portrait, orientation=6)
    save(originals / "b/IMG_1.jpg", portrait.resize((800, 1024)))
    save(photos.folder / "sidecar/c/IMG_2.heic.jpg", portrait, orientation=3)
    whole = save(originals / "cut.jpg").read_bytes()
    (originals / "cut.jpg").write_bytes(whole[:5000])
    (originals / "text.jpg").write_text("no picture" * 99)
    (originals / "empty.jpg").touch()
    for name, size in [("a/IMG_1.jpg", (400, 512)), ("b/IMG_1.jpg", (800, 1024))]:
        index.face(index.photo(name, size), james, FACE)
    index.face(index.photo("c/IMG_2.heic.jpg", (400, 512), file_root="sidecar"), james, FACE, src="")
    for name in ("cut.jpg", "text.jpg", "empty.jpg", "gone.jpg", "../index.db"):
        index.face(index.photo(name), james)
    index.face(index.photo("x.jpg", file_root="import"), james)
    index.face(index.photo("y.jpg", file_root="examples"), james)
    photos.connect()
    told: list[events.Event] = []
    report = scan(photos.project, "james", tell=told.append)
    found = photos.faces()
    assert (report.faces, report.usable, len(found)) == (10, 3, 10)
    assert {name: face.problem for name, face in found.items()} == {
        "/ a/IMG_1.jpg": None,
        "/ b/IMG_1.jpg": None,
        "sidecar c/IMG_2.heic.jpg": None,
        "/ cut.jpg": "the file is truncated",
        "/ text.jpg": "the file is not an image",
        "/ empty.jpg": "the file is empty",
        "/ gone.jpg": "the file is missing",
        "/ ../index.db": "the file's name points out of its folder",
        "import x.jpg": "the import folder is not set",
        "examples y.jpg": "the library's examples folder is not one that Limner reads",
    }
    turned, larger = found["/ a/IMG_1.jpg"], found["/ b/IMG_1.jpg"]
    assert turned.path == originals / "a/IMG_1.jpg"
    assert (turned.image_width, turned.image_height, turned.face_px) == (400, 512, 111)
    assert larger.face_px == 222
    assert (turned.confirmed, found["sidecar c/IMG_2.heic.jpg"].confirmed) == (True, False)
    assert (turned.person, turned.taken_at, turned.warning) == ("James", "2019-06-02 15:58:24", None)
    assert sum(isinstance(event, events.Warning) for event in told) == 7
    assert [event.done for event in told if isinstance(event, events.Phase)] == [0, 10]
    person = photos.project.settings.person
    assert (person.name, person.uid) == ("James", james["subj_uid"])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_face_is_cut_where_photoprism_saw_it_however_the_camera_was_held(photos: Photos, orientation: int) -> None:
    portrait = astronaut(width=400)
    save(photos.folder / "originals/turned.png", portrait, orientation)
    photos.index.face(photos.index.photo("turned.png", (400, 512)), photos.index.person("James"), FACE)
    photos.connect()
    scan(photos.project, "James")
    (face,) = photos.faces().values()
    left, top, right, bottom = (round(edge) for edge in face.box.pixels(400, 512))
    square = cut(face, Framing.BOX)
    assert square.width == bottom - top
    middle = (left + right) // 2
    expected = portrait.crop((middle - square.width // 2 - 1, top, middle + square.width // 2 + 2, bottom))
    assert square.tobytes() in {
        expected.crop((x, 0, x + square.width, square.width)).tobytes()
        for x in range(expected.width - square.width + 1)
    }
    assert preview(face, Framing.CLOSE, 40).size == (40, 40)


def test_several_faces_of_one_photo_are_all_taken_in(photos: Photos) -> None:
    save(photos.folder / "originals/mirror.jpg")
    james = photos.index.person("James")
    file = photos.index.photo("mirror.jpg")
    for place in (0.1, 0.4, 0.7):
        photos.index.face(file, james, (place, 0.2, 0.1, 0.1))
    photos.connect()
    assert scan(photos.project, "James").faces == 3


def test_a_picture_turned_since_it_was_indexed_is_doubted_and_kept(photos: Photos) -> None:
    save(photos.folder / "originals/a.jpg", astronaut(width=400))
    photos.index.face(photos.index.photo("a.jpg", (512, 400)), photos.index.person("James"))
    photos.connect()
    scan(photos.project, "James")
    (face,) = photos.faces().values()
    assert face.problem is None
    assert face.warning is not None
    assert face.warning.startswith("the picture is 400 × 512, the index says 512 × 400")


def test_a_box_outside_the_picture_is_a_problem(photos: Photos) -> None:
    save(photos.folder / "originals/a.jpg")
    photos.index.face(photos.index.photo("a.jpg"), photos.index.person("James"), (1.0, 0.5, 0.2, 0.2))
    photos.connect()
    scan(photos.project, "James")
    (face,) = photos.faces().values()
    assert face.problem == "the face box has no area inside the picture"


def test_another_scan_keeps_what_was_decided(photos: Photos) -> None:
    save(photos.folder / "originals/a.jpg")
    photos.index.face(photos.index.photo("a.jpg"), photos.index.person("James"))
    photos.connect()
    scan(photos.project, "James")
    with photos.project.store() as store:
        Ledger(store).decide([1], Decision.KEEP)
    (photos.folder / "originals/a.jpg").unlink()
    scan(photos.project, "James")
    (face,) = photos.faces().values()
    assert (face.id, face.decision, face.problem) == (1, Decision.KEEP, "the file is missing")


def test_nobody_of_that_name_leaves_the_project_as_it_was(photos: Photos) -> None:
    photos.index.face(photos.index.photo("a.jpg"), photos.index.person("James"))
    photos.connect()
    with pytest.raises(LibraryError, match=r"there is nobody in the library called Jmaes: did you mean James\?"):
        scan(photos.project, "Jmaes")
    assert photos.project.settings.person.uid is None


def test_a_scan_asked_to_stop_records_nothing(photos: Photos) -> None:
    save(photos.folder / "originals/a.jpg")
    photos.index.face(photos.index.photo("a.jpg"), photos.index.person("James"))
    photos.connect()
    assert scan(photos.project, "James", should_stop=lambda: True).stopped
    assert photos.faces() == {}


def test_a_scan_runs_as_a_job_of_its_own(photos: Photos) -> None:
    save(photos.folder / "originals/a.jpg")
    james = photos.index.person("James")
    photos.index.face(photos.index.photo("a.jpg"), james)
    photos.index.face(photos.index.photo("gone.jpg"), james)
    photos.connect()
    job = start_scan(photos.project, "james", password="not on disk")
    kinds = [entry.event for entry in follow(job)]
    assert kinds[-1] == events.Job(events.JobState.DONE)
    assert events.Phase("faces", 2, 2) in kinds
    (warning,) = [event for event in kinds if isinstance(event, events.Warning)]
    assert warning.message == "the file is missing"
    assert warning.subject == str(photos.folder / "originals/gone.jpg")
    assert len(photos.faces()) == 2
    assert json.loads((job.path / "job.json").read_text())["args"] == {"person": "james"}
    everything = b"".join(path.read_bytes() for path in photos.project.root.rglob("*") if path.is_file())
    assert b"not on disk" not in everything
    assert "LIMNER_DB_PASSWORD" not in os.environ


def test_a_scan_that_fails_says_why_in_its_log(photos: Photos) -> None:
    photos.connect()
    with pytest.raises(JobError, match="there is nobody in the library called James: list them with"):
        wait(start_scan(photos.project, "James"))


def test_a_connection_that_others_can_read_is_told_once(photos: Photos, monkeypatch: pytest.MonkeyPatch) -> None:
    caution = "the connection to nas:3306 is not encrypted: others on the network can read it"
    monkeypatch.setattr(PhotoPrismLibrary, "cautions", lambda _: (caution,))
    save(photos.folder / "originals/a.jpg", astronaut(width=200))
    photos.index.face(photos.index.photo("a.jpg", (200, 256)), photos.index.person("James"), FACE)
    photos.connect()
    told: list[events.Event] = []
    scan(photos.project, "james", tell=told.append)
    assert [each.message for each in told if isinstance(each, events.Warning)] == [caution]
