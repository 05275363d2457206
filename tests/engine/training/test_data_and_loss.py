"""What training sees of images and captions, kept on disk; and the loss, against diffusers' own arithmetic."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from diffusers.training_utils import compute_snr
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.errors import DatasetError
from engine.models.device import Device, choose_device, usable_cores
from engine.models.locate import find_base
from engine.models.noise import DiscreteNoise
from engine.models.sdxl.loaded import SdxlBase
from engine.models.sdxl.loading import Pipeline, load_pipeline
from engine.settings import BaseSettings, Precision, TrainingSettings
from engine.training.data.examples import Example
from engine.training.data.latent_cache import training_data
from engine.training.data.tensors import TrainingData
from engine.training.data.training_set import make_training_set
from tests.support.small_project import portrait

CPU = Device("cpu", torch.float32)


@pytest.fixture(scope="module")
def tiny() -> Pipeline:
    return load_pipeline(find_base(BaseSettings(model="demo")))


@pytest.fixture
def examples(tmp_path: Path) -> list[Example]:
    captions = ["jx265 man, red shirt", "jx265 man, blue shirt", "jx265 man, red shirt"]
    for number in range(3):
        portrait(number).save(tmp_path / f"{number}.png")
    return [Example(tmp_path / f"{number}.png", caption) for number, caption in enumerate(captions)]


def encode(pipeline: Pipeline, examples: list[Example], cache: Path, **wanted: object) -> TrainingData:
    settings = TrainingSettings.model_validate(wanted)
    base = SdxlBase(pipeline)
    training_set = make_training_set(examples, settings, base.shape)
    return training_data(base, training_set, settings, cache, CPU, lambda _name, _done, _total: None)


def test_latents_are_the_vaes_mean_scaled(tiny: Pipeline, examples: list[Example], tmp_path: Path) -> None:
    data = encode(tiny, examples, tmp_path / "cache")
    image = Image.open(examples[1].image).resize((64, 64), Image.Resampling.LANCZOS)
    pixels = torch.tensor(np.asarray(image), dtype=torch.float32).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        wanted = tiny.vae.encode(pixels).latent_dist.mean * tiny.vae.config.scaling_factor
        shown = tiny.vae.decode(data.latents[0][1:2] / tiny.vae.config.scaling_factor).sample
    assert torch.allclose(data.latents[0][1], wanted[0], atol=1e-5)
    other = torch.tensor(np.asarray(Image.open(examples[0].image).resize((64, 64))), dtype=torch.float32)
    assert (shown - pixels).abs().mean() < (shown - (other.permute(2, 0, 1)[None] / 127.5 - 1)).abs().mean()
    assert data.image["time_ids"].tolist() == [[64, 64, 0, 0, 64, 64]] * 3


def test_captions_are_encoded_as_the_painter_encodes_prompts(
    tiny: Pipeline, examples: list[Example], tmp_path: Path
) -> None:
    data = encode(tiny, examples, tmp_path / "cache")
    assert data.captions.tolist() == [[1], [2], [1]]
    for number, caption in enumerate(["", "jx265 man, red shirt", "jx265 man, blue shirt"]):
        with torch.no_grad():
            hidden, _, pooled, _ = tiny.encode_prompt(caption, device="cpu", do_classifier_free_guidance=False)
        assert torch.allclose(data.text["prompt_embeds"][number], hidden[0], atol=1e-5)
        assert torch.allclose(data.text["pooled_prompt_embeds"][number], pooled[0], atol=1e-5)


def test_a_dropped_caption_is_the_empty_one(tiny: Pipeline, examples: list[Example], tmp_path: Path) -> None:
    data = encode(tiny, examples, tmp_path / "cache")
    batch = data.batch([2, 0, 1], [False, True, False])
    assert torch.equal(batch.latents, data.latents[0][[2, 0, 1]])
    assert batch.text is not None
    assert torch.equal(batch.text["prompt_embeds"], data.text["prompt_embeds"][[1, 0, 2]])
    assert torch.equal(batch.text["pooled_prompt_embeds"], data.text["pooled_prompt_embeds"][[1, 0, 2]])


def test_everything_is_encoded_once_and_what_changed_again(
    tiny: Pipeline, examples: list[Example], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    first = encode(tiny, examples, cache)
    encoded: list[str] = []
    encode_image = tiny.vae.encode
    encode_text = type(tiny).encode_prompt

    def image(pixels: torch.Tensor) -> object:
        encoded.append("image")
        return encode_image(pixels)

    def text(self: Pipeline, **wanted: object) -> object:
        encoded.append(str(wanted["prompt"]))
        return encode_text(self, **wanted)

    monkeypatch.setattr(tiny.vae, "encode", image)
    monkeypatch.setattr(type(tiny), "encode_prompt", text)
    again = encode(tiny, examples, cache)
    assert encoded == []
    for name, tensor in again.tensors().items():
        assert torch.equal(tensor, first.tensors()[name]), name
    portrait(4).save(examples[0].image)
    encode(tiny, [examples[0], Example(examples[1].image, "jx265 man, smiling"), examples[2]], cache)
    assert encoded == ["image", "jx265 man, smiling"]
    encoded.clear()
    encode(tiny, examples, cache, resolution=32)
    assert encoded == ["image"] * 3


def test_a_damaged_cache_file_is_made_again(tiny: Pipeline, examples: list[Example], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = encode(tiny, examples, cache)
    for path in cache.rglob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:50])
    assert torch.equal(encode(tiny, examples, cache).latents[0], first.latents[0])


def test_without_buckets_images_are_cut_square_and_small_ones_told(tiny: Pipeline, tmp_path: Path) -> None:
    Image.new("RGB", (200, 100), "red").save(tmp_path / "wide.png")
    Image.new("RGB", (40, 40), "red").save(tmp_path / "small.png")
    examples = [Example(tmp_path / f"{name}.png", "a") for name in ("wide", "small")]
    data = encode(tiny, examples, tmp_path / "cache", buckets=False)
    assert data.latents[0].shape == (2, 4, 16, 16)
    assert data.image["time_ids"].tolist() == [[64, 64, 0, 32, 64, 64], [40, 40, 0, 0, 64, 64]]


@pytest.mark.parametrize("content", [b"", b"not an image", None])
def test_an_image_that_cannot_be_read_is_named(tiny: Pipeline, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "broken.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"broken\.png"):
        encode(tiny, [Example(path, "a")], tmp_path / "cache")


def test_a_caption_longer_than_the_text_encoders_read_is_noticed(tiny: Pipeline) -> None:
    assert not SdxlBase(tiny).too_long("jx265 man")
    assert SdxlBase(tiny).too_long("man " * 90)


timesteps = st.lists(st.integers(0, 999), min_size=1, max_size=8)


@given(timesteps, st.sampled_from(["epsilon", "v_prediction"]))
def test_noise_and_target_are_those_of_diffusers(steps: list[int], prediction: str) -> None:
    scheduler = DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type=prediction
    )
    noise, at = DiscreteNoise.of(scheduler), torch.tensor(steps)
    randomness = torch.Generator().manual_seed(len(steps))
    latents, noises = (torch.randn(len(steps), 4, 4, 4, generator=randomness) for _ in range(2))
    assert torch.allclose(noise.add(latents, noises, at), scheduler.add_noise(latents, noises, at), atol=1e-6)
    wanted = noises if prediction == "epsilon" else scheduler.get_velocity(latents, noises, at)
    assert torch.allclose(noise.target(latents, noises, at), wanted, atol=1e-6)


@given(timesteps, st.floats(0.5, 20))
def test_min_snr_weights_are_the_papers(steps: list[int], gamma: float) -> None:
    scheduler = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    at = torch.tensor(steps)
    snr = compute_snr(scheduler, at)
    capped = torch.minimum(snr, torch.tensor(gamma))
    epsilon = DiscreteNoise(scheduler.alphas_cumprod, "epsilon").weights(at, gamma)
    velocity = DiscreteNoise(scheduler.alphas_cumprod, "v_prediction").weights(at, gamma)
    assert torch.allclose(epsilon, capped / snr, rtol=1e-3)
    assert torch.allclose(velocity, capped / (snr + 1), rtol=1e-3)
    assert torch.equal(DiscreteNoise(scheduler.alphas_cumprod, "epsilon").weights(at, None), torch.ones(len(steps)))


def test_a_schedule_that_ends_in_pure_noise_has_finite_weights() -> None:
    assert DiscreteNoise(torch.tensor([0.5, 0.0]), "epsilon").weights(torch.tensor([1]), 5.0).tolist() == [1.0]


@pytest.mark.parametrize(("quota", "cores"), [("100000 100000", 1), ("max 100000", None), ("nonsense", None)])
def test_a_containers_quota_bounds_the_cores(tmp_path: Path, quota: str, cores: int | None) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    assert usable_cores(tmp_path / "cpu.max") == (cores or len(os.sched_getaffinity(0)))


def test_a_cpu_computes_in_float32_unless_told_otherwise() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert choose_device().dtype is torch.float32
    assert choose_device(Precision.BF16).dtype is torch.bfloat16
    assert 0.01 < choose_device().memory_gb() < 1000
