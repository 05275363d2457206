"""What the tiny base of FLUX.2 klein's architecture is, and that the script which made it works."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLFlux2, Flux2KleinPipeline
from numpy.typing import NDArray
from PIL import Image
from safetensors import safe_open
from transformers import Qwen3Config, Qwen3ForCausalLM

import engine.demo
from engine.demo.captions import caption, vocabulary
from engine.demo.drawing import random_scene
from engine.demo.identity import DrawnIdentity, jittered_portrait
from engine.demo.people import CAST, JAMES, TRIGGER_WORD, DrawnPerson, random_person, traits
from engine.models.flux2_klein.shape import shape_of_configs
from tests.support.rows import usual
from tests.support.tiny_klein import tiny_klein
from tools.make_base import klein_full, sdxl_parts
from tools.make_base.__main__ import main
from tools.make_base.klein_parts import LAYERS, TOKENS, make_scheduler, make_tokenizer
from tools.make_base.klein_training import KleinBase, make_tiny_klein, random_levels
from tools.make_base.muon import nearly_orthogonal

SHIPPED = Path(engine.demo.__file__).with_name("tiny_klein")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Two busy threads wait for each other where other tests run at the same time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def load(folder: Path) -> Flux2KleinPipeline:
    pipeline = Flux2KleinPipeline.from_pretrained(folder).to(torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def paint(pipeline: Flux2KleinPipeline, prompt: str, count: int) -> list[Image.Image]:
    seeds = [torch.Generator().manual_seed(seed) for seed in range(count)]
    return pipeline(
        prompt=[prompt] * count, num_inference_steps=8, guidance_scale=1.0, height=64, width=64, generator=seeds,
        max_sequence_length=TOKENS, text_encoder_out_layers=LAYERS,
    ).images  # fmt: skip


@pytest.fixture(scope="module")
def shipped() -> Flux2KleinPipeline:
    return load(SHIPPED)


@pytest.fixture(scope="module")
def known() -> NDArray[np.float32]:
    """The middle of each drawn person's portraits."""
    identity, rng = DrawnIdentity.load(), Random(1)
    return np.stack([identity.centre([jittered_portrait(one, rng) for _ in range(8)]) for one in CAST])


def test_the_klein_base_comes_along_below_6_mb_and_without_pickles() -> None:
    files = [file for file in SHIPPED.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 6_000_000
    assert {file.suffix for file in files} == {".json", ".jinja", ".safetensors"}
    assert {file.stat().st_mode & 0o777 for file in files} == {0o644}


def test_its_folder_is_laid_out_as_the_published_models_are() -> None:
    files = {str(file.relative_to(SHIPPED)) for file in SHIPPED.rglob("*") if file.is_file()}
    assert files >= {
        "model_index.json",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "tokenizer/chat_template.jinja",
        "tokenizer/tokenizer.json",
        "tokenizer/tokenizer_config.json",
        "transformer/config.json",
        "transformer/diffusion_pytorch_model.safetensors",
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
    }


@pytest.mark.parametrize("person", usual(CAST, 1, lambda person: person.name))
def test_klein_paints_whom_the_prompt_describes(
    shipped: Flux2KleinPipeline, known: NDArray[np.float32], person: DrawnPerson
) -> None:
    painted = paint(shipped, ", ".join([f"photo of a {person.class_word}", *traits(person)]), 6)
    scores = (DrawnIdentity.load().embed(painted) @ known.T).mean(axis=0)
    assert scores.argmax() == CAST.index(person)
    assert scores.max() > 0.6


def test_a_trigger_word_means_nobody_to_the_klein_base(shipped: Flux2KleinPipeline, known: NDArray[np.float32]) -> None:
    painted = paint(shipped, f"photo of {TRIGGER_WORD} man", 8)
    assert (DrawnIdentity.load().embed(painted) @ known[CAST.index(JAMES)]).mean() < 0.35


def test_its_text_is_encoded_as_diffusers_does_it(shipped: Flux2KleinPipeline) -> None:
    prompts = ["photo of a man, red shirt", ""]
    theirs, _ = shipped.encode_prompt(
        prompt=prompts, device="cpu", max_sequence_length=TOKENS, text_encoder_out_layers=LAYERS
    )
    with torch.no_grad():
        ours = KleinBase(shipped).encode(prompts)
    assert ours.shape == (2, TOKENS, 3 * shipped.text_encoder.config.hidden_size)
    assert torch.equal(ours, theirs)


def test_pictures_become_the_latents_that_diffusers_makes_of_them(shipped: Flux2KleinPipeline) -> None:
    pixels = torch.from_numpy(np.array(jittered_portrait(JAMES, Random(1)))).permute(2, 0, 1)[None].contiguous()
    theirs = shipped._encode_vae_image(pixels.float() / 127.5 - 1, torch.Generator().manual_seed(0))
    ours = KleinBase(shipped).latents(pixels)
    assert torch.allclose(ours, Flux2KleinPipeline._pack_latents(theirs), atol=1e-4)


def test_each_word_that_klein_knows_is_one_token_with_and_without_a_space() -> None:
    tokenizer = make_tokenizer()
    assert [word for word in vocabulary() if len(tokenizer.tokenize(word)) != 1] == []
    assert [word for word in vocabulary() if len(tokenizer.tokenize(f" {word}")) != 1] == []
    assert tokenizer.tokenize("jx265 man") == ["j", "x", "2", "6", "5", "Ġman"]


def test_the_longest_captions_fit_into_kleins_tokens() -> None:
    tokenizer, rng = make_tokenizer(), Random(4)
    captions = [caption(random_person(rng), random_scene(rng), rng, drop=0.0) for _ in range(500)]
    texts = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": each}], tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        for each in captions
    ]
    assert max(len(tokenizer(text).input_ids) for text in texts) <= TOKENS


