"""Every face is measured once, in a job, and compared with the others: blurred, copied, in a burst, somebody else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from engine import events
from engine.demo.library import SEED, DrawnLibrary
from engine.demo.shots import Shot, plan_shots
from engine.faces.measure_job import measure
from engine.faces.measurement.duplicates import distances_from_person, find_bursts, one_space
from engine.faces.measurement.quality import PHOTO_HASH, dhash, look, needed_side
from engine.faces.photo.geometry import Box, Framing
from engine.faces.records.decisions import Face, Ledger
from engine.faces.records.found_face import FoundFace
from engine.faces.records.measurement_store import MeasuredFaces, Seen
from engine.faces.records.measurements import FaceQuality, Light, Measures
from engine.faces.scan import scan
from engine.faces.selection.pick import pick
from engine.faces.start_measuring import start_measure, unmeasured
from engine.jobs.follow import follow
from engine.project import Project, create_project
from tests.support.astronaut import FACE, astronaut, save
from tests.support.photoprism import Index

BOX = Box(*FACE)


@pytest.fixture(scope="module")
def drawn(
    drawn_library: DrawnLibrary, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[Face], dict[str, Shot], Project]:
    """The drawn library, scanned and measured, and the plan that it was drawn by."""
    library = drawn_library
    project = create_project(tmp_path_factory.mktemp("drawn") / "james", trigger="jx265", class_word="man")
    folders = {"library.originals": library.originals, "library.sidecar": library.sidecar}
    project.change({"library.url": library.url, **folders})
    scan(project, "James")
    measure(project)
    with project.store() as store:
        faces = [face for face in Ledger(store).faces() if not face.problem]
    return faces, {shot.path.as_posix(): shot for shot in plan_shots(SEED)}, project


def _truth(faces: list[Face], shots: dict[str, Shot]) -> Iterator[tuple[Face, Shot]]:
    for face in faces:
        yield face, shots[face.file_name.removesuffix(".jpg") if ".heic" in face.file_name else face.file_name]


@pytest.mark.long
def test_who_is_somebody_else_is_told_in_the_drawn_library(drawn: tuple[list[Face], dict[str, Shot], Project]) -> None:
    faces, shots, _ = drawn
    for face, shot in _truth(faces, shots):
        relations = face.measures.relations
        assert relations is not None
        if shot.mistaken_for:
            assert relations.wrong is True, face.file_name
        elif shot.good:
            assert relations.wrong in (False, None), face.file_name
        if shot.blurred or shot.drawn_by_hand:
            assert relations.distance is None, "nothing can be said about who is on a blur, or without an embedding"


@pytest.mark.long
def test_what_is_blurred_copied_or_in_a_burst_is_told(drawn: tuple[list[Face], dict[str, Shot], Project]) -> None:
    faces, shots, _ = drawn
    of_moment: dict[str, list[Face]] = {}
    for face, shot in _truth(faces, shots):
        relations = face.measures.relations
        assert relations is not None
        assert face.measures.blurred is shot.blurred, face.file_name
        assert not shot.copy or relations.copy_of is not None, face.file_name
        of_moment.setdefault(shot.seed, []).append(face)
        if relations.copy_of is not None:
            original = next(other for other in faces if other.id == relations.copy_of)
            assert shots[original.file_name].seed == shot.seed, f"{face.file_name} is no copy of {original.file_name}"
    bursts = [
        len(some) for some in of_moment.values() if some[0].measures.relations and some[0].measures.relations.burst
    ]
    assert sorted(bursts) == [3, 5]
    for some in of_moment.values():
        assert sum(face.measures.relations is not None and face.measures.relations.burst_best for face in some) >= 1
        if some[0].measures.relations and some[0].measures.relations.burst:
            assert {face.measures.relations.burst_size for face in some if face.measures.relations} == {len(some)}


@pytest.mark.long
def test_the_pick_meets_the_drawn_library_s_truth(drawn: tuple[list[Face], dict[str, Shot], Project]) -> None:
    faces, shots, _ = drawn
    picked = pick(faces, 24)
    assert Counter(each.framing for each in picked) == {Framing.CLOSE: 12, Framing.HALF: 6, Framing.FULL: 6}
    chosen = [shot for _, shot in _truth([each.face for each in picked], shots)]
    assert all(shot.good for shot in chosen), "nobody else, no blur, no copy, nobody cut off"
    assert len({shot.seed for shot in chosen}) == 24, "no moment twice"
    assert len({shot.taken_at.year for shot in chosen}) >= 5


@pytest.mark.long
def test_the_other_faces_of_a_photo_are_known(drawn: tuple[list[Face], dict[str, Shot], Project]) -> None:
    faces, shots, _ = drawn
    for face, shot in _truth(faces, shots):
        others = face.measures.neighbours
        assert others is not None
        assert len(others) == len(shot.people) - 1


@pytest.fixture
def two(project: Project, tmp_path: Path) -> Callable[[], list[Face]]:
    """A project with a portrait twice, connected; returns its faces, read anew."""
    index = Index()
    james = index.person("James")
    for name, picture in (("a.jpg", astronaut()), ("b.jpg", astronaut().filter(ImageFilter.GaussianBlur(2)))):
        save(tmp_path / "photos" / name, picture)
        index.face(index.photo(name), james, FACE)
    project.change({"library.url": index.to_sqlite(tmp_path / "index.db"), "library.originals": tmp_path / "photos"})
    scan(project, "James")

    def read() -> list[Face]:
        with project.store() as store:
            return Ledger(store).faces()

    return read


def test_nothing_is_measured_twice_but_what_changed_and_what_is_asked_for(
    project: Project, two: Callable[[], list[Face]], tmp_path: Path
) -> None:
    assert [measure(project).measured for _ in range(2)] == [2, 0]
    assert measure(project, again=True).measured == 2
    before = {face.file_name: face.measures for face in two()}
    assert before["b.jpg"].blurred
    save(tmp_path / "photos" / "b.jpg", astronaut())
    assert measure(project).measured == 1
    after = {face.file_name: face.measures for face in two()}
    assert (after["a.jpg"].sharp, after["b.jpg"].blurred) == (before["a.jpg"].sharp, False)


def test_measuring_runs_as_a_job_with_a_progress_bar(project: Project, two: Callable[[], list[Face]]) -> None:
    assert unmeasured(two()) == 2
    told = [entry.event for entry in follow(start_measure(project))]
    assert events.Phase("measures", 0, 2) in told
    assert events.Phase("measures", 2, 2) in told
    assert told[-1] == events.Job(events.JobState.DONE)
    assert unmeasured(two()) == 0
    again = [entry.event for entry in follow(start_measure(project))]
    assert next(event for event in again if isinstance(event, events.Phase)) == events.Phase("measures", 0, 0)


def test_only_what_changed_is_measured_again(project: Project, two: Callable[[], list[Face]], tmp_path: Path) -> None:
    measure(project)
    sharp, blurred = (face.measures.sharp for face in two())
    assert sharp is not None
    assert blurred is not None
    assert sharp > 40 > 12 > blurred
    save(tmp_path / "photos/b.jpg", astronaut())
    assert measure(project).measured == 1
    assert two()[1].measures.sharp == pytest.approx(sharp, rel=0.05)


def test_a_photo_that_vanished_stays_unmeasured_and_is_told(
    project: Project, two: Callable[[], list[Face]], tmp_path: Path
) -> None:
    (tmp_path / "photos/a.jpg").unlink()
    told: list[events.Event] = []
    measure(project, tell=told.append)
    assert [event.subject for event in told if isinstance(event, events.Warning)] == [str(tmp_path / "photos/a.jpg")]
    first, second = two()
    assert first.measures.sharp is None
    assert second.measures.sharp is not None


def test_a_job_asked_to_stop_keeps_what_it_measured(project: Project, two: Callable[[], list[Face]]) -> None:
    assert measure(project, should_stop=lambda: True).stopped
    assert unmeasured(two()) == 2
    measured = [face for face in two() if face.measures.quality]
    assert len(measured) >= 1
    assert measure(project).measured == 2 - len(measured)


def test_sharpness_falls_with_blur_and_not_with_size() -> None:
    picture = astronaut()
    values = [_quality(picture.filter(ImageFilter.GaussianBlur(radius))).sharp for radius in (0, 1, 2, 4)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 40
    assert values[-1] < 12
    larger = _quality(picture.resize((1024, 1024), Image.Resampling.LANCZOS))
    assert larger.sharp == pytest.approx(values[0], rel=0.35)


def test_light_is_told_on_the_face() -> None:
    picture = astronaut()
    assert Measures(_quality(picture)).light is Light.GOOD
    assert Measures(_quality(ImageEnhance.Brightness(picture).enhance(0.25))).light is Light.DARK
    assert Measures(_quality(ImageEnhance.Brightness(picture).enhance(3))).light is Light.BRIGHT
    assert Measures(_quality(ImageEnhance.Contrast(picture).enhance(0.2))).light is Light.FLAT


def test_a_hash_survives_recompression_and_half_the_size(tmp_path: Path) -> None:
    picture = astronaut()
    small = picture.resize((256, 256), Image.Resampling.LANCZOS)
    small.save(tmp_path / "small.jpg", quality=40)
    with Image.open(tmp_path / "small.jpg") as copy:
        assert (dhash(picture, PHOTO_HASH) ^ dhash(copy, PHOTO_HASH)).bit_count() <= 10
    turned = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert (dhash(picture, PHOTO_HASH) ^ dhash(turned, PHOTO_HASH)).bit_count() > 60


def test_a_large_face_is_measured_on_a_smaller_picture() -> None:
    assert needed_side(2048, 4000) == 1001
    assert needed_side(100, 4000) == 4001


def test_embeddings_of_two_spaces_are_never_compared(found: Callable[..., FoundFace]) -> None:
    chance = np.random.default_rng(1)
    mine, other = chance.normal(size=8), chance.normal(size=8)

    def packed(vector: np.ndarray, noise: float) -> bytes:
        moved = vector / np.linalg.norm(vector) + noise * chance.normal(size=8)
        return (moved / np.linalg.norm(moved)).astype(np.float16).tobytes()

    quality = FaceQuality(100, 120, 50, 0, 0, 1, 1)
    faces = [_face(found(n, confirmed=n <= 8), n, quality) for n in range(1, 13)]
    embeddings = {face.marker_uid: ("facenet 512", packed(mine, 0.05)) for face in faces[:9]}
    embeddings[faces[9].marker_uid] = ("facenet 512", packed(other, 0.05))
    embeddings[faces[10].marker_uid] = ("sface 128", packed(mine, 0.05))
    vectors = one_space(faces, embeddings)
    assert vectors.keys() == set(range(1, 11))
    distances, limit = distances_from_person(faces, vectors)
    assert distances[9] < limit < distances[10]
    few, none = distances_from_person(faces[5:], vectors)
    assert few == {}, "three confirmed faces are too few to say who is somebody else"
    assert none > 2


def test_a_burst_is_what_was_taken_within_seconds_and_looks_alike(found: Callable[..., FoundFace]) -> None:
    alike, different = FaceQuality(100, 120, 50, 0, 0, 1, 0b1111), FaceQuality(100, 120, 50, 0, 0, 1, (1 << 40) - 1)

    def at(number: int, time: str, quality: FaceQuality = alike) -> Face:
        return _face(found(number, taken_at=f"2019-06-02 {time}"), number, quality)

    faces = [at(1, "10:00:00"), at(2, "10:00:08"), at(3, "10:00:16"), at(4, "10:00:27"), at(5, "10:00:30", different)]
    bursts = find_bursts(faces, {})
    assert bursts.keys() == {1, 2, 3}
    assert all([face.id for face in burst] == [1, 2, 3] for burst in bursts.values())


def test_what_the_library_told_stays_when_it_tells_no_more(project: Project, two: Callable[[], list[Face]]) -> None:
    with project.store() as store:
        measured = MeasuredFaces(store)
        markers = [face.marker_uid for face in two()]
        measured.take_in([Seen(markers[0], (), "facenet 2", b"1234")])
    scan(project, "James")
    with project.store() as store:
        assert MeasuredFaces(store).embeddings(markers) == {markers[0]: ("facenet 2", b"1234")}


def _quality(picture: Image.Image) -> FaceQuality:
    return look(picture, BOX, 0)


def _face(found: FoundFace, number: int, quality: FaceQuality) -> Face:
    face = Face(**{name: getattr(found, name) for name in FoundFace.__dataclass_fields__}, id=number)
    return replace(face, measures=Measures(quality=quality))
