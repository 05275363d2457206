"""The orders of a caption's parts, where the loss counts, and what an image's place in its bucket is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from engine.faces.photo.geometry import Box
from engine.models.noise import DiscreteNoise
from engine.models.placement import Placement
from engine.settings import TrainingSettings
from engine.training.data.batch import Batch
from engine.training.data.caption_variants import as_written, orders
from engine.training.data.images import fit
from engine.training.data.masks import mask_of
from engine.training.step.loss import LossWeights, diffusion_loss
from engine.training.step.randomness import StepRandomness, step_randomness

ON = TrainingSettings(caption_shuffle=True)


def test_captions_stay_as_they_were_written_unless_shuffling_is_on() -> None:
    assert orders("jx265 man, hat, smiling", TrainingSettings()) == ["jx265 man, hat, smiling"]
    assert orders("jx265 man ||| hat, smiling", TrainingSettings()) == ["jx265 man, hat, smiling"]


def test_the_first_parts_stay_and_the_rest_comes_in_every_order() -> None:
    found = orders("jx265 man, a, b, c", ON)
    assert found[0] == "jx265 man, a, b, c"
    assert len(found) == len(set(found)) == 6
    assert all(each.startswith("jx265 man, ") for each in found)
    assert {frozenset(each.split(", ")) for each in found} == {frozenset(["jx265 man", "a", "b", "c"])}
    assert all(each.startswith("a, b, ") for each in orders("a, b, c, d, e", replace_(keep_tokens=2)))


def test_bars_say_which_parts_stay_and_are_never_seen() -> None:
    found = orders("jx265, man, close-up ||| a, b", ON)
    assert sorted(found) == ["jx265, man, close-up, a, b", "jx265, man, close-up, b, a"]


@given(st.text(alphabet="ab,| ", max_size=30), st.integers(1, 9), st.integers(0, 5))
def test_orders_are_at_most_as_many_as_said_and_come_from_the_seed(caption: str, variants: int, keep: int) -> None:
    settings = replace_(caption_variants=variants, keep_tokens=keep)
    found = orders(caption, settings)
    assert 1 <= len(found) <= max(1, variants)
    assert found[0] == as_written(caption)
    assert found == orders(caption, settings)
    assert not any("|||" in each for each in found)


def replace_(**changes: object) -> TrainingSettings:
    return TrainingSettings.model_validate({"caption_shuffle": True, **changes})


def test_an_image_covers_its_bucket_and_says_what_was_cut(tmp_path: Path) -> None:
    Image.new("RGB", (300, 100), "red").save(tmp_path / "wide.png")
    fitted = fit(tmp_path / "wide.png", (80, 48))
    assert fitted.picture.size == (80, 48)
    assert fitted.placement == Placement((48, 80), (0, 32), (48, 80))
    assert fitted.cut == pytest.approx((0.2222, 0, 0.7778, 1), abs=1e-3)
    small = fit(tmp_path / "wide.png", (600, 200))
    assert small.placement == Placement((100, 300), (0, 0), (200, 600))


def test_a_mask_is_an_ellipse_around_the_face_as_it_lies_in_the_cut_image(tmp_path: Path) -> None:
    Image.new("RGB", (200, 100), "red").save(tmp_path / "wide.png")
    fitted = fit(tmp_path / "wide.png", (64, 64))
    mask = mask_of(fitted, Box(0.45, 0.4, 0.1, 0.2), (16, 16), outside=0.25)
    assert mask.shape == (1, 16, 16)
    assert float(mask.min()) == pytest.approx(0.25, abs=1e-2)
    assert float(mask[0, 8, 8]) == pytest.approx(1, abs=1e-2)
    assert float(mask[0, 8, 2]) == pytest.approx(0.25, abs=1e-2)
    assert torch.equal(mask_of(fitted, None, (16, 16), 0.25), torch.ones(1, 16, 16))


def test_an_alpha_channel_is_the_mask_where_there_is_one(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    ImageDraw.Draw(picture).rectangle((0, 0, 31, 63), fill=(255, 0, 0, 255))
    picture.save(tmp_path / "half.png")
    fitted = fit(tmp_path / "half.png", (64, 64))
    mask = mask_of(fitted, Box(0.9, 0.9, 0.1, 0.1), (16, 16), outside=0.0)
    assert torch.equal(mask[0, :, :8], torch.ones(16, 8))
    assert torch.equal(mask[0, :, 8:], torch.zeros(16, 8))
    Image.new("RGBA", (64, 64), (255, 0, 0, 255)).save(tmp_path / "opaque.png")
    assert fit(tmp_path / "opaque.png", (64, 64)).alpha is None


NOISE = DiscreteNoise(torch.linspace(0.99, 0.01, 1000), "epsilon")


ALIKE = LossWeights()


def zero(noisy: torch.Tensor, *_: object) -> torch.Tensor:
    """Predicts nothing, so that the loss is the noise's own square."""
    return torch.zeros_like(noisy)


