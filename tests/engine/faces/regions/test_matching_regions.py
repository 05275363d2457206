"""A region names the face that it is around, whichever picture it was drawn on; pets and stale ones name nobody."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.faces.photo.geometry import Box
from engine.faces.photo.loading import TURNS
from engine.faces.photo.stored import StoredPhoto
from engine.faces.regions.matching import NOT_SEEN, OTHER_SHAPE, Named, name_faces
from engine.faces.regions.region_list import Kind, Region, RegionList, Size
from engine.faces.regions.upright import upright_box
from tests.support.named_photos import stored_box

FACE, OTHER = Box(0.6, 0.1, 0.2, 0.25), Box(0.1, 0.5, 0.2, 0.25)
UPRIGHT = (1200, 1600)
TURNED_PHOTO = StoredPhoto(UPRIGHT, 6)


def corner(box: Box) -> tuple[float, float, float, float]:
    return box.x, box.y, box.w, box.h


def stored(box: Box, orientation: int = 6) -> Box:
    return Box(*stored_box(corner(box), orientation))


def named(
    *regions: Region, size: Size | None = None, photo: StoredPhoto = TURNED_PHOTO, faces: tuple[Box, ...]
) -> Named:
    return name_faces([RegionList(regions, size)], photo, faces)


fractions = st.floats(0, 1, allow_nan=False)


@given(x=fractions, y=fractions, right=fractions, down=fractions, orientation=st.integers(1, 8))
def test_a_turned_box_is_where_the_camera_put_it(
    x: float, y: float, right: float, down: float, orientation: int
) -> None:
    box = Box(x, y, right * (1 - x), down * (1 - y))
    again = upright_box(Box(*stored_box(corner(box), orientation)), orientation)
    assert corner(again) == pytest.approx(corner(box), abs=1e-9)


@given(
    left=st.integers(0, 30),
    top=st.integers(0, 20),
    w=st.integers(1, 10),
    h=st.integers(1, 10),
    orientation=st.integers(1, 8),
)
def test_a_turned_box_is_where_its_pixels_are(left: int, top: int, w: int, h: int, orientation: int) -> None:
    picture = Image.new("L", (40, 30))
    picture.paste(255, (left, top, left + w, top + h))
    turned = picture.transpose(TURNS[orientation]) if orientation in TURNS else picture
    box = upright_box(Box(left / 40, top / 30, w / 40, h / 30), orientation)
    assert [round(each) for each in box.pixels(*turned.size)] == list(turned.getbbox() or ())


@given(
    orientation=st.integers(1, 8),
    size=st.sampled_from([None, (1600, 1200), (1200, 1600), (800, 600), (500, 500)]),
    shift=st.floats(-0.03, 0.03),
)
def test_a_region_around_a_face_names_it_or_says_why(orientation: int, size: Size | None, shift: float) -> None:
    photo = StoredPhoto(UPRIGHT, orientation)
    around = replace(FACE, x=FACE.x + shift)
    truth = size is not None and size[0] < size[1] and orientation >= 5
    drawn = around if truth else stored(around, orientation)
    found = named(Region(drawn, "Anna"), size=size, photo=photo, faces=(OTHER, FACE))
    assert (dict(found.names), found.drawn) == ({1: "Anna"}, ())


def test_a_program_that_turned_the_regions_itself_is_believed() -> None:
    found = named(Region(FACE, "Anna"), size=UPRIGHT, faces=(FACE,))
    assert found.names == {0: "Anna"}
    alone = named(Region(FACE, "Anna"), size=UPRIGHT, faces=())
    assert corner(alone.drawn[0].box) == pytest.approx(corner(FACE))


def test_where_every_face_proves_the_other_turn_it_is_taken() -> None:
    both = (Region(FACE, "Anna"), Region(OTHER, "Bo"))
    assert named(*both, size=(1600, 1200), faces=(OTHER, FACE)).names == {0: "Bo", 1: "Anna"}
    one_seen = named(*both, size=(1600, 1200), faces=(FACE,))
    assert one_seen.names == {}, "one of two proves nothing"
    assert {each.name for each in one_seen.drawn} == {"Anna", "Bo"}


@pytest.mark.parametrize("turn", [6, 8])
def test_a_photo_that_was_turned_without_its_regions_is_seen_through(turn: int) -> None:
    photo = StoredPhoto(UPRIGHT, 1)
    before = [Region(stored(FACE, turn), "Anna"), Region(stored(OTHER, turn), "Bo")]
    assert named(*before, size=(1600, 1200), photo=photo, faces=(FACE, OTHER)).names == {0: "Anna", 1: "Bo"}
    unproven = named(*before, size=(1600, 1200), photo=photo, faces=(FACE,))
    assert (unproven.names, {each.caution for each in unproven.drawn}) == ({}, {OTHER_SHAPE})


def test_a_region_of_a_picture_of_another_shape_needs_a_face() -> None:
    region, size = Region(stored(FACE), "Anna"), (1000, 1000)
    assert named(region, size=size, faces=(FACE,)).names == {0: "Anna"}
    (drawn,) = named(region, size=size, faces=(OTHER,)).drawn
    assert drawn.caution == OTHER_SHAPE


def test_a_region_without_a_face_is_one_of_its_own_with_a_doubt() -> None:
    found = named(Region(stored(FACE), "Anna"), Region(stored(OTHER), ""), faces=(OTHER,))
    assert found.names == {}, "nobody was named on the other"
    (drawn,) = found.drawn
    assert (drawn.name, drawn.caution) == ("Anna", NOT_SEEN)
    assert corner(drawn.box) == pytest.approx(corner(FACE))


def test_a_pet_is_nobody_and_makes_no_face() -> None:
    pets = (Region(stored(FACE), "Rex", Kind.PET), Region(stored(OTHER), "Mia", Kind.PET))
    found = named(*pets, faces=(FACE,))
    assert (dict(found.names), found.pets, found.drawn) == ({}, {0}, ())


def test_a_face_that_is_written_both_ways_is_one() -> None:
    photo, faces = StoredPhoto(UPRIGHT, 1), (FACE,)
    slightly = replace(FACE, x=FACE.x + 0.004)
    lists = [RegionList((Region(FACE, "Anna"),), UPRIGHT), RegionList((Region(slightly, "anna"),), UPRIGHT)]
    assert name_faces(lists, photo, faces) == Named({0: "Anna"})
    assert len(name_faces(lists, photo, ()).drawn) == 1
    nameless = [RegionList((Region(FACE, ""),)), lists[1]]
    assert name_faces(nameless, photo, faces).names == {0: "anna"}, "the second way has the name"
    stale = [lists[0], RegionList((Region(OTHER, "ANNA"),))]
    assert name_faces(stale, photo, faces) == Named({0: "Anna"}), "who was found is not drawn elsewhere as well"


def test_each_region_takes_the_face_that_it_fits_best() -> None:
    photo = StoredPhoto(UPRIGHT, 1)
    beside = replace(FACE, x=FACE.x + 0.09)
    found = named(Region(beside, "Bo"), Region(FACE, "Anna"), photo=photo, faces=(FACE, beside))
    assert found.names == {0: "Anna", 1: "Bo"}
    head = Box(FACE.x - 0.1, FACE.y - 0.09, 2 * FACE.w, 1.8 * FACE.h)
    assert named(Region(head, "Anna"), photo=photo, faces=(FACE,)).names == {0: "Anna"}, "around the whole head"
    everything = Region(Box(0, 0, 1, 1), "the whole photo")
    assert named(everything, photo=photo, faces=(Box(0.45, 0.45, 0.1, 0.1),)).names == {}


boxes = st.builds(Box, fractions, fractions, fractions, fractions).map(Box.clamped)
regions = st.builds(Region, boxes, st.sampled_from(["", "Anna", "ANNA", "Bo"]), st.sampled_from(Kind))
sizes = st.none() | st.tuples(st.floats(1, 1e308), st.floats(1, 1e308))
lists = st.lists(st.builds(RegionList, st.lists(regions, max_size=6).map(tuple), sizes), max_size=3)


@given(lists, st.integers(1, 8), st.lists(boxes, max_size=5))
def test_whatever_is_drawn_a_face_has_one_name_and_a_name_a_place(
    some: list[RegionList], orientation: int, faces: list[Box]
) -> None:
    found = name_faces(some, StoredPhoto(UPRIGHT, orientation), faces)
    assert found == name_faces(some, StoredPhoto(UPRIGHT, orientation), faces)
    assert set(found.names) | found.pets <= set(range(len(faces)))
    assert not set(found.names) & found.pets
    drawn = [each.name.casefold() for each in found.drawn]
    assert len(set(drawn)) == len(drawn), "nobody is drawn twice"
    assert not set(drawn) & {name.casefold() for name in found.names.values()}
    assert all(each.name and each.caution and each.box == each.box.clamped() for each in found.drawn)
