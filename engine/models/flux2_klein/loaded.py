"""A base model of FLUX.2 klein's architecture in memory: what its transformer sees of captions and noise. Needs torch.

Latents are the VAE's, four neighbours folded into one of four times the channels and normalised by the statistics that
the VAE keeps (diffusers' ``Flux2KleinPipeline._encode_vae_image``): 128 channels, a side a sixteenth of the picture's.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from diffusers import Flux2KleinPipeline

from engine.models.flow.base import FlowBase
from engine.models.flow.loading import Pipeline, load_pipeline
from engine.models.flow.noise import FlowNoise, linear_shift
from engine.models.flux2_klein.family import FAMILY
from engine.models.flux2_klein.painting import KleinCleaner, KleinPainter
from engine.models.flux2_klein.prompt_encoder import EMBEDS, KleinPromptEncoder
from engine.models.flux2_klein.shape import shape_of_configs
from engine.models.loaded import Clean, Embeds, LoadedBase
from engine.models.locate import BaseModel

DOUBLE = (
    *("attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0"),
    *("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out"),
    *("ff.linear_in", "ff.linear_out", "ff_context.linear_in", "ff_context.linear_out"),
)
SINGLE = ("attn.to_qkv_mlp_proj", "attn.to_out")
"""All linears of both kinds of blocks: 100 in the 4B."""


class KleinBase(FlowBase):
    """FLUX.2 klein, loaded.

    Args:
        pipeline: a diffusers ``Flux2KleinPipeline``.
    """

    title, kind, thinking = FAMILY.title, Flux2KleinPipeline, False

    def __init__(self, pipeline: Pipeline) -> None:
        shape = shape_of_configs(pipeline.transformer.config, pipeline.vae.config)
        super().__init__(pipeline, shape, 2 * int(pipeline.vae_scale_factor))
        self._painter: KleinPainter | None = None
        # Kept: the VAE is let go before training begins.
        bn, epsilon = pipeline.vae.bn, pipeline.vae.config.batch_norm_eps
        self._mean = bn.running_mean.detach().float().view(1, -1, 1, 1).cpu()
        self._deviation = (bn.running_var.detach().float() + epsilon).sqrt().view(1, -1, 1, 1).cpu()

    @property
    def pipeline_options(self) -> dict[str, Any]:
        """Whether it was distilled: diffusers' pipeline then leaves guidance out."""
        return {"is_distilled": bool(self.pipeline.config.is_distilled)}

    @cached_property
    def lora_targets(self) -> tuple[str, ...]:
        """The whole names of the blocks' linears: ``attn.to_out`` is a linear in some and a list in others."""
        blocks, singles = self.denoiser.transformer_blocks, self.denoiser.single_transformer_blocks
        double = (f"transformer_blocks.{number}.{name}" for number in range(len(blocks)) for name in DOUBLE)
        single = (f"single_transformer_blocks.{number}.{name}" for number in range(len(singles)) for name in SINGLE)
        return (*double, *single)

    def to(self, device: str) -> KleinBase:
        """Moves all of it."""
        self.pipeline.to(device)
        return self

    def without_text_encoders(self) -> KleinBase:
        """Another that shares all but these."""
        return KleinBase(self.textless())

    def normalise(self, latents: torch.Tensor) -> torch.Tensor:
        """Folds and normalises what the VAE encodes, [n, c, 2h, 2w], to [n, 4c, h, w]."""
        folded = Flux2KleinPipeline._patchify_latents(latents)
        normal: torch.Tensor = (folded - self._mean.to(folded)) / self._deviation.to(folded)
        return normal

    def denormalise(self, latents: torch.Tensor) -> torch.Tensor:
        """The inverse, in float32."""
        wide = latents.float()
        unfolded: torch.Tensor = Flux2KleinPipeline._unpatchify_latents(
            wide * self._deviation.to(wide) + self._mean.to(wide)
        )
        return unfolded

    def noise(self) -> FlowNoise:
        """The flow's, shifted by the tokens of a picture: e^0.5 at 256 of them to e^1.15 at 4,096, by the scheduler's
        own configuration where it says otherwise."""
        config = self.noise_config
        base, most = float(config.get("base_shift") or 0.5), float(config.get("max_shift") or 1.15)
        fewest = int(config.get("base_image_seq_len") or 256)
        largest = int(config.get("max_image_seq_len") or 4096)
        return FlowNoise(lambda shape: linear_shift(shape[1] * shape[2], base, most, fewest, largest))

    def predict(self, denoiser: Any, noisy: torch.Tensor, times: torch.Tensor, conditions: Embeds) -> torch.Tensor:
        """What the transformer says of latents [n, c, h, w] at σ [n]."""
        dtype = denoiser.x_embedder.weight.dtype
        count, channels, height, width = noisy.shape
        text = conditions[EMBEDS].to(dtype)
        said: torch.Tensor = denoiser(
            hidden_states=noisy.flatten(2).transpose(1, 2).to(dtype),
            encoder_hidden_states=text,
            timestep=times.to(dtype),
            img_ids=_places(height, width, noisy.device),
            txt_ids=_places_of_text(text.shape[1], noisy.device),
            guidance=None,
            return_dict=False,
        )[0]
        return said.transpose(1, 2).reshape(count, channels, height, width)

    def text_key(self, caption: str) -> str:
        """Its tokens, with those that fill it up, for they are seen, too; and the weights of what reads them."""
        return f"{self.reader}{self.tokens(caption).tolist()}"

    def encode_caption(self, caption: str, device: str) -> dict[str, torch.Tensor]:
        """Qwen3's hidden states, [512, 7680], in the type that it computes in: float32 would hold no more."""
        with torch.no_grad():
            embeds = self.prompt_encoder(device).encode_plain(caption)[EMBEDS]
        return {EMBEDS: embeds[0].cpu().contiguous()}

    def prompt_encoder(self, device: str) -> KleinPromptEncoder:
        """The text encoder, on that device."""
        self.pipeline.text_encoder.to(device)
        return KleinPromptEncoder(self.pipeline, self.chat.most, device)

    def painter(self, denoiser: Any = None) -> KleinPainter:
        """A pipeline that paints, with another denoiser in place of its own."""
        return KleinPainter(self.textless(denoiser), self.latent_scale)

    def text_to_image(self, denoiser: Any = None) -> KleinPainter:
        """A pipeline that paints from noise."""
        self._painter = self.painter(denoiser)
        return self._painter

    def clean(self) -> Clean:
        """Latents without the flow's noise."""
        return KleinCleaner(lambda: self._painter.negative if self._painter else None)


def _places(height: int, width: int, device: torch.device) -> torch.Tensor:
    """Where each token of a picture is, [h · w, 4]: 0, row, column, 0 (diffusers' ``_prepare_latent_ids``)."""
    rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
    places = torch.zeros(height, width, 4, dtype=torch.long, device=device)
    places[..., 1], places[..., 2] = rows[:, None], columns[None]
    return places.view(-1, 4)


def _places_of_text(tokens: int, device: torch.device) -> torch.Tensor:
    """Where each token of a text is, [tokens, 4]: the last is its number (diffusers' ``_prepare_text_ids``)."""
    places = torch.zeros(tokens, 4, dtype=torch.long, device=device)
    places[:, 3] = torch.arange(tokens, device=device)
    return places


def load(base: BaseModel, dtype: torch.dtype = torch.float32) -> LoadedBase:
    """Loads FLUX.2 klein. Raises BaseModelError."""
    return KleinBase(load_pipeline(base, Flux2KleinPipeline, FAMILY.title, dtype))
