"""Variations of a prompt by the small grammar."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import platformdirs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import PromptError
from engine.prompts.axes import AXES, wildcard_names
from engine.prompts.dynamicprompts_guard import guarded
from engine.prompts.grammar import distance, fill, has_choices, lone_braces, plain, tidy, variations
from engine.settings import PersonSettings

words = st.text(alphabet="abcdefg ()[]:.0123<>-éü", max_size=8).filter(lambda text: "[" not in text and "]" not in text)


def choice(options: list[str]) -> str:
    return "{" + "|".join(options) + "}"


templates = st.recursive(
    words,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(choice), st.lists(inner, max_size=3).map("".join)
    ),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        ("photo of a man", {"photo of a man"}),
        ("a {b|c}", {"a b", "a c"}),
        ("{a|b} {c|d}", {"a c", "a d", "b c", "b d"}),
        ("a {b|c {1|2}}", {"a b", "a c 1", "a c 2"}),
        ("a, {b|}, c", {"a, b, c", "a, c"}),
        (r"\{a\|b\}", {"{a|b}"}),
        (r"{a\|b|c}", {"a|b", "c"}),
        (r"\\{a|b}", {"\\a", "\\b"}),
        (r"\(a\)", {r"\(a\)"}),
        ("(a:1.2) [b|c] [d:e:0.5] <lora:x:0.8>", {"(a:1.2) [b|c] [d:e:0.5] <lora:x:0.8>"}),
        ("{[a|b]|c}", {"[a|b]", "c"}),
        ("a|b", {"a|b"}),
        ("{a}", {"a"}),
        ("{a|a|a}", {"a"}),
        ("{2$$a|b}", {"a, b", "b, a"}),
        ("{1-2$$ and $$a|b}", {"a", "b", "a and b", "b and a"}),
        ("{3::a|0.5::b}", {"a", "b"}),
        ("50% {x|y}", {"50% x", "50% y"}),
        ("# a {b|c} // $5", {"# a b // $5", "# a c // $5"}),
        ("a__b {c|d}", {"a__b c", "a__b d"}),
        ("{@home|~x|!y}", {"@home", "~x", "!y"}),
        ("/* {a|b} */", {"/* a */", "/* b */"}),
    ],
)
def test_a_template_says_these_prompts(template: str, wanted: set[str]) -> None:
    assert set(variations(template, 100, seed=0)) == wanted


@given(templates, st.integers(1, 12), st.integers(0, 99))
def test_variations_are_different_stable_and_some_of_all_there_are(template: str, count: int, seed: int) -> None:
    try:
        everything = variations(template, 10_000, seed)
    except PromptError:
        assert not tidy(plain_text(template))
        return
    some = variations(template, count, seed)
    assert some == variations(template, count, seed)
    assert len(some) == len(set(some)) == min(count, len(everything))
    assert some == everything[:count]


def plain_text(template: str) -> str:
    return "".join(character for character in template if character not in "{|}")


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=4, unique=True), min_size=1, max_size=3))
@pytest.mark.long
def test_all_combinations_come_out_when_enough_are_asked_for(axes: list[list[str]]) -> None:
    template = " ".join(choice(options) for options in axes)
    wanted = {" ".join(each) for each in itertools.product(*axes)}
    assert set(variations(template, len(wanted) + 5, seed=3)) == wanted


@pytest.mark.parametrize("text", ["a,, b, ", "a  b", "# one\na man # two\n, b", "(a:1.2) ,b", r"a \(b\) c"])
def test_what_has_no_choices_is_left_as_it_was_written(text: str) -> None:
    assert variations(text, 3, 0) == [text.strip()]
    assert plain(text) == text.strip()


def test_a_comment_beside_choices_ends_with_its_line() -> None:
    found = variations("# {x|y}, , z\na {b|} man, # note\n c, {d|}, e", 20, 0)
    assert {each.split("\n", 1)[1] for each in found} == {
        f"{man} # note\n{end}" for man in ("a b man,", "a man,") for end in ("c, d, e", "c, e")
    }


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("photo of {trigger} {clas}", "did you mean {class}?"),
        ("{Trigger}, a man", "did you mean {trigger}?"),
        ("{{masterpiece}}, a man", "painted as masterpiece"),
    ],
)
def test_braces_that_are_no_choice_are_told(template: str, says: str) -> None:
    assert says in str(lone_braces(template)[0])
    assert lone_braces(r"{trigger} {class} {a|b} {2$$a|b} \{x\} {__light__}") == []


def test_another_seed_gives_another_order() -> None:
    template = choice([str(number) for number in range(50)])
    assert variations(template, 50, 1) != variations(template, 50, 2)
    assert sorted(variations(template, 50, 1)) == sorted(variations(template, 50, 2))


@pytest.mark.long
def test_a_template_with_more_ways_than_atoms_is_quick() -> None:
    assert len(variations(choice(["a", "b", "c", "d"]) * 60, 20, 0)) == 20
    assert len(variations("{a|} " * 60, 1000, 0)) <= 61


@pytest.mark.parametrize(
    ("template", "place", "says"),
    [
        ("a {b|c", 3, "is never closed"),
        ("a } b", 3, "closes nothing"),
        ("{a|{b}", 1, "is never closed"),
        ("{a}}", 4, "closes nothing"),
        ("50% {", 5, "is never closed"),
    ],
)
def test_an_unbalanced_brace_is_named_with_its_place(template: str, place: int, says: str) -> None:
    with pytest.raises(PromptError, match=f"the brace at character {place} {says}"):
        guarded(template)


@given(st.text(alphabet="{}|\\ab[]", max_size=20))
def test_any_text_is_understood_or_refused_in_one_line(text: str) -> None:
    try:
        found = variations(text, 5, 0)
    except PromptError:
        return
    assert all(found)


@pytest.mark.parametrize("template", ["", "  ", "{|}", " , ,"])
def test_an_empty_prompt_is_refused(template: str) -> None:
    with pytest.raises(PromptError, match="empty"):
        variations(template, 3, 0)


def test_slots_are_the_persons_words_even_when_those_hold_braces() -> None:
    person = PersonSettings(trigger="jx{265}", class_word="man")
    filled = fill("photo of {trigger} {class}, {a|b}", person)
    assert set(variations(filled, 9, 0)) == {"photo of jx{265} man, a", "photo of jx{265} man, b"}


def test_the_plain_prompt_takes_every_first_option() -> None:
    assert plain("a {b|c} {|d}, e") == "a b, e"
    assert has_choices("a {b|c}")
    assert not has_choices("a {b} [c|d]")


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [("a b", "b a", 0), ("A, b", "a b", 0), ("a", "b", 1), ("a b c", "a b d", 0.5), ("", "", 0)],
)
def test_distance_is_the_share_of_words_that_differ(one: str, other: str, wanted: float) -> None:
    assert distance(one, other) == pytest.approx(wanted)


@given(words, words)
def test_distance_is_the_same_both_ways_and_between_0_and_1(one: str, other: str) -> None:
    assert 0 <= distance(one, other) == distance(other, one) <= 1
    assert distance(one, one) == 0


def test_a_wildcard_is_a_line_of_its_list() -> None:
    found = variations("photo, __light__", 1000, 0)
    assert set(found) == {f"photo, {tidy(each)}" for each in AXES["light"]}
    assert {"place", "light", "clothes", "lens", "expression", "framing"} <= set(wildcard_names())
    assert has_choices("__light__")
    assert len(variations("{2$$ and $$__light__|__place__}", 5, 0)) == 5


def test_a_missing_list_is_named_with_its_place_and_those_there_are() -> None:
    with pytest.raises(PromptError, match="no list for __weather__ at character 4") as caught:
        variations("a, __weather__ {b|c}", 3, 0)
    assert "light" in caught.value.fix


def test_the_users_own_lists_are_found(own_home: Path) -> None:
    folder = Path(platformdirs.user_data_dir("limner", appauthor=False)) / "wildcards" / "trips"
    folder.mkdir(parents=True)
    (folder / "lakes.txt").write_text("lake one\nlake two\n", "utf-8")
    assert set(variations("at __trips/lakes__", 9, 0)) == {"at lake one", "at lake two"}


def test_a_heavier_option_is_drawn_more_often() -> None:
    first = [variations("{9::a|b}", 1, seed)[0] for seed in range(60)]
    assert first.count("a") > 40


@pytest.mark.long
def test_two_thousand_alternatives_take_no_longer_than_their_length() -> None:
    def seconds(count: int) -> float:
        template = choice([f"word{number}" for number in range(count)]) + ", photo of {a|b}"
        begun = time.process_time()
        assert plain(template) == "word0, photo of a"
        assert has_choices(template)
        assert len(variations(template, 8, 1)) == 8
        return time.process_time() - begun

    seconds(10)
    once, twice = seconds(500), seconds(2_000)
    assert twice < max(once, 0.05) * 14, (once, twice)


@given(st.lists(st.text("abc", min_size=1, max_size=2), min_size=1, max_size=40))
def test_the_plain_prompt_takes_the_first_of_however_many(options: list[str]) -> None:
    assert plain(f"x {choice(options)} {{{{p|q}}|r}}") == f"x {options[0]} p"
