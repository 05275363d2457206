"""A face is the same one, whatever the library calls it: no decision, crop, image or caption is lost."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine import events
from engine.dataset.build import build
from engine.dataset.captions.image_facts import known_images
from engine.dataset.captions.journal import CaptionJournal
from engine.dataset.files.layout import DatasetFolder
from engine.faces.folder_scan import index as look
from engine.faces.photo.geometry import Box, Cut, Framing
from engine.faces.records.decisions import Decision, Face, Ledger
from engine.faces.records.moved_faces import Place, same_faces
from engine.faces.scan import ScanReport, scan
from engine.faces.selection.face_table import FaceColumns
from engine.faces.selection.filter import select
from engine.library.folder.library import FolderLibrary
from engine.library.registry import connect
from engine.project import Project, create_project
from tests.support.astronaut import FACE, astronaut, save
from tests.support.old_projects import unpack
from tests.support.photoprism import Index
from tests.support.rows import usual

CUT = Cut(Framing.HALF, 0.05, 0.0, 1.2)


@dataclass
class Prism:
    """A PhotoPrism library that can be set up anew, and a project on it."""

    here: Path
    project: Project
    index: Index = field(default_factory=Index)

    def photo(
        self, name: str, width: int, person: dict[str, object] | None = None, **more: object
    ) -> dict[str, object]:
        """A photo with the astronaut's face on it, and its row."""
        path = save(self.here / "originals" / name, astronaut(width=width))
        content = hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()
        row = self.index.photo(name, (width, 512), file_hash=content, file_size=path.stat().st_size, **more)
        if person is not None:
            self.index.face(row, person, (FACE[0] * 512 / width, FACE[1], FACE[2] * 512 / width, FACE[3]))
        return row

    def scan(self, person: str = "James", told: list[events.Event] | None = None) -> ScanReport:
        """Writes the index as it is now, and scans."""
        (self.here / "index.db").unlink(missing_ok=True)
        url = self.index.to_sqlite(self.here / "index.db")
        self.project.change({"library.url": url, "library.originals": self.here / "originals"})
        return scan(self.project, person, tell=(told if told is not None else []).append)

    def faces(self, gone: bool = False) -> dict[int, Face]:
        with self.project.store() as store:
            return {face.id: face for face in Ledger(store).faces(self.project.settings.person.uid, gone)}

    def decide(self, *ids: int, decision: Decision = Decision.KEEP) -> None:
        with self.project.store() as store:
            Ledger(store).decide(ids, decision)

    def undo(self) -> str:
        with self.project.store() as store:
            action = Ledger(store).undo()
        assert action is not None
        return action.label

    def captions(self) -> dict[str, str]:
        return {image.path.name: image.caption for image in DatasetFolder(self.project).images()}


@pytest.fixture
def prism(tmp_path: Path, project: Project) -> Prism:
    """Six photos of James: three kept, one rejected, one cropped by hand, images with captions of one's own."""
    found = Prism(tmp_path / "library", project)
    james = found.index.person("James")
    for number in range(6):
        found.photo(f"2019/IMG_{number}.jpg", 400 + 16 * number, james)
    found.scan()
    found.decide(1, 2, 3)
    found.decide(4, decision=Decision.REJECT)
    with project.store() as store:
        Ledger(store).cut(2, CUT)
    build(project)
    with project.store() as store:
        CaptionJournal(store, DatasetFolder(project)).write({"0002.png": "jx265, man, by hand"}, "set")
    return found


def faces_reset(index: Index) -> None:
    """PhotoPrism's ``faces reset``: all faces are found anew, a little elsewhere, under other marker ids."""
    for number, row in enumerate(index.rows["markers"]):
        row |= {"marker_uid": f"mz{number:06d}", "x": row["x"] + 0.004, "w": row["w"] * 1.03}


