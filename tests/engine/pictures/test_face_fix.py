"""Small faces are painted anew, larger, and the likelier picture is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image

from engine.demo.drawing import draw_photo, draw_portrait, random_scene, seat
from engine.demo.likeness import DrawnPeople
from engine.demo.people import JAMES
from engine.errors import PictureError
from engine.faces.photo.geometry import Box
from engine.models.locate import find_base
from engine.pictures.orders.face_fix import FaceFix, face_fix_from, lay_back, part_around
from engine.pictures.orders.orders import order_for
from engine.pictures.orders.picture import PictureState, checked, order_from_record
from engine.pictures.orders.queue import Queue
from engine.pictures.orders.start import order_pictures, wait_for
from engine.pictures.painting.face_fix import FaceFixer, with_trigger
from engine.pictures.painting.pipeline import Painting
from engine.pictures.painting.request import Callbacks, GenerationParams, PromptSeed
from engine.settings import BaseSettings, PersonSettings, Sampler
from tests.support.drawn_people import drawn_project
from tests.support.png import read_parameters

NATIVE = 1024
SUBJECT = PromptSeed("photo of a man, ginger hair", 7)


def test_the_part_around_a_face_is_a_square_inside_the_picture() -> None:
    part = part_around(Box(0.5, 0.5, 0.1, 0.1), (1000, 1000), FaceFix(), NATIVE)
    assert part is not None
    assert (part.corners, part.face) == ((450, 450, 650, 650), (500, 500, 600, 600))
    corner = part_around(Box(0.9, 0.0, 0.1, 0.1), (1000, 1000), FaceFix(), NATIVE)
    assert corner is not None
    assert corner.corners == (800, 0, 1000, 200)
    small = part_around(Box(0.5, 0.5, 0.02, 0.02), (1000, 1000), FaceFix(), NATIVE)
    assert small is not None
    assert small.side == 20 + 2 * 32


@pytest.mark.parametrize(
    ("box", "size"),
    [
        (Box(0.2, 0.2, 0.5, 0.5), (1000, 1000)),
        (Box(0.4, 0.4, 0.3, 0.3), (3000, 3000)),
        (Box(1.0, 0.2, 0.2, 0.2), (1000, 1000)),
    ],
    ids=["fills the picture", "has all the latents it can have", "outside"],
)
def test_a_face_that_would_gain_nothing_is_left_alone(box: Box, size: tuple[int, int]) -> None:
    assert part_around(box, size, FaceFix(), NATIVE) is None


def test_what_is_laid_back_has_soft_edges_and_nothing_else_changes() -> None:
    picture, fix = Image.new("RGB", (400, 400), "black"), FaceFix()
    part = part_around(Box(0.4, 0.4, 0.2, 0.2), picture.size, fix, NATIVE)
    assert part is not None
    light = np.asarray(lay_back(picture, part, Image.new("RGB", (NATIVE, NATIVE), "white"), fix, NATIVE))[..., 0]
    assert light[200, 200] == 255
    assert set(np.unique(light)) > {0, 255}
    assert not light[:100].any()
    assert not light[:, 305:].any()


@pytest.mark.parametrize(
    ("fix", "says"),
    [(FaceFix(denoise=0.0), "denoise 0 is invalid"), (FaceFix(context=9), "context 9"), (FaceFix(only=True), "--from")],
)
def test_what_nobody_can_paint_is_refused(tmp_path: Path, fix: FaceFix, says: str) -> None:
    order = order_for(drawn_project(tmp_path / "james", images=1), "a man", seed=1)
    with pytest.raises(PictureError) as refused:
        checked(replace(order, face_fix=fix))
    assert says in refused.value.one_line()


def test_an_order_keeps_its_face_fix_and_is_another_picture_by_it(tmp_path: Path) -> None:
    order = order_for(drawn_project(tmp_path / "james", images=1), "a man", seed=1)
    fixed = replace(order, face_fix=FaceFix(denoise=0.3))
    assert order_from_record(fixed.to_record()) == fixed
    assert len({order.key(), fixed.key(), replace(order, face_fix=FaceFix()).key()}) == 3
    assert face_fix_from({"denoise": 0.2, "from a later Limner": 1}) == FaceFix(denoise=0.2)


def test_the_trigger_word_is_in_the_prompt_of_a_face() -> None:
    person = PersonSettings(trigger="jx265", class_word="man")
    assert with_trigger("a city at night", person) == "jx265 man, a city at night"
    assert with_trigger("photo of jx265 man", person) == "photo of jx265 man"


@pytest.fixture(scope="module")
def painting() -> Painting:
    return Painting(find_base(BaseSettings(model="demo")))


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    """The demo's man on a picture three times as wide as what the tiny base paints."""
    chance = Random(5)
    return draw_photo(seat([JAMES], chance, 192, 192, 28), random_scene(chance), 192, 192).image.convert("RGB")


