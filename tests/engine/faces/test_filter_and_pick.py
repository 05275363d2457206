"""A filter line selects what its words say; the automatic pick prefers what a person would."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.faces.crop import crop_of
from engine.faces.framing import FRAMINGS, framings_of, natural_framing
from engine.faces.photo.geometry import Box, Cut, Framing
from engine.faces.records.decisions import Decision, Face
from engine.faces.records.found_face import FoundFace
from engine.faces.records.measurements import FaceQuality, FaceRelations, Measures
from engine.faces.selection.face_table import FaceColumns, room_of
from engine.faces.selection.filter import completions, explain, read_filter, select
from engine.faces.selection.pick import pick, quotas
from engine.filter_line import FilterError

MakeFace = Callable[..., FoundFace]


@pytest.fixture
def face(found: MakeFace) -> Callable[..., Face]:
    def make(number: int, decision: Decision = Decision.UNDECIDED, **changes: object) -> Face:
        base = found(number, **changes)
        return Face(**{**asdict(base), "box": base.box}, id=number, decision=decision)

    return make


@pytest.fixture
def several(face: Callable[..., Face]) -> list[Face]:
    return [
        face(1, Decision.KEEP, taken_at="2015-08-14 10:00:00", face_px=812, file_name="2015/lake/a.jpg"),
        face(2, Decision.REJECT, taken_at="2012-01-30 10:00:00", face_px=640, confirmed=False),
        face(3, taken_at="2023-12-24 10:00:00", face_px=955, file_name="2023/Über dem See/b.jpg"),
        face(4, taken_at=None, face_px=100, confirmed=False, warning="off"),
        face(5, taken_at="2016-01-01 10:00:00", face_px=None, problem="the file is missing", image_width=None),
        face(6, taken_at="2016-01-01 11:00:00", face_px=512, box=Box(0.1, 0.1, 0.8, 0.8)),
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", [1, 2, 3, 4, 5, 6]),
        ("is:keep", [1]),
        ("is:reject", [2]),
        ("is:undecided", [3, 4, 5, 6]),
        ("is:confirmed", [1, 3, 5, 6]),
        ("is:matched", [2, 4]),
        ("is:broken", [5]),
        ("-is:broken -is:matched", [1, 3, 6]),
        ("is:doubtful", [4]),
        ("is:wide -is:broken", [1, 2, 3, 4]),
        ("px>512", [1, 2, 3]),
        ("px>=512", [1, 2, 3, 6]),
        ("px<512", [4]),
        ("-px>512", [4, 5, 6]),
        ("px:600..900", [1, 2]),
        ("px=512", [6]),
        ("year:2015..2023", [1, 3, 5, 6]),
        ("year:2015..", [1, 3, 5, 6]),
        ("year:..2014", [2]),
        ("year:2016", [5, 6]),
        ("LAKE", [1]),
        ('"über dem"', [3]),
        ("sort:px", [3, 1, 2, 6, 4, 5]),
        ("sort:date -is:broken", [2, 1, 6, 3, 4]),
        ("-sort:date is:undecided", [4, 3, 6, 5]),
        ("sort:name is:confirmed", [1, 5, 6, 3]),
        ('"still being typed', [3][:0]),
    ],
)
def test_a_filter_line_selects_what_its_words_say(several: list[Face], line: str, expected: list[int]) -> None:
    assert [each.id for each in select(several, line)] == expected


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("px>512 is:kepp", "“is:kepp” is not understood: did you mean keep?"),
        ("is:", "“is:” is not understood: it may be keep, reject"),
        ("pix>5", "“pix>5” is not understood: did you mean px"),
        ("px>big", "“px>big” is not understood: write a number: px>512"),
        ("sort:colour", "“sort:colour” is not understood: it may be date, px, name"),
        ("year:..", "“year:..” is not understood"),
    ],
)
def test_a_word_that_is_not_understood_is_named(several: list[Face], line: str, says: str) -> None:
    with pytest.raises(FilterError) as caught:
        select(several, line)
    assert says in caught.value.one_line()


def test_an_error_points_at_its_word() -> None:
    with pytest.raises(FilterError) as caught:
        read_filter('px>512 "über dem" -is:kepp sort:px')
    line = 'px>512 "über dem" -is:kepp sort:px'
    assert line[caught.value.start : caught.value.end] == "-is:kepp"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("is:bl", ["is:blurred"]),
        ("px>512 -is:du", ["-is:duplicate"]),
        ("sor", ["sort:"]),
        ("sort:s", ["sort:sharp"]),
        ("framing:", ["framing:close", "framing:half", "framing:full"]),
        ("sha", ["sharp>"]),
        ("@go", ["@good"]),
        ("is:keep", []),
        ("is:keep ", []),
        ("", []),
    ],
)
def test_words_are_completed_as_they_are_typed(line: str, expected: list[str]) -> None:
    assert completions(line, ["good", "bad"]) == expected


def test_every_word_that_is_explained_is_understood(several: list[Face]) -> None:
    for word, about in explain():
        select(several, word.replace("…", "1"))
        assert about


def test_a_saved_line_stands_for_its_words_and_never_for_itself(several: list[Face]) -> None:
    saved = {"large": "px>600", "sure": "@large is:confirmed", "loop": "@loop"}
    assert [face.id for face in select(several, "@sure year:2023", saved)] == [3]
    assert [face.id for face in select(several, "-@large -is:broken", saved)] == [4, 6]
    for line in ("@loop", "@lage"):
        with pytest.raises(FilterError, match="is not understood"):
            select(several, line, saved)


def test_groups_come_together_in_the_order_of_their_first(several: list[Face]) -> None:
    selection = read_filter("group:year sort:px")(FaceColumns(several))
    assert [face.id for face in selection] == [3, 1, 2, 6, 5, 4]
    assert selection.heads == {3: "2023 · 1", 1: "2015 · 1", 2: "2012 · 1", 6: "2016 · 2", 4: "no date · 1"}
    assert selection.place(5) == 4
    assert read_filter("is:keep")(FaceColumns(several)).place(5) is None


def test_what_is_measured_selects(face: Callable[..., Face]) -> None:
    def measured(number: int, sharp: float, relations: FaceRelations, light: float = 120.0) -> Face:
        return replace(
            face(number), measures=Measures(FaceQuality(sharp, light, 50, 0, 0, 1, 1, yaw=-30.0), (), relations)
        )

    faces = [
        measured(1, 212, FaceRelations()),
        measured(2, 8, FaceRelations(copy_of=1)),
        measured(3, 25, FaceRelations(burst=3, burst_size=2, burst_best=False), 30),
        measured(4, 90, FaceRelations(distance=1.2, wrong=True)),
        face(5),
    ]
    expected = {
        "sharp>40": [1, 4],
        "is:blurred": [2],
        "is:soft": [2, 3],
        "is:duplicate": [2],
        "is:burst": [3],
        "is:best": [1, 2, 4],
        "is:wrong": [4],
        "-is:wrong": [1, 2, 3, 5],
        "dist>1.1": [4],
        "is:unmeasured": [5],
        "light:dark": [3],
        "light<100": [3],
        "yaw<40": [1, 2, 3, 4],
        "view:three-quarter": [1, 2, 3, 4],
        "is:alone": [1, 2, 3, 4],
        "sort:sharp": [1, 4, 3, 2, 5],
        "can:half is:unmeasured": [5],
        "burst>1": [3],
    }
    assert {line: [each.id for each in select(faces, line)] for line in expected} == expected


def test_a_decision_changes_what_is_selected(several: list[Face]) -> None:
    columns = FaceColumns(several)
    columns.update(replace(several[2], decision=Decision.KEEP, cut=Cut(Framing.FULL, 0.1)))
    assert [face.id for face in read_filter("is:keep")(columns)] == [1, 3]
    assert [face.id for face in read_filter("is:cropped")(columns)] == [3]
    assert columns.numbers["crop"][2] == 3000


@given(
    *(st.floats(0, 1) for _ in range(2)),
    *(st.floats(0.001, 0.9) for _ in range(2)),
    *(st.integers(1, 5000) for _ in "ab"),
)
def test_all_faces_at_once_have_the_room_that_each_has(
    x: float, y: float, w: float, h: float, width: int, height: int
) -> None:
    face = Face("m", "j", "J", "p", "f", "/", "a.jpg", None, Box(x, y, w, h), width, height, 1, None, True, id=1)
    room = room_of([face])
    assert tuple(each for each, fits in zip(FRAMINGS, room.possible[0], strict=True) if fits) == framings_of(face)
    crops = [crop_of(face, framing) for framing in FRAMINGS]
    assert [None if math.isnan(side) else side for side in room.sides[0]] == [
        crop.side if crop else None for crop in crops
    ]
    natural = natural_framing(face)
    assert room.natural[0] == (-1 if natural is None else FRAMINGS.index(natural))


def test_the_pick_takes_kept_first_and_never_rejected_or_broken(several: list[Face]) -> None:
    chosen = pick(several, 10)
    assert chosen[0].face.id == 1
    assert chosen[0].why == "kept already"
    assert {each.face.id for each in chosen} == {1, 3, 4, 6}
    reasons = {each.face.id: each.why for each in chosen}
    assert reasons[3].startswith("close-up: confirmed, first of 2023, not measured, crop 952 px, enlarged")
    assert "matched, without a date" in reasons[4]


def test_the_pick_spreads_over_days_and_photos(face: Callable[..., Face]) -> None:
    burst = [face(n, taken_at=f"2019-06-02 10:00:{n:02d}", face_px=900 + n) for n in range(1, 10)]
    twice = [face(n, taken_at="2020-01-01 10:00:00", photo_uid="same", face_px=500 + n) for n in range(10, 12)]
    other = [face(20, taken_at="2021-01-01 10:00:00", face_px=300)]
    days = {(each.face.taken_at or "")[:10] for each in pick([*burst, *twice, *other], 3)}
    assert days == {"2019-06-02", "2020-01-01", "2021-01-01"}
    photos = [each.face.photo_uid for each in pick([*burst, *twice, *other], 12)]
    assert len(photos) == len(set(photos))


def test_the_pick_of_thousands_takes_a_moment_and_is_always_the_same(face: Callable[..., Face]) -> None:
    many = [face(n, confirmed=n % 3 == 0, face_px=100 + n * 37 % 900) for n in range(1, 3000)]
    first, again = pick(many, 24), pick(list(reversed(many)), 24)
    assert [each.face.id for each in first] == [each.face.id for each in again]
    assert all(each.face.confirmed for each in first)


def test_the_pick_keeps_the_quotas_takes_no_copy_and_one_of_a_burst(face: Callable[..., Face]) -> None:
    def measured(number: int, height: float, relations: FaceRelations, sharp: float = 100) -> Face:
        quality = FaceQuality(sharp, 120, 50, 0, 0, number * 0x9E3779B97F4A7C15 % 2**256, number * 0x9E3779B1 % 2**64)
        box = Box(0.4, 0.1, height * 0.75, height)
        year = 2000 + number % 20
        made = face(number, box=box, face_px=round(height * 3000), taken_at=f"{year}-01-{1 + number % 28:02} 10:00:00")
        return replace(made, measures=Measures(quality, (), relations))

    close = [measured(n, 0.2, FaceRelations()) for n in range(1, 30)]
    afar = [measured(n, 0.07, FaceRelations()) for n in range(30, 40)]
    spoilt = [
        measured(50, 0.2, FaceRelations(copy_of=1)),
        measured(51, 0.2, FaceRelations(), sharp=5),
        measured(52, 0.2, FaceRelations(wrong=True)),
        *(measured(n, 0.2, FaceRelations(burst=60, burst_size=9, burst_best=n == 64)) for n in range(60, 69)),
    ]
    chosen = pick([*spoilt, *close, *afar], 24)
    counts = Counter(each.framing for each in chosen)
    assert counts == {Framing.CLOSE: 12, Framing.HALF: 6, Framing.FULL: 6}
    ids = {each.face.id for each in chosen}
    assert not ids & {50, 51, 52}
    assert len(ids & set(range(60, 69))) <= 1
    assert all("burst of 9" in each.why for each in chosen if each.face.id >= 60)
    fewer = pick([*close, *afar[:2]], 24)
    assert Counter(each.framing for each in fewer)[Framing.FULL] == 2
    assert sum("as there is no full body" in each.why for each in fewer) == 4


def test_the_quotas_of_any_number_keep_the_target_s_mix() -> None:
    target = {Framing.CLOSE: 12, Framing.HALF: 6, Framing.FULL: 6}
    assert quotas(24, target) == target
    assert quotas(8, target) == {Framing.CLOSE: 4, Framing.HALF: 2, Framing.FULL: 2}
    assert sum(quotas(25, target).values()) == 25
    assert quotas(5, dict.fromkeys(target, 0)) == {Framing.CLOSE: 5, Framing.HALF: 0, Framing.FULL: 0}