def full_reset(index: Index) -> None:
    """``photoprism reset`` and a new index: nobody and nothing has the id that it had."""
    for number, row in enumerate(index.rows["markers"]):
        row |= {name: row[name].replace("s0", "z0", 1) for name in ("subj_uid", "file_uid")}
        row |= {"marker_uid": f"mz{number:06d}", "y": row["y"] + 0.005}
    for table, names in {"subjects": ["subj_uid"], "photos": ["photo_uid"], "files": ["file_uid"]}.items():
        for row in index.rows[table]:
            row |= {name: row[name].replace("s0", "z0", 1) for name in names}


@pytest.mark.parametrize("reset", [faces_reset, full_reset])
@pytest.mark.parametrize("by", usual(["uid", "name"], 1))
def test_a_reset_library_loses_no_decision_crop_image_or_caption(
    prism: Prism, reset: Callable[[Index], None], by: str
) -> None:
    before, captions = prism.faces(), prism.captions()
    images = {path.name: path.read_bytes() for path in DatasetFolder(prism.project).image_paths()}
    with prism.project.store() as store:
        store.connection.execute(
            "INSERT INTO photo_words VALUES (?, ?, '')", (before[1].photo_uid, json.dumps(["Lake"]))
        )
    reset(prism.index)
    told: list[events.Event] = []
    report = prism.scan(prism.project.settings.person.uid or "" if by == "uid" else "James", told)
    after = prism.faces()
    assert (report.faces, report.moved, report.gone) == (6, 4, 0)
    assert any(isinstance(each, events.Warning) and "4 faces have other ids" in each.message for each in told)
    assert {number: (face.decision, face.cut) for number, face in after.items()} == {
        number: (face.decision, face.cut) for number, face in before.items()
    }
    assert not {face.marker_uid for face in before.values()} & {face.marker_uid for face in after.values()}
    manifest = DatasetFolder(prism.project).manifest()
    assert known_images(prism.project, manifest)["0001.png"].labels == ("Lake",), "also before it is built again"
    built = build(prism.project)
    assert (len(built.images), built.removed, built.skipped) == (3, 0, ())
    assert prism.captions()["0002.png"] == captions["0002.png"] == "jx265, man, by hand"
    assert set(images) == {image.path.name for image in built.images}
    assert [image.face_id for image in built.images] == [1, 2, 3]


def test_an_undo_takes_a_move_back_and_it_is_not_made_again(prism: Prism) -> None:
    faces_reset(prism.index)
    prism.scan()
    build(prism.project)
    assert prism.undo() == "move 4 faces"
    assert [face.decision for face in prism.faces().values()] == [Decision.UNDECIDED] * 6
    gone = [face for face in prism.faces(gone=True).values() if face.gone]
    assert [(face.id, face.decision) for face in gone] == [(1, "keep"), (2, "keep"), (3, "keep"), (4, "reject")]
    report = prism.scan()
    assert (report.moved, report.gone) == (0, 4)
    built = build(prism.project)
    assert (len(built.images), built.removed, built.gone) == (3, 0, 3)
    assert prism.captions()["0002.png"] == "jx265, man, by hand"
    with prism.project.store() as store:
        redone = Ledger(store).redo()
    assert redone is not None
    assert redone.label == "move 4 faces"
    assert [face.decision for face in prism.faces().values()].count(Decision.KEEP) == 3
    assert len(prism.faces(gone=True)) == 6
    assert prism.scan().moved == 0
    assert [prism.undo() for _ in range(4)] == ["move 4 faces", "crop 2", "reject 4", "keep 3 faces"]


@pytest.mark.long
def test_what_an_earlier_scan_lost_is_found_again(prism: Prism) -> None:
    with prism.project.store() as store:
        # As a Limner left it that knew faces by their markers alone: the faces twice, the old ones gone.
        store.connection.execute("UPDATE faces SET gone = 1, file_hash = NULL")
        store.connection.execute("UPDATE faces SET marker_uid = 'old' || marker_uid")
        for number, row in enumerate(store.rows("SELECT * FROM faces"), start=20):
            values = {**dict(row), "id": number, "marker_uid": row["marker_uid"].removeprefix("old"), "gone": 0}
            values |= {"decision": "undecided", "cut": None}
            marks = ", ".join("?" * len(values))
            store.connection.execute(f"INSERT INTO faces ({', '.join(values)}) VALUES ({marks})", list(values.values()))
    assert prism.scan().moved == 4
    assert [(face.id, face.decision) for face in prism.faces().values()][:4] == [
        (1, "keep"),
        (2, "keep"),
        (3, "keep"),
        (4, "reject"),
    ]