def a_batch(count: int = 2) -> tuple[Batch, StepRandomness]:
    randomness = step_randomness(TrainingSettings(), 1, count, (4, 8, 8), NOISE.draw)
    latents = torch.randn((count, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    return Batch(latents, text={}), randomness


def loss(
    batch: Batch, randomness: StepRandomness, loss_weights: LossWeights = ALIKE, noise: DiscreteNoise = NOISE
) -> float:
    return float(diffusion_loss(zero, batch, noise, loss_weights, randomness))


def test_a_mask_divides_the_loss_among_places_without_changing_its_size() -> None:
    batch, randomness = a_batch()
    flat = replace(batch, mask=torch.full((2, 1, 8, 8), 0.3))
    assert loss(flat, randomness) == pytest.approx(loss(batch, randomness), rel=1e-5)
    half = torch.zeros(2, 1, 8, 8)
    half[:, :, :4] = 1
    assert loss(replace(batch, mask=half), randomness) == pytest.approx(
        float(randomness.noises[:, :, :4].square().mean())
    )
    assert loss(replace(batch, mask=half * 0), randomness) == 0


def test_regularisation_images_weigh_as_much_as_said() -> None:
    batch, randomness = a_batch()
    person, other = (float(randomness.noises[number].square().mean()) for number in (0, 1))
    marked = replace(batch, regularisation=torch.tensor([False, True]))
    assert loss(marked, randomness, LossWeights(prior=0.25)) == pytest.approx((person + 0.25 * other) / 2)
    assert loss(marked, randomness, LossWeights(prior=1.0)) == pytest.approx(loss(batch, randomness))


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_min_snr_weighs_the_meant_picture_alike_for_noise_and_velocity(prediction: str) -> None:
    """min(SNR, γ) on the error of the picture that is meant (https://arxiv.org/abs/2303.09556, section 3.4)."""
    batch, randomness = a_batch(1)
    at = randomness.timesteps
    alpha = NOISE.alphas_cumprod[at].view(-1, 1, 1, 1)
    noise = DiscreteNoise(NOISE.alphas_cumprod, prediction)
    noisy = noise.add(batch.latents, randomness.noises, at)
    # What a prediction of 0 means as a picture: x = (x_t - σ·ε)/α of noise, x = α·x_t - σ·v of velocity.
    meant = noisy / alpha.sqrt() if prediction == "epsilon" else alpha.sqrt() * noisy
    snr = float(alpha / (1 - alpha))
    wanted = min(snr, 5.0) * float((meant - batch.latents).square().mean())
    assert loss(batch, randomness, LossWeights(5.0), noise) == pytest.approx(wanted, rel=1e-4)


def test_the_noise_offset_shifts_whole_channels_and_nothing_else() -> None:
    plain = step_randomness(TrainingSettings(), 7, 3, (4, 8, 8), NOISE.draw)
    moved = step_randomness(TrainingSettings(noise_offset=0.5), 7, 3, (4, 8, 8), NOISE.draw)
    shift = moved.noises - plain.noises
    assert torch.equal(plain.timesteps, moved.timesteps)
    assert torch.allclose(shift, shift.mean(dim=(2, 3), keepdim=True).expand_as(shift), atol=1e-5)
    assert float(shift.abs().max()) > 0.05