class Saying:
    """Says what it is told to say, one picture after the other."""

    def __init__(self, *values: float | None) -> None:
        self._values: Iterator[float | None] = iter(values)

    def likeness(self, picture: Image.Image) -> float | None:
        return next(self._values)


STYLE = GenerationParams(steps=5, guidance=1.0, sampler=Sampler.EULER)


def far(one: Image.Image, other: Image.Image) -> np.ndarray:
    return np.abs(np.asarray(one).astype(int) - np.asarray(other).astype(int)).max(axis=2)


@pytest.mark.long
@pytest.mark.parametrize(
    ("before", "after", "kept"), [(40.0, 60.0, True), (60.0, 40.0, False), (None, 40.0, True), (60.0, None, False)]
)
def test_whichever_is_more_like_the_person_is_kept_and_the_other_too(
    painting: Painting, photo: Image.Image, before: float | None, after: float | None, kept: bool
) -> None:
    fixer = FaceFixer(painting, DrawnPeople.load(), Saying(before, after))
    found = fixer.fix(photo, SUBJECT, STYLE, FaceFix(), Callbacks())
    assert (found.faces, found.after) == (1, kept)
    assert found.other is not None
    old, new = (found.other, found.kept) if kept else (found.kept, found.other)
    assert np.array_equal(np.asarray(old), np.asarray(photo))
    changed = np.argwhere(far(new, photo) > 8)
    [(box, _)] = DrawnPeople.load().find(photo)
    left, top, right, bottom = box.pixels(*photo.size)
    assert len(changed) > 50
    assert changed[:, 0].min() > top - 10
    assert changed[:, 0].max() < bottom + 10
    assert changed[:, 1].min() > left - 10
    assert changed[:, 1].max() < right + 10


def test_a_picture_without_a_face_and_one_full_of_it_stay_as_they_are(painting: Painting) -> None:
    fixer = FaceFixer(painting, DrawnPeople.load(), None)
    none = fixer.fix(Image.new("RGB", (192, 192), "teal"), SUBJECT, STYLE, FaceFix(), Callbacks())
    assert (none.faces, none.other, none.why) == (0, None, "no face found")
    full = fixer.fix(
        draw_portrait(JAMES, random_scene(Random(5)), 192), SUBJECT, STYLE, FaceFix(largest=0.3), Callbacks()
    )
    assert (full.faces, full.why) == (0, "the face fills the picture")


def test_a_painter_fixes_faces_of_new_pictures_and_of_one_that_is_there(tmp_path: Path, photo: Image.Image) -> None:
    project = drawn_project(tmp_path / "james", painting__steps=5)
    source = tmp_path / "photo.png"
    photo.save(source)
    order = order_for(project, "photo of {trigger} {class}", seed=3)
    painted = replace(order, source=source, width=192, height=192, denoise=0.2, face_fix=FaceFix(confidence=0.5))
    [first] = wait_for(project, [each.id for each in order_pictures(project, [painted])])
    assert first.state is PictureState.DONE, first.reason
    about = read_parameters(first.path)
    assert about is not None
    assert about.extra["Face fix"] in {"after", "before"}
    assert about.extra["Face fix faces"] == "1"
    word = {"after": "before", "before": "after"}[about.extra["Face fix"]]
    other = first.path.with_name(f"{first.path.stem}-{word}-face-fix.png")
    assert far(Image.open(first.path), Image.open(other)).any()
    with project.store() as store:
        likeness = store.rows("SELECT likeness FROM pictures WHERE id = ?", first.id)[0][0]
    assert f"{likeness:.0f}" in about.extra["Face fix likeness"]

    Image.open(source).save(tmp_path / "mine.png")
    with project.store() as store:
        there = Queue(store).picture(first.id)
    fix = FaceFix(confidence=0.5, only=True)
    mine, fixed = tmp_path / "mine.png", tmp_path / "mine-face.png"
    again = there.order(source=mine, path=fixed, hires=None, priority=0, face_fix=fix)
    [second] = wait_for(project, [each.id for each in order_pictures(project, [again])])
    assert second.state is PictureState.DONE, second.reason
    assert second.path == tmp_path / "mine-face.png"
    assert Image.open(second.path).size == (192, 192)
    told = read_parameters(second.path)
    assert told is not None
    assert told.extra["Face fix faces"] == "1"
    assert np.array_equal(np.asarray(Image.open(tmp_path / "mine.png")), np.asarray(photo))
