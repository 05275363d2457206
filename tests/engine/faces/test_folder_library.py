"""A plain folder is a library: faces found and grouped by person, kept in the project, the folder untouched."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from engine import events
from engine.dataset.build import build
from engine.demo.drawing import draw_portrait, random_scene
from engine.demo.people import CAST
from engine.errors import LibraryError
from engine.faces.crop import cut
from engine.faces.folder_scan import index
from engine.faces.measure_job import measure
from engine.faces.measurement.clustering import group
from engine.faces.photo.geometry import Framing
from engine.faces.records.decisions import Decision, Ledger
from engine.faces.records.measurement_store import MeasuredFaces
from engine.faces.scan import scan, start_index, start_scan
from engine.jobs.follow import follow, wait
from engine.library.address import ServerKind, parse_address
from engine.library.folder.index import FolderIndex
from engine.library.folder.library import FolderLibrary
from engine.library.folder.photos import SeenFace, SeenPhoto, face_uid
from engine.library.folder.walk import walk
from engine.library.people import find_person
from engine.library.registry import connect
from engine.project import Project
from tests.support.astronaut import astronaut, save


def eileen(number: int) -> Image.Image:
    """One person in several photos."""
    picture = ImageEnhance.Brightness(astronaut(512 - 15 * number)).enhance(0.8 + number / 15)
    return picture.resize((picture.width * 2, picture.height * 2)) if number % 2 else picture


def jana(seed: int) -> Image.Image:
    """Somebody else, drawn; the detector takes these for a face."""
    person = next(each for each in CAST if each.name == "Jana")
    return draw_portrait(person, random_scene(Random(seed)), 512)


def taken(picture: Image.Image, path: Path, when: str) -> None:
    """Saves a photo whose EXIF says when it was taken."""
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = when
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, exif=exif, quality=95)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven photos of one person, three of another, one of both, one of nobody; and what is no photo."""
    folder = tmp_path_factory.mktemp("drawn")
    for number in range(4):
        taken(eileen(number), folder / f"2019/IMG_{number}.jpg", f"201{number}:06:02 15:58:2{number}")
    save(folder / "2020/turned.jpg", astronaut(), orientation=6)
    save(folder / "2020/copy.png", astronaut())
    for seed in (1, 2, 6):
        save(folder / f"jana/{seed}.jpg", jana(seed))
    both = Image.new("RGB", (1100, 520), "grey")
    both.paste(astronaut(500, 500), (0, 0))
    both.paste(jana(8), (560, 0))
    save(folder / "both.jpg", both)
    save(folder / "nobody.jpg", Image.new("RGB", (400, 300), "green"))
    (folder / "broken.jpg").write_bytes(b"no photo at all")
    (folder / "notes.txt").write_text("nothing")
    save(folder / ".hidden/a.jpg", astronaut())
    save(folder / "@eaDir/thumb.jpg", astronaut())
    return folder


@pytest.fixture
def photos(drawn: Path, tmp_path: Path) -> Path:
    """The same with links that leave it and that run in a circle."""
    folder = tmp_path / "photos"
    shutil.copytree(drawn, folder)
    save(tmp_path / "elsewhere/a.jpg", astronaut())
    (folder / "out").symlink_to(tmp_path / "elsewhere")
    (folder / "out.jpg").symlink_to(tmp_path / "elsewhere/a.jpg")
    (folder / "loop").symlink_to(folder)
    return folder


@pytest.fixture
def connected(project: Project, photos: Path) -> Project:
    project.change({"library.url": f"folder://{photos}"})
    return project


def opened(project: Project) -> FolderLibrary:
    library = connect(project.settings.library, None, project.root)
    assert isinstance(library, FolderLibrary)
    return library


