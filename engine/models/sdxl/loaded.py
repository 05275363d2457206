"""A base model of SDXL's architecture in memory: what its U-Net sees of captions, images and noise. Needs torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from diffusers import StableDiffusionXLImg2ImgPipeline

from engine.models.loaded import Clean, Embeds, LoadedBase
from engine.models.locate import BaseModel
from engine.models.noise import DiscreteNoise
from engine.models.placement import Placement
from engine.models.sdxl.loading import Pipeline, load_pipeline, noise_schedule
from engine.models.sdxl.prompt_encoder import EMBEDS, POOLED, SdxlPromptEncoder
from engine.models.sdxl.shape import shape_of_configs
from engine.models.shape import BaseShape

TARGETS = (
    *("to_q", "to_k", "to_v", "to_out.0"),
    *("ff.net.0.proj", "ff.net.2"),
    *("proj_in", "proj_out"),
)
"""All linears of the U-Net's transformers: 722 in SDXL, the same that kohya's trainer takes."""

TEXT_TARGETS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")
"""All linears of a CLIP text encoder's layers: 72 and 192 in SDXL's two."""

TIME_IDS = "time_ids"
"""[n, 6]: original height and width, crop top and left, target height and width."""


class SdxlBase:
    """SDXL, loaded.

    Args:
        pipeline: a diffusers ``StableDiffusionXLPipeline``.
    """

    lora_targets, text_lora_targets = TARGETS, TEXT_TARGETS
    old_names: Mapping[str, str] = {"hidden": EMBEDS, "pooled": POOLED}
    make_scheduler = None

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.shape: BaseShape = shape_of_configs(pipeline.unet.config, pipeline.vae.config)
        self.latent_scale = int(pipeline.vae_scale_factor)
        self.layers_per_block = int(pipeline.unet.config.layers_per_block)

    @property
    def denoiser(self) -> Any:
        """The U-Net."""
        return self.pipeline.unet

    @property
    def vae(self) -> Any:
        """The VAE; None once it was let go."""
        return self.pipeline.vae

    @property
    def text_encoders(self) -> tuple[Any, ...]:
        """CLIP-L and OpenCLIP-bigG; none once they were let go."""
        both = (self.pipeline.text_encoder, self.pipeline.text_encoder_2)
        return () if None in both else both

    @property
    def parts(self) -> tuple[Any, ...]:
        """Text encoders, U-Net, VAE."""
        return (*self.text_encoders, self.denoiser, self.vae)

    @property
    def noise_config(self) -> dict[str, Any]:
        """The scheduler's configuration."""
        return dict(self.pipeline.scheduler.config)

    def to(self, device: str) -> SdxlBase:
        """Moves all of it."""
        self.pipeline.to(device)
        return self

    def release(self, text_encoders: bool) -> None:
        """Frees the VAE, and the text encoders where that is wanted."""
        self.pipeline.vae = None
        if text_encoders:
            self.pipeline.text_encoder = self.pipeline.text_encoder_2 = None

    def without_text_encoders(self) -> SdxlBase:
        """Another that shares all but these."""
        return SdxlBase(self._pipeline(type(self.pipeline)))

    def normalise(self, latents: torch.Tensor) -> torch.Tensor:
        """By the VAE's own scale."""
        config = self.vae.config
        scaled: torch.Tensor = (latents - (config.get("shift_factor") or 0.0)) * config.scaling_factor
        return scaled

    def denormalise(self, latents: torch.Tensor) -> torch.Tensor:
        """The inverse, in float32: SDXL's VAE overflows in half precision."""
        config = self.vae.config
        scaled: torch.Tensor = latents.float() / config.scaling_factor + (config.get("shift_factor") or 0.0)
        return scaled

    def noise(self) -> DiscreteNoise:
        """The scheduler's."""
        return DiscreteNoise.of(noise_schedule(self.pipeline))

    def predict(self, denoiser: Any, noisy: torch.Tensor, times: torch.Tensor, conditions: Embeds) -> torch.Tensor:
        """What the U-Net says."""
        # Of the first weight: asking diffusers for the model's dtype walks through all of its modules, each time.
        dtype = denoiser.conv_in.weight.dtype
        added = {"text_embeds": conditions[POOLED].to(dtype), TIME_IDS: conditions[TIME_IDS]}
        said: torch.Tensor = denoiser(
            noisy.to(dtype), times, conditions[EMBEDS].to(dtype), added_cond_kwargs=added
        ).sample
        return said

    def image_conditions(self, placement: Placement) -> dict[str, torch.Tensor]:
        """The time ids, [6] (https://arxiv.org/abs/2307.01952, section 2.2)."""
        return {TIME_IDS: torch.tensor([*placement.original, *placement.crop, *placement.target])}

    def tokens(self, caption: str) -> torch.Tensor:
        """[2, 77]"""
        both = [
            each(caption, padding="max_length", max_length=each.model_max_length, truncation=True).input_ids
            for each in self._tokenizers
        ]
        return torch.tensor(both)

    def too_long(self, caption: str) -> bool:
        """Whether it has more tokens than the text encoders read (75 and the two at the ends)."""
        tokenizer = self.pipeline.tokenizer
        return bool(len(tokenizer(caption).input_ids) > tokenizer.model_max_length)

    def text_key(self, caption: str) -> str:
        """Its tokens."""
        return str([each(caption).input_ids for each in self._tokenizers])

    def encode_caption(self, caption: str, device: str) -> dict[str, torch.Tensor]:
        """Both encoders' last hidden state but one, side by side, and the second's pooled text."""
        for encoder in self.text_encoders:
            encoder.to(device)
        with torch.no_grad():
            hidden, _, pooled, _ = self.pipeline.encode_prompt(
                prompt=caption, device=device, num_images_per_prompt=1, do_classifier_free_guidance=False
            )
        return {EMBEDS: hidden[0].float().cpu().contiguous(), POOLED: pooled[0].float().cpu().contiguous()}

    def encode_tokens(self, tokens: torch.Tensor) -> Embeds:
        """What the pipeline's ``encode_prompt`` gives, of tokens [n, 2, 77]."""
        seen = [
            encoder(tokens[:, number], output_hidden_states=True) for number, encoder in enumerate(self.text_encoders)
        ]
        # The last hidden state but one of both, side by side; of the second also the text as a whole.
        return {EMBEDS: torch.cat([each.hidden_states[-2] for each in seen], dim=-1), POOLED: seen[1].text_embeds}

    def prompt_encoder(self, device: str) -> SdxlPromptEncoder:
        """Both text encoders, on that device."""
        for encoder in self.text_encoders:
            encoder.to(device)
        return SdxlPromptEncoder(self.pipeline, device)

    def text_to_image(self, denoiser: Any = None) -> Any:
        """A pipeline that paints from noise."""
        return self._pipeline(type(self.pipeline), denoiser)

    def image_to_image(self) -> Any:
        """A pipeline that paints from latents."""
        return self._pipeline(StableDiffusionXLImg2ImgPipeline)

    def clean(self) -> Clean:
        """The U-Net is given latents in the noise's own scale, whatever the sampler, and says the noise or velocity."""
        return _Cleaner(self.noise_config)

    @property
    def _tokenizers(self) -> tuple[Any, Any]:
        return self.pipeline.tokenizer, self.pipeline.tokenizer_2

    def _pipeline(self, kind: Any, denoiser: Any = None) -> Any:
        # Text is encoded in float32 and handed over: a pipeline with text encoders of its own would paint in theirs.
        own = {"text_encoder": None, "text_encoder_2": None, **({"unet": denoiser} if denoiser is not None else {})}
        made = kind(**{**self.pipeline.components, **own}, add_watermarker=False)
        made.set_progress_bar_config(disable=True)
        return made


