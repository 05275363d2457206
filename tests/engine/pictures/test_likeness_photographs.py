"""Likeness on photographs of real people, free to use, that packages bring."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from engine.faces.detection.detector import Detector
from engine.faces.detection.pose import Points
from engine.faces.photo.geometry import Box
from engine.pictures.likeness.identity import Unscorable
from engine.pictures.likeness.judge import Judge
from engine.pictures.likeness.photographs import Photographs
from tests.support.astronaut import FACE, astronaut
from tests.support.real_faces import far_apart, hopper, small_faces, variants


@pytest.fixture(scope="module")
def people() -> Photographs:
    return Photographs.load()


@pytest.mark.long
def test_the_same_person_lies_nearer_than_any_other(people: Photographs) -> None:
    looks = [people.look(picture) for picture in variants().values()]
    vectors = np.stack([each.vector for each in looks if each.vector is not None])
    other = people.look(hopper()).vector
    assert len(vectors) == len(looks)
    assert other is not None
    nearest_other = min(far_apart(vectors, np.stack([other, *small_faces(25)])))
    assert max(far_apart(vectors, vectors)) < 0.75 * nearest_other


def doubled() -> Image.Image:
    face = astronaut().crop((120, 30, 330, 260))
    both = Image.new("RGB", (440, 240), "grey")
    both.paste(face, (5, 5))
    both.paste(face, (225, 5))
    return both


def soft() -> Image.Image:
    return astronaut().filter(ImageFilter.GaussianBlur(3))


@pytest.mark.parametrize(
    ("picture", "problem"),
    [
        (astronaut().resize((200, 200)), Unscorable.TINY),
        (soft(), Unscorable.BLURRED),
        (doubled(), Unscorable.SEVERAL),
        (Image.new("RGB", (512, 512), "teal"), Unscorable.NO_FACE),
    ],
    ids=["tiny", "blurred", "several", "none"],
)
def test_what_cannot_be_compared_says_why(people: Photographs, picture: Image.Image, problem: Unscorable) -> None:
    looked = people.look(picture)
    assert (looked.vector, looked.problem) == (None, problem)


def test_of_several_faces_the_one_that_is_meant_is_compared(people: Photographs) -> None:
    assert people.look(doubled(), Box(0.15, 0.15, 0.2, 0.5)).vector is not None
    assert len(people.find(doubled())) == 2


def test_a_turned_face_is_not_scored() -> None:
    """No free photo in profile comes with a package: the points of one are laid on a real face."""
    seen = Detector.load().find(astronaut())[0]
    left, right = seen.points.left_eye, seen.points.right_eye
    aside = (right[0] + (right[0] - left[0]) * 0.5, seen.points.nose[1])
    points = Points.of([left, right, aside, seen.points.mouth_left, seen.points.mouth_right])

    class Seeing(Detector):
        def find(self, picture: Image.Image) -> tuple[object, ...]:  # type: ignore[override]
            return (replace(seen, points=points),)

    looked = Photographs(Seeing(()), Photographs.load()._embedder).look(astronaut())
    assert (looked.vector, looked.problem) == (None, Unscorable.TURNED)
    assert looked.box == seen.box


@pytest.mark.long
def test_likeness_of_photos_is_high_for_the_person_and_nothing_for_another(people: Photographs, tmp_path: Path) -> None:
    photos = []
    for number, (name, picture) in enumerate(variants().items()):
        if name not in {"as it is", "tilted", "closer"}:
            picture.save(tmp_path / f"{number:02d}.png")
            photos.append((tmp_path / f"{number:02d}.png", None if picture.width != 512 else Box(*FACE)))
    hopper().save(tmp_path / "hopper.png")
    judge = Judge(people, photos, {"Grace Hopper": [tmp_path / "hopper.png"]})
    assert judge.measure().other_name == "Grace Hopper"
    assert judge.doubts() == []
    own = [judge.judge(variants()[name]) for name in ("as it is", "tilted", "closer")]
    assert all(each.likeness is not None and each.likeness > 60 for each in own)
    assert all(each.nearest == "" for each in own)
    other = judge.judge(hopper().resize((480, 570)))
    assert (other.nearest, other.likeness) == ("Grace Hopper", pytest.approx(0, abs=15))
