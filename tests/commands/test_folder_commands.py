"""A plain folder of photos by commands: connect, people, rename, merge, scan; and what is mounted below originals."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from PIL import ImageEnhance

from engine.demo.drawing import draw_portrait, random_scene
from engine.demo.people import CAST
from engine.project import Project
from tests.commands.conftest import Run
from tests.support.astronaut import FACE, astronaut, save
from tests.support.named_photos import Drawn, mp, mwg, stored_box, write
from tests.support.photoprism import Index


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photos of one person, two of another, and one that is broken."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(3):
        save(folder / f"lake/{number}.jpg", ImageEnhance.Brightness(astronaut()).enhance(0.8 + number / 10))
    jana = next(person for person in CAST if person.name == "Jana")
    for seed in (2, 8):
        save(folder / f"jana/{seed}.png", draw_portrait(jana, random_scene(Random(seed)), 512))
    (folder / "broken.jpg").write_bytes(b"no photo")
    return folder


def test_a_folder_is_connected_named_merged_scanned_and_listed(run: Run, project: Project, photos: Path) -> None:
    checked = run("connect", f"folder://{photos}", "--check")
    assert checked.out.splitlines()[:2] == [
        "a plain folder · read-only · 6 photos · 0 faces",
        "not searched for faces yet: 6 photos",
    ]
    assert project.settings.library.url is None
    done = run("connect", f"folder://{photos}")
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        "a plain folder · read-only · 6 photos · 5 faces",
        f"folder: 5 of 5 sampled files opened ({photos})",
        "2 people",
    ]
    assert project.settings.library.url == f"folder://{photos}"
    listed = run("people", "--json").record["people"]
    assert [(each["name"], each["faces"], each["confirmed"]) for each in listed] == [
        ("person 1", 3, 0),
        ("person 2", 2, 0),
    ]
    named = run("people", "rename", "person 1", "Eileen", "--json").record["person"]
    assert named == {"id": listed[0]["id"], "name": "Eileen"}
    scanned = run("faces", "scan", "--person", "eileen", "--json").record
    assert (scanned["person"], scanned["faces"], scanned["usable"]) == ("Eileen", 3, 3)
    faces = run("faces", "list", "--json").record["faces"]
    assert {Path(face["path"]).parent.name for face in faces} == {"lake"}
    assert {face["view"] for face in faces} == {"front"}
    assert run("people", "rename", "Eileen", "Eileen Collins").err == "Eileen is Eileen Collins now.\n"
    assert project.settings.person.name == "Eileen Collins"
    merged = run("people", "merge", "person 2", "Eileen Collins", "--json").record
    assert (merged["person"]["faces"], merged["merged"]) == (5, [listed[0]["id"]])
    assert project.settings.person.uid == listed[1]["id"], "the project goes with its person"
    assert "person 2" in run("people").out


def test_names_in_photos_lead_to_a_dataset_by_commands(run: Run, project: Project, tmp_path: Path) -> None:
    for number, orientation in enumerate((1, 6, 3, 8)):
        path = save(tmp_path / f"photos/{number}.jpg", astronaut(), orientation=orientation)
        if number < 2:
            drawn = [Drawn("Eileen Collins", stored_box(FACE, orientation)), Drawn("Rex", (0, 0.8, 0.1, 0.1), "Pet")]
            # One photo has her name in itself, one in a sidecar.
            write(path if number else path.with_suffix(".xmp"), mwg(drawn, (512, 512)), mp(drawn[:1]))
    before = {each: each.read_bytes() for each in (tmp_path / "photos").iterdir()}
    done = run("connect", f"folder://{tmp_path}/photos")
    assert (done.code, done.out.splitlines()[0]) == (0, "a plain folder · read-only · 4 photos · 4 faces"), done.err
    (person,) = run("people", "--json").record["people"]
    assert (person["name"], person["faces"], person["confirmed"]) == ("Eileen Collins", 4, 2)
    assert "Eileen Collins" in run("people").out
    scanned = run("faces", "scan", "--person", "eileen collins", "--json").record
    assert (scanned["faces"], scanned["usable"]) == (4, 4)
    faces = run("faces", "list", "is:confirmed", "--json").record["faces"]
    assert {Path(face["path"]).name for face in faces} == {"0.jpg", "1.jpg"}
    assert run("faces", "keep", *(str(face["id"]) for face in faces)).code == 0
    assert run("dataset", "build").code == 0
    assert len(list(project.dataset.glob("*/*.png"))) == 2
    assert {each: each.read_bytes() for each in (tmp_path / "photos").iterdir()} == before


def test_what_can_t_be_done_with_a_folder_is_said_in_one_line(run: Run, project: Project, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "there are no photos in" in run("connect", f"folder://{tmp_path}/empty").failure
    assert "there is no folder" in run("connect", f"folder://{tmp_path}/none").failure
    assert "names no folder" in run("connect", "folder://").failure
    assert project.settings.library.url is None
    save(tmp_path / "one/a.jpg", astronaut(100, 100))
    assert run("connect", f"folder://{tmp_path}/one").code == 0
    assert "No faces were found in the folder" in run("people").err
    assert "there is nobody in the library called James" in run("people", "rename", "James", "Jim").failure
    assert run("people", "merge", "James").code == 2


def test_a_folder_that_could_not_be_scanned_is_told_and_scanned_later(run: Run, project: Project, photos: Path) -> None:
    jobs = project.root / "jobs"
    if jobs.is_dir():
        jobs.rmdir()
    jobs.write_text("in the way")
    failed = run("connect", f"folder://{photos}")
    assert failed.code == 1
    saved, *_, why = failed.err.splitlines()
    assert saved == f"Saved: the photos are in {photos}."
    assert why.startswith("limner: ")
    assert project.settings.library.url == f"folder://{photos}"
    jobs.unlink()
    assert run("connect").out.splitlines()[0] == "a plain folder · read-only · 6 photos · 5 faces"


def test_photoprism_s_people_are_named_in_photoprism(run: Run, project: Project, tmp_path: Path) -> None:
    index = Index()
    james = index.person("James")
    for name in ("2019/a.jpg", "family/b.jpg"):
        index.face(index.photo(name), james)
    save(tmp_path / "originals/2019/a.jpg", astronaut())
    save(tmp_path / "nas/b.jpg", astronaut())
    url = index.to_sqlite(tmp_path / "index.db")
    words = ("connect", url, "--originals", tmp_path / "originals", "--mount")
    assert run(*words, "family").code == 2
    assert run(*words, "../x=/mnt").code == 2
    assert "holds none of the 1 sampled files below originals/family" in run(*words, f"family={tmp_path}").failure
    done = run(*words, f"/photoprism/originals/family={tmp_path}/nas")
    assert done.code == 0, done.err
    assert f"originals/family: 1 of 1 sampled files opened ({tmp_path}/nas)" in done.out.splitlines()
    assert project.settings.library.mounts == {"family": tmp_path / "nas"}
    scanned = run("faces", "scan", "--person", "James", "--no-measure", "--json").record
    assert (scanned["faces"], scanned["usable"]) == (2, 2)
    assert "PhotoPrism keeps these people" in run("people", "rename", "James", "Jim").failure
