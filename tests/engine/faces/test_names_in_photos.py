"""People of a plain folder are called as its photos say, and nothing is looked at again to learn it."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from PIL import Image, ImageEnhance

from engine import events
from engine.demo.drawing import draw_portrait, random_scene
from engine.demo.people import CAST
from engine.errors import LibraryError
from engine.faces import folder_names
from engine.faces.detection.detector import Detector
from engine.faces.folder_scan import IndexReport, index
from engine.faces.records.decisions import Decision, Ledger
from engine.faces.regions.matching import NOT_SEEN
from engine.faces.scan import scan
from engine.library.faces import LibraryFace
from engine.library.folder import people as folder_people
from engine.library.folder.library import FolderLibrary
from engine.library.registry import connect
from engine.project import Project
from engine.storage.database import Store
from engine.storage.migrations import MIGRATIONS, apply
from tests.support.astronaut import FACE, astronaut, save
from tests.support.named_photos import Drawn, mp, mwg, stored_box, write

SIZE = (512, 512)


def eileen(number: int = 0) -> Image.Image:
    return ImageEnhance.Brightness(astronaut()).enhance(0.8 + number / 12)


def jana(seed: int) -> Image.Image:
    person = next(each for each in CAST if each.name == "Jana")
    return draw_portrait(person, random_scene(Random(seed)), 512)


def name(path: Path, *names: str, kind: str = "Face", orientation: int = 1) -> Path:
    """Writes who the astronaut is, into a photo or a sidecar of hers."""
    drawn = [Drawn(each, stored_box(FACE, orientation), kind) for each in names]
    return write(path, mwg(drawn, SIZE))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three photos of one person, two of another."""
    folder = tmp_path / "photos"
    for number in range(3):
        save(folder / f"{number}.jpg", eileen(number))
    for seed in (2, 8):
        save(folder / f"jana/{seed}.jpg", jana(seed))
    return folder


@pytest.fixture
def connected(project: Project, photos: Path) -> Project:
    project.change({"library.url": f"folder://{photos}"})
    return project


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every time that a face is looked for."""
    found: list[str] = []
    find = Detector.find

    def counted(detector: Detector, picture: Image.Image) -> object:
        found.append("look")
        return find(detector, picture)

    monkeypatch.setattr(Detector, "find", counted)
    return found


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every photo whose names are read."""
    found: list[str] = []
    read = folder_names.read_told

    def counted(folder: Path, photo: str, sidecars: tuple[str, ...]) -> object:
        found.append(photo)
        return read(folder, photo, sidecars)

    monkeypatch.setattr(folder_names, "read_told", counted)
    return found


def opened(project: Project) -> FolderLibrary:
    library = connect(project.settings.library, None, project.root)
    assert isinstance(library, FolderLibrary)
    return library


def people(project: Project) -> dict[str, tuple[int, int | None]]:
    """Name to faces and confirmed ones."""
    with opened(project) as library:
        return {each.name: (each.faces, each.confirmed) for each in library.people()}


def faces(project: Project, person: str) -> dict[str, LibraryFace]:
    with opened(project) as library:
        (uid,) = [each.id for each in library.people() if each.name == person]
        return {face.file_name: face for face in library.faces(uid)}


def rename(project: Project, person: str, to: str) -> None:
    with opened(project) as library:
        library.rename(person, to)


def merge(project: Project, into: str, *others: str) -> None:
    with opened(project) as library:
        library.merge(into, others)


def test_people_are_called_as_photos_and_sidecars_say(connected: Project, photos: Path) -> None:
    save(photos / "turned.jpg", eileen(4), orientation=6)
    drawn = [Drawn("Eileen  Collins", stored_box(FACE, 6))]
    write(photos / "turned.jpg", mwg(drawn, SIZE), mp(drawn))
    name(photos / "1.JPG.XMP", "EILEEN COLLINS")
    report = index(connected)
    assert (report.seen, report.people) == (6, 1)
    assert people(connected) == {"Eileen Collins": (4, 2), "person 1": (2, 0)}
    found = faces(connected, "Eileen Collins")
    assert {each for each, face in found.items() if face.confirmed} == {"1.jpg", "turned.jpg"}
    assert {face.caution for face in found.values()} == {""}
    assert abs(found["turned.jpg"].box[0] - FACE[0]) < 0.05