def test_a_face_that_is_gone_keeps_its_decision_and_its_image(prism: Prism) -> None:
    photos = prism.index.rows["photos"]
    photos[1]["deleted_at"] = photos[3]["deleted_at"] = photos[5]["deleted_at"] = "2026-01-01 00:00:00"
    heard: list[events.Event] = []
    report = prism.scan(told=heard)
    assert (report.faces, report.gone) == (3, 2)
    last = [each for each in heard if isinstance(each, events.Warning)][-1]
    assert last.message == "2 decided faces are gone from the library: their decisions are kept"
    faces = list(prism.faces(gone=True).values())
    assert [face.id for face in select(faces, "")] == [1, 3, 5]
    assert [face.id for face in select(faces, "is:gone")] == [2, 4]
    assert [face.id for face in select(faces, "is:gone is:keep")] == [2]
    assert [face.id for face in select(faces, "@lost", {"lost": "is:gone"})] == [2, 4]
    said: list[events.Event] = []
    built = build(prism.project, tell=said.append)
    assert (len(built.images), built.removed, built.gone) == (3, 0, 1)
    assert any(
        isinstance(each, events.Warning) and "1 image stays though its face is gone" in each.message for each in said
    )
    prism.decide(2, decision=Decision.REJECT)
    assert build(prism.project).removed == 1
    for row in photos:
        row.pop("deleted_at", None)
    assert prism.scan().gone == 0
    assert prism.faces()[2].decision is Decision.REJECT


@pytest.mark.long
def test_a_face_that_became_somebody_elses_is_not_taken_for_its_neighbour(prism: Prism) -> None:
    bob = prism.index.person("Bob")
    row = next(each for each in prism.index.rows["markers"] if each["marker_uid"] == prism.faces()[1].marker_uid)
    file = next(each for each in prism.index.rows["files"] if each["file_uid"] == row["file_uid"])
    james = prism.index.rows["subjects"][0]
    row["subj_uid"] = bob["subj_uid"]
    prism.index.face(file, james, (0.02, 0.6, 0.1, 0.1))
    prism.scan()
    new = next(face for face in prism.faces().values() if face.file_name == file["file_name"])
    assert (new.id != 1, new.decision) == (True, Decision.UNDECIDED)
    # … nor where all markers are new.
    faces_reset(prism.index)
    prism.scan()
    new = next(face for face in prism.faces().values() if face.file_name == file["file_name"])
    assert new.decision is Decision.UNDECIDED


def test_a_face_found_elsewhere_on_the_same_content_is_known(prism: Prism) -> None:
    faces_reset(prism.index)
    for row in prism.index.rows["markers"]:
        row |= {"x": 0.01, "y": 0.7, "w": 0.05, "h": 0.05}
    assert prism.scan().moved == 4


@pytest.mark.long
def test_another_photo_of_the_same_name_is_another_face(prism: Prism) -> None:
    faces_reset(prism.index)
    for photo, file in zip(prism.index.rows["photos"], prism.index.rows["files"], strict=True):
        photo["taken_at"] = "2024-01-01 10:00:00"
        file["file_hash"] = "f" + file["file_hash"][1:]
    report = prism.scan()
    assert (report.moved, report.gone) == (0, 4)


