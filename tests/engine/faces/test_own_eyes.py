"""What Limner sees of a library's faces itself: how they are turned, who stands beside them, who is somebody else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from engine import events
from engine.demo.drawing import draw_portrait, random_scene
from engine.demo.people import CAST
from engine.errors import FaceError
from engine.faces.detection.box_matching import find_in_box, others_of
from engine.faces.detection.detector import Detector
from engine.faces.detection.embedding import SPACE, Identity
from engine.faces.detection.embedding_pool import Embedders
from engine.faces.framing import FRAMINGS, others_inside
from engine.faces.measure_job import measure
from engine.faces.measurement.duplicates import distances_from_person, library_tells_enough
from engine.faces.photo.geometry import Box, Crop
from engine.faces.records.decisions import Decision, Face, Ledger
from engine.faces.records.found_face import FoundFace
from engine.faces.records.measurement_store import MeasuredFaces, Seen
from engine.faces.records.measurements import FaceQuality, Measures, View
from engine.faces.scan import scan
from engine.faces.selection.face_table import FaceColumns
from engine.faces.selection.filter import completions, select
from engine.faces.selection.pick import pick
from engine.faces.selection.target_mix import mix_of
from engine.library.faces import FOLDER_ROOT
from engine.project import Project
from tests.support.astronaut import FACE, astronaut, save
from tests.support.photoprism import Index

JANA = (0.29, 0.2, 0.42, 0.42)
"""Where the head is on a drawn portrait."""


def stranger(seed: int = 1) -> Image.Image:
    """Somebody else: a drawn head that the detector takes for a face."""
    jana = next(person for person in CAST if person.name == "Jana")
    return draw_portrait(jana, random_scene(Random(seed)), 512)


def readings(project: Project) -> dict[str, Face]:
    """The faces by their file's name, read anew."""
    with project.store() as store:
        return {face.file_name: face for face in Ledger(store).faces()}


@pytest.fixture
def beach(project: Project, tmp_path: Path) -> Project:
    """Six confirmed portraits; and three that a machine matched: a good one, one mirrored, and somebody else."""
    index = Index()
    james = index.person("James")
    flipped = astronaut().transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pictures = {
        **{f"sure{n}.jpg": ImageEnhance.Brightness(astronaut(512 - 20 * n)).enhance(1 + n / 20) for n in range(6)},
        "matched.jpg": ImageEnhance.Color(astronaut(400, 400)).enhance(0.5),
        "mirrored.jpg": flipped,
        "stranger.jpg": stranger(),
    }
    for number, (name, picture) in enumerate(pictures.items()):
        save(tmp_path / "photos" / name, picture)
        x, y, w, h = (a * 512 / b for a, b in zip(FACE, picture.size * 2, strict=True))
        box = (x, y, w, h) if name != "mirrored.jpg" else (1 - x - w, y, w, h)
        photo = index.photo(name, picture.size, taken=f"20{number + 10}-06-02 15:58:24")
        src = "manual" if name.startswith("sure") else ""
        index.face(photo, james, JANA if name == "stranger.jpg" else box, src)
    project.change({"library.url": index.to_sqlite(tmp_path / "index.db"), "library.originals": tmp_path / "photos"})
    scan(project, "James")
    return project


def test_where_a_library_has_no_embeddings_ours_tell_who_is_another(beach: Project) -> None:
    assert measure(beach).measured == 9
    faces = readings(beach)
    relations = {name: face.measures.relations for name, face in faces.items()}
    assert {name for name, each in relations.items() if each and each.wrong} == {"stranger.jpg"}
    assert {each.space for each in relations.values() if each} == {SPACE}
    assert measure(beach).measured == 0, "nothing is measured twice"
    views = {name: face.measures.view for name, face in faces.items()}
    assert views["matched.jpg"] is View.FRONT
    assert all(face.measures.neighbours == () for face in faces.values())


@pytest.mark.long
def test_a_mirrored_copy_is_told_as_a_copy(beach: Project) -> None:
    measure(beach)
    faces = readings(beach)
    relations = faces["mirrored.jpg"].measures.relations
    assert relations is not None
    assert relations.mirrored
    assert relations.copy_of == faces["sure0.jpg"].id
    assert [face.file_name for face in select(faces.values(), "is:mirrored")] == ["mirrored.jpg"]
    assert "mirrored.jpg" in [face.file_name for face in select(faces.values(), "is:duplicate")]


@pytest.mark.long
def test_a_job_killed_between_embeddings_goes_on_where_it_was(beach: Project) -> None:
    stopped = measure(beach, should_stop=lambda: True)
    assert stopped.stopped
    with beach.store() as store:
        first = MeasuredFaces(store).identities()
    assert 1 <= len(first) < 9
    rest = measure(beach)
    assert rest.measured == 9 - len(first)
    with beach.store() as store:
        assert first.items() <= MeasuredFaces(store).identities().items()