def test_a_group_that_is_named_later_becomes_that_person(
    connected: Project, photos: Path, looks: list[str], reads: list[str]
) -> None:
    index(connected)
    assert people(connected) == {"person 1": (3, 0), "person 2": (2, 0)}
    scan(connected, "person 1")
    with connected.store() as store:
        Ledger(store).decide([face.id for face in Ledger(store).faces()], Decision.KEEP)
    looks.clear()
    reads.clear()
    name(photos / "1.xmp", "Eileen")
    told: list[events.Event] = []
    index(connected, told.append)
    assert (looks, reads) == ([], ["1.jpg"]), "one sidecar is read, and no face looked for"
    assert events.Phase("names", 1, 1) in told
    assert people(connected) == {"Eileen": (3, 1), "person 2": (2, 0)}
    assert connected.settings.person.name == "Eileen", "the project goes with its person"
    report = scan(connected, connected.settings.person.uid or "")
    assert (report.faces, report.moved, report.gone) == (3, 0, 0)
    with connected.store() as store:
        kept = Ledger(store).faces(connected.settings.person.uid)
    assert [face.decision for face in kept] == [Decision.KEEP] * 3
    index(connected)
    assert (looks, reads) == ([], ["1.jpg"]), "what did not change is not read again"


def test_a_project_of_before_reads_names_without_looking(
    connected: Project, photos: Path, looks: list[str], reads: list[str]
) -> None:
    name(photos / "0.jpg", "Eileen")
    index(connected)
    with connected.store() as store, store.change() as change:
        # As an older Limner left it.
        change.execute("UPDATE folder_faces SET named_uid = NULL, person_uid = NULL")
        change.execute("DELETE FROM folder_people")
        change.execute("UPDATE folder_photos SET names_stamp = NULL")
    looks.clear()
    reads.clear()
    index(connected)
    assert (looks, len(reads)) == ([], 5)
    assert people(connected) == {"Eileen": (3, 1), "person 1": (2, 0)}


def test_a_changed_or_removed_sidecar_is_read_again(connected: Project, photos: Path, looks: list[str]) -> None:
    sidecar = name(photos / "1.jpg.xmp", "Anna")
    for number in (0, 2):
        name(photos / f"{number}.jpg", "Eileen")
    index(connected)
    assert (people(connected)["Anna"], people(connected)["Eileen"]) == ((1, 1), (2, 2))
    looks.clear()
    sidecar.unlink()
    name(photos / "1.jpg.xmp", "Eileen")
    index(connected)
    assert (people(connected)["Eileen"], "Anna" in people(connected)) == ((3, 3), False)
    sidecar.unlink()
    index(connected)
    assert not faces(connected, "Eileen")["1.jpg"].confirmed, "by how she looks she is still Eileen"
    assert looks == []


def test_who_was_renamed_or_merged_in_limner_stays_so(connected: Project, photos: Path) -> None:
    name(photos / "0.jpg", "Eileen")
    write(photos / "jana/2.xmp", mwg([Drawn("Jana", (0.2, 0.1, 0.6, 0.7))], SIZE))
    index(connected)
    assert set(people(connected)) == {"Eileen", "Jana"}
    rename(connected, "Eileen", "Eileen Collins")
    name(photos / "1.xmp", "eileen")
    index(connected)
    assert people(connected)["Eileen Collins"] == (3, 2)
    merge(connected, "Jana", "Eileen Collins")
    name(photos / "2.xmp", "EILEEN")
    index(connected)
    assert people(connected) == {"Jana": (5, 4)}


def test_a_name_that_the_user_gave_already_is_that_person(connected: Project, photos: Path) -> None:
    index(connected)
    rename(connected, "person 1", "Zoë")
    name(photos / "1.xmp", "ZOE\u0308")
    index(connected)
    assert people(connected)["Zoë"] == (3, 1)
    rename(connected, "Zoë", "Zoë B.")
    name(photos / "2.xmp", "zoë")
    index(connected)
    assert people(connected)["Zoë B."] == (3, 2)


def test_a_group_whose_photos_say_two_names_is_parted(connected: Project, photos: Path) -> None:
    index(connected)
    name(photos / "0.xmp", "Eileen")
    name(photos / "1.xmp", "Anna")
    index(connected)
    found = people(connected)
    assert (found["Eileen"], found["Anna"], found["person 1"]) == ((1, 1), (1, 1), (1, 0))


def test_a_name_that_no_photo_bears_any_more_is_free(connected: Project, photos: Path) -> None:
    sidecar = name(photos / "1.xmp", "Anna")
    index(connected)
    with pytest.raises(LibraryError, match="another person is already called Anna"):
        rename(connected, "person 1", "Anna")
    rename(connected, "Anna", "Eileen")
    rename(connected, "person 1", "Anna")
    assert set(people(connected)) == {"Anna", "Eileen"}
    sidecar.unlink()


