"""How likeness is measured: between the person's own photos and the nearest other person."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from engine import events
from engine.demo.drawing import draw_portrait, random_scene
from engine.demo.library import DrawnLibrary
from engine.demo.people import JAMES
from engine.errors import DatasetError, PictureError, ProjectError
from engine.jobs.folder import JobFolder, JobKind, Order, Request
from engine.jobs.follow import wait
from engine.library.registry import connect
from engine.pictures.likeness.identity import General, load_identity
from engine.pictures.likeness.job import warning_of
from engine.pictures.likeness.judge import Judge, judge_for, judge_if_any
from engine.pictures.likeness.recommendation import recommend, score
from engine.pictures.likeness.references import kept_references, prepare_references
from engine.pictures.likeness.scale import IdentityScale, trimmed_middle
from engine.pictures.likeness.scores import (
    Likeness,
    Measure,
    PictureScore,
    Recommended,
    Score,
    identity_for,
    read_likeness,
    write_likeness,
)
from engine.pictures.orders.queue import Queue
from engine.pictures.orders.start import start_likeness
from engine.project import Project
from engine.settings import BaseSettings
from engine.training.runs.run_status import run_status
from engine.training.runs.start import start_training
from tests.support.drawn_people import drawn_project, other_people
from tests.support.png import read_parameters
from tests.support.small_project import run_with, small_project

GENERAL = General(typical=0.3, other=0.6)
Vectors = NDArray[np.float32]


def turned(*degrees: float, axis: int = 1) -> Vectors:
    """Unit vectors, so many degrees away from the first axis towards another."""
    found = np.zeros((len(degrees), 4), np.float32)
    for row, each in zip(found, degrees, strict=True):
        row[0], row[axis] = math.cos(math.radians(each)), math.sin(math.radians(each))
    return found


def chord(degrees: float) -> float:
    return 2 * math.sin(math.radians(degrees) / 2)


def test_likeness_goes_from_the_nearest_other_person_to_a_typical_photo() -> None:
    people = IdentityScale(turned(-10, 0, 10), {"Greta": turned(80), "Bea": turned(50)}, GENERAL)
    assert people.scale.typical == pytest.approx(chord(15))
    assert (people.scale.other_name, people.scale.other) == ("Bea", pytest.approx(chord(50)))
    at = [people.likeness(vector) for vector in turned(0, 15, 50, 90)]
    assert at == [100, pytest.approx(100), pytest.approx(0, abs=1e-3), 0]
    half = 2 * math.degrees(math.asin((chord(15) + chord(50)) / 4))
    assert people.likeness(turned(half)[0]) == pytest.approx(50, abs=0.01)


def test_a_photo_that_lies_far_off_does_not_move_the_middle() -> None:
    ten = turned(*[0.0] * 9, 170)
    assert trimmed_middle(ten) @ turned(0)[0] == pytest.approx(1)
    assert trimmed_middle(ten[:5]) @ turned(0)[0] == pytest.approx(1)


def test_somebody_as_near_as_the_own_photos_is_told_and_left_out() -> None:
    scale = IdentityScale(turned(-10, 0, 10), {"James 2": turned(5), "Bea": turned(60)}, GENERAL)
    assert scale.doubles == ["James 2"]
    assert scale.scale.other_name == "Bea"
    assert scale.nearest(turned(5)[0]) == ""


def test_with_nobody_else_and_few_photos_the_general_distances_stand_in() -> None:
    scale = IdentityScale(turned(0), {"unseen": np.zeros((0, 4), np.float32)}, GENERAL)
    assert (scale.scale.typical, scale.scale.other) == (0.3, 0.6)
    assert (scale.scale.own, scale.scale.other_name) == (False, None)
    assert scale.nearest(turned(3)[0]) is None
    assert scale.nearest_other(turned(3)) == (None, None)


def test_the_nearest_of_all_people_is_named() -> None:
    scale = IdentityScale(turned(-5, 0, 5), {"Greta": turned(60), "Bea": turned(60, axis=2)}, GENERAL)
    looked = [turned(2)[0], turned(50)[0], turned(50, axis=2)[0]]
    assert [scale.nearest(each) for each in looked] == ["", "Greta", "Bea"]
    assert scale.nearest_other(turned(10, 15, 40)) == ("Greta", pytest.approx(math.cos(math.radians(45))))


def shown(likeness: float | None, seed: int = 1, problem: str | None = None, copy: str | None = None) -> PictureScore:
    cosine = None if likeness is None else likeness / 100
    nearest = None if likeness is None else ("" if likeness > 30 else "Bea")
    return PictureScore(f"{seed}.png", seed, "photo", likeness, cosine, nearest, problem, copy)


def measured(name: str, strength: float, *values: float, copies: int = 0) -> Score:
    pictures = [shown(value, seed, copy="a.png" if seed <= copies else None) for seed, value in enumerate(values, 1)]
    return score(name, strength, pictures)


def test_a_score_counts_no_face_as_nobody_and_skips_what_can_t_compare() -> None:
    found = score(
        "a", 0.8, [shown(10), shown(40), shown(50), shown(90), shown(None, problem="no face"), shown(None, problem="x")]
    )
    assert (found.median, found.likeness) == (pytest.approx(0.45), 40)
    assert found.spread == pytest.approx(0.6 - 0.325)
    assert (found.no_face, found.not_scorable, found.rank_1) == (pytest.approx(1 / 6), 1, 0.75)


def test_the_earliest_as_good_as_the_best_is_recommended_at_low_strength() -> None:
    wide, better = (70, 95, 80, 90, 60, 85), (82, 86, 90, 93, 52, 94)
    early, late = measured("1", 0.8, *wide), measured("2", 0.8, *better)
    found = recommend([measured("1", 0.6, *[20] * 6), early, measured("1", 1.0, *wide), late])
    assert (found.checkpoint, found.strength) == ("1", 0.8)
    assert "within the noise" in found.why
    assert recommend([early, late]) == recommend([early, late])


def test_a_difference_that_every_seed_shows_is_no_noise() -> None:
    wide = (10, 30, 50, 60, 70, 80)
    ahead = tuple(each + 8 for each in wide)
    assert recommend([measured("1", 0.8, *wide), measured("2", 0.8, *ahead)]).checkpoint == "2"


def test_much_worse_is_never_noise_however_few_the_pictures() -> None:
    assert recommend([measured("1", 0.8, 0, 60), measured("2", 0.8, 90, 80)]).checkpoint == "2"


def test_a_checkpoint_that_repeats_training_images_is_not_recommended() -> None:
    copying = measured("1", 0.8, 99, 99, 99, 99, copies=3)
    found = recommend([copying, measured("2", 0.8, 70, 75, 72, 71)])
    assert found.checkpoint == "2"
    assert "repeat training images" in found.why
    assert recommend([copying]).checkpoint == "1"
    assert warning_of(copying) == "1 at 0.8: 3 of 4 repeat a training image (a.png)"


def test_of_one_seed_or_with_nobody_like_them_nothing_is_recommended(tmp_path: Path) -> None:
    of_one_seed = recommend([measured("1", 0.8, 70), measured("2", 0.8, 80)])
    assert (of_one_seed.advised, "one seed" in of_one_seed.why) == (False, True)
    of_nobody = recommend([measured("1", 0.6, 0, 0, 0), measured("1", 0.8, 0, 0, 1)])
    assert (of_nobody.advised, "0 of 100" in of_nobody.why) == (False, True)
    no_better = recommend([measured("1", 0.8, 10, 12, 11)], measured("", 0.0, 20, 22, 21))
    assert (no_better.advised, "21 without any LoRA" in no_better.why) == (False, True)
    assert recommend([measured("1", 0.8, 70, 75, 72)], measured("", 0.0, 5, 4, 6)).advised
    best = measured("a.safetensors", 0.8, 0, 0)
    measure = Measure("drawn", 6, {}, 0.2, 0.05, True, 0.9, "Bea")
    kept = Likeness(("photo",), measure, (best,), measured("", 0.0, 0, 0), 0.95, 0.5, "Bea", recommend([best]))
    write_likeness(JobFolder(tmp_path), kept)
    assert read_likeness(tmp_path) == kept
    assert kept.record()["advised"] is False
    # One of an older Limner recommends.
    older = {key: value for key, value in kept.record().items() if key != "advised"}
    assert Likeness.from_record(older).recommended.advised


def test_with_no_face_anywhere_nothing_is_recommended() -> None:
    with pytest.raises(PictureError, match="none of the pictures"):
        recommend([score("1", 0.8, [shown(None, problem="no face")])])


def test_what_was_measured_is_kept_with_the_run(tmp_path: Path) -> None:
    run = JobFolder(tmp_path)
    assert read_likeness(run) is None
    best = measured("a.safetensors", 0.8, 90)
    measure = Measure("drawn", 6, {"no face": 1}, 0.2, 0.05, True, 0.9, "Bea")
    advice = Recommended("a.safetensors", 0.8, "likeness 90 of 100")
    kept = Likeness(("photo",), measure, (best,), measured("", 0.0, 5), 0.95, 0.5, "Bea", advice, ("beware",))
    write_likeness(run, kept)
    assert read_likeness(run) == kept
    record = kept.record()
    assert (record["base"], record["median"], record["likeness"]) == (0.05, 0.9, 90)
    assert {"checkpoint", "strength", "median", "spread", "pictures"} <= set(record["scores"][0])
    (tmp_path / "likeness.json").write_text("{}")
    with pytest.raises(PictureError, match="measure again"):
        read_likeness(run)


def test_drawings_and_photographs_are_each_compared_by_what_knows_them() -> None:
    assert identity_for(BaseSettings(model="demo")) == "drawn"
    assert identity_for(BaseSettings()) == "photographs"
    assert [load_identity(name).name for name in ("drawn", "photographs")] == ["drawn", "photographs"]
    with pytest.raises(PictureError, match="there is no identity model called x"):
        load_identity("x")


@pytest.fixture(scope="module")
def james(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Judge]:
    root = tmp_path_factory.mktemp("judge")
    project = drawn_project(root / "james", images=10)
    return project, judge_for(project, other_people(root))


def test_a_drawn_person_is_told_from_everybody_else(james: tuple[Project, Judge], tmp_path: Path) -> None:
    _, judge = james
    assert (judge.scale.scale.photos, judge.doubts()) == (10, [])
    chance = Random(11)
    own = [judge.judge(draw_portrait(JAMES, random_scene(chance))) for _ in range(8)]
    assert sum(each.likeness or 0 for each in own) / 8 > 80
    assert all(each.nearest == "" for each in own)
    others = [judge.judge(Image.open(path)) for paths in other_people(tmp_path).values() for path in paths]
    assert sum(each.nearest != "" for each in others) > 0.9 * len(others)
    assert np.median([each.likeness or 0 for each in others]) < 10


def test_a_picture_that_repeats_a_training_image_is_told(james: tuple[Project, Judge]) -> None:
    project, judge = james
    original = next(project.dataset.glob("*/0004.png"))
    copied = Image.open(original).point(lambda level: min(255, level + 6))
    assert judge.judge(copied).copy_of == "0004.png"
    chance = Random(12)
    assert not any(judge.judge(draw_portrait(JAMES, random_scene(chance))).copy_of for _ in range(12))


def test_without_usable_photos_it_is_said_why(tmp_path: Path) -> None:
    project = small_project(tmp_path / "james")
    for image in project.dataset.glob("*/*.png"):
        Image.new("RGB", (64, 64), "teal").save(image)
    with pytest.raises(PictureError, match=r"3 no face"):
        judge_for(project)
    assert judge_if_any(project) is None


@pytest.mark.long
def test_the_other_people_are_cut_from_the_library_once(project: Project, drawn_library: DrawnLibrary) -> None:
    folders = {"library.originals": drawn_library.originals, "library.sidecar": drawn_library.sidecar}
    project.change({"library.url": drawn_library.url, **folders})
    with connect(project.settings.library) as library:
        project.change({"person.uid": next(person.id for person in library.people() if person.name == "James")})
    found = prepare_references(project)
    assert "James" not in found
    assert len(found) >= 3
    assert all(1 <= len(paths) <= 8 and all(path.is_file() for path in paths) for paths in found.values())
    stamps = {path: path.stat().st_mtime_ns for paths in found.values() for path in paths}
    assert prepare_references(project) == found
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert kept_references(project).keys() == found.keys()


def test_a_project_without_library_knows_nobody_else(tmp_path: Path) -> None:
    assert prepare_references(small_project(tmp_path / "james")) == {}


def test_likeness_needs_a_run_with_a_checkpoint_and_images(tmp_path: Path) -> None:
    project = small_project(tmp_path / "new")
    with pytest.raises(ProjectError, match="no runs"):
        start_likeness(project)
    JobFolder(project.runs / "20261121-1403-jx265").write_order(Order(JobKind.TRAIN, project.root, {}))
    with pytest.raises(PictureError, match="no checkpoint yet"):
        start_likeness(project)
    (tmp_path / "a.safetensors").touch()
    run_with(project, tmp_path / "a.safetensors", "20261122-0900-jx265")
    with pytest.raises(PictureError, match="there are: jx265"):
        start_likeness(project, checkpoints=["nope"])
    for image in project.dataset.glob("*/*"):
        image.unlink()
    with pytest.raises(DatasetError):
        start_likeness(project)


OVERTRAINED = {
    "training__learning_rate": 0.02,
    "training__lr_scheduler": "constant",
    "training__rank": 8,
    "training__alpha": 8.0,
    "training__batch_size": 4,
    "training__repeats": 10,
    "training__epochs": 4,
    "painting__steps": 8,
}
"""Four times the rate that suits the tiny base model, never lowered: after some thirty steps each step unlearns."""


@pytest.fixture(scope="module")
def overtrained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, JobFolder]:
    """A run whose later checkpoints are worse, in a project that knows the library's other people."""
    project = drawn_project(tmp_path_factory.mktemp("overtrained") / "james", **OVERTRAINED)
    for name, portraits in other_people(project.cache).items():
        folder = project.cache / "people" / f"{name}-uid"
        folder.mkdir(parents=True)
        for portrait in portraits:
            portrait.rename(folder / portrait.name)
    run = start_training(project)
    wait(run)
    return project, run