def test_a_photo_that_was_moved_and_indexed_anew_is_the_same(prism: Prism) -> None:
    full_reset(prism.index)
    (prism.here / "originals/2019").rename(prism.here / "originals/holidays")
    for row in prism.index.rows["files"]:
        row["file_name"] = row["file_name"].replace("2019/", "holidays/")
    assert prism.scan().moved == 4
    assert build(prism.project).removed == 0
    assert {face.file_name.partition("/")[0] for face in prism.faces().values()} == {"holidays"}


def test_a_person_twice_on_one_photo_is_told_until_one_is_decided(tmp_path: Path, project: Project) -> None:
    from engine.faces.selection.pick import pick

    prism = Prism(tmp_path / "library", project)
    james = prism.index.person("James")
    twice = prism.photo("mirror.jpg", 512, james)
    prism.index.face(twice, james, (0.7, 0.1, 0.2, 0.2))
    prism.photo("alone.jpg", 500, james)
    prism.scan()

    def flagged() -> list[int]:
        return [face.id for face in select(prism.faces().values(), "is:twice")]

    both = flagged()
    assert len(both) == 2
    assert [each.face.id for each in pick(list(prism.faces().values()), 3)] == [({1, 2, 3} - set(both)).pop()]
    columns = FaceColumns(list(prism.faces().values()))
    prism.decide(both[0], decision=Decision.REJECT)
    assert flagged() == []
    with project.store() as store:
        changed = columns.update(Ledger(store).face(both[0]))
    assert changed
    assert not columns.states["twice"].any(), "the app's columns follow key by key"
    prism.undo()
    assert flagged() == both


@pytest.mark.long
def test_a_photo_turned_by_180_degrees_since_is_doubted(prism: Prism) -> None:
    path = prism.here / "originals/2019/IMG_1.jpg"
    with Image.open(path) as opened:
        opened.transpose(Image.Transpose.ROTATE_180).save(path, quality=90)
    prism.scan()
    doubts = {face.file_name: face.warning for face in prism.faces().values() if face.warning}
    assert list(doubts) == ["2019/IMG_1.jpg"]
    assert "bytes, the index says" in (doubts["2019/IMG_1.jpg"] or "")
    assert [face.file_name for face in select(prism.faces().values(), "is:doubtful")] == ["2019/IMG_1.jpg"]


def place(marker: str, content: str, name: str, x: float = 0.1) -> Place:
    return Place(marker, content, ("/", name), Box(x, 0.1, 0.2, 0.2))


def test_copies_of_one_file_keep_each_its_own_decision() -> None:
    before = [place("a", "c1", "one.jpg"), place("b", "c1", "two.jpg"), place("c", "c1", "one.jpg", 0.6)]
    now = [place("z", "c1", "one.jpg", 0.6), place("y", "c1", "two.jpg"), place("x", "c1", "one.jpg")]
    assert same_faces(before, now) == {"a": "x", "b": "y", "c": "z"}


places = st.builds(
    lambda number, content, name, x: (number, content, name, x),
    st.integers(0, 99),
    st.sampled_from(["", "c1", "c2"]),
    st.sampled_from(["one.jpg", "two.jpg"]),
    st.floats(0, 0.8),
)


@given(st.lists(places, max_size=8), st.lists(places, max_size=8))
def test_no_face_is_taken_for_two_and_no_content_for_another(
    old: list[tuple[int, str, str, float]], new: list[tuple[int, str, str, float]]
) -> None:
    before = {f"b{n}": place(f"b{n}", *rest) for n, (_, *rest) in enumerate(old)}
    now = {f"n{n}": place(f"n{n}", *rest) for n, (_, *rest) in enumerate(new)}
    pairs = same_faces(list(before.values()), list(now.values()))
    assert len(set(pairs.values())) == len(pairs)
    for one, other in pairs.items():
        contents = {before[one].file_hash, now[other].file_hash} - {""}
        assert len(contents) <= 1


# A plain folder.


