"""Scans of people in Immich: boxes proven where they may be of another picture, and what happens there meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import events
from engine.errors import LibraryError
from engine.faces.photo.geometry import Box
from engine.faces.proof import BoxProof
from engine.faces.records.decisions import Decision, Face, Ledger
from engine.faces.scan import UNPROVEN, ScanReport, scan, start_scan
from engine.jobs.follow import follow
from engine.library.paths import NoPhotosNow
from engine.library.web import session as web_session
from engine.project import Project
from engine.security.trust import confirm
from tests.support.astronaut import FACE
from tests.support.immich_data import CROP, GRACE_FACE, Immich
from tests.support.immich_library import connected
from tests.support.immich_server import API_KEY, Fault, Server, running
from tests.support.rows import usual

WHERE = Box(*FACE)


@pytest.fixture(autouse=True)
def quick_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_session, "FIRST_WAIT", 0.002)


@pytest.fixture
def server(immich: Immich, project: Project) -> Iterator[Server]:
    with running(immich) as found:
        connected(project, found)
        yield found


def faces(project: Project, gone: bool = False) -> dict[str, Face]:
    with project.store() as store:
        return {face.file_name.rpartition("/")[2]: face for face in Ledger(store).faces(gone=gone)}


def scanned(project: Project, person: str, told: list[events.Event] | None = None) -> ScanReport:
    return scan(project, person, API_KEY, (told if told is not None else []).append)


def proven(project: Project, person: str) -> dict[str, Face]:
    scan(project, person, API_KEY, proof=BoxProof().box_of)
    return faces(project)


def keep(project: Project, *names: str) -> None:
    found = faces(project)
    with project.store() as store:
        Ledger(store).decide([found[name].id for name in names], Decision.KEEP)


def warnings(told: list[events.Event]) -> list[str]:
    return [event.message for event in told if isinstance(event, events.Warning)]


@pytest.mark.parametrize("version", usual(["3.3.5", "1.132.3", "2.7.5", "3.0.1"], 1))
def test_a_scan_by_a_job_takes_in_each_face_with_its_reason(immich: Immich, project: Project, version: str) -> None:
    with running(immich, version) as server:
        connected(project, server)
        confirm(project.root, project.settings.library.url)
        job = start_scan(project, "eileen", API_KEY)
        told = [entry.event for entry in follow(job)]
    assert told[-1] == events.Job(events.JobState.DONE)
    found = faces(project)
    assert {name: face.problem for name, face in found.items() if face.problem} == {
        "missing.jpg": "the file is missing on Immich's disk",
        "raw.dng": "a camera's raw file, which Limner does not read",
    }
    assert len(found) == 8
    assert sorted(warnings(told)) == sorted(face.problem for face in found.values() if face.problem)
    assert (found["turned.jpg"].image_width, found["turned.jpg"].image_height) == (400, 512)
    # The face that was found on what an edit left is shown where it is on the whole photo.
    cropped = found["cropped.jpg"]
    if server.v >= (2, 5):
        assert cropped.warning is None
        assert cropped.box.overlap(WHERE) > 0.8
    written = b"".join(path.read_bytes() for path in project.root.rglob("*") if path.is_file())
    assert API_KEY.encode() not in written
    assert server.writes == []
    assert server.count("/original") == (7 if server.v >= (3,) else 8)


def test_a_box_of_an_edited_photo_with_two_faces_is_doubted(server: Server, project: Project) -> None:
    """A face is near it, and nothing says whose."""
    asset = server.immich.find_asset("cropped.jpg")
    server.immich.face(asset, None, (0.0, 0.7, 0.2, 0.2))
    found = proven(project, "Eileen")["cropped.jpg"]
    left, upper = asset.faces[0].box[:2]
    assert found.warning == UNPROVEN
    assert found.box.x == pytest.approx(left / (CROP[2] - CROP[0]))
    assert found.box.y == pytest.approx(upper / (CROP[3] - CROP[1]))


def test_an_edit_that_left_the_box_where_it_was_is_no_doubt(server: Server, project: Project) -> None:
    asset = server.immich.find_asset("mirrored.jpg")
    asset.edited, asset.edited_size = asset.path, asset.size
    found = proven(project, "Grace")["mirrored.jpg"]
    assert found.warning is None
    assert found.box.x == pytest.approx(1 - GRACE_FACE[0] - GRACE_FACE[2], abs=0.01)


def test_without_proof_an_edited_photo_is_doubted(server: Server, project: Project) -> None:
    scanned(project, "Eileen")
    assert [name for name, face in faces(project).items() if face.warning == UNPROVEN] == ["cropped.jpg"]


def test_a_box_of_a_picture_of_another_shape_is_proven(server: Server, project: Project) -> None:
    """The preview is of before the photo was turned."""
    face = server.immich.find_asset("turned.jpg").faces[0]
    face.size = (face.size[1], face.size[0])
    found = proven(project, "Eileen")["turned.jpg"]
    assert found.warning is None
    x, y, w, h = FACE
    assert found.box.overlap(Box(x * 512 / 400, y, w * 512 / 400, h)) > 0.8


def test_a_preview_that_was_rounded_is_of_the_same_shape(server: Server, project: Project) -> None:
    face = server.immich.find_asset("turned.jpg").faces[0]
    face.size = (face.size[0], face.size[1] + 3)

    def never(*_: object) -> None:
        pytest.fail("this box is not in doubt")

    server.immich.trash(server.immich.find_asset("cropped.jpg"))
    scan(project, "Eileen", API_KEY, proof=never)


def test_nobody_and_two_of_a_name_leave_the_project_as_it_was(server: Server, project: Project) -> None:
    with pytest.raises(LibraryError, match=r"nobody in the library called Eilen: did you mean Eileen\?"):
        scanned(project, "Eilen")
    with pytest.raises(LibraryError, match="2 people are called Anna: give one's id instead"):
        scanned(project, "Anna")
    assert project.settings.person.uid is None
    assert faces(project) == {}


def test_a_person_that_was_merged_is_found_by_name(server: Server, project: Project) -> None:
    immich = server.immich
    anna, other = (each for each in immich.people if each.name == "Anna")
    scanned(project, anna.id)
    keep(project, "visitors.jpg")
    immich.merge(other, anna)
    report = scanned(project, anna.id)
    assert (report.person.id, report.faces, report.gone) == (other.id, 2, 0)
    assert {name: face.decision for name, face in faces(project).items()} == {
        "visitors.jpg": Decision.KEEP,
        "tagged.jpg": Decision.UNDECIDED,
    }
    assert project.settings.person.uid == other.id


def test_a_face_that_is_now_anothers_is_told_and_its_decision_kept(server: Server, project: Project) -> None:
    scanned(project, "Grace")
    keep(project, "grace.jpg")
    told: list[events.Event] = []
    server.immich.reassign(server.immich.find_asset("grace.jpg").faces[0], server.immich.find_person("Eileen"))
    assert scanned(project, "Grace", told).gone == 1
    assert "1 decided face is gone from the library: their decisions are kept" in warnings(told)
    assert "grace.jpg" not in {name for name, face in faces(project).items() if not face.gone}
    kept = faces(project, gone=True)["grace.jpg"]
    assert (kept.gone, kept.decision) == (True, Decision.KEEP)
    server.immich.reassign(server.immich.find_asset("grace.jpg").faces[0], server.immich.find_person("Grace"))
    assert scanned(project, "Grace").gone == 0
    assert faces(project)["grace.jpg"].decision is Decision.KEEP


def test_a_person_that_was_renamed_stays_who_they_are(server: Server, project: Project) -> None:
    uid = scanned(project, "Grace").person.id
    keep(project, "grace.jpg")
    server.immich.rename(server.immich.find_person("Grace"), "Grace Hopper")
    assert scanned(project, uid).person.name == "Grace Hopper"
    assert project.settings.person.name == "Grace Hopper"
    assert faces(project)["grace.jpg"].decision is Decision.KEEP


def test_faces_found_anew_by_immich_keep_their_decisions(server: Server, project: Project) -> None:
    """Its face detection, run again on all photos, gives each face another id."""
    scanned(project, "Grace")
    keep(project, "grace.jpg", "mirrored.jpg")
    for face in server.immich.faces_of(server.immich.find_person("Grace")):
        face.id = server.immich.new_id()
    report = scanned(project, "Grace")
    assert (report.moved, report.gone) == (2, 0)
    assert [name for name, face in faces(project).items() if face.decision is Decision.KEEP] == [
        "grace.jpg",
        "mirrored.jpg",
    ]


def test_a_photo_put_into_the_archive_or_trash_is_gone(server: Server, project: Project) -> None:
    scanned(project, "Eileen")
    keep(project, "plain.jpg", "turned.jpg", "live.jpg")
    server.immich.archive(server.immich.find_asset("plain.jpg"))
    server.immich.trash(server.immich.find_asset("turned.jpg"))
    assert scanned(project, "Eileen").gone == 2
    project.change({"library.private": True})
    assert scanned(project, "Eileen").gone == 1


def test_photos_without_a_face_of_the_person_are_warned_of(server: Server, project: Project) -> None:
    told: list[events.Event] = []
    server.before(r"faces\?", Fault(200, body=b"[]"), Fault(200, body=b"[]"))
    report = scanned(project, "Grace", told)
    assert report.faces == 1
    assert warnings(told) == ["2 photos were found for this person without a face of theirs: left out"]


def test_a_server_that_goes_away_in_mid_scan_leaves_what_was_known(
    server: Server, project: Project, tmp_path: Path
) -> None:
    scanned(project, "Grace")
    before = faces(project)
    for path in project.cache.rglob("*.jpg"):
        path.unlink()
    server.before("/original", *[Fault(503)] * 100)
    with pytest.raises(NoPhotosNow, match=r"is not running \(503\): start Immich"):
        scanned(project, "Grace")
    assert faces(project) == before
    server.faults.clear()
    assert scanned(project, "Grace").usable == 3


def test_a_server_that_restarts_while_it_is_listed_is_waited_for(server: Server, project: Project) -> None:
    told: list[events.Event] = []
    server.before(r"faces\?", *[Fault(503)] * 3 * web_session.TRIES)
    assert scanned(project, "Grace", told).usable == 3
    assert any("the scan waits for it" in words for words in warnings(told))
