"""The text in a PNG: what A1111 would write, and what it would read."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.errors import PictureError
from engine.pictures.orders.picture import Hires, LoraWeight
from engine.pictures.orders.png_parameters import Parameters, add_lora_tag, png_text
from engine.pictures.painting.png_metadata import describe
from engine.pictures.painting.request import GenerationParams
from engine.prompts.extra_networks import strip
from engine.settings.samplers import Sampler
from tests.support.png import read_parameters

A1111 = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
"""The pattern that A1111 reads the last line with."""

FULL = Parameters(
    prompt="photo of jx265 man <lora:jx265:0.8>",
    negative="blurry, ugly",
    steps=30,
    sampler="DPM++ 2M",
    schedule="Karras",
    guidance=6.0,
    seed=965400086,
    size=(832, 1216),
    model_hash="31e35c80fc",
    model="sd_xl_base_1.0",
    lora_hashes={"jx265": "0123456789ab"},
    version="Limner 0.1.0",
)


def test_the_text_is_a1111s_to_the_letter() -> None:
    assert FULL.to_text() == (
        "photo of jx265 man <lora:jx265:0.8>\n"
        "Negative prompt: blurry, ugly\n"
        "Steps: 30, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6, Seed: 965400086, Size: 832x1216,"
        ' Model hash: 31e35c80fc, Model: sd_xl_base_1.0, Lora hashes: "jx265: 0123456789ab", Version: Limner 0.1.0'
    )


def test_what_is_not_known_is_left_out() -> None:
    text = Parameters("a man", steps=20, sampler="Euler a", guidance=7.5, seed=1).to_text()
    assert text == "a man\nSteps: 20, Sampler: Euler a, CFG scale: 7.5, Seed: 1"


def test_a_text_of_a1111s_own_is_read() -> None:
    text = "a (cat:1.2),\nsecond line\nNegative prompt: bad\nworse\n" + (
        "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 965400086, Size: 512x512, Model hash: 45dee52b,"
        ' Lora hashes: "a: 1234, b: 5678", Hires upscale: 2, Version: v1.10.1'
    )
    found = Parameters.from_text(text)
    assert (found.prompt, found.negative) == ("a (cat:1.2),\nsecond line", "bad\nworse")
    assert (found.steps, found.sampler, found.guidance, found.seed) == (20, "Euler a", 7.0, 965400086)
    assert (found.size, found.model_hash, found.version) == ((512, 512), "45dee52b", "v1.10.1")
    assert found.lora_hashes == {"a": "1234", "b": "5678"}
    assert found.extra == {"Hires upscale": "2"}


def test_a_last_line_with_few_pairs_belongs_to_the_prompt() -> None:
    assert Parameters.from_text("a man\nlight: soft, time: noon").prompt == "a man\nlight: soft, time: noon"


@pytest.mark.parametrize("value", ["a, b", "a: b", "two\nlines", 'say "hi", she', "back\\slash, comma", "é, ü"])
def test_a_value_with_commas_colons_or_newlines_is_quoted_as_json(value: str) -> None:
    last = Parameters("p", steps=1, seed=1, guidance=1, extra={"Note": value}).to_text().split("\n")[-1]
    assert f"Note: {json.dumps(value, ensure_ascii=False)}" in last


def test_a_value_with_quotes_alone_stays_raw() -> None:
    assert 'Note: say "hi"' in Parameters("p", extra={"Note": 'say "hi"'}).to_text()


@pytest.mark.parametrize("key", ["X", "", "a:b", "-a", "a,b"])
def test_a_key_that_a1111_could_not_read_back_is_refused(key: str) -> None:
    with pytest.raises(PictureError, match="can't be written"):
        Parameters("p", extra={key: "1"}).to_text()


lines = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=30).map(str.strip)
prose = (
    st.lists(lines.filter(bool), min_size=1, max_size=3)
    .map("\n".join)
    .filter(lambda text: "Negative prompt:" not in text and len(text.splitlines()) == text.count("\n") + 1)
)
values = prose.filter(lambda text: not text.startswith('"'))
keys = st.from_regex(r"[A-Z][a-z]{2,8}( [a-z]{2,8})?", fullmatch=True)
known = {"Steps", "Sampler", "Seed", "Size", "Model", "Version"}


@st.composite
def some_parameters(draw: st.DrawFn) -> Parameters:
    return Parameters(
        prompt=draw(prose),
        negative=draw(st.one_of(st.just(""), prose)),
        steps=draw(st.integers(1, 500)),
        sampler=draw(st.sampled_from(["Euler", "DPM++ 2M"])),
        schedule=draw(st.sampled_from([None, "Karras"])),
        guidance=draw(st.integers(0, 500)) / 10,
        seed=draw(st.integers(0, 2**32 - 1)),
        size=(draw(st.integers(32, 4096)), draw(st.integers(32, 4096))),
        model=draw(st.one_of(st.none(), values.filter(lambda text: text == text.strip()))),
        lora_hashes=draw(
            st.dictionaries(st.from_regex(r"[\w-]{1,12}", fullmatch=True), st.just("0123456789ab"), max_size=2)
        ),
        extra=draw(st.dictionaries(keys.filter(lambda key: key not in known), values, max_size=3)),
        version="Limner 0.1.0",
    )


@given(some_parameters())
def test_what_was_written_is_read_back(parameters: Parameters) -> None:
    if any(key == value for key, value in parameters.extra.items()):
        return
    assert Parameters.from_text(parameters.to_text()) == parameters


@given(some_parameters())
def test_a1111s_own_pattern_finds_every_pair(parameters: Parameters) -> None:
    last = parameters.to_text().split("\n")[-1]
    found = dict(A1111.findall(last))
    assert found["Steps"] == str(parameters.steps)
    assert found["Seed"] == str(parameters.seed)
    assert found["Version"] == "Limner 0.1.0"
    assert found["Size"] == f"{parameters.size[0]}x{parameters.size[1]}"
    assert set(parameters.extra) <= set(found)


@given(st.text(max_size=200))
def test_any_text_is_read_without_a_fall(text: str) -> None:
    Parameters.from_text(text)


@pytest.mark.parametrize("prompt", ["photo of jx265 man", "Foto von jx265, blauer Löwe", "写真 jx265 🎨"])
def test_a_png_carries_it(tmp_path: Path, prompt: str) -> None:
    path = tmp_path / "a.png"
    wanted = Parameters(prompt, "blurry", steps=3, sampler="Euler", guidance=1.5, seed=7, size=(8, 8))
    Image.new("RGB", (8, 8)).save(path, pnginfo=png_text(wanted))
    assert read_parameters(path) == wanted
    with Image.open(path) as image:
        assert image.info["parameters"] == wanted.to_text()


def test_a_lora_stands_in_the_prompt_and_is_taken_out_again() -> None:
    tagged = add_lora_tag("photo of jx265 man", "jx265", 0.8)
    assert tagged == "photo of jx265 man <lora:jx265:0.8>"
    found = strip(tagged)
    assert found.text.strip() == "photo of jx265 man"
    assert [(each.name, each.unet, each.te) for each in found.loras] == [("jx265", 0.8, 0.8)]
    assert found.remarks == ()


def test_a_picture_s_parameters_tell_passes_loras_and_prompt_to_a1111() -> None:
    params = GenerationParams(
        20,
        5.0,
        Sampler.DPMPP_2M_SDE,
        "blurry",
        lora=Path("/runs/a/checkpoints/jx265.safetensors"),
        strength=0.8,
        others=(LoraWeight(Path("/film.safetensors"), 0.4, 0.2),),
        hires=Hires(1.5, 0.35, 12),
    )
    hashes = {"jx265": "0123456789ab", "film": "ba9876543210"}
    about = describe("photo of jx265 man", 7, params, (832, 1216), "sd_xl_base_1.0", hashes, prompt_id=42)
    text = about.to_text()
    assert text.startswith("photo of jx265 man <lora:jx265:0.8> <lora:film:0.2:0.4>\nNegative prompt: blurry\n")
    found = dict(A1111.findall(text.split("\n")[-1]))
    assert found == {
        "Steps": "20",
        "Sampler": "DPM++ 2M SDE",
        "Schedule type": "Exponential",
        "CFG scale": "5",
        "Seed": "7",
        "Size": "832x1216",
        "Model": "sd_xl_base_1.0",
        "Denoising strength": "0.35",
        "Hires upscale": "1.5",
        "Hires upscaler": "Lanczos",
        "Hires steps": "12",
        "Limner prompt": "42",
        "Lora hashes": '"jx265: 0123456789ab, film: ba9876543210"',
        "Version": found["Version"],
    }
    assert Parameters.from_text(text) == about
    from_picture = describe("a <lora:jx265:1>", 7, replace(params, hires=None, denoise=0.5, others=()), (8, 8), "m", {})
    assert from_picture.prompt == "a <lora:jx265:1>"
    assert from_picture.extra == {"Denoising strength": "0.5"}