@dataclass
class Plain:
    """A plain folder with photos, and a project on it: Eileen is named, two faces are kept, one is cropped."""

    photos: Path
    project: Project

    def look(self, folder: Path | None = None) -> int:
        """Connects, looks and scans; how many photos had to be looked at."""
        self.project.change({"library.url": f"folder://{folder or self.photos}"})
        seen = look(self.project).seen
        scan(self.project, self.project.settings.person.uid or "person 1")
        return seen

    def faces(self) -> dict[int, Face]:
        with self.project.store() as store:
            return {face.id: face for face in Ledger(store).faces(self.project.settings.person.uid)}

    def people(self) -> list[tuple[str, int]]:
        with connect(self.project.settings.library, None, self.project.root) as library:
            return [(person.name, person.faces) for person in library.people()]


@pytest.fixture
def plain(tmp_path: Path, project: Project) -> Plain:
    found = Plain(tmp_path / "photos", project)
    for number in range(3):
        save(found.photos / f"a/IMG_{number}.jpg", astronaut(width=400 + 16 * number))
    found.look()
    with connect(project.settings.library, None, project.root) as library:
        assert isinstance(library, FolderLibrary)
        library.rename("person 1", "Eileen")
    found.look()
    with project.store() as store:
        ledger = Ledger(store)
        ledger.decide([1, 2], Decision.KEEP)
        ledger.cut(2, CUT)
    build(project)
    return found


def assert_nothing_lost(plain: Plain, cut: Cut = CUT) -> None:
    faces = plain.faces()
    assert [(face.id, face.decision, face.cut) for face in sorted(faces.values(), key=lambda face: face.id)] == [
        (1, "keep", None),
        (2, "keep", cut),
        (3, "undecided", None),
    ]
    assert all(face.path and face.path.is_file() for face in faces.values())
    assert plain.people() == [("Eileen", 3)]
    assert build(plain.project).removed == 0


def test_renamed_photos_and_folders_are_the_same_faces(plain: Plain) -> None:
    (plain.photos / "a").rename(plain.photos / "2019 holidays")
    (plain.photos / "2019 holidays/IMG_1.jpg").rename(plain.photos / "best.jpg")
    assert plain.look() == 0, "nothing is looked at again"
    assert_nothing_lost(plain)


@pytest.mark.long
def test_photos_that_exchange_their_names_keep_their_decisions(plain: Plain) -> None:
    names = {face.id: face.file_name for face in plain.faces().values()}
    one, other = plain.photos / names[1], plain.photos / names[3]
    one.rename(plain.photos / "x.jpg")
    other.rename(one)
    (plain.photos / "x.jpg").rename(other)
    assert plain.look() == 0
    assert_nothing_lost(plain)
    assert plain.faces()[1].file_name == names[3]


@pytest.mark.long
def test_a_moved_and_a_copied_folder_are_the_same_library(plain: Plain, tmp_path: Path) -> None:
    plain.photos.rename(tmp_path / "mnt")
    assert plain.look(tmp_path / "mnt") == 0
    assert_nothing_lost(plain)
    shutil.copytree(tmp_path / "mnt", tmp_path / "copy", copy_function=shutil.copyfile)
    assert plain.look(tmp_path / "copy") == 0
    assert_nothing_lost(plain)
    assert plain.look(tmp_path / "mnt") == 0, "and back"
    assert_nothing_lost(plain)


@pytest.mark.long
def test_a_folder_above_or_below_is_the_same_library(plain: Plain, tmp_path: Path) -> None:
    assert plain.look(plain.photos / "a") == 0
    assert_nothing_lost(plain)
    save(tmp_path / "all/other.jpg", Image.new("RGB", (400, 300), "green"))
    plain.photos.rename(tmp_path / "all/photos")
    assert plain.look(tmp_path / "all") == 1
    assert_nothing_lost(plain)


@pytest.mark.long
def test_a_touched_photo_is_not_looked_at_and_an_edited_one_stays_known(plain: Plain) -> None:
    names = {face.id: face.file_name for face in plain.faces().values()}
    os.utime(plain.photos / names[1], ns=(10**18, 10**18))
    assert plain.look() == 0
    with Image.open(plain.photos / names[2]) as opened:
        opened.load()
        opened.save(plain.photos / names[2], quality=80)
    assert plain.look() == 1
    assert_nothing_lost(plain)


