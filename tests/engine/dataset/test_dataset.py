"""Kept faces become images that trainers can read, and rebuilding loses nothing that was written by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine import events
from engine.dataset.build import BuildReport, build
from engine.dataset.captions.image_facts import framing_words
from engine.dataset.captions.job import write_captions
from engine.dataset.captions.template import caption
from engine.dataset.files.layout import DatasetFolder, write_caption
from engine.errors import DatasetError
from engine.faces.photo.geometry import Box, Cut, Framing, crop_square
from engine.faces.records.decisions import Decision, Ledger
from engine.faces.records.found_face import FoundFace
from engine.project import Project
from tests.support.astronaut import FACE, astronaut, save

LARGE = 4
"""How much larger than scikit-image's the test's photos are where no enlarging is wanted."""


@pytest.fixture
def scanned(project: Project, tmp_path: Path) -> Project:
    """Four faces: two large photos (one turned), a small one, one whose file is missing."""
    large = astronaut().resize((512 * LARGE, 512 * LARGE))
    save(tmp_path / "photos/a.jpg", large)
    save(tmp_path / "photos/b.jpg", large, orientation=6)
    save(tmp_path / "photos/small.png")
    found = []
    for number, (name, side) in enumerate([("a.jpg", 2048), ("b.jpg", 2048), ("small.png", 512), ("gone.jpg", 2048)]):
        found.append(
            FoundFace(
                marker_uid=f"ms{number}",
                person_uid="js1",
                person="James",
                photo_uid=f"ps{number}",
                file_uid=f"fs{number}",
                file_root="/",
                file_name=name,
                path=tmp_path / "photos" / name,
                box=Box(*FACE),
                image_width=side,
                image_height=side,
                face_px=round(FACE[3] * side),
                taken_at=None,
                confirmed=True,
            )
        )
    with project.store() as store:
        Ledger(store).record("js1", found)
    project.change({"person.uid": "js1"})
    return project


def _decide(project: Project, decision: Decision, *ids: int) -> None:
    with project.store() as store:
        Ledger(store).decide(ids, decision)


def _captions(report: BuildReport) -> dict[str, str]:
    return {image.path.name: image.caption for image in report.images}


def test_kept_faces_become_upright_images_and_captions_as_kohya_has_them(scanned: Project) -> None:
    _decide(scanned, Decision.KEEP, 1, 2, 3)
    report = build(scanned, Framing.CLOSE)
    folder = scanned.dataset / "10_jx265 man"
    names = ["0001.png", "0001.txt", "0002.png", "0002.txt", "0003.png", "0003.txt"]
    assert sorted(path.name for path in folder.iterdir()) == names
    for name in names[::2]:
        with Image.open(folder / name) as image:
            assert (image.size, image.mode, image.format) == ((1024, 1024), "RGB", "PNG")
            assert not image.getexif()
            assert not image.info
    assert (folder / "0001.txt").read_text() == "jx265, man, close-up\n"
    assert [image.upscaled for image in report.images] == [False, False, True]
    assert report.upscaled == 1
    assert [image.face_id for image in report.images] == [1, 2, 3]
    pixels = [np.asarray(Image.open(folder / name), int) for name in names[::2]]
    assert np.abs(pixels[0] - pixels[1]).mean() < 1, "the turned photo gives the same image"
    assert np.abs(pixels[0] - pixels[2]).mean() < 8, "the small photo gives the same image, less sharp"


def test_the_checks_say_what_holds_of_the_set(scanned: Project) -> None:
    assert DatasetFolder(scanned).checks() == ["0 images", "0 captioned", "0 upscaled"]
    _decide(scanned, Decision.KEEP, 1, 3)
    first, second = build(scanned).images
    assert DatasetFolder(scanned).checks() == ["2 images", "2 captioned", "1 upscaled", "trigger ok"]
    write_caption(first, "a man called jx265")
    write_caption(second, "a man")
    assert DatasetFolder(scanned).checks()[3:] == ["trigger missing in 0002", "trigger not first in 0001"]
    write_caption(DatasetFolder(scanned).images()[0], "jx265, man, the word jx265 on a shirt")
    assert DatasetFolder(scanned).checks()[3:] == ["trigger missing in 0002", "trigger twice in 0001"]


def test_building_again_cuts_nothing_and_keeps_edited_captions(scanned: Project) -> None:
    _decide(scanned, Decision.KEEP, 1, 3)
    report = build(scanned)
    write_caption(report.images[0], "jx265, man, smiling")
    before = {path: path.stat().st_mtime_ns for path in report.folder.glob("*.png")}
    again = build(scanned)
    assert (report.cut, again.cut) == (2, 0)
    assert {path: path.stat().st_mtime_ns for path in report.folder.glob("*.png")} == before
    assert _captions(again) == {"0001.png": "jx265, man, smiling", "0002.png": "jx265, man, half body"}


def test_a_face_that_goes_and_comes_back_keeps_its_number_and_caption(scanned: Project) -> None:
    _decide(scanned, Decision.KEEP, 1, 2)
    write_caption(build(scanned).images[0], "jx265, man, smiling")
    _decide(scanned, Decision.REJECT, 1)
    _decide(scanned, Decision.KEEP, 3)
    report = build(scanned)
    assert (report.removed, report.cut) == (1, 1)
    assert _captions(report) == {"0002.png": "jx265, man, close-up", "0003.png": "jx265, man, half body"}
    assert not (report.folder / "0001.txt").exists()
    _decide(scanned, Decision.KEEP, 1)
    assert _captions(build(scanned))["0001.png"] == "jx265, man, smiling"


@pytest.mark.long
def test_another_framing_cuts_again_and_renames_what_the_template_said(scanned: Project) -> None:
    _decide(scanned, Decision.KEEP, 1, 2)
    close = build(scanned)
    write_caption(close.images[1], "jx265, man, smiling")
    half = build(scanned, Framing.HALF)
    assert half.cut == 2
    assert _captions(half) == {"0001.png": "jx265, man, half body", "0002.png": "jx265, man, smiling"}
    assert (half.images[0].source_px or 0) > 1.5 * (close.images[0].source_px or 0)


def test_other_repeats_and_another_trigger_rename_the_folder(scanned: Project) -> None:
    _decide(scanned, Decision.KEEP, 1, 2)
    write_caption(build(scanned).images[1], "jx265, man, smiling")
    scanned.change({"training.repeats": 4})
    assert len(DatasetFolder(scanned).images()) == 2, "found before it is built again"
    scanned.change({"person.trigger": "ohwx", "person.class_word": "person"})
    report = build(scanned)
    assert [path.name for path in scanned.dataset.iterdir() if path.is_dir()] == ["4_ohwx person"]
    assert report.cut == 0
    assert _captions(report) == {"0001.png": "ohwx, person, close-up", "0002.png": "ohwx, person, smiling"}


def test_a_face_that_cannot_be_opened_is_told_and_the_rest_is_built(scanned: Project, tmp_path: Path) -> None:
    _decide(scanned, Decision.KEEP, 1, 4)
    told: list[events.Event] = []
    report = build(scanned, tell=told.append)
    assert [face.id for face, _ in report.skipped] == [4]
    assert "the file is missing" in report.skipped[0][1]
    assert [image.face_id for image in report.images] == [1]
    assert any(isinstance(event, events.Warning) and "face 4 is skipped" in event.message for event in told)
    (tmp_path / "photos/a.jpg").unlink()
    again = build(scanned, Framing.HALF)
    assert [image.face_id for image in again.images] == [1], "an image that was made stays while its photo is away"
    save(tmp_path / "photos/gone.jpg", astronaut().resize((2048, 2048)))
    assert [image.face_id for image in build(scanned).images] == [1, 4]


def test_each_face_is_cut_as_it_was_chosen_or_cropped_by_hand(scanned: Project) -> None:
    with scanned.store() as store:
        ledger = Ledger(store)
        cuts = {1: Cut(Framing.HALF), 2: Cut(Framing.CLOSE, right=0.1, zoom=1.25)}
        ledger.decide([1, 2], Decision.KEEP, cuts)
    report = build(scanned)
    assert _captions(report) == {"0001.png": "jx265, man, half body", "0002.png": "jx265, man, close-up"}
    entries = DatasetFolder(scanned).manifest().entries
    plain = crop_square(Box(*FACE), 2048, 2048, Framing.CLOSE)
    assert entries[1].crop[2] == pytest.approx(plain.side / 1.25, abs=1)
    assert entries[1].crop[0] + entries[1].crop[2] / 2 > plain.left + plain.side / 2
    with scanned.store() as store:
        Ledger(store).cut(2, None)
    again = build(scanned)
    assert again.cut == 1
    assert DatasetFolder(scanned).manifest().entries[1].crop[2] == plain.side


def test_images_added_by_hand_are_left_alone_and_listed(scanned: Project) -> None:
    _decide(scanned, Decision.KEEP, 1)
    folder = build(scanned).folder
    astronaut().save(folder / "0002.png")
    (folder / "0002.txt").write_text("jx265, man, by hand\n")
    _decide(scanned, Decision.KEEP, 2)
    _decide(scanned, Decision.UNDECIDED, 1)
    report = build(scanned)
    assert _captions(report) == {"0002.png": "jx265, man, by hand", "0003.png": "jx265, man, close-up"}
    assert (report.images[0].face_id, report.images[0].upscaled, report.images[0].width) == (None, False, 512)


BUILDER = """
import sys
from pathlib import Path
from engine.dataset.build import build
from engine.faces.photo.geometry import Framing
from engine.project import Project