def test_the_library_s_embeddings_are_used_where_they_cover_the_faces(found: Callable[..., FoundFace]) -> None:
    faces = [_face(found(n, confirmed=n <= 6), n) for n in range(1, 27)]
    all_ = {face.marker_uid: ("facenet 512", b"") for face in faces}
    assert library_tells_enough(faces, all_)
    assert library_tells_enough(faces[:6], {}), "nobody was matched by a machine"
    assert not library_tells_enough(faces, {})
    assert not library_tells_enough(faces, {uid: each for uid, each in all_.items() if uid > "ms2"}), "few confirmed"
    assert not library_tells_enough(faces, {uid: each for uid, each in all_.items() if uid not in ("ms8", "ms9")})
    mixed = {uid: (f"space {number % 2}", b"") for number, uid in enumerate(all_)}
    assert not library_tells_enough(faces, mixed), "spaces are never mixed"


def test_somebody_whom_the_library_does_not_know_is_seen_in_the_crop(project: Project, tmp_path: Path) -> None:
    index = Index()
    james = index.person("James")
    scene = Image.new("RGB", (1000, 700), "grey")
    scene.paste(astronaut(300, 400), (0, 0))
    scene.paste(astronaut().transpose(Image.Transpose.FLIP_LEFT_RIGHT).crop((200, 0, 400, 300)), (320, 60))
    alone = astronaut()
    for name, picture in (("two.jpg", scene), ("one.jpg", alone)):
        save(tmp_path / "photos" / name, picture)
        x, y, w, h = (a * 512 / b for a, b in zip(FACE, picture.size * 2, strict=True))
        index.face(index.photo(name, picture.size), james, (x, y, w, h))
    project.change({"library.url": index.to_sqlite(tmp_path / "index.db"), "library.originals": tmp_path / "photos"})
    scan(project, "James")
    assert [face.file_name for face in select(readings(project).values(), "is:crowded")] == []
    measure(project)
    faces = readings(project)
    assert len(faces["two.jpg"].measures.neighbours or ()) == 1
    assert others_inside(faces["two.jpg"], Crop(0, 0, 700)) == 1
    assert others_inside(faces["two.jpg"], Crop(0, 0, 290)) == 0
    assert [face.file_name for face in select(faces.values(), "is:alone")] == ["one.jpg"]


def test_a_face_that_the_library_knows_is_not_counted_twice(project: Project, found: Callable[..., FoundFace]) -> None:
    quality = FaceQuality(100, 120, 50, 0, 0, 1, 1, others=(Box(0.5, 0.5, 0.1, 0.15), Box(0.8, 0.1, 0.1, 0.1)))
    with project.store() as store:
        Ledger(store).record("js1", [found(1)])
        measured = MeasuredFaces(store)
        measured.take_in([Seen("ms1", (Box(0.49, 0.49, 0.12, 0.12),))])
        measured.save([("ms1", "stamp", quality)])
        face = Ledger(store).face(1)
    assert face.measures.neighbours == (Box(0.49, 0.49, 0.12, 0.12), Box(0.8, 0.1, 0.1, 0.1))


def test_a_small_face_of_a_large_photo_is_looked_at_close_up() -> None:
    detector = Detector.load()
    scene = Image.new("RGB", (6000, 4000), (90, 120, 90))
    scene.paste(astronaut().resize((460, 460)), (3000, 1000))
    box = Box((3000 + FACE[0] * 460) / 6000, (1000 + FACE[1] * 460) / 4000, FACE[2] * 460 / 6000, FACE[3] * 460 / 4000)
    detected = detector.find(scene)
    assert others_of(box, detected) == ()
    seen = find_in_box(detector, scene, box, ())
    assert seen is not None
    assert seen.box.same_face(box)
    assert (
        np.abs(
            np.asarray(seen.points.nose) - (3000 / 6000 + 224 / 512 * 460 / 6000, 0.25 + 128 / 512 * 460 / 4000)
        ).max()
        < 0.003
    )
    assert find_in_box(detector, scene, Box(0.1, 0.1, 0.1, 0.1), detected) is None
    assert find_in_box(detector, scene, Box(1.2, 0.1, 0.1, 0.1), ()) is None


@pytest.mark.long
def test_embedders_agree_with_the_network_and_a_dead_one_is_replaced() -> None:
    detector, identity, pool = Detector.load(), Identity.load(), Embedders(1)
    face = detector.find(astronaut())[0]
    chip = identity.chip(astronaut(), face)
    try:
        assert np.allclose(pool.embed(chip), identity.embed(astronaut(), face))
        pool._started[0].kill()
        with pytest.raises(FaceError, match="died"):
            pool.embed(chip)
        assert np.allclose(pool.embed(chip), identity.embed(astronaut(), face))
    finally:
        pool.close()