def test_a_face_that_is_hardly_seen_counts_where_it_is_named(
    connected: Project, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = Detector.find
    monkeypatch.setattr(
        Detector, "find", lambda *of: tuple(replace(face, score=min(face.score, 0.8)) for face in find(*of))
    )
    sidecar = name(photos / "1.xmp", "Eileen")
    index(connected)
    assert people(connected) == {"Eileen": (1, 1)}
    assert faces(connected, "Eileen")["1.jpg"].caution == ""
    sidecar.unlink()
    index(connected)
    assert people(connected) == {}


def test_a_pet_is_nobody_until_the_region_goes(connected: Project, photos: Path) -> None:
    sidecar = name(photos / "1.xmp", "Rex", kind="Pet")
    index(connected)
    assert people(connected)["person 1"] == (2, 0)
    assert "Rex" not in people(connected)
    sidecar.unlink()
    index(connected)
    assert sorted(people(connected).values()) == [(2, 0), (3, 0)]


def test_a_named_region_without_a_face_is_doubted_everywhere(connected: Project, photos: Path) -> None:
    save(photos / "grey.jpg", Image.new("RGB", SIZE, "grey"))
    write(photos / "grey.jpg", mwg([Drawn("Eileen", (0.1, 0.6, 0.25, 0.25)), Drawn("", (0.6, 0.1, 0.2, 0.2))], SIZE))
    name(photos / "0.jpg", "Eileen")
    index(connected)
    assert people(connected)["Eileen"] == (4, 2)
    face = faces(connected, "Eileen")["grey.jpg"]
    assert face.caution == NOT_SEEN
    assert face.box == pytest.approx((0.1, 0.6, 0.25, 0.25))
    scan(connected, "Eileen")
    with connected.store() as store:
        doubted = {each.file_name: each.warning for each in Ledger(store).faces() if each.warning}
    assert doubted == {"grey.jpg": NOT_SEEN}
    uid = face.marker_uid
    write(photos / "grey.jpg.xmp", mwg([Drawn("Eileen", (0.11, 0.6, 0.25, 0.25))], SIZE))
    index(connected)
    assert faces(connected, "Eileen")["grey.jpg"].marker_uid == uid, "moved a little it is the same face"


def test_names_that_can_t_be_read_are_told_and_nothing_else(connected: Project, photos: Path) -> None:
    (photos / "0.jpg.xmp").write_bytes(b"<!DOCTYPE a><a/>")
    told: list[events.Event] = []
    report = index(connected, told.append)
    assert (report.photos, report.people) == (5, 2)
    warnings = [(each.subject, each.message) for each in told if isinstance(each, events.Warning)]
    assert warnings == [
        (str(photos / "0.jpg"), "0.jpg.xmp is passed over: it declares a document type, which XMP never does")
    ]


def test_names_that_were_read_before_a_stop_are_kept(
    connected: Project, photos: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    index(connected)
    for number in range(3):
        name(photos / f"{number}.xmp", "Eileen")
    monkeypatch.setattr(folder_names, "SAVE_EVERY", 1)
    reads.clear()
    assert index(connected, should_stop=lambda: len(reads) == 2).stopped
    assert reads == ["0.jpg", "1.jpg"]
    assert index(connected) == IndexReport(5, 0, 0)
    assert reads == ["0.jpg", "1.jpg", "2.jpg"]
    assert people(connected)["Eileen"] == (3, 3)


def test_a_kill_between_two_names_loses_none_that_was_read(
    connected: Project, photos: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    index(connected)
    for number in range(3):
        name(photos / f"{number}.xmp", "Eileen")
    monkeypatch.setattr(folder_names, "SAVE_EVERY", 1)
    reads.clear()
    child = os.fork()
    if child == 0:
        named, given = folder_people.person_named, iter(range(2))

        def killed(*of: str) -> str:
            if next(given, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return named(*of)  # type: ignore[arg-type]

        folder_people.person_named = killed  # type: ignore[assignment]
        index(connected)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    index(connected)
    assert reads == ["2.jpg"], "what was read before the kill is not read again"
    assert people(connected)["Eileen"] == (3, 3)


def test_a_photo_that_moves_with_its_sidecar_keeps_its_name(connected: Project, photos: Path, reads: list[str]) -> None:
    name(photos / "0.jpg.xmp", "Eileen")
    index(connected)
    reads.clear()
    (photos / "2019").mkdir()
    for each in ("0.jpg", "0.jpg.xmp"):
        (photos / each).rename(photos / "2019" / each.replace("0", "first"))
    index(connected)
    assert reads == []
    assert faces(connected, "Eileen")["2019/first.jpg"].confirmed
    (photos / "2019/first.jpg.xmp").unlink()
    index(connected)
    assert reads == ["2019/first.jpg"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [("person 12", "number"), ("person 012", "user"), ("person 1 b", "user"), ("James", "user"), ("person", "user")],
)
def test_a_project_of_before_knows_which_groups_were_named(tmp_path: Path, given: str, expected: str) -> None:
    path = tmp_path / "limner.db"
    before = MIGRATIONS.index("012_names_in_photos.sql")
    with closing(sqlite3.connect(path, isolation_level=None)) as made:
        for migration in MIGRATIONS[:before]:
            apply(migration, made, tmp_path)
        made.execute("INSERT INTO folder_people (uid, folder, name) VALUES ('fs1', '/photos', ?)", (given,))
        made.execute(f"PRAGMA user_version={before}")
    store = Store(path)
    assert store.rows("SELECT named_by FROM folder_people")[0]["named_by"] == expected
    store.close()
