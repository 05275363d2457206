"""What the tiny base model is, and that the script which made it works."""

from __future__ import annotations

import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel
from numpy.typing import NDArray
from PIL import Image

from engine.demo.captions import caption, random_trigger, vocabulary
from engine.demo.drawing import random_scene
from engine.demo.identity import DrawnIdentity, jittered_portrait
from engine.demo.people import CAST, JAMES, TRIGGER_WORD, DrawnPerson, traits
from engine.models.locate import demo_folder
from tests.support.rows import usual
from tools.make_base import sdxl_parts
from tools.make_base.__main__ import make_tiny
from tools.make_base.single_file import write_single_file
from tools.make_base.tiny_parts import TinyBase, make_tokenizers


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Two busy threads wait for each other where other tests run at the same time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def load(folder: Path) -> StableDiffusionXLPipeline:
    pipeline = StableDiffusionXLPipeline.from_pretrained(folder).to(torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def paint(pipeline: StableDiffusionXLPipeline, prompt: str, count: int) -> list[Image.Image]:
    seeds = [torch.Generator().manual_seed(seed) for seed in range(count)]
    return pipeline(
        [prompt] * count, negative_prompt=[""] * count, num_inference_steps=12, guidance_scale=3.0,
        height=64, width=64, generator=seeds,
    ).images  # fmt: skip


@pytest.fixture(scope="module")
def tiny_base() -> StableDiffusionXLPipeline:
    return load(demo_folder())


def test_the_base_comes_along_small_and_without_pickles() -> None:
    files = [file for file in demo_folder().rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 9_800_000
    assert {file.suffix for file in files} == {".json", ".safetensors"}


def test_asking_where_the_base_lies_does_not_load_torch() -> None:
    code = "import sys; from engine.models.locate import demo_folder; demo_folder(); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


@pytest.fixture(scope="module")
def known() -> NDArray[np.float32]:
    """The middle of each drawn person's portraits."""
    identity, rng = DrawnIdentity.load(), Random(1)
    return np.stack([identity.centre([jittered_portrait(one, rng) for _ in range(8)]) for one in CAST])


@pytest.mark.parametrize("person", usual(CAST, 0, lambda person: person.name))
def test_it_paints_whom_the_prompt_describes(
    tiny_base: StableDiffusionXLPipeline, known: NDArray[np.float32], person: DrawnPerson
) -> None:
    identity = DrawnIdentity.load()
    painted = paint(tiny_base, ", ".join([f"photo of a {person.class_word}", *traits(person)]), 6)
    scores = (identity.embed(painted) @ known.T).mean(axis=0)
    assert scores.argmax() == CAST.index(person)
    assert scores.max() > 0.6


@pytest.mark.long
def test_a_trigger_word_means_nobody_to_it(tiny_base: StableDiffusionXLPipeline) -> None:
    identity, rng = DrawnIdentity.load(), Random(1)
    james = identity.centre([jittered_portrait(JAMES, rng) for _ in range(8)])
    painted = paint(tiny_base, f"photo of {TRIGGER_WORD} man", 8)
    assert (identity.embed(painted) @ james).mean() < 0.4


def test_each_word_that_it_knows_is_one_token_and_a_trigger_word_is_not() -> None:
    for tokenizer in make_tokenizers():
        assert [word for word in vocabulary() if len(tokenizer.tokenize(word)) != 1] == []
        assert tokenizer.tokenize("jx265 man") == ["j", "x</w>", "2</w>", "6</w>", "5</w>", "man</w>"]


def test_captions_use_only_words_that_it_knows() -> None:
    rng = Random(2)
    known = {*vocabulary(), ""}
    for _ in range(200):
        words = caption(JAMES, random_scene(rng), rng).replace(",", "").split(" ")
        assert all(word in known or set(word) <= set(string.ascii_lowercase[:26] + string.digits) for word in words)
        assert [word for word in words if word not in known and not word[-1].isdigit()] == []


def test_random_trigger_words_look_like_the_real_one() -> None:
    trigger = random_trigger(Random(3))
    assert [letter.isdigit() for letter in trigger] == [letter.isdigit() for letter in TRIGGER_WORD]


@pytest.mark.long
def test_a_few_steps_of_pre_training_make_a_base_that_loads_and_paints(tmp_path: Path) -> None:
    said: list[str] = []
    make_tiny(tmp_path / "base", pictures=16, batch=2, steps=2, say=said.append)
    (picture,) = paint(load(tmp_path / "base"), "photo of a man", 1)
    assert picture.size == (64, 64)
    assert any("dB" in line for line in said)


def test_one_file_with_sdxls_own_names_holds_the_same_base(tmp_path: Path) -> None:
    base = TinyBase.load(demo_folder())
    write_single_file(base, tmp_path / "base.safetensors")
    loaded = StableDiffusionXLPipeline.from_single_file(
        str(tmp_path / "base.safetensors"), config=str(demo_folder()), torch_dtype=torch.float32
    )
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        ours, theirs = getattr(base, part).state_dict(), getattr(loaded, part).state_dict()
        assert ours.keys() == theirs.keys()
        assert [name for name, weight in ours.items() if not torch.equal(weight, theirs[name])] == []


def test_the_large_base_has_exactly_sdxls_shapes() -> None:
    counts = {name: sum(w.numel() for w in part.parameters()) for name, part in sdxl_parts.untrained_parts().items()}
    assert counts == {
        "text_encoder": 123_060_480,
        "text_encoder_2": 694_659_840,
        "unet": 2_567_463_684,
        "vae": 83_653_863,
    }


def test_weights_written_in_shards_load_as_one_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdxl_parts, "SHARD_BYTES", 200_000)
    shape = {"block_out_channels": (32, 32), "norm_num_groups": 8, "cross_attention_dim": 16, "layers_per_block": 1}
    blocks = {
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    }
    with torch.device("meta"):
        unet = UNet2DConditionModel(**shape, **blocks)
    sdxl_parts.write_part(unet, tmp_path, "diffusion_pytorch_model")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    loaded = UNet2DConditionModel.from_pretrained(tmp_path)
    weight = loaded.conv_in.weight.detach()
    assert not weight.is_meta
    assert 0.01 < float(weight.std()) < 0.03
