"""Variations along axes: small changes are small."""

from __future__ import annotations

from statistics import mean

import pytest

from engine.errors import PromptError
from engine.prompts.axes import AXES, NAMES, axis_of
from engine.prompts.axis_variation import Size, parts_of, vary
from engine.prompts.breakdown import take_apart

PARENT = "portrait of jx265 man, (studio light:1.2), wearing a navy suit, plain grey background"


def test_the_distance_grows_along_the_ladder() -> None:
    far = [mean(each.distance for each in vary(PARENT, 40, 1, size=size)) for size in Size]
    assert far[0] < 0.5
    assert far[0] + 0.1 < far[1] < far[2] - 0.1
    assert max(each.distance for each in vary(PARENT, 40, 1, size=Size.SMALL)) < min(
        each.distance for each in vary(PARENT, 40, 1, size=Size.BOLD)
    )


@pytest.mark.parametrize("size", Size)
def test_a_change_replaces_what_was_about_the_same(size: Size) -> None:
    for each in vary(PARENT, 30, 2, size=size):
        parts = parts_of(each.text)
        assert parts[0] == "portrait of jx265 man"
        # A few options say two things with a comma between.
        changed = [part for part in parts if part not in parts_of(PARENT)]
        assert len(parts) == 4
        assert len(changed) == {Size.SMALL: 1, Size.MEDIUM: 2, Size.BOLD: 3}[size]


def test_what_is_locked_or_known_stays_and_never_comes_again() -> None:
    locked = vary(PARENT, 30, 3, size=Size.BOLD, locked=["wearing a navy suit"])
    assert all("wearing a navy suit" in each.text for each in locked)
    again = vary(PARENT, 10, 3, known=[each.text for each in vary(PARENT, 10, 3)])
    assert not {each.text for each in again} & {each.text for each in vary(PARENT, 10, 3)}


def test_the_same_seed_gives_the_same_list_and_more_keeps_the_first() -> None:
    assert vary(PARENT, 12, 7) == vary(PARENT, 30, 7)[:12]
    assert vary(PARENT, 12, 7) != vary(PARENT, 12, 8)


def test_a_thousand_variations_are_valid_distinct_and_name_the_person_once() -> None:
    found = [each.text for number, size in enumerate(Size) for each in vary(PARENT, 350, number, axes=NAMES, size=size)]
    found += [each.text for each in vary("photo of jx265 man", 600, 1, axes=NAMES)]
    distinct = set(found)
    assert len(distinct) >= 1000
    for text in distinct:
        assert text.split().count("jx265") == 1
        assert take_apart(text, 30).remarks == ()


def test_when_all_is_said_there_are_no_more() -> None:
    assert len(vary("photo of a man", 1000, 0, axes=["lens"])) == len(AXES["lens"])


def test_every_option_is_known_to_be_about_its_axis() -> None:
    wrong = {
        (axis, option, axis_of(option.split(",")[0]))
        for axis in NAMES
        for option in AXES[axis]
        if axis_of(option.split(",")[0]) != axis
    }
    assert wrong == set()


def test_wrong_axes_and_empty_prompts_are_refused() -> None:
    with pytest.raises(PromptError, match="there is no axis weather") as caught:
        vary(PARENT, 3, 0, axes=["weather"])
    assert "light" in caught.value.fix
    with pytest.raises(PromptError, match="there is nothing to vary"):
        vary(PARENT, 3, 0, axes=[])
    with pytest.raises(PromptError, match="empty"):
        vary(" , ", 3, 0)
