"""Names spelt otherwise, links, folders one may not read, other programs' folders: found, or told by their names."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.errors import LibraryError, RootsDoNotFit
from engine.faces.photo.loading import BrokenImage, open_upright
from engine.faces.records.decisions import Ledger
from engine.faces.scan import scan
from engine.faces.selection.filter import select
from engine.library.address import parse_address
from engine.library.folder.library import FolderLibrary
from engine.library.folder.walk import no_photos, walk
from engine.library.paths import ClimbsOut, Roots, check_roots
from engine.library.people import Person, find_person
from engine.project import Project, create_project
from engine.settings import LibrarySettings
from tests.support.astronaut import FACE, astronaut, save
from tests.support.photoprism import Index

NAMES = ("Ausflüge/Übung 0.jpg", "café/Ångström été.jpg", "한국/사진.jpg")
FORMS = [("NFC", "NFD"), ("NFD", "NFC"), ("NFC", "NFC")]


def touched(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"photo")
    return path


@pytest.mark.parametrize(("index", "disk"), FORMS)
def test_a_name_taken_apart_is_the_same_name(tmp_path: Path, index: str, disk: str) -> None:
    for name in NAMES:
        touched(tmp_path / "originals" / unicodedata.normalize(disk, name))
    files = [("/", unicodedata.normalize(index, name)) for name in NAMES]
    (check,) = check_roots(files, Roots(tmp_path / "originals"))
    assert (check.opened, check.sampled) == (3, 3)
    for _, name in files:
        assert Roots(tmp_path / "originals").path("/", name).read_bytes() == b"photo"


def test_a_folder_and_a_file_may_be_spelt_in_different_ways(tmp_path: Path) -> None:
    mixed = unicodedata.normalize("NFD", "Ausflüge") + "/" + unicodedata.normalize("NFC", "Übung.jpg")
    touched(tmp_path / mixed)
    assert Roots(tmp_path).path("/", unicodedata.normalize("NFD", mixed)).is_file()


def test_two_files_whose_names_look_alike_stay_two(tmp_path: Path) -> None:
    one, other = (tmp_path / unicodedata.normalize(form, "Übung.jpg") for form in ("NFC", "NFD"))
    one.write_bytes(b"one")
    other.write_bytes(b"other")
    assert Roots(tmp_path).path("/", one.name).read_bytes() == b"one"
    assert Roots(tmp_path).path("/", other.name).read_bytes() == b"other"


@pytest.mark.parametrize(("typed", "there"), FORMS)
def test_what_people_type_may_be_spelt_otherwise(tmp_path: Path, project: Project, typed: str, there: str) -> None:
    folder = tmp_path / unicodedata.normalize(there, "Fotos Übersicht")
    save(folder / unicodedata.normalize(there, "Ausflüge/Übung.jpg"))
    index = Index()
    jose = index.person(unicodedata.normalize(there, "José Müller"))
    index.face(index.photo(unicodedata.normalize(there, "Ausflüge/Übung.jpg")), jose, FACE)
    url = index.to_sqlite(folder / "index.db")

    def by_hand(text: str) -> str:
        return unicodedata.normalize(typed, text)

    project.change({"library.url": url, "library.originals": tmp_path / by_hand("Fotos Übersicht")})
    assert scan(project, by_hand("josé müller")).usable == 1
    with project.store() as store:
        faces = Ledger(store).faces()
    assert select(faces, by_hand("übung")) == faces
    assert parse_address(f"folder://{tmp_path / by_hand('Fotos Übersicht')}").path == folder
    assert parse_address(str(tmp_path / by_hand("Fotos Übersicht"))).path == folder / "index.db"


def test_a_mount_may_be_spelt_otherwise_than_the_index(tmp_path: Path) -> None:
    touched(tmp_path / "disk/a.jpg")
    mounts = {unicodedata.normalize("NFC", "Ausflüge"): tmp_path / "disk"}
    roots = Roots.of(LibrarySettings(originals=tmp_path, mounts=mounts))
    assert roots.path("/", unicodedata.normalize("NFD", "Ausflüge/a.jpg")) == tmp_path / "disk/a.jpg"


def test_people_whose_names_differ_only_in_spelling_are_told_apart_by_id() -> None:
    people = [Person(form, unicodedata.normalize(form, "José"), 1, 1, None, None) for form in ("NFC", "NFD")]
    assert find_person(people, people[1].name).id == "NFD", "as it is spelt comes first"
    with pytest.raises(LibraryError, match="2 people are called JOSÉ"):
        find_person(people, "JOSÉ")


def test_a_link_out_of_originals_names_the_mount_that_mends_it(tmp_path: Path) -> None:
    touched(tmp_path / "nas/a.jpg")
    touched(tmp_path / "nas/b.jpg")
    originals = tmp_path / "lib/originals"
    originals.mkdir(parents=True)
    (originals / "family").symlink_to(tmp_path / "nas")
    files = [("/", "family/a.jpg"), ("/", "family/b.jpg")]
    with pytest.raises(RootsDoNotFit) as refused:
        check_roots(files, Roots(originals))
    assert (
        refused.value.what == f"{originals / 'family'} is a link that points out of {originals}, to {tmp_path / 'nas'}"
    )
    assert refused.value.fix == f"set where it is mounted: --mount family={tmp_path / 'nas'}"
    with pytest.raises(ClimbsOut, match=f"--mount family={tmp_path / 'nas'}"):
        Roots(originals).path("/", "family/a.jpg")
    mounted = Roots(originals, mounts=(("family", tmp_path / "nas"),))
    assert [check.opened for check in check_roots(files, mounted)] == [2]


@contextmanager
def as_nobody(*folders: Path) -> Iterator[None]:
    """What is seen by who may not read everything."""
    for folder in folders:
        for each in (folder, *folder.parents):
            if each.owner() == "root" and each not in (Path("/"), Path("/tmp")):
                each.chmod(each.stat().st_mode | 0o055)
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_wrong_folder_beside_one_that_may_not_be_read_is_told_by_name(tmp_path: Path) -> None:
    touched(tmp_path / "wrong/x.jpg")
    touched(tmp_path / "right/a.jpg")
    touched(tmp_path / "closed/a.jpg")
    with as_nobody(tmp_path / "wrong", tmp_path / "right"):
        pass
    (tmp_path / "closed").chmod(0)
    try:
        with as_nobody(tmp_path / "wrong"), pytest.raises(RootsDoNotFit, match=f"{tmp_path / 'right'} would fit"):
            check_roots([("/", "a.jpg")], Roots(tmp_path / "wrong"))
        with as_nobody(tmp_path / "wrong"), pytest.raises(RootsDoNotFit, match="closed may not be read by this user"):
            check_roots([("/", "a.jpg")], Roots(tmp_path / "closed"))
    finally:
        (tmp_path / "closed").chmod(0o755)


def test_a_name_that_no_disk_takes_is_no_reason_to_stop(tmp_path: Path) -> None:
    touched(tmp_path / "wrong/x.jpg")
    with pytest.raises(RootsDoNotFit, match="wrong holds none of the 1 sampled files"):
        check_roots([("/", "a" * 300 + ".jpg")], Roots(tmp_path / "wrong"))


KEPT_BY_OTHERS = (
    *(
        "thumbs/a.jpg",
        "Thumbs/a.jpg",
        ".thumbnails/a.jpg",
        "encoded-video/a.jpg",
        "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg",
    ),
    *("@__thumb/a.jpg", "Catalog Previews.lrdata/a.jpg", "CaptureOne/Cache/a.jpg", "appdata_oc1/preview/a.jpg"),
    *("Fotos.photoslibrary/resources/derivatives/a.jpg", "$RECYCLE.BIN/a.jpg", "2019/thumbnails/a.jpg"),
)


def test_previews_of_other_programs_are_no_photos(tmp_path: Path) -> None:
    for name in (*KEPT_BY_OTHERS, "2019/a.jpg", "Fotos.photoslibrary/originals/b.jpg", "resources/c.jpg"):
        touched(tmp_path / name)
    assert [photo.name for photo in walk(tmp_path)] == [
        *("2019/a.jpg", "Fotos.photoslibrary/originals/b.jpg", "resources/c.jpg")
    ]


def test_a_project_inside_the_photo_folder_hides_only_what_is_its_own(tmp_path: Path) -> None:
    touched(tmp_path / "photos/a.jpg")
    touched(tmp_path / "photos/2019/b.jpg")
    project = create_project(tmp_path / "photos", trigger="jx265", class_word="man")
    for folder in (project.dataset / "10_jx265 man", project.pictures, project.cache, project.root / "reg/1_man"):
        touched(folder / "0001.png")
    create_project(tmp_path / "photos/other", trigger="jx265", class_word="man")
    touched(tmp_path / "photos/other/c.jpg")
    assert [photo.name for photo in walk(project.root)] == ["2019/b.jpg", "a.jpg"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            ["IMG_1.CR2", "IMG_2.nef", "notes.txt"],
            "2 raw files in .*, and no photos that Limner reads",
        ),
        (
            ["a.mp4", "b.mp4", "c.jp2"],
            r"there are no photos in .* that Limner reads, but 2 \.mp4, 1 \.jp2: give",
        ),
        ([], "there are no photos in .*: give the folder that holds them, or its parent"),
    ],
)
def test_a_folder_without_photos_says_what_lies_there(tmp_path: Path, names: list[str], words: str) -> None:
    for name in names:
        touched(tmp_path / name)
    with pytest.raises(LibraryError, match=words):
        raise no_photos(tmp_path)


def test_pictures_of_other_kinds_beside_photos_are_told(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jp2", "2019/c.CR2", "2019/d.cr2", "e.mp4"):
        touched(tmp_path / name)
    with FolderLibrary(parse_address(f"folder://{tmp_path}"), None) as library:
        assert library.describe().notes == ("Limner does not read 2 .cr2, 1 .jp2 of the folder",)


def test_avif_is_read_and_other_kinds_of_pictures_are_told_by_name(tmp_path: Path) -> None:
    astronaut().save(tmp_path / "a.avif", quality=95)
    assert open_upright(tmp_path / "a.avif").size == (512, 512)
    assert [photo.name for photo in walk(tmp_path)] == ["a.avif"]
    for name in ("a.jp2", "a.j2k"):
        astronaut().save(tmp_path / name)
        with pytest.raises(BrokenImage, match="Limner does not read JPEG 2000: convert it to JPEG or PNG"):
            open_upright(tmp_path / name)
    for head, kind in ((b"8BPS\0\1", "a Photoshop file"), (b"II*\0\x10\0\0\0CR\2\0", "a camera's raw file")):
        (tmp_path / "x.jpg").write_bytes(head + bytes(200))
        with pytest.raises(BrokenImage, match=f"Limner does not read {kind}"):
            open_upright(tmp_path / "x.jpg")
