"""Prompts for a base model that reads them as a whole, by a language model: FLUX.2 klein."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.models.locate import find_base
from engine.models.registry import family_of
from engine.pictures.orders.orders import told_of_prompts
from engine.prompts.breakdown import Breakdown, take_apart
from engine.prompts.tokenizer import find_words
from engine.settings import BaseSettings
from engine.training.planning.sample_prompts import told_of_samples
from tests.support.small_project import small_project

KLEIN = BaseSettings(model="demo-flux2-klein")
TEMPLATE_TOKENS = 12
"""What the tiny base's chat message takes of its 48 tokens."""


def read(prompt: str) -> Breakdown:
    base = find_base(KLEIN)
    return take_apart(prompt, 8, find_words(base), family=family_of(base))


def test_tokens_are_counted_without_those_of_the_chat_message() -> None:
    found = read("photo of jx265 man, smiling, blue background")
    assert found.room == 48 - TEMPLATE_TOKENS
    assert found.tokens is not None
    assert 10 <= found.tokens <= 16
    assert len(found.chunks) == 1
    assert found.warnings == ()
    assert found.record()["room"] == found.room


def test_the_count_is_what_transformers_tokenizer_sees() -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(Path(find_base(KLEIN).source) / "tokenizer")
    for prompt in ("photo of jx265 man", "portrait of a woman, smiling, red shirt", ""):
        message = [{"role": "user", "content": prompt}]
        whole = tokenizer.apply_chat_template(
            message, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        assert len(tokenizer(whole).input_ids) == (read(prompt).tokens or 0) + TEMPLATE_TOKENS


def test_weights_and_break_are_told_to_do_nothing() -> None:
    found = read("jx265 man, (red:1.2) shirt BREAK blue background")
    assert found.warnings == (
        "character 13: FLUX.2 klein ignores weights: (word:1.2) is read as word",
        "character 28: FLUX.2 klein reads a prompt as a whole: BREAK has no effect",
    )
    assert found.chunks[0].weights == [1.0] * (found.tokens or 0)


def test_what_is_cut_off_is_told_from_where_on() -> None:
    found = read("jx265 man, " + "smiling, " * 30)
    [warning] = found.warnings
    assert "tokens are cut off, from “" in warning
    assert warning.endswith(f"this base model reads {found.room}")
    assert read("jx265 man, " + "smiling, " * 5).warnings == ()


def test_all_ways_to_paint_tell_what_means_nothing(tmp_path: Path) -> None:
    project = small_project(tmp_path / "james", images=1, base__model="demo-flux2-klein")
    long = "jx265 man, (red:1.2) shirt, " + "smiling, " * 40
    told = told_of_prompts(project, [long], seed=1, negatives=["(blurry:1.3)"], guidance=1.0)
    assert len(told) == 4
    assert told[0] == "character 13: FLUX.2 klein ignores weights: (word:1.2) is read as word"
    assert "are cut off, from" in told[1]
    assert told[2] == "negative prompt: character 2: FLUX.2 klein ignores weights: (word:1.2) is read as word"
    assert told[3] == "a negative prompt has no effect at a guidance scale of 1 or less"
    project.change({"training.sample_prompts": ["jx265 man, (red:1.2) shirt"]})
    assert told_of_samples(project.settings) == [told[0]]


@pytest.mark.parametrize("prompt", ["", "(((", "[a|b] BREAK", "BREAK", "(:1.2)"])
def test_odd_prompts_are_read_all_the_same(prompt: str) -> None:
    assert read(prompt).schedule
