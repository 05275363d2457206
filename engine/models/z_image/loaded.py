"""A base model of Z-Image's architecture in memory: what its transformer sees of captions and noise. Needs torch.

Latents are the VAE's, moved and scaled by the two numbers of its configuration: 16 channels, a side an eighth of the
picture's. Loss and noise are those of diffusers' ``examples/dreambooth/train_dreambooth_lora_z_image.py``.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from diffusers import ZImagePipeline

from engine.models.flow.base import FlowBase
from engine.models.flow.loading import Pipeline, load_pipeline
from engine.models.flow.noise import FlowNoise
from engine.models.loaded import Clean, Embeds, LoadedBase
from engine.models.locate import BaseModel
from engine.models.z_image.family import FAMILY
from engine.models.z_image.painting import ZImageCleaner, ZImagePainter, width_type
from engine.models.z_image.prompt_encoder import EMBEDS, MASK, ZImagePromptEncoder, apart
from engine.models.z_image.shape import shape_of_configs

TARGETS = (
    *("attention.to_q", "attention.to_k", "attention.to_v", "attention.to_out.0"),
    *("feed_forward.w1", "feed_forward.w2", "feed_forward.w3"),
)
"""The linears of a block: 210 in the published models."""


class ZImageBase(FlowBase):
    """Z-Image, loaded.

    Args:
        pipeline: a diffusers ``ZImagePipeline``.
    """

    title, kind, thinking = FAMILY.title, ZImagePipeline, True

    def __init__(self, pipeline: Pipeline) -> None:
        shape = shape_of_configs(pipeline.transformer.config, pipeline.vae.config)
        super().__init__(pipeline, shape, int(pipeline.vae_scale_factor))
        # Kept: the VAE is let go before training begins.
        config = pipeline.vae.config
        self._middle, self._factor = float(config.shift_factor or 0.0), float(config.scaling_factor)

    @cached_property
    def lora_targets(self) -> tuple[str, ...]:
        """The whole names of the blocks' linears: refiners have the same ends, and get no LoRA."""
        return tuple(f"layers.{number}.{name}" for number in range(len(self.denoiser.layers)) for name in TARGETS)

    def to(self, device: str) -> ZImageBase:
        """Moves all of it."""
        self.pipeline.to(device)
        return self

    def without_text_encoders(self) -> ZImageBase:
        """Another that shares all but these."""
        return ZImageBase(self.textless())

    def normalise(self, latents: torch.Tensor) -> torch.Tensor:
        """(z - shift) · scale, [n, c, h, w]."""
        return (latents - self._middle) * self._factor

    def denormalise(self, latents: torch.Tensor) -> torch.Tensor:
        """The inverse, in float32."""
        return latents.float() / self._factor + self._middle

    def noise(self) -> FlowNoise:
        """The flow's, shifted as its scheduler is: by 3 in the published models."""
        shift = float(self.noise_config.get("shift") or 1.0)
        return FlowNoise(lambda _shape: shift)

    def predict(self, denoiser: Any, noisy: torch.Tensor, times: torch.Tensor, conditions: Embeds) -> torch.Tensor:
        """What the transformer says of latents [n, c, h, w] at σ [n].

        It takes a list of pictures and a list of texts, each as long as it is, and 1 - σ; what it says points from the
        noise to the picture, so its sign is turned.
        """
        dtype = width_type(denoiser)
        said = denoiser(
            list(noisy.to(dtype).contiguous().unsqueeze(2).unbind()),
            1 - times,
            apart(conditions[EMBEDS].to(dtype), conditions[MASK]),
            return_dict=False,
        )[0]
        return -torch.stack(list(said)).squeeze(2)

    def text_key(self, caption: str) -> str:
        """Its tokens, and the weights of what reads them."""
        return f"{self.reader}{self.chat.numbers(caption, fill=False)}"

    def encode_caption(self, caption: str, device: str) -> dict[str, torch.Tensor]:
        """Qwen3's hidden states, [tokens, 2560], in the type that it computes in: float32 would hold no more."""
        with torch.no_grad():
            embeds = self.prompt_encoder(device).encode_plain(caption).cpu().contiguous()
        return {EMBEDS: embeds, MASK: torch.ones(len(embeds), dtype=torch.bool)}

    def prompt_encoder(self, device: str) -> ZImagePromptEncoder:
        """The text encoder, on that device."""
        self.pipeline.text_encoder.to(device)
        return ZImagePromptEncoder(self.pipeline, self.chat.most, device)

    def painter(self, denoiser: Any = None) -> ZImagePainter:
        """A pipeline that paints, with another denoiser in place of its own."""
        return ZImagePainter(self.textless(denoiser), self.latent_scale)

    def clean(self) -> Clean:
        """Latents without the flow's noise."""
        return ZImageCleaner()


def load(base: BaseModel, dtype: torch.dtype = torch.float32) -> LoadedBase:
    """Loads Z-Image. Raises BaseModelError."""
    return ZImageBase(load_pipeline(base, ZImagePipeline, FAMILY.title, dtype))
