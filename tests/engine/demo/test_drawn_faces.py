"""Drawn faces are found where they were drawn, and told apart by the same interface as photographs."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image

from engine.demo.drawing import draw_photo, draw_portrait, random_scene, seat
from engine.demo.faces import WEIGHTS, DrawnDetector, fit
from engine.demo.likeness import DrawnPeople
from engine.demo.people import CAST, JAMES, random_person
from engine.demo.scenery import BACKGROUNDS, draw_background
from engine.faces.photo.geometry import Box
from engine.pictures.likeness.identity import Unscorable


@pytest.fixture(scope="module")
def people() -> DrawnPeople:
    return DrawnPeople.load()


@pytest.mark.long
def test_nearly_every_drawn_face_is_found_and_hardly_anything_else() -> None:
    detector, chance = DrawnDetector.load(), Random(999)
    drawn = found = false = 0
    for _ in range(30):
        strangers = [random_person(chance) for _ in range(chance.choice((1, 2, 3)))]
        photo = draw_photo(seat(strangers, chance, 640, 480), random_scene(chance), 640, 480)
        faces = [Box(*each.box) for each in detector.find(photo.image)]
        right = [any(face.same_face(Box(*box)) for face in faces) for _, *box in photo.faces]
        drawn, found, false = drawn + len(right), found + sum(right), false + max(0, len(faces) - sum(right))
    assert found >= 0.95 * drawn
    assert false <= 0.1 * drawn


def test_backgrounds_and_noise_have_no_face() -> None:
    detector = DrawnDetector.load()
    assert not any(detector.find(draw_background(each, (96, 96), 0.6, 0.3, 70)) for each in BACKGROUNDS)
    assert not detector.find(Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)))


def test_a_person_is_told_from_the_others_wherever_on_the_picture_they_are(people: DrawnPeople) -> None:
    chance = Random(6)
    close = people.look(draw_portrait(JAMES, random_scene(chance))).vector
    photo = draw_photo(seat([JAMES], chance, 800, 600, 150), random_scene(chance), 800, 600)
    far = people.look(photo.image).vector
    other = people.look(draw_portrait(CAST[1], random_scene(chance))).vector
    assert close is not None
    assert far is not None
    assert other is not None
    assert close @ far > 0.9 > 0.7 > close @ other


def test_several_tiny_or_no_faces_are_not_scorable_unless_told_which(people: DrawnPeople) -> None:
    chance = Random(8)
    both = draw_photo(seat([JAMES, CAST[1]], chance, 640, 480, 130), random_scene(chance), 640, 480)
    assert people.look(both.image).problem is Unscorable.SEVERAL
    box = Box(*next(box for name, *box in both.faces if name == JAMES.name))
    assert people.look(both.image, box).vector is not None
    assert people.look(draw_portrait(JAMES, random_scene(chance), 24)).problem is Unscorable.TINY
    assert people.look(Image.new("RGB", (64, 64), "teal")).problem is Unscorable.NO_FACE


def test_the_detector_is_small_and_can_be_fitted_anew(tmp_path: Path) -> None:
    assert WEIGHTS.stat().st_size < 10_000
    fitted = fit(photos=20, rounds=1)
    fitted.save(tmp_path / "own.safetensors")
    assert np.array_equal(DrawnDetector.load(tmp_path / "own.safetensors").weights, fitted.weights)