def test_views_and_yaw_are_filtered_sorted_and_completed(found: Callable[..., FoundFace]) -> None:
    yaws = {1: 3.0, 2: -41.0, 3: 77.0, 4: None}
    faces = [_face(found(n), n, yaw) for n, yaw in yaws.items()]

    def ids(line: str) -> list[int]:
        return [face.id for face in select(faces, line)]

    assert ids("view:front") == [1]
    assert ids("view:three-quarter") == [2]
    assert ids("view:profile") == [3]
    assert ids("yaw>30") == [2, 3]
    assert ids("yaw:0..45 sort:yaw") == [2, 1]
    assert ids("-view:front") == [2, 3, 4]
    assert ids("sort:yaw") == [3, 2, 1, 4]
    assert completions("vie") == ["view:"]
    assert completions("view:p") == ["view:profile"]
    assert completions("sort:y") == ["sort:yaw"]
    assert "yaw>" in completions("yaw")


def test_the_mix_says_how_many_turned_heads_are_missing(found: Callable[..., FoundFace]) -> None:
    def missing(turned: int, unknown: int = 0) -> list[str]:
        yaws = [40.0] * turned + [None] * unknown + [2.0] * (14 - turned - unknown)
        faces = [_face(found(n), n, yaw) for n, yaw in enumerate(yaws, 1)]
        mix = mix_of(
            [replace(face, decision=Decision.KEEP, taken_at=None) for face in faces], dict.fromkeys(FRAMINGS, 0)
        )
        assert mix.views_line
        return [each for each in mix.missing if "turned" in each]

    assert missing(0) == ["turned heads"]
    assert missing(1) == ["2 turned heads"]
    assert missing(3) == []
    assert missing(0, unknown=8) == [], "what was not measured is not said to be missing"


def test_the_mix_tells_the_kept_faces_light_and_which_are_not_measured(found: Callable[..., FoundFace]) -> None:
    faces = [replace(_face(found(n), n), decision=Decision.KEEP) for n in range(1, 5)]
    quality = faces[0].measures.quality
    assert quality is not None
    faces[0] = replace(faces[0], measures=Measures(quality=replace(quality, light=20)))
    faces[1] = replace(faces[1], measures=Measures())
    mix = mix_of(faces, dict.fromkeys(FRAMINGS, 1))
    assert (mix.well_lit, mix.light_measured, mix.lights_line) == (2, 3, "2 good, 1 dark, 1 not measured")


def test_the_only_profile_is_picked_and_the_reason_says_so(found: Callable[..., FoundFace]) -> None:
    faces = [_face(found(n), n, 80.0 if n == 7 else 2.0) for n in range(1, 31)]
    picked = {each.face.id: each.why for each in pick(faces, 12)}
    assert "only profile" in picked[7]
    assert Counter("profile" in why for why in picked.values())[True] == 1


def test_columns_and_words_agree_on_what_is_not_measured(found: Callable[..., FoundFace]) -> None:
    columns = FaceColumns([_face(found(1), 1, None), _face(found(2), 2, 12.0)])
    assert np.isnan(columns.numbers["yaw"]).tolist() == [True, False]


def test_grouped_faces_of_a_folder_stand_in_for_confirmed_ones(found: Callable[..., FoundFace]) -> None:
    faces = [_face(found(n, confirmed=False, file_root=FOLDER_ROOT), n) for n in range(1, 8)]
    chance = np.random.default_rng(0)
    vectors = {face.id: chance.normal(size=4).astype(np.float32) * 0.05 + np.float32([1, 0, 0, 0]) for face in faces}
    vectors[7] = np.float32([0, 1, 0, 0])
    distances, limit = distances_from_person(faces, vectors)
    assert distances[7] > limit > distances[1]
    assert distances_from_person([replace(face, file_root="/") for face in faces], vectors)[0] == {}


@pytest.mark.long
def test_measuring_tells_its_pace(beach: Project) -> None:
    told: list[events.Event] = []
    measure(beach, tell=told.append)
    assert events.Phase("measures", 9, 9) in told
    assert events.Phase("comparing", 1, 1) in told


def _face(found: FoundFace, number: int, yaw: float | None = None) -> Face:
    quality = FaceQuality(100, 120, 50, 0, 0, number << 128 | number * 7919, number, yaw=yaw)
    face = Face(**{name: getattr(found, name) for name in FoundFace.__dataclass_fields__}, id=number)
    return replace(face, measures=Measures(quality=quality))
