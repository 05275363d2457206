"""What is typed for an axis: A1111's short forms, and errors that point at the word."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.errors import PromptError
from engine.pictures.grid.axes import NO_LORA, AxisKind, Known, applied, read_axis
from engine.pictures.grid.ranges import GridError, number_text, read_numbers, split_words
from engine.pictures.orders.face_fix import FaceFix
from engine.pictures.orders.picture import PictureOrder
from engine.settings import PersonSettings, Sampler
from engine.settings.samplers import NoiseSchedule

CHECKPOINTS = (
    *(Path(f"/p/runs/r/checkpoints/jx265-{n:06}.safetensors") for n in (1, 2, 3)),
    Path("/p/jx265.safetensors"),
)
KNOWN = Known(Path("/p"), PersonSettings(trigger="jx265", class_word="man"), CHECKPOINTS)


def numbers(text: str, whole: bool = False) -> list[str]:
    return [number_text(number) for number, _ in read_numbers(split_words(text), whole=whole)]


def values(text: str) -> list[str]:
    return list(read_axis(text, KNOWN).values)


def test_sizes_are_taken_by_name_for_the_base_model_that_paints() -> None:
    assert values("size=portrait,1024x1024,Cinema") == ["896x1152", "1024x1024", "1344x768"]
    assert read_axis("size=square,tall", replace(KNOWN, native=64)).values == ("64x64", "52x76")


def test_a_run_s_last_checkpoint_has_the_number_of_its_epoch_too() -> None:
    known = replace(KNOWN, last_epoch=4)
    wanted = ("runs/r/checkpoints/jx265-000002.safetensors", "jx265.safetensors")
    assert read_axis("checkpoint=2-4 (+2)", known).values == wanted
    assert read_axis("checkpoint=4,last", known).values == ("jx265.safetensors",)
    stopped = replace(known, checkpoints=CHECKPOINTS[:2], last_epoch=2)
    assert read_axis("checkpoint=2", stopped).values == ("runs/r/checkpoints/jx265-000002.safetensors",)


class TestShortForms:
    @pytest.mark.parametrize(
        ("text", "whole", "means"),
        [
            ("1-5", True, "1 2 3 4 5"),
            ("1-5 (+2)", True, "1 3 5"),
            ("10-5 (-3)", True, "10 7"),
            ("1-3 (+0.5)", False, "1 1.5 2 2.5 3"),
            ("1-10 [5]", True, "1 3 5 7 10"),
            ("0.0-1.0 [6]", False, "0 0.2 0.4 0.6 0.8 1"),
        ],
    )
    def test_the_wiki_s_own_examples(self, text: str, whole: bool, means: str) -> None:
        assert numbers(text, whole) == means.split()

    def test_lists_and_ranges_stand_beside_each_other(self) -> None:
        assert numbers("0.6-1.0 (+0.2), 1.2,-0.5") == ["0.6", "0.8", "1", "1.2", "-0.5"]
        assert numbers("-1 - 1", whole=True) == ["-1", "0", "1"]
        assert numbers("5-3", whole=True) == ["5", "4", "3"]

    def test_a_step_never_runs_past_the_end(self) -> None:
        assert numbers("0-1 (+0.3)") == ["0", "0.3", "0.6", "0.9"]

    @given(st.integers(-500, 500), st.integers(0, 400), st.integers(1, 50))
    def test_whole_ranges_are_python_s_with_the_end(self, first: int, more: int, step: int) -> None:
        last = first + more
        found = [int(each) for each in numbers(f"{first}-{last} (+{step})", whole=True)]
        assert found == list(range(first, last + 1, step))
        assert numbers(f"{first}-{last}", whole=True) == [str(each) for each in range(first, last + 1)]
        down = [int(each) for each in numbers(f"{last}-{first} (-{step})", whole=True)]
        assert down == (list(range(last, first - 1, -step)))

    @given(st.integers(-300, 300), st.integers(-300, 300), st.integers(2, 40))
    def test_counted_ranges_are_numpy_s_linspace(self, first: int, last: int, count: int) -> None:
        spaced = np.linspace(first, last, count)
        assert np.allclose([float(each) for each in numbers(f"{first}-{last} [{count}]")], spaced)
        # A1111 cuts numpy's floats, which may lie a hair below a whole number that is meant.
        whole = [int(each) for each in numbers(f"{first}-{last} [{count}]", whole=True)]
        assert whole == [int(each) for each in np.trunc(np.round(spaced, 9))]

    @given(st.decimals(-10, 10, places=2), st.integers(0, 60), st.integers(1, 40))
    def test_fractions_are_exact(self, first: Decimal, count: int, hundredths: int) -> None:
        step = Decimal(hundredths) / 100
        last = first + step * count
        assert numbers(f"{first}-{last} (+{step})") == [number_text(first + step * n) for n in range(count + 1)]

    @given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), min_size=1), min_size=1))
    def test_quoted_lists_are_csv(self, texts: list[str]) -> None:
        assume(all(text == text.strip() for text in texts))
        out = io.StringIO()
        csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="").writerow(texts)
        assert [word.text for word in split_words(out.getvalue())] == texts


class TestErrorsPointAtTheWord:
    @pytest.mark.parametrize(
        ("text", "word", "says"),
        [
            ("strenth=1", "strenth", "did you mean strength?"),
            ("strength=0.6,much,1", "much", "is not a number"),
            ("strength=0.6-1.0", "0.6-1.0", "0.6-1.0 (+0.2)"),
            ("strength=1-2 (-1)", "1-2 (-1)", "never gets from 1 to 2"),
            ("strength=1-2 (+0)", "1-2 (+0)", "above 0"),
            ("strength=0.8,5", "5", "-4 to 4"),
            ("steps=20, 2.5", "2.5", "not a whole number"),
            ("steps=0", "0", "1 to 500"),
            ("seed=1,-2", "-2", "not a valid seed"),
            ("seed=1-100000", "1-100000", "100,000 values"),
            ("checkpoint=2,9", "9", "there are 1, 2, 3"),
            ("checkpoint=jx265-00002", "jx265-00002", "did you mean jx265-000002?"),
            ("checkpoint=/nowhere.safetensors", "/nowhere.safetensors", "there is no LoRA at"),
            ("sampler=Euler,Magic", "Magic", "no sampler"),
            ("face-fix=off,much", "much", "not a valid face fix"),
            ("face-fix=0.3,2", "2", "0.05 to 1"),
            ("size=1024x1024,big", "big", "832x1216"),
            ('prompt=a,"b', '"b', "not closed"),
            ('prompt="a" b,c', " b", "a closing quote"),
            ("strength=", "=", "strength=0.6,0.8,1.0"),
            ("strength", "strength", "strength=0.6,0.8,1.0"),
        ],
    )
    def test_and_say_what_to_do(self, text: str, word: str, says: str) -> None:
        with pytest.raises(GridError) as raised:
            read_axis(text, KNOWN)
        assert text[raised.value.start : raised.value.end] == word
        assert says in raised.value.one_line()

    def test_a_prompt_that_is_none_is_told(self) -> None:
        with pytest.raises(PromptError, match="never closed"):
            read_axis('prompt="a {b"', KNOWN)
        with pytest.raises(PromptError, match="empty"):
            read_axis('prompt=""', KNOWN)


class TestValues:
    def test_checkpoints_are_no_lora_first_and_then_the_run_s(self) -> None:
        assert values("checkpoint") == [NO_LORA, *(str(each.relative_to("/p")) for each in CHECKPOINTS)]
        assert values("checkpoint=last,1-3 (+2),no lora") == [
            "jx265.safetensors",
            "runs/r/checkpoints/jx265-000001.safetensors",
            "runs/r/checkpoints/jx265-000003.safetensors",
            NO_LORA,
        ]
        axis = read_axis("checkpoint=none,jx265-000002", KNOWN)
        assert [axis.label(value) for value in axis.values] == ["no LoRA", "jx265-000002"]

    def test_each_value_once_in_the_order_typed(self) -> None:
        assert values("strength=1,0.80,0.8,1.0") == ["1", "0.8"]

    def test_prompts_are_filled_and_may_hold_commas(self) -> None:
        assert values('prompt="photo of {trigger} {class}, sea",a man') == ["photo of jx265 man, sea", "a man"]

    def test_no_negative_is_a_value(self) -> None:
        assert values('negative="",blurry') == ["", "blurry"]

    def test_a_new_seed_is_kept(self) -> None:
        first = values("seed=-1,7")
        assert int(first[0]) >= 0
        assert first[1] == "7"
        assert values("seed=-1") != values("seed=-1")

    def test_the_face_fix_is_off_on_or_its_denoise(self) -> None:
        assert values("face-fix") == ["off", "on"]
        assert values("face-fix=off,0.3-0.5 (+0.1)") == ["off", "0.3", "0.4", "0.5"]
        fixed = replace(ORDER, face_fix=FaceFix(most=1, denoise=0.5))
        assert applied(fixed, {AxisKind.FACE_FIX: "off"}, Path("/p")).face_fix is None
        assert applied(fixed, {AxisKind.FACE_FIX: "on"}, Path("/p")) == fixed
        assert applied(fixed, {AxisKind.FACE_FIX: "0.2"}, Path("/p")).face_fix == FaceFix(most=1, denoise=0.2)

    def test_samplers_bring_their_schedule(self) -> None:
        assert values("sampler=euler a,dpm++ 2m karras") == ["Euler a", "DPM++ 2M Karras"]
        assert len(values("sampler")) == len(Sampler)


ORDER = PictureOrder("a man", Path("x.png"), 1, 30, 6.0, Sampler.EULER, lora=CHECKPOINTS[0], strength=0.8)


def test_a_value_changes_what_its_axis_says_and_nothing_else() -> None:
    said = {
        AxisKind.CHECKPOINT: "runs/r/checkpoints/jx265-000002.safetensors",
        AxisKind.STRENGTH: "0.6",
        AxisKind.SEED: "7",
        AxisKind.SAMPLER: "DPM++ 2M Karras",
        AxisKind.SIZE: "832x1216",
        AxisKind.STEPS: "20",
        AxisKind.GUIDANCE: "4.5",
        AxisKind.NEGATIVE: "blurry",
        AxisKind.PROMPT: "a dog",
        AxisKind.FACE_FIX: "0.3",
    }
    assert set(said) == set(AxisKind)
    order = applied(ORDER, said, Path("/p"))
    assert (order.lora, order.strength, order.seed) == (CHECKPOINTS[1], 0.6, 7)
    assert (order.sampler, order.schedule) == (Sampler.DPMPP_2M, NoiseSchedule.KARRAS)
    assert (order.width, order.height, order.steps, order.guidance) == (832, 1216, 20, 4.5)
    assert (order.negative, order.prompt) == ("blurry", "a dog")
    assert order.face_fix == FaceFix(denoise=0.3)
    assert applied(ORDER, {}, Path("/p")) == ORDER


def test_without_a_lora_every_strength_is_the_same_picture() -> None:
    bare = [applied(ORDER, {AxisKind.CHECKPOINT: NO_LORA, AxisKind.STRENGTH: s}, Path("/p")) for s in ("0.6", "1")]
    assert bare[0] == bare[1]
    assert bare[0].key() == bare[1].key()
