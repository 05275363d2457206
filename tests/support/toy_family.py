"""A family of base models in a few lines: one linear layer that colours noise. A test installs it as a package."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import Any

import torch
from diffusers import ConfigMixin, DDPMScheduler, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.loaders import PeftAdapterMixin
from torch.nn.functional import avg_pool2d, interpolate

from engine.models.noise import DiscreteNoise
from engine.models.shape import BaseShape

SHAPE = BaseShape("toy", 64, 8, "toy")


class Denoiser(ModelMixin, ConfigMixin, PeftAdapterMixin):  # type: ignore[misc]
    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(self) -> None:
        super().__init__()
        self.to_q = torch.nn.Linear(3, 3)

    def forward(self, latents: torch.Tensor, words: torch.Tensor) -> tuple[torch.Tensor]:
        return (self.to_q(latents.movedim(1, -1)).movedim(-1, 1) + words[:, :, None, None],)


class Vae(torch.nn.Module):
    use_tiling = False

    def encode(self, pixels: torch.Tensor) -> Any:
        mean = avg_pool2d(pixels, 8)
        return SimpleNamespace(latent_dist=SimpleNamespace(mean=mean, mode=lambda: mean))

    def decode(self, latents: torch.Tensor) -> Any:
        return SimpleNamespace(sample=interpolate(latents, scale_factor=8))


def embedded(text: str) -> torch.Tensor:
    """Three numbers of a text, by its hash."""
    return torch.tensor([each / 255 for each in hashlib.sha256(text.encode()).digest()[:3]])


class Prompts:
    """Reads prompts to paint, and hands them on."""

    @property
    def layout(self) -> Prompts:
        return self

    def encode(self, texts: Any) -> Any:
        return {text: {"words": embedded(text)[None]} for text in texts}

    def empty(self, _like: Any) -> None:
        return None

    def length(self, _text: Any) -> int:
        return 1

    def begin(self, prompts: Any, _negatives: Any) -> Any:
        return prompts

    at_step = begin


class Pipeline:
    """What diffusers' pipelines are called like."""

    def __init__(self, denoiser: Any, config: Any) -> None:
        self.denoiser, self.scheduler = denoiser, DDPMScheduler.from_config(config)

    def __call__(
        self, *, words: Any, num_inference_steps: int, generator: Any, callback_on_step_end: Any, **asked: Any
    ) -> Any:
        self.scheduler.set_timesteps(num_inference_steps)
        sides = asked["height"] // 8, asked["width"] // 8
        latents = torch.stack([torch.randn((3, *sides), generator=each) for each in generator])
        for number, time in enumerate(self.scheduler.timesteps):
            (said,) = self.denoiser(self.scheduler.scale_model_input(latents, time), words)
            latents = self.scheduler.step(said, time, latents, return_dict=False)[0]
            callback_on_step_end(self, number, time, {})
        return SimpleNamespace(images=latents)


class Toy:
    """A ``LoadedBase``."""

    shape, latent_scale, text_encoders, layers_per_block = SHAPE, 8, (), None
    lora_targets, text_lora_targets, old_names, make_scheduler = ("to_q",), (), {}, None
    noise_config = {"num_train_timesteps": 1000, "beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear"}

    def __init__(self, *_: object) -> None:
        torch.manual_seed(0)
        self.denoiser, self.vae = Denoiser(), Vae()

    @property
    def parts(self) -> tuple[Any, ...]:
        return self.denoiser, self.vae

    def to(self, _device: str) -> Toy:
        return self

    def release(self, text_encoders: bool) -> None:
        pass

    def without_text_encoders(self) -> Toy:
        return self

    def normalise(self, latents: torch.Tensor) -> torch.Tensor:
        return latents

    denormalise = normalise

    def noise(self) -> DiscreteNoise:
        return DiscreteNoise.of(DDPMScheduler.from_config(self.noise_config))

    def predict(self, denoiser: Any, noisy: torch.Tensor, _times: torch.Tensor, conditions: Any) -> torch.Tensor:
        said: torch.Tensor = denoiser(noisy, conditions["words"])[0]
        return said

    def image_conditions(self, _placement: object) -> dict[str, torch.Tensor]:
        return {}

    def too_long(self, _caption: str) -> bool:
        return False

    def text_key(self, caption: str) -> str:
        return caption

    def encode_caption(self, caption: str, _device: str) -> dict[str, torch.Tensor]:
        return {"words": embedded(caption)}

    def prompt_encoder(self, _device: str) -> Prompts:
        return Prompts()

    def text_to_image(self, denoiser: Any = None) -> Pipeline:
        return Pipeline(denoiser or self.denoiser, self.noise_config)

    image_to_image = text_to_image

    def clean(self) -> Any:
        return lambda _given, said, _guidance: said[0]