@pytest.mark.long
def test_another_photo_under_the_same_name_is_another_face(plain: Plain) -> None:
    names = {face.id: face.file_name for face in plain.faces().values()}
    save(plain.photos / names[1], astronaut(width=480))
    plain.look()
    new = next(face for face in plain.faces().values() if face.file_name == names[1])
    assert new.decision is Decision.UNDECIDED
    with plain.project.store() as store:
        gone = [face.id for face in Ledger(store).faces(gone=True) if face.gone]
    assert gone == [1]


@pytest.mark.long
def test_a_copy_takes_over_when_the_kept_photo_is_deleted(plain: Plain) -> None:
    names = {face.id: face.file_name for face in plain.faces().values()}
    shutil.copy(plain.photos / names[1], plain.photos / "copy.jpg")
    plain.look()
    assert sum(face.decision is Decision.KEEP for face in plain.faces().values()) == 2
    (plain.photos / names[1]).unlink()
    plain.look()
    assert_nothing_lost(plain)


# Projects of today's version.


def test_a_project_of_version_8_loses_nothing_in_a_reset_library(tmp_path: Path) -> None:
    prism = Prism(tmp_path / "library", create_project(tmp_path / "unused", trigger="jx265", class_word="man"))
    james = prism.index.person("James")
    for number in range(6):
        prism.index.face(prism.photo(f"2019/IMG_{number}.jpg", 400 + 16 * number), james, FACE)
    full_reset(prism.index)
    prism.project = unpack("photoprism", tmp_path, "10_jx265 man")
    report = prism.scan(prism.project.settings.person.uid or "")
    assert (report.faces, report.moved, report.gone) == (6, 5, 0)
    faces = prism.faces()
    assert [faces[number].decision for number in range(1, 7)] == [
        *("keep", "keep", "keep", "undecided", "reject", "undecided")
    ]
    assert faces[2].cut == CUT
    assert (prism.project.root / "limner.db.v8.bak").is_file(), "a copy is kept"
    prism.decide(4)
    assert build(prism.project).removed == 0
    assert prism.captions()["0001.png"] == "jx265, man, by my hand"
    assert prism.captions()["0004.png"] == "jx265, man, set aside"
    with prism.project.store() as store:
        journal = CaptionJournal(store, DatasetFolder(prism.project))
        assert [change.label for change in (journal.undo(), journal.undo()) if change] == ["set again", "set"]
    assert prism.captions()["0001.png"] == "jx265, man, half body"


@pytest.mark.parametrize("how", ["stayed", "moved", "copied"])
def test_a_folder_project_of_version_8_loses_nothing(tmp_path: Path, how: str) -> None:
    project = unpack("folder", tmp_path, "10_jx265 woman")
    plain = Plain(tmp_path / "photos", project)
    for number in range(3):
        save(plain.photos / f"a/IMG_{number}.jpg", astronaut(width=400 + 16 * number))
    with project.store() as store:
        for row in store.rows("SELECT id, name FROM folder_photos"):
            status = (plain.photos / row["name"]).stat()
            stamp = f"{status.st_size} {status.st_mtime_ns}"
            store.connection.execute("UPDATE folder_photos SET stamp = ? WHERE id = ?", (stamp, row["id"]))
    if how != "stayed":
        copy = shutil.copy2 if how == "moved" else shutil.copyfile
        shutil.copytree(plain.photos, tmp_path / "elsewhere", copy_function=copy)
        shutil.rmtree(plain.photos)
        plain.photos = tmp_path / "elsewhere"
    assert plain.look() == 0
    assert_nothing_lost(plain, Cut(Framing.CLOSE, 0.05, 0.0, 1.2))
    captions = [image.caption for image in DatasetFolder(project).images()]
    assert captions[0] == "jx265, woman, by hand"