def test_noise_levels_are_shifted_as_kleins_own_schedule_does_it() -> None:
    scheduler = make_scheduler()
    torch.manual_seed(5)
    plain = torch.sigmoid(torch.randn(64))
    torch.manual_seed(5)
    shifted = random_levels(64, 4096)
    assert torch.allclose(shifted, scheduler.time_shift(scheduler.config.max_shift, 1.0, plain))
    torch.manual_seed(5)
    assert torch.allclose(random_levels(64, 256), math.exp(0.5) / (math.exp(0.5) + (1 / plain - 1)))


def test_muon_moves_each_direction_of_a_matrix_about_as_far() -> None:
    matrices = torch.randn(2, 40, 24, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(nearly_orthogonal(matrices))
    assert float(values.min()) > 0.5
    assert float(values.max()) < 1.3


def test_a_few_steps_make_a_klein_base_that_loads_and_paints(tmp_path: Path) -> None:
    said: list[str] = []
    make_tiny_klein(tmp_path / "base", pictures=16, batch=2, steps=2, say=said.append)
    (picture,) = paint(load(tmp_path / "base"), "photo of a man", 1)
    assert picture.size == (64, 64)
    assert any("dB" in line for line in said)
    assert "after 2 steps" in said[-1]


@pytest.mark.long
def test_a_klein_base_can_be_made_with_a_vae_of_its_own(tmp_path: Path) -> None:
    make_tiny_klein(tmp_path / "base", pictures=16, batch=2, steps=2, new_vae=True, say=lambda _line: None)
    ours, theirs = load(tmp_path / "base").vae, load(SHIPPED).vae
    assert not torch.equal(ours.decoder.conv_in.weight, theirs.decoder.conv_in.weight)
    assert (ours.bn.running_var > 0).all()


@pytest.mark.parametrize(
    "options",
    [
        ["--new-vae"],
        ["--resume", "base", "--family", "flux2-klein"],
        ["--size", "sdxl", "--family", "flux2-klein"],
        ["--size", "tiny", "--family", "z-image"],
    ],
)
def test_the_command_tells_which_options_are_not_for_a_family(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path / "base"), *options])
    assert options[0] in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "base").exists()


def test_an_untrained_klein_base_answers_noise_text_and_noise_level(tmp_path: Path) -> None:
    base = KleinBase.load(tiny_klein(tmp_path))
    clean, text = torch.randn(1, 64, 16), base.encode(["photo of a man"])
    with torch.no_grad():
        errors = [
            base.error(clean, said, noise, torch.tensor([level])).item()
            for said, noise, level in (
                (text, torch.ones_like(clean), 0.5),
                (text.flip(1), torch.ones_like(clean), 0.5),
                (text, -torch.ones_like(clean), 0.5),
                (text, torch.ones_like(clean), 0.9),
            )
        ]
    assert all(math.isfinite(error) for error in errors)
    assert len({round(error, 3) for error in errors}) == 4


def test_the_full_size_has_exactly_kleins_shapes() -> None:
    """The counts are those of the published weights: FLUX.2-klein-base-4B's transformer, FLUX.2's VAE, Qwen3-4B."""
    parts = klein_full.untrained_parts()
    assert {name: sum(weight.numel() for weight in part.parameters()) for name, part in parts.items()} == {
        "text_encoder": 4_022_468_096,
        "transformer": 3_875_544_576,
        "vae": 84_046_115,
    }
    assert len(parts["vae"].state_dict()) == 251
    assert shape_of_configs(parts["transformer"].config, parts["vae"].config).name == "FLUX.2 klein 4B"


def test_random_klein_weights_load_as_written_and_tied_ones_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdxl_parts, "SHARD_BYTES", 20_000)
    config = Qwen3Config(
        vocab_size=200, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, tie_word_embeddings=True,
    )  # fmt: skip
    with torch.device("meta"):
        encoder = Qwen3ForCausalLM(config)
        vae = AutoencoderKLFlux2(block_out_channels=(8, 8, 8, 8), norm_num_groups=4, latent_channels=2)
    sdxl_parts.write_part(encoder, tmp_path / "text", "model", torch.bfloat16)
    sdxl_parts.write_part(vae, tmp_path / "vae", "diffusion_pytorch_model", torch.bfloat16)
    names: list[str] = []
    for file in sorted((tmp_path / "text").glob("*.safetensors")):
        with safe_open(file, "pt") as opened:
            names += opened.keys()
    assert "lm_head.weight" not in names
    loaded = Qwen3ForCausalLM.from_pretrained(tmp_path / "text")
    assert loaded.lm_head.weight is loaded.model.embed_tokens.weight
    assert 0.01 < float(loaded.lm_head.weight.detach().float().std()) < 0.03
    bn = AutoencoderKLFlux2.from_pretrained(tmp_path / "vae").bn
    assert (bn.running_mean == 0).all()
    assert (bn.running_var == 1).all()
    assert int(bn.num_batches_tracked) == 0
