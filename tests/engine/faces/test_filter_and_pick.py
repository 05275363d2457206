"""A filter line selects what its words say; the automatic pick prefers what a person would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import pytest

from engine.errors import FaceError
from engine.faces.filter import select
from engine.faces.geometry import Box
from engine.faces.ledger import Decision, Face, FoundFace
from engine.faces.pick import pick

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
        ("px>512 is:kepp", "“is:kepp” can't be understood: did you mean keep?"),
        ("is:", "“is:” can't be understood: it may be keep, reject"),
        ("pix>5", "“pix>5” can't be understood: did you mean px"),
        ("px>big", "“px>big” can't be understood: write a number: px>512"),
        ("sort:colour", "“sort:colour” can't be understood: it may be date, px, name"),
        ("year:..", "“year:..” can't be understood"),
    ],
)
def test_a_word_that_is_not_understood_is_named(several: list[Face], line: str, says: str) -> None:
    with pytest.raises(FaceError) as caught:
        select(several, line)
    assert says in caught.value.one_line()


def test_the_pick_takes_kept_first_and_never_rejected_or_broken(several: list[Face]) -> None:
    chosen = pick(several, 10)
    assert [each.id for each, _ in chosen] == [1, 3, 6, 4]
    assert chosen[0][1] == "kept already"
    assert chosen[1][1] == "confirmed, 955 px, first of 2023"
    assert chosen[-1][1] == "matched, 100 px, small, without a date"


def test_the_pick_spreads_over_days_and_photos(face: Callable[..., Face]) -> None:
    burst = [face(n, taken_at=f"2019-06-02 10:00:{n:02d}", face_px=900 + n) for n in range(1, 10)]
    twice = [face(n, taken_at="2020-01-01 10:00:00", photo_uid="same", face_px=500 + n) for n in range(10, 12)]
    other = [face(20, taken_at="2021-01-01 10:00:00", face_px=300)]
    assert {each.id for each, _ in pick([*burst, *twice, *other], 3)} == {9, 11, 20}
    reasons = {each.id: why for each, why in pick([*burst, *twice, *other], 12)}
    assert reasons[10].endswith("again from a photo chosen already")
    assert reasons[8].endswith("another photo of 2019-06-02")


def test_the_pick_of_thousands_takes_a_moment_and_is_always_the_same(face: Callable[..., Face]) -> None:
    many = [face(n, confirmed=n % 3 == 0, face_px=100 + n * 37 % 900) for n in range(1, 3000)]
    first, again = pick(many, 24), pick(list(reversed(many)), 24)
    assert [each.id for each, _ in first] == [each.id for each, _ in again]
    assert all(each.confirmed for each, _ in first)