def print_of(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Every file below a folder: its bytes' digest, its time, and its mode; folders with their times."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path)] = (content, status.st_mtime_ns, status.st_mode)
    found["."] = ("", folder.stat().st_mtime_ns, folder.stat().st_mode)
    return found


def test_only_photos_of_the_folder_itself_are_walked(photos: Path) -> None:
    save(photos / "2021/IMG_9.HEIC.jpg", astronaut())
    (photos / "2021/IMG_9.heic").write_bytes(b"heic")
    save(photos / "2021/alone.heic.jpg", astronaut())
    save(photos / "james/dataset/0001.jpg", astronaut())
    (photos / "james/limner.toml").touch()
    names = [photo.name for photo in walk(photos)]
    assert names == sorted(names, key=lambda name: name.split("/"))
    assert {name for name in names if not name.startswith(("2019/", "jana/"))} == {
        "2020/copy.png",
        "2020/turned.jpg",
        "2021/IMG_9.heic",
        "2021/alone.heic.jpg",
        "both.jpg",
        "broken.jpg",
        "nobody.jpg",
    }
    with pytest.raises(LibraryError, match="there is no folder"):
        list(walk(photos / "none"))


def test_a_folder_becomes_a_library_with_people_and_stays_untouched(connected: Project, photos: Path) -> None:
    before = print_of(photos)
    told: list[events.Event] = []
    report = index(connected, told.append)
    assert (report.photos, report.seen, report.people) == (12, 12, 2)
    assert [event.subject for event in told if isinstance(event, events.Warning)] == [str(photos / "broken.jpg")]
    assert events.Phase("photos", 12, 12) in told
    with opened(connected) as library:
        first, second = library.people()
        assert (first.name, first.faces, first.confirmed) == ("person 1", 7, 0)
        assert (first.first_year, first.last_year) == (2010, 2013)
        assert (second.name, second.faces) == ("person 2", 4)
        faces = list(library.faces(first))
        assert [face.file_name for face in faces][:2] == ["2019/IMG_0.jpg", "2019/IMG_1.jpg"]
        assert faces[1].taken_at == "2011-06-02 15:58:21"
        assert {face.file_name: face.neighbours for face in faces}["both.jpg"] == 1
        about = library.describe()
        assert (about.photos, about.faces, about.unseen) == (12, 11, 0)
        assert about.line == "a plain folder · read-only · 12 photos · 11 faces"
        assert len(list(library.embeddings([face.marker_uid for face in faces]))) == 7
    scan(connected, "person 1")
    measure(connected)
    with connected.store() as store:
        found = Ledger(store).faces()
        Ledger(store).decide([face.id for face in found[:3]], Decision.KEEP)
    assert len(found) == 7
    assert all(face.path and face.path.is_relative_to(photos) for face in found)
    relations = {face.file_name: face.measures.relations for face in found}
    assert all(each is not None and each.wrong is False for each in relations.values())
    assert {name for name, each in relations.items() if each and each.copy_of} & {"2020/turned.jpg", "2020/copy.png"}
    with connected.store() as store:
        assert MeasuredFaces(store).identities() == {}, "who they are was known from the folder's look"
    assert {face.file_name: len(face.measures.neighbours or ()) for face in found}["both.jpg"] == 1
    turned = next(face for face in found if face.file_name == "2020/turned.jpg")
    assert abs(turned.box.x - 182 / 512) < 0.03
    assert cut(turned, Framing.CLOSE).size[0] > 200
    build(connected)
    assert len(list(connected.dataset.glob("*/*.png"))) == 3
    assert print_of(photos) == before, "nothing is ever written to the folder"


@pytest.mark.long
def test_nothing_is_looked_at_twice_and_new_photos_find_their_person(connected: Project, photos: Path) -> None:
    index(connected)
    assert index(connected).seen == 0
    save(photos / "2022/new.jpg", ImageEnhance.Color(astronaut()).enhance(0.6))
    (photos / "jana/1.jpg").unlink()
    report = index(connected)
    assert (report.seen, report.people) == (1, 0)
    with opened(connected) as library:
        assert [(person.name, person.faces) for person in library.people()] == [("person 1", 8), ("person 2", 3)]
    save(photos / "jana/1.jpg", jana(1))
    index(connected)
    with opened(connected) as library:
        assert library.people()[1].faces == 4, "what came back is known again"


def test_people_are_named_and_merged_and_stay_so(connected: Project, photos: Path) -> None:
    index(connected)
    with opened(connected) as library:
        library.rename("person 1", "  Eileen  Collins ")
        with pytest.raises(LibraryError, match="is already called Eileen Collins: if they are one person"):
            library.rename("person 2", "Eileen  Collins")
        with pytest.raises(LibraryError, match="can't be empty"):
            library.rename("person 2", " ")
        with pytest.raises(LibraryError, match="there is nobody in the library called James"):
            library.rename("James", "Jim")
        with pytest.raises(LibraryError, match="given twice"):
            library.merge("person 2", ["person 2"])
        uid = find_person(library.people(), "Eileen Collins").id
    scan(connected, "person 2")
    with opened(connected) as library:
        library.merge("Eileen Collins", ["person 2"])
        (person,) = library.people()
        assert (person.id, person.name, person.faces) == (uid, "Eileen Collins", 11)
    with connected.store() as store:
        assert {face.person for face in Ledger(store).faces()} == {"Eileen Collins"}
    save(photos / "jana/9.jpg", jana(23))
    index(connected)
    with opened(connected) as library:
        assert [person.faces for person in library.people()] == [12], "merged ones are not parted again"


def test_a_stopped_and_a_killed_look_go_on_where_they_were(connected: Project, photos: Path) -> None:
    stopped = index(connected, should_stop=lambda: True)
    assert stopped.stopped
    with connected.store() as store:
        before = store.rows("SELECT count(*) AS n FROM folder_photos")[0]["n"]
    assert before == 1
    job = start_index(connected)
    assert start_index(connected).path == job.path, "the one that is under way is followed"
    for entry in follow(job):
        if isinstance(entry.event, events.Job) and entry.event.pid:
            os.kill(entry.event.pid, signal.SIGKILL)
    assert not job.alive()
    wait(start_index(connected))
    assert index(connected).seen == 0
    with opened(connected) as library:
        assert [person.faces for person in library.people()] == [7, 4]


@pytest.mark.long
def test_the_scan_job_looks_through_the_folder_by_itself(connected: Project) -> None:
    wait(start_scan(connected, "person 2"))
    assert connected.settings.person.name == "person 2"
    with connected.store() as store:
        assert len(Ledger(store).faces()) == 4


def test_a_folder_is_told_by_its_address(tmp_path: Path) -> None:
    folder = tmp_path / "my photos"
    folder.mkdir()
    address = parse_address(f"folder://{folder}")
    assert (address.kind, address.path) == (ServerKind.FOLDER, folder)
    assert parse_address(address.url) == address
    assert parse_address("folder://my photos", tmp_path) == address
    for wrong, words in (("folder://", "names no folder"), (f"folder://{tmp_path}/none", "there is no folder")):
        with pytest.raises(LibraryError, match=words):
            parse_address(wrong)


def test_without_a_project_a_folder_knows_nobody_yet(photos: Path) -> None:
    with FolderLibrary(parse_address(f"folder://{photos}"), None) as library:
        assert library.people() == []
        assert library.describe().unseen == 12


def test_a_chain_of_faces_is_not_one_person_and_known_ones_stay() -> None:
    chance = np.random.default_rng(3)

    def around(angle: float, count: int) -> list[np.ndarray]:
        middle = np.array([np.cos(angle), np.sin(angle), 0, 0])
        some = middle + 0.05 * chance.normal(size=(count, 4))
        return list(some / np.linalg.norm(some, axis=1, keepdims=True))

    two = around(0, 10) + around(0.9, 10) + around(0.45, 1)
    vectors = np.array(two, np.float32)
    groups = group(vectors, 0.5)
    assert groups == group(vectors, 0.5), "the same every time"
    assert len(set(groups[:10])) == 1
    assert len(set(groups[10:20])) == 1
    assert groups[0] != groups[10], "one face between them does not make them one"
    known: list[int | None] = [None] * 21
    known[0], known[10], known[1] = 4, 5, 7
    kept = group(vectors, 0.5, known)
    assert (kept[0], kept[10], kept[1]) == (4, 5, 7)
    assert set(kept[:10]) <= {4, 7}
    assert set(kept[11:20]) == {5}
    many = np.array(around(0, 40) + around(1.2, 5), np.float32)
    assert set(group(many, 0.5, [3] + [None] * 44)[:40]) == {3}, "many new faces of somebody known are theirs"
    assert group(np.zeros((0, 4), np.float32), 0.5) == []


@pytest.mark.parametrize("when", ["0000:00:00 00:00:00", "yesterday", ""])
def test_a_camera_without_a_clock_gives_no_date(tmp_path: Path, when: str) -> None:
    from engine.faces.photo.loading import read_taken

    taken(astronaut(), tmp_path / "a.jpg", when)
    assert read_taken(tmp_path / "a.jpg") is None


def test_faces_that_nearly_overlap_stay_two_and_stay_whose_they_are(connected: Project, photos: Path) -> None:
    photo = next(walk(photos))
    boxes = ((0.101, 0.1, 0.2, 0.2), (0.099, 0.1, 0.2, 0.2), (0.102, 0.1, 0.2, 0.2), (0.5, 0.1, 0.2, 0.2))
    faces = tuple(SeenFace(face_uid(photo.name, box), box, 0.9) for box in boxes)
    with connected.store() as store:
        index = FolderIndex(store, photos)

        def saved(*seen: SeenFace) -> dict[float, tuple[str, str | None]]:
            index.save([SeenPhoto(photo, (512, 512), None, seen)])
            return {row["x"]: (row["uid"], row["person_uid"]) for row in store.rows("SELECT * FROM folder_faces")}

        alone = saved(faces[1], faces[3])
        index.add_people((uid, [uid]) for uid, _ in alone.values())
        alone = saved(faces[1], faces[3])
        several = saved(*faces)
        assert len({uid for uid, _ in several.values()}) == 4
        assert {x: several[x] for x in alone} == alone
        assert saved(*reversed(faces)) == several