def paths(scores: Sequence[Score]) -> list[Path]:
    return [Path(picture.path) for each in scores for picture in each.pictures]


@pytest.mark.long
def test_of_an_overtrained_run_neither_base_nor_last_is_recommended(
    overtrained: tuple[Project, JobFolder],
) -> None:
    project, run = overtrained
    job = start_likeness(project, run.id, seeds=4, strengths=(0.7, 1.0))
    wait(job)
    found = read_likeness(run)
    assert found is not None
    checkpoints = [str(each) for each in run_status(run).checkpoints]
    assert [each.checkpoint for each in found.scores] == [each for each in checkpoints for _ in range(2)]
    assert found.recommended.checkpoint != checkpoints[-1]
    best, last = found.best, [each for each in found.scores if each.checkpoint == checkpoints[-1]]
    assert best.likeness is not None
    assert best.likeness > 20 + (found.base_score.likeness or 0)
    assert best.likeness > 20 + max(each.likeness or 0 for each in last)
    assert found.measure.other_name in kept_references(project)
    samples = [entry.event for entry in job.entries() if isinstance(entry.event, events.Sample)]
    assert len(samples) == 4 * (1 + len(found.scores))

    # What is painted is kept, in the run's folder, told by its parameters and its likeness in the queue.
    kept = paths([found.base_score, *found.scores])
    assert all(run.path in path.parents and path.is_file() for path in kept)
    about = read_parameters(Path(best.pictures[-1].path))
    assert about is not None
    assert about.prompt == f"photo of jx265 man <lora:{Path(best.checkpoint).stem}:{best.strength:g}>"
    with project.store() as store:
        rows = store.rows("SELECT count(*) FROM pictures WHERE likeness IS NOT NULL")
    assert rows[0][0] == sum(
        each.likeness is not None for score_ in (found.base_score, *found.scores) for each in score_.pictures
    )

    # Measured again nothing is painted again, and the advice is the same.
    stamps = {path: path.stat().st_mtime_ns for path in kept}
    wait(start_likeness(project, run.id, seeds=4, strengths=(0.7, 1.0)))
    assert read_likeness(run) == found
    assert {path: path.stat().st_mtime_ns for path in kept} == stamps


@pytest.mark.long
def test_a_measurement_that_is_stopped_leaves_nothing_in_the_queue(overtrained: tuple[Project, JobFolder]) -> None:
    project, run = overtrained
    job = start_likeness(project, run.id, seeds=40, strengths=(0.9,))
    job.ask(Request.STOP)
    wait(job)
    with project.store() as store:
        assert Queue(store).waiting() == 0