def tell(event):
    print(event.kind, getattr(event, "done", ""), flush=True)
    if getattr(event, "done", 0) == 1:
        sys.stdin.read()

build(Project(Path(sys.argv[1])), Framing.HALF, tell)
"""


def test_a_build_that_is_killed_half_way_is_finished_by_the_next(scanned: Project) -> None:
    _decide(scanned, Decision.KEEP, 1)
    before = build(scanned).images[0].path.read_bytes()
    _decide(scanned, Decision.KEEP, 2, 3)
    command = [sys.executable, "-c", BUILDER, str(scanned.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any(line == "phase 1\n" for line in process.stdout)
        process.kill()
    report = build(scanned)
    assert [image.face_id for image in report.images] == [1, 2, 3]
    assert report.images[0].path.read_bytes() == before, "cut for another framing when it was killed"
    assert sorted(path.name for path in report.folder.iterdir()) == [
        f"000{number}.{suffix}" for number in (1, 2, 3) for suffix in ("png", "txt")
    ]


def test_a_damaged_image_is_made_again(scanned: Project) -> None:
    _decide(scanned, Decision.KEEP, 1)
    path = build(scanned).images[0].path
    whole = path.read_bytes()
    path.write_bytes(b"not a picture")
    with pytest.raises(DatasetError, match=r"0001\.png is not an image: .*build the dataset again"):
        DatasetFolder(scanned).images()
    assert build(scanned).images[0].path.read_bytes() == whole


def test_without_a_kept_face_it_says_what_to_do(scanned: Project, project: Project) -> None:
    with pytest.raises(DatasetError, match="no face is kept: keep some with: limner faces pick --count 24"):
        build(scanned)


def test_a_caption_is_one_line_and_never_empty(scanned: Project) -> None:
    _decide(scanned, Decision.KEEP, 1)
    image = build(scanned).images[0]
    assert write_caption(image, "  jx265,\n\tman   at the sea\r\n") == "jx265, man at the sea"
    assert image.caption_path.read_bytes() == b"jx265, man at the sea\n"
    with pytest.raises(DatasetError, match=r"caption of 0001\.png is empty"):
        write_caption(image, " \n ")
    assert image.caption_path.read_bytes() == b"jx265, man at the sea\n"


def test_captioning_fills_gaps_and_overwrites_only_when_asked(scanned: Project) -> None:
    _decide(scanned, Decision.KEEP, 1, 2)
    first, second = build(scanned).images
    first.caption_path.unlink()
    write_caption(second, "jx265, man, smiling")
    assert caption(scanned) == 1
    assert [image.caption for image in DatasetFolder(scanned).images()] == [
        "jx265, man, close-up",
        "jx265, man, smiling",
    ]
    assert write_captions(scanned, "template", overwrite=True).written == ["0002.png"]
    assert DatasetFolder(scanned).images()[1].caption == "jx265, man, close-up"


def test_a_crop_is_named_for_what_it_shows() -> None:
    assert [framing_words(share) for share in (0.9, 0.30, 0.29, 0.12, 0.11)] == [
        *("close-up", "close-up", "half body", "half body", "full body"),
    ]


def test_a_damaged_manifest_is_told_and_nothing_is_built_over_it(scanned: Project) -> None:
    _decide(scanned, Decision.KEEP, 1)
    build(scanned)
    path = scanned.dataset / "manifest.json"
    assert json.loads(path.read_text())["images"][0]["face"] == 1
    path.write_text('{"v": 1,')
    with pytest.raises(DatasetError, match=r"manifest\.json is damaged"):
        build(scanned)
    assert path.read_text() == '{"v": 1,'