class _Cleaner:
    """What latents are without their noise, as the U-Net takes them to be."""

    def __init__(self, noise: Mapping[str, Any]) -> None:
        first, last = float(noise["beta_start"]) ** 0.5, float(noise["beta_end"]) ** 0.5
        betas = torch.linspace(first, last, int(noise["num_train_timesteps"])) ** 2
        self._kept = torch.cumprod(1 - betas, 0)
        self._velocity = noise.get("prediction_type") == "v_prediction"

    def __call__(self, given: Sequence[Any], said: Any, guidance: float) -> torch.Tensor:
        sample, when, out = given[0].float(), given[1], said[0].float()
        if guidance > 1:
            nothing, prompt = out.chunk(2)
            sample, out = sample.chunk(2)[1], nothing + guidance * (prompt - nothing)
        kept = float(self._kept[min(len(self._kept) - 1, max(0, round(float(when))))])
        signal, noise = kept**0.5, (1 - kept) ** 0.5
        clean: torch.Tensor = signal * sample - noise * out if self._velocity else (sample - noise * out) / signal
        return clean


def load(base: BaseModel, dtype: torch.dtype = torch.float32) -> LoadedBase:
    """Loads SDXL. Raises BaseModelError."""
    return SdxlBase(load_pipeline(base, dtype))
