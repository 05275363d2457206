"""What a drawn picture shows, and where it says that faces are."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageStat

from engine.demo.drawing import Scene, Sitter, crop_portrait, draw_photo, draw_portrait, random_scene, scene_words, seat
from engine.demo.people import CAST, JAMES, random_person, traits

PLAIN = Scene("white", "daylight", "smiling", "blue")


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of two pictures' pixels, 0 to 255."""
    return float(np.mean(ImageStat.Stat(ImageChops.difference(one, other)).mean))


def test_the_close_crop_of_a_photo_looks_like_a_portrait() -> None:
    sitter = Sitter(JAMES, x=0.5, y=0.45, face=400, expression="smiling", shirt="blue")
    photo = draw_photo([sitter], PLAIN, 1600, 1200)
    ((name, *box),) = photo.faces
    crop = crop_portrait(photo.image, (box[0], box[1], box[2], box[3]))
    assert name == "James"
    assert difference(crop, draw_portrait(JAMES, PLAIN)) < 3
    assert difference(crop, draw_portrait(CAST[1], PLAIN)) > 10


def test_a_crop_that_passes_the_photos_edge_is_whole() -> None:
    sitter = Sitter(JAMES, x=0.97, y=0.1, face=400, expression="smiling", shirt="blue")
    photo = draw_photo([sitter], PLAIN, 1600, 1200)
    ((_, *box),) = photo.faces
    crop = crop_portrait(photo.image, (box[0], box[1], box[2], box[3]), 128)
    assert crop.size == (128, 128)
    assert min(crop.getpixel((2, 2))) > 220, "the white wall goes on above the photo"


def test_faces_are_square_in_pixels_and_inside_the_photo() -> None:
    rng = Random(4)
    for _ in range(12):
        people = rng.sample(CAST, rng.randint(1, 4))
        photo = draw_photo(seat(people, rng, 800, 600), random_scene(rng), 800, 600)
        assert sorted(face[0] for face in photo.faces) == sorted(person.name for person in people)
        for _, x, y, w, h in photo.faces:
            assert w * 800 == pytest.approx(h * 600)
            assert 0 <= x < x + w <= 1
            assert 0 <= y < y + h <= 1


def test_everyone_in_the_cast_is_told_apart_by_words() -> None:
    assert traits(JAMES) == ("brown skin", "ginger curly hair", "green eyes", "glasses", "ginger beard")
    assert len({traits(person) for person in CAST}) == len(CAST) == len({person.name for person in CAST})


def test_the_words_of_a_scene_say_what_was_drawn() -> None:
    assert scene_words(replace(PLAIN, light="evening light")) == (
        "smiling", "white background", "blue shirt", "evening light",
    )  # fmt: skip


def test_the_same_seed_draws_the_same_picture() -> None:
    def drawn(seed: int) -> bytes:
        rng = Random(seed)
        return draw_portrait(random_person(rng), random_scene(rng)).tobytes()

    assert drawn(1) == drawn(1) != drawn(2)


@pytest.mark.parametrize("word", ["man", "woman"])
def test_strangers_can_be_asked_for_by_class_word(word: str) -> None:
    rng = Random(0)
    assert {random_person(rng, word).class_word for _ in range(20)} == {word}  # type: ignore[arg-type]
