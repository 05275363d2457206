"""Prompts as the U-Net sees them: nothing changes for plain ones, and A1111's weights, chunks and schedules hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.errors import PromptError
from engine.models.locate import find_base
from engine.models.sdxl.loading import load_pipeline
from engine.models.sdxl.prompt_encoder import SdxlPromptEncoder
from engine.pictures.painting.pipeline import GenerationParams, LoraWeight, Painting
from engine.pictures.painting.text_encoding import TextBatch, TextEncoding
from engine.settings import BaseSettings, Sampler
from tests.support.small_project import random_lora

FULL = "man " * 75


@pytest.fixture(scope="module")
def pipeline() -> Any:
    return load_pipeline(find_base(BaseSettings(model="demo")))


@pytest.fixture(scope="module")
def encoding(pipeline: Any) -> TextEncoding:
    return TextEncoding(SdxlPromptEncoder(pipeline, "cpu"))


@pytest.fixture(scope="module")
def painting() -> Painting:
    return Painting(find_base(BaseSettings(model="demo")))


def seen(encoding: TextEncoding, prompt: str, negative: str = "") -> dict[str, Any]:
    with torch.inference_mode():
        return TextBatch([encoding.conditioning(prompt, negative, 10, guided=True)]).first()


@pytest.mark.parametrize("negative", ["", "blurry, grey background"])
@pytest.mark.parametrize("prompt", ["photo of jx265 man, smiling", "", "a man: 1,  blue\n shirt!", FULL, "é人 🙂"])
def test_a_plain_and_short_prompt_is_encoded_to_the_bit_as_diffusers_does(
    pipeline: Any, encoding: TextEncoding, prompt: str, negative: str
) -> None:
    with torch.inference_mode():
        wanted = pipeline.encode_prompt(prompt, negative_prompt=negative or None, num_images_per_prompt=1)
    found = seen(encoding, prompt, negative)
    names = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
    for name, tensor in zip(names, wanted, strict=True):
        assert torch.equal(found[name], tensor), name


def test_a_long_prompt_is_the_encodings_of_its_chunks_side_by_side(encoding: TextEncoding) -> None:
    phrases = ["man in a blue shirt"] * 18
    long = seen(encoding, ", ".join(phrases))
    assert long["prompt_embeds"].shape[1] == long["negative_prompt_embeds"].shape[1] == 154
    first = seen(encoding, ", ".join(phrases[:12]) + ",")
    second = seen(encoding, ", ".join(phrases[12:]))
    assert torch.equal(long["prompt_embeds"][:, :77], first["prompt_embeds"])
    assert torch.equal(long["prompt_embeds"][:, 77:], second["prompt_embeds"])
    assert torch.equal(long["pooled_prompt_embeds"], first["pooled_prompt_embeds"])


def test_break_begins_a_chunk_and_a_longer_negative_lengthens_the_prompt(encoding: TextEncoding) -> None:
    man, woman, nothing = (seen(encoding, text)["prompt_embeds"] for text in ("man", "woman", ""))
    assert torch.equal(seen(encoding, "man BREAK woman")["prompt_embeds"], torch.cat([man, woman], 1))
    both = seen(encoding, "man", "blurry BREAK grey")
    assert torch.equal(both["prompt_embeds"], torch.cat([man, nothing], 1))


def test_weights_multiply_what_clip_made_and_nothing_else(encoding: TextEncoding) -> None:
    plain, weighed = seen(encoding, "a blue man"), seen(encoding, "a (blue:1.5) man")
    hidden = plain["prompt_embeds"].clone()
    hidden[:, 2] *= 1.5
    assert torch.equal(weighed["prompt_embeds"], hidden)
    assert torch.equal(weighed["pooled_prompt_embeds"], plain["pooled_prompt_embeds"])
    assert torch.equal(seen(encoding, "(a blue man:1.0)")["prompt_embeds"], plain["prompt_embeds"])
    less = seen(encoding, "a man", "(grey:0.5)")["negative_prompt_embeds"]
    assert torch.equal(less[:, 1], seen(encoding, "a man", "grey")["negative_prompt_embeds"][:, 1] * 0.5)


def test_each_step_sees_the_text_that_the_schedule_says(painting: Painting) -> None:
    params = GenerationParams(steps=4, guidance=3.0, sampler=Sampler.EULER)
    given: list[torch.Tensor] = []
    hook = painting._model.denoiser.register_forward_pre_hook(
        lambda _module, _args, kwargs: given.append(kwargs["encoder_hidden_states"].clone()), with_kwargs=True
    )
    try:
        painting.paint("[man:woman:0.5]", [1], params)
    finally:
        hook.remove()
    man, woman = (TextBatch([painting._text.conditioning(text, "", 4, guided=True)]).at(1) for text in ("man", "woman"))
    wanted = [man, man, woman, woman]
    assert len(given) == 4
    assert all(torch.equal(one, other["prompt_embeds"]) for one, other in zip(given, wanted, strict=True))


@pytest.mark.long
def test_prompt_editing_changes_a_picture_only_where_the_text_changes(
    painting: Painting,
) -> None:
    params = GenerationParams(steps=3, guidance=3.0, sampler=Sampler.DPMPP_2M)

    def paint(prompt: str, negative: str = "", guidance: float = 3.0) -> bytes:
        image = painting.paint(prompt, [5], replace(params, negative=negative, guidance=guidance))[0]
        return np.asarray(image).tobytes()

    man, woman = paint("a man"), paint("a woman")
    assert paint("a [man|man]") == man
    assert paint("a [man:woman:0]") == woman
    assert len({man, woman, paint("a [man:woman:0.5]"), paint("a [woman:man:0.5]"), paint("a (man:1.4)")}) == 5
    assert paint("a man", "[blurry:2]") not in (man, paint("a man", "blurry"))
    assert paint("a [man|woman]", guidance=1.0) not in (paint("a man", guidance=1.0), paint("a woman", guidance=1.0))


def test_a_lora_named_in_the_prompt_is_the_one_given_by_file(painting: Painting, tmp_path: Path) -> None:
    lora, other = random_lora(tmp_path / "a.safetensors"), tmp_path / "b.safetensors"
    other.write_bytes(lora.read_bytes())
    params = GenerationParams(steps=3, guidance=3.0, sampler=Sampler.EULER)

    def paint(params: GenerationParams) -> bytes:
        return np.asarray(painting.paint("a man <lora:a:0.5>", [5], params)[0]).tobytes()

    bare, half, whole = (paint(replace(params, lora=lora, strength=strength)) for strength in (0.0, 0.5, 1.0))
    assert len({bare, half, whole}) == 3
    assert paint(replace(params, others=(LoraWeight(lora, 0.5, 0.5),))) == half
    assert paint(replace(params, lora=lora, strength=1.0, others=(LoraWeight(lora, 0.5, 0.5),))) == half
    assert paint(replace(params, others=(LoraWeight(lora, 0.5, 0.1),))) == half
    assert paint(replace(params, lora=lora, strength=1.0, others=(LoraWeight(other, 0.0, 0.0),))) == whole
    assert paint(replace(params, lora=lora, strength=0.5, others=(LoraWeight(other, 0.5, 0.5),))) != half
    assert paint(params) == bare


def test_what_cannot_be_painted_is_refused_with_its_place(encoding: TextEncoding) -> None:
    with pytest.raises(PromptError, match="character 3 of the prompt: AND joins prompts"):
        seen(encoding, "a AND b")
    with pytest.raises(PromptError, match="'much' is not a valid LoRA weight"):
        seen(encoding, "a", "b <lora:x:much>")
