"""What the filter lines over faces and over pictures have in common."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.faces.selection.filter import completions, read_filter
from engine.filter_line import FilterError, clause_of, number_test, words_of
from engine.pictures.gallery.filter import picture_completions, read_picture_filter

PIECES = ["px", "rating", "is:", "sort:", "-", ":", ">=", "<", "=", "..", "4", "0.5", '"', " ", "ü", "@", "\n", "date:"]


def held(word: str, number: float) -> bool:
    clause = clause_of(word)
    assert clause is not None
    return bool(number_test(clause, word, "n>1")(number))


@pytest.mark.parametrize(
    "word", ["n>=4", "n:>=4", "N>3.9", "n:4..", "n:..5", "n:4..5", "n=4", "n:4", "n:=4", "n:.5..4"]
)
def test_a_number_is_compared_in_either_spelling(word: str) -> None:
    assert held(word, 4)


@pytest.mark.parametrize("word", ["n>4", "n:<4", "n:5..", "n:..3.5", "n:-5..-4", "n=-4"])
def test_a_number_that_does_not_fit_is_left_out(word: str) -> None:
    assert not held(word, 4)


@pytest.mark.parametrize("word", ["n>", "n:..", "n:-..5", "n:1..2..3", "n:4x", "n>1e3", "n:٤", "n>4..5"])
def test_what_is_no_number_is_told_with_an_example(word: str) -> None:
    with pytest.raises(FilterError, match=r"is not understood: write a number: n>1"):
        held(word, 4)


def test_quotes_keep_spaces_in_a_word_and_its_place_is_told() -> None:
    found = [*words_of('-is:x name:"a  b" "open')]
    assert [(each.bare, each.negated) for each in found] == [("is:x", True), ("name:a  b", False), ("open", False)]
    assert [(each.start, each.end) for each in found] == [(0, 5), (6, 17), (18, 23)]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=30))
def test_any_line_is_understood_or_told_where_it_is_not(line: str) -> None:
    for read in (read_filter, read_picture_filter):
        wrong: FilterError | None = None
        try:
            read(line)
        except FilterError as error:
            wrong = error
        assert wrong is None or (0 <= wrong.start < wrong.end <= len(line) and wrong.fix)


@given(st.lists(st.sampled_from(PIECES), max_size=4).map("".join))
def test_what_a_word_could_become_begins_as_it_was_typed(line: str) -> None:
    for complete in (completions, picture_completions):
        typed = (line.split() or [""])[-1].lower()
        assert all(each.lower().startswith(typed) and each.lower() != typed for each in complete(line))
