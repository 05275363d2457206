"""A base model in memory, as training and painting use it, whatever its family. Needs torch.

The denoiser is the part that a LoRA is trained for: a U-Net or a transformer. Tensors that a family gives the denoiser
beside the latents go by names of the family's own; training and painting only hand them on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch

from engine.models.noise import TrainingNoise
from engine.models.placement import Placement
from engine.models.shape import BaseShape
from engine.settings.samplers import NoiseSchedule, Sampler

Embeds = Mapping[str, torch.Tensor]
"""What the denoiser sees of texts, or is told of images, by the family's names; each tensor [n, …]."""

Clean = Callable[[Sequence[Any], Any, float], torch.Tensor | None]
"""From what the denoiser was given, in its order, what it said and the guidance: the latents [n, c, h, w] without their
noise; None: this call shows nothing of the picture."""


MakeScheduler = Callable[[Sampler, NoiseSchedule, Mapping[str, Any]], Any]
"""A fresh scheduler for a sampler and ``noise_config``; raises PictureError for one that does not suit the family."""


class WeightedText(Protocol):
    """A piece of a prompt."""

    @property
    def text(self) -> str:
        """Its words."""

    @property
    def weight(self) -> float:
        """How much they count; 1: as they are."""

    @property
    def is_break(self) -> bool:
        """Whether it is no text, but where a new chunk begins."""


class TextLayout(Protocol):
    """How encoded texts are handed to a family's pipeline; holds no weights."""

    def length(self, text: Embeds) -> int:
        """Tokens that the denoiser sees; texts that differ in it can't go through it together."""

    def begin(self, prompts: Embeds, negatives: Embeds | None) -> dict[str, torch.Tensor | None]:
        """The arguments by which the pipeline is given texts [n, …]."""

    def at_step(self, prompts: Embeds, negatives: Embeds | None) -> dict[str, torch.Tensor]:
        """What the pipeline's loop holds of the same texts."""


class PromptEncoder(Protocol):
    """The text encoders, reading prompts to paint."""

    @property
    def layout(self) -> TextLayout:
        """How what it encodes is handed on."""

    def encode(self, texts: Mapping[str, Sequence[WeightedText]]) -> dict[str, Embeds]:
        """Each text [1, …]; all of one length."""

    def empty(self, like: Embeds) -> Embeds | None:
        """What is seen in place of an empty negative prompt; None: the empty text, encoded."""


class LoadedBase(Protocol):
    """A base model in memory. What encodes can be let go."""

    @property
    def denoiser(self) -> Any:
        """The part that a LoRA is trained for."""

    @property
    def vae(self) -> Any:
        """A diffusers autoencoder in float32."""

    @property
    def text_encoders(self) -> tuple[Any, ...]:
        """Those that can have a LoRA, at most two, in the order of kohya's names; none once they were let go."""

    @property
    def parts(self) -> tuple[Any, ...]:
        """All that computes, in the order in which painting does: what encodes texts, the denoiser, the VAE."""

    @property
    def shape(self) -> BaseShape:
        """Its size."""

    @property
    def latent_scale(self) -> int:
        """Pixels a side that become one of a latent's."""

    def normalise(self, latents: torch.Tensor) -> torch.Tensor:
        """What the VAE encodes, [n, …], as the denoiser wants it, [n, c, h, w]."""

    def denormalise(self, latents: torch.Tensor) -> torch.Tensor:
        """The inverse: what the VAE decodes, in float32."""

    @property
    def noise_config(self) -> dict[str, Any]:
        """Its scheduler's configuration, by diffusers' names."""

    @property
    def layers_per_block(self) -> int | None:
        """What the names in its LoRA files depend on: SDXL's sgm names by that setting of its U-Net; None: the files
        have diffusers' dotted names."""

    @property
    def lora_targets(self) -> tuple[str, ...]:
        """How the names of the denoiser's linears end that get a LoRA."""

    @property
    def text_lora_targets(self) -> tuple[str, ...]:
        """The same of the text encoders."""

    @property
    def old_names(self) -> Mapping[str, str]:
        """Names that a text's tensors had in files of earlier versions, and those of now."""

    def to(self, device: str) -> LoadedBase:
        """Moves all of it to a device."""

    def release(self, text_encoders: bool) -> None:
        """Frees the VAE, and the text encoders where that is wanted."""

    def without_text_encoders(self) -> LoadedBase:
        """Another that shares all but these."""

    def noise(self) -> TrainingNoise:
        """The noise that it was trained with, on the CPU."""

    def predict(self, denoiser: Any, noisy: torch.Tensor, times: torch.Tensor, conditions: Embeds) -> torch.Tensor:
        """What the denoiser says of noisy latents [n, c, h, w] at times [n]; conditions are images' and texts'."""

    def image_conditions(self, placement: Placement) -> dict[str, torch.Tensor]:
        """What the denoiser is told of an image, without a batch dimension."""

    def tokens(self, caption: str) -> torch.Tensor:
        """A caption's tokens for each text encoder, [encoders, tokens], cut and filled up as these want them."""

    def too_long(self, caption: str) -> bool:
        """Whether the end of a caption is cut off."""

    def text_key(self, caption: str) -> str:
        """All that what is made of a caption depends on, besides the text encoders' weights."""

    def encode_caption(self, caption: str, device: str) -> dict[str, torch.Tensor]:
        """What the denoiser sees of a caption, in float32 on the CPU, without a batch dimension."""

    def encode_tokens(self, tokens: torch.Tensor) -> Embeds:
        """The same of tokens [n, encoders, tokens], by the text encoders as they are now, with their gradients."""

    def prompt_encoder(self, device: str) -> PromptEncoder:
        """The text encoders, to paint with."""

    def text_to_image(self, denoiser: Any = None) -> Any:
        """A diffusers pipeline that takes encoded texts and gives latents, with another denoiser in place of its own.

        It is called with what ``PromptEncoder.begin`` gives and ``num_inference_steps``, ``guidance_scale``,
        ``generator``, ``width``, ``height``, ``output_type="latent"``, ``callback_on_step_end`` and
        ``callback_on_step_end_tensor_inputs``; it has a ``scheduler`` that can be set.
        """

    def image_to_image(self) -> Any:
        """The same from an ``image`` of latents and a ``strength``, without width and height."""

    @property
    def make_scheduler(self) -> MakeScheduler | None:
        """What makes schedulers of the family's own; None: they are diffusers' for the sampler and this noise."""

    def clean(self) -> Clean:
        """What makes previews of the denoiser's calls."""
